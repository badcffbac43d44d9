//! Signing what players fetch from the media bucket.

use std::time::Duration;

use aws_types::SdkConfig;
use domain::{MediaId, PublishedObject, ThumbnailKey, Timestamp};

use crate::assumed_role::AssumedRole;
use crate::error::BucketError;
use crate::media::thumbnail_object_key;
use crate::presigning::{presigned_url, presigning, signing_client, signing_configuration};

/// A URL that plays a file until it ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedUrl {
    /// The URL.
    pub url: String,
    /// Its true end: not later than that of the credentials that signed it.
    pub expires_at: Timestamp,
}

/// What a URL is signed for: a signature covers the method.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PlaybackMethod {
    /// The file, or ranges of it.
    Get,
    /// Its headers.
    Head,
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

    /// Has credentials ready, so that the first signature needs no call.
    pub async fn prepare(&self) -> Result<(), BucketError> {
        self.role.session().await.map(drop)
    }

    /// A URL to fetch a published file for up to `life`. It answers `Range`.
    pub async fn presign(
        &self,
        method: PlaybackMethod,
        object: &PublishedObject,
        life: Duration,
        now: Timestamp,
    ) -> Result<SignedUrl, BucketError> {
        self.presign_key(method, &object.key, life, now).await
    }

    /// A URL to fetch a published thumbnail for up to `life`.
    pub async fn presign_thumbnail(
        &self,
        method: PlaybackMethod,
        media_id: MediaId,
        key: &ThumbnailKey,
        life: Duration,
        now: Timestamp,
    ) -> Result<SignedUrl, BucketError> {
        let key = thumbnail_object_key(media_id, key);
        self.presign_key(method, &key, life, now).await
    }

    async fn presign_key(
        &self,
        method: PlaybackMethod,
        key: &str,
        life: Duration,
        now: Timestamp,
    ) -> Result<SignedUrl, BucketError> {
        const OPERATION: &str = "presigning playback";
        let session = self.role.session().await?;
        let (presigning, expires_at) = presigning(OPERATION, &session, life, now)?;
        let client = signing_client(&self.configuration, session);
        let bucket = &self.bucket;
        let request = match method {
            PlaybackMethod::Get => {
                let request = client.get_object().bucket(bucket).key(key).presigned(presigning).await;
                request.map_err(|error| BucketError::of(OPERATION, &error))?
            }
            PlaybackMethod::Head => {
                let request = client.head_object().bucket(bucket).key(key).presigned(presigning).await;
                request.map_err(|error| BucketError::of(OPERATION, &error))?
            }
        };
        Ok(SignedUrl { url: presigned_url(&request), expires_at })
    }
}
