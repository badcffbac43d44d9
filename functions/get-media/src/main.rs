//! The `get-media` function's binary.

use std::process::ExitCode;

fn main() -> ExitCode {
    api::run(get_media::build)
}
