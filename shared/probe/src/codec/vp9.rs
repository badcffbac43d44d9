//! VP8 and VP9: the `vpcC` box of "VP Codec ISO Media File Format Binding", and the frame header of the "VP9 Bitstream
//! & Decoding Process Specification" clause 6.2, for containers that carry nothing else.

use super::VideoConfig;
use super::color::ColorCodes;
use crate::bits::Bits;
use crate::cursor::Cursor;

/// Levels of the specification's annex A by ten: the most luma samples per second and per picture.
const LEVELS: [(u8, f64, u64); 14] = [
    (10, 829_440.0, 36_864),
    (11, 2_764_800.0, 73_728),
    (20, 4_608_000.0, 122_880),
    (21, 9_216_000.0, 245_760),
    (30, 20_736_000.0, 552_960),
    (31, 36_864_000.0, 983_040),
    (40, 83_558_400.0, 2_228_224),
    (41, 160_432_128.0, 2_228_224),
    (50, 311_951_360.0, 8_912_896),
    (51, 588_251_136.0, 8_912_896),
    (52, 1_176_502_272.0, 8_912_896),
    (60, 1_176_502_272.0, 35_651_584),
    (61, 2_353_004_544.0, 35_651_584),
    (62, 4_706_009_088.0, 35_651_584),
];

/// What the codec string of VP9 is made of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Vp9Config {
    pub(crate) profile: u8,
    /// Ten times the level; 0 when it is not said.
    pub(crate) level: u8,
    pub(crate) bit_depth: u8,
    /// As `vpcC` has it: 1 for 4:2:0, 2 for 4:2:2, 3 for 4:4:4.
    pub(crate) chroma: u8,
    pub(crate) color: ColorCodes,
    pub(crate) size: Option<(u32, u32)>,
}

impl Vp9Config {
    /// The suffix of the codec string as the binding has it: the colours only where they are not BT.709.
    pub(crate) fn codec_suffix(&self) -> String {
        let Self { profile, level, bit_depth, chroma, color, .. } = self;
        let mut suffix = format!(".{profile:02}.{level:02}.{bit_depth:02}");
        let (primaries, transfer, matrix) = color.codes();
        let full_range = u8::from(color.full_range == Some(true));
        if !matches!((primaries, transfer, matrix, full_range), (1 | 2, 1 | 2, 1 | 2, 0)) {
            suffix = format!("{suffix}.{chroma:02}.{primaries:02}.{transfer:02}.{matrix:02}.{full_range:02}");
        }
        suffix
    }

    pub(crate) fn profile_name(&self) -> Option<String> {
        (self.profile < 4).then(|| format!("Profile {}", self.profile))
    }

    /// Sets the lowest level that allows pictures of this size so often, where none is said.
    pub(crate) fn infer_level(&mut self, width: u32, height: u32, frame_rate: f64) {
        if self.level > 0 {
            return;
        }
        let samples = u64::from(width) * u64::from(height);
        let per_second = f64::from(width) * f64::from(height) * frame_rate;
        let fitting = LEVELS.iter().find(|(_, rate, size)| per_second <= *rate && samples <= *size);
        self.level = fitting.map_or(62, |(level, ..)| *level);
    }

    /// Reads the header of a key frame; `None` for another frame.
    pub(crate) fn parse_key_frame(frame: &[u8]) -> Option<Self> {
        const FRAME_MARKER: u32 = 2;
        const SYNC_CODE: u32 = 0x49_8342;
        let mut bits = Bits::new(frame);
        if bits.bits(2)? != FRAME_MARKER {
            return None;
        }
        let profile = bits.bits(1)? | bits.bits(1)? << 1;
        if profile == 3 {
            bits.skip(1)?;
        }
        let (shows_existing, is_inter) = (bits.bit()?, bits.bit()?);
        if shows_existing || is_inter {
            return None;
        }
        bits.skip(2)?;
        if bits.bits(24)? != SYNC_CODE {
            return None;
        }
        let mut config =
            Self { profile: u8::try_from(profile).ok()?, chroma: 1, bit_depth: 8, ..Self::default() };
        config.read_color(&mut bits)?;
        config.size = Some((bits.bits(16)? + 1, bits.bits(16)? + 1));
        Some(config)
    }

    /// `color_config`: a colour space here is a matrix.
    fn read_color(&mut self, bits: &mut Bits<'_>) -> Option<()> {
        const SRGB: u32 = 7;
        if self.profile >= 2 {
            self.bit_depth = if bits.bit()? { 12 } else { 10 };
        }
        let space = bits.bits(3)?;
        let has_chroma_format = self.profile & 1 == 1;
        self.color.matrix = match space {
            1 => Some(5),
            2 => Some(1),
            3 => Some(6),
            4 => Some(7),
            5 => Some(9),
            SRGB => Some(0),
            _ => None,
        };
        if space == SRGB {
            self.color.full_range = Some(true);
            self.chroma = 3;
            if has_chroma_format {
                bits.skip(1)?;
            }
            return Some(());
        }
        self.color.full_range = Some(bits.bit()?);
        if has_chroma_format {
            self.chroma = match (bits.bit()?, bits.bit()?) {
                (true, true) => 1,
                (true, false) => 2,
                (false, _) => 3,
            };
            bits.skip(1)?;
        }
        Some(())
    }

    /// Reads the `CodecPrivate` of WebM ("VP9 Codec Feature Metadata"): features of one byte of identifier, one of
    /// size.
    pub(crate) fn parse_features(record: &[u8]) -> Self {
        let mut config = Self::default();
        let mut fields = Cursor::new(record);
        let mut next = || -> Option<(u8, u8)> {
            let (feature, size) = (fields.u8()?, fields.u8()?);
            Some((feature, *fields.take(size.into())?.first()?))
        };
        while let Some((feature, value)) = next() {
            match feature {
                1 => config.profile = value,
                2 => config.level = value,
                3 => config.bit_depth = value,
                4 => config.chroma = value,
                _ => {}
            }
        }
        config
    }
}

/// Reads a `vpcC` box.
pub(crate) fn parse_vpcc(record: &[u8]) -> Option<VideoConfig> {
    let mut fields = Cursor::new(record);
    fields.skip(4)?;
    let (profile, level, packed) = (fields.u8()?, fields.u8()?, fields.u8()?);
    let (primaries, transfer, matrix) = (fields.u8()?, fields.u8()?, fields.u8()?);
    let color = ColorCodes {
        full_range: Some(packed & 1 == 1),
        ..ColorCodes::new(primaries.into(), transfer.into(), matrix.into())
    };
    let config =
        Vp9Config { profile, level, bit_depth: packed >> 4, chroma: packed >> 1 & 7, color, size: None };
    Some(VideoConfig {
        codec_suffix: config.codec_suffix(),
        profile: config.profile_name(),
        level: (level > 0).then_some(level.into()),
        color,
        ..VideoConfig::default()
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn colours_are_in_the_codec_string_only_when_they_matter() {
        let plain = parse_vpcc(&[1, 0, 0, 0, 0, 31, 0x82, 1, 1, 1, 0, 0]).unwrap();
        assert_eq!(plain.codec_suffix, ".00.31.08");
        assert_eq!((plain.profile.as_deref(), plain.level), (Some("Profile 0"), Some(31)));
        let hdr = parse_vpcc(&[1, 0, 0, 0, 2, 51, 0xa2, 9, 16, 9, 0, 0]).unwrap();
        assert_eq!(hdr.codec_suffix, ".02.51.10.01.09.16.09.00");
        assert_eq!(hdr.color, ColorCodes { full_range: Some(false), ..ColorCodes::new(9, 16, 9) });
        assert_eq!(parse_vpcc(&[1, 0, 0, 0, 2, 51]), None);
    }

    #[test]
    fn a_key_frame_tells_what_the_container_does_not() {
        // Profile 0, BT.709 matrix, limited range, 320×240.
        let frame = [0x82, 0x49, 0x83, 0x42, 0x40, 0x13, 0xf0, 0x0e, 0xf0];
        let mut config = Vp9Config::parse_key_frame(&frame).unwrap();
        assert_eq!((config.profile, config.bit_depth, config.size), (0, 8, Some((320, 240))));
        assert_eq!((config.color.matrix, config.color.full_range), (Some(1), Some(false)));
        config.infer_level(320, 240, 30.0);
        assert_eq!(config.codec_suffix(), ".00.20.08");
        assert_eq!(Vp9Config::parse_key_frame(&[0x86, 0x49, 0x83, 0x42]), None);
        assert_eq!(Vp9Config::parse_key_frame(&frame[..8]), None);
    }

    #[test]
    fn levels_are_limited_by_size_and_by_speed() {
        let level = |width, height, frame_rate| {
            let mut config = Vp9Config::default();
            config.infer_level(width, height, frame_rate);
            config.level
        };
        assert_eq!(level(1280, 720, 30.0), 31);
        assert_eq!(level(1280, 720, 60.0), 40);
        assert_eq!(level(3840, 2160, 60.0), 51);
        assert_eq!(level(u32::MAX, u32::MAX, 1e9), 62);
    }

    #[test]
    fn features_are_listed_in_any_order() {
        let config = Vp9Config::parse_features(&[4, 1, 3, 9, 0, 2, 1, 41, 3, 1]);
        assert_eq!((config.chroma, config.level, config.bit_depth), (3, 0, 0));
        let config = Vp9Config::parse_features(&[2, 1, 41, 1, 1, 2, 3, 1, 10]);
        assert_eq!((config.profile, config.level, config.bit_depth), (2, 41, 10));
    }
}
