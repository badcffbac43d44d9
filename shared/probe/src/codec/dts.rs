//! DTS: the header of a core frame, ETSI TS 102 114 clause 5.3.

use super::AudioConfig;
use super::frame::Frame;
use crate::bits::Bits;

/// The word that a core frame starts with, in its usual packing of 16-bit big-endian words.
pub(crate) const SYNC: [u8; 4] = [0x7f, 0xfe, 0x80, 0x01];
const SAMPLE_RATES: [u32; 16] =
    [0, 8000, 16_000, 32_000, 0, 0, 11_025, 22_050, 44_100, 0, 0, 12_000, 24_000, 48_000, 96_000, 192_000];
const CHANNELS: [u32; 16] = [1, 2, 2, 2, 2, 3, 3, 4, 4, 5, 6, 6, 6, 7, 8, 8];

/// What the header of a core frame says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct CoreFrame {
    pub(crate) config: AudioConfig,
    pub(crate) frame_bytes: usize,
    /// Samples per channel.
    pub(crate) samples: u32,
}

impl Frame for CoreFrame {
    fn parse(bytes: &[u8]) -> Option<Self> {
        let mut bits = Bits::new(bytes.strip_prefix(&SYNC)?);
        bits.skip(1 + 5 + 1)?;
        let samples = (bits.bits(7)? + 1) * 32;
        let frame_bytes = bits.bits(14)? as usize + 1;
        let arrangement = bits.bits(6)? as usize;
        let sample_rate = *SAMPLE_RATES.get(bits.bits(4)? as usize)?;
        bits.skip(5 + 1 + 1 + 1 + 1 + 1 + 3 + 1 + 1)?;
        let has_low_frequency = matches!(bits.bits(2)?, 1 | 2);
        let channels = CHANNELS.get(arrangement)? + u32::from(has_low_frequency);
        let is_plausible = sample_rate > 0 && frame_bytes >= 96 && samples >= 192;
        is_plausible.then_some(Self {
            config: AudioConfig { channels: Some(channels), sample_rate: Some(sample_rate) },
            frame_bytes,
            samples,
        })
    }

    fn size_bytes(&self) -> Option<usize> {
        Some(self.frame_bytes)
    }

    fn samples(&self) -> u32 {
        self.samples
    }

    fn sample_rate(&self) -> u32 {
        self.config.sample_rate.unwrap_or(0)
    }

    fn continues(&self, next: &Self) -> bool {
        self.config == next.config
    }

    fn bit_rate(&self) -> Option<u32> {
        let frame_bits = u32::try_from(self.frame_bytes * 8).ok()?;
        Some(frame_bits * (self.sample_rate() / 25) / self.samples * 25)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn a_core_frame_tells_channels_and_rate() {
        // 512 samples, 1006 bytes, 3/2 and LFE, 48 kHz.
        let frame = CoreFrame::parse(b"\x7f\xfe\x80\x01\xfc\x3c\x3e\xd2\x75\xe0\x02\x00").unwrap();
        assert_eq!(frame.config, AudioConfig { channels: Some(6), sample_rate: Some(48_000) });
        assert_eq!((frame.frame_bytes, frame.samples), (1006, 512));
        assert_eq!(CoreFrame::parse(b"\x7f\xfe\x80\x01\xfc\x3c\x3e"), None);
        assert_eq!(CoreFrame::parse(&[0; 12]), None);
    }
}
