//! The `refresh-token` function's binary.

use std::process::ExitCode;

fn main() -> ExitCode {
    api::run(refresh_token::build)
}
