//! The `bulk-upload` function's binary.

use std::process::ExitCode;

fn main() -> ExitCode {
    api::run(bulk_upload::build)
}
