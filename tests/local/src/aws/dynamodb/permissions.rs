//! Which permissions a DynamoDB request needs. Follows "Actions, resources, and condition keys for Amazon DynamoDB" in
//! the service authorization reference.

use std::collections::BTreeMap;

use serde_json::Value;

use super::leading_keys::{key_name, of_item, of_query};
use super::members::refuse_unknown;
use crate::aws::installed::{Installed, Requirement};
use crate::aws::policy::Context;
use crate::aws::protocol::Fault;

/// What a request needs permission for: one entry per action and resource, with every partition key that it touches.
pub(crate) fn requirements(
    installed: &Installed,
    operation: &str,
    body: &Value,
) -> Result<Vec<Requirement>, Fault> {
    refuse_unknown(operation, body)?;
    let mut needed = Needed { installed, entries: BTreeMap::new() };
    match operation {
        "PutItem" => needed.item("dynamodb:PutItem", body, "Item")?,
        "GetItem" | "UpdateItem" | "DeleteItem" => {
            needed.item(&format!("dynamodb:{operation}"), body, "Key")?;
        }
        "Query" => needed.query(body)?,
        "Scan" => {
            let resource = needed.table_or_index(body)?;
            needed.add("dynamodb:Scan", resource, None);
        }
        "DescribeTable" | "DescribeTimeToLive" => {
            let resource = needed.table(&body["TableName"])?;
            needed.add(&format!("dynamodb:{operation}"), resource, None);
        }
        "ListTables" => needed.add("dynamodb:ListTables", "*".to_owned(), None),
        "BatchGetItem" => needed.batch_get(body)?,
        "BatchWriteItem" => needed.batch_write(body)?,
        "TransactWriteItems" => needed.transaction(body, &["Put", "Update", "Delete", "ConditionCheck"])?,
        "TransactGetItems" => needed.transaction(body, &["Get"])?,
        other => return Err(Fault::not_implemented(&format!("DynamoDB {other}"))),
    }
    Ok(needed.into_requirements())
}

struct Needed<'a> {
    installed: &'a Installed,
    /// Leading keys by action and resource.
    entries: BTreeMap<(String, String), Vec<String>>,
}

impl Needed<'_> {
    fn add(&mut self, action: &str, resource: String, leading_key: Option<String>) {
        self.entries.entry((action.to_owned(), resource)).or_default().extend(leading_key);
    }

    fn into_requirements(self) -> Vec<Requirement> {
        self.entries
            .into_iter()
            .map(|((action, resource), leading_keys)| {
                let mut context = Context::default();
                for key in leading_keys {
                    context.add("dynamodb:LeadingKeys", key);
                }
                Requirement { action, resource, context }
            })
            .collect()
    }

    fn item(&mut self, action: &str, request: &Value, member: &str) -> Result<(), Fault> {
        let resource = self.table(&request["TableName"])?;
        let key = of_item(self.partition_key(&request["TableName"]), &request[member]);
        self.add(action, resource, Some(key));
        Ok(())
    }

    fn query(&mut self, request: &Value) -> Result<(), Fault> {
        let resource = self.table_or_index(request)?;
        let index = request["IndexName"].as_str();
        let name = self
            .installed
            .table(table_name(&request["TableName"])?)
            .and_then(|table| key_name(&table.create_request, index));
        self.add("dynamodb:Query", resource, Some(of_query(name, request)));
        Ok(())
    }

    fn batch_get(&mut self, request: &Value) -> Result<(), Fault> {
        for (table, keys) in request["RequestItems"].as_object().into_iter().flatten() {
            let table = Value::String(table.clone());
            for key in keys["Keys"].as_array().into_iter().flatten() {
                let leading_key = of_item(self.partition_key(&table), key);
                let resource = self.table(&table)?;
                self.add("dynamodb:BatchGetItem", resource, Some(leading_key));
            }
        }
        Ok(())
    }

    fn batch_write(&mut self, request: &Value) -> Result<(), Fault> {
        for (table, writes) in request["RequestItems"].as_object().into_iter().flatten() {
            let table = Value::String(table.clone());
            for write in writes.as_array().into_iter().flatten() {
                let item = write.pointer("/PutRequest/Item").or_else(|| write.pointer("/DeleteRequest/Key"));
                let leading_key = of_item(self.partition_key(&table), item.unwrap_or(&Value::Null));
                let resource = self.table(&table)?;
                self.add("dynamodb:BatchWriteItem", resource, Some(leading_key));
            }
        }
        Ok(())
    }

    fn transaction(&mut self, request: &Value, kinds: &[&str]) -> Result<(), Fault> {
        for entry in request["TransactItems"].as_array().into_iter().flatten() {
            for kind in kinds {
                let Some(part) = entry.get(kind).filter(|part| !part.is_null()) else { continue };
                let action = match *kind {
                    "ConditionCheck" => "dynamodb:ConditionCheckItem".to_owned(),
                    kind => format!("dynamodb:{kind}Item"),
                };
                self.item(&action, part, if *kind == "Put" { "Item" } else { "Key" })?;
            }
        }
        Ok(())
    }

    fn partition_key(&self, table: &Value) -> Option<&str> {
        key_name(&self.installed.table(table_name(table).ok()?)?.create_request, None)
    }

    /// ARN of a table, which need not exist: whether it does is told only to those who may know.
    fn table(&self, name: &Value) -> Result<String, Fault> {
        let name = table_name(name)?;
        Ok(match self.installed.table(name) {
            Some(table) => table.arn.clone(),
            None => format!(
                "arn:aws:dynamodb:{}:{}:table/{name}",
                self.installed.region().unwrap_or("us-east-1"),
                self.installed.account_id()
            ),
        })
    }

    fn table_or_index(&self, request: &Value) -> Result<String, Fault> {
        let table = self.table(&request["TableName"])?;
        Ok(match request["IndexName"].as_str() {
            Some(index) => format!("{table}/index/{index}"),
            None => table,
        })
    }
}

/// A table's name; requests may give its ARN instead.
fn table_name(name: &Value) -> Result<&str, Fault> {
    let name = name.as_str().ok_or_else(|| {
        Fault::bad_request(
            "ValidationException",
            "1 validation error detected: Value null at 'tableName' failed to satisfy constraint: \
             Member must not be null",
        )
    })?;
    Ok(name.rsplit_once(":table/").map_or(name, |(_, name)| name))
}
