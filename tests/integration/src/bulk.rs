//! Many files announced by one request.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};

use local::aws::{Answer, Attempt, Principal};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::methods::{film_of, send};
use crate::platform::{File, Platform, User, expect, expect_problem, pointers};

crate::tests![
    bad_files_fail_no_other,
    each_method_comes_as_when_announced_alone,
    what_is_no_list_of_files_is_refused,
    only_who_may_upload_may_announce,
    a_corrected_request_goes_on_where_the_first_ended,
    one_digest_in_several_files_is_one_media,
    a_transaction_takes_as_many_files_as_it_has_room_for,
    a_table_that_fails_halfway_fails_only_the_rest,
    a_bucket_that_fails_fails_only_what_comes_in_parts,
    a_hundred_uploads_in_parts_fit_into_an_answer,
    very_many_wrong_fields_fit_into_an_answer,
];

const PATH: &str = "/api/v1/bulk-upload";

/// The largest answer of a function.
const MAX_ANSWER_BYTES: usize = 6 * 1024 * 1024;

async fn bulk(platform: &Platform, user: &User, files: &[Value]) -> Vec<Value> {
    outcomes(platform.post_as(user, PATH, &json!({"files": files})).await).await
}

async fn bulk_under(platform: &Platform, user: &User, key: &str, files: &[Value]) -> reqwest::Response {
    let request =
        platform.request(Method::POST, PATH).bearer_auth(&user.token).header("idempotency-key", key);
    request.json(&json!({"files": files})).send().await.unwrap()
}

/// What became of each file, each at its place.
async fn outcomes(answer: reqwest::Response) -> Vec<Value> {
    let answered = expect(answer, StatusCode::OK).await;
    let outcomes = answered["uploads"].as_array().unwrap().clone();
    for (index, outcome) in outcomes.iter().enumerate() {
        assert_eq!(outcome["index"], index);
        assert!(outcome["media"].is_object() != outcome["error"].is_object(), "{outcome}");
    }
    outcomes
}

fn ids(outcomes: &[Value]) -> Vec<&str> {
    outcomes.iter().map(|outcome| outcome["media"]["id"].as_str().unwrap_or("none")).collect()
}

fn codes(outcomes: &[Value]) -> Vec<&str> {
    outcomes.iter().map(|outcome| outcome["error"]["code"].as_str().unwrap_or("none")).collect()
}

fn is_bulk_upload(attempt: &Attempt) -> bool {
    matches!(&attempt.principal, Principal::Function(id) if id == "BulkUploadFunction")
}

/// How often the function called each operation since then.
fn calls_since(platform: &Platform, sequence: u64, operation: &str) -> usize {
    let calls = platform.calls().since(sequence);
    calls.iter().filter(|call| call.operation == operation).count()
}

async fn bad_files_fail_no_other(_shared: &Platform) {
    let platform = Platform::start(|_| {}).await;
    let user = platform.sign_up().await;
    let file = File::video();
    let mut files = vec![file.announcement(); 100];
    files[3]["title"] = json!("");
    files[50] = json!("film.mp4");
    files[99]["size_bytes"] = json!(0);
    files[99]["colour"] = json!("red");
    files[99]["miniature"] = json!({"filename": "m.png", "content_type": "text/html", "size_bytes": 1});
    let sequence = platform.calls().sequence();
    let outcomes = bulk(&platform, &user, &files).await;
    let calls = platform.calls().since(sequence).into_iter().filter(|call| call.service != "sqs");
    let calls: Vec<String> = calls.map(|call| call.operation).collect();
    assert_eq!(
        calls,
        ["GetItem", "UpdateItem", "TransactWriteItems", "TransactWriteItems", "TransactWriteItems"]
    );

    for (index, expected) in [
        (3, &["/files/3/title"][..]),
        (50, &["/files/50"]),
        (99, &["/files/99/size_bytes", "/files/99/miniature/content_type", "/files/99/colour"]),
    ] {
        let error = &outcomes[index]["error"];
        assert_eq!((&error["code"], &error["status"]), (&json!("invalid"), &json!(422)));
        assert_eq!(pointers(error), expected);
        assert!(error["request_id"].is_string());
    }
    let good: Vec<&Value> = outcomes.iter().filter(|outcome| outcome["media"].is_object()).collect();
    assert_eq!(good.len(), 97);
    assert_eq!(
        good.iter().map(|created| created["media"]["id"].as_str().unwrap()).collect::<BTreeSet<_>>().len(),
        97
    );
    let sent = good.iter().map(|created| platform.put(&created["upload"], file.bytes.clone()));
    for answer in futures::future::join_all(sent).await {
        assert_eq!(answer.status(), StatusCode::OK);
    }
    for created in [good[0], good[48], good[96]] {
        let media = platform.settled(&user, created["media"]["id"].as_str().unwrap()).await;
        assert_eq!(media["status"], "ready");
    }
    platform.shut_down().await;
}

async fn each_method_comes_as_when_announced_alone(platform: &Platform) {
    let user = platform.sign_up().await;
    let (file, in_parts) = (File::video(), film_of(6 * 1024 * 1024));
    let by = |file: &File, method: &str| {
        let mut body = file.announcement();
        body["upload_method"] = json!(method);
        body
    };
    let mut files =
        vec![by(&file, "put"), by(&file, "post"), by(&file, "multipart"), by(&in_parts, "multipart")];
    files[3]["part_size_bytes"] = json!(5 * 1024 * 1024);
    files[0]["miniature"] = json!({"filename": "m.png", "content_type": "image/png", "size_bytes": 10});
    let outcomes = bulk(platform, &user, &files).await;
    for (created, method) in outcomes.iter().zip(["put", "post", "multipart"]) {
        assert_eq!(created["upload"]["method"], method);
        assert_eq!(created["miniature_upload"].is_object(), method == "put");
        send(platform, created, &file.bytes).await;
        let media = platform.settled(&user, created["media"]["id"].as_str().unwrap()).await;
        assert_eq!(media["status"], "ready", "{method}");
    }
    let upload = &outcomes[3]["upload"];
    assert_eq!(upload["part_count"], 2);
    assert_eq!(upload["parts"].as_array().unwrap().len(), 1, "the first one is signed");
}

async fn what_is_no_list_of_files_is_refused(platform: &Platform) {
    let user = platform.sign_up().await;
    let file = File::video().announcement();
    for (body, expected) in [
        (json!({}), &["/files"][..]),
        (json!({"files": []}), &["/files"]),
        (json!({"files": file}), &["/files"]),
        (json!({"files": vec![&file; 101]}), &["/files"]),
        (json!({"files": [file], "colour": "red"}), &["/colour"]),
    ] {
        let answer = platform.post_as(&user, PATH, &body).await;
        let problem = expect_problem(answer, StatusCode::UNPROCESSABLE_ENTITY, "invalid").await;
        assert_eq!(pointers(&problem), expected);
    }
}

async fn only_who_may_upload_may_announce(platform: &Platform) {
    let body = json!({"files": [File::video().announcement()]});
    expect_problem(platform.post(PATH, &body).await, StatusCode::UNAUTHORIZED, "token_missing").await;
    let user = platform.sign_up().await;
    let viewer = aws_sdk_dynamodb::types::AttributeValue::S("viewer".to_owned());
    platform.set_profile(&user, "role", viewer).await;
    let answer = platform.post_as(&user, PATH, &body).await;
    expect_problem(answer, StatusCode::FORBIDDEN, "role_insufficient").await;
}

async fn a_corrected_request_goes_on_where_the_first_ended(_shared: &Platform) {
    let platform = Platform::start(|_| {}).await;
    let user = platform.sign_up().await;
    let mut files = vec![File::video().announcement(); 4];
    files[1]["title"] = json!("");
    files[2]["upload_method"] = json!("multipart");
    files[3]["miniature"] = json!({"filename": "m.png", "content_type": "image/png", "size_bytes": 10});
    let first = outcomes(bulk_under(&platform, &user, "key", &files).await).await;
    assert_eq!(codes(&first), ["none", "invalid", "none", "none"]);
    send(&platform, &first[0], &File::video().bytes).await;
    platform.settled(&user, first[0]["media"]["id"].as_str().unwrap()).await;

    files[1]["title"] = json!("Now with a title");
    let second = outcomes(bulk_under(&platform, &user, "key", &files).await).await;
    assert_eq!(codes(&second), ["none"; 4]);
    for index in [0, 2, 3] {
        assert_eq!(ids(&second)[index], ids(&first)[index]);
        assert_eq!(second[index]["upload"].is_object(), index > 0, "the first file is there");
        assert_eq!(second[index].get("duplicate"), None);
    }
    assert!(second[3]["miniature_upload"].is_object());
    // Of S3's two uploads in parts the second was not needed.
    let open = platform.s3().list_multipart_uploads().bucket(platform.bucket("IngestBucket")).send().await;
    assert_eq!(open.unwrap().uploads().len(), 1);
    send(&platform, &second[2], &File::video().bytes).await;
    assert_eq!(platform.settled(&user, ids(&second)[2]).await["status"], "ready");

    // The key stands for each file on its own.
    files[3]["title"] = json!("Another file");
    let third = outcomes(bulk_under(&platform, &user, "key", &files).await).await;
    assert_eq!(codes(&third), ["none", "none", "none", "idempotency_key_reused"]);
    assert_eq!(ids(&third)[..3], ids(&second)[..3]);
    // It is not the key of a request for one file.
    let request =
        platform.request(Method::POST, "/media").bearer_auth(&user.token).header("idempotency-key", "key");
    let alone = expect(request.json(&files[0]).send().await.unwrap(), StatusCode::CREATED).await;
    assert!(!ids(&third).contains(&alone["media"]["id"].as_str().unwrap()));
    platform.shut_down().await;
}

async fn one_digest_in_several_files_is_one_media(_shared: &Platform) {
    let platform = Platform::start(|_| {}).await;
    let user = platform.sign_up().await;
    let mut file = File::video().announcement();
    file["checksum_sha256"] = json!(File::video().sha256());
    let files = [file.clone(), file.clone(), File::video().announcement(), file.clone()];
    let sequence = platform.calls().sequence();
    let outcomes = bulk(&platform, &user, &files).await;
    assert_eq!(
        calls_since(&platform, sequence, "TransactWriteItems"),
        3,
        "the two others are refused one by one"
    );
    let ids = ids(&outcomes);
    assert!(ids[0] == ids[1] && ids[1] == ids[3] && ids[0] != ids[2], "{ids:?}");
    for index in [1, 3] {
        assert_eq!(outcomes[index]["upload"]["upload_id"], outcomes[0]["upload"]["upload_id"]);
    }
    // Many pairs do not take a transaction each: the second ones are refused together.
    let pairs: Vec<Value> = (2_000..2_020)
        .map(|number| {
            file["size_bytes"] = json!(number / 2);
            file.clone()
        })
        .collect();
    let sequence = platform.calls().sequence();
    bulk(&platform, &user, &pairs).await;
    assert_eq!(calls_since(&platform, sequence, "TransactWriteItems"), 2);
    // Usage tells how many were recorded: the film with its digest and without, and one of each pair.
    let film_bytes = File::video().bytes.len();
    let usage = platform.item(&format!("USER#{}", user.id), "USAGE").await.unwrap();
    let expected = 2 * film_bytes + (1_000..1_010).sum::<usize>();
    assert_eq!(usage["size_bytes"].as_n().unwrap(), &expected.to_string());
    platform.shut_down().await;
}

async fn a_transaction_takes_as_many_files_as_it_has_room_for(_shared: &Platform) {
    let platform = Platform::start(|_| {}).await;
    let user = platform.sign_up().await;
    let file = |size_bytes: usize, has_all: bool| {
        let mut file = File::video().announcement();
        file["size_bytes"] = json!(size_bytes);
        if has_all {
            file["checksum_sha256"] = json!(File::video().sha256());
            file["miniature"] = json!({"filename": "m.png", "content_type": "image/png", "size_bytes": 10});
        }
        file
    };
    // Media, upload, work: 33 files. With key, digest and a miniature 7 writes: 14 files. One is the owner's usage.
    for (key, has_all, transactions) in
        [(None, false, 100_usize.div_ceil(33)), (Some("key"), true, 100_usize.div_ceil(14))]
    {
        let files: Vec<Value> = (1..=100).map(|size_bytes| file(size_bytes, has_all)).collect();
        let sequence = platform.calls().sequence();
        let outcomes = match key {
            None => bulk(&platform, &user, &files).await,
            Some(key) => outcomes(bulk_under(&platform, &user, key, &files).await).await,
        };
        assert!(codes(&outcomes).iter().all(|code| *code == "none"));
        assert_eq!(ids(&outcomes).into_iter().collect::<BTreeSet<_>>().len(), 100);
        assert_eq!(calls_since(&platform, sequence, "TransactWriteItems"), transactions);
        assert_eq!(calls_since(&platform, sequence, "AssumeRole"), 0);
    }
    platform.shut_down().await;
}

async fn a_table_that_fails_halfway_fails_only_the_rest(_shared: &Platform) {
    let platform = Platform::start(|_| {}).await;
    let user = platform.sign_up().await;
    let mut files = vec![File::video().announcement(); 60];
    files[30]["upload_method"] = json!("multipart");
    let fail_after = |successes: usize| {
        let seen = AtomicUsize::new(0);
        platform.calls().intercept(move |attempt| {
            let is_meant = attempt.operation == "TransactWriteItems" && is_bulk_upload(attempt);
            let fails = is_meant && seen.fetch_add(1, Ordering::SeqCst) >= successes;
            // What was carried out and what was not look the same from outside.
            fails.then_some(Answer::DropAnswer)
        })
    };
    let interception = fail_after(0);
    let answer = bulk_under(&platform, &user, "lost", &files).await;
    expect_problem(answer, StatusCode::SERVICE_UNAVAILABLE, "unavailable").await;
    drop(interception);

    // Media, upload, work and key: 24 files in each transaction.
    let interception = fail_after(1);
    let first = outcomes(bulk_under(&platform, &user, "key", &files).await).await;
    drop(interception);
    assert!(codes(&first)[..24].iter().all(|code| *code == "none"));
    assert!(codes(&first)[24..].iter().all(|code| *code == "unavailable"));
    for key in ["key", "lost"] {
        let sequence = platform.calls().sequence();
        let again = outcomes(bulk_under(&platform, &user, key, &files).await).await;
        assert!(codes(&again).iter().all(|code| *code == "none"));
        assert_eq!(ids(&again).into_iter().collect::<BTreeSet<_>>().len(), 60);
        if key == "key" {
            assert_eq!(ids(&again)[..24], ids(&first)[..24]);
        }
        assert!(calls_since(&platform, sequence, "TransactWriteItems") <= 4);
        send(&platform, &again[30], &File::video().bytes).await;
        assert_eq!(platform.settled(&user, ids(&again)[30]).await["status"], "ready");
    }
    // Each was recorded once, whether the answer to it arrived or not.
    let usage = platform.item(&format!("USER#{}", user.id), "USAGE").await.unwrap();
    assert_eq!(usage["size_bytes"].as_n().unwrap(), &(120 * File::video().bytes.len()).to_string());
    platform.shut_down().await;
}

async fn a_bucket_that_fails_fails_only_what_comes_in_parts(_shared: &Platform) {
    let platform = Platform::start(|_| {}).await;
    let user = platform.sign_up().await;
    let mut files = vec![File::video().announcement(); 3];
    files[1]["upload_method"] = json!("multipart");
    let interception = platform.calls().intercept(|attempt| {
        (attempt.operation == "CreateMultipartUpload").then(|| Answer::Error {
            status: 503,
            code: "SlowDown".to_owned(),
            message: "Please reduce your request rate.".to_owned(),
        })
    });
    let first = outcomes(bulk_under(&platform, &user, "key", &files).await).await;
    drop(interception);
    assert_eq!(codes(&first), ["none", "unavailable", "none"]);
    assert!(!first[1].to_string().contains("reduce"), "nothing internal: {}", first[1]);
    let second = outcomes(bulk_under(&platform, &user, "key", &files).await).await;
    assert_eq!(codes(&second), ["none"; 3]);
    assert_eq!((ids(&second)[0], ids(&second)[2]), (ids(&first)[0], ids(&first)[2]));
    platform.shut_down().await;
}

async fn a_hundred_uploads_in_parts_fit_into_an_answer(platform: &Platform) {
    let user = platform.sign_up().await;
    // The longest request there may be, which comes back in the answer.
    let file = json!({
        "title": "T", "filename": "f.mp4", "content_type": "video/mp4", "size_bytes": 1_000_000_000,
        "description": "é".repeat(4_900), "upload_method": "multipart", "part_size_bytes": 5 * 1024 * 1024,
        "miniature": {"filename": "m.png", "content_type": "image/png", "size_bytes": 10},
    });
    let answer = platform.post_as(&user, PATH, &json!({"files": vec![file; 100]})).await;
    assert_eq!(answer.status(), StatusCode::OK);
    let text = answer.text().await.unwrap();
    assert!(text.len() < MAX_ANSWER_BYTES / 2, "{} bytes", text.len());
    let answered: Value = serde_json::from_str(&text).unwrap();
    for created in answered["uploads"].as_array().unwrap() {
        assert_eq!(created["upload"]["part_count"], 191);
        assert_eq!(created["upload"]["parts"].as_array().unwrap().len(), 1);
    }
}

async fn very_many_wrong_fields_fit_into_an_answer(platform: &Platform) {
    let user = platform.sign_up().await;
    let unknown: serde_json::Map<String, Value> =
        (0..1_000).map(|number| (format!("~{number}"), json!(0))).collect();
    let answer = platform.post_as(&user, PATH, &json!({"files": vec![unknown; 100]})).await;
    assert_eq!(answer.status(), StatusCode::OK);
    let text = answer.text().await.unwrap();
    assert!(text.len() < MAX_ANSWER_BYTES / 2, "{} bytes", text.len());
    let answered: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(pointers(&answered["uploads"][99]["error"]).len(), 100);
}
