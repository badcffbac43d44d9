//! `dynamodb:LeadingKeys` for every form in which a request can name a partition key. Follows "Using IAM policy
//! conditions for fine-grained access control" in the DynamoDB developer guide.

use local::aws::Credentials;
use serde_json::{Value, json};

use crate::support::{Local, Refused, function, policy, set_body, stack};

/// A function that may do everything with partition keys that begin with `USER#`, in the table and in its index.
async fn start() -> (Local, Credentials) {
    let mut stack = stack();
    let table = "arn:aws:dynamodb:us-east-1:000000000000:table/stack";
    let statement = json!({
        "Effect": "Allow",
        "Action": [
            "dynamodb:BatchGetItem", "dynamodb:BatchWriteItem", "dynamodb:ConditionCheckItem", "dynamodb:DeleteItem",
            "dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:Query", "dynamodb:UpdateItem",
        ],
        "Resource": [table, format!("{table}/index/*")],
        "Condition": { "ForAllValues:StringLike": { "dynamodb:LeadingKeys": ["USER#*"] } },
    });
    let own = function("Own", vec![policy("Own.Policies[0]", statement)]);
    stack.functions.insert("Own".to_owned(), own);
    let local = Local::start_with(&stack).await;
    let credentials = local.function("Own");
    (local, credentials)
}

async fn call(local: &Local, who: &Credentials, operation: &str, request: &Value) -> Result<(), Refused> {
    let (target, body) = (format!("DynamoDB_20120810.{operation}"), request.to_string());
    let any = local.dynamodb(who).list_tables().customize();
    let changed = any.mutate_request(move |request| {
        request.headers_mut().insert("x-amz-target", target.clone());
        set_body(request, &body);
    });
    changed.send().await.map(|_| ()).map_err(Refused::of)
}

fn item(partition_key: &str) -> Value {
    json!({ "PK": { "S": partition_key }, "SK": { "S": "x" } })
}

/// Every form, for a partition key in its place.
fn forms(key: &str) -> Vec<(&'static str, Value)> {
    let own = item("USER#1");
    let update = json!({ "TableName": "stack", "Key": item(key), "UpdateExpression": "SET n = :n",
                         "ExpressionAttributeValues": { ":n": { "N": "1" } } });
    let part =
        |kind: &str, member: &str, item: &Value| json!({ kind: { "TableName": "stack", member: item } });
    let check = json!({ "ConditionCheck": { "TableName": "stack", "Key": item(key),
                                            "ConditionExpression": "attribute_not_exists(none)" } });
    let transaction = |entry: Value| json!({ "TransactItems": [part("Put", "Item", &json!({ "PK": { "S": "USER#9" }, "SK": { "S": "x" } })), entry] });
    let query = |expression: &str, more: Value| {
        let mut request = json!({ "TableName": "stack", "KeyConditionExpression": expression,
                                  "ExpressionAttributeValues": { ":key": { "S": key }, ":x": { "S": "x" } } });
        request.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        if !expression.contains(":x") {
            request["ExpressionAttributeValues"].as_object_mut().unwrap().remove(":x");
        }
        request
    };
    let names = json!({ "ExpressionAttributeNames": { "#pk": "PK", "#sk": "SK" } });
    let name = json!({ "ExpressionAttributeNames": { "#pk": "PK" } });
    vec![
        ("PutItem", json!({ "TableName": "stack", "Item": item(key) })),
        ("GetItem", json!({ "TableName": "stack", "Key": item(key) })),
        ("GetItem", json!({ "TableName": "stack", "Key": item(key), "ProjectionExpression": "SK" })),
        ("UpdateItem", update.clone()),
        ("DeleteItem", json!({ "TableName": "stack", "Key": item(key) })),
        ("BatchGetItem", json!({ "RequestItems": { "stack": { "Keys": [own, item(key)] } } })),
        (
            "BatchWriteItem",
            json!({ "RequestItems": { "stack": [
            { "PutRequest": { "Item": item("USER#8") } }, { "PutRequest": { "Item": item(key) } },
        ] } }),
        ),
        (
            "BatchWriteItem",
            json!({ "RequestItems": { "stack": [
            { "PutRequest": { "Item": item("USER#8") } }, { "DeleteRequest": { "Key": item(key) } },
        ] } }),
        ),
        ("TransactWriteItems", transaction(part("Put", "Item", &item(key)))),
        ("TransactWriteItems", transaction(part("Delete", "Key", &item(key)))),
        ("TransactWriteItems", transaction(json!({ "Update": update }))),
        ("TransactWriteItems", transaction(check)),
        (
            "TransactGetItems",
            json!({ "TransactItems": [part("Get", "Key", &item("USER#9")), part("Get", "Key", &item(key))] }),
        ),
        ("Query", query("PK = :key", json!({}))),
        ("Query", query("#pk=:key", name.clone())),
        ("Query", query("( #pk = :key ) AND begins_with(#sk, :x)", names.clone())),
        ("Query", query("#sk = :x and :key = #pk", names.clone())),
        ("Query", query("#sk BETWEEN :x AND :x AND #pk = :key", names)),
        ("Query", query("PK = :key", json!({ "Select": "COUNT" }))),
        ("Query", query("PK = :key", json!({ "ProjectionExpression": "SK" }))),
        ("Query", query("PK = :key", json!({ "FilterExpression": "PK = :key" }))),
        ("Query", query("GSI1PK = :key", json!({ "IndexName": "GSI1" }))),
        (
            "Query",
            query(
                "#pk = :key",
                json!({ "IndexName": "GSI1", "ExpressionAttributeNames": { "#pk": "GSI1PK" } }),
            ),
        ),
    ]
}

#[tokio::test]
async fn every_form_is_judged_by_the_key_that_it_touches() {
    let (local, own) = start().await;
    for (operation, request) in forms("USER#1") {
        let outcome = call(&local, &own, operation, &request).await;
        // Whether it makes sense is not the question here, only whether it is allowed.
        let is_denied = matches!(&outcome, Err(refused) if refused.code == "AccessDeniedException");
        assert!(!is_denied, "{operation} {request}: {outcome:?}");
    }
    for (operation, request) in forms("MEDIA#1") {
        let refused = call(&local, &own, operation, &request).await.unwrap_err();
        assert_eq!(
            (refused.status, refused.code.as_str()),
            (400, "AccessDeniedException"),
            "{operation} {request}"
        );
    }
}

#[tokio::test]
async fn a_key_that_cannot_be_made_out_is_never_allowed() {
    let (local, own) = start().await;
    let query = |expression: &str, more: Value| {
        let mut request = json!({ "TableName": "stack", "KeyConditionExpression": expression,
                                  "ExpressionAttributeValues": { ":own": { "S": "USER#1" } } });
        request.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        request
    };
    for (operation, request) in [
        // The sort key's value is no leading key, nor is the filter's or another index's.
        ("Query", query("SK = :own", json!({}))),
        ("Query", query("PK >= :own", json!({}))),
        ("Query", query("begins_with(PK, :own)", json!({}))),
        ("Query", query("PK <> :own", json!({}))),
        ("Query", query("PK = :none", json!({}))),
        ("Query", query("PK = :own", json!({ "IndexName": "GSI1" }))),
        ("Query", query("GSI1PK = :own", json!({ "IndexName": "none" }))),
        (
            "Query",
            json!({ "TableName": "stack", "FilterExpression": "PK = :own",
                          "ExpressionAttributeValues": { ":own": { "S": "USER#1" } } }),
        ),
        ("GetItem", json!({ "TableName": "stack", "Key": { "SK": { "S": "USER#1" } } })),
        ("PutItem", json!({ "TableName": "stack", "Item": { "PK": { "L": [{ "S": "USER#1" }] } } })),
        ("BatchWriteItem", json!({ "RequestItems": { "stack": [{}] } })),
    ] {
        let refused = call(&local, &own, operation, &request).await.unwrap_err();
        assert_eq!(refused.code, "AccessDeniedException", "{operation} {request}");
    }
}
