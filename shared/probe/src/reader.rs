//! Few, bounded reads: every byte is fetched at most once, with what probably comes next.
//!
//! A read that is not answered from memory fetches a window of [`WINDOW_BYTES`], or the whole rest of the file when
//! that is short, because one more request costs more than a few more bytes. Each fetch draws on a budget; when it is
//! used up the probe ends with [`ProbeError::LimitExceeded`].

use std::ops::Range;

use bytes::{Bytes, BytesMut};

use crate::error::ProbeError;
use crate::source::ByteSource;

/// The most reads that one probe makes, whatever the file.
pub const MAX_READS: u32 = 4;
/// The most bytes that one probe reads, apart from the index of an MP4.
pub const MAX_BYTES: u64 = 1024 * 1024;

/// What a read takes in ahead of what it was asked for.
pub(crate) const WINDOW_BYTES: u64 = 64 * 1024;
/// A rest of the file up to this long is fetched whole.
pub(crate) const SHORT_REST_BYTES: u64 = 256 * 1024;
/// What is longer than this is fetched whole even where its start is known: to join it would hold it twice in memory.
const MAX_JOINED_BYTES: u64 = MAX_BYTES;

struct Block {
    start: u64,
    bytes: Bytes,
}

impl Block {
    fn end(&self) -> u64 {
        self.start + self.bytes.len() as u64
    }

    fn slice(&self, range: &Range<u64>) -> Bytes {
        let from = usize::try_from(range.start - self.start).unwrap_or(usize::MAX);
        let to = usize::try_from(range.end - self.start).unwrap_or(usize::MAX);
        self.bytes.slice(from.min(self.bytes.len())..to.min(self.bytes.len()))
    }
}

/// A [`ByteSource`] with a memory and a budget.
pub(crate) struct Reader<'a, S: ByteSource> {
    source: &'a S,
    len: u64,
    blocks: Vec<Block>,
    reads_left: u32,
    bytes_left: u64,
}

impl<'a, S: ByteSource> Reader<'a, S> {
    pub(crate) fn new(source: &'a S) -> Self {
        Self { source, len: source.len(), blocks: Vec::new(), reads_left: MAX_READS, bytes_left: MAX_BYTES }
    }

    /// Total length of the file in bytes.
    pub(crate) fn len(&self) -> u64 {
        self.len
    }

    /// How many more reads there may be.
    pub(crate) fn reads_left(&self) -> u32 {
        self.reads_left
    }

    /// How many more bytes may be read.
    pub(crate) fn bytes_left(&self) -> u64 {
        self.bytes_left
    }

    /// Whether `range` is in memory, or the budget has room for it.
    pub(crate) fn can_read(&self, range: Range<u64>) -> bool {
        let missing = self.missing(&self.within(range));
        missing.is_empty() || (self.reads_left > 0 && missing.end - missing.start <= self.bytes_left)
    }

    /// Raises the budget of bytes, once the file has shown what for.
    pub(crate) fn allow(&mut self, bytes: u64) {
        self.bytes_left = self.bytes_left.saturating_add(bytes);
    }

    /// Whether `range`, as far as the file goes, would be answered from memory.
    pub(crate) fn is_cached(&self, range: Range<u64>) -> bool {
        let range = self.within(range);
        range.is_empty() || self.cached(&range).is_some()
    }

    /// The end of what is in memory from `start` on, without a gap; `start` itself when nothing is.
    pub(crate) fn cached_until(&self, start: u64) -> u64 {
        self.longest(|block| block.start <= start && start < block.end()).map_or(start, Block::end)
    }

    /// Whether everything from `start` is in memory, or near enough to the end to come in one fetch.
    pub(crate) fn rest_is_short(&self, start: u64) -> bool {
        self.len.saturating_sub(start) <= SHORT_REST_BYTES || self.is_cached(start..self.len)
    }

    /// The bytes of `range` that the file has: fewer than asked for where it ends earlier.
    pub(crate) async fn read(&mut self, range: Range<u64>) -> Result<Bytes, ProbeError<S::Error>> {
        let range = self.within(range);
        if range.is_empty() {
            return Ok(Bytes::new());
        }
        if let Some(bytes) = self.cached(&range) {
            return Ok(bytes);
        }
        if range.end - range.start > MAX_JOINED_BYTES {
            let bytes = self.fetch(range.start, range.end).await?;
            self.blocks.push(Block { start: range.start, bytes: bytes.clone() });
            return Ok(bytes);
        }
        let (head, tail) = self.known_ends(&range);
        let fetch_start = range.start + head.len() as u64;
        let fetch_end = range.end - tail.len() as u64;
        let (fetched, overlap) = if fetch_start < fetch_end {
            (self.fetch(fetch_start, fetch_end).await?, 0)
        } else {
            (Bytes::new(), usize::try_from(fetch_start - fetch_end).unwrap_or(usize::MAX))
        };
        let bytes = if head.is_empty() && tail.is_empty() {
            fetched
        } else {
            let tail = tail.get(overlap..).unwrap_or_default();
            let mut joined = BytesMut::with_capacity(head.len() + fetched.len() + tail.len());
            joined.extend_from_slice(&head);
            joined.extend_from_slice(&fetched);
            joined.extend_from_slice(tail);
            joined.freeze()
        };
        let block = Block { start: range.start, bytes };
        let wanted = block.slice(&range);
        self.blocks.retain(|known| known.start < block.start || known.end() > block.end());
        self.blocks.push(block);
        Ok(wanted)
    }

    /// What a read of `range` has to fetch, apart from reading ahead; empty when it is answered from memory.
    fn missing(&self, range: &Range<u64>) -> Range<u64> {
        if range.is_empty() || self.cached(range).is_some() {
            return range.end..range.end;
        }
        if range.end - range.start > MAX_JOINED_BYTES {
            return range.clone();
        }
        let (head, tail) = self.known_ends(range);
        range.start + head.len() as u64..range.end - tail.len() as u64
    }

    /// What is known of the start and of the end of `range`: it need not be fetched again.
    fn known_ends(&self, range: &Range<u64>) -> (Bytes, Bytes) {
        let head = self.longest(|block| block.start <= range.start && range.start < block.end());
        let head = head.map(|block| block.slice(&(range.start..block.end()))).unwrap_or_default();
        let tail = self.longest(|block| {
            range.start < block.start && block.start < range.end && range.end <= block.end()
        });
        let tail = tail.map(|block| block.slice(&(block.start..range.end))).unwrap_or_default();
        (head, tail)
    }

    fn longest(&self, is_meant: impl Fn(&Block) -> bool) -> Option<&Block> {
        self.blocks.iter().filter(|block| is_meant(block)).max_by_key(|block| block.bytes.len())
    }

    async fn fetch(&mut self, start: u64, needed_end: u64) -> Result<Bytes, ProbeError<S::Error>> {
        let window_end = if self.len - start <= SHORT_REST_BYTES {
            self.len
        } else {
            start.saturating_add(WINDOW_BYTES).min(self.len)
        };
        let known_ahead = self.blocks.iter().map(|block| block.start).filter(|start| *start >= needed_end);
        let window_end = known_ahead.fold(window_end, u64::min);
        // Reading ahead is a courtesy: it must not be what uses the budget up.
        let end = needed_end.max(window_end.min(start.saturating_add(self.bytes_left)));
        let wanted = end - start;
        if self.reads_left == 0 {
            return Err(ProbeError::LimitExceeded { limit: format!("it took more than {MAX_READS} reads") });
        }
        if wanted > self.bytes_left {
            return Err(ProbeError::LimitExceeded { limit: "it took too many bytes".to_owned() });
        }
        self.reads_left -= 1;
        self.bytes_left -= wanted;
        let bytes = self.source.read_at(start..end).await.map_err(ProbeError::Source)?;
        if bytes.len() as u64 != wanted {
            return Err(ProbeError::ShortRead { wanted, got: bytes.len() as u64 });
        }
        Ok(bytes)
    }

    fn within(&self, range: Range<u64>) -> Range<u64> {
        range.start.min(self.len)..range.end.min(self.len)
    }

    fn cached(&self, range: &Range<u64>) -> Option<Bytes> {
        let block =
            self.blocks.iter().find(|block| block.start <= range.start && range.end <= block.end())?;
        Some(block.slice(range))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::single_range_in_vec_init)]

    use std::convert::Infallible;
    use std::sync::Mutex;

    use super::*;

    /// Zeros, and a list of the ranges that were asked for. A source that is `short` gives one byte too few.
    struct Zeros {
        len: u64,
        short: bool,
        reads: Mutex<Vec<Range<u64>>>,
    }

    impl Zeros {
        fn new(len: u64) -> Self {
            Self { len, short: false, reads: Mutex::default() }
        }
    }

    impl ByteSource for Zeros {
        type Error = Infallible;

        fn len(&self) -> u64 {
            self.len
        }

        async fn read_at(&self, range: Range<u64>) -> Result<Bytes, Infallible> {
            self.reads.lock().unwrap().push(range.clone());
            let count = usize::try_from(range.end - range.start).unwrap();
            Ok(vec![0; count - usize::from(self.short)].into())
        }
    }

    #[tokio::test]
    async fn a_window_is_fetched_once_and_only_its_missing_part_again() {
        let source = Zeros::new(10 * MAX_BYTES);
        let mut reader = Reader::new(&source);
        assert_eq!(reader.read(0..8).await.unwrap().len(), 8);
        assert_eq!(reader.read(1000..2000).await.unwrap().len(), 1000);
        assert_eq!(reader.read(WINDOW_BYTES - 10..WINDOW_BYTES + 10).await.unwrap().len(), 20);
        assert_eq!(*source.reads.lock().unwrap(), [0..WINDOW_BYTES, WINDOW_BYTES..2 * WINDOW_BYTES]);
    }

    #[tokio::test]
    async fn a_short_rest_is_fetched_whole_and_reading_stops_at_the_end() {
        let source = Zeros::new(SHORT_REST_BYTES);
        let mut reader = Reader::new(&source);
        assert_eq!(reader.read(0..8).await.unwrap().len(), 8);
        assert_eq!(reader.read(SHORT_REST_BYTES - 3..u64::MAX).await.unwrap().len(), 3);
        assert_eq!(reader.read(u64::MAX - 1..u64::MAX).await.unwrap().len(), 0);
        assert_eq!(*source.reads.lock().unwrap(), [0..SHORT_REST_BYTES]);
    }

    #[tokio::test]
    async fn what_is_known_of_the_end_is_not_fetched_again() {
        let source = Zeros::new(10 * MAX_BYTES);
        let (end, tail) = (source.len, source.len - SHORT_REST_BYTES);
        let mut reader = Reader::new(&source);
        reader.read(tail..end).await.unwrap();
        assert_eq!(
            reader.read(tail - MAX_BYTES / 2..end).await.unwrap().len() as u64,
            end - tail + MAX_BYTES / 2
        );
        // Reading ahead stops where memory begins.
        let middle = tail - MAX_BYTES / 2;
        reader.read(middle - 100..middle - 90).await.unwrap();
        assert_eq!(reader.read(middle - 50..middle + 50).await.unwrap().len(), 100);
        let reads = [tail..end, middle..tail, middle - 100..middle];
        assert_eq!(*source.reads.lock().unwrap(), reads);
    }

    #[tokio::test]
    async fn what_is_too_long_to_be_joined_is_fetched_whole() {
        let source = Zeros::new(10 * MAX_BYTES);
        let mut reader = Reader::new(&source);
        reader.read(0..8).await.unwrap();
        reader.allow(2 * MAX_JOINED_BYTES);
        reader.read(0..MAX_JOINED_BYTES).await.unwrap();
        reader.read(8..MAX_JOINED_BYTES + 9).await.unwrap();
        let reads = [0..WINDOW_BYTES, WINDOW_BYTES..MAX_JOINED_BYTES, 8..MAX_JOINED_BYTES + 9];
        assert_eq!(*source.reads.lock().unwrap(), reads);
    }

    #[tokio::test]
    async fn the_budget_has_to_have_room_for_what_is_missing_only() {
        let source = Zeros::new(1 << 40);
        let mut reader = Reader::new(&source);
        reader.read(0..8).await.unwrap();
        assert!(!reader.can_read(1..MAX_BYTES + 1));
        assert!(!reader.can_read(WINDOW_BYTES + 1..WINDOW_BYTES + MAX_BYTES));
        assert!(reader.can_read(1..MAX_BYTES));
        reader.read(1..MAX_BYTES).await.unwrap();
        assert_eq!(reader.bytes_left(), 0);
        // What is fetched whole takes as much as it is long.
        reader.allow(MAX_JOINED_BYTES);
        assert!(!reader.can_read(0..MAX_JOINED_BYTES + 1));
        reader.allow(1);
        assert!(reader.can_read(0..MAX_JOINED_BYTES + 1));

        let end = source.len;
        let mut reader = Reader::new(&source);
        reader.read(end - MAX_BYTES / 2..end).await.unwrap();
        assert!(reader.can_read(end - MAX_BYTES..u64::MAX) && !reader.can_read(end - MAX_BYTES - 1..end - 1));
        for start in 0..u64::from(MAX_READS) - 1 {
            reader.read(start << 20..(start << 20) + 1).await.unwrap();
        }
        assert!(reader.can_read(0..WINDOW_BYTES) && !reader.can_read(0..WINDOW_BYTES + 1));
        assert!(reader.can_read(end..u64::MAX));
    }

    #[tokio::test]
    async fn the_budget_of_bytes_and_of_reads_ends() {
        let source = Zeros::new(1 << 40);
        let mut reader = Reader::new(&source);
        let too_much = reader.read(0..MAX_BYTES + 1).await;
        assert!(matches!(too_much, Err(ProbeError::LimitExceeded { .. })), "{too_much:?}");
        reader.allow(1);
        assert_eq!(reader.read(0..MAX_BYTES + 1).await.unwrap().len() as u64, MAX_BYTES + 1);

        let mut reader = Reader::new(&source);
        for read in 0..u64::from(MAX_READS) {
            let start = read * 2 * WINDOW_BYTES;
            reader.read(start..start + 1).await.unwrap();
        }
        let too_often = reader.read(1 << 30..(1 << 30) + 1).await;
        assert!(matches!(too_often, Err(ProbeError::LimitExceeded { .. })), "{too_often:?}");
    }

    #[tokio::test]
    async fn a_source_that_breaks_its_word_is_found_out() {
        let source = Zeros { short: true, ..Zeros::new(100) };
        let answer = Reader::new(&source).read(0..8).await;
        assert!(matches!(answer, Err(ProbeError::ShortRead { wanted: 100, got: 99 })), "{answer:?}");
    }
}
