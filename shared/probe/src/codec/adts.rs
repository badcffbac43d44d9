//! ADTS, the frame header that carries AAC in streams: ISO/IEC 14496-3 clause 1.A.2.2.

use super::aac::{
    AudioSpecificConfig, MAX_SBR_CORE_RATE, channels_of, program_config_channels, sample_rate_of,
};
use super::frame::Frame;
use super::sbr::carry_sbr;
use crate::bits::Bits;

/// Bytes of a frame header without its checksum.
pub(crate) const HEADER_BYTES: usize = 7;
/// Samples per channel in a raw data block.
const BLOCK_SAMPLES: u32 = 1024;

const PROGRAM_CONFIG_ELEMENT: u32 = 5;

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
    /// The configuration that an MP4 would carry, but for the channels of a programme config element.
    fn config(&self) -> AudioSpecificConfig {
        AudioSpecificConfig::of_core(self.object_type, self.sample_rate, self.channels)
    }
}

impl Frame for FrameHeader {
    fn parse(bytes: &[u8]) -> Option<Self> {
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

    fn size_bytes(&self) -> Option<usize> {
        Some(self.frame_bytes)
    }

    /// Before any SBR.
    fn samples(&self) -> u32 {
        self.blocks * BLOCK_SAMPLES
    }

    fn sample_rate(&self) -> u32 {
        self.sample_rate
    }

    fn continues(&self, next: &Self) -> bool {
        (self.object_type, self.sample_rate, self.channels)
            == (next.object_type, next.sample_rate, next.channels)
    }

    fn bit_rate(&self) -> Option<u32> {
        None
    }
}

/// The configuration of a stream that starts with `frame`: its header's, and what the frames themselves add.
pub(crate) fn config(frame: &FrameHeader, stream: &[u8]) -> AudioSpecificConfig {
    let mut config = frame.config();
    if config.channels.is_none() {
        config.channels = program_config_element(frame, stream);
    }
    if frame.sample_rate <= MAX_SBR_CORE_RATE && carry_sbr(frames(stream)) {
        config.add_implicit_sbr();
    }
    config
}

/// The channels of the programme config element that a frame starts with.
fn program_config_element(frame: &FrameHeader, stream: &[u8]) -> Option<u32> {
    let mut bits = Bits::new(stream.get(frame.header_bytes..frame.frame_bytes.min(stream.len()))?);
    if bits.bits(3)? == PROGRAM_CONFIG_ELEMENT { program_config_channels(&mut bits) } else { None }
}

/// The raw data of the frames that `stream` starts with, one behind the other.
fn frames(stream: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = stream;
    std::iter::from_fn(move || {
        let header = FrameHeader::parse(rest)?;
        let frame = rest.get(header.header_bytes..header.frame_bytes)?;
        rest = &rest[header.frame_bytes..];
        Some(frame)
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::bits::tests::packed;

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

    /// A frame of 24 kHz mono whose raw data block is `bits`, padded to the byte.
    fn frame(bits: &str) -> Vec<u8> {
        let block = packed(bits);
        let size = u8::try_from(block.len() + HEADER_BYTES).unwrap();
        [&[0xff, 0xf1, 0x58, 0x40, size >> 3, size << 5 | 0x1f, 0xfc], &block[..]].concat()
    }

    #[test]
    fn replication_is_found_at_the_end_of_frames() {
        let config_of = |bits: &str| {
            let stream = frame(bits).repeat(8);
            let config = config(&FrameHeader::parse(&stream).unwrap(), &stream);
            (config.profile(), config.sample_rate, config.channels)
        };
        let core = "000 0000 1 01100110 01010101 0011";
        let sbr = "110 0010 1101 0000 11110000";
        let padding = "110 0010 0001 0000 01011010";
        let heard = (Some("HE-AACv2"), 48_000, Some(2));
        assert_eq!(config_of(&format!("{core} {sbr} 111")), heard);
        assert_eq!(config_of(&format!("{core} {sbr} {padding} 111")), heard);
        assert_eq!(config_of(&format!("{core} {padding} 111")), (Some("LC"), 24_000, Some(1)));
        assert_eq!(config_of(&format!("{core} {sbr} 1100")), (Some("LC"), 24_000, Some(1)));
    }
}
