//! Signing what clients send to the ingest bucket.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::time::Duration;

use aws_sdk_s3::Client;
use aws_sdk_s3::presigning::PresigningConfig;
use aws_types::SdkConfig;
use domain::{AwaitedPart, PartNumber, SizeBytes, Timestamp, Upload, UploadMethod};

use crate::assumed_role::AssumedRole;
use crate::error::BucketError;
use crate::post_policy::PostPolicy;
use crate::presigning::{
    Endpoint, lifetime, presigned_url, presigning, signing_client, signing_configuration,
};

/// How long an upload URL lives at most: as long as the credentials of a chained role.
const LONGEST_LIFE: Duration = Duration::from_hours(1);

/// How long it lives at least: sending a file takes its time.
const SHORTEST_LIFE: Duration = Duration::from_mins(15);

const PRESIGNING_PART: &str = "presigning UploadPart";

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

/// A presigned PUT of one part. It takes no headers but those that every HTTP client sends by itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedPart {
    /// The part's number.
    pub number: PartNumber,
    /// Where to send its bytes.
    pub url: String,
    /// How many bytes have to come, if that is known: a signature bounds a length only by naming it.
    pub size_bytes: Option<SizeBytes>,
    /// When the URL ends.
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
    pub async fn prepare(&self, now: Timestamp) -> Result<(), BucketError> {
        self.role.session(SHORTEST_LIFE, now).await.map(drop)
    }

    /// Signs the PUT of an upload's object.
    pub async fn presign_put(&self, upload: &Upload, now: Timestamp) -> Result<PresignedPut, BucketError> {
        const OPERATION: &str = "presigning PutObject";
        let session = self.role.session(SHORTEST_LIFE, now).await?;
        let (presigning, expires_at) = presigning(OPERATION, &session, LONGEST_LIFE, now)?;
        let size_bytes = upload.size.size_bytes().ok_or_else(|| BucketError::Refused {
            operation: OPERATION,
            reason: "the size is not declared".to_owned(),
        })?;
        let content_length = content_length(OPERATION, size_bytes)?;
        let request = signing_client(&self.configuration, session)
            .put_object()
            .bucket(&self.bucket)
            .key(upload.key().to_string())
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

    /// Signs the PUT of one part of an upload.
    pub async fn presign_part(
        &self,
        upload: &Upload,
        part: AwaitedPart,
        now: Timestamp,
    ) -> Result<SignedPart, BucketError> {
        self.part_signer(upload, now).await?.sign(part).await
    }

    /// Signs the PUTs of several parts of an upload, all with the same credentials.
    pub async fn presign_parts(
        &self,
        upload: &Upload,
        parts: impl Iterator<Item = AwaitedPart>,
        now: Timestamp,
    ) -> Result<Vec<SignedPart>, BucketError> {
        let signer = self.part_signer(upload, now).await?;
        let mut presigned = Vec::with_capacity(parts.size_hint().0);
        for part in parts {
            presigned.push(signer.sign(part).await?);
        }
        Ok(presigned)
    }

    async fn part_signer<'a>(
        &'a self,
        upload: &'a Upload,
        now: Timestamp,
    ) -> Result<PartSigner<'a>, BucketError> {
        let UploadMethod::Multipart { s3_upload_id, .. } = &upload.method else {
            let reason = "the upload does not come in parts".to_owned();
            return Err(BucketError::Refused { operation: PRESIGNING_PART, reason });
        };
        let session = self.role.session(SHORTEST_LIFE, now).await?;
        let (presigning, expires_at) = presigning(PRESIGNING_PART, &session, LONGEST_LIFE, now)?;
        Ok(PartSigner {
            client: signing_client(&self.configuration, session),
            bucket: &self.bucket,
            key: upload.key().to_string(),
            s3_upload_id,
            presigning,
            expires_at,
        })
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
        let session = self.role.session(SHORTEST_LIFE, now).await?;
        let expires_at = now.plus(lifetime(&session, LONGEST_LIFE, now));
        let key = upload.key().to_string();
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

/// Signs parts of one upload.
struct PartSigner<'a> {
    client: Client,
    bucket: &'a str,
    key: String,
    s3_upload_id: &'a str,
    presigning: PresigningConfig,
    expires_at: Timestamp,
}

impl PartSigner<'_> {
    async fn sign(&self, part: AwaitedPart) -> Result<SignedPart, BucketError> {
        let AwaitedPart { number, size_bytes } = part;
        let content_length =
            size_bytes.map(|size_bytes| content_length(PRESIGNING_PART, size_bytes)).transpose()?;
        let request = self
            .client
            .upload_part()
            .bucket(self.bucket)
            .key(&self.key)
            .upload_id(self.s3_upload_id)
            .part_number(u16::from(number).into())
            .set_content_length(content_length)
            .presigned(self.presigning.clone())
            .await
            .map_err(|error| BucketError::of(PRESIGNING_PART, &error))?;
        Ok(SignedPart { number, url: presigned_url(&request), size_bytes, expires_at: self.expires_at })
    }
}

fn content_length(operation: &'static str, size_bytes: SizeBytes) -> Result<i64, BucketError> {
    i64::try_from(size_bytes).map_err(|_| BucketError::Refused {
        operation,
        reason: "the size is beyond what S3 takes".to_owned(),
    })
}
