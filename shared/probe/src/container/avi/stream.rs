//! A stream of an AVI file: its header, its format, and the start of its media data.

use super::dv;
use crate::codec;
use crate::codec::bitmap::Bitmap;
use crate::codec::wave_format::WaveFormat;
use crate::container::first_frame::{complete_audio, complete_video};
use crate::cursor::Cursor;
use crate::metadata::{Metadata, SubtitleTrack, VideoTrack, aspect_ratio, frame_rate};

const DEFAULT_FRAMES_PER_SECOND: u32 = 25;

/// The stream header (`strh`).
#[derive(Debug, PartialEq, Eq)]
pub(super) struct StreamHeader {
    kind: [u8; 4],
    handler: [u8; 4],
    /// A time unit is `scale / rate` seconds. Neither is 0.
    scale: u32,
    rate: u32,
    /// In time units.
    length: u32,
    /// 0 where samples differ in size, and for video.
    sample_size: u32,
}

impl StreamHeader {
    pub(super) fn parse(body: &[u8], microseconds_per_frame: u32) -> Option<Self> {
        let mut fields = Cursor::new(body);
        let (kind, handler) = (fields.four_cc()?, fields.four_cc()?);
        // Flags, priority, language and initial frames.
        fields.skip(4 + 2 + 2 + 4)?;
        let (mut scale, mut rate) = (fields.u32_le()?, fields.u32_le()?);
        if scale == 0 || rate == 0 {
            (scale, rate) = match microseconds_per_frame {
                0 => (1, DEFAULT_FRAMES_PER_SECOND),
                microseconds => (microseconds, 1_000_000),
            };
        }
        fields.skip(4)?;
        let length = fields.u32_le()?;
        // Buffer size and quality.
        fields.skip(4 + 4)?;
        let sample_size = if &kind == b"vids" { 0 } else { fields.u32_le().unwrap_or_default() };
        // Padding, in a place for a stream.
        (&kind != b"pads").then_some(Self { kind, handler, scale, rate, length, sample_size })
    }

    fn seconds(&self) -> f64 {
        f64::from(self.length) * f64::from(self.scale) / f64::from(self.rate)
    }
}

/// A stream with all that is known of it.
pub(super) struct Stream {
    header: StreamHeader,
    format: Vec<u8>,
    aspect: Option<(u16, u16)>,
    start: Vec<u8>,
}

impl Stream {
    pub(super) fn new(header: StreamHeader) -> Self {
        Self { header, format: Vec::new(), aspect: None, start: Vec::new() }
    }

    pub(super) fn set_format(&mut self, format: &[u8]) {
        if self.format.is_empty() {
            self.format = format.to_vec();
        }
    }

    /// The shape of the picture, out of the video properties header (`vprp`) of OpenDML.
    pub(super) fn set_properties(&mut self, body: &[u8]) {
        let mut fields = Cursor::new(body);
        let shape = fields.skip(20).and_then(|()| Some((fields.u16_le()?, fields.u16_le()?)));
        self.aspect = shape.map(|(y, x)| (x, y)).filter(|(x, y)| *x > 0 && *y > 0);
    }

    /// The first chunk that is not empty counts.
    pub(super) fn set_start(&mut self, start: &[u8]) {
        if self.start.is_empty() {
            self.start = start.to_vec();
        }
    }

    /// How long the stream says it is; `None` where it counts bytes rather than time.
    pub(super) fn seconds(&self) -> Option<f64> {
        (self.header.sample_size == 0).then(|| self.header.seconds())
    }

    /// Adds the tracks that the stream holds: mostly one, none where it holds neither picture nor sound nor text.
    pub(super) fn add_to(self, metadata: &mut Metadata) {
        match &self.header.kind {
            b"vids" => self.add_video(metadata),
            b"auds" => {
                let Some(format) = WaveFormat::parse(&self.format) else { return };
                let mut track = format.track();
                if &self.header.handler == b"Axan" {
                    "xan_dpcm".clone_into(&mut track.codec);
                }
                complete_audio(&mut track, &self.start);
                metadata.audio.push(track);
            }
            b"iavs" | b"ivas" => dv::add_tracks(&self.start, metadata),
            b"txts" => metadata
                .subtitles
                .push(SubtitleTrack { codec: text_codec(&self.start).to_owned(), language: None }),
            _ => {}
        }
    }

    fn add_video(self, metadata: &mut Metadata) {
        let Some(bitmap) = Bitmap::parse(&self.format) else { return };
        if matches!(&bitmap.four_cc, b"DXSB" | b"DXSA") {
            metadata.subtitles.push(SubtitleTrack { codec: "xsub".to_owned(), language: None });
            return;
        }
        let mut track = VideoTrack::new(bitmap.codec, codec::codec_string(bitmap.codec));
        (track.width, track.height) = (bitmap.width, bitmap.height);
        track.frame_rate = frame_rate(self.header.rate.into(), f64::from(self.header.scale));
        track.display_aspect_ratio = aspect_ratio(bitmap.width.into(), bitmap.height.into());
        complete_video(&mut track, bitmap.extradata, &self.start);
        if let Some((x, y)) = self.aspect {
            track.display_aspect_ratio = aspect_ratio(x.into(), y.into());
        }
        metadata.video.push(track);
    }
}

/// Subtitles come as a whole file in one chunk, of the format that its first lines show.
fn text_codec(start: &[u8]) -> &'static str {
    let is_script = start.windows(13).take(1024).any(|window| window == b"[Script Info]");
    match start {
        _ if is_script => "ass",
        [b'G', b'A', b'B', b'2', ..] => "subrip",
        _ => codec::UNKNOWN,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(kind: [u8; 4], numbers: [u32; 8]) -> Vec<u8> {
        let numbers = numbers.map(u32::to_le_bytes).concat();
        [&kind[..], b"XVID", &[0; 12], &numbers[..]].concat()
    }

    #[test]
    fn a_time_unit_that_makes_no_sense_is_that_of_the_frames() {
        let parse = |scale, rate, microseconds| {
            let body = header(*b"vids", [scale, rate, 0, 100, 0, 0, 4, 0]);
            StreamHeader::parse(&body, microseconds)
                .map(|header| (header.scale, header.rate, header.sample_size))
        };
        assert_eq!(parse(1001, 30_000, 7), Some((1001, 30_000, 0)));
        assert_eq!(parse(0, 30_000, 40_000), Some((40_000, 1_000_000, 0)));
        assert_eq!(parse(1001, 0, 0), Some((1, 25, 0)));
        assert_eq!(StreamHeader::parse(&header(*b"pads", [1; 8]), 0), None);
        assert_eq!(StreamHeader::parse(&header(*b"vids", [1; 8])[..39], 0), None);
    }

    #[test]
    fn streams_that_count_bytes_say_no_duration() {
        let stream = |kind, sample_size| {
            let body = header(kind, [1, 25, 0, 50, 0, 0, sample_size, 0]);
            StreamHeader::parse(&body, 0).and_then(|header| Stream::new(header).seconds())
        };
        assert_eq!(stream(*b"auds", 4), None);
        assert_eq!(stream(*b"auds", 0), Some(2.0));
        assert_eq!(stream(*b"vids", 4), Some(2.0));
    }

    #[test]
    fn subtitles_are_known_by_their_first_lines() {
        assert_eq!(text_codec(b"GAB2\0\x02\0\0\0\0\0\x04\0\0\0\0\x001\n00:00"), "subrip");
        assert_eq!(text_codec(b"GAB2\0\x02\0\0\0\0\0\x04\0\0\0\0\0[Script Info]"), "ass");
        assert_eq!(text_codec(b""), "unknown");
    }
}
