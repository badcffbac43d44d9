//! What a stream of a program is: by its type and its descriptors, of ISO/IEC 13818-1 clause 2.4.4.9 and 2.6, of DVB
//! (ETSI EN 300 468), ATSC A/53 and Blu-ray.

use crate::cursor::Cursor;

const REGISTRATION: u8 = 0x05;
const LANGUAGE: u8 = 0x0a;
/// Stream type of SCTE 35 in a program that is registered for it.
const CUES: u8 = 0x86;
const TELETEXT: u8 = 0x56;
const SUBTITLING: u8 = 0x59;
const EXTENSION: u8 = 0x7f;
/// Extension of Opus ("Encapsulation of Opus in MPEG-2 Transport Stream").
const OPUS_EXTENSION: u8 = 0x80;

#[derive(Clone, Copy, Debug)]
pub(super) struct Descriptor<'a> {
    pub(super) tag: u8,
    pub(super) data: &'a [u8],
}

/// The descriptors in a loop of them.
pub(super) fn descriptors(bytes: &[u8]) -> impl Iterator<Item = Descriptor<'_>> + Clone {
    let mut fields = Cursor::new(bytes);
    std::iter::from_fn(move || {
        let tag = fields.u8()?;
        let size = fields.u8()?;
        Some(Descriptor { tag, data: fields.take(size.into())? })
    })
}

/// Codecs as far as the tables tell; the stream itself may say more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Codec {
    MpegVideo,
    Mpeg4Video,
    H264,
    Hevc,
    /// Known by name only.
    OtherVideo(&'static str),
    MpegAudio,
    /// AAC in ADTS.
    Aac,
    /// AAC in LATM.
    AacLatm,
    Ac3,
    Dts,
    TrueHd,
    BlurayPcm,
    /// SMPTE ST 302.
    S302m,
    Opus {
        channels: Option<u32>,
    },
    OtherAudio(&'static str),
    Subtitle(&'static str),
    /// Cues for splicing, SCTE 35: sections, which have no time stamps but the clock's.
    Cues,
    /// Anything else that is timed.
    Data,
}

impl Codec {
    /// Whether it is neither seen nor heard as such: times of these count less.
    pub(super) fn is_accessory(self) -> bool {
        matches!(self, Self::Subtitle(_) | Self::Cues | Self::Data)
    }
}

/// The registration of a program that decides what private types mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Registration {
    Bluray,
    /// SCTE 35.
    Cues,
    Other,
}

impl Registration {
    /// By the descriptors of a program; discs, whose packets are 192 bytes apart, may go without.
    pub(super) fn of_program(bytes: &[u8], is_m2ts: bool) -> Self {
        let mut registrations = descriptors(bytes).filter(|descriptor| descriptor.tag == REGISTRATION);
        match registrations.next().map(|descriptor| descriptor.data) {
            Some([b'H', b'D', b'M', b'V', ..]) => Self::Bluray,
            Some([b'C', b'U', b'E', b'I', ..]) => Self::Cues,
            None if is_m2ts => Self::Bluray,
            _ => Self::Other,
        }
    }
}

/// The codec of a stream; `None` when nothing tells.
pub(super) fn codec<'a>(
    stream_type: u8,
    registration: Registration,
    mut descriptors: impl Iterator<Item = Descriptor<'a>> + Clone,
) -> Option<Codec> {
    by_type(stream_type)
        .or_else(|| if registration == Registration::Bluray { by_bluray_type(stream_type) } else { None })
        .or_else(|| {
            let has_cues = registration == Registration::Cues && stream_type == CUES;
            has_cues.then_some(Codec::Cues)
        })
        .or_else(|| descriptors.clone().find_map(by_registration))
        .or_else(|| if registration == Registration::Bluray { None } else { by_private_type(stream_type) })
        .or_else(|| descriptors.find_map(by_descriptor))
}

fn by_type(stream_type: u8) -> Option<Codec> {
    Some(match stream_type {
        0x01 | 0x02 => Codec::MpegVideo,
        0x03 | 0x04 => Codec::MpegAudio,
        0x0f => Codec::Aac,
        0x10 => Codec::Mpeg4Video,
        0x11 => Codec::AacLatm,
        0x1b | 0x20 => Codec::H264,
        0x1c => Codec::OtherAudio("aac"),
        0x21 => Codec::OtherVideo("jpeg2000"),
        0x24 => Codec::Hevc,
        0x33 => Codec::OtherVideo("vvc"),
        0x42 => Codec::OtherVideo("cavs"),
        0xd1 => Codec::OtherVideo("dirac"),
        0xd2 => Codec::OtherVideo("avs2"),
        0xd4 => Codec::OtherVideo("avs3"),
        0xea => Codec::OtherVideo("vc1"),
        _ => return None,
    })
}

fn by_bluray_type(stream_type: u8) -> Option<Codec> {
    Some(match stream_type {
        0x80 => Codec::BlurayPcm,
        0x81 | 0x84 | 0xa1 => Codec::Ac3,
        0x82 | 0x85 | 0x86 | 0xa2 => Codec::Dts,
        0x83 => Codec::TrueHd,
        0x90 => Codec::Subtitle("hdmv_pgs_subtitle"),
        0x92 => Codec::Subtitle("hdmv_text_subtitle"),
        _ => return None,
    })
}

/// Types that are private, but of one use in practice.
fn by_private_type(stream_type: u8) -> Option<Codec> {
    Some(match stream_type {
        0x81 | 0x87 => Codec::Ac3,
        0x82 | 0x8a => Codec::Dts,
        _ => return None,
    })
}

fn by_registration(descriptor: Descriptor<'_>) -> Option<Codec> {
    if descriptor.tag != REGISTRATION {
        return None;
    }
    Some(match descriptor.data.first_chunk::<4>()? {
        b"AC-3" | b"EAC3" => Codec::Ac3,
        b"AC-4" => Codec::OtherAudio("ac4"),
        b"BSSD" => Codec::S302m,
        b"DTS1" | b"DTS2" | b"DTS3" => Codec::Dts,
        b"HEVC" => Codec::Hevc,
        b"VVC " => Codec::OtherVideo("vvc"),
        b"VC-1" => Codec::OtherVideo("vc1"),
        b"drac" => Codec::OtherVideo("dirac"),
        b"Opus" => Codec::Opus { channels: None },
        _ => return None,
    })
}

fn by_descriptor(descriptor: Descriptor<'_>) -> Option<Codec> {
    Some(match (descriptor.tag, descriptor.data) {
        (0x6a | 0x7a, _) => Codec::Ac3,
        (0x7b, _) => Codec::Dts,
        (TELETEXT, _) => Codec::Subtitle("dvb_teletext"),
        (SUBTITLING, _) => Codec::Subtitle("dvb_subtitle"),
        _ => return None,
    })
}

/// Channels by the extension descriptor of Opus: a count, or 0 for two mono channels.
pub(super) fn opus_channels(descriptor: Descriptor<'_>) -> Option<u32> {
    match (descriptor.tag, descriptor.data) {
        (EXTENSION, [OPUS_EXTENSION, 0 | 0x80, ..]) => Some(2),
        (EXTENSION, [OPUS_EXTENSION, count @ (1..=8 | 0x82..=0x88), ..]) => Some((count & 15).into()),
        _ => None,
    }
}

/// The language of a stream: of several, joined by commas as `ffprobe` has it.
pub(super) fn language(descriptor: Descriptor<'_>) -> Option<String> {
    let entry_bytes = match descriptor.tag {
        LANGUAGE => 4,
        TELETEXT => 5,
        SUBTITLING => 8,
        _ => return None,
    };
    let codes = descriptor.data.chunks_exact(entry_bytes).filter_map(|entry| {
        let code = std::str::from_utf8(entry.get(..3)?).ok()?;
        code.bytes().all(|byte| byte.is_ascii_alphabetic()).then_some(code)
    });
    let languages = codes.take(8).collect::<Vec<_>>().join(",");
    (!languages.is_empty()).then_some(languages)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn codec_of(stream_type: u8, registration: Registration, loop_bytes: &[u8]) -> Option<Codec> {
        codec(stream_type, registration, descriptors(loop_bytes))
    }

    #[test]
    fn private_types_depend_on_who_registered_the_program() {
        assert_eq!(Registration::of_program(b"\x05\x04HDMV", false), Registration::Bluray);
        assert_eq!(Registration::of_program(b"", true), Registration::Bluray);
        assert_eq!(Registration::of_program(b"\x05\x04GA94", true), Registration::Other);
        assert_eq!(codec_of(0x82, Registration::Bluray, b""), Some(Codec::Dts));
        assert_eq!(codec_of(0x80, Registration::Bluray, b""), Some(Codec::BlurayPcm));
        assert_eq!(codec_of(0x80, Registration::Other, b""), None);
        assert_eq!(codec_of(0x81, Registration::Other, b""), Some(Codec::Ac3));
    }

    #[test]
    fn descriptors_tell_what_private_data_are() {
        let other = Registration::Other;
        assert_eq!(codec_of(0x06, other, b"\x05\x04HEVC"), Some(Codec::Hevc));
        assert_eq!(codec_of(0x06, other, b"\x0a\x04eng\0\x6a\x01\0"), Some(Codec::Ac3));
        assert_eq!(
            codec_of(0x06, other, b"\x59\x08deu\x10\0\x01\0\x01"),
            Some(Codec::Subtitle("dvb_subtitle"))
        );
        assert_eq!(codec_of(0x06, other, b""), None);
        assert_eq!(codec_of(0x86, other, b"\x05\x04CUEI"), None);
        assert_eq!(codec_of(0x86, Registration::of_program(b"\x05\x04CUEI", false), b""), Some(Codec::Cues));
        // A descriptor that is longer than its loop.
        assert_eq!(codec_of(0x06, other, b"\x05\xffHEVC"), None);
    }

    #[test]
    fn languages_are_joined() {
        let of = |bytes| descriptors(bytes).find_map(language);
        assert_eq!(of(b"\x0a\x04eng\0").as_deref(), Some("eng"));
        assert_eq!(of(b"\x0a\x08eng\0fra\0").as_deref(), Some("eng,fra"));
        assert_eq!(of(b"\x59\x08deu\x10\0\x01\0\x01").as_deref(), Some("deu"));
        assert_eq!(of(b"\x0a\x04\0\0\0\0"), None);
    }

    #[test]
    fn opus_says_its_channels() {
        let of = |bytes| descriptors(bytes).find_map(opus_channels);
        assert_eq!(of(b"\x7f\x02\x80\x06"), Some(6));
        assert_eq!(of(b"\x7f\x02\x80\x00"), Some(2));
        assert_eq!(of(b"\x7f\x02\x80\xff"), None);
    }
}
