//! Tags, and what the start of their body says of a track ("Adobe Flash Video File Format Specification" annex E;
//! FourCCs are those of "Enhanced RTMP").

use crate::bits::Bits;
use crate::codec::aac::AudioSpecificConfig;
use crate::codec::frame::Frame as _;
use crate::codec::vp9;
use crate::codec::{UNKNOWN, av1, flac, h264, hevc, mpeg_audio};
use crate::container::frame_rate::in_ticks;
use crate::cursor::Cursor;
use crate::metadata::{AudioTrack, VideoTrack, aspect_ratio};
use crate::tags::text::latin_1;

pub(super) const HEADER_BYTES: u64 = 11;
pub(super) const AUDIO: u8 = 8;
pub(super) const VIDEO: u8 = 9;
pub(super) const SCRIPT: u8 = 18;
/// Times are in milliseconds.
pub(super) const TICK_SECONDS: f64 = 0.001;
/// The body is encrypted.
const FILTER: u8 = 0x20;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Tag {
    pub(super) kind: u8,
    pub(super) is_encrypted: bool,
    pub(super) size: u32,
    pub(super) milliseconds: u32,
}

impl Tag {
    pub(super) fn parse(bytes: &[u8]) -> Option<Self> {
        let mut fields = Cursor::new(bytes);
        let kind = fields.u8()?;
        let (size, low, high) = (fields.u24()?, fields.u24()?, fields.u8()?);
        Some(Self {
            kind: kind & 0x1f,
            is_encrypted: kind & FILTER != 0,
            size,
            milliseconds: u32::from(high) << 24 | low,
        })
    }

    pub(super) fn is_media(&self) -> bool {
        matches!(self.kind, AUDIO | VIDEO)
    }
}

/// What the body of a video tag tells; `None` while the next one may tell more.
pub(super) fn parse_video(body: &[u8]) -> Option<VideoTrack> {
    const EXTENDED: u8 = 0x80;
    const COMMAND_FRAME: u8 = 5;
    let mut fields = Cursor::new(body);
    let flags = fields.u8()?;
    if flags >> 4 & 7 == COMMAND_FRAME {
        return None;
    }
    if flags & EXTENDED != 0 {
        let four_cc = fields.four_cc()?;
        let is_sequence_start = flags.trailing_zeros() >= 4;
        return parse_extended_video(four_cc, is_sequence_start.then_some(fields.rest()));
    }
    let codec = match flags & 0xf {
        2 => "flv1",
        3 => "flashsv",
        4 => "vp6f",
        5 => "vp6a",
        6 => "flashsv2",
        7 => return parse_configured(*b"avc1", body),
        8 => "h263",
        9 => "mpeg4",
        12 => return parse_configured(*b"hvc1", body),
        _ => UNKNOWN,
    };
    let mut track = VideoTrack::new(codec, codec);
    (track.width, track.height) = picture_size(codec, fields.rest()).unwrap_or_default();
    track.display_aspect_ratio = aspect_ratio(track.width.into(), track.height.into());
    Some(track)
}

/// H.264, or HEVC as some writers have it: packet type and composition time, then the configuration record, if that
/// is what the packet holds.
fn parse_configured(four_cc: [u8; 4], body: &[u8]) -> Option<VideoTrack> {
    let is_record = *body.get(1)? == 0;
    parse_extended_video(four_cc, is_record.then(|| body.get(5..)).flatten())
}

fn parse_extended_video(four_cc: [u8; 4], record: Option<&[u8]>) -> Option<VideoTrack> {
    let (codec, config) = match &four_cc {
        b"avc1" => ("h264", h264::parse_avcc(record?)),
        b"hvc1" => ("hevc", hevc::parse_hvcc(record?)),
        b"av01" => ("av1", av1::parse_av1c(record?)),
        b"vp09" => ("vp9", vp9::parse_vpcc(record?)),
        b"vp08" => return Some(VideoTrack::new("vp8", "vp8")),
        _ => return Some(VideoTrack::new(UNKNOWN, UNKNOWN)),
    };
    let config = config?;
    let frame_rate = config.frame_rate.and_then(|rate| in_ticks(rate, TICK_SECONDS));
    let mut track = config.into_track(codec, &latin_1(&four_cc));
    track.frame_rate = frame_rate.unwrap_or_default();
    Some(track)
}

/// The size that a frame says, behind the tag's first byte.
fn picture_size(codec: &str, frame: &[u8]) -> Option<(u32, u32)> {
    match codec {
        "flv1" => sorenson_size(frame),
        "flashsv" | "flashsv2" => {
            let mut bits = Bits::new(frame);
            bits.skip(4)?;
            let width = bits.bits(12)?;
            bits.skip(4)?;
            Some((width, bits.bits(12)?))
        }
        "vp6f" => vp6_size(*frame.first()?, frame.get(1..)?),
        // The offset to the alpha channel comes first.
        "vp6a" => vp6_size(*frame.first()?, frame.get(4..)?),
        _ => None,
    }
}

/// Annex E.4.3.1: start code, version, time, size.
fn sorenson_size(frame: &[u8]) -> Option<(u32, u32)> {
    let mut bits = Bits::new(frame);
    if bits.bits(17)? != 1 {
        return None;
    }
    bits.skip(5 + 8)?;
    Some(match bits.bits(3)? {
        0 => (bits.bits(8)?, bits.bits(8)?),
        1 => (bits.bits(16)?, bits.bits(16)?),
        2 => (352, 288),
        3 => (176, 144),
        4 => (128, 96),
        5 => (320, 240),
        6 => (160, 120),
        _ => return None,
    })
}

/// A key frame's size in macroblocks, less what the tag says is cut off on the right and below.
fn vp6_size(adjustment: u8, frame: &[u8]) -> Option<(u32, u32)> {
    let mut fields = Cursor::new(frame);
    let (first, second) = (fields.u8()?, fields.u8()?);
    let is_key_frame = first & 0x80 == 0;
    if !is_key_frame {
        return None;
    }
    let has_separate_coefficients = first & 1 == 1;
    let is_simple_profile = second & 6 == 0;
    if has_separate_coefficients || is_simple_profile {
        fields.skip(2)?;
    }
    let (rows, columns) = (u32::from(fields.u8()?), u32::from(fields.u8()?));
    let size = |blocks: u32, cut: u8| (blocks * 16).checked_sub(cut.into());
    size(columns, adjustment >> 4).zip(size(rows, adjustment & 0xf))
}

/// What the body of an audio tag tells; `None` while the next one may tell more.
pub(super) fn parse_audio(body: &[u8]) -> Option<AudioTrack> {
    let mut fields = Cursor::new(body);
    let flags = fields.u8()?;
    let is_16_bit = flags & 2 != 0;
    let (codec, sample_rate) = match flags >> 4 {
        0 | 3 => (if is_16_bit { "pcm_s16le" } else { "pcm_u8" }, None),
        1 => ("adpcm_swf", None),
        2 => ("mp3", None),
        4 => ("nellymoser", Some(16_000)),
        5 => ("nellymoser", Some(8_000)),
        6 => ("nellymoser", None),
        7 => ("pcm_alaw", Some(8_000)),
        8 => ("pcm_mulaw", Some(8_000)),
        9 => return parse_extended_audio(flags & 0xf, fields.rest()),
        10 => return if fields.u8()? == 0 { parse_aac(fields.rest()) } else { None },
        11 => ("speex", Some(16_000)),
        14 => ("mp3", Some(8_000)),
        _ => (UNKNOWN, None),
    };
    let mut track = AudioTrack::new(codec, codec);
    track.sample_rate = sample_rate.unwrap_or(44_100 << (flags >> 2 & 3) >> 3);
    track.channels = u32::from(flags & 1) + 1;
    if codec == "mp3"
        && let Some(header) = mpeg_audio::FrameHeader::parse(fields.rest())
    {
        (track.sample_rate, track.channels) = (header.sample_rate, header.channels);
    }
    Some(track)
}

fn parse_aac(config: &[u8]) -> Option<AudioTrack> {
    Some(AudioSpecificConfig::parse(config)?.into_track())
}

/// A FourCC, then the codec's own header where the packet is a sequence start.
fn parse_extended_audio(packet_type: u8, body: &[u8]) -> Option<AudioTrack> {
    let mut fields = Cursor::new(body);
    let four_cc = fields.four_cc()?;
    let header = (packet_type == 0).then_some(fields.rest());
    match &four_cc {
        b"mp4a" => parse_aac(header?),
        b"Opus" => {
            let channels = u32::from(*header?.get(9)?);
            Some(AudioTrack::plain("opus", channels, 48_000))
        }
        b"fLaC" => {
            let info = flac::StreamInfo::parse(header?.get(8..)?)?;
            Some(AudioTrack::plain("flac", info.channels, info.sample_rate))
        }
        b"ac-3" => Some(AudioTrack::new("ac3", "ac-3")),
        b"ec-3" => Some(AudioTrack::new("eac3", "ec-3")),
        b".mp3" => {
            let frame = mpeg_audio::FrameHeader::parse(fields.rest())?;
            Some(AudioTrack::plain("mp3", frame.channels, frame.sample_rate))
        }
        _ => Some(AudioTrack::new(UNKNOWN, UNKNOWN)),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn a_tag_has_its_time_in_two_parts() {
        let tag = Tag::parse(&[0x29, 0, 1, 2, 0, 0, 3, 1, 0, 0, 0]).unwrap();
        assert_eq!((tag.kind, tag.is_encrypted, tag.size, tag.milliseconds), (9, true, 258, 0x0100_0003));
        assert_eq!(Tag::parse(&[9, 0, 0]), None);
    }

    #[test]
    fn sizes_are_in_the_first_frame() {
        let size = |body: &[u8]| parse_video(body).map(|track| (track.width, track.height));
        // Start code, version 1, time 0, custom size of 16 bits: 322×242.
        assert_eq!(size(&[0x22, 0, 0, 0x84, 0, 0x80, 0xa1, 0x00, 0x79, 0]), Some((322, 242)));
        assert_eq!(size(&[0x13, 0x31, 0x42, 0x30, 0xf2]), Some((322, 242)));
        assert_eq!(size(&[0x14, 0x8e, 0x00, 0x06, 15, 20, 15, 20]), Some((320 - 8, 240 - 14)));
        assert_eq!(size(&[0x14, 0x00, 0x00, 0x00, 0, 0, 15, 20, 15, 20]), Some((320, 240)));
        assert_eq!(size(&[0x15, 0x00, 1, 2, 3, 0x00, 0x06, 15, 20]), Some((320, 240)));
        assert_eq!(size(&[0x22, 9, 9]), Some((0, 0)));
        assert_eq!(size(&[0x57, 0]), None);
        assert_eq!(size(&[0x17, 1, 0, 0, 0]), None, "not the configuration");
    }

    #[test]
    fn h264_and_its_successors_say_it_in_their_record() {
        let record = b"\x01\x64\x00\x1e\xff\xe1\x00\x19\x67\x64\x00\x1e\xac\xd9\x40\xa0\x2f\xf9\x70\x11\x00\x00\x03\x03\xe9\
            \x00\x00\xea\x60\x0f\x16\x2d\x96";
        for head in [&[0x17, 0, 0, 0, 0][..], b"\x90avc1"] {
            let track = parse_video(&[head, record].concat()).unwrap();
            assert_eq!((track.codec_string.as_str(), track.width), ("avc1.64001e", 640));
        }
        assert_eq!(parse_video(b"\x91hvc1\0\0\0"), None);
    }

    #[test]
    fn audio_is_in_the_flags_or_in_its_own_header() {
        let audio =
            |body: &[u8]| parse_audio(body).map(|track| (track.codec, track.sample_rate, track.channels));
        let is = |codec: &str, rate, channels| Some((codec.to_owned(), rate, channels));
        assert_eq!(audio(&[0xaf, 0, 0x12, 0x10]), is("aac", 44_100, 2));
        assert_eq!(audio(&[0xaf, 1, 0x12, 0x10]), None);
        assert_eq!(audio(&[0x3b, 0]), is("pcm_s16le", 22_050, 2));
        assert_eq!(audio(&[0x0c, 0]), is("pcm_u8", 44_100, 1));
        assert_eq!(audio(&[0xb2, 0]), is("speex", 16_000, 1));
        assert_eq!(audio(&[0x5a, 0]), is("nellymoser", 8_000, 1));
        assert_eq!(audio(&[0x2f, 0xff, 0xfb, 0x94, 0xc4]), is("mp3", 48_000, 1));
        assert_eq!(audio(b"\x90OpusOpusHead\x01\x06"), is("opus", 48_000, 6));
        assert_eq!(audio(&[]), None);
    }
}
