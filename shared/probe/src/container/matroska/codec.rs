//! Codec identifiers ("Matroska Codec Specifications", draft-ietf-cellar-codec) by `ffprobe`'s names.

use crate::codec::{UNKNOWN, pcm, quicktime};

/// By how an identifier starts; longer ones first where one begins with another.
const CODECS: [(&str, &str); 64] = [
    ("V_AV1", "av1"),
    ("V_AVS2", "avs2"),
    ("V_AVS3", "avs3"),
    ("V_CAVS", "cavs"),
    ("V_DIRAC", "dirac"),
    ("V_FFV1", "ffv1"),
    ("V_MJPEG", "mjpeg"),
    ("V_MPEG1", "mpeg1video"),
    ("V_MPEG2", "mpeg2video"),
    ("V_MPEG4/ISO/AVC", "h264"),
    ("V_MPEG4/ISO/ASP", "mpeg4"),
    ("V_MPEG4/ISO/AP", "mpeg4"),
    ("V_MPEG4/ISO/SP", "mpeg4"),
    ("V_MPEG4/MS/V3", "msmpeg4v3"),
    ("V_MPEGH/ISO/HEVC", "hevc"),
    ("V_MPEGI/ISO/VVC", "vvc"),
    ("V_PRORES", "prores"),
    ("V_REAL/RV10", "rv10"),
    ("V_REAL/RV20", "rv20"),
    ("V_REAL/RV30", "rv30"),
    ("V_REAL/RV40", "rv40"),
    ("V_SNOW", "snow"),
    ("V_THEORA", "theora"),
    ("V_UNCOMPRESSED", "rawvideo"),
    ("V_VP8", "vp8"),
    ("V_VP9", "vp9"),
    ("A_AAC", "aac"),
    ("A_AC3", "ac3"),
    ("A_ALAC", "alac"),
    ("A_ATRAC/AT1", "atrac1"),
    ("A_DTS", "dts"),
    ("A_EAC3", "eac3"),
    ("A_FLAC", "flac"),
    ("A_MLP", "mlp"),
    ("A_MPEG/L1", "mp1"),
    ("A_MPEG/L2", "mp2"),
    ("A_MPEG/L3", "mp3"),
    ("A_OPUS", "opus"),
    ("A_QUICKTIME/QDM2", "qdm2"),
    ("A_QUICKTIME/QDMC", "qdmc"),
    ("A_REAL/14_4", "ra_144"),
    ("A_REAL/28_8", "ra_288"),
    ("A_REAL/ATRC", "atrac3"),
    ("A_REAL/COOK", "cook"),
    ("A_REAL/SIPR", "sipr"),
    ("A_TRUEHD", "truehd"),
    ("A_TTA1", "tta"),
    ("A_VORBIS", "vorbis"),
    ("A_WAVPACK4", "wavpack"),
    ("D_WEBVTT/", "webvtt"),
    ("S_ARIBSUB", "arib_caption"),
    ("S_ASS", "ass"),
    ("S_SSA", "ass"),
    ("S_DVBSUB", "dvb_subtitle"),
    ("S_HDMV/PGS", "hdmv_pgs_subtitle"),
    ("S_HDMV/TEXTST", "hdmv_text_subtitle"),
    ("S_KATE", "kate"),
    ("S_TEXT/ASCII", "text"),
    ("S_TEXT/ASS", "ass"),
    ("S_TEXT/SSA", "ass"),
    ("S_TEXT/USF", "usf"),
    ("S_TEXT/UTF8", "subrip"),
    ("S_TEXT/WEBVTT", "webvtt"),
    ("S_VOBSUB", "dvd_subtitle"),
];

pub(super) fn name(codec_id: &str) -> &'static str {
    CODECS.iter().find(|(start, _)| codec_id.starts_with(start)).map_or(UNKNOWN, |(_, name)| *name)
}

/// Uncompressed audio; `None` for other codecs.
pub(super) fn pcm_name(codec_id: &str, bit_depth: u64) -> Option<&'static str> {
    let name = match codec_id.strip_prefix("A_PCM/")? {
        "FLOAT/IEEE" if bit_depth == 64 => "pcm_f64le",
        "FLOAT/IEEE" => "pcm_f32le",
        // Of other depths samples fill two bytes.
        coded @ ("INT/BIG" | "INT/LIT") => {
            let bits = [8, 24, 32].into_iter().find(|bits| u64::from(*bits) == bit_depth).unwrap_or(16);
            pcm::integer_name(bits, coded == "INT/BIG")
        }
        _ => return None,
    };
    Some(name)
}

/// The sample entry of a `V_QUICKTIME` or `A_QUICKTIME` track by its kind. Old writers left out the size in front.
fn quicktime_kind(codec_private: &[u8]) -> Option<[u8; 4]> {
    let mut kinds = [4..8, 0..4].into_iter().filter_map(|range| codec_private.get(range)?.first_chunk::<4>());
    kinds.find(|kind| kind.iter().all(|byte| byte.is_ascii_graphic() || *byte == b' ')).copied()
}

/// The codec of a `V_QUICKTIME` track.
pub(super) fn quicktime_video_name(codec_private: &[u8]) -> &'static str {
    quicktime_kind(codec_private).map_or(UNKNOWN, quicktime::video_name)
}

/// The codec of an `A_QUICKTIME` track. What an entry says of PCM is not looked at: these are of one size each.
pub(super) fn quicktime_audio_name(codec_private: &[u8]) -> &'static str {
    let Some(kind) = quicktime_kind(codec_private) else { return UNKNOWN };
    match &kind {
        b"sowt" => "pcm_s16le",
        b"twos" => "pcm_s16be",
        b"in24" => "pcm_s24be",
        b"in32" => "pcm_s32be",
        b"fl32" => "pcm_f32be",
        b"fl64" => "pcm_f64be",
        b"raw " => "pcm_u8",
        _ => quicktime::audio_name(kind),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identifiers_are_known_by_their_start() {
        assert_eq!(name("A_AAC/MPEG4/LC/SBR"), "aac");
        assert_eq!(name("A_DTS/LOSSLESS"), "dts");
        assert_eq!(name("V_MPEG4/ISO/AVC"), "h264");
        assert_eq!(name("V_MPEG4/ISO/AP"), "mpeg4");
        assert_eq!(name("S_TEXT/UTF8"), "subrip");
        assert_eq!(name("X_NEW"), UNKNOWN);
        assert_eq!(name(""), UNKNOWN);
    }

    #[test]
    fn pcm_is_named_by_its_depth() {
        assert_eq!(pcm_name("A_PCM/INT/LIT", 24), Some("pcm_s24le"));
        assert_eq!(pcm_name("A_PCM/INT/BIG", 0), Some("pcm_s16be"));
        assert_eq!(pcm_name("A_PCM/FLOAT/IEEE", 64), Some("pcm_f64le"));
        assert_eq!(pcm_name("A_AAC", 16), None);
    }

    #[test]
    fn quicktime_entries_come_with_or_without_size() {
        assert_eq!(quicktime_video_name(b"\0\0\0\x56SVQ3\0\0"), "svq3");
        assert_eq!(quicktime_video_name(b"SVQ3\0\0\0\0"), "svq3");
        assert_eq!(quicktime_video_name(b"SV"), UNKNOWN);
    }
}
