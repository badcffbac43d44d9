//! Conflicts and throttling on purpose, as DynamoDB tells them: "Transaction conflict handling in DynamoDB", "Error
//! handling with DynamoDB", and the API reference's pages of `TransactWriteItems`, `BatchWriteItem`, `BatchGetItem`.

use std::num::NonZeroU32;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::error::ProvideErrorMetadata;
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::types::{KeysAndAttributes, Put, PutRequest, TransactWriteItem, WriteRequest};
use local::aws::{Aws, Disturbance};

use crate::support::{Local, Refused, text};

fn operator(local: &Local) -> Client {
    local.dynamodb(&Aws::operator_credentials())
}

async fn put(dynamodb: &Client, key: &str) -> Result<(), Refused> {
    let request = dynamodb.put_item().table_name("stack").item("PK", text(key)).item("SK", text("x"));
    request.send().await.map(|_| ()).map_err(Refused::of)
}

/// Writes items in one transaction; the codes and messages of the reasons why not.
async fn transact(dynamodb: &Client, keys: &[&str]) -> Result<(), Vec<(String, Option<String>)>> {
    let items = keys.iter().map(|key| {
        let put = Put::builder().table_name("stack").item("PK", text(*key)).item("SK", text("x"));
        TransactWriteItem::builder().put(put.build().unwrap()).build()
    });
    let request = dynamodb.transact_write_items().set_transact_items(Some(items.collect()));
    match request.send().await.map_err(aws_sdk_dynamodb::error::SdkError::into_service_error) {
        Ok(_) => Ok(()),
        Err(TransactWriteItemsError::TransactionCanceledException(error)) => {
            let reason = |reason: &aws_sdk_dynamodb::types::CancellationReason| {
                (reason.code().unwrap().to_owned(), reason.message().map(str::to_owned))
            };
            Err(error.cancellation_reasons().iter().map(reason).collect())
        }
        Err(other) => panic!("{other:?}"),
    }
}

async fn count(dynamodb: &Client) -> i32 {
    dynamodb.scan().table_name("stack").send().await.unwrap().count()
}

#[tokio::test]
async fn writes_and_transactions_conflict() {
    let local = Local::start().await;
    let dynamodb = operator(&local);
    local.aws.disturb(Disturbance { conflict_one_in: NonZeroU32::new(1), ..Disturbance::default() });
    let refused = put(&dynamodb, "a").await.unwrap_err();
    assert_eq!((refused.status, refused.code.as_str()), (400, "TransactionConflictException"));
    let reasons = transact(&dynamodb, &["a", "b", "c"]).await.unwrap_err();
    assert_eq!(reasons.len(), 3);
    let conflicts: Vec<_> = reasons.iter().filter(|(code, _)| code == "TransactionConflict").collect();
    assert_eq!(conflicts.len(), 1, "{reasons:?}");
    assert_eq!(conflicts[0].1.as_deref(), Some("Transaction is ongoing for the item."));
    assert_eq!(reasons.iter().filter(|(code, _)| code == "None").count(), 2);
    // A read meets no transaction, and what was refused has no effect.
    assert_eq!(count(&dynamodb).await, 0);
    let calls = local.aws.calls().since(0);
    let codes: Vec<_> = calls.iter().filter_map(|call| call.outcome.error_code.as_deref()).collect();
    assert_eq!(codes, ["TransactionConflictException", "TransactionCanceledException"]);

    local.aws.disturb(Disturbance::default());
    transact(&dynamodb, &["a", "b", "c"]).await.unwrap();
    assert_eq!(count(&dynamodb).await, 3);
}

#[tokio::test]
async fn reads_writes_and_transactions_are_throttled() {
    let local = Local::start().await;
    let dynamodb = operator(&local);
    local.aws.disturb(Disturbance { throttle_one_in: NonZeroU32::new(1), ..Disturbance::default() });
    let (mut single, mut in_transactions) = (Vec::new(), Vec::new());
    for _ in 0..20 {
        single.push(put(&dynamodb, "a").await.unwrap_err().code);
        let read = dynamodb.scan().table_name("stack").send().await.unwrap_err();
        single.push(read.code().unwrap().to_owned());
        let reasons = transact(&dynamodb, &["a"]).await.unwrap_err();
        in_transactions.extend(reasons.into_iter().map(|(code, _)| code));
    }
    for codes in [&mut single, &mut in_transactions] {
        codes.sort();
        codes.dedup();
    }
    assert_eq!(single, ["ProvisionedThroughputExceededException", "ThrottlingException"]);
    assert_eq!(in_transactions, ["ProvisionedThroughputExceeded", "ThrottlingError"]);
    // What is no item is never throttled.
    dynamodb.describe_table().table_name("stack").send().await.unwrap();
}

#[tokio::test]
async fn a_batch_is_carried_out_in_part() {
    let local = Local::start().await;
    let dynamodb = operator(&local);
    local.aws.disturb(Disturbance { throttle_one_in: NonZeroU32::new(1), ..Disturbance::default() });
    let write = |key: &str| {
        let item = PutRequest::builder().item("PK", text(key)).item("SK", text("x")).build().unwrap();
        WriteRequest::builder().put_request(item).build()
    };
    let writes = || dynamodb.batch_write_item();
    let answer = writes().request_items("stack", vec![write("a"), write("b")]).send().await.unwrap();
    let left = answer.unprocessed_items().unwrap()["stack"].clone();
    assert_eq!(left, [write("b")]);
    let refused = writes().request_items("stack", left.clone()).send().await.unwrap_err();
    assert!(refused.code().unwrap().contains("Th"), "one entry is not split: {refused:?}");
    local.aws.disturb(Disturbance::default());
    assert_eq!(count(&dynamodb).await, 1);
    writes().request_items("stack", left).send().await.unwrap();

    local.aws.disturb(Disturbance { throttle_one_in: NonZeroU32::new(1), ..Disturbance::default() });
    let key = |key: &str| [("PK".to_owned(), text(key)), ("SK".to_owned(), text("x"))].into();
    let keys = KeysAndAttributes::builder().keys(key("a")).keys(key("b")).build().unwrap();
    let answer = dynamodb.batch_get_item().request_items("stack", keys).send().await.unwrap();
    assert_eq!(answer.responses().unwrap()["stack"].len(), 1);
    assert_eq!(answer.unprocessed_keys().unwrap()["stack"].keys(), [key("b")]);
}

#[tokio::test]
async fn some_of_the_named_operations_are_disturbed_and_others_never() {
    let local = Local::start().await;
    let dynamodb = operator(&local);
    local.aws.disturb(Disturbance {
        conflict_one_in: NonZeroU32::new(3),
        operations: ["PutItem".to_owned()].into(),
        seed: 7,
        ..Disturbance::default()
    });
    let mut conflicts = 0;
    for _ in 0..60 {
        conflicts += i32::from(put(&dynamodb, "a").await.is_err());
        transact(&dynamodb, &["b"]).await.unwrap();
    }
    assert!((8..35).contains(&conflicts), "{conflicts}");
}
