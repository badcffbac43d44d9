//! The `uppy-companion` function's binary.

use std::process::ExitCode;

fn main() -> ExitCode {
    api::run(uppy_companion::build)
}
