//! Sizes, nesting and offsets that lead astray: every walk ends within its bounds.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};

use super::build::*;
use crate::{MAX_BYTES, MAX_MOOV_BYTES, MAX_READS};

#[test]
fn hostile_sizes_and_nesting_end_quickly_on_a_small_stack() {
    let nested = |kind: &[u8; 4]| {
        let mut bytes = Vec::new();
        for level in (1..=20_000_u32).rev() {
            bytes.extend((level * 8).to_be_bytes());
            bytes.extend(kind);
        }
        bytes
    };
    let huge = long_header(*b"moov", 1 << 63);
    let looping = long_header(*b"free", u64::MAX);
    let zero_sized = [long_header(*b"moov", 16), long_header(*b"moov", 0)].concat();
    let many = boxed(*b"free", []).repeat(30_000);
    let files =
        [nested(b"moov"), nested(b"trak"), nested(b"meta"), nested(b"udta"), huge, looping, zero_sized, many];
    let walked = std::thread::Builder::new().stack_size(2 << 20).spawn(move || {
        for bytes in files {
            let source = file(bytes, [Part::Zeros(100)]);
            let refused = probe(&source).expect_err("none of these is a film").rejection();
            assert!(refused.is_some());
            assert!(source.reads() <= MAX_READS as usize, "{}", source.reads());
        }
    });
    walked.unwrap().join().unwrap();
}

/// Probes, and checks what holds for any bytes; whether it was read.
fn check(source: &Sparse) -> bool {
    let answer = probe(source);
    match &answer {
        Ok(metadata) => {
            let seconds = metadata.duration_seconds;
            assert!(seconds.is_finite() && seconds >= 0.0, "{metadata:?}");
            assert!(metadata.video.iter().all(|track| track.frame_rate.is_finite()), "{metadata:?}");
        }
        Err(error) => assert!(error.rejection().is_some(), "{error:?}"),
    }
    assert!(source.reads() <= MAX_READS as usize, "{} reads", source.reads());
    assert!(source.bytes_read() <= MAX_BYTES + MAX_MOOV_BYTES, "{} bytes", source.bytes_read());
    answer.is_ok()
}

#[test]
fn fragments_that_promise_more_and_more_end_within_the_bounds() {
    // Each is a fragment by its looks, and its chain breaks far away from it.
    let moof = full(*b"mfhd", 0, 0, words(&[1]));
    let traf = boxed(*b"traf", full(*b"tfhd", 0, 0, words(&[1])));
    let chain = boxed(*b"moof", [moof, traf].concat()).repeat(100_000);
    let mut parts = fragments(300, 1_250_000, true);
    parts.extend([
        Part::Bytes(long_header(*b"mdat", 8 * MIB)),
        Part::Zeros(8 * MIB - 16 - chain.len() as u64),
    ]);
    parts.push(Part::Bytes(chain));
    assert!(check(&file(fragmented_moov(&[]), parts)));
    // An index at the end that leads back to the start.
    let mut parts = fragments(300, 1_250_000, true);
    let second = ftyp().len() as u64 + fragmented_moov(&[]).len() as u64 + len(&fragment(Some(0), 1_250_000));
    parts.push(Part::Bytes(mfra(second)));
    assert!(check(&file(fragmented_moov(&[]), parts)));
}

/// A kind of file to mutate, several gigabytes long: a head, zeros, and a tail with zeros between its fragments.
#[derive(Clone, Copy, Debug)]
enum Form {
    /// Fragments that say when they start.
    Timed,
    /// Fragments that do not.
    Untimed,
    /// Segments with an index each.
    Segments,
    /// An index of fragments at the end.
    Closed,
    /// An index of more than a megabyte, at the end.
    LargeMoov,
}

const FORMS: [Form; 5] = [Form::Timed, Form::Untimed, Form::Segments, Form::Closed, Form::LargeMoov];

impl Form {
    fn source(self) -> Sparse {
        if matches!(self, Self::LargeMoov) {
            let moov = moov(&[video_track(1, 90_000, 100), video_track(2, 100, 100)]);
            return Sparse::of(
                &[Part::Bytes(ftyp())]
                    .into_iter()
                    .chain(mdat(6 * GIB))
                    .chain([Part::Bytes(moov)])
                    .collect::<Vec<_>>(),
            );
        }
        let one = |second: u32, data_bytes: u64| match self {
            Self::Segments => segment(second, &(second..=second), data_bytes),
            Self::Untimed => fragment(None, data_bytes),
            _ => fragment(Some(second), data_bytes),
        };
        let moov = fragmented_moov(&[]);
        let mut parts = one(0, 3000);
        parts.extend(one(1, GIB));
        parts.extend(mdat(5 * GIB));
        parts.extend((5000..5012).flat_map(|second| one(second, MIB / 2)));
        let last = ftyp().len() as u64 + moov.len() as u64 + len(&parts);
        parts.extend(one(5012, 600_000));
        if matches!(self, Self::Closed) {
            parts.push(Part::Bytes(mfra(last)));
        }
        file(moov, parts)
    }
}

#[test]
fn the_files_to_mutate_lead_through_every_way_of_the_walk() {
    for (form, reads, bytes) in [
        (Form::Timed, 3, MIB / 2..MIB + 1),
        (Form::Untimed, 3, MIB / 2..MIB + 1),
        (Form::Segments, 3, MIB / 2..MIB + 1),
        (Form::Closed, 3, MIB / 4..MIB),
        (Form::LargeMoov, 3, MIB..2 * MIB),
    ] {
        let source = form.source();
        assert!(check(&source) && source.len > 5 * GIB, "{form:?}");
        assert_eq!(source.reads(), reads, "{form:?}");
        assert!(bytes.contains(&source.bytes_read()), "{form:?}: {} bytes", source.bytes_read());
    }
}

#[derive(Clone, Debug)]
enum Mutation {
    /// Anywhere in a stretch.
    Anywhere(Index, Index, Value),
    /// In a box of this type, so many bytes from its start: what leads the walk is few bytes among many.
    Box([u8; 4], Index, usize, Value),
}

#[derive(Clone, Debug)]
enum Value {
    Byte(u8),
    Word(u32),
    /// A 64-bit size or offset.
    Long(u64),
}

fn mutation() -> impl Strategy<Value = Mutation> {
    const KINDS: [&[u8; 4]; 14] = [
        b"ftyp", b"moov", b"mdat", b"moof", b"mfhd", b"traf", b"tfhd", b"tfdt", b"trun", b"sidx", b"mfra",
        b"tfra", b"mfro", b"mvex",
    ];
    let word =
        prop_oneof![select(vec![0, 1, 7, 8, 16, 4096, 0x7fff_ffff, 0x8000_0000, u32::MAX]), any::<u32>()];
    let long = prop_oneof![select(vec![0, 1, 16, GIB, 5 * GIB, 1 << 63, u64::MAX]), 0..6 * GIB, any::<u64>()];
    let value = prop_oneof![
        2 => any::<u8>().prop_map(Value::Byte),
        3 => word.prop_map(Value::Word),
        2 => long.prop_map(Value::Long),
    ];
    let value = value.boxed();
    prop_oneof![
        1 => (any::<Index>(), any::<Index>(), value.clone())
            .prop_map(|(stretch, at, value)| Mutation::Anywhere(stretch, at, value)),
        6 => (select(&KINDS[..]), any::<Index>(), 0..10_usize, value)
            .prop_map(|(kind, number, word, value)| Mutation::Box(*kind, number, 4 * word, value)),
    ]
}

/// Which stretches hold a box of this type within their first bytes, and where.
fn boxes_of(source: &Sparse, kind: [u8; 4]) -> Vec<(usize, usize)> {
    let mut places = Vec::new();
    for (number, (_, stretch)) in source.stretches.iter().enumerate() {
        let windows = stretch.get(..4096).unwrap_or(stretch).windows(4).enumerate();
        let starts = windows.filter(|(_, window)| *window == kind).map(|(at, _)| at.saturating_sub(4));
        places.extend(starts.map(|start| (number, start)));
    }
    places
}

fn apply(source: &mut Sparse, mutation: &Mutation) {
    let (number, start, value) = match mutation {
        Mutation::Anywhere(stretch, at, value) => {
            let number = stretch.index(source.stretches.len());
            (number, at.index(source.stretches[number].1.len()), value)
        }
        Mutation::Box(kind, number, offset, value) => {
            let places = boxes_of(source, *kind);
            if places.is_empty() {
                return;
            }
            let (number, start) = *number.get(&places);
            (number, start + offset, value)
        }
    };
    let value = match value {
        Value::Byte(byte) => vec![*byte],
        Value::Word(word) => word.to_be_bytes().to_vec(),
        Value::Long(long) => long.to_be_bytes().to_vec(),
    };
    let bytes = source.stretches[number].1.iter_mut().skip(start);
    bytes.zip(value).for_each(|(byte, new)| *byte = new);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn long_files_with_mutated_ends_stay_within_the_bounds(
        form in select(&FORMS[..]),
        mutations in vec(mutation(), 1..8),
        cut in prop_oneof![8 => Just(0), 1 => 1..50_000_u64],
    ) {
        let mut source = form.source();
        for mutation in &mutations {
            apply(&mut source, mutation);
        }
        source.len -= cut;
        check(&source);
    }
}
