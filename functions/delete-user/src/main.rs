//! The `delete-user` function's binary.

use std::process::ExitCode;

fn main() -> ExitCode {
    api::run(delete_user::build)
}
