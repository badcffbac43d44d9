//! PCM by `ffprobe`'s names, and how many bits its samples take, and those of codecs that are nearly as plain.

use super::UNKNOWN;

/// How samples are stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    Signed,
    /// Of eight bits only: larger samples are signed.
    Unsigned,
    Float,
}

/// The codec of samples that fill as many bytes as their `bits` need; [`UNKNOWN`] where there is none.
pub(crate) fn name(format: Format, bits: u32, is_big_endian: bool) -> &'static str {
    match (format, bits, is_big_endian) {
        (Format::Float, 32, false) => "pcm_f32le",
        (Format::Float, 32, true) => "pcm_f32be",
        (Format::Float, 64, false) => "pcm_f64le",
        (Format::Float, 64, true) => "pcm_f64be",
        (Format::Signed, 1..=8, _) => "pcm_s8",
        (Format::Unsigned, 1..=8, _) => "pcm_u8",
        (Format::Signed, 9..=16, false) => "pcm_s16le",
        (Format::Signed, 9..=16, true) => "pcm_s16be",
        (Format::Signed, 17..=24, false) => "pcm_s24le",
        (Format::Signed, 17..=24, true) => "pcm_s24be",
        (Format::Signed, 25..=32, false) => "pcm_s32le",
        (Format::Signed, 25..=32, true) => "pcm_s32be",
        (Format::Signed, 57..=64, false) => "pcm_s64le",
        (Format::Signed, 57..=64, true) => "pcm_s64be",
        _ => UNKNOWN,
    }
}

/// Integers of which small ones are unsigned, as WAV and its kin have them.
pub(crate) fn integer_name(bits: u32, is_big_endian: bool) -> &'static str {
    name(if bits <= 8 { Format::Unsigned } else { Format::Signed }, bits, is_big_endian)
}

/// Bits that each sample of PCM takes, by `ffprobe`'s name; `None` for other codecs.
pub(crate) fn bits_of_pcm(codec: &str) -> Option<u32> {
    Some(match codec {
        "pcm_s8" | "pcm_u8" | "pcm_alaw" | "pcm_mulaw" | "pcm_zork" => 8,
        "pcm_s16le" | "pcm_s16be" => 16,
        "pcm_s24le" | "pcm_s24be" => 24,
        "pcm_s32le" | "pcm_s32be" | "pcm_f32le" | "pcm_f32be" | "pcm_f24le" | "pcm_f16le" => 32,
        "pcm_s64le" | "pcm_s64be" | "pcm_f64le" | "pcm_f64be" => 64,
        _ => return None,
    })
}

/// Bits that each sample takes, where all of them take the same; `None` for other codecs.
pub(crate) fn exact_bits_per_sample(codec: &str) -> Option<u32> {
    match codec {
        "adpcm_ct" | "adpcm_g722" | "adpcm_ima_oki" | "adpcm_yamaha" => Some(4),
        "xan_dpcm" | "sdx2_dpcm" => Some(8),
        _ => bits_of_pcm(codec),
    }
}

/// Bits that each sample takes, or would if blocks had no headers; `None` for other codecs.
pub(crate) fn bits_per_sample(codec: &str) -> Option<u32> {
    match codec {
        "adpcm_ima_qt" | "adpcm_ima_wav" | "adpcm_ms" | "adpcm_swf" => Some(4),
        _ => exact_bits_per_sample(codec),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_are_named_by_the_bytes_that_they_fill() {
        let signed = |bits| name(Format::Signed, bits, true);
        assert_eq!([8, 9, 16, 17].map(signed), ["pcm_s8", "pcm_s16be", "pcm_s16be", "pcm_s24be"]);
        assert_eq!([24, 25, 32, 64].map(signed), ["pcm_s24be", "pcm_s32be", "pcm_s32be", "pcm_s64be"]);
        assert_eq!([0, 33, 56, 65].map(signed), [UNKNOWN; 4]);
        assert_eq!([8, 9].map(|bits| integer_name(bits, false)), ["pcm_u8", "pcm_s16le"]);
        let float = |bits| name(Format::Float, bits, false);
        assert_eq!([16, 32, 64].map(float), [UNKNOWN, "pcm_f32le", "pcm_f64le"]);
        assert_eq!(name(Format::Unsigned, 16, false), UNKNOWN);
    }

    #[test]
    fn every_name_has_its_bits() {
        for format in [Format::Signed, Format::Float] {
            for bits in [8, 16, 24, 32, 64] {
                let codec = name(format, bits, true);
                assert!(codec == UNKNOWN || bits_of_pcm(codec) == Some(bits), "{codec}");
            }
        }
        assert_eq!((exact_bits_per_sample("adpcm_ms"), bits_per_sample("adpcm_ms")), (None, Some(4)));
        assert_eq!((bits_of_pcm("adpcm_g722"), exact_bits_per_sample("adpcm_g722")), (None, Some(4)));
    }
}
