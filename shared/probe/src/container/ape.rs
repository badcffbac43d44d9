//! Monkey's Audio: the header of its SDK, in the layouts before and since version 3.98.

use crate::cursor::Cursor;
use crate::error::ProbeError;
use crate::metadata::{AudioTrack, Metadata, float};
use crate::reader::{Reader, WINDOW_BYTES};
use crate::source::ByteSource;
use crate::tags::{LeadingTags, trailing};

/// The first version with a descriptor in front of the header.
const WITH_DESCRIPTOR: u16 = 3980;

#[derive(Debug, PartialEq, Eq)]
struct Header {
    channels: u16,
    sample_rate: u32,
    blocks_per_frame: u32,
    frames: u32,
    /// Blocks, that is samples per channel, of the last frame.
    last_frame_blocks: u32,
}

impl Header {
    fn parse(head: &[u8]) -> Option<Self> {
        let mut fields = Cursor::new(head);
        fields.skip(4)?;
        let version = fields.u16_le()?;
        let header = if version >= WITH_DESCRIPTOR {
            Self::parse_new(head)?
        } else {
            Self::parse_old(version, fields)?
        };
        (header.sample_rate > 0 && header.channels > 0).then_some(header)
    }

    fn parse_new(head: &[u8]) -> Option<Self> {
        let mut fields = Cursor::new(head);
        fields.skip(8)?;
        let descriptor_bytes = usize::try_from(fields.u32_le()?).ok()?;
        let mut fields = Cursor::new(head.get(descriptor_bytes..)?);
        fields.skip(4)?;
        let (blocks_per_frame, last_frame_blocks) = (fields.u32_le()?, fields.u32_le()?);
        let frames = fields.u32_le()?;
        fields.skip(2)?;
        let (channels, sample_rate) = (fields.u16_le()?, fields.u32_le()?);
        Some(Self { channels, sample_rate, blocks_per_frame, frames, last_frame_blocks })
    }

    fn parse_old(version: u16, mut fields: Cursor<'_>) -> Option<Self> {
        let compression = fields.u16_le()?;
        fields.skip(2)?;
        let (channels, sample_rate) = (fields.u16_le()?, fields.u32_le()?);
        fields.skip(8)?;
        let (frames, last_frame_blocks) = (fields.u32_le()?, fields.u32_le()?);
        let blocks_per_frame = match (version, compression) {
            (3950.., _) => 73_728 * 4,
            (3900.., _) | (3800.., 4000..) => 73_728,
            _ => 9216,
        };
        Some(Self { channels, sample_rate, blocks_per_frame, frames, last_frame_blocks })
    }

    fn seconds(&self) -> f64 {
        let full_frames = u64::from(self.frames.saturating_sub(1));
        let blocks = full_frames * u64::from(self.blocks_per_frame) + u64::from(self.last_frame_blocks);
        float(if self.frames > 0 { blocks } else { 0 }) / f64::from(self.sample_rate)
    }
}

/// Reads the metadata of a file that looks like one.
pub(crate) async fn probe<S: ByteSource>(
    reader: &mut Reader<'_, S>,
    leading: &LeadingTags,
) -> Result<Metadata, ProbeError<S::Error>> {
    let head = reader.read(leading.end..leading.end.saturating_add(WINDOW_BYTES)).await?;
    let Some(header) = Header::parse(&head) else {
        return Err(ProbeError::malformed("its header makes no sense"));
    };
    let track = AudioTrack::plain("ape", header.channels.into(), header.sample_rate);
    let mut metadata = Metadata::of_sound("ape", reader.len(), header.seconds(), track);
    trailing::read(reader, leading.end).await?.add_to(&mut metadata);
    Ok(metadata)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn le(values: &[(u32, usize)]) -> Vec<u8> {
        values.iter().flat_map(|(value, bytes)| value.to_le_bytes()[..*bytes].to_vec()).collect()
    }

    #[test]
    fn both_layouts_tell_the_same() {
        // Stereo at 44.1 kHz, three frames.
        let mut new = [b"MAC ".to_vec(), le(&[(3980, 2), (0, 2), (60, 4)])].concat();
        new.resize(60, 0);
        new.extend(le(&[(2000, 2), (0, 2), (294_912, 4), (1000, 4), (3, 4), (16, 2), (2, 2), (44_100, 4)]));
        let old =
            le(&[(3950, 2), (2000, 2), (0, 2), (2, 2), (44_100, 4), (44, 4), (0, 4), (3, 4), (1000, 4)]);
        let old = [b"MAC ".to_vec(), old].concat();
        let (new_header, old_header) = (Header::parse(&new).unwrap(), Header::parse(&old).unwrap());
        assert_eq!(new_header, old_header);
        assert!((new_header.seconds() - f64::from(2 * 294_912 + 1000) / 44_100.0).abs() < 1e-9);
        assert_eq!(Header::parse(&new[..new.len() - 1]), None);
        assert_eq!(Header::parse(&old[..old.len() - 1]), None);
    }

    #[test]
    fn extremes_do_not_overflow() {
        let header = Header {
            channels: 2,
            sample_rate: 1,
            blocks_per_frame: u32::MAX,
            frames: u32::MAX,
            last_frame_blocks: u32::MAX,
        };
        assert!(header.seconds() > 1e18);
        assert!(Header { frames: 0, ..header }.seconds().abs() < f64::EPSILON);
    }
}
