//! ADTS, the frame header that carries AAC in streams: ISO/IEC 14496-3 clause 1.A.2.2.

use super::aac::{AudioSpecificConfig, channels_of, sample_rate_of};
use crate::bits::Bits;

/// Bytes of a frame header without its checksum.
pub(crate) const HEADER_BYTES: usize = 7;
/// Samples per channel in a raw data block.
const BLOCK_SAMPLES: u32 = 1024;

/// What the header of a frame says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FrameHeader {
    /// MPEG-4 audio object type: 1 Main, 2 LC, 3 SSR, 4 LTP.
    pub(crate) object_type: u32,
    pub(crate) sample_rate: u32,
    /// `None` when a programme config element in the frame tells.
    pub(crate) channels: Option<u32>,
    /// Size of the frame with its header.
    pub(crate) frame_bytes: usize,
    /// Size of the header with its checksum.
    pub(crate) header_bytes: usize,
    blocks: u32,
}

impl FrameHeader {
    /// Reads the header that `bytes` start with.
    pub(crate) fn parse(bytes: &[u8]) -> Option<Self> {
        let mut bits = Bits::new(bytes);
        if bits.bits(12)? != 0xfff {
            return None;
        }
        bits.skip(1)?;
        if bits.bits(2)? != 0 {
            return None;
        }
        let header_bytes = if bits.bit()? { HEADER_BYTES } else { HEADER_BYTES + 2 };
        let object_type = bits.bits(2)? + 1;
        let sample_rate = sample_rate_of(bits.bits(4)?)?;
        bits.skip(1)?;
        let channels = channels_of(bits.bits(3)?);
        bits.skip(4)?;
        let frame_bytes = bits.bits(13)? as usize;
        bits.skip(11)?;
        let blocks = bits.bits(2)? + 1;
        (frame_bytes >= header_bytes).then_some(Self {
            object_type,
            sample_rate,
            channels,
            frame_bytes,
            header_bytes,
            blocks,
        })
    }

    /// Samples per channel in the frame, before any SBR.
    pub(crate) fn samples(&self) -> u32 {
        self.blocks * BLOCK_SAMPLES
    }

    /// Whether `other` can be a frame of the same stream.
    pub(crate) fn continues(&self, other: &Self) -> bool {
        (self.object_type, self.sample_rate, self.channels)
            == (other.object_type, other.sample_rate, other.channels)
    }

    /// The configuration that an MP4 would carry, but for the channels of a programme config element.
    pub(crate) fn config(&self) -> AudioSpecificConfig {
        AudioSpecificConfig::of_core(self.object_type, self.sample_rate, self.channels)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn a_header_tells_profile_rate_channels_and_size() {
        let header = FrameHeader::parse(&[0xff, 0xf1, 0x50, 0x80, 0x2e, 0x7f, 0xfc]).unwrap();
        assert_eq!((header.object_type, header.sample_rate, header.channels), (2, 44_100, Some(2)));
        assert_eq!((header.frame_bytes, header.header_bytes, header.samples()), (371, 7, 1024));
        assert_eq!(header.config().profile(), Some("LC"));
        let with_checksum = FrameHeader::parse(&[0xff, 0xf8, 0x4c, 0x40, 0x2e, 0x7f, 0xff]).unwrap();
        assert_eq!((with_checksum.header_bytes, with_checksum.samples()), (9, 4096));
        assert_eq!((with_checksum.sample_rate, with_checksum.channels), (48_000, Some(1)));
    }

    #[test]
    fn what_cannot_be_is_no_header() {
        // Layer 3, a reserved rate, a frame shorter than its header, a cut header.
        assert_eq!(FrameHeader::parse(&[0xff, 0xfb, 0x50, 0x80, 0x2e, 0x7f, 0xfc]), None);
        assert_eq!(FrameHeader::parse(&[0xff, 0xf1, 0x74, 0x80, 0x2e, 0x7f, 0xfc]), None);
        assert_eq!(FrameHeader::parse(&[0xff, 0xf1, 0x50, 0x80, 0x00, 0xdf, 0xfc]), None);
        assert_eq!(FrameHeader::parse(&[0xff, 0xf1, 0x50, 0x80, 0x2e, 0x7f]), None);
    }
}
