//! Signing what players fetch from the media bucket: from S3, or from CloudFront where there is a distribution.
//!
//! Either way a URL tells its true end. One of S3 dies with the credentials that signed it, after an hour at most, and
//! works from anywhere; one of CloudFront lives as long as asked, and can be bound to addresses and a beginning. What is
//! being sent when a URL ends is sent to its end: both look at the start of a request.

use std::time::Duration;

use aws_types::SdkConfig;
use domain::{Filename, MediaId, PlaybackConditions, PublishedObject, ThumbnailKey, Timestamp};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use crate::assumed_role::AssumedRole;
use crate::cloudfront::CloudFrontSigner;
use crate::disposition;
use crate::error::BucketError;
use crate::media::thumbnail_object_key;
use crate::presigning::{presigned_url, presigning, signing_client, signing_configuration};

const OPERATION: &str = "presigning playback";

/// Credentials with less left than this sign nothing that a player could use before it ends. Those with more do, even
/// where they cannot be renewed: the URL says how long it lives, and a player that comes back gets another one.
const SHORTEST_LIFE: Duration = Duration::from_mins(1);

/// A URL that plays a file until it ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedUrl {
    /// The URL.
    pub url: String,
    /// Its true end: not later than that of the credentials that signed it.
    pub expires_at: Timestamp,
}

/// What a URL is signed for: a signature of S3 covers the method.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PlaybackMethod {
    /// The file, or ranges of it.
    Get,
    /// Its headers.
    Head,
}

/// What is to be signed.
#[derive(Clone, Copy, Debug)]
pub struct Playback<'a> {
    /// How it is asked for.
    pub method: PlaybackMethod,
    /// The published file.
    pub object: &'a PublishedObject,
    /// The name that it is saved under. Without one it is shown.
    pub download_as: Option<&'a Filename>,
    /// How long it lives, if the credentials do.
    pub life: Duration,
    /// From where and from when on it works.
    pub conditions: PlaybackConditions,
}

/// Signs playback in the way that the deployment has.
#[derive(Debug)]
pub enum PlaybackSigner {
    /// By presigned URLs of S3.
    S3(Box<S3PlaybackSigner>),
    /// By signed URLs of a distribution.
    CloudFront(Box<CloudFrontSigner>),
}

impl PlaybackSigner {
    /// Has credentials ready, so that the first signature needs no call.
    pub async fn prepare(&self, now: Timestamp) -> Result<(), BucketError> {
        match self {
            Self::S3(signer) => signer.prepare(now).await,
            Self::CloudFront(_) => Ok(()),
        }
    }

    /// Whether it can keep conditions. S3 knows none, and is not asked to sign what it would not keep.
    pub fn keeps_conditions(&self) -> bool {
        matches!(self, Self::CloudFront(_))
    }

    /// A URL to fetch a published file. It answers `Range`.
    pub async fn sign(&self, playback: Playback<'_>, now: Timestamp) -> Result<SignedUrl, BucketError> {
        match self {
            Self::S3(signer) => signer.presign(playback, now).await,
            Self::CloudFront(signer) => {
                let Playback { object, download_as, life, conditions, .. } = playback;
                let expires_at = now.plus(life);
                let key = match download_as {
                    Some(filename) => format!("{}?{}", object.key, disposition_override(filename)),
                    None => object.key.clone(),
                };
                Ok(SignedUrl { url: signer.sign_object(&key, expires_at, &conditions)?, expires_at })
            }
        }
    }
}

/// What makes S3, behind the distribution, answer with another `Content-Disposition` than the object's own.
fn disposition_override(filename: &Filename) -> String {
    let disposition = disposition::attachment(filename);
    format!("response-content-disposition={}", utf8_percent_encode(&disposition, NON_ALPHANUMERIC))
}

/// Presigns playback with the credentials of `PlaybackRole`.
#[derive(Debug)]
pub struct S3PlaybackSigner {
    role: AssumedRole,
    configuration: aws_sdk_s3::Config,
    bucket: String,
}

impl S3PlaybackSigner {
    /// For the media bucket of this name.
    pub fn new(configuration: &SdkConfig, role: AssumedRole, bucket: impl Into<String>) -> Self {
        Self { role, configuration: signing_configuration(configuration), bucket: bucket.into() }
    }

    /// Has credentials ready, so that the first signature needs no call.
    pub async fn prepare(&self, now: Timestamp) -> Result<(), BucketError> {
        self.role.session(SHORTEST_LIFE, now).await.map(drop)
    }

    /// A URL to fetch a published file, without conditions.
    pub(crate) async fn presign(
        &self,
        playback: Playback<'_>,
        now: Timestamp,
    ) -> Result<SignedUrl, BucketError> {
        let Playback { method, object, download_as, life, conditions } = playback;
        if !conditions.is_empty() {
            let reason = "a presigned URL of S3 keeps no conditions".to_owned();
            return Err(BucketError::Refused { operation: OPERATION, reason });
        }
        self.presign_key(method, &object.key, download_as.map(disposition::attachment), life, now).await
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
        self.presign_key(method, &key, None, life, now).await
    }

    async fn presign_key(
        &self,
        method: PlaybackMethod,
        key: &str,
        disposition: Option<String>,
        life: Duration,
        now: Timestamp,
    ) -> Result<SignedUrl, BucketError> {
        let session = self.role.session(SHORTEST_LIFE, now).await?;
        let (presigning, expires_at) = presigning(OPERATION, &session, life, now)?;
        let client = signing_client(&self.configuration, session);
        let bucket = &self.bucket;
        let request = match method {
            PlaybackMethod::Get => {
                let request = client.get_object().bucket(bucket).key(key);
                let request = request.set_response_content_disposition(disposition).presigned(presigning);
                request.await.map_err(|error| BucketError::of(OPERATION, &error))?
            }
            PlaybackMethod::Head => {
                let request = client.head_object().bucket(bucket).key(key);
                let request = request.set_response_content_disposition(disposition).presigned(presigning);
                request.await.map_err(|error| BucketError::of(OPERATION, &error))?
            }
        };
        Ok(SignedUrl { url: presigned_url(&request), expires_at })
    }
}
