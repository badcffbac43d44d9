//! Whole files, built by hand.

#![allow(clippy::unwrap_used)]

use std::io;

use super::attributes::tests::{extended, utf_16};
use super::stream::tests::{audio, video};
use super::*;
use crate::MemorySource;

const HEADER: &Guid = b"\x30\x26\xb2\x75\x8e\x66\xcf\x11\xa6\xd9\x00\xaa\x00\x62\xce\x6c";
const PACKET_BYTES: usize = 64;

fn object(kind: &Guid, body: &[u8]) -> Vec<u8> {
    let size = body.len() as u64 + OBJECT_HEADER_BYTES;
    [&kind[..], &size.to_le_bytes(), body].concat()
}

fn file_properties(file_bytes: u64, play_time: u64, flags: u32) -> Vec<u8> {
    let mut body = vec![0; 16];
    for number in [file_bytes, 0, 0, play_time, 0, 3000] {
        body.extend(number.to_le_bytes());
    }
    body.extend([flags, 64, 64, 0].map(u32::to_le_bytes).concat());
    object(FILE_PROPERTIES, &body)
}

fn wma(number: u8) -> Vec<u8> {
    object(STREAM_PROPERTIES, &audio(number, b"\x61\x01\x02\0\x44\xac\0\0\x80\x3e\0\0\xba\x02\x10\0\0\0"))
}

fn wmv(number: u8) -> Vec<u8> {
    let bitmap = [&[40, 320, 240].map(u32::to_le_bytes).concat()[..], b"\x01\0\x18\0WMV3", &[0; 20]].concat();
    object(STREAM_PROPERTIES, &video(number, &bitmap))
}

fn extension(objects: &[Vec<u8>]) -> Vec<u8> {
    object(HEADER_EXTENSION, &[&[0; 22][..], &objects.concat()].concat())
}

/// A packet of one payload: the start of a media object of stream `number` at `time`.
fn packet(number: u8, time: u32) -> Vec<u8> {
    let mut bytes = vec![0, 0, 0, 0, 0, 0, 0, 0];
    bytes[1] = 0x5d;
    bytes.extend([number, 7, 0, 0, 0, 0, 8, 9, 0, 0, 0]);
    bytes.extend(time.to_le_bytes());
    bytes.resize(PACKET_BYTES, 1);
    bytes
}

fn file(objects: &[Vec<u8>], packets: &[Vec<u8>]) -> Vec<u8> {
    let data = object(DATA, &[&[0; 26][..], &packets.concat()].concat());
    let header = object(HEADER, &[&[0; 6][..], &objects.concat()].concat());
    [header, data].concat()
}

async fn read(bytes: Vec<u8>) -> Result<Metadata, ProbeError<io::Error>> {
    crate::probe(&MemorySource::new(bytes)).await
}

#[track_caller]
fn check_duration(metadata: &Metadata, seconds: f64) {
    assert!((metadata.duration_seconds - seconds).abs() < 1e-6, "{} {seconds}", metadata.duration_seconds);
}

#[tokio::test]
async fn objects_of_the_header_tell_the_tracks() {
    let year = utf_16("2001");
    let objects = [
        file_properties(0, 50_000_000, 2),
        wma(1),
        wmv(2),
        object(EXTENDED_CONTENT, &extended(&[("WM/Year", 0, &year)])),
    ];
    let packets = [packet(1, 3000), packet(2, 3046), packet(2, 3086), packet(2, 3126), packet(2, 3166)];
    let metadata = read(file(&objects, &packets)).await.unwrap();
    let (video, audio) = (&metadata.video[0], &metadata.audio[0]);
    assert_eq!((&*metadata.container, &*video.codec, &*audio.codec), ("asf", "wmv3", "wmav2"));
    assert_eq!((video.width, video.height, video.display_aspect_ratio.as_deref()), (320, 240, Some("4:3")));
    assert!((video.frame_rate - 25.0).abs() < 1e-9);
    assert_eq!((audio.channels, audio.sample_rate, audio.bit_rate), (2, 44_100, Some(128_000)));
    assert_eq!(metadata.tags["date"], "2001");
    // Without the preroll, but with what video starts later than sound.
    check_duration(&metadata, 2.046);
}

#[tokio::test]
async fn a_stream_may_be_described_inside_its_extension() {
    let mut extended = vec![0; 48];
    extended.extend([2, 0, 1, 0]);
    extended.extend(333_667_u64.to_le_bytes());
    extended.extend([0; 4]);
    extended.extend(wmv(2));
    let mut sound = vec![0; 48];
    sound.extend([1, 0, 1, 0]);
    sound.extend([0; 12]);
    let objects = [
        file_properties(0, 50_000_000, 2),
        wma(1),
        extension(&[
            object(LANGUAGE_LIST, b"\x02\0\x06e\0n\0\0\0\x0cd\0e\0-\0D\0E\0\0\0"),
            object(EXTENDED_STREAM_PROPERTIES, &extended),
            object(EXTENDED_STREAM_PROPERTIES, &sound),
        ]),
    ];
    let metadata = read(file(&objects, &[])).await.unwrap();
    assert_eq!(metadata.video.len(), 1);
    assert!((metadata.video[0].frame_rate - 29.97).abs() < 1e-9);
    assert_eq!(metadata.audio[0].language.as_deref(), Some("ger"));
}

#[tokio::test]
async fn a_duration_that_cannot_be_trusted_is_estimated() {
    let packets = vec![packet(1, 3000); 250];
    let data_bytes = (250 * PACKET_BYTES) as u64;
    // Broadcast, or cut: 16 000 bytes at 16 000 bytes a second.
    for (file_bytes, flags) in [(0, 1), (100_000, 2)] {
        let objects = [file_properties(file_bytes, 900_000_000, flags), wma(1)];
        let metadata = read(file(&objects, &packets)).await.unwrap();
        check_duration(&metadata, crate::metadata::float(data_bytes) / 16_000.0);
    }
    let cut = read(file(&[file_properties(100_000, 130_000_000, 2), wmv(1)], &packets)).await.unwrap();
    check_duration(&cut, 10.0 * crate::metadata::float(cut.size_bytes) / 100_000.0);
    let live = read(file(&[file_properties(0, 0, 1), wmv(1)], &packets)).await.unwrap();
    check_duration(&live, 0.0);
}

#[tokio::test]
async fn odd_times_are_left_out() {
    let mut properties = file_properties(0, 50_000_000, 2);
    // The upper half of the preroll.
    properties[84] = 1;
    let packets = [packet(1, 3000), packet(2, 300_000)];
    check_duration(&read(file(&[properties, wma(1), wmv(2)], &packets)).await.unwrap(), 2.0);
}

#[tokio::test]
async fn without_a_stream_it_is_malformed() {
    let error = read(file(&[file_properties(0, 1, 2)], &[])).await.unwrap_err();
    assert!(error.to_string().contains("no stream"), "{error}");
}

#[tokio::test]
async fn a_broken_file_is_refused_or_read() {
    let objects = [file_properties(0, u64::MAX, 2), wma(1), wmv(2)];
    let whole = file(&objects, &[packet(1, 0), packet(2, u32::MAX)]);
    for end in 16..whole.len() {
        let _ = read(whole[..end].to_vec()).await;
        for byte in [0, 0xff] {
            let mut broken = whole.clone();
            broken[end] = byte;
            let _ = read(broken).await;
        }
    }
    // Extensions that hold nothing but an extension.
    let nested = object(HEADER_EXTENSION, &[0; 22]).repeat(20_000);
    assert!(read(file(&[nested], &[])).await.is_err());
}

#[test]
fn creation_times_count_from_1601() {
    let at = |creation_time| FileProperties { creation_time, ..FileProperties::default() }.created_at();
    assert_eq!(at(116_444_736_000_000_000), None);
    assert_eq!(at(116_444_736_010_000_000).as_deref(), Some("1970-01-01T00:00:01Z"));
    assert_eq!((at(0), at(u64::MAX)), (None, None));
}
