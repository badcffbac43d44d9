//! Feeds any bytes to `probe`, which decides by content what they are: it must end within its bounds, without a panic.
//!
//! With a nightly toolchain and `cargo install cargo-fuzz`, from the root of the repository:
//!
//! ```sh
//! mkdir -p target/fuzz/corpus
//! cargo +nightly fuzz run --fuzz-dir tests/fuzz --target-dir target/fuzz probe target/fuzz/corpus tests/media -- \
//!     -max_len=65536 -timeout=5 -rss_limit_mb=512
//! ```
//!
//! The sample media are the seeds. What it finds becomes a test of the module at fault.
#![no_main]

use std::convert::Infallible;
use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use probe::{ByteSource, MAX_BYTES, MAX_MOOV_BYTES, MAX_READS};

/// So much is missing in the middle of the long variant of each input.
const HOLE_BYTES: u64 = 100 * 1024 * 1024;

/// The input with a hole of zeros in its middle, which nothing holds in memory.
struct Sparse<'a> {
    head: &'a [u8],
    hole_bytes: u64,
    tail: &'a [u8],
    reads: AtomicU64,
    bytes: AtomicU64,
}

impl<'a> Sparse<'a> {
    fn new(data: &'a [u8], hole_bytes: u64) -> Self {
        let (head, tail) = data.split_at(data.len() / 2);
        Self { head, hole_bytes, tail, reads: AtomicU64::new(0), bytes: AtomicU64::new(0) }
    }

    /// Copies to `bytes`, which lie at `range`, what of `data` at `offset` falls into it.
    fn copy(bytes: &mut [u8], range: &Range<u64>, data: &[u8], offset: u64) {
        let start = range.start.max(offset);
        let end = range.end.min(offset + data.len() as u64);
        if start < end {
            let count = (end - start) as usize;
            let from = (start - offset) as usize;
            let to = (start - range.start) as usize;
            bytes[to..to + count].copy_from_slice(&data[from..from + count]);
        }
    }
}

impl ByteSource for Sparse<'_> {
    type Error = Infallible;

    fn len(&self) -> u64 {
        (self.head.len() + self.tail.len()) as u64 + self.hole_bytes
    }

    async fn read_at(&self, range: Range<u64>) -> Result<Bytes, Infallible> {
        assert!(range.start < range.end && range.end <= self.len(), "{range:?} of {}", self.len());
        self.reads.fetch_add(1, Ordering::Relaxed);
        self.bytes.fetch_add(range.end - range.start, Ordering::Relaxed);
        let mut bytes = vec![0; (range.end - range.start) as usize];
        Self::copy(&mut bytes, &range, self.head, 0);
        Self::copy(&mut bytes, &range, self.tail, self.head.len() as u64 + self.hole_bytes);
        Ok(bytes.into())
    }
}

fn check(source: &Sparse<'_>) {
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    match runtime.block_on(probe::probe(source)) {
        Ok(metadata) => {
            assert!(
                metadata.duration_seconds.is_finite() && metadata.duration_seconds >= 0.0,
                "{metadata:?}"
            );
            let json = serde_json::to_vec(&metadata).expect("metadata is JSON");
            assert!(json.len() < 200_000, "{} bytes of metadata", json.len());
        }
        Err(error) => assert!(error.rejection().is_some(), "{error:?}"),
    }
    assert!(source.reads.load(Ordering::Relaxed) <= u64::from(MAX_READS));
    assert!(source.bytes.load(Ordering::Relaxed) <= MAX_BYTES + MAX_MOOV_BYTES);
}

fuzz_target!(|data: &[u8]| {
    check(&Sparse::new(data, 0));
    check(&Sparse::new(data, HOLE_BYTES));
});
