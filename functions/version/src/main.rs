//! The `version` function's binary.

use std::process::ExitCode;

fn main() -> ExitCode {
    api::run(version::build)
}
