//! Removing what is stored of a media or a user, at the end of their deletion.

use std::time::Duration;

use aws_sdk_dynamodb::types::AttributeValue;
use domain::{Media, MediaId, Timestamp, UserId};
use futures::stream::{self, StreamExt as _, TryStreamExt as _};
use serde::Serialize;

use crate::Table;
use crate::error::{ChangeError, TableError};
use crate::item::to_item;
use crate::keys::{Key, MEDIA_RECORD, USER_RECORD};
use crate::media::digest_key;
use crate::transaction::Condition;
use crate::work::delete_work;

/// How long it is remembered that a media was deleted, so that deleting it again succeeds.
const TOMBSTONE_KEPT: Duration = Duration::from_hours(24 * 7);

/// How many items are removed by one call.
const ITEMS_OF_CALL: i32 = 200;

/// How many of them at a time.
const CONCURRENT_DELETIONS: usize = 8;

#[derive(Serialize)]
struct Tombstone {
    owner_id: UserId,
    deleted_at: Timestamp,
    expires_at: i64,
}

impl Table {
    /// Removes what belongs to a media but its record: metadata and jobs, at most 200 items. Answers whether nothing of it
    /// is left.
    pub async fn remove_belongings(&self, id: MediaId) -> Result<bool, TableError> {
        self.remove_items(Key::media(id).partition, "SK < :record", MEDIA_RECORD).await
    }

    /// Removes what belongs to a user but their record: sessions and usage. Otherwise the same.
    pub async fn remove_user_belongings(&self, id: UserId) -> Result<bool, TableError> {
        self.remove_items(Key::user(id).partition, "SK > :record", USER_RECORD).await
    }

    /// Removes items of a partition on one side of the record, at most 200. Answers whether none is left.
    async fn remove_items(
        &self,
        partition: String,
        is_meant: &str,
        record: &str,
    ) -> Result<bool, TableError> {
        let answer = self
            .client
            .query()
            .table_name(&self.name)
            .key_condition_expression(format!("PK = :partition AND {is_meant}"))
            .expression_attribute_values(":partition", AttributeValue::S(partition))
            .expression_attribute_values(":record", AttributeValue::S(record.to_owned()))
            .projection_expression("PK, SK")
            .consistent_read(true)
            .limit(ITEMS_OF_CALL)
            .send()
            .await
            .map_err(|error| TableError::of("Query", &error))?;
        let is_all = answer.last_evaluated_key.is_none();
        stream::iter(answer.items.unwrap_or_default())
            .map(Ok)
            .try_for_each_concurrent(CONCURRENT_DELETIONS, |key| self.delete_item(key))
            .await?;
        Ok(is_all)
    }

    /// Puts a tombstone in place of the record of a media, and releases what it still holds: its uploads, its owner's
    /// usage, the work that was owed.
    pub async fn bury(&self, media: &Media, now: Timestamp) -> Result<(), ChangeError> {
        let tombstone = Tombstone {
            owner_id: media.owner_id,
            deleted_at: now,
            expires_at: now.plus(TOMBSTONE_KEPT).unix_seconds(),
        };
        let item = to_item(&Key::media(media.id), Vec::new(), &tombstone)?;
        let mut transaction = self
            .transaction()
            .put(item, &Condition::Version(media.version))
            .delete(&Key::upload(media.upload_id));
        if let Some(miniature) = &media.miniature {
            transaction = transaction.delete(&Key::upload(miniature.upload_id));
        }
        if media.reserved_bytes != 0 {
            let released = -i128::from(media.reserved_bytes);
            transaction = transaction.add(&Key::usage(media.owner_id), "size_bytes", released);
        }
        if let Some(digest) = digest_key(media) {
            transaction = transaction.delete(&digest);
        }
        match self.commit(delete_work(transaction, media)).await?.first_failed() {
            None => Ok(()),
            Some(_) => Err(ChangeError::Outdated),
        }
    }
}
