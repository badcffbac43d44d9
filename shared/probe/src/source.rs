//! Where the bytes come from.

use std::fs::File;
use std::future::Future;
use std::io::{self, Read, Seek, SeekFrom};
use std::ops::Range;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use bytes::Bytes;

/// A source of bytes read by ranges.
pub trait ByteSource: Send + Sync {
    /// What a failed read says.
    type Error: std::error::Error + Send + Sync + 'static;

    /// Total length in bytes.
    fn len(&self) -> u64;

    /// Whether there are no bytes at all.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Reads exactly the bytes of `range`. The caller never asks for an empty range, nor beyond [`len`](Self::len).
    fn read_at(&self, range: Range<u64>) -> impl Future<Output = Result<Bytes, Self::Error>> + Send;
}

/// Bytes in memory.
#[derive(Clone, Debug)]
pub struct MemorySource {
    bytes: Bytes,
}

impl MemorySource {
    /// A source over `bytes`.
    pub fn new(bytes: impl Into<Bytes>) -> Self {
        Self { bytes: bytes.into() }
    }
}

impl ByteSource for MemorySource {
    type Error = io::Error;

    fn len(&self) -> u64 {
        self.bytes.len() as u64
    }

    async fn read_at(&self, range: Range<u64>) -> Result<Bytes, io::Error> {
        let bounds = usize::try_from(range.start).ok().zip(usize::try_from(range.end).ok());
        match bounds {
            Some((start, end)) if start <= end && end <= self.bytes.len() => Ok(self.bytes.slice(start..end)),
            _ => Err(io::ErrorKind::UnexpectedEof.into()),
        }
    }
}

/// A local file. Its reads block the thread, which suits tools and tests, not a busy server.
#[derive(Debug)]
pub struct FileSource {
    file: Mutex<File>,
    size_bytes: u64,
}

impl FileSource {
    /// Opens the file at `path` and remembers its present length.
    pub fn open(path: impl AsRef<Path>) -> io::Result<Self> {
        let file = File::open(path)?;
        let size_bytes = file.metadata()?.len();
        Ok(Self { file: Mutex::new(file), size_bytes })
    }
}

impl ByteSource for FileSource {
    type Error = io::Error;

    fn len(&self) -> u64 {
        self.size_bytes
    }

    async fn read_at(&self, range: Range<u64>) -> Result<Bytes, io::Error> {
        let count = range.end.saturating_sub(range.start);
        let mut buffer = vec![0; usize::try_from(count).map_err(io::Error::other)?];
        // A poisoned lock only means that another read panicked; every read seeks first.
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        file.seek(SeekFrom::Start(range.start))?;
        file.read_exact(&mut buffer)?;
        Ok(buffer.into())
    }
}
