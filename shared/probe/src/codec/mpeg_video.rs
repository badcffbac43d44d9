//! MPEG-1 and MPEG-2 video: the sequence header of ISO/IEC 11172-2 clause 2.4.2.3 and ISO/IEC 13818-2 clause 6.2.2.1.

use super::VideoConfig;
use super::annex_b::units;
use super::color::ColorCodes;
use crate::bits::Bits;

const SEQUENCE_HEADER: u8 = 0xb3;
const EXTENSION: u8 = 0xb5;
const SEQUENCE_EXTENSION: u32 = 1;
const DISPLAY_EXTENSION: u32 = 2;

/// Frames per second by `frame_rate_code`, from 1.
const FRAME_RATES: [(u64, u64); 8] =
    [(24_000, 1001), (24, 1), (25, 1), (30_000, 1001), (30, 1), (50, 1), (60_000, 1001), (60, 1)];

/// What a sequence header and its extensions say.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Sequence {
    /// MPEG-2 has an extension behind the sequence header, MPEG-1 has none.
    pub(crate) is_mpeg_2: bool,
    pub(crate) config: VideoConfig,
    aspect_code: u32,
}

impl Sequence {
    /// Finds the first sequence header in `stream`.
    pub(crate) fn find(stream: &[u8]) -> Option<Self> {
        let mut sequence = None;
        for unit in units(stream) {
            match (unit, &mut sequence) {
                ([SEQUENCE_HEADER, header @ ..], None) => sequence = Self::parse_header(header),
                ([EXTENSION, extension @ ..], Some(sequence)) => {
                    sequence.add_extension(extension);
                }
                (_, Some(_)) => break,
                _ => {}
            }
        }
        let mut sequence = sequence?;
        sequence.config.pixel_aspect = sequence.pixel_aspect();
        Some(sequence)
    }

    /// `ffprobe`'s name of the codec.
    pub(crate) fn codec(&self) -> &'static str {
        if self.is_mpeg_2 { "mpeg2video" } else { "mpeg1video" }
    }

    fn parse_header(header: &[u8]) -> Option<Self> {
        let mut bits = Bits::new(header);
        let size = (bits.bits(12)?, bits.bits(12)?);
        let aspect_code = bits.bits(4)?;
        let rate_code = bits.bits(4)? as usize;
        let frame_rate = rate_code.checked_sub(1).and_then(|index| FRAME_RATES.get(index)).copied();
        let config = VideoConfig {
            size: (size.0 > 0 && size.1 > 0).then_some(size),
            is_cropped: true,
            frame_rate,
            ..VideoConfig::default()
        };
        Some(Self { is_mpeg_2: false, config, aspect_code })
    }

    fn add_extension(&mut self, extension: &[u8]) -> Option<()> {
        let mut bits = Bits::new(extension);
        match bits.bits(4)? {
            SEQUENCE_EXTENSION => {
                bits.skip(1)?;
                let (profile, level) = (bits.bits(3)?, bits.bits(4)?);
                bits.skip(3)?;
                let (width_top, height_top) = (bits.bits(2)?, bits.bits(2)?);
                bits.skip(12 + 1 + 8 + 1)?;
                let (more, less) = (bits.bits(2)? + 1, bits.bits(5)? + 1);
                self.is_mpeg_2 = true;
                let config = &mut self.config;
                config.profile = profile_name(profile).map(str::to_owned);
                config.level = Some(level);
                config.size =
                    config.size.map(|(width, height)| (width | width_top << 12, height | height_top << 12));
                config.frame_rate = config
                    .frame_rate
                    .map(|(frames, seconds)| (frames * u64::from(more), seconds * u64::from(less)));
                // Only the range of television is known to MPEG-2.
                config.color.full_range = Some(false);
            }
            DISPLAY_EXTENSION => {
                bits.skip(3)?;
                if bits.bit()? {
                    self.config.color = ColorCodes::read(&mut bits)?.or(self.config.color);
                }
            }
            _ => {}
        }
        Some(())
    }

    /// MPEG-2 tells the shape of the picture, MPEG-1 that of a pixel, in steps that nothing uses any more.
    fn pixel_aspect(&self) -> Option<(u32, u32)> {
        let (width, height) = self.config.size?;
        let (x, y) = match (self.is_mpeg_2, self.aspect_code) {
            (_, 1) => return Some((1, 1)),
            (true, 2) => (4, 3),
            (true, 3) => (16, 9),
            (true, 4) => (221, 100),
            _ => return None,
        };
        Some((height.checked_mul(x)?, width.checked_mul(y)?))
    }
}

fn profile_name(profile: u32) -> Option<&'static str> {
    Some(match profile {
        0 => "4:2:2",
        1 => "High",
        2 => "Spatially Scalable",
        3 => "SNR Scalable",
        4 => "Main",
        5 => "Simple",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn mpeg_2_extends_the_header_of_mpeg_1() {
        // 720x576, 16:9, 25 frames per second, Main profile at Main level.
        let header =
            b"\0\0\x01\xb3\x2d\x02\x40\x33\x24\x9f\x23\x81\0\0\x01\xb5\x14\x82\x00\x01\x00\x00\0\0\x01\xb8";
        let sequence = Sequence::find(header).unwrap();
        assert_eq!((sequence.codec(), sequence.config.size), ("mpeg2video", Some((720, 576))));
        assert_eq!((sequence.config.profile.as_deref(), sequence.config.level), (Some("Main"), Some(8)));
        assert_eq!(sequence.config.frame_rate, Some((25, 1)));
        assert_eq!(sequence.config.pixel_aspect, Some((576 * 16, 720 * 9)));
        let mpeg_1 = Sequence::find(&header[..12]).unwrap();
        assert_eq!((mpeg_1.codec(), mpeg_1.config.level), ("mpeg1video", None));
        assert_eq!(Sequence::find(&header[..6]), None);
    }
}
