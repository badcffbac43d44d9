//! Prints what `probe` tells of a local file as JSON, with `--image` what `probe_image` tells of a still image:
//! `cargo run -p probe --example probe [--image] FILE`.
//!
//! Ends with 0; with 1 and one sentence on standard error when the file cannot be read or is none; with 2 when it is
//! called wrongly.

use std::error::Error;
use std::ffi::OsStr;
use std::process::ExitCode;

use probe::{FileSource, probe, probe_image};

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let mut arguments: Vec<_> = std::env::args_os().skip(1).collect();
    let is_image = arguments.first().is_some_and(|first| first == "--image");
    arguments.drain(..usize::from(is_image));
    let [path] = &arguments[..] else {
        eprintln!("usage: probe [--image] FILE");
        return ExitCode::from(2);
    };
    match describe(path, is_image).await {
        Ok(json) => {
            println!("{json}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("{}: {error}", path.display());
            ExitCode::FAILURE
        }
    }
}

async fn describe(path: &OsStr, is_image: bool) -> Result<String, Box<dyn Error>> {
    let source = FileSource::open(path)?;
    Ok(if is_image {
        serde_json::to_string_pretty(&probe_image(&source).await?)?
    } else {
        serde_json::to_string_pretty(&probe(&source).await?)?
    })
}
