//! The `list-users` function's binary.

use std::process::ExitCode;

fn main() -> ExitCode {
    api::run(list_users::build)
}
