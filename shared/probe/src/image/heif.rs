//! HEIC and AVIF (ISO/IEC 23008-12): the properties of the primary item.

use super::Picture;
use crate::container::isobmff::boxes::{HEADER_BYTES, Header, child, children};
use crate::cursor::Cursor;
use crate::error::ProbeError;
use crate::reader::Reader;
use crate::source::ByteSource;

/// The most boxes that are visited on the way to the `meta` box.
const MAX_BOXES: usize = 64;
/// A longer `meta` box is not read.
const MAX_META_BYTES: u64 = 512 * 1024;
/// The most items whose properties are looked through.
const MAX_ITEMS: u32 = 4096;

/// The kind by the brands of the first box; `None` when they are not of a still image.
pub(super) fn content_type(head: &[u8]) -> Option<&'static str> {
    let (kind, body) = children(head).next()?;
    (&kind == b"ftyp").then_some(())?;
    let brands = || {
        let compatible = body.get(8..).unwrap_or_default();
        [body.get(..4).unwrap_or_default()].into_iter().chain(compatible.chunks_exact(4))
    };
    let major = brands().next()?;
    let has = |known: &[&[u8; 4]]| brands().any(|brand| known.iter().any(|known| brand == *known));
    match major {
        b"avif" | b"avis" => Some("image/avif"),
        b"heic" | b"heix" | b"heim" | b"heis" | b"hevc" | b"hevx" => Some("image/heic"),
        // The major brand names the structure only.
        b"mif1" | b"mif2" | b"msf1" | b"miaf" if has(&[b"avif", b"avis"]) => Some("image/avif"),
        b"mif1" | b"mif2" | b"msf1" | b"miaf" if has(&[b"heic", b"heix", b"hevc"]) => Some("image/heic"),
        b"mif1" | b"mif2" | b"msf1" => Some("image/heif"),
        _ => None,
    }
}

/// Reads up to the `meta` box and what it says of the primary item; `None` where it says nothing.
pub(super) async fn read<S: ByteSource>(
    reader: &mut Reader<'_, S>,
) -> Result<Option<Picture>, ProbeError<S::Error>> {
    let mut position = 0;
    for _ in 0..MAX_BOXES {
        let bytes = reader.read(position..position.saturating_add(HEADER_BYTES)).await?;
        let Some(header) = Header::parse(&bytes) else { return Ok(None) };
        let end = header.end(position, reader.len());
        if &header.kind == b"meta" {
            if end - position > MAX_META_BYTES {
                return Err(ProbeError::LimitExceeded { limit: "its index (meta) is too long".to_owned() });
            }
            let meta = reader.read(position + header.body_offset..end).await?;
            // Behind version and flags.
            return Ok(parse_meta(meta.get(4..).unwrap_or_default()));
        }
        position = end;
    }
    Err(ProbeError::LimitExceeded {
        limit: format!("there is no index (meta) among its first {MAX_BOXES} boxes"),
    })
}

fn parse_meta(meta: &[u8]) -> Option<Picture> {
    let primary = parse_pitm(child(meta, *b"pitm")?)?;
    let properties = child(meta, *b"iprp")?;
    let container = child(properties, *b"ipco")?;
    let wanted = children(properties)
        .filter(|(kind, _)| kind == b"ipma")
        .find_map(|(_, ipma)| associated_properties(ipma, primary))?;
    let mut size = None;
    let mut rotation = 0;
    for index in wanted {
        // Counted from 1; 0 is none.
        let place = usize::from(index).checked_sub(1);
        match place.and_then(|place| children(container).nth(place)) {
            Some((kind, body)) if &kind == b"ispe" => size = parse_ispe(body),
            // Quarter turns anticlockwise.
            Some((kind, body)) if &kind == b"irot" => {
                rotation = (360 - u16::from(body.first()? & 3) * 90) % 360;
            }
            _ => {}
        }
    }
    size.map(|(width, height)| Picture { width, height, rotation })
}

fn parse_pitm(data: &[u8]) -> Option<u32> {
    let mut fields = Cursor::new(data);
    let version = fields.u8()?;
    fields.skip(3)?;
    if version == 0 { fields.u16().map(u32::from) } else { fields.u32() }
}

fn parse_ispe(data: &[u8]) -> Option<(u32, u32)> {
    let mut fields = Cursor::new(data);
    fields.skip(4)?;
    Some((fields.u32()?, fields.u32()?))
}

/// Which properties an `ipma` box associates with an item; `None` when it does not list the item.
fn associated_properties(ipma: &[u8], wanted: u32) -> Option<Vec<u16>> {
    let mut fields = Cursor::new(ipma);
    let version = fields.u8()?;
    let has_wide_indexes = fields.u24()? & 1 == 1;
    let items = fields.u32()?;
    for _ in 0..items.min(MAX_ITEMS) {
        let item = if version == 0 { fields.u16()?.into() } else { fields.u32()? };
        let count = fields.u8()?;
        let mut properties = Vec::new();
        for _ in 0..count {
            // The topmost bit says whether a reader has to understand the property.
            properties.push(if has_wide_indexes {
                fields.u16()? & 0x7fff
            } else {
                u16::from(fields.u8()? & 0x7f)
            });
        }
        if item == wanted {
            return Some(properties);
        }
    }
    None
}
