//! Reading lists of media: by place from the newest, and by the words of their titles.
//!
//! Each read is bounded, so that a page costs the same however much is stored. Indexes may lag behind by a moment.

use std::collections::HashMap;

use aws_sdk_dynamodb::operation::query::builders::QueryFluentBuilder;
use aws_sdk_dynamodb::types::AttributeValue;
use domain::{
    Caller, Decision, Media, MediaId, Place, Query, Status, Stretch, Words, may_see_ready, may_view,
};
use serde::de::DeserializeOwned;

use crate::Table;
use crate::error::TableError;
use crate::item::from_item;
use crate::keys::{
    Index, Key, listed_partitions, owner_partition, tag_partition, unlisted_partitions, word_partition,
};
use crate::words::{FoundMedia, Tagged};

/// How many words of titles one search reads at most.
const MAX_WORDS_READ: usize = 500;

/// What a search found, the best match first.
#[derive(Clone, Debug, PartialEq)]
pub struct Found {
    /// The media.
    pub media: Vec<Media>,
    /// Where to go on, if there may be more.
    pub next: Option<String>,
}

/// What one request read.
struct Read<T> {
    items: Vec<T>,
    is_unfinished: bool,
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
        let (index, partitions) = match place {
            Place::Listed => (Index::Listing, listed_partitions()),
            Place::Unlisted => (Index::Listing, unlisted_partitions()),
            Place::OwnedBy(owner_id) => (Index::Owner, vec![owner_partition(*owner_id)]),
            Place::Tagged(tag) => return Ok(vec![self.tagged(tag_partition(tag), before, bound).await?]),
        };
        let reads = partitions.into_iter().map(async |partition| {
            let (partition_name, sort_name) = index.key_names();
            let end = before.map_or_else(|| AFTER_ALL_IDS.to_owned(), |before| before.to_string());
            let query = self
                .query(partition, bound)
                .index_name(index.name())
                .key_condition_expression("#partition = :partition AND #sort < :end")
                .expression_attribute_names("#partition", partition_name)
                .expression_attribute_names("#sort", sort_name)
                .expression_attribute_values(":end", AttributeValue::S(end));
            let read: Read<Media> = read(query).await?;
            let last = read.items.last().map(|media| media.id).filter(|_| read.is_unfinished);
            Ok(stretch(read.items, last))
        });
        futures::future::try_join_all(reads).await
    }

    async fn tagged(
        &self,
        partition: String,
        before: Option<MediaId>,
        bound: usize,
    ) -> Result<Stretch<MediaId, Media>, TableError> {
        let end = before.map_or_else(|| AFTER_ALL_IDS.to_owned(), |before| before.to_string());
        let query = self
            .query(partition, bound)
            .key_condition_expression("PK = :partition AND SK < :end")
            .expression_attribute_values(":end", AttributeValue::S(end));
        let read: Read<Tagged> = read(query).await?;
        let ids: Vec<MediaId> = read.items.iter().map(|tagged| tagged.media_id).collect();
        let last = ids.last().copied().filter(|_| read.is_unfinished);
        Ok(stretch(self.records(&ids).await?, last))
    }

    /// Ready media that the caller may see, by the words of their titles: first those that have the leading term itself,
    /// then those that have a word which begins with it, each time the newest first. `limit` is 100 at most. A page may
    /// be short and still have more behind it.
    pub async fn search(
        &self,
        caller: &Caller,
        query: &Query,
        after: Option<String>,
        limit: usize,
    ) -> Result<Found, TableError> {
        let (mut ids, mut position, mut words_read) = (Vec::new(), after, 0);
        let mut is_unfinished = true;
        while is_unfinished && ids.len() < limit && words_read < MAX_WORDS_READ {
            let read = self.words(query, position.as_deref(), limit.min(MAX_WORDS_READ - words_read)).await?;
            words_read += read.items.len();
            is_unfinished = read.is_unfinished;
            for found in read.items {
                if ids.len() == limit {
                    is_unfinished = true;
                    break;
                }
                if found.is_by(query) && may_see_ready(caller, found.owner_id, found.visibility) {
                    ids.push(found.media_id);
                }
                position = Some(found.sort);
            }
        }
        let is_it = |media: &Media| {
            media.status() == Status::Ready
                && may_view(caller, media) == Decision::Allowed
                && query.matches(&Words::of(media.title.as_str()))
        };
        let media = self.records(&ids).await?.into_iter().filter(is_it).collect();
        Ok(Found { media, next: position.filter(|_| is_unfinished) })
    }

    /// The next words that the leading term finds, at most `limit`: of the term itself, or else of longer ones.
    async fn words(
        &self,
        query: &Query,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Read<FoundMedia>, TableError> {
        let term = query.leading_term();
        // `#` ends a word in a key, and sorts before all that a word can go on with.
        let (exact, longer) =
            ([format!("{term}#"), format!("{term}$")], [format!("{term}$"), format!("{term}\u{10ffff}")]);
        if after.is_none_or(|after| after < longer[0].as_str()) {
            let mut read = self.words_between(term, exact, after, limit).await?;
            // The longer words are still to come.
            if !read.items.is_empty() || read.is_unfinished || !query.is_prefix() {
                read.is_unfinished |= query.is_prefix();
                return Ok(read);
            }
            return self.words_between(term, longer, None, limit).await;
        }
        self.words_between(term, longer, after, limit).await
    }

    async fn words_between(
        &self,
        term: &str,
        [first, last]: [String; 2],
        after: Option<&str>,
        limit: usize,
    ) -> Result<Read<FoundMedia>, TableError> {
        let partition = word_partition(term);
        let start = after.map(|after| Key { partition: partition.clone(), sort: after.to_owned() });
        let query = self
            .query(partition, limit)
            .key_condition_expression("PK = :partition AND SK BETWEEN :first AND :last")
            .expression_attribute_values(":first", AttributeValue::S(first))
            .expression_attribute_values(":last", AttributeValue::S(last))
            .set_exclusive_start_key(start.map(|key| key.attributes()));
        read(query).await
    }

    /// A query of a partition, from its end.
    fn query(&self, partition: String, limit: usize) -> QueryFluentBuilder {
        self.client
            .query()
            .table_name(&self.name)
            .expression_attribute_values(":partition", AttributeValue::S(partition))
            .scan_index_forward(false)
            .limit(i32::try_from(limit).unwrap_or(i32::MAX))
    }

    /// The media with these ids, at most 100, in their order; those that are gone are left out.
    async fn records(&self, ids: &[MediaId]) -> Result<Vec<Media>, TableError> {
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

/// What sorts after every id.
const AFTER_ALL_IDS: &str = "~";

fn stretch(media: Vec<Media>, unfinished_after: Option<MediaId>) -> Stretch<MediaId, Media> {
    Stretch { items: media.into_iter().map(|media| (media.id, media)).collect(), unfinished_after }
}

async fn read<T: DeserializeOwned>(query: QueryFluentBuilder) -> Result<Read<T>, TableError> {
    let answer = query.send().await.map_err(|error| TableError::of("Query", &error))?;
    let is_unfinished = answer.last_evaluated_key.is_some();
    let items: Result<Vec<T>, TableError> =
        answer.items.unwrap_or_default().into_iter().map(from_item).collect();
    Ok(Read { items: items?, is_unfinished })
}
