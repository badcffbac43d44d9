//! AC-3 and E-AC-3: the `dac3` and `dec3` boxes of ETSI TS 102 366 annex F.

use super::AudioConfig;
use crate::bits::Bits;

/// Full-bandwidth channels by `acmod`; 0 is two mono programmes.
const CHANNELS: [u32; 8] = [2, 1, 2, 3, 3, 4, 4, 5];
const SAMPLE_RATES: [u32; 3] = [48_000, 44_100, 32_000];

/// Reads a `dac3` box.
pub(crate) fn parse_dac3(record: &[u8]) -> Option<AudioConfig> {
    let mut bits = Bits::new(record);
    let sample_rate = SAMPLE_RATES.get(bits.bits(2)? as usize).copied();
    bits.skip(8)?;
    let channels = CHANNELS[bits.bits(3)? as usize] + bits.bits(1)?;
    Some(AudioConfig { channels: Some(channels), sample_rate })
}

/// Reads a `dec3` box: its first independent substream, with the channels that dependent ones add.
pub(crate) fn parse_dec3(record: &[u8]) -> Option<AudioConfig> {
    let mut bits = Bits::new(record);
    bits.skip(16)?;
    let sample_rate = SAMPLE_RATES.get(bits.bits(2)? as usize).copied();
    bits.skip(10)?;
    let mut channels = CHANNELS[bits.bits(3)? as usize] + bits.bits(1)?;
    bits.skip(3)?;
    if bits.bits(4)? > 0 {
        channels += added_channels(bits.bits(9)?);
    }
    Some(AudioConfig { channels: Some(channels), sample_rate })
}

/// `chan_loc`, topmost bit first: LFE2, Cvh, Lvh/Rvh, Lw/Rw, Lsd/Rsd, Ts, Cs, Lrs/Rrs, Lc/Rc.
fn added_channels(locations: u32) -> u32 {
    const PAIRS: u32 = 0b0_0111_0011;
    locations.count_ones() + (locations & PAIRS).count_ones()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn five_point_one() {
        // fscod 0, bsid 8, bsmod 0, acmod 7, lfeon 1.
        let surround = AudioConfig { channels: Some(6), sample_rate: Some(48_000) };
        assert_eq!(parse_dac3(&[0x10, 0x3d, 0xe0]), Some(surround));
        assert_eq!(parse_dac3(&[0x10]), None);
    }

    #[test]
    fn seven_point_one_by_a_dependent_substream() {
        // One independent substream of 5.1 at 48 kHz, one dependent that adds Lrs and Rrs.
        let record = [0x14, 0x00, 0x20, 0x0f, 0x02, 0x02];
        assert_eq!(parse_dec3(&record), Some(AudioConfig { channels: Some(8), sample_rate: Some(48_000) }));
    }
}
