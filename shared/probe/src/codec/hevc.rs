//! HEVC: the decoder configuration record of ISO/IEC 14496-15 clause 8.3.3 and the sequence parameter set of
//! ITU-T H.265 clause 7.3.2.2.

use super::VideoConfig;
use super::annex_b::units;
use super::nal::{VideoUsability, chroma_units, cropped, parse_timing, unescape};
use crate::bits::Bits;
use crate::cursor::Cursor;

/// `nal_unit_type` of a video and of a sequence parameter set.
const NAL_VPS: u8 = 32;
const NAL_SPS: u8 = 33;
const NAL_HEADER_BYTES: usize = 2;

/// Reads an `hvcC` box.
pub(crate) fn parse_hvcc(record: &[u8]) -> Option<VideoConfig> {
    let mut fields = Cursor::new(record);
    fields.skip(1)?;
    let general = General::parse(&mut fields)?;
    let sps = first_sps(fields).and_then(parse_sps).unwrap_or_default();
    Some(sps.into_config(&general))
}

/// Finds the first sequence parameter set in a byte stream. The frame rate that a video parameter set before it tells
/// goes before its own.
pub(crate) fn find_sps(stream: &[u8]) -> Option<VideoConfig> {
    let mut vps_frame_rate = None;
    for unit in units(stream) {
        match unit.first().map(|header| header >> 1 & 0x3f) {
            Some(NAL_VPS) => vps_frame_rate = parse_vps_frame_rate(unit),
            Some(NAL_SPS) => {
                if let Some(config) = parse_sps_nal(unit) {
                    return Some(VideoConfig { frame_rate: vps_frame_rate.or(config.frame_rate), ..config });
                }
            }
            _ => {}
        }
    }
    None
}

/// Whether there is a video parameter set in a byte stream, which H.264 has not.
pub(crate) fn has_vps(stream: &[u8]) -> bool {
    units(stream).any(|unit| unit.first() == Some(&(NAL_VPS << 1)))
}

fn parse_sps_nal(nal: &[u8]) -> Option<VideoConfig> {
    let payload = unescape(nal.get(NAL_HEADER_BYTES..)?);
    // Behind identifier and number of sub-layers.
    let general = General::parse(&mut Cursor::new(payload.get(1..)?))?;
    Some(parse_sps(nal)?.into_config(&general))
}

/// The general part of `profile_tier_level` (ITU-T H.265 clause 7.3.3), which the configuration record repeats.
struct General<'a> {
    space_tier_profile: u8,
    compatibility: u32,
    constraints: &'a [u8],
    level: u8,
}

impl<'a> General<'a> {
    fn parse(fields: &mut Cursor<'a>) -> Option<Self> {
        Some(Self {
            space_tier_profile: fields.u8()?,
            compatibility: fields.u32()?,
            constraints: fields.take(6)?,
            level: fields.u8()?,
        })
    }

    /// ISO/IEC 14496-15 annex E.3: space and profile, compatibility in reverse bit order, tier and level, constraints.
    fn codec_suffix(&self) -> String {
        let space = ["", "A", "B", "C"][usize::from(self.space_tier_profile >> 6)];
        let tier = if self.space_tier_profile & 0x20 == 0 { 'L' } else { 'H' };
        let (profile, compatibility) = (self.profile(), self.compatibility.reverse_bits());
        let mut suffix = format!(".{space}{profile}.{compatibility:x}.{tier}{}", self.level);
        let used = self.constraints.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
        for byte in &self.constraints[..used] {
            suffix.push_str(&format!(".{byte:x}").to_uppercase());
        }
        suffix
    }

    fn profile(&self) -> u8 {
        self.space_tier_profile & 0x1f
    }
}

/// The frame rate that a video parameter set (ITU-T H.265 clause 7.3.2.1) tells.
fn parse_vps_frame_rate(nal: &[u8]) -> Option<(u64, u64)> {
    let payload = unescape(nal.get(NAL_HEADER_BYTES..)?);
    let mut bits = Bits::new(&payload);
    bits.skip(12)?;
    let sub_layers = bits.bits(3)?;
    bits.skip(17)?;
    skip_profile_tier_level(&mut bits, sub_layers)?;
    let ordering_infos = if bits.bit()? { sub_layers + 1 } else { 1 };
    for _ in 0..ordering_infos * 3 {
        bits.ue()?;
    }
    let layers = bits.bits(6)? as usize + 1;
    let layer_sets = usize::try_from(bits.ue()?).ok()?;
    bits.skip(layer_sets.checked_mul(layers)?)?;
    parse_timing(&mut bits).map(|(units, scale)| (scale, units))
}

fn profile_name(profile: u8) -> Option<&'static str> {
    Some(match profile {
        1 => "Main",
        2 => "Main 10",
        3 => "Main Still Picture",
        4 => "Rext",
        6 => "Multiview Main",
        9 => "Scc",
        _ => return None,
    })
}

fn first_sps(mut fields: Cursor<'_>) -> Option<&[u8]> {
    fields.skip(9)?;
    for _ in 0..fields.u8()? {
        let kind = fields.u8()? & 0x3f;
        for _ in 0..fields.u16()? {
            let size = fields.u16()?;
            let nal = fields.take(size.into())?;
            if kind == NAL_SPS {
                return Some(nal);
            }
        }
    }
    None
}

#[derive(Debug, Default, PartialEq, Eq)]
struct Sps {
    size: Option<(u32, u32)>,
    usability: VideoUsability,
    frame_rate: Option<(u64, u64)>,
}

impl Sps {
    fn into_config(self, general: &General<'_>) -> VideoConfig {
        let mut color = self.usability.color;
        // A decoder takes silence for limited range, and ffprobe says so.
        color.full_range = color.full_range.or(Some(false));
        VideoConfig {
            codec_suffix: general.codec_suffix(),
            profile: profile_name(general.profile()).map(str::to_owned),
            level: Some(general.level.into()),
            size: self.size,
            // HEVC codes sizes in multiples of 8 at least, so what the SPS says is what is meant.
            is_cropped: true,
            pixel_aspect: self.usability.pixel_aspect,
            color,
            frame_rate: self.frame_rate,
        }
    }
}

fn parse_sps(nal: &[u8]) -> Option<Sps> {
    let payload = unescape(nal.get(NAL_HEADER_BYTES..)?);
    let mut bits = Bits::new(&payload);
    bits.skip(4)?;
    let sub_layers = bits.bits(3)?;
    bits.skip(1)?;
    skip_profile_tier_level(&mut bits, sub_layers)?;
    bits.ue()?;
    let chroma_format = bits.ue()?;
    if chroma_format == 3 {
        bits.skip(1)?;
    }
    let (width, height) = (bits.ue()?, bits.ue()?);
    let mut window = [0; 4];
    if bits.bit()? {
        for edge in &mut window {
            *edge = bits.ue()?;
        }
    }
    let [left, right, top, bottom] = window;
    let (unit_x, unit_y) = chroma_units(chroma_format);
    let size = cropped(width, left, right, unit_x).zip(cropped(height, top, bottom, unit_y));
    let usability = parse_usability(&mut bits, sub_layers);
    let frame_rate = usability.as_ref().and_then(|_| parse_frame_rate(&mut bits));
    Some(Sps { size, usability: usability.unwrap_or_default(), frame_rate })
}

/// The timing in the video usability information, behind what follows the colours.
fn parse_frame_rate(bits: &mut Bits<'_>) -> Option<(u64, u64)> {
    if bits.bit()? {
        bits.ue()?;
        bits.ue()?;
    }
    bits.skip(3)?;
    if bits.bit()? {
        for _ in 0..4 {
            bits.ue()?;
        }
    }
    parse_timing(bits).map(|(units, scale)| (scale, units))
}

fn skip_profile_tier_level(bits: &mut Bits<'_>, sub_layers: u32) -> Option<()> {
    bits.skip(96)?;
    let mut skip = 0;
    for _ in 0..sub_layers {
        let (has_profile, has_level) = (bits.bit()?, bits.bit()?);
        skip += if has_profile { 88 } else { 0 } + if has_level { 8 } else { 0 };
    }
    if sub_layers > 0 {
        bits.skip(2 * (8 - sub_layers as usize))?;
    }
    bits.skip(skip)
}

/// Everything between the conformance window and the video usability information has to be walked through.
fn parse_usability(bits: &mut Bits<'_>, sub_layers: u32) -> Option<VideoUsability> {
    bits.ue()?;
    bits.ue()?;
    let order_count_bits = bits.ue()?.checked_add(4)?;
    let ordering_infos = if bits.bit()? { sub_layers + 1 } else { 1 };
    for _ in 0..ordering_infos * 3 + 6 {
        bits.ue()?;
    }
    if bits.bit()? && bits.bit()? {
        skip_scaling_lists(bits)?;
    }
    bits.skip(2)?;
    if bits.bit()? {
        bits.skip(8)?;
        bits.ue()?;
        bits.ue()?;
        bits.skip(1)?;
    }
    skip_reference_picture_sets(bits)?;
    if bits.bit()? {
        let pictures = bits.ue()?.min(32) as usize;
        bits.skip(pictures.checked_mul(order_count_bits.min(64) as usize + 1)?)?;
    }
    bits.skip(2)?;
    if bits.bit()? { VideoUsability::parse(bits) } else { None }
}

/// ITU-T H.265 clause 7.3.4.
fn skip_scaling_lists(bits: &mut Bits<'_>) -> Option<()> {
    for size_id in 0..4_u32 {
        for _ in 0..if size_id == 3 { 2 } else { 6 } {
            if !bits.bit()? {
                bits.ue()?;
                continue;
            }
            if size_id > 1 {
                bits.se()?;
            }
            for _ in 0..64.min(1 << (4 + 2 * size_id)) {
                bits.se()?;
            }
        }
    }
    Some(())
}

/// ITU-T H.265 clause 7.3.7. Only the number of pictures in each set matters: a later set may be coded by it.
fn skip_reference_picture_sets(bits: &mut Bits<'_>) -> Option<()> {
    let sets = bits.ue()?;
    let mut pictures = 0;
    for set in 0..sets.min(64) {
        if set > 0 && bits.bit()? {
            bits.skip(1)?;
            bits.ue()?;
            let mut kept = 0;
            for _ in 0..=pictures {
                let used = bits.bit()?;
                kept += u32::from(used || bits.bit()?);
            }
            pictures = kept;
        } else {
            pictures = bits.ue()?.checked_add(bits.ue()?)?;
            if pictures > 32 {
                return None;
            }
            for _ in 0..pictures {
                bits.ue()?;
                bits.skip(1)?;
            }
        }
    }
    Some(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::codec::color::ColorCodes;

    /// 320×180, 10 bit, BT.2020, PQ, by x265: the record up to its SPS.
    const RECORD: &[u8] = b"\x01\x02\x20\x00\x00\x00\x90\x00\x00\x00\x00\x00\x3c\xf0\x00\xfc\xfd\xfa\xfa\x00\x00\x0f\x01\xa1\x00\x01\
        \x00\x2d\x42\x01\x01\x02\x20\x00\x00\x03\x00\x90\x00\x00\x03\x00\x00\x03\x00\x3c\xa0\x0a\x08\x0b\x9f\x6d\
        \x96\x56\x69\x24\xca\xf0\x16\xa1\x22\x01\x20\x80\x00\x00\x03\x00\x80\x00\x00\x0c\x04";

    #[test]
    fn a_configuration_record_tells_profile_size_and_range() {
        let config = parse_hvcc(RECORD).unwrap();
        assert_eq!(config.codec_suffix, ".2.4.L60.90");
        assert_eq!(config.profile.as_deref(), Some("Main 10"));
        assert_eq!(config.level, Some(60));
        assert_eq!(config.size, Some((320, 180)));
        assert_eq!(config.pixel_aspect, Some((1, 1)));
        assert_eq!(config.color, ColorCodes { full_range: Some(false), ..ColorCodes::new(9, 16, 9) });
    }

    #[test]
    fn a_parameter_set_of_a_stream_tells_what_the_record_does() {
        let config = parse_sps_nal(&RECORD[28..]).unwrap();
        assert_eq!(
            VideoConfig { frame_rate: None, ..config },
            VideoConfig { frame_rate: None, ..parse_hvcc(RECORD).unwrap() }
        );
        assert_eq!(parse_sps_nal(&RECORD[28..40]), None);
    }

    #[test]
    fn a_video_parameter_set_may_tell_the_frame_rate() {
        let vps = b"\x40\x01\x0c\x01\xff\xff\x01\x60\x00\x00\x03\x00\x90\x00\x00\x03\x00\x00\x03\x00\x5a\x95\x98\x0c\x00\x00\x0f\xa4\x00\x01\xd4\xc1";
        assert_eq!(parse_vps_frame_rate(vps), Some((30_000, 1001)));
        // As x265 writes it, without timing.
        let vps = b"\x40\x01\x0c\x01\xff\xff\x01\x60\x00\x00\x03\x00\x90\x00\x00\x03\x00\x00\x03\x00\x5a\x95\x98\x09";
        assert_eq!(parse_vps_frame_rate(vps), None);
    }

    #[test]
    fn a_parameter_set_tells_the_frame_rate() {
        // By x265: 854x480 at 30 frames per second.
        let sps = b"\x42\x01\x01\x01\x60\x00\x00\x03\x00\x90\x00\x00\x03\x00\x00\x03\x00\x5a\xa0\x06\xb2\x01\xe1\xd7\x96\x56\x69\x24\xca\xe6\x80\x80\x00\x00\x03\x00\x80\x00\x00\x0f\x04";
        let config = parse_sps_nal(sps).unwrap();
        assert_eq!((config.size, config.frame_rate), (Some((854, 480)), Some((30, 1))));
        assert_eq!(config.codec_suffix, ".1.6.L90.90");
        let vps = b"\x40\x01\x0c\x01\xff\xff\x01\x60\x00\x00\x03\x00\x90\x00\x00\x03\x00\x00\x03\x00\x5a\x95\x98\x0c\x00\x00\x0f\xa4\x00\x01\xd4\xc1";
        let stream = [b"\0\0\x01", &vps[..], b"\0\0\x01", sps].concat();
        assert_eq!(find_sps(&stream).unwrap().frame_rate, Some((30_000, 1001)));
        assert!(has_vps(&stream) && !has_vps(&stream[35..]));
    }

    #[test]
    fn a_cut_record_tells_at_least_the_codec_string() {
        for end in 13..RECORD.len() {
            assert_eq!(parse_hvcc(&RECORD[..end]).unwrap().codec_suffix, ".2.4.L60.90", "{end}");
        }
        assert_eq!(parse_hvcc(&RECORD[..12]), None);
    }

    #[test]
    fn the_codec_string_has_space_and_tier() {
        let suffix = |bytes| General::parse(&mut Cursor::new(bytes)).unwrap().codec_suffix();
        assert_eq!(suffix(b"\x61\x60\0\0\0\xb0\0\0\0\0\0\x5d"), ".A1.6.H93.B0");
        assert_eq!(suffix(b"\x01\x60\0\0\0\0\0\0\0\0\0\x5d"), ".1.6.L93");
    }
}
