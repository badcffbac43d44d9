//! Whole streams, built by hand.

#![allow(clippy::unwrap_used)]

use crate::metadata::Metadata;
use crate::source::MemorySource;
use crate::{ProbeError, probe};

const PMT_PID: u16 = 0x1000;
const VIDEO_PID: u16 = 0x100;
const AUDIO_PID: u16 = 0x101;

/// A packet of 188 bytes, filled up by an adaptation field.
fn packet(pid: u16, is_start: bool, payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0x47];
    bytes.extend((pid | if is_start { 0x4000 } else { 0 }).to_be_bytes());
    let stuffing = 184 - payload.len();
    if stuffing == 0 {
        bytes.push(0x10);
    } else {
        bytes.extend([0x30, u8::try_from(stuffing - 1).unwrap()]);
        if stuffing > 1 {
            bytes.push(0);
        }
        bytes.resize(188 - payload.len(), 0xff);
    }
    bytes.extend(payload);
    bytes
}

/// A packet with one whole section.
fn section(pid: u16, table: u8, number: u16, body: &[u8]) -> Vec<u8> {
    let length = u16::try_from(body.len() + 9).unwrap() | 0xb000;
    let section =
        [&[0, table][..], &length.to_be_bytes(), &number.to_be_bytes(), &[0xc1, 0, 0], body, &[0; 4]]
            .concat();
    packet(pid, true, &section)
}

fn time_stamp(mark: u8, stamp: u64) -> [u8; 5] {
    let part = |shift: u32, mask: u64| u8::try_from(stamp >> shift & mask).unwrap();
    [
        mark << 4 | part(30, 7) << 1 | 1,
        part(22, 255),
        part(15, 127) << 1 | 1,
        part(7, 255),
        part(0, 127) << 1 | 1,
    ]
}

/// A PES packet in packets.
fn pes(pid: u16, stream_id: u8, stamp: u64, data: &[u8]) -> Vec<u8> {
    let header = [&[0, 0, 1, stream_id, 0, 0, 0x80, 0x80, 5][..], &time_stamp(2, stamp % (1 << 33))].concat();
    let bytes = [header, data.to_vec()].concat();
    bytes.chunks(184).enumerate().flat_map(|(index, payload)| packet(pid, index == 0, payload)).collect()
}

/// MPEG-2 video of 720×576 at 25 frames per second.
const SEQUENCE: &[u8] =
    b"\0\0\x01\xb3\x2d\x02\x40\x33\x24\x9f\x23\x81\0\0\x01\xb5\x14\x82\x00\x01\x00\x00\0\0\x01\xb8";

fn audio_frame() -> Vec<u8> {
    let mut frame = vec![0xff, 0xfd, 0xa4, 0x04];
    frame.resize(576, 0);
    frame.repeat(2)
}

fn tables() -> Vec<u8> {
    let map = [
        &[0xe1, 0x00, 0xf0, 0x00][..],
        &[0x02, 0xe1, 0x00, 0xf0, 0x00],
        &[0x03, 0xe1, 0x01, 0xf0, 0x06, 0x0a, 0x04, b'd', b'e', b'u', 0],
        &[0x06, 0xe1, 0x02, 0xf0, 0x0a, 0x59, 0x08, b'f', b'r', b'a', 0x10, 0, 1, 0, 1],
    ]
    .concat();
    [section(0, 0, 1, &[0, 1, 0xf0, 0x00]), section(PMT_PID, 2, 1, &map)].concat()
}

/// Twenty-five frames a second of either kind, from `start` in ticks.
fn frames(start: u64, count: u64) -> Vec<u8> {
    let one = |index: u64| {
        let stamp = start + index * 3600;
        [pes(VIDEO_PID, 0xe0, stamp, SEQUENCE), pes(AUDIO_PID, 0xc0, stamp, &audio_frame())].concat()
    };
    (0..count).flat_map(one).collect()
}

async fn read(bytes: Vec<u8>) -> Metadata {
    probe(&MemorySource::new(bytes)).await.unwrap()
}

#[track_caller]
fn assert_seconds(metadata: &Metadata, wanted: f64) {
    assert!((metadata.duration_seconds - wanted).abs() < 1e-3, "{}", metadata.duration_seconds);
}

#[tokio::test]
async fn tables_and_streams_tell_what_there_is() {
    let metadata = read([tables(), frames(90_000, 50)].concat()).await;
    assert_eq!(metadata.container, "mpegts");
    assert_seconds(&metadata, 2.0);
    let video = &metadata.video[0];
    assert_eq!((video.codec.as_str(), video.width, video.height), ("mpeg2video", 720, 576));
    assert!((video.frame_rate - 25.0).abs() < 1e-9);
    let audio = &metadata.audio[0];
    assert_eq!((audio.codec.as_str(), audio.channels, audio.sample_rate), ("mp2", 2, 48_000));
    assert_eq!(audio.language.as_deref(), Some("deu"));
    assert_eq!(metadata.subtitles[0].codec, "dvb_subtitle");
    assert_eq!(metadata.subtitles[0].language.as_deref(), Some("fra"));
}

#[tokio::test]
async fn the_clock_may_turn_over() {
    let metadata = read([tables(), frames((1 << 33) - 45_000, 50)].concat()).await;
    assert_seconds(&metadata, 2.0);
}

#[tokio::test]
async fn a_long_file_is_read_at_both_ends() {
    let whole = [tables(), frames(0, 2000)].concat();
    assert!(whole.len() > 2_000_000);
    assert_seconds(&read(whole).await, 80.0);
}

#[tokio::test]
async fn a_stream_that_begins_late_is_described_by_its_end() {
    let video = |from: u64, count: u64| -> Vec<u8> {
        (from..from + count)
            .flat_map(|index| pes(VIDEO_PID, 0xe0, index * 3600, &SEQUENCE.repeat(60)))
            .collect()
    };
    let metadata = read([tables(), video(0, 250), frames(250 * 3600, 10)].concat()).await;
    assert_eq!((metadata.audio[0].codec.as_str(), metadata.audio[0].sample_rate), ("mp2", 48_000));
    assert_seconds(&metadata, 260.0 / 25.0);
}

#[tokio::test]
async fn tables_that_come_late_are_looked_for() {
    let metadata = read([frames(0, 60), tables(), frames(60 * 3600, 240)].concat()).await;
    assert_eq!((metadata.video.len(), metadata.audio.len(), metadata.subtitles.len()), (1, 1, 1));
    assert_eq!(metadata.audio[0].language.as_deref(), Some("deu"));

    // A second programme, whose map is not beside the first one.
    let programmes = section(0, 0, 1, &[0, 1, 0xf0, 0x00, 0, 2, 0xf0, 0x01]);
    let map = section(PMT_PID + 1, 2, 2, &[0xe1, 0x11, 0xf0, 0x00, 0x03, 0xe1, 0x11, 0xf0, 0x00]);
    let second = |index: u64| pes(0x111, 0xc0, index * 3600, &audio_frame());
    let both = |index: u64| [frames(index * 3600, 1), second(index)].concat();
    let both: Vec<u8> = (60..300).flat_map(both).collect();
    let metadata = read([programmes, tables(), frames(0, 60), map, both].concat()).await;
    assert_eq!((metadata.video.len(), metadata.audio.len()), (1, 2));
}

#[tokio::test]
async fn a_stretch_of_a_stream_is_enough() {
    let whole = [tables(), frames(0, 50), tables(), frames(50 * 3600, 50)].concat();
    let metadata = read(whole[188 * 9 + 77..whole.len() - 33].to_vec()).await;
    assert_eq!((metadata.video.len(), metadata.audio.len()), (1, 1));
    assert!((metadata.duration_seconds - 4.0).abs() < 0.2, "{}", metadata.duration_seconds);
}

#[tokio::test]
async fn subtitles_that_hang_over_far_do_not_count() {
    let subtitle = |stamp| pes(0x102, 0xbd, stamp, b"\x20\0\x0f");
    let film = |overhang: u64| {
        [tables(), subtitle(90_000), frames(90_000, 50), subtitle(3 * 90_000 + overhang)].concat()
    };
    assert_seconds(&read(film(45_000)).await, 2.5);
    assert_seconds(&read(film(450_000)).await, 2.0);
}

#[tokio::test]
async fn streams_without_tables_are_recognised() {
    let metadata = read(frames(0, 50)).await;
    assert_eq!(metadata.video[0].codec, "mpeg2video");
    assert_eq!(metadata.audio[0].codec, "mp2");
    assert_seconds(&metadata, 2.0);
}

#[tokio::test]
async fn packets_with_nothing_in_them_are_no_media() {
    let empty = packet(0x1fff, false, &[0xff; 184]).repeat(100);
    let error = probe(&MemorySource::new(empty)).await.unwrap_err();
    assert!(matches!(error, ProbeError::NoMediaTracks), "{error}");
    let error = probe(&MemorySource::new(tables().repeat(3))).await;
    assert!(error.is_ok_and(|metadata| metadata.duration_seconds.abs() < 1e-9));
}

#[tokio::test]
async fn every_byte_may_be_wrong() {
    let whole = [tables(), frames(0, 3)].concat();
    for position in 0..whole.len() {
        for value in [0xff, 0x47] {
            let mut bytes = whole.clone();
            bytes[position] = value;
            // It ends, without a panic; what it answers is another matter.
            let _answer = probe(&MemorySource::new(bytes)).await;
        }
    }
}
