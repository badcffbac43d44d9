//! `dynamodb:LeadingKeys`: the partition key values that a request touches.
//!
//! Where one cannot be made out, it is the empty string, which no key can be and so no policy names: a request that
//! DynamoDB would refuse anyway never slips past a condition.

use serde_json::Value;

/// The partition key's attribute name of a table or one of its indexes, from a `CreateTable` request.
pub(super) fn key_name<'a>(create_request: &'a Value, index: Option<&str>) -> Option<&'a str> {
    let holder = match index {
        None => create_request,
        Some(name) => ["GlobalSecondaryIndexes", "LocalSecondaryIndexes"]
            .iter()
            .filter_map(|kind| create_request[kind].as_array())
            .flatten()
            .find(|index| index["IndexName"] == name)?,
    };
    let schema = holder["KeySchema"].as_array()?;
    schema.iter().find(|key| key["KeyType"] == "HASH")?["AttributeName"].as_str()
}

/// The partition key in an item or a key.
pub(super) fn of_item(name: Option<&str>, item: &Value) -> String {
    name.map(|name| text(&item[name])).unwrap_or_default()
}

/// The partition key that a query's key condition names.
pub(super) fn of_query(name: Option<&str>, request: &Value) -> String {
    let Some(name) = name else { return String::new() };
    let expression = request["KeyConditionExpression"].as_str();
    expression.and_then(|expression| in_expression(name, expression, request)).unwrap_or_default()
}

/// Finds `name = :value` among the conditions, which only `AND` joins. The partition key's is the only one that may
/// compare this attribute.
fn in_expression(name: &str, expression: &str, request: &Value) -> Option<String> {
    let tokens = tokens(expression);
    let is_key = |token: &str| token == name || request["ExpressionAttributeNames"][token] == name;
    tokens.windows(3).find_map(|window| match window {
        [left, operator, right] if operator == "=" => {
            let value = if is_key(left) {
                right
            } else if is_key(right) {
                left
            } else {
                return None;
            };
            Some(text(&request["ExpressionAttributeValues"][value]))
        }
        _ => None,
    })
}

/// Names, values and comparators; parentheses and blanks only separate.
fn tokens(expression: &str) -> Vec<String> {
    let mut tokens: Vec<String> = Vec::new();
    let mut in_word = false;
    for next in expression.chars() {
        let in_name = next.is_alphanumeric() || "_-.#:".contains(next);
        let is_separator = next.is_whitespace() || "(),".contains(next);
        match tokens.last_mut() {
            Some(last) if in_name && in_word => last.push(next),
            // `<=` and `<>` must not be read as a `=`.
            Some(last) if !in_name && !is_separator && !in_word && last.starts_with(['<', '>', '=']) => {
                last.push(next);
            }
            _ if is_separator => {}
            _ => tokens.push(next.to_string()),
        }
        in_word = in_name;
    }
    tokens
}

fn text(value: &Value) -> String {
    ["S", "N", "B"].iter().find_map(|kind| value[kind].as_str()).unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{key_name, of_item, of_query};

    #[test]
    fn the_key_of_a_table_and_of_an_index() {
        let request = json!({
            "KeySchema": [
                { "AttributeName": "SK", "KeyType": "RANGE" }, { "AttributeName": "PK", "KeyType": "HASH" },
            ],
            "GlobalSecondaryIndexes": [
                { "IndexName": "GSI1", "KeySchema": [{ "AttributeName": "GSI1PK", "KeyType": "HASH" }] },
            ],
        });
        assert_eq!(key_name(&request, None), Some("PK"));
        assert_eq!(key_name(&request, Some("GSI1")), Some("GSI1PK"));
        assert_eq!(key_name(&request, Some("GSI2")), None);
        assert_eq!(of_item(Some("PK"), &json!({ "PK": { "S": "USER#1" } })), "USER#1");
        assert_eq!(of_item(None, &json!({ "PK": { "S": "USER#1" } })), "");
    }

    #[test]
    fn the_key_of_a_query() {
        let query = |expression: &str| {
            let request = json!({
                "KeyConditionExpression": expression,
                "ExpressionAttributeNames": { "#pk": "PK", "#sk": "SK" },
                "ExpressionAttributeValues": { ":pk": { "S": "USER#1" }, ":sk": { "S": "x" } },
            });
            of_query(Some("PK"), &request)
        };
        assert_eq!(query("PK = :pk"), "USER#1");
        assert_eq!(query("#pk=:pk AND begins_with(#sk, :sk)"), "USER#1");
        assert_eq!(query("(#sk <= :sk) and (:pk = PK)"), "USER#1");
        assert_eq!(query("#sk = :sk"), "");
        assert_eq!(query("#pk <= :pk"), "");
    }
}
