//! Files whose size nobody declared: what their parts have to be, how long they may be, and what they count.

use reqwest::StatusCode;
use serde_json::{Value, json};

use super::client::{Uppy, Version};
use crate::parts::{PART_BYTES, sound};
use crate::platform::{File, Platform, User, expect, s3_error_code};
use crate::quota::step;
use crate::sweep::{HOURS, MINUTES, left_in_s3, nothing_but, sweep_at, usage};

crate::tests![
    what_is_missing_is_named,
    only_so_many_parts_are_under_way,
    a_file_is_no_larger_than_allowed,
    a_size_that_is_not_known_counts_as_a_part,
    what_the_parts_come_to_has_to_fit_into_the_quota,
    what_a_form_brought_has_to_fit_into_the_quota,
    of_two_that_fit_one_by_one_one_is_completed,
    what_nobody_finished_expires,
    what_was_being_completed_is_finished_as_it_was_counted,
];

const KIB: usize = 1024;
const HELD: usize = PART_BYTES;

async fn platform_with(parameter: &str, bytes: usize) -> Platform {
    let start = Platform::start(|options| {
        options.parameters.insert(parameter.to_owned(), bytes.to_string());
    });
    start.await
}

async fn media_of(platform: &Platform, user: &User, upload: &Value) -> Value {
    let path = format!("/media/{}", upload["media_id"].as_str().unwrap());
    expect(platform.get(user, &path).await, StatusCode::OK).await
}

fn id_of(upload: &Value) -> &str {
    upload["media_id"].as_str().unwrap()
}

async fn what_is_missing_is_named(platform: &Platform) {
    let user = platform.sign_up().await;
    for version in Version::BOTH {
        let uppy = Uppy::new(platform, &user, version).await;
        let file = sound(2 * PART_BYTES + 100);
        let upload = uppy.begin(&file).await;
        let incomplete = async |named: &[Value], missing: Value| {
            let answer = uppy.complete(&upload, named).await;
            let problem = uppy.expect_problem(answer, StatusCode::CONFLICT, "parts_incomplete").await;
            assert_eq!(problem["missing"], missing);
        };
        incomplete(&[], json!([1])).await;
        // One in the middle is short: S3 would not join it.
        let short = uppy.send_parts(&upload, &file, &[PART_BYTES, 200, PART_BYTES - 100]).await;
        incomplete(&short, json!([2])).await;
        let mut sent = uppy.send_parts(&upload, &file, &[PART_BYTES, PART_BYTES, 100]).await;
        let mut other = sent.clone();
        other[2]["ETag"] = json!("0123456789abcdef0123456789abcdef");
        incomplete(&other, json!([3])).await;
        other.push(json!({"PartNumber": 5, "ETag": "e"}));
        incomplete(&other, json!([3, 4, 5])).await;
        assert_eq!(media_of(platform, &user, &upload).await["status"], "awaiting_upload");
        // Parts are named in any order.
        sent.rotate_left(1);
        expect(uppy.complete(&upload, &sent).await, StatusCode::OK).await;
        let media = platform.settled(&user, id_of(&upload)).await;
        assert_eq!((&media["status"], &media["size_bytes"]), (&json!("ready"), &json!(file.bytes.len())));
    }
}

async fn only_so_many_parts_are_under_way(platform: &Platform) {
    let user = platform.sign_up().await;
    let uppy = Uppy::new(platform, &user, Version::Six).await;
    let upload = uppy.begin(&sound(PART_BYTES)).await;
    expect(uppy.sign_part(&upload, 32).await, StatusCode::OK).await;
    let answer = uppy.sign_part(&upload, 33).await;
    let problem = uppy.expect_problem(answer, StatusCode::CONFLICT, "parts_incomplete").await;
    assert_eq!(problem["missing"], json!((1..=33).collect::<Vec<_>>()));
    uppy.send_part(&upload, 1, b"a part").await;
    expect(uppy.sign_part(&upload, 33).await, StatusCode::OK).await;
}

async fn a_file_is_no_larger_than_allowed(_shared: &Platform) {
    let platform = platform_with("MaxUploadBytes", PART_BYTES + 100).await;
    let user = platform.sign_up().await;
    let uppy = Uppy::new(&platform, &user, Version::Five).await;
    let file = sound(PART_BYTES + 101);
    let upload = uppy.begin(&file).await;
    // A file of two parts at most.
    uppy.expect_problem(uppy.sign_part(&upload, 3).await, StatusCode::UNPROCESSABLE_ENTITY, "invalid").await;
    let sent = uppy.send_parts(&upload, &file, &[PART_BYTES, 101]).await;
    let answer = uppy.complete(&upload, &sent).await;
    uppy.expect_problem(answer, StatusCode::PAYLOAD_TOO_LARGE, "file_too_large").await;
    assert_eq!(media_of(&platform, &user, &upload).await["status"], "awaiting_upload");
    // Nothing more of it is taken.
    let answer = uppy.sign_part(&upload, 2).await;
    uppy.expect_problem(answer, StatusCode::PAYLOAD_TOO_LARGE, "file_too_large").await;

    let form = expect(uppy.sign_form("a.wav", "audio/wav").await, StatusCode::OK).await;
    let sent = uppy.send_form(&form, file.bytes.clone()).await;
    assert_eq!(sent.status(), StatusCode::BAD_REQUEST);
    assert_eq!(s3_error_code(sent).await, "EntityTooLarge");
    let sent = uppy.send_form(&form, sound(PART_BYTES + 100).bytes).await;
    assert_eq!(sent.status(), StatusCode::NO_CONTENT);
    assert_eq!(platform.settled(&user, id_of(&form)).await["status"], "ready");

    // Whatever the form would have allowed, the object itself is looked at.
    let upload = uppy.begin(&file).await;
    crate::processing::put_as_operator(&platform, id_of(&upload), &file).await;
    let media = platform.settled(&user, id_of(&upload)).await;
    assert_eq!((&media["status"], &media["failure"]["code"]), (&json!("rejected"), &json!("file_too_large")));
    platform.shut_down().await;
}

async fn a_size_that_is_not_known_counts_as_a_part(_shared: &Platform) {
    let platform = platform_with("UserQuotaBytes", 2 * HELD).await;
    let user = platform.sign_up().await;
    let uppy = Uppy::new(&platform, &user, Version::Six).await;
    let file = File::video();
    let form = expect(uppy.sign_form(&file.name, file.content_type).await, StatusCode::OK).await;
    let upload = uppy.begin(&file).await;
    assert_eq!(usage(&platform, &user).await, 2 * HELD);
    for answer in [uppy.sign_form("a.mp4", "video/mp4").await, uppy.ask_to_begin(&file).await] {
        uppy.expect_problem(answer, StatusCode::CONFLICT, "quota_exceeded").await;
    }
    // Given up it counts nothing, sent what it is.
    expect(uppy.abort(&upload).await, StatusCode::OK).await;
    assert_eq!(usage(&platform, &user).await, HELD);
    assert_eq!(uppy.send_form(&form, file.bytes.clone()).await.status(), StatusCode::NO_CONTENT);
    assert_eq!(platform.settled(&user, id_of(&form)).await["status"], "ready");
    assert_eq!(usage(&platform, &user).await, file.bytes.len());
    platform.shut_down().await;
}

async fn what_the_parts_come_to_has_to_fit_into_the_quota(_shared: &Platform) {
    let platform = platform_with("UserQuotaBytes", 2 * PART_BYTES).await;
    let user = platform.sign_up().await;
    let uppy = Uppy::new(&platform, &user, Version::Six).await;
    let file = sound(2 * PART_BYTES + 1);
    let upload = uppy.begin(&file).await;
    let sent = uppy.send_parts(&upload, &file, &[PART_BYTES, PART_BYTES + 1]).await;
    let answer = uppy.complete(&upload, &sent).await;
    uppy.expect_problem(answer, StatusCode::CONFLICT, "quota_exceeded").await;
    assert_eq!(usage(&platform, &user).await, HELD);
    assert_eq!(media_of(&platform, &user, &upload).await["status"], "awaiting_upload");
    // What fits exactly is taken, in the same upload.
    let file = sound(2 * PART_BYTES);
    let sent = uppy.send_parts(&upload, &file, &[PART_BYTES, PART_BYTES]).await;
    expect(uppy.complete(&upload, &sent).await, StatusCode::OK).await;
    assert_eq!(platform.settled(&user, id_of(&upload)).await["status"], "ready");
    assert_eq!(usage(&platform, &user).await, 2 * PART_BYTES);
    platform.shut_down().await;
}

async fn what_a_form_brought_has_to_fit_into_the_quota(_shared: &Platform) {
    let platform = platform_with("UserQuotaBytes", HELD + 2 * KIB).await;
    let user = platform.sign_up().await;
    let uppy = Uppy::new(&platform, &user, Version::Five).await;
    let form = expect(uppy.sign_form("a.wav", "audio/wav").await, StatusCode::OK).await;
    let sent = uppy.send_form(&form, sound(HELD + 2 * KIB + 1).bytes).await;
    assert_eq!(sent.status(), StatusCode::NO_CONTENT);
    let media = platform.settled(&user, id_of(&form)).await;
    assert_eq!((&media["status"], &media["failure"]["code"]), (&json!("rejected"), &json!("quota_exceeded")));
    // What would not count is not kept.
    platform.idle().await;
    let (is_there, _) = left_in_s3(&platform, id_of(&form)).await;
    assert!(!is_there);
    assert_eq!(usage(&platform, &user).await, HELD);
    let request = platform.request(reqwest::Method::DELETE, &format!("/media/{}", id_of(&form)));
    assert_eq!(request.bearer_auth(&user.token).send().await.unwrap().status(), StatusCode::NO_CONTENT);
    platform.shut_down().await;
}

async fn of_two_that_fit_one_by_one_one_is_completed(_shared: &Platform) {
    let platform = platform_with("UserQuotaBytes", 3 * PART_BYTES).await;
    let user = platform.sign_up().await;
    let uppy = Uppy::new(&platform, &user, Version::Six).await;
    let file = sound(2 * PART_BYTES);
    let (one, other) = (uppy.begin(&file).await, uppy.begin(&file).await);
    let sent = uppy.send_parts(&one, &file, &[PART_BYTES, PART_BYTES]).await;
    let sent_too = uppy.send_parts(&other, &file, &[PART_BYTES, PART_BYTES]).await;
    let answers = futures::future::join(uppy.complete(&one, &sent), uppy.complete(&other, &sent_too)).await;
    let mut statuses = [answers.0.status(), answers.1.status()];
    statuses.sort_unstable();
    assert_eq!(statuses, [StatusCode::OK, StatusCode::CONFLICT]);
    assert_eq!(usage(&platform, &user).await, 3 * PART_BYTES);
    platform.shut_down().await;
}

async fn what_nobody_finished_expires(_shared: &Platform) {
    let platform = Platform::start(|_| {}).await;
    let user = platform.sign_up().await;
    let uppy = Uppy::new(&platform, &user, Version::Five).await;
    let file = sound(PART_BYTES);
    let upload = uppy.begin(&file).await;
    uppy.send_parts(&upload, &file, &[PART_BYTES]).await;
    expect(uppy.sign_form("a.wav", "audio/wav").await, StatusCode::OK).await;
    assert_eq!(sweep_at(&platform, 25 * HOURS).await, nothing_but("expired", 2));
    assert_eq!(left_in_s3(&platform, id_of(&upload)).await, (false, 0));
    assert_eq!(usage(&platform, &user).await, 0);
    let answer = uppy.sign_part(&upload, 1).await;
    uppy.expect_problem(answer, StatusCode::CONFLICT, "upload_ended").await;
    platform.shut_down().await;
}

async fn what_was_being_completed_is_finished_as_it_was_counted(_shared: &Platform) {
    let platform = Platform::start(|_| {}).await;
    let user = platform.sign_up().await;
    let uppy = Uppy::new(&platform, &user, Version::Five).await;
    let file = sound(2 * PART_BYTES);
    let upload = uppy.begin(&file).await;
    uppy.send_parts(&upload, &file, &[PART_BYTES, PART_BYTES]).await;
    // Completed, and its function died before S3 was told.
    let counted = file.bytes.len() as u64;
    step(&platform, id_of(&upload), |media, now| media.reserving(counted).complete(now)).await;
    // A part came since that may not belong to it.
    uppy.send_part(&upload, 3, b"more").await;
    assert_eq!(sweep_at(&platform, 16 * MINUTES).await, nothing_but("reopened", 1));
    step(&platform, id_of(&upload), |media, now| media.reserving(counted + 4).complete(now)).await;
    assert_eq!(sweep_at(&platform, 16 * MINUTES).await, nothing_but("joined", 1));
    let media = platform.settled(&user, id_of(&upload)).await;
    assert_eq!(media["size_bytes"], json!(counted + 4));
    assert_eq!(u64::try_from(usage(&platform, &user).await).unwrap(), counted + 4);
    platform.shut_down().await;
}
