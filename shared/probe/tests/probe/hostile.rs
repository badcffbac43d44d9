//! Whatever is done to a file, a probe ends, within its bounds, without a panic.

use std::fs;
use std::sync::LazyLock;

use bytes::Bytes;
use probe::{MAX_BYTES, MAX_MOOV_BYTES, MAX_READS};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;

use crate::counting::CountingSource;
use crate::{folder, probe};

static SAMPLES: LazyLock<Vec<Bytes>> = LazyLock::new(|| {
    let files = fs::read_dir(folder("tests/media")).unwrap().map(|entry| entry.unwrap().path());
    let mut media: Vec<_> = files
        .filter(|path| path.extension().is_some_and(|kind| ["mp4", "m4a", "mov"].iter().any(|k| kind == *k)))
        .collect();
    media.sort();
    media.into_iter().map(|path| fs::read(path).unwrap().into()).collect()
});

/// Probes, and checks all that holds for any bytes.
fn check(bytes: Bytes) {
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
