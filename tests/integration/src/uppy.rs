//! Uppy's companion routes, asked as `@uppy/aws-s3` asks them: version 5 with headers, version 6 without any.

mod client;
mod refusals;
mod sizes;

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use self::client::{Uppy, Version};
use crate::parts::{PART_BYTES, sound};
use crate::platform::{File, Platform, expect, expect_problem};
use crate::processing::play;

pub(crate) use self::refusals::tests as tests_of_refusals;
pub(crate) use self::sizes::tests as tests_of_sizes;

crate::tests![
    a_small_file_is_sent_by_a_form,
    a_large_file_is_sent_in_parts,
    an_upload_that_was_interrupted_goes_on,
    completing_and_giving_up_are_safe_twice,
    what_is_told_of_a_file_is_kept,
    a_page_of_another_origin_may_ask,
    the_canonical_routes_know_such_an_upload,
];

async fn a_small_file_is_sent_by_a_form(platform: &Platform) {
    let user = platform.sign_up().await;
    for version in Version::BOTH {
        let uppy = Uppy::new(platform, &user, version).await;
        let file = File::video();
        let form = expect(uppy.sign_form(&file.name, file.content_type).await, StatusCode::OK).await;
        assert_eq!(form["method"], "post");
        assert!((900..=3_600).contains(&form["expires"].as_u64().unwrap()), "{form}");
        let media_id = form["media_id"].as_str().unwrap();
        assert_eq!(form["fields"]["key"], format!("uploads/{media_id}/source"));
        // Nothing is known of its size until it is there.
        let media = expect(platform.get(&user, &format!("/media/{media_id}")).await, StatusCode::OK).await;
        assert_eq!((&media["status"], &media["size_bytes"]), (&json!("awaiting_upload"), &Value::Null));

        let sent = uppy.send_form(&form, file.bytes.clone()).await;
        assert_eq!(sent.status(), StatusCode::NO_CONTENT);
        let media = platform.settled(&user, media_id).await;
        assert_eq!((&media["status"], &media["size_bytes"]), (&json!("ready"), &json!(file.bytes.len())));
        assert_eq!(play(platform, &user, media_id).await, file.bytes);
    }
}

async fn a_large_file_is_sent_in_parts(platform: &Platform) {
    let user = platform.sign_up().await;
    for version in Version::BOTH {
        let uppy = Uppy::new(platform, &user, version).await;
        // Uppy's parts need not be of one size.
        let file = sound(2 * PART_BYTES + 8);
        let cuts = [PART_BYTES + 1, PART_BYTES, 7];
        let upload = uppy.begin(&file).await;
        let sent = uppy.send_parts(&upload, &file, &cuts).await;
        let listed = uppy.list(&upload).await;
        let parts: Vec<(u64, u64)> = listed
            .as_array()
            .unwrap()
            .iter()
            .map(|part| (part["PartNumber"].as_u64().unwrap(), part["Size"].as_u64().unwrap()))
            .collect();
        assert_eq!(parts, [(1, cuts[0] as u64), (2, cuts[1] as u64), (3, 7)]);
        assert_eq!(listed[0]["ETag"], sent[0]["ETag"].as_str().map(client::quoted).unwrap());

        let completed = expect(uppy.complete(&upload, &sent).await, StatusCode::OK).await;
        let media_id = upload["media_id"].as_str().unwrap();
        assert_eq!(completed["location"], format!("{}/media/{media_id}", platform.stack.api_url()));
        assert_eq!((&completed["key"], &completed["media_id"]), (&upload["key"], &upload["media_id"]));
        let media = platform.settled(&user, media_id).await;
        assert_eq!((&media["status"], &media["size_bytes"]), (&json!("ready"), &json!(file.bytes.len())));
        assert_eq!(play(platform, &user, media_id).await, file.bytes);
    }
}

async fn an_upload_that_was_interrupted_goes_on(platform: &Platform) {
    let user = platform.sign_up().await;
    let file = sound(2 * PART_BYTES + 8);
    let cuts = [PART_BYTES, PART_BYTES, 8];
    let uppy = Uppy::new(platform, &user, Version::Six).await;
    let upload = uppy.begin(&file).await;
    assert_eq!(uppy.list(&upload).await, json!([]));
    uppy.send_part(&upload, 1, &file.bytes[..PART_BYTES]).await;
    // Another page, under another token, takes the listed part's tag for granted.
    let uppy = Uppy::new(platform, &user, Version::Six).await;
    let mut sent = vec![uppy.list(&upload).await[0].clone()];
    sent.extend(uppy.send_parts_from(&upload, &file, &cuts, 2).await);
    let named: Vec<Value> =
        sent.iter().map(|part| json!({"PartNumber": part["PartNumber"], "ETag": part["ETag"]})).collect();
    expect(uppy.complete(&upload, &named).await, StatusCode::OK).await;
    assert_eq!(platform.settled(&user, upload["media_id"].as_str().unwrap()).await["status"], "ready");
}

async fn completing_and_giving_up_are_safe_twice(platform: &Platform) {
    let user = platform.sign_up().await;
    for version in Version::BOTH {
        let uppy = Uppy::new(platform, &user, version).await;
        let file = sound(PART_BYTES);
        let upload = uppy.begin(&file).await;
        let sent = uppy.send_parts(&upload, &file, &[PART_BYTES]).await;
        let (first, second) =
            futures::future::join(uppy.complete(&upload, &sent), uppy.complete(&upload, &sent)).await;
        let first = expect(first, StatusCode::OK).await;
        assert_eq!(expect(second, StatusCode::OK).await, first);
        // Version 5 gives up whatever failed, also if only the answer was lost.
        uppy.expect_problem(uppy.abort(&upload).await, StatusCode::CONFLICT, "upload_ended").await;
        assert_eq!(platform.settled(&user, upload["media_id"].as_str().unwrap()).await["status"], "ready");
        assert_eq!(expect(uppy.complete(&upload, &sent).await, StatusCode::OK).await, first);

        let upload = uppy.begin(&file).await;
        let sent = uppy.send_parts(&upload, &file, &[PART_BYTES]).await;
        for _ in 0..2 {
            assert_eq!(expect(uppy.abort(&upload).await, StatusCode::OK).await, json!({}));
        }
        uppy.expect_problem(uppy.complete(&upload, &sent).await, StatusCode::CONFLICT, "upload_ended").await;
        let media = platform.settled(&user, upload["media_id"].as_str().unwrap()).await;
        assert_eq!(media["status"], "expired");
    }
}

async fn what_is_told_of_a_file_is_kept(platform: &Platform) {
    let user = platform.sign_up().await;
    let uppy = Uppy::new(platform, &user, Version::Five).await;
    let media_of = async |told: Value| {
        let answer = uppy.request(Method::POST, "/s3/multipart").json(&told).send().await.unwrap();
        let upload = expect(answer, StatusCode::OK).await;
        let path = format!("/media/{}", upload["media_id"].as_str().unwrap());
        expect(platform.get(&user, &path).await, StatusCode::OK).await
    };
    let media = media_of(json!({
        "filename": "films/Zürich (1).mkv",
        "type": "application/octet-stream",
        "metadata": {"name": "Zürich (1).mkv", "type": "", "relativePath": null, "take": 7, "crew": {"a": []}},
        "unheard": "of",
    }));
    let media = media.await;
    assert_eq!((&media["title"], &media["filename"]), (&json!("Zürich (1).mkv"), &json!("Zürich (1).mkv")));
    assert_eq!(media["content_type"], "video/matroska");
    let media =
        media_of(json!({"filename": "a.wav", "type": "audio/wav", "metadata": {"title": "Rain"}})).await;
    assert_eq!((&media["title"], &media["kind"]), (&json!("Rain"), &json!("audio")));

    let query =
        "filename=a+b%2Bc.mp4&type=undefined&metadata%5Bname%5D=A+film&metadata%5BrelativePath%5D=null";
    let answer = uppy.request(Method::GET, &format!("/s3/params?{query}")).send().await.unwrap();
    let form = expect(answer, StatusCode::OK).await;
    let path = format!("/media/{}", form["media_id"].as_str().unwrap());
    let media = expect(platform.get(&user, &path).await, StatusCode::OK).await;
    assert_eq!((&media["title"], &media["filename"]), (&json!("A film"), &json!("a b+c.mp4")));
    assert_eq!(form["fields"]["Content-Type"], "video/mp4");
}

async fn a_page_of_another_origin_may_ask(platform: &Platform) {
    let user = platform.sign_up().await;
    let uppy = Uppy::new(platform, &user, Version::Six).await;
    let preflight = uppy
        .request(Method::OPTIONS, "/s3/multipart/x/complete")
        .header("origin", "http://localhost:5173")
        .header("access-control-request-method", "POST")
        .header("access-control-request-headers", "content-type");
    let allowed = preflight.send().await.unwrap();
    assert_eq!(allowed.headers()["access-control-allow-origin"], "http://localhost:5173");
}

async fn the_canonical_routes_know_such_an_upload(platform: &Platform) {
    let user = platform.sign_up().await;
    let uppy = Uppy::new(platform, &user, Version::Five).await;
    let file = sound(PART_BYTES + 1);
    let upload = uppy.begin(&file).await;
    let path = |rest: &str| format!("/api/v1/{}{rest}", upload["uploadId"].as_str().unwrap());
    // They sign parts without a look at what is there, and so none whose length they do not sign.
    expect_problem(platform.get(&user, &path("/part/2")).await, StatusCode::CONFLICT, "not_multipart").await;
    let second = uppy.send_part(&upload, 2, &file.bytes[PART_BYTES..]).await;
    let listed = expect(platform.get(&user, &path("/parts")).await, StatusCode::OK).await;
    assert_eq!((&listed["part_count"], &listed["part_size_bytes"]), (&Value::Null, &Value::Null));
    assert_eq!(listed["missing"], json!([1]));
    let complete = async |body: Value| {
        let request = platform.request(Method::POST, &path("/complete")).bearer_auth(&user.token);
        request.json(&body).send().await.unwrap()
    };
    let named = json!({"parts": [second]});
    let problem = expect_problem(complete(named).await, StatusCode::CONFLICT, "parts_incomplete").await;
    assert_eq!((&problem["missing"], &problem["message"]), (&json!([1]), &Value::Null));
    let first = uppy.send_part(&upload, 1, &file.bytes[..PART_BYTES]).await;
    // Only the client knows which parts make up the file.
    expect_problem(complete(json!({})).await, StatusCode::CONFLICT, "parts_incomplete").await;
    expect(complete(json!({"parts": [first, second]})).await, StatusCode::OK).await;
    let media = platform.settled(&user, upload["media_id"].as_str().unwrap()).await;
    assert_eq!((&media["status"], &media["size_bytes"]), (&json!("ready"), &json!(file.bytes.len())));
}
