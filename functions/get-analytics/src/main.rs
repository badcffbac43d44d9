//! The `get-analytics` function's binary.

use std::process::ExitCode;

fn main() -> ExitCode {
    api::run(get_analytics::build)
}
