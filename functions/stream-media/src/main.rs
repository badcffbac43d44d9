//! The `stream-media` function's binary.

use std::process::ExitCode;

fn main() -> ExitCode {
    api::run(stream_media::build)
}
