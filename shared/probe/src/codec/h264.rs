//! H.264: the decoder configuration record of ISO/IEC 14496-15 clause 5.3.3 and the sequence parameter set of
//! ITU-T H.264 clause 7.3.2.1.

use super::VideoConfig;
use super::annex_b::units;
use super::nal::{VideoUsability, chroma_units, cropped, parse_timing, unescape};
use crate::bits::Bits;
use crate::cursor::Cursor;

/// `nal_unit_type` of a sequence parameter set.
const NAL_SPS: u8 = 7;

/// Reads an `avcC` box.
pub(crate) fn parse_avcc(record: &[u8]) -> Option<VideoConfig> {
    let mut fields = Cursor::new(record);
    fields.skip(1)?;
    let (profile, constraints, level) = (fields.u8()?, fields.u8()?, fields.u8()?);
    let sps = first_sps(fields).and_then(parse_sps).unwrap_or_default();
    Some(sps.into_config(profile, constraints, level))
}

/// Finds the first sequence parameter set in a byte stream.
pub(crate) fn find_sps(stream: &[u8]) -> Option<VideoConfig> {
    let is_sps = |unit: &&[u8]| unit.first().is_some_and(|header| header & 0x1f == NAL_SPS);
    units(stream).filter(is_sps).find_map(parse_sps_nal)
}

fn parse_sps_nal(nal: &[u8]) -> Option<VideoConfig> {
    let [_, profile, constraints, level, ..] = *nal else { return None };
    Some(parse_sps(nal)?.into_config(profile, constraints, level))
}

fn first_sps(mut fields: Cursor<'_>) -> Option<&[u8]> {
    fields.skip(1)?;
    let count = fields.u8()? & 0x1f;
    let size = fields.u16()?;
    if count == 0 { None } else { fields.take(size.into()) }
}

#[derive(Debug, Default, PartialEq, Eq)]
struct Sps {
    size: Option<(u32, u32)>,
    is_cropped: bool,
    usability: VideoUsability,
    frame_rate: Option<(u64, u64)>,
}

impl Sps {
    fn into_config(self, profile: u8, constraints: u8, level: u8) -> VideoConfig {
        VideoConfig {
            codec_suffix: format!(".{profile:02x}{constraints:02x}{level:02x}"),
            profile: profile_name(profile, constraints).map(str::to_owned),
            level: Some(level.into()),
            size: self.size,
            is_cropped: self.is_cropped,
            pixel_aspect: self.usability.pixel_aspect,
            color: self.usability.color,
            frame_rate: self.frame_rate,
        }
    }
}

fn parse_sps(nal: &[u8]) -> Option<Sps> {
    let payload = unescape(nal.get(1..)?);
    let mut bits = Bits::new(&payload);
    let profile = bits.bits(8)?;
    bits.skip(16)?;
    bits.ue()?;
    let chroma_format = if has_chroma_format(profile) { parse_chroma_and_scaling(&mut bits)? } else { 1 };
    bits.ue()?;
    match bits.ue()? {
        0 => drop(bits.ue()?),
        1 => {
            bits.skip(1)?;
            bits.se()?;
            bits.se()?;
            for _ in 0..bits.ue()?.min(255) {
                bits.se()?;
            }
        }
        _ => {}
    }
    bits.ue()?;
    bits.skip(1)?;
    let width = bits.ue()?.checked_add(1)?.checked_mul(16)?;
    let map_units = bits.ue()?.checked_add(1)?.checked_mul(16)?;
    let fields_per_frame = if bits.bit()? { 1 } else { 2 };
    if fields_per_frame == 2 {
        bits.skip(1)?;
    }
    let height = map_units.checked_mul(fields_per_frame)?;
    bits.skip(1)?;
    let (unit_x, unit_y) = chroma_units(chroma_format);
    let mut crop = [0; 4];
    if bits.bit()? {
        for edge in &mut crop {
            *edge = bits.ue()?;
        }
    }
    let [left, right, top, bottom] = crop;
    let size =
        cropped(width, left, right, unit_x).zip(cropped(height, top, bottom, unit_y * fields_per_frame));
    let usability = if bits.bit() == Some(true) { VideoUsability::parse(&mut bits) } else { None };
    let frame_rate = usability.as_ref().and_then(|_| parse_frame_rate(&mut bits));
    Some(Sps { size, is_cropped: crop != [0; 4], usability: usability.unwrap_or_default(), frame_rate })
}

/// The timing that follows the colours in the video usability information. A tick is a field, half a frame.
fn parse_frame_rate(bits: &mut Bits<'_>) -> Option<(u64, u64)> {
    if bits.bit()? {
        bits.ue()?;
        bits.ue()?;
    }
    let (ticks, clock) = parse_timing(bits)?;
    Some((clock, ticks * 2))
}

fn has_chroma_format(profile: u32) -> bool {
    matches!(profile, 100 | 110 | 122 | 244 | 44 | 83 | 86 | 118 | 128 | 138 | 139 | 134 | 135)
}

/// The fields that only the High profiles have; answers the chroma format, 0 for planes coded apart.
fn parse_chroma_and_scaling(bits: &mut Bits<'_>) -> Option<u32> {
    let mut chroma_format = bits.ue()?;
    let lists = if chroma_format == 3 { 12 } else { 8 };
    if chroma_format == 3 && bits.bit()? {
        chroma_format = 0;
    }
    bits.ue()?;
    bits.ue()?;
    bits.skip(1)?;
    if bits.bit()? {
        for list in 0..lists {
            if bits.bit()? {
                skip_scaling_list(bits, if list < 6 { 16 } else { 64 })?;
            }
        }
    }
    Some(chroma_format)
}

fn skip_scaling_list(bits: &mut Bits<'_>, size: u32) -> Option<()> {
    let mut last = 8;
    for _ in 0..size {
        let next = (last + bits.se()?).rem_euclid(256);
        if next == 0 {
            break;
        }
        last = next;
    }
    Some(())
}

/// Profile names of ITU-T H.264 annex A, as `ffprobe` has them. `constraints` holds the flags, set 0 topmost.
fn profile_name(profile: u8, constraints: u8) -> Option<&'static str> {
    let set1 = constraints & 0x40 != 0;
    let intra = constraints & 0x10 != 0;
    Some(match (profile, intra) {
        (66, _) if set1 => "Constrained Baseline",
        (66, _) => "Baseline",
        (77, _) => "Main",
        (88, _) => "Extended",
        (100, _) => "High",
        (110, false) => "High 10",
        (110, true) => "High 10 Intra",
        (122, false) => "High 4:2:2",
        (122, true) => "High 4:2:2 Intra",
        (144, _) => "High 4:4:4",
        (244, false) => "High 4:4:4 Predictive",
        (244, true) => "High 4:4:4 Intra",
        (44, _) => "CAVLC 4:4:4",
        (118, _) => "Multiview High",
        (128, _) => "Stereo High",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::bits::tests::packed;
    use crate::codec::color::ColorCodes;

    /// From a 1280×720 encode by x264: no colours, square pixels.
    const RECORD: &[u8] =
        b"\x01\x64\x00\x1f\xff\xe1\x00\x19\x67\x64\x00\x1f\xac\x24\x84\x01\x40\x16\xec\x04\x40\x00\x00\
        \x03\x00\x40\x00\x00\x0c\x23\xc6\x0c\x92\x01\x00\x05\x68\xee\x32\xc8\xb0";

    #[test]
    fn a_configuration_record_tells_profile_and_size() {
        let config = parse_avcc(RECORD).unwrap();
        assert_eq!(config.codec_suffix, ".64001f");
        assert_eq!(config.profile.as_deref(), Some("High"));
        assert_eq!(config.level, Some(31));
        assert_eq!(config.size, Some((1280, 720)));
        assert_eq!(config.pixel_aspect, Some((1, 1)));
        assert_eq!(config.color, ColorCodes::default());
    }

    #[test]
    fn a_parameter_set_of_a_stream_tells_the_frame_rate_too() {
        let config = parse_sps_nal(&RECORD[8..33]).unwrap();
        assert_eq!(config, parse_avcc(RECORD).unwrap());
        assert_eq!(config.frame_rate, Some((48, 2)));
        assert_eq!(parse_sps_nal(&RECORD[8..12]), None);
    }

    #[test]
    fn cropping_is_taken_off_the_size() {
        // 640×360 is coded as 640×368.
        let record = b"\x01\x64\x00\x1e\xff\xe1\x00\x19\x67\x64\x00\x1e\xac\xd9\x40\xa0\x2f\xf9\x70\x11\x00\x00\x03\x03\xe9\
            \x00\x00\xea\x60\x0f\x16\x2d\x96";
        let config = parse_avcc(record).unwrap();
        assert_eq!(config.size, Some((640, 360)));
        assert!(config.is_cropped);
    }

    #[test]
    fn interlaced_pictures_are_cropped_by_rows_of_both_fields() {
        // Main profile, level 4.0; 120 macroblocks by 34 of each field; 2 units off the bottom.
        let sps = packed(
            "01100111 01001101 00000000 00101000 1 1 011 010 0 0000001111000 00000100010 \
             0 0 1 1 1 1 1 011 0 1",
        );
        let config = parse_sps_nal(&sps).unwrap();
        assert_eq!((config.size, config.is_cropped), (Some((1920, 1080)), true));
        assert_eq!(config.codec_suffix, ".4d0028");
    }

    #[test]
    fn a_cut_record_still_tells_what_it_has() {
        for end in 4..RECORD.len() {
            assert_eq!(parse_avcc(&RECORD[..end]).unwrap().codec_suffix, ".64001f", "{end}");
        }
        assert_eq!(parse_avcc(&RECORD[..3]), None);
    }

    #[test]
    fn constraint_flags_make_the_profile() {
        assert_eq!(profile_name(66, 0xc0), Some("Constrained Baseline"));
        assert_eq!(profile_name(66, 0), Some("Baseline"));
        assert_eq!(profile_name(110, 0x10), Some("High 10 Intra"));
        assert_eq!(profile_name(1, 0), None);
    }
}
