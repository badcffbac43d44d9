//! GIF: the logical screen, on which all frames are drawn.

use super::Picture;
use crate::cursor::Cursor;

/// Reads the logical screen descriptor behind the signature.
pub(super) fn parse(bytes: &[u8]) -> Option<Picture> {
    let mut fields = Cursor::new(bytes);
    Some(Picture::upright(fields.u16_le()?.into(), fields.u16_le()?.into()))
}
