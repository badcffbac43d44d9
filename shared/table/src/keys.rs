//! The keys of the table: every partition key, sort key and index key is spelled here and nowhere else.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;
use domain::{Email, JobType, Media, MediaId, SessionId, Status, UploadId, UserId, Visibility, Work};
use uuid::Uuid;

/// Name of the partition key.
pub(crate) const PARTITION: &str = "PK";
/// Name of the sort key.
pub(crate) const SORT: &str = "SK";

/// Over how many partitions listings are spread. Readers read all of them; it may grow, never shrink, and an item moves
/// when its media changes.
const LISTING_SHARDS: u8 = 4;

/// Over how many partitions work is spread. It may never change: the key of an item that is to be deleted is made again
/// from the id.
const WORK_SHARDS: u8 = 4;

/// Sort keys of a media's own items. They are chosen so that one range holds metadata and record, and not the jobs.
pub(crate) const MEDIA_METADATA: &str = "METADATA";
pub(crate) const MEDIA_RECORD: &str = "RECORD";

/// A primary key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Key {
    pub(crate) partition: String,
    pub(crate) sort: String,
}

impl Key {
    fn new(partition: String, sort: impl Into<String>) -> Self {
        Self { partition, sort: sort.into() }
    }

    pub(crate) fn user(id: UserId) -> Self {
        Self::new(format!("USER#{id}"), "PROFILE")
    }

    pub(crate) fn usage(id: UserId) -> Self {
        Self::new(format!("USER#{id}"), "USAGE")
    }

    pub(crate) fn session(user_id: UserId, id: SessionId) -> Self {
        Self::new(format!("USER#{user_id}"), format!("SESSION#{id}"))
    }

    pub(crate) fn email(email: &Email) -> Self {
        Self::new(format!("EMAIL#{email}"), "USER")
    }

    pub(crate) fn admins() -> Self {
        Self::new("ADMINS".to_owned(), "COUNT")
    }

    pub(crate) fn media(id: MediaId) -> Self {
        Self::new(format!("MEDIA#{id}"), MEDIA_RECORD)
    }

    pub(crate) fn metadata(id: MediaId) -> Self {
        Self::new(format!("MEDIA#{id}"), MEDIA_METADATA)
    }

    /// Attempts are padded so that they sort by number.
    pub(crate) fn job(media_id: MediaId, job_type: JobType, attempt: u32) -> Self {
        Self::new(format!("MEDIA#{media_id}"), format!("JOB#{job_type}#{attempt:010}"))
    }

    pub(crate) fn upload(id: UploadId) -> Self {
        Self::new(format!("UPLOAD#{id}"), "UPLOAD")
    }

    /// Work is sorted by when it is due.
    pub(crate) fn work(work: Work, id: Uuid) -> Self {
        Self::new(
            format!("WORK#{}", shard(id, WORK_SHARDS)),
            format!("{}#{}#{id}", work.due, work.kind.as_str()),
        )
    }

    /// An item that is never there.
    pub(crate) fn health() -> Self {
        Self::new("HEALTH".to_owned(), "HEALTH")
    }

    /// As the `Key` of a request.
    pub(crate) fn attributes(&self) -> HashMap<String, AttributeValue> {
        HashMap::from([
            (PARTITION.to_owned(), AttributeValue::S(self.partition.clone())),
            (SORT.to_owned(), AttributeValue::S(self.sort.clone())),
        ])
    }
}

/// The index attributes of an item.
pub(crate) type IndexAttributes = Vec<(&'static str, String)>;

/// The index that lists users, and where in it they are.
pub(crate) const USERS_INDEX: &str = "GSI1";
pub(crate) const USERS_LISTED: &str = "USERS";

/// A user is listed among the users.
pub(crate) fn user_index(id: UserId) -> IndexAttributes {
    vec![("GSI1PK", USERS_LISTED.to_owned()), ("GSI1SK", id.to_string())]
}

/// A media is listed to members, or not; and always to its owner.
pub(crate) fn media_index(media: &Media) -> IndexAttributes {
    let is_listed = media.visibility == Visibility::Members && media.status() == Status::Ready;
    let listing = if is_listed { "LISTED" } else { "UNLISTED" };
    vec![
        ("GSI1PK", format!("{listing}#{}", shard(media.id.uuid(), LISTING_SHARDS))),
        ("GSI1SK", media.id.to_string()),
        ("GSI2PK", format!("OWNER#{}", media.owner_id)),
        ("GSI2SK", media.id.to_string()),
    ]
}

/// The last byte of a UUID of version 7 is random.
fn shard(id: Uuid, shards: u8) -> u8 {
    id.as_bytes()[15] % shards
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::{Timestamp, WorkKind};

    fn uuid() -> Uuid {
        "019a9f3e-7c00-7abc-8def-0123456789ab".parse().unwrap()
    }

    #[test]
    fn keys_are_spelled_as_documented() {
        let spelled = |key: Key| format!("{} {}", key.partition, key.sort);
        let id = uuid();
        assert_eq!(spelled(Key::user(UserId::new(id))), format!("USER#{id} PROFILE"));
        assert_eq!(spelled(Key::usage(UserId::new(id))), format!("USER#{id} USAGE"));
        assert_eq!(
            spelled(Key::session(UserId::new(id), SessionId::new(id))),
            format!("USER#{id} SESSION#{id}")
        );
        assert_eq!(spelled(Key::email(&"a@example.com".parse().unwrap())), "EMAIL#a@example.com USER");
        assert_eq!(spelled(Key::media(MediaId::new(id))), format!("MEDIA#{id} RECORD"));
        assert_eq!(
            spelled(Key::job(MediaId::new(id), JobType::UploadToCdn, 2)),
            format!("MEDIA#{id} JOB#upload_to_cdn#0000000002")
        );
        let work = Work { kind: WorkKind::Upload, due: Timestamp::from_unix_seconds(1_795_162_530) };
        assert_eq!(spelled(Key::work(work, id)), format!("WORK#3 2026-11-20T08:15:30Z#upload#{id}"));
    }

    #[test]
    fn one_range_holds_metadata_and_record_but_no_job() {
        let job = Key::job(MediaId::new(uuid()), JobType::UploadToCdn, u32::MAX);
        assert!(job.sort.as_str() < MEDIA_METADATA && MEDIA_METADATA < MEDIA_RECORD);
    }
}
