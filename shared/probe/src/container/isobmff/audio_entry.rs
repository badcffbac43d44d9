//! Audio sample entries (ISO/IEC 14496-12 clause 12.2, "QuickTime File Format" Sound Sample Descriptions).

use super::boxes::{FourCc, child, kind_text};
use super::entry::unprotected;
use super::esds::{ElementaryStream, MPEG4_AUDIO};
use super::video_entry::parse_btrt;
use crate::codec::aac::AudioSpecificConfig;
use crate::codec::dts::CoreFrame;
use crate::codec::frame::Frame as _;
use crate::codec::mpeg_audio::FrameHeader;
use crate::codec::{AudioConfig, ac3, flac, headers, pcm, quicktime};
use crate::cursor::Cursor;

/// Bytes of a version 0 entry before the boxes in it.
const FIELD_BYTES: usize = 28;
const VERSION_1_EXTRA_BYTES: usize = 16;
const VERSION_2_EXTRA_BYTES: usize = 36;

#[derive(Debug, PartialEq)]
pub(super) struct AudioEntry {
    pub(super) codec: &'static str,
    pub(super) codec_string: String,
    pub(super) profile: Option<String>,
    pub(super) channels: u32,
    pub(super) sample_rate: u32,
    /// Average bits per second, where the entry says it.
    pub(super) bit_rate: Option<u64>,
}

/// The entry's own fields.
struct Sound {
    channels: u32,
    bits_per_sample: u32,
    sample_rate: u32,
    /// Format flags of `lpcm`, which only version 2 has.
    pcm_flags: u32,
    field_bytes: usize,
}

impl AudioEntry {
    /// Reads the body of a sample entry of type `kind` from an `stsd` of version `stsd_version`.
    pub(super) fn parse(kind: FourCc, body: &[u8], stsd_version: u8) -> Option<Self> {
        let sound = Sound::parse(body, stsd_version)?;
        let boxes = body.get(sound.field_bytes..).unwrap_or_default();
        let kind = unprotected(kind, body, sound.field_bytes);
        // QuickTime puts the codec's boxes into a `wave` box.
        let wave = child(boxes, *b"wave").unwrap_or_default();
        let inner = |kind: FourCc| child(boxes, kind).or_else(|| child(wave, kind));

        let config = match &kind {
            b"ac-3" => inner(*b"dac3").and_then(ac3::parse_dac3),
            b"ec-3" => inner(*b"dec3").and_then(ac3::parse_dec3),
            b"Opus" => inner(*b"dOps").and_then(headers::parse_dops),
            b"fLaC" => inner(*b"dfLa").and_then(flac::parse_dfla),
            b"alac" => inner(*b"alac").and_then(|alac| headers::parse_alac(alac.get(4..)?)),
            b"mlpa" => inner(*b"dmlp").and_then(headers::parse_dmlp),
            b"samr" => Some(AudioConfig { channels: Some(1), sample_rate: Some(8000) }),
            b"sawb" => Some(AudioConfig { channels: Some(1), sample_rate: Some(16_000) }),
            _ => None,
        };
        let config = config.unwrap_or_default();
        let sample_rate = child(boxes, *b"srat").and_then(|srat| Cursor::new(srat.get(4..)?).u32());
        let mut entry = Self {
            codec: quicktime::audio_name(kind),
            codec_string: codec_string(kind, &inner),
            profile: None,
            channels: config.channels.unwrap_or(sound.channels),
            sample_rate: config.sample_rate.or(sample_rate).unwrap_or(sound.sample_rate),
            bit_rate: None,
        };
        if let Some(codec) = pcm_codec(kind, &sound, &inner) {
            entry.codec = codec;
        }
        let stream = inner(*b"esds").and_then(ElementaryStream::parse);
        if let Some(stream) = &stream {
            entry.apply(stream);
        }
        entry.bit_rate = stream.and_then(|stream| stream.average_bit_rate).or_else(|| parse_btrt(boxes));
        Some(entry)
    }

    fn apply(&mut self, stream: &ElementaryStream<'_>) {
        self.codec = stream.audio_codec().unwrap_or(self.codec);
        self.codec_string = stream.codec_string("mp4a");
        if self.codec == "vorbis"
            && let Some(config) = stream.decoder_specific_info.and_then(headers::parse_vorbis)
        {
            self.take(config);
        }
        let is_aac = matches!(stream.object_type_indication, MPEG4_AUDIO | 0x66..=0x68);
        let config = stream.decoder_specific_info.filter(|_| is_aac).and_then(AudioSpecificConfig::parse);
        let Some(mut config) = config else { return };
        config.infer_sbr(self.sample_rate);
        self.codec = config.codec();
        self.profile = config.profile().map(str::to_owned);
        self.sample_rate = config.sample_rate;
        self.channels = config.channels.unwrap_or(self.channels);
        if stream.object_type_indication == MPEG4_AUDIO {
            self.codec_string = format!("{}.{}", self.codec_string, config.object_type);
        }
    }

    /// Whether frames know better than the entry how many channels there are: writers leave them at two.
    pub(super) fn is_told_by_frames(&self) -> bool {
        matches!(self.codec, "mp1" | "mp2" | "mp3" | "dts")
    }

    /// Takes what the header of the first frame says, if `sample` begins with one.
    pub(super) fn read_frame(&mut self, sample: &[u8]) {
        if self.codec == "dts" {
            if let Some(frame) = CoreFrame::parse(sample) {
                self.take(frame.config);
            }
        } else if let Some(frame) = FrameHeader::parse(sample) {
            self.take(AudioConfig { channels: Some(frame.channels), sample_rate: Some(frame.sample_rate) });
        }
    }

    fn take(&mut self, config: AudioConfig) {
        self.channels = config.channels.unwrap_or(self.channels);
        self.sample_rate = config.sample_rate.unwrap_or(self.sample_rate);
    }
}

impl Sound {
    fn parse(body: &[u8], stsd_version: u8) -> Option<Self> {
        let mut fields = Cursor::new(body);
        fields.skip(8)?;
        let version = fields.u16()?;
        fields.skip(6)?;
        let (channels, bits_per_sample) = (fields.u16()?, fields.u16()?);
        fields.skip(4)?;
        let sample_rate = fields.u32()? >> 16;
        let mut sound = Self {
            channels: channels.into(),
            bits_per_sample: bits_per_sample.into(),
            sample_rate,
            pcm_flags: 0,
            field_bytes: FIELD_BYTES,
        };
        // In an `stsd` of version 1 these versions are the ISO ones, which add no fields.
        match version {
            1 if stsd_version == 0 => sound.field_bytes += VERSION_1_EXTRA_BYTES,
            2 if stsd_version == 0 => {
                sound.field_bytes += VERSION_2_EXTRA_BYTES;
                sound.read_version_2(&mut fields);
            }
            _ => {}
        }
        Some(sound)
    }

    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a float-to-integer cast saturates"
    )]
    fn read_version_2(&mut self, fields: &mut Cursor<'_>) -> Option<()> {
        fields.skip(4)?;
        self.sample_rate = fields.f64()? as u32;
        self.channels = fields.u32()?;
        fields.skip(4)?;
        self.bits_per_sample = fields.u32()?;
        self.pcm_flags = fields.u32()?;
        Some(())
    }
}

/// RFC 6381 names a codec by its sample entry; Opus, FLAC and MP3 go by the names that browsers know.
fn codec_string<'a>(kind: FourCc, inner: &impl Fn(FourCc) -> Option<&'a [u8]>) -> String {
    match &kind {
        b"Opus" => "opus".to_owned(),
        b"fLaC" => "flac".to_owned(),
        b".mp3" | b"mp3 " | b"ms\0\x55" => "mp3".to_owned(),
        b"mha1" | b"mha2" | b"mhm1" | b"mhm2" => match inner(*b"mhaC").and_then(|config| config.get(1)) {
            Some(profile_level) => format!("{}.0x{profile_level:02X}", kind_text(kind)),
            None => kind_text(kind),
        },
        _ => kind_text(kind),
    }
}

/// `ffprobe`'s name of uncompressed audio; `None` for other codecs.
fn pcm_codec<'a>(
    kind: FourCc,
    sound: &Sound,
    inner: &impl Fn(FourCc) -> Option<&'a [u8]>,
) -> Option<&'static str> {
    const FLOAT: u32 = 1;
    const BIG_ENDIAN: u32 = 2;
    const SIGNED: u32 = 4;
    let enda_is_little = || inner(*b"enda").and_then(|enda| enda.get(1)) == Some(&1);
    // `pcmC` (ISO/IEC 23003-5): version and flags, format flags with 1 for little-endian, bits per sample.
    let pcmc = inner(*b"pcmC").and_then(|pcmc| pcmc.get(4).zip(pcmc.get(5)));
    let (bits, is_float, is_big, is_signed) = match &kind {
        b"sowt" => (sound.bits_per_sample, false, false, true),
        b"twos" => (sound.bits_per_sample, false, true, true),
        b"raw " | b"NONE" => (sound.bits_per_sample, false, true, sound.bits_per_sample != 8),
        b"in24" => (24, false, !enda_is_little(), true),
        b"in32" => (32, false, !enda_is_little(), true),
        b"fl32" => (32, true, !enda_is_little(), true),
        b"fl64" => (64, true, !enda_is_little(), true),
        b"lpcm" => {
            let has = |flag| sound.pcm_flags & flag != 0;
            (sound.bits_per_sample, has(FLOAT), has(BIG_ENDIAN), has(SIGNED))
        }
        b"ipcm" | b"fpcm" => {
            let (flags, bits) = pcmc?;
            (u32::from(*bits), &kind == b"fpcm", flags & 1 == 0, true)
        }
        _ => return None,
    };
    let format = match (is_float, is_signed) {
        (true, _) => pcm::Format::Float,
        (false, true) => pcm::Format::Signed,
        (false, false) => pcm::Format::Unsigned,
    };
    Some(pcm::name(format, bits, is_big))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::super::boxes::tests::{boxed, full};
    use super::*;
    use crate::codec::UNKNOWN;

    const ESDS: &[u8] = b"\x03\x16\0\x01\0\x04\x11\x40\x15\0\0\0\0\0\xfb\x32\0\0\xfb\x32\x05\x02\x12\x10";

    fn fields(version: u16, channels: u16, bits: u16, rate: u16) -> Vec<u8> {
        let mut body = vec![0; 8];
        body.extend(version.to_be_bytes());
        body.extend([0; 6]);
        body.extend(channels.to_be_bytes());
        body.extend(bits.to_be_bytes());
        body.extend([0; 4]);
        body.extend((u32::from(rate) << 16).to_be_bytes());
        body
    }

    fn summary(kind: FourCc, body: &[u8], stsd_version: u8) -> (&'static str, String, u32, u32) {
        let entry = AudioEntry::parse(kind, body, stsd_version).unwrap();
        (entry.codec, entry.codec_string, entry.channels, entry.sample_rate)
    }

    #[test]
    fn aac_is_found_in_every_version_of_the_entry() {
        let esds = full(*b"esds", 0, 0, ESDS);
        let aac = ("aac", "mp4a.40.2".to_owned(), 2, 44_100);
        let plain = [fields(0, 1, 16, 8000), esds.clone()].concat();
        assert_eq!(summary(*b"mp4a", &plain, 0), aac);
        let wave = boxed(*b"wave", [boxed(*b"frma", b"mp4a"), esds.clone()].concat());
        let quicktime = [fields(1, 2, 16, 44_100), vec![0; 16], wave].concat();
        assert_eq!(summary(*b"mp4a", &quicktime, 0), aac);
        let iso = [fields(1, 2, 16, 44_100), esds.clone()].concat();
        assert_eq!(summary(*b"mp4a", &iso, 1), aac);
        let sinf = boxed(*b"sinf", boxed(*b"frma", b"mp4a"));
        let protected = [fields(0, 2, 16, 44_100), esds, sinf].concat();
        assert_eq!(summary(*b"enca", &protected, 0), aac);
        assert_eq!(AudioEntry::parse(*b"mp4a", &plain, 0).unwrap().bit_rate, Some(64_306));
    }

    #[test]
    fn version_2_says_rate_and_channels_in_full() {
        let mut body = fields(2, 3, 16, 1);
        body.extend([0; 4]);
        body.extend(96_000_f64.to_be_bytes());
        body.extend(6_u32.to_be_bytes());
        body.extend(0x7f00_0000_u32.to_be_bytes());
        body.extend(24_u32.to_be_bytes());
        body.extend(0xc_u32.to_be_bytes());
        body.extend([0; 8]);
        assert_eq!(summary(*b"lpcm", &body, 0), ("pcm_s24le", "lpcm".to_owned(), 6, 96_000));
    }

    #[test]
    fn pcm_is_named_by_size_and_byte_order() {
        let name = |kind: &FourCc, bits, boxes: &[u8]| {
            AudioEntry::parse(*kind, &[fields(0, 2, bits, 48_000), boxes.to_vec()].concat(), 0).unwrap().codec
        };
        assert_eq!(name(b"sowt", 16, &[]), "pcm_s16le");
        assert_eq!(name(b"twos", 8, &[]), "pcm_s8");
        assert_eq!(name(b"raw ", 8, &[]), "pcm_u8");
        assert_eq!(name(b"in24", 16, &[]), "pcm_s24be");
        assert_eq!(name(b"in24", 16, &boxed(*b"wave", boxed(*b"enda", [0, 1]))), "pcm_s24le");
        assert_eq!(name(b"fl32", 16, &[]), "pcm_f32be");
        assert_eq!(name(b"ipcm", 16, &full(*b"pcmC", 0, 0, [1, 24])), "pcm_s24le");
        assert_eq!(name(b"fpcm", 16, &full(*b"pcmC", 0, 0, [0, 64])), "pcm_f64be");
        assert_eq!(name(b"ulaw", 16, &[]), "pcm_mulaw");
    }

    #[test]
    fn entries_may_be_named_by_a_format_tag() {
        let body = fields(1, 2, 16, 8000);
        assert_eq!(AudioEntry::parse(*b"ms\0\x02", &body, 0).unwrap().codec, "adpcm_ms");
        assert_eq!(AudioEntry::parse(*b"ms\0\x55", &body, 0).unwrap().codec, "mp3");
        assert_eq!(AudioEntry::parse(*b"ms\xee\xee", &body, 0).unwrap().codec, UNKNOWN);
    }

    #[test]
    fn the_first_frame_knows_the_channels() {
        let esds = full(*b"esds", 0, 0, b"\x03\x12\0\x01\0\x04\x0d\x6b\x15\0\0\0\0\0\0\0\0\0\0\0");
        let mut entry = AudioEntry::parse(*b"mp4a", &[fields(0, 2, 16, 44_100), esds].concat(), 0).unwrap();
        assert!(entry.is_told_by_frames());
        entry.read_frame(b"no frame");
        assert_eq!((entry.channels, entry.sample_rate), (2, 44_100));
        entry.read_frame(b"\xff\xfb\x94\xc4");
        assert_eq!((entry.codec, entry.channels, entry.sample_rate), ("mp3", 1, 48_000));
    }

    #[test]
    fn codecs_with_their_own_header_are_believed() {
        let opus = [fields(0, 2, 16, 24_000), boxed(*b"dOps", [0, 1, 0, 0])].concat();
        assert_eq!(summary(*b"Opus", &opus, 0), ("opus", "opus".to_owned(), 1, 48_000));
        let ac3 = [fields(0, 2, 16, 44_100), boxed(*b"dac3", [0x10, 0x3d, 0xe0])].concat();
        assert_eq!(summary(*b"ac-3", &ac3, 0), ("ac3", "ac-3".to_owned(), 6, 48_000));
        let mpegh = [fields(0, 2, 16, 48_000), boxed(*b"mhaC", [1, 0x0b, 0])].concat();
        assert_eq!(summary(*b"mhm1", &mpegh, 0), ("mpegh_3d_audio", "mhm1.0x0B".to_owned(), 2, 48_000));
    }
}
