//! Miniatures: the thumbnail that a client uploads beside a media, in a slot of its own.
//!
//! It is verified by its content and published under a key that nobody can guess, which is the capability to see it.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::{
    Arrival, Failure, Invalid, ObjectVersion, SizeBytes, Timestamp, UploadId, Work, WorkKind, serde_as_text,
    text,
};

/// The longest side of a miniature: what every browser shows. WebP has no more.
const MAX_SIDE_PIXELS: u32 = 16_384;

/// The format of a miniature: what browsers show and `probe` tells apart by content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ImageType {
    /// AVIF.
    Avif,
    /// GIF.
    Gif,
    /// JPEG.
    Jpeg,
    /// PNG.
    Png,
    /// WebP.
    WebP,
}

impl ImageType {
    pub(crate) const ALL: [Self; 5] = [Self::Avif, Self::Gif, Self::Jpeg, Self::Png, Self::WebP];

    /// Its media type.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Avif => "image/avif",
            Self::Gif => "image/gif",
            Self::Jpeg => "image/jpeg",
            Self::Png => "image/png",
            Self::WebP => "image/webp",
        }
    }

    /// Whether an image that was declared as this is that by its content, and of a size to be shown.
    pub fn judge(self, content_type: &str, width: u32, height: u32) -> Result<(), Failure> {
        if content_type != self.as_str() {
            let detail = format!("The image was announced as {self}, but its content is {content_type}.");
            return Err(Failure::new("content_type_mismatch", detail));
        }
        if width.max(height) > MAX_SIDE_PIXELS {
            let detail =
                format!("The image has {width} × {height} pixels; a side may have {MAX_SIDE_PIXELS} here.");
            return Err(Failure::new("image_too_large", detail));
        }
        Ok(())
    }
}

impl fmt::Display for ImageType {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

impl FromStr for ImageType {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let is_it = |image_type: &Self| text.eq_ignore_ascii_case(image_type.as_str());
        Self::ALL.into_iter().find(is_it).ok_or_else(|| {
            let all: Vec<&str> = Self::ALL.into_iter().map(Self::as_str).collect();
            Invalid::new(format!("must be one of {}", all.join(", ")))
        })
    }
}

serde_as_text!(ImageType);

/// The formats that a deployment takes, separated by commas.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AllowedImageTypes(Vec<ImageType>);

impl AllowedImageTypes {
    /// Whether miniatures of this format are taken.
    pub fn allows(&self, image_type: ImageType) -> bool {
        self.0.contains(&image_type)
    }
}

impl fmt::Display for AllowedImageTypes {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let types: Vec<&str> = self.0.iter().map(|image_type| image_type.as_str()).collect();
        formatter.write_str(&types.join(", "))
    }
}

impl FromStr for AllowedImageTypes {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        text.split(',').map(|entry| entry.trim().parse()).collect::<Result<_, _>>().map(Self)
    }
}

text! {
    /// What nobody can guess in a thumbnail's address: 128 random bits as 32 hexadecimal digits in lower case.
    ThumbnailKey = |text| {
        let is_key = text.len() == 32 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        if is_key { Ok(text.to_owned()) } else { Err(Invalid::new("must be 32 hexadecimal digits")) }
    },
}

impl ThumbnailKey {
    /// Of freshly drawn random bits.
    pub fn new(random: u128) -> Self {
        Self(format!("{random:032x}"))
    }
}

/// Where a miniature stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "status", rename_all = "snake_case")]
pub enum MiniatureState {
    /// The object is awaited.
    AwaitingUpload,
    /// An object was accepted and is being verified and published.
    Processing {
        /// The accepted object.
        source: ObjectVersion,
    },
    /// It is what it claims to be, and published.
    Published {
        /// The accepted object.
        source: ObjectVersion,
    },
    /// The object broke a rule.
    Rejected {
        /// The object.
        source: ObjectVersion,
        /// The rule.
        failure: Failure,
    },
    /// It was never uploaded.
    Expired,
}

/// A media's miniature.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Miniature {
    /// Its upload.
    pub upload_id: UploadId,
    /// Its size, as declared.
    pub size_bytes: SizeBytes,
    /// What its address ends in. Chosen before it is published, so that publishing it twice makes one object.
    pub key: ThumbnailKey,
    /// Where it stands.
    #[serde(flatten)]
    pub state: MiniatureState,
    /// What is still owed for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub work: Option<Work>,
}

impl Miniature {
    /// Whether it can be shown.
    pub fn is_published(&self) -> bool {
        matches!(self.state, MiniatureState::Published { .. })
    }

    /// The accepted object, or the one that broke a rule.
    pub fn source(&self) -> Option<&ObjectVersion> {
        match &self.state {
            MiniatureState::Processing { source }
            | MiniatureState::Published { source }
            | MiniatureState::Rejected { source, .. } => Some(source),
            MiniatureState::AwaitingUpload | MiniatureState::Expired => None,
        }
    }

    /// What of it counts against the quota of the media's owner.
    pub fn reserved_bytes(&self) -> SizeBytes {
        match self.state {
            MiniatureState::AwaitingUpload
            | MiniatureState::Processing { .. }
            | MiniatureState::Published { .. } => self.size_bytes,
            MiniatureState::Rejected { .. } | MiniatureState::Expired => 0,
        }
    }

    /// What to do about an object that arrived in its slot, as far as its media is there to be shown.
    pub(crate) fn on_arrival(&self, object: &ObjectVersion) -> Arrival {
        match &self.state {
            MiniatureState::AwaitingUpload => Arrival::Process,
            MiniatureState::Processing { source } if source.is_same_version(object) => Arrival::Process,
            MiniatureState::Published { source } | MiniatureState::Rejected { source, .. }
                if source.is_same_version(object) =>
            {
                Arrival::Settled
            }
            _ => Arrival::Discard,
        }
    }

    /// It, with an accepted object; the sweep looks after it at `due`.
    #[must_use]
    pub fn accept(&self, source: ObjectVersion, due: Timestamp) -> Self {
        let work = Some(Work { kind: WorkKind::Miniature, due });
        Self { state: MiniatureState::Processing { source }, work, ..self.clone() }
    }

    /// It, ended in `state`.
    #[must_use]
    pub fn end(&self, state: MiniatureState) -> Self {
        Self { state, work: None, ..self.clone() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    fn object(version_id: &str) -> ObjectVersion {
        ObjectVersion { version_id: version_id.to_owned(), etag: "e".to_owned() }
    }

    #[test]
    fn formats_are_a_closed_list() {
        assert_eq!("Image/JPEG".parse(), Ok(ImageType::Jpeg));
        assert!("image/svg+xml".parse::<ImageType>().is_err());
        let allowed: AllowedImageTypes = "image/png, image/webp".parse().unwrap();
        assert!(allowed.allows(ImageType::Png) && !allowed.allows(ImageType::Gif));
        assert!("image/png,".parse::<AllowedImageTypes>().is_err());
    }

    #[test]
    fn an_image_is_what_it_was_declared_as_and_can_be_shown() {
        let code = |content_type, width, height| {
            ImageType::Png.judge(content_type, width, height).err().map(|failure| failure.code)
        };
        assert_eq!(code("image/png", 1, 16_384), None);
        assert_eq!(code("image/jpeg", 1, 1).as_deref(), Some("content_type_mismatch"));
        for (width, height) in [(16_385, 1), (1, 16_385)] {
            assert_eq!(code("image/png", width, height).as_deref(), Some("image_too_large"));
        }
    }

    #[test]
    fn a_key_has_128_bits_and_one_spelling() {
        assert_eq!(ThumbnailKey::new(0xab).as_str(), "000000000000000000000000000000ab");
        assert!(ThumbnailKey::new(u128::MAX).as_str().parse::<ThumbnailKey>().is_ok());
        assert!("000000000000000000000000000000AB".parse::<ThumbnailKey>().is_err());
    }

    #[test]
    fn the_first_accepted_object_wins() {
        let miniature = Miniature {
            upload_id: UploadId::new(Uuid::nil()),
            size_bytes: 5,
            key: ThumbnailKey::new(1),
            state: MiniatureState::AwaitingUpload,
            work: None,
        };
        assert_eq!(miniature.on_arrival(&object("1")), Arrival::Process);
        let due = Timestamp::from_unix_seconds(1_000);
        let accepted = miniature.accept(object("1"), due);
        assert_eq!(accepted.on_arrival(&object("1")), Arrival::Process);
        assert_eq!(accepted.on_arrival(&object("2")), Arrival::Discard);
        assert_eq!((accepted.is_published(), accepted.reserved_bytes()), (false, 5));
        assert_eq!(accepted.work, Some(Work { kind: WorkKind::Miniature, due }));
        let failure = Failure::new("code", "detail");
        for state in [
            MiniatureState::Published { source: object("1") },
            MiniatureState::Rejected { source: object("1"), failure },
        ] {
            let ended = accepted.end(state);
            assert_eq!(ended.work, None);
            assert_eq!(ended.on_arrival(&object("1")), Arrival::Settled);
            assert_eq!(ended.on_arrival(&object("2")), Arrival::Discard);
        }
        assert_eq!(miniature.end(MiniatureState::Expired).on_arrival(&object("1")), Arrival::Discard);
    }
}
