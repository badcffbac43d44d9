//! Whole streams, built by hand.

#![allow(clippy::unwrap_used)]

use crate::source::MemorySource;
use crate::{Metadata, probe};

const FRAME_BYTES: usize = 417;

fn frames(count: usize) -> Vec<u8> {
    let mut frame = vec![0xff, 0xfb, 0x90, 0x64];
    frame.resize(FRAME_BYTES, 0);
    frame.repeat(count)
}

fn with_table(table: &[u8], frames_behind: usize) -> Vec<u8> {
    let mut bytes = frames(frames_behind + 1);
    bytes[36..36 + table.len()].copy_from_slice(table);
    bytes
}

async fn read(bytes: Vec<u8>) -> Metadata {
    probe(&MemorySource::new(bytes)).await.unwrap()
}

fn seconds(frames: u32) -> f64 {
    f64::from(frames) * 1152.0 / 44_100.0
}

#[track_caller]
fn assert_close(found: f64, wanted: f64) {
    assert!((found - wanted).abs() < 1e-3, "{found} instead of {wanted}");
}

#[tokio::test]
async fn frames_are_counted_without_a_table() {
    let metadata = read(frames(40)).await;
    assert_eq!((metadata.container.as_str(), metadata.audio[0].codec.as_str()), ("mp3", "mp3"));
    assert_eq!((metadata.audio[0].channels, metadata.audio[0].sample_rate), (2, 44_100));
    assert_close(metadata.duration_seconds, seconds(40));
    // A long one by its bit rate.
    assert_close(read(frames(3000)).await.duration_seconds, 3000.0 * 417.0 * 8.0 / 128_000.0);
}

#[tokio::test]
async fn a_table_is_believed_unless_the_file_is_longer() {
    let table = b"Xing\0\0\0\x03\0\0\x03\xe8\0\0\x90\0";
    assert_close(read(with_table(table, 80)).await.duration_seconds, seconds(1000));
    assert_close(read(with_table(table, 200)).await.duration_seconds, seconds(200));
}

#[tokio::test]
async fn tags_surround_frames() {
    let mut tag = vec![0; 128];
    tag[..8].copy_from_slice(b"TAGTitle");
    let metadata = read([frames(40), tag.clone()].concat()).await;
    assert_close(metadata.duration_seconds, seconds(40));
    assert_eq!(metadata.tags["title"], "Title");
    let front = b"ID3\x03\0\0\0\0\0\x10TIT2\0\0\0\x06\0\0\0Front".to_vec();
    let metadata = read([front, frames(40), tag].concat()).await;
    assert_close(metadata.duration_seconds, seconds(40));
    assert_eq!(metadata.tags["title"], "Front");
}

#[tokio::test]
async fn junk_in_front_is_skipped() {
    let junk = [&[0; 5000][..], b"\xff\xfb\x90\x64", &[7; 100]].concat();
    assert_close(read([junk, frames(40)].concat()).await.duration_seconds, seconds(40));
}

#[tokio::test]
async fn a_file_that_is_cut_behind_its_table_is_refused() {
    let mut bytes = with_table(b"Xing\0\0\0\x03\0\0\x03\xe8\0\0\x90\0", 1);
    assert!(probe(&MemorySource::new(bytes.clone())).await.is_err());
    bytes.extend(frames(1));
    assert!(probe(&MemorySource::new(bytes)).await.is_ok());
}

#[tokio::test]
async fn a_look_alike_is_refused() {
    let lonely = [b"\xff\xfb\x90\x64".to_vec(), vec![7; 5000]].concat();
    assert!(probe(&MemorySource::new(lonely)).await.is_err());
    let mut noise = Vec::new();
    let mut state = 1_u32;
    for _ in 0..100_000 {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        noise.push(state.to_be_bytes()[0]);
    }
    assert!(probe(&MemorySource::new(noise)).await.is_err());
}
