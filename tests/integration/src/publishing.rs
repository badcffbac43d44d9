//! Large files: published in parts, by as many runs as it takes, whatever happens to any of them.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use local::aws::{Answer, Attempt, Call};
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::platform::{File, Item, PATIENCE, Platform, User, eventually};
use crate::processing::{deliver, event_of, play, put_as_operator};

crate::tests![
    a_large_file_is_published_in_parts,
    what_outlasts_the_function_is_handed_over,
    messages_that_come_twice_make_one_file,
    a_message_that_cannot_be_sent_is_made_up_for,
    a_run_that_is_killed_is_gone_on_with,
    a_lost_answer_to_the_last_step_is_made_up_for,
    a_copy_that_somebody_gave_up_is_begun_again,
    a_copy_that_nobody_goes_on_with_is_given_up,
    a_copy_that_takes_too_long_is_another_attempt,
    a_run_that_breaks_off_at_any_call_is_made_up_for,
    an_answer_that_is_lost_changes_nothing,
    the_template_leaves_time_to_hand_over,
];

const MIB: usize = 1024 * 1024;

/// The least that S3 takes for a part.
const PART_BYTES: usize = 5 * MIB;

const FUNCTION: &str = "ExtractMetadataFunction";

/// A platform that publishes files above 6 MiB in parts of 5 MiB, and hands over after `seconds`.
async fn start(seconds: u64) -> Platform {
    Platform::start(|options| {
        options.template_edit = Some(Box::new(move |template| {
            let function = &mut template["Resources"][FUNCTION]["Properties"];
            let timeout = function["Timeout"].as_u64().unwrap();
            let variables = &mut function["Environment"]["Variables"];
            variables["SINGLE_COPY_UP_TO_BYTES"] = json!(6 * MIB);
            variables["COPY_PART_SIZE_BYTES"] = json!(PART_BYTES);
            variables["HANDOVER_SECONDS"] = json!(timeout - seconds);
        }));
    })
    .await
}

/// A WAV file of this length, every part of it unlike the others.
fn wav(size_bytes: usize) -> File {
    let data_bytes = u32::try_from(size_bytes - 44).unwrap();
    let mut bytes = Vec::with_capacity(size_bytes);
    bytes.extend(b"RIFF");
    bytes.extend((data_bytes + 36).to_le_bytes());
    bytes.extend(b"WAVEfmt ");
    bytes.extend(16_u32.to_le_bytes());
    // PCM of one channel: 8 000 samples a second, of two bytes each.
    bytes.extend([1_u16, 1].map(u16::to_le_bytes).concat());
    bytes.extend([8_000_u32, 16_000].map(u32::to_le_bytes).concat());
    bytes.extend([2_u16, 16].map(u16::to_le_bytes).concat());
    bytes.extend(b"data");
    bytes.extend(data_bytes.to_le_bytes());
    bytes.extend((44..size_bytes).map(|index| u8::try_from(index / 1_000 % 251).unwrap()));
    File { name: "large.wav".to_owned(), content_type: "audio/wav", bytes }
}

/// One that is copied in three parts.
fn three_parts() -> File {
    wav(2 * PART_BYTES + MIB)
}

fn is_function(attempt: &Attempt, operation: &str) -> bool {
    attempt.operation == operation
        && matches!(&attempt.principal, local::aws::Principal::Function(id) if id == FUNCTION)
}

fn calls_of_function(platform: &Platform, sequence: u64) -> Vec<Call> {
    let is_meant = |call: &Call| {
        matches!(&call.principal, local::aws::Principal::Function(id) if id == FUNCTION)
            // Lambda's poller has the function's name too.
            && (call.service != "sqs" || call.operation == "SendMessage")
    };
    platform.calls().since(sequence).into_iter().filter(is_meant).collect()
}

fn count(calls: &[Call], operation: &str) -> usize {
    calls.iter().filter(|call| call.operation == operation).count()
}

fn busy() -> Answer {
    Answer::Error { status: 503, code: "SlowDown".to_owned(), message: "Slow down.".to_owned() }
}

/// Lets the function's copies of parts through or never end, by their number.
fn only_parts(
    is_let_through: impl Fn(usize) -> bool + Send + Sync + 'static,
) -> impl Fn(&Attempt) -> Option<Answer> {
    let seen = AtomicUsize::new(0);
    move |attempt| {
        let is_held =
            is_function(attempt, "UploadPartCopy") && !is_let_through(seen.fetch_add(1, Ordering::SeqCst));
        is_held.then_some(Answer::Delay(Duration::from_hours(1)))
    }
}

/// Answers the function's first calls of an operation so.
fn first(operation: &'static str, answers: Vec<Answer>) -> impl Fn(&Attempt) -> Option<Answer> {
    let seen = AtomicUsize::new(0);
    move |attempt| {
        let is_meant = is_function(attempt, operation);
        is_meant.then(|| answers.get(seen.fetch_add(1, Ordering::SeqCst)).cloned()).flatten()
    }
}

/// Announces a file and sends it; answers the media's id.
async fn send(platform: &Platform, user: &User, file: &File) -> String {
    let created = platform.announce(user, file).await;
    assert_eq!(platform.put(&created["upload"], file.bytes.clone()).await.status(), StatusCode::OK);
    created["media"]["id"].as_str().unwrap().to_owned()
}

async fn record(platform: &Platform, media_id: &str) -> Item {
    platform.item(&format!("MEDIA#{media_id}"), "RECORD").await.unwrap()
}

/// Type, attempt and status of each job.
async fn jobs(platform: &Platform, media_id: &str) -> Vec<(String, String, String)> {
    let jobs = platform.items(&format!("MEDIA#{media_id}"), "JOB#").await;
    let text = |job: &Item, name: &str| job[name].as_s().unwrap().clone();
    jobs.iter()
        .map(|job| (text(job, "type"), job["attempt"].as_n().unwrap().clone(), text(job, "status")))
        .collect()
}

fn job(job_type: &str, attempt: u8, status: &str) -> (String, String, String) {
    (job_type.to_owned(), attempt.to_string(), status.to_owned())
}

/// That the file is published as it was sent, and counted once.
async fn is_published(platform: &Platform, user: &User, media_id: &str, file: &File) {
    let media = platform.settled(user, media_id).await;
    assert_eq!(media["status"], "ready", "{media:#}");
    assert_eq!(media["size_bytes"], file.bytes.len());
    assert!(play(platform, user, media_id).await == file.bytes, "what was sent is what plays");
    let usage = platform.item(&format!("USER#{}", user.id), "USAGE").await.unwrap();
    assert_eq!(usage["size_bytes"].as_n().unwrap(), &file.bytes.len().to_string());
}

/// The same, and that nothing else is left of it.
async fn is_published_once(platform: &Platform, user: &User, media_id: &str, file: &File) {
    is_published(platform, user, media_id, file).await;
    let is_cleared = eventually(PATIENCE, async || {
        let list = platform.s3().list_objects_v2().bucket(platform.bucket("IngestBucket"));
        let list = list.prefix(format!("uploads/{media_id}")).send().await.unwrap();
        list.contents().is_empty()
    })
    .await;
    assert!(is_cleared, "the source is still there");
    let uploads = platform.s3().list_multipart_uploads().bucket(platform.bucket("MediaBucket")).send().await;
    assert_eq!(uploads.unwrap().uploads().len(), 0, "a copy is left");
}

async fn a_large_file_is_published_in_parts(_shared: &Platform) {
    let platform = start(800).await;
    let (user, file) = (platform.sign_up().await, three_parts());
    let sequence = platform.calls().sequence();
    let media_id = send(&platform, &user, &file).await;
    is_published_once(&platform, &user, &media_id, &file).await;
    platform.idle().await;
    let calls = calls_of_function(&platform, sequence);
    let steps =
        ["CreateMultipartUpload", "UploadPartCopy", "CompleteMultipartUpload", "CopyObject", "SendMessage"];
    assert_eq!(steps.map(|step| count(&calls, step)), [1, 3, 1, 0, 0]);
    // The copy's id is recorded before the first part is copied.
    let place = |operation: &str| calls.iter().position(|call| call.operation == operation).unwrap();
    let between = &calls[place("CreateMultipartUpload")..place("UploadPartCopy")];
    assert_eq!(count(between, "TransactWriteItems"), 1);
    let expected = [job("extract_metadata", 1, "succeeded"), job("upload_to_cdn", 1, "succeeded")];
    assert_eq!(jobs(&platform, &media_id).await, expected);
    let head = platform.s3().head_object().bucket(platform.bucket("MediaBucket"));
    let head = head.key(format!("media/{media_id}/source")).send().await.unwrap();
    assert_eq!(head.content_type(), Some("audio/wav"));
    assert_eq!(head.content_disposition(), Some("inline; filename*=UTF-8''large.wav"));

    // What one request copies is copied by one.
    let sequence = platform.calls().sequence();
    let media_id = send(&platform, &user, &wav(6 * MIB)).await;
    assert_eq!(platform.settled(&user, &media_id).await["status"], "ready");
    let calls = calls_of_function(&platform, sequence);
    assert_eq!(steps.map(|step| count(&calls, step)), [0, 0, 0, 1, 0]);
    platform.shut_down().await;
}

async fn what_outlasts_the_function_is_handed_over(_shared: &Platform) {
    let platform = start(2).await;
    let (user, file) = (platform.sign_up().await, three_parts());
    // Of three parts each run gets one done.
    let slow = platform.calls().intercept(only_parts(|number| matches!(number, 0 | 3 | 5..)));
    let sequence = platform.calls().sequence();
    let media_id = send(&platform, &user, &file).await;
    // What was measured is shown while the copy goes on.
    let media = platform.wait_for(&user, &media_id, |media| media["metadata"] != Value::Null).await;
    assert_eq!(media["status"], "processing");
    assert_eq!(media["duration_seconds"], media["metadata"]["duration_seconds"]);
    is_published_once(&platform, &user, &media_id, &file).await;
    platform.idle().await;
    drop(slow);
    let calls = calls_of_function(&platform, sequence);
    assert!(count(&calls, "SendMessage") >= 2, "{}", count(&calls, "SendMessage"));
    assert_eq!(count(&calls, "CreateMultipartUpload"), 1);
    // Nothing is read or copied twice.
    let handed_over = calls.iter().position(|call| call.operation == "SendMessage").unwrap();
    assert!(count(&calls[..handed_over], "GetObject") > 0);
    assert_eq!(count(&calls[handed_over..], "GetObject"), 0);
    let copied = calls.iter().filter(|call| call.operation == "UploadPartCopy" && call.outcome.status == 200);
    assert_eq!(copied.count(), 3);
    // However many runs, it is one attempt.
    let expected = [job("extract_metadata", 1, "succeeded"), job("upload_to_cdn", 1, "succeeded")];
    assert_eq!(jobs(&platform, &media_id).await, expected);
    platform.shut_down().await;
}

async fn messages_that_come_twice_make_one_file(_shared: &Platform) {
    let platform = start(2).await;
    let (user, file) = (platform.sign_up().await, three_parts());
    platform.aws().queues().duplicate(&platform.queue("IngestQueue"), 3, Duration::from_millis(500)).unwrap();
    let slow = platform.calls().intercept(only_parts(|number| matches!(number, 0 | 7 | 10..)));
    let media_id = send(&platform, &user, &file).await;
    is_published_once(&platform, &user, &media_id, &file).await;
    platform.idle().await;
    drop(slow);
    let failed = jobs(&platform, &media_id).await.into_iter().filter(|(_, _, status)| status == "failed");
    assert_eq!(failed.count(), 0, "a run that is overtaken has not failed");
    platform.shut_down().await;
}

async fn a_message_that_cannot_be_sent_is_made_up_for(_shared: &Platform) {
    let platform = start(2).await;
    let (user, file) = (platform.sign_up().await, three_parts());
    let slow = platform.calls().intercept(only_parts(|number| number > 2));
    let down = Answer::Error { status: 500, code: "InternalError".to_owned(), message: "down".to_owned() };
    let unsent = platform.calls().intercept(first("SendMessage", vec![down; 3]));
    let sequence = platform.calls().sequence();
    let media_id = send(&platform, &user, &file).await;
    is_published_once(&platform, &user, &media_id, &file).await;
    platform.idle().await;
    drop((slow, unsent));
    let calls = calls_of_function(&platform, sequence);
    assert_eq!(count(&calls, "CreateMultipartUpload"), 1);
    let expected = [
        job("extract_metadata", 1, "succeeded"),
        job("upload_to_cdn", 1, "failed"),
        job("upload_to_cdn", 2, "succeeded"),
    ];
    assert_eq!(jobs(&platform, &media_id).await, expected);
    platform.shut_down().await;
}

async fn a_run_that_is_killed_is_gone_on_with(_shared: &Platform) {
    let platform = start(800).await;
    let (user, file) = (platform.sign_up().await, three_parts());
    let created = platform.announce(&user, &file).await;
    let media_id = created["media"]["id"].as_str().unwrap();
    let slow = platform.calls().intercept(only_parts(|number| number == 0));
    let sequence = platform.calls().sequence();
    let (version_id, etag) = put_as_operator(&platform, media_id, &file).await;
    let is_copied =
        eventually(PATIENCE, async || count(&calls_of_function(&platform, sequence), "UploadPartCopy") == 1)
            .await;
    assert!(is_copied, "no part is copied");
    assert_eq!(platform.stack.kill(FUNCTION), 1);
    drop(slow);
    let sequence = platform.calls().sequence();
    // The message comes back after the queue's visibility timeout; here, another one comes.
    deliver(&platform, &event_of(&platform, media_id, &version_id, &etag)).await;
    is_published_once(&platform, &user, media_id, &file).await;
    let calls = calls_of_function(&platform, sequence);
    let steps = ["CreateMultipartUpload", "GetObject", "UploadPartCopy", "CompleteMultipartUpload"];
    assert_eq!(steps.map(|step| count(&calls, step)), [0, 0, 2, 1], "it goes on where the other stopped");
    let expected = [
        job("extract_metadata", 1, "succeeded"),
        job("upload_to_cdn", 1, "running"),
        job("upload_to_cdn", 2, "succeeded"),
    ];
    assert_eq!(jobs(&platform, media_id).await, expected);
    platform.shut_down().await;
}

async fn a_lost_answer_to_the_last_step_is_made_up_for(_shared: &Platform) {
    let platform = start(800).await;
    for (lost, attempts) in [
        // The SDK asks again, and learns that there is no such upload any more.
        (vec![Answer::DropAnswer], 1),
        // Nobody answers this run; the next one finds what the first has done.
        (vec![Answer::DropAnswer, busy(), busy()], 2),
    ] {
        let (user, file) = (platform.sign_up().await, three_parts());
        let interception = platform.calls().intercept(first("CompleteMultipartUpload", lost));
        let sequence = platform.calls().sequence();
        let media_id = send(&platform, &user, &file).await;
        is_published_once(&platform, &user, &media_id, &file).await;
        drop(interception);
        let calls = calls_of_function(&platform, sequence);
        let steps = ["CreateMultipartUpload", "UploadPartCopy", "CopyObject"];
        assert_eq!(steps.map(|step| count(&calls, step)), [1, 3, 0]);
        let record = record(&platform, &media_id).await;
        assert_eq!(record["upload_to_cdn_attempts"].as_n().unwrap(), &attempts.to_string());
        assert_eq!(record["extract_metadata_attempts"].as_n().unwrap(), "1");
    }
    platform.shut_down().await;
}

async fn a_copy_that_somebody_gave_up_is_begun_again(_shared: &Platform) {
    let platform = start(800).await;
    let (user, file) = (platform.sign_up().await, three_parts());
    let (copying, mut is_copying) = tokio::sync::watch::channel(false);
    let held = first("UploadPartCopy", vec![Answer::Delay(Duration::from_millis(500)); 3]);
    let slow = platform.calls().intercept(move |attempt| {
        held(attempt).inspect(|_| {
            copying.send_replace(true);
        })
    });
    let sequence = platform.calls().sequence();
    let media_id = send(&platform, &user, &file).await;
    tokio::time::timeout(PATIENCE, is_copying.wait_for(|copying| *copying)).await.unwrap().unwrap();
    let s3_upload_id = record(&platform, &media_id).await["copy_upload_id"].as_s().unwrap().clone();
    let abort = platform.s3().abort_multipart_upload().bucket(platform.bucket("MediaBucket"));
    abort.key(format!("media/{media_id}/source")).upload_id(s3_upload_id).send().await.unwrap();
    is_published_once(&platform, &user, &media_id, &file).await;
    drop(slow);
    assert_eq!(count(&calls_of_function(&platform, sequence), "CreateMultipartUpload"), 2);
    let expected = [job("extract_metadata", 1, "succeeded"), job("upload_to_cdn", 1, "succeeded")];
    assert_eq!(jobs(&platform, &media_id).await, expected);
    platform.shut_down().await;
}

async fn a_copy_that_nobody_goes_on_with_is_given_up(_shared: &Platform) {
    let platform = start(800).await;
    let (user, file) = (platform.sign_up().await, three_parts());
    let created = platform.announce(&user, &file).await;
    let media_id = created["media"]["id"].as_str().unwrap();
    // While the first run begins its copy, another one takes over.
    let (beginning, mut is_beginning) = tokio::sync::watch::channel(false);
    let held = first("CreateMultipartUpload", vec![Answer::Delay(Duration::from_secs(1))]);
    let slow = platform.calls().intercept(move |attempt| {
        held(attempt).inspect(|_| {
            beginning.send_replace(true);
        })
    });
    let sequence = platform.calls().sequence();
    let (version_id, etag) = put_as_operator(&platform, media_id, &file).await;
    tokio::time::timeout(PATIENCE, is_beginning.wait_for(|beginning| *beginning)).await.unwrap().unwrap();
    deliver(&platform, &event_of(&platform, media_id, &version_id, &etag)).await;
    let media = platform.settled(&user, media_id).await;
    assert_eq!(media["status"], "ready");
    platform.idle().await;
    drop(slow);
    is_published_once(&platform, &user, media_id, &file).await;
    let calls = calls_of_function(&platform, sequence);
    let steps = ["CreateMultipartUpload", "AbortMultipartUpload", "CompleteMultipartUpload"];
    assert_eq!(steps.map(|step| count(&calls, step)), [2, 1, 1]);
    platform.shut_down().await;
}

async fn a_copy_that_takes_too_long_is_another_attempt(_shared: &Platform) {
    let platform = start(2).await;
    let (user, file) = (platform.sign_up().await, three_parts());
    let slow = platform.calls().intercept(only_parts(|_| false));
    let media_id = send(&platform, &user, &file).await;
    let status_of = async |attempt: usize| {
        let jobs = jobs(&platform, &media_id).await;
        let mut copies = jobs.into_iter().filter(|(job_type, ..)| job_type == "upload_to_cdn");
        copies.nth(attempt - 1).map(|(_, _, status)| status)
    };
    assert!(eventually(PATIENCE, async || status_of(1).await.is_some()).await, "no copy is begun");
    // For the functions, a day passes.
    platform.set_clock_offset(25 * 3_600);
    let has_failed = eventually(PATIENCE, async || status_of(1).await.as_deref() == Some("failed")).await;
    assert!(has_failed, "still {:?}", status_of(1).await);
    drop(slow);
    assert!(
        eventually(PATIENCE, async || status_of(2).await.as_deref() == Some("succeeded")).await,
        "still {:?}",
        status_of(2).await
    );
    platform.set_clock_offset(0);
    is_published_once(&platform, &user, &media_id, &file).await;
    platform.shut_down().await;
}

/// Sends files while the function's calls are disturbed: the first `times` from the `n`th on, for every `n`. A copy whose
/// beginning nobody was told of, or a source that could not be deleted, is left to the buckets' lifecycle rules.
async fn disturb_every_call(answer: Answer, times: usize) {
    let platform = start(800).await;
    let file = three_parts();
    let mut round = 0;
    loop {
        let user = platform.sign_up().await;
        let (seen, disturbed) = (AtomicUsize::new(0), Arc::new(AtomicUsize::new(0)));
        let (counted, answer) = (Arc::clone(&disturbed), answer.clone());
        let interception = platform.calls().intercept(move |attempt| {
            let is_meant = attempt.service != "sqs" && is_function(attempt, &attempt.operation);
            let number = if is_meant { seen.fetch_add(1, Ordering::SeqCst) } else { usize::MAX };
            let is_disturbed = (round..round + times).contains(&number);
            counted.fetch_add(usize::from(is_disturbed), Ordering::SeqCst);
            is_disturbed.then(|| answer.clone())
        });
        let media_id = send(&platform, &user, &file).await;
        let media = platform.settled(&user, &media_id).await;
        assert_eq!(media["status"], "ready", "at call {round}");
        platform.idle().await;
        drop(interception);
        is_published(&platform, &user, &media_id, &file).await;
        round += 1;
        if disturbed.load(Ordering::SeqCst) < times {
            break;
        }
        assert!(round < 40, "a run makes about twenty calls");
    }
    assert!(round > 12, "{round}");
    platform.shut_down().await;
}

async fn a_run_that_breaks_off_at_any_call_is_made_up_for(_shared: &Platform) {
    // As often as the SDK tries it.
    disturb_every_call(Answer::Drop, 3).await;
}

async fn an_answer_that_is_lost_changes_nothing(_shared: &Platform) {
    disturb_every_call(Answer::DropAnswer, 1).await;
}

async fn the_template_leaves_time_to_hand_over(platform: &Platform) {
    let function = &platform.stack.stack().functions[FUNCTION];
    let number = |name: &str| function.environment[name].parse::<u64>().unwrap();
    assert!(Duration::from_secs(10 * number("HANDOVER_SECONDS")) <= function.timeout);
    // What S3 documents for one CopyObject.
    assert_eq!(number("SINGLE_COPY_UP_TO_BYTES"), 5 * 1024 * 1024 * 1024);
    assert_eq!(number("COPY_PART_SIZE_BYTES"), 1024 * 1024 * 1024);
}
