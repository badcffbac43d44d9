//! Files built by hand, of any length, of which only what is said about them takes memory.

use std::convert::Infallible;
use std::ops::Range;
use std::sync::Mutex;

use bytes::Bytes;

use super::super::boxes::FourCc;
pub(super) use super::super::boxes::tests::{boxed, full};
use crate::{ByteSource, Metadata, ProbeError};

pub(super) const GIB: u64 = 1 << 30;
pub(super) const MIB: u64 = 1 << 20;

/// A file of stretches of bytes at given offsets and zeros between them, that counts what is read of it.
pub(super) struct Sparse {
    pub(super) len: u64,
    pub(super) stretches: Vec<(u64, Vec<u8>)>,
    reads: Mutex<Vec<Range<u64>>>,
}

impl Sparse {
    pub(super) fn new(len: u64, stretches: Vec<(u64, Vec<u8>)>) -> Self {
        Self { len, stretches, reads: Mutex::default() }
    }

    /// Parts one after the other, the long ones of zeros.
    pub(super) fn of(parts: &[Part]) -> Self {
        let mut len = 0;
        let mut stretches = Vec::new();
        for part in parts {
            match part {
                Part::Bytes(bytes) => {
                    stretches.push((len, bytes.clone()));
                    len += bytes.len() as u64;
                }
                Part::Zeros(count) => len += count,
            }
        }
        Self::new(len, stretches)
    }

    /// The bytes of `range`, not counted.
    pub(super) fn bytes(&self, range: Range<u64>) -> Vec<u8> {
        let mut bytes = vec![0; usize::try_from(range.end - range.start).unwrap()];
        for (offset, stretch) in &self.stretches {
            let start = range.start.max(*offset);
            let end = range.end.min(offset + stretch.len() as u64);
            if start < end {
                let at = |position: u64, origin: u64| usize::try_from(position - origin).unwrap();
                bytes[at(start, range.start)..at(end, range.start)]
                    .copy_from_slice(&stretch[at(start, *offset)..at(end, *offset)]);
            }
        }
        bytes
    }

    pub(super) fn reads(&self) -> usize {
        self.reads.lock().unwrap().len()
    }

    pub(super) fn bytes_read(&self) -> u64 {
        self.reads.lock().unwrap().iter().map(|range| range.end - range.start).sum()
    }
}

pub(super) enum Part {
    Bytes(Vec<u8>),
    Zeros(u64),
}

impl ByteSource for Sparse {
    type Error = Infallible;

    fn len(&self) -> u64 {
        self.len
    }

    async fn read_at(&self, range: Range<u64>) -> Result<Bytes, Infallible> {
        assert!(range.start < range.end && range.end <= self.len, "{range:?} of {}", self.len);
        self.reads.lock().unwrap().push(range.clone());
        Ok(self.bytes(range).into())
    }
}

pub(super) fn probe(
    source: &impl ByteSource<Error = Infallible>,
) -> Result<Metadata, ProbeError<Infallible>> {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(crate::probe(source))
}

pub(super) fn words(words: &[u32]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_be_bytes()).collect()
}

pub(super) fn ftyp() -> Vec<u8> {
    boxed(*b"ftyp", b"isom\0\0\x02\0isom")
}

/// A header of a box of `size` bytes with a 64-bit size.
pub(super) fn long_header(kind: FourCc, size: u64) -> Vec<u8> {
    [&[0, 0, 0, 1], &kind[..], &size.to_be_bytes()].concat()
}

/// Media data of `size` bytes in all.
pub(super) fn mdat(size: u64) -> [Part; 2] {
    [Part::Bytes(long_header(*b"mdat", size)), Part::Zeros(size - 16)]
}

/// A track of 1000 units a second with these boxes in its sample table.
pub(super) fn track(
    id: u32,
    handler: FourCc,
    sample_entry: &[u8],
    duration: u32,
    tables: &[Vec<u8>],
) -> Vec<u8> {
    let tkhd = full(*b"tkhd", 0, 0, words(&[0, 0, id, 0, duration]));
    let mdhd = full(*b"mdhd", 0, 0, words(&[0, 0, 1000, duration, 0x15c7_0000]));
    let hdlr = full(*b"hdlr", 0, 0, [&[0; 4], &handler[..]].concat());
    let stsd = full(*b"stsd", 0, 0, [&[0, 0, 0, 1][..], sample_entry].concat());
    let stbl = boxed(*b"stbl", [stsd, tables.concat()].concat());
    boxed(*b"trak", [tkhd, boxed(*b"mdia", [mdhd, hdlr, boxed(*b"minf", stbl)].concat())].concat())
}

pub(super) fn video_entry() -> Vec<u8> {
    let mut body = vec![0; 78];
    body[24..28].copy_from_slice(&[0x07, 0x80, 0x04, 0x38]);
    boxed(*b"avc1", body)
}

/// A track of `samples` pictures of 40 ms, its tables as long as such tables are.
pub(super) fn video_track(id: u32, samples: u32, last_chunk: u32) -> Vec<u8> {
    let padding = |entry_bytes: u32| vec![0; (samples * entry_bytes) as usize];
    let tables = [
        full(*b"stts", 0, 0, words(&[1, samples, 40])),
        full(*b"ctts", 0, 0, [words(&[samples]), padding(8)].concat()),
        full(*b"stsz", 0, 0, [words(&[0, samples]), padding(4)].concat()),
        full(*b"stco", 0, 0, [words(&[samples + 1]), padding(4), words(&[last_chunk])].concat()),
    ];
    track(id, *b"vide", &video_entry(), samples * 40, &tables)
}

/// A movie of these boxes whose header leaves the duration open, unless there are fragments: then it is misleading.
pub(super) fn moov(boxes: &[Vec<u8>]) -> Vec<u8> {
    let boxes = boxes.concat();
    let duration = if boxes.windows(4).any(|window| window == b"mvex") { 77_777 } else { 0 };
    boxed(*b"moov", [full(*b"mvhd", 0, 0, words(&[0, 0, 1000, duration])), boxes].concat())
}

pub(super) fn film(samples: u32) -> Vec<u8> {
    moov(&[video_track(1, samples, 100)])
}

pub(super) fn fragmented_moov(extra: &[Vec<u8>]) -> Vec<u8> {
    let trex = full(*b"trex", 0, 0, words(&[1, 1, 40, 0, 0]));
    moov(&[track(1, *b"vide", &video_entry(), 0, &[]), boxed(*b"mvex", [trex, extra.concat()].concat())])
}

/// A fragment of 25 pictures, one second, with `data_bytes` of media data; `at` is its time in seconds.
pub(super) fn fragment(at: Option<u32>, data_bytes: u64) -> Vec<Part> {
    let tfdt = at.map(|seconds| full(*b"tfdt", 0, 0, words(&[seconds * 1000]))).unwrap_or_default();
    let traf = [full(*b"tfhd", 0, 0, words(&[1])), tfdt, full(*b"trun", 0, 0, words(&[25]))].concat();
    let moof = boxed(*b"moof", [full(*b"mfhd", 0, 0, words(&[1])), boxed(*b"traf", traf)].concat());
    let mut parts = vec![Part::Bytes(moof)];
    parts.extend(mdat(data_bytes));
    parts
}

pub(super) fn fragments(count: u32, data_bytes: u64, timed: bool) -> Vec<Part> {
    (0..count).flat_map(|index| fragment(timed.then_some(index), data_bytes)).collect()
}

pub(super) fn file(first: Vec<u8>, rest: impl IntoIterator<Item = Part>) -> Sparse {
    Sparse::of(&[Part::Bytes(ftyp()), Part::Bytes(first)].into_iter().chain(rest).collect::<Vec<_>>())
}

pub(super) fn len(parts: &[Part]) -> u64 {
    Sparse::of(
        &parts
            .iter()
            .map(|part| match part {
                Part::Bytes(bytes) => Part::Zeros(bytes.len() as u64),
                Part::Zeros(count) => Part::Zeros(*count),
            })
            .collect::<Vec<_>>(),
    )
    .len
}

/// Segments of one fragment each, a second long, with `styp` and an index of their own, as HLS has them.
pub(super) fn segments(count: u32, data_bytes: u64) -> Vec<Part> {
    (0..count).flat_map(|index| segment(index, &(index..=index), data_bytes)).collect()
}

/// A segment of the fragments at these seconds, behind `styp` and an index over them.
pub(super) fn segment(start: u32, seconds: &std::ops::RangeInclusive<u32>, data_bytes: u64) -> Vec<Part> {
    let body: Vec<Part> = seconds.clone().flat_map(|second| fragment(Some(second), data_bytes)).collect();
    let size = u32::try_from(len(&body)).unwrap();
    let milliseconds = 1000 * u32::try_from(seconds.clone().count()).unwrap();
    let sidx = words(&[1, 1000, start * 1000, 0, 1, size, milliseconds, 0]);
    let mut parts =
        vec![Part::Bytes(boxed(*b"styp", b"msdh\0\0\0\0msdh")), Part::Bytes(full(*b"sidx", 0, 0, sidx))];
    parts.extend(body);
    parts
}

/// The index of fragments at the end of a file, which names the one at `offset`.
pub(super) fn mfra(offset: u64) -> Vec<u8> {
    mfra_at(offset, 1000)
}

/// The same, which says that the fragment starts at `time`.
pub(super) fn mfra_at(offset: u64, time: u32) -> Vec<u8> {
    let entry = [words(&[1, 0, 1, 0, time]), offset.to_be_bytes().to_vec(), vec![1; 3]].concat();
    let tfra = full(*b"tfra", 1, 0, entry);
    let size = u32::try_from(8 + tfra.len() + 16).unwrap();
    boxed(*b"mfra", [tfra, full(*b"mfro", 0, 0, words(&[size]))].concat())
}
