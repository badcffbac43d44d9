//! Video tracks (RFC 9559 clause 5.1.4.1.28): picture, shape, colours, projection.

use super::codec;
use super::ebml::{child, child_float, child_unsigned, children};
use crate::codec::bitmap::Bitmap;
use crate::codec::color::{ColorCodes, UNSPECIFIED};
use crate::codec::vp9::Vp9Config;
use crate::codec::{UNKNOWN, av1, codec_string, h264, hevc};
use crate::metadata::{self, Hdr, VideoTrack, aspect_ratio};

const PIXEL_WIDTH: u32 = 0xb0;
const PIXEL_HEIGHT: u32 = 0xba;
const CROP_LEFT_RIGHT: [u32; 2] = [0x54cc, 0x54dd];
const CROP_TOP_BOTTOM: [u32; 2] = [0x54bb, 0x54aa];
const DISPLAY_WIDTH: u32 = 0x54b0;
const DISPLAY_HEIGHT: u32 = 0x54ba;
const DISPLAY_UNIT: u32 = 0x54b2;
/// The display unit of which nothing is known.
const UNIT_UNKNOWN: u64 = 4;
const COLOUR: u32 = 0x55b0;
const MATRIX: u32 = 0x55b1;
const RANGE: u32 = 0x55b9;
const TRANSFER: u32 = 0x55ba;
const PRIMARIES: u32 = 0x55bb;
const MASTERING_METADATA: u32 = 0x55d0;
const MAX_CLL: u32 = 0x55bc;
const PROJECTION: u32 = 0x7670;
const PROJECTION_POSE_ROLL: u32 = 0x7675;
const BLOCK_ADDITION_MAPPING: u32 = 0x41e4;
const BLOCK_ADD_ID_TYPE: u32 = 0x41e7;
/// `dvcC`, `dvvC` and `dvwC` as numbers.
const DOLBY_VISION: [u64; 3] = [0x6476_6343, 0x6476_7643, 0x6476_7743];

/// A track, and what its frames may add.
#[derive(Debug, PartialEq)]
pub(super) struct Video {
    pub(super) track: VideoTrack,
    /// Frames in so many seconds, as the stream itself says.
    pub(super) said_rate: Option<(u64, u64)>,
    color: ColorCodes,
    vp9: Option<Vp9Config>,
    has_static_metadata: bool,
}

impl Video {
    pub(super) fn parse(codec_id: &str, codec_private: &[u8], entry: &[u8], video: &[u8]) -> Self {
        let size =
            |id| child_unsigned(video, id).and_then(|size| u32::try_from(size).ok()).unwrap_or_default();
        let bitmap = (codec_id == "V_MS/VFW/FOURCC").then(|| Bitmap::parse(codec_private)).flatten();
        let mut name = bitmap.as_ref().map_or_else(|| codec::name(codec_id), |bitmap| bitmap.codec);
        if name == UNKNOWN && codec_id == "V_QUICKTIME" {
            name = codec::quicktime_video_name(codec_private);
        }
        let (config, entry_type) = match name {
            "h264" => (h264::parse_avcc(codec_private), "avc1"),
            "hevc" => (hevc::parse_hvcc(codec_private), "hvc1"),
            "av1" => (av1::parse_av1c(codec_private), "av01"),
            _ => (None, codec_string(name)),
        };
        let config = config.unwrap_or_default();
        let mut track = VideoTrack::new(name, &format!("{entry_type}{}", config.codec_suffix));
        (track.width, track.height) = config.picture_size((size(PIXEL_WIDTH), size(PIXEL_HEIGHT)));
        track.display_aspect_ratio = display_aspect_ratio(video, &track, config.pixel_aspect);
        track.rotation = rotation(video);
        track.profile = config.profile;
        track.level = config.level;
        let colour = child(video, COLOUR).unwrap_or_default();
        let has_dolby_vision = children(entry).any(|element| {
            element.id == BLOCK_ADDITION_MAPPING
                && child_unsigned(element.body, BLOCK_ADD_ID_TYPE)
                    .is_some_and(|kind| DOLBY_VISION.contains(&kind))
        });
        track.hdr = has_dolby_vision.then_some(Hdr::DolbyVision);
        Self {
            track,
            said_rate: config.frame_rate,
            color: parse_colour(colour).or(config.color),
            vp9: (name == "vp9").then(|| Vp9Config::parse_features(codec_private)),
            has_static_metadata: [MASTERING_METADATA, MAX_CLL].iter().any(|id| child(colour, *id).is_some()),
        }
    }

    /// Takes in what only the track's first frame says.
    pub(super) fn apply_first_frame(&mut self, frame: &[u8]) {
        let Some(features) = &mut self.vp9 else { return };
        if let Some(config) = Vp9Config::parse_key_frame(frame) {
            *features = Vp9Config { level: features.level, ..config };
        }
    }

    /// The track with what follows from everything that is known.
    pub(super) fn finish(mut self) -> VideoTrack {
        if let Some(mut config) = self.vp9 {
            self.color = self.color.or(config.color);
            config.color = self.color;
            config.bit_depth = config.bit_depth.max(8);
            config.chroma = config.chroma.max(1);
            config.infer_level(self.track.width, self.track.height, self.track.frame_rate);
            self.track.codec_string = format!("vp09{}", config.codec_suffix());
            self.track.profile = config.profile_name();
        }
        self.track.color = self.color.names();
        self.track.hdr = self.track.hdr.or(self.color.hdr(self.has_static_metadata));
        self.track
    }
}

fn display_aspect_ratio(
    video: &[u8],
    track: &VideoTrack,
    pixel_aspect: Option<(u32, u32)>,
) -> Option<String> {
    let displayed = child_unsigned(video, DISPLAY_WIDTH).zip(child_unsigned(video, DISPLAY_HEIGHT));
    let displayed = displayed.filter(|_| child_unsigned(video, DISPLAY_UNIT) != Some(UNIT_UNKNOWN));
    if let Some(shape) = displayed.and_then(|(width, height)| aspect_ratio(width, height)) {
        return Some(shape);
    }
    if let Some(pixel) = pixel_aspect {
        return metadata::display_aspect_ratio((track.width, track.height), pixel);
    }
    // Without a size of its own the display is as large as what cropping leaves.
    let cropped = |whole: u32, edges: [u32; 2]| {
        edges.iter().fold(u64::from(whole), |rest, edge| {
            rest.saturating_sub(child_unsigned(video, *edge).unwrap_or_default())
        })
    };
    aspect_ratio(cropped(track.width, CROP_LEFT_RIGHT), cropped(track.height, CROP_TOP_BOTTOM))
}

fn parse_colour(colour: &[u8]) -> ColorCodes {
    const LIMITED: u64 = 1;
    const FULL: u64 = 2;
    let code =
        |id| child_unsigned(colour, id).and_then(|code| u16::try_from(code).ok()).unwrap_or(UNSPECIFIED);
    ColorCodes {
        full_range: match child_unsigned(colour, RANGE) {
            Some(LIMITED) => Some(false),
            Some(FULL) => Some(true),
            _ => None,
        },
        ..ColorCodes::new(code(PRIMARIES), code(TRANSFER), code(MATRIX))
    }
}

/// Degrees clockwise: the roll turns the picture counter-clockwise.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it is between 0 and 360")]
fn rotation(video: &[u8]) -> u16 {
    let roll = child(video, PROJECTION).and_then(|projection| child_float(projection, PROJECTION_POSE_ROLL));
    let clockwise = -roll.filter(|roll| roll.is_finite()).unwrap_or_default();
    (clockwise.round().rem_euclid(360.0) as u16) % 360
}
