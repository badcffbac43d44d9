//! Announcing files, and what S3 lets through under a presigned PUT.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::platform::{File, Platform, expect, expect_problem, pointers, s3_error_code};

crate::tests![
    announcing_a_file_answers_how_to_upload_it,
    every_wrong_field_is_named,
    limits_are_the_deployments,
    only_the_declared_bytes_are_taken,
    a_declared_digest_is_enforced,
    the_first_object_stays,
    a_url_ends,
    a_url_without_its_session_is_refused,
    creating_makes_no_more_calls_than_needed,
    an_upload_leaves_its_records,
];

async fn announcing_a_file_answers_how_to_upload_it(platform: &Platform) {
    let file = File::video();
    let mut body = file.announcement();
    body["description"] = json!("Two\nlines");
    body["tags"] = json!(["a", "b", "a"]);
    body["visibility"] = json!("private");
    body["thumbnail_url"] = json!("https://example.com/a.jpg");
    body["checksum_sha256"] = json!(file.sha256());
    body["upload_method"] = json!("auto");
    for path in ["/media", "/content"] {
        let user = platform.sign_up().await;
        let answer = platform.post_as(&user, path, &body).await;
        let location = answer.headers()["location"].to_str().unwrap().to_owned();
        let created = expect(answer, StatusCode::CREATED).await;
        let (media, upload) = (&created["media"], &created["upload"]);
        assert_eq!(location, format!("/media/{}", media["id"].as_str().unwrap()));
        assert_eq!(media["status"], "awaiting_upload");
        assert_eq!((&media["owner_id"], &media["tags"]), (&json!(user.id), &json!(["a", "b"])));
        assert_eq!((&media["kind"], &media["version"]), (&json!("video"), &json!(1)));
        assert_eq!((&media["metadata"], &media["failure"]), (&Value::Null, &Value::Null));
        for name in
            ["title", "filename", "content_type", "size_bytes", "description", "visibility", "thumbnail_url"]
        {
            assert_eq!(media[name], body[name], "{name}");
        }
        assert_eq!(upload["method"], "put");
        let headers: Vec<_> = upload["headers"].as_object().unwrap().keys().cloned().collect();
        assert_eq!(
            headers,
            ["content-type", "if-none-match", "x-amz-checksum-sha256"],
            "what a browser may set"
        );
        assert!(upload["expires_at"].as_str().unwrap().ends_with('Z'));
    }
}

async fn every_wrong_field_is_named(platform: &Platform) {
    let user = platform.sign_up().await;
    let body = json!({
        "title": "t".repeat(201), "filename": "../x", "content_type": "image/png", "size_bytes": 0,
        "tags": vec!["x"; 21], "colour": "red", "checksum_crc64nvme": 5,
    });
    let answer = platform.post_as(&user, "/media", &body).await;
    let problem = expect_problem(answer, StatusCode::UNPROCESSABLE_ENTITY, "invalid").await;
    let expected =
        ["/title", "/filename", "/content_type", "/size_bytes", "/tags", "/checksum_crc64nvme", "/colour"];
    assert_eq!(pointers(&problem), expected);
    // The alias passes over what it does not know.
    let mut body = File::video().announcement();
    body["colour"] = json!("red");
    expect(platform.post_as(&user, "/content", &body).await, StatusCode::CREATED).await;
}

async fn limits_are_the_deployments(_shared: &Platform) {
    let platform = Platform::start(|options| {
        options.parameters.insert("MaxUploadBytes".to_owned(), "1000".to_owned());
        options.parameters.insert("AllowedContentTypes".to_owned(), "video/mp4".to_owned());
    })
    .await;
    let user = platform.sign_up().await;
    let announce = |content_type: &'static str, size_bytes: u64| {
        let body =
            json!({"title": "T", "filename": "f", "content_type": content_type, "size_bytes": size_bytes});
        let (platform, user) = (&platform, &user);
        async move { platform.post_as(user, "/media", &body).await }
    };
    expect(announce("video/mp4", 1000).await, StatusCode::CREATED).await;
    let answer = announce("video/webm", 1001).await;
    let problem = expect_problem(answer, StatusCode::UNPROCESSABLE_ENTITY, "invalid").await;
    assert_eq!(pointers(&problem), ["/content_type", "/size_bytes"]);
    platform.shut_down().await;

    // More than S3 takes is refused at start, not quietly lowered.
    let refused = Platform::try_start(|options| {
        options.template_edit = Some(Box::new(|template| {
            let function = &mut template["Resources"]["CreateMediaFunction"]["Properties"];
            function["Environment"]["Variables"]["MAX_UPLOAD_BYTES"] = json!("53687091200001");
        }));
    });
    let error = refused.await.err().expect("it does not start").to_string();
    assert!(error.contains("MAX_UPLOAD_BYTES"), "{error}");
}

async fn only_the_declared_bytes_are_taken(platform: &Platform) {
    let user = platform.sign_up().await;
    let file = File::video();
    let created = platform.announce(&user, &file).await;
    let upload = &created["upload"];

    let mut longer = file.bytes.clone();
    longer.push(0);
    for wrong_length in [longer, file.bytes[1..].to_vec(), Vec::new()] {
        let answer = platform.put(upload, wrong_length).await;
        assert_eq!(
            (answer.status(), s3_error_code(answer).await.as_str()),
            (StatusCode::FORBIDDEN, "SignatureDoesNotMatch")
        );
    }
    for (name, value) in [("content-type", "text/html"), ("if-none-match", "\"x\"")] {
        let mut headers = upload["headers"].clone();
        headers[name] = json!(value);
        let changed = json!({"url": upload["url"], "headers": headers});
        let answer = platform.put(&changed, file.bytes.clone()).await;
        assert_eq!(answer.status(), StatusCode::FORBIDDEN, "{name}");
        headers.as_object_mut().unwrap().remove(name);
        let removed = json!({"url": upload["url"], "headers": headers});
        let answer = platform.put(&removed, file.bytes.clone()).await;
        assert_eq!(answer.status(), StatusCode::FORBIDDEN, "without {name}");
    }
    let url = upload["url"].as_str().unwrap();
    let other_key = url.replacen("/source?", "/miniature?", 1);
    let longer_life = url.replacen("X-Amz-Expires=", "X-Amz-Expires=1", 1);
    assert!(url != other_key && url != longer_life);
    for url in [other_key, longer_life] {
        let answer =
            platform.put(&json!({"url": url, "headers": upload["headers"]}), file.bytes.clone()).await;
        assert_eq!(answer.status(), StatusCode::FORBIDDEN);
    }
    // The URL signs a PUT, not a GET or a DELETE.
    for method in [Method::GET, Method::DELETE] {
        let answer = platform.http.request(method, url).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::FORBIDDEN);
    }
    let media = format!("/media/{}", created["media"]["id"].as_str().unwrap());
    assert_eq!(expect(platform.get(&user, &media).await, StatusCode::OK).await["status"], "awaiting_upload");
}

async fn a_declared_digest_is_enforced(platform: &Platform) {
    let user = platform.sign_up().await;
    let file = File::video();
    let mut body = file.announcement();
    body["checksum_sha256"] = json!(file.sha256());
    let created = expect(platform.post_as(&user, "/media", &body).await, StatusCode::CREATED).await;

    let mut damaged = file.bytes.clone();
    damaged[1000] ^= 1;
    let answer = platform.put(&created["upload"], damaged).await;
    assert_eq!(answer.status(), StatusCode::BAD_REQUEST);

    assert_eq!(platform.put(&created["upload"], file.bytes.clone()).await.status(), StatusCode::OK);
    let media = platform.settled(&user, created["media"]["id"].as_str().unwrap()).await;
    assert_eq!((&media["status"], &media["checksum_verified"]), (&json!("ready"), &json!("sha256")));
    assert_eq!(media["checksum_sha256"], file.sha256());
}

async fn the_first_object_stays(_shared: &Platform) {
    let platform = Platform::start(|_| {}).await;
    let user = platform.sign_up().await;
    let file = File::video();
    let created = platform.announce(&user, &file).await;
    // Nothing is processed, and so moved out of the way, before all have been sent.
    let interception = platform.hold_processing().await;
    // As long as each other, and each another film: the last bytes are a frame's.
    let versions: Vec<Vec<u8>> = (0..8_u8)
        .map(|number| {
            let mut bytes = file.bytes.clone();
            *bytes.last_mut().unwrap() ^= number;
            bytes
        })
        .collect();
    let sent = versions.iter().map(|bytes| platform.put(&created["upload"], bytes.clone()));
    let statuses: Vec<StatusCode> =
        futures::future::join_all(sent).await.iter().map(reqwest::Response::status).collect();
    let winner = statuses.iter().position(StatusCode::is_success).expect("one is taken");
    for (number, status) in statuses.iter().enumerate().filter(|(number, _)| *number != winner) {
        assert!(matches!(status.as_u16(), 409 | 412), "{number}: {status}");
    }
    drop(interception);
    let media_id = created["media"]["id"].as_str().unwrap();
    assert_eq!(platform.settled(&user, media_id).await["status"], "ready");
    let played = crate::processing::play(&platform, &user, media_id).await;
    assert!(played == versions[winner], "what was taken is what plays");
    platform.shut_down().await;
}

async fn a_url_ends(_shared: &Platform) {
    let platform = Platform::start(|_| {}).await;
    let user = platform.sign_up().await;
    let file = File::video();
    // Announced by functions whose clock is late: what they sign has ended for S3.
    platform.set_clock_offset(-2 * 3600);
    let late = platform.log_in(&user.email).await;
    let created = platform.announce(&crate::platform::User { token: late, ..user.clone() }, &file).await;
    let answer = platform.put(&created["upload"], file.bytes.clone()).await;
    assert_eq!(
        (answer.status(), s3_error_code(answer).await.as_str()),
        (StatusCode::FORBIDDEN, "AccessDenied")
    );
    platform.shut_down().await;
}

async fn a_url_without_its_session_is_refused(platform: &Platform) {
    let user = platform.sign_up().await;
    let file = File::video();
    let created = platform.announce(&user, &file).await;
    let url = created["upload"]["url"].as_str().unwrap();
    let (before, token) = url.split_once("X-Amz-Security-Token=").expect("signed by a session");
    let (token, after) = token.split_once('&').unwrap_or((token, ""));
    let mut tampered: Vec<char> = token.chars().collect();
    let middle = tampered.iter().rposition(char::is_ascii_lowercase).unwrap();
    tampered[middle] = if tampered[middle] == 'a' { 'b' } else { 'a' };
    let tampered: String = tampered.into_iter().collect();
    for url in [format!("{before}{after}"), format!("{before}X-Amz-Security-Token={tampered}&{after}")] {
        let changed = json!({"url": url, "headers": created["upload"]["headers"]});
        let status = platform.put(&changed, file.bytes.clone()).await.status();
        assert!(matches!(status, StatusCode::FORBIDDEN | StatusCode::BAD_REQUEST), "{status}");
    }
}

async fn creating_makes_no_more_calls_than_needed(_shared: &Platform) {
    let platform = Platform::start(|_| {}).await;
    let user = platform.sign_up().await;
    // The role's credentials are there from the start.
    let sequence = platform.calls().sequence();
    platform.announce(&user, &File::video()).await;
    let calls = platform.calls().since(sequence).into_iter().filter(|call| call.service != "sqs");
    let calls: Vec<String> = calls.map(|call| call.operation).collect();
    assert_eq!(calls, ["GetItem", "UpdateItem", "TransactWriteItems"]);
    platform.shut_down().await;
}

async fn an_upload_leaves_its_records(platform: &Platform) {
    let user = platform.sign_up().await;
    let file = File::video();
    let created = platform.announce(&user, &file).await;
    let media_id = created["media"]["id"].as_str().unwrap();
    let reserved = || async {
        let usage = platform.item(&format!("USER#{}", user.id), "USAGE").await.unwrap();
        usage["size_bytes"].as_n().unwrap().clone()
    };

    // Announced: the upload is open, its bytes are reserved, and the sweep is to look at it.
    let upload_key = format!("UPLOAD#{}", created["upload"]["upload_id"].as_str().unwrap());
    let upload = platform.item(&upload_key, "UPLOAD").await.unwrap();
    assert_eq!(upload["state"].as_s().unwrap(), "open");
    assert_eq!(reserved().await, file.bytes.len().to_string());
    assert_eq!(platform.kinds_of_work(media_id).await, ["upload"]);
    let record = platform.item(&format!("MEDIA#{media_id}"), "RECORD").await.unwrap();
    assert!(record["GSI1PK"].as_s().unwrap().starts_with("UNLISTED#"));
    assert_eq!(record["GSI2PK"].as_s().unwrap(), &format!("OWNER#{}", user.id));

    // Ready: the upload has ended, nothing is owed, and the media is listed.
    platform.put(&created["upload"], file.bytes.clone()).await;
    platform.settled(&user, media_id).await;
    let upload = platform.item(&upload_key, "UPLOAD").await.unwrap();
    assert_eq!(upload["state"].as_s().unwrap(), "completed");
    assert!(upload["expires_at"].as_n().is_ok());
    assert_eq!(reserved().await, file.bytes.len().to_string());
    assert_eq!(platform.kinds_of_work(media_id).await, Vec::<String>::new());
    let record = platform.item(&format!("MEDIA#{media_id}"), "RECORD").await.unwrap();
    assert!(record["GSI1PK"].as_s().unwrap().starts_with("LISTED#"));
}
