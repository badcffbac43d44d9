//! The nouns of the platform and their rules: media, upload, user, session, job. State machines, limits, permissions.
//!
//! Pure: no AWS, no HTTP, no clock, no randomness. What comes from outside is parsed into these types once, at the
//! edge, so that a value that exists is a value that is valid. What is decided here is carried out by `table` and
//! `buckets`.

mod checksum;
mod client_network;
mod content_type;
mod day;
mod declared_size;
mod deleted_user;
mod id;
mod idempotency;
mod job;
mod limits;
mod listing;
mod media;
mod miniature;
mod object;
#[cfg(feature = "openapi")]
mod openapi;
mod page;
mod part;
mod part_rules;
mod patch;
mod permission;
mod playback;
mod rate_limit;
mod search;
mod session;
mod texts;
mod timestamp;
mod upload;
mod user;
mod view;
mod work;

pub use checksum::{ChecksumAlgorithm, Crc64NvmeChecksum, Sha256Checksum};
pub use client_network::ClientNetwork;
pub use content_type::{AllowedContentTypes, ContentType, MediaKind};
pub use day::Day;
pub use declared_size::DeclaredSize;
pub use deleted_user::{DeletedUser, MediaFate};
pub use id::{MediaId, SessionId, UploadId, UserId};
pub use idempotency::{IdempotencyKey, IdempotentRequest};
pub use job::{Job, JobStatus, JobType, JobsBefore, newest_jobs};
pub use limits::{
    ANALYTICS_DAYS, AUTO_MULTIPART_FROM_BYTES, EXPIRES_IN_SECONDS, MAX_BULK_FILES,
    MAX_DECLARED_DURATION_SECONDS, MAX_OBJECT_SIZE_BYTES, MAX_PUT_SIZE_BYTES, MAX_SIGNED_PARTS, MAX_TAGS,
    SizeBytes,
};
pub use listing::{MediaFilter, Place};
pub use media::{
    Arrival, Failure, Measurement, Media, MediaEdit, PublishedObject, State, Status, Visibility,
};
pub use miniature::{AllowedImageTypes, ImageType, Miniature, MiniatureState, ThumbnailKey};
pub use object::{ObjectVersion, Slot, SourceKey};
pub use page::{Page, Stretch};
pub use part::{ETag, MAX_PARTS, PART_SIZE_BYTES, Part, PartNumber, PartPlan, UploadedPart};
pub use part_rules::{AssemblyError, AwaitedPart, NamedParts, PartRules, total_size_bytes};
pub use patch::Patch;
pub use permission::{Action, Caller, Decision, decide};
pub use playback::{Ipv4Block, PlaybackConditions};
pub use rate_limit::{
    CLOCK_TOLERANCE, LimitedRequest, Quota, RateLimit, RateLimitName, RateLimitSubject, UnixMicroseconds,
    Verdict,
};
pub use search::{MAX_WORDS, Query, TitleWord, Words};
pub use session::{IssuedToken, REFRESH_TOKEN_GRACE, SESSION_LIFE, Session};
pub use texts::{Description, DisplayName, Filename, Tag, ThumbnailUrl, Title};
pub use timestamp::Timestamp;
pub use upload::{
    MethodError, ObjectHead, PlannedMethod, RequestedMethod, Upload, UploadContentType, UploadMethod,
    UploadState,
};
pub use user::{Email, Role, User, UserPatch};
pub use view::{View, ViewCounts, ViewId, ViewShard, Viewer, ViewerKey, daily_views};
pub use work::{Work, WorkKind};

/// Why a text is not a valid value of a type: one sentence that says what would be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Invalid(String);

impl Invalid {
    /// With this sentence.
    pub fn new(detail: impl Into<String>) -> Self {
        Self(detail.into())
    }
}

/// Serde through `FromStr` and `Display`: the same text in JSON and in the table, parsed by the same rules.
macro_rules! serde_as_text {
    ($($name:ty),+ $(,)?) => {$(
        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = <String as serde::Deserialize>::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    )+};
}
pub(crate) use serde_as_text;

/// Types that are a text with rules: each is made by parsing, with a function that answers the text to keep.
macro_rules! text {
    ($($(#[$doc:meta])+ $name:ident = $parse:expr),+ $(,)?) => {$(
        $(#[$doc])+
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(String);

        impl $name {
            /// The text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                formatter.write_str(&self.0)
            }
        }

        impl std::str::FromStr for $name {
            type Err = $crate::Invalid;

            fn from_str(text: &str) -> Result<Self, $crate::Invalid> {
                let parse: fn(&str) -> Result<String, $crate::Invalid> = $parse;
                parse(text).map(Self)
            }
        }

        $crate::serde_as_text!($name);
    )+};
}
pub(crate) use text;
