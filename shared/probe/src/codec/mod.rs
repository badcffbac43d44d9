//! Codec configurations as containers carry them: profile, level, picture size, colours, channels.
//!
//! Nothing here knows a container. Every parser answers `None` for bytes that are no such configuration, and keeps
//! what it understood before the part that it does not.

pub(crate) mod aac;
pub(crate) mod ac3;
pub(crate) mod adts;
pub(crate) mod annex_b;
pub(crate) mod av1;
pub(crate) mod bitmap;
pub(crate) mod color;
pub(crate) mod dts;
pub(crate) mod dts_profile;
pub(crate) mod flac;
pub(crate) mod frame;
pub(crate) mod h264;
pub(crate) mod headers;
pub(crate) mod hevc;
pub(crate) mod latm;
pub(crate) mod mpeg4_video;
pub(crate) mod mpeg_audio;
pub(crate) mod mpeg_video;
pub(crate) mod nal;
pub(crate) mod pcm;
pub(crate) mod quicktime;
pub(crate) mod sbr;
pub(crate) mod vp9;
pub(crate) mod wave_format;

use color::ColorCodes;

use crate::metadata::{VideoTrack, display_aspect_ratio};

/// Name of a codec that this crate does not know.
pub(crate) const UNKNOWN: &str = "unknown";

/// The codec as in the `codecs` parameter of RFC 6381 where that needs no configuration, else `ffprobe`'s name.
pub(crate) fn codec_string(codec: &str) -> &str {
    match codec {
        "ac3" => "ac-3",
        "eac3" => "ec-3",
        "dts" => "dtsc",
        "mpeg4" => "mp4v.20",
        _ => codec,
    }
}

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
    /// Frames per second as numerator and denominator, neither of them 0, where the stream itself tells.
    pub(crate) frame_rate: Option<(u64, u64)>,
}

impl VideoConfig {
    /// A track that is described by this alone; `entry` is the sample entry that RFC 6381 names the codec by.
    pub(crate) fn into_track(self, codec: &str, entry: &str) -> VideoTrack {
        let mut track = VideoTrack::new(codec, &format!("{entry}{}", self.codec_suffix));
        self.apply_to(&mut track);
        track
    }

    /// Tells `track` what is known here: all but its codec and its frame rate.
    pub(crate) fn apply_to(self, track: &mut VideoTrack) {
        (track.width, track.height) = self.size.unwrap_or((track.width, track.height));
        if self.pixel_aspect.is_some() || track.display_aspect_ratio.is_none() {
            let pixel = self.pixel_aspect.unwrap_or((1, 1));
            track.display_aspect_ratio = display_aspect_ratio((track.width, track.height), pixel);
        }
        track.profile = self.profile;
        track.level = self.level;
        track.color = self.color.names();
        track.hdr = self.color.hdr(false);
    }

    /// The size of the picture where a `container` says one too. A decoder shows what the bitstream says. Only where
    /// that is the bare coded size, in whole macroblocks, may the container mean a smaller one.
    pub(crate) fn picture_size(&self, container: (u32, u32)) -> (u32, u32) {
        let Some(coded) = self.size else { return container };
        let in_macroblocks = |size: u32| size.checked_next_multiple_of(16).filter(|_| size > 0);
        let rounded = in_macroblocks(container.0).zip(in_macroblocks(container.1));
        if !self.is_cropped && rounded == Some(coded) { container } else { coded }
    }
}

/// What an audio codec's configuration tells of its track.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct AudioConfig {
    pub(crate) channels: Option<u32>,
    pub(crate) sample_rate: Option<u32>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bitstream_has_the_last_word_on_the_size() {
        let size = |container, coded, is_cropped| {
            VideoConfig { size: coded, is_cropped, ..VideoConfig::default() }.picture_size(container)
        };
        assert_eq!(size((1920, 1080), Some((1920, 1080)), true), (1920, 1080));
        assert_eq!(size((1920, 1080), Some((1920, 1088)), false), (1920, 1080));
        assert_eq!(size((1920, 1080), Some((1920, 1088)), true), (1920, 1088));
        assert_eq!(size((1920, 1080), Some((1280, 720)), false), (1280, 720));
        assert_eq!(size((u32::MAX, 0), Some((1280, 720)), false), (1280, 720));
        assert_eq!(size((1920, 1080), None, false), (1920, 1080));
    }

    #[test]
    fn a_shape_that_the_container_said_gives_way_to_pixels_only() {
        let shape_of = |pixel_aspect| {
            let mut track = VideoTrack::new("h264", "avc1");
            track.display_aspect_ratio = Some("2:1".to_owned());
            let config = VideoConfig { size: Some((720, 576)), pixel_aspect, ..VideoConfig::default() };
            config.apply_to(&mut track);
            track.display_aspect_ratio
        };
        assert_eq!(shape_of(None).as_deref(), Some("2:1"));
        assert_eq!(shape_of(Some((16, 15))).as_deref(), Some("4:3"));
        let alone =
            VideoConfig { size: Some((720, 576)), ..VideoConfig::default() }.into_track("h264", "avc1");
        assert_eq!(alone.display_aspect_ratio.as_deref(), Some("5:4"));
    }
}
