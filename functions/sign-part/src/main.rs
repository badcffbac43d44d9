//! The `sign-part` function's binary.

use std::process::ExitCode;

fn main() -> ExitCode {
    api::run(sign_part::build)
}
