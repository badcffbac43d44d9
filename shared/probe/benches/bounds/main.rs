//! What a probe costs: requests and bytes on long files, time against `ffprobe`, processor time on hostile input.
//!
//! `cargo bench -p probe`. Fails where a bound is not kept. The comparison with `ffprobe` is skipped where there is
//! none, and never fails: it is for information.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::cast_precision_loss)]

mod ffprobe;
mod hostile;
mod long_files;
mod mp4;
mod source;

use std::process::ExitCode;

fn main() -> ExitCode {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let requests_are_few = runtime.block_on(long_files::run());
    let hostile_input_is_quick = runtime.block_on(hostile::run());
    ffprobe::run();
    if requests_are_few && hostile_input_is_quick { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// A file of the test media.
fn media(name: &str) -> Vec<u8> {
    std::fs::read(media_folder().join(name)).unwrap()
}

fn media_folder() -> std::path::PathBuf {
    std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/media")
}
