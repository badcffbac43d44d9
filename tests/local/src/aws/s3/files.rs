//! The files that hold objects' bytes.

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};

use bytes::{Bytes, BytesMut};
use futures::stream;
use s3s::dto::StreamingBlob;
use tokio::fs::File;
use tokio::io::{AsyncReadExt, AsyncSeekExt, AsyncWriteExt, BufWriter};
use uuid::Uuid;

/// Bytes that are written, or read, at once.
const BUFFER_BYTES: usize = 256 * 1024;

/// The directory of object files.
#[derive(Clone)]
pub(super) struct Files {
    directory: PathBuf,
}

impl Files {
    pub(super) fn open(directory: PathBuf) -> io::Result<Files> {
        std::fs::create_dir_all(&directory)?;
        Ok(Files { directory })
    }

    /// Removes files that no object refers to: writes that were cut off by the end of the process.
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
        let unpublished = self.reserve();
        let file = File::create_new(&unpublished.path).await?;
        Ok(NewFile { unpublished, writer: BufWriter::with_capacity(BUFFER_BYTES, file) })
    }

    /// A second name for a file's bytes, which never change.
    pub(super) fn link(&self, name: &str) -> io::Result<Unpublished> {
        let unpublished = self.reserve();
        std::fs::hard_link(self.directory.join(name), &unpublished.path)?;
        Ok(unpublished)
    }

    /// Removes a file whose object is gone. Readers that have it open keep it.
    pub(super) fn remove(&self, name: &str) {
        remove(&self.directory.join(name));
    }

    /// Opens a file.
    pub(super) async fn read(&self, name: &str) -> io::Result<File> {
        File::open(self.directory.join(name)).await
    }

    fn reserve(&self) -> Unpublished {
        let name = Uuid::now_v7().simple().to_string();
        Unpublished { path: self.directory.join(&name), name, published: false }
    }
}

/// A complete file that no object refers to yet. It is removed again unless [`Unpublished::publish`] is called.
pub(super) struct Unpublished {
    path: PathBuf,
    name: String,
    published: bool,
}

impl Unpublished {
    /// Its name, for the index.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// Keeps it: an object refers to it now.
    pub(super) fn publish(mut self) {
        self.published = true;
    }
}

impl Drop for Unpublished {
    fn drop(&mut self) {
        if !self.published {
            remove(&self.path);
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
        self.writer.write_all(bytes).await
    }

    pub(super) async fn finish(mut self) -> io::Result<Unpublished> {
        self.writer.flush().await?;
        Ok(self.unpublished)
    }
}

/// Streams a part of a file.
pub(super) async fn stream_range(mut file: File, first: u64, length_bytes: u64) -> io::Result<StreamingBlob> {
    file.seek(io::SeekFrom::Start(first)).await?;
    let chunks = stream::try_unfold((file, length_bytes), |(mut file, left)| async move {
        if left == 0 {
            return Ok::<_, io::Error>(None);
        }
        let wanted = usize::try_from(left).unwrap_or(BUFFER_BYTES).min(BUFFER_BYTES);
        let mut buffer = BytesMut::with_capacity(wanted);
        let read = (&mut file).take(wanted as u64).read_buf(&mut buffer).await?;
        if read == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(Some((buffer.freeze(), (file, left - read as u64))))
    });
    Ok(StreamingBlob::wrap(chunks))
}

fn remove(path: &Path) {
    if let Err(error) = std::fs::remove_file(path) {
        tracing::warn!(path = %path.display(), %error, "an object's file could not be removed");
    }
}
