//! The `log-in` function's binary.

use std::process::ExitCode;

fn main() -> ExitCode {
    api::run(log_in::build)
}
