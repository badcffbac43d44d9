//! Uploads by form and in parts: what is announced, what S3 lets through, and what becomes of it.

use aws_sdk_s3::types::{CompletedMultipartUpload, CompletedPart};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use reqwest::multipart::{Form, Part};
use reqwest::{Response, StatusCode, Url};
use serde_json::{Value, json};

use crate::platform::{File, PATIENCE, Platform, User, expect, expect_problem, pointers, s3_error_code};

crate::tests![
    a_form_is_stored_and_verified,
    a_form_is_taken_as_announced_or_not_at_all,
    the_first_of_two_forms_stays,
    parts_become_one_verified_object,
    a_part_is_taken_in_its_length_only,
    another_checksum_than_declared_is_rejected,
    the_most_parts_are_announced_at_once,
    a_method_has_to_take_the_file,
    a_miniature_has_an_upload_of_its_own,
    announcing_makes_no_more_calls_than_needed,
];

const MIB: usize = 1024 * 1024;
const GIB: usize = 1024 * MIB;

/// A small film, made this long by a box at its end that no player looks into.
pub(crate) fn film_of(size_bytes: usize) -> File {
    let mut film = File::video();
    let free_bytes = u32::try_from(size_bytes - film.bytes.len()).unwrap();
    film.bytes.extend_from_slice(&free_bytes.to_be_bytes());
    film.bytes.extend_from_slice(b"free");
    film.bytes.resize(size_bytes, 0);
    film
}

pub(crate) fn crc64nvme(bytes: &[u8]) -> String {
    let checksum = crc_fast::checksum(crc_fast::CrcAlgorithm::Crc64Nvme, bytes);
    BASE64_STANDARD.encode(checksum.to_be_bytes())
}

/// Announces a file to be sent by this method.
pub(crate) async fn announce_by(platform: &Platform, user: &User, file: &File, method: &str) -> Value {
    let mut body = file.announcement();
    body["upload_method"] = json!(method);
    expect(platform.post_as(user, "/media", &body).await, StatusCode::CREATED).await
}

/// Sends a form as its upload says.
pub(crate) async fn send_form(platform: &Platform, upload: &Value, bytes: Vec<u8>) -> Response {
    let mut form = Form::new();
    for (name, value) in upload["fields"].as_object().unwrap() {
        form = form.text(name.clone(), value.as_str().unwrap().to_owned());
    }
    let form = form.part("file", Part::bytes(bytes).file_name("film.mp4"));
    let url = upload["url"].as_str().unwrap();
    platform.http.post(url).multipart(form).timeout(PATIENCE).send().await.unwrap()
}

/// Sends a file as its upload says, whatever the method. All its parts have to be signed.
pub(crate) async fn send(platform: &Platform, created: &Value, bytes: &[u8]) {
    let upload = &created["upload"];
    match upload["method"].as_str().unwrap() {
        "put" => assert_eq!(platform.put(upload, bytes.to_vec()).await.status(), StatusCode::OK),
        "post" => {
            let answer = send_form(platform, upload, bytes.to_vec()).await;
            assert_eq!(answer.status(), StatusCode::NO_CONTENT);
        }
        _ => send_parts(platform, created, bytes).await,
    }
}

async fn send_parts(platform: &Platform, created: &Value, bytes: &[u8]) {
    let upload = &created["upload"];
    let (parts, mut sent) = (upload["parts"].as_array().unwrap(), Vec::new());
    assert_eq!(parts.len(), usize::try_from(upload["part_count"].as_u64().unwrap()).unwrap());
    let mut rest = bytes;
    for part in parts {
        let (bytes, others) = rest.split_at(usize::try_from(part["size_bytes"].as_u64().unwrap()).unwrap());
        let answer =
            platform.http.put(part["url"].as_str().unwrap()).body(bytes.to_vec()).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::OK);
        let etag = answer.headers()["etag"].to_str().unwrap();
        let number = i32::try_from(part["part_number"].as_u64().unwrap()).unwrap();
        sent.push(CompletedPart::builder().part_number(number).e_tag(etag).build());
        rest = others;
    }
    assert!(rest.is_empty());
    let media_id = created["media"]["id"].as_str().unwrap();
    platform
        .s3()
        .complete_multipart_upload()
        .bucket(platform.bucket("IngestBucket"))
        .key(format!("uploads/{media_id}/source"))
        .upload_id(s3_upload_id(upload))
        .multipart_upload(CompletedMultipartUpload::builder().set_parts(Some(sent)).build())
        .send()
        .await
        .unwrap();
}

fn s3_upload_id(upload: &Value) -> String {
    let url: Url = upload["parts"][0]["url"].as_str().unwrap().parse().unwrap();
    let mut query = url.query_pairs();
    query.find(|(name, _)| name == "uploadId").expect("the part names S3's upload").1.into_owned()
}

async fn a_form_is_stored_and_verified(platform: &Platform) {
    let user = platform.sign_up().await;
    let file = File::video();
    let mut body = file.announcement();
    body["upload_method"] = json!("post");
    body["checksum_crc64nvme"] = json!(crc64nvme(&file.bytes));
    let created = expect(platform.post_as(&user, "/media", &body).await, StatusCode::CREATED).await;
    assert!(created["upload"]["expires_at"].as_str().unwrap().ends_with('Z'));
    send(platform, &created, &file.bytes).await;
    let media = platform.settled(&user, created["media"]["id"].as_str().unwrap()).await;
    assert_eq!((&media["status"], &media["checksum_verified"]), (&json!("ready"), &json!("crc64nvme")));
    assert_eq!(media["checksum_crc64nvme"], body["checksum_crc64nvme"]);
}

async fn a_form_is_taken_as_announced_or_not_at_all(platform: &Platform) {
    let user = platform.sign_up().await;
    let file = File::video();
    let mut body = file.announcement();
    body["upload_method"] = json!("post");
    body["checksum_sha256"] = json!(file.sha256());
    let created = expect(platform.post_as(&user, "/media", &body).await, StatusCode::CREATED).await;
    let upload = &created["upload"];
    let refused = async |upload: &Value, bytes: Vec<u8>| {
        let answer = send_form(platform, upload, bytes).await;
        (answer.status().as_u16(), s3_error_code(answer).await)
    };

    let mut longer = file.bytes.clone();
    longer.push(0);
    assert_eq!(refused(upload, longer).await, (400, "EntityTooLarge".to_owned()));
    assert_eq!(refused(upload, file.bytes[1..].to_vec()).await, (400, "EntityTooSmall".to_owned()));
    let mut damaged = file.bytes.clone();
    damaged[1000] ^= 1;
    assert_eq!(refused(upload, damaged.clone()).await.0, 400);
    let of_damaged = File { bytes: damaged.clone(), ..file.clone() }.sha256();
    let key = upload["fields"]["key"].as_str().unwrap().replace("source", "miniature");
    for (name, value) in [
        ("Content-Type", json!("text/html")),
        ("key", json!(key)),
        ("x-amz-checksum-sha256", json!(of_damaged)),
    ] {
        let mut changed = upload.clone();
        assert!(changed["fields"][name].is_string(), "{name}");
        changed["fields"][name] = value;
        assert_eq!(refused(&changed, damaged.clone()).await, (403, "AccessDenied".to_owned()), "{name}");
        changed["fields"].as_object_mut().unwrap().remove(name);
        let (status, _) = refused(&changed, file.bytes.clone()).await;
        assert!(matches!(status, 400 | 403), "without {name}: {status}");
    }
    // None of it has spoilt anything.
    send(platform, &created, &file.bytes).await;
    let media = platform.settled(&user, created["media"]["id"].as_str().unwrap()).await;
    assert_eq!((&media["status"], &media["checksum_verified"]), (&json!("ready"), &json!("sha256")));
}

async fn the_first_of_two_forms_stays(platform: &Platform) {
    let user = platform.sign_up().await;
    let file = File::video();
    let created = announce_by(platform, &user, &file, "post").await;
    let media_id = created["media"]["id"].as_str().unwrap();
    send(platform, &created, &file.bytes).await;
    let media = platform.settled(&user, media_id).await;
    assert_eq!(media["status"], "ready");
    // S3 takes a form as often as it is sent: nothing in a policy says once.
    let mut other = file.bytes.clone();
    *other.last_mut().unwrap() ^= 1;
    send(platform, &created, &other).await;
    platform.idle_for(media_id).await;
    assert_eq!(expect(platform.get(&user, &format!("/media/{media_id}")).await, StatusCode::OK).await, media);
    assert!(crate::processing::play(platform, &user, media_id).await == file.bytes);
}

async fn parts_become_one_verified_object(platform: &Platform) {
    let user = platform.sign_up().await;
    let film = film_of(10 * MIB + 1);
    let mut body = film.announcement();
    body["part_size_bytes"] = json!(5 * MIB);
    body["checksum_crc64nvme"] = json!(crc64nvme(&film.bytes));
    let created = expect(platform.post_as(&user, "/media", &body).await, StatusCode::CREATED).await;
    let upload = &created["upload"];
    assert_eq!((&upload["method"], &upload["part_count"]), (&json!("multipart"), &json!(3)));
    let sizes: Vec<&Value> =
        upload["parts"].as_array().unwrap().iter().map(|part| &part["size_bytes"]).collect();
    assert_eq!(sizes, [&json!(5 * MIB), &json!(5 * MIB), &json!(1)]);
    let own = format!("{}/api/v1/{}", platform.stack.api_url(), upload["upload_id"].as_str().unwrap());
    assert_eq!(upload["abort_url"], own);
    assert_eq!(upload["complete_url"], format!("{own}/complete"));
    assert_eq!(upload["list_parts_url"], format!("{own}/parts"));

    send(platform, &created, &film.bytes).await;
    let media = platform.settled(&user, created["media"]["id"].as_str().unwrap()).await;
    assert_eq!((&media["status"], &media["checksum_verified"]), (&json!("ready"), &json!("crc64nvme")));
    assert_eq!(media["checksum_crc64nvme"], body["checksum_crc64nvme"]);
}

async fn a_part_is_taken_in_its_length_only(platform: &Platform) {
    let user = platform.sign_up().await;
    let film = film_of(100_000);
    let created = announce_by(platform, &user, &film, "multipart").await;
    let url = created["upload"]["parts"][0]["url"].as_str().unwrap();
    let put =
        async |url: &str, bytes: Vec<u8>| platform.http.put(url).body(bytes).send().await.unwrap().status();
    assert_eq!(put(url, film.bytes[1..].to_vec()).await, StatusCode::FORBIDDEN);
    let another = url.replace("partNumber=1", "partNumber=2");
    assert_ne!(url, another);
    assert_eq!(put(&another, film.bytes.clone()).await, StatusCode::FORBIDDEN);
    // A part may be sent again as long as the upload is open.
    assert_eq!(put(url, film.bytes.clone()).await, StatusCode::OK);
    send(platform, &created, &film.bytes).await;
    let media = platform.settled(&user, created["media"]["id"].as_str().unwrap()).await;
    assert_eq!(media["status"], "ready");
}

async fn another_checksum_than_declared_is_rejected(platform: &Platform) {
    let user = platform.sign_up().await;
    let file = File::video();
    for method in ["post", "multipart"] {
        let mut body = file.announcement();
        body["upload_method"] = json!(method);
        body["checksum_crc64nvme"] = json!(crc64nvme(b"another file"));
        let created = expect(platform.post_as(&user, "/media", &body).await, StatusCode::CREATED).await;
        send(platform, &created, &file.bytes).await;
        let media = platform.settled(&user, created["media"]["id"].as_str().unwrap()).await;
        let end = (&media["status"], &media["failure"]["code"]);
        assert_eq!(end, (&json!("rejected"), &json!("checksum_mismatch")), "{method}");
    }
}

async fn the_most_parts_are_announced_at_once(platform: &Platform) {
    let user = platform.sign_up().await;
    let body = json!({
        "title": "Long", "filename": "long.mp4", "content_type": "video/mp4",
        "size_bytes": 10_000 * 5 * MIB, "part_size_bytes": 5 * MIB,
    });
    let created = expect(platform.post_as(&user, "/media", &body).await, StatusCode::CREATED).await;
    let (upload, parts) = (&created["upload"], created["upload"]["parts"].as_array().unwrap());
    assert_eq!(upload["part_count"], 10_000);
    let numbers: Vec<u64> = parts.iter().map(|part| part["part_number"].as_u64().unwrap()).collect();
    assert_eq!(numbers, (1..=10).collect::<Vec<_>>(), "the others are signed on demand");
}

async fn a_method_has_to_take_the_file(platform: &Platform) {
    let user = platform.sign_up().await;
    let announce = |size_bytes: usize, method: &str, part_size_bytes: Value| {
        let body = json!({
            "title": "T", "filename": "f.mp4", "content_type": "video/mp4", "size_bytes": size_bytes,
            "upload_method": method, "part_size_bytes": part_size_bytes,
        });
        let (platform, user) = (&platform, &user);
        async move { platform.post_as(user, "/media", &body).await }
    };
    for (size_bytes, method, part_size_bytes, pointer) in [
        (5 * GIB + 1, "put", Value::Null, "/upload_method"),
        (5 * GIB + 1, "post", Value::Null, "/upload_method"),
        (6 * MIB, "put", json!(5 * MIB), "/part_size_bytes"),
        (6 * MIB, "multipart", json!(5 * MIB - 1), "/part_size_bytes"),
        (6 * MIB, "multipart", json!(5 * GIB + 1), "/part_size_bytes"),
        (6 * MIB, "auto", json!("5 MiB"), "/part_size_bytes"),
        // It would take 10 001.
        (50_000 * MIB + 1, "auto", json!(5 * MIB), "/part_size_bytes"),
    ] {
        let answer = announce(size_bytes, method, part_size_bytes).await;
        let problem = expect_problem(answer, StatusCode::UNPROCESSABLE_ENTITY, "invalid").await;
        assert_eq!(pointers(&problem), [pointer], "{method} {size_bytes}");
    }
    for (size_bytes, method, announced) in [
        (5 * GIB, "put", "put"),
        (5 * GIB, "post", "post"),
        (64 * MIB - 1, "auto", "put"),
        (64 * MIB, "auto", "multipart"),
        (1, "multipart", "multipart"),
    ] {
        let created = expect(announce(size_bytes, method, Value::Null).await, StatusCode::CREATED).await;
        assert_eq!(created["upload"]["method"], announced, "{method} {size_bytes}");
    }
}

async fn a_miniature_has_an_upload_of_its_own(platform: &Platform) {
    let user = platform.sign_up().await;
    for (method, miniature_method) in [("put", "put"), ("post", "post"), ("multipart", "put")] {
        let mut body = File::video().announcement();
        body["upload_method"] = json!(method);
        body["miniature"] = json!({"filename": "m.png", "content_type": "image/png", "size_bytes": 10});
        let created = expect(platform.post_as(&user, "/media", &body).await, StatusCode::CREATED).await;
        let miniature = &created["miniature_upload"];
        assert_eq!(
            (&created["upload"]["method"], &miniature["method"]),
            (&json!(method), &json!(miniature_method))
        );
        assert_ne!(created["upload"]["upload_id"], miniature["upload_id"]);
        let sent = if miniature_method == "put" {
            platform.put(miniature, vec![0; 10]).await
        } else {
            send_form(platform, miniature, vec![0; 10]).await
        };
        assert!(sent.status().is_success(), "{method}: {}", sent.status());
    }
}

async fn announcing_makes_no_more_calls_than_needed(_shared: &Platform) {
    let platform = Platform::start(|_| {}).await;
    let user = platform.sign_up().await;
    for (method, expected) in [
        ("put", &["GetItem", "UpdateItem", "TransactWriteItems"][..]),
        ("post", &["GetItem", "UpdateItem", "TransactWriteItems"]),
        ("multipart", &["GetItem", "UpdateItem", "CreateMultipartUpload", "TransactWriteItems"]),
    ] {
        let sequence = platform.calls().sequence();
        announce_by(&platform, &user, &File::video(), method).await;
        let calls = platform.calls().since(sequence).into_iter().filter(|call| call.service != "sqs");
        assert_eq!(calls.map(|call| call.operation).collect::<Vec<_>>(), expected, "{method}");
    }
    platform.shut_down().await;
}
