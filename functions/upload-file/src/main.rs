//! The `upload-file` function's binary.

use std::process::ExitCode;

fn main() -> ExitCode {
    api::run(upload_file::build)
}
