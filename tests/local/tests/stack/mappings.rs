use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use api::event_function;
use lambda_runtime::Error;
use local::aws::Aws;
use local::functions::Registry;
use local::{AwsEndpoint, LocalStack, Options};
use serde_json::{Value, json};

use crate::{function, start, template, write};

const TIMEOUT: Duration = Duration::from_secs(20);

/// What a consumer has seen.
#[derive(Default)]
struct Seen {
    events: Mutex<Vec<Value>>,
    receives: Mutex<BTreeMap<String, u32>>,
    running: AtomicUsize,
    most_at_once: AtomicUsize,
}

impl Seen {
    fn receives(&self, body: &str) -> u32 {
        self.receives.lock().unwrap().get(body).copied().unwrap_or_default()
    }
}

/// One record for the function and the test.
#[derive(Default)]
struct Shared(Arc<Seen>);

/// Does to each message what its body says.
async fn consume(state: Arc<Shared>, event: Value) -> Result<Value, Error> {
    let seen = &state.0;
    let running = seen.running.fetch_add(1, Ordering::SeqCst) + 1;
    seen.most_at_once.fetch_max(running, Ordering::SeqCst);
    let result = outcome(seen, &event).await;
    seen.running.fetch_sub(1, Ordering::SeqCst);
    result
}

async fn outcome(seen: &Seen, event: &Value) -> Result<Value, Error> {
    seen.events.lock().unwrap().push(event.clone());
    let mut failures = Vec::new();
    for record in event["Records"].as_array().unwrap() {
        let body = record["body"].as_str().unwrap();
        let receives = {
            let mut all = seen.receives.lock().unwrap();
            let count = all.entry(body.to_owned()).or_default();
            *count += 1;
            *count
        };
        match body {
            "report-once" if receives == 1 => failures.push(json!({"itemIdentifier": record["messageId"]})),
            "report-always" => failures.push(json!({"itemIdentifier": record["messageId"]})),
            "error-once" if receives == 1 => return Err("on purpose".into()),
            "malformed-once" if receives == 1 => {
                return Ok(json!({"batchItemFailures": [{"itemIdentifier": ""}]}));
            }
            "yield" => tokio::time::sleep(Duration::from_millis(20)).await,
            _ => {}
        }
    }
    Ok(json!({"batchItemFailures": failures}))
}

fn resources(event: &Value, queue: &Value) -> Value {
    let mut properties = json!({"Queue": {"Fn::GetAtt": ["Queue", "Arn"]}});
    properties.as_object_mut().unwrap().extend(event.as_object().unwrap().clone());
    let consumer = json!({
        "Timeout": 10,
        "Policies": ["AWSLambdaSQSQueueExecutionRole"],
        "Events": {"Queue": {"Type": "SQS", "Properties": properties}},
    });
    json!({
        "Queue": {"Type": "AWS::SQS::Queue", "Properties": queue},
        "DeadLetterQueue": {"Type": "AWS::SQS::Queue"},
        "Consumer": function("consume", &consumer),
    })
}

async fn started(event: &Value, queue: &Value) -> (LocalStack, Arc<Seen>, String) {
    let seen = Arc::new(Seen::default());
    let given = Arc::clone(&seen);
    let functions = Registry::default().with("consume", move |_| {
        let seen = Shared(Arc::clone(&given));
        async move { Ok(event_function(seen, consume)) }
    });
    let stack = start(&resources(event, queue), functions).await;
    let queue = stack.stack().queues.iter().find(|queue| queue.logical_id == "Queue").unwrap().arn.clone();
    (stack, seen, queue)
}

fn reporting() -> Value {
    json!({"FunctionResponseTypes": ["ReportBatchItemFailures"]})
}

fn queue() -> Value {
    json!({
        "VisibilityTimeout": 1,
        "RedrivePolicy": {"deadLetterTargetArn": {"Fn::GetAtt": ["DeadLetterQueue", "Arn"]}, "maxReceiveCount": 2},
    })
}

#[tokio::test]
async fn the_event_is_that_of_sqs() {
    let (stack, seen, queue) = started(&reporting(), &queue()).await;
    let id = stack.aws().unwrap().queues().send(&queue, "hello").unwrap();
    stack.idle(TIMEOUT).await.unwrap();

    let event = seen.events.lock().unwrap()[0].clone();
    let record = &event["Records"][0];
    assert_eq!(record["messageId"], id.as_str());
    assert_eq!(record["body"], "hello");
    assert_eq!(record["md5OfBody"], "5d41402abc4b2a76b9719d911017c592");
    assert_eq!(record["eventSource"], "aws:sqs");
    assert_eq!(record["eventSourceARN"], queue.as_str());
    assert_eq!(record["awsRegion"], "us-east-1");
    assert_eq!(record["attributes"]["ApproximateReceiveCount"], "1");
    assert_eq!(record["messageAttributes"], json!({}));
    for attribute in ["SentTimestamp", "ApproximateFirstReceiveTimestamp", "SenderId"] {
        assert!(!record["attributes"][attribute].as_str().unwrap().is_empty(), "{attribute}");
    }
    stack.shut_down().await;
}

#[tokio::test]
async fn only_the_reported_items_come_back() {
    let (stack, seen, queue) = started(&reporting(), &queue()).await;
    for body in ["good", "report-once"] {
        stack.aws().unwrap().queues().send(&queue, body).unwrap();
    }
    stack.idle(TIMEOUT).await.unwrap();

    assert_eq!((seen.receives("good"), seen.receives("report-once")), (1, 2));
    stack.shut_down().await;
}

#[tokio::test]
async fn without_reporting_an_answer_deletes_the_batch_whatever_it_says() {
    let (stack, seen, queue) = started(&json!({}), &queue()).await;
    stack.aws().unwrap().queues().send(&queue, "report-always").unwrap();
    stack.idle(TIMEOUT).await.unwrap();

    assert_eq!(seen.receives("report-always"), 1);
    stack.shut_down().await;
}

#[tokio::test]
async fn a_failed_invocation_and_a_malformed_answer_keep_everything() {
    let (stack, seen, queue) = started(&reporting(), &queue()).await;
    for body in ["error-once", "malformed-once"] {
        stack.aws().unwrap().queues().send(&queue, body).unwrap();
        stack.idle(TIMEOUT).await.unwrap();
        assert_eq!(seen.receives(body), 2, "{body}");
    }
    stack.shut_down().await;
}

#[tokio::test]
async fn what_keeps_failing_ends_in_the_dead_letter_queue() {
    let (stack, seen, queue) = started(&reporting(), &queue()).await;
    let dead =
        stack.stack().queues.iter().find(|queue| queue.logical_id == "DeadLetterQueue").unwrap().arn.clone();
    stack.aws().unwrap().queues().send(&queue, "report-always").unwrap();
    stack.idle(TIMEOUT).await.unwrap();

    assert_eq!(seen.receives("report-always"), 2);
    assert_eq!(stack.aws().unwrap().queues().counts(&dead).unwrap().visible, 1);
    stack.shut_down().await;
}

#[tokio::test]
async fn concurrency_and_batches_are_bounded() {
    let event = json!({"BatchSize": 2, "ScalingConfig": {"MaximumConcurrency": 2}});
    let (stack, seen, queue) = started(&event, &json!({"VisibilityTimeout": 30})).await;
    for _ in 0..20 {
        stack.aws().unwrap().queues().send(&queue, "yield").unwrap();
    }
    stack.idle(TIMEOUT).await.unwrap();

    assert_eq!(seen.receives("yield"), 20);
    assert_eq!(seen.most_at_once.load(Ordering::SeqCst), 2);
    let events = seen.events.lock().unwrap().clone();
    assert!(events.iter().all(|event| event["Records"].as_array().unwrap().len() <= 2));
    stack.shut_down().await;
}

#[tokio::test]
async fn waiting_for_idle_says_what_is_left() {
    let (stack, _seen, queue) = started(&reporting(), &json!({"VisibilityTimeout": 30})).await;
    stack.aws().unwrap().queues().send(&queue, "report-once").unwrap();
    let error = stack.idle(Duration::from_millis(300)).await.unwrap_err();
    assert_eq!(error.busy.len(), 1, "{error}");
    assert!(error.to_string().contains("in_flight: 1"), "{error}");
    stack.shut_down().await;
}

#[tokio::test]
async fn the_functions_role_has_to_allow_the_polling() {
    let mut resources = resources(&reporting(), &queue());
    resources["Consumer"]["Properties"].as_object_mut().unwrap().remove("Policies");
    let functions =
        Registry::default().with("consume", |_| async { Ok(event_function(Shared::default(), consume)) });
    let directory = tempfile::TempDir::new().unwrap();
    let template = write(directory.path(), &template(&resources));
    let error = LocalStack::start(Options { template, functions, ..Options::default() })
        .await
        .unwrap_err()
        .to_string();
    assert!(error.contains("Consumer") && error.contains("AccessDenied"), "{error}");
}

/// The functions of one stack on the AWS of another.
#[tokio::test]
async fn queues_of_another_endpoint_are_polled_too() {
    let mut without_mapping = resources(&reporting(), &queue());
    without_mapping["Consumer"]["Properties"].as_object_mut().unwrap().remove("Events");
    let idle =
        Registry::default().with("consume", |_| async { Ok(event_function(Shared::default(), consume)) });
    let elsewhere = start(&without_mapping, idle).await;

    let seen = Arc::new(Seen::default());
    let done = Arc::new(tokio::sync::Notify::new());
    let (given, notify) = (Arc::clone(&seen), Arc::clone(&done));
    let functions = Registry::default().with("consume", move |_| {
        let state = (Arc::clone(&given), Arc::clone(&notify));
        async move {
            Ok(event_function(state, |state, event| async move {
                let answer = consume(Arc::new(Shared(Arc::clone(&state.0))), event).await;
                state.1.notify_one();
                answer
            }))
        }
    });
    let directory = tempfile::TempDir::new().unwrap();
    let stack = LocalStack::start(Options {
        template: write(directory.path(), &template(&resources(&reporting(), &queue()))),
        functions,
        aws_endpoint: Some(AwsEndpoint {
            url: elsewhere.aws_url().parse().unwrap(),
            region: "us-east-1".to_owned(),
            credentials: Aws::operator_credentials(),
        }),
        ..Options::default()
    })
    .await
    .unwrap();
    let queue = &stack.stack().event_source_mappings[0].queue_arn;
    elsewhere.aws().unwrap().queues().send(queue, "far").unwrap();
    tokio::time::timeout(TIMEOUT, done.notified()).await.unwrap();

    assert_eq!(seen.receives("far"), 1);
    assert!(stack.aws().is_none());
    stack.shut_down().await;
    elsewhere.shut_down().await;
}
