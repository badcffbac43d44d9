//! Bounds that are not a deployment's choice: the contract's and S3's own.

use std::ops::RangeInclusive;

/// A number of bytes.
pub type SizeBytes = u64;

/// The largest object of a single PUT, and the largest that one `CopyObject` copies: 5 GiB.
/// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html>
pub const MAX_PUT_SIZE_BYTES: SizeBytes = 5 * 1024 * 1024 * 1024;

/// How many tags a media has at most.
pub const MAX_TAGS: usize = 20;

/// How long a stream URL may live, in seconds.
pub const EXPIRES_IN_SECONDS: RangeInclusive<u64> = 60..=86_400;
