//! Signing what clients send to the ingest bucket.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use aws_sdk_s3::Client;
use aws_sdk_s3::config::RequestChecksumCalculation;
use aws_sdk_s3::presigning::PresigningConfig;
use aws_types::SdkConfig;
use domain::{SourceKey, Timestamp, Upload};

use crate::assumed_role::{AssumedRole, Session};
use crate::error::BucketError;

/// How long an upload URL lives at most: as long as the credentials of a chained role.
const LONGEST_LIFE: Duration = Duration::from_hours(1);

/// A presigned PUT.
#[derive(Clone, Debug)]
pub struct PresignedPut {
    /// Where to send the bytes.
    pub url: String,
    /// What to send with them. `Host` and `Content-Length` are signed too, but set by every HTTP client by itself, and
    /// by a browser only by itself.
    pub headers: BTreeMap<String, String>,
    /// When the URL ends.
    pub expires_at: Timestamp,
}

/// Signs uploads with the credentials of `UploadRole`.
#[derive(Debug)]
pub struct UploadSigner {
    role: AssumedRole,
    configuration: aws_sdk_s3::Config,
    bucket: String,
}

impl UploadSigner {
    /// For the ingest bucket of this name.
    pub fn new(configuration: &SdkConfig, role: AssumedRole, bucket: impl Into<String>) -> Self {
        Self { role, configuration: signing_configuration(configuration), bucket: bucket.into() }
    }

    /// Has credentials ready, so that the first signature needs no call.
    pub async fn prepare(&self) -> Result<(), BucketError> {
        self.role.session().await.map(drop)
    }

    /// Signs the PUT of an upload's object.
    pub async fn presign_put(&self, upload: &Upload, now: Timestamp) -> Result<PresignedPut, BucketError> {
        const OPERATION: &str = "presigning PutObject";
        let session = self.role.session().await?;
        let (presigning, expires_at) = presigning(OPERATION, &session, LONGEST_LIFE, now)?;
        let key = SourceKey { media_id: upload.media_id, slot: upload.slot };
        let content_length = i64::try_from(upload.size_bytes).map_err(|_| BucketError::Refused {
            operation: OPERATION,
            reason: "the size is beyond what S3 takes".to_owned(),
        })?;
        let request = signing_client(&self.configuration, session)
            .put_object()
            .bucket(&self.bucket)
            .key(key.to_string())
            .content_length(content_length)
            .content_type(upload.content_type.as_str())
            .if_none_match("*")
            .set_checksum_sha256(upload.checksum_sha256.as_ref().map(ToString::to_string))
            .presigned(presigning)
            .await
            .map_err(|error| BucketError::of(OPERATION, &error))?;
        let headers = request
            .headers()
            .filter(|(name, _)| {
                !name.eq_ignore_ascii_case("host") && !name.eq_ignore_ascii_case("content-length")
            })
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect();
        Ok(PresignedPut { url: request.uri().to_owned(), headers, expires_at })
    }
}

/// The configuration of clients that only sign: the platform's own, but for credentials, which come with each session,
/// and default checksums, which nobody would compute over a body that is not here.
pub(crate) fn signing_configuration(configuration: &SdkConfig) -> aws_sdk_s3::Config {
    crate::ingest::s3_configuration(configuration)
        .request_checksum_calculation(RequestChecksumCalculation::WhenRequired)
        .build()
}

/// A client that signs with these credentials.
pub(crate) fn signing_client(configuration: &aws_sdk_s3::Config, session: Session) -> Client {
    Client::from_conf(configuration.to_builder().credentials_provider(session.credentials).build())
}

/// How a URL is signed that lives for `life`, or as long as the credentials do if that is shorter; and when it ends.
pub(crate) fn presigning(
    operation: &'static str,
    session: &Session,
    life: Duration,
    now: Timestamp,
) -> Result<(PresigningConfig, Timestamp), BucketError> {
    let credentials_end = Timestamp::from(session.ends_at);
    let life = life.min(now.until(credentials_end));
    let presigning = PresigningConfig::builder()
        .start_time(SystemTime::from(now))
        .expires_in(life)
        .build()
        .map_err(|error| BucketError::Refused { operation, reason: error.to_string() })?;
    Ok((presigning, now.plus(life)))
}
