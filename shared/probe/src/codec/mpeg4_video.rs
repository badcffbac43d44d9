//! MPEG-4 part 2 video: the visual object sequence and the video object layer of ISO/IEC 14496-2 clause 6.2.

use super::VideoConfig;
use super::annex_b::units;
use crate::bits::Bits;

const VISUAL_OBJECT_SEQUENCE: u8 = 0xb0;
const EXTENDED_ASPECT: u32 = 15;
const PIXEL_ASPECTS: [(u32, u32); 6] = [(0, 0), (1, 1), (12, 11), (10, 11), (16, 11), (40, 33)];

/// Finds the first video object layer in `stream`. The suffix of the codec string is that of `mp4v`.
pub(crate) fn find_layer(stream: &[u8]) -> Option<VideoConfig> {
    let mut profile_level = None;
    for unit in units(stream) {
        match unit {
            [VISUAL_OBJECT_SEQUENCE, code, ..] => profile_level = Some(*code),
            [0x20..=0x2f, layer @ ..] => {
                let mut config = parse_layer(layer)?;
                config.codec_suffix =
                    profile_level.map_or_else(|| ".20".to_owned(), |code| format!(".20.{code}"));
                if let Some(code) = profile_level {
                    config.profile = profile_name(code).map(str::to_owned);
                    config.level = Some((code & 15).into());
                }
                return Some(config);
            }
            _ => {}
        }
    }
    None
}

fn parse_layer(layer: &[u8]) -> Option<VideoConfig> {
    let mut bits = Bits::new(layer);
    bits.skip(1 + 8)?;
    let version = if bits.bit()? {
        let version = bits.bits(4)?;
        bits.skip(3)?;
        version
    } else {
        1
    };
    let pixel_aspect = match bits.bits(4)? {
        EXTENDED_ASPECT => Some((bits.bits(8)?, bits.bits(8)?)),
        index => PIXEL_ASPECTS.get(index as usize).copied(),
    };
    if bits.bit()? {
        bits.skip(3)?;
        if bits.bit()? {
            bits.skip(79)?;
        }
    }
    let shape = bits.bits(2)?;
    if shape == 3 && version != 1 {
        bits.skip(4)?;
    }
    bits.skip(1)?;
    let resolution = bits.bits(16)?;
    bits.skip(1)?;
    let mut frame_ticks = 1;
    if bits.bit()? {
        // As many bits as a number below the resolution needs, one at least.
        let width = (u32::BITS - resolution.saturating_sub(1).leading_zeros()).max(1);
        frame_ticks = bits.bits(width)?.max(1);
    }
    let mut size = None;
    if shape == 0 {
        bits.skip(1)?;
        let width = bits.bits(13)?;
        bits.skip(1)?;
        let height = bits.bits(13)?;
        size = (width > 0 && height > 0).then_some((width, height));
    }
    Some(VideoConfig {
        size,
        is_cropped: true,
        pixel_aspect: pixel_aspect.filter(|(x, y)| *x > 0 && *y > 0),
        frame_rate: (resolution > 0).then_some((resolution.into(), frame_ticks.into())),
        ..VideoConfig::default()
    })
}

/// The profile by `profile_and_level_indication`.
pub(crate) fn profile_name(code: u8) -> Option<&'static str> {
    Some(match code >> 4 {
        0 => "Simple Profile",
        1 => "Simple Scalable Profile",
        2 => "Core Profile",
        3 => "Main Profile",
        4 => "N-bit Profile",
        15 => "Advanced Simple Profile",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::bits::tests::packed;

    #[test]
    fn a_frame_lasts_a_number_of_as_few_bits_as_are_needed() {
        for (resolution, ticks, wanted) in [
            (25_u16, "00001", 1),
            (16, "0011", 3),
            (17, "00011", 3),
            (30_000, "00000 1111101001", 1001),
            (u16::MAX, "1000000000000000", 0x8000),
            (2, "1", 1),
            (1, "1", 1),
            (1, "0", 1),
        ] {
            let layer = format!(
                "0 00000001 0 0001 0 00 1 {resolution:016b} 1 1 {ticks} 1 {:013b} 1 {:013b}",
                320, 180
            );
            let config = parse_layer(&packed(&layer)).unwrap();
            assert_eq!(config.frame_rate, Some((resolution.into(), wanted)), "{resolution}");
            assert_eq!(config.size, Some((320, 180)), "{resolution}");
        }
    }

    #[test]
    fn a_layer_tells_size_and_rate() {
        // By libavcodec's mpeg4: 320x180 at 25 frames per second.
        let stream = b"\0\0\x01\xb0\x01\0\0\x01\xb5\x89\x13\0\0\x01\0\0\0\x01\x20\0\xc4\x8d\x88\0\xcd\x0a\x04\x16\x94\x43";
        let config = find_layer(stream).unwrap();
        assert_eq!(config.size, Some((320, 180)));
        assert_eq!(config.frame_rate, Some((25, 1)));
        assert_eq!(config.codec_suffix, ".20.1");
        assert_eq!((config.profile.as_deref(), config.level), (Some("Simple Profile"), Some(1)));
        assert_eq!(find_layer(&stream[..24]), None);
    }
}
