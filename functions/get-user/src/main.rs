//! The `get-user` function's binary.

use std::process::ExitCode;

fn main() -> ExitCode {
    api::run(get_user::build)
}
