//! Whole files, built by hand: where parts lie, what is left out, and how few reads it takes.

#![allow(clippy::unwrap_used)]

use std::convert::Infallible;
use std::future::Future;
use std::ops::Range;
use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Waker};

use bytes::Bytes;

use super::cluster::CLUSTER;
use super::ebml::tests::{element, endless};
use super::*;
use crate::ByteSource;

const VOID: u32 = 0xec;
const KIB: usize = 1024;

struct Counting {
    bytes: Vec<u8>,
    reads: AtomicUsize,
}

impl ByteSource for Counting {
    type Error = Infallible;

    fn len(&self) -> u64 {
        self.bytes.len() as u64
    }

    async fn read_at(&self, range: Range<u64>) -> Result<Bytes, Infallible> {
        self.reads.fetch_add(1, Ordering::Relaxed);
        let bounds = usize::try_from(range.start).unwrap()..usize::try_from(range.end).unwrap();
        Ok(Bytes::copy_from_slice(&self.bytes[bounds]))
    }
}

/// Probes, and counts the reads.
fn probe(bytes: Vec<u8>) -> (Result<Metadata, ProbeError<Infallible>>, usize) {
    let source = Counting { bytes, reads: AtomicUsize::new(0) };
    let answer = match pin!(crate::probe(&source)).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(answer) => answer,
        Poll::Pending => unreachable!("memory does not wait"),
    };
    (answer, source.reads.load(Ordering::Relaxed))
}

fn unsigned(id: u32, value: u64) -> Vec<u8> {
    element(id, value.to_be_bytes())
}

fn file(segment: Vec<u8>) -> Vec<u8> {
    [element(ebml::EBML, element(ebml::DOC_TYPE, b"webm")), segment].concat()
}

fn info(duration: Option<f64>) -> Vec<u8> {
    let duration = duration.map(|duration| element(DURATION, duration.to_be_bytes())).unwrap_or_default();
    element(INFO, [unsigned(TIMESTAMP_SCALE, 1_000_000), duration, element(TITLE, b"T")].concat())
}

/// A VP8 track of 320×240 with number 1 and UID 7, and an Opus one.
fn tracks(extra: &[u8]) -> Vec<u8> {
    let size = [unsigned(0xb0, 320), unsigned(0xba, 240), extra.to_vec()].concat();
    let video = [
        unsigned(0xd7, 1),
        unsigned(0x73c5, 7),
        unsigned(0x83, 1),
        element(0x86, b"V_VP8"),
        element(0xe0, size),
    ];
    let audio = [unsigned(0xd7, 2), unsigned(0x83, 2), element(0x86, b"A_OPUS"), element(0x22_b59c, b"fre")];
    element(TRACKS, [element(0xae, video.concat()), element(0xae, audio.concat())].concat())
}

/// `count` frames of 40 ms from `first` on.
fn blocks(first: u64, count: u16) -> Vec<u8> {
    let mut body = unsigned(0xe7, first);
    for frame in 0..count {
        let [high, low] = (frame * 40).to_be_bytes();
        body.extend(element(0xa3, [0x81, high, low, 0x80, b'F']));
    }
    body
}

/// Padding of `bytes` in all.
fn void(bytes: usize) -> Vec<u8> {
    element(VOID, vec![0; bytes - 9])
}

#[test]
fn a_description_in_front_takes_one_read() {
    let segment =
        [info(Some(5000.0)), tracks(&[]), element(CLUSTER, blocks(0, 50)), void(900 * KIB)].concat();
    let (answer, reads) = probe(file(element(SEGMENT, segment)));
    let metadata = answer.unwrap();
    assert!((metadata.duration_seconds - 5.0).abs() < 1e-9);
    assert_eq!(metadata.tags.get("title").map(String::as_str), Some("T"));
    assert_eq!((metadata.video[0].width, metadata.video[0].height), (320, 240));
    assert!((metadata.video[0].frame_rate - 25.0).abs() < 1e-9, "from the first frames");
    assert_eq!(metadata.audio[0].language.as_deref(), Some("fre"));
    assert_eq!(reads, 1);
}

#[test]
fn a_rate_that_is_said_needs_no_frame() {
    let video = [
        unsigned(0xd7, 1),
        unsigned(0x83, 1),
        element(0x86, b"V_VP8"),
        element(0xe0, []),
        unsigned(0x23_e383, 20_000_000),
    ];
    // Attachments may lie in front of the first cluster.
    let segment = [
        info(Some(5000.0)),
        element(TRACKS, element(0xae, video.concat())),
        void(900 * KIB),
        element(CLUSTER, blocks(0, 50)),
    ];
    let (answer, reads) = probe(file(element(SEGMENT, segment.concat())));
    assert!((answer.unwrap().video[0].frame_rate - 50.0).abs() < 1e-9);
    assert_eq!(reads, 1);
}

#[test]
fn a_live_recording_ends_with_its_last_block() {
    let clusters = [endless(CLUSTER, blocks(0, 50)), endless(CLUSTER, blocks(2000, 20))].concat();
    let segment = [info(None), tracks(&[]), clusters].concat();
    let (answer, reads) = probe(file(endless(SEGMENT, segment)));
    let metadata = answer.unwrap();
    assert!((metadata.duration_seconds - 2.76).abs() < 1e-9, "{}", metadata.duration_seconds);
    assert_eq!(reads, 1);

    let far = [
        info(None),
        tracks(&[]),
        endless(CLUSTER, [blocks(0, 50), void(2000 * KIB)].concat()),
        endless(CLUSTER, [blocks(60_000, 20), void(300 * KIB)].concat()),
    ];
    let (answer, reads) = probe(file(endless(SEGMENT, far.concat())));
    assert!((answer.unwrap().duration_seconds - 60.76).abs() < 1e-9);
    assert_eq!(reads, 3);
}

#[test]
fn the_last_block_lasts_as_long_as_it_says_or_as_is_usual_in_its_track() {
    let film = |last: Vec<u8>| {
        let usual = |number: u64, nanoseconds: u64| {
            let entry = [
                unsigned(0xd7, number),
                unsigned(0x83, 1),
                element(0x86, b"V_VP8"),
                element(0xe0, []),
                unsigned(0x23_e383, nanoseconds),
            ];
            element(0xae, entry.concat())
        };
        // Of two tracks with one number the first counts.
        let tracks = element(TRACKS, [usual(1, 40_000_000), usual(1, 9_000_000_000)].concat());
        let clusters = [endless(CLUSTER, blocks(0, 50)), endless(CLUSTER, [blocks(2000, 20), last].concat())];
        endless(SEGMENT, [info(None), tracks, clusters.concat()].concat())
    };
    let duration = |last: Vec<u8>| probe(file(film(last))).0.unwrap().duration_seconds;
    assert!((duration(Vec::new()) - 2.8).abs() < 1e-9);
    let group = [element(0xa1, [0x81, 0x03, 0xe8, 0, b'F']), unsigned(0x9b, 500)].concat();
    assert!((duration(element(0xa0, group)) - 3.5).abs() < 1e-9);
}

#[test]
fn without_a_last_cluster_the_cues_tell() {
    let cues = |count: u64| {
        let points = (0..count).map(|point| element(CUE_POINT, unsigned(CUE_TIME, point * 1000)));
        element(CUES, points.collect::<Vec<_>>().concat())
    };
    let cluster = endless(CLUSTER, [blocks(0, 5), void(2000 * KIB)].concat());
    let parts = [info(None), tracks(&[]), cues(10), cluster].concat();
    let (answer, reads) = probe(file(endless(SEGMENT, parts)));
    assert!((answer.unwrap().duration_seconds - 9.0).abs() < 1e-9);
    assert!(reads <= 4, "{reads}");
}

#[test]
fn with_nothing_at_the_end_the_start_is_scaled() {
    // A second of 25 frames in every 100 kB or so.
    let second = |second: u64| {
        let padded = element(0xa3, [&[0x82, 0, 0, 0x80][..], &vec![0; 100_000]].concat());
        [blocks(second * 1000, 25), padded].concat()
    };
    let clusters = element(CLUSTER, (0..20).map(second).collect::<Vec<_>>().concat());
    let (answer, _) = probe(file(endless(SEGMENT, [info(None), tracks(&[]), clusters].concat())));
    let duration = answer.unwrap().duration_seconds;
    assert!((10.0..40.0).contains(&duration), "{duration}");
}

#[test]
fn the_seek_head_leads_to_what_lies_behind_the_clusters() {
    let entry = |id: u32, position: u64| {
        element(SEEK, [element(SEEK_ID, id.to_be_bytes()), unsigned(SEEK_POSITION, position)].concat())
    };
    let tags = {
        let simple = |name: &[u8], value: &[u8]| {
            element(0x67c8, [element(0x45a3, name), element(0x4487, value)].concat())
        };
        let of_track =
            [element(0x63c0, unsigned(0x63c5, 7)), simple(b"BPS", b"12345"), simple(b"TITLE", b"no")];
        let of_file = [simple(b"ARTIST", b"A"), simple(b"PART_NUMBER", b"3")];
        element(TAGS, [element(0x7373, of_track.concat()), element(0x7373, of_file.concat())].concat())
    };
    let attached = |kind: &[u8], data: usize| {
        element(ATTACHED_FILE, [element(0x4660, kind), element(0x465c, vec![1; data])].concat())
    };
    let attachments = element(ATTACHMENTS, [attached(b"font/ttf", 9), attached(b"image/png", 300)].concat());
    let tail = [info(Some(1000.0)), tracks(&[]), tags, attachments].concat();
    let positions = |from: u64| {
        let size = |part: &[u8]| part.len() as u64;
        let tracks_at = from + size(&info(Some(1000.0)));
        let tags_at = tracks_at + size(&tracks(&[]));
        [entry(INFO, from), entry(TRACKS, tracks_at), entry(TAGS, tags_at)].concat()
    };
    let head_bytes = element(SEEK_HEAD, positions(0)).len() as u64;
    let cluster = element(CLUSTER, [blocks(0, 20), void(800 * KIB)].concat());
    let head = element(SEEK_HEAD, positions(head_bytes + cluster.len() as u64));
    let (answer, reads) = probe(file(element(SEGMENT, [head, cluster, tail].concat())));
    let metadata = answer.unwrap();
    assert!((metadata.duration_seconds - 1.0).abs() < 1e-9);
    assert_eq!(metadata.video[0].bit_rate, Some(12_345));
    assert_eq!(metadata.tags.get("artist").map(String::as_str), Some("A"));
    assert_eq!(metadata.tags.get("track").map(String::as_str), Some("3"));
    assert_eq!(reads, 2);
}

#[test]
fn pictures_among_the_attachments_are_named() {
    let attached = |kind: &[u8], data: usize| {
        element(ATTACHED_FILE, [element(0x4660, kind), element(0x465c, vec![1; data])].concat())
    };
    let checksum = element(0xbf, [0; 4]);
    let attachments = [checksum, attached(b"font/ttf", 9000), attached(b"image/png", 300)].concat();
    let segment = [info(Some(1.0)), tracks(&[]), element(ATTACHMENTS, attachments)].concat();
    let metadata = probe(file(element(SEGMENT, segment))).0.unwrap();
    assert_eq!(metadata.cover_art, [CoverArt { content_type: "image/png".to_owned(), size_bytes: 300 }]);
}

#[test]
fn shape_colours_and_roll_are_in_the_track() {
    let colour = element(0x55b0, [unsigned(0x55ba, 16), unsigned(0x55bb, 9), unsigned(0x55b9, 1)].concat());
    let projection = element(0x7670, element(0x7675, (-90.0_f64).to_be_bytes()));
    let display = [unsigned(0x54b0, 16), unsigned(0x54ba, 9), unsigned(0x54b2, 3)].concat();
    let segment = [info(Some(1.0)), tracks(&[colour, projection, display].concat())].concat();
    let metadata = probe(file(element(SEGMENT, segment))).0.unwrap();
    let video = &metadata.video[0];
    assert_eq!((video.display_aspect_ratio.as_deref(), video.rotation), (Some("16:9"), 90));
    assert_eq!(video.hdr, Some(crate::Hdr::Hdr10));
    assert_eq!(video.color.as_ref().and_then(|color| color.range.as_deref()), Some("tv"));
}

#[test]
fn replication_that_nothing_tells_is_found_in_the_frames() {
    use crate::bits::tests::packed;
    let film = |sampling: &[u8], encodings: &[u8], frame: &str| {
        // Low complexity, 24 kHz, one channel.
        let config = element(0x63a2, packed("00010 0110 0001 000"));
        let audio = element(0xe1, [&element(0xb5, 24_000.0_f64.to_be_bytes()), sampling].concat());
        let entry = [
            unsigned(0xd7, 1),
            unsigned(0x83, 2),
            element(0x86, b"A_AAC"),
            config,
            audio,
            encodings.to_vec(),
        ];
        let block = element(0xa3, [&[0x81, 0, 0, 0x80][..], &packed(frame)].concat());
        let cluster = element(CLUSTER, [unsigned(0xe7, 0), block.repeat(8)].concat());
        let segment = [info(Some(1000.0)), element(TRACKS, element(0xae, entry.concat())), cluster].concat();
        let metadata = probe(file(element(SEGMENT, segment))).0.unwrap();
        let track = metadata.audio[0].clone();
        (track.profile.unwrap_or_default(), track.sample_rate, track.channels)
    };
    let (core, sbr) = ("000 0000 1 01100110 01010101 0011", "110 0010 1101 0000 11110000");
    let with = format!("{core} {sbr} 111");
    assert_eq!(film(&[], &[], &with), ("HE-AACv2".to_owned(), 48_000, 2));
    assert_eq!(film(&[], &[], &format!("{core} 111")), ("LC".to_owned(), 24_000, 1));
    // The container tells, or the frames are not to be seen.
    let heard = element(0x78b5, 48_000.0_f64.to_be_bytes());
    assert_eq!(film(&heard, &[], &with), ("HE-AAC".to_owned(), 48_000, 1));
    assert_eq!(film(&[], &element(0x6d80, [0]), &with), ("LC".to_owned(), 24_000, 1));
}

#[test]
fn dates_count_from_2001() {
    assert_eq!(created_at(&0_i64.to_be_bytes()).as_deref(), Some("2001-01-01T00:00:00Z"));
    assert_eq!(created_at(&(-1_i64).to_be_bytes()).as_deref(), Some("2000-12-31T23:59:59Z"));
    assert_eq!(created_at(&[0; 7]), None);
    assert!(created_at(&i64::MAX.to_be_bytes()).is_some());
}

#[test]
fn what_describes_nothing_is_refused() {
    let malformed = |bytes: Vec<u8>| matches!(probe(bytes).0, Err(ProbeError::Malformed { .. }));
    assert!(malformed(file(Vec::new())));
    assert!(malformed(file(element(SEGMENT, info(Some(1.0))))));
    assert!(malformed(file(endless(SEGMENT, element(CLUSTER, blocks(0, 9))))));
    let other = element(ebml::EBML, element(ebml::DOC_TYPE, b"other"));
    assert!(matches!(probe(other).0, Err(ProbeError::Unsupported { .. })));
}

#[test]
fn hostile_segments_end() {
    let loops = [
        // Seek heads that lead to themselves, out of the file, and nowhere.
        element(
            SEEK_HEAD,
            element(SEEK, [element(SEEK_ID, TRACKS.to_be_bytes()), unsigned(SEEK_POSITION, 0)].concat()),
        ),
        element(
            SEEK_HEAD,
            element(
                SEEK,
                [element(SEEK_ID, TRACKS.to_be_bytes()), unsigned(SEEK_POSITION, u64::MAX)].concat(),
            ),
        ),
        element(VOID, []).repeat(5000),
        vec![VOID.to_be_bytes()[3]; 5000],
        [&TRACKS.to_be_bytes()[..], &[0x01, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xfe]].concat(),
        endless(TRACKS, endless(0xae, endless(0xae, []))),
    ];
    for segment in loops {
        let (answer, reads) = probe(file(endless(SEGMENT, segment)));
        assert!(answer.is_err());
        assert!(reads <= 4, "{reads}");
    }
}
