//! The `docs` function's binary.

use std::process::ExitCode;

fn main() -> ExitCode {
    api::run(docs::build)
}
