//! The `list-media` function's binary.

use std::process::ExitCode;

fn main() -> ExitCode {
    api::run(list_media::build)
}
