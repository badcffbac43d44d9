//! The files that hold objects' bytes. A file never changes; an object is a sequence of stretches of files.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::{Bytes, BytesMut};
use futures::stream::{self, Stream};
use serde::{Deserialize, Serialize};
use tokio::fs::File;
use tokio::io::{AsyncReadExt, AsyncSeekExt, AsyncWriteExt, BufWriter};
use uuid::Uuid;

/// Bytes that are written, or read, at once.
const BUFFER_BYTES: usize = 256 * 1024;

/// A stretch of a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Segment {
    pub(super) file: String,
    /// Offset of its first byte in the file.
    pub(super) first: u64,
    pub(super) length_bytes: u64,
}

/// The segments of `length_bytes` bytes from `first` on.
pub(super) fn slice(segments: &[Segment], mut first: u64, mut length_bytes: u64) -> Vec<Segment> {
    let mut sliced = Vec::new();
    for segment in segments {
        if length_bytes == 0 {
            break;
        }
        if first >= segment.length_bytes {
            first -= segment.length_bytes;
            continue;
        }
        let taken = (segment.length_bytes - first).min(length_bytes);
        sliced.push(Segment {
            file: segment.file.clone(),
            first: segment.first + first,
            length_bytes: taken,
        });
        first = 0;
        length_bytes -= taken;
    }
    sliced
}

/// The directory of files.
#[derive(Clone)]
pub(super) struct Files {
    directory: PathBuf,
    leased: Arc<Mutex<BTreeMap<String, Leased>>>,
}

/// A file that somebody is about to open.
#[derive(Default)]
struct Leased {
    times: usize,
    /// Nothing refers to it any more; the end of the last lease removes it.
    is_removed: bool,
}

impl Files {
    pub(super) fn open(directory: PathBuf) -> io::Result<Files> {
        std::fs::create_dir_all(&directory)?;
        Ok(Files { directory, leased: Arc::default() })
    }

    /// Removes files that nothing refers to: writes that were cut off by the end of the process.
    pub(super) fn remove_all_but(&self, referenced: &BTreeSet<String>) -> io::Result<()> {
        for entry in std::fs::read_dir(&self.directory)? {
            let entry = entry?;
            if !entry.file_name().to_str().is_some_and(|name| referenced.contains(name)) {
                std::fs::remove_file(entry.path())?;
            }
        }
        Ok(())
    }

    /// Starts a new file.
    pub(super) async fn create(&self) -> io::Result<NewFile> {
        let name = new_name();
        let file = File::create_new(self.directory.join(&name)).await?;
        let segment = Segment { file: name, first: 0, length_bytes: 0 };
        let unpublished = Unpublished { files: self.clone(), segments: vec![segment], published: false };
        Ok(NewFile { unpublished, writer: BufWriter::with_capacity(BUFFER_BYTES, file) })
    }

    /// Other names for the bytes of segments, which never change.
    pub(super) fn link(&self, segments: &[Segment]) -> io::Result<Unpublished> {
        let mut unpublished = Unpublished { files: self.clone(), segments: Vec::new(), published: false };
        for segment in segments {
            let name = new_name();
            std::fs::hard_link(self.directory.join(&segment.file), self.directory.join(&name))?;
            unpublished.segments.push(Segment { file: name, ..segment.clone() });
        }
        Ok(unpublished)
    }

    /// Keeps files from being removed until they are opened. It has to be taken in the transaction that finds them, or
    /// they may be gone already.
    pub(super) fn lease(&self, segments: &[Segment]) -> Lease {
        let names: Vec<String> = segments.iter().map(|segment| segment.file.clone()).collect();
        let mut leased = self.leased.lock().unwrap_or_else(PoisonError::into_inner);
        for name in &names {
            leased.entry(name.clone()).or_default().times += 1;
        }
        drop(leased);
        Lease { files: self.clone(), names }
    }

    /// Removes files that nothing refers to any more. Readers that have them open, or have a lease on them, keep them.
    pub(super) fn remove(&self, segments: &[Segment]) {
        let mut leased = self.leased.lock().unwrap_or_else(PoisonError::into_inner);
        for segment in segments {
            match leased.get_mut(&segment.file) {
                Some(leased) => leased.is_removed = true,
                None => remove(&self.directory.join(&segment.file)),
            }
        }
    }

    fn end_lease(&self, name: &str) {
        let mut leased = self.leased.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(one) = leased.get_mut(name) else { return };
        one.times -= 1;
        if one.times == 0 {
            if one.is_removed {
                remove(&self.directory.join(name));
            }
            leased.remove(name);
        }
    }
}

/// Keeps files from being removed.
pub(super) struct Lease {
    files: Files,
    names: Vec<String>,
}

impl Drop for Lease {
    fn drop(&mut self) {
        for name in &self.names {
            self.files.end_lease(name);
        }
    }
}

/// Complete files that nothing refers to yet. They are removed again unless [`Unpublished::publish`] is called.
pub(super) struct Unpublished {
    files: Files,
    segments: Vec<Segment>,
    published: bool,
}

impl Unpublished {
    /// For the index.
    pub(super) fn segments(&self) -> &[Segment] {
        &self.segments
    }

    /// Keeps them: the index refers to them now.
    pub(super) fn publish(mut self) {
        self.published = true;
    }
}

impl Drop for Unpublished {
    fn drop(&mut self) {
        if !self.published {
            self.files.remove(&self.segments);
        }
    }
}

/// A file that is being written.
pub(super) struct NewFile {
    unpublished: Unpublished,
    writer: BufWriter<File>,
}

impl NewFile {
    pub(super) async fn write(&mut self, bytes: &Bytes) -> io::Result<()> {
        self.writer.write_all(bytes).await?;
        for segment in &mut self.unpublished.segments {
            segment.length_bytes += bytes.len() as u64;
        }
        Ok(())
    }

    pub(super) async fn finish(mut self) -> io::Result<Unpublished> {
        self.writer.flush().await?;
        Ok(self.unpublished)
    }
}

/// Segments that are read one behind the other.
pub(super) struct Reader {
    directory: PathBuf,
    /// Those that are not open yet, the next one last.
    waiting: Vec<Segment>,
    /// Until none is waiting.
    lease: Option<Lease>,
    /// The file being read, and how many bytes of it are left.
    open: Option<(File, u64)>,
}

impl Reader {
    /// Opens the first segment; the lease keeps the others until it is their turn.
    pub(super) async fn open(lease: Lease, mut segments: Vec<Segment>) -> io::Result<Reader> {
        segments.reverse();
        let directory = lease.files.directory.clone();
        let mut reader = Reader { directory, waiting: segments, lease: Some(lease), open: None };
        reader.open_next().await?;
        Ok(reader)
    }

    /// The bytes, in order.
    pub(super) fn stream(self) -> impl Stream<Item = io::Result<Bytes>> + Send + Sync + 'static {
        stream::try_unfold(
            self,
            |mut reader| async move { Ok(reader.next().await?.map(|bytes| (bytes, reader))) },
        )
    }

    /// The next bytes; `None` at the end.
    pub(super) async fn next(&mut self) -> io::Result<Option<Bytes>> {
        loop {
            match &mut self.open {
                None => return Ok(None),
                Some((_, 0)) => self.open_next().await?,
                Some((file, left)) => {
                    let wanted = usize::try_from(*left).unwrap_or(BUFFER_BYTES).min(BUFFER_BYTES);
                    let mut buffer = BytesMut::with_capacity(wanted);
                    let read = file.take(wanted as u64).read_buf(&mut buffer).await?;
                    if read == 0 {
                        return Err(io::ErrorKind::UnexpectedEof.into());
                    }
                    *left -= read as u64;
                    return Ok(Some(buffer.freeze()));
                }
            }
        }
    }

    async fn open_next(&mut self) -> io::Result<()> {
        self.open = match self.waiting.pop() {
            None => None,
            Some(segment) => {
                let mut file = File::open(self.directory.join(&segment.file)).await?;
                file.seek(io::SeekFrom::Start(segment.first)).await?;
                Some((file, segment.length_bytes))
            }
        };
        if self.waiting.is_empty() {
            self.lease = None;
        }
        Ok(())
    }
}

fn new_name() -> String {
    Uuid::now_v7().simple().to_string()
}

fn remove(path: &Path) {
    if let Err(error) = std::fs::remove_file(path) {
        tracing::warn!(path = %path.display(), %error, "an object's file could not be removed");
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use bytes::Bytes;

    use super::{Files, Reader, Segment, slice};

    fn segment(file: &str, first: u64, length_bytes: u64) -> Segment {
        Segment { file: file.to_owned(), first, length_bytes }
    }

    #[test]
    fn a_slice_goes_across_borders() {
        let segments = [segment("a", 10, 5), segment("b", 0, 0), segment("c", 0, 3)];
        assert_eq!(slice(&segments, 0, 8), [segment("a", 10, 5), segment("c", 0, 3)]);
        assert_eq!(slice(&segments, 4, 2), [segment("a", 14, 1), segment("c", 0, 1)]);
        assert_eq!(slice(&segments, 5, 3), [segment("c", 0, 3)]);
        assert_eq!(slice(&segments, 6, 1), [segment("c", 1, 1)]);
        assert_eq!(slice(&segments, 2, 0), []);
    }

    #[tokio::test]
    async fn a_reader_outlives_what_it_reads() {
        let directory = tempfile::tempdir().unwrap();
        let files = Files::open(directory.path().to_owned()).unwrap();
        let mut segments = Vec::new();
        for bytes in ["one", "two", "three"] {
            let mut file = files.create().await.unwrap();
            file.write(&Bytes::from(bytes)).await.unwrap();
            let file = file.finish().await.unwrap();
            segments.extend_from_slice(file.segments());
            file.publish();
        }
        let count = || std::fs::read_dir(directory.path()).unwrap().count();
        let mut reader = Reader::open(files.lease(&segments), slice(&segments, 1, 8)).await.unwrap();
        files.remove(&segments);
        assert_eq!(count(), 3, "kept for the reader");
        let mut read = Vec::new();
        while let Some(bytes) = reader.next().await.unwrap() {
            read.extend_from_slice(&bytes);
        }
        assert_eq!(read, b"netwothr");
        assert_eq!(count(), 0);
    }
}
