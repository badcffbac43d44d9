//! The `delete-media` function's binary.

use std::process::ExitCode;

fn main() -> ExitCode {
    api::run(delete_media::build)
}
