//! Whole files, built by hand.

#![allow(clippy::unwrap_used)]

use std::io;

use super::*;
use crate::MemorySource;
use crate::container::riff::tests::chunk;

const PCM: &[u8] = b"\x01\0\x01\0\x40\x1f\0\0\x80\x3e\0\0\x02\0\x10\0";

fn file(form: [u8; 4], chunks: &[Vec<u8>]) -> Vec<u8> {
    [&form[..], &[0xff; 4], b"WAVE", &chunks.concat()].concat()
}

async fn read(bytes: Vec<u8>) -> Result<Metadata, ProbeError<io::Error>> {
    crate::probe(&MemorySource::new(bytes)).await
}

fn data(size: u32, bytes: usize) -> Vec<u8> {
    [&b"data"[..], &size.to_le_bytes(), &vec![0; bytes]].concat()
}

#[track_caller]
fn check(metadata: &Metadata, codec: &str, sample_rate: u32, seconds: f64) {
    let track = &metadata.audio[0];
    assert_eq!((&*metadata.container, &*track.codec, track.sample_rate), ("wav", codec, sample_rate));
    assert!((metadata.duration_seconds - seconds).abs() < 1e-6, "{} {seconds}", metadata.duration_seconds);
}

#[tokio::test]
async fn size_of_the_data_makes_the_duration() {
    let metadata = read(file(*b"RIFF", &[chunk(*b"fmt ", PCM), data(16_000, 16_000)])).await.unwrap();
    check(&metadata, "pcm_s16le", 8000, 1.0);
    assert_eq!((metadata.audio[0].channels, metadata.bit_rate), (1, 128_352));
}

#[tokio::test]
async fn a_size_that_is_not_known_or_not_there_is_that_of_the_rest() {
    for size in [0, u32::MAX, 20_000, u32::MAX - 1] {
        let metadata = read(file(*b"RIFF", &[chunk(*b"fmt ", PCM), data(size, 8000)])).await.unwrap();
        check(&metadata, "pcm_s16le", 8000, 0.5);
    }
}

#[tokio::test]
async fn long_sizes_replace_those_that_do_not_fit() {
    let ds64 = chunk(*b"ds64", [0_u64, 8000, 4000, 0].map(u64::to_le_bytes).concat());
    for form in [b"RF64", b"BW64"] {
        let chunks = [
            ds64.clone(),
            chunk(*b"fmt ", PCM),
            data(u32::MAX, 8000),
            chunk(*b"LIST", b"INFOINAM\x01\0\0\0A"),
        ];
        let metadata = read(file(*form, &chunks)).await.unwrap();
        check(&metadata, "pcm_s16le", 8000, 0.5);
        assert_eq!(metadata.tags["title"], "A");
    }
}

#[tokio::test]
async fn a_size_beyond_reason_is_as_good_as_none() {
    let film = |size: u64| {
        let ds64 = chunk(*b"ds64", [0, size, 2000, 0].map(u64::to_le_bytes).concat());
        file(*b"RF64", &[ds64, chunk(*b"fmt ", PCM), data(u32::MAX, 8000)])
    };
    // Then the number of samples counts, which the size would else belie.
    for size in [1 << 60, u64::MAX] {
        check(&read(film(size)).await.unwrap(), "pcm_s16le", 8000, 0.25);
    }
    check(&read(film(u64::MAX / 16)).await.unwrap(), "pcm_s16le", 8000, 0.5);
}

#[tokio::test]
async fn rifx_has_its_numbers_the_other_way_round() {
    let mut format = little_endian_format(PCM);
    format[15] = 16;
    let chunks =
        [[&b"fmt \0\0\0\x10"[..], &format].concat(), [&b"data\0\0\x1f\x40"[..], &[0; 8000]].concat()];
    check(&read(file(*b"RIFX", &chunks)).await.unwrap(), "pcm_s16le", 8000, 0.5);
}

#[tokio::test]
async fn chunks_are_found_with_and_without_their_padding() {
    let (format, sound) = (chunk(*b"fmt ", PCM), data(8000, 8000));
    let padded = [format.clone(), chunk(*b"note", "odd"), sound.clone()];
    check(&read(file(*b"RIFF", &padded)).await.unwrap(), "pcm_s16le", 8000, 0.5);
    let mut unpadded = chunk(*b"note", "odd");
    unpadded.pop();
    check(&read(file(*b"RIFF", &[format, unpadded, sound])).await.unwrap(), "pcm_s16le", 8000, 0.5);
}

#[tokio::test]
async fn tags_are_found_behind_the_data_too() {
    let mut id3 = b"ID3\x03\0\0\0\0\0\x12TPE1\0\0\0\x08\0\0\0Name A\0".to_vec();
    id3.resize(28, 0);
    let chunks = [
        chunk(*b"fmt ", PCM),
        data(400_000, 400_000),
        chunk(*b"LIST", [b"INFO".to_vec(), chunk(*b"INAM", "Song")].concat()),
        chunk(*b"id3 ", id3),
    ];
    let metadata = read(file(*b"RIFF", &chunks)).await.unwrap();
    assert_eq!(metadata.tags["title"], "Song");
    assert_eq!(metadata.tags["artist"], "Name A");
}

#[tokio::test]
async fn what_is_missing_is_told() {
    let reason = |error: ProbeError<io::Error>| error.to_string();
    let error = read(file(*b"RIFF", &[chunk(*b"fmt ", PCM)])).await.unwrap_err();
    assert_eq!(reason(error), "The file is damaged or incomplete: there is no sound (data) in it.");
    let error = read(file(*b"RIFF", &[data(8, 8)])).await.unwrap_err();
    assert!(reason(error).contains("(fmt)"));
    let mut silent = PCM.to_vec();
    silent[4..8].fill(0);
    let error = read(file(*b"RIFF", &[chunk(*b"fmt ", silent), data(8, 8)])).await.unwrap_err();
    assert!(reason(error).contains("sample rate is 0"));
}

#[tokio::test]
async fn a_cut_file_is_refused_or_read() {
    let chunks =
        [chunk(*b"fmt ", PCM), chunk(*b"fact", [9, 0, 0, 0]), chunk(*b"bext", [b'x'; 700]), data(64, 64)];
    let whole = file(*b"RIFF", &chunks);
    for end in 12..whole.len() {
        let _ = read(whole[..end].to_vec()).await;
    }
    for chunk_count in [5_000, 50_000] {
        let many =
            file(*b"RIFF", &[chunk(*b"fmt ", PCM), chunk(*b"JUNK", []).repeat(chunk_count), data(8, 8)]);
        let _ = read(many).await;
    }
}

#[tokio::test]
async fn only_the_first_id3_tag_is_read() {
    let mut id3 = b"ID3\x03\0\0\0\x07\x7f\x7f".to_vec();
    id3.extend(b"APIC\0\x01\x80\0\0\0\0image/png\0\x03\0");
    id3.resize(300_000, 0);
    let tags = [b"INFO".to_vec(), chunk(*b"INAM", "Song")].concat();
    let far = [data(400_000, 400_000), chunk(*b"id3 ", &id3), chunk(*b"id3 ", &id3), chunk(*b"LIST", tags)];
    let metadata = read(file(*b"RIFF", &[chunk(*b"fmt ", PCM), far.concat()])).await.unwrap();
    check(&metadata, "pcm_s16le", 8000, 25.0);
    assert_eq!(metadata.cover_art.len(), 1);
}
