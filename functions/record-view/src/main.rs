//! The `record-view` function's binary.

use std::process::ExitCode;

fn main() -> ExitCode {
    api::run(record_view::build)
}
