//! The way to the end of the last fragment, in files of many gigabytes.

use super::build::*;

/// Probes a fragmented file: it lasts `seconds`, as is found within these many reads and bytes.
fn expect(source: &Sparse, seconds: f64, reads: usize, bytes: u64) {
    let metadata = probe(source).unwrap();
    assert!(metadata.fragmented && metadata.fast_start, "{metadata:?}");
    assert!((metadata.duration_seconds - seconds).abs() < 1e-6, "{}", metadata.duration_seconds);
    assert!((metadata.video[0].frame_rate - 25.0).abs() < 1e-9, "{metadata:?}");
    assert!(
        source.reads() <= reads && source.bytes_read() <= bytes,
        "{} reads, {} bytes",
        source.reads(),
        source.bytes_read()
    );
}

fn plain(rest: Vec<Part>) -> Sparse {
    file(fragmented_moov(&[]), rest)
}

#[test]
fn few_fragments_are_walked() {
    expect(&plain(fragments(20, 1000, true)), 20.0, 1, MIB);
    expect(&plain(fragments(20, 1000, false)), 20.0, 1, MIB);
}

#[test]
fn the_last_fragment_shows_itself_near_the_end() {
    expect(&plain(fragments(3600, MIB / 5, true)), 3600.0, 2, MIB / 2);
    expect(&plain(fragments(4000, MIB / 2, true)), 4000.0, 2, MIB);
}

#[test]
fn a_second_search_goes_as_far_as_the_bound() {
    // The first fragment is no measure of the last.
    let mut parts = fragment(Some(0), 1000);
    parts.extend(fragment(Some(1), 30_000));
    parts.extend((2..300).flat_map(|second| fragment(Some(second), 700_000)));
    expect(&plain(parts), 300.0, 4, MIB);
}

#[test]
fn concatenated_segments_each_with_an_index_take_no_read_each() {
    expect(&plain(segments(300, 250_000)), 300.0, 2, MIB / 2);
    expect(&plain(segments(4000, 500_000)), 4000.0, 2, MIB);
    let long = (0..300).flat_map(|index| segment(6 * index, &(6 * index..=6 * index + 5), 550_000));
    expect(&plain(long.collect()), 1800.0, 3, MIB);
}

#[test]
fn an_index_in_front_of_all_fragments_takes_one_read() {
    expect(&plain(segment(0, &(0..=599), 3 * MIB)), 600.0, 1, MIB);
}

#[test]
fn an_index_at_the_end_names_the_last_fragment() {
    let mut parts = fragments(600, 3 * MIB, true);
    let moov = fragmented_moov(&[]);
    let last = ftyp().len() as u64 + moov.len() as u64 + len(&parts) - len(&fragment(Some(0), 3 * MIB));
    parts.push(Part::Bytes(mfra(last)));
    expect(&file(moov, parts), 600.0, 4, MIB);
}

#[test]
fn the_movie_box_may_say_it() {
    let mehd = || full(*b"mehd", 0, 0, words(&[600_000]));
    expect(&file(fragmented_moov(&[mehd()]), fragments(600, 3 * MIB, true)), 600.0, 3, MIB);
    expect(&file(fragmented_moov(&[mehd()]), fragments(600, 3 * MIB, false)), 600.0, 2, MIB);
}

#[test]
fn fragments_too_long_to_be_found_are_estimated_by_size() {
    let estimated = |parts: Vec<Part>, seconds: f64| {
        let source = plain(parts);
        let metadata = probe(&source).unwrap();
        let found = metadata.duration_seconds;
        assert!((found - seconds).abs() < seconds / 100.0, "{found}, not {seconds}");
        assert!((metadata.video[0].frame_rate - 25.0).abs() < 1e-9, "{metadata:?}");
        assert!(source.reads() <= 4 && source.bytes_read() <= MIB, "{} bytes", source.bytes_read());
    };
    estimated(fragments(300, 3 * MIB, true), 300.0);
    estimated(fragments(4000, 20_000_000, true), 4000.0);
    // No start times: what is jumped over is as what was seen on both sides.
    estimated(fragments(300, 3 * MIB, false), 300.0);
    estimated(fragments(4000, 100_000, false), 4000.0);
    let segments = (0..5).flat_map(|index| segment(20 * index, &(20 * index..=20 * index + 19), 20_000_000));
    estimated(segments.collect(), 100.0);
}

#[test]
fn an_index_at_the_end_says_when_the_last_fragment_starts() {
    let mut parts = fragments(600, 100_000, false);
    let moov = fragmented_moov(&[]);
    let last = ftyp().len() as u64 + moov.len() as u64 + len(&parts) - len(&fragment(None, 100_000));
    parts.push(Part::Bytes(mfra_at(last, 599_000)));
    expect(&file(moov, parts), 600.0, 2, MIB / 2);
}

#[test]
fn the_head_of_one_long_fragment_is_read_in_part() {
    // Twenty hours of pictures in one fragment, each with its duration and size.
    let count = 1_800_000;
    let samples = [40, 0].repeat(count as usize).into_iter().flat_map(|word: u8| [0, 0, 0, word]);
    let trun = full(*b"trun", 0, 0x300, words(&[count]).into_iter().chain(samples).collect::<Vec<_>>());
    let traf = [full(*b"tfhd", 0, 0, words(&[1])), full(*b"tfdt", 0, 0, words(&[0])), trun].concat();
    let moof = boxed(*b"moof", [full(*b"mfhd", 0, 0, words(&[1])), boxed(*b"traf", traf)].concat());
    let parts = [Part::Bytes(moof)].into_iter().chain(mdat(GIB));
    let source = plain(parts.collect());
    let metadata = probe(&source).unwrap();
    assert!((metadata.duration_seconds - 72_000.0).abs() < 1.0, "{}", metadata.duration_seconds);
    assert!(source.reads() <= 4 && source.bytes_read() <= MIB, "{} bytes", source.bytes_read());
}

#[test]
fn a_fragment_within_media_data_is_no_fragment() {
    let moof = |at| match fragment(Some(at), 100).remove(0) {
        Part::Bytes(bytes) => bytes,
        Part::Zeros(_) => unreachable!(),
    };
    let mut parts = fragments(299, 550_000, true);
    parts.push(Part::Bytes(moof(299)));
    // One that no box follows, one that a box follows that is too long, and one of a track that the movie has not,
    // with media data to the end of the file.
    let mut foreign = moof(7777);
    let track_id = foreign.windows(4).position(|window| window == b"tfhd").unwrap() + 8;
    foreign[track_id..track_id + 4].copy_from_slice(&9_u32.to_be_bytes());
    let too_long = boxed(*b"free", [1; 20]).iter().map(|byte| byte | 0x40).collect();
    let decoys =
        [moof(8888), vec![1; 500], moof(6666), too_long, foreign, long_header(*b"mdat", 200_016)].concat();
    parts.push(Part::Bytes(long_header(*b"mdat", 16 + 300_000 + decoys.len() as u64 + 200_000)));
    parts.extend([Part::Zeros(300_000), Part::Bytes(decoys), Part::Zeros(200_000)]);
    expect(&plain(parts), 300.0, 3, MIB);
}

#[test]
fn stray_bytes_may_follow_the_last_fragment_and_a_cut_counts_as_the_end() {
    let mut parts = fragments(300, 550_000, true);
    parts.push(Part::Zeros(100));
    expect(&plain(parts), 300.0, 3, MIB);
    let whole = plain(fragments(300, 550_000, true));
    for missing in [1000, 550_000, 550_020] {
        // The samples of a fragment count once its head is there, as ffprobe has it.
        let seconds = if missing > 550_016 { 299.0 } else { 300.0 };
        expect(&Sparse::new(whole.len - missing, whole.stretches.clone()), seconds, 3, MIB);
    }
}

#[test]
fn a_track_whose_first_fragment_is_not_seen_starts_with_the_others() {
    let trex = full(*b"trex", 0, 0, words(&[1, 1, 40, 0, 0]));
    let tracks = [1, 2].map(|id| track(id, *b"vide", &video_entry(), 0, &[])).concat();
    let moov =
        moov(&[tracks, boxed(*b"mvex", [trex, full(*b"trex", 0, 0, words(&[2, 1, 40, 0, 0]))].concat())]);
    for live in [0, 5000] {
        // The second track's fragments follow those of the first, as some packagers interleave them.
        let parts = (live..live + 30).flat_map(|second| {
            let mut other = fragment(Some(second), 100_000);
            if let Some(Part::Bytes(moof)) = other.first_mut() {
                let id = moof.windows(4).position(|window| window == b"tfhd").unwrap() + 11;
                moof[id] = 2;
            }
            fragment(Some(second), 100_000).into_iter().chain(other)
        });
        let source = file(moov.clone(), parts);
        let metadata = probe(&source).unwrap();
        assert!((metadata.duration_seconds - 30.0).abs() < 1e-6, "{}", metadata.duration_seconds);
        assert_eq!((metadata.video.len(), source.reads()), (2, 2));
    }
}

#[test]
fn a_live_clock_is_not_the_duration() {
    let at =
        |start: u32, count: u32| (start..start + count).flat_map(|second| fragment(Some(second), 550_000));
    expect(&plain(at(100_000, 30).collect()), 30.0, 3, MIB);
    expect(&plain(at(3600, 7200).collect()), 7200.0, 3, MIB);
    let indexed = segment(100_000, &(100_000..=100_299), 550_000);
    expect(&plain(indexed), 300.0, 3, MIB);
    // As ffprobe has it, a few seconds before the first fragment count.
    expect(&plain(at(10, 30).collect()), 40.0, 3, MIB);
}

#[test]
fn fragments_that_go_on_after_samples_of_the_movie_box_start_with_those() {
    let trex = full(*b"trex", 0, 0, words(&[1, 1, 40, 0, 0]));
    let moov = moov(&[video_track(1, 25 * 100, 100), boxed(*b"mvex", trex)]);
    let rest = mdat(1000).into_iter().chain((100..110).flat_map(|second| fragment(Some(second), 1000)));
    expect(&file(moov, rest), 110.0, 1, MIB);
}

#[test]
fn the_movie_header_is_not_believed_where_fragments_follow() {
    let metadata = probe(&plain(fragments(4, 1000, true))).unwrap();
    assert!((metadata.duration_seconds - 4.0).abs() < 1e-9);
    // An initialisation segment has no duration, and no fragments.
    let metadata = probe(&file(fragmented_moov(&[]), [])).unwrap();
    assert!(metadata.duration_seconds.abs() < 1e-9 && !metadata.fragmented && metadata.bit_rate == 0);
    assert!((metadata.video[0].frame_rate - 25.0).abs() < 1e-9);
}
