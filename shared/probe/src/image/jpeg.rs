//! JPEG (ITU-T T.81 annex B): segments up to the frame header, and the orientation that Exif puts in front of it.
//!
//! Profiles, previews and editing history may precede the frame header in segments of up to 64 KiB each, so what is
//! read grows.

use super::Picture;
use crate::cursor::Cursor;
use crate::error::ProbeError;
use crate::reader::Reader;
use crate::source::ByteSource;

/// The most segments and fill bytes that are visited.
const MAX_MARKERS: usize = 4096;
/// How much a read takes in when the first one did not reach to the frame header.
const STEP_BYTES: u64 = 320 * 1024;
/// Bytes of a frame header that matter: marker, length, precision, height, width.
const FRAME_HEADER_BYTES: u64 = 9;
/// Exif is in the first directory, close to its start.
const EXIF_BYTES: u64 = 16 * 1024;

const TEMPORARY: u8 = 0x01;
const FIRST_RESTART: u8 = 0xd0;
const START_OF_IMAGE: u8 = 0xd8;
const END_OF_IMAGE: u8 = 0xd9;
const START_OF_SCAN: u8 = 0xda;
const APP1: u8 = 0xe1;
const FILL: u8 = 0xff;

/// Reads up to the frame header; `None` when there is none.
pub(super) async fn read<S: ByteSource>(
    reader: &mut Reader<'_, S>,
) -> Result<Option<Picture>, ProbeError<S::Error>> {
    let mut position = 0;
    let mut rotation = None;
    for _ in 0..MAX_MARKERS {
        let wanted = position..position + FRAME_HEADER_BYTES;
        if !reader.is_cached(wanted.clone()) {
            let step = STEP_BYTES.min(reader.bytes_left()).max(FRAME_HEADER_BYTES);
            reader.read(position..position.saturating_add(step)).await?;
        }
        let bytes = reader.read(wanted).await?;
        let [FILL, marker, rest @ ..] = bytes.as_ref() else { return Ok(None) };
        match *marker {
            FILL => position += 1,
            TEMPORARY | FIRST_RESTART..=START_OF_IMAGE => position += 2,
            END_OF_IMAGE | START_OF_SCAN => return Ok(None),
            marker if is_frame(marker) => {
                return Ok(parse_frame(rest).map(|(width, height)| Picture {
                    width,
                    height,
                    rotation: rotation.unwrap_or(0),
                }));
            }
            marker => {
                let Some(length) = Cursor::new(rest).u16().map(u64::from).filter(|length| *length >= 2)
                else {
                    return Ok(None);
                };
                let body = position + 4;
                position += 2 + length;
                if marker == APP1 && rotation.is_none() {
                    let exif = reader.read(body..position.min(body + EXIF_BYTES)).await?;
                    rotation = parse_exif(&exif);
                }
            }
        }
    }
    Err(ProbeError::LimitExceeded { limit: format!("it has more than {MAX_MARKERS} segments") })
}

/// Whether a marker begins a frame header: baseline, progressive, lossless and the like, but not the tables for
/// Huffman (C4) and arithmetic coding (CC), nor C8, which is reserved.
fn is_frame(marker: u8) -> bool {
    matches!(marker, 0xc0..=0xcf) && !matches!(marker, 0xc4 | 0xc8 | 0xcc)
}

/// Width and height of a frame header behind its marker. A height of 0 is said after the first scan only, which
/// nothing writes.
fn parse_frame(bytes: &[u8]) -> Option<(u32, u32)> {
    let mut fields = Cursor::new(bytes);
    fields.skip(3)?;
    let (height, width) = (fields.u16()?, fields.u16()?);
    Some((width.into(), height.into()))
}

/// Degrees clockwise by the orientation in the first directory of Exif, which is a TIFF file; `None` for other data.
fn parse_exif(bytes: &[u8]) -> Option<u16> {
    const ORIENTATION: u16 = 0x0112;
    let tiff = bytes.strip_prefix(b"Exif\0\0")?;
    let is_little = match tiff.get(..4)? {
        b"II*\0" => true,
        b"MM\0*" => false,
        _ => return None,
    };
    let word = |fields: &mut Cursor<'_>| if is_little { fields.u16_le() } else { fields.u16() };
    let long = |fields: &mut Cursor<'_>| if is_little { fields.u32_le() } else { fields.u32() };
    let directory = usize::try_from(long(&mut Cursor::new(tiff.get(4..)?))?).ok()?;
    let mut fields = Cursor::new(tiff.get(directory..)?);
    let count = word(&mut fields)?;
    for _ in 0..count {
        let mut entry = Cursor::new(fields.take(12)?);
        if word(&mut entry)? == ORIENTATION {
            entry.skip(6)?;
            return Some(match word(&mut entry)? {
                3 | 4 => 180,
                6 | 7 => 90,
                5 | 8 => 270,
                _ => 0,
            });
        }
    }
    None
}
