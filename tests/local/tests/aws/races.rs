//! Thirty-two writers and one winner, round after round: conditional writes of S3 and DynamoDB, and a queue's visibility.
//! Follows "How to prevent object overwrites with conditional writes" in the S3 user guide, "Condition expressions" in the
//! DynamoDB developer guide, and "Amazon SQS visibility timeout" in the SQS developer guide.

use std::collections::BTreeSet;
use std::future::Future;

use aws_sdk_dynamodb::error::ProvideErrorMetadata;
use aws_sdk_dynamodb::types::{AttributeValue, Put, TransactWriteItem};
use aws_sdk_s3::primitives::ByteStream;
use local::aws::Aws;

use crate::support::{INGEST, Local, MEDIA, QUEUE_URL, text};

const WRITERS: u8 = 32;
const ROUNDS: usize = 20;

/// Lets all writers run at once; answers, writer by writer, what became of each.
async fn race<T, F>(write: impl Fn(u8) -> F) -> Vec<(u8, T)>
where
    T: Send + 'static,
    F: Future<Output = T> + Send + 'static,
{
    let writers: Vec<_> = (0..WRITERS).map(|writer| (writer, tokio::spawn(write(writer)))).collect();
    let mut outcomes = Vec::with_capacity(writers.len());
    for (writer, outcome) in writers {
        outcomes.push((writer, outcome.await.unwrap()));
    }
    outcomes
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_many_writers_exactly_one_replaces_what_it_read() {
    let local = Local::start().await;
    let s3 = local.operator_s3();
    for bucket in [MEDIA, INGEST] {
        for round in 0..ROUNDS {
            let key = format!("replaced-{round}");
            let put = || s3.put_object().bucket(bucket).key(&key);
            let first = put().body(ByteStream::from_static(b"first")).send().await.unwrap();
            let read = first.e_tag().unwrap();
            let outcomes =
                race(|writer| put().if_match(read).body(ByteStream::from(vec![writer; 1000])).send()).await;
            let mut winners = Vec::new();
            for (writer, outcome) in outcomes {
                match outcome {
                    Ok(_) => winners.push(writer),
                    Err(error) => assert_eq!(error.code(), Some("PreconditionFailed")),
                }
            }
            assert_eq!(winners.len(), 1, "{bucket} {key}");
            let stored = s3.get_object().bucket(bucket).key(&key).send().await.unwrap();
            assert_eq!(stored.body.collect().await.unwrap().to_vec(), vec![winners[0]; 1000]);
        }
    }
}

fn create(partition_key: String, writer: u8) -> TransactWriteItem {
    let put = Put::builder()
        .table_name("stack")
        .item("PK", text(partition_key))
        .item("SK", text("PROFILE"))
        .item("writer", AttributeValue::N(writer.to_string()))
        .condition_expression("attribute_not_exists(PK)")
        .build()
        .unwrap();
    TransactWriteItem::builder().put(put).build()
}

/// As a sign-up does: the address is taken once, and the account is made with it or not at all.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_many_sign_ups_exactly_one_gets_the_address() {
    let local = Local::start().await;
    let dynamodb = local.dynamodb(&Aws::operator_credentials());
    for round in 0..ROUNDS {
        let outcomes = race(|writer| {
            dynamodb
                .transact_write_items()
                .transact_items(create(format!("EMAIL#{round}"), writer))
                .transact_items(create(format!("USER#{round}#{writer}"), writer))
                .send()
        })
        .await;
        let mut winners = Vec::new();
        for (writer, outcome) in outcomes {
            match outcome {
                Ok(_) => winners.push(writer),
                Err(error) => assert_eq!(error.code(), Some("TransactionCanceledException")),
            }
        }
        assert_eq!(winners.len(), 1);
        for writer in 0..WRITERS {
            let account = dynamodb
                .get_item()
                .table_name("stack")
                .key("PK", text(format!("USER#{round}#{writer}")))
                .key("SK", text("PROFILE"))
                .send()
                .await
                .unwrap();
            assert_eq!(account.item().is_some(), writer == winners[0]);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_message_is_received_by_one_of_many() {
    let local = Local::start().await;
    let sqs = local.sqs(&Aws::operator_credentials());
    for _ in 0..ROUNDS {
        for message in 0..WRITERS {
            sqs.send_message().queue_url(QUEUE_URL).message_body(message.to_string()).send().await.unwrap();
        }
        let outcomes =
            race(|_| sqs.receive_message().queue_url(QUEUE_URL).max_number_of_messages(3).send()).await;
        let received: Vec<_> = outcomes
            .into_iter()
            .flat_map(|(_, outcome)| outcome.unwrap().messages.unwrap_or_default())
            .collect();
        let bodies: BTreeSet<_> = received.iter().filter_map(|message| message.body()).collect();
        assert_eq!((received.len(), bodies.len()), (WRITERS.into(), WRITERS.into()));
        for message in &received {
            let receipt = message.receipt_handle().unwrap();
            sqs.delete_message().queue_url(QUEUE_URL).receipt_handle(receipt).send().await.unwrap();
        }
    }
}
