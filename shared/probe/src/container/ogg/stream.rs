//! Logical streams by their first packet: the mappings of Vorbis, Theora, Opus (RFC 7845), FLAC (RFC 9639 clause
//! 10.1), Speex and VP8.

use crate::codec::flac::{StreamInfo, parse_picture};
use crate::cursor::Cursor;
use crate::metadata::{AudioTrack, MAX_COVER_ART, VideoTrack, display_aspect_ratio, float, frame_rate};
use crate::tags::vorbis_comment::Comments;

use super::page::Page;

/// As much of a packet as is kept: comments may hold pictures.
const MAX_PACKET_BYTES: usize = 256 * 1024;
const VORBIS: &[u8] = b"\x01vorbis";
const THEORA: &[u8] = b"\x80theora";
const OPUS: &[u8] = b"OpusHead";
const OPUS_TAGS: &[u8] = b"OpusTags";
const FLAC: &[u8] = b"\x7fFLAC";
const SPEEX: &[u8] = b"Speex   ";
const VP8: &[u8] = b"OVP80";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Codec {
    Vorbis,
    Theora,
    Opus,
    Flac,
    Speex,
    Vp8,
    /// Skeletons, captions and whatever else is neither seen nor heard.
    Other,
}

impl Codec {
    pub(super) fn of(first_packet: &[u8]) -> Self {
        let known = [
            (VORBIS, Self::Vorbis),
            (THEORA, Self::Theora),
            (OPUS, Self::Opus),
            (FLAC, Self::Flac),
            (SPEEX, Self::Speex),
            (VP8, Self::Vp8),
        ];
        let found = known.iter().find(|(signature, _)| first_packet.starts_with(signature));
        found.map_or(Self::Other, |(_, codec)| *codec)
    }
}

#[derive(Debug, PartialEq)]
pub(super) enum Media {
    Audio(AudioTrack),
    Video(VideoTrack),
    Other,
}

/// What the first packet says.
#[derive(Debug, PartialEq)]
struct Description {
    media: Media,
    ticks_per_second: f64,
    /// Bits of a granule position that count from the last key frame.
    key_frame_shift: u32,
    /// Ticks of a packet: what it has at most with [`Codec::Vorbis`], where another packet says it with
    /// [`Codec::Opus`].
    packet_ticks: i64,
    /// How many packets are headers, where the packets themselves do not tell.
    header_packets: u32,
    /// Whether granule positions count frames that are finished, as Theora's do since 3.2.1.
    counts_finished_frames: bool,
}

impl Description {
    fn parse(codec: Codec, packet: &[u8]) -> Option<Self> {
        match codec {
            Codec::Vorbis => parse_vorbis(packet),
            Codec::Theora => parse_theora(packet),
            Codec::Opus => Some(Self::audio("opus", u32::from(*packet.get(9)?), 48_000)),
            Codec::Flac => parse_flac(packet),
            Codec::Speex => parse_speex(packet),
            Codec::Vp8 => parse_vp8(packet),
            Codec::Other => None,
        }
    }

    fn audio(codec: &str, channels: u32, sample_rate: u32) -> Self {
        Self::new(Media::Audio(AudioTrack::plain(codec, channels, sample_rate)), sample_rate.into())
    }

    fn new(media: Media, ticks_per_second: f64) -> Self {
        Self {
            media,
            ticks_per_second,
            key_frame_shift: 0,
            packet_ticks: 0,
            header_packets: 1,
            counts_finished_frames: true,
        }
    }
}

fn parse_vorbis(packet: &[u8]) -> Option<Description> {
    let mut fields = Cursor::new(packet.get(VORBIS.len()..)?);
    fields.skip(4)?;
    let (channels, sample_rate) = (fields.u8()?, fields.u32_le()?);
    fields.skip(4)?;
    let nominal_bit_rate = fields.u32_le()?.cast_signed();
    fields.skip(4)?;
    let long_block_exponent = fields.u8()? >> 4;
    let mut description = Description::audio("vorbis", channels.into(), sample_rate);
    description.packet_ticks = 1 << long_block_exponent >> 1;
    if let Media::Audio(track) = &mut description.media {
        track.bit_rate = u64::try_from(nominal_bit_rate).ok().filter(|bit_rate| *bit_rate > 0);
    }
    Some(description)
}

fn parse_theora(packet: &[u8]) -> Option<Description> {
    let mut fields = Cursor::new(packet.get(THEORA.len()..)?);
    let version = fields.u24()?;
    fields.skip(4)?;
    let (width, height) = (fields.u24()?, fields.u24()?);
    fields.skip(2)?;
    let (rate, per) = (fields.u32()?, fields.u32()?);
    let (x, y) = (fields.u24()?, fields.u24()?);
    fields.skip(1 + 3)?;
    let quality_and_shift = fields.u16()?;
    let mut track = VideoTrack::new("theora", "theora");
    (track.width, track.height) = (width, height);
    track.display_aspect_ratio = shape((width, height), (x, y));
    track.frame_rate = frame_rate(rate.into(), per.into());
    let mut description = Description::new(Media::Video(track), f64::from(rate) / f64::from(per));
    description.packet_ticks = 1;
    description.key_frame_shift = u32::from(quality_and_shift >> 5 & 0x1f);
    description.counts_finished_frames = version >= 0x03_0201;
    Some(description)
}

fn parse_flac(packet: &[u8]) -> Option<Description> {
    // Version and number of headers, "fLaC", block header.
    let info = StreamInfo::parse(packet.get(FLAC.len() + 4 + 4 + 4..)?)?;
    let mut description = Description::audio("flac", info.channels, info.sample_rate);
    description.packet_ticks = info.max_block_samples.into();
    Some(description)
}

fn parse_speex(packet: &[u8]) -> Option<Description> {
    let mut fields = Cursor::new(packet);
    fields.skip(36)?;
    let sample_rate = fields.u32_le()?;
    fields.skip(8)?;
    let channels = fields.u32_le()?;
    fields.skip(4)?;
    let frame_samples = fields.u32_le()?;
    fields.skip(4)?;
    let frames = fields.u32_le()?;
    let extra_headers = fields.u32_le()?;
    let mut description = Description::audio("speex", channels.min(2), sample_rate);
    description.packet_ticks = i64::from(frame_samples).saturating_mul(frames.max(1).into());
    description.header_packets = extra_headers.min(64) + 2;
    Some(description)
}

fn parse_vp8(packet: &[u8]) -> Option<Description> {
    let mut fields = Cursor::new(packet.get(VP8.len() + 3..)?);
    let (width, height) = (u32::from(fields.u16()?), u32::from(fields.u16()?));
    let (x, y) = (fields.u24()?, fields.u24()?);
    let (rate, per) = (fields.u32()?, fields.u32()?);
    let mut track = VideoTrack::new("vp8", "vp8");
    (track.width, track.height) = (width, height);
    track.display_aspect_ratio = shape((width, height), (x, y));
    track.frame_rate = frame_rate(rate.into(), per.into());
    let mut description = Description::new(Media::Video(track), f64::from(rate) / f64::from(per));
    description.packet_ticks = 1;
    Some(description)
}

/// Pixels of which it is not said are square.
fn shape(size: (u32, u32), pixel: (u32, u32)) -> Option<String> {
    display_aspect_ratio(size, if pixel.0 > 0 && pixel.1 > 0 { pixel } else { (1, 1) })
}

/// A logical stream, as far as its pages were seen.
pub(super) struct Stream {
    pub(super) serial: u32,
    pub(super) codec: Codec,
    description: Option<Description>,
    pub(super) comments: Comments,
    /// What there is of the packet that goes on.
    packet: Vec<u8>,
    packets: u32,
    /// Tick at which the first frame starts.
    start: Option<i64>,
}

impl Stream {
    /// A stream of which nothing was seen yet.
    pub(super) fn new(serial: u32) -> Self {
        Self {
            serial,
            codec: Codec::Other,
            description: None,
            comments: Comments::default(),
            packet: Vec::new(),
            packets: 0,
            start: None,
        }
    }

    /// Takes in the next page of the stream.
    pub(super) fn add(&mut self, page: &Page<'_>) {
        if !page.is_continued() {
            self.packet.clear();
        }
        let mut ticks = None;
        for (piece, is_end) in page.pieces() {
            let room = MAX_PACKET_BYTES.saturating_sub(self.packet.len());
            self.packet.extend_from_slice(piece.get(..room).unwrap_or(piece));
            if is_end {
                let packet = std::mem::take(&mut self.packet);
                if let Some(packet_ticks) = self.end_packet(&packet) {
                    ticks = Some(ticks.unwrap_or(0_i64).saturating_add(packet_ticks));
                }
            }
        }
        if let Some((ticks, granule)) = ticks.zip(page.granule)
            && self.start.is_none()
        {
            let start = self.tick(granule).saturating_sub(ticks);
            // The last page may end within a packet, and where packets vary their sum is only a bound.
            let is_bound = match self.codec {
                Codec::Vorbis | Codec::Flac => true,
                Codec::Speex => false,
                _ => page.is_last(),
            };
            self.start = Some(if is_bound { start.max(0) } else { start });
        }
    }

    /// The ticks of a packet of media, `None` for a header.
    fn end_packet(&mut self, packet: &[u8]) -> Option<i64> {
        let index = self.packets;
        self.packets = self.packets.saturating_add(1);
        if index == 0 {
            self.codec = Codec::of(packet);
            self.description = Description::parse(self.codec, packet);
        }
        let description = self.description.as_ref()?;
        let is_header = match self.codec {
            Codec::Vorbis => packet.first().is_some_and(|kind| kind & 1 == 1),
            Codec::Theora => packet.first().is_some_and(|kind| kind & 0x80 != 0),
            Codec::Opus => packet.starts_with(OPUS) || packet.starts_with(OPUS_TAGS),
            Codec::Flac => packet.first() != Some(&0xff),
            Codec::Vp8 => packet.starts_with(VP8),
            Codec::Speex | Codec::Other => index < description.header_packets,
        };
        if is_header {
            self.read_comments(index, packet);
            return None;
        }
        Some(if self.codec == Codec::Opus { opus_ticks(packet) } else { description.packet_ticks })
    }

    fn read_comments(&mut self, index: u32, packet: &[u8]) {
        let comments = match self.codec {
            Codec::Vorbis => packet.strip_prefix(b"\x03vorbis"),
            Codec::Theora => packet.strip_prefix(b"\x81theora"),
            Codec::Opus => packet.strip_prefix(OPUS_TAGS),
            Codec::Speex => Some(packet).filter(|_| index == 1),
            Codec::Vp8 => packet.strip_prefix(b"OVP80\x02 "),
            // A metadata block: comments, or a picture.
            Codec::Flac => packet.get(4..).filter(|_| packet[0] & 0x7f == 4),
            Codec::Other => None,
        };
        if let Some(comments) = comments
            && self.comments.fields.is_empty()
        {
            let pictures = std::mem::take(&mut self.comments.cover_art);
            self.comments = Comments::parse(comments);
            self.comments.cover_art.extend(pictures);
        }
        if self.codec == Codec::Flac && packet.first().is_some_and(|kind| kind & 0x7f == 6) {
            self.comments.cover_art.extend(packet.get(4..).and_then(parse_picture));
        }
        self.comments.cover_art.truncate(MAX_COVER_ART);
    }

    /// Whether a page of media was seen, or none is to be expected.
    pub(super) fn is_known(&self) -> bool {
        self.start.is_some() || (self.packets > 0 && self.description.is_none())
    }

    /// When the first frame starts, in seconds.
    pub(super) fn start_seconds(&self) -> f64 {
        self.seconds(self.start.unwrap_or(0))
    }

    /// When the last frame on a page of this granule position ends, in seconds.
    pub(super) fn end_seconds(&self, granule: u64) -> f64 {
        self.seconds(self.tick(granule))
    }

    /// The frame or sample that a granule position stands for.
    fn tick(&self, granule: u64) -> i64 {
        let Some(description) = &self.description else { return 0 };
        let shift = description.key_frame_shift;
        let tick = if self.codec == Codec::Vp8 {
            // A frame that is not shown counts with the next one that is.
            let is_shown = (granule >> 30).trailing_zeros() < 2;
            (granule >> 32).saturating_sub(u64::from(!is_shown))
        } else if shift == 0 {
            granule
        } else {
            let since_key_frame = granule & ((1 << shift) - 1);
            (granule >> shift) + since_key_frame + u64::from(!description.counts_finished_frames)
        };
        i64::try_from(tick).unwrap_or(i64::MAX)
    }

    fn seconds(&self, ticks: i64) -> f64 {
        let rate = self.description.as_ref().map_or(0.0, |description| description.ticks_per_second);
        let seconds = float(ticks.unsigned_abs()) / rate;
        let seconds = if seconds.is_finite() { seconds } else { 0.0 };
        if ticks < 0 { -seconds } else { seconds }
    }

    pub(super) fn into_media(self) -> Media {
        self.description.map_or(Media::Other, |description| description.media)
    }
}

/// Samples at 48 kHz of an Opus packet, by its first bytes (RFC 6716 clause 3.1).
fn opus_ticks(packet: &[u8]) -> i64 {
    let Some(first) = packet.first() else { return 0 };
    let frame = match first >> 3 {
        config @ 0..=11 => [480, 960, 1920, 2880][usize::from(config & 3)],
        config @ 12..=15 => [480, 960][usize::from(config & 1)],
        config => 120 << (config & 3),
    };
    let frames = match first & 3 {
        0 => 1,
        1 | 2 => 2,
        _ => packet.get(1).map_or(0, |count| i64::from(count & 0x3f)),
    };
    frame * frames
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn opus_packets_say_how_long_they_are() {
        assert_eq!(opus_ticks(&[0xfc]), 960);
        assert_eq!(opus_ticks(&[0x78, 0]), 960);
        assert_eq!(opus_ticks(&[0x19]), 2 * 2880);
        assert_eq!(opus_ticks(&[0x83, 0x82]), 2 * 120);
        assert_eq!(opus_ticks(&[]), 0);
    }

    #[test]
    fn theora_says_size_rate_and_granule() {
        let mut packet = b"\x80theora\x03\x02\x01".to_vec();
        packet.extend([0, 21, 0, 16, 0, 1, 66, 0, 0, 242, 0, 0]);
        packet.extend([0, 0, 0x75, 0x30, 0, 0, 0x03, 0xe9]);
        packet.extend([0, 0, 1, 0, 0, 1, 0, 0, 0, 0, 0x00, 0xc0]);
        let mut stream = Stream::new(1);
        assert_eq!(stream.end_packet(&packet), None);
        assert!((stream.end_seconds((30 << 6) + 30) - 60.0 * 1001.0 / 30_000.0).abs() < 1e-9);
        let mut old = Stream::new(1);
        packet[9] = 0;
        assert_eq!(old.end_packet(&packet), None);
        assert!((old.end_seconds((30 << 6) + 30) - 61.0 * 1001.0 / 30_000.0).abs() < 1e-9);
        let Media::Video(track) = stream.into_media() else { panic!("no video") };
        assert_eq!((track.width, track.height, track.codec.as_str()), (322, 242, "theora"));
        assert!((track.frame_rate - 29.97).abs() < 1e-9);
    }

    #[test]
    fn frames_of_vp8_that_are_not_shown_do_not_count() {
        let packet = b"OVP80\x01\x01\0\x01\x40\0\xf0\0\0\0\0\0\0\0\0\0\x19\0\0\0\x01";
        let mut stream = Stream::new(1);
        assert_eq!(stream.end_packet(packet), None);
        assert!((stream.end_seconds(50 << 32 | 3 << 30) - 2.0).abs() < 1e-9);
        assert!((stream.end_seconds(50 << 32) - 1.96).abs() < 1e-9);
    }

    #[test]
    fn cut_headers_describe_nothing() {
        for signature in [VORBIS, THEORA, OPUS, FLAC, SPEEX, VP8] {
            let mut stream = Stream::new(1);
            assert_eq!(stream.end_packet(signature), None);
            assert_eq!(stream.into_media(), Media::Other);
        }
    }
}
