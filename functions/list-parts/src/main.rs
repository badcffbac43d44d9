//! The `list-parts` function's binary.

use std::process::ExitCode;

fn main() -> ExitCode {
    api::run(list_parts::build)
}
