//! The keys of the table: every partition key, sort key and index key is spelled here and nowhere else.

use std::collections::HashMap;
use std::time::Duration;

use aws_sdk_dynamodb::types::AttributeValue;
use domain::{
    Day, Email, IdempotentRequest, JobType, Media, MediaId, RateLimitName, RateLimitSubject, SessionId,
    Sha256Checksum, SizeBytes, Status, Tag, Timestamp, UploadId, UserId, View, ViewShard, Visibility, Work,
};
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

/// The sort key of a user's record, before those of all else that is theirs.
pub(crate) const USER_RECORD: &str = "PROFILE";

/// Sort keys of a media's own items. They are chosen so that one range holds metadata and record, and not the jobs.
pub(crate) const MEDIA_METADATA: &str = "METADATA";
pub(crate) const MEDIA_RECORD: &str = "RECORD";

/// Sort keys of what is counted of views. They are chosen so that one range holds days and total, and nothing else.
const DAY: &str = "DAY#";
pub(crate) const TOTAL_VIEWS: &str = "TOTAL";

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
        Self::new(format!("USER#{id}"), USER_RECORD)
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

    /// Work is sorted by when it is due. `id` is a miniature's upload, a deleted user, and for all other work
    /// the media.
    pub(crate) fn work(work: Work, id: Uuid) -> Self {
        let shard = shard(id, WORK_SHARDS);
        Self::new(work_partition(shard), format!("{}#{}#{id}", work.due, work.kind.as_str()))
    }

    /// Of an owner's uploads with the same digest and size, one holds this.
    pub(crate) fn digest(owner_id: UserId, sha256: &Sha256Checksum, size_bytes: SizeBytes) -> Self {
        Self::new(owner_partition(owner_id), format!("DIGEST#{sha256}#{size_bytes}"))
    }

    /// A client's key is the partition's last part, so that whatever it contains reads as nothing else.
    pub(crate) fn idempotency(user_id: UserId, request: &IdempotentRequest) -> Self {
        let sort = match request.file_index {
            None => "REQUEST".to_owned(),
            Some(index) => format!("FILE#{index:03}"),
        };
        Self::new(format!("IDEMPOTENCY#{user_id}#{}", request.key), sort)
    }

    /// A title's word. A partition has the words that begin with the same two letters.
    pub(crate) fn word(word: &str, media_id: MediaId) -> Self {
        Self::new(word_partition(word), format!("{word}#{media_id}"))
    }

    pub(crate) fn tag(tag: &Tag, media_id: MediaId) -> Self {
        Self::new(tag_partition(tag), media_id.to_string())
    }

    pub(crate) fn rate_limit(name: RateLimitName, subject: &RateLimitSubject) -> Self {
        Self::new(format!("RATE#{}#{}", name.as_str(), subject.as_str()), "WINDOW")
    }

    /// The log's entry of a view. A view id is the key's last part, so that whatever it contains reads as nothing else.
    pub(crate) fn view(view: &View) -> Self {
        let sort = format!("VIEW#{}#{}#{}", view.day(), view.viewer_key(), view.id);
        Self::new(views_partition(view.media_id, view.viewer_key().shard()), sort)
    }

    /// That a view's viewer was there on its day.
    pub(crate) fn viewer_of_day(view: &View) -> Self {
        let sort = format!("VIEWER#{}#{}", view.viewer_key(), view.day());
        Self::new(views_partition(view.media_id, view.viewer_key().shard()), sort)
    }

    /// That a view's viewer was ever there.
    pub(crate) fn viewer(view: &View) -> Self {
        let sort = format!("VIEWER#{}", view.viewer_key());
        Self::new(views_partition(view.media_id, view.viewer_key().shard()), sort)
    }

    /// What was counted on a day.
    pub(crate) fn day_views(id: MediaId, shard: ViewShard, day: Day) -> Self {
        Self::new(views_partition(id, shard), format!("{DAY}{day}"))
    }

    /// What was counted on all days.
    pub(crate) fn total_views(id: MediaId, shard: ViewShard) -> Self {
        Self::new(views_partition(id, shard), TOTAL_VIEWS)
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

/// The partition of one shard of a media's views.
fn views_partition(id: MediaId, shard: ViewShard) -> String {
    format!("VIEWS#{id}#{shard}")
}

/// The day that a sort key is of, if it is that of a day's views.
pub(crate) fn day_of_views(sort: &str) -> Option<Day> {
    sort.strip_prefix(DAY)?.parse().ok()
}

/// Where words that begin as this one does are.
pub(crate) fn word_partition(word: &str) -> String {
    format!("WORD#{}", word.chars().take(2).collect::<String>())
}

/// Between which sort keys a word is. `#` ends a word in a key, and sorts before all that a word can go on with.
pub(crate) fn words_of(word: &str) -> [String; 2] {
    [format!("{word}#"), format!("{word}$")]
}

/// Between which sort keys longer words that begin with `beginning` are.
pub(crate) fn words_that_begin_with(beginning: &str) -> [String; 2] {
    [format!("{beginning}$"), format!("{beginning}\u{10ffff}")]
}

/// Where the media with a tag are.
pub(crate) fn tag_partition(tag: &Tag) -> String {
    format!("TAG#{tag}")
}

/// The partition of one shard of the work.
fn work_partition(shard: u8) -> String {
    format!("WORK#{shard}")
}

/// The partitions of all work.
pub(crate) fn work_partitions() -> impl Iterator<Item = String> {
    (0..WORK_SHARDS).map(work_partition)
}

/// What all work sorts before that is due later than `now`.
pub(crate) fn work_due_after(now: Timestamp) -> String {
    now.plus(Duration::from_secs(1)).to_string()
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

/// An index that lists media by id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Index {
    /// By whether they are listed to members.
    Listing,
    /// By owner.
    Owner,
}

impl Index {
    /// Its name.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Listing => "GSI1",
            Self::Owner => "GSI2",
        }
    }

    /// The names of its partition key and its sort key.
    pub(crate) fn key_names(self) -> (&'static str, &'static str) {
        match self {
            Self::Listing => ("GSI1PK", "GSI1SK"),
            Self::Owner => ("GSI2PK", "GSI2SK"),
        }
    }
}

/// A media is listed to members, or not; and always to its owner.
pub(crate) fn media_index(media: &Media) -> IndexAttributes {
    let is_listed = media.visibility == Visibility::Members && media.status() == Status::Ready;
    let listing = if is_listed { LISTED } else { UNLISTED };
    let (listing_partition, listing_sort) = Index::Listing.key_names();
    let (owner_partition_name, owner_sort) = Index::Owner.key_names();
    vec![
        (listing_partition, listing_shard(listing, shard(media.id.uuid(), LISTING_SHARDS))),
        (listing_sort, media.id.to_string()),
        (owner_partition_name, owner_partition(media.owner_id)),
        (owner_sort, media.id.to_string()),
    ]
}

const LISTED: &str = "LISTED";
const UNLISTED: &str = "UNLISTED";

fn listing_shard(listing: &str, shard: u8) -> String {
    format!("{listing}#{shard}")
}

/// The partitions of all that is listed to members.
pub(crate) fn listed_partitions() -> Vec<String> {
    (0..LISTING_SHARDS).map(|shard| listing_shard(LISTED, shard)).collect()
}

/// The partitions of all that is not.
pub(crate) fn unlisted_partitions() -> Vec<String> {
    (0..LISTING_SHARDS).map(|shard| listing_shard(UNLISTED, shard)).collect()
}

/// The partition of what a user owns.
pub(crate) fn owner_partition(owner_id: UserId) -> String {
    format!("OWNER#{owner_id}")
}

/// The last byte of a UUID of version 7 is random.
fn shard(id: Uuid, shards: u8) -> u8 {
    id.as_bytes()[15] % shards
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::WorkKind;

    fn uuid() -> Uuid {
        "019a9f3e-7c00-7abc-8def-0123456789ab".parse().unwrap()
    }

    fn spelled(key: &Key) -> String {
        format!("{} {}", key.partition, key.sort)
    }

    #[test]
    fn keys_are_spelled_as_documented() {
        let id = uuid();
        assert_eq!(spelled(&Key::user(UserId::new(id))), format!("USER#{id} PROFILE"));
        assert_eq!(spelled(&Key::usage(UserId::new(id))), format!("USER#{id} USAGE"));
        assert_eq!(
            spelled(&Key::session(UserId::new(id), SessionId::new(id))),
            format!("USER#{id} SESSION#{id}")
        );
        assert_eq!(spelled(&Key::email(&"a@example.com".parse().unwrap())), "EMAIL#a@example.com USER");
        assert_eq!(spelled(&Key::media(MediaId::new(id))), format!("MEDIA#{id} RECORD"));
        assert_eq!(
            spelled(&Key::job(MediaId::new(id), JobType::UploadToCdn, 2)),
            format!("MEDIA#{id} JOB#upload_to_cdn#0000000002")
        );
        let work = Work { kind: WorkKind::Upload, due: Timestamp::from_unix_seconds(1_795_162_530) };
        assert_eq!(spelled(&Key::work(work, id)), format!("WORK#3 2026-11-20T08:15:30Z#upload#{id}"));
        let sha256 = "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=";
        assert_eq!(
            spelled(&Key::digest(UserId::new(id), &sha256.parse().unwrap(), 10)),
            format!("OWNER#{id} DIGEST#{sha256}#10")
        );
        let mut request = IdempotentRequest {
            key: "a#b".parse().unwrap(),
            file_index: None,
            request_sha256: String::new(),
        };
        let idempotency = |request: &IdempotentRequest| spelled(&Key::idempotency(UserId::new(id), request));
        assert_eq!(idempotency(&request), format!("IDEMPOTENCY#{id}#a#b REQUEST"));
        request.file_index = Some(7);
        assert_eq!(idempotency(&request), format!("IDEMPOTENCY#{id}#a#b FILE#007"));
        let rate_limit = |name, subject| spelled(&Key::rate_limit(name, &subject));
        assert_eq!(
            rate_limit(RateLimitName::UploadsPerUser, RateLimitSubject::user(UserId::new(id))),
            format!("RATE#uploads_per_user#{id} WINDOW")
        );
        let (digest, network) = ([0xab; 32], domain::ClientNetwork::of("2001:db8:1:2::3"));
        assert_eq!(
            rate_limit(RateLimitName::LogInsPerAccountAndIp, RateLimitSubject::account_from(digest, network)),
            format!("RATE#log_ins_per_account_and_ip#{}#2001:db8:1:2::/64 WINDOW", "ab".repeat(32))
        );
    }

    #[test]
    fn work_is_due_from_its_second_on() {
        let due = Timestamp::from_unix_seconds(1_795_162_530);
        let key = Key::work(Work { kind: WorkKind::Upload, due }, uuid());
        assert!(key.sort < work_due_after(due));
        assert!(key.sort > work_due_after(Timestamp::from_unix_seconds(due.unix_seconds() - 1)));
        assert!(work_partitions().any(|partition| partition == key.partition));
    }

    #[test]
    fn all_else_of_a_user_sorts_after_the_record() {
        let (user_id, session_id) = (UserId::new(uuid()), SessionId::new(uuid()));
        for key in [Key::usage(user_id), Key::session(user_id, session_id)] {
            assert!(key.sort.as_str() > USER_RECORD && key.partition == Key::user(user_id).partition);
        }
    }

    #[test]
    fn one_range_holds_what_is_counted_of_views_and_nothing_else() {
        let view = View {
            media_id: MediaId::new(uuid()),
            viewer_id: UserId::new(uuid()),
            id: "a#b".parse().unwrap(),
            viewed_at: Timestamp::from_unix_seconds(1_795_162_530),
            position_seconds: None,
            is_counted: true,
            source_ip: String::new(),
            user_agent: String::new(),
        };
        let (shard, viewer) = (view.viewer_key().shard(), view.viewer_key());
        let partition = format!("VIEWS#{}#{shard}", uuid());
        let day = Key::day_views(view.media_id, shard, view.day());
        assert_eq!(spelled(&day), format!("{partition} DAY#2026-11-20"));
        assert_eq!(day_of_views(&day.sort), Some(view.day()));
        assert_eq!(spelled(&Key::total_views(view.media_id, shard)), format!("{partition} TOTAL"));
        for (key, sort) in [
            (Key::view(&view), format!("VIEW#2026-11-20#{viewer}#a#b")),
            (Key::viewer_of_day(&view), format!("VIEWER#{viewer}#2026-11-20")),
            (Key::viewer(&view), format!("VIEWER#{viewer}")),
        ] {
            assert!(day.sort.as_str() < TOTAL_VIEWS && TOTAL_VIEWS < sort.as_str());
            assert_eq!(day_of_views(&sort), None);
            assert_eq!(spelled(&key), format!("{partition} {sort}"));
        }
    }

    #[test]
    fn one_range_holds_metadata_and_record_but_no_job() {
        let job = Key::job(MediaId::new(uuid()), JobType::UploadToCdn, u32::MAX);
        assert!(job.sort.as_str() < MEDIA_METADATA && MEDIA_METADATA < MEDIA_RECORD);
    }
}
