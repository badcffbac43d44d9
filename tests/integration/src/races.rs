//! Uploads that are completed twice, completed and aborted at once, or whose completion breaks off: one outcome, and the
//! record agrees with S3 in the end.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use local::aws::{Answer, Attempt, Principal};
use reqwest::StatusCode;
use serde_json::json;

use crate::parts::{Client, sound};
use crate::platform::{File, PATIENCE, Platform, expect, expect_problem};

crate::tests![
    completing_many_times_at_once_makes_one_object,
    of_completing_and_aborting_one_wins,
    a_completion_that_broke_off_is_finished_by_the_next,
    a_completion_whose_answer_is_lost_is_done,
    s3_may_take_longer_than_a_client_waits,
    an_error_behind_a_200_is_an_error,
    parts_that_change_while_they_are_joined_open_the_upload_again,
    an_abort_that_s3_does_not_hear_is_an_abort,
];

/// How often the SDK tries a call.
const SDK_ATTEMPTS: usize = 3;

fn is_complete_upload(attempt: &Attempt) -> bool {
    matches!(&attempt.principal, Principal::Function(id) if id == "CompleteUploadFunction")
}

/// Answers the first `times` attempts at joining parts.
fn first_joins(times: usize, answer: Answer) -> impl Fn(&Attempt) -> Option<Answer> {
    let left = AtomicUsize::new(times);
    move |attempt| {
        let is_meant = attempt.operation == "CompleteMultipartUpload";
        let is_first = is_meant
            && left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_ok();
        is_first.then(|| answer.clone())
    }
}

fn error_behind_200(code: &str) -> Answer {
    Answer::Error {
        status: 200,
        code: code.to_owned(),
        message: "It failed after the head was sent.".to_owned(),
    }
}

async fn completing_many_times_at_once_makes_one_object(_shared: &Platform) {
    let platform = Platform::start(|_| {}).await;
    let user = platform.sign_up().await;
    for _ in 0..10 {
        let client = Client::announce(&platform, &user, File::video()).await;
        client.send(1).await;
        let answers = futures::future::join_all((0..4).map(|_| client.complete())).await;
        let mut etags = Vec::new();
        for answer in answers {
            etags.push(expect(answer, StatusCode::OK).await["etag"].clone());
        }
        etags.dedup();
        assert_eq!(etags.len(), 1, "{etags:?}");
        let media = client.settled().await;
        assert_eq!(media["status"], "ready", "{media:#}");
        let record = platform.item(&format!("MEDIA#{}", client.media_id), "RECORD").await.unwrap();
        let source = record["source"].as_m().unwrap();
        assert_eq!(json!(source["etag"].as_s().unwrap()), etags[0], "what was answered is what was accepted");
        assert_eq!(platform.kinds_of_work(&client.media_id).await, Vec::<String>::new());
    }
    platform.shut_down().await;
}

/// The two meet at other places each time: each of the completion's calls waits for longer and longer.
async fn of_completing_and_aborting_one_wins(_shared: &Platform) {
    let platform = Platform::start(|_| {}).await;
    let user = platform.sign_up().await;
    let (mut completed, mut aborted) = (0, 0);
    for round in 0..24_u64 {
        let client = Client::announce(&platform, &user, File::video()).await;
        client.send(1).await;
        let delay = Duration::from_millis(round % 8 * 4);
        let interception = platform.calls().intercept(move |attempt| {
            let is_slow = if round < 12 { is_complete_upload(attempt) } else { !is_complete_upload(attempt) };
            (is_slow && attempt.service != "sqs").then_some(Answer::Delay(delay))
        });
        let (completion, abort) = tokio::join!(client.complete(), client.abort());
        drop(interception);
        if completion.status() == StatusCode::OK {
            completed += 1;
            expect_problem(abort, StatusCode::CONFLICT, "upload_ended").await;
            assert_eq!(client.settled().await["status"], "ready");
        } else {
            aborted += 1;
            expect_problem(completion, StatusCode::CONFLICT, "upload_ended").await;
            assert_eq!(abort.status(), StatusCode::NO_CONTENT);
            assert_eq!(client.settled().await["status"], "expired");
            platform.idle_for(&client.media_id).await;
            assert!(!client.has_object().await);
            assert_eq!(platform.kinds_of_work(&client.media_id).await, ["leftovers"]);
        }
        assert!(!client.is_begun_in_s3().await, "round {round}");
    }
    assert!(completed > 0 && aborted > 0, "{completed} were completed and {aborted} aborted");
    platform.shut_down().await;
}

async fn a_completion_that_broke_off_is_finished_by_the_next(_shared: &Platform) {
    let platform = Platform::start(|_| {}).await;
    let user = platform.sign_up().await;
    let client = Client::announce(&platform, &user, File::video()).await;
    client.send(1).await;
    let interception = platform.calls().intercept(first_joins(SDK_ATTEMPTS, Answer::Drop));
    expect_problem(client.complete().await, StatusCode::SERVICE_UNAVAILABLE, "unavailable").await;
    drop(interception);
    // It is being completed: too late to abort or to send more, and the sweep is to look soon.
    assert_eq!(client.media().await["status"], "completing");
    expect_problem(client.abort().await, StatusCode::CONFLICT, "upload_ended").await;
    expect_problem(client.sign(1).await, StatusCode::CONFLICT, "upload_ended").await;
    assert!(client.is_begun_in_s3().await);
    assert_eq!(platform.kinds_of_work(&client.media_id).await, ["upload"]);
    expect(client.complete().await, StatusCode::OK).await;
    assert_eq!(client.settled().await["status"], "ready");
    platform.shut_down().await;
}

async fn a_completion_whose_answer_is_lost_is_done(_shared: &Platform) {
    let platform = Platform::start(|_| {}).await;
    let user = platform.sign_up().await;
    for lost in 1..=SDK_ATTEMPTS {
        let client = Client::announce(&platform, &user, File::video()).await;
        client.send(1).await;
        let interception = platform.calls().intercept(first_joins(lost, Answer::DropAnswer));
        let answer = client.complete().await;
        drop(interception);
        let expected = if lost < SDK_ATTEMPTS { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
        assert_eq!(answer.status(), expected, "{lost} answers lost");
        expect(client.complete().await, StatusCode::OK).await;
        assert_eq!(client.settled().await["status"], "ready");
    }
    platform.shut_down().await;
}

async fn s3_may_take_longer_than_a_client_waits(_shared: &Platform) {
    let platform = Platform::start(|options| {
        options.template_edit = Some(Box::new(|template| {
            let function = &mut template["Resources"]["CompleteUploadFunction"]["Properties"];
            function["Environment"]["Variables"]["COMPLETE_WAIT_SECONDS"] = json!("1");
        }));
    })
    .await;
    let user = platform.sign_up().await;
    let client = Client::announce(&platform, &user, File::video()).await;
    client.send(1).await;
    let interception = platform.calls().intercept(first_joins(1, Answer::Delay(PATIENCE)));
    let answer = client.complete().await;
    drop(interception);
    assert_eq!(answer.headers()["retry-after"], "5");
    let accepted = expect(answer, StatusCode::ACCEPTED).await;
    assert_eq!((&accepted["media"]["status"], accepted.get("etag")), (&json!("completing"), None));
    // Asked again, it tells.
    let completed = expect(client.complete().await, StatusCode::OK).await;
    assert!(completed["etag"].is_string());
    assert_eq!(client.settled().await["status"], "ready");
    platform.shut_down().await;
}

async fn an_error_behind_a_200_is_an_error(_shared: &Platform) {
    let platform = Platform::start(|_| {}).await;
    let user = platform.sign_up().await;
    let client = Client::announce(&platform, &user, File::video()).await;
    client.send(1).await;
    let failing = first_joins(SDK_ATTEMPTS, error_behind_200("InternalError"));
    let interception = platform.calls().intercept(failing);
    let answer = client.complete().await;
    expect_problem(answer, StatusCode::SERVICE_UNAVAILABLE, "unavailable").await;
    assert_eq!(client.media().await["status"], "completing");
    expect(client.complete().await, StatusCode::OK).await;
    drop(interception);
    assert_eq!(client.settled().await["status"], "ready");

    // S3 says again and again that the parts are not what it lists: the upload is open again, not stuck.
    let client = Client::announce(&platform, &user, File::video()).await;
    client.send(1).await;
    let interception = platform.calls().intercept(first_joins(usize::MAX, error_behind_200("InvalidPart")));
    expect_problem(client.complete().await, StatusCode::CONFLICT, "changed_meanwhile").await;
    drop(interception);
    assert_eq!(client.media().await["status"], "awaiting_upload");
    client.send(1).await;
    expect(client.complete().await, StatusCode::OK).await;
    assert_eq!(client.settled().await["status"], "ready");
    platform.shut_down().await;
}

async fn parts_that_change_while_they_are_joined_open_the_upload_again(_shared: &Platform) {
    let platform = Platform::start(|_| {}).await;
    let user = platform.sign_up().await;
    for is_named in [true, false] {
        let client = Client::announce(&platform, &user, sound(5_000)).await;
        let etag = client.send(1).await;
        let (joining, mut is_joining) = tokio::sync::watch::channel(false);
        let first = first_joins(1, Answer::Delay(Duration::from_millis(500)));
        let interception = platform.calls().intercept(move |attempt| {
            let answer = first(attempt)?;
            joining.send_replace(true);
            Some(answer)
        });
        let named = json!({"parts": [{"part_number": 1, "etag": etag}]});
        let completion =
            async { if is_named { client.complete_with(&named).await } else { client.complete().await } };
        let replacement = async {
            tokio::time::timeout(PATIENCE, is_joining.wait_for(|joining| *joining)).await.unwrap().unwrap();
            let mut other = sound(5_000).bytes;
            *other.last_mut().unwrap() ^= 1;
            client.put_part_as_operator(1, other).await;
        };
        let (answer, ()) = tokio::join!(completion, replacement);
        drop(interception);
        if is_named {
            let problem = expect_problem(answer, StatusCode::CONFLICT, "parts_incomplete").await;
            assert_eq!(problem["missing"], json!([1]));
            assert_eq!(client.media().await["status"], "awaiting_upload");
            client.send(1).await;
            expect(client.complete_with(&named).await, StatusCode::OK).await;
        } else {
            // Who names no parts takes those that are there.
            expect(answer, StatusCode::OK).await;
        }
        assert_eq!(client.settled().await["status"], "ready");
    }
    platform.shut_down().await;
}

async fn an_abort_that_s3_does_not_hear_is_an_abort(_shared: &Platform) {
    let platform = Platform::start(|_| {}).await;
    let user = platform.sign_up().await;
    let client = Client::announce(&platform, &user, File::video()).await;
    client.send(1).await;
    let count = Arc::new(AtomicUsize::new(0));
    let seen = Arc::clone(&count);
    let interception = platform.calls().intercept(move |attempt| {
        (attempt.operation == "AbortMultipartUpload").then(|| {
            seen.fetch_add(1, Ordering::SeqCst);
            Answer::Drop
        })
    });
    assert_eq!(client.abort().await.status(), StatusCode::NO_CONTENT);
    drop(interception);
    assert_eq!(count.load(Ordering::SeqCst), SDK_ATTEMPTS);
    // Its parts are still there, for the sweep to remove.
    assert!(client.is_begun_in_s3().await);
    assert_eq!(platform.kinds_of_work(&client.media_id).await, ["leftovers"]);
    expect_problem(client.complete().await, StatusCode::CONFLICT, "upload_ended").await;
    assert_eq!(client.abort().await.status(), StatusCode::NO_CONTENT);
    platform.shut_down().await;
}
