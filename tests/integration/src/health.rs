//! Health: what the service routes say of a platform that stands, and of one whose parts fail or hang.

use std::time::{Duration, Instant};

use local::aws::{Answer, Attempt};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::platform::{PATIENCE, Platform, eventually, expect};

crate::tests![
    a_failing_part_shows_in_the_health,
    parts_that_hang_are_told_apart_in_three_seconds,
    the_storage_is_asked_every_ten_seconds_at_most,
    a_storage_that_fails_or_hangs_is_unhealthy,
];

const STORAGE: &str = "/api/v1/s3-media/health/s3";

fn down() -> Answer {
    Answer::Error { status: 500, code: "InternalError".to_owned(), message: "down".to_owned() }
}

/// Whether the call is to the bucket of this kind.
fn is_bucket(attempt: &Attempt, kind: &str) -> bool {
    attempt.service == "s3" && attempt.resource().is_some_and(|arn| arn.contains(&format!("-{kind}-")))
}

async fn health(platform: &Platform, status: StatusCode) -> Value {
    expect(platform.request(Method::GET, "/health").send().await.unwrap(), status).await
}

async fn a_failing_part_shows_in_the_health(_shared: &Platform) {
    let platform = Platform::start(|_| {}).await;
    let interception = platform.calls().intercept(|attempt| (attempt.service == "sqs").then(down));
    let checks = json!({"table": "ok", "ingest_bucket": "ok", "media_bucket": "ok", "queue": "failed"});
    let failed = health(&platform, StatusCode::SERVICE_UNAVAILABLE).await;
    assert_eq!(failed, json!({"status": "failed", "checks": checks}));
    drop(interception);
    assert_eq!(health(&platform, StatusCode::OK).await["status"], "ok");
    platform.shut_down().await;
}

async fn parts_that_hang_are_told_apart_in_three_seconds(_shared: &Platform) {
    type IsHanging = fn(&Attempt) -> bool;
    const HANGS: Answer = Answer::Delay(Duration::from_secs(5));
    let platform = Platform::start(|_| {}).await;
    let table_and_media: IsHanging = |attempt| attempt.service == "dynamodb" || is_bucket(attempt, "media");
    let queue_and_ingest: IsHanging = |attempt| attempt.service == "sqs" || is_bucket(attempt, "ingest");
    for (is_hanging, checks) in [
        (
            table_and_media,
            json!({"table": "failed", "ingest_bucket": "ok", "media_bucket": "failed", "queue": "ok"}),
        ),
        (
            queue_and_ingest,
            json!({"table": "ok", "ingest_bucket": "failed", "media_bucket": "ok", "queue": "failed"}),
        ),
    ] {
        let _interception = platform.calls().intercept(move |attempt| is_hanging(attempt).then_some(HANGS));
        // A machine that is busy with other tests may be late once.
        let is_in_time = eventually(PATIENCE, async || {
            let begun = Instant::now();
            let failed = health(&platform, StatusCode::SERVICE_UNAVAILABLE).await;
            assert_eq!(failed, json!({"status": "failed", "checks": checks}));
            begun.elapsed() < Duration::from_secs(3)
        });
        assert!(is_in_time.await);
    }
    platform.shut_down().await;
}

async fn the_storage_is_asked_every_ten_seconds_at_most(_shared: &Platform) {
    let platform = Platform::start(|_| {}).await;
    let sequence = platform.calls().sequence();
    let looks = || {
        let calls = platform.calls().since(sequence);
        calls.iter().filter(|call| call.operation == "HeadBucket").count()
    };
    let region = platform.stack.stack().region.clone();
    let healthy =
        json!({"success": true, "service": "s3", "bucket": "media", "region": region, "status": "healthy"});
    for (offset_seconds, expected_looks) in [(0, 1), (8, 1), (12, 2), (13, 2)] {
        platform.set_clock_offset(offset_seconds);
        let answers = (0..5).map(|_| platform.request(Method::GET, STORAGE).send());
        for answer in futures::future::join_all(answers).await {
            let answer = answer.unwrap();
            assert_eq!(answer.headers()["cache-control"], "public, max-age=10");
            assert_eq!(expect(answer, StatusCode::OK).await, healthy);
        }
        assert_eq!(looks(), expected_looks, "after {offset_seconds} s");
    }
    platform.shut_down().await;
}

async fn a_storage_that_fails_or_hangs_is_unhealthy(_shared: &Platform) {
    let platform = Platform::start(|_| {}).await;
    let region = platform.stack.stack().region.clone();
    let unhealthy = json!({"success": false, "service": "s3", "bucket": "media", "region": region, "status": "unhealthy"});
    for (minutes, answer) in [(0, down()), (1, Answer::Delay(Duration::from_secs(5)))] {
        platform.set_clock_offset(minutes * 60);
        let hook = move |attempt: &Attempt| is_bucket(attempt, "media").then(|| answer.clone());
        let _interception = platform.calls().intercept(hook);
        let answer = platform.request(Method::GET, STORAGE).send().await.unwrap();
        assert_eq!(answer.headers()["cache-control"], "no-store");
        assert_eq!(expect(answer, StatusCode::SERVICE_UNAVAILABLE).await, unhealthy);
    }
    // Once it answers again, that shows.
    platform.set_clock_offset(120);
    let answer = platform.request(Method::GET, STORAGE).send().await.unwrap();
    assert_eq!(expect(answer, StatusCode::OK).await["success"], true);
    platform.shut_down().await;
}
