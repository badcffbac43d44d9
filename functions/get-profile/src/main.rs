//! The `get-profile` function's binary.

use std::process::ExitCode;

fn main() -> ExitCode {
    api::run(get_profile::build)
}
