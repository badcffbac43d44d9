//! `CopyObject` and `DeleteObject`.

use std::sync::Arc;

use s3s::dto::{
    ChecksumType, CopyObjectInput, CopyObjectOutput, CopyObjectResult, CopySource, DeleteObjectInput,
    DeleteObjectOutput, ETag, MetadataDirective, ServerSideEncryption,
};
use s3s::{S3Error, S3ErrorCode, S3Request, S3Result};

use super::State;
use super::access::{CallContext, context_of, no_such_bucket, not_implemented};
use super::conditions::{ReadConditions, ReadOutcome, precondition_failed};
use super::events::EventName;
use super::get::{Found, last_modified, refuse_unsupported};
use super::index::{self, Content, NULL_VERSION, NewVersion, StoredHeaders};
use super::put::{Candidate, MAXIMUM_OBJECT_BYTES, seconds};

impl State {
    /// A copy is a second name for the same bytes, since those never change. Checksum and entity tag stay the same.
    pub(super) fn copy_object(
        self: &Arc<Self>,
        request: S3Request<CopyObjectInput>,
    ) -> S3Result<CopyObjectOutput> {
        let call = context_of(&request.extensions)?;
        for name in ["if-match", "if-none-match"] {
            if request.headers.contains_key(name) {
                return Err(not_implemented(&format!("{name} of CopyObject")));
            }
        }
        let mut input = request.input;
        let Found { version: source, content } = self.copy_source(&call, &mut input)?;
        let replace = replaces_metadata(&input)?;
        let file = self.files.link(&content.file).map_err(S3Error::internal_error)?;
        let headers = if replace { replaced_headers(&mut input) } else { content.headers };
        let content = Content { file: file.name().to_owned(), headers, ..content };
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
                checksum_type: Some(ChecksumType::from_static(ChecksumType::FULL_OBJECT)),
                e_tag: Some(ETag::Strong(content.e_tag)),
                last_modified: Some(last_modified),
            }),
            copy_source_version_id: (source.version_id != NULL_VERSION).then_some(source.version_id),
            server_side_encryption: Some(ServerSideEncryption::from_static(ServerSideEncryption::AES256)),
            version_id: (version.version_id != NULL_VERSION).then_some(version.version_id),
            ..CopyObjectOutput::default()
        })
    }

    /// The object that is copied, if the request's conditions on it hold.
    fn copy_source(&self, call: &CallContext, input: &mut CopyObjectInput) -> S3Result<Found> {
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
        let found = self.find(call, bucket, key, version_id.as_deref())?;
        let conditions = ReadConditions {
            if_match: input.copy_source_if_match.take(),
            if_none_match: input.copy_source_if_none_match.take(),
            if_modified_since: input.copy_source_if_modified_since.take(),
            if_unmodified_since: input.copy_source_if_unmodified_since.take(),
        };
        if conditions.judge(&found.content.e_tag, found.version.last_modified_ms) != ReadOutcome::Proceed {
            return Err(precondition_failed());
        }
        if found.content.size_bytes > MAXIMUM_OBJECT_BYTES {
            let message = "The specified copy source is larger than the maximum allowable size for a copy source: 5368709120";
            return Err(S3Error::with_message(S3ErrorCode::InvalidRequest, message));
        }
        Ok(found)
    }

    /// Deletes one version for good, or, in a bucket that keeps versions, hides the object behind a delete marker.
    pub(super) fn delete_object(
        &self,
        request: S3Request<DeleteObjectInput>,
    ) -> S3Result<DeleteObjectOutput> {
        let call = context_of(&request.extensions)?;
        let input = request.input;
        refuse_unsupported(&[("If-Match of DeleteObject", input.if_match.is_some())])?;
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
                let touched = if let Some(version_id) = version_id {
                    index::remove_version(transaction, &bucket.name, &input.key, version_id)?
                } else {
                    let marker = NewVersion {
                        bucket: bucket.name.clone(),
                        key: input.key.clone(),
                        versioned: true,
                        content: None,
                    };
                    Some(index::insert(transaction, &marker)?.version)
                };
                if touched.is_some() {
                    self.conflicts.note_delete(&bucket.name, &input.key);
                }
                Ok(touched)
            })
            .map_err(|error: rusqlite::Error| S3Error::internal_error(error))?;
        if let Some(content) = touched.as_ref().and_then(|version| version.content.as_ref()) {
            self.files.remove(&content.file);
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

fn replaced_headers(input: &mut CopyObjectInput) -> StoredHeaders {
    StoredHeaders {
        cache_control: input.cache_control.take(),
        content_disposition: input.content_disposition.take(),
        content_encoding: input.content_encoding.take(),
        content_language: input.content_language.take(),
        content_type: Some(input.content_type.take().unwrap_or_else(|| "binary/octet-stream".to_owned())),
        expires_seconds: input.expires.take().map(seconds),
        metadata: input.metadata.take().map(|metadata| metadata.into_iter().collect()).unwrap_or_default(),
    }
}
