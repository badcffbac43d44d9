use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use api::event_function;
use lambda_runtime::Error;
use local::aws::{Answer, Aws};
use local::functions::Registry;
use local::{AwsEndpoint, LocalStack, Options};
use serde_json::{Value, json};
use tokio::sync::watch;

use crate::{function, start, template, write};

const TIMEOUT: Duration = Duration::from_secs(20);

/// How long a batch looks for one that runs at the same time and should not.
const INTRUSION_WAIT: Duration = Duration::from_millis(50);

/// What a consumer has seen.
#[derive(Default)]
struct Seen {
    events: Mutex<Vec<Value>>,
    receives: Mutex<BTreeMap<String, u32>>,
    running: watch::Sender<Running>,
}

#[derive(Default)]
struct Running {
    now: usize,
    most_at_once: usize,
}

impl Seen {
    fn receives(&self, body: &str) -> u32 {
        self.receives.lock().unwrap().get(body).copied().unwrap_or_default()
    }

    /// Waits until so many batches have run at once, if they do in time.
    async fn at_once(&self, batches: usize, within: Duration) {
        let mut running = self.running.subscribe();
        let enough = running.wait_for(|running| running.most_at_once >= batches);
        let _ = tokio::time::timeout(within, enough).await;
    }
}

/// Waits for a condition.
async fn until(what: &str, mut condition: impl FnMut() -> bool) {
    let holds = async {
        while !condition() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(TIMEOUT, holds).await.unwrap_or_else(|_| panic!("not in time: {what}"));
}

/// One record for the function and the test.
#[derive(Default)]
struct Shared(Arc<Seen>);

/// Does to each message what its body says.
async fn consume(state: Arc<Shared>, event: Value) -> Result<Value, Error> {
    let seen = &state.0;
    seen.running.send_modify(|running| {
        running.now += 1;
        running.most_at_once = running.most_at_once.max(running.now);
    });
    let result = outcome(seen, &event).await;
    seen.running.send_modify(|running| running.now -= 1);
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
            // Until it is killed, or out of time.
            "hang-once" if receives == 1 => std::future::pending().await,
            "error-once" if receives == 1 => return Err("on purpose".into()),
            "malformed-once" if receives == 1 => {
                return Ok(json!({"batchItemFailures": [{"itemIdentifier": ""}]}));
            }
            // Holds its batch open until another one runs, and then for a third.
            "meet" => {
                seen.at_once(2, TIMEOUT).await;
                seen.at_once(3, INTRUSION_WAIT).await;
            }
            _ => {}
        }
    }
    Ok(json!({"batchItemFailures": failures}))
}

fn resources(event: &Value, queue: &Value) -> Value {
    let mut properties = json!({"Queue": {"Fn::GetAtt": ["Queue", "Arn"]}});
    properties.as_object_mut().unwrap().extend(event.as_object().unwrap().clone());
    let consumer = json!({
        "Timeout": 30,
        "Policies": ["AWSLambdaSQSQueueExecutionRole"],
        "Events": {"Queue": {"Type": "SQS", "Properties": properties}},
    });
    json!({
        "Queue": {"Type": "AWS::SQS::Queue", "Properties": queue},
        "DeadLetterQueue": {"Type": "AWS::SQS::Queue"},
        "Consumer": function("consume", &consumer),
    })
}

/// A stack whose messages come back only when the test says so.
async fn started(event: &Value) -> (LocalStack, Arc<Seen>, String) {
    let seen = Arc::new(Seen::default());
    let given = Arc::clone(&seen);
    let functions = Registry::default().with("consume", move |_| {
        let seen = Shared(Arc::clone(&given));
        async move { Ok(event_function(seen, consume)) }
    });
    let stack = start(&resources(event, &queue()), functions).await;
    let queue = stack.stack().queues.iter().find(|queue| queue.logical_id == "Queue").unwrap().arn.clone();
    (stack, seen, queue)
}

fn reporting() -> Value {
    json!({"FunctionResponseTypes": ["ReportBatchItemFailures"]})
}

fn queue() -> Value {
    json!({
        "VisibilityTimeout": 3600,
        "RedrivePolicy": {"deadLetterTargetArn": {"Fn::GetAtt": ["DeadLetterQueue", "Arn"]}, "maxReceiveCount": 2},
    })
}

/// Sends a message that fails the first time, and makes it visible again.
async fn send_and_return(stack: &LocalStack, seen: &Seen, queue: &str, body: &str) {
    let queues = stack.aws().unwrap().queues();
    queues.send(queue, body).unwrap();
    return_to_queue(stack, seen, queue, body, 1).await;
}

/// Makes a message visible again once it has been received so many times.
async fn return_to_queue(stack: &LocalStack, seen: &Seen, queue: &str, body: &str, receives: u32) {
    until("received", || seen.receives(body) == receives).await;
    let receipt = {
        let events = seen.events.lock().unwrap();
        let mut records = events.iter().rev().flat_map(|event| event["Records"].as_array().unwrap());
        records.find(|record| record["body"] == body).unwrap()["receiptHandle"].as_str().unwrap().to_owned()
    };
    let queues = stack.aws().unwrap().queues();
    // Not at once, so that a mapping that wrongly deletes it still has a receipt that counts.
    queues.change_visibility(queue, &receipt, Duration::from_millis(200)).unwrap();
}

#[tokio::test]
async fn the_event_is_that_of_sqs() {
    let (stack, seen, queue) = started(&reporting()).await;
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
    let (stack, seen, queue) = started(&reporting()).await;
    // Until both messages are there, polls fail; one that began before ends with the first message.
    let failed = Arc::new(AtomicBool::new(false));
    let fail = Arc::clone(&failed);
    let held = stack.aws().unwrap().calls().intercept(move |attempt| {
        (attempt.operation == "ReceiveMessage").then(|| {
            fail.store(true, Ordering::SeqCst);
            Answer::Error { status: 500, code: "InternalFailure".to_owned(), message: "not yet".to_owned() }
        })
    });
    let queues = stack.aws().unwrap().queues();
    queues.send(&queue, "first").unwrap();
    until("the polls fail", || failed.load(Ordering::SeqCst)).await;
    queues.send(&queue, "good").unwrap();
    queues.send(&queue, "report-once").unwrap();
    drop(held);
    return_to_queue(&stack, &seen, &queue, "report-once", 1).await;
    stack.idle(TIMEOUT).await.unwrap();

    let bodies = |event: &Value| {
        let records = event["Records"].as_array().unwrap();
        records.iter().map(|record| record["body"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let batches: Vec<_> = seen.events.lock().unwrap().iter().map(bodies).collect();
    assert!(
        batches.iter().any(|bodies| bodies.ends_with(&["good".into(), "report-once".into()])),
        "{batches:?}"
    );
    assert_eq!((seen.receives("good"), seen.receives("report-once")), (1, 2));
    stack.shut_down().await;
}

#[tokio::test]
async fn without_reporting_an_answer_deletes_the_batch_whatever_it_says() {
    let (stack, seen, queue) = started(&json!({})).await;
    stack.aws().unwrap().queues().send(&queue, "report-always").unwrap();
    stack.idle(TIMEOUT).await.unwrap();

    assert_eq!(seen.receives("report-always"), 1);
    stack.shut_down().await;
}

#[tokio::test]
async fn a_failed_invocation_and_a_malformed_answer_keep_everything() {
    let (stack, seen, queue) = started(&reporting()).await;
    for body in ["error-once", "malformed-once"] {
        send_and_return(&stack, &seen, &queue, body).await;
        stack.idle(TIMEOUT).await.unwrap();
        assert_eq!(seen.receives(body), 2, "{body}");
    }
    stack.shut_down().await;
}

/// "Handling errors for an SQS event source in Lambda": a batch whose invocation dies is not deleted, and comes back after
/// the visibility timeout.
#[tokio::test]
async fn a_killed_invocation_keeps_everything() {
    let (stack, seen, queue) = started(&reporting()).await;
    let queues = stack.aws().unwrap().queues();
    queues.send(&queue, "hang-once").unwrap();
    until("received", || seen.receives("hang-once") == 1).await;
    assert_eq!((stack.kill("Nothing"), stack.kill("Consumer")), (0, 1));
    until("ended", || stack.kill("Consumer") == 0).await;
    assert_eq!(queues.counts(&queue).unwrap().in_flight, 1);
    return_to_queue(&stack, &seen, &queue, "hang-once", 1).await;
    stack.idle(TIMEOUT).await.unwrap();
    assert_eq!(seen.receives("hang-once"), 2);
    stack.shut_down().await;
}

#[tokio::test]
async fn a_function_that_outlasts_its_timeout_keeps_everything() {
    let seen = Arc::new(Seen::default());
    let given = Arc::clone(&seen);
    let functions = Registry::default().with("consume", move |_| {
        let seen = Shared(Arc::clone(&given));
        async move { Ok(event_function(seen, consume)) }
    });
    let mut resources = resources(&reporting(), &queue());
    resources["Consumer"]["Properties"]["Timeout"] = json!(1);
    let stack = start(&resources, functions).await;
    let queue = stack.stack().event_source_mappings[0].queue_arn.clone();
    send_and_return(&stack, &seen, &queue, "hang-once").await;
    stack.idle(TIMEOUT).await.unwrap();
    assert_eq!(seen.receives("hang-once"), 2);
    stack.shut_down().await;
}

#[tokio::test]
async fn what_a_mapping_does_not_do_here_is_refused_by_name() {
    for (property, value) in [
        ("FilterCriteria", json!({"Filters": [{"Pattern": "{}"}]})),
        ("MaximumBatchingWindowInSeconds", json!(5)),
        ("BatchSize", json!(11)),
        ("FunctionResponseTypes", json!(["Other"])),
    ] {
        let functions =
            Registry::default().with("consume", |_| async { Ok(event_function(Shared::default(), consume)) });
        let directory = tempfile::TempDir::new().unwrap();
        let template = write(directory.path(), &template(&resources(&json!({ property: value }), &queue())));
        let error =
            LocalStack::start(Options { template, functions, ..Options::default() }).await.unwrap_err();
        let message = error.to_string();
        assert!(message.contains("Consumer") && message.contains(property), "{property}: {message}");
    }
}

#[tokio::test]
async fn what_keeps_failing_ends_in_the_dead_letter_queue() {
    let (stack, seen, queue) = started(&reporting()).await;
    let dead =
        stack.stack().queues.iter().find(|queue| queue.logical_id == "DeadLetterQueue").unwrap().arn.clone();
    send_and_return(&stack, &seen, &queue, "report-always").await;
    return_to_queue(&stack, &seen, &queue, "report-always", 2).await;
    stack.idle(TIMEOUT).await.unwrap();

    assert_eq!(seen.receives("report-always"), 2);
    assert_eq!(stack.aws().unwrap().queues().counts(&dead).unwrap().visible, 1);
    stack.shut_down().await;
}

#[tokio::test]
async fn concurrency_and_batches_are_bounded() {
    let event = json!({"BatchSize": 2, "ScalingConfig": {"MaximumConcurrency": 2}});
    let (stack, seen, queue) = started(&event).await;
    for _ in 0..20 {
        stack.aws().unwrap().queues().send(&queue, "meet").unwrap();
    }
    stack.idle(TIMEOUT).await.unwrap();

    assert_eq!(seen.receives("meet"), 20);
    assert_eq!(seen.running.borrow().most_at_once, 2);
    let events = seen.events.lock().unwrap().clone();
    assert!(events.iter().all(|event| event["Records"].as_array().unwrap().len() <= 2));
    stack.shut_down().await;
}

#[tokio::test]
async fn waiting_for_idle_says_what_is_left() {
    let (stack, _seen, queue) = started(&reporting()).await;
    let queues = stack.aws().unwrap().queues();
    queues.send(&queue, "report-once").unwrap();
    until("in flight", || queues.counts(&queue).unwrap().in_flight == 1).await;
    let error = stack.idle(Duration::from_millis(10)).await.unwrap_err();
    assert_eq!(error.busy.len(), 1, "{error}");
    assert!(error.to_string().contains("in_flight: 1"), "{error}");

    queues.send(&queue, "good").unwrap();
    stack.idle_for("goo", TIMEOUT).await.unwrap();
    let error = stack.idle_for("once", Duration::from_millis(10)).await.unwrap_err();
    assert!(error.to_string().contains("in_flight: 1"), "{error}");
    stack.shut_down().await;
}

#[tokio::test]
async fn a_function_sees_the_duplicates_that_a_test_asks_for() {
    let (stack, seen, queue) = started(&reporting()).await;
    let queues = stack.aws().unwrap().queues();
    queues.duplicate(&queue, 3, Duration::from_millis(50)).unwrap();
    queues.send(&queue, "again").unwrap();
    stack.idle_for("again", TIMEOUT).await.unwrap();
    assert_eq!(seen.receives("again"), 3);
    stack.shut_down().await;
}

#[tokio::test]
async fn a_queue_hides_messages_at_least_as_long_as_the_function_runs() {
    let functions =
        Registry::default().with("consume", |_| async { Ok(event_function(Shared::default(), consume)) });
    let directory = tempfile::TempDir::new().unwrap();
    let template =
        write(directory.path(), &template(&resources(&json!({}), &json!({"VisibilityTimeout": 29}))));
    let error = LocalStack::start(Options { template, functions, ..Options::default() })
        .await
        .unwrap_err()
        .to_string();
    assert_eq!(
        error,
        "Consumer.Properties.Events.Queue.Properties.Queue: Queue visibility timeout: 29 seconds is less than \
         Function timeout: 30 seconds"
    );
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
