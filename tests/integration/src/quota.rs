//! The quota: what a user's files may take in all, whoever comes first.

use std::time::SystemTime;

use domain::{Media, Timestamp};
use reqwest::StatusCode;
use serde_json::{Value, json};
use table::{MediaChange, Record, Table};

use crate::platform::{File, Platform, User, expect, expect_problem};

crate::tests![
    what_fits_exactly_is_taken_and_no_more,
    a_miniature_counts,
    of_many_at_once_as_many_are_taken_as_fit,
    a_bulk_request_takes_what_fits,
    what_expires_is_released_at_once_and_what_was_rejected_later,
];

async fn platform_with(quota_bytes: usize) -> Platform {
    let start = Platform::start(|options| {
        options.parameters.insert("UserQuotaBytes".to_owned(), quota_bytes.to_string());
    });
    start.await
}

fn file_of(size_bytes: usize) -> Value {
    json!({"title": "T", "filename": "f.mp4", "content_type": "video/mp4", "size_bytes": size_bytes})
}

async fn reserved_bytes(platform: &Platform, user: &User) -> String {
    let usage = platform.item(&format!("USER#{}", user.id), "USAGE").await;
    usage.map_or("none".to_owned(), |usage| usage["size_bytes"].as_n().unwrap().clone())
}

/// Takes one step of a media as a function would.
pub(crate) async fn step(platform: &Platform, media_id: &str, step: impl Fn(&Media, Timestamp) -> Media) {
    let table = Table::new(&platform.sdk_configuration(), &platform.stack.stack().tables[0].name);
    let now = Timestamp::from(SystemTime::now());
    let Record::Media(media) = table.media(media_id.parse().unwrap(), now).await.unwrap() else {
        panic!("{media_id} is no media")
    };
    table.change_media(&media, &MediaChange::of(step(&media, now))).await.unwrap();
}

async fn what_fits_exactly_is_taken_and_no_more(_shared: &Platform) {
    let platform = platform_with(1_000).await;
    let user = platform.sign_up().await;
    let announce = |size_bytes| {
        let (platform, user) = (&platform, &user);
        async move { platform.post_as(user, "/media", &file_of(size_bytes)).await }
    };
    // More than the whole quota, where nothing is counted yet.
    expect_problem(announce(1_001).await, StatusCode::CONFLICT, "quota_exceeded").await;
    assert_eq!(reserved_bytes(&platform, &user).await, "none");
    expect(announce(400).await, StatusCode::CREATED).await;
    expect_problem(announce(601).await, StatusCode::CONFLICT, "quota_exceeded").await;
    expect(announce(600).await, StatusCode::CREATED).await;
    expect_problem(announce(1).await, StatusCode::CONFLICT, "quota_exceeded").await;
    assert_eq!(reserved_bytes(&platform, &user).await, "1000");
    // Another's files are another's.
    let other = platform.sign_up().await;
    expect(platform.post_as(&other, "/media", &file_of(1_000)).await, StatusCode::CREATED).await;
    platform.shut_down().await;
}

async fn a_miniature_counts(_shared: &Platform) {
    let platform = platform_with(1_000).await;
    let user = platform.sign_up().await;
    let mut body = file_of(991);
    body["miniature"] = json!({"filename": "m.png", "content_type": "image/png", "size_bytes": 10});
    let answer = platform.post_as(&user, "/media", &body).await;
    expect_problem(answer, StatusCode::CONFLICT, "quota_exceeded").await;
    body["size_bytes"] = json!(990);
    expect(platform.post_as(&user, "/media", &body).await, StatusCode::CREATED).await;
    assert_eq!(reserved_bytes(&platform, &user).await, "1000");
    platform.shut_down().await;
}

async fn of_many_at_once_as_many_are_taken_as_fit(_shared: &Platform) {
    let platform = platform_with(1_000).await;
    let user = platform.sign_up().await;
    let body = file_of(100);
    let answers = (0..16).map(|_| platform.post_as(&user, "/media", &body));
    let statuses: Vec<StatusCode> =
        futures::future::join_all(answers).await.iter().map(reqwest::Response::status).collect();
    let count = |status| statuses.iter().filter(|other| **other == status).count();
    assert_eq!((count(StatusCode::CREATED), count(StatusCode::CONFLICT)), (10, 6), "{statuses:?}");
    assert_eq!(reserved_bytes(&platform, &user).await, "1000");
    platform.shut_down().await;
}

async fn a_bulk_request_takes_what_fits(_shared: &Platform) {
    let platform = platform_with(1_000).await;
    let user = platform.sign_up().await;
    let mut files: Vec<Value> = [400, 700, 300, 1_001, 300, 1].map(file_of).to_vec();
    files[1]["upload_method"] = json!("multipart");
    let answer = platform.post_as(&user, "/api/v1/bulk-upload", &json!({"files": files})).await;
    let answered = expect(answer, StatusCode::OK).await;
    let codes: Vec<Option<&str>> = answered["uploads"]
        .as_array()
        .unwrap()
        .iter()
        .map(|upload| upload["error"]["code"].as_str())
        .collect();
    let exceeded = Some("quota_exceeded");
    assert_eq!(codes, [None, exceeded, None, exceeded, None, exceeded]);
    assert_eq!(reserved_bytes(&platform, &user).await, "1000");
    // S3 has forgotten the one in parts.
    let open = platform.s3().list_multipart_uploads().bucket(platform.bucket("IngestBucket")).send().await;
    assert_eq!(open.unwrap().uploads().len(), 0);
    platform.shut_down().await;
}

async fn what_expires_is_released_at_once_and_what_was_rejected_later(_shared: &Platform) {
    let bad = File::sample("v_bad_text.mp4");
    let platform = platform_with(bad.bytes.len()).await;
    let user = platform.sign_up().await;
    let full = async || {
        let answer = platform.post_as(&user, "/media", &bad.announcement()).await;
        expect_problem(answer, StatusCode::CONFLICT, "quota_exceeded").await;
    };
    let created = platform.announce(&user, &bad).await;
    full().await;
    step(&platform, created["media"]["id"].as_str().unwrap(), Media::expire).await;

    let rejected = platform.upload(&user, &bad).await;
    assert_eq!(rejected["status"], "rejected");
    // Its object is kept for a while, and counts as long.
    full().await;
    step(&platform, rejected["id"].as_str().unwrap(), Media::without_leftovers).await;
    platform.announce(&user, &bad).await;
    assert_eq!(reserved_bytes(&platform, &user).await, bad.bytes.len().to_string());
    platform.shut_down().await;
}
