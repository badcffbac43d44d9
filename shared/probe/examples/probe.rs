//! Prints what `probe` tells of a local file: `cargo run -p probe --example probe FILE`.

use std::process::ExitCode;

use probe::{FileSource, probe};

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let Some(path) = std::env::args_os().nth(1) else {
        eprintln!("usage: probe FILE");
        return ExitCode::from(2);
    };
    let source = match FileSource::open(&path) {
        Ok(source) => source,
        Err(error) => {
            eprintln!("{}: {error}", path.display());
            return ExitCode::FAILURE;
        }
    };
    match probe(&source).await {
        Ok(metadata) => match serde_json::to_string_pretty(&metadata) {
            Ok(json) => {
                println!("{json}");
                ExitCode::SUCCESS
            }
            Err(error) => {
                eprintln!("{}: {error}", path.display());
                ExitCode::FAILURE
            }
        },
        Err(error) => {
            eprintln!("{}: {error}", path.display());
            ExitCode::FAILURE
        }
    }
}
