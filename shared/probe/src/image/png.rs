//! PNG: the image header, which is always the first chunk.

use super::Picture;
use crate::cursor::Cursor;

/// Reads the image header behind the signature.
pub(super) fn parse(bytes: &[u8]) -> Option<Picture> {
    let mut fields = Cursor::new(bytes);
    let length = fields.u32()?;
    let kind = fields.four_cc()?;
    (length == 13 && &kind == b"IHDR").then_some(())?;
    Some(Picture::upright(fields.u32()?, fields.u32()?))
}
