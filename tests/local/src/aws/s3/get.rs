//! `GetObject` and `HeadObject`, and what they have in common with a copy's source.

use std::sync::Arc;

use http::{HeaderMap, HeaderValue, StatusCode};
use s3s::dto::{
    ChecksumMode, ChecksumType, ETag, GetObjectInput, GetObjectOutput, HeadObjectInput, HeadObjectOutput,
    Range, ServerSideEncryption, Timestamp, TimestampFormat,
};
use s3s::{S3Error, S3ErrorCode, S3Request, S3Result};

use super::State;
use super::access::{CallContext, context_of, not_implemented};
use super::conditions::{ReadConditions, ReadOutcome, precondition_failed, range_applies};
use super::files::stream_range;
use super::index::{self, Content, NULL_VERSION, StoredChecksums, Version};
use super::put::metadata;
use crate::aws::clock;

/// An object that is there.
pub(super) struct Found {
    pub(super) version: Version,
    pub(super) content: Content,
}

/// The bytes that are asked for.
struct Part {
    first: u64,
    length_bytes: u64,
    /// `Content-Range`, where a range was asked for.
    content_range: Option<String>,
}

impl State {
    pub(super) async fn get_object(
        self: &Arc<Self>,
        request: S3Request<GetObjectInput>,
    ) -> S3Result<GetObjectOutput> {
        let call = context_of(&request.extensions)?;
        let (input, headers) = (request.input, request.headers);
        refuse_unsupported(&[("partNumber", input.part_number.is_some())])?;
        let conditions = ReadConditions {
            if_match: input.if_match,
            if_none_match: input.if_none_match,
            if_modified_since: input.if_modified_since,
            if_unmodified_since: input.if_unmodified_since,
        };
        let (found, file) =
            self.open_object(&call, &input.bucket, &input.key, input.version_id.as_deref()).await?;
        check(&conditions, &found)?;
        let part = part(input.range, &headers, &found)?;
        let with_checksums = wants_checksums(input.checksum_mode.as_ref()) && part.content_range.is_none();
        let body =
            stream_range(file, part.first, part.length_bytes).await.map_err(S3Error::internal_error)?;
        let head = head(found, part, with_checksums)?;
        Ok(GetObjectOutput {
            body: Some(body),
            accept_ranges: head.accept_ranges,
            cache_control: head.cache_control,
            checksum_crc32: head.checksum_crc32,
            checksum_crc32c: head.checksum_crc32c,
            checksum_crc64nvme: head.checksum_crc64nvme,
            checksum_sha1: head.checksum_sha1,
            checksum_sha256: head.checksum_sha256,
            checksum_type: head.checksum_type,
            content_disposition: head.content_disposition,
            content_encoding: head.content_encoding,
            content_language: head.content_language,
            content_length: head.content_length,
            content_range: head.content_range,
            content_type: head.content_type,
            e_tag: head.e_tag,
            expires: head.expires,
            last_modified: head.last_modified,
            metadata: head.metadata,
            server_side_encryption: head.server_side_encryption,
            version_id: head.version_id,
            ..GetObjectOutput::default()
        })
    }

    pub(super) fn head_object(&self, request: S3Request<HeadObjectInput>) -> S3Result<HeadObjectOutput> {
        let call = context_of(&request.extensions)?;
        let (input, headers) = (request.input, request.headers);
        refuse_unsupported(&[
            ("partNumber", input.part_number.is_some()),
            ("response-cache-control", input.response_cache_control.is_some()),
            ("response-content-disposition", input.response_content_disposition.is_some()),
            ("response-content-encoding", input.response_content_encoding.is_some()),
            ("response-content-language", input.response_content_language.is_some()),
            ("response-content-type", input.response_content_type.is_some()),
            ("response-expires", input.response_expires.is_some()),
        ])?;
        let conditions = ReadConditions {
            if_match: input.if_match,
            if_none_match: input.if_none_match,
            if_modified_since: input.if_modified_since,
            if_unmodified_since: input.if_unmodified_since,
        };
        let found = self.find(&call, &input.bucket, &input.key, input.version_id.as_deref())?;
        check(&conditions, &found)?;
        let part = part(input.range, &headers, &found)?;
        let with_checksums = wants_checksums(input.checksum_mode.as_ref()) && part.content_range.is_none();
        head(found, part, with_checksums)
    }

    /// Looks an object up and opens its file. A file that is gone in between was replaced: the next look finds its
    /// successor.
    async fn open_object(
        &self,
        call: &CallContext,
        bucket: &str,
        key: &str,
        version_id: Option<&str>,
    ) -> S3Result<(Found, tokio::fs::File)> {
        let mut last_missing: Option<String> = None;
        loop {
            let found = self.find(call, bucket, key, version_id)?;
            match self.files.read(&found.content.file).await {
                Ok(file) => return Ok((found, file)),
                Err(error) if last_missing.as_ref() == Some(&found.content.file) => {
                    return Err(S3Error::internal_error(error));
                }
                Err(_) => last_missing = Some(found.content.file),
            }
        }
    }

    /// Looks an object up. What is missing is told as S3 tells it.
    pub(super) fn find(
        &self,
        call: &CallContext,
        bucket: &str,
        key: &str,
        version_id: Option<&str>,
    ) -> S3Result<Found> {
        if version_id.is_some_and(|version_id| !index::is_version_id(version_id)) {
            return Err(S3Error::with_message(S3ErrorCode::InvalidArgument, "Invalid version id specified"));
        }
        let version = self
            .database
            .transaction(|transaction| match version_id {
                Some(version_id) => index::version(transaction, bucket, key, version_id),
                None => index::latest(transaction, bucket, key),
            })
            .map_err(|error: rusqlite::Error| S3Error::internal_error(error))?;
        let missing = if version_id.is_some() { S3ErrorCode::NoSuchVersion } else { S3ErrorCode::NoSuchKey };
        let mut version = version.ok_or_else(|| self.missing(call, bucket, missing))?;
        match version.content.take() {
            Some(content) => Ok(Found { version, content }),
            None => Err(self.deleted(call, bucket, &version, version_id.is_some())),
        }
    }

    /// The answer where a delete marker is found: 404 as the latest version, 405 where it is named itself.
    fn deleted(&self, call: &CallContext, bucket: &str, marker: &Version, named: bool) -> S3Error {
        let mut headers = HeaderMap::new();
        let mut error: S3Error = if named {
            headers.insert(http::header::ALLOW, HeaderValue::from_static("DELETE"));
            S3ErrorCode::MethodNotAllowed.into()
        } else {
            self.missing(call, bucket, S3ErrorCode::NoSuchKey)
        };
        if *error.code() == S3ErrorCode::AccessDenied {
            return error;
        }
        headers.insert("x-amz-delete-marker", HeaderValue::from_static("true"));
        if let Ok(version_id) = HeaderValue::from_str(&marker.version_id) {
            headers.insert("x-amz-version-id", version_id);
        }
        error.set_headers(headers);
        error
    }
}

pub(super) fn refuse_unsupported(given: &[(&str, bool)]) -> S3Result<()> {
    match given.iter().find(|(_, given)| *given) {
        Some((name, _)) => Err(not_implemented(name)),
        None => Ok(()),
    }
}

fn wants_checksums(mode: Option<&ChecksumMode>) -> bool {
    mode.is_some_and(|mode| mode.as_str() == ChecksumMode::ENABLED)
}

fn check(conditions: &ReadConditions, found: &Found) -> S3Result<()> {
    match conditions.judge(&found.content.e_tag, found.version.last_modified_ms) {
        ReadOutcome::Proceed => Ok(()),
        ReadOutcome::PreconditionFailed => Err(precondition_failed()),
        ReadOutcome::NotModified => {
            let mut headers = HeaderMap::new();
            if let Ok(e_tag) = HeaderValue::from_str(&format!("\"{}\"", found.content.e_tag)) {
                headers.insert(http::header::ETAG, e_tag);
            }
            let mut date = Vec::new();
            if last_modified(&found.version).format(TimestampFormat::HttpDate, &mut date).is_ok()
                && let Ok(date) = HeaderValue::from_bytes(&date)
            {
                headers.insert(http::header::LAST_MODIFIED, date);
            }
            let mut error: S3Error = S3ErrorCode::NotModified.into();
            error.set_headers(headers);
            Err(error)
        }
    }
}

fn part(range: Option<Range>, headers: &HeaderMap, found: &Found) -> S3Result<Part> {
    let size_bytes = found.content.size_bytes;
    let applies = range_applies(headers, &found.content.e_tag, &last_modified(&found.version));
    let Some(range) = range.filter(|_| applies) else {
        return Ok(Part { first: 0, length_bytes: size_bytes, content_range: None });
    };
    let (first, end) = match range {
        Range::Int { first, last } => {
            (first, last.map_or(size_bytes, |last| last.saturating_add(1).min(size_bytes)))
        }
        Range::Suffix { length } => (size_bytes.saturating_sub(length), size_bytes),
    };
    if first >= end {
        let mut error =
            S3Error::with_message(S3ErrorCode::InvalidRange, "The requested range is not satisfiable");
        error.set_status_code(StatusCode::RANGE_NOT_SATISFIABLE);
        let mut headers = HeaderMap::new();
        if let Ok(value) = HeaderValue::from_str(&format!("bytes */{size_bytes}")) {
            headers.insert(http::header::CONTENT_RANGE, value);
        }
        error.set_headers(headers);
        return Err(error);
    }
    let content_range = Some(format!("bytes {first}-{}/{size_bytes}", end - 1));
    Ok(Part { first, length_bytes: end - first, content_range })
}

fn head(found: Found, part: Part, with_checksums: bool) -> S3Result<HeadObjectOutput> {
    let Found { version, content } = found;
    let checksums = if with_checksums { content.checksums } else { StoredChecksums::default() };
    let headers = content.headers;
    Ok(HeadObjectOutput {
        accept_ranges: Some("bytes".to_owned()),
        cache_control: headers.cache_control,
        checksum_crc32: checksums.crc32,
        checksum_crc32c: checksums.crc32c,
        checksum_crc64nvme: checksums.crc64nvme,
        checksum_sha1: checksums.sha1,
        checksum_sha256: checksums.sha256,
        checksum_type: with_checksums.then(|| ChecksumType::from_static(ChecksumType::FULL_OBJECT)),
        content_disposition: headers.content_disposition,
        content_encoding: headers.content_encoding,
        content_language: headers.content_language,
        content_length: Some(i64::try_from(part.length_bytes).map_err(S3Error::internal_error)?),
        content_range: part.content_range,
        content_type: headers.content_type,
        e_tag: Some(ETag::Strong(content.e_tag)),
        expires: headers.expires_seconds.map(|seconds| clock::from_milliseconds(seconds * 1000).into()),
        last_modified: Some(last_modified(&version)),
        metadata: metadata(&headers.metadata),
        server_side_encryption: Some(ServerSideEncryption::from_static(ServerSideEncryption::AES256)),
        version_id: (version.version_id != NULL_VERSION).then_some(version.version_id),
        ..HeadObjectOutput::default()
    })
}

/// HTTP dates have whole seconds.
pub(super) fn last_modified(version: &Version) -> Timestamp {
    clock::from_milliseconds(version.last_modified_ms).into()
}
