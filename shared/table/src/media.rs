//! Media with what belongs to them: technical metadata, jobs, uploads, the owner's usage, and the work still owed.

use aws_sdk_dynamodb::types::AttributeValue;
use domain::{Job, Media, MediaId, Timestamp, Upload, UploadId, UserId, Work};
use probe::Metadata;
use serde::{Deserialize, Serialize};

use crate::Table;
use crate::error::{ChangeError, TableError};
use crate::item::{Item, from_item, to_item};
use crate::keys::{Key, MEDIA_METADATA, MEDIA_RECORD, SORT, media_index};
use crate::transaction::{Committed, Condition, Transaction};

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
    /// Its upload, where it changes too.
    pub upload: Option<Upload>,
    /// Job attempts that begin or end.
    pub jobs: Vec<Job>,
    /// Its technical metadata, where they are new.
    pub metadata: Option<Metadata>,
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

#[derive(Serialize)]
struct StoredWork {
    kind: domain::WorkKind,
    media_id: MediaId,
    upload_id: UploadId,
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

    /// The upload with this id, unless its record has expired.
    pub async fn upload(&self, id: UploadId, now: Timestamp) -> Result<Option<Upload>, TableError> {
        let upload: Option<Upload> = self.get_value(&Key::upload(id)).await?;
        Ok(upload.filter(|upload| upload.expires_at.is_none_or(|expires_at| expires_at > now.unix_seconds())))
    }

    /// Creates a media with its upload, reserves its bytes, and notes the work that it makes.
    pub async fn create_media(&self, media: &Media, upload: &Upload) -> Result<(), ChangeError> {
        let transaction = self
            .transaction()
            .put(to_item(&Key::media(media.id), media_index(media), media)?, &Condition::Absent)
            .put(to_item(&Key::upload(upload.id), Vec::new(), upload)?, &Condition::Absent);
        let transaction = add_usage(transaction, media.owner_id, i128::from(media.reserved_bytes));
        let transaction = replace_work(transaction, media, None)?;
        self.commit_change(transaction).await
    }

    /// Replaces a media by what one step makes of it. The work item and the owner's usage follow from the difference,
    /// so each is made and released exactly once, however often the step is tried.
    pub async fn change_media(&self, previous: &Media, change: &MediaChange) -> Result<(), ChangeError> {
        let media = &change.media;
        let condition = Condition::Version(previous.version);
        let mut transaction =
            self.transaction().put(to_item(&Key::media(media.id), media_index(media), media)?, &condition);
        if let Some(upload) = &change.upload {
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
        let usage = i128::from(media.reserved_bytes) - i128::from(previous.reserved_bytes);
        let transaction = add_usage(transaction, media.owner_id, usage);
        let transaction = replace_work(transaction, media, previous.work)?;
        self.commit_change(transaction).await
    }

    async fn commit_change(&self, transaction: Transaction) -> Result<(), ChangeError> {
        match self.commit(transaction).await? {
            Committed::Yes => Ok(()),
            Committed::ConditionFailed(_) => Err(ChangeError::Outdated),
        }
    }
}

fn read_record(item: Item, now: Timestamp) -> Result<Record, TableError> {
    Ok(match from_item(item)? {
        StoredRecord::Media(media) => Record::Media(media),
        StoredRecord::Tombstone { expires_at, .. } if expires_at <= now.unix_seconds() => Record::Absent,
        StoredRecord::Tombstone { owner_id, .. } => Record::Tombstone { owner_id },
    })
}

fn add_usage(transaction: Transaction, owner_id: UserId, bytes: i128) -> Transaction {
    if bytes == 0 { transaction } else { transaction.add(&Key::usage(owner_id), "size_bytes", bytes) }
}

fn replace_work(
    transaction: Transaction,
    media: &Media,
    previous: Option<Work>,
) -> Result<Transaction, TableError> {
    if media.work == previous {
        return Ok(transaction);
    }
    let mut transaction = transaction;
    if let Some(previous) = previous {
        transaction = transaction.delete(&Key::work(previous, media.id.uuid()));
    }
    if let Some(work) = media.work {
        let stored = StoredWork { kind: work.kind, media_id: media.id, upload_id: media.upload_id };
        let item = to_item(&Key::work(work, media.id.uuid()), Vec::new(), &stored)?;
        transaction = transaction.put(item, &Condition::Always);
    }
    Ok(transaction)
}
