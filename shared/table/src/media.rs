//! Media with what belongs to them: technical metadata, jobs, the owner's usage, and the work still owed.

use aws_sdk_dynamodb::types::AttributeValue;
use domain::{Job, JobType, JobsBefore, Media, MediaId, SizeBytes, Timestamp, Upload, UserId};
use probe::Metadata;
use serde::{Deserialize, Serialize};

use crate::Table;
use crate::error::{ChangeError, TableError};
use crate::item::{Item, from_item, to_item};
use crate::keys::{Key, MEDIA_METADATA, MEDIA_RECORD, SORT, media_index};
use crate::listing::read;
use crate::transaction::Condition;
use crate::words::replace_entries;
use crate::work::replace_work;

/// What is stored under a media's id.
#[derive(Clone, Debug, PartialEq)]
pub enum Record {
    /// A media.
    Media(Box<Media>),
    /// A media that was deleted.
    Tombstone {
        /// Whose it was.
        owner_id: UserId,
    },
    /// Nothing.
    Absent,
}

/// What one step makes of a media: all of it is written, or none.
#[derive(Clone, Debug)]
pub struct MediaChange {
    /// The media as it becomes.
    pub media: Media,
    /// Those of its uploads that change too.
    pub uploads: Vec<Upload>,
    /// Job attempts that begin or end.
    pub jobs: Vec<Job>,
    /// Its technical metadata, where they are new.
    pub metadata: Option<Metadata>,
}

impl MediaChange {
    /// A change of the record alone.
    pub fn of(media: Media) -> Self {
        Self { media, uploads: Vec::new(), jobs: Vec::new(), metadata: None }
    }
}

#[derive(Serialize, Deserialize)]
struct StoredMetadata {
    metadata: Metadata,
}

/// `deleted_at` marks a tombstone.
#[derive(Deserialize)]
#[serde(untagged)]
enum StoredRecord {
    Tombstone {
        #[serde(rename = "deleted_at")]
        _deleted_at: Timestamp,
        owner_id: UserId,
        expires_at: i64,
    },
    Media(Box<Media>),
}

impl Table {
    /// What is stored under this id.
    pub async fn media(&self, id: MediaId, now: Timestamp) -> Result<Record, TableError> {
        let Some(item) = self.get(&Key::media(id)).await? else { return Ok(Record::Absent) };
        read_record(item, now)
    }

    /// The media with this id and its technical metadata, in one read.
    pub async fn media_with_metadata(
        &self,
        id: MediaId,
        now: Timestamp,
    ) -> Result<(Record, Option<Metadata>), TableError> {
        let answer = self
            .client
            .query()
            .table_name(&self.name)
            .key_condition_expression("PK = :partition AND SK BETWEEN :metadata AND :record")
            .expression_attribute_values(":partition", AttributeValue::S(Key::media(id).partition))
            .expression_attribute_values(":metadata", AttributeValue::S(MEDIA_METADATA.to_owned()))
            .expression_attribute_values(":record", AttributeValue::S(MEDIA_RECORD.to_owned()))
            .consistent_read(true)
            .send()
            .await
            .map_err(|error| TableError::of("Query", &error))?;
        // Two items of at most 400 KB each: always within one page of 1 MB.
        let (mut record, mut metadata) = (Record::Absent, None);
        for item in answer.items.unwrap_or_default() {
            match item.get(SORT).and_then(|sort| sort.as_s().ok()).map(String::as_str) {
                Some(MEDIA_RECORD) => record = read_record(item, now)?,
                Some(MEDIA_METADATA) => metadata = Some(from_item::<StoredMetadata>(item)?.metadata),
                _ => {}
            }
        }
        Ok((record, metadata))
    }

    /// One attempt at a job of a media.
    pub async fn job(&self, id: MediaId, job_type: JobType, attempt: u32) -> Result<Option<Job>, TableError> {
        self.get_value(&Key::job(id, job_type, attempt)).await
    }

    /// The jobs of a media by type, each with the last attempt first: those before `before`, at most `limit` of each.
    pub async fn jobs(
        &self,
        id: MediaId,
        before: JobsBefore,
        limit: usize,
    ) -> Result<[Vec<Job>; 2], TableError> {
        let [first, second] = JobType::ALL.map(|job_type| {
            let key = |attempt: u32| Key::job(id, job_type, attempt);
            let (first, last) = (key(0), key(before.attempt(job_type).saturating_sub(1)));
            let query = self
                .query_from_end(first.partition, limit)
                .key_condition_expression("PK = :partition AND SK BETWEEN :first AND :last")
                .expression_attribute_values(":first", AttributeValue::S(first.sort))
                .expression_attribute_values(":last", AttributeValue::S(last.sort))
                .consistent_read(true);
            read::<Job>(query)
        });
        // At most 101 small items of each: always within one page of 1 MB.
        let (first, second) = futures::future::try_join(first, second).await?;
        Ok([first.items, second.items])
    }

    /// Replaces a media by what one step makes of it. Work items, the claim to a digest and the owner's usage follow from
    /// the difference, so each is made and released exactly once, however often the step is tried.
    pub async fn change_media(&self, previous: &Media, change: &MediaChange) -> Result<(), ChangeError> {
        // Without a quota there is none to exceed.
        self.change(previous, change, None).await.map(drop)
    }

    /// The same, unless what the step adds to the owner's usage makes that larger than `quota_bytes`. Whether it fits; if
    /// not, nothing is written.
    pub async fn change_media_within(
        &self,
        previous: &Media,
        change: &MediaChange,
        quota_bytes: SizeBytes,
    ) -> Result<bool, ChangeError> {
        self.change(previous, change, Some(quota_bytes)).await
    }

    async fn change(
        &self,
        previous: &Media,
        change: &MediaChange,
        quota_bytes: Option<SizeBytes>,
    ) -> Result<bool, ChangeError> {
        let media = &change.media;
        let condition = Condition::Version(previous.version);
        let mut transaction =
            self.transaction().put(to_item(&Key::media(media.id), media_index(media), media)?, &condition);
        for upload in &change.uploads {
            let item = to_item(&Key::upload(upload.id), Vec::new(), upload)?;
            transaction = transaction.put(item, &Condition::Always);
        }
        for job in &change.jobs {
            let item = to_item(&Key::job(media.id, job.job_type, job.attempt), Vec::new(), job)?;
            transaction = transaction.put(item, &Condition::Always);
        }
        if let Some(metadata) = &change.metadata {
            let stored = StoredMetadata { metadata: metadata.clone() };
            transaction =
                transaction.put(to_item(&Key::metadata(media.id), Vec::new(), &stored)?, &Condition::Always);
        }
        let mut quota_guard = None;
        for (owner_id, difference) in usage_differences(previous, media) {
            let usage = Key::usage(owner_id);
            transaction = match (quota_bytes, u64::try_from(difference)) {
                (Some(quota_bytes), Ok(added)) => {
                    quota_guard = Some(transaction.len());
                    transaction.add_within(&usage, "size_bytes", added, quota_bytes)
                }
                _ => transaction.add(&usage, "size_bytes", difference),
            };
        }
        if let Some(digest) = digest_key(previous).filter(|_| !media.claims_digest) {
            transaction = transaction.delete(&digest);
        }
        let transaction = replace_work(transaction, previous, media)?;
        let transaction = replace_entries(transaction, previous, media)?;
        match self.commit(transaction).await?.first_failed() {
            None => Ok(true),
            // The version comes first: of a record that has moved on, nothing is said about a quota.
            failed if failed == quota_guard => Ok(false),
            Some(_) => Err(ChangeError::Outdated),
        }
    }
}

/// A media, unless the item is a tombstone.
pub(crate) fn read_media(item: Item) -> Result<Option<Media>, TableError> {
    Ok(match from_item(item)? {
        StoredRecord::Media(media) => Some(*media),
        StoredRecord::Tombstone { .. } => None,
    })
}

fn read_record(item: Item, now: Timestamp) -> Result<Record, TableError> {
    Ok(match from_item(item)? {
        StoredRecord::Media(media) => Record::Media(media),
        StoredRecord::Tombstone { expires_at, .. } if expires_at <= now.unix_seconds() => Record::Absent,
        StoredRecord::Tombstone { owner_id, .. } => Record::Tombstone { owner_id },
    })
}

/// By how much the usage of owners differs after a step. Another owner takes all of it over.
fn usage_differences(previous: &Media, media: &Media) -> Vec<(UserId, i128)> {
    let (before, after) = (i128::from(previous.reserved_bytes), i128::from(media.reserved_bytes));
    let mut differences = if previous.owner_id == media.owner_id {
        vec![(media.owner_id, after - before)]
    } else {
        vec![(previous.owner_id, -before), (media.owner_id, after)]
    };
    differences.retain(|(_, difference)| *difference != 0);
    differences
}

/// The digest that a media holds, if it holds one.
pub(crate) fn digest_key(media: &Media) -> Option<Key> {
    let sha256 = media.checksum_sha256.as_ref().filter(|_| media.claims_digest)?;
    Some(Key::digest(media.owner_id, sha256, media.size_bytes?))
}
