//! Whole streams, built by hand.

#![allow(clippy::unwrap_used)]

use super::frame::tests::frame;
use crate::tags::vorbis_comment::tests::comments;
use crate::{MemorySource, Metadata, ProbeError};

#[tokio::main(flavor = "current_thread")]
async fn probe(bytes: Vec<u8>) -> Result<Metadata, ProbeError<std::io::Error>> {
    crate::probe(&MemorySource::new(bytes)).await
}

fn block(kind: u8, body: &[u8]) -> Vec<u8> {
    let size = u32::try_from(body.len()).unwrap() | u32::from(kind) << 24;
    [&size.to_be_bytes()[..], body].concat()
}

fn stream_info(samples: u64) -> Vec<u8> {
    let mut body = vec![0x10, 0, 0x10, 0, 0, 0, 0, 0, 0, 0];
    body.extend((44_100_u64 << 44 | 1 << 41 | 15 << 36 | samples).to_be_bytes());
    body.extend([0; 16]);
    body
}

#[test]
fn blocks_tell_everything() {
    let picture =
        [&[0, 0, 0, 3, 0, 0, 0, 9][..], b"image/png", &[0; 20], &[0, 0, 0x10, 0], &[1; 4096]].concat();
    let tags = comments("v", &["TITLE=T", "CREATION_TIME=2024-05-06T07:08:09Z"]);
    let bytes =
        [b"fLaC".to_vec(), block(0, &stream_info(88_200)), block(6, &picture), block(0x84, &tags)].concat();
    let metadata = probe(bytes).unwrap();
    assert_eq!((metadata.audio[0].channels, metadata.audio[0].sample_rate), (2, 44_100));
    assert!((metadata.duration_seconds - 2.0).abs() < 1e-9);
    assert_eq!(metadata.tags.get("title").map(String::as_str), Some("T"));
    assert_eq!(metadata.created_at.as_deref(), Some("2024-05-06T07:08:09Z"));
    assert_eq!((metadata.cover_art.len(), metadata.cover_art[0].size_bytes), (1, 4096));
}

#[test]
fn the_last_frame_tells_what_the_writer_did_not_know() {
    let frames = [frame(false, 0xc9, 1, &[0]), vec![3; 40], frame(false, 0xc9, 1, &[1])].concat();
    let metadata = probe([b"fLaC".to_vec(), block(0x80, &stream_info(0)), frames].concat()).unwrap();
    assert!((metadata.duration_seconds - 2.0 * 4096.0 / 44_100.0).abs() < 1e-6);
    // What looks like a frame in a block of another kind is none.
    let blocks = [block(0, &stream_info(0)), block(0x82, &frame(false, 0xc9, 1, &[9]))].concat();
    let metadata = probe([b"fLaC".to_vec(), blocks].concat()).unwrap();
    assert!(metadata.duration_seconds.abs() < f64::EPSILON);
}

#[test]
fn a_stream_without_description_is_refused() {
    for bytes in [b"fLaC".to_vec(), [b"fLaC".to_vec(), vec![0x84, 0xff, 0xff, 0xff]].concat()] {
        assert!(matches!(probe(bytes), Err(ProbeError::Malformed { .. })));
    }
    let endless = [b"fLaC".to_vec(), [1, 0, 0, 0].repeat(10_000)].concat();
    assert!(matches!(probe(endless), Err(ProbeError::Malformed { .. })));
}
