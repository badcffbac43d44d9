//! From the object-created event to the end of an upload: twice, late, out of order.

use std::time::Duration;

use aws_sdk_dynamodb::types::AttributeValue;
use aws_sdk_s3::primitives::ByteStream;
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::platform::{File, Platform, User, expect};

crate::tests![
    the_last_attempt_is_known_to_be_the_last,
    a_few_ranges_are_read_and_the_source_is_gone_afterwards,
    the_same_event_many_times_changes_nothing,
    uploads_survive_events_in_triplicate_and_disorder,
    an_event_for_an_object_that_is_gone_changes_nothing,
    a_later_object_changes_nothing,
    an_object_of_a_deleted_media_is_deleted,
    an_object_that_breaks_a_rule_is_rejected_however_it_came,
    one_bad_record_does_not_hold_up_the_others,
    too_long_is_rejected,
    an_object_that_nobody_announced_is_left_alone,
];

/// The record and the jobs of a media, as stored.
async fn stored(platform: &Platform, media_id: &str) -> Vec<crate::platform::Item> {
    platform.items(&format!("MEDIA#{media_id}"), "").await
}

/// The S3 events that told of this media, as they were sent.
pub(crate) fn event_of(platform: &Platform, media_id: &str, version_id: &str, etag: &str) -> Value {
    let bucket = platform.bucket("IngestBucket");
    json!({"Records": [{
        "eventVersion": "2.1", "eventSource": "aws:s3", "awsRegion": "us-east-1",
        "eventTime": "2026-11-20T08:15:30.123Z", "eventName": "ObjectCreated:Put",
        "userIdentity": {"principalId": "AWS:EXAMPLE"}, "requestParameters": {"sourceIPAddress": "127.0.0.1"},
        "responseElements": {"x-amz-request-id": "A", "x-amz-id-2": "B"},
        "s3": {
            "s3SchemaVersion": "1.0", "configurationId": "IngestQueue",
            "bucket": {"name": bucket, "ownerIdentity": {"principalId": "A"}, "arn": format!("arn:aws:s3:::{bucket}")},
            "object": {
                "key": format!("uploads/{media_id}/source"), "size": 1, "eTag": etag, "versionId": version_id,
                "sequencer": format!("{:016X}", uuid::Uuid::now_v7().as_u128() >> 64),
            },
        },
    }]})
}

async fn accepted_version(platform: &Platform, media_id: &str) -> (String, String) {
    let record = platform.item(&format!("MEDIA#{media_id}"), "RECORD").await.unwrap();
    let source = record["source"].as_m().unwrap();
    (source["version_id"].as_s().unwrap().clone(), source["etag"].as_s().unwrap().clone())
}

pub(crate) async fn deliver(platform: &Platform, event: &Value) {
    platform.aws().queues().send(&platform.queue("IngestQueue"), &event.to_string()).unwrap();
}

async fn a_few_ranges_are_read_and_the_source_is_gone_afterwards(_shared: &Platform) {
    let platform = Platform::start(|_| {}).await;
    let user = platform.sign_up().await;
    let file = File::sample("v_h264_aac_moovend.mp4");
    let created = platform.announce(&user, &file).await;
    let sequence = platform.calls().sequence();
    platform.put(&created["upload"], file.bytes.clone()).await;
    let media_id = created["media"]["id"].as_str().unwrap().to_owned();
    assert_eq!(platform.settled(&user, &media_id).await["status"], "ready");
    platform.idle().await;

    let calls = platform.calls().since(sequence);
    let reads: Vec<_> = calls.iter().filter(|call| call.operation == "GetObject").collect();
    assert!((1..=4).contains(&reads.len()), "{} reads", reads.len());
    assert!(reads.iter().all(|call| call.transfer.range.is_some()));
    let writes = calls.iter().filter(|call| call.operation == "TransactWriteItems").count();
    assert_eq!(writes, 3, "accepted, read, ready");

    let versions = platform
        .s3()
        .list_objects_v2()
        .bucket(platform.bucket("IngestBucket"))
        .prefix("uploads/")
        .send()
        .await;
    assert_eq!(versions.unwrap().key_count(), Some(0));
    let jobs = platform.items(&format!("MEDIA#{media_id}"), "JOB#").await;
    let jobs: Vec<_> = jobs
        .iter()
        .map(|job| (job["type"].as_s().unwrap().as_str(), job["status"].as_s().unwrap().as_str()))
        .collect();
    assert_eq!(jobs, [("extract_metadata", "succeeded"), ("upload_to_cdn", "succeeded")]);
    platform.shut_down().await;
}

async fn the_same_event_many_times_changes_nothing(platform: &Platform) {
    let user = platform.sign_up().await;
    let media = platform.upload(&user, &File::video()).await;
    let media_id = media["id"].as_str().unwrap();
    platform.idle_for(media_id).await;
    let before = stored(platform, media_id).await;
    let (version_id, etag) = accepted_version(platform, media_id).await;
    let event = event_of(platform, media_id, &version_id, &etag);
    for _ in 0..3 {
        deliver(platform, &event).await;
    }
    platform.idle_for(media_id).await;
    assert_eq!(stored(platform, media_id).await, before);

    // At the same time as the first: the object is processed more than once, and becomes ready once.
    let file = File::video();
    let created = platform.announce(&user, &file).await;
    let media_id = created["media"]["id"].as_str().unwrap();
    let object = put_as_operator(platform, media_id, &file).await;
    let event = event_of(platform, media_id, &object.0, &object.1);
    for _ in 0..3 {
        deliver(platform, &event).await;
    }
    let media = platform.settled(&user, media_id).await;
    platform.idle_for(media_id).await;
    assert_eq!(expect(platform.get(&user, &format!("/media/{media_id}")).await, StatusCode::OK).await, media);
    assert_eq!(media["status"], "ready");
    let usage = platform.item(&format!("USER#{}", user.id), "USAGE").await.unwrap();
    assert_eq!(usage["size_bytes"].as_n().unwrap(), &(2 * file.bytes.len()).to_string());
}

async fn uploads_survive_events_in_triplicate_and_disorder(_shared: &Platform) {
    let platform = Platform::start(|_| {}).await;
    let user = platform.sign_up().await;
    platform.aws().queues().duplicate(&platform.queue("IngestQueue"), 3, Duration::from_millis(200)).unwrap();
    let good =
        ["v_h264_aac_faststart.mp4", "v_hevc_hdr.mov", "v_aac.m4a", "v_fragmented.mp4"].map(File::sample);
    let bad = File::sample("v_bad_text.mp4");
    let uploads = good.iter().chain([&bad]).map(|file| platform.upload(&user, file));
    let statuses: Vec<Value> =
        futures::future::join_all(uploads).await.iter().map(|media| media["status"].clone()).collect();
    assert_eq!(statuses, ["ready", "ready", "ready", "ready", "rejected"]);
    platform.idle().await;
    // What was rejected is kept for a while, and counts as long as it is.
    let stored_bytes: usize = good.iter().chain([&bad]).map(|file| file.bytes.len()).sum();
    let usage = platform.item(&format!("USER#{}", user.id), "USAGE").await.unwrap();
    assert_eq!(usage["size_bytes"].as_n().unwrap(), &stored_bytes.to_string());
    platform.shut_down().await;
}

/// The status of asking for one version of a media's object.
async fn head_status(platform: &Platform, media_id: &str, version_id: &str) -> u16 {
    let head = platform
        .s3()
        .head_object()
        .bucket(platform.bucket("IngestBucket"))
        .key(format!("uploads/{media_id}/source"))
        .version_id(version_id)
        .send()
        .await;
    head.map_or_else(|error| error.raw_response().unwrap().status().as_u16(), |_| 200)
}

/// Writes the object of a media past the signed URL; answers its version id and ETag.
pub(crate) async fn put_as_operator(platform: &Platform, media_id: &str, file: &File) -> (String, String) {
    let answer = platform
        .s3()
        .put_object()
        .bucket(platform.bucket("IngestBucket"))
        .key(format!("uploads/{media_id}/source"))
        .content_type(file.content_type)
        .body(ByteStream::from(file.bytes.clone()))
        .send()
        .await
        .unwrap();
    (answer.version_id.unwrap(), answer.e_tag.unwrap().trim_matches('"').to_owned())
}

async fn an_event_for_an_object_that_is_gone_changes_nothing(platform: &Platform) {
    let user = platform.sign_up().await;
    // Announced, never uploaded.
    let created = platform.announce(&user, &File::video()).await;
    let media_id = created["media"]["id"].as_str().unwrap();
    let before = stored(platform, media_id).await;
    // A version as S3 names them, but not one of this object.
    let another = uuid::Uuid::now_v7().to_string();
    let (version_id, etag) = put_as_operator(platform, &another, &File::video()).await;
    for _ in 0..3 {
        deliver(platform, &event_of(platform, media_id, &version_id, &etag)).await;
    }
    platform.idle_for(media_id).await;
    assert_eq!(stored(platform, media_id).await, before);
    let dead_letters = platform.queue("IngestDeadLetterQueue");
    let dead_letters = platform.aws().queues().counts_containing(&dead_letters, media_id).unwrap();
    assert_eq!(dead_letters.visible, 0, "it was dealt with, not given up");
    // It can still be uploaded.
    platform.put(&created["upload"], File::video().bytes).await;
    assert_eq!(platform.settled(&user, media_id).await["status"], "ready");
}

async fn a_later_object_changes_nothing(platform: &Platform) {
    let user = platform.sign_up().await;
    let media = platform.upload(&user, &File::video()).await;
    let media_id = media["id"].as_str().unwrap();
    platform.idle_for(media_id).await;
    let before = stored(platform, media_id).await;
    let played = play(platform, &user, media_id).await;

    let (version_id, _) = put_as_operator(platform, media_id, &File::sample("v_fragmented.mp4")).await;
    platform.idle_for(media_id).await;
    assert_eq!(stored(platform, media_id).await, before);
    assert_eq!(play(platform, &user, media_id).await, played);
    assert_eq!(head_status(platform, media_id, &version_id).await, 404);
}

pub(crate) async fn play(platform: &Platform, user: &User, media_id: &str) -> Vec<u8> {
    let urls =
        expect(platform.get(user, &format!("/media/{media_id}/stream-url")).await, StatusCode::OK).await;
    let answer = platform.http.get(urls["signed_url"].as_str().unwrap()).send().await.unwrap();
    answer.bytes().await.unwrap().to_vec()
}

async fn an_object_of_a_deleted_media_is_deleted(platform: &Platform) {
    let user = platform.sign_up().await;
    let media_id = uuid::Uuid::now_v7().to_string();
    let text = |text: &str| AttributeValue::S(text.to_owned());
    platform
        .dynamodb()
        .put_item()
        .table_name(&platform.stack.stack().tables[0].name)
        .item("PK", text(&format!("MEDIA#{media_id}")))
        .item("SK", text("RECORD"))
        .item("owner_id", text(&user.id))
        .item("deleted_at", text("2026-11-20T08:15:30Z"))
        .item("expires_at", AttributeValue::N("9999999999".to_owned()))
        .send()
        .await
        .unwrap();
    put_as_operator(platform, &media_id, &File::video()).await;
    platform.idle_for(&media_id).await;
    let left = platform
        .s3()
        .list_objects_v2()
        .bucket(platform.bucket("IngestBucket"))
        .prefix(format!("uploads/{media_id}"))
        .send()
        .await;
    assert_eq!(left.unwrap().key_count(), Some(0));
    let answer = platform.get(&user, &format!("/media/{media_id}")).await;
    crate::platform::expect_problem(answer, StatusCode::NOT_FOUND, "not_found").await;
}

async fn an_object_that_breaks_a_rule_is_rejected_however_it_came(platform: &Platform) {
    let user = platform.sign_up().await;
    let file = File::video();
    for (wrong, code) in [
        (File { bytes: file.bytes[..1000].to_vec(), ..file.clone() }, "size_mismatch"),
        (File { content_type: "text/html", ..file.clone() }, "content_type_mismatch"),
    ] {
        let created = platform.announce(&user, &file).await;
        let media_id = created["media"]["id"].as_str().unwrap();
        put_as_operator(platform, media_id, &wrong).await;
        let media = platform.settled(&user, media_id).await;
        assert_eq!((&media["status"], &media["failure"]["code"]), (&json!("rejected"), &json!(code)));
    }
    // A CRC-64/NVME that S3 does not confirm.
    let mut body = file.announcement();
    body["checksum_crc64nvme"] = json!("rosUhgp5mIg=");
    let created = expect(platform.post_as(&user, "/media", &body).await, StatusCode::CREATED).await;
    platform.put(&created["upload"], file.bytes.clone()).await;
    let media = platform.settled(&user, created["media"]["id"].as_str().unwrap()).await;
    assert_eq!(
        (&media["status"], &media["failure"]["code"]),
        (&json!("rejected"), &json!("checksum_mismatch"))
    );
    // And one that S3 confirms: it says itself what it is.
    let ready = platform.upload(&user, &file).await;
    body["checksum_crc64nvme"] = ready["checksum_crc64nvme"].clone();
    let created = expect(platform.post_as(&user, "/media", &body).await, StatusCode::CREATED).await;
    platform.put(&created["upload"], file.bytes).await;
    let media = platform.settled(&user, created["media"]["id"].as_str().unwrap()).await;
    assert_eq!((&media["status"], &media["checksum_verified"]), (&json!("ready"), &json!("crc64nvme")));
}

async fn one_bad_record_does_not_hold_up_the_others(_shared: &Platform) {
    let platform = Platform::start(|_| {}).await;
    let user = platform.sign_up().await;
    let created = platform.announce(&user, &File::video()).await;
    let media_id = created["media"]["id"].as_str().unwrap();
    // The object is there before its event is: the bucket's own goes nowhere.
    let interception = platform.hold_processing().await;
    let (version_id, etag) = put_as_operator(&platform, media_id, &File::video()).await;
    let good = event_of(&platform, media_id, &version_id, &etag)["Records"][0].clone();
    let mut bad = good.clone();
    bad["s3"]["object"].as_object_mut().unwrap().remove("versionId");
    let message = json!({"messageId": "m", "receiptHandle": "r", "body": json!({"Records": [bad, good]}).to_string(),
        "attributes": {"ApproximateReceiveCount": "1"}, "eventSource": "aws:sqs"});
    let answer =
        platform.stack.invoke("ExtractMetadataFunction", json!({"Records": [message]})).await.unwrap();
    assert_eq!(
        answer["batchItemFailures"],
        json!([{"itemIdentifier": "m"}]),
        "it comes back for the bad one"
    );
    let media = expect(platform.get(&user, &format!("/media/{media_id}")).await, StatusCode::OK).await;
    assert_eq!(media["status"], "ready");
    drop(interception);
    platform.shut_down().await;
}

async fn too_long_is_rejected(_shared: &Platform) {
    let platform = Platform::start(|options| {
        options.parameters.insert("MaxDurationSeconds".to_owned(), "1".to_owned());
    })
    .await;
    let user = platform.sign_up().await;
    let media = platform.upload(&user, &File::sample("v_aac.m4a")).await;
    assert_eq!((&media["status"], &media["failure"]["code"]), (&json!("rejected"), &json!("too_long")));
    platform.shut_down().await;
}

async fn an_object_that_nobody_announced_is_left_alone(platform: &Platform) {
    let media_id = uuid::Uuid::now_v7().to_string();
    let (version_id, _) = put_as_operator(platform, &media_id, &File::video()).await;
    platform.idle_for(&media_id).await;
    // What no record explains is left to the bucket's lifecycle rule.
    assert_eq!(head_status(platform, &media_id, &version_id).await, 200);
}

async fn the_last_attempt_is_known_to_be_the_last(platform: &Platform) {
    let stack = platform.stack.stack();
    let function = &stack.functions["ExtractMetadataFunction"];
    let redrive = stack.queue(&platform.queue("IngestQueue")).unwrap().redrive.as_ref().unwrap();
    assert_eq!(function.environment["MAX_RECEIVE_COUNT"], redrive.max_receive_count.to_string());
}
