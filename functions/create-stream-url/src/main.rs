//! The `create-stream-url` function's binary.

use std::process::ExitCode;

fn main() -> ExitCode {
    api::run(create_stream_url::build)
}
