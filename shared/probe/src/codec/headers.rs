//! Opus and ALAC: configurations that are the codec's own header in a box.

use super::AudioConfig;
use crate::cursor::Cursor;

/// Reads a `dOps` box ("Encapsulation of Opus in ISO Base Media File Format" 4.3.2). Opus decodes to 48 kHz.
pub(crate) fn parse_dops(record: &[u8]) -> Option<AudioConfig> {
    let channels = *record.get(1)?;
    Some(AudioConfig { channels: Some(channels.into()), sample_rate: Some(48_000) })
}

/// Reads an `alac` box: the `ALACSpecificConfig` of Apple's description, behind version and flags.
pub(crate) fn parse_alac(record: &[u8]) -> Option<AudioConfig> {
    let mut fields = Cursor::new(record);
    fields.skip(4 + 9)?;
    let channels = fields.u8()?;
    fields.skip(10)?;
    Some(AudioConfig { channels: Some(channels.into()), sample_rate: Some(fields.u32()?) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(config: Option<&AudioConfig>, channels: u32, sample_rate: u32) {
        assert_eq!(config, Some(&AudioConfig { channels: Some(channels), sample_rate: Some(sample_rate) }));
    }

    #[test]
    fn channels_and_rates_are_where_they_belong() {
        check(parse_dops(&[0, 6, 1, 56, 0, 0, 0x3e, 0x80, 0, 0, 1]).as_ref(), 6, 48_000);
        let mut alac = vec![0; 28];
        alac[13] = 2;
        alac[24..28].copy_from_slice(&44_100_u32.to_be_bytes());
        check(parse_alac(&alac).as_ref(), 2, 44_100);
        assert_eq!(parse_alac(&alac[..27]), None);
    }
}
