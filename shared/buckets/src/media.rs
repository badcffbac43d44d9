//! The media bucket: where files are published.

use std::time::Duration;

use aws_sdk_s3::Client;
use aws_sdk_s3::types::MetadataDirective;
use aws_smithy_types::timeout::TimeoutConfig;
use aws_types::SdkConfig;
use domain::{ContentType, Filename, MediaId, ObjectVersion, PublishedObject, SourceKey};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::error::BucketError;
use crate::ingest::{IngestBucket, check, s3_configuration};

/// How long one copy may take. S3 copies up to 5 GiB in one request and answers when it is done.
const COPY_TIMEOUT: Duration = Duration::from_mins(5);

/// A published file never changes under its key; whoever may read it may keep it.
const CACHE_CONTROL: &str = "private, max-age=31536000, immutable";

/// RFC 8187, `attr-char`: what may stand unescaped in `filename*`.
const NOT_ATTR_CHAR: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'!')
    .remove(b'#')
    .remove(b'$')
    .remove(b'&')
    .remove(b'+')
    .remove(b'-')
    .remove(b'.')
    .remove(b'^')
    .remove(b'_')
    .remove(b'`')
    .remove(b'|')
    .remove(b'~');

/// The media bucket.
#[derive(Clone, Debug)]
pub struct MediaBucket {
    client: Client,
    name: String,
}

impl MediaBucket {
    /// The bucket of this name.
    pub fn new(configuration: &SdkConfig, name: impl Into<String>) -> Self {
        Self { client: Client::from_conf(s3_configuration(configuration).build()), name: name.into() }
    }

    /// Copies one version of an uploaded object here, inside S3. The same object published again has the same key.
    pub async fn publish(
        &self,
        ingest: &IngestBucket,
        source: &SourceKey,
        version: &ObjectVersion,
        content_type: &ContentType,
        filename: &Filename,
    ) -> Result<PublishedObject, BucketError> {
        const OPERATION: &str = "CopyObject";
        let key = published_key(source.media_id);
        let version_id = utf8_percent_encode(&version.version_id, NON_ALPHANUMERIC);
        let timeouts = TimeoutConfig::builder()
            .read_timeout(COPY_TIMEOUT)
            .operation_attempt_timeout(COPY_TIMEOUT)
            .operation_timeout(COPY_TIMEOUT * 2)
            .build();
        let answer = self
            .client
            .copy_object()
            .bucket(&self.name)
            .key(&key)
            // Neither the bucket's name nor a source key has a character that would have to be escaped.
            .copy_source(format!("{}/{source}?versionId={version_id}", ingest.name()))
            .copy_source_if_match(format!("\"{}\"", version.etag))
            .metadata_directive(MetadataDirective::Replace)
            .content_type(content_type.as_str())
            .content_disposition(content_disposition(filename))
            .cache_control(CACHE_CONTROL)
            .customize()
            .config_override(aws_sdk_s3::Config::builder().timeout_config(timeouts))
            .send()
            .await
            .map_err(|error| BucketError::of(OPERATION, &error))?;
        let etag = answer.copy_object_result.and_then(|result| result.e_tag).ok_or_else(|| {
            BucketError::Unavailable { operation: OPERATION, reason: "the answer has no ETag".to_owned() }
        })?;
        Ok(PublishedObject { key, etag: etag.trim_matches('"').to_owned() })
    }

    /// Whether the bucket answers.
    pub async fn check(&self) -> Result<(), BucketError> {
        check(&self.client, &self.name).await
    }
}

fn published_key(media_id: MediaId) -> String {
    format!("media/{media_id}/source")
}

/// Shown in the browser, and saved under the client's own name (RFC 6266), whatever script it is in.
fn content_disposition(filename: &Filename) -> String {
    format!("inline; filename*=UTF-8''{}", utf8_percent_encode(filename.as_str(), NOT_ATTR_CHAR))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filename_cannot_break_out_of_its_header() {
        let disposition = |name: &str| content_disposition(&name.parse().unwrap());
        assert_eq!(disposition("clip.mp4"), "inline; filename*=UTF-8''clip.mp4");
        assert_eq!(
            disposition("Zürich \"1\"; x=y.mp4"),
            "inline; filename*=UTF-8''Z%C3%BCrich%20%221%22%3B%20x%3Dy.mp4"
        );
    }
}
