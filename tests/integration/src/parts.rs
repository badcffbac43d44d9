//! Uploads in parts: signing, listing, completing and aborting them, with real bytes.

mod client;

use aws_sdk_dynamodb::types::AttributeValue;
use futures::stream::{self, StreamExt as _};
use reqwest::{Method, Response, StatusCode};
use serde_json::{Value, json};

use crate::platform::{File, PATIENCE, Platform, User, eventually, expect, expect_problem, s3_error_code};
use crate::processing::{play, put_as_operator};

pub(crate) use client::{Client, PART_BYTES, sound};

crate::tests![
    a_file_in_parts_becomes_ready_and_plays,
    files_are_cut_at_the_boundary,
    the_limit_is_taken_and_one_byte_more_is_not,
    a_new_client_goes_on_after_part_3,
    parts_are_signed_by_number,
    a_signed_part_is_pinned,
    uploads_are_their_owners,
    past_the_deadline_nothing_is_signed,
    what_is_missing_is_named,
    a_part_sent_again_counts_as_it_is_now,
    more_than_a_page_of_parts_is_listed,
    completing_again_answers_the_same,
    one_flow_completes_every_upload,
    an_aborted_upload_leaves_nothing,
    what_arrives_after_an_abort_is_removed,
    a_miniature_is_completed_and_aborted_by_itself,
    no_more_calls_are_made_than_needed,
];

async fn a_file_in_parts_becomes_ready_and_plays(platform: &Platform) {
    let user = platform.sign_up().await;
    let client = Client::announce(platform, &user, sound(2 * PART_BYTES + 7)).await;
    assert_eq!(
        (&client.upload["part_count"], &client.upload["part_size_bytes"]),
        (&json!(3), &json!(PART_BYTES))
    );
    // All parts came signed; they may be sent in any order, and side by side.
    let parts = client.upload["parts"].as_array().unwrap();
    let sizes: Vec<u64> = parts.iter().map(|part| part["size_bytes"].as_u64().unwrap()).collect();
    assert_eq!(sizes, [PART_BYTES as u64, PART_BYTES as u64, 7]);
    let sent = parts.iter().rev().map(|part| {
        let number = usize::try_from(part["part_number"].as_u64().unwrap()).unwrap();
        client.put(&part["url"], client.bytes_of(number))
    });
    assert!(futures::future::join_all(sent).await.iter().all(|answer| answer.status().is_success()));

    let url = |name: &str| client.upload[name].as_str().unwrap().to_owned();
    let listed = platform.http.get(url("list_parts_url")).bearer_auth(&user.token).send().await.unwrap();
    assert_eq!(expect(listed, StatusCode::OK).await["missing"], json!([]));
    let completed = platform.http.post(url("complete_url")).bearer_auth(&user.token).send().await.unwrap();
    let completed = expect(completed, StatusCode::OK).await;
    assert!(completed["etag"].as_str().unwrap().ends_with("-3"), "{completed}");
    assert_eq!(completed["media"]["id"], client.media_id);

    let media = client.settled().await;
    assert_eq!(media["status"], "ready", "{media:#}");
    assert_eq!(media["size_bytes"], client.file.bytes.len());
    assert!(media["checksum_crc64nvme"].is_string());
    assert!(
        play(platform, &user, &client.media_id).await == client.file.bytes,
        "what was sent is what plays"
    );
    let upload = platform.item(&format!("UPLOAD#{}", client.upload_id), "UPLOAD").await.unwrap();
    assert_eq!(upload["state"].as_s().unwrap(), "completed");
}

async fn files_are_cut_at_the_boundary(platform: &Platform) {
    let user = platform.sign_up().await;
    for (size_bytes, last, status) in
        [(PART_BYTES, PART_BYTES, "ready"), (PART_BYTES + 1, 1, "ready"), (1, 1, "rejected")]
    {
        let mut file = sound(size_bytes.max(44));
        file.bytes.truncate(size_bytes);
        let client = Client::announce(platform, &user, file).await;
        let part_count = size_bytes.div_ceil(PART_BYTES);
        assert_eq!(client.upload["part_count"], part_count);
        let signed = expect(client.sign(part_count).await, StatusCode::OK).await;
        assert_eq!(signed["size_bytes"], last);
        expect_problem(client.sign(part_count + 1).await, StatusCode::UNPROCESSABLE_ENTITY, "invalid").await;
        client.send_all().await;
        expect(client.complete().await, StatusCode::OK).await;
        assert_eq!(client.settled().await["status"], status, "{size_bytes} bytes");
    }
}

async fn the_limit_is_taken_and_one_byte_more_is_not(_shared: &Platform) {
    const LIMIT: usize = PART_BYTES + 1;
    let platform = Platform::start(|options| {
        options.parameters.insert("MaxUploadBytes".to_owned(), LIMIT.to_string());
    })
    .await;
    let user = platform.sign_up().await;
    let client = Client::announce(&platform, &user, sound(LIMIT)).await;
    client.send_all().await;
    expect(client.complete().await, StatusCode::OK).await;
    assert_eq!(client.settled().await["status"], "ready");
    let mut body = sound(LIMIT + 1).announcement();
    body["upload_method"] = json!("multipart");
    let answer = platform.post_as(&user, "/media", &body).await;
    expect_problem(answer, StatusCode::UNPROCESSABLE_ENTITY, "invalid").await;
    platform.shut_down().await;
}

async fn a_new_client_goes_on_after_part_3(platform: &Platform) {
    let user = platform.sign_up().await;
    let file = sound(3 * PART_BYTES + 9);
    let client = Client::announce(platform, &user, file.clone()).await;
    for number in 1..=3 {
        client.send(number).await;
    }
    // The client dies. Its successor knows the file and the upload's id.
    let (media_id, upload_id) = (client.media_id.clone(), client.upload_id.clone());
    drop(client);
    let client = Client { platform, user: &user, file, media_id, upload_id, upload: Value::Null };
    let listed = client.list().await;
    assert_eq!(listed["missing"], json!([4]));
    assert_eq!((&listed["part_size_bytes"], &listed["part_count"]), (&json!(PART_BYTES), &json!(4)));
    let sizes: Vec<&Value> =
        listed["parts"].as_array().unwrap().iter().map(|part| &part["size_bytes"]).collect();
    assert_eq!(sizes, [PART_BYTES; 3]);
    client.send(4).await;
    // What was listed is what completes, as it is.
    let parts: Vec<Value> = client.list().await["parts"]
        .as_array()
        .unwrap()
        .iter()
        .map(|part| json!({"part_number": part["part_number"], "etag": part["etag"]}))
        .collect();
    expect(client.complete_with(&json!({"parts": parts})).await, StatusCode::OK).await;
    assert_eq!(client.settled().await["status"], "ready");
    assert!(play(platform, &user, &client.media_id).await == client.file.bytes);
}

async fn parts_are_signed_by_number(platform: &Platform) {
    let user = platform.sign_up().await;
    let mut body = File::video().announcement();
    body["size_bytes"] = json!(150 * PART_BYTES);
    body["part_size_bytes"] = json!(PART_BYTES);
    let client = Client::announce_as(platform, &user, File::video(), &body).await;
    assert_eq!(client.upload["parts"].as_array().unwrap().len(), 10, "the first ones come signed");

    let all: Vec<usize> = (51..=150).rev().collect();
    let answer = platform.post_as(&user, &client.path("/parts"), &json!({"part_numbers": all})).await;
    let signed = expect(answer, StatusCode::OK).await;
    let numbers: Vec<u64> = signed["parts"]
        .as_array()
        .unwrap()
        .iter()
        .map(|part| part["part_number"].as_u64().unwrap())
        .collect();
    assert_eq!(numbers, (51..=150).rev().collect::<Vec<u64>>(), "in the order in which they were asked for");
    let one = expect(client.sign(150).await, StatusCode::OK).await;
    for name in ["part_number", "url", "size_bytes", "expires_at"] {
        assert!(one.get(name).is_some() && signed["parts"][0].get(name).is_some(), "{name}");
    }

    for wrong in ["0", "151", "10001", "01", "1.0", "-1", "one"] {
        let answer = platform.get(&user, &client.path(&format!("/part/{wrong}"))).await;
        let problem = expect_problem(answer, StatusCode::UNPROCESSABLE_ENTITY, "invalid").await;
        assert!(problem["detail"].as_str().unwrap().contains("1 to 150"), "{problem}");
    }
    for wrong in [
        json!({}),
        json!({"part_numbers": []}),
        json!({"part_numbers": [1, 2, 1]}),
        json!({"part_numbers": [0]}),
        json!({"part_numbers": [151]}),
        json!({"part_numbers": ["1"]}),
        json!({"part_numbers": 1}),
        json!({"part_numbers": (1..=101).collect::<Vec<_>>()}),
        json!({"part_numbers": [1], "key": "uploads/x"}),
    ] {
        let answer = platform.post_as(&user, &client.path("/parts"), &wrong).await;
        expect_problem(answer, StatusCode::UNPROCESSABLE_ENTITY, "invalid").await;
    }
}

async fn a_signed_part_is_pinned(_shared: &Platform) {
    let platform = Platform::start(|_| {}).await;
    let user = platform.sign_up().await;
    let client = Client::announce(&platform, &user, sound(2 * PART_BYTES)).await;
    let url = client.upload["parts"][0]["url"].as_str().unwrap();
    let mut longer = client.bytes_of(1);
    longer.push(0);
    for wrong_length in [longer, client.bytes_of(1)[1..].to_vec()] {
        let answer = client.put(&json!(url), wrong_length).await;
        assert_eq!(
            (answer.status(), s3_error_code(answer).await.as_str()),
            (StatusCode::FORBIDDEN, "SignatureDoesNotMatch")
        );
    }
    let other_number = url.replacen("partNumber=1", "partNumber=2", 1);
    let other_key = url.replacen("/source?", "/miniature?", 1);
    assert!(url != other_number && url != other_key);
    for url in [other_number, other_key] {
        assert_eq!(client.put(&json!(url), client.bytes_of(1)).await.status(), StatusCode::FORBIDDEN);
    }
    assert_eq!(client.list().await["parts"], json!([]));

    // Signed by a function whose clock is late: what it signs has ended for S3. Signed again, it is taken.
    platform.set_clock_offset(-2 * 3600);
    let late = User { token: platform.log_in(&user.email).await, ..user.clone() };
    let path = client.path("/part/1");
    let ended = expect(platform.get(&late, &path).await, StatusCode::OK).await;
    platform.set_clock_offset(0);
    let answer = client.put(&ended["url"], client.bytes_of(1)).await;
    assert_eq!(
        (answer.status(), s3_error_code(answer).await.as_str()),
        (StatusCode::FORBIDDEN, "AccessDenied")
    );
    client.send(1).await;
    platform.shut_down().await;
}

/// Asks all routes of an upload.
async fn ask_everything(platform: &Platform, user: &User, upload_id: &str) -> Vec<Response> {
    let mut answers = Vec::new();
    for (method, rest, body) in [
        (Method::GET, "/part/1", None),
        (Method::POST, "/parts", Some(json!({"part_numbers": [1]}))),
        (Method::GET, "/parts", None),
        (Method::POST, "/complete", None),
        (Method::DELETE, "", None),
    ] {
        let request =
            platform.request(method, &format!("/api/v1/{upload_id}{rest}")).bearer_auth(&user.token);
        let request = if let Some(body) = body { request.json(&body) } else { request };
        answers.push(request.send().await.unwrap());
    }
    answers
}

async fn uploads_are_their_owners(platform: &Platform) {
    let user = platform.sign_up().await;
    let client = Client::announce(platform, &user, File::video()).await;
    // Not even an admin sends bytes in somebody's name.
    for stranger in [platform.sign_up().await, platform.admin().await] {
        for answer in ask_everything(platform, &stranger, &client.upload_id).await {
            expect_problem(answer, StatusCode::NOT_FOUND, "not_found").await;
        }
    }
    let unknown = uuid::Uuid::now_v7().to_string();
    for nothing in [unknown.as_str(), client.media_id.as_str(), "x"] {
        for answer in ask_everything(platform, &user, nothing).await {
            expect_problem(answer, StatusCode::NOT_FOUND, "not_found").await;
        }
    }
    // Who was demoted uploads no more.
    platform.set_profile(&user, "role", AttributeValue::S("viewer".to_owned())).await;
    for answer in ask_everything(platform, &user, &client.upload_id).await {
        expect_problem(answer, StatusCode::FORBIDDEN, "role_insufficient").await;
    }
    assert_eq!(client.media().await["status"], "awaiting_upload");
}

async fn past_the_deadline_nothing_is_signed(_shared: &Platform) {
    let platform = Platform::start(|_| {}).await;
    let user = platform.sign_up().await;
    let client = Client::announce(&platform, &user, File::video()).await;
    client.send(1).await;
    platform.set_clock_offset(24 * 3600 + 1);
    let later = User { token: platform.log_in(&user.email).await, ..user.clone() };
    let answer = platform.get(&later, &client.path("/part/1")).await;
    expect_problem(answer, StatusCode::CONFLICT, "upload_ended").await;
    // What is all there can be completed as long as the sweep has not ended it.
    let answer = platform.post_as(&later, &client.path("/complete"), &json!({})).await;
    expect(answer, StatusCode::OK).await;
    platform.shut_down().await;
}

async fn what_is_missing_is_named(platform: &Platform) {
    let user = platform.sign_up().await;
    let client = Client::announce(platform, &user, sound(2 * PART_BYTES + 7)).await;
    let missing = async |answer: Response| {
        let problem = expect_problem(answer, StatusCode::CONFLICT, "parts_incomplete").await;
        problem["missing"].clone()
    };
    assert_eq!(missing(client.complete().await).await, json!([1, 2, 3]));
    let first = client.send(1).await;
    let third = client.send(3).await;
    assert_eq!(missing(client.complete().await).await, json!([2]));
    // Too short, which only the operator can send.
    client.put_part_as_operator(2, vec![1; PART_BYTES - 1]).await;
    assert_eq!(client.list().await["missing"], json!([2]));
    assert_eq!(missing(client.complete().await).await, json!([2]));
    let second = client.send(2).await;

    // Not named, another tag, or both.
    let named = |parts: &[(u16, &str)]| {
        let parts = parts.iter().map(|(number, etag)| json!({"PartNumber": number, "ETag": etag}));
        json!({"parts": parts.collect::<Vec<_>>()})
    };
    let one_left_out = named(&[(1, &first), (3, &third)]);
    assert_eq!(missing(client.complete_with(&one_left_out).await).await, json!([2]));
    let wrong = named(&[(2, &second), (1, "\"d41d8cd98f00b204e9800998ecf8427e\"")]);
    assert_eq!(missing(client.complete_with(&wrong).await).await, json!([1, 3]));
    for (body, status, code) in [
        (named(&[(1, &first), (1, &first)]), StatusCode::UNPROCESSABLE_ENTITY, "invalid"),
        (named(&[(1, &first), (4, &first)]), StatusCode::UNPROCESSABLE_ENTITY, "invalid"),
        (named(&[(1, "")]), StatusCode::UNPROCESSABLE_ENTITY, "invalid"),
        (json!({"parts": [{"part_number": 1}]}), StatusCode::UNPROCESSABLE_ENTITY, "invalid"),
        (json!({"upload_id": "x"}), StatusCode::UNPROCESSABLE_ENTITY, "invalid"),
    ] {
        expect_problem(client.complete_with(&body).await, status, code).await;
    }
    let request = platform.request(Method::POST, &client.path("/complete")).bearer_auth(&user.token);
    let answer = request.header("content-type", "application/json").body("{").send().await.unwrap();
    expect_problem(answer, StatusCode::BAD_REQUEST, "malformed_json").await;
    assert_eq!(client.media().await["status"], "awaiting_upload", "nothing has been begun");
    // In any order, with or without quotes.
    let good = named(&[(3, third.trim_matches('"')), (1, &first), (2, &second)]);
    expect(client.complete_with(&good).await, StatusCode::OK).await;
    assert_eq!(client.settled().await["status"], "ready");
}

async fn a_part_sent_again_counts_as_it_is_now(platform: &Platform) {
    let user = platform.sign_up().await;
    let mut client = Client::announce(platform, &user, sound(PART_BYTES + 7)).await;
    let (first, second) = (client.send(1).await, client.send(2).await);
    *client.file.bytes.last_mut().unwrap() ^= 1;
    let replaced = client.send(2).await;
    assert_ne!(second, replaced);
    let parts = |second: &str| json!({"parts": [{"part_number": 1, "etag": first}, {"part_number": 2, "etag": second}]});
    let answer = client.complete_with(&parts(&second)).await;
    let problem = expect_problem(answer, StatusCode::CONFLICT, "parts_incomplete").await;
    assert_eq!(problem["missing"], json!([2]));
    expect(client.complete_with(&parts(&replaced)).await, StatusCode::OK).await;
    assert_eq!(client.settled().await["status"], "ready");
    assert!(play(platform, &user, &client.media_id).await == client.file.bytes, "with the later bytes");
}

async fn more_than_a_page_of_parts_is_listed(_shared: &Platform) {
    const PARTS: usize = 1_001;
    let platform = Platform::start(|_| {}).await;
    let user = platform.sign_up().await;
    let mut body = File::video().announcement();
    body["size_bytes"] = json!(PARTS * PART_BYTES + 10);
    body["part_size_bytes"] = json!(PART_BYTES);
    let client = Client::announce_as(&platform, &user, File::video(), &body).await;
    // Our signatures pin 5 MiB a part; the operator's do not. As long as the last part they are all too short but for it.
    let parts = stream::iter(1..=PARTS + 1).map(|number| client.put_part_as_operator(number, vec![7; 10]));
    parts.buffer_unordered(8).collect::<Vec<()>>().await;

    let sequence = platform.calls().sequence();
    let listed = client.list().await;
    let numbers =
        listed["parts"].as_array().unwrap().iter().map(|part| part["part_number"].as_u64().unwrap());
    assert!(numbers.eq(1..=PARTS as u64 + 1));
    let too_short: Vec<usize> = (1..=PARTS).collect();
    assert_eq!(listed["missing"], json!(too_short));
    let calls = platform.calls().since(sequence);
    assert_eq!(calls.iter().filter(|call| call.operation == "ListParts").count(), 2);
    let answer = client.complete().await;
    let problem = expect_problem(answer, StatusCode::CONFLICT, "parts_incomplete").await;
    assert_eq!(problem["missing"], json!(too_short));
    assert_eq!(client.abort().await.status(), StatusCode::NO_CONTENT);
    assert!(!client.is_begun_in_s3().await);
    platform.shut_down().await;
}

async fn completing_again_answers_the_same(platform: &Platform) {
    let user = platform.sign_up().await;
    let client = Client::announce(platform, &user, File::video()).await;
    let etag = client.send(1).await;
    let completed = expect(client.complete().await, StatusCode::OK).await;
    let again = json!({"parts": [{"part_number": 1, "etag": etag}]});
    for _ in 0..3 {
        let answer = expect(client.complete_with(&again).await, StatusCode::OK).await;
        assert_eq!(answer["etag"], completed["etag"]);
    }
    let media = client.settled().await;
    assert_eq!(media["status"], "ready");
    let answer = expect(client.complete().await, StatusCode::OK).await;
    assert_eq!((&answer["etag"], &answer["media"]), (&completed["etag"], &media), "also when it is ready");
    // No more parts, and no way back.
    expect_problem(client.sign(1).await, StatusCode::CONFLICT, "upload_ended").await;
    expect_problem(client.abort().await, StatusCode::CONFLICT, "upload_ended").await;
    let listed = platform.get(&user, &client.path("/parts")).await;
    expect_problem(listed, StatusCode::CONFLICT, "upload_ended").await;
    assert_eq!(client.media().await["status"], "ready");
}

async fn one_flow_completes_every_upload(platform: &Platform) {
    let user = platform.sign_up().await;
    for method in ["put", "post"] {
        let file = File::video();
        let mut body = file.announcement();
        body["upload_method"] = json!(method);
        let client = Client::announce_as(platform, &user, file.clone(), &body).await;
        expect_problem(client.complete().await, StatusCode::CONFLICT, "object_missing").await;
        for answer in [client.sign(1).await, platform.get(&user, &client.path("/parts")).await] {
            expect_problem(answer, StatusCode::CONFLICT, "not_multipart").await;
        }
        assert_eq!(client.media().await["status"], "awaiting_upload");
        let sent = if method == "put" {
            let answer = platform.put(&client.upload, file.bytes).await;
            answer.headers()["etag"].to_str().unwrap().trim_matches('"').to_owned()
        } else {
            put_as_operator(platform, &client.media_id, &file).await.1
        };
        for body in [json!({}), json!({"parts": []}), json!({"parts": [{"PartNumber": 1, "ETag": sent}]})] {
            let completed = expect(client.complete_with(&body).await, StatusCode::OK).await;
            assert_eq!(completed["etag"], sent);
        }
        assert_eq!(client.settled().await["status"], "ready");
        assert_eq!(expect(client.complete().await, StatusCode::OK).await["etag"], sent);
    }
}

/// What the user's files take, as recorded.
async fn usage(platform: &Platform, user: &User) -> String {
    let usage = platform.item(&format!("USER#{}", user.id), "USAGE").await.unwrap();
    usage["size_bytes"].as_n().unwrap().clone()
}

async fn an_aborted_upload_leaves_nothing(platform: &Platform) {
    let user = platform.sign_up().await;
    let file = sound(PART_BYTES + 7);
    let mut body = file.announcement();
    body["part_size_bytes"] = json!(PART_BYTES);
    body["checksum_sha256"] = json!(file.sha256());
    let client = Client::announce_as(platform, &user, file.clone(), &body).await;
    client.send(1).await;
    let signed = expect(client.sign(2).await, StatusCode::OK).await;
    for _ in 0..2 {
        assert_eq!(client.abort().await.status(), StatusCode::NO_CONTENT);
    }
    assert!(!client.is_begun_in_s3().await);
    assert_eq!(client.put(&signed["url"], client.bytes_of(2)).await.status(), StatusCode::NOT_FOUND);
    assert_eq!(client.media().await["status"], "expired");
    let upload = platform.item(&format!("UPLOAD#{}", client.upload_id), "UPLOAD").await.unwrap();
    assert_eq!(upload["state"].as_s().unwrap(), "aborted");
    assert!(upload["expires_at"].as_n().is_ok());
    assert_eq!(usage(platform, &user).await, "0");
    assert_eq!(platform.kinds_of_work(&client.media_id).await, ["leftovers"]);
    for answer in
        [client.sign(2).await, platform.get(&user, &client.path("/parts")).await, client.complete().await]
    {
        expect_problem(answer, StatusCode::CONFLICT, "upload_ended").await;
    }
    // The same file can be announced again.
    let again = Client::announce_as(platform, &user, file, &body).await;
    assert_ne!(again.media_id, client.media_id);
}

async fn what_arrives_after_an_abort_is_removed(platform: &Platform) {
    let user = platform.sign_up().await;
    let body = File::video().announcement();
    let client = Client::announce_as(platform, &user, File::video(), &body).await;
    assert_eq!(client.abort().await.status(), StatusCode::NO_CONTENT);
    // The URL has not ended.
    assert_eq!(platform.put(&client.upload, File::video().bytes).await.status(), StatusCode::OK);
    expect_problem(client.complete().await, StatusCode::CONFLICT, "upload_ended").await;
    assert!(eventually(PATIENCE, async || !client.has_object().await).await);
    assert_eq!(client.media().await["status"], "expired");
}

async fn a_miniature_is_completed_and_aborted_by_itself(platform: &Platform) {
    let user = platform.sign_up().await;
    let picture = b"a picture, or so it says";
    let mut body = File::video().announcement();
    body["miniature"] =
        json!({"filename": "a.png", "content_type": "image/png", "size_bytes": picture.len()});
    for is_aborted in [false, true] {
        let created = expect(platform.post_as(&user, "/media", &body).await, StatusCode::CREATED).await;
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let client = Client {
            platform,
            user: &user,
            file: File::video(),
            media_id: text(&created["media"]["id"]),
            upload_id: text(&created["miniature_upload"]["upload_id"]),
            upload: created["miniature_upload"].clone(),
        };
        assert_eq!(platform.kinds_of_work(&client.media_id).await.len(), 2);
        expect_problem(client.complete().await, StatusCode::CONFLICT, "object_missing").await;
        expect_problem(client.sign(1).await, StatusCode::CONFLICT, "not_multipart").await;
        if is_aborted {
            for _ in 0..2 {
                assert_eq!(client.abort().await.status(), StatusCode::NO_CONTENT);
            }
            assert_eq!(platform.kinds_of_work(&client.media_id).await, ["upload"]);
            assert_eq!(client.media().await["status"], "awaiting_upload");
            expect_problem(client.complete().await, StatusCode::CONFLICT, "upload_ended").await;
        } else {
            let answer = platform.put(&client.upload, picture.to_vec()).await;
            let etag = answer.headers()["etag"].to_str().unwrap().trim_matches('"').to_owned();
            let completed = expect(client.complete().await, StatusCode::OK).await;
            assert_eq!(
                (&completed["etag"], &completed["media"]["id"]),
                (&json!(etag), &json!(client.media_id))
            );
        }
        // The media goes on.
        platform.put(&created["upload"], File::video().bytes).await;
        assert_eq!(client.settled().await["status"], "ready");
    }
}

async fn no_more_calls_are_made_than_needed(_shared: &Platform) {
    let platform = Platform::start(|_| {}).await;
    let user = platform.sign_up().await;
    let client = Client::announce(&platform, &user, File::video()).await;
    let operations = |sequence: u64, function: &str| -> Vec<String> {
        let calls = platform.calls().since(sequence).into_iter();
        let by = |call: &local::aws::Call| matches!(&call.principal, local::aws::Principal::Function(id) if id == function);
        calls.filter(by).map(|call| call.operation).collect()
    };
    // The role's credentials are there from the start.
    let sequence = platform.calls().sequence();
    expect(client.sign(1).await, StatusCode::OK).await;
    let answer = platform.post_as(&user, &client.path("/parts"), &json!({"part_numbers": [1]})).await;
    expect(answer, StatusCode::OK).await;
    assert_eq!(operations(sequence, "SignPartFunction"), ["BatchGetItem", "BatchGetItem"]);
    client.send(1).await;
    client.list().await;
    assert_eq!(operations(sequence, "ListPartsFunction"), ["BatchGetItem", "ListParts"]);
    expect(client.complete().await, StatusCode::OK).await;
    assert_eq!(
        operations(sequence, "CompleteUploadFunction"),
        ["BatchGetItem", "Query", "ListParts", "TransactWriteItems", "CompleteMultipartUpload"]
    );
    let client = Client::announce(&platform, &user, File::video()).await;
    client.abort().await;
    assert_eq!(
        operations(sequence, "AbortUploadFunction"),
        ["BatchGetItem", "GetItem", "TransactWriteItems", "AbortMultipartUpload"]
    );
    assert!(platform.calls().since(sequence).iter().all(|call| call.service != "sts"));
    platform.shut_down().await;
}
