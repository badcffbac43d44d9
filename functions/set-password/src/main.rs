//! The `set-password` function's binary.

use std::process::ExitCode;

fn main() -> ExitCode {
    api::run(set_password::build)
}
