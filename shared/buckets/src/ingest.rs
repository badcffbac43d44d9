//! The ingest bucket, as seen by the functions' own roles: what arrived, and what is stored in a client's place.

use std::ops::Range;
use std::str::FromStr;
use std::time::Duration;

use aws_sdk_s3::Client;
use aws_sdk_s3::error::SdkError;
use aws_sdk_s3::operation::head_object::{HeadObjectError, HeadObjectOutput};
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::ChecksumMode;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_types::SdkConfig;
use bytes::{Bytes, BytesMut};
use domain::{
    Invalid, ObjectHead, ObjectVersion, PartNumber, Sha256Checksum, SourceKey, UploadContentType,
    UploadedPart,
};
use probe::ByteSource;

use crate::error::BucketError;
use crate::multipart::{Completed, Multipart, object_version};

const HEAD_OBJECT: &str = "HeadObject";

/// How often an object is put while S3 says that another request for its key is in the way.
const PUT_ATTEMPTS: usize = 4;

/// How long to wait before the next attempt.
const CONFLICT_PAUSE: Duration = Duration::from_millis(100);

/// How many versions of an object one call deletes.
const MAX_DELETED_VERSIONS: usize = 100;

/// How putting an object ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PutOutcome {
    /// It is stored.
    Stored,
    /// There is an object under this key.
    Exists,
}

/// How deleting the versions of an object, or the objects of a media, ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deletion {
    /// None is left.
    Complete,
    /// Some may be left: call again.
    Partial,
}

/// The latest of what is under a key.
enum Current {
    Object(ObjectVersion, Box<HeadObjectOutput>),
    /// A delete marker with this version id. Objects may be under it.
    DeleteMarker(String),
    Nothing,
}

/// The ingest bucket.
#[derive(Clone, Debug)]
pub struct IngestBucket {
    client: Client,
    name: String,
}

impl IngestBucket {
    /// The bucket of this name.
    pub fn new(configuration: &SdkConfig, name: impl Into<String>) -> Self {
        Self { client: Client::from_conf(s3_configuration(configuration).build()), name: name.into() }
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What S3 says of one version of an object; `None` if it is not there.
    pub async fn head(
        &self,
        key: &SourceKey,
        version: &ObjectVersion,
    ) -> Result<Option<ObjectHead>, BucketError> {
        match self.head_object(key, Some(&version.version_id)).await {
            Ok(head) => object_head(&head).map(Some),
            Err(error) => match BucketError::of(HEAD_OBJECT, &error) {
                BucketError::Missing { .. } => Ok(None),
                error => Err(error),
            },
        }
    }

    /// The current version of an object, and what S3 says of it; `None` if there is none, or if it was deleted.
    pub async fn head_current(
        &self,
        key: &SourceKey,
    ) -> Result<Option<(ObjectVersion, ObjectHead)>, BucketError> {
        match self.current(key).await? {
            Current::Object(version, head) => Ok(Some((version, object_head(&head)?))),
            Current::DeleteMarker(_) | Current::Nothing => Ok(None),
        }
    }

    async fn current(&self, key: &SourceKey) -> Result<Current, BucketError> {
        match self.head_object(key, None).await {
            Ok(head) => {
                let version = object_version(head.version_id.clone(), head.e_tag.clone());
                let version = version.ok_or_else(|| BucketError::unreadable(HEAD_OBJECT, "version"))?;
                Ok(Current::Object(version, Box::new(head)))
            }
            Err(error) => match BucketError::of(HEAD_OBJECT, &error) {
                BucketError::Missing { .. } => Ok(delete_marker(&error).unwrap_or(Current::Nothing)),
                error => Err(error),
            },
        }
    }

    async fn head_object(
        &self,
        key: &SourceKey,
        version_id: Option<&str>,
    ) -> Result<HeadObjectOutput, SdkError<HeadObjectError, HttpResponse>> {
        self.client
            .head_object()
            .bucket(&self.name)
            .key(key.to_string())
            .set_version_id(version_id.map(str::to_owned))
            .checksum_mode(ChecksumMode::Enabled)
            .send()
            .await
    }

    /// One version of an object as a source of ranges.
    pub fn source(&self, key: &SourceKey, version: &ObjectVersion, size_bytes: u64) -> S3Source {
        S3Source {
            client: self.client.clone(),
            bucket: self.name.clone(),
            key: key.to_string(),
            version: version.clone(),
            size_bytes,
        }
    }

    /// Stores an object in one piece, unless there is one under its key. That may be this very one: the answer to a
    /// first try may have been lost.
    pub async fn put(
        &self,
        key: &SourceKey,
        content_type: &UploadContentType,
        bytes: Bytes,
        sha256: &Sha256Checksum,
    ) -> Result<PutOutcome, BucketError> {
        const OPERATION: &str = "PutObject";
        let mut attempts = 1..PUT_ATTEMPTS;
        loop {
            let put = self
                .client
                .put_object()
                .bucket(&self.name)
                .key(key.to_string())
                .content_type(content_type.as_str())
                .checksum_sha256(sha256.as_str())
                .if_none_match("*")
                .body(ByteStream::from(bytes.clone()));
            let Err(error) = put.send().await else { return Ok(PutOutcome::Stored) };
            let status = error.raw_response().map(|response| response.status().as_u16());
            match status {
                Some(412) => return Ok(PutOutcome::Exists),
                Some(409) if attempts.next().is_some() => tokio::time::sleep(CONFLICT_PAUSE).await,
                _ => return Err(BucketError::of(OPERATION, &error)),
            }
        }
    }

    /// Begins a multipart upload; answers S3's id of it. No checksum algorithm is declared, because S3 would then
    /// refuse parts that come without one; it computes a CRC-64/NVME of the whole object by itself.
    pub async fn create_multipart(
        &self,
        key: &SourceKey,
        content_type: &UploadContentType,
    ) -> Result<String, BucketError> {
        const OPERATION: &str = "CreateMultipartUpload";
        let create = self.client.create_multipart_upload().bucket(&self.name).key(key.to_string());
        let answer = create
            .content_type(content_type.as_str())
            .send()
            .await
            .map_err(|error| BucketError::of(OPERATION, &error))?;
        answer.upload_id.ok_or_else(|| BucketError::unreadable(OPERATION, "upload id"))
    }

    /// The parts of a multipart upload that are there, in order; `None` if it has ended.
    pub async fn list_parts(
        &self,
        key: &SourceKey,
        s3_upload_id: &str,
    ) -> Result<Option<Vec<UploadedPart>>, BucketError> {
        self.multipart(&key.to_string(), s3_upload_id).parts().await
    }

    /// Makes one object of the parts of a multipart upload. S3 may take minutes: this waits no longer than `within`.
    ///
    /// No `If-None-Match`: only this upload can write its key, and an answer that was lost would look like a refusal.
    pub async fn complete_multipart(
        &self,
        key: &SourceKey,
        s3_upload_id: &str,
        parts: &[UploadedPart],
        within: Duration,
    ) -> Result<Completed, BucketError> {
        self.multipart(&key.to_string(), s3_upload_id).complete(parts, within).await
    }

    /// Ends a multipart upload and removes its parts; it may have ended already. Parts that are on their way may be
    /// stored all the same: abort it again, or leave them to the bucket's lifecycle rule.
    pub async fn abort_multipart(&self, key: &SourceKey, s3_upload_id: &str) -> Result<(), BucketError> {
        self.multipart(&key.to_string(), s3_upload_id).abort().await
    }

    fn multipart<'a>(&'a self, key: &'a str, s3_upload_id: &'a str) -> Multipart<'a> {
        Multipart { client: &self.client, bucket: &self.name, key, s3_upload_id }
    }

    /// Deletes one version of an object; it may be gone already.
    pub async fn delete_version(&self, key: &SourceKey, version: &ObjectVersion) -> Result<(), BucketError> {
        self.delete_version_id(key, &version.version_id).await
    }

    /// Deletes every version of an object, the latest first, and delete markers with them; at most 100 in one call.
    pub async fn delete_all(&self, key: &SourceKey) -> Result<Deletion, BucketError> {
        for _ in 0..MAX_DELETED_VERSIONS {
            match self.current(key).await? {
                Current::Nothing => return Ok(Deletion::Complete),
                Current::Object(ObjectVersion { version_id, .. }, _) | Current::DeleteMarker(version_id) => {
                    self.delete_version_id(key, &version_id).await?;
                }
            }
        }
        Ok(Deletion::Partial)
    }

    async fn delete_version_id(&self, key: &SourceKey, version_id: &str) -> Result<(), BucketError> {
        let delete = self.client.delete_object().bucket(&self.name).key(key.to_string());
        let deleted = delete.version_id(version_id).send().await;
        deleted.map(drop).map_err(|error| BucketError::of("DeleteObject", &error))
    }

    /// Whether the bucket answers.
    pub async fn check(&self) -> Result<(), BucketError> {
        check(&self.client, &self.name).await
    }
}

fn object_head(head: &HeadObjectOutput) -> Result<ObjectHead, BucketError> {
    let unreadable = |what: &'static str| move || BucketError::unreadable(HEAD_OBJECT, what);
    let size_bytes = head.content_length.and_then(|length| u64::try_from(length).ok());
    Ok(ObjectHead {
        size_bytes: size_bytes.ok_or_else(unreadable("length"))?,
        content_type: head.content_type.clone(),
        checksum_sha256: full_object_checksum(head.checksum_sha256()).map_err(|_| unreadable("SHA-256")())?,
        checksum_crc64nvme: full_object_checksum(head.checksum_crc64_nvme())
            .map_err(|_| unreadable("CRC-64/NVME")())?,
    })
}

/// A checksum of the whole object. One of its parts' checksums ends in their number, `…-3`, and says nothing about the
/// object's bytes that could be compared.
fn full_object_checksum<T: FromStr<Err = Invalid>>(checksum: Option<&str>) -> Result<Option<T>, Invalid> {
    let is_composite = |text: &&str| {
        text.rsplit_once('-').is_some_and(|(_, part_count)| part_count.parse::<PartNumber>().is_ok())
    };
    checksum.filter(|text| !is_composite(text)).map(str::parse).transpose()
}

/// The delete marker that an answer of 404 tells of.
fn delete_marker<E>(error: &SdkError<E, HttpResponse>) -> Option<Current> {
    let headers = error.raw_response()?.headers();
    headers.get("x-amz-delete-marker").filter(|value| *value == "true")?;
    headers.get("x-amz-version-id").map(|version_id| Current::DeleteMarker(version_id.to_owned()))
}

/// One version of an object, read by ranges.
#[derive(Clone, Debug)]
pub struct S3Source {
    client: Client,
    bucket: String,
    key: String,
    version: ObjectVersion,
    size_bytes: u64,
}

impl ByteSource for S3Source {
    type Error = BucketError;

    fn len(&self) -> u64 {
        self.size_bytes
    }

    async fn read_at(&self, range: Range<u64>) -> Result<Bytes, BucketError> {
        const OPERATION: &str = "GetObject";
        if range.is_empty() {
            return Ok(Bytes::new());
        }
        let mut answer = self
            .client
            .get_object()
            .bucket(&self.bucket)
            .key(&self.key)
            .version_id(&self.version.version_id)
            .if_match(format!("\"{}\"", self.version.etag))
            .range(format!("bytes={}-{}", range.start, range.end - 1))
            .send()
            .await
            .map_err(|error| BucketError::of(OPERATION, &error))?;
        let unavailable = |reason: String| BucketError::Unavailable { operation: OPERATION, reason };
        // Into one buffer, because what is collected piece by piece is held twice when it is joined.
        let wanted = range.end - range.start;
        let mut bytes = BytesMut::with_capacity(usize::try_from(wanted).unwrap_or(0));
        while let Some(piece) = answer.body.next().await {
            bytes.extend_from_slice(&piece.map_err(|error| unavailable(error.to_string()))?);
        }
        if bytes.len() as u64 == wanted {
            Ok(bytes.freeze())
        } else {
            Err(unavailable(format!("{} bytes came of {range:?}", bytes.len())))
        }
    }
}

/// The S3 client's configuration: path-style addresses where an endpoint is given, since a host name for each bucket
/// exists on AWS only.
pub(crate) fn s3_configuration(configuration: &SdkConfig) -> aws_sdk_s3::config::Builder {
    aws_sdk_s3::config::Builder::from(configuration).force_path_style(configuration.endpoint_url().is_some())
}

pub(crate) async fn check(client: &Client, bucket: &str) -> Result<(), BucketError> {
    client
        .head_bucket()
        .bucket(bucket)
        .send()
        .await
        .map(drop)
        .map_err(|error| BucketError::of("HeadBucket", &error))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHA256: &str = "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=";

    fn answer() -> aws_sdk_s3::operation::head_object::builders::HeadObjectOutputBuilder {
        HeadObjectOutput::builder().content_length(5).content_type("video/mp4")
    }

    #[test]
    fn checksums_of_the_whole_object_are_read() {
        let head = answer().checksum_sha256(SHA256).checksum_crc64_nvme("rosUhgp5mIg=").build();
        let head = object_head(&head).unwrap();
        assert_eq!((head.size_bytes, head.content_type.as_deref()), (5, Some("video/mp4")));
        assert_eq!(head.checksum_sha256, Some(SHA256.parse().unwrap()));
        assert_eq!(head.checksum_crc64nvme, Some("rosUhgp5mIg=".parse().unwrap()));
        let head = object_head(&answer().build()).unwrap();
        assert_eq!((head.checksum_sha256, head.checksum_crc64nvme), (None, None));
    }

    #[test]
    fn a_checksum_of_parts_is_none_of_the_object() {
        for part_count in ["1", "3", "10000"] {
            let head = answer().checksum_sha256(format!("{SHA256}-{part_count}")).build();
            assert_eq!(object_head(&head).unwrap().checksum_sha256, None, "{part_count}");
        }
    }

    #[test]
    fn what_cannot_be_read_is_no_absence() {
        for head in [
            answer().checksum_sha256("nonsense"),
            answer().checksum_sha256(format!("{SHA256}-")),
            answer().checksum_sha256(format!("{SHA256}-0")),
            answer().checksum_crc64_nvme("rosUhgp5mIh="),
            answer().set_content_length(None),
        ] {
            let error = object_head(&head.build()).unwrap_err();
            assert!(matches!(error, BucketError::Unavailable { .. }), "{error}");
        }
    }
}
