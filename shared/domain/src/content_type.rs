//! Media types: what a client declares, what the deployment allows, and what kind of media that makes.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::{Filename, Invalid, text};

/// Whether a media is watched or listened to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "lowercase")]
pub enum MediaKind {
    /// It has moving pictures.
    Video,
    /// It has sound only.
    Audio,
}

impl fmt::Display for MediaKind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Video => "video",
            Self::Audio => "audio",
        })
    }
}

impl FromStr for MediaKind {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        match text {
            "video" => Ok(Self::Video),
            "audio" => Ok(Self::Audio),
            _ => Err(Invalid::new("must be video or audio")),
        }
    }
}

text! {
    /// A declared `video/…` or `audio/…` media type without parameters, in lower case (RFC 6838).
    ContentType = content_type,
}

impl ContentType {
    /// What it declares.
    pub fn kind(&self) -> MediaKind {
        if self.0.starts_with("video/") { MediaKind::Video } else { MediaKind::Audio }
    }

    /// The type of a file of this kind in `container`, by the short name that `probe` gives it, where there is a usual
    /// one. The names are IANA's where it has one.
    pub fn of_container(kind: MediaKind, container: &str) -> Option<Self> {
        let content_type = match (kind, container) {
            (MediaKind::Video, "mp4") => "video/mp4",
            (MediaKind::Video, "matroska") => "video/matroska",
            (MediaKind::Video, "mpegts") => "video/mp2t",
            (MediaKind::Video, "ogg") => "video/ogg",
            (MediaKind::Video, "flv") => "video/x-flv",
            (MediaKind::Video, "avi") => "video/vnd.avi",
            (MediaKind::Video, "asf") => "video/x-ms-wmv",
            (MediaKind::Audio, "mp4") => "audio/mp4",
            (MediaKind::Audio, "matroska") => "audio/matroska",
            (MediaKind::Audio, "mp3") => "audio/mpeg",
            (MediaKind::Audio, "adts") => "audio/aac",
            (MediaKind::Audio, "ogg") => "audio/ogg",
            (MediaKind::Audio, "flac") => "audio/flac",
            (MediaKind::Audio, "wav" | "w64") => "audio/wav",
            (MediaKind::Audio, "aiff") => "audio/aiff",
            (MediaKind::Audio, "au") => "audio/basic",
            (MediaKind::Audio, "caf") => "audio/x-caf",
            (MediaKind::Audio, "amr") => "audio/amr",
            (MediaKind::Audio, "ac3") => "audio/ac3",
            (MediaKind::Audio, "eac3") => "audio/eac3",
            (MediaKind::Audio, "asf") => "audio/x-ms-wma",
            (MediaKind::Audio, "ape") => "audio/x-ape",
            _ => return None,
        };
        Some(Self(content_type.to_owned()))
    }

    /// The type that a file's extension stands for, where it stands for one: what a browser leaves out that does not know
    /// it. The names are those that browsers have for the others.
    pub fn of_filename(filename: &Filename) -> Option<Self> {
        let (_, extension) = filename.as_str().rsplit_once('.')?;
        let extension = extension.to_ascii_lowercase();
        let row = EXTENSIONS.iter().find(|(extensions, _)| extensions.contains(&extension.as_str()));
        row.map(|(_, content_type)| Self((*content_type).to_owned()))
    }

    /// Whether a file in `container`, by the short name that `probe` gives it, can be what this type declares. A type
    /// that the table does not know is judged by its kind alone.
    pub fn admits(&self, container: &str) -> bool {
        let subtype = self.0.split_once('/').map_or("", |(_, subtype)| subtype);
        let row = CONTAINERS.iter().find(|(subtypes, _)| subtypes.contains(&subtype));
        row.is_none_or(|(_, containers)| containers.contains(&container))
    }
}

/// Subtypes that browsers, phones and editors declare, registered or not, and what such a file is.
const CONTAINERS: [(&[&str], &[&str]); 18] = [
    (&["mp4", "x-mp4", "m4a", "x-m4a", "m4v", "x-m4v", "quicktime", "3gpp", "3gpp2"], &["mp4"]),
    (&["webm", "matroska", "x-matroska"], &["matroska"]),
    (&["mp2t", "mpeg2-ts", "vnd.dlna.mpeg-tts"], &["mpegts"]),
    // Of video, a transport stream; of audio, MP3 with or without a number in its name.
    (&["mpeg", "x-mpeg"], &["mp3", "mpegts"]),
    (&["mp3", "x-mp3", "mpeg3", "x-mpeg-3", "mpa"], &["mp3"]),
    // Some phones call their M4A recordings so.
    (&["aac", "x-aac", "aacp", "mp4a-latm"], &["adts", "mp4"]),
    (&["ogg", "x-ogg", "opus", "vorbis"], &["ogg"]),
    (&["flac", "x-flac"], &["flac"]),
    (&["wav", "x-wav", "wave", "vnd.wave", "x-pn-wav"], &["wav", "w64"]),
    (&["aiff", "x-aiff"], &["aiff"]),
    (&["basic", "x-au"], &["au"]),
    (&["x-caf"], &["caf"]),
    (&["amr", "amr-wb"], &["amr"]),
    (&["ac3", "eac3", "vnd.dolby.dd-raw"], &["ac3", "eac3"]),
    (&["x-flv"], &["flv"]),
    (&["x-msvideo", "msvideo", "avi", "vnd.avi"], &["avi"]),
    (&["x-ms-wmv", "x-ms-wma", "x-ms-asf"], &["asf"]),
    (&["x-ape", "x-monkeys-audio"], &["ape"]),
];

/// Extensions of files, and the type of such a file.
const EXTENSIONS: [(&[&str], &str); 27] = [
    (&["mp4", "m4v"], "video/mp4"),
    (&["mov", "qt"], "video/quicktime"),
    (&["3gp"], "video/3gpp"),
    (&["3g2"], "video/3gpp2"),
    (&["webm"], "video/webm"),
    (&["mkv"], "video/matroska"),
    (&["ts", "mts", "m2ts"], "video/mp2t"),
    (&["ogv"], "video/ogg"),
    (&["flv"], "video/x-flv"),
    (&["avi"], "video/vnd.avi"),
    (&["wmv", "asf"], "video/x-ms-wmv"),
    (&["mp3"], "audio/mpeg"),
    (&["m4a", "m4b"], "audio/mp4"),
    (&["aac", "adts"], "audio/aac"),
    (&["ogg", "oga", "opus", "spx"], "audio/ogg"),
    (&["weba"], "audio/webm"),
    (&["mka"], "audio/matroska"),
    (&["flac"], "audio/flac"),
    (&["wav", "wave", "w64"], "audio/wav"),
    (&["aiff", "aif"], "audio/aiff"),
    (&["au", "snd"], "audio/basic"),
    (&["caf"], "audio/x-caf"),
    (&["amr"], "audio/amr"),
    (&["ac3"], "audio/ac3"),
    (&["eac3", "ec3"], "audio/eac3"),
    (&["wma"], "audio/x-ms-wma"),
    (&["ape"], "audio/x-ape"),
];

fn content_type(text: &str) -> Result<String, Invalid> {
    let text = text.to_ascii_lowercase();
    let is_restricted_name = |name: &str| {
        (1..=127).contains(&name.len())
            && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$&-^_.+".contains(&byte))
    };
    match text.split_once('/') {
        Some(("video" | "audio", subtype)) if is_restricted_name(subtype) => Ok(text),
        _ => Err(Invalid::new("must be a video/… or audio/… media type without parameters")),
    }
}

/// The media types that a deployment takes: a comma-separated list of types and of `video/*`, `audio/*`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AllowedContentTypes(Vec<String>);

impl AllowedContentTypes {
    /// Whether uploads of this type are taken.
    pub fn allows(&self, content_type: &ContentType) -> bool {
        self.0.iter().any(|allowed| match allowed.strip_suffix('*') {
            Some(prefix) => content_type.as_str().starts_with(prefix),
            None => content_type.as_str() == allowed,
        })
    }
}

impl fmt::Display for AllowedContentTypes {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0.join(", "))
    }
}

impl FromStr for AllowedContentTypes {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let entries = text
            .split(',')
            .map(str::trim)
            .map(|entry| match entry {
                "video/*" | "audio/*" => Ok(entry.to_owned()),
                _ => entry.parse::<ContentType>().map(|content_type| content_type.0),
            })
            .collect::<Result<Vec<_>, _>>();
        entries
            .map(Self)
            .map_err(|_| Invalid::new("must list video/… and audio/… types, separated by commas"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_video_or_audio_in_lower_case() {
        let declared = "Video/MP4".parse::<ContentType>().unwrap();
        assert_eq!((declared.as_str(), declared.kind()), ("video/mp4", MediaKind::Video));
        for wrong in
            ["image/png", "video/", "video", "video/mp4; codecs=avc1", "video/mp4\r\nx: y", "video/*"]
        {
            assert!(wrong.parse::<ContentType>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_deployment_narrows_what_it_takes() {
        let allowed = "video/mp4, audio/*".parse::<AllowedContentTypes>().unwrap();
        let allows = |text: &str| allowed.allows(&text.parse().unwrap());
        assert!(allows("video/mp4") && allows("audio/flac"));
        assert!(!allows("video/webm") && !allows("video/mp4x"));
        assert!("video/mp4,,".parse::<AllowedContentTypes>().is_err());
    }

    #[test]
    fn a_known_type_admits_only_its_container() {
        let admits = |text: &str, container: &str| text.parse::<ContentType>().unwrap().admits(container);
        assert!(admits("video/quicktime", "mp4") && admits("audio/webm", "matroska"));
        assert!(admits("audio/aac", "adts") && admits("audio/aac", "mp4"));
        assert!(!admits("video/webm", "mp4") && !admits("audio/flac", "ogg"));
        assert!(admits("video/x-unheard-of", "mp4"));
    }

    #[test]
    fn the_type_of_a_container_admits_it() {
        let containers = CONTAINERS.iter().flat_map(|(_, containers)| *containers);
        for container in containers {
            let types =
                [MediaKind::Video, MediaKind::Audio].map(|kind| ContentType::of_container(kind, container));
            assert!(types.iter().any(Option::is_some), "{container}");
            for (content_type, kind) in types.into_iter().zip([MediaKind::Video, MediaKind::Audio]) {
                let Some(content_type) = content_type else { continue };
                assert_eq!(content_type.as_str().parse(), Ok(content_type.clone()));
                assert_eq!(content_type.kind(), kind, "{content_type}");
                assert!(content_type.admits(container), "{content_type}, {container}");
            }
        }
        assert_eq!(ContentType::of_container(MediaKind::Video, "mp3"), None);
    }

    #[test]
    fn an_extension_stands_for_a_type() {
        let of = |filename: &str| ContentType::of_filename(&filename.parse().unwrap());
        assert_eq!(of("clip.final.MKV"), Some("video/matroska".parse().unwrap()));
        assert_eq!(of("song.m4a").map(|content_type| content_type.kind()), Some(MediaKind::Audio));
        for unknown in ["mp4", "clip.txt", "clip.", ".", "clip mp4"] {
            assert_eq!(of(unknown), None, "{unknown}");
        }
        // What is not in the table of containers would admit any.
        for (_, content_type) in EXTENSIONS {
            let content_type: ContentType = content_type.parse().unwrap();
            assert!(!content_type.admits("none"), "{content_type}");
        }
    }

    #[test]
    fn a_subtype_is_in_one_row() {
        let mut subtypes: Vec<&str> =
            CONTAINERS.iter().flat_map(|(subtypes, _)| *subtypes).copied().collect();
        let count = subtypes.len();
        subtypes.sort_unstable();
        subtypes.dedup();
        assert_eq!(subtypes.len(), count);
    }
}
