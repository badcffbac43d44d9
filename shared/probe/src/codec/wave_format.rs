//! `WAVEFORMATEX` and `WAVEFORMATEXTENSIBLE`: how WAV, AVI, ASF and Matroska's `A_MS/ACM` describe audio
//! (Microsoft's mmreg.h; the registry of format tags is RFC 2361).
//!
//! The shorter `WAVEFORMAT` and `PCMWAVEFORMAT` are its beginnings. A format tag that is not known here makes a track
//! of codec `unknown`, not a failure.

use super::{aac, codec_string, pcm};
use crate::cursor::Cursor;
use crate::metadata::AudioTrack;

const EXTENSIBLE: u32 = 0xfffe;
/// Valid bits, channel mask and sub-format that `WAVEFORMATEXTENSIBLE` adds.
const EXTENSIBLE_BYTES: usize = 22;
/// A writer that knows only `WAVEFORMAT` means bytes.
const DEFAULT_BITS: u16 = 8;

/// What follows the format tag in a sub-format GUID: the media subtypes, the ambisonic B-format of "AMB", and a form
/// that some writers get wrong.
const TAGGED_GUIDS: [&[u8; 12]; 3] = [
    b"\x00\x00\x10\x00\x80\x00\x00\xaa\x00\x38\x9b\x71",
    b"\x21\x07\xd3\x11\x86\x44\xc8\xc1\xca\x00\x00\x00",
    b"\x00\x00\x00\x00\x00\x00\x10\x00\x80\x00\x00\xaa",
];

/// Sub-formats that have no format tag.
const GUIDS: [(&[u8; 16], &str); 5] = [
    (b"\x2c\x80\x6d\xe0\x46\xdb\xcf\x11\xb4\xd1\x00\x80\x5f\x6c\xbb\xea", "ac3"),
    (b"\x2b\x80\x6d\xe0\x46\xdb\xcf\x11\xb4\xd1\x00\x80\x5f\x6c\xbb\xea", "mp2"),
    (b"\xaf\x87\xfb\xa7\x02\x2d\xfb\x42\xa4\xd4\x05\xcd\x93\x84\x3b\xdd", "eac3"),
    (b"\xbf\xaa\x23\xe9\x58\xcb\x71\x44\xa1\x19\xff\xfa\x01\xe4\xce\x62", "atrac3p"),
    (b"\xd2\x42\xe1\x47\xba\x36\x8d\x4d\x88\xfc\x61\x65\x4f\x8c\x83\x6c", "atrac9"),
];

/// How audio is coded, as the structure says.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct WaveFormat<'a> {
    /// `ffprobe`'s name, `unknown` when the format tag or sub-format is not known.
    pub(crate) codec: &'static str,
    pub(crate) channels: u32,
    pub(crate) sample_rate: u32,
    /// Average; 0 when it is left open.
    pub(crate) bytes_per_second: u32,
    pub(crate) block_align: u32,
    pub(crate) bits_per_sample: u32,
    /// What the codec adds to the structure.
    pub(crate) extradata: &'a [u8],
}

impl<'a> WaveFormat<'a> {
    /// Reads the structure; `None` when it is shorter than its shortest form.
    pub(crate) fn parse(bytes: &'a [u8]) -> Option<Self> {
        let mut fields = Cursor::new(bytes);
        let tag = u32::from(fields.u16_le()?);
        let channels = fields.u16_le()?.into();
        let (sample_rate, bytes_per_second) = (fields.u32_le()?, fields.u32_le()?);
        let block_align = fields.u16_le()?.into();
        let mut format = Self {
            codec: super::UNKNOWN,
            channels,
            sample_rate,
            bytes_per_second,
            block_align,
            bits_per_sample: fields.u16_le().unwrap_or(DEFAULT_BITS).into(),
            extradata: &[],
        };
        let extra_bytes = usize::from(fields.u16_le().unwrap_or_default()).min(fields.rest().len());
        let extra = fields.take(extra_bytes)?;
        if tag == EXTENSIBLE && extra_bytes >= EXTENSIBLE_BYTES {
            format.read_extensible(extra);
        } else {
            format.codec = codec_name(tag, format.bits_per_sample);
            format.extradata = extra;
        }
        Some(format)
    }

    fn read_extensible(&mut self, extra: &'a [u8]) -> Option<()> {
        let mut fields = Cursor::new(extra);
        let valid_bits = u32::from(fields.u16_le()?);
        if valid_bits > 0 {
            self.bits_per_sample = valid_bits;
        }
        fields.skip(4)?;
        let guid = fields.take(16)?;
        self.codec = sub_format_name(guid, self.bits_per_sample);
        self.extradata = fields.rest();
        Some(())
    }

    /// Bits per second, where it is said.
    pub(crate) fn bit_rate(&self) -> Option<u64> {
        (self.bytes_per_second > 0).then(|| u64::from(self.bytes_per_second) * 8)
    }

    /// The track that is described. AAC is described by its own configuration, where it comes along.
    pub(crate) fn track(&self) -> AudioTrack {
        let mut track = AudioTrack::new(self.codec, codec_string(self.codec));
        track.channels = self.channels;
        track.sample_rate = self.sample_rate;
        track.bit_rate = self.bit_rate();
        if self.codec == "aac" {
            aac::describe(&mut track, self.extradata);
        }
        track
    }
}

fn sub_format_name(guid: &[u8], bits_per_sample: u32) -> &'static str {
    if let Some((tag, tail)) = guid.split_first_chunk::<4>()
        && TAGGED_GUIDS.iter().any(|tagged| tail == *tagged)
    {
        return codec_name(u32::from_le_bytes(*tag), bits_per_sample);
    }
    let known = GUIDS.iter().find(|(known, _)| guid == *known);
    known.map_or(super::UNKNOWN, |(_, codec)| codec)
}

/// `ffprobe`'s name of a format tag; PCM is told apart by its bits per sample.
fn codec_name(tag: u32, bits_per_sample: u32) -> &'static str {
    match tag {
        0x0001 => pcm::integer_name(bits_per_sample, false),
        0x0003 => pcm::name(pcm::Format::Float, bits_per_sample, false),
        0x0002 => "adpcm_ms",
        0x0006 => "pcm_alaw",
        0x0007 | 0x6c75 => "pcm_mulaw",
        0x000a => "wmavoice",
        0x0010 | 0x0017 => "adpcm_ima_oki",
        0x0011 | 0x0069 if bits_per_sample == 8 => "pcm_zork",
        0x0011 | 0x0069 => "adpcm_ima_wav",
        0x0014 | 0x0040 | 0x0045 | 0x0064 => "adpcm_g726",
        0x0020 => "adpcm_yamaha",
        0x0022 | 0x1501 => "truespeech",
        0x0031 | 0x0032 | 0x1500 => "gsm_ms",
        0x0038 | 0x0057 => "amr_nb",
        0x0042 | 0x0111 | 0xa100 => "g723_1",
        0x0050 => "mp2",
        0x0055 => "mp3",
        0x0058 => "amr_wb",
        0x0061 => "adpcm_ima_dk4",
        0x0062 => "adpcm_ima_dk3",
        0x0075 => "metasound",
        0x0083 | 0x729a => "g729",
        0x00ff | 0x1600 | 0x4143 | 0x706d | 0xa106 => "aac",
        0x1602 => "aac_latm",
        0x0130 => "sipr",
        0x0135 => "acelp.kelvin",
        0x0160 => "wmav1",
        0x0161 => "wmav2",
        0x0162 => "wmapro",
        0x0163 => "wmalossless",
        0x0165 => "xma1",
        0x0166 => "xma2",
        0x0200 => "adpcm_ct",
        0x0215 | 0x0216 => "dvaudio",
        0x0270 => "atrac3",
        0x028e => "msnsiren",
        0x028f => "adpcm_g722",
        0x0401 => "imc",
        0x0402 => "iac",
        0x0500 | 0x0501 => "avc",
        0x2000 => "ac3",
        0x2001 => "dts",
        0x2048 => "sonic",
        0x5346 => "adpcm_swf",
        0x566f => "vorbis",
        0x594a => "xan_dpcm",
        0xa109 => "speex",
        0xf1ac => "flac",
        _ => super::UNKNOWN,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn structure(tag: u16, channels: u16, sample_rate: u32, bits: u16) -> Vec<u8> {
        let mut bytes = [tag.to_le_bytes(), channels.to_le_bytes()].concat();
        bytes.extend(sample_rate.to_le_bytes());
        bytes.extend(16_000_u32.to_le_bytes());
        bytes.extend([4, 0]);
        bytes.extend(bits.to_le_bytes());
        bytes
    }

    fn extensible(valid_bits: u16, guid: &[u8]) -> Vec<u8> {
        let mut bytes = structure(0xfffe, 6, 48_000, 32);
        bytes.extend([24, 0]);
        bytes.extend(valid_bits.to_le_bytes());
        bytes.extend([0x3f, 0, 0, 0]);
        bytes.extend(guid);
        bytes.extend([0xaa, 0xbb]);
        bytes
    }

    #[test]
    fn pcm_is_told_apart_by_its_bits() {
        for (tag, bits, codec) in [
            (1, 8, "pcm_u8"),
            (1, 12, "pcm_s16le"),
            (1, 24, "pcm_s24le"),
            (1, 32, "pcm_s32le"),
            (1, 64, "pcm_s64le"),
            (1, 0, "unknown"),
            (1, 65, "unknown"),
            (3, 32, "pcm_f32le"),
            (3, 64, "pcm_f64le"),
            (3, 24, "unknown"),
            (0x11, 4, "adpcm_ima_wav"),
            (0x7777, 16, "unknown"),
        ] {
            assert_eq!(
                WaveFormat::parse(&structure(tag, 2, 44_100, bits)).unwrap().codec,
                codec,
                "{tag} {bits}"
            );
        }
    }

    #[test]
    fn the_shorter_structures_are_its_beginnings() {
        let bytes = structure(1, 2, 8000, 16);
        let whole = WaveFormat::parse(&bytes).unwrap();
        assert_eq!((whole.channels, whole.sample_rate, whole.bit_rate()), (2, 8000, Some(128_000)));
        assert_eq!((whole.block_align, whole.bits_per_sample, whole.extradata), (4, 16, &[][..]));
        assert_eq!(WaveFormat::parse(&bytes[..14]).unwrap().codec, "pcm_u8");
        assert_eq!(WaveFormat::parse(&bytes[..13]), None);
        // More extra data than there is.
        let mut cut = structure(0x55, 1, 8000, 0);
        cut.extend([12, 0, 1, 2]);
        assert_eq!(WaveFormat::parse(&cut).unwrap().extradata, [1, 2]);
    }

    #[test]
    fn a_sub_format_replaces_the_tag() {
        let guid = |tag: u8, tail: &[u8; 12]| [&[tag, 0, 0, 0][..], tail].concat();
        let bytes = extensible(24, &guid(1, TAGGED_GUIDS[0]));
        let format = WaveFormat::parse(&bytes).unwrap();
        assert_eq!((format.codec, format.channels, format.bits_per_sample), ("pcm_s24le", 6, 24));
        assert_eq!(format.extradata, [0xaa, 0xbb]);
        let codec = |bytes: &[u8]| WaveFormat::parse(bytes).unwrap().codec;
        assert_eq!(codec(&extensible(0, &guid(3, TAGGED_GUIDS[1]))), "pcm_f32le");
        assert_eq!(codec(&extensible(0, GUIDS[2].0)), "eac3");
        assert_eq!(codec(&extensible(0, &[7; 16])), "unknown");
        assert_eq!(codec(&extensible(16, &guid(1, TAGGED_GUIDS[0]))[..30]), "unknown");
    }

    #[test]
    fn aac_goes_by_its_own_configuration() {
        let mut bytes = structure(0xff, 1, 22_050, 16);
        bytes.extend([2, 0, 0x12, 0x10]);
        let track = WaveFormat::parse(&bytes).unwrap().track();
        assert_eq!((track.channels, track.sample_rate), (2, 44_100));
        assert_eq!((&*track.codec_string, track.profile.as_deref()), ("mp4a.40.2", Some("LC")));
        let ac3 = WaveFormat::parse(&structure(0x2000, 6, 48_000, 0)).unwrap().track();
        assert_eq!((&*ac3.codec, &*ac3.codec_string, ac3.bit_rate), ("ac3", "ac-3", Some(128_000)));
    }
}
