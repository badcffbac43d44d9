//! SQS, through its API and by hand.

use std::collections::BTreeMap;
use std::time::Duration;

use aws_sdk_s3::error::ProvideErrorMetadata;
use local::aws::{Aws, QueueCounts};
use serde_json::{Value, json};

use crate::support::{DEAD_LETTER_QUEUE_ARN, INGEST, Local, QUEUE_ARN, QUEUE_URL, stack};

#[tokio::test]
async fn a_message_is_received_deleted_and_otherwise_redriven() {
    let local = Local::start().await;
    let sqs = local.sqs(&Aws::operator_credentials());
    local
        .sqs(&local.function("Writer"))
        .send_message()
        .queue_url(QUEUE_URL)
        .message_body("one")
        .send()
        .await
        .unwrap();
    let receive = || {
        let request = sqs.receive_message().queue_url(QUEUE_URL).max_number_of_messages(10);
        let name = aws_sdk_sqs::types::MessageSystemAttributeName::ApproximateReceiveCount;
        let request = request.message_system_attribute_names(name.clone());
        async move {
            let messages = request.send().await.unwrap().messages.unwrap_or_default();
            messages
                .into_iter()
                .map(|message| {
                    let count = message.attributes.as_ref().unwrap()[&name].clone();
                    (message.body.unwrap(), count, message.receipt_handle.unwrap())
                })
                .collect::<Vec<_>>()
        }
    };
    let first = receive().await;
    assert_eq!((first[0].0.as_str(), first[0].1.as_str()), ("one", "1"));
    assert!(receive().await.is_empty(), "it is invisible now");
    let counts = local.aws.queues().counts(QUEUE_ARN).unwrap();
    assert_eq!((counts.visible, counts.in_flight), (0, 1));

    let show = |handle: &str| {
        sqs.change_message_visibility()
            .queue_url(QUEUE_URL)
            .visibility_timeout(0)
            .receipt_handle(handle)
            .send()
    };
    show(&first[0].2).await.unwrap();
    let second = receive().await;
    assert_eq!(second[0].1, "2");
    assert_eq!(
        show(&first[0].2).await.unwrap_err().code(),
        Some("AWS.SimpleQueueService.MessageNotInflight"),
        "an old receipt"
    );
    show(&second[0].2).await.unwrap();
    assert!(receive().await.is_empty(), "received twice already: it moves");
    let request = sqs.receive_message().queue_url(format!("{QUEUE_URL}-dead")).visibility_timeout(0);
    let all = aws_sdk_sqs::types::MessageSystemAttributeName::All;
    let seen = request.message_system_attribute_names(all).send().await.unwrap().messages.unwrap();
    let source = aws_sdk_sqs::types::MessageSystemAttributeName::DeadLetterQueueSourceArn;
    assert_eq!(seen[0].attributes().unwrap()[&source], QUEUE_ARN);
    tokio::time::timeout(Duration::from_secs(5), local.aws.queues().wait_for_message(DEAD_LETTER_QUEUE_ARN))
        .await
        .unwrap()
        .unwrap();
    let dead = local.aws.queues().receive(DEAD_LETTER_QUEUE_ARN, 10, None).unwrap();
    assert_eq!(dead[0].body, "one");
    assert_eq!(dead[0].source_queue_arn.as_deref(), Some(QUEUE_ARN));
    local.aws.queues().delete(DEAD_LETTER_QUEUE_ARN, &dead[0].receipt_handle).unwrap();
    assert_eq!(local.aws.queues().counts(DEAD_LETTER_QUEUE_ARN).unwrap(), QueueCounts::default());
}

#[tokio::test]
async fn waiting_ends_with_a_message_or_with_visibility() {
    let local = Local::start().await;
    let queues = local.aws.queues().clone();
    let waiting = tokio::spawn({
        let queues = queues.clone();
        async move { queues.wait_for_message(QUEUE_ARN).await }
    });
    tokio::task::yield_now().await;
    assert!(!waiting.is_finished());
    queues.send(QUEUE_ARN, "one").unwrap();
    tokio::time::timeout(Duration::from_secs(5), waiting).await.unwrap().unwrap().unwrap();
    let received = queues.receive(QUEUE_ARN, 1, Some(Duration::from_millis(200))).unwrap();
    assert_eq!(received.len(), 1);
    assert!(queues.receive(QUEUE_ARN, 1, None).unwrap().is_empty());
    tokio::time::timeout(Duration::from_secs(5), queues.wait_for_message(QUEUE_ARN)).await.unwrap().unwrap();
    assert_eq!(queues.receive(QUEUE_ARN, 1, None).unwrap()[0].receive_count, 2);
}

#[tokio::test]
async fn a_long_poll_ends_with_a_message_or_with_its_time() {
    let local = Local::start().await;
    let sqs = local.sqs(&Aws::operator_credentials());
    let poll = |seconds: i32| {
        let request = sqs.receive_message().queue_url(QUEUE_URL).wait_time_seconds(seconds);
        tokio::spawn(async move { request.send().await.unwrap().messages.unwrap_or_default() })
    };
    assert!(poll(1).await.unwrap().is_empty());
    let polling = poll(20);
    let before = local.aws.calls().sequence();
    assert_eq!(
        local.sts(&Aws::operator_credentials()).get_caller_identity().send().await.unwrap().account(),
        Some("000000000000")
    );
    assert_eq!(local.aws.calls().since(before)[0].operation, "GetCallerIdentity", "a poll holds nobody up");
    local.aws.queues().send(QUEUE_ARN, "one").unwrap();
    let received = tokio::time::timeout(Duration::from_secs(5), polling).await.unwrap().unwrap();
    assert_eq!(received[0].body(), Some("one"));
}

#[tokio::test]
async fn what_was_in_flight_is_visible_again_after_a_restart() {
    let local = Local::start().await;
    let queues = local.aws.queues();
    queues.send(QUEUE_ARN, "one").unwrap();
    let hour = Duration::from_hours(1);
    let lost = queues.receive(QUEUE_ARN, 1, Some(hour)).unwrap().remove(0);
    let later = local.sqs(&Aws::operator_credentials()).send_message().queue_url(QUEUE_URL);
    later.message_body("later").delay_seconds(900).send().await.unwrap();

    let local = local.restart().await;
    let queues = local.aws.queues();
    let counts = queues.counts(QUEUE_ARN).unwrap();
    assert_eq!(counts, QueueCounts { visible: 1, in_flight: 0, delayed: 1 });
    let again = queues.receive(QUEUE_ARN, 10, Some(hour)).unwrap().remove(0);
    assert_eq!((again.message_id, again.receive_count), (lost.message_id, 2));
}

#[tokio::test]
async fn a_message_is_at_most_as_long_as_its_queue_says() {
    let local = Local::start().await;
    let sqs = local.sqs(&Aws::operator_credentials());
    let send = |bytes: usize| sqs.send_message().queue_url(QUEUE_URL).message_body("x".repeat(bytes)).send();
    send(2048).await.unwrap();
    let error = send(2049).await.unwrap_err();
    assert_eq!(error.code(), Some("InvalidParameterValue"));
    assert!(error.message().unwrap().contains("shorter than 2048 bytes"), "{error:?}");

    let mut small = stack();
    small.queues[0].maximum_message_bytes = 100;
    let local = Local::start_with(&small).await;
    local.operator_s3().put_object().bucket(INGEST).key("uploads/a").send().await.unwrap();
    assert_eq!(local.aws.queues().counts(QUEUE_ARN).unwrap(), QueueCounts::default(), "the event is lost");
}

#[tokio::test]
async fn a_queue_can_deliver_everything_several_times_and_out_of_order() {
    let local = Local::start().await;
    let queues = local.aws.queues();
    queues.duplicate(QUEUE_ARN, 3, Duration::ZERO).unwrap();
    let ids: BTreeMap<String, String> = (10..40)
        .map(|number| number.to_string())
        .map(|body| (body.clone(), queues.send(QUEUE_ARN, &body).unwrap()))
        .collect();
    let received = queues.receive(QUEUE_ARN, 1000, None).unwrap();

    let mut copies = BTreeMap::<_, u32>::new();
    for message in &received {
        assert_eq!(ids[&message.body], message.message_id);
        *copies.entry(message.body.as_str()).or_default() += 1;
    }
    assert_eq!(copies, ids.keys().map(|body| (body.as_str(), 3)).collect());
    assert!(!received.is_sorted_by_key(|message| &message.body));
    // Each copy is deleted by its own receipt.
    queues.delete(QUEUE_ARN, &received[0].receipt_handle).unwrap();
    assert_eq!(queues.counts(QUEUE_ARN).unwrap().in_flight, 89);

    queues.duplicate(QUEUE_ARN, 2, Duration::from_hours(1)).unwrap();
    queues.send(QUEUE_ARN, "spread").unwrap();
    let counts = queues.counts_containing(QUEUE_ARN, "pre").unwrap();
    assert_eq!((counts.visible + counts.delayed, counts.delayed > 0), (2, true));
    queues.duplicate(QUEUE_ARN, 1, Duration::ZERO).unwrap();
    queues.send(QUEUE_ARN, "once").unwrap();
    assert_eq!(queues.receive(QUEUE_ARN, 1000, None).unwrap().len(), 1);
    // An object's event is a message like any other.
    queues.duplicate(QUEUE_ARN, 2, Duration::ZERO).unwrap();
    local.operator_s3().put_object().bucket(INGEST).key("uploads/a").send().await.unwrap();
    assert_eq!(queues.counts_containing(QUEUE_ARN, "uploads/a").unwrap().visible, 2);
    assert!(queues.duplicate("arn:aws:sqs:us-east-1:000000000000:none", 2, Duration::ZERO).is_err());
}

/// "Amazon SQS message quotas": 1 MiB since August 2025; and the pages of the operations in the SQS API reference.
#[tokio::test]
async fn requests_are_checked_as_sqs_checks_them() {
    let mut stack = stack();
    stack.queues[0].maximum_message_bytes = 1_048_576;
    let local = Local::start_with(&stack).await;
    let operator = Aws::operator_credentials();
    let url = QUEUE_URL;
    let refusals: [(&str, Value, &str); 12] = [
        ("GetQueueUrl", json!({ "QueueName": "none" }), NO_QUEUE),
        (
            "GetQueueUrl",
            json!({ "QueueName": "uploads", "QueueOwnerAWSAccountId": "111111111111" }),
            NO_QUEUE,
        ),
        ("SendMessage", json!({ "QueueUrl": format!("{url}s"), "MessageBody": "x" }), NO_QUEUE),
        ("SendMessage", json!({ "QueueUrl": url, "MessageBody": "" }), "MissingParameter"),
        ("SendMessage", json!({ "QueueUrl": url, "MessageBody": "\u{1}" }), "InvalidMessageContents"),
        (
            "SendMessage",
            json!({ "QueueUrl": url, "MessageBody": "x", "DelaySeconds": 901 }),
            "InvalidParameterValue",
        ),
        (
            "SendMessage",
            json!({ "QueueUrl": url, "MessageBody": "x".repeat(1_048_577) }),
            "InvalidParameterValue",
        ),
        ("ReceiveMessage", json!({ "QueueUrl": url, "MaxNumberOfMessages": 11 }), "InvalidParameterValue"),
        ("ReceiveMessage", json!({ "QueueUrl": url, "WaitTimeSeconds": 21 }), "InvalidParameterValue"),
        ("ReceiveMessage", json!({ "QueueUrl": url, "AttributeNames": ["Colour"] }), "InvalidAttributeName"),
        (
            "GetQueueAttributes",
            json!({ "QueueUrl": url, "AttributeNames": ["Colour"] }),
            "InvalidAttributeName",
        ),
        ("DeleteMessage", json!({ "QueueUrl": url, "ReceiptHandle": "nonsense" }), "ReceiptHandleIsInvalid"),
    ];
    for (operation, request, code) in refusals {
        let refused = local.sqs_refuses(&operator, operation, request).await;
        assert_eq!((refused.status, refused.code.as_str()), (400, code), "{operation}: {refused:?}");
    }
    let sqs = local.sqs(&operator);
    sqs.send_message().queue_url(url).message_body("x".repeat(1_048_576)).send().await.unwrap();
    let found = sqs.get_queue_url().queue_name("uploads").queue_owner_aws_account_id("000000000000");
    assert_eq!(found.send().await.unwrap().queue_url(), Some(url));
}

const NO_QUEUE: &str = "AWS.SimpleQueueService.NonExistentQueue";

/// A continuation: sent by a function with `sqs:SendMessage`, delivered after its delay.
#[tokio::test]
async fn a_message_can_be_sent_to_oneself_for_later() {
    let local = Local::start().await;
    let send = |who: &str, seconds: i32| {
        let request = local.sqs(&local.function(who)).send_message().queue_url(QUEUE_URL);
        request.message_body("continue").delay_seconds(seconds).send()
    };
    assert_eq!(send("Nobody", 1).await.unwrap_err().code(), Some("AccessDenied"));
    let continuation = send("Writer", 1).await.unwrap();
    let queues = local.aws.queues();
    assert_eq!(queues.counts(QUEUE_ARN).unwrap().delayed, 1);
    assert!(queues.receive(QUEUE_ARN, 1, None).unwrap().is_empty());
    tokio::time::timeout(Duration::from_secs(10), queues.wait_for_message(QUEUE_ARN)).await.unwrap().unwrap();
    let received = queues.receive(QUEUE_ARN, 1, None).unwrap().remove(0);
    assert_eq!(Some(received.message_id.as_str()), continuation.message_id());
    assert!(received.sender_id.ends_with(":stack-Writer"), "{}", received.sender_id);
}
