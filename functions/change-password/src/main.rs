//! The `change-password` function's binary.

use std::process::ExitCode;

fn main() -> ExitCode {
    api::run(change_password::build)
}
