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

/// Reads a record of an S3 event; `None` if it is about something else. Fields that S3 adds over time are ignored.
/// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-content-structure.html>
pub fn object_created(record: &S3EventRecord) -> Option<ObjectCreated> {
    if !record.event_name.as_deref()?.starts_with("ObjectCreated:") {
        return None;
    }
    let object = &record.s3.object;
    // The key is URL-encoded, with `+` for a space; keys of ours have neither, and other keys are not ours.
    let key = object.key.as_deref()?.parse().ok()?;
    Some(ObjectCreated {
        key,
        version: ObjectVersion {
            version_id: object.version_id.clone()?,
            etag: object.e_tag.clone()?,
            sequencer: object.sequencer.clone()?,
        },
    })
}
