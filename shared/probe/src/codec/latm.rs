//! LATM in LOAS: AAC in streams as broadcasters send it, ISO/IEC 14496-3 clause 1.7.

use super::aac::AudioSpecificConfig;
use crate::bits::Bits;

/// Bytes in front of the multiplexed audio.
pub(crate) const HEADER_BYTES: usize = 3;
/// More than any `AudioSpecificConfig` takes.
const MAX_CONFIG_BYTES: usize = 64;

/// Size of the frame that `bytes` start with, header included.
pub(crate) fn frame_bytes(bytes: &[u8]) -> Option<usize> {
    let [0x56, second, third, ..] = *bytes else { return None };
    let is_sync = second & 0xe0 == 0xe0;
    is_sync.then(|| HEADER_BYTES + (usize::from(second & 0x1f) << 8 | usize::from(third)))
}

/// The configuration in the frame that `bytes` start with; frames that repeat the one before have none.
pub(crate) fn parse_config(bytes: &[u8]) -> Option<AudioSpecificConfig> {
    frame_bytes(bytes)?;
    let mut bits = Bits::new(bytes.get(HEADER_BYTES..)?);
    let same_as_before = bits.bit()?;
    if same_as_before {
        return None;
    }
    let version = bits.bits(1)?;
    if version == 1 {
        let is_unknown = bits.bit()?;
        if is_unknown {
            return None;
        }
        skip_value(&mut bits)?;
    }
    bits.skip(1 + 6 + 4 + 3)?;
    if version == 1 {
        skip_value(&mut bits)?;
    }
    // The configuration starts in the middle of a byte.
    let mut config = Vec::with_capacity(MAX_CONFIG_BYTES);
    while config.len() < MAX_CONFIG_BYTES {
        let Some(byte) = bits.bits(8) else { break };
        config.push(u8::try_from(byte).ok()?);
    }
    AudioSpecificConfig::parse(&config)
}

/// `LatmGetValue`: one to four bytes.
fn skip_value(bits: &mut Bits<'_>) -> Option<()> {
    let bytes = bits.bits(2)? as usize + 1;
    bits.skip(bytes * 8)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn a_size_has_thirteen_bits() {
        assert_eq!(frame_bytes(&[0x56, 0xe1, 0x02]), Some(HEADER_BYTES + 0x102));
        assert_eq!(frame_bytes(&[0x56, 0xc1, 0x02]), None);
    }

    #[test]
    fn the_configuration_is_in_the_first_frame() {
        // One programme, one layer; then LC, 48 kHz, mono: 0 0 | 1 000000 0000 000 | 00010 0011 0001 000
        let bytes = [0x56, 0xe0, 0x07, 0b0010_0000, 0, 0b0001_0001, 0b1000_1000, 0, 0, 0];
        let config = parse_config(&bytes).unwrap();
        assert_eq!((config.object_type, config.sample_rate, config.channels), (2, 48_000, Some(1)));
        assert_eq!(frame_bytes(&bytes), Some(10));
        assert_eq!(parse_config(&[0x56, 0xe0, 0x07, 0x80, 0, 0, 0, 0]), None);
        assert_eq!(frame_bytes(b"\x56\x00\x00"), None);
    }
}
