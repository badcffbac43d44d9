//! The `create-admin` function's binary.

use std::process::ExitCode;

fn main() -> ExitCode {
    api::run(create_admin::build)
}
