//! Bounds that are not a deployment's choice: the contract's and S3's own.

use std::ops::RangeInclusive;

/// A number of bytes.
pub type SizeBytes = u64;

/// The largest object there is: 48.8 TiB, which is 10 000 parts of 5 GiB.
/// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html>
pub const MAX_OBJECT_SIZE_BYTES: SizeBytes = 10_000 * MAX_PUT_SIZE_BYTES;

/// The largest object of a single PUT or form, and the largest that one `CopyObject` copies: 5 GiB.
/// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html>
pub const MAX_PUT_SIZE_BYTES: SizeBytes = 5 * 1024 * 1024 * 1024;

/// From which size on a file is sent in parts if the client leaves the choice: 64 MiB.
pub const AUTO_MULTIPART_FROM_BYTES: SizeBytes = 64 * 1024 * 1024;

/// How many files one bulk request announces at most.
pub const MAX_BULK_FILES: usize = 100;

/// How many parts one request signs at most.
pub const MAX_SIGNED_PARTS: usize = 100;

/// How many tags a media has at most.
pub const MAX_TAGS: usize = 20;

/// How long a stream URL may live, in seconds.
pub const EXPIRES_IN_SECONDS: RangeInclusive<u64> = 60..=86_400;

/// Of how many days the views of a media are told.
pub const ANALYTICS_DAYS: RangeInclusive<u16> = 1..=365;

/// The longest playing time that a client may declare: a year.
pub const MAX_DECLARED_DURATION_SECONDS: f64 = 365.0 * 86_400.0;
