//! The functions' binaries, built once for all tests.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use tokio::sync::OnceCell;

static BINARIES: OnceCell<Binaries> = OnceCell::const_new();

/// Where the binaries are, by name.
pub(super) struct Binaries(BTreeMap<String, PathBuf>);

impl Binaries {
    /// Builds what is not fresh, in the profile of this test.
    pub(super) async fn build() -> &'static Self {
        BINARIES.get_or_init(|| async { tokio::task::spawn_blocking(build).await.unwrap() }).await
    }

    /// The binary of this name.
    pub(super) fn path(&self, name: &str) -> &Path {
        self.0.get(name).unwrap_or_else(|| panic!("no package of the workspace has the binary {name}"))
    }
}

fn build() -> Binaries {
    // With all packages: with some only, dependencies would have other features, and be built anew at each turn.
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
        .args(["build", "--quiet", "--workspace", "--bins"])
        .arg("--message-format=json-render-diagnostics")
        .args(if cfg!(debug_assertions) { [].as_slice() } else { &["--release"] })
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let messages = String::from_utf8(output.stdout).unwrap();
    let artifacts = messages.lines().filter_map(|line| {
        let message: Value = serde_json::from_str(line).unwrap();
        let path = message["executable"].as_str()?;
        Some((message["target"]["name"].as_str()?.to_owned(), PathBuf::from(path)))
    });
    Binaries(artifacts.collect())
}
