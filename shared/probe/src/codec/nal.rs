//! What H.264 and HEVC share: unescaping, cropping, and the start of their video usability information.

use super::color::ColorCodes;
use crate::bits::Bits;

/// Longest parameter set that is looked at; real ones have tens of bytes.
const MAX_NAL_BYTES: usize = 4096;
const EXTENDED_SAR: usize = 255;

/// Pixel aspect ratios by `aspect_ratio_idc`, ITU-T H.264 table E-1.
const PIXEL_ASPECTS: [(u32, u32); 17] = [
    (0, 0),
    (1, 1),
    (12, 11),
    (10, 11),
    (16, 11),
    (40, 33),
    (24, 11),
    (20, 11),
    (32, 11),
    (80, 33),
    (18, 11),
    (15, 11),
    (64, 33),
    (160, 99),
    (4, 3),
    (3, 2),
    (2, 1),
];

/// The payload of a NAL unit without its emulation prevention bytes.
pub(super) fn unescape(nal: &[u8]) -> Vec<u8> {
    let mut payload = Vec::with_capacity(nal.len().min(MAX_NAL_BYTES));
    let mut zeros = 0;
    for &byte in nal.iter().take(MAX_NAL_BYTES) {
        if zeros >= 2 && byte == 3 {
            zeros = 0;
            continue;
        }
        zeros = if byte == 0 { zeros + 1 } else { 0 };
        payload.push(byte);
    }
    payload
}

/// Width and height of the units in which a picture is cropped (ITU-T H.264 and H.265 table 6-1), by `chroma_format_idc`.
pub(super) fn chroma_units(chroma_format: u32) -> (u32, u32) {
    match chroma_format {
        1 => (2, 2),
        2 => (2, 1),
        _ => (1, 1),
    }
}

/// What is left of a side of `whole` pixels, cut at both ends by so many units; `None` when that is nothing.
pub(super) fn cropped(whole: u32, first: u32, last: u32, unit: u32) -> Option<u32> {
    whole.checked_sub(first.checked_add(last)?.checked_mul(unit)?).filter(|rest| *rest > 0)
}

/// The common head of the video usability information: ITU-T H.264 and H.265 clauses E.1.1 and E.2.1.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct VideoUsability {
    pub(super) pixel_aspect: Option<(u32, u32)>,
    pub(super) color: ColorCodes,
}

impl VideoUsability {
    pub(super) fn parse(bits: &mut Bits<'_>) -> Option<Self> {
        let mut usability = Self::default();
        if bits.bit()? {
            let index = bits.bits(8)? as usize;
            let aspect = if index == EXTENDED_SAR {
                (bits.bits(16)?, bits.bits(16)?)
            } else {
                PIXEL_ASPECTS.get(index).copied().unwrap_or_default()
            };
            usability.pixel_aspect = (aspect.0 > 0 && aspect.1 > 0).then_some(aspect);
        }
        if bits.bit()? {
            bits.skip(1)?;
        }
        if bits.bit()? {
            bits.skip(3)?;
            let full_range = bits.bit()?;
            if bits.bit()? {
                usability.color = ColorCodes::read(bits)?;
            }
            usability.color.full_range = Some(full_range);
        }
        Some(usability)
    }
}

/// Units in a tick and ticks in a second, where the flag in front says that they are there. Neither is 0.
pub(super) fn parse_timing(bits: &mut Bits<'_>) -> Option<(u64, u64)> {
    if !bits.bit()? {
        return None;
    }
    let (units, scale) = (bits.bits(32)?, bits.bits(32)?);
    (units > 0 && scale > 0).then_some((units.into(), scale.into()))
}
