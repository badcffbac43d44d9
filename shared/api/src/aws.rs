//! How AWS is called: the one place where credentials, connections, timeouts and retries are decided.
//!
//! Region and credentials come from the variables that Lambda sets, without a discovery chain. All clients of a
//! function share one HTTP client, TLS by rustls over ring.

use std::time::Duration;

use auth::{CdnSigningKey, KeyKind, KeyRing, SigningKey};
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_smithy_async::rt::sleep::{SharedAsyncSleep, TokioSleep};
use aws_smithy_http_client::tls;
use aws_smithy_runtime_api::client::behavior_version::BehaviorVersion;
use aws_smithy_types::retry::RetryConfig;
use aws_smithy_types::timeout::TimeoutConfig;
use aws_types::SdkConfig;
use aws_types::region::Region;
use buckets::{
    AssumedRole, CloudFrontSigner, IngestBucket, MediaBucket, PlaybackSigner, S3PlaybackSigner, UploadSigner,
};
use table::{RateLimits, Table};

use crate::environment::{Environment, EnvironmentError};
use crate::function::StartError;
use crate::queue::Queue;
use crate::request::url_of;

/// Opening a connection within a region takes milliseconds; longer means a host that does not answer.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);
/// One attempt, up to the answer's head.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(3);
/// A call with its retries. A request's own budget (`http_function`) bounds several calls.
const OPERATION_TIMEOUT: Duration = Duration::from_secs(8);
/// Attempts at one call; the pauses between them grow, with jitter.
const ATTEMPTS: u32 = 3;

impl Environment {
    /// The configuration that every client is made from. Clients made from one configuration share its connections.
    pub fn aws(&self) -> Result<SdkConfig, EnvironmentError> {
        let credentials = Credentials::new(
            self.required("AWS_ACCESS_KEY_ID")?,
            self.required("AWS_SECRET_ACCESS_KEY")?,
            self.optional("AWS_SESSION_TOKEN").map(str::to_owned),
            None,
            "environment",
        );
        let http_client = aws_smithy_http_client::Builder::new()
            .tls_provider(tls::Provider::Rustls(tls::rustls_provider::CryptoMode::Ring))
            .build_https();
        let mut configuration = SdkConfig::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new(self.required("AWS_REGION")?.to_owned()))
            .credentials_provider(SharedCredentialsProvider::new(credentials))
            .http_client(http_client)
            .sleep_impl(SharedAsyncSleep::new(TokioSleep::new()))
            .retry_config(RetryConfig::standard().with_max_attempts(ATTEMPTS))
            .timeout_config(
                TimeoutConfig::builder()
                    .connect_timeout(CONNECT_TIMEOUT)
                    .operation_attempt_timeout(ATTEMPT_TIMEOUT)
                    .operation_timeout(OPERATION_TIMEOUT)
                    .build(),
            );
        configuration.set_endpoint_url(self.optional("AWS_ENDPOINT_URL").map(str::to_owned));
        Ok(configuration.build())
    }

    /// The table, `TABLE_NAME`.
    pub fn table(&self, aws: &SdkConfig) -> Result<Table, EnvironmentError> {
        Ok(Table::new(aws, self.well_formed("TABLE_NAME", "the name of a table", is_table_name)?))
    }

    /// The rate limits' items, in `TABLE_NAME`.
    pub(crate) fn rate_limits(&self, aws: &SdkConfig) -> Result<RateLimits, EnvironmentError> {
        Ok(RateLimits::new(aws, self.required("TABLE_NAME")?))
    }

    /// The ingest bucket, `INGEST_BUCKET`.
    pub fn ingest_bucket(&self, aws: &SdkConfig) -> Result<IngestBucket, EnvironmentError> {
        Ok(IngestBucket::new(aws, self.bucket_name("INGEST_BUCKET")?))
    }

    /// The media bucket, `MEDIA_BUCKET`.
    pub fn media_bucket(&self, aws: &SdkConfig) -> Result<MediaBucket, EnvironmentError> {
        Ok(MediaBucket::new(aws, self.bucket_name("MEDIA_BUCKET")?))
    }

    /// The signer of uploads to `INGEST_BUCKET`, as `UPLOAD_ROLE_ARN`.
    pub fn upload_signer(&self, aws: &SdkConfig) -> Result<UploadSigner, EnvironmentError> {
        let role = self.assumed_role(aws, "UPLOAD_ROLE_ARN")?;
        Ok(UploadSigner::new(aws, role, self.bucket_name("INGEST_BUCKET")?))
    }

    /// The signer of playback: by the distribution at `CDN_DOMAIN` where there is one, with
    /// [`cdn_signing_key`](Self::cdn_signing_key), which CloudFront knows as `CDN_KEY_PAIR_ID`; else from `MEDIA_BUCKET`,
    /// as `PLAYBACK_ROLE_ARN`.
    pub async fn playback_signer(&self, aws: &SdkConfig) -> Result<PlaybackSigner, StartError> {
        let Some(cdn_url) = self.cdn_url() else {
            return Ok(PlaybackSigner::S3(Box::new(self.s3_playback_signer(aws)?)));
        };
        let (key_pair_id, key) = (self.required("CDN_KEY_PAIR_ID")?, self.cdn_signing_key(aws).await?);
        let signer = CloudFrontSigner::new(cdn_url, key_pair_id, key);
        Ok(PlaybackSigner::CloudFront(Box::new(signer)))
    }

    /// The distribution at `CDN_DOMAIN`, if there is one, without a slash at the end.
    pub fn cdn_url(&self) -> Option<String> {
        self.optional("CDN_DOMAIN").map(url_of)
    }

    /// The signer of playback from `MEDIA_BUCKET`, as `PLAYBACK_ROLE_ARN`.
    pub fn s3_playback_signer(&self, aws: &SdkConfig) -> Result<S3PlaybackSigner, EnvironmentError> {
        let role = self.assumed_role(aws, "PLAYBACK_ROLE_ARN")?;
        Ok(S3PlaybackSigner::new(aws, role, self.bucket_name("MEDIA_BUCKET")?))
    }

    /// The queue of objects to be processed, `INGEST_QUEUE_URL`.
    pub fn ingest_queue(&self, aws: &SdkConfig) -> Result<Queue, EnvironmentError> {
        Ok(Queue::new(aws, self.well_formed("INGEST_QUEUE_URL", "the URL of a queue", is_url)?))
    }

    fn bucket_name(&self, name: &'static str) -> Result<&str, EnvironmentError> {
        self.well_formed(name, "the name of a bucket", is_bucket_name)
    }

    fn assumed_role(&self, aws: &SdkConfig, name: &'static str) -> Result<AssumedRole, EnvironmentError> {
        // The session is named after the function, so that the audit log tells who signs.
        let session_name = self.required("AWS_LAMBDA_FUNCTION_NAME")?.chars().take(64).collect::<String>();
        Ok(AssumedRole::new(aws, self.well_formed(name, "the ARN of a role", is_role_arn)?, session_name))
    }

    /// The key that signs tokens which the variable `key_id` names, read from the secret that the variable `secret` names.
    ///
    /// Needs `secretsmanager:GetSecretValue` on that secret.
    pub async fn signing_key(
        &self,
        aws: &SdkConfig,
        secret: &'static str,
        key_id: &'static str,
    ) -> Result<SigningKey, StartError> {
        self.private_key::<auth::Ed25519>(aws, secret, key_id).await
    }

    /// The key that signs URLs of CloudFront, `CDN_SIGNING_KID`, read from the secret `CDN_KEYS_SECRET`.
    ///
    /// Needs `secretsmanager:GetSecretValue` on that secret.
    pub async fn cdn_signing_key(&self, aws: &SdkConfig) -> Result<CdnSigningKey, StartError> {
        self.private_key::<auth::P256>(aws, "CDN_KEYS_SECRET", "CDN_SIGNING_KID").await
    }

    async fn private_key<Kind: KeyKind>(
        &self,
        aws: &SdkConfig,
        secret: &'static str,
        key_id: &'static str,
    ) -> Result<Kind::SigningKey, StartError> {
        let failed = |reason: String| StartError::Resource { resource: secret, reason };
        let answer = aws_sdk_secretsmanager::Client::new(aws)
            .get_secret_value()
            .secret_id(self.required(secret)?)
            .send()
            .await
            .map_err(|error| failed(aws_sdk_secretsmanager::error::DisplayErrorContext(error).to_string()))?;
        let text = answer.secret_string.ok_or_else(|| failed("it holds no text".to_owned()))?;
        let ring = KeyRing::<Kind>::parse(&text).map_err(|error| failed(error.to_string()))?;
        ring.signing_key(self.required(key_id)?)
            .map_err(|error| EnvironmentError::Malformed { name: key_id, reason: error.to_string() }.into())
    }
}

/// <https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/HowItWorks.NamingRulesDataTypes.html>
fn is_table_name(text: &str) -> bool {
    (3..=255).contains(&text.len())
        && text.chars().all(|character| character.is_ascii_alphanumeric() || "_.-".contains(character))
}

/// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html>
fn is_bucket_name(text: &str) -> bool {
    let is_allowed = |character: char| {
        character.is_ascii_lowercase() || character.is_ascii_digit() || ".-".contains(character)
    };
    (3..=63).contains(&text.len()) && text.chars().all(is_allowed)
}

fn is_url(text: &str) -> bool {
    text.parse::<http::Uri>().is_ok_and(|url| url.scheme().is_some() && url.host().is_some())
}

/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference-arns.html>
fn is_role_arn(text: &str) -> bool {
    let parts: Vec<&str> = text.splitn(6, ':').collect();
    matches!(parts.as_slice(), ["arn", _, "iam", "", _, resource] if resource.starts_with("role/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_told_from_what_is_none() {
        assert!(is_table_name("media-platform-Table.1_a") && is_table_name("abc"));
        assert!(!is_table_name("ab") && !is_table_name("a table") && !is_table_name(&"a".repeat(256)));
        assert!(is_bucket_name("media-platform-ingest-123456789012-eu-central-1"));
        assert!(!is_bucket_name("Bucket") && !is_bucket_name("a/b") && !is_bucket_name(&"a".repeat(64)));
        assert!(is_url("https://sqs.eu-central-1.amazonaws.com/123456789012/queue"));
        assert!(is_url("http://127.0.0.1:4566/000000000000/queue"));
        assert!(!is_url("queue") && !is_url("/queue") && !is_url("https://"));
        assert!(is_role_arn("arn:aws:iam::123456789012:role/upload"));
        assert!(!is_role_arn("arn:aws:iam::123456789012:user/ada") && !is_role_arn("upload"));
    }
}
