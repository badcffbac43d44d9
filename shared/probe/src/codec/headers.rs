//! Opus, ALAC, Vorbis and TrueHD: configurations that are the codec's own header in a box.

use super::AudioConfig;
use crate::cursor::Cursor;

/// Reads a `dOps` box ("Encapsulation of Opus in ISO Base Media File Format" 4.3.2). Opus decodes to 48 kHz.
pub(crate) fn parse_dops(record: &[u8]) -> Option<AudioConfig> {
    let channels = *record.get(1)?;
    Some(AudioConfig { channels: Some(channels.into()), sample_rate: Some(48_000) })
}

/// Reads the `ALACSpecificConfig` of Apple's description, which is the body of an `alac` box behind version and flags.
pub(crate) fn parse_alac(config: &[u8]) -> Option<AudioConfig> {
    let mut fields = Cursor::new(config);
    fields.skip(9)?;
    let channels = fields.u8()?;
    fields.skip(10)?;
    Some(AudioConfig { channels: Some(channels.into()), sample_rate: Some(fields.u32()?) })
}

/// Reads the identification header of Vorbis ("Vorbis I specification" clause 4.2.2), wherever it begins: what precedes
/// it are the lengths of the headers.
pub(crate) fn parse_vorbis(headers: &[u8]) -> Option<AudioConfig> {
    const MARK: &[u8] = b"\x01vorbis";
    const MAX_LENGTH_BYTES: usize = 1024;
    let start = headers.windows(MARK.len()).take(MAX_LENGTH_BYTES).position(|window| window == MARK)?;
    let mut fields = Cursor::new(headers.get(start + MARK.len()..)?);
    fields.skip(4)?;
    Some(AudioConfig { channels: Some(fields.u8()?.into()), sample_rate: Some(fields.u32_le()?) })
}

/// Reads a `dmlp` box ("Dolby TrueHD (MLP) Bitstreams Within the ISO Base Media File Format"), which begins with the
/// format word of the stream: rate, and the channel groups of its 6-channel and its 8-channel presentation.
pub(crate) fn parse_dmlp(record: &[u8]) -> Option<AudioConfig> {
    /// Channels of each group, from the lowest bit.
    const GROUPS: [u32; 13] = [2, 1, 1, 2, 2, 2, 2, 1, 1, 2, 2, 1, 1];
    let format = Cursor::new(record).u32()?;
    let rate = format >> 28;
    let base = if rate & 8 == 0 { 48_000 } else { 44_100 };
    let (six, eight) = (format >> 15 & 0x1f, format & 0x1fff);
    let groups = if eight > 0 { eight } else { six };
    let channels =
        GROUPS.iter().enumerate().filter(|(bit, _)| groups >> bit & 1 == 1).map(|(_, count)| count).sum();
    Some(AudioConfig {
        channels: Some(channels).filter(|count| *count > 0),
        sample_rate: Some(base << (rate & 7)),
    })
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
        let vorbis = b"\x02\x1e\x40\x01vorbis\0\0\0\0\x06\x44\xac\0\0rest";
        check(parse_vorbis(vorbis).as_ref(), 6, 44_100);
        assert_eq!(parse_vorbis(&vorbis[..18]), None);
        // 96 kHz; left and right, centre, LFE and surrounds.
        check(parse_dmlp(&0x1007_800f_u32.to_be_bytes()).as_ref(), 6, 96_000);
        check(parse_dmlp(&0x8000_8000_u32.to_be_bytes()).as_ref(), 2, 44_100);
        let mut alac = vec![0; 24];
        alac[9] = 2;
        alac[20..24].copy_from_slice(&44_100_u32.to_be_bytes());
        check(parse_alac(&alac).as_ref(), 2, 44_100);
        assert_eq!(parse_alac(&alac[..23]), None);
    }
}
