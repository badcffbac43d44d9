//! VP8 and VP9: the `vpcC` box of "VP Codec ISO Media File Format Binding".

use super::VideoConfig;
use super::color::ColorCodes;
use crate::cursor::Cursor;

/// Reads a `vpcC` box, with the codec string as the binding has it: the colours only where they are not BT.709.
pub(crate) fn parse_vpcc(record: &[u8]) -> Option<VideoConfig> {
    let mut fields = Cursor::new(record);
    fields.skip(4)?;
    let (profile, level, packed) = (fields.u8()?, fields.u8()?, fields.u8()?);
    let (primaries, transfer, matrix) = (fields.u8()?, fields.u8()?, fields.u8()?);
    let (depth, chroma, full_range) = (packed >> 4, packed >> 1 & 7, packed & 1);
    let mut suffix = format!(".{profile:02}.{level:02}.{depth:02}");
    if !matches!((primaries, transfer, matrix, full_range), (1 | 2, 1 | 2, 1 | 2, 0)) {
        suffix = format!("{suffix}.{chroma:02}.{primaries:02}.{transfer:02}.{matrix:02}.{full_range:02}");
    }
    Some(VideoConfig {
        codec_suffix: suffix,
        profile: (profile < 4).then(|| format!("Profile {profile}")),
        level: (level > 0).then_some(level.into()),
        color: ColorCodes {
            full_range: Some(full_range == 1),
            ..ColorCodes::new(primaries.into(), transfer.into(), matrix.into())
        },
        ..VideoConfig::default()
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn colours_are_in_the_codec_string_only_when_they_matter() {
        let plain = parse_vpcc(&[1, 0, 0, 0, 0, 31, 0x82, 1, 1, 1, 0, 0]).unwrap();
        assert_eq!(plain.codec_suffix, ".00.31.08");
        assert_eq!((plain.profile.as_deref(), plain.level), (Some("Profile 0"), Some(31)));
        let hdr = parse_vpcc(&[1, 0, 0, 0, 2, 51, 0xa2, 9, 16, 9, 0, 0]).unwrap();
        assert_eq!(hdr.codec_suffix, ".02.51.10.01.09.16.09.00");
        assert_eq!(hdr.color, ColorCodes { full_range: Some(false), ..ColorCodes::new(9, 16, 9) });
        assert_eq!(parse_vpcc(&[1, 0, 0, 0, 2, 51]), None);
    }
}
