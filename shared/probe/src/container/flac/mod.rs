//! FLAC (RFC 9639): metadata blocks, then frames.
//!
//! STREAMINFO tells all that is asked but where the writer could not go back to fill in the number of samples: there
//! the last frame tells, within one window at the end of the file. Where no frame is found the duration is 0.

mod frame;

use crate::codec::flac::{StreamInfo, parse_picture};
use crate::cursor::Cursor;
use crate::error::ProbeError;
use crate::metadata::{AudioTrack, CoverArt, MAX_COVER_ART, Metadata, Tags, float};
use crate::reader::Reader;
use crate::source::ByteSource;
use crate::tags::vorbis_comment::Comments;

const SIGNATURE: &[u8; 4] = b"fLaC";
const BLOCK_HEADER_BYTES: u64 = 4;
const LAST_BLOCK: u8 = 0x80;
const STREAMINFO: u8 = 0;
const VORBIS_COMMENT: u8 = 4;
const PICTURE: u8 = 6;

/// The most blocks that are looked at.
const MAX_BLOCKS: u32 = 128;
/// As much of a picture block as its type and description take.
const PICTURE_HEAD_BYTES: u64 = 1024;
/// As much of the comments as is read.
const MAX_COMMENT_BYTES: u64 = 256 * 1024;
/// The most reads for blocks that are not in memory.
const MAX_HOPS: u32 = 1;
/// As much of the end as is searched for the last frame.
const TAIL_BYTES: u64 = 64 * 1024;

/// Reads the metadata of a stream that starts at `offset`, behind tags that are no part of it.
pub(crate) async fn probe<S: ByteSource>(
    reader: &mut Reader<'_, S>,
    offset: u64,
) -> Result<Metadata, ProbeError<S::Error>> {
    let start = reader.read(offset..offset.saturating_add(SIGNATURE.len() as u64)).await?;
    if start[..] != SIGNATURE[..] {
        return Err(ProbeError::malformed("its FLAC signature is missing"));
    }
    let blocks = Blocks::read(reader, offset.saturating_add(SIGNATURE.len() as u64)).await?;
    let Some(info) = blocks.info.filter(|info| info.sample_rate > 0) else {
        return Err(ProbeError::malformed("its FLAC stream does not describe itself"));
    };
    let samples = if let Some(samples) = info.total_samples {
        samples
    } else {
        let len = reader.len();
        let tail = reader.read(len.saturating_sub(TAIL_BYTES).max(blocks.end.min(len))..len).await?;
        frame::last_sample(&tail, &info)
    };
    let track = AudioTrack::plain("flac", info.channels, info.sample_rate);
    let seconds = float(samples) / f64::from(info.sample_rate);
    let mut metadata = Metadata::of_sound("flac", reader.len(), seconds, track);
    metadata.cover_art = blocks.cover_art;
    metadata.tags = blocks.tags.into_map();
    metadata.created_at = metadata.tags.remove("creation_time");
    Ok(metadata)
}

#[derive(Default)]
struct Blocks {
    info: Option<StreamInfo>,
    tags: Tags,
    cover_art: Vec<CoverArt>,
    /// Where frames begin, as far as blocks were followed.
    end: u64,
}

impl Blocks {
    async fn read<S: ByteSource>(
        reader: &mut Reader<'_, S>,
        start: u64,
    ) -> Result<Self, ProbeError<S::Error>> {
        let mut blocks = Self { end: start, ..Self::default() };
        let mut hops_left = MAX_HOPS;
        for _ in 0..MAX_BLOCKS {
            let body_at = blocks.end.saturating_add(BLOCK_HEADER_BYTES);
            if !reader.is_cached(blocks.end..body_at) {
                if hops_left == 0 {
                    break;
                }
                hops_left -= 1;
            }
            let header = reader.read(blocks.end..body_at).await?;
            let mut fields = Cursor::new(&header);
            let Some((kind, size)) = fields.u8().zip(fields.u24()) else { break };
            let end = body_at.saturating_add(size.into());
            let wanted = match kind & !LAST_BLOCK {
                STREAMINFO => end,
                VORBIS_COMMENT => end.min(body_at.saturating_add(MAX_COMMENT_BYTES)),
                PICTURE => end.min(body_at.saturating_add(PICTURE_HEAD_BYTES)),
                _ => body_at,
            };
            let body = reader.read(body_at..wanted).await?;
            blocks.add(kind & !LAST_BLOCK, &body);
            blocks.end = end;
            if kind & LAST_BLOCK != 0 {
                break;
            }
        }
        Ok(blocks)
    }

    fn add(&mut self, kind: u8, body: &[u8]) {
        match kind {
            STREAMINFO if self.info.is_none() => self.info = StreamInfo::parse(body),
            VORBIS_COMMENT => {
                let comments = Comments::parse(body);
                comments.add_to(&mut self.tags);
                self.cover_art.extend(comments.cover_art);
            }
            PICTURE => self.cover_art.extend(parse_picture(body)),
            _ => {}
        }
        self.cover_art.truncate(MAX_COVER_ART);
    }
}

#[cfg(test)]
mod tests;
