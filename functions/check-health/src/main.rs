//! The `check-health` function's binary.

use std::process::ExitCode;

fn main() -> ExitCode {
    api::run(check_health::build)
}
