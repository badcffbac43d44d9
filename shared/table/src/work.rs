//! Work still owed, as items that the sweep reads when they are due.

use aws_sdk_dynamodb::types::AttributeValue;
use domain::{Media, MediaId, Timestamp, UploadId, Work, WorkKind};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::Table;
use crate::error::TableError;
use crate::item::{from_item, to_item};
use crate::keys::{Key, work_due_after, work_partitions};
use crate::transaction::{Condition, Transaction};

/// Work that is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DueWork {
    /// What is owed, and since when.
    #[serde(flatten)]
    pub work: Work,
    /// For which media.
    pub media_id: MediaId,
    /// For which of its uploads.
    pub upload_id: UploadId,
}

impl DueWork {
    /// What a media is owed.
    fn of(media: &Media) -> [Option<Self>; 2] {
        let (media_id, upload_id) = (media.id, media.upload_id);
        let miniature = media.miniature.as_ref().and_then(|miniature| {
            miniature.work.map(|work| Self { work, media_id, upload_id: miniature.upload_id })
        });
        [media.work.map(|work| Self { work, media_id, upload_id }), miniature]
    }

    fn key(&self) -> Key {
        let id: Uuid = match self.work.kind {
            WorkKind::Miniature => self.upload_id.uuid(),
            _ => self.media_id.uuid(),
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
        if before == after {
            continue;
        }
        if let Some(before) = before {
            transaction = transaction.delete(&before.key());
        }
        if let Some(after) = after {
            transaction = transaction.put(to_item(&after.key(), Vec::new(), &after)?, &Condition::Always);
        }
    }
    Ok(transaction)
}

impl Table {
    /// What is due by now, of each shard the `limit` items that have been so for the longest.
    pub async fn due_work(&self, now: Timestamp, limit: u16) -> Result<Vec<DueWork>, TableError> {
        let mut due = Vec::new();
        for partition in work_partitions() {
            let answer = self
                .client
                .query()
                .table_name(&self.name)
                .key_condition_expression("PK = :partition AND SK < :later")
                .expression_attribute_values(":partition", AttributeValue::S(partition))
                .expression_attribute_values(":later", AttributeValue::S(work_due_after(now)))
                .consistent_read(true)
                .limit(i32::from(limit))
                .send()
                .await
                .map_err(|error| TableError::of("Query", &error))?;
            for item in answer.items.unwrap_or_default() {
                due.push(from_item(item)?);
            }
        }
        Ok(due)
    }

    /// Forgets work whose media is gone.
    pub async fn forget_work(&self, due: &DueWork) -> Result<(), TableError> {
        self.client
            .delete_item()
            .table_name(&self.name)
            .set_key(Some(due.key().attributes()))
            .send()
            .await
            .map_err(|error| TableError::of("DeleteItem", &error))?;
        Ok(())
    }
}
