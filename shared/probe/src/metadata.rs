//! What a probe tells: the same shape for every container.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::codec::codec_string;

/// The most tracks of each type that are kept; further ones are left out.
pub const MAX_TRACKS: usize = 64;
/// The most tags that are kept; further ones are left out.
pub const MAX_TAGS: usize = 64;
/// The most pieces of embedded cover art that are named; further ones are left out.
pub const MAX_COVER_ART: usize = 16;
const MAX_TAG_KEY_BYTES: usize = 128;
const MAX_TAG_VALUE_BYTES: usize = 1024;

/// Technical metadata of a media file. Names of containers, codecs, profiles and colours are those of `ffprobe`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema), schema(example = json!({
        "container": "mp4", "format_name": "mov,mp4,m4a,3gp,3g2,mj2", "duration_seconds": 12.48, "bit_rate": 672_164,
        "size_bytes": 1_048_576, "fast_start": true, "fragmented": false, "truncated": false, "tags": {"title": "A walk"},
        "video": [{
            "codec": "h264", "codec_string": "avc1.64001f", "profile": "High", "level": 31, "width": 1280, "height": 720,
            "rotation": 0, "display_aspect_ratio": "16:9", "frame_rate": 25.0, "bit_rate": 540_000,
        }],
        "audio": [{
            "codec": "aac", "codec_string": "mp4a.40.2", "profile": "LC", "channels": 2, "sample_rate": 48_000,
            "bit_rate": 128_000, "language": "eng",
        }],
        "subtitles": [],
    })))]
pub struct Metadata {
    /// The container in one word: `mp4` for the whole ISO base media family, QuickTime included.
    pub container: String,
    /// The container by `ffprobe`'s longer name, such as `mov,mp4,m4a,3gp,3g2,mj2`.
    pub format_name: String,
    /// Playing time in seconds, to the microsecond; 0 when the file has none, as an initialisation segment, or when it
    /// cannot be known. Where neither header nor end of a file tells it within the bounds on reads, it is estimated by
    /// the size of what was seen: of fragments of an MP4, and of streams without an index.
    pub duration_seconds: f64,
    /// Average of the whole file in bits per second; 0 when it has no duration.
    pub bit_rate: u64,
    /// Size of the file in bytes.
    pub size_bytes: u64,
    /// Whether playing can begin before the end has been fetched: the index precedes the media data.
    pub fast_start: bool,
    /// Whether the media data is in fragments, each with its own index.
    pub fragmented: bool,
    /// Whether the file ends before the media data that its index promises: it was cut off, and plays up to there.
    /// Told of the ISO base media family only.
    #[serde(default)]
    pub truncated: bool,
    /// When the recording was made, as the file says: RFC 3339, UTC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created_at: Option<String>,
    /// Title, artist and the like, at most [`MAX_TAGS`], values cut at 1 KiB.
    #[serde(default)]
    pub tags: BTreeMap<String, String>,
    /// Video tracks. Cover art is not one.
    pub video: Vec<VideoTrack>,
    /// Audio tracks.
    pub audio: Vec<AudioTrack>,
    /// Subtitle and caption tracks.
    pub subtitles: Vec<SubtitleTrack>,
    /// Pictures that come with the file, at most [`MAX_COVER_ART`]. They are named, not read.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub cover_art: Vec<CoverArt>,
}

/// A video track.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct VideoTrack {
    /// Codec, such as `h264`; `unknown` when this crate does not know it.
    pub codec: String,
    /// Codec as in the `codecs` parameter of RFC 6381, such as `avc1.64001f`.
    pub codec_string: String,
    /// Profile, such as `High`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub profile: Option<String>,
    /// Level, in the codec's own counting.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub level: Option<u32>,
    /// Width in pixels, before rotation.
    pub width: u32,
    /// Height in pixels, before rotation.
    pub height: u32,
    /// Degrees clockwise by which a player turns the picture, 0–359.
    pub rotation: u16,
    /// Shape of the picture before rotation, such as `16:9`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub display_aspect_ratio: Option<String>,
    /// Average frames per second, to three decimals; 0 when the file does not tell.
    pub frame_rate: f64,
    /// Average in bits per second.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bit_rate: Option<u64>,
    /// What the sample values mean as colours.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub color: Option<Color>,
    /// The kind of high dynamic range, if any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hdr: Option<Hdr>,
}

impl VideoTrack {
    /// A track of which nothing but the codec is known.
    pub(crate) fn new(codec: &str, codec_string: &str) -> Self {
        Self {
            codec: codec.to_owned(),
            codec_string: codec_string.to_owned(),
            profile: None,
            level: None,
            width: 0,
            height: 0,
            rotation: 0,
            display_aspect_ratio: None,
            frame_rate: 0.0,
            bit_rate: None,
            color: None,
            hdr: None,
        }
    }
}

/// Colour description of a video track, the code points of ITU-T H.273 by `ffprobe`'s names.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Color {
    /// Colour primaries, such as `bt709`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub primaries: Option<String>,
    /// Transfer characteristics, such as `smpte2084`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transfer: Option<String>,
    /// Matrix coefficients, such as `bt2020nc`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub matrix: Option<String>,
    /// `tv` (limited) or `pc` (full).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub range: Option<String>,
}

/// Kinds of high dynamic range.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Hdr {
    /// The track carries a Dolby Vision configuration, whatever its base layer.
    DolbyVision,
    /// The transfer function of SMPTE ST 2084 (PQ), or the static metadata that goes with it.
    Hdr10,
    /// Hybrid log-gamma, ARIB STD-B67.
    Hlg,
}

/// An audio track.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct AudioTrack {
    /// Codec, such as `aac`; `unknown` when this crate does not know it.
    pub codec: String,
    /// Codec as in the `codecs` parameter of RFC 6381, such as `mp4a.40.2`.
    pub codec_string: String,
    /// Profile, such as `LC`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub profile: Option<String>,
    /// Number of channels after decoding.
    pub channels: u32,
    /// Samples per second and channel after decoding.
    pub sample_rate: u32,
    /// Average in bits per second.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bit_rate: Option<u64>,
    /// Language as the file says, mostly three letters of ISO 639-2; `und` where it says "undetermined".
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub language: Option<String>,
}

impl AudioTrack {
    /// A track of which nothing but the codec is known.
    pub(crate) fn new(codec: &str, codec_string: &str) -> Self {
        Self {
            codec: codec.to_owned(),
            codec_string: codec_string.to_owned(),
            profile: None,
            channels: 0,
            sample_rate: 0,
            bit_rate: None,
            language: None,
        }
    }

    /// A track whose codec needs no configuration.
    pub(crate) fn plain(codec: &str, channels: u32, sample_rate: u32) -> Self {
        Self { channels, sample_rate, ..Self::new(codec, codec_string(codec)) }
    }
}

/// A subtitle or caption track.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SubtitleTrack {
    /// Format, such as `mov_text`; `unknown` when this crate does not know it.
    pub codec: String,
    /// Language, as in [`AudioTrack::language`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub language: Option<String>,
}

/// A picture embedded in the file, such as the cover of an album.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct CoverArt {
    /// MIME type, such as `image/jpeg`; `application/octet-stream` when the file names none that is known.
    pub content_type: String,
    /// Size of the picture in bytes.
    pub size_bytes: u64,
}

/// What a media file mainly is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum MediaKind {
    /// There is a moving picture.
    Video,
    /// There is sound only, with or without cover art.
    Audio,
}

impl Metadata {
    /// A file of no duration, tracks or tags yet, playable from its start.
    pub(crate) fn new(container: &str, format_name: &str, size_bytes: u64) -> Self {
        Self {
            container: container.to_owned(),
            format_name: format_name.to_owned(),
            duration_seconds: 0.0,
            bit_rate: 0,
            size_bytes,
            fast_start: true,
            fragmented: false,
            truncated: false,
            created_at: None,
            tags: BTreeMap::new(),
            video: Vec::new(),
            audio: Vec::new(),
            subtitles: Vec::new(),
            cover_art: Vec::new(),
        }
    }

    /// A file that holds one track of sound. `container` is its long name too.
    pub(crate) fn of_sound(container: &str, size_bytes: u64, seconds: f64, track: AudioTrack) -> Self {
        let mut metadata = Self::new(container, container, size_bytes);
        metadata.set_duration(seconds);
        metadata.audio.push(track);
        metadata
    }

    /// Sets the duration, and the bit rate that follows from it. What is no duration counts as none.
    pub(crate) fn set_duration(&mut self, seconds: f64) {
        let seconds = round_seconds(seconds);
        self.duration_seconds = if seconds.is_finite() && seconds > 0.0 { seconds } else { 0.0 };
        self.bit_rate = bit_rate(self.size_bytes, self.duration_seconds);
    }

    /// Video when there is any video track (cover art is none), else audio.
    pub fn kind(&self) -> MediaKind {
        if self.video.is_empty() { MediaKind::Audio } else { MediaKind::Video }
    }
}

/// Tags within their bounds: the first value of a key wins, control characters and empty values are left out.
#[derive(Default)]
pub(crate) struct Tags(BTreeMap<String, String>);

impl Tags {
    pub(crate) fn insert(&mut self, key: &str, value: &str) {
        let key = clean(key, MAX_TAG_KEY_BYTES);
        let value = clean(value, MAX_TAG_VALUE_BYTES);
        let full = self.0.len() >= MAX_TAGS;
        if !key.is_empty() && !value.is_empty() && !full {
            self.0.entry(key).or_insert(value);
        }
    }

    /// Adds what `further` tags say beyond these.
    pub(crate) fn add(&mut self, further: Self) {
        for (key, value) in further.0 {
            self.insert(&key, &value);
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn into_map(self) -> BTreeMap<String, String> {
        self.0
    }
}

fn clean(text: &str, max_bytes: usize) -> String {
    let mut cleaned = String::new();
    // Line breaks stay: lyrics and descriptions have them.
    for character in text.chars().filter(|c| !c.is_control() || *c == '\n') {
        if cleaned.len() + character.len_utf8() > max_bytes {
            break;
        }
        cleaned.push(character);
    }
    cleaned.trim().to_owned()
}

/// `value` as a float. Beyond 2^53 the last digits are rounded, which no duration or rate here can show.
#[expect(clippy::cast_precision_loss, reason = "see above")]
pub(crate) fn float(value: u64) -> f64 {
    value as f64
}

/// Seconds to the microsecond.
pub(crate) fn round_seconds(seconds: f64) -> f64 {
    (seconds * 1e6).round() / 1e6
}

/// `frames` in `seconds` as a [`round_frame_rate`].
pub(crate) fn frame_rate(frames: u64, seconds: f64) -> f64 {
    round_frame_rate(float(frames) / seconds)
}

/// Frames per second to three decimals; 0 for what is no rate.
pub(crate) fn round_frame_rate(rate: f64) -> f64 {
    let rate = (rate * 1e3).round() / 1e3;
    if rate.is_finite() && rate > 0.0 { rate } else { 0.0 }
}

/// Bits per second of `size_bytes` in `seconds`, rounded down as `ffprobe` does; 0 without a duration.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a float-to-integer cast saturates"
)]
pub(crate) fn bit_rate(size_bytes: u64, seconds: f64) -> u64 {
    if seconds > 0.0 { (float(size_bytes) * 8.0 / seconds) as u64 } else { 0 }
}

/// `width:height` in lowest terms, `None` when one of them is 0.
pub(crate) fn aspect_ratio(width: u64, height: u64) -> Option<String> {
    let divisor = greatest_common_divisor(width, height);
    (width > 0 && height > 0).then(|| format!("{}:{}", width / divisor, height / divisor))
}

/// The shape of a picture of so many pixels, which are `pixel` wide and high in any unit.
pub(crate) fn display_aspect_ratio(size: (u32, u32), pixel: (u32, u32)) -> Option<String> {
    aspect_ratio(u64::from(size.0) * u64::from(pixel.0), u64::from(size.1) * u64::from(pixel.1))
}

/// 0 only when both numbers are.
pub(crate) fn greatest_common_divisor(mut a: u64, mut b: u64) -> u64 {
    while b > 0 {
        (a, b) = (b, a % b);
    }
    a
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_are_bounded_and_clean() {
        let mut tags = Tags::default();
        tags.insert("title", "A\0B\u{7}\nC ");
        tags.insert("title", "second");
        tags.insert("empty", "\0");
        tags.insert("long", &"é".repeat(10_000));
        for number in 0..1000 {
            tags.insert(&format!("{}{number}", "k".repeat(20)), "v");
        }
        let map = tags.into_map();
        assert_eq!(map.get("title").map(String::as_str), Some("AB\nC"));
        assert!(!map.contains_key("empty"));
        assert_eq!(map.get("long").map(String::len), Some(1024));
        assert_eq!(map.len(), MAX_TAGS);
    }

    #[test]
    fn rates_survive_zero_and_extremes() {
        assert_eq!(bit_rate(83_135, 10.0), 66_508);
        assert_eq!(bit_rate(1, 0.0), 0);
        assert_eq!(bit_rate(u64::MAX, 1e-300), u64::MAX);
        assert!((frame_rate(120, 4.004) - 29.97).abs() < 1e-9);
        assert!(frame_rate(1, 0.0).abs() < f64::EPSILON);
        assert_eq!(aspect_ratio(640, 360).as_deref(), Some("16:9"));
        assert_eq!(aspect_ratio(0, 360), None);
    }
}
