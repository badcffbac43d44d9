//! The `get-jwks` function's binary.

use std::process::ExitCode;

fn main() -> ExitCode {
    api::run(get_jwks::build)
}
