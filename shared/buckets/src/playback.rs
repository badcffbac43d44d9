//! Signing what players fetch from the media bucket.

use std::time::Duration;

use aws_types::SdkConfig;
use domain::{PublishedObject, Timestamp};

use crate::assumed_role::AssumedRole;
use crate::error::BucketError;
use crate::upload::{presigning, signing_client, signing_configuration};

/// A URL that plays a file until it ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedUrl {
    /// The URL.
    pub url: String,
    /// Its true end: not later than that of the credentials that signed it.
    pub expires_at: Timestamp,
}

/// Signs playback with the credentials of `PlaybackRole`.
#[derive(Debug)]
pub struct PlaybackSigner {
    role: AssumedRole,
    configuration: aws_sdk_s3::Config,
    bucket: String,
}

impl PlaybackSigner {
    /// For the media bucket of this name.
    pub fn new(configuration: &SdkConfig, role: AssumedRole, bucket: impl Into<String>) -> Self {
        Self { role, configuration: signing_configuration(configuration), bucket: bucket.into() }
    }

    /// A URL to GET a published file for up to `life`. It answers `Range`.
    pub async fn presign_get(
        &self,
        object: &PublishedObject,
        life: Duration,
        now: Timestamp,
    ) -> Result<SignedUrl, BucketError> {
        const OPERATION: &str = "presigning GetObject";
        let session = self.role.session().await?;
        let (presigning, expires_at) = presigning(OPERATION, &session, life, now)?;
        let request = signing_client(&self.configuration, session)
            .get_object()
            .bucket(&self.bucket)
            .key(&object.key)
            .presigned(presigning)
            .await
            .map_err(|error| BucketError::of(OPERATION, &error))?;
        Ok(SignedUrl { url: request.uri().to_owned(), expires_at })
    }

    /// The same for HEAD: a signature covers the method.
    pub async fn presign_head(
        &self,
        object: &PublishedObject,
        life: Duration,
        now: Timestamp,
    ) -> Result<SignedUrl, BucketError> {
        const OPERATION: &str = "presigning HeadObject";
        let session = self.role.session().await?;
        let (presigning, expires_at) = presigning(OPERATION, &session, life, now)?;
        let request = signing_client(&self.configuration, session)
            .head_object()
            .bucket(&self.bucket)
            .key(&object.key)
            .presigned(presigning)
            .await
            .map_err(|error| BucketError::of(OPERATION, &error))?;
        Ok(SignedUrl { url: request.uri().to_owned(), expires_at })
    }
}
