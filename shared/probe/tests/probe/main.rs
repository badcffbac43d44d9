//! `probe` against real files: what it says of good ones, and that it survives bad ones.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod counting;
mod hostile;
mod truth;

use std::path::{Path, PathBuf};

use counting::CountingSource;
use probe::{ImageMetadata, Metadata, ProbeError};

/// A folder by its path from the root of the repository.
fn folder(from_root: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(from_root)
}

/// Probes on a runtime without timers or I/O: the sources here are always ready.
fn probe(source: &CountingSource) -> Result<Metadata, ProbeError<std::io::Error>> {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(probe::probe(source))
}

/// The same for images.
fn probe_image(source: &CountingSource) -> Result<ImageMetadata, ProbeError<std::io::Error>> {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(probe::probe_image(source))
}
