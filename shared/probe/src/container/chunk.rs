//! Files of chunks, each with a kind and a size, as RIFF, IFF, Wave64, CAF and ASF are: walked by a few reads.
//!
//! What lies before the media data is in the first window; what follows it takes one more read. A walk that would
//! take more than [`MAX_FETCHES`] reads, or [`MAX_CHUNKS`] chunks, ends where it is: what was found before counts.

use std::ops::Range;

use bytes::Bytes;

use crate::error::ProbeError;
use crate::reader::Reader;
use crate::source::ByteSource;

/// Reads on top of the first one.
const MAX_FETCHES: u32 = 2;
const MAX_CHUNKS: u32 = 4096;

/// A [`Reader`] for walks along chunks.
pub(crate) struct ChunkReader<'r, 's, S: ByteSource> {
    reader: &'r mut Reader<'s, S>,
    fetches_left: u32,
    chunks_left: u32,
}

impl<'r, 's, S: ByteSource> ChunkReader<'r, 's, S> {
    pub(crate) fn new(reader: &'r mut Reader<'s, S>) -> Self {
        Self { reader, fetches_left: MAX_FETCHES, chunks_left: MAX_CHUNKS }
    }

    /// Total length of the file in bytes.
    pub(crate) fn len(&self) -> u64 {
        self.reader.len()
    }

    /// The header of the next chunk, which starts at `position`; `None` where the walk ends, because the file does or
    /// a bound is met.
    pub(crate) async fn header(
        &mut self,
        position: u64,
        header_bytes: u64,
    ) -> Result<Option<Bytes>, ProbeError<S::Error>> {
        let Some(chunks_left) = self.chunks_left.checked_sub(1) else { return Ok(None) };
        self.chunks_left = chunks_left;
        let header = self.bytes(position, header_bytes).await?;
        Ok(header.filter(|header| header.len() as u64 == header_bytes))
    }

    /// Up to `count` bytes from `start`, fewer where the file ends; `None` when that takes more reads than are left.
    pub(crate) async fn bytes(
        &mut self,
        start: u64,
        count: u64,
    ) -> Result<Option<Bytes>, ProbeError<S::Error>> {
        let range = start..start.saturating_add(count);
        if self.may_read(range.clone()) { self.reader.read(range).await.map(Some) } else { Ok(None) }
    }

    /// Whether `count` bytes from `start`, as far as the file goes, take no read.
    pub(crate) fn has(&self, start: u64, count: u64) -> bool {
        self.reader.is_cached(start..start.saturating_add(count))
    }

    /// The reader itself, for one that reads `range` and at most one stretch of the file more.
    pub(crate) fn reader_for(&mut self, range: Range<u64>) -> Option<&mut Reader<'s, S>> {
        self.may_read(range).then_some(&mut *self.reader)
    }

    fn may_read(&mut self, range: Range<u64>) -> bool {
        if self.reader.is_cached(range) {
            return true;
        }
        let may = self.fetches_left > 0;
        self.fetches_left = self.fetches_left.saturating_sub(1);
        may
    }
}
