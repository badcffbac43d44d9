//! S3 events: as they come through the queue or straight from the bucket, and as we tell of an object ourselves, where
//! S3's own event got lost or its work goes on.
//!
//! Follows "Event message structure":
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-content-structure.html>.

use aws_lambda_events::s3::S3EventRecord;
use domain::{ObjectVersion, SizeBytes, SourceKey, Timestamp};
use serde_json::json;

/// An object that was created under `uploads/`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObjectCreated {
    /// Its key.
    pub key: SourceKey,
    /// Its version.
    pub version: ObjectVersion,
}

impl ObjectCreated {
    /// The message that S3 would tell the queue of this object with.
    pub fn message(&self, bucket: &str, size_bytes: SizeBytes, now: Timestamp) -> String {
        let record = json!({
            "eventVersion": "2.1",
            "eventSource": "aws:s3",
            "eventTime": now,
            "eventName": "ObjectCreated:Put",
            "userIdentity": {},
            "requestParameters": {},
            "s3": {
                "s3SchemaVersion": "1.0",
                "bucket": {"name": bucket},
                "object": {
                    "key": self.key,
                    "size": size_bytes,
                    "eTag": self.version.etag,
                    "versionId": self.version.version_id,
                },
            },
        });
        json!({"Records": [record]}).to_string()
    }
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

#[cfg(test)]
mod tests {
    use super::*;
    use aws_lambda_events::s3::S3Event;

    #[test]
    fn a_message_of_ours_reads_as_an_event_of_s3() {
        let object = ObjectCreated {
            key: "uploads/019a9f3e-7c00-7abc-8def-0123456789ab/source".parse().unwrap(),
            version: ObjectVersion { version_id: "v".to_owned(), etag: "e-2".to_owned() },
        };
        let message = object.message("ingest", 77_732, Timestamp::from_unix_seconds(1_795_162_530));
        let event: S3Event = serde_json::from_str(&message).unwrap();
        assert_eq!(object_created(&event.records[0]).unwrap(), Some(object));
        let entity = &event.records[0].s3;
        assert_eq!((entity.bucket.name.as_deref(), entity.object.size), (Some("ingest"), Some(77_732)));
    }
}
