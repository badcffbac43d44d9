//! AC-3 and E-AC-3: the frames of ETSI TS 102 366 clauses 4.4 and E.1.3, and the `dac3` and `dec3` boxes of its annex F.

use super::AudioConfig;
use super::frame::{self, Frame as _};
use crate::bits::Bits;

/// Full-bandwidth channels by `acmod`; 0 is two mono programmes.
const CHANNELS: [u32; 8] = [2, 1, 2, 3, 3, 4, 4, 5];
const SAMPLE_RATES: [u32; 3] = [48_000, 44_100, 32_000];

/// kbit/s of AC-3 by half of `frmsizecod`.
const BIT_RATES: [u32; 19] =
    [32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384, 448, 512, 576, 640];
const BLOCK_SAMPLES: u32 = 256;
/// `bsid` of E-AC-3; up to 10 it is AC-3, with half and quarter of the rates at 9 and 10.
const ENHANCED: std::ops::RangeInclusive<u32> = 11..=16;

/// What the header of a frame says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Frame {
    pub(crate) is_enhanced: bool,
    pub(crate) sample_rate: u32,
    pub(crate) channels: u32,
    pub(crate) frame_bytes: usize,
    /// Samples per channel.
    pub(crate) samples: u32,
    bit_rate: u32,
    /// Whether the frame only adds channels to the one before it.
    pub(crate) is_dependent: bool,
    /// A programme of its own, beside the first one.
    pub(crate) is_further_programme: bool,
}

impl Frame {
    fn parse_plain(bytes: &[u8], bsid: u32) -> Option<Self> {
        let halvings = match bsid {
            0..=8 => 0,
            9 | 10 => bsid - 8,
            _ => return None,
        };
        let mut bits = Bits::new(bytes);
        bits.skip(32)?;
        let sample_rate = *SAMPLE_RATES.get(bits.bits(2)? as usize)?;
        let size_code = bits.bits(6)?;
        let bit_rate = BIT_RATES.get(size_code as usize / 2)? * 1000;
        bits.skip(8)?;
        let mode = bits.bits(3)?;
        let mixes = [mode & 1 == 1 && mode != 1, mode & 4 != 0, mode == 2];
        bits.skip(2 * mixes.iter().filter(|is_there| **is_there).count())?;
        let channels = CHANNELS[mode as usize] + bits.bits(1)?;
        let samples = 6 * BLOCK_SAMPLES;
        // 44.1 kHz leaves a rest, which every other frame makes up for.
        let rest_word = if sample_rate == 44_100 { size_code & 1 } else { 0 };
        let words = bit_rate / 16 * samples / sample_rate + rest_word;
        Some(Self {
            is_enhanced: false,
            sample_rate: sample_rate >> halvings,
            channels,
            frame_bytes: words as usize * 2,
            samples,
            bit_rate: bit_rate >> halvings,
            is_dependent: false,
            is_further_programme: false,
        })
    }

    fn parse_enhanced(bytes: &[u8]) -> Option<Self> {
        let mut bits = Bits::new(bytes);
        bits.skip(16)?;
        let stream_type = bits.bits(2)?;
        let substream = bits.bits(3)?;
        let frame_bytes = (bits.bits(11)? as usize + 1) * 2;
        let rate_code = bits.bits(2)? as usize;
        let (sample_rate, blocks) = match SAMPLE_RATES.get(rate_code) {
            Some(rate) => (*rate, [1, 2, 3, 6][bits.bits(2)? as usize]),
            None => (SAMPLE_RATES.get(bits.bits(2)? as usize)? / 2, 6),
        };
        let mode = bits.bits(3)?;
        let channels = CHANNELS[mode as usize] + bits.bits(1)?;
        bits.skip(5)?;
        // A mode of 0 has the levels of its second programme too.
        for _ in 0..if mode == 0 { 2 } else { 1 } {
            bits.skip(5)?;
            if bits.bit()? {
                bits.skip(8)?;
            }
        }
        let is_dependent = stream_type == 1;
        let samples = blocks * BLOCK_SAMPLES;
        let frame_bits = u32::try_from(frame_bytes * 8).ok()?;
        let added = if is_dependent && bits.bit()? { Some(added_by_map(bits.bits(16)?)) } else { None };
        Some(Self {
            is_enhanced: true,
            sample_rate,
            channels: added.unwrap_or(channels),
            frame_bytes,
            samples,
            bit_rate: frame_bits * (sample_rate / 25) / samples * 25,
            is_dependent,
            is_further_programme: stream_type != 1 && substream > 0,
        })
    }

    /// `ffprobe`'s name of the codec.
    pub(crate) fn codec(&self) -> &'static str {
        if self.is_enhanced { "eac3" } else { "ac3" }
    }

    /// As RFC 6381 has it.
    pub(crate) fn codec_string(&self) -> &'static str {
        if self.is_enhanced { "ec-3" } else { "ac-3" }
    }

    /// The channels of the first programme in `stream`, which starts with `self`, with those that are added to it.
    pub(crate) fn channels_in(&self, stream: &[u8]) -> u32 {
        let next = stream.get(self.frame_bytes..).and_then(Self::parse);
        match next {
            Some(next) if next.is_dependent => self.channels + next.channels,
            _ => self.channels,
        }
    }
}

impl frame::Frame for Frame {
    fn parse(bytes: &[u8]) -> Option<Self> {
        let [0x0b, 0x77, _, _, _, sixth, ..] = *bytes else { return None };
        // Both formats have their `bsid` in the same place.
        let bsid = u32::from(sixth >> 3);
        if ENHANCED.contains(&bsid) { Self::parse_enhanced(bytes) } else { Self::parse_plain(bytes, bsid) }
    }

    fn size_bytes(&self) -> Option<usize> {
        Some(self.frame_bytes)
    }

    /// Further programmes and added channels play at the same time.
    fn samples(&self) -> u32 {
        if self.is_dependent || self.is_further_programme { 0 } else { self.samples }
    }

    fn sample_rate(&self) -> u32 {
        self.sample_rate
    }

    fn continues(&self, next: &Self) -> bool {
        (self.is_enhanced, self.sample_rate) == (next.is_enhanced, next.sample_rate)
    }

    fn bit_rate(&self) -> Option<u32> {
        Some(self.bit_rate)
    }
}

/// `chanmap`, topmost bit first: those of a dependent substream that are not among the five and LFE before it.
fn added_by_map(map: u32) -> u32 {
    // Lc/Rc, Lrs/Rrs, Cs, Ts, Lsd/Rsd, Lw/Rw, Lvh/Rvh, Cvh, Lts/Rts, LFE2.
    const PAIRS: u32 = 0b0000_0110_0110_1000;
    const ADDED: u32 = 0b0000_0111_1111_1110;
    (map & ADDED).count_ones() + (map & PAIRS).count_ones()
}

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
    fn frames_tell_rate_channels_and_size() {
        // 48 kHz, 384 kbit/s, 3/2 and LFE.
        let frame = Frame::parse(b"\x0b\x77\x00\x00\x1c\x40\xe1\xd8").unwrap();
        assert_eq!((frame.codec(), frame.sample_rate, frame.channels), ("ac3", 48_000, 6));
        assert_eq!((frame.frame_bytes, frame.samples), (1536, 1536));
        // 44.1 kHz, 192 kbit/s, stereo, a frame with the rest.
        let frame = Frame::parse(b"\x0b\x77\x00\x00\x55\x40\x40\x00").unwrap();
        assert_eq!((frame.sample_rate, frame.channels, frame.frame_bytes), (44_100, 2, 836));
        assert_eq!(Frame::parse(b"\x0b\x77\x00\x00\xdc\x40\xe1\xd8"), None);
        assert_eq!(Frame::parse(b"\x0b\x77\x00\x00\x26\x40\xe1\xd8"), None);
        assert_eq!(Frame::parse(b"\x0b\x77\x00\x00\x1c\x40"), None);
    }

    #[test]
    fn dependent_frames_add_channels() {
        // Independent: 768 bytes, 48 kHz, 6 blocks, 3/2 and LFE; then a dependent one that adds Lrs and Rrs.
        let mut stream = b"\x0b\x77\x01\x7f\x3f\x86\xff\x00".to_vec();
        stream.resize(768, 0);
        stream.extend(b"\x0b\x77\x40\x7f\x34\x86\xf8\x48\x00\x00\x00");
        let frame = Frame::parse(&stream).unwrap();
        assert_eq!((frame.codec(), frame.sample_rate, frame.channels), ("eac3", 48_000, 6));
        assert_eq!((frame.frame_bytes, frame.samples, frame.is_dependent), (768, 1536, false));
        let dependent = Frame::parse(&stream[768..]).unwrap();
        assert!(dependent.is_dependent && !dependent.is_further_programme);
        assert_eq!(frame.channels_in(&stream[..760]), 6);
        assert_eq!(frame.channels_in(&stream), 8);
    }

    #[test]
    fn only_further_channels_are_added() {
        assert_eq!(added_by_map(0b1111_1000_0000_0001), 0);
        assert_eq!(added_by_map(0b0000_0110_0000_0010), 5);
    }

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
