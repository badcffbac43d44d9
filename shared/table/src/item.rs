//! Items: a value's own attributes with its keys around them, and the plain reads.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::{AttributeValue, DeleteRequest, KeysAndAttributes, WriteRequest};
use futures::stream::{self, StreamExt as _, TryStreamExt as _};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::Table;
use crate::error::TableError;
use crate::keys::{IndexAttributes, Key};
use crate::pauses::{ATTEMPTS, Pauses};
use crate::transaction::send_write;

/// How many items one call deletes at most.
/// <https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchWriteItem.html>
const MAX_BATCH_WRITES: usize = 25;

/// How many such calls are on their way at a time.
const CONCURRENT_BATCHES: usize = 4;

/// An item as the client library has it.
pub(crate) type Item = HashMap<String, AttributeValue>;

/// A value as an item.
pub(crate) fn to_item<T: Serialize>(
    key: &Key,
    index: IndexAttributes,
    value: &T,
) -> Result<Item, TableError> {
    let mut item: Item = serde_dynamo::to_item(value)?;
    item.extend(key.attributes());
    item.extend(index.into_iter().map(|(name, value)| (name.to_owned(), AttributeValue::S(value))));
    Ok(item)
}

/// An item as a value.
pub(crate) fn from_item<T: DeserializeOwned>(item: Item) -> Result<T, TableError> {
    Ok(serde_dynamo::from_item(item)?)
}

impl Table {
    /// One item, strongly consistent.
    pub(crate) async fn get(&self, key: &Key) -> Result<Option<Item>, TableError> {
        let answer = self
            .client
            .get_item()
            .table_name(&self.name)
            .set_key(Some(key.attributes()))
            .consistent_read(true)
            .send()
            .await
            .map_err(|error| TableError::of("GetItem", &error))?;
        Ok(answer.item)
    }

    /// Items by their keys, at most 100, in any order, strongly consistent. Those that are not there are left out.
    pub(crate) async fn get_many(&self, keys: &[Key]) -> Result<Vec<Item>, TableError> {
        const OPERATION: &str = "BatchGetItem";
        let incomplete = |reason: String| TableError::Unavailable { operation: OPERATION, reason };
        if keys.is_empty() {
            return Ok(Vec::new());
        }
        let keys = KeysAndAttributes::builder()
            .set_keys(Some(keys.iter().map(Key::attributes).collect()))
            .consistent_read(true)
            .build()
            .map_err(|error| incomplete(error.to_string()))?;
        let mut wanted = HashMap::from([(self.name.clone(), keys)]);
        let mut found = Vec::new();
        let mut pauses = Pauses::new();
        for attempt in 1.. {
            let answer = self
                .client
                .batch_get_item()
                .set_request_items(Some(wanted))
                .send()
                .await
                .map_err(|error| TableError::of(OPERATION, &error))?;
            found.extend(answer.responses.into_iter().flat_map(HashMap::into_values).flatten());
            wanted = answer.unprocessed_keys.unwrap_or_default();
            if wanted.is_empty() {
                return Ok(found);
            }
            if attempt == ATTEMPTS {
                return Err(incomplete(format!("keys were left unprocessed {ATTEMPTS} times")));
            }
            // DynamoDB had no capacity left for these.
            pauses.next().await;
        }
        unreachable!("the loop ends by returning")
    }

    /// Deletes an item, which need not be there.
    pub(crate) async fn delete_item(&self, key: Item) -> Result<(), TableError> {
        let delete = || self.client.delete_item().table_name(&self.name).set_key(Some(key.clone())).send();
        send_write(delete).await.map(drop).map_err(|error| TableError::of("DeleteItem", &error))
    }

    /// Deletes any number of items, which need not be there.
    pub(crate) async fn delete_many(&self, keys: Vec<Item>) -> Result<(), TableError> {
        let batches: Vec<Vec<Item>> = keys.chunks(MAX_BATCH_WRITES).map(<[Item]>::to_vec).collect();
        let deletions = stream::iter(batches).map(|batch| self.delete_batch(batch));
        deletions.buffer_unordered(CONCURRENT_BATCHES).try_collect().await
    }

    async fn delete_batch(&self, keys: Vec<Item>) -> Result<(), TableError> {
        const OPERATION: &str = "BatchWriteItem";
        let incomplete = |reason: String| TableError::Unavailable { operation: OPERATION, reason };
        let deletion = |key: Item| {
            let delete = DeleteRequest::builder().set_key(Some(key)).build();
            delete.map(|delete| WriteRequest::builder().delete_request(delete).build())
        };
        let requests: Result<Vec<_>, _> = keys.into_iter().map(deletion).collect();
        let requests = requests.map_err(|error| incomplete(error.to_string()))?;
        let mut wanted = HashMap::from([(self.name.clone(), requests)]);
        let mut pauses = Pauses::new();
        for attempt in 1.. {
            let write = self.client.batch_write_item().set_request_items(Some(wanted));
            let answer = write.send().await.map_err(|error| TableError::of(OPERATION, &error))?;
            wanted = answer.unprocessed_items.unwrap_or_default();
            if wanted.is_empty() {
                return Ok(());
            }
            if attempt == ATTEMPTS {
                return Err(incomplete(format!("items were left unprocessed {ATTEMPTS} times")));
            }
            // DynamoDB had no capacity left for these.
            pauses.next().await;
        }
        unreachable!("the loop ends by returning")
    }

    /// One item as a value, strongly consistent.
    pub(crate) async fn get_value<T: DeserializeOwned>(&self, key: &Key) -> Result<Option<T>, TableError> {
        self.get(key).await?.map(from_item).transpose()
    }
}
