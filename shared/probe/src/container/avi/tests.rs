//! Whole files, built by hand.

#![allow(clippy::unwrap_used)]

use std::io;

use super::*;
use crate::MemorySource;
use crate::container::riff::tests::chunk;

/// A stream header: kind, scale, rate, length and sample size.
fn header(kind: [u8; 4], [scale, rate, length, sample_size]: [u32; 4]) -> Vec<u8> {
    let numbers = [scale, rate, 0, length, 0, 0, sample_size, 0, 0].map(u32::to_le_bytes).concat();
    chunk(*b"strh", [&kind[..], b"XVID", &[0; 12], &numbers[..]].concat())
}

fn bitmap(four_cc: [u8; 4], width: u32, height: i32) -> Vec<u8> {
    let size = [40, width].map(u32::to_le_bytes).concat();
    chunk(*b"strf", [&size[..], &height.to_le_bytes(), &[1, 0, 24, 0], &four_cc, &[0; 20]].concat())
}

fn mp3(bytes_per_second: u32) -> Vec<u8> {
    let rate = bytes_per_second.to_le_bytes();
    chunk(*b"strf", [b"\x55\0\x02\0\x44\xac\0\0", &rate[..], b"\x01\0\0\0\0\0"].concat())
}

fn list(kind: [u8; 4], chunks: &[Vec<u8>]) -> Vec<u8> {
    chunk(*b"LIST", [&kind[..], &chunks.concat()].concat())
}

fn file(streams: &[[Vec<u8>; 2]], rest: &[Vec<u8>]) -> Vec<u8> {
    let mut headers = vec![chunk(*b"avih", 40_000_u32.to_le_bytes())];
    headers.extend(streams.iter().map(|stream| list(*b"strl", stream)));
    let body = [b"AVI ".to_vec(), list(*b"hdrl", &headers), rest.concat()].concat();
    chunk(*b"RIFF", body)
}

async fn read(bytes: Vec<u8>) -> Result<Metadata, ProbeError<io::Error>> {
    crate::probe(&MemorySource::new(bytes)).await
}

#[track_caller]
fn check_duration(metadata: &Metadata, seconds: f64) {
    assert!((metadata.duration_seconds - seconds).abs() < 1e-6, "{} {seconds}", metadata.duration_seconds);
}

#[tokio::test]
async fn streams_are_told_by_their_headers() {
    let video = [header(*b"vids", [1001, 30_000, 60, 0]), bitmap(*b"XVID", 640, -480)];
    let audio = [header(*b"auds", [1152, 44_100, 90, 0]), mp3(16_000)];
    let info = list(*b"INFO", &[chunk(*b"INAM", "Name")]);
    let movi = list(*b"movi", &[chunk(*b"00dc", [0; 9]), chunk(*b"01wb", [0xff, 0xfb, 0x92, 0xc4])]);
    let metadata = read(file(&[video, audio], &[info, movi])).await.unwrap();
    let (video, audio) = (&metadata.video[0], &metadata.audio[0]);
    assert_eq!((&*metadata.container, &*video.codec, &*audio.codec), ("avi", "mpeg4", "mp3"));
    assert_eq!((video.width, video.height), (640, 480));
    assert!((video.frame_rate - 29.97).abs() < 1e-9);
    assert_eq!(video.display_aspect_ratio.as_deref(), Some("4:3"));
    // One channel by its first frame, two by its format.
    assert_eq!((audio.channels, audio.sample_rate, audio.bit_rate), (1, 44_100, Some(128_000)));
    assert_eq!(metadata.tags["title"], "Name");
    check_duration(&metadata, 90.0 * 1152.0 / 44_100.0);
}

#[tokio::test]
async fn sound_that_counts_bytes_counts_only_when_alone() {
    let video = [header(*b"vids", [1, 25, 50, 0]), bitmap(*b"MJPG", 8, 8)];
    let audio = [header(*b"auds", [1, 16_000, 160_000, 1]), mp3(16_000)];
    let movi = list(*b"movi", &[chunk(*b"01wb", [0; 15_992])]);
    check_duration(&read(file(&[video, audio.clone()], std::slice::from_ref(&movi))).await.unwrap(), 2.0);
    check_duration(&read(file(&[audio], &[movi])).await.unwrap(), 1.0);
}

#[tokio::test]
async fn a_cut_file_is_shorter_in_proportion() {
    let video = [header(*b"vids", [1, 25, 100, 0]), bitmap(*b"MJPG", 8, 8)];
    let mut whole = file(&[video], &[list(*b"movi", &[chunk(*b"00dc", [0; 10_000])])]);
    whole.truncate(whole.len() / 2);
    check_duration(&read(whole.clone()).await.unwrap(), 2.0);
    // Nothing is said by a size of 0.
    whole[4..8].fill(0);
    check_duration(&read(whole).await.unwrap(), 4.0);
}

#[tokio::test]
async fn the_first_chunk_may_be_in_a_group() {
    let text = [header(*b"txts", [1, 1, 1, 0]), chunk(*b"strf", [])];
    let video = [header(*b"vids", [1, 25, 50, 0]), bitmap(*b"MJPG", 8, 8)];
    let group =
        list(*b"rec ", &[chunk(*b"ix00", [0; 4]), chunk(*b"01ix", [9; 4]), chunk(*b"01tx", b"GAB2\0\x02\0")]);
    let metadata = read(file(&[video, text], &[list(*b"movi", &[group])])).await.unwrap();
    assert_eq!(metadata.subtitles[0].codec, "subrip");
}

#[tokio::test]
async fn video_properties_tell_the_shape() {
    let video = list(
        *b"strl",
        &[
            header(*b"vids", [1, 25, 50, 0]),
            bitmap(*b"MJPG", 720, 576),
            chunk(
                *b"vprp",
                [[0, 0, 0, 0, 0, 16 << 16 | 9].map(u32::to_le_bytes).concat(), vec![0; 40]].concat(),
            ),
        ],
    );
    let bytes = chunk(*b"RIFF", [b"AVI ".to_vec(), video].concat());
    assert_eq!(read(bytes).await.unwrap().video[0].display_aspect_ratio.as_deref(), Some("16:9"));
}

#[tokio::test]
async fn without_a_stream_it_is_malformed() {
    let error = read(file(&[], &[list(*b"movi", &[])])).await.unwrap_err();
    assert!(error.to_string().contains("no stream"), "{error}");
}

#[tokio::test]
async fn a_broken_file_is_refused_or_read() {
    let video = [header(*b"vids", [1, 25, 50, 0]), bitmap(*b"H264", 8, 8)];
    let audio = [header(*b"auds", [u32::MAX, 1, u32::MAX, 0]), mp3(1)];
    let whole = file(&[video, audio], &[list(*b"movi", &[chunk(*b"00dc", [0; 40])])]);
    for end in 12..whole.len() {
        let _ = read(whole[..end].to_vec()).await;
        let mut broken = whole.clone();
        broken[end] = 0xff;
        let _ = read(broken).await;
    }
    // Lists that hold nothing but a list.
    let nested = [b"RIFF\xff\xff\xff\xffAVI ".to_vec(), b"LIST\xff\xff\xff\xffstrl".repeat(20_000)].concat();
    assert!(read(nested).await.is_err());
}

#[test]
fn dates_are_as_c_writes_them() {
    assert_eq!(parse_date("Mon Mar 10 15:04:43 2003\n").as_deref(), Some("2003-03-10T15:04:43Z"));
    assert_eq!(parse_date("2003/03/10"), None);
}
