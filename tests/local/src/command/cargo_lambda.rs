//! What `cargo lambda watch` needs to run the functions against this stack: environment files, and the routes.
//!
//! Written into the data directory at every start, so that nothing of it is kept by hand:
//!
//! - `functions.env`: the variables of all functions, with the operator's access keys, for one `cargo lambda watch` of all
//!   of them. A variable that two functions know by different values is in neither's name and left out.
//! - `functions/<function>.env`: those of one function, with its own access keys: what the template does not permit it is
//!   refused.
//! - `cargo-lambda.toml`: which function answers which route, for `--global`. <https://www.cargo-lambda.info/commands/watch.html>

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::io;
use std::path::{Path, PathBuf};

use crate::LocalStack;
use crate::aws::Aws;
use crate::stack::{Function, Route};

/// Set by `cargo lambda` itself.
const OF_THE_RUNTIME: &str = "AWS_LAMBDA_";

/// Why the files were not written.
#[derive(Debug, thiserror::Error)]
pub(super) enum CargoLambdaError {
    #[error("{}: {source}", path.display())]
    File { path: PathBuf, source: io::Error },
    #[error("the value of {0} cannot be written into an environment file")]
    Value(String),
}

/// Writes the files of a stack into its data directory.
pub(super) fn write(stack: &LocalStack) -> Result<(), CargoLambdaError> {
    let directory = stack.data_directory();
    let functions: Vec<&Function> = stack.stack().functions.values().collect();
    let environments: Vec<BTreeMap<String, String>> =
        functions.iter().map(|function| variables(stack, function)).collect();

    let folder = directory.join("functions");
    std::fs::create_dir_all(&folder)
        .map_err(|source| CargoLambdaError::File { path: folder.clone(), source })?;
    for (function, environment) in functions.iter().zip(&environments) {
        write_private(&folder.join(format!("{}.env", function.binary)), &environment_file(environment)?)?;
    }
    let mut everybodys = shared(&environments);
    let operator = Aws::operator_credentials();
    everybodys.insert("AWS_ACCESS_KEY_ID".to_owned(), operator.access_key_id);
    everybodys.insert("AWS_SECRET_ACCESS_KEY".to_owned(), operator.secret_access_key);
    write_private(&directory.join("functions.env"), &environment_file(&everybodys)?)?;
    let routes = routes(&stack.stack().routes, &stack.stack().functions);
    write_private(&directory.join("cargo-lambda.toml"), &routes)
}

fn variables(stack: &LocalStack, function: &Function) -> BTreeMap<String, String> {
    let variables = stack.environment_of(function).into_iter();
    variables.filter(|(name, _)| !name.starts_with(OF_THE_RUNTIME)).collect()
}

/// The variables that nobody knows by another value.
fn shared(environments: &[BTreeMap<String, String>]) -> BTreeMap<String, String> {
    let mut values: BTreeMap<&String, BTreeSet<&String>> = BTreeMap::new();
    for (name, value) in environments.iter().flatten() {
        values.entry(name).or_default().insert(value);
    }
    let only = |values: BTreeSet<&String>| values.into_iter().next().cloned();
    let agreed = values.into_iter().filter(|(_, values)| values.len() == 1);
    agreed.filter_map(|(name, values)| Some((name.clone(), only(values)?))).collect()
}

/// `NAME='value'` in lines, which a shell reads as `cargo lambda` does. Neither has a way to write all there is in single
/// quotes: `cargo lambda` takes `\n` for the end of a line.
fn environment_file(variables: &BTreeMap<String, String>) -> Result<String, CargoLambdaError> {
    let mut text = String::new();
    for (name, value) in variables {
        if value.contains(['\'', '\\', '\n']) {
            return Err(CargoLambdaError::Value(name.clone()));
        }
        let _ = writeln!(text, "{name}='{value}'");
    }
    Ok(text)
}

/// The routes by path, each method with its function. What has no route goes where `$default` goes.
fn routes(routes: &[Route], functions: &BTreeMap<String, Function>) -> String {
    let mut paths: BTreeMap<&str, Vec<(&str, &str)>> = BTreeMap::new();
    let mut fallback = None;
    for route in routes {
        let Some(function) = functions.get(&route.function) else { continue };
        match &route.method {
            Some(method) => paths.entry(&route.path).or_default().push((method, &function.binary)),
            None => fallback = Some(&function.binary),
        }
    }
    let mut text =
        "# Which function answers which route, generated from the template.\n[watch.router]\n".to_owned();
    for (path, methods) in paths {
        let methods = methods
            .iter()
            .map(|(method, function)| format!("{{ method = \"{method}\", function = \"{function}\" }}"));
        let _ = writeln!(text, "\"{path}\" = [{}]", methods.collect::<Vec<_>>().join(", "));
    }
    if let Some(function) = fallback {
        let _ = writeln!(text, "\"/{{*path}}\" = \"{function}\"");
    }
    text
}

/// For the user only: access keys are in it.
fn write_private(path: &Path, text: &str) -> Result<(), CargoLambdaError> {
    let failed = |source| CargoLambdaError::File { path: path.to_owned(), source };
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed(error)),
        _ => {}
    }
    crate::control::write_private(path, text.as_bytes()).map_err(failed)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]

    use super::*;

    fn environment(variables: &[(&str, &str)]) -> BTreeMap<String, String> {
        variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn what_functions_disagree_on_is_not_everybodys() {
        let one = environment(&[("TABLE", "t"), ("WAIT", "1"), ("ONE", "x")]);
        let other = environment(&[("TABLE", "t"), ("WAIT", "2")]);
        assert_eq!(shared(&[one, other]), environment(&[("ONE", "x"), ("TABLE", "t")]));
    }

    #[test]
    fn a_value_is_written_as_it_is_or_not_at_all() {
        let keys = environment(&[("JWKS", r#"{"keys": [1, 2]} # $HOME `x`"#)]);
        assert_eq!(environment_file(&keys).unwrap(), "JWKS='{\"keys\": [1, 2]} # $HOME `x`'\n");
        for value in ["it's", "a\nb", r"a\nb"] {
            let error = environment_file(&environment(&[("TEXT", value)])).unwrap_err();
            assert_eq!(error.to_string(), "the value of TEXT cannot be written into an environment file");
        }
    }

    #[tokio::test]
    async fn the_files_are_those_of_the_template_that_runs() {
        use crate::{DataDirectory, Options};
        let directory = tempfile::tempdir().unwrap();
        let data_directory = DataDirectory::Persistent(directory.path().to_owned());
        let stack = LocalStack::start(Options { data_directory, ..Options::default() }).await.unwrap();
        // At every start anew.
        write(&stack).unwrap();
        write(&stack).unwrap();
        let everybodys = std::fs::read_to_string(directory.path().join("functions.env")).unwrap();
        let one = std::fs::read_to_string(directory.path().join("functions/log-in.env")).unwrap();
        for file in [&everybodys, &one] {
            assert!(file.contains("\nTABLE_NAME='"), "{file}");
            assert!(file.contains(&format!("AWS_ENDPOINT_URL='{}'\n", stack.aws_url())), "{file}");
            assert!(!file.contains("AWS_LAMBDA_"), "{file}");
        }
        assert!(everybodys.contains("AWS_ACCESS_KEY_ID='local'") && everybodys.contains("\nINGEST_BUCKET='"));
        assert!(one.contains("AWS_ACCESS_KEY_ID='ASIA") && !one.contains("\nINGEST_BUCKET='"));
        // Nothing that a function needs is lost for the others' sake.
        for function in stack.stack().functions.values() {
            for name in function.environment.keys() {
                assert!(everybodys.contains(&format!("{name}='")), "{name} of {}", function.binary);
            }
        }

        let routes = std::fs::read_to_string(directory.path().join("cargo-lambda.toml")).unwrap();
        for route in &stack.stack().routes {
            let function = &stack.stack().functions[&route.function].binary;
            let (path, answerer) = match &route.method {
                Some(method) => {
                    (&*route.path, format!("{{ method = \"{method}\", function = \"{function}\" }}"))
                }
                None => ("/{*path}", format!("\"{function}\"")),
            };
            let line = routes.lines().find(|line| line.starts_with(&format!("\"{path}\" = ")));
            assert!(line.is_some_and(|line| line.contains(&answerer)), "{route:?} is not in\n{routes}");
        }
        stack.shut_down().await;
    }
}
