//! The `update-user` function's binary.

use std::process::ExitCode;

fn main() -> ExitCode {
    api::run(update_user::build)
}
