//! `cargo local`: the whole platform on this machine.

use std::process::ExitCode;

#[tokio::main]
async fn main() -> ExitCode {
    local::command::run().await
}
