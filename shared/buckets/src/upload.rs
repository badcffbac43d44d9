//! Signing what clients send to the ingest bucket.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::time::Duration;

use aws_types::SdkConfig;
use domain::{SizeBytes, SourceKey, Timestamp, Upload};

use crate::assumed_role::AssumedRole;
use crate::error::BucketError;
use crate::post_policy::PostPolicy;
use crate::presigning::{
    Endpoint, lifetime, presigned_url, presigning, signing_client, signing_configuration,
};

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

/// A presigned POST: a form for a browser to send as `multipart/form-data`, in which the file comes last.
#[derive(Clone, Debug)]
pub struct PresignedPost {
    /// Where to send the form.
    pub url: String,
    /// The form's fields, names and values, all of which are to be sent in front of the file.
    pub fields: Vec<(String, String)>,
    /// When the form ends.
    pub expires_at: Timestamp,
}

/// Signs uploads with the credentials of `UploadRole`.
#[derive(Debug)]
pub struct UploadSigner {
    role: AssumedRole,
    configuration: aws_sdk_s3::Config,
    endpoint: Endpoint,
    bucket: String,
}

impl UploadSigner {
    /// For the ingest bucket of this name.
    pub fn new(configuration: &SdkConfig, role: AssumedRole, bucket: impl Into<String>) -> Self {
        Self {
            role,
            configuration: signing_configuration(configuration),
            endpoint: Endpoint::new(configuration),
            bucket: bucket.into(),
        }
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
        Ok(PresignedPut { url: presigned_url(&request), headers, expires_at })
    }

    /// Signs a form for an upload's object, of a file that is `size_bytes` long. Unlike a PUT it may come twice: S3 has
    /// no `If-None-Match` for forms.
    pub async fn presign_post(
        &self,
        upload: &Upload,
        size_bytes: &RangeInclusive<SizeBytes>,
        now: Timestamp,
    ) -> Result<PresignedPost, BucketError> {
        const OPERATION: &str = "presigning PostObject";
        let session = self.role.session().await?;
        let expires_at = now.plus(lifetime(&session, LONGEST_LIFE, now));
        let key = SourceKey { media_id: upload.media_id, slot: upload.slot }.to_string();
        let mut policy = PostPolicy::new().field("Content-Type", upload.content_type.as_str());
        if let Some(checksum) = &upload.checksum_sha256 {
            policy = policy.field("x-amz-checksum-sha256", checksum.to_string());
        }
        let policy = policy.size_bytes(size_bytes);
        let place = self.endpoint.of_bucket(OPERATION, &self.bucket).await?;
        let object = (self.bucket.as_str(), key.as_str());
        let fields = policy.sign(object, &session.credentials, &place.region, now, expires_at);
        Ok(PresignedPost { url: place.url, fields, expires_at })
    }
}
