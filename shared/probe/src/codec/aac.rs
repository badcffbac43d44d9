//! AAC and its kin: the `AudioSpecificConfig` of ISO/IEC 14496-3 clause 1.6.2.1.
//!
//! Channels and rate are those after decoding, as `ffprobe` has them: spectral band replication (SBR) doubles the
//! rate, parametric stereo (PS) makes two channels of one.

use crate::bits::Bits;
use crate::metadata::AudioTrack;

/// The core of SBR runs at half the rate that is heard, which is 48 kHz at most.
pub(crate) const MAX_SBR_CORE_RATE: u32 = 24_000;

const LC: u32 = 2;
const SBR: u32 = 5;
const PS: u32 = 29;
const ALS: u32 = 36;
const SYNC_SBR: u32 = 0x2b7;
const SYNC_PS: u32 = 0x548;
const EXPLICIT_RATE: u32 = 15;

const SAMPLE_RATES: [u32; 13] =
    [96_000, 88_200, 64_000, 48_000, 44_100, 32_000, 24_000, 22_050, 16_000, 12_000, 11_025, 8_000, 7_350];
const CHANNELS: [u32; 15] = [0, 1, 2, 3, 4, 5, 6, 8, 0, 0, 0, 7, 8, 24, 8];

/// What an `AudioSpecificConfig` says.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct AudioSpecificConfig {
    /// The first object type in it, which RFC 6381 wants in the codec string.
    pub(crate) object_type: u32,
    /// The object type that does the coding underneath SBR and PS.
    core_type: u32,
    pub(crate) sample_rate: u32,
    /// `None` when it is left to the container.
    pub(crate) channels: Option<u32>,
    has_sbr: bool,
    has_ps: bool,
    /// Whether SBR is said to be there or not: else only the bitstream, or the container, knows.
    tells_sbr: bool,
}

impl AudioSpecificConfig {
    pub(crate) fn parse(bytes: &[u8]) -> Option<Self> {
        let mut bits = Bits::new(bytes);
        let object_type = object_type(&mut bits)?;
        let sample_rate = sample_rate(&mut bits)?;
        let channel_config = bits.bits(4)?;
        let channels = channels_of(channel_config);
        let mut config = Self {
            object_type,
            core_type: object_type,
            sample_rate,
            channels,
            has_sbr: matches!(object_type, SBR | PS),
            has_ps: object_type == PS,
            tells_sbr: matches!(object_type, SBR | PS),
        };
        if config.has_sbr {
            config.sample_rate = self::sample_rate(&mut bits)?;
            config.core_type = self::object_type(&mut bits)?;
        }
        if config.core_type == ALS {
            config.read_als(bytes);
        } else if matches!(config.core_type, 1..=4 | 6 | 7 | 17 | 19..=23) {
            config.read_general_audio(&mut bits, channel_config == 0);
            if !config.tells_sbr {
                config.read_sync_extension(&mut bits);
            }
        }
        if config.has_ps && config.channels == Some(1) {
            config.channels = Some(2);
        }
        Some(config)
    }

    /// The configuration of a stream that says it in its frames, as ADTS does, and says nothing of SBR.
    pub(crate) fn of_core(object_type: u32, sample_rate: u32, channels: Option<u32>) -> Self {
        Self {
            object_type,
            core_type: object_type,
            sample_rate,
            channels,
            has_sbr: false,
            has_ps: false,
            tells_sbr: false,
        }
    }

    /// Takes SBR for granted that was found in the stream itself. Of one channel it makes two, as a decoder that
    /// knows nothing of parametric stereo beforehand does.
    pub(crate) fn add_implicit_sbr(&mut self) {
        self.has_sbr = true;
        self.sample_rate *= 2;
        if self.channels == Some(1) {
            self.has_ps = true;
            self.channels = Some(2);
        }
    }

    /// `GASpecificConfig`, for the channels of a programme config element and to get to the end of it.
    fn read_general_audio(&mut self, bits: &mut Bits<'_>, has_program_config: bool) -> Option<()> {
        bits.skip(1)?;
        if bits.bit()? {
            bits.skip(14)?;
        }
        bits.skip(1)?;
        if has_program_config {
            self.channels = program_config_channels(bits);
        }
        Some(())
    }

    /// SBR and PS signalled behind the configuration, so that old decoders overlook it.
    fn read_sync_extension(&mut self, bits: &mut Bits<'_>) -> Option<()> {
        if bits.bits(11)? != SYNC_SBR || object_type(bits)? != SBR {
            return None;
        }
        self.tells_sbr = true;
        self.has_sbr = bits.bit()?;
        if self.has_sbr {
            self.sample_rate = sample_rate(bits)?;
            self.has_ps = bits.bits(11)? == SYNC_PS && bits.bit()?;
        }
        Some(())
    }

    /// `ALSSpecificConfig`: found by its mark, because what precedes it is padded in several ways.
    fn read_als(&mut self, bytes: &[u8]) -> Option<()> {
        let mark = bytes.windows(4).take(16).position(|window| window == b"ALS\0")?;
        let mut bits = Bits::new(bytes.get(mark + 4..)?);
        let sample_rate = bits.bits(32)?;
        bits.skip(32)?;
        let channels = bits.bits(16)? + 1;
        (self.sample_rate, self.channels) = (sample_rate, Some(channels));
        Some(())
    }

    /// Whether there may be SBR that only the stream itself, or the container, tells.
    pub(crate) fn may_conceal_sbr(&self) -> bool {
        self.core_type == LC && !self.tells_sbr && self.sample_rate <= MAX_SBR_CORE_RATE
    }

    /// Takes the rate that the container says for SBR that is signalled nowhere: it must be just double.
    pub(crate) fn infer_sbr(&mut self, container_sample_rate: u32) {
        if self.may_conceal_sbr() && self.sample_rate * 2 == container_sample_rate {
            self.has_sbr = true;
            self.sample_rate = container_sample_rate;
        }
    }

    /// `ffprobe`'s name of the codec.
    pub(crate) fn codec(&self) -> &'static str {
        match self.core_type {
            32 => "mp1",
            33 => "mp2",
            34 => "mp3",
            ALS => "mp4als",
            42 => "usac",
            _ => "aac",
        }
    }

    /// As RFC 6381 has it.
    pub(crate) fn codec_string(&self) -> String {
        format!("mp4a.40.{}", self.object_type)
    }

    /// A track that is described by this alone.
    pub(crate) fn into_track(self) -> AudioTrack {
        let mut track = AudioTrack::new(self.codec(), &self.codec_string());
        self.apply_to(&mut track);
        track
    }

    /// Tells `track` what is known here.
    pub(crate) fn apply_to(&self, track: &mut AudioTrack) {
        self.codec().clone_into(&mut track.codec);
        track.codec_string = self.codec_string();
        track.profile = self.profile().map(str::to_owned);
        track.sample_rate = self.sample_rate;
        track.channels = self.channels.unwrap_or(track.channels);
    }

    pub(crate) fn profile(&self) -> Option<&'static str> {
        Some(match self.core_type {
            _ if self.has_ps => "HE-AACv2",
            _ if self.has_sbr => "HE-AAC",
            1 => "Main",
            LC => "LC",
            3 => "SSR",
            4 => "LTP",
            23 => "LD",
            39 => "ELD",
            42 => "xHE-AAC",
            _ => return None,
        })
    }
}

/// Describes `track`, of which a container knows rate and channels, by its configuration; without one it is low
/// complexity, as nearly all AAC is.
pub(crate) fn describe(track: &mut AudioTrack, configuration: &[u8]) {
    "mp4a.40.2".clone_into(&mut track.codec_string);
    if let Some(mut config) = AudioSpecificConfig::parse(configuration) {
        config.infer_sbr(track.sample_rate);
        config.apply_to(track);
    }
}

fn object_type(bits: &mut Bits<'_>) -> Option<u32> {
    let object_type = bits.bits(5)?;
    if object_type == 31 { Some(32 + bits.bits(6)?) } else { Some(object_type) }
}

fn sample_rate(bits: &mut Bits<'_>) -> Option<u32> {
    match bits.bits(4)? {
        EXPLICIT_RATE => bits.bits(24),
        index => sample_rate_of(index),
    }
}

/// Sampling frequency by `samplingFrequencyIndex`; `None` for the reserved ones.
pub(crate) fn sample_rate_of(index: u32) -> Option<u32> {
    SAMPLE_RATES.get(index as usize).copied()
}

/// Channels by `channelConfiguration`; `None` where it leaves them to a programme config element.
pub(crate) fn channels_of(configuration: u32) -> Option<u32> {
    CHANNELS.get(configuration as usize).copied().filter(|count| *count > 0)
}

/// Counts the channels of a `program_config_element` (ISO/IEC 14496-3 clause 4.4.1.1).
pub(super) fn program_config_channels(bits: &mut Bits<'_>) -> Option<u32> {
    bits.skip(4 + 2 + 4)?;
    let elements = bits.bits(4)? + bits.bits(4)? + bits.bits(4)?;
    let low_frequency = bits.bits(2)?;
    let ignored = bits.bits(3)? as usize * 4 + bits.bits(4)? as usize * 5;
    for mixdown_bits in [4, 4, 3] {
        if bits.bit()? {
            bits.skip(mixdown_bits)?;
        }
    }
    let mut channels = low_frequency;
    for _ in 0..elements {
        channels += 1 + bits.bits(1)?;
        bits.skip(4)?;
    }
    bits.skip(low_frequency as usize * 4 + ignored)?;
    bits.align();
    let comment_bytes = bits.bits(8)? as usize;
    bits.skip(comment_bytes * 8)?;
    (channels > 0).then_some(channels)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[track_caller]
    fn check(bytes: &[u8], object_type: u32, profile: &str, sample_rate: u32, channels: u32) {
        let config = AudioSpecificConfig::parse(bytes).unwrap();
        assert_eq!(
            (config.object_type, config.profile(), config.sample_rate, config.channels),
            (object_type, Some(profile), sample_rate, Some(channels))
        );
    }

    #[test]
    fn low_complexity() {
        check(&[0x12, 0x10], 2, "LC", 44_100, 2);
        check(&[0x12, 0x08, 0x56, 0xe5, 0x00], 2, "LC", 44_100, 1);
    }

    #[test]
    fn explicit_sbr_and_ps_are_told_first() {
        check(&[0x2b, 0x92, 0x08, 0x00], 5, "HE-AAC", 44_100, 2);
        check(&[0xeb, 0x8a, 0x08, 0x00], 29, "HE-AACv2", 44_100, 2);
    }

    #[test]
    fn sbr_told_behind_the_configuration_keeps_the_object_type() {
        check(&[0x13, 0x88, 0x56, 0xe5, 0xa5, 0x48, 0x00], 2, "HE-AAC", 44_100, 1);
        check(&[0x13, 0x88, 0x56, 0xe5, 0xa5, 0x48, 0x80], 2, "HE-AACv2", 44_100, 2);
    }

    #[test]
    fn sbr_is_inferred_only_where_nothing_denies_it() {
        let mut silent = AudioSpecificConfig::parse(&[0x13, 0x90]).unwrap();
        silent.infer_sbr(44_100);
        assert_eq!((silent.profile(), silent.sample_rate), (Some("HE-AAC"), 44_100));
        let mut fast = AudioSpecificConfig::parse(&[0x12, 0x10]).unwrap();
        fast.infer_sbr(88_200);
        assert_eq!((fast.profile(), fast.sample_rate), (Some("LC"), 44_100));
        let mut denied = AudioSpecificConfig::parse(&[0x13, 0x88, 0x56, 0xe5, 0x00]).unwrap();
        denied.infer_sbr(44_100);
        assert_eq!((denied.profile(), denied.sample_rate), (Some("LC"), 22_050));
    }

    #[test]
    fn a_programme_config_element_counts_channels() {
        // LC, 48 kHz, channel configuration 0; one front pair, one front single, one back pair, one LFE: 6 channels.
        let mut bits = String::from("00010 0011 0000 0 0 0");
        bits.push_str("0000 01 0011 0010 0000 0001 01 000 0000 0 0 0 1 0000 0 0000 1 0001 0000");
        bits.push_str("00000000 00000000");
        let flat: Vec<u8> = bits.bytes().filter(u8::is_ascii_digit).map(|digit| digit - b'0').collect();
        let bytes: Vec<u8> = flat
            .chunks(8)
            .map(|byte| byte.iter().fold(0, |sum, bit| sum << 1 | bit) << (8 - byte.len()))
            .collect();
        check(&bytes, 2, "LC", 48_000, 6);
    }

    #[test]
    fn lossless_has_a_header_of_its_own() {
        let bytes = b"\xf8\x9e\x00\x3e\x80\x00ALS\0\x00\x00\x1f\x40\x00\x00\x04\x00\x00\x01\x28\x03";
        let config = AudioSpecificConfig::parse(bytes).unwrap();
        assert_eq!((config.codec(), config.sample_rate, config.channels), ("mp4als", 8000, Some(2)));
        assert_eq!(config.profile(), None);
    }

    #[test]
    fn nonsense_is_no_configuration() {
        assert_eq!(AudioSpecificConfig::parse(&[]), None);
        assert_eq!(AudioSpecificConfig::parse(&[0x17, 0x00]), None);
    }
}
