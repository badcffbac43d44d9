//! The `extract-metadata` function's binary.

use std::process::ExitCode;

fn main() -> ExitCode {
    api::run(extract_metadata::build)
}
