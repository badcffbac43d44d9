//! Whatever is done to a file, a probe ends, within its bounds, without a panic.

use std::fs;
use std::sync::LazyLock;

use bytes::Bytes;
use probe::{MAX_BYTES, MAX_MOOV_BYTES, MAX_READS};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;

use crate::counting::CountingSource;
use crate::{folder, probe, probe_image};

static SAMPLES: LazyLock<Vec<Bytes>> = LazyLock::new(|| {
    let files = fs::read_dir(folder("tests/media")).unwrap().map(|entry| entry.unwrap().path());
    let mut media: Vec<_> =
        files.filter(|path| path.file_name().unwrap().to_string_lossy().starts_with("v_")).collect();
    media.sort();
    let media = media.into_iter().map(|path| fs::read(path).unwrap().into());
    media.chain(HEADS.iter().map(|(_, head)| with_sound(head))).collect()
});

/// How files of the kinds begin of which there are none among the test media.
const HEADS: [(&str, &[u8]); 8] = [
    ("amr", b"#!AMR\n\x3c\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"),
    (
        "ape",
        b"MAC \x96\x0f\0\0\x34\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\
          \xe8\x03\0\0\0\x20\x01\0\0\x10\0\0\x02\0\0\0\x10\0\x02\0\x44\xac\0\0",
    ),
    ("dts", b"\x7f\xfe\x80\x01\xfc\x3c\x75\xb0\x36\xc0\x01\x38\0\x01\xef\x83"),
    ("mpc", b"MP+\x07\x10\0\0\0\0\0\x40\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"),
    ("mpc8", b"MPCKSH\x0f\0\0\0\0\x08\xa0\0\0\x08\x14"),
    ("tta", b"TTA1\x01\0\x01\0\x10\0\x44\xac\0\0\x9d\x08\0\0\x1a\xc3\x29\x79"),
    ("w64", b"riff\x2e\x91\xcf\x11\xa5\xd6\x28\xdb\x04\xc1\0\0\xe0\x03\0\0\0\0\0\0wave\xf3\xac\xd3\x11\x8c\xd1\0\xc0\x4f\x8e\xdb\x8a\
      fmt \xf3\xac\xd3\x11\x8c\xd1\0\xc0\x4f\x8e\xdb\x8a\x28\0\0\0\0\0\0\0\x01\0\x01\0\x44\xac\0\0\x88\x58\x01\0\x02\0\x10\0\
      data\xf3\xac\xd3\x11\x8c\xd1\0\xc0\x4f\x8e\xdb\x8a\x90\x03\0\0\0\0\0\0"),
    ("wv", b"wvpk\x20\x04\0\0\x10\x04\0\0\x9d\x08\0\0\0\0\0\0\x9d\x08\0\0\x05\x18\xbc\x04\x67\x94\x3b\x6e"),
];

/// A head with what may pass for sound behind it, thrice: DTS is believed in a row only, here of frames of this size.
fn with_sound(head: &[u8]) -> Bytes {
    const FRAME_BYTES: usize = 1884;
    let mut frame = head.to_vec();
    frame.resize(FRAME_BYTES, 0);
    frame.repeat(3).into()
}

#[test]
fn the_heads_to_mutate_are_of_their_kind() {
    for (kind, head) in HEADS {
        let metadata = probe(&CountingSource::new(with_sound(head))).unwrap();
        assert_eq!((&*metadata.container, metadata.audio.len()), (kind, 1));
    }
}

/// Probes, as a film and as an image, and checks all that holds for any bytes.
fn check(bytes: Bytes) {
    check_image(bytes.clone());
    let len = bytes.len() as u64;
    let source = CountingSource::new(bytes);
    match probe(&source) {
        Ok(metadata) => {
            assert!(
                metadata.duration_seconds.is_finite() && metadata.duration_seconds >= 0.0,
                "{metadata:?}"
            );
            assert!(metadata.video.iter().all(|track| track.frame_rate.is_finite() && track.rotation < 360));
            let json = serde_json::to_vec(&metadata).unwrap();
            assert!(json.len() < 200_000, "{} bytes of metadata", json.len());
        }
        Err(error) => assert!(error.rejection().is_some(), "{error:?}"),
    }
    assert!(source.reads() <= u64::from(MAX_READS));
    assert!(source.bytes() <= (MAX_BYTES + MAX_MOOV_BYTES).min(2 * len), "{} of {len}", source.bytes());
}

fn check_image(bytes: Bytes) {
    let source = CountingSource::new(bytes);
    match probe_image(&source) {
        Ok(image) => assert!(image.width > 0 && image.height > 0 && image.rotation < 360, "{image:?}"),
        Err(error) => assert!(error.rejection().is_some(), "{error:?}"),
    }
    assert!(source.reads() <= u64::from(MAX_READS) && source.bytes() <= MAX_BYTES);
}

#[test]
fn every_prefix_is_refused_or_read() {
    for sample in SAMPLES.iter() {
        // Every length at the start and through the last kilobytes, where the index is; else one in a few hundred.
        let len = sample.len();
        let step = (len / 256).max(1);
        let ends = (0..len.min(512))
            .chain((512..len).step_by(step))
            .chain((len.saturating_sub(2500)..=len).step_by(3));
        ends.for_each(|end| check(sample.slice(..end)));
    }
}

#[derive(Clone, Debug)]
enum Mutation {
    Byte(Index, u8),
    /// A size or count of a hostile kind.
    Word(Index, u32),
    Copy(Index, Index, usize),
    Remove(Index, usize),
    Truncate(Index),
}

fn mutation() -> impl Strategy<Value = Mutation> {
    let word =
        prop_oneof![Just(0), Just(1), Just(7), Just(8), Just(u32::MAX), Just(0x8000_0000), any::<u32>()];
    prop_oneof![
        4 => (any::<Index>(), any::<u8>()).prop_map(|(at, byte)| Mutation::Byte(at, byte)),
        4 => (any::<Index>(), word).prop_map(|(at, word)| Mutation::Word(at, word)),
        2 => (any::<Index>(), any::<Index>(), 1..200_usize).prop_map(|(from, to, len)| Mutation::Copy(from, to, len)),
        1 => (any::<Index>(), 1..64_usize).prop_map(|(at, len)| Mutation::Remove(at, len)),
        1 => any::<Index>().prop_map(Mutation::Truncate),
    ]
}

/// Offset of the movie box: mutations of media data teach nothing.
fn index_of_moov(bytes: &[u8]) -> usize {
    bytes.windows(4).position(|window| window == b"moov").map_or(0, |position| position - 4)
}

fn apply(bytes: &mut Vec<u8>, from: usize, mutation: &Mutation) {
    let at = |index: &Index, bytes: &[u8]| from + index.index((bytes.len() - from).clamp(1, 8000));
    if bytes.len() <= from {
        return;
    }
    match mutation {
        Mutation::Byte(index, value) => {
            let position = at(index, bytes).min(bytes.len() - 1);
            bytes[position] = *value;
        }
        Mutation::Word(index, value) => {
            let position = at(index, bytes);
            bytes.iter_mut().skip(position).zip(value.to_be_bytes()).for_each(|(byte, new)| *byte = new);
        }
        Mutation::Copy(source, target, len) => {
            let start = at(source, bytes).min(bytes.len());
            let end = start.saturating_add(*len).min(bytes.len());
            let copied = bytes[start..end].to_vec();
            let position = at(target, bytes).min(bytes.len());
            bytes.splice(position..position, copied);
        }
        Mutation::Remove(index, len) => {
            let start = at(index, bytes).min(bytes.len());
            bytes.drain(start..start.saturating_add(*len).min(bytes.len()));
        }
        Mutation::Truncate(index) => {
            let position = at(index, bytes);
            bytes.truncate(position);
        }
    }
}

/// How images of each kind begin.
const IMAGES: [&[u8]; 7] = [
    b"\xff\xd8\xff\xe1\0\x1eExif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\xff\xc0\0\x11\x08\0\x08\0\x08",
    b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR\0\0\0\x08\0\0\0\x08\x08\x06\0\0\0",
    b"GIF89a\x08\0\x08\0\0\0\0",
    b"RIFF\0\0\0\0WEBPVP8 \x1e\0\0\0\x30\x01\0\x9d\x01\x2a\x08\0\x08\0",
    b"RIFF\0\0\0\0WEBPVP8L\x1e\0\0\0\x2f\x07\xc0\x01\0",
    b"RIFF\0\0\0\0WEBPVP8X\x0a\0\0\0\x10\0\0\0\x07\0\0\x07\0\0",
    b"\0\0\0\x10ftypavif\0\0\0\0\0\0\0\x5cmeta\0\0\0\0\0\0\0\x0epitm\0\0\0\0\0\x01\0\0\0\x42iprp\0\0\0\x25ipco\
      \0\0\0\x14ispe\0\0\0\0\0\0\0\x08\0\0\0\x08\0\0\0\x09irot\x01\0\0\0\x15ipma\0\0\0\0\0\0\0\x01\0\x01\x02\x01\x02",
];

#[test]
fn the_images_to_mutate_are_images() {
    for bytes in IMAGES {
        let image = probe_image(&CountingSource::new(bytes)).unwrap();
        assert_eq!((image.width, image.height), (8, 8), "{image:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn mutated_files_are_refused_or_read(sample in any::<Index>(), mutations in vec(mutation(), 1..24)) {
        let sample = sample.get(&SAMPLES[..]);
        let from = index_of_moov(sample);
        let mut bytes = sample.to_vec();
        for mutation in &mutations {
            apply(&mut bytes, from, mutation);
        }
        check(bytes.into());
    }

    #[test]
    fn mutated_images_are_refused_or_read(
        image in proptest::sample::select(&IMAGES[..]),
        mutations in vec(mutation(), 0..4),
        rest in vec(any::<u8>(), 0..100),
    ) {
        let mut bytes = image.to_vec();
        for mutation in &mutations {
            apply(&mut bytes, 0, mutation);
        }
        bytes.extend(rest);
        check_image(bytes.into());
    }

    #[test]
    fn boxes_of_noise_are_refused_or_read(
        noise in vec(any::<u8>(), 0..2000),
        kinds in vec(proptest::sample::select(vec![b"moov", b"trak", b"mdia", b"minf", b"stbl", b"moof", b"traf", b"udta", b"meta"]), 1..6),
    ) {
        let mut bytes = noise;
        for kind in kinds {
            let size = u32::try_from(bytes.len() + 8).unwrap().to_be_bytes();
            bytes.splice(0..0, [size, *kind].concat());
        }
        bytes.splice(0..0, *b"\0\0\0\x10ftypisom\0\0\0\0");
        check(bytes.into());
    }
}
