//! Visual sample entries (ISO/IEC 14496-12 clause 12.1, "QuickTime File Format" Video Media).

use super::boxes::{FourCc, child, children, kind_text};
use super::entry::unprotected;
use super::esds::ElementaryStream;
use crate::codec::color::ColorCodes;
use crate::codec::{VideoConfig, av1, h264, hevc, mpeg4_video, quicktime, vp9};
use crate::cursor::Cursor;
use crate::metadata::{self, Color, Hdr, aspect_ratio};

/// Bytes of the entry before the boxes in it.
const FIELD_BYTES: usize = 78;

#[derive(Debug, PartialEq)]
pub(super) struct VideoEntry {
    pub(super) codec: &'static str,
    pub(super) codec_string: String,
    pub(super) profile: Option<String>,
    pub(super) level: Option<u32>,
    pub(super) width: u32,
    pub(super) height: u32,
    pixel_aspect: Option<(u32, u32)>,
    pub(super) color: Option<Color>,
    pub(super) hdr: Option<Hdr>,
    /// Average bits per second, where the entry says it.
    pub(super) bit_rate: Option<u64>,
}

impl VideoEntry {
    /// Reads the body of a sample entry of type `kind`.
    pub(super) fn parse(kind: FourCc, body: &[u8]) -> Option<Self> {
        let mut fields = Cursor::new(body);
        fields.skip(24)?;
        let (width, height) = (u32::from(fields.u16()?), u32::from(fields.u16()?));
        let boxes = body.get(FIELD_BYTES..).unwrap_or_default();
        let kind = unprotected(kind, body, FIELD_BYTES);
        let stream = child(boxes, *b"esds").and_then(ElementaryStream::parse);
        let config = parse_config(boxes);
        let named = config.is_some();
        let config = config.unwrap_or_default();
        let (mut codec, mut codec_string) =
            (quicktime::video_name(kind), codec_string(kind, boxes, &config.codec_suffix));
        let (width, height) = config.picture_size((width, height));
        let (mut profile, mut level) = (config.profile, config.level);
        if let Some(stream) = &stream
            && !named
        {
            codec = stream.video_codec().unwrap_or(codec);
            codec_string = stream.codec_string("mp4v");
            if let Some(indication) = stream.visual_profile_level() {
                codec_string = format!("{codec_string}.{indication}");
                profile = mpeg4_video::profile_name(indication).map(str::to_owned);
                level = Some((indication & 15).into());
            }
        } else if codec == "prores" {
            profile = prores_profile(kind).map(str::to_owned);
        }
        let color = parse_colr(boxes).or(config.color);
        Some(Self {
            codec,
            codec_string,
            profile,
            level,
            width,
            height,
            pixel_aspect: child(boxes, *b"pasp").and_then(parse_pasp).or(config.pixel_aspect),
            color: color.names(),
            hdr: hdr(kind, boxes, color),
            bit_rate: stream.and_then(|stream| stream.average_bit_rate).or_else(|| parse_btrt(boxes)),
        })
    }

    /// The shape of the picture: by its pixels' shape, else by the size at which the track is shown, else by its own
    /// size, with square pixels.
    pub(super) fn display_aspect_ratio(&self, display_size: (u32, u32)) -> Option<String> {
        match (self.pixel_aspect, display_size) {
            (None, (x, y)) if x > 0 && y > 0 => aspect_ratio(x.into(), y.into()),
            (pixel, _) => metadata::display_aspect_ratio((self.width, self.height), pixel.unwrap_or((1, 1))),
        }
    }
}

/// The first codec configuration among `boxes`.
fn parse_config(boxes: &[u8]) -> Option<VideoConfig> {
    children(boxes).find_map(|(kind, body)| match &kind {
        b"avcC" => h264::parse_avcc(body),
        b"hvcC" => hevc::parse_hvcc(body),
        b"av1C" => av1::parse_av1c(body),
        b"vpcC" => vp9::parse_vpcc(body),
        _ => None,
    })
}

/// RFC 6381 names a codec by its sample entry and what its configuration adds. The entries of Dolby Vision have
/// names of their own ("Dolby Vision Streams Within the ISO Base Media File Format", codecs parameter string); without
/// a Dolby Vision configuration the base layer is named, by the entry that it would have alone.
fn codec_string(kind: FourCc, boxes: &[u8], suffix: &str) -> String {
    let Some(base) = dolby_vision_base(kind) else { return format!("{}{suffix}", kind_text(kind)) };
    let config = DOLBY_VISION_CONFIGS.iter().find_map(|config| child(boxes, **config)).and_then(parse_dvcc);
    match config {
        Some((profile, level)) => format!("{}.{profile:02}.{level:02}", kind_text(kind)),
        None => format!("{}{suffix}", kind_text(base)),
    }
}

const DOLBY_VISION_CONFIGS: [&FourCc; 3] = [b"dvcC", b"dvvC", b"dvwC"];

/// The entry type of the base layer, for the entry types that only Dolby Vision has.
fn dolby_vision_base(kind: FourCc) -> Option<FourCc> {
    Some(match &kind {
        b"dvh1" => *b"hvc1",
        b"dvhe" => *b"hev1",
        b"dva1" => *b"avc1",
        b"dvav" => *b"avc3",
        b"dav1" => *b"av01",
        _ => return None,
    })
}

/// Profile and level: 7 and 6 bits after the version.
fn parse_dvcc(body: &[u8]) -> Option<(u16, u16)> {
    let mut fields = Cursor::new(body);
    fields.skip(2)?;
    let packed = fields.u16()?;
    Some((packed >> 9, packed >> 3 & 0x3f))
}

fn parse_pasp(body: &[u8]) -> Option<(u32, u32)> {
    let mut fields = Cursor::new(body);
    let aspect = (fields.u32()?, fields.u32()?);
    (aspect.0 > 0 && aspect.1 > 0).then_some(aspect)
}

/// `btrt`: buffer size, maximum, average (ISO/IEC 14496-12 clause 8.5.2).
pub(super) fn parse_btrt(boxes: &[u8]) -> Option<u64> {
    let mut fields = Cursor::new(child(boxes, *b"btrt")?);
    fields.skip(8)?;
    fields.u32().map(u64::from).filter(|bit_rate| *bit_rate > 0)
}

/// `colr` of types `nclx` (ISO/IEC 14496-12 clause 12.1.5) and `nclc` (QuickTime, without range).
fn parse_colr(boxes: &[u8]) -> ColorCodes {
    let described = children(boxes).filter(|(kind, _)| kind == b"colr").find_map(|(_, body)| {
        let mut fields = Cursor::new(body);
        let kind = fields.four_cc()?;
        if !matches!(&kind, b"nclx" | b"nclc") {
            return None;
        }
        let mut color = ColorCodes::new(fields.u16()?, fields.u16()?, fields.u16()?);
        if &kind == b"nclx" {
            color.full_range = fields.u8().map(|flags| flags & 0x80 != 0);
        }
        Some(color)
    });
    described.unwrap_or_default()
}

fn hdr(kind: FourCc, boxes: &[u8], color: ColorCodes) -> Option<Hdr> {
    let holds = |kinds: &[&FourCc]| children(boxes).any(|(kind, _)| kinds.contains(&&kind));
    if dolby_vision_base(kind).is_some() || holds(&DOLBY_VISION_CONFIGS) {
        return Some(Hdr::DolbyVision);
    }
    color.hdr(holds(&[b"mdcv", b"clli", b"SmDm", b"CoLL"]))
}

fn prores_profile(kind: FourCc) -> Option<&'static str> {
    Some(match &kind {
        b"apco" => "Proxy",
        b"apcs" => "LT",
        b"apcn" => "Standard",
        b"apch" => "HQ",
        b"ap4h" => "4444",
        b"ap4x" => "XQ",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::super::boxes::tests::{boxed, full};
    use super::*;
    use crate::codec::UNKNOWN;

    fn entry(kind: FourCc, width: u16, height: u16, boxes: &[Vec<u8>]) -> VideoEntry {
        let mut body = vec![0; 24];
        body.extend(width.to_be_bytes());
        body.extend(height.to_be_bytes());
        body.resize(FIELD_BYTES, 0);
        body.extend(boxes.concat());
        VideoEntry::parse(kind, &body).unwrap()
    }

    fn colr(kind: FourCc, codes: [u8; 3], range: &[u8]) -> Vec<u8> {
        let codes = codes.map(|code| [0, code]).concat();
        boxed(*b"colr", [&kind[..], &codes, range].concat())
    }

    #[test]
    fn colours_and_hdr_come_from_the_entry() {
        let pq = entry(*b"vp09", 8, 8, &[colr(*b"nclx", [9, 16, 9], &[0x80])]);
        assert_eq!(pq.hdr, Some(Hdr::Hdr10));
        let color = pq.color.unwrap();
        assert_eq!((color.primaries.as_deref(), color.range.as_deref()), (Some("bt2020"), Some("pc")));
        assert_eq!(entry(*b"vp09", 8, 8, &[colr(*b"nclc", [9, 18, 9], &[])]).hdr, Some(Hdr::Hlg));
        assert_eq!(entry(*b"hvc1", 8, 8, &[boxed(*b"clli", [0; 4])]).hdr, Some(Hdr::Hdr10));
        let graded = [colr(*b"nclx", [1, 1, 1], &[0]), boxed(*b"mdcv", [0; 24])];
        assert_eq!(entry(*b"hvc1", 8, 8, &graded).hdr, None);
        let dolby = [colr(*b"nclc", [9, 18, 9], &[]), boxed(*b"dvvC", [0; 24])];
        assert_eq!(entry(*b"hvc1", 8, 8, &dolby).hdr, Some(Hdr::DolbyVision));
        assert_eq!(entry(*b"dvh1", 8, 8, &[]).hdr, Some(Hdr::DolbyVision));
        assert_eq!(entry(*b"avc1", 8, 8, &[colr(*b"prof", [1, 1, 1], &[])]).color, None);
    }

    #[test]
    fn dolby_vision_is_named_by_its_profile_and_level() {
        // Profile 5, level 6, with metadata and base layer.
        let config = |kind| boxed(kind, [&[1, 0, 0x0a, 0x35][..], &[0; 20]].concat());
        let string = |kind, boxes: &[Vec<u8>]| entry(kind, 8, 8, boxes).codec_string;
        assert_eq!(string(*b"dvh1", &[config(*b"dvcC")]), "dvh1.05.06");
        assert_eq!(string(*b"dvav", &[config(*b"dvvC")]), "dvav.05.06");
        assert_eq!(string(*b"dav1", &[boxed(*b"dvvC", [1, 0, 0x14, 0x4d])]), "dav1.10.09");
        // Profile 8 plays without Dolby Vision too, which the entry's type says.
        assert_eq!(string(*b"hvc1", &[config(*b"dvvC")]), "hvc1");
        let vp9 = boxed(*b"vpcC", [1, 0, 0, 0, 0, 10, 0x82, 1, 1, 1, 0, 0]);
        let named = [*b"dvh1", *b"dvhe", *b"dva1", *b"dvav", *b"dav1"]
            .map(|kind| string(kind, std::slice::from_ref(&vp9)).split_once('.').unwrap().0.to_owned());
        assert_eq!(named, ["hvc1", "hev1", "avc1", "avc3", "av01"]);
        assert_eq!(string(*b"dvhe", &[boxed(*b"dvcC", [1, 0, 0])]), "hev1");
    }

    #[test]
    fn the_shape_is_by_pixels_then_display_then_size() {
        let pasp = boxed(*b"pasp", [0, 0, 0, 64, 0, 0, 0, 45]);
        assert_eq!(entry(*b"avc1", 720, 576, &[pasp]).display_aspect_ratio((9, 9)).as_deref(), Some("16:9"));
        let plain = entry(*b"avc1", 720, 576, &[]);
        assert_eq!(plain.display_aspect_ratio((1024, 576)).as_deref(), Some("16:9"));
        assert_eq!(plain.display_aspect_ratio((0, 0)).as_deref(), Some("5:4"));
    }

    #[test]
    fn mpeg4_visual_tells_its_profile_in_its_header() {
        let esds = full(
            *b"esds",
            0,
            0,
            b"\x03\x1c\0\0\0\x04\x14\x20\x11\0\0\0\0\0\0\0\0\0\x27\x10\x05\x05\0\0\x01\xb0\xf5\x06\x01\x02",
        );
        let visual = entry(*b"mp4v", 640, 480, &[esds]);
        assert_eq!((visual.codec, visual.codec_string.as_str()), ("mpeg4", "mp4v.20.245"));
        assert_eq!((visual.profile.as_deref(), visual.level), (Some("Advanced Simple Profile"), Some(5)));
        assert_eq!(visual.bit_rate, Some(10_000));
    }

    #[test]
    fn codecs_without_configuration_are_known_by_type() {
        let prores = entry(*b"apch", 1920, 1080, &[]);
        assert_eq!((prores.codec, prores.profile.as_deref()), ("prores", Some("HQ")));
        assert_eq!(entry(*b"dvcp", 8, 8, &[]).codec, "dvvideo");
        let strange = entry(*b"\0abc", 8, 8, &[]);
        assert_eq!((strange.codec, strange.codec_string.as_str()), (UNKNOWN, ".abc"));
    }
}
