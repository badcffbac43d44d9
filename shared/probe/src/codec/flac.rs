//! FLAC's own metadata blocks, which several containers carry: STREAMINFO and PICTURE of RFC 9639 clauses 8.2 and 8.8.

use super::AudioConfig;
use crate::cursor::Cursor;
use crate::metadata::CoverArt;

/// What a STREAMINFO block says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct StreamInfo {
    /// Samples per channel in a frame, at most. Where it is the minimum too, frames are numbered, not samples.
    pub(crate) max_block_samples: u16,
    pub(crate) min_block_samples: u16,
    pub(crate) sample_rate: u32,
    pub(crate) channels: u32,
    pub(crate) bits_per_sample: u32,
    /// Samples per channel in the whole stream; `None` where the writer did not know.
    pub(crate) total_samples: Option<u64>,
}

impl StreamInfo {
    /// Reads the body of the block, which may be cut off before the checksum in it.
    pub(crate) fn parse(block: &[u8]) -> Option<Self> {
        let mut fields = Cursor::new(block);
        let (min_block_samples, max_block_samples) = (fields.u16()?, fields.u16()?);
        fields.skip(6)?;
        let packed = fields.u64()?;
        let bits = |shift: u32, count: u32| {
            // No field masked here is wider than 20 bits.
            u32::try_from(packed >> shift & ((1 << count) - 1)).unwrap_or_default()
        };
        let total_samples = packed & ((1 << 36) - 1);
        Some(Self {
            max_block_samples,
            min_block_samples,
            sample_rate: bits(44, 20),
            channels: bits(41, 3) + 1,
            bits_per_sample: bits(36, 5) + 1,
            total_samples: (total_samples > 0).then_some(total_samples),
        })
    }
}

/// Reads a `dfLa` box: a STREAMINFO block behind version, flags and block header.
pub(crate) fn parse_dfla(record: &[u8]) -> Option<AudioConfig> {
    let info = StreamInfo::parse(record.get(4 + 4..)?)?;
    Some(AudioConfig { channels: Some(info.channels), sample_rate: Some(info.sample_rate) })
}

/// Reads the head of a PICTURE block: the picture itself need not be there. `None` for one of no bytes, or that is
/// only a link.
pub(crate) fn parse_picture(block: &[u8]) -> Option<CoverArt> {
    const LINK: &[u8] = b"-->";
    const MAX_CONTENT_TYPE_BYTES: usize = 128;
    let mut fields = Cursor::new(block);
    fields.skip(4)?;
    let content_type_bytes = fields.u32()?;
    let content_type = fields.take(usize::try_from(content_type_bytes).ok()?)?;
    let description_bytes = fields.u32()?;
    fields.skip(usize::try_from(description_bytes).ok()?)?;
    // Width, height, depth, colours.
    fields.skip(16)?;
    let size_bytes = u64::from(fields.u32()?);
    if size_bytes == 0 || content_type == LINK {
        return None;
    }
    let named = std::str::from_utf8(content_type).ok().filter(|name| {
        name.len() <= MAX_CONTENT_TYPE_BYTES
            && name.contains('/')
            && name.bytes().all(|byte| byte.is_ascii_graphic())
    });
    let content_type = named.unwrap_or("application/octet-stream").to_ascii_lowercase();
    Some(CoverArt { content_type, size_bytes })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn stream_info(rate: u64, channels: u64, bits: u64, samples: u64) -> Vec<u8> {
        let mut block = vec![0x10, 0, 0x12, 0, 0, 0, 0, 0, 0, 0];
        block.extend((rate << 44 | (channels - 1) << 41 | (bits - 1) << 36 | samples).to_be_bytes());
        block
    }

    #[test]
    fn stream_info_fields_are_packed() {
        let info = StreamInfo::parse(&stream_info(96_000, 6, 24, 0xf_1234_5678)).unwrap();
        assert_eq!((info.min_block_samples, info.max_block_samples), (4096, 4608));
        assert_eq!((info.sample_rate, info.channels, info.bits_per_sample), (96_000, 6, 24));
        assert_eq!(info.total_samples, Some(0xf_1234_5678));
        assert_eq!(StreamInfo::parse(&stream_info(8000, 1, 32, 0)).unwrap().total_samples, None);
        assert_eq!(StreamInfo::parse(&stream_info(8000, 1, 32, 0)[..17]), None);
    }

    #[test]
    fn a_box_holds_stream_info_behind_eight_bytes() {
        let record = [vec![0; 8], stream_info(96_000, 2, 24, 0)].concat();
        let stereo = AudioConfig { channels: Some(2), sample_rate: Some(96_000) };
        assert_eq!(parse_dfla(&record), Some(stereo));
        assert_eq!(parse_dfla(&record[..25]), None);
        assert_eq!(parse_dfla(&[]), None);
    }

    pub(crate) fn picture(content_type: &str, description: &str, size: u32) -> Vec<u8> {
        let mut block = vec![0, 0, 0, 3];
        for text in [content_type, description] {
            block.extend(u32::try_from(text.len()).unwrap().to_be_bytes());
            block.extend(text.as_bytes());
        }
        block.extend([0; 16]);
        block.extend(size.to_be_bytes());
        block
    }

    #[test]
    fn a_picture_is_named_by_its_head() {
        let art = |content_type: &str, size_bytes| {
            Some(CoverArt { content_type: content_type.to_owned(), size_bytes })
        };
        assert_eq!(parse_picture(&picture("image/PNG", "front", 70_000)), art("image/png", 70_000));
        assert_eq!(parse_picture(&picture("", "", 7)), art("application/octet-stream", 7));
        assert_eq!(parse_picture(&picture("-->", "", 7)), None);
        assert_eq!(parse_picture(&picture("image/png", "", 0)), None);
        let mut huge = picture("image/png", "", 7);
        huge[4..8].copy_from_slice(&u32::MAX.to_be_bytes());
        assert_eq!(parse_picture(&huge), None);
    }
}
