//! Work still owed. Each obligation (an open upload, a media in processing, a deletion) is an item of its own, written
//! in the transaction that creates it and deleted in the one that ends it, so that the sweep finds whatever died
//! halfway.

use serde::{Deserialize, Serialize};

use crate::Timestamp;

/// What is owed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WorkKind {
    /// An upload is open: at its deadline it is finished if the object is there, and expired otherwise.
    Upload,
    /// A miniature is awaited, the same.
    Miniature,
    /// A media is in processing: an event that got lost is made up for.
    Processing,
    /// An upload ended without being published: its parts and objects are to go, once no signed URL can bring new ones.
    Leftovers,
    /// A media is being deleted.
    MediaDeletion,
    /// A user is being deleted.
    UserDeletion,
}

impl WorkKind {
    /// The word in the table's keys.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Upload => "upload",
            Self::Miniature => "miniature",
            Self::Processing => "processing",
            Self::Leftovers => "leftovers",
            Self::MediaDeletion => "media_deletion",
            Self::UserDeletion => "user_deletion",
        }
    }
}

/// One obligation and when the sweep is to look at it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Work {
    /// What is owed.
    pub kind: WorkKind,
    /// When the sweep looks at it.
    pub due: Timestamp,
}
