//! `cargo local preflight`.

use std::io::{self, IsTerminal as _, Write as _};

use super::Preflight;
use crate::preflight::{Plan, Surroundings, Verdict, check};

/// Something is missing; each finding was printed.
#[derive(Debug, thiserror::Error)]
#[error("{0} of the above would keep `sam deploy` from working")]
pub(super) struct NotReady(usize);

pub(super) async fn preflight(options: Preflight) -> Result<(), NotReady> {
    let Preflight { profile, region, stack_name, cdn } = options;
    let plan = Plan { profile, region, stack_name, with_cdn: cdn };
    let variables = std::env::vars_os();
    let variables =
        variables.filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
    let surroundings = Surroundings { variables: variables.collect(), ask_code: Box::new(ask_code) };
    let findings = check(&plan, &surroundings).await;
    for finding in &findings {
        println!("{finding}");
    }
    match findings.iter().filter(|finding| finding.verdict == Verdict::Missing).count() {
        0 => Ok(()),
        missing => Err(NotReady(missing)),
    }
}

/// Asks on the terminal. A code lives for half a minute and works once, so it may be seen.
fn ask_code(serial: &str) -> io::Result<String> {
    if !io::stdin().is_terminal() {
        return Err(io::Error::other(format!(
            "{serial} has to be asked for a code, and there is no terminal"
        )));
    }
    eprint!("Code of {serial}: ");
    io::stderr().flush()?;
    let mut code = String::new();
    io::stdin().read_line(&mut code)?;
    Ok(code)
}
