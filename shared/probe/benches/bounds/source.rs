//! Files of any length that take no memory: real bytes, stretches of zeros, and units made when they are read.

use std::convert::Infallible;
use std::ops::Range;
use std::sync::Mutex;

use bytes::Bytes;
use probe::ByteSource;

pub(crate) enum Part {
    Bytes(Vec<u8>),
    Zeros(u64),
    /// So many units of the same length, each made by its number.
    Units(u64, Box<dyn Fn(u64) -> Vec<u8> + Send + Sync>),
}

impl Part {
    fn len(&self) -> u64 {
        match self {
            Self::Bytes(bytes) => bytes.len() as u64,
            Self::Zeros(count) => *count,
            Self::Units(count, make) => count * make(0).len() as u64,
        }
    }

    /// Copies what of `range` of the part is not zero to `target`.
    fn read(&self, range: Range<u64>, target: &mut [u8]) {
        match self {
            Self::Bytes(bytes) => target.copy_from_slice(&bytes[at(range.start)..at(range.end)]),
            Self::Zeros(_) => {}
            Self::Units(_, make) => {
                let size = make(0).len() as u64;
                for number in range.start / size..range.end.div_ceil(size) {
                    let unit = make(number);
                    assert_eq!(unit.len() as u64, size, "units are of one length");
                    let start = range.start.max(number * size);
                    let end = range.end.min((number + 1) * size);
                    target[at(start - range.start)..at(end - range.start)]
                        .copy_from_slice(&unit[at(start - number * size)..at(end - number * size)]);
                }
            }
        }
    }
}

fn at(offset: u64) -> usize {
    usize::try_from(offset).unwrap()
}

/// A source over parts that counts what is read of it.
pub(crate) struct Long {
    parts: Vec<(u64, Part)>,
    len: u64,
    reads: Mutex<Vec<Range<u64>>>,
}

impl Long {
    pub(crate) fn of(parts: Vec<Part>) -> Self {
        let mut len = 0;
        let mut placed = Vec::new();
        for part in parts {
            let start = len;
            len += part.len();
            placed.push((start, part));
        }
        Self { parts: placed, len, reads: Mutex::default() }
    }

    pub(crate) fn reads(&self) -> usize {
        self.reads.lock().unwrap().len()
    }

    pub(crate) fn bytes_read(&self) -> u64 {
        self.reads.lock().unwrap().iter().map(|range| range.end - range.start).sum()
    }
}

impl ByteSource for Long {
    type Error = Infallible;

    fn len(&self) -> u64 {
        self.len
    }

    async fn read_at(&self, range: Range<u64>) -> Result<Bytes, Infallible> {
        self.reads.lock().unwrap().push(range.clone());
        let mut bytes = vec![0; at(range.end - range.start)];
        for (offset, part) in &self.parts {
            let start = range.start.max(*offset);
            let end = range.end.min(offset + part.len());
            if start < end {
                let target = &mut bytes[at(start - range.start)..at(end - range.start)];
                part.read(start - offset..end - offset, target);
            }
        }
        Ok(bytes.into())
    }
}
