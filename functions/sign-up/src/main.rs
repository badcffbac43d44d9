//! The `sign-up` function's binary.

use std::process::ExitCode;

fn main() -> ExitCode {
    api::run(sign_up::build)
}
