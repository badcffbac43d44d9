//! Event notifications: which queues a new object is announced to, and how.
//!
//! Follows "Event message structure" in the S3 user guide, version 2.1.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};

use super::access::CallContext;
use super::index::{Content, NULL_VERSION, Version};
use crate::aws::clock;
use crate::stack::{Bucket, BucketNotification};

/// What stays as it is in an event's key; a blank becomes `+`.
const KEY: &AsciiSet =
    &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'*').remove(b'/').remove(b' ');

/// How an object came about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum EventName {
    Put,
    Post,
    Copy,
    CompleteMultipartUpload,
}

impl EventName {
    const fn text(self) -> &'static str {
        match self {
            EventName::Put => "ObjectCreated:Put",
            EventName::Post => "ObjectCreated:Post",
            EventName::Copy => "ObjectCreated:Copy",
            EventName::CompleteMultipartUpload => "ObjectCreated:CompleteMultipartUpload",
        }
    }
}

/// The messages that announce a new object: the ARN of each queue, and the body.
pub(super) fn messages(
    bucket: &Bucket,
    name: EventName,
    version: &Version,
    content: &Content,
    call: &CallContext,
    region: &str,
) -> Vec<(String, String)> {
    bucket
        .notifications
        .iter()
        .filter(|notification| applies(notification, name, &version.key))
        .map(|notification| {
            let record = record(bucket, notification, name, version, content, call, region);
            (notification.queue_arn.clone(), json!({ "Records": [record] }).to_string())
        })
        .collect()
}

fn applies(notification: &BucketNotification, name: EventName, key: &str) -> bool {
    let wanted = notification.event.strip_prefix("s3:").unwrap_or(&notification.event);
    let event_matches =
        wanted.strip_suffix('*').map_or(wanted == name.text(), |start| name.text().starts_with(start));
    event_matches
        && notification.prefix.as_ref().is_none_or(|prefix| key.starts_with(prefix.as_str()))
        && notification.suffix.as_ref().is_none_or(|suffix| key.ends_with(suffix.as_str()))
}

fn record(
    bucket: &Bucket,
    notification: &BucketNotification,
    name: EventName,
    version: &Version,
    content: &Content,
    call: &CallContext,
    region: &str,
) -> Value {
    let mut object = json!({
        "key": encode_key(&version.key),
        "size": content.size_bytes,
        "eTag": content.e_tag,
        "sequencer": format!("{:018X}", version.sequencer),
    });
    if version.version_id != NULL_VERSION {
        object["versionId"] = Value::String(version.version_id.clone());
    }
    let principal = call.caller().map_or("Anonymous", |caller| &caller.user_id);
    json!({
        "eventVersion": "2.1",
        "eventSource": "aws:s3",
        "awsRegion": region,
        "eventTime": clock::iso_8601(clock::now()),
        "eventName": name.text(),
        "userIdentity": { "principalId": format!("AWS:{principal}") },
        "requestParameters": { "sourceIPAddress": "127.0.0.1" },
        "responseElements": { "x-amz-request-id": call.request_id(), "x-amz-id-2": "local" },
        "s3": {
            "s3SchemaVersion": "1.0",
            "configurationId": format!("{}-{}", bucket.logical_id, notification.event),
            "bucket": {
                "name": bucket.name,
                "ownerIdentity": { "principalId": "LOCALOPERATOR" },
                "arn": bucket.arn,
            },
            "object": object,
        },
    })
}

fn encode_key(key: &str) -> String {
    utf8_percent_encode(key, KEY).to_string().replace(' ', "+")
}

#[cfg(test)]
mod tests {
    use super::{EventName, applies, encode_key};
    use crate::stack::BucketNotification;

    #[test]
    fn keys_are_form_encoded_but_for_slashes() {
        assert_eq!(encode_key("uploads/a b+c%d/é?.mp4"), "uploads/a+b%2Bc%25d/%C3%A9%3F.mp4");
    }

    #[test]
    fn filters_apply_to_the_key_and_the_event() {
        let notification = |event: &str, prefix: Option<&str>, suffix: Option<&str>| BucketNotification {
            event: event.to_owned(),
            queue_arn: String::new(),
            prefix: prefix.map(str::to_owned),
            suffix: suffix.map(str::to_owned),
        };
        let all = notification("s3:ObjectCreated:*", Some("uploads/"), Some(".mp4"));
        assert!(applies(&all, EventName::Put, "uploads/a.mp4"));
        assert!(applies(&all, EventName::Copy, "uploads/a.mp4"));
        assert!(!applies(&all, EventName::Put, "media/a.mp4"));
        assert!(!applies(&all, EventName::Put, "uploads/a.mp3"));
        assert!(!applies(&notification("s3:ObjectCreated:Put", None, None), EventName::Copy, "a"));
        assert!(!applies(&notification("s3:ObjectRemoved:*", None, None), EventName::Put, "a"));
    }
}
