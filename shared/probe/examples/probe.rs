//! Prints what `probe` tells of a local file as JSON, `probe_image` of a still image:
//! `cargo run -p probe --example probe FILE`.
//!
//! Ends with 0; with 1 and one sentence on standard error when the file cannot be read or is neither; with 2 when it is
//! called wrongly.

use std::error::Error;
use std::ffi::OsStr;
use std::process::ExitCode;

use probe::{FileSource, ProbeError, probe, probe_image};

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let mut arguments = std::env::args_os().skip(1);
    let (Some(path), None) = (arguments.next(), arguments.next()) else {
        eprintln!("usage: probe FILE");
        return ExitCode::from(2);
    };
    match describe(&path).await {
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

async fn describe(path: &OsStr) -> Result<String, Box<dyn Error>> {
    let source = FileSource::open(path)?;
    let refused = match probe(&source).await {
        Ok(metadata) => return Ok(serde_json::to_string_pretty(&metadata)?),
        Err(error) => error,
    };
    // What is no film may be a picture; of what is neither, the first answer tells more.
    if matches!(refused, ProbeError::Unsupported { .. })
        && let Ok(image) = probe_image(&source).await
    {
        return Ok(serde_json::to_string_pretty(&image)?);
    }
    Err(refused.into())
}
