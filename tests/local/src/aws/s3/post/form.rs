//! Reads `multipart/form-data` as it arrives: the fields, then the file's bytes.
//!
//! Follows RFC 7578 and RFC 2046, section 5.1, and what S3's page "HTML form fields" adds: everything in front of the
//! file's bytes is at most 20 KB, and what comes behind them is ignored, except that there is one file only. A form
//! counts as complete when its last delimiter has been read. Nothing but those 20 KB and one frame of the body is held
//! in memory.

use std::fmt::Display;

use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;
use hyper::body::Body;
use memchr::memmem::Finder;

/// What a form may hold in front of its file's bytes.
pub(super) const MAXIMUM_FIELDS_BYTES: usize = 20 * 1024;
/// The longest boundary of RFC 2046.
const MAXIMUM_BOUNDARY_BYTES: usize = 70;
/// The name of the field that is the file.
const FILE: &str = "file";

/// Why a form cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum FormError {
    #[error("the body is not well-formed multipart/form-data")]
    Malformed,
    #[error("the fields in front of the file are too large")]
    FieldsTooLarge,
    #[error("the body was cut off: {0}")]
    CutOff(String),
}

/// A field in front of the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Field {
    pub(super) name: String,
    pub(super) value: String,
}

/// The start of the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct File {
    /// As it was sent, with the directories that some clients send too.
    pub(super) filename: Option<String>,
}

/// A form that is being read.
pub(super) struct Form<B> {
    body: B,
    buffer: BytesMut,
    delimiter: Finder<'static>,
    line_end: Finder<'static>,
    /// What may still come before the bytes of a file do.
    left_bytes: usize,
}

impl<B> Form<B>
where
    B: Body<Data = Bytes> + Unpin,
    B::Error: Display,
{
    /// Takes the boundary from the request's `Content-Type`.
    pub(super) fn new(content_type: &str, body: B) -> Result<Form<B>, FormError> {
        let boundary = parameter(content_type, "boundary").ok_or(FormError::Malformed)?;
        if boundary.is_empty() || boundary.len() > MAXIMUM_BOUNDARY_BYTES {
            return Err(FormError::Malformed);
        }
        // A delimiter starts with the end of the line before it, which the first one need not have.
        let line_end = "\r\n";
        Ok(Form {
            body,
            buffer: BytesMut::from(line_end),
            delimiter: Finder::new(&format!("\r\n--{boundary}")).into_owned(),
            line_end: Finder::new(line_end),
            left_bytes: MAXIMUM_FIELDS_BYTES + line_end.len(),
        })
    }

    /// Reads up to the file's first byte. `None` in place of the file where the form ends without one.
    pub(super) async fn read_fields(&mut self) -> Result<(Vec<Field>, Option<File>), FormError> {
        let mut fields = Vec::new();
        self.take_until(Mark::Delimiter).await?;
        while self.is_followed_by_part().await? {
            let (name, filename) = self.part_head().await?;
            if name == FILE {
                return Ok((fields, Some(File { filename })));
            }
            let value = self.take_until(Mark::Delimiter).await?;
            let value = String::from_utf8(value.to_vec()).map_err(|_| FormError::Malformed)?;
            fields.push(Field { name, value });
        }
        Ok((fields, None))
    }

    /// The next bytes of the present part; `None` at its end.
    pub(super) async fn next_chunk(&mut self) -> Result<Option<Bytes>, FormError> {
        let delimiter_bytes = self.delimiter.needle().len();
        loop {
            match self.delimiter.find(&self.buffer) {
                Some(0) => {
                    let _delimiter = self.buffer.split_to(delimiter_bytes);
                    return Ok(None);
                }
                Some(at) => return Ok(Some(self.buffer.split_to(at).freeze())),
                None => {
                    // The buffer's end may be the start of a delimiter.
                    let certain = self.buffer.len().saturating_sub(delimiter_bytes - 1);
                    if certain > 0 {
                        return Ok(Some(self.buffer.split_to(certain).freeze()));
                    }
                }
            }
            self.fill().await?;
        }
    }

    /// Reads what is behind the file, to the form's end. Returns how many more files there are.
    pub(super) async fn finish(&mut self) -> Result<usize, FormError> {
        let mut files = 0;
        self.left_bytes = MAXIMUM_FIELDS_BYTES;
        while self.is_followed_by_part().await? {
            let (name, _) = self.part_head().await?;
            files += usize::from(name == FILE);
            while self.next_chunk().await?.is_some() {}
        }
        Ok(files)
    }

    /// Whether the delimiter that was just read has a part behind it, or is the last.
    async fn is_followed_by_part(&mut self) -> Result<bool, FormError> {
        while self.buffer.len() < 2 {
            self.fill().await?;
        }
        if self.buffer.starts_with(b"--") {
            return Ok(false);
        }
        let padding = self.take_until(Mark::LineEnd).await?;
        if padding.iter().all(|byte| matches!(byte, b' ' | b'\t')) {
            Ok(true)
        } else {
            Err(FormError::Malformed)
        }
    }

    /// The field's name, and the file's if it is one. Other headers of a part are ignored.
    async fn part_head(&mut self) -> Result<(String, Option<String>), FormError> {
        let mut head = None;
        loop {
            let line = self.take_until(Mark::LineEnd).await?;
            if line.is_empty() {
                return head.ok_or(FormError::Malformed);
            }
            let line = std::str::from_utf8(&line).map_err(|_| FormError::Malformed)?;
            let (name, value) = line.split_once(':').ok_or(FormError::Malformed)?;
            if name.trim().eq_ignore_ascii_case("content-disposition") {
                let kind = value.split(';').next().unwrap_or(value).trim();
                if !kind.eq_ignore_ascii_case("form-data") {
                    return Err(FormError::Malformed);
                }
                let name = parameter(value, "name").ok_or(FormError::Malformed)?;
                head = Some((name, parameter(value, "filename")));
            }
        }
    }

    /// Everything in front of a mark, and steps over it.
    async fn take_until(&mut self, mark: Mark) -> Result<BytesMut, FormError> {
        let mut searched = 0;
        loop {
            let finder = match mark {
                Mark::Delimiter => &self.delimiter,
                Mark::LineEnd => &self.line_end,
            };
            let mark_bytes = finder.needle().len();
            if let Some(at) = finder.find(&self.buffer[searched..]).map(|at| searched + at) {
                let taken = at + mark_bytes;
                self.left_bytes = self.left_bytes.checked_sub(taken).ok_or(FormError::FieldsTooLarge)?;
                let mut taken = self.buffer.split_to(taken);
                taken.truncate(at);
                return Ok(taken);
            }
            if self.buffer.len() > self.left_bytes {
                return Err(FormError::FieldsTooLarge);
            }
            searched = self.buffer.len().saturating_sub(mark_bytes - 1);
            self.fill().await?;
        }
    }

    /// Reads on. Nobody asks for more than a complete form has.
    async fn fill(&mut self) -> Result<(), FormError> {
        match self.body.frame().await {
            Some(Ok(frame)) => {
                if let Ok(bytes) = frame.into_data() {
                    self.buffer.extend_from_slice(&bytes);
                }
                Ok(())
            }
            Some(Err(error)) => Err(FormError::CutOff(error.to_string())),
            None => Err(FormError::Malformed),
        }
    }
}

#[derive(Clone, Copy)]
enum Mark {
    Delimiter,
    LineEnd,
}

/// A parameter of a header like `form-data; name="a"; filename="b"`.
///
/// In a quoted text only `\"` stands for another character: browsers write `\` as it is, in the paths of files.
fn parameter(header: &str, wanted: &str) -> Option<String> {
    let (_, mut rest) = header.split_once(';')?;
    loop {
        let (name, value) = rest.split_once('=')?;
        let (name, value) = (name.trim().trim_start_matches(';').trim_start(), value.trim_start());
        let (text, behind) = if let Some(quoted) = value.strip_prefix('"') {
            quoted_text(quoted)?
        } else {
            let (token, behind) = value.split_once(';').unwrap_or((value, ""));
            (token.trim_end().to_owned(), behind)
        };
        if name.eq_ignore_ascii_case(wanted) {
            return Some(text);
        }
        rest = behind;
    }
}

/// A text up to its closing quote, and what is behind that.
fn quoted_text(quoted: &str) -> Option<(String, &str)> {
    let mut text = String::new();
    let mut rest = quoted;
    loop {
        let (piece, behind) = rest.split_once('"')?;
        match piece.strip_suffix('\\') {
            Some(piece) => text.extend([piece, "\""]),
            None => return Some((text + piece, behind)),
        }
        rest = behind;
    }
}

#[cfg(test)]
mod tests;
