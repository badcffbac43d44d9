//! The kinds of sample entries of QuickTime and MP4, which Matroska and the Core Audio Format borrow ("QuickTime File
//! Format", and the registry at mp4ra.org).
//!
//! A kind that is not known here makes a track of codec `unknown`, not a failure.

use super::wave_format::WaveFormat;
use super::{UNKNOWN, bitmap};

type FourCc = [u8; 4];

/// `ffprobe`'s name of a kind of sound, but for PCM, of which the entry itself tells more.
pub(crate) fn audio_name(kind: FourCc) -> &'static str {
    match &kind {
        b"mp4a" => "aac",
        b"ac-3" | b"sac3" => "ac3",
        b"ec-3" => "eac3",
        b"ac-4" => "ac4",
        b"Opus" => "opus",
        b"fLaC" => "flac",
        b"alac" => "alac",
        b".mp3" | b"mp3 " => "mp3",
        b".mp2" => "mp2",
        b"samr" => "amr_nb",
        b"sawb" => "amr_wb",
        b"dtsc" | b"dtsh" | b"dtsl" | b"dtse" | b"DTS " => "dts",
        b"mlpa" => "truehd",
        b"mha1" | b"mha2" | b"mhm1" | b"mhm2" => "mpegh_3d_audio",
        b"ima4" => "adpcm_ima_qt",
        b"QDM2" => "qdm2",
        b"QDMC" => "qdmc",
        b"MAC3" => "mace3",
        b"MAC6" => "mace6",
        b"agsm" => "gsm",
        b"ulaw" => "pcm_mulaw",
        b"alaw" => "pcm_alaw",
        b"sqcp" | b"Qclp" => "qcelp",
        _ => registered_name(kind).unwrap_or(UNKNOWN),
    }
}

/// A kind that is named by a format tag of WAV: `ms` and the two bytes of the tag.
fn registered_name(kind: FourCc) -> Option<&'static str> {
    let [b'm', b's', high, low] = kind else { return None };
    let mut structure = [0; 16];
    structure[..2].copy_from_slice(&[low, high]);
    WaveFormat::parse(&structure).map(|format| format.codec)
}

/// `ffprobe`'s name of a kind of picture.
pub(crate) fn video_name(kind: FourCc) -> &'static str {
    match &kind {
        b"avc1" | b"avc2" | b"avc3" | b"avc4" | b"dva1" | b"dvav" => "h264",
        b"hvc1" | b"hev1" | b"dvh1" | b"dvhe" => "hevc",
        b"vvc1" | b"vvi1" => "vvc",
        b"av01" | b"dav1" => "av1",
        b"vp08" => "vp8",
        b"vp09" => "vp9",
        b"mp4v" => "mpeg4",
        b"s263" | b"h263" | b"H263" => "h263",
        b"jpeg" | b"mjpa" | b"dmb1" => "mjpeg",
        b"mjpb" => "mjpegb",
        b"mjp2" => "jpeg2000",
        b"png " => "png",
        b"gif " => "gif",
        b"apch" | b"apcn" | b"apcs" | b"apco" | b"ap4h" | b"ap4x" => "prores",
        b"AVdn" | b"AVdh" => "dnxhd",
        b"CFHD" => "cfhd",
        b"3IVD" => "msmpeg4v3",
        b"SVQ1" => "svq1",
        b"SVQ3" => "svq3",
        b"cvid" => "cinepak",
        b"rle " => "qtrle",
        b"rpza" => "rpza",
        b"smc " => "smc",
        b"v210" => "v210",
        b"raw " | b"2vuy" | b"yuvs" => "rawvideo",
        b"vc-1" => "vc1",
        b"m1v " | b"mp1v" => "mpeg1video",
        [b'd', b'v', b'c' | b'p' | b'h' | b'5' | b'1', _] => "dvvideo",
        // What follows are families by frame size and rate: HDV, IMX and XDCAM.
        b"m2v1"
        | b"mp2v"
        | [b'h', b'd', b'v', _]
        | [b'm', b'x', b'3'..=b'5', _]
        | [b'x', b'd', b'v' | b'h' | b'5', _] => "mpeg2video",
        // Writers of QuickTime take the FourCCs of AVI for what has none of its own.
        _ => bitmap::codec_name(kind),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn format_tags_of_wav_are_kinds_too() {
        assert_eq!([*b"ms\0\x02", *b"ms\0\x11"].map(audio_name), ["adpcm_ms", "adpcm_ima_wav"]);
        assert_eq!([*b"ms\xff\xf0", *b"????"].map(audio_name), [UNKNOWN; 2]);
    }

    #[test]
    fn families_and_the_codes_of_avi_are_known() {
        let kinds = [*b"hdv3", *b"mx5p", *b"xd59", *b"dvcp", *b"XVID", *b"xdxx"];
        let names = ["mpeg2video", "mpeg2video", "mpeg2video", "dvvideo", "mpeg4", UNKNOWN];
        assert_eq!(kinds.map(video_name), names);
    }
}
