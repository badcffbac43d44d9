//! The media bucket: where files and their thumbnails are published.
//!
//! A file up to 5 GiB is copied by one request, a larger one in parts, see [`copy`].

mod copy;

pub use copy::{CopyProgress, Publishing};

use std::time::Duration;

use aws_sdk_s3::Client;
use aws_sdk_s3::operation::copy_object::builders::CopyObjectFluentBuilder;
use aws_sdk_s3::types::MetadataDirective;
use aws_types::SdkConfig;
use domain::{
    ContentType, Filename, ImageType, MediaId, ObjectVersion, PublishedObject, SourceKey, ThumbnailKey,
};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use crate::disposition;
use crate::error::BucketError;
use crate::ingest::{Deletion, IngestBucket, check, s3_configuration};
use crate::multipart::patient;

/// How long one request may copy. S3 answers when it is done, with up to 5 GiB.
const COPY_TIMEOUT: Duration = Duration::from_mins(5);

/// How many objects one call takes back.
const MAX_UNPUBLISHED_OBJECTS: i32 = 100;

/// A published file never changes under its key; whoever may read it may keep it.
const CACHE_CONTROL: &str = "private, max-age=31536000, immutable";

/// Whoever knows the address of a thumbnail may see it, and may let others keep it.
const THUMBNAIL_CACHE_CONTROL: &str = "public, max-age=31536000, immutable";

/// The media bucket.
#[derive(Clone, Debug)]
pub struct MediaBucket {
    client: Client,
    name: String,
    publishing: Publishing,
}

impl MediaBucket {
    /// The bucket of this name.
    pub fn new(configuration: &SdkConfig, name: impl Into<String>) -> Self {
        let client = Client::from_conf(s3_configuration(configuration).build());
        Self { client, name: name.into(), publishing: Publishing::default() }
    }

    /// With files cut otherwise than S3's limits suggest.
    #[must_use]
    pub fn with_publishing(self, publishing: Publishing) -> Self {
        Self { publishing, ..self }
    }

    /// Copies one version of an uploaded object here, inside S3: one of those that are not [copied in
    /// parts](Self::copies_in_parts). The same object published again has the same key.
    pub async fn publish(
        &self,
        ingest: &IngestBucket,
        source: &SourceKey,
        version: &ObjectVersion,
        content_type: &ContentType,
        filename: &Filename,
    ) -> Result<PublishedObject, BucketError> {
        let copy = self
            .client
            .copy_object()
            .content_type(content_type.as_str())
            .content_disposition(disposition::inline(filename))
            .cache_control(CACHE_CONTROL);
        self.copy_object(copy, ingest, source, version, published_key(source.media_id)).await
    }

    /// Copies one version of an uploaded image here, as the thumbnail of its media with this key.
    pub async fn publish_thumbnail(
        &self,
        ingest: &IngestBucket,
        source: &SourceKey,
        version: &ObjectVersion,
        key: &ThumbnailKey,
        image_type: ImageType,
    ) -> Result<PublishedObject, BucketError> {
        let copy = self
            .client
            .copy_object()
            .content_type(image_type.as_str())
            .cache_control(THUMBNAIL_CACHE_CONTROL);
        self.copy_object(copy, ingest, source, version, thumbnail_object_key(source.media_id, key)).await
    }

    /// Copies a media's published thumbnail to another key, with its type and all.
    pub async fn copy_thumbnail(
        &self,
        media_id: MediaId,
        from: &ThumbnailKey,
        to: &ThumbnailKey,
    ) -> Result<(), BucketError> {
        self.client
            .copy_object()
            .bucket(&self.name)
            .key(thumbnail_object_key(media_id, to))
            // Neither the bucket's name nor such a key has a character that would have to be escaped.
            .copy_source(format!("{}/{}", self.name, thumbnail_object_key(media_id, from)))
            .send()
            .await
            .map(drop)
            .map_err(|error| BucketError::of("CopyObject", &error))
    }

    /// Removes a thumbnail, which need not be there. The bucket keeps versions, so it is gone for whoever has its address,
    /// and its bytes go by the lifecycle rule.
    pub async fn delete_thumbnail(&self, media_id: MediaId, key: &ThumbnailKey) -> Result<(), BucketError> {
        self.delete_object(thumbnail_object_key(media_id, key)).await
    }

    /// Takes back whatever is published of a media, at most 100 objects in one call: also what a function put here that died
    /// before it could write down where. As with a thumbnail, the bytes go by the lifecycle rule.
    pub async fn unpublish(&self, media_id: MediaId) -> Result<Deletion, BucketError> {
        let list = self.client.list_objects_v2().bucket(&self.name).prefix(format!("media/{media_id}/"));
        let listed = list.max_keys(MAX_UNPUBLISHED_OBJECTS).send().await;
        let listed = listed.map_err(|error| BucketError::of("ListObjectsV2", &error))?;
        for key in listed.contents().iter().filter_map(|object| object.key()) {
            self.delete_object(key).await?;
        }
        Ok(if listed.is_truncated() == Some(true) { Deletion::Partial } else { Deletion::Complete })
    }

    async fn delete_object(&self, key: impl Into<String>) -> Result<(), BucketError> {
        let delete = self.client.delete_object().bucket(&self.name).key(key);
        delete.send().await.map(drop).map_err(|error| BucketError::of("DeleteObject", &error))
    }

    async fn copy_object(
        &self,
        copy: CopyObjectFluentBuilder,
        ingest: &IngestBucket,
        source: &SourceKey,
        version: &ObjectVersion,
        key: String,
    ) -> Result<PublishedObject, BucketError> {
        const OPERATION: &str = "CopyObject";
        let answer = copy
            .bucket(&self.name)
            .key(&key)
            .copy_source(copy_source(ingest, source, version))
            .copy_source_if_match(format!("\"{}\"", version.etag))
            .metadata_directive(MetadataDirective::Replace)
            .customize()
            .config_override(patient(COPY_TIMEOUT, COPY_TIMEOUT * 2))
            .send()
            .await
            .map_err(|error| BucketError::of(OPERATION, &error))?;
        let etag = answer.copy_object_result.and_then(|result| result.e_tag);
        let etag = etag.ok_or_else(|| BucketError::unreadable(OPERATION, "ETag"))?;
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

/// Under which key of the media bucket a thumbnail is published.
pub fn thumbnail_object_key(media_id: MediaId, key: &ThumbnailKey) -> String {
    format!("media/{media_id}/thumbnail/{key}")
}

/// One version of an uploaded object, as `x-amz-copy-source` names it.
fn copy_source(ingest: &IngestBucket, source: &SourceKey, version: &ObjectVersion) -> String {
    // Neither the bucket's name nor a source key has a character that would have to be escaped.
    let version_id = utf8_percent_encode(&version.version_id, NON_ALPHANUMERIC);
    format!("{}/{source}?versionId={version_id}", ingest.name())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thumbnail_has_an_address_that_nobody_can_guess() {
        let media_id: MediaId = "019a9f3e-7c00-7abc-8def-0123456789ab".parse().unwrap();
        assert_eq!(
            thumbnail_object_key(media_id, &ThumbnailKey::new(0xab)),
            "media/019a9f3e-7c00-7abc-8def-0123456789ab/thumbnail/000000000000000000000000000000ab"
        );
    }
}
