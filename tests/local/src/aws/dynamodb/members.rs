//! Which members of a request are honoured. What DynamoDB would do and this one would not must not pass silently, so any
//! other is refused by name: the parameters from before expressions (`Expected`, `KeyConditions`…), parallel scans, and
//! consumption figures.

use serde_json::Value;

use crate::aws::protocol::{Fault, refuse_unknown as refuse_members};

const CONDITION: [&str; 4] = [
    "ConditionExpression",
    "ExpressionAttributeNames",
    "ExpressionAttributeValues",
    "ReturnValuesOnConditionCheckFailure",
];

/// Refuses a request that asks for more than `operation` does here.
pub(super) fn refuse_unknown(operation: &str, request: &Value) -> Result<(), Fault> {
    let with_condition = |own: &[&'static str]| [own, &CONDITION].concat();
    let known = match operation {
        "PutItem" => with_condition(&["TableName", "Item", "ReturnValues"]),
        "DeleteItem" => with_condition(&["TableName", "Key", "ReturnValues"]),
        "UpdateItem" => with_condition(&["TableName", "Key", "UpdateExpression", "ReturnValues"]),
        "GetItem" => {
            vec!["TableName", "Key", "ConsistentRead", "ProjectionExpression", "ExpressionAttributeNames"]
        }
        "Query" | "Scan" => page(operation),
        "BatchGetItem" | "BatchWriteItem" => vec!["RequestItems"],
        "TransactGetItems" => vec!["TransactItems"],
        "TransactWriteItems" => vec!["TransactItems", "ClientRequestToken"],
        "DescribeTable" | "DescribeTimeToLive" => vec!["TableName"],
        "ListTables" => vec!["ExclusiveStartTableName", "Limit"],
        // Refused by name itself.
        _ => return Ok(()),
    };
    refuse_members(operation, request, &known)?;
    for entry in request["TransactItems"].as_array().into_iter().flatten() {
        refuse_members(operation, entry, &["ConditionCheck", "Delete", "Get", "Put", "Update"])?;
        for (kind, part) in entry.as_object().into_iter().flatten().filter(|(_, part)| !part.is_null()) {
            let known = match kind.as_str() {
                "Get" => vec!["TableName", "Key", "ProjectionExpression", "ExpressionAttributeNames"],
                "Put" => with_condition(&["TableName", "Item"]),
                "Update" => with_condition(&["TableName", "Key", "UpdateExpression"]),
                _ => with_condition(&["TableName", "Key"]),
            };
            refuse_members(&format!("{kind} in {operation}"), part, &known)?;
        }
    }
    for entries in request["RequestItems"].as_object().into_iter().flatten().map(|(_, entries)| entries) {
        if operation == "BatchGetItem" {
            let known = ["Keys", "ConsistentRead", "ProjectionExpression", "ExpressionAttributeNames"];
            refuse_members(operation, entries, &known)?;
        }
        for entry in entries.as_array().into_iter().flatten() {
            refuse_members(operation, entry, &["DeleteRequest", "PutRequest"])?;
        }
    }
    Ok(())
}

/// The members of `Query` and `Scan`.
fn page(operation: &str) -> Vec<&'static str> {
    let mut known = vec![
        "TableName",
        "IndexName",
        "ConsistentRead",
        "ExclusiveStartKey",
        "ExpressionAttributeNames",
        "ExpressionAttributeValues",
        "FilterExpression",
        "Limit",
        "ProjectionExpression",
        "Select",
    ];
    if operation == "Query" {
        known.extend(["KeyConditionExpression", "ScanIndexForward"]);
    }
    known
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::refuse_unknown;

    #[test]
    fn members_are_known_at_every_level() {
        let refused = |operation: &str, request: serde_json::Value| {
            refuse_unknown(operation, &request).err().map(|fault| fault.message)
        };
        assert_eq!(refused("PutItem", json!({ "TableName": "t", "Item": {}, "Expected": null })), None);
        for (operation, request, name) in [
            ("PutItem", json!({ "Expected": {} }), "Expected of PutItem"),
            ("Query", json!({ "KeyConditions": {} }), "KeyConditions of Query"),
            ("Scan", json!({ "TotalSegments": 2 }), "TotalSegments of Scan"),
            ("GetItem", json!({ "AttributesToGet": [] }), "AttributesToGet of GetItem"),
            (
                "BatchGetItem",
                json!({ "RequestItems": { "t": { "AttributesToGet": [] } } }),
                "AttributesToGet",
            ),
            ("BatchWriteItem", json!({ "RequestItems": { "t": [{ "Put": {} }] } }), "Put of BatchWriteItem"),
            (
                "TransactWriteItems",
                json!({ "TransactItems": [{ "Put": { "Expected": {} } }] }),
                "Expected of Put in TransactWriteItems",
            ),
            ("TransactGetItems", json!({ "TransactItems": [{ "Query": {} }] }), "Query of TransactGetItems"),
        ] {
            let message = refused(operation, request).unwrap_or_default();
            assert!(message.starts_with(name), "{operation}: {message}");
        }
    }
}
