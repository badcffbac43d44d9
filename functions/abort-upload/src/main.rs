//! The `abort-upload` function's binary.

use std::process::ExitCode;

fn main() -> ExitCode {
    api::run(abort_upload::build)
}
