//! The `search-media` function's binary.

use std::process::ExitCode;

fn main() -> ExitCode {
    api::run(search_media::build)
}
