//! Objects in the ingest bucket: how their keys are built and parsed, and what identifies one of their versions.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::{Invalid, MediaId, serde_as_text};

/// What an object is to its media.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Slot {
    /// The media itself.
    Source,
    /// Its thumbnail.
    Miniature,
}

/// The key of an uploaded object: `uploads/{media_id}/{slot}`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SourceKey {
    /// The media that it belongs to.
    pub media_id: MediaId,
    /// What it is to that media.
    pub slot: Slot,
}

impl fmt::Display for SourceKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let slot = match self.slot {
            Slot::Source => "source",
            Slot::Miniature => "miniature",
        };
        write!(formatter, "uploads/{}/{slot}", self.media_id)
    }
}

impl FromStr for SourceKey {
    type Err = Invalid;

    fn from_str(key: &str) -> Result<Self, Invalid> {
        let invalid = || Invalid::new("must be uploads/{media_id}/{slot}");
        let (media_id, slot) =
            key.strip_prefix("uploads/").and_then(|rest| rest.split_once('/')).ok_or_else(invalid)?;
        let slot = match slot {
            "source" => Slot::Source,
            "miniature" => Slot::Miniature,
            _ => return Err(invalid()),
        };
        Ok(Self { media_id: media_id.parse()?, slot })
    }
}

serde_as_text!(SourceKey);

/// One version of an uploaded object: what every step of processing is keyed by.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ObjectVersion {
    /// S3's version id.
    pub version_id: String,
    /// S3's ETag, without quotes.
    pub etag: String,
}

impl ObjectVersion {
    /// Whether both are the same version of the object, whichever event told of it.
    pub fn is_same_version(&self, other: &Self) -> bool {
        self.version_id == other.version_id
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_reads_back_and_nothing_else_does() {
        let key = "uploads/019a9f3e-7c00-7abc-8def-0123456789ab/source";
        assert_eq!(key.parse::<SourceKey>().map(|key| key.to_string()), Ok(key.to_owned()));
        for other in [
            "uploads/019a9f3e-7c00-7abc-8def-0123456789ab/source/",
            "uploads/019a9f3e-7c00-7abc-8def-0123456789ab",
            "uploads/../source",
            "media/019a9f3e-7c00-7abc-8def-0123456789ab/source",
        ] {
            assert!(other.parse::<SourceKey>().is_err(), "{other}");
        }
    }
}
