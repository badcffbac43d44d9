//! Whole files, built by hand.

#![allow(clippy::unwrap_used)]

use super::amf::tests::{metadata, number, text};
use super::last_tag;
use super::tag::{AUDIO, SCRIPT, VIDEO};
use crate::{MemorySource, Metadata, ProbeError};

#[tokio::main(flavor = "current_thread")]
async fn probe(bytes: Vec<u8>) -> Result<Metadata, ProbeError<std::io::Error>> {
    crate::probe(&MemorySource::new(bytes)).await
}

fn tag(kind: u8, milliseconds: u32, body: &[u8]) -> Vec<u8> {
    let size = u32::try_from(body.len()).unwrap();
    let mut bytes = (size | u32::from(kind) << 24).to_be_bytes().to_vec();
    bytes.extend(&milliseconds.to_be_bytes()[1..]);
    bytes.extend([milliseconds.to_be_bytes()[0], 0, 0, 0]);
    bytes.extend(body);
    bytes.extend((size + 11).to_be_bytes());
    bytes
}

/// 25 frames a second of screen video, 64×48, and ADPCM.
fn film(properties: &[Vec<u8>], frames: u32) -> Vec<u8> {
    let mut bytes = b"FLV\x01\x05\0\0\0\x09\0\0\0\0".to_vec();
    bytes.extend(tag(SCRIPT, 0, &metadata(properties)));
    for frame in 0..frames {
        bytes.extend(tag(VIDEO, frame * 40, &[0x13, 0x30, 64, 0x30, 48]));
        bytes.extend(tag(AUDIO, frame * 40, &[0x1e, 1, 2, 3]));
    }
    bytes
}

#[test]
fn metadata_says_duration_and_rate() {
    let title = [&text("Title")[..], &[2], &text("T")].concat();
    let metadata = probe(film(&[number("duration", 2.5), number("framerate", 29.97), title], 10)).unwrap();
    assert!((metadata.duration_seconds - 2.5).abs() < 1e-9);
    assert!((metadata.video[0].frame_rate - 29.97).abs() < 1e-9);
    assert_eq!((metadata.video[0].width, metadata.video[0].height), (64, 48));
    assert_eq!((metadata.audio[0].codec.as_str(), metadata.audio[0].sample_rate), ("adpcm_swf", 44_100));
    assert_eq!(metadata.tags.get("title").map(String::as_str), Some("T"));
}

#[test]
fn absurd_numbers_are_none() {
    let metadata = probe(film(&[number("duration", f64::MAX), number("framerate", f64::MAX)], 10)).unwrap();
    assert!(
        metadata.duration_seconds.abs() < f64::EPSILON && metadata.video[0].frame_rate.abs() < f64::EPSILON
    );
    let metadata = probe(film(&[number("duration", f64::NAN), number("framerate", -1.0)], 51)).unwrap();
    assert!((metadata.duration_seconds - 2.0).abs() < 1e-9);
    assert!((metadata.video[0].frame_rate - 25.0).abs() < 1e-9);
}

#[test]
fn tags_say_what_metadata_does_not() {
    let metadata = probe(film(&[], 51)).unwrap();
    assert!((metadata.duration_seconds - 2.0).abs() < 1e-9, "{}", metadata.duration_seconds);
    assert!((metadata.video[0].frame_rate - 25.0).abs() < 1e-9);
    // A header that says it has no bytes has as many as all.
    let mut bytes = film(&[], 51);
    bytes[8] = 0;
    assert_eq!(probe(bytes).unwrap(), metadata);
}

#[test]
fn the_last_whole_tag_of_a_cut_file_counts() {
    let whole = film(&[], 51);
    for cut in 1..16 {
        let metadata = probe(whole[..whole.len() - cut].to_vec()).unwrap();
        assert!((metadata.duration_seconds - 2.0).abs() < 1e-9, "{cut}: {}", metadata.duration_seconds);
    }
}

#[test]
fn a_tag_is_believed_by_the_size_behind_it() {
    let mut look_alike = tag(VIDEO, 9000, b"frame");
    *look_alike.last_mut().unwrap() += 1;
    let bytes = [tag(AUDIO, 1000, b"frame"), tag(VIDEO, 2000, b"frame"), look_alike].concat();
    assert_eq!(last_tag(&bytes).map(|tag| tag.milliseconds), Some(2000));
}

#[test]
fn tracks_are_those_that_have_tags() {
    let mut bytes = b"FLV\x01\x05\0\0\0\x09\0\0\0\0".to_vec();
    bytes.extend(tag(AUDIO, 0, &[0x1e, 1]));
    let metadata = probe(bytes.clone()).unwrap();
    assert_eq!((metadata.video.len(), metadata.audio.len()), (0, 1));
    assert!(matches!(probe(bytes[..13].to_vec()), Err(ProbeError::NoMediaTracks)));
    let encrypted = [&bytes[..13], &tag(AUDIO | 0x20, 0, &[0x1e, 1])].concat();
    assert!(matches!(probe(encrypted), Err(ProbeError::NoMediaTracks)));
}
