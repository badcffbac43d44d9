//! The two S3 buckets, and the temporary credentials that clients' requests are signed with.
//!
//! The **ingest bucket** takes what users upload, under `uploads/{media_id}/{slot}`; nobody can read from it through
//! the platform. The **media bucket** holds what was verified and published, under `media/{media_id}/…`. Both are
//! versioned, and every step names the version that it means.
//!
//! # What is guaranteed
//!
//! - A presigned PUT covers key, exact length, content type, the declared SHA-256 and `If-None-Match: *`: S3 refuses
//!   anything else, and a second object under the same key.
//! - A presigned part covers key, upload, part number and exact length.
//! - A presigned POST pins key, content type and the declared SHA-256, and bounds the length.
//! - `expires_at` of what is signed is never later than the end of the credentials that signed it.
//! - What is signed for CloudFront is bound to one object or one folder, and to the conditions that were asked for.
//! - What is read is pinned to one version of the object; publishing copies that version and no other, or nothing.
//! - Whatever ends a multipart upload may be done twice, and tells an upload that has ended from one that goes on.
//! - A copy in parts goes on from what S3 lists, whoever began it.
//!
//! # How it fails
//!
//! [`BucketError::Unavailable`] when S3 or STS throttles, times out or cannot be reached, after the client's own
//! retries; [`BucketError::Refused`] is a fault of ours. Their texts are for the log, never for a client.
//!
//! # Permissions
//!
//! | verb | actions |
//! |---|---|
//! | `IngestBucket::head`, `source` | `s3:GetObjectVersion` on `uploads/*`, and `s3:ListBucket` so that a missing object is a 404 |
//! | `IngestBucket::head_current` | `s3:GetObject` on `uploads/*`, and `s3:ListBucket` |
//! | `IngestBucket::put`, `create_multipart`, `complete_multipart` | `s3:PutObject` on `uploads/*` |
//! | `IngestBucket::list_parts` | `s3:ListMultipartUploadParts` on `uploads/*` |
//! | `IngestBucket::abort_multipart` | `s3:AbortMultipartUpload` on `uploads/*` |
//! | `IngestBucket::delete_version` | `s3:DeleteObjectVersion` on `uploads/*` |
//! | `IngestBucket::delete_all` | what `head_current` and `delete_version` need |
//! | `MediaBucket::publish`, `publish_thumbnail` | `s3:GetObjectVersion` on the ingest bucket's `uploads/*`, `s3:PutObject` on the media bucket's `media/*` |
//! | `MediaBucket::begin_copy` | `s3:PutObject` on `media/*` |
//! | `MediaBucket::copy_parts` | what `publish` needs; `s3:ListMultipartUploadParts` and `s3:GetObject` on `media/*`, and `s3:ListBucket` on the media bucket |
//! | `MediaBucket::abort_copy` | `s3:AbortMultipartUpload` on `media/*` |
//! | `MediaBucket::copy_thumbnail` | `s3:GetObject` and `s3:PutObject` on `media/*/thumbnail/*` |
//! | `MediaBucket::delete_thumbnail` | `s3:DeleteObject` on `media/*` |
//! | `MediaBucket::unpublish` | the same, and `s3:ListBucket` on the media bucket |
//! | `IngestBucket::check`, `MediaBucket::check` | `s3:ListBucket` |
//! | `UploadSigner` | `sts:AssumeRole` on a role with `s3:PutObject` on `uploads/*` |
//! | `S3PlaybackSigner` | `sts:AssumeRole` on a role with `s3:GetObject` on `media/*` |

mod assumed_role;
mod cloudfront;
mod disposition;
mod error;
mod ingest;
mod media;
mod multipart;
mod playback;
mod post_policy;
mod presigning;
mod upload;
#[cfg(test)]
mod vectors;

pub use assumed_role::AssumedRole;
pub use cloudfront::CloudFrontSigner;
pub use error::BucketError;
pub use ingest::{Deletion, IngestBucket, PutOutcome, S3Source};
pub use media::{CopyProgress, MediaBucket, Publishing, thumbnail_object_key};
pub use multipart::Completed;
pub use playback::{Playback, PlaybackMethod, PlaybackSigner, S3PlaybackSigner, SignedUrl};
pub use upload::{PresignedPost, PresignedPut, SignedPart, UploadSigner};
