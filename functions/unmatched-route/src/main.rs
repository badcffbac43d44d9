//! The `unmatched-route` function's binary.

use std::process::ExitCode;

fn main() -> ExitCode {
    api::run(unmatched_route::build)
}
