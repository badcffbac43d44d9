//! The walk over whole files, built by hand: order, cuts, hostile sizes, and how few reads it takes.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::wildcard_imports)]

mod build;
mod fragmented;
mod hostile;

use build::*;

use crate::ProbeError;

#[test]
fn an_index_in_front_takes_one_read_and_one_at_the_end_two() {
    let front = file(film(250), mdat(5 * GIB));
    let metadata = probe(&front).unwrap();
    assert!((metadata.duration_seconds - 10.0).abs() < 1e-9 && metadata.fast_start, "{metadata:?}");
    assert_eq!(front.reads(), 1);

    let end = Sparse::of(
        &[Part::Bytes(ftyp())]
            .into_iter()
            .chain(mdat(5 * GIB))
            .chain([Part::Bytes(film(250))])
            .collect::<Vec<_>>(),
    );
    let metadata = probe(&end).unwrap();
    assert!(!metadata.fast_start && !metadata.fragmented, "{metadata:?}");
    assert_eq!((metadata.video[0].width, metadata.video[0].height), (1920, 1080));
    assert_eq!(end.reads(), 2);
}

#[test]
fn the_index_of_a_long_film_is_read_in_one_go() {
    // Two hours at 50 frames a second, twice: 12 MB of index.
    let moov = moov(&[video_track(1, 360_000, 100), video_track(2, 360_000, 100)]);
    let size = moov.len() as u64;
    assert!(size > 10 * MIB);
    let front = file(moov.clone(), mdat(8 * GIB));
    let back = Sparse::of(
        &[Part::Bytes(ftyp())]
            .into_iter()
            .chain(mdat(8 * GIB))
            .chain([Part::Bytes(moov)])
            .collect::<Vec<_>>(),
    );
    for (source, reads) in [(front, 2), (back, 3)] {
        let metadata = probe(&source).unwrap();
        assert_eq!(metadata.video.len(), 2);
        assert!((metadata.video[1].frame_rate - 25.0).abs() < 1e-9);
        assert_eq!(source.reads(), reads);
        assert!(source.bytes_read() <= size + 3 * 64 * 1024, "{}", source.bytes_read());
    }
}

#[test]
fn of_an_index_beyond_the_bound_the_start_is_read() {
    let first = video_track(1, 25, 100);
    let huge = video_track(2, 3_000_000, 100);
    assert!(huge.len() as u64 > crate::MAX_MOOV_BYTES);
    let source = file(moov(&[first, huge.clone()]), mdat(8 * GIB));
    let metadata = probe(&source).unwrap();
    assert_eq!(metadata.video.len(), 2);
    assert!((metadata.duration_seconds - 120_000.0).abs() < 1e-9, "{}", metadata.duration_seconds);
    assert!(source.reads() <= 4 && source.bytes_read() <= crate::MAX_MOOV_BYTES + MIB);

    let unused = boxed(*b"free", vec![0; usize::try_from(crate::MAX_MOOV_BYTES).unwrap()]);
    let refused = probe(&file(moov(&[unused, huge]), mdat(8 * GIB)));
    assert!(matches!(refused, Err(ProbeError::LimitExceeded { .. })), "{refused:?}");
}

#[test]
fn layouts_of_cameras_and_recorders_take_four_reads_at_most() {
    let free = |size| [Part::Bytes(long_header(*b"free", size)), Part::Zeros(size - 16)];
    let uuid = || Part::Bytes(boxed(*b"uuid", [7; 3000]));
    let index = || Part::Bytes(moov(&[video_track(1, 90_000, 100)]));
    let small = || Part::Bytes(film(250));
    let layouts: Vec<(&str, Vec<Part>, usize)> = vec![
        ("room left for an index", free(400_000).into_iter().chain(mdat(GIB)).chain([index()]).collect(), 4),
        (
            "boxes behind the index",
            mdat(GIB).into_iter().chain([small(), uuid()]).chain(free(9000)).collect(),
            2,
        ),
        (
            "boxes in front",
            [uuid()].into_iter().chain(mdat(GIB)).chain(free(90_000)).chain([index()]).collect(),
            4,
        ),
        ("two of media data", mdat(GIB).into_iter().chain(mdat(GIB)).chain([index()]).collect(), 4),
        ("three of media data", (0..3).flat_map(|_| mdat(GIB)).chain([small()]).collect(), 4),
        (
            "hundreds of media data",
            (0..300).flat_map(|_| mdat(9 * MIB)).chain([small(), uuid()]).collect(),
            4,
        ),
        (
            "an index before room for one",
            [small()].into_iter().chain(free(400_000)).chain(mdat(GIB)).collect(),
            2,
        ),
    ];
    for (name, parts, reads) in layouts {
        let source = file(Vec::new(), parts);
        let metadata = probe(&source).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(metadata.video.len(), 1, "{name}");
        assert!(source.reads() <= reads, "{name}: {} reads", source.reads());
    }
    let hidden = file(Vec::new(), (0..300).flat_map(|_| mdat(9 * MIB)).chain([index()]).chain(mdat(GIB)));
    assert!(matches!(probe(&hidden), Err(ProbeError::LimitExceeded { .. })));
}

#[test]
fn media_data_that_is_cut_off_is_told() {
    let whole = Sparse::of(
        &[Part::Bytes(ftyp()), Part::Bytes(film(250))].into_iter().chain(mdat(MIB)).collect::<Vec<_>>(),
    );
    let cut = probe(&Sparse::new(whole.len - 7, whole.stretches.clone())).unwrap();
    assert_eq!((cut.truncated, cut.duration_seconds), (true, probe(&whole).unwrap().duration_seconds));
    let index_beyond_the_end = Sparse::of(
        &[Part::Bytes(ftyp()), Part::Bytes(moov(&[video_track(1, 250, 0x7fff_ffff)]))]
            .into_iter()
            .chain(mdat(MIB))
            .collect::<Vec<_>>(),
    );
    assert!(probe(&index_beyond_the_end).unwrap().truncated);
}

#[test]
fn what_is_cut_off_is_refused() {
    let cut = |source: Sparse| match probe(&source) {
        Err(ProbeError::Malformed { reason }) => reason,
        other => panic!("{other:?}"),
    };
    let whole = Sparse::of(
        &[Part::Bytes(ftyp()), Part::Bytes(film(250))].into_iter().chain(mdat(MIB)).collect::<Vec<_>>(),
    );
    assert!(!probe(&whole).unwrap().truncated);
    let index = cut(Sparse::new(2000, whole.stretches.clone()));
    assert!(index.ends_with("before the end of its index (moov)"), "{index}");
    let no_index = cut(Sparse::of(&[Part::Bytes(ftyp())].into_iter().chain(mdat(MIB)).collect::<Vec<_>>()));
    assert!(no_index.contains("no index"), "{no_index}");
    let fragment_only = cut(Sparse::of(&fragment(Some(0), 100)));
    assert!(fragment_only.contains("segment"), "{fragment_only}");
    let first_fragment = file(fragmented_moov(&[]), fragments(1, 100, true));
    let first = cut(Sparse::new(first_fragment.len - 120, first_fragment.stretches.clone()));
    assert!(first.ends_with("before the end of its first fragment"), "{first}");
}

#[test]
fn a_recording_in_fragments_that_broke_off_is_as_long_as_what_there_is() {
    let whole = file(fragmented_moov(&[]), fragments(3, 100, true));
    for (missing, seconds) in [(1, 3.0), (100, 3.0), (101, 2.0), (117, 2.0)] {
        let metadata = probe(&Sparse::new(whole.len - missing, whole.stretches.clone())).unwrap();
        assert!((metadata.duration_seconds - seconds).abs() < 1e-9, "{missing}: {metadata:?}");
    }
}

#[test]
fn a_box_may_reach_to_the_end_and_stray_bytes_may_follow() {
    let open_mdat = Sparse::of(&[
        Part::Bytes(ftyp()),
        Part::Bytes(film(25)),
        Part::Bytes(b"\0\0\0\0mdat".to_vec()),
        Part::Zeros(999),
    ]);
    assert!(probe(&open_mdat).unwrap().fast_start);
    let stray = file(film(25), [Part::Bytes(b"\0\0\0\x05strays".to_vec())]);
    assert_eq!(probe(&stray).unwrap().video.len(), 1);
}

#[test]
fn chapters_and_data_are_not_listed_and_tracks_are_bounded() {
    let chapters = boxed(*b"tref", boxed(*b"chap", words(&[2, 3])));
    let mut video = video_track(1, 25, 100);
    video.extend(chapters);
    let size = u32::try_from(video.len()).unwrap();
    video[..4].copy_from_slice(&size.to_be_bytes());
    let text = |id| track(id, *b"text", &boxed(*b"text", [0; 16]), 1000, &[]);
    let picture = track(3, *b"vide", &video_entry(), 1000, &[]);
    let time_code = track(4, *b"tmcd", &boxed(*b"tmcd", [0; 16]), 1000, &[]);
    let metadata = probe(&file(moov(&[video, text(2), picture, time_code, text(5)]), [])).unwrap();
    assert_eq!((metadata.video.len(), metadata.audio.len(), metadata.subtitles.len()), (1, 0, 1));
    assert_eq!(metadata.subtitles[0].language.as_deref(), Some("eng"));

    let many: Vec<_> = (1..=300).map(|id| video_track(id, 1, 100)).collect();
    assert_eq!(probe(&file(moov(&many), [])).unwrap().video.len(), crate::MAX_TRACKS);
    let none = probe(&file(moov(&[text(1)]), []));
    assert!(matches!(none, Err(ProbeError::NoMediaTracks)), "{none:?}");
}

#[test]
fn subtitles_may_hang_over_a_little() {
    for (milliseconds, seconds) in [(500, 1.0), (1999, 1.999), (2000, 1.0), (60_000, 1.0)] {
        let text = track(2, *b"text", &boxed(*b"text", [0; 16]), milliseconds, &[]);
        let metadata = probe(&file(moov(&[video_track(1, 25, 100), text]), [])).unwrap();
        assert!((metadata.duration_seconds - seconds).abs() < 1e-9, "{milliseconds}: {metadata:?}");
    }
    // Those that end early take nothing off a film that waits three seconds.
    let mut video = video_track(1, 25, 100);
    let wait = full(*b"elst", 0, 0, words(&[2, 3000, u32::MAX, 0x1_0000, 1000, 0, 0x1_0000]));
    video.extend(boxed(*b"edts", wait));
    let size = u32::try_from(video.len()).unwrap();
    video[..4].copy_from_slice(&size.to_be_bytes());
    let sound = video_track(2, 25, 100);
    let text = track(3, *b"text", &boxed(*b"text", [0; 16]), 500, &[]);
    let metadata = probe(&file(moov(&[video, sound, text]), [])).unwrap();
    assert!((metadata.duration_seconds - 4.0).abs() < 1e-9, "{metadata:?}");
}

#[test]
fn images_of_the_family_are_named() {
    let image = [boxed(*b"ftyp", b"heic\0\0\0\0mif1heic"), full(*b"meta", 0, 0, b"")].concat();
    let refused = probe(&Sparse::of(&[Part::Bytes(image)]));
    assert!(
        matches!(refused, Err(ProbeError::Unsupported { looks_like: Some("a HEIF or AVIF image") })),
        "{refused:?}"
    );
}
