//! `BITMAPINFOHEADER`: how AVI, ASF and Matroska's `V_MS/VFW/FOURCC` describe video (Microsoft's wingdi.h).
//!
//! A FourCC that is not known here makes a track of codec `unknown`, not a failure.

use crate::cursor::Cursor;

/// `BITMAPINFOHEADER` itself, without what follows it.
const HEADER_BYTES: usize = 40;
const FOUR_CC_BYTES: usize = 4;

/// Codecs by `ffprobe`'s name with their FourCCs in upper case, as AVI files have them, registered or not; QuickTime's
/// occur there too.
const FOUR_CCS: [(&str, &str); 158] = [
    ("012v", "012V A12V"),
    ("4xm", "4XMV"),
    ("8bps", "8BPS"),
    ("aasc", "AAS4 AASC"),
    ("agm", "AGM0 AGM1 AGM2 AGM3 AGM4 AGM5 AGM6 AGM7"),
    ("aic", "ICOD"),
    ("amv", "AMVF"),
    ("arbc", "ARBC"),
    ("asv1", "ASV1"),
    ("asv2", "ASV2"),
    ("aura", "AURA"),
    ("aura2", "AUR2"),
    ("av1", "AV01"),
    ("avrn", "AVRN"),
    ("avrp", "AVRP SUDS"),
    ("avs2", "AVS2"),
    ("avui", "AVUI"),
    ("ayuv", "AYUV"),
    ("cavs", "CAVS"),
    ("cfhd", "CFHD"),
    ("cinepak", "CVID"),
    ("clearvideo", "UCOD"),
    ("cljr", "CLJR"),
    ("cllc", "CLLC"),
    ("cscd", "CSCD"),
    ("cyuv", "CYUV"),
    ("dirac", "DRAC"),
    ("dnxhd", "AVDN AVDH"),
    ("dpx", "DPX "),
    (
        "dvvideo",
        "DVSD DVHD DVH1 DVSL DV25 DV50 CDVC CDVH CDV5 DVC  DVCS DVIS PDVC SL25 SLDV AVD1 DVCP DVLP DVL  \
         DVPP DV5P DV5N AVDV DVHQ DVHP DVH2 DVH4 DVH5 DVH6 DVH3",
    ),
    ("dxtory", "XTOR"),
    ("dxv", "DXD3 DXDI"),
    ("escape130", "E130"),
    ("ffv1", "FFV1"),
    ("ffvhuff", "FFVH"),
    ("fic", "FICV"),
    ("flashsv", "FSV1"),
    ("flic", "AFLC"),
    ("flv1", "FLV1 S263"),
    ("fmvc", "FMVC"),
    ("fraps", "FPS1"),
    ("frwu", "FRWU"),
    ("g2m", "G2M2 G2M3 G2M4 G2M5"),
    ("gif", "GIF "),
    ("h261", "H261"),
    ("h263", "H263 X263 T263 L263 VX1K ZYGO M263 LSVM U263 VSM4"),
    ("h263i", "I263"),
    (
        "h264",
        "H264 X264 AVC1 DAVC SMV2 VSSH Q264 V264 GAVC UMSV TSHD INMC AVC2 AVC3 AVC4 AI5P AI5Q AI52 AI53 \
         AI55 AI56 AI1P AI1Q AI12 AI13 AI15 AI16 AVIN AIVX RV64 XALG AVLG DVA1 DVAV",
    ),
    ("hap", "HAP1 HAP5 HAPY HAPA HAPM"),
    ("hevc", "HEV1 HVC1 DVHE HEVC H265"),
    ("hq_hqa", "CUVC"),
    ("hqx", "CHQX"),
    ("huffyuv", "HFYU"),
    ("hymt", "HYMT"),
    ("imm4", "IMM4"),
    ("imm5", "IMM5"),
    ("indeo2", "RT21"),
    ("indeo3", "IV31 IV32"),
    ("indeo4", "IV41"),
    ("indeo5", "IV50"),
    ("jpeg2000", "MJP2 MJ2C LJ2C LJ2K IPJ2 AVJ2"),
    ("jpegls", "MJLS"),
    ("kgv1", "KGV1"),
    ("kmvc", "KMVC"),
    ("lagarith", "LAGS"),
    ("loco", "LOCO"),
    ("lscr", "LSCR"),
    ("m101", "M101 M102"),
    ("magicyuv", "MAGY M8RG M8RA M8G0 M8Y0 M8Y2 M8Y4 M8YA M0RA M0RG M0G0 M0Y0 M0Y2 M0Y4 M2RA M2RG"),
    ("mimic", "LM20"),
    (
        "mjpeg",
        "MJPG MSC2 LJPG DMB1 MJPA JR24 JPGL JPEG IJPG ACDV QIVG SLMJ CJPG IJLV MVJP AVI1 AVI2 MTSJ ZJPG \
         MMJP",
    ),
    ("mjpegb", "MJPB"),
    ("mpeg1video", "MPG1 PIM1 VCR2 BW10 XMPG M1V  M1V1 MP1V"),
    (
        "mpeg2video",
        "MPG2 MPEG PIM2 DVR  MMES LMP2 SLIF EM2V M701 M702 M703 M704 M705 MPGV M2V1 HDV1 HDV2 HDV3 HDV4 \
         HDV5 HDV6 HDV7 HDV8 HDV9 HDVA MX5N MX5P MX4N MX4P MX3N MX3P XD51 XD54 XD55 XD59 XD5A XD5B XD5C \
         XD5D XD5E XD5F XDV1 XDV2 XDV3 XDV4 XDV5 XDV6 XDV7 XDV8 XDV9 XDVA XDVB XDVC XDVD XDVE XDVF XDHD \
         XDH2 AVMP MP2V",
    ),
    (
        "mpeg4",
        "FMP4 DIVX DX50 XVID MP4S M4S2 ZMP4 DIV1 BLZ0 MP4V UMP4 WV1F SEDG RMP4 3IV2 WAWV FFDS FVFW DCOD \
         MVXM PM4V SMP4 DXGM VIDM M4T3 GEOX G264 HDX4 DM4V DMK2 DYM4 DIGI EPHV EM4A M4CC SN40 VSPX ULDX \
         GEOV SIPP SM4V XVIX DREX QMP4 PLV1 GLV4 GMP4 MNM4 GTM4",
    ),
    ("msa1", "MSA1"),
    ("mscc", "MSCC"),
    ("msmpeg4v1", "MPG4 MP41"),
    ("msmpeg4v2", "MP42 DIV2"),
    ("msmpeg4v3", "MP43 DIV3 MPG3 DIV5 DIV6 DIV4 DVX3 AP41 COL1 COL0"),
    ("msrle", "MRLE"),
    ("mss1", "MSS1"),
    ("mss2", "MSS2"),
    ("msvideo1", "MSVC CRAM WHAM"),
    ("mszh", "MSZH"),
    ("mts2", "MTS2"),
    ("mv30", "MV30"),
    ("mvdv", "MVDV"),
    ("mvha", "MVHA"),
    ("mwsc", "MWSC"),
    ("notchlc", "NLC1"),
    ("pixlet", "PXLT"),
    ("png", "MPNG PNG1 PNG "),
    ("prores", "APCH APCN APCS APCO AP4H AP4X"),
    ("prosumer", "BT20"),
    ("qdraw", "QDRW"),
    ("qpeg", "QPEG Q1.0 Q1.1"),
    ("qtrle", "RLE "),
    ("r10k", "R10K R10G"),
    ("r210", "R210"),
    ("rasc", "RASC"),
    (
        "rawvideo",
        "I420 YUY2 Y422 V422 YUNV UYNV UYNY UYV1 2VU1 2VUY YUVS YUV2 P422 YV12 YV16 YV24 UYVY VYUY IYUV \
         Y800 Y8   HDYC YVU9 VDTZ Y411 NV12 NV21 Y41B Y42B YUV9 AUV2 YVYU YUYV I410 I411 I422 I440 I444 \
         J420 J422 J440 J444 YUVA I40A I42A RGB2 RV15 RV16 RV24 RV32 RGBA AV32 GREY I09L I09B I29L I29B \
         I49L I49B I0AL I0AB I2AL I2AB I4AL I4AB I4FL I4FB I0CL I0CB I2CL I2CB I4CL I4CB I0FL I0FB RAW  \
         L555 L565 B565 24BG BGRA ABGR B16G B48R B64A BXBG BXRG BXYV NO16 DVOO R420 R411 WRAW AV1X AVUP \
         BGGR",
    ),
    ("rpza", "AZPR RPZA"),
    ("rscc", "RSCC ISCC"),
    ("rv40", "RV40"),
    ("scpr", "SCPR"),
    ("screenpresso", "SPV1"),
    ("sheervideo", "SHR0 SHR1 SHR2 SHR3 SHR4 SHR5 SHR6 SHR7"),
    ("smc", "SMC "),
    ("snow", "SNOW"),
    ("sp5x", "SP54"),
    ("speedhq", "SHQ0 SHQ1 SHQ2 SHQ3 SHQ4 SHQ5 SHQ7 SHQ9"),
    ("srgc", "SRGC"),
    ("svq1", "SVQ1 SVQI"),
    ("svq3", "SVQ3"),
    ("targa", "TGA "),
    ("tdsc", "TDSC"),
    ("theora", "THEO"),
    ("tiff", "TIFF"),
    ("truemotion1", "DUCK PVEZ"),
    ("truemotion2", "TM20"),
    ("truemotion2rt", "TR20"),
    ("tscc", "TSCC"),
    ("tscc2", "TSC2"),
    ("ulti", "ULTI"),
    ("utvideo", "ULRA ULRG ULY0 ULY2 ULY4 ULH0 ULH2 ULH4 UQY0 UQY2 UQRA UQRG UMY2 UMH2 UMY4 UMH4 UMRA UMRG"),
    ("v210", "V210 C210 BXY2"),
    ("v308", "V308"),
    ("v408", "V408"),
    ("v410", "V410"),
    ("vble", "VBLE"),
    ("vc1", "WVC1 WMVA VC-1"),
    ("vc1image", "WVP2"),
    ("vcr1", "VCR1"),
    ("vixl", "VIXL"),
    ("vmnc", "VMNC"),
    ("vp3", "VP31 VP30"),
    ("vp4", "VP40"),
    ("vp5", "VP50"),
    ("vp6", "VP60 VP61 VP62"),
    ("vp6a", "VP6A"),
    ("vp6f", "VP6F FLV4"),
    ("vp7", "VP70 VP71"),
    ("vp8", "VP80 VP08"),
    ("vp9", "VP90 VP09"),
    ("wcmv", "WCMV"),
    ("wmv1", "WMV1"),
    ("wmv2", "WMV2 GXVE"),
    ("wmv3", "WMV3"),
    ("wmv3image", "WMVP"),
    ("wnv1", "WNV1 YUV8"),
    ("xan_wc4", "XXAN"),
    ("y41p", "Y41P"),
    ("ylc", "YLC0"),
    ("yuv4", "YUV4"),
    ("zerocodec", "ZECO"),
    ("zlib", "ZLIB"),
    ("zmbv", "ZMBV"),
];

/// How video is coded, as the structure says.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Bitmap<'a> {
    /// `ffprobe`'s name, `unknown` when the FourCC is not known.
    pub(crate) codec: &'static str,
    pub(crate) four_cc: [u8; 4],
    pub(crate) width: u32,
    pub(crate) height: u32,
    pub(crate) bits_per_pixel: u16,
    /// What the codec adds to the structure.
    pub(crate) extradata: &'a [u8],
}

impl<'a> Bitmap<'a> {
    /// Reads the structure; `None` when it is too short for a FourCC.
    pub(crate) fn parse(bytes: &'a [u8]) -> Option<Self> {
        let mut fields = Cursor::new(bytes);
        // A size.
        fields.skip(4)?;
        // Rows that are stored from the top down have a negative height.
        let (width, height) = (fields.u32_le()?, fields.u32_le()?.cast_signed().unsigned_abs());
        fields.skip(2)?;
        let bits_per_pixel = fields.u16_le()?;
        let four_cc = fields.four_cc()?;
        Some(Self {
            codec: codec_name(four_cc),
            four_cc,
            width,
            height,
            bits_per_pixel,
            // Whatever size is said: some writers count the extra data in it, some do not.
            extradata: bytes.get(HEADER_BYTES..).unwrap_or_default(),
        })
    }
}

/// `ffprobe`'s name of a FourCC, `unknown` when it is not known. Upper and lower case are the same.
pub(crate) fn codec_name(four_cc: [u8; 4]) -> &'static str {
    // Kinds of bitmaps from before FourCCs, and MPEG by number.
    match u32::from_le_bytes(four_cc) {
        0 | 3 => return "rawvideo",
        1 | 2 => return "msrle",
        4 | 0x1000_0004 => return "mpeg4",
        0x1000_0001 => return "mpeg1video",
        0x1000_0002 => return "mpeg2video",
        _ => {}
    }
    let upper = four_cc.map(|byte| byte.to_ascii_uppercase());
    let is_listed = |list: &str| {
        list.as_bytes().chunks(FOUR_CC_BYTES + 1).any(|known| known.get(..FOUR_CC_BYTES) == Some(&upper[..]))
    };
    FOUR_CCS.iter().find(|(_, list)| is_listed(list)).map_or(super::UNKNOWN, |(codec, _)| codec)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn structure(width: i32, height: i32, four_cc: [u8; 4], extra: &[u8]) -> Vec<u8> {
        let mut bytes = 40_u32.to_le_bytes().to_vec();
        bytes.extend(width.to_le_bytes());
        bytes.extend(height.to_le_bytes());
        bytes.extend([1, 0, 24, 0]);
        bytes.extend(four_cc);
        bytes.extend([0; 20]);
        bytes.extend(extra);
        bytes
    }

    #[test]
    fn size_codec_and_extra_data() {
        let bytes = structure(640, 360, *b"H264", &[1, 2, 3]);
        let bitmap = Bitmap::parse(&bytes).unwrap();
        assert_eq!((bitmap.codec, bitmap.width, bitmap.height), ("h264", 640, 360));
        assert_eq!((bitmap.bits_per_pixel, bitmap.extradata), (24, &[1, 2, 3][..]));
        assert_eq!(Bitmap::parse(&bytes[..20]).unwrap().extradata, [0; 0]);
        assert_eq!(Bitmap::parse(&bytes[..19]), None);
    }

    #[test]
    fn rows_from_the_top_down_have_a_negative_height() {
        assert_eq!(Bitmap::parse(&structure(8, -480, *b"\0\0\0\0", &[])).unwrap().height, 480);
        assert_eq!(Bitmap::parse(&structure(8, i32::MIN, *b"\0\0\0\0", &[])).unwrap().height, 1 << 31);
    }

    #[test]
    fn extra_data_follows_the_structure_whatever_size_is_said() {
        let mut bytes = structure(8, 8, *b"MJPG", &[1, 2, 3]);
        for size in [[40, 0, 0, 0], [43, 0, 0, 0], [0; 4], [0xff; 4]] {
            bytes[..4].copy_from_slice(&size);
            assert_eq!(Bitmap::parse(&bytes).unwrap().extradata, [1, 2, 3]);
        }
    }

    #[test]
    fn four_ccs_are_known_in_either_case() {
        for (four_cc, codec) in [
            (b"DIV3", "msmpeg4v3"),
            (b"div3", "msmpeg4v3"),
            (b"dvsd", "dvvideo"),
            (b"XviD", "mpeg4"),
            (b"\x04\0\0\0", "mpeg4"),
            (b"\x01\0\0\0", "msrle"),
            (b"\x02\0\0\x10", "mpeg2video"),
            (b"WMV3", "wmv3"),
            (b"Y8  ", "rawvideo"),
            (b"hvc1", "hevc"),
            (b"64 A", "unknown"),
            (b"    ", "unknown"),
        ] {
            assert_eq!(codec_name(*four_cc), codec, "{four_cc:?}");
        }
    }

    #[test]
    fn every_four_cc_is_listed_once_and_in_full() {
        let mut all = Vec::new();
        for (codec, list) in FOUR_CCS {
            assert_eq!(list.len() % 5, 4, "{codec}");
            all.extend(list.as_bytes().chunks(5).map(|known| known[..4].to_vec()));
        }
        assert!(all.iter().all(|four_cc| *four_cc == four_cc.to_ascii_uppercase()));
        let count = all.len();
        all.sort();
        all.dedup();
        assert_eq!(all.len(), count);
    }
}
