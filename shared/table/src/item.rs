//! Items: a value's own attributes with its keys around them, and the plain reads.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::Table;
use crate::error::TableError;
use crate::keys::{IndexAttributes, Key};

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

    /// One item as a value, strongly consistent.
    pub(crate) async fn get_value<T: DeserializeOwned>(&self, key: &Key) -> Result<Option<T>, TableError> {
        self.get(key).await?.map(from_item).transpose()
    }
}
