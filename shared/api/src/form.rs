//! Reading `multipart/form-data` (RFC 7578), as HTML forms and HTTP clients send it.
//!
//! A form becomes [`Fields`](crate::Fields), so that its texts are parsed by the rules of JSON, and its files are taken
//! beside them. An input that was left empty is a field that is missing: a browser sends it all the same, as an empty text
//! or as a file without a name.
//!
//! Bounded: 32 parts, 8 KiB of headers in each, 64 KiB in a text; the whole body is the caller's to bound. What breaks
//! these bounds or cannot be read is `malformed_form`, with the part that is meant. What is wrong with a value, the name
//! of a file included, is told with all other wrong fields.

mod disposition;

use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;
use std::future::ready;

use bytes::Bytes;
use domain::{Filename, Invalid};
use futures::stream;
use http::HeaderMap;
use http::header::{CONTENT_DISPOSITION, CONTENT_TYPE, HeaderName};
use multer::Multipart;
use serde_json::{Map, Value};

use self::disposition::Disposition;
use crate::problem::{Code, Problem};

/// The media type of what is read here.
pub(crate) const FORM_CONTENT_TYPE: &str = "multipart/form-data";

const MAX_PARTS: usize = 32;
const MAX_PART_HEADERS_BYTES: usize = 8 * 1024;
const MAX_TEXT_BYTES: usize = 64 * 1024;
/// The longest boundary of RFC 2046, section 5.1.1.
const MAX_BOUNDARY_BYTES: usize = 70;

const CONTENT_TRANSFER_ENCODING: HeaderName = HeaderName::from_static("content-transfer-encoding");

/// A file of a form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FormFile {
    /// What the client calls it, without the folders that some clients put in front.
    pub filename: Filename,
    /// The media type that the client declares, in lower case and without parameters.
    pub content_type: Option<String>,
    /// What is in it.
    pub bytes: Bytes,
}

/// A file as it came, its name not looked at yet.
#[derive(Debug)]
pub(crate) struct FilePart {
    filename: String,
    content_type: Option<String>,
    bytes: Bytes,
}

impl FilePart {
    /// Its name is the last segment of the path that a client may send, with the separators of any system.
    pub(crate) fn parse(self) -> Result<FormFile, Invalid> {
        let filename = self.filename.rsplit(['/', '\\']).next().unwrap_or_default();
        let filename =
            filename.parse().map_err(|invalid| Invalid::new(format!("the file's name {invalid}")))?;
        Ok(FormFile { filename, content_type: self.content_type, bytes: self.bytes })
    }
}

/// A form, read.
#[derive(Debug, Default)]
pub(crate) struct Form {
    pub(crate) texts: Map<String, Value>,
    pub(crate) files: BTreeMap<String, FilePart>,
}

impl Form {
    /// Reads the body of a request with this `Content-Type`.
    pub(crate) async fn read(content_type: &str, body: Bytes) -> Result<Self, Problem> {
        let body = stream::once(ready(Ok::<_, Infallible>(body)));
        let mut parts = Multipart::new(body, boundary(content_type)?);
        let mut form = Self::default();
        let mut names = BTreeSet::new();
        while let Some(part) = parts.next_field().await.map_err(|error| unreadable(error, names.len() + 1))? {
            let number = names.len() + 1;
            if number > MAX_PARTS {
                return Err(malformed(format!("The form has more than {MAX_PARTS} parts.")));
            }
            let disposition = disposition(part.headers(), number)?;
            let content_type =
                part.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).map(essence);
            if !names.insert(disposition.name.clone()) {
                return Err(malformed(format!("The form has the field {} twice.", disposition.name)));
            }
            let bytes = part.bytes().await.map_err(|error| unreadable(error, number))?;
            form.add(disposition, content_type, bytes)?;
        }
        Ok(form)
    }

    fn add(
        &mut self,
        disposition: Disposition,
        content_type: Option<String>,
        bytes: Bytes,
    ) -> Result<(), Problem> {
        let Disposition { name, filename } = disposition;
        match filename {
            // No file was chosen, or nothing was typed.
            Some(filename) if filename.is_empty() && bytes.is_empty() => {}
            None if bytes.is_empty() => {}
            Some(filename) => {
                self.files.insert(name, FilePart { filename, content_type, bytes });
            }
            None => {
                let text = text(&name, &bytes)?;
                self.texts.insert(name, Value::String(text));
            }
        }
        Ok(())
    }
}

/// A media type in lower case and without parameters.
pub(crate) fn essence(content_type: &str) -> String {
    content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

/// The answer to a form that is larger than this deployment takes: what to do instead.
pub(crate) fn use_direct_upload(size_bytes: usize, max_form_bytes: usize) -> Problem {
    Problem::new(
        Code::UseDirectUpload,
        format!(
            "This form has {size_bytes} bytes; {max_form_bytes} are taken at most. For a larger file, POST /media with \
             JSON (title, filename, content_type, size_bytes), then send the file to the URL in upload."
        ),
    )
}

fn boundary(content_type: &str) -> Result<String, Problem> {
    let boundary = multer::parse_boundary(content_type).ok();
    boundary.filter(|boundary| (1..=MAX_BOUNDARY_BYTES).contains(&boundary.len())).ok_or_else(|| {
        malformed(format!(
            "Content-Type names no boundary of 1 to {MAX_BOUNDARY_BYTES} characters. Leave that header to your HTTP client."
        ))
    })
}

fn disposition(headers: &HeaderMap, number: usize) -> Result<Disposition, Problem> {
    let size_bytes: usize = headers.iter().map(|(name, value)| name.as_str().len() + value.len()).sum();
    if size_bytes > MAX_PART_HEADERS_BYTES {
        return Err(malformed(format!(
            "Part {number} has more than {MAX_PART_HEADERS_BYTES} bytes of headers."
        )));
    }
    let is_encoded = headers.get(CONTENT_TRANSFER_ENCODING).is_some_and(|encoding| {
        !["7bit", "8bit", "binary"]
            .iter()
            .any(|plain| encoding.as_bytes().eq_ignore_ascii_case(plain.as_bytes()))
    });
    if is_encoded {
        return Err(malformed(format!(
            "Part {number} is encoded. Send it as it is, without Content-Transfer-Encoding."
        )));
    }
    headers
        .get(CONTENT_DISPOSITION)
        .and_then(|value| std::str::from_utf8(value.as_bytes()).ok())
        .and_then(Disposition::parse)
        .ok_or_else(|| {
            malformed(format!(
                "Part {number} needs the header Content-Disposition: form-data; name=\"…\", in UTF-8."
            ))
        })
}

fn text(name: &str, bytes: &Bytes) -> Result<String, Problem> {
    if bytes.len() > MAX_TEXT_BYTES {
        return Err(malformed(format!(
            "The field {name} has more than {MAX_TEXT_BYTES} bytes. If it is a file, send it with a filename."
        )));
    }
    std::str::from_utf8(bytes).map(str::to_owned).map_err(|_| {
        malformed(format!("The field {name} is not UTF-8. If it is a file, send it with a filename."))
    })
}

fn malformed(detail: String) -> Problem {
    Problem::new(Code::MalformedForm, detail)
}

fn unreadable(error: multer::Error, number: usize) -> Problem {
    match error {
        multer::Error::IncompleteFieldData { .. } => malformed(format!(
            "The form breaks off in part {number}: no boundary closes it. Send it again as a whole."
        )),
        multer::Error::IncompleteStream | multer::Error::IncompleteHeaders => malformed(format!(
            "The form breaks off at part {number}, or does not have the boundary that Content-Type names."
        )),
        multer::Error::ReadHeaderFailed(_)
        | multer::Error::DecodeHeaderName { .. }
        | multer::Error::DecodeHeaderValue { .. } => {
            malformed(format!("The headers of part {number} cannot be read."))
        }
        other => Problem::internal(other),
    }
}

#[cfg(test)]
mod tests;
