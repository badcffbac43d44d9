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
fn the_tables_of_a_long_film_are_skipped() {
    // Two hours at 50 frames a second, twice: 12 MB of index.
    let moov = moov(&[video_track(1, 360_000, 100), video_track(2, 360_000, 100)]);
    assert!(moov.len() as u64 > 10 * MIB);
    let source = file(moov, mdat(8 * GIB));
    let metadata = probe(&source).unwrap();
    assert_eq!(metadata.video.len(), 2);
    assert!((metadata.video[1].frame_rate - 25.0).abs() < 1e-9);
    assert!(
        source.reads() <= 8 && source.bytes_read() <= MIB,
        "{} reads, {}",
        source.reads(),
        source.bytes_read()
    );
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
    probe(&whole).unwrap();
    let media = cut(Sparse::new(whole.len - 7, whole.stretches.clone()));
    assert_eq!(media, "it ends 7 bytes before the end of its media data");
    let index = cut(Sparse::new(2000, whole.stretches.clone()));
    assert!(index.ends_with("before the end of its index (moov)"), "{index}");
    let samples = cut(Sparse::of(
        &[Part::Bytes(ftyp()), Part::Bytes(moov(&[video_track(1, 250, 0x7fff_ffff)]))]
            .into_iter()
            .chain(mdat(MIB))
            .collect::<Vec<_>>(),
    ));
    assert!(samples.contains("beyond the end of the file"), "{samples}");
    let no_index = cut(Sparse::of(&[Part::Bytes(ftyp())].into_iter().chain(mdat(MIB)).collect::<Vec<_>>()));
    assert!(no_index.contains("no index"), "{no_index}");
    let fragment_only = cut(Sparse::of(&fragment(Some(0), 100)));
    assert!(fragment_only.contains("segment"), "{fragment_only}");
    let last_fragment = file(fragmented_moov(&[]), fragments(3, 100, true));
    let last = cut(Sparse::new(last_fragment.len - 1, last_fragment.stretches.clone()));
    assert_eq!(last, "it ends 1 byte before the end of its media data");
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
fn images_of_the_family_are_named() {
    let image = [boxed(*b"ftyp", b"heic\0\0\0\0mif1heic"), full(*b"meta", 0, 0, b"")].concat();
    let refused = probe(&Sparse::of(&[Part::Bytes(image)]));
    assert!(
        matches!(refused, Err(ProbeError::Unsupported { looks_like: Some("a HEIF or AVIF image") })),
        "{refused:?}"
    );
}
