//! The `sweep` function's binary.

use std::process::ExitCode;

fn main() -> ExitCode {
    api::run(sweep::build)
}
