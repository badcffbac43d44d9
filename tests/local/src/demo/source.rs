//! The file that is uploaded, read piece by piece: it may be larger than memory.

use std::io::SeekFrom;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use futures::stream;
use http_body_util::{BodyExt, StreamBody};
use hyper::body::Frame;
use indicatif::ProgressBar;
use ring::digest;
use tokio::fs::File;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncSeekExt};

use super::client::RequestBody;

const CHUNK_BYTES: usize = 256 * 1024;
const BUNDLED: &[u8] = include_bytes!("../../../media/v_h264_aac_faststart.mp4");
const BUNDLED_NAME: &str = "v_h264_aac_faststart.mp4";

/// Why the file cannot be uploaded.
#[derive(Debug, thiserror::Error)]
pub(super) enum SourceError {
    #[error("{}: {source}", path.display())]
    Read { path: PathBuf, source: std::io::Error },
    #[error("{}: not a video or audio file by its extension ({})", .0.display(), extensions())]
    UnknownType(PathBuf),
    #[error("{}: it is empty", .0.display())]
    Empty(PathBuf),
}

/// Extensions, and the media type that such a file is announced as.
const CONTENT_TYPES: [(&[&str], &str); 20] = [
    (&["mp4", "m4v"], "video/mp4"),
    (&["mov"], "video/quicktime"),
    (&["3gp"], "video/3gpp"),
    (&["webm"], "video/webm"),
    (&["mkv"], "video/x-matroska"),
    (&["ts", "mts", "m2ts"], "video/mp2t"),
    (&["avi"], "video/x-msvideo"),
    (&["flv"], "video/x-flv"),
    (&["wmv"], "video/x-ms-wmv"),
    (&["ogv"], "video/ogg"),
    (&["m4a"], "audio/mp4"),
    (&["mp3"], "audio/mpeg"),
    (&["aac"], "audio/aac"),
    (&["wav"], "audio/wav"),
    (&["flac"], "audio/flac"),
    (&["ogg", "oga", "opus"], "audio/ogg"),
    (&["aiff", "aif"], "audio/aiff"),
    (&["amr"], "audio/amr"),
    (&["caf"], "audio/x-caf"),
    (&["wma"], "audio/x-ms-wma"),
];

/// What is uploaded.
#[derive(Debug)]
pub(super) struct Source {
    path: PathBuf,
    /// The bundled video, if it is that.
    bundled: Option<&'static [u8]>,
    size_bytes: u64,
    content_type: &'static str,
}

impl Source {
    /// The file, or the bundled video.
    pub(super) async fn open(file: Option<&Path>) -> Result<Self, SourceError> {
        let Some(path) = file else {
            let size_bytes = u64::try_from(BUNDLED.len()).unwrap_or(u64::MAX);
            let path = PathBuf::from(BUNDLED_NAME);
            return Ok(Self { path, bundled: Some(BUNDLED), size_bytes, content_type: "video/mp4" });
        };
        let metadata = tokio::fs::metadata(path)
            .await
            .map_err(|source| SourceError::Read { path: path.to_owned(), source })?;
        if metadata.len() == 0 {
            return Err(SourceError::Empty(path.to_owned()));
        }
        let content_type = content_type(path).ok_or_else(|| SourceError::UnknownType(path.to_owned()))?;
        Ok(Self { path: path.to_owned(), bundled: None, size_bytes: metadata.len(), content_type })
    }

    pub(super) fn size_bytes(&self) -> u64 {
        self.size_bytes
    }

    pub(super) fn content_type(&self) -> &'static str {
        self.content_type
    }

    pub(super) fn filename(&self) -> String {
        self.path.file_name().unwrap_or_default().to_string_lossy().into_owned()
    }

    pub(super) fn title(&self) -> String {
        self.path.file_stem().unwrap_or_default().to_string_lossy().into_owned()
    }

    fn failed(&self, source: std::io::Error) -> SourceError {
        SourceError::Read { path: self.path.clone(), source }
    }

    async fn reader(&self, offset: u64) -> Result<Box<dyn AsyncRead + Send + Sync + Unpin>, SourceError> {
        if let Some(bytes) = self.bundled {
            let offset = usize::try_from(offset).unwrap_or(usize::MAX).min(bytes.len());
            return Ok(Box::new(&bytes[offset..]));
        }
        let mut file = File::open(&self.path).await.map_err(|error| self.failed(error))?;
        file.seek(SeekFrom::Start(offset)).await.map_err(|error| self.failed(error))?;
        Ok(Box::new(file))
    }

    /// SHA-256 of the whole, in base64.
    pub(super) async fn checksum_sha256(&self) -> Result<String, SourceError> {
        let mut reader = self.reader(0).await?;
        let mut context = digest::Context::new(&digest::SHA256);
        let mut buffer = vec![0; CHUNK_BYTES];
        loop {
            let count = reader.read(&mut buffer).await.map_err(|error| self.failed(error))?;
            if count == 0 {
                return Ok(STANDARD.encode(context.finish()));
            }
            context.update(&buffer[..count]);
        }
    }

    /// The whole as the body of a request; `bar` moves as it is taken.
    pub(super) async fn body(&self, bar: ProgressBar) -> Result<RequestBody, SourceError> {
        let reader = self.reader(0).await?;
        let frames = stream::try_unfold((reader, bar), |(mut reader, bar)| async move {
            let mut buffer = vec![0; CHUNK_BYTES];
            let count = reader.read(&mut buffer).await?;
            buffer.truncate(count);
            bar.inc(u64::try_from(count).unwrap_or_default());
            Ok::<_, std::io::Error>((count > 0).then(|| (Frame::data(Bytes::from(buffer)), (reader, bar))))
        });
        Ok(StreamBody::new(frames).boxed_unsync())
    }

    /// Compares a stretch of the file with bytes that are said to be the same.
    pub(super) async fn same(&self, offset: u64, bytes: &[u8]) -> Result<bool, SourceError> {
        let mut own = vec![0; bytes.len()];
        self.reader(offset).await?.read_exact(&mut own).await.map_err(|error| self.failed(error))?;
        Ok(own == bytes)
    }
}

fn content_type(path: &Path) -> Option<&'static str> {
    let extension = path.extension()?.to_str()?.to_ascii_lowercase();
    let row = CONTENT_TYPES.iter().find(|(extensions, _)| extensions.contains(&extension.as_str()));
    row.map(|(_, content_type)| *content_type)
}

fn extensions() -> String {
    let extensions: Vec<&str> =
        CONTENT_TYPES.iter().flat_map(|(extensions, _)| *extensions).copied().collect();
    extensions.join(", ")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]

    use super::*;

    #[tokio::test]
    async fn a_file_is_described_and_compared() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("My clip.MP4");
        std::fs::write(&path, b"abc").unwrap();
        let source = Source::open(Some(&path)).await.unwrap();

        assert_eq!((source.filename(), source.title()), ("My clip.MP4".to_owned(), "My clip".to_owned()));
        assert_eq!((source.size_bytes(), source.content_type()), (3, "video/mp4"));
        // The test vector of FIPS 180-2 for "abc".
        assert_eq!(source.checksum_sha256().await.unwrap(), "ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0=");
        assert!(source.same(1, b"bc").await.unwrap());
        assert!(!source.same(1, b"bd").await.unwrap());
        assert!(source.same(2, b"cd").await.is_err());
        let bar = ProgressBar::hidden();
        let body = source.body(bar.clone()).await.unwrap().collect().await.unwrap().to_bytes();
        assert_eq!((body.as_ref(), bar.position()), (b"abc".as_slice(), 3));
    }

    #[tokio::test]
    async fn what_cannot_be_uploaded_is_said() {
        let directory = tempfile::tempdir().unwrap();
        let empty = directory.path().join("a.mp4");
        let text = directory.path().join("a.txt");
        std::fs::write(&empty, b"").unwrap();
        std::fs::write(&text, b"x").unwrap();
        for (path, message) in
            [(empty, "empty"), (text, "extension"), (directory.path().join("no.mp4"), "No such file")]
        {
            let error = Source::open(Some(&path)).await.unwrap_err().to_string();
            assert!(error.contains(message), "{error}");
        }
    }

    #[tokio::test]
    async fn the_bundled_video_is_an_mp4() {
        let source = Source::open(None).await.unwrap();
        assert!(source.same(4, b"ftyp").await.unwrap());
    }
}
