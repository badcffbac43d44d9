//! Takes Swagger UI and Redoc out of the crates that carry them, and compresses each file as it will be answered.
//!
//! The crates are dependencies of this program alone: of them, the function has nothing but these files.

use std::borrow::Cow;
use std::error::Error;
use std::fs::File;
use std::io::{Cursor, Read as _, Write as _};
use std::path::Path;

use flate2::Compression;
use flate2::write::GzEncoder;
use utoipa_swagger_ui_vendored::SWAGGER_UI_VENDORED;
use zip::ZipArchive;

/// What Redoc loads from its makers' host for its mark. The image leaves itself out if it cannot be loaded.
const REDOC_MARK: &str = "https://cdn.redoc.ly/redoc/logo-mini.svg";
const NO_IMAGE: &str = "data:,";

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=build.rs");
    let folder = std::env::var("OUT_DIR")?;
    for name in ["swagger-ui-bundle.js", "swagger-ui.css"] {
        compress(&swagger_ui(name)?, &Path::new(&folder).join(format!("{name}.gz")))?;
    }
    compress(redoc()?.as_bytes(), &Path::new(&folder).join("redoc.standalone.js.gz"))
}

/// A file of Swagger UI's distribution.
fn swagger_ui(name: &str) -> Result<Vec<u8>, Box<dyn Error>> {
    let mut archive = ZipArchive::new(Cursor::new(SWAGGER_UI_VENDORED))?;
    let end = format!("/dist/{name}");
    let path = archive.file_names().flatten().find(|path| path.ends_with(&end)).map(Cow::into_owned);
    let path = path.ok_or(format!("Swagger UI has no {name}"))?;
    let mut content = Vec::new();
    archive.by_name(&path)?.read_to_end(&mut content)?;
    Ok(content)
}

/// Redoc's script, which the crate has only as part of a page.
fn redoc() -> Result<String, Box<dyn Error>> {
    let page = aide::redoc::Redoc::new("").html();
    let (_, from_script) = page.split_once("<script>").ok_or("Redoc's page has no script")?;
    let (script, _) = from_script.rsplit_once("Redoc.init(").ok_or("Redoc's page does not start it")?;
    if !script.contains(REDOC_MARK) {
        return Err("Redoc loads its mark from elsewhere".into());
    }
    Ok(script.trim().replace(REDOC_MARK, NO_IMAGE))
}

fn compress(content: &[u8], file: &Path) -> Result<(), Box<dyn Error>> {
    let mut encoder = GzEncoder::new(File::create(file)?, Compression::best());
    encoder.write_all(content)?;
    encoder.finish()?;
    Ok(())
}
