//! Codec configurations as containers carry them: profile, level, picture size, colours, channels.
//!
//! Nothing here knows a container. Every parser answers `None` for bytes that are no such configuration, and keeps
//! what it understood before the part that it does not.

pub(crate) mod aac;
pub(crate) mod ac3;
pub(crate) mod av1;
pub(crate) mod bitmap;
pub(crate) mod color;
pub(crate) mod dts_profile;
pub(crate) mod flac;
pub(crate) mod h264;
pub(crate) mod headers;
pub(crate) mod hevc;
pub(crate) mod mpeg_audio;
pub(crate) mod nal;
pub(crate) mod vp9;
pub(crate) mod wave_format;

use color::ColorCodes;

/// The name of a codec that is not known.
pub(crate) const UNKNOWN: &str = "unknown";

/// What a video codec's configuration tells of its track.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct VideoConfig {
    /// What follows the sample entry's name in RFC 6381, with its leading dot.
    pub(crate) codec_suffix: String,
    pub(crate) profile: Option<String>,
    pub(crate) level: Option<u32>,
    /// Width and height after cropping.
    pub(crate) size: Option<(u32, u32)>,
    /// Whether the coded picture is cropped: without it a container may say a smaller size.
    pub(crate) is_cropped: bool,
    pub(crate) pixel_aspect: Option<(u32, u32)>,
    pub(crate) color: ColorCodes,
}

/// What an audio codec's configuration tells of its track.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct AudioConfig {
    pub(crate) channels: Option<u32>,
    pub(crate) sample_rate: Option<u32>,
}
