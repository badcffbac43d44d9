//! `PutObject`: receives bytes, verifies what was declared about them, and publishes the object in one transaction.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use futures::StreamExt;
use http::StatusCode;
use rusqlite::Transaction;
use s3s::checksum::ChecksumHasher;
use s3s::crypto::{Checksum as _, Crc32, Crc32c, Crc64Nvme, Md5, Sha1, Sha256};
use s3s::dto::{
    Checksum, ChecksumType, ETag, PutObjectInput, PutObjectOutput, ServerSideEncryption, StreamingBlob,
    Timestamp,
};
use s3s::{S3Error, S3ErrorCode, S3Request, S3Result, StdError, TrailingHeaders};
use time::OffsetDateTime;

use super::State;
use super::access::{CallContext, context_of, no_such_bucket, not_implemented};
use super::conditions::WriteConditions;
use super::events::{self, EventName};
use super::files::Unpublished;
use super::index::{self, Content, NULL_VERSION, NewVersion, StoredChecksums, StoredHeaders, Version};
use crate::aws::queues::QueueError;
use crate::aws::signature::hex;
use crate::stack::{Bucket, Queue};

/// The largest object of one PUT, and of one copy: 5 GiB.
pub(super) const MAXIMUM_OBJECT_BYTES: u64 = 5 * 1024 * 1024 * 1024;

/// What S3 gives objects that come without one.
const DEFAULT_CONTENT_TYPE: &str = "binary/octet-stream";

/// An object that is complete but not visible yet.
pub(super) struct Candidate {
    pub(super) file: Unpublished,
    pub(super) content: Content,
}

impl State {
    pub(super) async fn put_object(
        self: &Arc<Self>,
        mut request: S3Request<PutObjectInput>,
    ) -> S3Result<PutObjectOutput> {
        let call = context_of(&request.extensions)?;
        let trailer =
            request.headers.get("x-amz-trailer").and_then(|name| name.to_str().ok()).map(str::to_owned);
        let trailers = request.trailing_headers.take();
        let mut input = request.input;
        let conditions =
            WriteConditions { if_match: input.if_match.take(), if_none_match: input.if_none_match.take() };
        conditions.check_supported()?;
        let declared = Declared::of(&input, trailer.as_deref())?;
        let length = input
            .content_length
            .and_then(|length| u64::try_from(length).ok())
            .ok_or(S3ErrorCode::MissingContentLength)?;
        if length > MAXIMUM_OBJECT_BYTES {
            let message = "Your proposed upload exceeds the maximum allowed size";
            return Err(S3Error::with_message(S3ErrorCode::EntityTooLarge, message));
        }
        let body = input.body.take().ok_or(S3ErrorCode::MissingContentLength)?;
        let headers = stored_headers(&mut input);
        let candidate = self.receive(body, Some(length), declared, trailers, headers).await?;
        let (bucket, key) = (input.bucket, input.key);
        let version =
            self.publish(&call, &bucket, &key, candidate, EventName::Put, |latest| conditions.judge(latest))?;
        let content = version.content.ok_or(S3ErrorCode::InternalError)?;
        Ok(PutObjectOutput {
            e_tag: Some(ETag::Strong(content.e_tag)),
            checksum_crc32: content.checksums.crc32,
            checksum_crc32c: content.checksums.crc32c,
            checksum_crc64nvme: content.checksums.crc64nvme,
            checksum_sha1: content.checksums.sha1,
            checksum_sha256: content.checksums.sha256,
            checksum_type: Some(ChecksumType::from_static(ChecksumType::FULL_OBJECT)),
            server_side_encryption: Some(ServerSideEncryption::from_static(ServerSideEncryption::AES256)),
            version_id: (version.version_id != NULL_VERSION).then_some(version.version_id),
            ..PutObjectOutput::default()
        })
    }

    /// Receives what a form uploads. Only the form's own end tells how long that is.
    pub(super) async fn receive_form(&self, mut input: PutObjectInput) -> S3Result<Candidate> {
        let declared = Declared::of(&input, None)?;
        let body = input.body.take().ok_or(S3ErrorCode::InternalError)?;
        let headers = stored_headers(&mut input);
        self.receive(body, None, declared, None, headers).await
    }

    /// Streams a body into a file, hashing on the way. Whatever is wrong with it, the file is gone again. `length` is
    /// `None` where nothing tells it in advance.
    async fn receive(
        &self,
        mut body: StreamingBlob,
        length: Option<u64>,
        declared: Declared,
        trailers: Option<TrailingHeaders>,
        headers: StoredHeaders,
    ) -> S3Result<Candidate> {
        let mut file = self.files.create().await.map_err(S3Error::internal_error)?;
        let (mut hasher, mut md5, mut size_bytes) = (declared.hasher(), Md5::new(), 0_u64);
        while let Some(chunk) = body.next().await {
            let chunk = chunk.map_err(|error| stream_error(&error))?;
            size_bytes += chunk.len() as u64;
            if length.is_some_and(|length| size_bytes > length) {
                return Err(S3ErrorCode::IncompleteBody.into());
            }
            hasher.update(&chunk);
            md5.update(&chunk);
            file.write(&chunk).await.map_err(S3Error::internal_error)?;
        }
        if length.is_some_and(|length| size_bytes != length) {
            let message =
                "You did not provide the number of bytes specified by the Content-Length HTTP header";
            return Err(S3Error::with_message(S3ErrorCode::IncompleteBody, message));
        }
        let md5 = md5.finalize();
        let checksums = declared.verify(&hasher.finalize(), md5.as_ref(), trailers.as_ref())?;
        let file = file.finish().await.map_err(S3Error::internal_error)?;
        let content = Content {
            file: file.name().to_owned(),
            size_bytes,
            e_tag: hex(md5.as_ref()),
            checksums,
            headers,
        };
        Ok(Candidate { file, content })
    }

    /// Makes an object visible and announces it: one transaction, in which `judge` may still refuse it on sight of the
    /// latest version.
    pub(super) fn publish(
        &self,
        call: &CallContext,
        bucket: &str,
        key: &str,
        candidate: Candidate,
        event: EventName,
        judge: impl FnOnce(Option<&Version>) -> S3Result<()>,
    ) -> S3Result<Version> {
        let installed = call.installed();
        let bucket: &Bucket = installed.bucket(bucket).ok_or_else(no_such_bucket)?;
        let region = installed.region().unwrap_or_default();
        let published = self.database.transaction(|transaction| {
            judge(index::latest(transaction, &bucket.name, key)?.as_ref()).map_err(Failure::Refused)?;
            let new = NewVersion {
                bucket: bucket.name.clone(),
                key: key.to_owned(),
                versioned: bucket.versioned,
                content: Some(candidate.content.clone()),
            };
            let inserted = index::insert(transaction, &new)?;
            let messages =
                events::messages(bucket, event, &inserted.version, &candidate.content, call, region);
            for (queue_arn, body) in &messages {
                self.announce(transaction, installed.existing_queue(queue_arn)?, body)?;
            }
            Ok::<_, Failure>((inserted, messages))
        });
        let (inserted, messages) = published?;
        candidate.file.publish();
        if let Some(replaced) = inserted.replaced_file {
            self.files.remove(&replaced);
        }
        for (queue_arn, _) in messages {
            self.queues.wake(&queue_arn);
        }
        Ok(inserted.version)
    }

    /// Sends an event. One that the queue does not take is lost, as on AWS: the object is there all the same.
    fn announce(&self, transaction: &Transaction<'_>, queue: &Queue, body: &str) -> Result<(), QueueError> {
        match self.queues.enqueue(transaction, queue, body, "s3.amazonaws.com", Duration::ZERO) {
            Err(error @ QueueError::MessageTooLong { .. }) => {
                tracing::error!(queue = queue.name, %error, "an event was lost");
                Ok(())
            }
            sent => sent.map(|_| ()),
        }
    }
}

/// Why a transaction on the index ends without effect.
pub(super) enum Failure {
    Refused(S3Error),
    Event(QueueError),
    Database(rusqlite::Error),
}

impl From<rusqlite::Error> for Failure {
    fn from(error: rusqlite::Error) -> Failure {
        Failure::Database(error)
    }
}

impl From<QueueError> for Failure {
    fn from(error: QueueError) -> Failure {
        Failure::Event(error)
    }
}

impl From<Failure> for S3Error {
    fn from(failure: Failure) -> S3Error {
        match failure {
            Failure::Refused(error) => error,
            Failure::Event(error) => S3Error::internal_error(error),
            Failure::Database(error) => S3Error::internal_error(error),
        }
    }
}

/// What the writer says about the bytes.
struct Declared {
    checksums: StoredChecksums,
    /// The algorithm whose value follows the body.
    trailer: Option<String>,
    md5: Option<Vec<u8>>,
}

impl Declared {
    fn of(input: &PutObjectInput, trailer: Option<&str>) -> S3Result<Declared> {
        let checksums = StoredChecksums {
            crc32: input.checksum_crc32.clone(),
            crc32c: input.checksum_crc32c.clone(),
            crc64nvme: input.checksum_crc64nvme.clone(),
            sha1: input.checksum_sha1.clone(),
            sha256: input.checksum_sha256.clone(),
        };
        let trailer = trailer.map(|name| name.trim().to_ascii_lowercase());
        let trailer = match trailer {
            None => None,
            Some(name) => match name.strip_prefix("x-amz-checksum-") {
                Some(algorithm @ ("crc32" | "crc32c" | "crc64nvme" | "sha1" | "sha256")) => {
                    Some(algorithm.to_owned())
                }
                _ => return Err(not_implemented(&format!("The trailer {name}"))),
            },
        };
        let mut count = usize::from(trailer.is_some());
        for (algorithm, value, bytes) in named(&checksums) {
            let Some(value) = value else { continue };
            count += 1;
            if !STANDARD.decode(value).is_ok_and(|decoded| decoded.len() == bytes) {
                let message = format!("Value for x-amz-checksum-{algorithm} header is invalid.");
                return Err(S3Error::with_message(S3ErrorCode::InvalidRequest, message));
            }
        }
        if count > 1 {
            let message =
                "Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed.";
            return Err(S3Error::with_message(S3ErrorCode::InvalidRequest, message));
        }
        let md5 = match &input.content_md5 {
            None => None,
            Some(text) => match STANDARD.decode(text) {
                Ok(md5) if md5.len() == 16 => Some(md5),
                _ => return Err(S3ErrorCode::InvalidDigest.into()),
            },
        };
        Ok(Declared { checksums, trailer, md5 })
    }

    fn names(&self, algorithm: &str) -> bool {
        self.trailer.as_deref() == Some(algorithm)
            || named(&self.checksums).iter().any(|(name, value, _)| *name == algorithm && value.is_some())
    }

    /// Hashes what is declared; where nothing is, S3's own default.
    fn hasher(&self) -> ChecksumHasher {
        let declared = ["crc32", "crc32c", "sha1", "sha256"].iter().any(|algorithm| self.names(algorithm));
        ChecksumHasher {
            crc32: self.names("crc32").then(Crc32::new),
            crc32c: self.names("crc32c").then(Crc32c::new),
            crc64nvme: (!declared).then(Crc64Nvme::new),
            sha1: self.names("sha1").then(Sha1::new),
            sha256: self.names("sha256").then(Sha256::new),
        }
    }

    /// Compares with what has been received; returns what is stored.
    fn verify(
        &self,
        received: &Checksum,
        md5: &[u8],
        trailers: Option<&TrailingHeaders>,
    ) -> S3Result<StoredChecksums> {
        let received = stored_checksums(received);
        for ((algorithm, declared, _), (_, calculated, _)) in
            named(&self.checksums).into_iter().zip(named(&received))
        {
            if declared.is_some() && declared != calculated {
                return Err(bad_digest(algorithm));
            }
        }
        if let Some(algorithm) = &self.trailer {
            let header = format!("x-amz-checksum-{algorithm}");
            let declared = trailers
                .and_then(|trailers| trailers.read(|headers| headers.get(&header).cloned()))
                .flatten()
                .ok_or_else(|| {
                    bad_request(
                        "MalformedTrailerError",
                        "The request contained trailing data that was not well-formed",
                    )
                })?;
            let calculated = named(&received).into_iter().find(|(name, ..)| name == algorithm);
            if calculated.and_then(|(_, value, _)| value).map(String::as_bytes) != Some(declared.as_bytes()) {
                return Err(bad_digest(algorithm));
            }
        }
        if self.md5.as_deref().is_some_and(|declared| declared != md5) {
            let message = "The Content-MD5 you specified did not match what we received.";
            return Err(S3Error::with_message(S3ErrorCode::BadDigest, message));
        }
        Ok(received)
    }
}

/// Each algorithm's name, value and length in bytes.
fn named(checksums: &StoredChecksums) -> [(&'static str, Option<&String>, usize); 5] {
    [
        ("crc32", checksums.crc32.as_ref(), 4),
        ("crc32c", checksums.crc32c.as_ref(), 4),
        ("crc64nvme", checksums.crc64nvme.as_ref(), 8),
        ("sha1", checksums.sha1.as_ref(), 20),
        ("sha256", checksums.sha256.as_ref(), 32),
    ]
}

fn stored_checksums(checksum: &Checksum) -> StoredChecksums {
    StoredChecksums {
        crc32: checksum.checksum_crc32.clone(),
        crc32c: checksum.checksum_crc32c.clone(),
        crc64nvme: checksum.checksum_crc64nvme.clone(),
        sha1: checksum.checksum_sha1.clone(),
        sha256: checksum.checksum_sha256.clone(),
    }
}

/// A code that s3s does not know.
fn bad_request(code: &'static str, message: &'static str) -> S3Error {
    let mut error = S3Error::with_message(S3ErrorCode::Custom(code.into()), message);
    error.set_status_code(StatusCode::BAD_REQUEST);
    error
}

fn bad_digest(algorithm: &str) -> S3Error {
    let name = algorithm.to_uppercase();
    let message = format!("The {name} you specified did not match the calculated checksum.");
    S3Error::with_message(S3ErrorCode::BadDigest, message)
}

/// s3s verifies payload hashes and chunk signatures while the body is read; its error types are its own.
fn stream_error(error: &StdError) -> S3Error {
    let text = error.to_string();
    if text.contains("Sha256Mismatch") {
        let message = "The provided 'x-amz-content-sha256' header does not match what was computed.";
        return bad_request("XAmzContentSHA256Mismatch", message);
    }
    if text.contains("SignatureMismatch") {
        return S3ErrorCode::SignatureDoesNotMatch.into();
    }
    S3Error::with_message(S3ErrorCode::IncompleteBody, text)
}

fn stored_headers(input: &mut PutObjectInput) -> StoredHeaders {
    StoredHeaders {
        cache_control: input.cache_control.take(),
        content_disposition: input.content_disposition.take(),
        content_encoding: input.content_encoding.take().and_then(|encoding| without_aws_chunked(&encoding)),
        content_language: input.content_language.take(),
        content_type: Some(input.content_type.take().unwrap_or_else(|| DEFAULT_CONTENT_TYPE.to_owned())),
        expires_seconds: input.expires.take().map(seconds),
        metadata: input.metadata.take().map(|metadata| metadata.into_iter().collect()).unwrap_or_default(),
    }
}

/// `aws-chunked` frames the transfer and is not part of the object.
fn without_aws_chunked(encoding: &str) -> Option<String> {
    let codings: Vec<&str> =
        encoding.split(',').map(str::trim).filter(|coding| *coding != "aws-chunked").collect();
    (!codings.is_empty()).then(|| codings.join(","))
}

/// Seconds since 1970.
pub(super) fn seconds(timestamp: Timestamp) -> i64 {
    OffsetDateTime::from(timestamp).unix_timestamp()
}

/// User metadata as s3s wants it.
pub(super) fn metadata(stored: &BTreeMap<String, String>) -> Option<s3s::dto::Metadata> {
    (!stored.is_empty()).then(|| stored.clone().into_iter().collect())
}
