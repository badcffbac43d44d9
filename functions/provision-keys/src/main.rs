//! The `provision-keys` function's binary.

use std::process::ExitCode;

fn main() -> ExitCode {
    api::run(provision_keys::build)
}
