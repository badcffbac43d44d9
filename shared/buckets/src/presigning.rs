//! What all signers share: clients that only sign, how long what they sign lives, and where it is sent.
//!
//! Presigned URLs are, byte for byte, those of botocore for the same input and time: without the SDK's own `x-id`, which
//! only repeats the method, and with the signature last.

use std::time::{Duration, SystemTime};

use aws_sdk_s3::Client;
use aws_sdk_s3::config::endpoint::{DefaultResolver, Params, ParamsBuilder, ResolveEndpoint};
use aws_sdk_s3::config::interceptors::BeforeTransmitInterceptorContextMut;
use aws_sdk_s3::config::{ConfigBag, Intercept, RequestChecksumCalculation, RuntimeComponents};
use aws_sdk_s3::error::BoxError;
use aws_sdk_s3::presigning::{PresignedRequest, PresigningConfig};
use aws_types::SdkConfig;
use domain::Timestamp;

use crate::assumed_role::Session;
use crate::error::BucketError;

/// The configuration of clients that only sign: the platform's own, but for credentials, which come with each session,
/// and default checksums, which nobody would compute over a body that is not here.
pub(crate) fn signing_configuration(configuration: &SdkConfig) -> aws_sdk_s3::Config {
    crate::ingest::s3_configuration(configuration)
        .request_checksum_calculation(RequestChecksumCalculation::WhenRequired)
        .interceptor(WithoutOperationName)
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
    let life = lifetime(session, life, now);
    let presigning = PresigningConfig::builder()
        .start_time(SystemTime::from(now))
        .expires_in(life)
        .build()
        .map_err(|error| BucketError::Refused { operation, reason: error.to_string() })?;
    Ok((presigning, now.plus(life)))
}

/// `life`, or what is left of the credentials' if that is shorter.
pub(crate) fn lifetime(session: &Session, life: Duration, now: Timestamp) -> Duration {
    life.min(session.life_left(now))
}

/// The URL of a presigned request, with the signature last.
pub(crate) fn presigned_url(request: &PresignedRequest) -> String {
    let Some((path, query)) = request.uri().split_once('?') else { return request.uri().to_owned() };
    let is_signature = |pair: &&str| pair.starts_with("X-Amz-Signature=");
    let (signature, others): (Vec<&str>, Vec<&str>) = query.split('&').partition(is_signature);
    format!("{path}?{}", [others, signature].concat().join("&"))
}

/// Leaves the operation's name, `x-id`, out of URLs.
#[derive(Debug)]
struct WithoutOperationName;

impl Intercept for WithoutOperationName {
    fn name(&self) -> &'static str {
        "WithoutOperationName"
    }

    fn modify_before_signing(
        &self,
        context: &mut BeforeTransmitInterceptorContextMut<'_>,
        _components: &RuntimeComponents,
        _configuration: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let request = context.request_mut();
        let Some((path, query)) = request.uri().split_once('?') else { return Ok(()) };
        let kept: Vec<&str> = query.split('&').filter(|pair| !pair.starts_with("x-id=")).collect();
        let separator = if kept.is_empty() { "" } else { "?" };
        let uri = format!("{path}{separator}{}", kept.join("&"));
        Ok(request.set_uri(uri)?)
    }
}

/// Where S3 is, for what the SDK has no operation for.
#[derive(Debug)]
pub(crate) struct Endpoint(ParamsBuilder);

/// Where a bucket is.
pub(crate) struct Place {
    /// The bucket's own URL.
    pub(crate) url: String,
    pub(crate) region: String,
}

impl Endpoint {
    pub(crate) fn new(configuration: &SdkConfig) -> Self {
        let parameters = Params::builder()
            .set_region(configuration.region().map(ToString::to_string))
            .set_endpoint(configuration.endpoint_url().map(str::to_owned))
            .set_use_fips(configuration.use_fips())
            .set_use_dual_stack(configuration.use_dual_stack())
            .force_path_style(configuration.endpoint_url().is_some());
        Self(parameters)
    }

    /// Finds a bucket, by the SDK's own rules.
    pub(crate) async fn of_bucket(
        &self,
        operation: &'static str,
        bucket: &str,
    ) -> Result<Place, BucketError> {
        let refused = |reason: String| BucketError::Refused { operation, reason };
        let parameters = self.0.clone().bucket(bucket).build().map_err(|error| refused(error.to_string()))?;
        let region = parameters.region().ok_or_else(|| refused("no region is set".to_owned()))?.to_owned();
        let endpoint = DefaultResolver::new().resolve_endpoint(&parameters).await;
        let endpoint = endpoint.map_err(|error| refused(error.to_string()))?;
        let is_host = endpoint.url().split('/').count() == 3;
        let url = if is_host { format!("{}/", endpoint.url()) } else { endpoint.url().to_owned() };
        Ok(Place { url, region })
    }
}
