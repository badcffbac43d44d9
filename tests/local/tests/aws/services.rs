//! DynamoDB; hooks.

use std::time::Duration;

use aws_sdk_dynamodb::error::ProvideErrorMetadata;
use aws_sdk_dynamodb::types::{ConditionCheck, Put, ReturnValuesOnConditionCheckFailure, TransactWriteItem};
use local::aws::{Answer, Aws};

use crate::support::{Local, MEDIA, QUEUE_ARN, QUEUE_URL, text};

fn put(partition_key: &str) -> Put {
    Put::builder()
        .table_name("stack")
        .item("PK", text(partition_key))
        .item("SK", text("PROFILE"))
        .condition_expression("attribute_not_exists(PK)")
        .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
        .build()
        .unwrap()
}

#[tokio::test]
async fn a_transaction_needs_the_permission_of_each_part() {
    let local = Local::start().await;
    let writer = local.dynamodb(&local.function("Writer"));
    let write =
        |items: Vec<TransactWriteItem>| writer.transact_write_items().set_transact_items(Some(items)).send();
    write(vec![TransactWriteItem::builder().put(put("USER#1")).build()]).await.unwrap();
    let check = ConditionCheck::builder()
        .table_name("stack")
        .key("PK", text("USER#1"))
        .key("SK", text("PROFILE"))
        .condition_expression("attribute_exists(PK)")
        .build()
        .unwrap();
    let both = vec![
        TransactWriteItem::builder().put(put("USER#2")).build(),
        TransactWriteItem::builder().condition_check(check).build(),
    ];
    let error = write(both).await.unwrap_err();
    assert_eq!(error.code(), Some("AccessDeniedException"));
    assert!(
        error
            .message()
            .unwrap()
            .contains("dynamodb:ConditionCheckItem on resource: arn:aws:dynamodb:us-east-1:")
    );
    let operator = local.dynamodb(&Aws::operator_credentials());
    let scan = operator.scan().table_name("stack").send().await.unwrap();
    assert_eq!(scan.count(), 1, "a refused transaction has no effect");
}

#[tokio::test]
async fn leading_keys_bound_what_is_touched() {
    let local = Local::start().await;
    let writer = local.dynamodb(&local.function("Writer"));
    let put_one = |partition_key: &str| {
        let request =
            writer.put_item().table_name("stack").item("SK", text("x")).item("PK", text(partition_key));
        async move { request.send().await }
    };
    put_one("USER#1").await.unwrap();
    assert_eq!(put_one("MEDIA#1").await.unwrap_err().code(), Some("AccessDeniedException"));
    let mixed = vec![
        TransactWriteItem::builder().put(put("USER#5")).build(),
        TransactWriteItem::builder().put(put("MEDIA#5")).build(),
    ];
    let error = writer.transact_write_items().set_transact_items(Some(mixed)).send().await.unwrap_err();
    assert_eq!(error.code(), Some("AccessDeniedException"));
}

#[tokio::test]
async fn an_index_is_a_resource_of_its_own() {
    let local = Local::start().await;
    let writer = local.dynamodb(&local.function("Writer"));
    let query = writer.query().table_name("stack").expression_attribute_values(":k", text("x"));
    query.clone().index_name("GSI1").key_condition_expression("GSI1PK = :k").send().await.unwrap();
    let error = query.key_condition_expression("PK = :k").send().await.unwrap_err();
    assert_eq!(error.code(), Some("AccessDeniedException"));
}

#[tokio::test]
async fn failed_conditions_come_back_with_the_item() {
    let local = Local::start().await;
    let operator = local.dynamodb(&Aws::operator_credentials());
    let write = || {
        let item = TransactWriteItem::builder().put(put("USER#1")).build();
        operator.transact_write_items().transact_items(item).send()
    };
    write().await.unwrap();
    let error = write().await.unwrap_err().into_service_error();
    let aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError::TransactionCanceledException(error) =
        error
    else {
        panic!("{error:?}");
    };
    let reason = &error.cancellation_reasons()[0];
    assert_eq!(reason.code(), Some("ConditionalCheckFailed"));
    assert_eq!(reason.item().unwrap()["PK"], text("USER#1"));
}

#[tokio::test]
async fn the_table_keeps_its_items_and_its_time_to_live_over_a_restart() {
    let local = Local::start().await;
    let request = local.dynamodb(&Aws::operator_credentials()).put_item().table_name("stack");
    request.item("PK", text("a")).item("SK", text("b")).send().await.unwrap();
    let local = local.restart().await;
    let operator = local.dynamodb(&Aws::operator_credentials());
    let answer =
        operator.get_item().table_name("stack").key("PK", text("a")).key("SK", text("b")).send().await;
    assert!(answer.unwrap().item().is_some());
    let described = operator.describe_time_to_live().table_name("stack").send().await.unwrap();
    assert_eq!(described.time_to_live_description().unwrap().attribute_name(), Some("expires_at"));
}

#[tokio::test]
async fn a_hook_answers_delays_or_cuts_until_it_is_dropped() {
    let local = Local::start().await;
    let operator = local.dynamodb(&Aws::operator_credentials());
    let list = || operator.list_tables().send();
    let throttle = local.aws.calls().intercept(|attempt| {
        (attempt.operation == "ListTables").then(|| Answer::Error {
            status: 400,
            code: "ThrottlingException".to_owned(),
            message: "slow down".to_owned(),
        })
    });
    assert_eq!(list().await.unwrap_err().code(), Some("ThrottlingException"));
    drop(throttle);
    list().await.unwrap();
    let cut = local.aws.calls().intercept(|_| Some(Answer::Drop));
    let error = list().await.unwrap_err();
    assert!(error.as_service_error().is_none() && error.raw_response().is_none(), "{error:?}");
    let error = local.operator_s3().put_object().bucket(MEDIA).key("a").send().await.unwrap_err();
    assert!(error.raw_response().is_none(), "{error:?}");
    drop(cut);
    let delay = local.aws.calls().intercept(|_| Some(Answer::Delay(Duration::from_millis(50))));
    let started = std::time::Instant::now();
    list().await.unwrap();
    assert!(started.elapsed() >= Duration::from_millis(50));
    drop(delay);
    assert_eq!(
        local
            .operator_s3()
            .head_object()
            .bucket(MEDIA)
            .key("a")
            .send()
            .await
            .unwrap_err()
            .raw_response()
            .unwrap()
            .status()
            .as_u16(),
        404,
        "a cut write is not carried out"
    );
}

#[tokio::test]
async fn a_dropped_answer_hides_what_was_carried_out() {
    let local = Local::start().await;
    let dynamodb = local.dynamodb(&Aws::operator_credentials());
    let lost = local.aws.calls().intercept(|_| Some(Answer::DropAnswer));
    let put = dynamodb.put_item().table_name("stack").item("PK", text("a")).item("SK", text("b"));
    assert!(put.send().await.unwrap_err().raw_response().is_none());
    let sqs = local.sqs(&Aws::operator_credentials());
    assert!(sqs.send_message().queue_url(QUEUE_URL).message_body("x").send().await.is_err());
    assert!(
        local
            .operator_s3()
            .put_object()
            .bucket(MEDIA)
            .key("a")
            .send()
            .await
            .unwrap_err()
            .raw_response()
            .is_none()
    );
    drop(lost);
    assert_eq!(dynamodb.scan().table_name("stack").send().await.unwrap().count(), 1);
    assert_eq!(local.aws.queues().counts(QUEUE_ARN).unwrap().visible, 1);
    local.operator_s3().head_object().bucket(MEDIA).key("a").send().await.unwrap();
}

#[tokio::test]
async fn a_hook_can_cancel_a_transaction_with_reasons() {
    let local = Local::start().await;
    let _conflict = local.aws.calls().intercept(|_| {
        Some(Answer::Error {
            status: 400,
            code: "TransactionCanceledException".to_owned(),
            message: "Transaction cancelled, please refer cancellation reasons for specific reasons \
                      [TransactionConflict, None]"
                .to_owned(),
        })
    });
    let operator = local.dynamodb(&Aws::operator_credentials());
    let item = TransactWriteItem::builder().put(put("USER#1")).build();
    let error =
        operator.transact_write_items().transact_items(item).send().await.unwrap_err().into_service_error();
    let aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError::TransactionCanceledException(error) =
        error
    else {
        panic!("{error:?}");
    };
    let codes: Vec<_> = error.cancellation_reasons().iter().filter_map(|reason| reason.code()).collect();
    assert_eq!(codes, ["TransactionConflict", "None"]);
}
