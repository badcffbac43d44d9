//! The ingest bucket, as seen by the function that verifies what arrived.

use std::ops::Range;

use aws_sdk_s3::Client;
use aws_sdk_s3::types::ChecksumMode;
use aws_types::SdkConfig;
use bytes::{Bytes, BytesMut};
use domain::{ObjectHead, ObjectVersion, SourceKey};
use probe::ByteSource;

use crate::error::BucketError;

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
        let result = self
            .client
            .head_object()
            .bucket(&self.name)
            .key(key.to_string())
            .version_id(&version.version_id)
            .checksum_mode(ChecksumMode::Enabled)
            .send()
            .await;
        match result {
            Ok(head) => Ok(Some(ObjectHead {
                size_bytes: head.content_length.and_then(|length| u64::try_from(length).ok()).unwrap_or(0),
                content_type: head.content_type,
                checksum_sha256: head.checksum_sha256,
                checksum_crc64nvme: head.checksum_crc64_nvme,
            })),
            Err(error) => match BucketError::of("HeadObject", &error) {
                BucketError::Missing { .. } => Ok(None),
                error => Err(error),
            },
        }
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

    /// Deletes one version of an object; it may be gone already.
    pub async fn delete_version(&self, key: &SourceKey, version: &ObjectVersion) -> Result<(), BucketError> {
        self.client
            .delete_object()
            .bucket(&self.name)
            .key(key.to_string())
            .version_id(&version.version_id)
            .send()
            .await
            .map_err(|error| BucketError::of("DeleteObject", &error))?;
        Ok(())
    }

    /// Whether the bucket answers.
    pub async fn check(&self) -> Result<(), BucketError> {
        check(&self.client, &self.name).await
    }
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
