//! The `create-media` function's binary.

use std::process::ExitCode;

fn main() -> ExitCode {
    api::run(create_media::build)
}
