//! The `check-storage` function's binary.

use std::process::ExitCode;

fn main() -> ExitCode {
    api::run(check_storage::build)
}
