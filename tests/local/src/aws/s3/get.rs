//! `GetObject` and `HeadObject`, and what they have in common with a copy's source.

use std::sync::Arc;

use http::{HeaderMap, HeaderValue, StatusCode};
use s3s::dto::{
    ChecksumMode, ETag, GetObjectInput, GetObjectOutput, HeadObjectInput, HeadObjectOutput, Range,
    ServerSideEncryption, StreamingBlob, Timestamp, TimestampFormat,
};
use s3s::{S3Error, S3ErrorCode, S3Request, S3Result};

use super::State;
use super::access::{CallContext, context_of, not_implemented};
use super::checksums::Checksums;
use super::conditions::{ReadConditions, ReadOutcome, precondition_failed, range_applies};
use super::files::{Lease, Reader, slice};
use super::index::{self, Content, NULL_VERSION, Version};
use super::multipart::check_part_number;
use super::put::metadata;
use crate::aws::clock;

/// An object that is there.
pub(super) struct Found {
    pub(super) version: Version,
    pub(super) content: Content,
}

/// The bytes that are asked for.
struct Selection {
    first: u64,
    length_bytes: u64,
    /// `Content-Range`, where a range or a part was asked for.
    content_range: Option<String>,
    /// The checksums of these very bytes.
    checksums: Checksums,
    /// How many parts the object has, where a part was asked for.
    parts_count: Option<i32>,
}

impl State {
    pub(super) async fn get_object(
        self: &Arc<Self>,
        request: S3Request<GetObjectInput>,
    ) -> S3Result<GetObjectOutput> {
        let call = context_of(&request.extensions)?;
        let (input, headers) = (request.input, request.headers);
        let conditions = ReadConditions {
            if_match: input.if_match,
            if_none_match: input.if_none_match,
            if_modified_since: input.if_modified_since,
            if_unmodified_since: input.if_unmodified_since,
        };
        let (found, lease) =
            self.find_to_read(&call, &input.bucket, &input.key, input.version_id.as_deref())?;
        check(&conditions, &found)?;
        let selection = select(input.range, input.part_number, &headers, &found)?;
        let segments = slice(&found.content.segments, selection.first, selection.length_bytes);
        let reader = Reader::open(lease, segments).await.map_err(S3Error::internal_error)?;
        let head = head(found, selection, wants_checksums(input.checksum_mode.as_ref()))?;
        Ok(GetObjectOutput {
            body: Some(StreamingBlob::wrap(reader.stream())),
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
            parts_count: head.parts_count,
            server_side_encryption: head.server_side_encryption,
            version_id: head.version_id,
            ..GetObjectOutput::default()
        })
    }

    pub(super) fn head_object(&self, request: S3Request<HeadObjectInput>) -> S3Result<HeadObjectOutput> {
        let call = context_of(&request.extensions)?;
        let (input, headers) = (request.input, request.headers);
        let conditions = ReadConditions {
            if_match: input.if_match,
            if_none_match: input.if_none_match,
            if_modified_since: input.if_modified_since,
            if_unmodified_since: input.if_unmodified_since,
        };
        let found = self.find(&call, &input.bucket, &input.key, input.version_id.as_deref())?;
        check(&conditions, &found)?;
        let selection = select(input.range, input.part_number, &headers, &found)?;
        let head = head(found, selection, wants_checksums(input.checksum_mode.as_ref()))?;
        // s3s lets the request override the headers of a GET, and leaves those of a HEAD.
        Ok(HeadObjectOutput {
            cache_control: input.response_cache_control.or(head.cache_control),
            content_disposition: input.response_content_disposition.or(head.content_disposition),
            content_encoding: input.response_content_encoding.or(head.content_encoding),
            content_language: input.response_content_language.or(head.content_language),
            content_type: input.response_content_type.or(head.content_type),
            expires: input.response_expires.or(head.expires),
            ..head
        })
    }

    /// Looks an object up. What is missing is told as S3 tells it.
    pub(super) fn find(
        &self,
        call: &CallContext,
        bucket: &str,
        key: &str,
        version_id: Option<&str>,
    ) -> S3Result<Found> {
        self.find_to_read(call, bucket, key, version_id).map(|(found, _)| found)
    }

    /// Looks an object up, and keeps its files until they are opened.
    pub(super) fn find_to_read(
        &self,
        call: &CallContext,
        bucket: &str,
        key: &str,
        version_id: Option<&str>,
    ) -> S3Result<(Found, Lease)> {
        if version_id.is_some_and(|version_id| !index::is_version_id(version_id)) {
            return Err(S3Error::with_message(S3ErrorCode::InvalidArgument, "Invalid version id specified"));
        }
        let (version, lease) = self
            .database
            .transaction(|transaction| {
                let version = match version_id {
                    Some(version_id) => index::version(transaction, bucket, key, version_id),
                    None => index::latest(transaction, bucket, key),
                }?;
                let content = version.as_ref().and_then(|version| version.content.as_ref());
                let lease = self.files.lease(content.map_or(&[], |content| &content.segments));
                Ok((version, lease))
            })
            .map_err(|error: rusqlite::Error| S3Error::internal_error(error))?;
        let missing = if version_id.is_some() { S3ErrorCode::NoSuchVersion } else { S3ErrorCode::NoSuchKey };
        let mut version = version.ok_or_else(|| self.missing(call, bucket, missing))?;
        match version.content.take() {
            Some(content) => Ok((Found { version, content }, lease)),
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

fn select(
    range: Option<Range>,
    part_number: Option<i32>,
    headers: &HeaderMap,
    found: &Found,
) -> S3Result<Selection> {
    let content = &found.content;
    match (range, part_number) {
        (Some(_), Some(_)) => Err(S3Error::with_message(
            S3ErrorCode::InvalidRequest,
            "Cannot specify both Range header and partNumber query parameter",
        )),
        (Some(range), None) if range_applies(headers, &content.e_tag, &last_modified(&found.version)) => {
            select_range(range, content.size_bytes)
        }
        (None, Some(part_number)) => select_part(part_number, content),
        (_, None) => Ok(Selection {
            first: 0,
            length_bytes: content.size_bytes,
            content_range: None,
            checksums: content.checksums.clone(),
            parts_count: None,
        }),
    }
}

fn select_range(range: Range, size_bytes: u64) -> S3Result<Selection> {
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
    Ok(Selection {
        first,
        length_bytes: end - first,
        content_range: content_range(first, end - first, size_bytes),
        checksums: Checksums::default(),
        parts_count: None,
    })
}

/// The bytes of one part. An object that came in one request is its own part 1.
fn select_part(part_number: i32, content: &Content) -> S3Result<Selection> {
    let index = part_index(part_number)?;
    if content.parts.is_empty() && index == 0 {
        return Ok(Selection {
            first: 0,
            length_bytes: content.size_bytes,
            content_range: content_range(0, content.size_bytes, content.size_bytes),
            checksums: content.checksums.clone(),
            parts_count: None,
        });
    }
    let Some(part) = content.parts.get(index) else {
        let code = S3ErrorCode::Custom("InvalidPartNumber".into());
        let mut error = S3Error::with_message(code, "The requested partnumber is not satisfiable");
        error.set_status_code(StatusCode::RANGE_NOT_SATISFIABLE);
        return Err(error);
    };
    let first = content.parts[..index].iter().map(|part| part.size_bytes).sum();
    Ok(Selection {
        first,
        length_bytes: part.size_bytes,
        content_range: content_range(first, part.size_bytes, content.size_bytes),
        checksums: part.checksums.clone(),
        parts_count: i32::try_from(content.parts.len()).ok(),
    })
}

/// Which of an object's parts a part number means.
fn part_index(part_number: i32) -> S3Result<usize> {
    let number = check_part_number(part_number)?;
    usize::try_from(number - 1).map_err(S3Error::internal_error)
}

/// `None` where there are no bytes, which no range can express.
fn content_range(first: u64, length_bytes: u64, size_bytes: u64) -> Option<String> {
    let last = (first + length_bytes).checked_sub(1).filter(|_| length_bytes > 0)?;
    Some(format!("bytes {first}-{last}/{size_bytes}"))
}

fn head(found: Found, selection: Selection, with_checksums: bool) -> S3Result<HeadObjectOutput> {
    let Found { version, content } = found;
    let checksum_type = content.checksums.checksum_type();
    let checksums = if with_checksums { selection.checksums } else { Checksums::default() };
    let has_checksum = checksums.iter().next().is_some();
    let headers = content.headers;
    Ok(HeadObjectOutput {
        accept_ranges: Some("bytes".to_owned()),
        cache_control: headers.cache_control,
        checksum_crc32: checksums.crc32,
        checksum_crc32c: checksums.crc32c,
        checksum_crc64nvme: checksums.crc64nvme,
        checksum_sha1: checksums.sha1,
        checksum_sha256: checksums.sha256,
        checksum_type: has_checksum.then(|| checksum_type.dto()),
        content_disposition: headers.content_disposition,
        content_encoding: headers.content_encoding,
        content_language: headers.content_language,
        content_length: Some(i64::try_from(selection.length_bytes).map_err(S3Error::internal_error)?),
        content_range: selection.content_range,
        content_type: headers.content_type,
        e_tag: Some(ETag::Strong(content.e_tag)),
        expires: headers.expires_seconds.map(|seconds| clock::from_milliseconds(seconds * 1000).into()),
        last_modified: Some(last_modified(&version)),
        metadata: metadata(&headers.metadata),
        parts_count: selection.parts_count,
        server_side_encryption: Some(ServerSideEncryption::from_static(ServerSideEncryption::AES256)),
        version_id: (version.version_id != NULL_VERSION).then_some(version.version_id),
        ..HeadObjectOutput::default()
    })
}

/// HTTP dates have whole seconds.
pub(super) fn last_modified(version: &Version) -> Timestamp {
    clock::from_milliseconds(version.last_modified_ms).into()
}
