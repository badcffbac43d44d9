//! WebP (RFC 9649): a simple file begins with its bitstream, an extended one with the size of its canvas.

use super::Picture;
use crate::cursor::Cursor;

/// Start code of a VP8 key frame, behind the frame tag (RFC 6386 clause 9.1).
const VP8_START_CODE: u32 = 0x9d_01_2a;
const VP8L_SIGNATURE: u8 = 0x2f;
/// Bits of a dimension in either kind of bitstream.
const DIMENSION: u32 = 0x3fff;

/// Reads the first chunk behind the RIFF header.
pub(super) fn parse(bytes: &[u8]) -> Option<Picture> {
    let mut fields = Cursor::new(bytes);
    let kind = fields.four_cc()?;
    fields.skip(4)?;
    let (width, height) = match &kind {
        b"VP8 " => {
            let is_key_frame = fields.u24()? >> 16 & 1 == 0;
            (is_key_frame && fields.u24()? == VP8_START_CODE).then_some(())?;
            (u32::from(fields.u16_le()?) & DIMENSION, u32::from(fields.u16_le()?) & DIMENSION)
        }
        b"VP8L" => {
            (fields.u8()? == VP8L_SIGNATURE).then_some(())?;
            let packed = fields.u32_le()?;
            ((packed & DIMENSION) + 1, (packed >> 14 & DIMENSION) + 1)
        }
        b"VP8X" => {
            fields.skip(4)?;
            let mut less_one = || fields.u24().map(|value| value.swap_bytes() >> 8);
            (less_one()? + 1, less_one()? + 1)
        }
        _ => return None,
    };
    Some(Picture::upright(width, height))
}
