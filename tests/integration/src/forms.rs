//! Files in forms: stored in the request that brings them.

use std::sync::atomic::{AtomicUsize, Ordering};

use aws_sdk_dynamodb::types::AttributeValue;
use local::aws::{Answer, Attempt};
use reqwest::multipart::{Form, Part};
use reqwest::{Method, Response, StatusCode};
use serde_json::{Value, json};

use crate::platform::{File, Platform, User, expect, expect_problem, pointers};

crate::tests![
    a_form_is_stored_in_its_request,
    a_form_makes_no_more_calls_than_needed,
    the_type_may_be_left_to_the_content,
    what_a_form_may_have_is_bounded,
    the_same_file_is_stored_once,
    what_was_announced_can_come_in_a_form,
    a_form_whose_answer_got_lost_can_be_sent_again,
    a_form_that_was_not_stored_can_be_sent_again,
    a_form_whose_upload_has_ended_is_refused,
    a_key_stands_for_one_form,
    broken_forms_are_refused,
    every_wrong_field_of_a_form_is_named,
    a_viewer_sends_no_form,
    the_alias_answers_when_the_video_plays,
    the_alias_tells_what_is_wrong_with_a_video,
    the_alias_does_not_wait_for_ever,
    the_alias_takes_videos_only,
];

const ALIAS: &str = "/api/v1/s3-media/upload";
const ROUTES: [&str; 3] = ["/media", "/content", ALIAS];
/// The header of a picture of one pixel.
const PNG: &[u8] = b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR\0\0\0\x01\0\0\0\x01\x08\0\0\0\0";

/// A form with just this file.
pub(crate) fn form_of(file: &File) -> Form {
    let part = Part::bytes(file.bytes.clone()).file_name(file.name.clone());
    Form::new().part("file", part.mime_str(file.content_type).unwrap())
}

/// A form with this file and its title.
fn titled(file: &File) -> Form {
    form_of(file).text("title", file.name.clone())
}

fn image() -> Part {
    Part::bytes(PNG).file_name("a.png").mime_str("image/png").unwrap()
}

/// A small video that nobody else has sent: the last bytes are a frame's.
fn another_video() -> File {
    static COUNT: AtomicUsize = AtomicUsize::new(0);
    let mut file = File::video();
    let number = u32::try_from(COUNT.fetch_add(1, Ordering::Relaxed)).unwrap();
    let start = file.bytes.len() - 4;
    file.bytes[start..].copy_from_slice(&number.to_be_bytes());
    file
}

async fn send(platform: &Platform, user: &User, path: &str, form: Form) -> Response {
    platform.request(Method::POST, path).bearer_auth(&user.token).multipart(form).send().await.unwrap()
}

async fn send_under(platform: &Platform, user: &User, path: &str, form: Form, key: &str) -> Response {
    let request = platform.request(Method::POST, path).bearer_auth(&user.token);
    request.header("idempotency-key", key).multipart(form).send().await.unwrap()
}

fn id_of(created: &Value) -> &str {
    let id = if created["media_id"].is_string() { &created["media_id"] } else { &created["media"]["id"] };
    id.as_str().unwrap_or_else(|| panic!("{created:#}"))
}

async fn reserved(platform: &Platform, user: &User) -> String {
    let usage = platform.item(&format!("USER#{}", user.id), "USAGE").await.unwrap();
    usage["size_bytes"].as_n().unwrap().clone()
}

fn is_put_by_a_function(attempt: &Attempt) -> bool {
    attempt.operation == "PutObject" && matches!(attempt.principal, local::aws::Principal::Function(_))
}

/// A platform of one's own on which nothing is processed until the interception is dropped, nor waited for.
async fn idle_platform() -> (Platform, local::aws::Interception) {
    let platform = Platform::start(|options| {
        options.parameters.insert("ReadyWaitSeconds".to_owned(), "0".to_owned());
    })
    .await;
    let interception = platform.hold_processing().await;
    (platform, interception)
}

async fn a_form_is_stored_in_its_request(platform: &Platform) {
    let file = File::video();
    for path in ["/media", "/content"] {
        let user = platform.sign_up().await;
        let sequence = platform.calls().sequence();
        let form = form_of(&file)
            .text("title", "A \"film\"")
            .text("description", "Two\nlines")
            .text("content_type", "video")
            .text("tags", "a, b,a")
            .text("visibility", "private")
            .text("thumbnail_url", "https://example.com/a.jpg")
            .text("duration", "3600.5")
            .part("miniature", image());
        let answer = send(platform, &user, path, form).await;
        let location = answer.headers()["location"].to_str().unwrap().to_owned();
        let created = expect(answer, StatusCode::CREATED).await;
        assert_eq!(location, format!("/media/{}", id_of(&created)));
        let names: Vec<&String> = created.as_object().unwrap().keys().collect();
        assert_eq!(names, ["media"], "nothing is to be sent");
        let media = &created["media"];
        for (name, expected) in [
            ("status", json!("awaiting_upload")),
            ("owner_id", json!(user.id)),
            ("title", json!("A \"film\"")),
            ("description", json!("Two\nlines")),
            ("tags", json!(["a", "b"])),
            ("kind", json!("video")),
            ("content_type", json!("video/mp4")),
            ("filename", json!(file.name)),
            ("size_bytes", json!(file.bytes.len())),
            ("checksum_sha256", json!(file.sha256())),
            ("visibility", json!("private")),
            ("thumbnail_url", json!("https://example.com/a.jpg")),
            ("duration_seconds", json!(3600.5)),
        ] {
            assert_eq!(media[name], expected, "{name}");
        }
        let is_stored = |key: &str| {
            let object = format!("uploads/{}/{key}", id_of(&created));
            platform.calls().since(sequence).iter().any(|call| {
                call.operation == "PutObject" && call.actions.iter().any(|(_, arn)| arn.ends_with(&object))
            })
        };
        assert!(is_stored("source") && is_stored("miniature"));

        let media = platform.settled(&user, id_of(&created)).await;
        assert_eq!((&media["status"], &media["checksum_verified"]), (&json!("ready"), &json!("sha256")));
        assert!(media["duration_seconds"].as_f64().unwrap() < 60.0, "it is measured");
        let played = crate::processing::play(platform, &user, id_of(&created)).await;
        assert!(played == file.bytes, "what was sent is what plays");
    }
}

async fn a_form_makes_no_more_calls_than_needed(_shared: &Platform) {
    let (platform, interception) = idle_platform().await;
    let user = platform.sign_up().await;
    let calls_of = async |form| {
        let sequence = platform.calls().sequence();
        expect(send(&platform, &user, "/media", form).await, StatusCode::CREATED).await;
        let calls = platform.calls().since(sequence).into_iter().filter(|call| call.service != "sqs");
        calls.map(|call| call.operation).collect::<Vec<_>>()
    };
    let file = another_video();
    assert_eq!(calls_of(titled(&file)).await, ["GetItem", "UpdateItem", "TransactWriteItems", "PutObject"]);
    let with_miniature = titled(&another_video()).part("miniature", image());
    assert_eq!(
        calls_of(with_miniature).await,
        ["GetItem", "UpdateItem", "TransactWriteItems", "PutObject", "PutObject"],
        "no signature, and so no credentials"
    );
    drop(interception);
    platform.shut_down().await;
}

async fn the_type_may_be_left_to_the_content(platform: &Platform) {
    let user = platform.sign_up().await;
    for (name, declared, found) in [
        ("v_vp9_opus.webm", Some("video"), "video/matroska"),
        ("v_two_audio_subs.mkv", None, "video/matroska"),
        ("v_aac.m4a", Some("audio"), "audio/mp4"),
        ("v_flac.oga", None, "audio/ogg"),
    ] {
        // As curl sends what it does not know.
        let file = File { content_type: "application/octet-stream", ..File::sample(name) };
        let form = match declared {
            Some(declared) => titled(&file).text("content_type", declared),
            None => titled(&file),
        };
        let created = expect(send(platform, &user, "/media", form).await, StatusCode::CREATED).await;
        assert_eq!(created["media"]["content_type"], found, "{name}");
        assert_eq!(platform.settled(&user, id_of(&created)).await["status"], "ready", "{name}");
    }
}

async fn what_a_form_may_have_is_bounded(platform: &Platform) {
    const MAX_FORM_BYTES: usize = 4 * 1024 * 1024;
    const TAIL: &str = "\r\n--b--\r\n";
    let head = "--b\r\nContent-Disposition: form-data; name=\"title\"\r\n\r\nT\r\n\
                --b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.mp4\"\r\n\
                Content-Type: video/mp4\r\n\r\n";
    // As long as needed, by a box that players skip.
    let body = |size_bytes: usize| {
        let mut film = another_video().bytes;
        let filler = size_bytes - head.len() - TAIL.len() - film.len();
        film.extend(
            [&u32::try_from(filler).unwrap().to_be_bytes()[..], b"free", &vec![0; filler - 8]].concat(),
        );
        [head.as_bytes(), &film, TAIL.as_bytes()].concat()
    };
    let user = platform.sign_up().await;
    for path in ROUTES {
        let post = |body: Vec<u8>| {
            let request = platform.request(Method::POST, path).bearer_auth(&user.token);
            request.header("content-type", "multipart/form-data; boundary=b").body(body).send()
        };
        let created = expect(post(body(MAX_FORM_BYTES)).await.unwrap(), StatusCode::CREATED).await;
        assert_eq!(platform.settled(&user, id_of(&created)).await["status"], "ready", "{path}");
        let answer = post(body(MAX_FORM_BYTES + 1)).await.unwrap();
        let problem = expect_problem(answer, StatusCode::PAYLOAD_TOO_LARGE, "use_direct_upload").await;
        assert!(problem["detail"].as_str().unwrap().contains("POST /media with JSON"), "{problem}");
    }
}

async fn the_same_file_is_stored_once(platform: &Platform) {
    let (user, other) = (platform.sign_up().await, platform.sign_up().await);
    let file = File::video();
    let first = expect(send(platform, &user, "/media", titled(&file)).await, StatusCode::CREATED).await;
    assert_eq!(platform.settled(&user, id_of(&first)).await["status"], "ready");

    let sequence = platform.calls().sequence();
    let again = titled(&file).text("description", "again");
    let second = expect(send(platform, &user, "/content", again).await, StatusCode::OK).await;
    assert_eq!((id_of(&second), &second["duplicate"]), (id_of(&first), &json!(true)));
    assert_eq!((&second["media"]["status"], &second["media"]["description"]), (&json!("ready"), &json!("")));
    let third = expect(send(platform, &user, ALIAS, form_of(&file)).await, StatusCode::CREATED).await;
    assert_eq!(id_of(&third), id_of(&first));
    let key = format!("uploads/{}/source", id_of(&first));
    let puts = platform.calls().since(sequence).into_iter().filter(|call| {
        call.operation == "PutObject" && call.actions.iter().any(|(_, arn)| arn.ends_with(&key))
    });
    assert_eq!(puts.count(), 0, "it is there already");
    assert_eq!(reserved(platform, &user).await, file.bytes.len().to_string());

    // Never across owners.
    let theirs = expect(send(platform, &other, "/media", titled(&file)).await, StatusCode::CREATED).await;
    assert_ne!(id_of(&theirs), id_of(&first));
}

async fn what_was_announced_can_come_in_a_form(platform: &Platform) {
    let user = platform.sign_up().await;
    for (method, path) in [("put", "/media"), ("post", "/content"), ("multipart", "/media"), ("put", ALIAS)] {
        let file = another_video();
        let mut body = file.announcement();
        body["upload_method"] = json!(method);
        body["checksum_sha256"] = json!(file.sha256());
        // Of a single piece that comes with a SHA-256, S3 keeps no CRC-64/NVME.
        body["checksum_crc64nvme"] = json!("AAAAAAAAAAA=");
        body["content_type"] = json!("video/quicktime");
        body["miniature"] =
            json!({"filename": "a.png", "content_type": "image/png", "size_bytes": PNG.len()});
        let announced = expect(platform.post_as(&user, "/media", &body).await, StatusCode::CREATED).await;

        let sequence = platform.calls().sequence();
        let form = titled(&file).part("miniature", image());
        let status = if path == ALIAS { StatusCode::CREATED } else { StatusCode::OK };
        let stored = expect(send(platform, &user, path, form).await, status).await;
        assert_eq!(id_of(&stored), id_of(&announced), "{method}");
        let media = platform.settled(&user, id_of(&announced)).await;
        assert_eq!(
            (&media["status"], &media["content_type"], &media["checksum_verified"]),
            (&json!("ready"), &json!("video/quicktime"), &json!("sha256")),
            "{method}: {media:#}"
        );
        let key = format!("uploads/{}/miniature", id_of(&announced));
        let puts = platform.calls().since(sequence).into_iter().filter(|call| {
            call.operation == "PutObject" && call.actions.iter().any(|(_, arn)| arn.ends_with(&key))
        });
        assert_eq!(puts.count(), 1, "the miniature that was announced");
    }

    // A miniature that is not the announced one is not put in its place.
    let file = another_video();
    let mut body = file.announcement();
    body["checksum_sha256"] = json!(file.sha256());
    body["miniature"] = json!({"filename": "a.png", "content_type": "image/png", "size_bytes": 1});
    let announced = expect(platform.post_as(&user, "/media", &body).await, StatusCode::CREATED).await;
    let sequence = platform.calls().sequence();
    let form = titled(&file).part("miniature", image());
    expect(send(platform, &user, "/media", form).await, StatusCode::OK).await;
    let key = format!("uploads/{}/miniature", id_of(&announced));
    let calls = platform.calls().since(sequence);
    assert!(!calls.iter().any(|call| call.actions.iter().any(|(_, arn)| arn.ends_with(&key))));
}

async fn a_form_whose_answer_got_lost_can_be_sent_again(_shared: &Platform) {
    let (platform, idle) = idle_platform().await;
    let user = platform.sign_up().await;
    for path in ROUTES {
        let file = another_video();
        let lost = AtomicUsize::new(0);
        let interception = platform.calls().intercept(move |attempt| {
            let is_first = is_put_by_a_function(attempt) && lost.fetch_add(1, Ordering::SeqCst) == 0;
            is_first.then_some(Answer::DropAnswer)
        });
        let sequence = platform.calls().sequence();
        // S3's answer gets lost; the SDK asks again, and is told that the object is there.
        let first =
            expect(send_under(&platform, &user, path, titled(&file), path).await, StatusCode::CREATED).await;
        drop(interception);
        let puts = platform.calls().since(sequence).into_iter().filter(|call| call.operation == "PutObject");
        assert_eq!(puts.map(|call| call.outcome.status).collect::<Vec<_>>(), [0, 412], "{path}");
        // Ours gets lost; the client asks again.
        let second =
            expect(send_under(&platform, &user, path, titled(&file), path).await, StatusCode::CREATED).await;
        assert_eq!(id_of(&second), id_of(&first), "{path}");
        assert_eq!(second.get("duplicate"), None, "it is the same request");
    }
    assert_eq!(reserved(&platform, &user).await, (3 * File::video().bytes.len()).to_string());
    drop(idle);
    platform.idle().await;
    platform.shut_down().await;
}

async fn a_form_that_was_not_stored_can_be_sent_again(_shared: &Platform) {
    let platform = Platform::start(|_| {}).await;
    let user = platform.sign_up().await;
    for (path, key) in [("/media", Some("1")), ("/media", None), (ALIAS, Some("2")), (ALIAS, None)] {
        let file = another_video();
        let send_it = async || match key {
            Some(key) => send_under(&platform, &user, path, titled(&file), key).await,
            None => send(&platform, &user, path, titled(&file)).await,
        };
        let interception =
            platform.calls().intercept(|attempt| is_put_by_a_function(attempt).then_some(Answer::Drop));
        let place = format!("{path}, {key:?}");
        expect_problem(send_it().await, StatusCode::SERVICE_UNAVAILABLE, "unavailable").await;
        drop(interception);
        // Without a key it is the same file all the same.
        let is_repeated = key.is_some() || path == ALIAS;
        let status = if is_repeated { StatusCode::CREATED } else { StatusCode::OK };
        let created = expect(send_it().await, status).await;
        assert_eq!(platform.settled(&user, id_of(&created)).await["status"], "ready", "{place}");
    }
    platform.idle().await;
    let usage: usize = reserved(&platform, &user).await.parse().unwrap();
    assert_eq!(usage, 4 * File::video().bytes.len(), "each was announced once");
    platform.shut_down().await;
}

async fn a_form_whose_upload_has_ended_is_refused(_shared: &Platform) {
    let platform = Platform::start(|options| {
        options.parameters.insert("UploadDeadlineSeconds".to_owned(), "3600".to_owned());
    })
    .await;
    let user = platform.sign_up().await;
    let file = another_video();
    let interception =
        platform.calls().intercept(|attempt| is_put_by_a_function(attempt).then_some(Answer::Drop));
    let answer = send_under(&platform, &user, "/media", titled(&file), "k").await;
    expect_problem(answer, StatusCode::SERVICE_UNAVAILABLE, "unavailable").await;
    drop(interception);
    // Past its deadline, and then swept: the key is remembered for longer, and must not pass for a file that is stored.
    platform.set_clock_offset(2 * 3600);
    let user = User { token: platform.log_in(&user.email).await, ..user };
    for is_swept in [false, true] {
        if is_swept {
            platform.stack.run_schedule("sweep").await.unwrap();
        }
        let answer = send_under(&platform, &user, "/media", titled(&file), "k").await;
        expect_problem(answer, StatusCode::CONFLICT, "upload_ended").await;
    }
    let created =
        expect(send_under(&platform, &user, "/media", titled(&file), "l").await, StatusCode::CREATED).await;
    assert_eq!(platform.settled(&user, id_of(&created)).await["status"], "ready");
    platform.shut_down().await;
}

async fn a_key_stands_for_one_form(platform: &Platform) {
    let user = platform.sign_up().await;
    let file = another_video();
    let form = || titled(&file).part("miniature", image());
    let first = expect(send_under(platform, &user, "/media", form(), "k").await, StatusCode::CREATED).await;
    let again = expect(send_under(platform, &user, "/media", form(), "k").await, StatusCode::CREATED).await;
    assert_eq!(id_of(&again), id_of(&first));
    let other_png = [&PNG[..PNG.len() - 1], b"\x02"].concat();
    let other_png = Part::bytes(other_png).file_name("a.png").mime_str("image/png").unwrap();
    for other in [
        form().text("description", "another"),
        titled(&another_video()).part("miniature", image()),
        titled(&file).part("miniature", other_png),
    ] {
        let answer = send_under(platform, &user, "/media", other, "k").await;
        expect_problem(answer, StatusCode::UNPROCESSABLE_ENTITY, "idempotency_key_reused").await;
    }
}

async fn broken_forms_are_refused(platform: &Platform) {
    let user = platform.sign_up().await;
    for path in ROUTES {
        let post = |content_type: &str, body: &'static str| {
            let request = platform.request(Method::POST, path).bearer_auth(&user.token);
            request.header("content-type", content_type).body(body).send()
        };
        for (content_type, body) in [
            ("multipart/form-data", "--b--\r\n"),
            ("multipart/form-data; boundary=b", "--no--\r\n"),
            (
                "multipart/form-data; boundary=b",
                "--b\r\nContent-Disposition: form-data; name=\"title\"\r\n\r\nT",
            ),
            ("multipart/form-data; boundary=b", "--b\r\n\r\nT\r\n--b--\r\n"),
        ] {
            let answer = post(content_type, body).await.unwrap();
            expect_problem(answer, StatusCode::BAD_REQUEST, "malformed_form").await;
        }
        let answer = post("text/plain", "T").await.unwrap();
        expect_problem(answer, StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type").await;
    }
    let answer = platform.post_as(&user, ALIAS, &File::video().announcement()).await;
    expect_problem(answer, StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type").await;
}

async fn every_wrong_field_of_a_form_is_named(platform: &Platform) {
    let user = platform.sign_up().await;
    let text = File { name: "a.txt".to_owned(), content_type: "text/plain", bytes: b"Dear diary".to_vec() };
    let wrong = form_of(&text)
        .text("title", "")
        .text("tags", ",")
        .text("visibility", "public")
        .text("duration", "long")
        .text("colour", "red")
        .part("miniature", Part::bytes(PNG).file_name("a.svg").mime_str("image/svg+xml").unwrap());
    let answer = send(platform, &user, "/media", wrong).await;
    let problem = expect_problem(answer, StatusCode::UNPROCESSABLE_ENTITY, "invalid").await;
    assert_eq!(
        pointers(&problem),
        ["/title", "/tags", "/visibility", "/duration", "/file", "/miniature", "/colour"]
    );

    let audio = File::sample("v_aac.m4a");
    let wrong_kind = titled(&audio).text("content_type", "video");
    let answer = send(platform, &user, "/media", wrong_kind).await;
    let problem = expect_problem(answer, StatusCode::UNPROCESSABLE_ENTITY, "invalid").await;
    assert_eq!(problem["detail"], "/file must be video; this is audio.");

    // The alias passes over what it does not know.
    let colourful = titled(&another_video()).text("colour", "red");
    expect(send(platform, &user, "/content", colourful).await, StatusCode::CREATED).await;
}

async fn a_viewer_sends_no_form(platform: &Platform) {
    let user = platform.sign_up().await;
    platform.set_profile(&user, "role", AttributeValue::S("viewer".to_owned())).await;
    for path in ROUTES {
        let answer = send(platform, &user, path, titled(&File::video())).await;
        expect_problem(answer, StatusCode::FORBIDDEN, "role_insufficient").await;
        let answer =
            platform.request(Method::POST, path).multipart(titled(&File::video())).send().await.unwrap();
        expect_problem(answer, StatusCode::UNAUTHORIZED, "token_missing").await;
    }
}

async fn the_alias_answers_when_the_video_plays(platform: &Platform) {
    let user = platform.sign_up().await;
    let file = File::video();
    let form = form_of(&file).text("colour", "red").text("description", "A film");
    let answer = send(platform, &user, ALIAS, form).await;
    let location = answer.headers()["location"].to_str().unwrap().to_owned();
    let uploaded = expect(answer, StatusCode::CREATED).await;
    assert_eq!(location, format!("/media/{}", id_of(&uploaded)));
    let names: Vec<&String> = uploaded.as_object().unwrap().keys().collect();
    assert_eq!(names, ["media_id", "message", "storage_url", "success"]);
    assert_eq!(uploaded["success"], true);
    assert_eq!(uploaded["message"], "The file is uploaded and ready.");

    let redirect = platform.http.get(uploaded["storage_url"].as_str().unwrap()).send().await.unwrap();
    assert_eq!(redirect.status(), StatusCode::FOUND);
    let played = platform.http.get(redirect.headers()["location"].to_str().unwrap()).send().await.unwrap();
    assert!(played.bytes().await.unwrap() == file.bytes, "what was sent is what plays");
    let media = expect(platform.get(&user, &location).await, StatusCode::OK).await;
    assert_eq!((&media["title"], &media["description"]), (&json!(file.name), &json!("A film")));

    let again = expect(send(platform, &user, ALIAS, form_of(&file)).await, StatusCode::CREATED).await;
    assert_eq!(id_of(&again), id_of(&uploaded));
    assert_eq!(again["message"], "The same file was uploaded before, and is ready.");
}

async fn the_alias_tells_what_is_wrong_with_a_video(platform: &Platform) {
    let user = platform.sign_up().await;
    let file = File::sample("v_bad_text.mp4");
    let answer = send(platform, &user, ALIAS, form_of(&file)).await;
    let problem = expect_problem(answer, StatusCode::UNPROCESSABLE_ENTITY, "media_rejected").await;
    assert!(problem["detail"].as_str().unwrap().contains("looks like plain text"), "{problem}");
}

async fn the_alias_does_not_wait_for_ever(_shared: &Platform) {
    let (platform, interception) = idle_platform().await;
    let user = platform.sign_up().await;
    let file = File::video();
    let uploaded = expect(send(&platform, &user, ALIAS, form_of(&file)).await, StatusCode::CREATED).await;
    assert_eq!(uploaded["success"], true);
    assert!(uploaded["message"].as_str().unwrap().contains("not ready yet"), "{uploaded}");
    let storage_url = uploaded["storage_url"].as_str().unwrap();
    let answer = platform.http.get(storage_url).send().await.unwrap();
    expect_problem(answer, StatusCode::CONFLICT, "not_ready").await;
    drop(interception);
    assert_eq!(platform.settled(&user, id_of(&uploaded)).await["status"], "ready");
    assert_eq!(platform.http.get(storage_url).send().await.unwrap().status(), StatusCode::FOUND);
    platform.shut_down().await;
}

async fn the_alias_takes_videos_only(platform: &Platform) {
    let user = platform.sign_up().await;
    let text = File { name: "a.txt".to_owned(), content_type: "text/plain", bytes: b"Dear diary".to_vec() };
    for file in [File::sample("v_aac.m4a"), File::sample("v_cbr.mp3"), text] {
        let answer = send(platform, &user, ALIAS, form_of(&file)).await;
        let problem = expect_problem(answer, StatusCode::UNPROCESSABLE_ENTITY, "invalid").await;
        assert_eq!(pointers(&problem), ["/file"], "{}", file.name);
    }
    let answer = send(platform, &user, ALIAS, Form::new().text("title", "T")).await;
    let problem = expect_problem(answer, StatusCode::UNPROCESSABLE_ENTITY, "invalid").await;
    assert_eq!(pointers(&problem), ["/file"]);
}
