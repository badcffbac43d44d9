//! S3 events, as they come through the queue or straight from the bucket.

use aws_lambda_events::s3::S3EventRecord;
use domain::{ObjectVersion, SourceKey};

/// An object that was created under `uploads/`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObjectCreated {
    /// Its key.
    pub key: SourceKey,
    /// Its version.
    pub version: ObjectVersion,
}

/// An event of an upload lacks what it is identified by, as it may shortly after a bucket began to keep versions.
#[derive(Debug, thiserror::Error)]
#[error("the event of {key} has no {field}")]
pub struct IncompleteEvent {
    key: SourceKey,
    field: &'static str,
}

/// Reads a record of an S3 event; `None` if it is about something else. Fields that S3 adds over time are ignored.
/// The `sequencer` is not needed: the first accepted version wins, whatever order the events come in.
/// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-content-structure.html>
pub fn object_created(record: &S3EventRecord) -> Result<Option<ObjectCreated>, IncompleteEvent> {
    let is_created = record.event_name.as_deref().is_some_and(|name| name.starts_with("ObjectCreated:"));
    let object = &record.s3.object;
    // The key is URL-encoded, with `+` for a space; keys of ours have neither, and other keys are not ours.
    let Some(key) =
        object.key.as_deref().and_then(|key| key.parse::<SourceKey>().ok()).filter(|_| is_created)
    else {
        return Ok(None);
    };
    let incomplete = |field| IncompleteEvent { key, field };
    let version = ObjectVersion {
        version_id: object.version_id.clone().ok_or_else(|| incomplete("versionId"))?,
        etag: object.e_tag.clone().ok_or_else(|| incomplete("eTag"))?,
    };
    Ok(Some(ObjectCreated { key, version }))
}
