//! The `list-jobs` function's binary.

use std::process::ExitCode;

fn main() -> ExitCode {
    api::run(list_jobs::build)
}
