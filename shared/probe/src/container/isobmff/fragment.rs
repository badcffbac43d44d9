//! Fragments and their indexes: `moof` (ISO/IEC 14496-12 clause 8.8), `sidx` (8.16.3), `mfra` (8.8.9), and the
//! `tfxd` box that Smooth Streaming puts in place of `tfdt`.

use std::collections::BTreeMap;
use std::ops::Range;

use super::boxes;
use super::movie::Movie;
use super::tree::Node;
use crate::cursor::Cursor;
use crate::metadata::{MAX_TRACKS, float};

/// Extended type of `tfxd` ([MS-SSTR] 2.2.4.4), which says when a fragment starts.
const TFXD: &[u8] = b"\x6d\x1d\x9b\x05\x42\xd5\x44\xe6\x80\xe2\x14\x1d\xaf\xf7\x57\xb2";

/// Times of a track's fragments in its timescale, and how many samples they hold.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Timeline {
    /// When the earliest of the fragments seen starts; `None` until one was seen, and where the first was jumped over.
    start: Option<i128>,
    is_start_unseen: bool,
    /// When the last sample ends, in the order of decoding.
    end: i128,
    /// How much later than it is decoded the first sample is shown.
    first_offset: Option<i128>,
    /// When the next sample is decoded, if its fragment does not say.
    next_decode_time: i128,
    /// Whether its latest fragment says when it starts, so that some may be jumped over.
    pub(super) is_absolute: bool,
    pub(super) samples: u64,
    pub(super) sample_ticks: u64,
}

impl Timeline {
    fn extend_to(&mut self, end: i128) {
        self.end = self.end.max(end);
    }

    fn begin_at(&mut self, start: i128) {
        if self.is_start_unseen {
            return;
        }
        self.start = Some(self.start.map_or(start, |earliest| earliest.min(start)));
    }

    /// Adds samples that all last as long.
    fn add_alike(&mut self, count: u64, duration: u32) {
        self.first_offset.get_or_insert(0);
        let ticks = count.saturating_mul(duration.into());
        self.next_decode_time += i128::from(ticks);
        self.samples = self.samples.saturating_add(count);
        self.sample_ticks = self.sample_ticks.saturating_add(ticks);
        if count > 0 {
            self.extend_to(self.next_decode_time);
        }
    }

    /// When the first fragment starts; `None` where it was not seen.
    pub(super) fn start_seconds(&self, timescale: u32) -> Option<f64> {
        self.start.map(|start| seconds(start, timescale))
    }

    /// How much later than it is decoded the first sample is shown.
    pub(super) fn offset_seconds(&self, timescale: u32) -> f64 {
        seconds(self.first_offset.filter(|_| !self.is_start_unseen).unwrap_or(0), timescale)
    }

    pub(super) fn end_seconds(&self, timescale: u32) -> f64 {
        seconds(self.end, timescale)
    }
}

/// A time on a track's timeline in seconds; 0 for one before it.
fn seconds(time: i128, timescale: u32) -> f64 {
    float(u64::try_from(time.max(0)).unwrap_or(u64::MAX)) / f64::from(timescale.max(1))
}

pub(super) type Timelines = BTreeMap<u32, Timeline>;

/// Notes that fragments are jumped over: of tracks not met so far, the first is among them.
pub(super) fn jump(movie: &Movie, timelines: &mut Timelines) {
    for track in movie.tracks.iter().filter(|track| track.samples.count == 0) {
        timelines.entry(track.id).or_insert_with(|| Timeline {
            is_absolute: true,
            is_start_unseen: true,
            ..Timeline::default()
        });
    }
}

/// Adds the samples of a `moof`. Fragments of tracks that the movie lacks are passed over, so hostile track ids
/// cost nothing.
pub(super) fn add_moof(moof: &Node, movie: &Movie, timelines: &mut Timelines) {
    for traf in moof.all(*b"traf") {
        // A track fragment that cannot be read says nothing of the others.
        let _ = add_traf(traf, movie, timelines);
    }
}

fn add_traf(traf: &Node, movie: &Movie, timelines: &mut Timelines) -> Option<()> {
    let (id, own_default) = parse_tfhd(traf.data(*b"tfhd")?)?;
    let track = movie.track(id)?;
    let default = own_default.or(movie.default_sample_durations.get(&id).copied()).unwrap_or(0);
    let timeline = timelines.entry(id).or_insert_with(|| Timeline {
        // Without a word of their own, fragments go on where the samples of the movie box end.
        next_decode_time: track.table_duration().into(),
        start: (track.samples.count > 0).then_some(0),
        ..Timeline::default()
    });
    let start = traf.data(*b"tfdt").and_then(parse_tfdt).or_else(|| {
        let mut boxes = traf.all(*b"uuid");
        boxes.find_map(|uuid| parse_tfxd(&uuid.data))
    });
    timeline.is_absolute = start.is_some();
    timeline.next_decode_time = start.unwrap_or(timeline.next_decode_time);
    timeline.begin_at(timeline.next_decode_time);
    for trun in traf.all(*b"trun") {
        let _ = add_trun(trun, default, timeline);
    }
    Some(())
}

/// Whether the body of a `moof` is one: its first box is an `mfhd`, and a track of `movie` has a fragment in it.
pub(super) fn is_moof_of(movie: &Movie, body: &[u8]) -> bool {
    // Other boxes than those of the tracks are few; bounded, because this is asked of bytes that may be no boxes.
    let mut boxes = boxes::children(body).take(3 * MAX_TRACKS);
    boxes.next().is_some_and(|(kind, data)| &kind == b"mfhd" && data.len() == 8)
        && boxes.filter(|(kind, _)| kind == b"traf").any(|(_, traf)| {
            let track = boxes::child(traf, *b"tfhd").and_then(parse_tfhd);
            track.is_some_and(|(id, _)| movie.track(id).is_some())
        })
}

/// Track id and default sample duration.
fn parse_tfhd(data: &[u8]) -> Option<(u32, Option<u32>)> {
    let mut fields = Cursor::new(data);
    let flags = fields.u32()?;
    let id = fields.u32()?;
    if flags & 1 != 0 {
        fields.skip(8)?;
    }
    if flags & 2 != 0 {
        fields.skip(4)?;
    }
    Some((id, if flags & 8 == 0 { None } else { Some(fields.u32()?) }))
}

/// Unsigned by the book; but some audio starts before zero, by the priming of its encoder, as a negative number.
fn parse_tfdt(data: &[u8]) -> Option<i128> {
    let mut fields = Cursor::new(data);
    let version = fields.u8()?;
    fields.skip(3)?;
    if version == 1 { fields.i64().map(i128::from) } else { fields.u32().map(i128::from) }
}

fn parse_tfxd(uuid: &[u8]) -> Option<i128> {
    parse_tfdt(uuid.strip_prefix(TFXD)?)
}

fn add_trun(trun: &Node, default: u32, timeline: &mut Timeline) -> Option<()> {
    let mut fields = Cursor::new(&trun.data);
    let flags = fields.u32()?;
    let count = u64::from(fields.u32()?);
    if flags & 1 != 0 {
        fields.skip(4)?;
    }
    if flags & 4 != 0 {
        fields.skip(4)?;
    }
    let has = |flag| flags & flag != 0;
    let (has_duration, has_offset) = (has(0x100), has(0x800));
    if !has_duration && !has_offset {
        // All samples are alike, so a count of any size takes no time.
        timeline.add_alike(count, default);
        return Some(());
    }
    let other_bytes = 4 * usize::from(has(0x200)) + 4 * usize::from(has(0x400));
    let entry_bytes = other_bytes + 4 * usize::from(has_duration) + 4 * usize::from(has_offset);
    let unread_bytes = trun.body_bytes.saturating_sub(trun.data.len() as u64);
    let entries = fields.rest().chunks_exact(entry_bytes);
    let (mut samples, mut ticks) = (0_u64, 0_u64);
    for entry in entries.take(usize::try_from(count).unwrap_or(usize::MAX)) {
        let mut fields = Cursor::new(entry);
        let duration = u64::from(if has_duration { fields.u32()? } else { default });
        fields.skip(other_bytes)?;
        // Version 0 says unsigned, but writers put negative offsets there too.
        let offset = i128::from(if has_offset { fields.i32()? } else { 0 });
        timeline.first_offset.get_or_insert(offset);
        timeline.next_decode_time += i128::from(duration);
        (samples, ticks) = (samples + 1, ticks.saturating_add(duration));
    }
    timeline.extend_to(timeline.next_decode_time);
    timeline.samples = timeline.samples.saturating_add(samples);
    timeline.sample_ticks = timeline.sample_ticks.saturating_add(ticks);
    // Of a run too long to be read whole, the rest lasts as its start does.
    let unread = (unread_bytes / entry_bytes as u64).min(count.saturating_sub(samples));
    timeline.add_alike(unread, u32::try_from(ticks.checked_div(samples)?).ok()?);
    Some(())
}

/// An index over the following segments of one track.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct SegmentIndex {
    track: u32,
    timescale: u32,
    start: u64,
    duration: u64,
    /// Where the last segment ends, counted from the end of the box.
    pub(super) end_offset: u64,
}

impl SegmentIndex {
    /// Reads a `sidx`; `None` when it indexes nothing.
    pub(super) fn parse(data: &[u8]) -> Option<Self> {
        let mut fields = Cursor::new(data);
        let version = fields.u8()?;
        fields.skip(3)?;
        let (track, timescale) = (fields.u32()?, fields.u32()?);
        let (start, first_offset) = if version == 0 {
            (fields.u32()?.into(), fields.u32()?.into())
        } else {
            (fields.u64()?, fields.u64()?)
        };
        fields.skip(2)?;
        let count = fields.u16()?;
        let (mut size, mut duration) = (0_u64, 0_u64);
        for _ in 0..count {
            size += u64::from(fields.u32()? & 0x7fff_ffff);
            duration += u64::from(fields.u32()?);
            fields.skip(4)?;
        }
        let end_offset = size.checked_add(first_offset)?;
        (timescale > 0 && duration > 0).then_some(Self { track, timescale, start, duration, end_offset })
    }

    /// Adds the time that the index covers, in place of its fragments.
    pub(super) fn add_to(&self, movie: &Movie, timelines: &mut Timelines) {
        let Some(track) = movie.track(self.track) else { return };
        let scaled = |time: u64| i128::from(time) * i128::from(track.timescale) / i128::from(self.timescale);
        let timeline = timelines
            .entry(self.track)
            .or_insert_with(|| Timeline { is_absolute: true, ..Timeline::default() });
        timeline.begin_at(scaled(self.start));
        timeline.next_decode_time = scaled(self.start.saturating_add(self.duration));
        timeline.extend_to(timeline.next_decode_time);
    }
}

/// Length of the `mfra` at the end of a file, by the `mfro` that is its last 16 bytes.
pub(super) fn parse_mfro(last: &[u8]) -> Option<u64> {
    let mut fields = Cursor::new(last);
    let size = fields.u32()?;
    let kind = fields.four_cc()?;
    fields.skip(4)?;
    (size == 16 && &kind == b"mfro").then_some(())?;
    fields.u32().map(u64::from)
}

/// The last fragment that an index of random access points (`tfra`) knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct AccessPoint {
    pub(super) track: u32,
    /// In the track's timescale.
    pub(super) time: u64,
    /// Where the fragment begins in the file.
    pub(super) moof_offset: u64,
}

/// Where to go on by the last access points of the tracks, within `range` of the file: at the last of them, or, where
/// fragments do not say when they start, at the first of them, because the points say it in their place.
pub(super) fn resume_at(
    points: &[AccessPoint],
    range: Range<u64>,
    movie: &Movie,
    timelines: &mut Timelines,
) -> Option<u64> {
    let points = || {
        points.iter().filter(|point| movie.track(point.track).is_some() && range.contains(&point.moof_offset))
    };
    if timelines.values().all(|timeline| timeline.is_absolute) {
        return points().map(|point| point.moof_offset).max();
    }
    let first = points().map(|point| point.moof_offset).min()?;
    for point in points().filter(|point| point.moof_offset == first) {
        let timeline = timelines.entry(point.track).or_default();
        timeline.next_decode_time = timeline.next_decode_time.max(point.time.into());
    }
    Some(first)
}

/// The access point that lies last in the file.
pub(super) fn last_access_point(tfra: &[u8]) -> Option<AccessPoint> {
    let mut fields = Cursor::new(tfra);
    let version = fields.u8()?;
    fields.skip(3)?;
    let track = fields.u32()?;
    let lengths = fields.u32()?;
    let numbers = (0..3).map(|shift| (lengths >> (2 * shift) & 3) as usize + 1).sum::<usize>();
    let count = fields.u32()?;
    let times = if version == 1 { 16 } else { 8 };
    let entries = fields.rest().chunks_exact(times + numbers).take(usize::try_from(count).ok()?);
    let point = |entry: &[u8]| {
        let mut fields = Cursor::new(entry);
        let (time, moof_offset) = if version == 1 {
            (fields.u64()?, fields.u64()?)
        } else {
            (fields.u32()?.into(), fields.u32()?.into())
        };
        Some(AccessPoint { track, time, moof_offset })
    };
    entries.filter_map(point).max_by_key(|point| point.moof_offset)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::float_cmp)]

    use super::super::boxes::tests::{boxed, full};
    use super::super::tree::tests::tree;
    use super::*;

    fn words(words: &[u32]) -> Vec<u8> {
        words.iter().flat_map(|word| word.to_be_bytes()).collect()
    }

    fn movie() -> Movie {
        let tkhd = full(*b"tkhd", 0, 0, words(&[0, 0, 1, 0, 0]));
        let mdhd = full(*b"mdhd", 0, 0, words(&[0, 0, 1000, 0, 0x55c4_0000]));
        let trak = boxed(*b"trak", [tkhd, boxed(*b"mdia", mdhd)].concat());
        let trex = full(*b"trex", 0, 0, words(&[1, 1, 40, 0, 0]));
        Movie::parse(&tree(&boxed(*b"moov", [trak, boxed(*b"mvex", trex)].concat())))
    }

    fn timeline(fragments: &[Vec<Vec<u8>>]) -> Timeline {
        let mut timelines = Timelines::new();
        for traf in fragments {
            let moof = boxed(*b"moof", boxed(*b"traf", traf.concat()));
            add_moof(&tree(&moof), &movie(), &mut timelines);
        }
        timelines.remove(&1).unwrap()
    }

    #[test]
    fn sample_durations_are_the_runs_the_fragments_or_the_movies() {
        let tfhd = full(*b"tfhd", 0, 8, words(&[1, 20]));
        let by_movie =
            timeline(&[vec![full(*b"tfhd", 0, 0, words(&[1])), full(*b"trun", 0, 0, words(&[25]))]]);
        assert_eq!((by_movie.samples, by_movie.end_seconds(1000)), (25, 1.0));
        let by_fragment = timeline(&[vec![tfhd.clone(), full(*b"trun", 0, 0, words(&[25]))]]);
        assert_eq!(by_fragment.end_seconds(1000), 0.5);
        let by_run = timeline(&[vec![tfhd, full(*b"trun", 0, 0x101, words(&[2, 99, 10, 30]))]]);
        assert_eq!((by_run.samples, by_run.sample_ticks, by_run.end_seconds(1000)), (2, 40, 0.04));
    }

    #[test]
    fn times_go_on_or_are_said() {
        let head = || full(*b"tfhd", 0, 0x0a, words(&[1, 1, 100]));
        let run = || full(*b"trun", 0, 0, words(&[10]));
        let going_on = timeline(&[vec![head(), run()], vec![head(), run()]]);
        assert_eq!((going_on.end_seconds(1000), going_on.is_absolute), (2.0, false));
        let tfdt = full(*b"tfdt", 1, 0, 10_000_u64.to_be_bytes());
        let tfxd = boxed(*b"uuid", [TFXD, &[1, 0, 0, 0], &10_000_u64.to_be_bytes(), &[0; 8]].concat());
        for said in [tfdt, tfxd] {
            let jumped = timeline(&[vec![head(), run()], vec![head(), said, run()]]);
            assert_eq!((jumped.end_seconds(1000), jumped.is_absolute), (11.0, true));
            assert_eq!(jumped.start_seconds(1000), Some(0.0));
        }
    }

    #[test]
    fn audio_may_start_before_zero() {
        let head = full(*b"tfhd", 0, 0, words(&[1]));
        let tfdt = full(*b"tfdt", 1, 0, (-40_i64).to_be_bytes());
        let started = timeline(&[vec![head, tfdt, full(*b"trun", 0, 0, words(&[26]))]]);
        assert_eq!(started.end_seconds(1000), 1.0);
    }

    #[test]
    fn the_first_sample_may_be_shown_later_than_it_is_decoded() {
        let head = full(*b"tfhd", 0, 0, words(&[1]));
        let run = full(*b"trun", 0, 0x800, words(&[3, 80, 200, 0]));
        let shown = timeline(&[vec![head, run]]);
        assert_eq!((shown.start_seconds(1000), shown.offset_seconds(1000)), (Some(0.0), 0.08));
        assert_eq!(shown.end_seconds(1000), 0.12);
    }

    #[test]
    fn an_index_covers_what_it_says() {
        let sidx = full(*b"sidx", 0, 0, words(&[1, 500, 100, 8, 2, 1000, 250, 0, 2000, 150, 0]));
        let index = SegmentIndex::parse(&sidx[8..]).unwrap();
        assert_eq!(index.end_offset, 3008);
        let mut timelines = Timelines::new();
        index.add_to(&movie(), &mut timelines);
        assert_eq!((timelines[&1].start_seconds(1000), timelines[&1].end_seconds(1000)), (Some(0.2), 1.0));
        assert_eq!(SegmentIndex::parse(&full(*b"sidx", 0, 0, words(&[1, 500, 0, 0, 3, 1]))[8..]), None);
    }

    #[test]
    fn random_access_tables_name_the_last_fragment() {
        // Lengths: 1 byte each for traf, trun and sample number.
        let short = words(&[0, 1, 0, 2, 0, 500, 0x0101_0100, 0x0009_0000, 0x0101_0100]);
        let point = |time, moof_offset| Some(AccessPoint { track: 1, time, moof_offset });
        assert_eq!(last_access_point(&short[..16 + 8 + 3]), point(0, 500));
        let mut long = words(&[0x0100_0000, 1, 0, 1]);
        long.extend([0; 8]);
        long.extend(7_000_000_000_u64.to_be_bytes());
        long.extend([1; 3]);
        assert_eq!(last_access_point(&long), point(0, 7_000_000_000));
        assert_eq!(last_access_point(&words(&[0, 1, 0, u32::MAX])), None);
        assert_eq!(parse_mfro(&full(*b"mfro", 0, 0, words(&[105]))), Some(105));
        assert_eq!(parse_mfro(&[0; 16]), None);
    }

    #[test]
    fn counts_of_two_to_the_32_cost_nothing() {
        let head = || full(*b"tfhd", 0, 8, words(&[1, u32::MAX]));
        let alike = timeline(&[vec![head(), full(*b"trun", 0, 0, words(&[u32::MAX]))]]);
        assert_eq!(alike.samples, u64::from(u32::MAX));
        let cut = timeline(&[vec![head(), full(*b"trun", 0, 0x100, words(&[u32::MAX, 5]))]]);
        assert_eq!(cut.samples, 1);
    }
}
