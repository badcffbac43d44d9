//! Whole files, built by hand.

#![allow(clippy::unwrap_used)]

use super::page::tests::page;
use crate::tags::vorbis_comment::tests::comments;
use crate::{MemorySource, Metadata, ProbeError};

const FIRST: u8 = 2;
const LAST: u8 = 4;

#[tokio::main(flavor = "current_thread")]
async fn probe(bytes: Vec<u8>) -> Result<Metadata, ProbeError<std::io::Error>> {
    crate::probe(&MemorySource::new(bytes)).await
}

fn opus(serial: u32, first_granule: u64, last_granule: u64) -> Vec<u8> {
    let tags = [b"OpusTags".to_vec(), comments("v", &["TITLE=T"])].concat();
    [
        page(FIRST, 0, serial, &[b"OpusHead\x01\x02\x38\x01\0\0\0\0\0\0\0"]),
        page(0, 0, serial, &[&tags]),
        // Two packets of 20 ms.
        page(0, first_granule, serial, &[&[0xfc, 1], &[0xfc, 2]]),
        page(LAST, last_granule, serial, &[&[0xfc, 3]]),
    ]
    .concat()
}

#[track_caller]
fn check_duration(bytes: Vec<u8>, seconds: f64) {
    let duration = probe(bytes).unwrap().duration_seconds;
    assert!((duration - seconds).abs() < 1e-6, "{duration}");
}

#[test]
fn the_last_page_tells_the_end_and_the_first_the_start() {
    let metadata = probe(opus(1, 1920, 48_312)).unwrap();
    assert_eq!((metadata.audio[0].codec.as_str(), metadata.audio[0].channels), ("opus", 2));
    assert_eq!(metadata.tags.get("title").map(String::as_str), Some("T"));
    check_duration(opus(1, 1920, 48_312), 1.0065);
    check_duration(opus(1, 481_920, 528_000), 11.0);
    let speex = |first: u64| {
        let mut header = [b"Speex   ".to_vec(), vec![0; 72]].concat();
        for (at, value) in [(36, 16_000_u32), (48, 1), (56, 320), (64, 1)] {
            header[at..at + 4].copy_from_slice(&value.to_le_bytes());
        }
        [
            page(FIRST, 0, 1, &[&header]),
            page(0, 0, 1, &[&comments("v", &[])]),
            page(0, first, 1, &[b"a", b"b"]),
            page(LAST, first + 16_000 - 640, 1, &[b"c"]),
        ]
        .concat()
    };
    check_duration(speex(640), 1.0);
    check_duration(speex(500), 1.0);
    check_duration(speex(64_000), 1.0);
}

#[test]
fn a_page_that_is_first_and_last_may_end_within_a_packet() {
    let bytes = [
        page(FIRST, 0, 1, &[b"OpusHead\x01\x02\x38\x01\0\0\0\0\0\0\0"]),
        page(0, 0, 1, &[b"OpusTags"]),
        page(LAST, 600, 1, &[&[0xfc, 1]]),
    ];
    check_duration(bytes.concat(), 0.0125);
    let mut header = b"\x80theora\x03\x02\x01\0\x02\0\x02\0\0\x20\0\0\x20\0\0".to_vec();
    header.extend([0, 0, 0, 25, 0, 0, 0, 1, 0, 0, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0xc0]);
    let bytes = [page(FIRST, 0, 1, &[&header]), page(LAST, 1 << 6, 1, &[b"a", b"b"])];
    check_duration(bytes.concat(), 0.04);
}

#[test]
fn what_follows_the_end_does_not_count() {
    let mut bytes = opus(1, 1920, 48_000);
    let mut broken = page(0, 960_000, 1, &[b"x"]);
    *broken.last_mut().unwrap() ^= 1;
    bytes.extend(broken);
    bytes.extend(page(0, 960_000, 77, &[b"x"]));
    bytes.extend(b"OggS and more");
    check_duration(bytes, 1.0);
}

#[test]
fn the_next_link_of_a_chain_ends_it() {
    check_duration([opus(1, 1920, 48_000), opus(2, 1920, 96_000)].concat(), 2.0);
    let vorbis = page(FIRST, 0, 2, &[b"\x01vorbis\0\0\0\0\x01\x44\xac\0\0"]);
    check_duration([opus(1, 1920, 48_000), vorbis, page(LAST, 96_000, 2, &[b"\0"])].concat(), 1.0);
}

#[test]
fn a_skeleton_is_no_track() {
    let skeleton = page(FIRST, 0, 9, &[b"fishead\0"]);
    let metadata = probe([skeleton, opus(1, 1920, 48_000)].concat()).unwrap();
    assert_eq!((metadata.audio.len(), metadata.video.len()), (1, 0));
}

#[test]
fn no_whole_page_is_no_file() {
    assert!(matches!(probe(b"OggS".to_vec()), Err(ProbeError::Malformed { .. })));
    assert!(matches!(probe(b"OggS\0".repeat(3000)), Err(ProbeError::NoMediaTracks)));
    assert!(matches!(probe(page(FIRST, 0, 1, &[b"fishead\0"])), Err(ProbeError::NoMediaTracks)));
}
