//! The `create-user` function's binary.

use std::process::ExitCode;

fn main() -> ExitCode {
    api::run(create_user::build)
}
