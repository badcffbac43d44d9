//! AV1: the configuration record of "AV1 Codec ISO Media File Format Binding" and the sequence header of the AV1
//! bitstream specification, clause 5.5.

use super::VideoConfig;
use super::color::ColorCodes;
use crate::bits::Bits;
use crate::cursor::Cursor;

const OBU_SEQUENCE_HEADER: u8 = 1;

/// Reads an `av1C` box, with the codec string as the binding's section 5 has it.
pub(crate) fn parse_av1c(record: &[u8]) -> Option<VideoConfig> {
    let mut fields = Cursor::new(record);
    fields.skip(1)?;
    let (profile_level, flags) = (fields.u8()?, fields.u8()?);
    fields.skip(1)?;
    let (profile, level) = (profile_level >> 5, profile_level & 0x1f);
    let flag = |bit: u8| flags >> bit & 1;
    let depth = match (flag(6), flag(5)) {
        (0, _) => "08",
        (_, 0) => "10",
        _ => "12",
    };
    let header = sequence_header(fields.rest()).and_then(parse_sequence_header).unwrap_or_default();
    let mut color = header.color;
    let mut suffix = format!(".{profile}.{level:02}{}.{depth}", if flag(7) == 1 { 'H' } else { 'M' });
    if (color.primaries, color.transfer, color.matrix) != (None, None, None) {
        let (primaries, transfer, matrix) = color.codes();
        suffix = format!(
            "{suffix}.{}.{}{}{}.{primaries:02}.{transfer:02}.{matrix:02}.{}",
            flag(4),
            flag(3),
            flag(2),
            flags & 3,
            u8::from(color.full_range == Some(true)),
        );
    }
    color.full_range = color.full_range.or(Some(false));
    Some(VideoConfig {
        codec_suffix: suffix,
        profile: ["Main", "High", "Professional"].get(usize::from(profile)).map(|name| (*name).to_owned()),
        level: Some(level.into()),
        size: header.size,
        is_cropped: true,
        pixel_aspect: None,
        color,
        frame_rate: None,
    })
}

#[derive(Debug, Default)]
struct SequenceHeader {
    size: Option<(u32, u32)>,
    color: ColorCodes,
}

/// The payload of the first sequence header among the OBUs.
fn sequence_header(obus: &[u8]) -> Option<&[u8]> {
    let mut fields = Cursor::new(obus);
    // Each turn takes at least one byte.
    loop {
        let header = fields.u8()?;
        if header & 4 != 0 {
            fields.skip(1)?;
        }
        let size = if header & 2 == 0 { fields.rest().len() } else { leb128(&mut fields)? };
        let payload = fields.take(size)?;
        if header >> 3 & 15 == OBU_SEQUENCE_HEADER {
            return Some(payload);
        }
    }
}

fn leb128(fields: &mut Cursor<'_>) -> Option<usize> {
    let mut value = 0;
    for index in 0..4 {
        let byte = fields.u8()?;
        value |= usize::from(byte & 0x7f) << (7 * index);
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

fn parse_sequence_header(payload: &[u8]) -> Option<SequenceHeader> {
    let mut bits = Bits::new(payload);
    let profile = bits.bits(3)?;
    bits.skip(1)?;
    let reduced = bits.bit()?;
    if reduced {
        bits.skip(5)?;
    } else {
        skip_operating_points(&mut bits)?;
    }
    let (width_bits, height_bits) = (bits.bits(4)? + 1, bits.bits(4)? + 1);
    let size = (bits.bits(width_bits)? + 1, bits.bits(height_bits)? + 1);
    let color = skip_tools(&mut bits, reduced).and_then(|()| parse_color(&mut bits, profile));
    Some(SequenceHeader { size: Some(size), color: color.unwrap_or_default() })
}

fn skip_operating_points(bits: &mut Bits<'_>) -> Option<()> {
    let mut decoder_model_bits = None;
    if bits.bit()? {
        bits.skip(64)?;
        if bits.bit()? {
            bits.ue()?;
        }
        if bits.bit()? {
            decoder_model_bits = Some(bits.bits(5)? as usize + 1);
            bits.skip(42)?;
        }
    }
    let has_initial_delay = bits.bit()?;
    for _ in 0..=bits.bits(5)? {
        bits.skip(12)?;
        if bits.bits(5)? > 7 {
            bits.skip(1)?;
        }
        if let Some(delay_bits) = decoder_model_bits
            && bits.bit()?
        {
            bits.skip(2 * delay_bits + 1)?;
        }
        if has_initial_delay && bits.bit()? {
            bits.skip(4)?;
        }
    }
    Some(())
}

/// The coding tools between the frame size and the colours.
fn skip_tools(bits: &mut Bits<'_>, reduced: bool) -> Option<()> {
    if !reduced && bits.bit()? {
        bits.skip(7)?;
    }
    bits.skip(3)?;
    if !reduced {
        bits.skip(4)?;
        let has_order_hint = bits.bit()?;
        if has_order_hint {
            bits.skip(2)?;
        }
        let forced_screen_content = if bits.bit()? { 2 } else { bits.bits(1)? };
        if forced_screen_content > 0 && !bits.bit()? {
            bits.skip(1)?;
        }
        if has_order_hint {
            bits.skip(3)?;
        }
    }
    bits.skip(3)
}

fn parse_color(bits: &mut Bits<'_>, profile: u32) -> Option<ColorCodes> {
    let high_depth = bits.bit()?;
    if profile == 2 && high_depth {
        bits.skip(1)?;
    }
    let monochrome = profile != 1 && bits.bit()?;
    let mut color = ColorCodes::default();
    if bits.bit()? {
        color = ColorCodes::read(bits)?;
    }
    let is_srgb = (color.primaries, color.transfer, color.matrix) == (Some(1), Some(13), Some(0));
    color.full_range = Some((is_srgb && !monochrome) || bits.bit()?);
    Some(color)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn a_record_without_colours_has_the_short_codec_string() {
        let config = parse_av1c(b"\x81\x09\x4c\0\x0a\x0b\0\0\0\x4a\xab\xbf\xc3\x77\xff\xe7\x01").unwrap();
        assert_eq!(config.codec_suffix, ".0.09M.10");
        assert_eq!((config.profile.as_deref(), config.level), (Some("Main"), Some(9)));
        assert_eq!(config.size, Some((1920, 1080)));
    }

    #[test]
    fn a_record_with_colours_has_the_long_codec_string() {
        // The sequence header above, its colour description set to BT.2020 and PQ.
        let header = {
            let plain = [0_u8, 0, 0, 0x4a, 0xab, 0xbf, 0xc3, 0x77, 0xff, 0xe7, 0x01];
            let mut bits: Vec<bool> =
                plain.iter().flat_map(|byte| (0..8).rev().map(move |bit| byte >> bit & 1 == 1)).collect();
            let description = color_description_at(&plain);
            let codes = [9_u8, 16, 9].map(|code| (0..8).rev().map(move |bit| code >> bit & 1 == 1));
            bits.splice(description..=description, std::iter::once(true).chain(codes.into_iter().flatten()));
            bits.chunks(8)
                .map(|byte| byte.iter().fold(0, |sum, bit| sum << 1 | u8::from(*bit)))
                .collect::<Vec<u8>>()
        };
        let mut record = vec![0x81, 0x09, 0x4c, 0, 0x0a, u8::try_from(header.len()).unwrap()];
        record.extend(header);
        let config = parse_av1c(&record).unwrap();
        assert_eq!(config.codec_suffix, ".0.09M.10.0.110.09.16.09.0");
        assert_eq!(config.color, ColorCodes { full_range: Some(false), ..ColorCodes::new(9, 16, 9) });
    }

    /// Bit position of `color_description_present_flag`.
    fn color_description_at(header: &[u8]) -> usize {
        let mut bits = Bits::new(header);
        bits.skip(5).unwrap();
        skip_operating_points(&mut bits).unwrap();
        let (width, height) = (bits.bits(4).unwrap() + 1, bits.bits(4).unwrap() + 1);
        bits.skip((width + height) as usize).unwrap();
        skip_tools(&mut bits, false).unwrap();
        bits.skip(2).unwrap();
        header.len() * 8 - bits.left()
    }

    #[test]
    fn hostile_obus_end() {
        assert!(sequence_header(&[0x12; 64]).is_none());
        assert!(sequence_header(&[0x0a, 0xff, 0xff, 0xff, 0xff, 0xff]).is_none());
        assert!(sequence_header(&[]).is_none());
    }
}
