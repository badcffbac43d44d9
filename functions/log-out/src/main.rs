//! The `log-out` function's binary.

use std::process::ExitCode;

fn main() -> ExitCode {
    api::run(log_out::build)
}
