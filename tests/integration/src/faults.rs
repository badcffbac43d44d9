//! AWS fails, and a function dies: nothing is lost, and nothing internal reaches a client.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use local::aws::{Answer, Attempt};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::platform::{File, Platform, expect, expect_problem};

crate::tests![
    a_failing_step_is_tried_again,
    a_function_that_dies_after_each_call_is_made_up_for,
    what_fails_too_often_waits_for_a_redrive,
    a_transaction_that_meets_another_is_tried_again,
    throttling_is_answered_with_503,
    a_failing_part_shows_in_the_health,
];

/// Answers the first `times` calls of this operation by extract-metadata with an error.
fn fail_first(operation: &'static str, times: usize, answer: Answer) -> impl Fn(&Attempt) -> Option<Answer> {
    let left = AtomicUsize::new(times);
    move |attempt| {
        let is_meant = attempt.operation == operation
            && matches!(&attempt.principal, local::aws::Principal::Function(id) if id == "ExtractMetadataFunction");
        let fails = is_meant
            && left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_ok();
        fails.then(|| answer.clone())
    }
}

fn busy() -> Answer {
    Answer::Error {
        status: 503,
        code: "SlowDown".to_owned(),
        message: "Please reduce your request rate.".to_owned(),
    }
}

async fn jobs(platform: &Platform, media_id: &str) -> Vec<(String, String)> {
    let jobs = platform.items(&format!("MEDIA#{media_id}"), "JOB#").await;
    let text = |job: &crate::platform::Item, name: &str| job[name].as_s().unwrap().clone();
    jobs.iter().map(|job| (text(job, "type"), text(job, "status"))).collect()
}

async fn a_failing_step_is_tried_again(_shared: &Platform) {
    let platform = Platform::start(|_| {}).await;
    let user = platform.sign_up().await;
    // More often than the SDK tries by itself.
    let interception = platform.calls().intercept(fail_first("CopyObject", 4, busy()));
    let media = platform.upload(&user, &File::video()).await;
    drop(interception);
    assert_eq!(media["status"], "ready");
    let pair = |job_type: &str, status: &str| (job_type.to_owned(), status.to_owned());
    assert_eq!(
        jobs(&platform, media["id"].as_str().unwrap()).await,
        [
            pair("extract_metadata", "succeeded"),
            pair("extract_metadata", "succeeded"),
            pair("upload_to_cdn", "failed"),
            pair("upload_to_cdn", "succeeded"),
        ]
    );
    platform.shut_down().await;
}

/// Cuts the connection of one call of the function after the other, often enough that the SDK gives up, as if it had
/// died there; the next delivery makes the media ready all the same.
async fn a_function_that_dies_after_each_call_is_made_up_for(_shared: &Platform) {
    let platform = Platform::start(|_| {}).await;
    let user = platform.sign_up().await;
    for call_number in 0..9 {
        let seen = AtomicUsize::new(0);
        let interception = platform.calls().intercept(move |attempt| {
            let is_meant =
                matches!(&attempt.principal, local::aws::Principal::Function(id) if id == "ExtractMetadataFunction");
            let number = if is_meant { seen.fetch_add(1, Ordering::SeqCst) } else { usize::MAX };
            (call_number..call_number + 3).contains(&number).then_some(Answer::Drop)
        });
        let file = File::video();
        let media = platform.upload(&user, &file).await;
        assert_eq!(media["status"], "ready", "cut off at call {call_number}");
        platform.idle().await;
        drop(interception);
    }
    // Everything was counted once.
    let usage = platform.item(&format!("USER#{}", user.id), "USAGE").await.unwrap();
    assert_eq!(usage["size_bytes"].as_n().unwrap(), &(9 * File::video().bytes.len()).to_string());
    platform.shut_down().await;
}

async fn what_fails_too_often_waits_for_a_redrive(_shared: &Platform) {
    let platform = Platform::start(|_| {}).await;
    let user = platform.sign_up().await;
    let interception = platform.calls().intercept(fail_first("CopyObject", usize::MAX, busy()));
    let media = platform.upload(&user, &File::video()).await;
    let media_id = media["id"].as_str().unwrap();
    assert_eq!(
        (&media["status"], &media["failure"]["code"]),
        (&json!("failed"), &json!("processing_failed"))
    );
    assert!(!media.to_string().contains("SlowDown"), "nothing internal: {media}");
    platform.idle().await;
    drop(interception);

    let dead_letters = platform.queue("IngestDeadLetterQueue");
    let queues = platform.aws().queues();
    let waiting = queues.receive(&dead_letters, 10, None).unwrap();
    assert_eq!(waiting.len(), 1);
    queues.send(&platform.queue("IngestQueue"), &waiting[0].body).unwrap();
    let media = platform.wait_for(&user, media_id, |media| media["status"] == "ready").await;
    assert_eq!(media["failure"], Value::Null);
    platform.shut_down().await;
}

async fn a_transaction_that_meets_another_is_tried_again(_shared: &Platform) {
    let platform = Platform::start(|_| {}).await;
    let user = platform.sign_up().await;
    let met = Arc::new(AtomicUsize::new(0));
    let seen = Arc::clone(&met);
    let interception = platform.calls().intercept(move |attempt| {
        let is_conflict =
            attempt.operation == "TransactWriteItems" && seen.fetch_add(1, Ordering::SeqCst) < 3;
        is_conflict.then(|| Answer::Error {
            status: 400,
            code: "TransactionCanceledException".to_owned(),
            message: "Transaction cancelled [None, None, TransactionConflict, None]".to_owned(),
        })
    });
    let answer = platform.post_as(&user, "/media", &File::video().announcement()).await;
    expect(answer, StatusCode::CREATED).await;
    assert_eq!(met.load(Ordering::SeqCst), 4, "three conflicts, and then it is written");
    drop(interception);
    let usage = platform.item(&format!("USER#{}", user.id), "USAGE").await.unwrap();
    assert_eq!(usage["size_bytes"].as_n().unwrap(), &File::video().bytes.len().to_string());
    platform.shut_down().await;
}

async fn throttling_is_answered_with_503(_shared: &Platform) {
    let platform = Platform::start(|_| {}).await;
    let user = platform.sign_up().await;
    let count = Arc::new(AtomicUsize::new(0));
    let seen = Arc::clone(&count);
    let interception = platform.calls().intercept(move |attempt| {
        (attempt.service == "dynamodb").then(|| {
            seen.fetch_add(1, Ordering::SeqCst);
            Answer::Error {
                status: 400,
                code: "ThrottlingException".to_owned(),
                message: "Rate exceeded for table media-platform-Table".to_owned(),
            }
        })
    });
    let answer = platform.post_as(&user, "/media", &File::video().announcement()).await;
    let problem = expect_problem(answer, StatusCode::SERVICE_UNAVAILABLE, "unavailable").await;
    assert!(!problem.to_string().contains("Rate exceeded"), "nothing internal: {problem}");
    assert_eq!(count.load(Ordering::SeqCst), 3, "tried three times");
    drop(interception);
    expect(platform.post_as(&user, "/media", &File::video().announcement()).await, StatusCode::CREATED).await;
    platform.shut_down().await;
}

async fn a_failing_part_shows_in_the_health(_shared: &Platform) {
    let platform = Platform::start(|_| {}).await;
    let interception = platform.calls().intercept(|attempt| {
        (attempt.service == "sqs").then(|| Answer::Error {
            status: 500,
            code: "InternalError".to_owned(),
            message: "down".to_owned(),
        })
    });
    let answer = platform.request(Method::GET, "/health").send().await.unwrap();
    let health = expect(answer, StatusCode::SERVICE_UNAVAILABLE).await;
    let checks = json!({"table": "ok", "ingest_bucket": "ok", "media_bucket": "ok", "queue": "failed"});
    assert_eq!(health, json!({"status": "failed", "checks": checks}));
    drop(interception);
    platform.shut_down().await;
}
