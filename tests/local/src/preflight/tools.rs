//! The tools that build and deploy.

use std::process::Command;

use super::{Finding, Surroundings};

/// A tool: its name, how it is asked for its version, with which version this platform was built, and where it comes from.
struct Tool {
    name: &'static str,
    arguments: &'static [&'static str],
    tried: (u32, u32),
    source: &'static str,
}

const TOOLS: &[Tool] = &[
    Tool {
        name: "sam",
        arguments: &["--version"],
        tried: (1, 170),
        source: "pip install --upgrade aws-sam-cli",
    },
    Tool {
        name: "cargo-lambda",
        arguments: &["lambda", "--version"],
        tried: (1, 9),
        source: "pip install --upgrade cargo-lambda",
    },
];

pub(super) fn check(surroundings: &Surroundings) -> Vec<Finding> {
    TOOLS.iter().map(|tool| look(tool, surroundings)).collect()
}

fn look(tool: &Tool, surroundings: &Surroundings) -> Finding {
    let Tool { name, arguments, tried, source } = tool;
    let output = Command::new(name).args(*arguments).env_clear().envs(&surroundings.variables).output();
    let printed = match output {
        Ok(output) if output.status.success() => String::from_utf8_lossy(&output.stdout).trim().to_owned(),
        _ => return Finding::missing(name, format!("It is not there, or does not run: {source}")),
    };
    match version(&printed) {
        Some(found) if found >= *tried => Finding::good(name, printed),
        Some(_) => {
            let (major, minor) = tried;
            Finding::doubtful(
                name,
                format!("{printed}; {major}.{minor} is what this was tried with: {source}"),
            )
        }
        None => Finding::doubtful(name, format!("It does not say its version: {printed}")),
    }
}

/// The first number of the form `1.2` in a text.
fn version(text: &str) -> Option<(u32, u32)> {
    text.split(|letter: char| !(letter.is_ascii_digit() || letter == '.')).find_map(|word| {
        let mut parts = word.split('.');
        Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_as_tools_print_them() {
        assert_eq!(version("SAM CLI, version 1.170.0\n"), Some((1, 170)));
        assert_eq!(version("cargo-lambda 1.9.2 (2026-01-02Z)"), Some((1, 9)));
        assert_eq!(version("none"), None);
    }
}
