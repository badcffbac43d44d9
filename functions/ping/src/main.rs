//! The `ping` function's binary.

use std::process::ExitCode;

fn main() -> ExitCode {
    api::run(ping::build)
}
