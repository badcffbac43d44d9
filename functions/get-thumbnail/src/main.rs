//! The `get-thumbnail` function's binary.

use std::process::ExitCode;

fn main() -> ExitCode {
    api::run(get_thumbnail::build)
}
