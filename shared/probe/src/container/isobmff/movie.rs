//! The `moov` box: what the movie says of itself and of its tracks, and how that becomes [`Metadata`].

use std::collections::BTreeMap;

use super::entry::SampleEntry;
use super::fragment::Timeline;
use super::tags;
use super::track::{Matrix, Track, parse_duration, parse_matrix, rotation};
use super::tree::Node;
use super::video_entry::VideoEntry;
use crate::cursor::Cursor;
use crate::metadata::{
    AudioTrack, CoverArt, MAX_TRACKS, Metadata, SubtitleTrack, Tags, VideoTrack, bit_rate, float, frame_rate,
};
use crate::tags::created_at_unix;

/// Seconds from 1904-01-01, which the format counts from, to 1970-01-01.
const EPOCH_1904: u64 = 2_082_844_800;
/// Fragments that start later than this run on the clock of a live stream, not on that of a film: the packagers of
/// films start at zero, or at 10 seconds to leave room below.
const LIVE_START_SECONDS: f64 = 60.0;
const FORMAT_NAME: &str = "mov,mp4,m4a,3gp,3g2,mj2";

#[derive(Default)]
pub(super) struct Movie {
    timescale: u32,
    duration: Option<u64>,
    created_at: Option<String>,
    matrix: Option<Matrix>,
    pub(super) tracks: Vec<Track>,
    /// Whether fragments may follow: there is an `mvex`.
    pub(super) is_extended: bool,
    /// Duration with all fragments, in the movie's timescale, where the writer knew it.
    fragment_duration: Option<u64>,
    /// Default duration of a sample in a fragment, by track.
    pub(super) default_sample_durations: BTreeMap<u32, u32>,
    tags: Tags,
    cover_art: Vec<CoverArt>,
}

/// What the walk through the file found besides the movie.
pub(super) struct Layout {
    pub(super) size_bytes: u64,
    pub(super) fast_start: bool,
    pub(super) fragmented: bool,
    pub(super) truncated: bool,
    /// Times of the fragments by track.
    pub(super) timelines: BTreeMap<u32, Timeline>,
    pub(super) coverage: Coverage,
}

/// How much of the fragments was seen.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Coverage {
    /// The last one too, so the end of the timelines is known.
    Whole,
    /// Not the last one, because the movie box itself says how long all of them last.
    SaidByMovie,
    /// Not the last one, because a bound was met. The whole is so many times as long, in bytes, as what was seen.
    Part { whole_by_seen: f64 },
}

impl Movie {
    pub(super) fn parse(moov: &Node) -> Self {
        let mut movie = Self {
            timescale: 1,
            tags: tags::collect(moov),
            cover_art: tags::cover_art(moov),
            ..Self::default()
        };
        // A broken header loses the times and the turn, not the tracks.
        let _ = movie.read_mvhd(moov.data(*b"mvhd").unwrap_or_default());
        movie.tracks = moov.all(*b"trak").filter_map(Track::parse).take(3 * MAX_TRACKS).collect();
        if let Some(mvex) = moov.child(*b"mvex") {
            movie.is_extended = true;
            movie.fragment_duration =
                mvex.data(*b"mehd").and_then(parse_mehd).filter(|duration| *duration > 0);
            movie.default_sample_durations =
                mvex.all(*b"trex").filter_map(|trex| parse_trex(&trex.data)).collect();
        }
        movie
    }

    fn read_mvhd(&mut self, data: &[u8]) -> Option<()> {
        let mut fields = Cursor::new(data);
        let version = fields.u8()?;
        fields.skip(3)?;
        let created = if version == 1 { fields.u64()? } else { fields.u32()?.into() };
        fields.skip(if version == 1 { 8 } else { 4 })?;
        self.created_at = creation_time(created);
        self.timescale = fields.u32()?.max(1);
        self.duration = parse_duration(&mut fields, version);
        fields.skip(16)?;
        self.matrix = parse_matrix(&mut fields);
        Some(())
    }

    /// Whether the movie box itself says how long all fragments last.
    pub(super) fn knows_fragment_duration(&self) -> bool {
        self.fragment_duration.is_some()
    }

    pub(super) fn has_samples(&self) -> bool {
        self.tracks.iter().any(|track| track.samples.count > 0)
    }

    /// The track of this id.
    pub(super) fn track(&self, id: u32) -> Option<&Track> {
        self.tracks.iter().find(|track| track.id == id)
    }

    pub(super) fn into_metadata(self, layout: &Layout) -> Metadata {
        let mut metadata = Metadata::new("mp4", FORMAT_NAME, layout.size_bytes);
        metadata.set_duration(self.duration_seconds(layout));
        metadata.fast_start = layout.fast_start;
        metadata.fragmented = layout.fragmented;
        metadata.truncated = layout.truncated;
        metadata.created_at.clone_from(&self.created_at);
        // Chapter titles and pictures are no subtitles and no video.
        let chapters: Vec<u32> =
            self.tracks.iter().flat_map(|track| track.chapter_tracks.iter().copied()).collect();
        for track in self.tracks.iter().filter(|track| !chapters.contains(&track.id)) {
            self.list(track, layout, &mut metadata);
        }
        metadata.tags = self.tags.into_map();
        metadata.cover_art = self.cover_art;
        metadata
    }

    fn list(&self, track: &Track, layout: &Layout, metadata: &mut Metadata) {
        match &track.entry {
            SampleEntry::Video(entry) if metadata.video.len() < MAX_TRACKS => {
                metadata.video.push(self.video_track(track, entry, layout.timelines.get(&track.id)));
            }
            SampleEntry::Audio(entry) if metadata.audio.len() < MAX_TRACKS => {
                metadata.audio.push(AudioTrack {
                    codec: entry.codec.to_owned(),
                    codec_string: entry.codec_string.clone(),
                    profile: entry.profile.clone(),
                    channels: entry.channels,
                    sample_rate: entry.sample_rate,
                    bit_rate: track_bit_rate(track, layout.timelines.get(&track.id), entry.bit_rate),
                    language: track.language.clone(),
                });
            }
            SampleEntry::Subtitle { codec } if metadata.subtitles.len() < MAX_TRACKS => {
                metadata
                    .subtitles
                    .push(SubtitleTrack { codec: (*codec).to_owned(), language: track.language.clone() });
            }
            _ => {}
        }
    }

    fn video_track(&self, track: &Track, entry: &VideoEntry, timeline: Option<&Timeline>) -> VideoTrack {
        let (mut frames, mut ticks) = (track.samples.count, track.table_duration());
        if let Some(timeline) = timeline {
            frames = frames.saturating_add(timeline.samples);
            ticks = ticks.saturating_add(timeline.sample_ticks);
        }
        if frames == 0 {
            // An initialisation segment may still say how long a frame lasts.
            let default = self.default_sample_durations.get(&track.id).copied().unwrap_or(0);
            (frames, ticks) = (1, default.into());
        }
        let (width, height) = if entry.width == 0 || entry.height == 0 {
            track.display_size
        } else {
            (entry.width, entry.height)
        };
        VideoTrack {
            codec: entry.codec.to_owned(),
            codec_string: entry.codec_string.clone(),
            profile: entry.profile.clone(),
            level: entry.level,
            width,
            height,
            rotation: rotation(track.matrix, self.matrix),
            display_aspect_ratio: entry.display_aspect_ratio(track.display_size),
            frame_rate: frame_rate(frames, track.seconds(ticks)),
            bit_rate: track_bit_rate(track, timeline, entry.bit_rate),
            color: entry.color.clone(),
            hdr: entry.hdr,
        }
    }

    /// What the movie's header says, as `ffprobe` has it. Where it says nothing, and where there may be fragments, of
    /// which it does not know: from the first picture or sound to the end of the last, by the tracks' own tables and
    /// fragments.
    fn duration_seconds(&self, layout: &Layout) -> f64 {
        if !self.is_extended && self.duration.is_some_and(|duration| duration > 0) {
            return self.in_seconds(self.duration);
        }
        let scale = match layout.coverage {
            Coverage::Part { whole_by_seen } if layout.fragmented && !self.knows_fragment_duration() => {
                whole_by_seen
            }
            Coverage::SaidByMovie | Coverage::Part { .. } if layout.fragmented => {
                return self.in_seconds(self.fragment_duration);
            }
            _ => 1.0,
        };
        let mut played: Option<Span> = None;
        let mut subtitles_end = 0.0_f64;
        for track in &self.tracks {
            let Some(span) = self.span(track, layout) else { continue };
            match track.entry {
                SampleEntry::Video(_) | SampleEntry::Audio(_) => {
                    played = Some(played.map_or(span, |played| played.or(span)));
                }
                SampleEntry::Subtitle { .. } => subtitles_end = subtitles_end.max(span.end),
                SampleEntry::Other => {}
            }
        }
        if let Some(played) = played.filter(|played| played.end > played.start) {
            // As ffprobe has it, subtitles may hang over a little; longer ones are taken for an error.
            let hangs_over = subtitles_end > played.end && subtitles_end - played.end < 1.0;
            let end = if hangs_over { subtitles_end } else { played.end };
            // What is not seen makes the tracks longer, not what they wait for at the start.
            return (end - played.start).max(played.longest) + played.longest * (scale - 1.0);
        }
        self.in_seconds(self.fragment_duration)
    }

    fn in_seconds(&self, movie_time: Option<u64>) -> f64 {
        float(movie_time.unwrap_or(0)) / f64::from(self.timescale.max(1))
    }

    fn span(&self, track: &Track, layout: &Layout) -> Option<Span> {
        let Some(timeline) = layout.timelines.get(&track.id) else {
            let (start, end) = track.presentation(self.timescale)?;
            return Some(Span { start, end, longest: end - start });
        };
        // Fragments are counted from the zero of their timeline, as players and ffprobe do, even if the first of them
        // starts some seconds later; but the zero of a live clock is long before them.
        let start = timeline.start_seconds(track.timescale).or(self.earliest_fragment(layout)).unwrap_or(0.0);
        let counted_from = if start > LIVE_START_SECONDS { start } else { 0.0 };
        let end = timeline.end_seconds(track.timescale);
        if end <= 0.0 {
            return None;
        }
        let longest = (end - counted_from).max(0.0);
        let offset = timeline.offset_seconds(track.timescale) + track.presentation_shift(self.timescale);
        Some(Span { start: start + offset, end: start + offset + longest, longest })
    }

    /// When the earliest of the first fragments that were seen starts.
    fn earliest_fragment(&self, layout: &Layout) -> Option<f64> {
        let starts = layout.timelines.iter().filter_map(|(id, timeline)| {
            self.track(*id).and_then(|track| timeline.start_seconds(track.timescale))
        });
        starts.min_by(f64::total_cmp)
    }
}

/// When tracks are shown, and how long the longest of them lasts, in seconds.
#[derive(Clone, Copy, Debug)]
struct Span {
    start: f64,
    end: f64,
    longest: f64,
}

impl Span {
    fn or(self, other: Self) -> Self {
        Self {
            start: self.start.min(other.start),
            end: self.end.max(other.end),
            longest: self.longest.max(other.longest),
        }
    }
}

/// Average of a track: by its sizes where all are known, else what its sample entry claims.
fn track_bit_rate(track: &Track, timeline: Option<&Timeline>, claimed: Option<u64>) -> Option<u64> {
    let seconds = track.seconds(track.sample_duration());
    let size_bytes = track.samples.size_bytes.filter(|_| timeline.is_none());
    let measured = size_bytes.map(|size| bit_rate(size, seconds));
    measured.filter(|bit_rate| *bit_rate > 0).or(claimed)
}

fn parse_mehd(data: &[u8]) -> Option<u64> {
    let mut fields = Cursor::new(data);
    let version = fields.u8()?;
    fields.skip(3)?;
    parse_duration(&mut fields, version)
}

fn parse_trex(data: &[u8]) -> Option<(u32, u32)> {
    let mut fields = Cursor::new(data);
    fields.skip(4)?;
    let track = fields.u32()?;
    fields.skip(4)?;
    Some((track, fields.u32()?))
}

/// Seconds since 1904, or since 1970 as some writers have it: no recording is older than 1970.
fn creation_time(seconds: u64) -> Option<String> {
    let since_1970 = seconds.checked_sub(EPOCH_1904).unwrap_or(seconds);
    if seconds == 0 {
        return None;
    }
    created_at_unix(i64::try_from(since_1970).ok()?)
}

#[cfg(test)]
mod tests {
    use super::super::boxes::tests::{boxed, full};
    use super::super::tree::tests::tree;
    use super::*;

    #[test]
    fn creation_times_count_from_1904_or_1970() {
        assert_eq!(creation_time(0xe25e_3259).as_deref(), Some("2024-05-06T07:08:09Z"));
        assert_eq!(creation_time(1_715_000_000).as_deref(), Some("2024-05-06T12:53:20Z"));
        assert_eq!(creation_time(0), None);
        assert_eq!(creation_time(u64::MAX), None);
    }

    #[test]
    fn movie_headers_have_two_versions() {
        let short =
            [&[0xe2, 0x5e, 0x32, 0x59, 0, 0, 0, 0][..], &[0, 0, 3, 0xe8], &[0, 0, 0x27, 0x10]].concat();
        let long =
            [&[0; 4][..], &[0xe2, 0x5e, 0x32, 0x59], &[0; 8], &[0, 0, 3, 0xe8], &[0; 6], &[0x27, 0x10]]
                .concat();
        for mvhd in [full(*b"mvhd", 0, 0, short), full(*b"mvhd", 1, 0, long)] {
            let movie = Movie::parse(&tree(&boxed(*b"moov", mvhd)));
            assert_eq!((movie.timescale, movie.duration), (1000, Some(10_000)));
            assert_eq!(movie.created_at.as_deref(), Some("2024-05-06T07:08:09Z"));
        }
    }

    #[test]
    fn the_header_says_how_long_it_lasts_unless_there_may_be_fragments() {
        let duration = |extra: Vec<u8>| {
            let mvhd = full(*b"mvhd", 0, 0, [[0; 4], [0; 4], [0, 0, 0, 10], [0, 0, 0, 25]].concat());
            let movie = Movie::parse(&tree(&boxed(*b"moov", [mvhd, extra].concat())));
            movie.duration_seconds(&Layout {
                size_bytes: 1,
                fast_start: true,
                fragmented: false,
                truncated: false,
                timelines: BTreeMap::new(),
                coverage: Coverage::Whole,
            })
        };
        assert!((duration(Vec::new()) - 2.5).abs() < 1e-9);
        assert!(duration(boxed(*b"mvex", [])).abs() < 1e-9);
    }

    #[test]
    fn fragment_defaults_are_by_track() {
        let mehd = full(*b"mehd", 1, 0, [0, 0, 0, 0, 0, 0, 4, 0]);
        let trex = full(*b"trex", 0, 0, [0, 0, 0, 3, 0, 0, 0, 1, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
        let moov = boxed(*b"moov", boxed(*b"mvex", [mehd, trex].concat()));
        let movie = Movie::parse(&tree(&moov));
        assert!(movie.is_extended);
        assert_eq!(movie.fragment_duration, Some(1024));
        assert_eq!(movie.default_sample_durations, BTreeMap::from([(3, 512)]));
    }
}
