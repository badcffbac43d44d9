//! The `update-media` function's binary.

use std::process::ExitCode;

fn main() -> ExitCode {
    api::run(update_media::build)
}
