//! The walk over whole files, built by hand: order, cuts, hostile sizes, and how few reads it takes.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::convert::Infallible;
use std::ops::Range;
use std::sync::Mutex;

use bytes::Bytes;

use super::boxes::FourCc;
use super::boxes::tests::{boxed, full};
use crate::{ByteSource, Metadata, ProbeError};

/// A file of stretches of bytes at given offsets and zeros between them, that counts what is read of it.
struct Sparse {
    len: u64,
    stretches: Vec<(u64, Vec<u8>)>,
    reads: Mutex<Vec<Range<u64>>>,
}

impl Sparse {
    fn new(len: u64, stretches: Vec<(u64, Vec<u8>)>) -> Self {
        Self { len, stretches, reads: Mutex::default() }
    }

    /// Parts one after the other, the long ones of zeros.
    fn of(parts: &[Part]) -> Self {
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

    fn reads(&self) -> usize {
        self.reads.lock().unwrap().len()
    }

    fn bytes_read(&self) -> u64 {
        self.reads.lock().unwrap().iter().map(|range| range.end - range.start).sum()
    }
}

enum Part {
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
        Ok(bytes.into())
    }
}

fn probe(source: &impl ByteSource<Error = Infallible>) -> Result<Metadata, ProbeError<Infallible>> {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(crate::probe(source))
}

fn words(words: &[u32]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_be_bytes()).collect()
}

fn ftyp() -> Vec<u8> {
    boxed(*b"ftyp", b"isom\0\0\x02\0isom")
}

/// A header of a box of `size` bytes with a 64-bit size.
fn long_header(kind: FourCc, size: u64) -> Vec<u8> {
    [&[0, 0, 0, 1], &kind[..], &size.to_be_bytes()].concat()
}

/// Media data of `size` bytes in all.
fn mdat(size: u64) -> [Part; 2] {
    [Part::Bytes(long_header(*b"mdat", size)), Part::Zeros(size - 16)]
}

/// A track of 1000 units a second with these boxes in its sample table.
fn track(id: u32, handler: FourCc, sample_entry: &[u8], duration: u32, tables: &[Vec<u8>]) -> Vec<u8> {
    let tkhd = full(*b"tkhd", 0, 0, words(&[0, 0, id, 0, duration]));
    let mdhd = full(*b"mdhd", 0, 0, words(&[0, 0, 1000, duration, 0x15c7_0000]));
    let hdlr = full(*b"hdlr", 0, 0, [&[0; 4], &handler[..]].concat());
    let stsd = full(*b"stsd", 0, 0, [&[0, 0, 0, 1][..], sample_entry].concat());
    let stbl = boxed(*b"stbl", [stsd, tables.concat()].concat());
    boxed(*b"trak", [tkhd, boxed(*b"mdia", [mdhd, hdlr, boxed(*b"minf", stbl)].concat())].concat())
}

fn video_entry() -> Vec<u8> {
    let mut body = vec![0; 78];
    body[24..28].copy_from_slice(&[0x07, 0x80, 0x04, 0x38]);
    boxed(*b"avc1", body)
}

/// A track of `samples` pictures of 40 ms, its tables as long as such tables are.
fn video_track(id: u32, samples: u32, last_chunk: u32) -> Vec<u8> {
    let padding = |entry_bytes: u32| vec![0; (samples * entry_bytes) as usize];
    let tables = [
        full(*b"stts", 0, 0, words(&[1, samples, 40])),
        full(*b"ctts", 0, 0, [words(&[samples]), padding(8)].concat()),
        full(*b"stsz", 0, 0, [words(&[0, samples]), padding(4)].concat()),
        full(*b"stco", 0, 0, [words(&[samples]), padding(4), words(&[last_chunk])].concat()),
    ];
    track(id, *b"vide", &video_entry(), samples * 40, &tables)
}

fn mvhd() -> Vec<u8> {
    full(*b"mvhd", 0, 0, words(&[0, 0, 1000, 77_777]))
}

fn moov(boxes: &[Vec<u8>]) -> Vec<u8> {
    boxed(*b"moov", [mvhd(), boxes.concat()].concat())
}

fn film(samples: u32) -> Vec<u8> {
    moov(&[video_track(1, samples, 100)])
}

fn fragmented_moov(extra: &[Vec<u8>]) -> Vec<u8> {
    let trex = full(*b"trex", 0, 0, words(&[1, 1, 40, 0, 0]));
    moov(&[track(1, *b"vide", &video_entry(), 0, &[]), boxed(*b"mvex", [trex, extra.concat()].concat())])
}

/// A fragment of 25 pictures, one second, with `data_bytes` of media data; `at` is its time in seconds.
fn fragment(at: Option<u32>, data_bytes: u64) -> Vec<Part> {
    let tfdt = at.map(|seconds| full(*b"tfdt", 0, 0, words(&[seconds * 1000]))).unwrap_or_default();
    let traf = [full(*b"tfhd", 0, 0, words(&[1])), tfdt, full(*b"trun", 0, 0, words(&[25]))].concat();
    let moof = boxed(*b"moof", [full(*b"mfhd", 0, 0, words(&[1])), boxed(*b"traf", traf)].concat());
    let mut parts = vec![Part::Bytes(moof)];
    parts.extend(mdat(data_bytes));
    parts
}

fn fragments(count: u32, data_bytes: u64, timed: bool) -> Vec<Part> {
    (0..count).flat_map(|index| fragment(timed.then_some(index), data_bytes)).collect()
}

fn file(first: Vec<u8>, rest: impl IntoIterator<Item = Part>) -> Sparse {
    Sparse::of(&[Part::Bytes(ftyp()), Part::Bytes(first)].into_iter().chain(rest).collect::<Vec<_>>())
}

fn len(parts: &[Part]) -> u64 {
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

const GIB: u64 = 1 << 30;
const MIB: u64 = 1 << 20;

#[test]
fn an_index_in_front_takes_one_read_and_one_at_the_end_two() {
    let front = file(film(250), mdat(5 * GIB));
    let metadata = probe(&front).unwrap();
    assert!((metadata.duration_seconds - 10.0).abs() < 1e-9 && metadata.fast_start, "{metadata:?}");
    assert_eq!(front.reads(), 1);

    let end = Sparse::of(
        &[Part::Bytes(ftyp())]
            .into_iter()
            .chain(mdat(5 * GIB))
            .chain([Part::Bytes(film(250))])
            .collect::<Vec<_>>(),
    );
    let metadata = probe(&end).unwrap();
    assert!(!metadata.fast_start && !metadata.fragmented, "{metadata:?}");
    assert_eq!((metadata.video[0].width, metadata.video[0].height), (1920, 1080));
    assert_eq!(end.reads(), 2);
}

#[test]
fn the_tables_of_a_long_film_are_skipped() {
    // Two hours at 50 frames a second, twice: 12 MB of index.
    let moov = moov(&[video_track(1, 360_000, 100), video_track(2, 360_000, 100)]);
    assert!(moov.len() as u64 > 10 * MIB);
    let source = file(moov, mdat(8 * GIB));
    let metadata = probe(&source).unwrap();
    assert_eq!(metadata.video.len(), 2);
    assert!((metadata.video[1].frame_rate - 25.0).abs() < 1e-9);
    assert!(
        source.reads() <= 8 && source.bytes_read() <= MIB,
        "{} reads, {}",
        source.reads(),
        source.bytes_read()
    );
}

#[test]
fn what_is_cut_off_is_refused() {
    let cut = |source: Sparse| match probe(&source) {
        Err(ProbeError::Malformed { reason }) => reason,
        other => panic!("{other:?}"),
    };
    let whole = Sparse::of(
        &[Part::Bytes(ftyp()), Part::Bytes(film(250))].into_iter().chain(mdat(MIB)).collect::<Vec<_>>(),
    );
    probe(&whole).unwrap();
    let media = cut(Sparse::new(whole.len - 7, whole.stretches.clone()));
    assert_eq!(media, "it ends 7 bytes before the end of its media data");
    let index = cut(Sparse::new(2000, whole.stretches.clone()));
    assert!(index.ends_with("before the end of its index (moov)"), "{index}");
    let samples = cut(Sparse::of(
        &[Part::Bytes(ftyp()), Part::Bytes(moov(&[video_track(1, 250, 0x7fff_ffff)]))]
            .into_iter()
            .chain(mdat(MIB))
            .collect::<Vec<_>>(),
    ));
    assert!(samples.contains("beyond the end of the file"), "{samples}");
    let no_index = cut(Sparse::of(&[Part::Bytes(ftyp())].into_iter().chain(mdat(MIB)).collect::<Vec<_>>()));
    assert!(no_index.contains("no index"), "{no_index}");
    let fragment_only = cut(Sparse::of(&fragment(Some(0), 100)));
    assert!(fragment_only.contains("segment"), "{fragment_only}");
    let last_fragment = file(fragmented_moov(&[]), fragments(3, 100, true));
    let last = cut(Sparse::new(last_fragment.len - 1, last_fragment.stretches.clone()));
    assert_eq!(last, "it ends 1 byte before the end of its media data");
}

#[test]
fn a_box_may_reach_to_the_end_and_stray_bytes_may_follow() {
    let open_mdat = Sparse::of(&[
        Part::Bytes(ftyp()),
        Part::Bytes(film(25)),
        Part::Bytes(b"\0\0\0\0mdat".to_vec()),
        Part::Zeros(999),
    ]);
    assert!(probe(&open_mdat).unwrap().fast_start);
    let stray = file(film(25), [Part::Bytes(b"\0\0\0\x05strays".to_vec())]);
    assert_eq!(probe(&stray).unwrap().video.len(), 1);
}

#[test]
fn every_way_to_the_last_fragment_leads_there() {
    let near = |source: &Sparse, seconds: f64, reads: usize| {
        let metadata = probe(source).unwrap();
        assert!(metadata.fragmented && metadata.fast_start, "{metadata:?}");
        assert!((metadata.duration_seconds - seconds).abs() < 1e-6, "{}", metadata.duration_seconds);
        assert!((metadata.video[0].frame_rate - 25.0).abs() < 1e-9, "{metadata:?}");
        assert!(
            source.reads() <= reads && source.bytes_read() <= MIB,
            "{} {}",
            source.reads(),
            source.bytes_read()
        );
    };
    // Few enough to walk.
    near(&file(fragmented_moov(&[]), fragments(20, 1000, true)), 20.0, 1);
    // The last one shows itself near the end.
    near(&file(fragmented_moov(&[]), fragments(3600, MIB / 4, true)), 3600.0, 6);
    // An index at the end names the last one.
    let mut parts = fragments(600, 3 * MIB, true);
    let moov = fragmented_moov(&[]);
    let last = ftyp().len() as u64 + moov.len() as u64 + len(&parts) - len(&fragment(Some(0), 3 * MIB));
    let tfra = full(
        *b"tfra",
        1,
        0,
        [words(&[1, 0, 1, 0, 599_000]), last.to_be_bytes().to_vec(), vec![1; 3]].concat(),
    );
    let mfra_size = u32::try_from(8 + tfra.len() + 16).unwrap();
    let mfro = full(*b"mfro", 0, 0, words(&[mfra_size]));
    parts.push(Part::Bytes(boxed(*b"mfra", [tfra, mfro].concat())));
    near(&file(moov, parts), 600.0, 5);
    // The movie box says it.
    let mehd = full(*b"mehd", 0, 0, words(&[600_000]));
    near(&file(fragmented_moov(&[mehd]), fragments(600, 3 * MIB, true)), 600.0, 6);
    // Nothing says it: the fragments are added up.
    near(&file(fragmented_moov(&[]), fragments(60, 3 * MIB, true)), 60.0, 70);
    near(&file(fragmented_moov(&[]), fragments(60, 3 * MIB, false)), 60.0, 70);
}

#[test]
fn segment_indexes_are_followed_one_after_the_other() {
    let mut parts = Vec::new();
    for segment in 0..3_u32 {
        let body: Vec<Part> = (0..50).flat_map(|index| fragment(Some(segment * 50 + index), MIB)).collect();
        let size = u32::try_from(len(&body)).unwrap();
        let sidx = words(&[1, 1000, segment * 50_000, 0, 1, size, 50_000, 0]);
        parts.push(Part::Bytes(full(*b"sidx", 0, 0, sidx)));
        parts.extend(body);
    }
    let source = file(fragmented_moov(&[]), parts);
    assert!((probe(&source).unwrap().duration_seconds - 150.0).abs() < 1e-6);
    assert!(source.reads() <= 6, "{}", source.reads());
}

#[test]
fn endless_fragments_without_any_index_meet_the_limit() {
    let source = file(fragmented_moov(&[]), fragments(2000, 3 * MIB, false));
    assert!(matches!(probe(&source), Err(ProbeError::LimitExceeded { .. })));
    assert!(source.reads() <= crate::MAX_READS as usize);
}

#[test]
fn the_movie_header_is_not_believed_where_fragments_follow() {
    let metadata = probe(&file(fragmented_moov(&[]), fragments(4, 1000, true))).unwrap();
    assert!((metadata.duration_seconds - 4.0).abs() < 1e-9);
    // An initialisation segment has no duration, and no fragments.
    let metadata = probe(&file(fragmented_moov(&[]), [])).unwrap();
    assert!(metadata.duration_seconds.abs() < 1e-9 && !metadata.fragmented && metadata.bit_rate == 0);
    assert!((metadata.video[0].frame_rate - 25.0).abs() < 1e-9);
}

#[test]
fn chapters_and_data_are_not_listed_and_tracks_are_bounded() {
    let chapters = boxed(*b"tref", boxed(*b"chap", words(&[2, 3])));
    let mut video = video_track(1, 25, 100);
    video.extend(chapters);
    let size = u32::try_from(video.len()).unwrap();
    video[..4].copy_from_slice(&size.to_be_bytes());
    let text = |id| track(id, *b"text", &boxed(*b"text", [0; 16]), 1000, &[]);
    let picture = track(3, *b"vide", &video_entry(), 1000, &[]);
    let time_code = track(4, *b"tmcd", &boxed(*b"tmcd", [0; 16]), 1000, &[]);
    let metadata = probe(&file(moov(&[video, text(2), picture, time_code, text(5)]), [])).unwrap();
    assert_eq!((metadata.video.len(), metadata.audio.len(), metadata.subtitles.len()), (1, 0, 1));
    assert_eq!(metadata.subtitles[0].language.as_deref(), Some("eng"));

    let many: Vec<_> = (1..=300).map(|id| video_track(id, 1, 100)).collect();
    assert_eq!(probe(&file(moov(&many), [])).unwrap().video.len(), crate::MAX_TRACKS);
    let none = probe(&file(moov(&[text(1)]), []));
    assert!(matches!(none, Err(ProbeError::NoMediaTracks)), "{none:?}");
}

#[test]
fn images_of_the_family_are_named() {
    let image = [boxed(*b"ftyp", b"heic\0\0\0\0mif1heic"), full(*b"meta", 0, 0, b"")].concat();
    let refused = probe(&Sparse::of(&[Part::Bytes(image)]));
    assert!(
        matches!(refused, Err(ProbeError::Unsupported { looks_like: Some("a HEIF or AVIF image") })),
        "{refused:?}"
    );
}

#[test]
fn hostile_sizes_and_nesting_end_quickly_on_a_small_stack() {
    let nested = |kind: &[u8; 4]| {
        let mut bytes = Vec::new();
        for level in (1..=20_000_u32).rev() {
            bytes.extend((level * 8).to_be_bytes());
            bytes.extend(kind);
        }
        bytes
    };
    let huge = long_header(*b"moov", 1 << 63);
    let looping = long_header(*b"free", u64::MAX);
    let zero_sized = [long_header(*b"moov", 16), long_header(*b"moov", 0)].concat();
    let many = boxed(*b"free", []).repeat(30_000);
    let files =
        [nested(b"moov"), nested(b"trak"), nested(b"meta"), nested(b"udta"), huge, looping, zero_sized, many];
    let walked = std::thread::Builder::new().stack_size(2 << 20).spawn(move || {
        for bytes in files {
            let source = file(bytes, [Part::Zeros(100)]);
            let refused = probe(&source).expect_err("none of these is a film").rejection();
            assert!(refused.is_some());
            assert!(source.reads() < 20, "{}", source.reads());
        }
    });
    walked.unwrap().join().unwrap();
}
