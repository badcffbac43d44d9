//! A track of the movie: the `trak` box (ISO/IEC 14496-12 clauses 8.3 to 8.7).

use super::boxes::{FourCc, child};
use super::entry::SampleEntry;
use super::language;
use super::sample_table::SampleTable;
use super::tree::Node;
use crate::cursor::Cursor;
use crate::metadata::float;

/// The transformation matrix of `tkhd` and `mvhd`: a, b, u, c, d, v, x, y, w.
pub(super) type Matrix = [i32; 9];

/// One entry of an edit list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Edit {
    /// In the movie's timescale.
    segment_duration: u64,
    /// In the track's timescale; `None` for an empty edit, which only waits.
    media_time: Option<u64>,
}

#[derive(Debug)]
pub(super) struct Track {
    pub(super) id: u32,
    pub(super) language: Option<String>,
    /// Units per second of everything about the media's time; never 0.
    pub(super) timescale: u32,
    media_duration: Option<u64>,
    edits: Vec<Edit>,
    pub(super) matrix: Option<Matrix>,
    /// Width and height at which the track is shown, in pixels.
    pub(super) display_size: (u32, u32),
    pub(super) entry: SampleEntry,
    pub(super) samples: SampleTable,
    /// Tracks that hold this one's chapter titles or pictures.
    pub(super) chapter_tracks: Vec<u32>,
}

impl Track {
    /// Reads a `trak`; `None` when it lacks what no track can be without.
    pub(super) fn parse(node: &Node) -> Option<Self> {
        let media = node.child(*b"mdia")?;
        let (id, matrix, display_size) = parse_tkhd(node.data(*b"tkhd")?)?;
        let (timescale, media_duration, language_code) = parse_mdhd(media.data(*b"mdhd")?)?;
        let handler = parse_handler(media.data(*b"hdlr").unwrap_or_default());
        let table = media.child(*b"minf").and_then(|minf| minf.child(*b"stbl"));
        let edits = node.child(*b"edts").and_then(|edts| edts.data(*b"elst"));
        Some(Self {
            id,
            language: language::name(language_code, media.data(*b"elng")),
            timescale,
            media_duration,
            edits: edits.and_then(parse_elst).unwrap_or_default(),
            matrix,
            display_size,
            entry: SampleEntry::parse(
                handler,
                table.and_then(|table| table.data(*b"stsd")).unwrap_or_default(),
            ),
            samples: table.map(SampleTable::parse).unwrap_or_default(),
            chapter_tracks: parse_chapters(node.data(*b"tref").unwrap_or_default()),
        })
    }

    /// Duration of the samples in the movie box, in the track's timescale: the shorter of what header and time table
    /// say, because either may be left at nothing or be too long.
    pub(super) fn sample_duration(&self) -> u64 {
        let table = self.samples.duration.filter(|duration| *duration > 0);
        match (self.media_duration.filter(|duration| *duration > 0), table) {
            (Some(header), Some(table)) => header.min(table),
            (header, table) => header.or(table).unwrap_or(0),
        }
    }

    /// How long the samples in the movie box last by their time table, which knows better than the header what frames
    /// last on average, and where fragments go on.
    pub(super) fn table_duration(&self) -> u64 {
        self.samples.duration.filter(|duration| *duration > 0).unwrap_or_else(|| self.sample_duration())
    }

    /// When the track starts and ends, in seconds, by its samples and edit list; `None` without samples.
    pub(super) fn presentation(&self, movie_timescale: u32) -> Option<(f64, f64)> {
        let total = self.sample_duration();
        if total == 0 {
            return None;
        }
        let start = self.initial_delay(movie_timescale);
        let seconds = self.seconds(total);
        let mut shown = 0.0;
        for edit in &self.edits {
            let Some(media_time) = edit.media_time else { continue };
            let segment = float(edit.segment_duration) / f64::from(movie_timescale.max(1));
            // Reordered pictures are shown later than their media times run, so an edit may reach that much
            // further than the samples do: only what is longer than all of them is cut.
            shown += if edit.segment_duration == 0 {
                (seconds - self.seconds(media_time)).max(0.0)
            } else {
                segment.min(seconds)
            };
        }
        // Without edits, and with ones that show nothing, all of it is shown.
        Some((start, start + if shown > 0.0 { shown } else { seconds }))
    }

    /// What to add to a media time in seconds to get the time at which it is shown.
    pub(super) fn presentation_shift(&self, movie_timescale: u32) -> f64 {
        let first = self.edits.iter().find_map(|edit| edit.media_time).unwrap_or(0);
        self.initial_delay(movie_timescale) - self.seconds(first)
    }

    fn initial_delay(&self, movie_timescale: u32) -> f64 {
        let waiting = self.edits.iter().take_while(|edit| edit.media_time.is_none());
        let delay = waiting.map(|edit| edit.segment_duration).fold(0, u64::saturating_add);
        float(delay) / f64::from(movie_timescale.max(1))
    }

    pub(super) fn seconds(&self, media_time: u64) -> f64 {
        float(media_time) / f64::from(self.timescale)
    }
}

fn parse_tkhd(data: &[u8]) -> Option<(u32, Option<Matrix>, (u32, u32))> {
    let mut fields = Cursor::new(data);
    let version = fields.u8()?;
    fields.skip(3 + if version == 1 { 16 } else { 8 })?;
    let id = fields.u32()?;
    fields.skip(4 + if version == 1 { 8 } else { 4 })?;
    // What follows only shapes the picture: a header cut short must not lose the track.
    let _ = fields.skip(16);
    let matrix = parse_matrix(&mut fields);
    let display_size =
        fields.u32().zip(fields.u32()).map_or((0, 0), |(width, height)| (width >> 16, height >> 16));
    Some((id, matrix, display_size))
}

pub(super) fn parse_matrix(fields: &mut Cursor<'_>) -> Option<Matrix> {
    let mut matrix = [0; 9];
    for value in &mut matrix {
        *value = fields.i32()?;
    }
    Some(matrix)
}

fn parse_mdhd(data: &[u8]) -> Option<(u32, Option<u64>, u16)> {
    let mut fields = Cursor::new(data);
    let version = fields.u8()?;
    fields.skip(3 + if version == 1 { 16 } else { 8 })?;
    let timescale = fields.u32()?.max(1);
    let duration = parse_duration(&mut fields, version);
    Some((timescale, duration, fields.u16().unwrap_or(language::UNSPECIFIED)))
}

/// A duration of 4 or 8 bytes; all ones mean that it is not known.
pub(super) fn parse_duration(fields: &mut Cursor<'_>, version: u8) -> Option<u64> {
    if version == 1 {
        fields.u64().filter(|duration| *duration != u64::MAX)
    } else {
        fields.u32().filter(|duration| *duration != u32::MAX).map(u64::from)
    }
}

fn parse_handler(data: &[u8]) -> FourCc {
    let mut fields = Cursor::new(data);
    fields.skip(8).and_then(|()| fields.four_cc()).unwrap_or_default()
}

fn parse_elst(data: &[u8]) -> Option<Vec<Edit>> {
    let mut fields = Cursor::new(data);
    let version = fields.u8()?;
    fields.skip(3)?;
    let count = fields.u32()?;
    let mut edits = Vec::new();
    // The box ends long before a count that lies.
    for _ in 0..count {
        let (segment_duration, media_time) = if version == 1 {
            let Some(pair) = fields.u64().zip(fields.i64()) else { break };
            pair
        } else {
            let Some((duration, time)) = fields.u32().zip(fields.i32()) else { break };
            (duration.into(), time.into())
        };
        edits.push(Edit { segment_duration, media_time: u64::try_from(media_time).ok() });
        if fields.skip(4).is_none() {
            break;
        }
    }
    Some(edits)
}

fn parse_chapters(tref: &[u8]) -> Vec<u32> {
    let Some(ids) = child(tref, *b"chap") else { return Vec::new() };
    ids.chunks_exact(4).filter_map(|id| Cursor::new(id).u32()).take(64).collect()
}

/// Degrees clockwise that the matrices of track and movie turn the picture together, 0–359.
///
/// As in `ffprobe` a mirrored picture counts as turned by what its first column says.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the value is within 0..360")]
pub(super) fn rotation(track: Option<Matrix>, movie: Option<Matrix>) -> u16 {
    const IDENTITY: [f64; 4] = [1.0, 0.0, 0.0, 1.0];
    let linear = |matrix: Option<Matrix>| {
        matrix.map_or(IDENTITY, |matrix| {
            [matrix[0], matrix[1], matrix[3], matrix[4]].map(|v| f64::from(v) / 65_536.0)
        })
    };
    let (track, movie) = (linear(track), linear(movie));
    let product = |row: usize, column: usize| track[row] * movie[column] + track[row + 1] * movie[column + 2];
    let (a, b, c, d) = (product(0, 0), product(0, 1), product(2, 0), product(2, 1));
    let (scale_x, scale_y) = (a.hypot(c), b.hypot(d));
    if scale_x == 0.0 || scale_y == 0.0 {
        return 0;
    }
    let degrees = (b / scale_y).atan2(a / scale_x).to_degrees().round();
    degrees.rem_euclid(360.0) as u16
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    const ONE: i32 = 0x1_0000;

    fn matrix(a: i32, b: i32, c: i32, d: i32) -> Matrix {
        [a, b, 0, c, d, 0, 0, 0, 0x4000_0000]
    }

    fn track(timescale: u32, media_duration: u64, edits: &[(u64, i64)]) -> Track {
        Track {
            id: 1,
            language: None,
            timescale,
            media_duration: Some(media_duration),
            edits: edits
                .iter()
                .map(|&(segment_duration, media_time)| Edit {
                    segment_duration,
                    media_time: u64::try_from(media_time).ok(),
                })
                .collect(),
            matrix: None,
            display_size: (0, 0),
            entry: SampleEntry::Other,
            samples: SampleTable::default(),
            chapter_tracks: Vec::new(),
        }
    }

    #[test]
    fn matrices_turn_clockwise() {
        assert_eq!(rotation(None, None), 0);
        assert_eq!(rotation(Some(matrix(ONE, 0, 0, ONE)), None), 0);
        assert_eq!(rotation(Some(matrix(0, ONE, -ONE, 0)), None), 90);
        assert_eq!(rotation(Some(matrix(-ONE, 0, 0, -ONE)), None), 180);
        assert_eq!(rotation(Some(matrix(0, -ONE, ONE, 0)), None), 270);
        assert_eq!(rotation(Some(matrix(0, ONE, -ONE, 0)), Some(matrix(0, ONE, -ONE, 0))), 180);
        assert_eq!(rotation(Some(matrix(0, 0, 0, 0)), None), 0);
        assert_eq!(rotation(Some(matrix(i32::MIN, i32::MIN, i32::MIN, i32::MAX)), None), 225);
    }

    #[test]
    fn track_headers_have_two_versions() {
        let mut short = vec![0; 4 + 8];
        short.extend([0, 0, 0, 7]);
        short.extend([0; 4 + 4 + 16]);
        let mut long = vec![1, 0, 0, 0];
        long.extend([0; 16]);
        long.extend([0, 0, 0, 7]);
        long.extend([0; 4 + 8 + 16]);
        for mut data in [short, long] {
            for value in matrix(0, ONE, -ONE, 0) {
                data.extend(value.to_be_bytes());
            }
            data.extend([0x02, 0x80, 0, 0, 0x01, 0x68, 0, 0]);
            assert_eq!(parse_tkhd(&data), Some((7, Some(matrix(0, ONE, -ONE, 0)), (640, 360))));
        }
    }

    #[test]
    fn media_headers_have_two_versions_and_unknown_durations() {
        let short = [&[0; 12][..], &[0, 0, 0x75, 0x30], &[0, 1, 0xd5, 0x38], &[0x55, 0xc4, 0, 0]].concat();
        assert_eq!(parse_mdhd(&short), Some((30_000, Some(120_120), 0x55c4)));
        let long = [&[1][..], &[0; 19], &[0, 0x98, 0x96, 0x80], &[0xff; 8], &[0x15, 0xc7]].concat();
        assert_eq!(parse_mdhd(&long), Some((10_000_000, None, 0x15c7)));
        let zero = [0; 24];
        assert_eq!(parse_mdhd(&zero), Some((1, Some(0), 0)));
    }

    #[test]
    fn of_header_and_time_table_the_shorter_counts() {
        let duration = |header: Option<u64>, table: Option<u64>| {
            let samples = SampleTable { duration: table, ..SampleTable::default() };
            let track = Track { media_duration: header, samples, ..track(100, 0, &[]) };
            (track.sample_duration(), track.table_duration())
        };
        assert_eq!(duration(Some(900), Some(1000)), (900, 1000));
        assert_eq!(duration(Some(1000), Some(900)), (900, 900));
        for (header, table) in
            [(Some(900), None), (Some(900), Some(0)), (None, Some(900)), (Some(0), Some(900))]
        {
            assert_eq!(duration(header, table), (900, 900), "{header:?} {table:?}");
        }
        assert_eq!(duration(None, Some(0)), (0, 0));
    }

    #[test]
    fn edits_cut_and_delay() {
        // Samples of 10 s; the movie counts in milliseconds.
        let shown = |edits: &[(u64, i64)]| track(100, 1000, edits).presentation(1000).unwrap();
        assert_eq!(shown(&[]), (0.0, 10.0));
        assert_eq!(shown(&[(4000, 200)]), (0.0, 4.0));
        assert_eq!(shown(&[(500, -1), (0, 200)]), (0.5, 8.5));
        assert_eq!(shown(&[(60_000, 200)]), (0.0, 10.0));
        assert_eq!(shown(&[(1000, 0), (2000, 500)]), (0.0, 3.0));
        // An edit that begins beyond the samples shows nothing and is not believed.
        assert_eq!(shown(&[(0, 5000)]), (0.0, 10.0));
        assert_eq!(track(100, 0, &[]).presentation(1000), None);
        assert_eq!(
            track(100, u64::MAX, &[(u64::MAX, -1), (u64::MAX, -1)]).presentation(0).map(|_| ()),
            Some(())
        );
    }

    #[test]
    fn a_count_that_lies_ends_with_the_box() {
        let mut data = vec![0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff];
        data.extend([0, 0, 0, 9, 0xff, 0xff, 0xff, 0xff, 0, 1, 0, 0]);
        let edit = Edit { segment_duration: 9, media_time: None };
        assert_eq!(parse_elst(&data), Some(vec![edit]));
    }
}
