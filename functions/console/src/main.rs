//! The `console` function's binary.

use std::process::ExitCode;

fn main() -> ExitCode {
    api::run(console::build)
}
