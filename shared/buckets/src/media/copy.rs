//! Publishing a file that is too large for one `CopyObject`: in parts, by several runs if it takes that long.
//!
//! Follows "Copying an object using multipart upload" and the API reference of `UploadPartCopy`. What is copied already
//! is what S3 lists, so a run that dies loses at most the parts that it was at. Two runs at once copy some parts twice,
//! to the same bytes, and make one object.

use std::time::Instant;

use domain::{
    ContentType, ETag, Filename, MAX_PARTS, MAX_PUT_SIZE_BYTES, MediaId, ObjectVersion, Part, PartPlan,
    PublishedObject, SizeBytes, SourceKey, UploadedPart,
};
use futures::StreamExt as _;
use futures::stream;

use super::{CACHE_CONTROL, COPY_TIMEOUT, MediaBucket, copy_source, published_key};
use crate::disposition;
use crate::error::BucketError;
use crate::ingest::IngestBucket;
use crate::multipart::{Completed, Multipart, is_over, object_version, patient};

const MIB: SizeBytes = 1024 * 1024;

/// How many parts are copied at a time.
const COPIES_AT_ONCE: usize = 8;

/// How files get into the media bucket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Publishing {
    /// Files up to this size are copied by one request, larger ones in parts.
    pub single_copy_up_to_bytes: SizeBytes,
    /// How long every part but the last is, unless that makes more than 10 000. To be changed only while no copy is
    /// under way: whoever goes on with one takes parts of the planned length for those that were planned.
    pub part_size_bytes: SizeBytes,
}

impl Default for Publishing {
    fn default() -> Self {
        Self { single_copy_up_to_bytes: MAX_PUT_SIZE_BYTES, part_size_bytes: 1024 * MIB }
    }
}

impl Publishing {
    /// How a file is cut.
    fn plan(&self, size_bytes: SizeBytes) -> Result<PartPlan, BucketError> {
        let needed = size_bytes.div_ceil(SizeBytes::from(MAX_PARTS)).next_multiple_of(MIB);
        PartPlan::with_part_size(size_bytes, needed.max(self.part_size_bytes)).map_err(|error| {
            BucketError::Refused { operation: COPY_PART, reason: format!("the part size {error}") }
        })
    }
}

/// How far a copy in parts has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CopyProgress {
    /// The file is published.
    Done(PublishedObject),
    /// Time is up. Call again to go on.
    NotYet {
        /// How many parts are copied.
        copied: u16,
        /// Of how many.
        of: u16,
    },
    /// The copy was given up, and nothing is published: begin another.
    Gone,
}

const COPY_PART: &str = "UploadPartCopy";

impl MediaBucket {
    /// Whether a file of this size is to be published in parts.
    pub fn copies_in_parts(&self, size_bytes: SizeBytes) -> bool {
        size_bytes > self.publishing.single_copy_up_to_bytes
    }

    /// Begins to publish a file in parts; answers S3's id of the copy, by which any run can go on.
    pub async fn begin_copy(
        &self,
        media_id: MediaId,
        content_type: &ContentType,
        filename: &Filename,
    ) -> Result<String, BucketError> {
        const OPERATION: &str = "CreateMultipartUpload";
        let create = self.client.create_multipart_upload().bucket(&self.name).key(published_key(media_id));
        let answer = create
            .content_type(content_type.as_str())
            .content_disposition(disposition::inline(filename))
            .cache_control(CACHE_CONTROL)
            .send()
            .await
            .map_err(|error| BucketError::of(OPERATION, &error))?;
        answer.upload_id.ok_or_else(|| BucketError::unreadable(OPERATION, "upload id"))
    }

    /// Copies what is still missing of one version of an uploaded object, until it is published or time is up. Parts
    /// that are being copied then are left to S3, which may finish them.
    pub async fn copy_parts(
        &self,
        ingest: &IngestBucket,
        source: &SourceKey,
        version: &ObjectVersion,
        size_bytes: SizeBytes,
        s3_upload_id: &str,
        until: Instant,
    ) -> Result<CopyProgress, BucketError> {
        let key = published_key(source.media_id);
        let plan = self.publishing.plan(size_bytes)?;
        let copy = Copy {
            upload: Multipart { client: &self.client, bucket: &self.name, key: &key, s3_upload_id },
            source: copy_source(ingest, source, version),
            if_match: format!("\"{}\"", version.etag),
            plan,
        };
        let progress = |parts: &[UploadedPart]| {
            let copied = u16::try_from(parts.len()).unwrap_or(u16::MAX);
            CopyProgress::NotYet { copied, of: plan.part_count() }
        };
        let Some(mut parts) = copy.upload.parts().await? else { return self.ended(&key, size_bytes).await };
        parts.retain(|part| plan.part(part.number).is_some_and(|one| one.size_bytes == part.size_bytes));
        match copy.add_missing(&mut parts, until).await? {
            Copied::All => {}
            Copied::Some => return Ok(progress(&parts)),
            Copied::UploadEnded => return self.ended(&key, size_bytes).await,
        }
        match copy.upload.complete(&parts, until.saturating_duration_since(Instant::now())).await? {
            Completed::Done(_) | Completed::NoSuchUpload => self.ended(&key, size_bytes).await,
            // Another run copied a part once more. The next one lists them again.
            Completed::PartsChanged | Completed::StillWorking => Ok(progress(&parts)),
        }
    }

    /// Gives up a copy in parts and removes what was copied; it may have ended already.
    pub async fn abort_copy(&self, media_id: MediaId, s3_upload_id: &str) -> Result<(), BucketError> {
        let key = published_key(media_id);
        Multipart { client: &self.client, bucket: &self.name, key: &key, s3_upload_id }.abort().await
    }

    /// What became of a copy that has ended: this run published the file, or another one did, or somebody gave it up. What
    /// counts is what is there, and whether it is as long as the file.
    async fn ended(&self, key: &str, size_bytes: SizeBytes) -> Result<CopyProgress, BucketError> {
        const OPERATION: &str = "HeadObject";
        let head = match self.client.head_object().bucket(&self.name).key(key).send().await {
            Ok(head) => head,
            Err(error) => {
                return match BucketError::of(OPERATION, &error) {
                    BucketError::Missing { .. } => Ok(CopyProgress::Gone),
                    error => Err(error),
                };
            }
        };
        let length = head.content_length.and_then(|length| SizeBytes::try_from(length).ok());
        if length != Some(size_bytes) {
            return Ok(CopyProgress::Gone);
        }
        let version = object_version(head.version_id, head.e_tag);
        let ObjectVersion { etag, .. } =
            version.ok_or_else(|| BucketError::unreadable(OPERATION, "version"))?;
        Ok(CopyProgress::Done(PublishedObject { key: key.to_owned(), etag }))
    }
}

/// A copy in parts that was begun.
struct Copy<'a> {
    upload: Multipart<'a>,
    source: String,
    if_match: String,
    plan: PartPlan,
}

/// How many of the parts are there.
enum Copied {
    All,
    Some,
    UploadEnded,
}

impl Copy<'_> {
    /// Copies the parts that are not in `parts`, several at a time, and adds them in their places.
    async fn add_missing(
        &self,
        parts: &mut Vec<UploadedPart>,
        until: Instant,
    ) -> Result<Copied, BucketError> {
        let missing = self.plan.missing(parts).into_iter().filter_map(|number| self.plan.part(number));
        let copies = stream::iter(missing).map(|part| self.part(part)).buffer_unordered(COPIES_AT_ONCE);
        let mut copies = std::pin::pin!(copies);
        loop {
            match tokio::time::timeout_at(until.into(), copies.next()).await {
                Ok(Some(part)) => match part? {
                    Some(part) => parts.push(part),
                    None => return Ok(Copied::UploadEnded),
                },
                Ok(None) => break,
                Err(_) => return Ok(Copied::Some),
            }
        }
        parts.sort_by_key(|part| part.number);
        Ok(Copied::All)
    }

    /// Copies one part. `None` if the upload has ended.
    async fn part(&self, part: Part) -> Result<Option<UploadedPart>, BucketError> {
        let Part { number, size_bytes } = part;
        let first = SizeBytes::from(u16::from(number) - 1) * self.plan.part_size_bytes();
        let copy = self.upload.client.upload_part_copy().bucket(self.upload.bucket).key(self.upload.key);
        let result = copy
            .upload_id(self.upload.s3_upload_id)
            .part_number(u16::from(number).into())
            .copy_source(&self.source)
            .copy_source_if_match(&self.if_match)
            .copy_source_range(format!("bytes={first}-{}", first + size_bytes - 1))
            .customize()
            .config_override(patient(COPY_TIMEOUT, COPY_TIMEOUT * 2))
            .send()
            .await;
        let answer = match result {
            Ok(answer) => answer,
            Err(error) if is_over(&error) => return Ok(None),
            Err(error) => return Err(BucketError::of(COPY_PART, &error)),
        };
        let etag = answer.copy_part_result.and_then(|result| result.e_tag?.parse::<ETag>().ok());
        let etag = etag.ok_or_else(|| BucketError::unreadable(COPY_PART, "ETag"))?;
        Ok(Some(UploadedPart { number, size_bytes, etag }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::MAX_OBJECT_SIZE_BYTES;

    const GIB: SizeBytes = 1024 * MIB;

    #[test]
    fn any_file_is_cut_into_parts_that_s3_takes() {
        for (size_bytes, part_size_bytes, part_count) in [
            (5 * GIB + 1, GIB, 6),
            (10_000 * GIB, GIB, 10_000),
            (10_000 * GIB + 1, GIB + MIB, 9_991),
            (MAX_OBJECT_SIZE_BYTES, 5 * GIB, 10_000),
        ] {
            let plan = Publishing::default().plan(size_bytes).unwrap();
            assert_eq!((plan.part_size_bytes(), plan.part_count()), (part_size_bytes, part_count));
        }
        let refused = Publishing::default().plan(MAX_OBJECT_SIZE_BYTES + 1);
        assert!(matches!(refused, Err(BucketError::Refused { .. })));
    }
}
