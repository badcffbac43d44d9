//! A source in memory that counts what is read, and fails the test when it is asked beyond its end.

use std::io;
use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use probe::{ByteSource, MemorySource};

pub(crate) struct CountingSource {
    inner: MemorySource,
    reads: AtomicU64,
    bytes: AtomicU64,
}

impl CountingSource {
    pub(crate) fn new(bytes: impl Into<Bytes>) -> Self {
        Self { inner: MemorySource::new(bytes), reads: AtomicU64::new(0), bytes: AtomicU64::new(0) }
    }

    pub(crate) fn reads(&self) -> u64 {
        self.reads.load(Ordering::Relaxed)
    }

    pub(crate) fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }
}

impl ByteSource for CountingSource {
    type Error = io::Error;

    fn len(&self) -> u64 {
        self.inner.len()
    }

    async fn read_at(&self, range: Range<u64>) -> io::Result<Bytes> {
        assert!(range.start < range.end && range.end <= self.len(), "{range:?} of {}", self.len());
        self.reads.fetch_add(1, Ordering::Relaxed);
        self.bytes.fetch_add(range.end - range.start, Ordering::Relaxed);
        self.inner.read_at(range).await
    }
}
