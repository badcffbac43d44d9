//! Work still owed, as items that the sweep reads when they are due.

use aws_sdk_dynamodb::types::AttributeValue;
use domain::{DeletedUser, Media, MediaId, Timestamp, UploadId, UserId, Work, WorkKind};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::Table;
use crate::error::TableError;
use crate::item::{Item, from_item, to_item};
use crate::keys::{Key, SORT, work_due_after, work_partitions};
use crate::transaction::{Condition, Transaction};

/// Work that is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DueWork {
    /// What is owed, and since when.
    #[serde(flatten)]
    pub work: Work,
    /// For whom.
    #[serde(flatten)]
    pub subject: Subject,
}

/// For whom work is owed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Subject {
    /// A media.
    Media {
        /// Which one.
        media_id: MediaId,
        /// For which of its uploads.
        upload_id: UploadId,
    },
    /// A user who is deleted.
    User {
        /// Which one.
        user_id: UserId,
    },
}

impl DueWork {
    /// What a media is owed.
    fn of(media: &Media) -> [Option<Self>; 2] {
        let owed = |work: Option<Work>, upload_id: UploadId| {
            work.map(|work| Self { work, subject: Subject::Media { media_id: media.id, upload_id } })
        };
        let miniature = media.miniature.as_ref();
        let miniature = miniature.and_then(|miniature| owed(miniature.work, miniature.upload_id));
        [owed(media.work, media.upload_id), miniature]
    }

    /// What a user who is deleted is owed.
    pub(crate) fn of_deleted(user: &DeletedUser) -> Option<Self> {
        user.work.map(|work| Self { work, subject: Subject::User { user_id: user.id } })
    }

    /// Whether a media still owes exactly this. What it owed before, the transaction that replaced it has deleted.
    pub fn is_owed_by(&self, media: &Media) -> bool {
        Self::of(media).contains(&Some(*self))
    }

    fn key(&self) -> Key {
        let id: Uuid = match (self.subject, self.work.kind) {
            (Subject::Media { upload_id, .. }, WorkKind::Miniature) => upload_id.uuid(),
            (Subject::Media { media_id, .. }, _) => media_id.uuid(),
            (Subject::User { user_id }, _) => user_id.uuid(),
        };
        Key::work(self.work, id)
    }
}

/// Adds the work that a media makes.
pub(crate) fn put_work(mut transaction: Transaction, media: &Media) -> Result<Transaction, TableError> {
    for owed in DueWork::of(media).into_iter().flatten() {
        transaction = transaction.put(to_item(&owed.key(), Vec::new(), &owed)?, &Condition::Always);
    }
    Ok(transaction)
}

/// Turns the work that is owed for a media into what is owed for what it becomes.
pub(crate) fn replace_work(
    mut transaction: Transaction,
    previous: &Media,
    media: &Media,
) -> Result<Transaction, TableError> {
    for (before, after) in DueWork::of(previous).into_iter().zip(DueWork::of(media)) {
        transaction = replace(transaction, before, after)?;
    }
    Ok(transaction)
}

/// The same for one item of work.
pub(crate) fn replace(
    mut transaction: Transaction,
    before: Option<DueWork>,
    after: Option<DueWork>,
) -> Result<Transaction, TableError> {
    if before == after {
        return Ok(transaction);
    }
    if let Some(before) = before {
        transaction = transaction.delete(&before.key());
    }
    if let Some(after) = after {
        transaction = transaction.put(to_item(&after.key(), Vec::new(), &after)?, &Condition::Always);
    }
    Ok(transaction)
}

/// Takes away the work that is owed for a media.
pub(crate) fn delete_work(mut transaction: Transaction, media: &Media) -> Transaction {
    for owed in DueWork::of(media).into_iter().flatten() {
        transaction = transaction.delete(&owed.key());
    }
    transaction
}

/// A place in the work that is due, up to which it has been read.
#[derive(Clone, Debug)]
pub struct WorkPlace {
    partition: String,
    after: Option<String>,
}

/// Work that is due, as far as one read goes.
#[derive(Debug)]
pub struct DuePage {
    /// What has been due for the longest comes first.
    pub work: Vec<DueWork>,
    /// Items that do not read as work, each with its sort key: they are left where they are, and hold up nothing.
    pub unreadable: Vec<(String, TableError)>,
    /// Where to go on, if there is more.
    pub next: Option<WorkPlace>,
}

/// Where the work begins: one place for each partition that it is spread over.
pub fn work_begins() -> Vec<WorkPlace> {
    work_partitions().map(|partition| WorkPlace { partition, after: None }).collect()
}

impl Table {
    /// At most `limit` items of what is due by `now`, from a place on.
    pub async fn due_work(
        &self,
        place: &WorkPlace,
        now: Timestamp,
        limit: u16,
    ) -> Result<DuePage, TableError> {
        let start = place
            .after
            .as_ref()
            .map(|after| Key { partition: place.partition.clone(), sort: after.clone() }.attributes());
        let answer = self
            .client
            .query()
            .table_name(&self.name)
            .key_condition_expression("PK = :partition AND SK < :later")
            .expression_attribute_values(":partition", AttributeValue::S(place.partition.clone()))
            .expression_attribute_values(":later", AttributeValue::S(work_due_after(now)))
            .consistent_read(true)
            .limit(i32::from(limit))
            .set_exclusive_start_key(start)
            .send()
            .await
            .map_err(|error| TableError::of("Query", &error))?;
        let next = answer.last_evaluated_key.as_ref().and_then(sort_key);
        let mut page = DuePage {
            work: Vec::new(),
            unreadable: Vec::new(),
            next: next.map(|after| WorkPlace { partition: place.partition.clone(), after: Some(after) }),
        };
        for item in answer.items.unwrap_or_default() {
            let sort = sort_key(&item).unwrap_or_default();
            match from_item(item) {
                Ok(work) => page.work.push(work),
                Err(error) => page.unreadable.push((sort, error)),
            }
        }
        Ok(page)
    }

    /// Forgets work whose media or user is gone.
    pub async fn forget_work(&self, due: &DueWork) -> Result<(), TableError> {
        self.delete_item(due.key().attributes()).await
    }
}

fn sort_key(item: &Item) -> Option<String> {
    item.get(SORT).and_then(|sort| sort.as_s().ok()).cloned()
}
