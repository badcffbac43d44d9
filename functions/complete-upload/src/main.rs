//! The `complete-upload` function's binary.

use std::process::ExitCode;

fn main() -> ExitCode {
    api::run(complete_upload::build)
}
