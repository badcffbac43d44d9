//! The `create-upload-token` function's binary.

use std::process::ExitCode;

fn main() -> ExitCode {
    api::run(create_upload_token::build)
}
