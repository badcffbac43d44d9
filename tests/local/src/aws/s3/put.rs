//! `PutObject`, and how any object becomes visible: in one transaction with the messages that announce it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use http::HeaderMap;
use rusqlite::Transaction;
use s3s::dto::{ChecksumType, ETag, PutObjectInput, PutObjectOutput, ServerSideEncryption, Timestamp};
use s3s::{S3Error, S3ErrorCode, S3Request, S3Result};
use time::OffsetDateTime;

use super::State;
use super::access::{CallContext, context_of, no_such_bucket};
use super::checksums::{Algorithm, Checksums, checksums};
use super::conditions::WriteConditions;
use super::conflicts::Watch;
use super::events::{self, EventName};
use super::files::Unpublished;
use super::index::{self, Content, NULL_VERSION, NewVersion, StoredHeaders, Version};
use super::receive::{Declared, IncomingBody, Received};
use crate::aws::clock;
use crate::aws::queues::QueueError;
use crate::stack::{Bucket, Queue};

/// What S3 gives objects that come without one.
pub(super) const DEFAULT_CONTENT_TYPE: &str = "binary/octet-stream";

/// An object that is complete but not visible yet.
pub(super) struct Candidate {
    pub(super) file: Unpublished,
    pub(super) content: Content,
}

impl Candidate {
    /// An object that came in one request.
    pub(super) fn of(received: Received, headers: StoredHeaders) -> Candidate {
        let Received { file, size_bytes, e_tag, checksums } = received;
        let segments = file.segments().to_vec();
        let content = Content { segments, parts: Vec::new(), size_bytes, e_tag, checksums, headers };
        Candidate { file, content }
    }
}

/// What a write is about to make the latest version.
pub(super) struct NewObject {
    pub(super) content: Content,
    pub(super) last_modified_ms: i64,
    /// The multipart upload that it was.
    pub(super) upload_id: Option<String>,
}

impl State {
    pub(super) async fn put_object(
        self: &Arc<Self>,
        mut request: S3Request<PutObjectInput>,
    ) -> S3Result<PutObjectOutput> {
        let call = context_of(&request.extensions)?;
        let trailers = request.trailing_headers.take();
        let mut input = request.input;
        let conditions =
            WriteConditions { if_match: input.if_match.take(), if_none_match: input.if_none_match.take() };
        conditions.check_supported()?;
        let watch = conditions.is_some().then(|| self.conflicts.watch(&input.bucket, &input.key));
        let body = IncomingBody::of(input.body.take(), input.content_length, trailers)?;
        let candidate = self.receive_object(&mut input, &request.headers, body).await?;
        let (bucket, key) = (input.bucket, input.key);
        let version = self.publish(&call, &bucket, &key, candidate, EventName::Put, |latest| {
            watch.as_ref().map_or(Ok(()), Watch::judge)?;
            conditions.judge(latest)
        })?;
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

    /// Receives the object of one request. `headers` are those that may announce a trailer.
    pub(super) async fn receive_object(
        &self,
        input: &mut PutObjectInput,
        headers: &HeaderMap,
        body: IncomingBody,
    ) -> S3Result<Candidate> {
        let declared = Declared::of(checksums!(input), headers, input.content_md5.as_deref())?;
        let default = declared.algorithm().is_none().then_some(Algorithm::Crc64Nvme);
        let received = self.receive(body, &declared, default).await?;
        Ok(Candidate::of(received, stored_headers!(input)))
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
        let Candidate { file, content } = candidate;
        let version = self.write(call, bucket, key, event, |_, latest| {
            judge(latest)?;
            Ok(NewObject { content, last_modified_ms: clock::now_ms(), upload_id: None })
        })?;
        file.publish();
        Ok(version)
    }

    /// Adds the object that `prepare` finds, and announces it, in the one transaction that `prepare` is part of.
    pub(super) fn write(
        &self,
        call: &CallContext,
        bucket: &str,
        key: &str,
        event: EventName,
        prepare: impl FnOnce(&Transaction<'_>, Option<&Version>) -> Result<NewObject, Failure>,
    ) -> S3Result<Version> {
        let installed = call.installed();
        let bucket: &Bucket = installed.bucket(bucket).ok_or_else(no_such_bucket)?;
        let region = installed.region().unwrap_or_default();
        let written = self.database.transaction(|transaction| {
            let latest = index::latest(transaction, &bucket.name, key)?;
            let NewObject { content, last_modified_ms, upload_id } = prepare(transaction, latest.as_ref())?;
            let new = NewVersion {
                bucket: bucket.name.clone(),
                key: key.to_owned(),
                versioned: bucket.versioned,
                last_modified_ms,
                upload_id,
                content: Some(content.clone()),
            };
            let inserted = index::insert(transaction, &new)?;
            let messages = events::messages(bucket, event, &inserted.version, &content, call, region);
            for (queue_arn, body) in &messages {
                self.announce(transaction, installed.existing_queue(queue_arn)?, body)?;
            }
            Ok::<_, Failure>((inserted, messages))
        });
        let (inserted, messages) = written?;
        self.files.remove(&inserted.replaced);
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

impl From<S3Error> for Failure {
    fn from(error: S3Error) -> Failure {
        Failure::Refused(error)
    }
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

/// Takes out of a request what is stored with an object. The inputs that have it are types of their own.
macro_rules! stored_headers {
    ($input:expr) => {
        StoredHeaders {
            cache_control: $input.cache_control.take(),
            content_disposition: $input.content_disposition.take(),
            content_encoding: $input
                .content_encoding
                .take()
                .and_then(|encoding| $crate::aws::s3::put::without_aws_chunked(&encoding)),
            content_language: $input.content_language.take(),
            content_type: Some(
                $input
                    .content_type
                    .take()
                    .unwrap_or_else(|| $crate::aws::s3::put::DEFAULT_CONTENT_TYPE.to_owned()),
            ),
            expires_seconds: $input.expires.take().map($crate::aws::s3::put::seconds),
            metadata: $input
                .metadata
                .take()
                .map(|metadata| metadata.into_iter().collect())
                .unwrap_or_default(),
        }
    };
}
pub(super) use stored_headers;

/// `aws-chunked` frames the transfer and is not part of the object.
pub(super) fn without_aws_chunked(encoding: &str) -> Option<String> {
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
