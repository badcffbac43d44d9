//! AWS fails, and a function dies: nothing is lost, and nothing internal reaches a client.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use local::aws::{Answer, Attempt};
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::platform::{File, PATIENCE, Platform, expect, expect_problem};

crate::tests![
    a_failing_step_is_tried_again,
    a_run_that_breaks_off_at_any_call_is_made_up_for,
    runs_on_one_object_do_not_destroy_each_other,
    a_change_in_between_is_kept,
    an_object_that_does_not_show_yet_is_waited_for,
    what_fails_too_often_waits_for_a_redrive,
    a_transaction_that_meets_another_is_tried_again,
    throttling_is_answered_with_503,
];

/// Answers the first `times` calls of this operation by extract-metadata with an error.
fn fail_first(operation: &'static str, times: usize, answer: Answer) -> impl Fn(&Attempt) -> Option<Answer> {
    let left = AtomicUsize::new(times);
    move |attempt| {
        let is_meant = attempt.operation == operation && is_extract_metadata(attempt);
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

/// Breaks one call of the function after the other, as often as the SDK tries it, until there is none left to break.
async fn a_run_that_breaks_off_at_any_call_is_made_up_for(_shared: &Platform) {
    const SDK_ATTEMPTS: usize = 3;
    let platform = Platform::start(|_| {}).await;
    let user = platform.sign_up().await;
    let mut uploads = 0;
    loop {
        let (seen, broken) = (AtomicUsize::new(0), Arc::new(AtomicUsize::new(0)));
        let count = Arc::clone(&broken);
        let interception = platform.calls().intercept(move |attempt| {
            // Lambda's poller has the function's name too; what it does is not the run's.
            let is_meant = is_extract_metadata(attempt) && attempt.service != "sqs";
            let number = if is_meant { seen.fetch_add(1, Ordering::SeqCst) } else { usize::MAX };
            let is_broken = (uploads..uploads + SDK_ATTEMPTS).contains(&number);
            count.fetch_add(usize::from(is_broken), Ordering::SeqCst);
            is_broken.then_some(Answer::Drop)
        });
        let media = platform.upload(&user, &File::video()).await;
        assert_eq!(media["status"], "ready", "broken off at call {uploads}");
        platform.idle().await;
        drop(interception);
        uploads += 1;
        let broken = broken.load(Ordering::SeqCst);
        if broken == 0 {
            break;
        }
        assert_eq!(broken, SDK_ATTEMPTS, "at call {}", uploads - 1);
        assert!(uploads < 30, "a run makes about ten calls");
    }
    assert!(uploads > 6, "{uploads}");
    // Everything was counted once.
    let usage = platform.item(&format!("USER#{}", user.id), "USAGE").await.unwrap();
    assert_eq!(usage["size_bytes"].as_n().unwrap(), &(uploads * File::video().bytes.len()).to_string());
    platform.shut_down().await;
}

fn is_extract_metadata(attempt: &Attempt) -> bool {
    matches!(&attempt.principal, local::aws::Principal::Function(id) if id == "ExtractMetadataFunction")
}

async fn runs_on_one_object_do_not_destroy_each_other(_shared: &Platform) {
    let platform = Platform::start(|_| {}).await;
    let user = platform.sign_up().await;
    let created = platform.announce(&user, &File::video()).await;
    let media_id = created["media"]["id"].as_str().unwrap();
    // Copying takes long enough for the other events to come in between.
    let interception = platform.calls().intercept(|attempt| {
        (attempt.operation == "CopyObject").then_some(Answer::Delay(std::time::Duration::from_millis(300)))
    });
    let sequence = platform.calls().sequence();
    let object = crate::processing::put_as_operator(&platform, media_id, &File::video()).await;
    for _ in 0..3 {
        let event = crate::processing::event_of(&platform, media_id, &object.0, &object.1);
        crate::processing::deliver(&platform, &event).await;
    }
    let media = platform.settled(&user, media_id).await;
    platform.idle().await;
    drop(interception);
    assert_eq!(media["status"], "ready");
    let calls = platform.calls().since(sequence);
    let copies = calls.iter().filter(|call| call.operation == "CopyObject").count();
    assert!((1..=4).contains(&copies), "{copies} copies for four events");
    let failed = jobs(&platform, media_id).await.into_iter().filter(|(_, status)| status == "failed").count();
    assert_eq!(failed, 0, "a run that is overtaken has not failed");
    platform.shut_down().await;
}

async fn a_change_in_between_is_kept(_shared: &Platform) {
    use aws_sdk_dynamodb::types::AttributeValue::{N, S};
    let platform = Platform::start(|_| {}).await;
    let user = platform.sign_up().await;
    let created = platform.announce(&user, &File::video()).await;
    let media_id = created["media"]["id"].as_str().unwrap();
    let (copying, mut is_copying) = tokio::sync::watch::channel(false);
    let interception = platform.calls().intercept(move |attempt| {
        (attempt.operation == "CopyObject").then(|| {
            copying.send_replace(true);
            Answer::Delay(std::time::Duration::from_millis(500))
        })
    });
    platform.put(&created["upload"], File::video().bytes).await;
    tokio::time::timeout(PATIENCE, is_copying.wait_for(|copying| *copying)).await.unwrap().unwrap();
    // Somebody edits the media while it is being published.
    platform
        .dynamodb()
        .update_item()
        .table_name(&platform.stack.stack().tables[0].name)
        .key("PK", S(format!("MEDIA#{media_id}")))
        .key("SK", S("RECORD".to_owned()))
        .update_expression("SET title = :title ADD version :one")
        .expression_attribute_values(":title", S("Edited".to_owned()))
        .expression_attribute_values(":one", N("1".to_owned()))
        .send()
        .await
        .unwrap();
    let media = platform.settled(&user, media_id).await;
    drop(interception);
    assert_eq!((&media["status"], &media["title"]), (&json!("ready"), &json!("Edited")));
    assert_eq!(jobs(&platform, media_id).await.len(), 2, "in the same run");
    platform.shut_down().await;
}

async fn an_object_that_does_not_show_yet_is_waited_for(_shared: &Platform) {
    let platform = Platform::start(|_| {}).await;
    let user = platform.sign_up().await;
    let not_found =
        Answer::Error { status: 404, code: "NotFound".to_owned(), message: "Not Found".to_owned() };
    let interception = platform.calls().intercept(fail_first("HeadObject", 2, not_found));
    let media = platform.upload(&user, &File::video()).await;
    drop(interception);
    assert_eq!(media["status"], "ready");
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
