//! `CopyObject` and `DeleteObject`.

use std::sync::Arc;

use s3s::dto::{
    CopyObjectInput, CopyObjectOutput, CopyObjectResult, CopySource, DeleteObjectInput, DeleteObjectOutput,
    ETag, MetadataDirective, ServerSideEncryption,
};
use s3s::{S3Error, S3ErrorCode, S3Request, S3Result};

use super::State;
use super::access::{CallContext, context_of, no_such_bucket, not_implemented};
use super::checksums::{Algorithm, ChecksumType};
use super::conditions::{ReadConditions, ReadOutcome, precondition_failed};
use super::events::EventName;
use super::files::{Lease, Reader, Segment, Unpublished};
use super::get::{Found, last_modified};
use super::index::{self, Content, NULL_VERSION, StoredHeaders, Version};
use super::multipart::uploads;
use super::put::{Candidate, stored_headers};
use super::receive::{Digest, Digested, MAXIMUM_BODY_BYTES};

impl State {
    /// A copy is a second name for the same bytes, since those never change.
    pub(super) async fn copy_object(
        self: &Arc<Self>,
        request: S3Request<CopyObjectInput>,
    ) -> S3Result<CopyObjectOutput> {
        let call = context_of(&request.extensions)?;
        let mut input = request.input;
        let (Found { version: source, content }, lease) = self.copy_source(&call, &mut input)?;
        let replace = replaces_metadata(&input)?;
        let file = self.files.link(&content.segments).map_err(S3Error::internal_error)?;
        drop(lease);
        let headers = if replace { stored_headers!(input) } else { content.headers.clone() };
        let content = Content { headers, ..self.copied_content(content, &file).await? };
        let candidate = Candidate { file, content };
        let version =
            self.publish(&call, &input.bucket, &input.key, candidate, EventName::Copy, |_| Ok(()))?;
        let last_modified = last_modified(&version);
        let content = version.content.ok_or(S3ErrorCode::InternalError)?;
        Ok(CopyObjectOutput {
            copy_object_result: Some(CopyObjectResult {
                checksum_crc32: content.checksums.crc32,
                checksum_crc32c: content.checksums.crc32c,
                checksum_crc64nvme: content.checksums.crc64nvme,
                checksum_sha1: content.checksums.sha1,
                checksum_sha256: content.checksums.sha256,
                checksum_type: Some(ChecksumType::FullObject.dto()),
                e_tag: Some(ETag::Strong(content.e_tag)),
                last_modified: Some(last_modified),
            }),
            copy_source_version_id: (source.version_id != NULL_VERSION).then_some(source.version_id),
            server_side_encryption: Some(ServerSideEncryption::from_static(ServerSideEncryption::AES256)),
            version_id: (version.version_id != NULL_VERSION).then_some(version.version_id),
            ..CopyObjectOutput::default()
        })
    }

    /// What a copy holds. Entity tag and checksum stay the same but for an object that came in parts: its copy is an
    /// object in one piece, so they are computed over all of its bytes.
    async fn copied_content(&self, source: Content, file: &Unpublished) -> S3Result<Content> {
        let segments = file.segments().to_vec();
        if source.parts.is_empty() {
            return Ok(Content { segments, ..source });
        }
        let algorithms = source.checksums.iter().map(|(algorithm, _)| algorithm);
        let digested = self.digest(&segments, algorithms).await?;
        Ok(Content {
            segments,
            parts: Vec::new(),
            e_tag: digested.e_tag(),
            checksums: digested.checksums,
            ..source
        })
    }

    /// Reads segments, which somebody keeps, to compute what depends on all of their bytes.
    pub(super) async fn digest(
        &self,
        segments: &[Segment],
        algorithms: impl IntoIterator<Item = Algorithm>,
    ) -> S3Result<Digested> {
        let mut digest = Digest::new(algorithms);
        let reader = Reader::open(self.files.lease(segments), segments.to_vec()).await;
        let mut reader = reader.map_err(S3Error::internal_error)?;
        while let Some(bytes) = reader.next().await.map_err(S3Error::internal_error)? {
            digest.update(&bytes);
        }
        Ok(digest.finish())
    }

    /// The object that is copied, if the request's conditions on it hold.
    fn copy_source(&self, call: &CallContext, input: &mut CopyObjectInput) -> S3Result<(Found, Lease)> {
        let CopySource::Bucket { bucket, key, version_id } = &input.copy_source else {
            return Err(not_implemented("A copy source that is an access point"));
        };
        let is_itself = **bucket == *input.bucket && **key == *input.key && version_id.is_none();
        if is_itself && !replaces_metadata(input)? {
            let message = "This copy request is illegal because it is trying to copy an object to itself without \
                           changing the object's metadata, storage class, website redirect location or encryption \
                           attributes.";
            return Err(S3Error::with_message(S3ErrorCode::InvalidRequest, message));
        }
        let conditions = ReadConditions {
            if_match: input.copy_source_if_match.take(),
            if_none_match: input.copy_source_if_none_match.take(),
            if_modified_since: input.copy_source_if_modified_since.take(),
            if_unmodified_since: input.copy_source_if_unmodified_since.take(),
        };
        let (found, lease) = self.find_source(call, &input.copy_source, &conditions)?;
        check_copied_bytes(found.content.size_bytes)?;
        Ok((found, lease))
    }

    /// An object that is copied, whole or in part, if the conditions on it hold.
    pub(super) fn find_source(
        &self,
        call: &CallContext,
        source: &CopySource,
        conditions: &ReadConditions,
    ) -> S3Result<(Found, Lease)> {
        let CopySource::Bucket { bucket, key, version_id } = source else {
            return Err(not_implemented("A copy source that is an access point"));
        };
        let (found, lease) = self.find_to_read(call, bucket, key, version_id.as_deref())?;
        if conditions.judge(&found.content.e_tag, found.version.last_modified_ms) != ReadOutcome::Proceed {
            return Err(precondition_failed());
        }
        Ok((found, lease))
    }

    /// Deletes one version for good, or, in a bucket that keeps versions, hides the object behind a delete marker.
    pub(super) fn delete_object(
        &self,
        request: S3Request<DeleteObjectInput>,
    ) -> S3Result<DeleteObjectOutput> {
        let call = context_of(&request.extensions)?;
        let input = request.input;
        let bucket = call.installed().bucket(&input.bucket).ok_or_else(no_such_bucket)?;
        let version_id = match &input.version_id {
            Some(version_id) if !index::is_version_id(version_id) => {
                return Err(S3Error::with_message(
                    S3ErrorCode::InvalidArgument,
                    "Invalid version id specified",
                ));
            }
            Some(version_id) => Some(version_id.as_str()),
            None if bucket.versioned => None,
            None => Some(NULL_VERSION),
        };
        let touched = self
            .database
            .transaction(|transaction| {
                let is_there = |latest: Option<Version>| latest.is_some_and(|one| one.content.is_some());
                let was_there = is_there(index::latest(transaction, &bucket.name, &input.key)?);
                let touched = match version_id {
                    Some(version_id) => {
                        index::remove_version(transaction, &bucket.name, &input.key, version_id)?
                    }
                    None => Some(index::insert_delete_marker(transaction, &bucket.name, &input.key)?),
                };
                if was_there && !is_there(index::latest(transaction, &bucket.name, &input.key)?) {
                    self.conflicts.note_delete(&bucket.name, &input.key);
                    uploads::note_delete(transaction, &bucket.name, &input.key)?;
                }
                Ok(touched)
            })
            .map_err(|error: rusqlite::Error| S3Error::internal_error(error))?;
        if let Some(content) = touched.as_ref().and_then(|version| version.content.as_ref()) {
            self.files.remove(&content.segments);
        }
        let is_marker = touched.as_ref().is_some_and(|version| version.content.is_none());
        Ok(DeleteObjectOutput {
            delete_marker: is_marker.then_some(true),
            version_id: touched
                .map(|version| version.version_id)
                .or(input.version_id)
                .filter(|version_id| version_id != NULL_VERSION),
            ..DeleteObjectOutput::default()
        })
    }
}

fn replaces_metadata(input: &CopyObjectInput) -> S3Result<bool> {
    match input.metadata_directive.as_ref().map(MetadataDirective::as_str) {
        None | Some(MetadataDirective::COPY) => Ok(false),
        Some(MetadataDirective::REPLACE) => Ok(true),
        Some(_) => Err(S3Error::with_message(S3ErrorCode::InvalidArgument, "Unknown metadata directive.")),
    }
}

/// Refuses to copy more at once than S3 does.
pub(super) fn check_copied_bytes(length_bytes: u64) -> S3Result<()> {
    if length_bytes <= MAXIMUM_BODY_BYTES {
        return Ok(());
    }
    let message = format!(
        "The specified copy source is larger than the maximum allowable size for a copy source: {MAXIMUM_BODY_BYTES}"
    );
    Err(S3Error::with_message(S3ErrorCode::InvalidRequest, message))
}

#[cfg(test)]
mod tests {
    use s3s::S3ErrorCode;

    use super::{MAXIMUM_BODY_BYTES, check_copied_bytes};

    #[test]
    fn at_most_5_gib_are_copied_at_once() {
        assert!(check_copied_bytes(MAXIMUM_BODY_BYTES).is_ok());
        let error = check_copied_bytes(MAXIMUM_BODY_BYTES + 1).unwrap_err();
        assert_eq!(*error.code(), S3ErrorCode::InvalidRequest);
    }
}
