//! Reading lists of media by place, from the newest.
//!
//! Each read is bounded, so that a page costs the same however much is stored. Indexes may lag behind by a moment;
//! tags do not.

use std::collections::HashMap;

use aws_sdk_dynamodb::operation::query::builders::QueryFluentBuilder;
use aws_sdk_dynamodb::types::AttributeValue;
use domain::{Media, MediaId, Place, Stretch, UserId};
use serde::de::DeserializeOwned;

use crate::Table;
use crate::error::TableError;
use crate::item::from_item;
use crate::keys::{Index, Key, listed_partitions, owner_partition, tag_partition, unlisted_partitions};
use crate::words::Tagged;

/// What sorts after every id.
const AFTER_ALL_IDS: &str = "~";

/// What one request read.
pub(crate) struct Read<T> {
    pub(crate) items: Vec<T>,
    pub(crate) is_unfinished: bool,
}

impl<T> Read<T> {
    /// Without what is beyond `limit`, which says that there is more.
    fn cut(mut self, limit: usize) -> Self {
        self.is_unfinished |= self.items.len() > limit;
        self.items.truncate(limit);
        self
    }

    /// The last item's id, if there may be more behind it.
    fn unfinished_after(&self, id: impl FnOnce(&T) -> MediaId) -> Option<MediaId> {
        self.items.last().filter(|_| self.is_unfinished).map(id)
    }
}

impl Table {
    /// The newest media of a place that are older than `before`, of each of its partitions at most `bound`, which is 100
    /// at most.
    pub async fn stretches(
        &self,
        place: &Place,
        before: Option<MediaId>,
        bound: usize,
    ) -> Result<Vec<Stretch<MediaId, Media>>, TableError> {
        let partitions = match place {
            Place::Listed => listed_partitions(),
            Place::Unlisted => unlisted_partitions(),
            Place::OwnedBy(owner_id) => return Ok(vec![self.owned_media(*owner_id, before, bound).await?]),
            Place::Tagged(tag) => return Ok(vec![self.tagged(tag_partition(tag), before, bound).await?]),
        };
        let reads =
            partitions.into_iter().map(|partition| self.indexed(Index::Listing, partition, before, bound));
        futures::future::try_join_all(reads).await
    }

    /// The newest media of an owner, in any state, that are older than `before`, at most `bound`, which is 100 at most.
    pub async fn owned_media(
        &self,
        owner_id: UserId,
        before: Option<MediaId>,
        bound: usize,
    ) -> Result<Stretch<MediaId, Media>, TableError> {
        self.indexed(Index::Owner, owner_partition(owner_id), before, bound).await
    }

    async fn indexed(
        &self,
        index: Index,
        partition: String,
        before: Option<MediaId>,
        bound: usize,
    ) -> Result<Stretch<MediaId, Media>, TableError> {
        let (partition_name, sort_name) = index.key_names();
        let query = self
            .newest(partition, before, bound)
            .index_name(index.name())
            .expression_attribute_names("#partition", partition_name)
            .expression_attribute_names("#sort", sort_name);
        let read: Read<Media> = read(query).await?.cut(bound);
        let unfinished_after = read.unfinished_after(|media| media.id);
        Ok(Stretch { items: by_id(read.items), unfinished_after })
    }

    async fn tagged(
        &self,
        partition: String,
        before: Option<MediaId>,
        bound: usize,
    ) -> Result<Stretch<MediaId, Media>, TableError> {
        let query = self
            .newest(partition, before, bound)
            .expression_attribute_names("#partition", crate::keys::PARTITION)
            .expression_attribute_names("#sort", crate::keys::SORT)
            .consistent_read(true);
        let read: Read<Tagged> = read(query).await?.cut(bound);
        let unfinished_after = read.unfinished_after(|tagged| tagged.media_id);
        let ids: Vec<MediaId> = read.items.iter().map(|tagged| tagged.media_id).collect();
        Ok(Stretch { items: by_id(self.records(&ids).await?), unfinished_after })
    }

    /// A query of a partition that is sorted by id: one item more than `bound`, which tells whether there are more.
    fn newest(&self, partition: String, before: Option<MediaId>, bound: usize) -> QueryFluentBuilder {
        let end = before.map_or_else(|| AFTER_ALL_IDS.to_owned(), |before| before.to_string());
        self.query_from_end(partition, bound + 1)
            .key_condition_expression("#partition = :partition AND #sort < :end")
            .expression_attribute_values(":end", AttributeValue::S(end))
    }

    /// A query of `:partition`, from its end.
    pub(crate) fn query_from_end(&self, partition: String, limit: usize) -> QueryFluentBuilder {
        self.client
            .query()
            .table_name(&self.name)
            .expression_attribute_values(":partition", AttributeValue::S(partition))
            .scan_index_forward(false)
            .limit(i32::try_from(limit).unwrap_or(i32::MAX))
    }

    /// The media with these ids, at most 100 and each once, in their order; those that are gone are left out.
    pub(crate) async fn records(&self, ids: &[MediaId]) -> Result<Vec<Media>, TableError> {
        let keys: Vec<Key> = ids.iter().map(|id| Key::media(*id)).collect();
        let items = self.get_many(&keys).await?;
        let mut media: HashMap<MediaId, Media> = HashMap::new();
        for item in items {
            // A tombstone is no media.
            if let Some(one) = crate::media::read_media(item)? {
                media.insert(one.id, one);
            }
        }
        Ok(ids.iter().filter_map(|id| media.remove(id)).collect())
    }
}

fn by_id(media: Vec<Media>) -> Vec<(MediaId, Media)> {
    media.into_iter().map(|media| (media.id, media)).collect()
}

/// Sends a query and reads what it answers.
pub(crate) async fn read<T: DeserializeOwned>(query: QueryFluentBuilder) -> Result<Read<T>, TableError> {
    let answer = query.send().await.map_err(|error| TableError::of("Query", &error))?;
    let is_unfinished = answer.last_evaluated_key.is_some();
    let items: Result<Vec<T>, TableError> =
        answer.items.unwrap_or_default().into_iter().map(from_item).collect();
    Ok(Read { items: items?, is_unfinished })
}
