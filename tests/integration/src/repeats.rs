//! Announcing again: under an idempotency key, and the same bytes.

use std::collections::BTreeSet;
use std::num::NonZeroU32;

use domain::Media;
use local::aws::{Answer, Disturbance, Principal};
use reqwest::{Method, Response, StatusCode};
use serde_json::{Value, json};

use crate::methods::send;
use crate::platform::{File, PATIENCE, Platform, User, expect, expect_problem, pointers};
use crate::quota::step;

crate::tests![
    the_same_request_gives_the_same_media,
    another_request_under_the_same_key_is_refused,
    a_key_has_one_spelling,
    a_key_makes_one_media_however_often_it_is_sent,
    an_answer_that_was_lost_is_given_again,
    conflicts_make_no_second_media,
    a_key_is_forgotten_after_a_day,
    an_upload_past_its_deadline_is_not_signed_again,
    the_same_bytes_at_the_same_time_are_one_media,
    the_same_bytes_are_awaited_once,
    bytes_that_are_there_are_not_sent_again,
    bytes_are_known_to_their_owner_only,
    bytes_that_were_rejected_or_never_came_may_come_again,
];

const DAY_SECONDS: i64 = 24 * 3600;

async fn announce_under(platform: &Platform, user: &User, key: &str, body: &Value) -> Response {
    let request =
        platform.request(Method::POST, "/media").bearer_auth(&user.token).header("idempotency-key", key);
    request.json(body).send().await.unwrap()
}

/// A film's announcement with its digest.
fn with_digest(file: &File) -> Value {
    let mut body = file.announcement();
    body["checksum_sha256"] = json!(file.sha256());
    body
}

fn id(created: &Value) -> &str {
    created["media"]["id"].as_str().unwrap()
}

async fn reserved_bytes(platform: &Platform, user: &User) -> usize {
    let usage = platform.item(&format!("USER#{}", user.id), "USAGE").await.unwrap();
    usage["size_bytes"].as_n().unwrap().parse().unwrap()
}

async fn the_same_request_gives_the_same_media(platform: &Platform) {
    let user = platform.sign_up().await;
    let file = File::video();
    for method in ["put", "post", "multipart"] {
        let mut body = file.announcement();
        body["upload_method"] = json!(method);
        body["miniature"] = json!({"filename": "m.png", "content_type": "image/png", "size_bytes": 10});
        let again = || announce_under(platform, &user, method, &body);
        let first = expect(again().await, StatusCode::CREATED).await;
        let answer = again().await;
        assert_eq!(answer.headers()["location"], format!("/media/{}", id(&first)));
        let second = expect(answer, StatusCode::CREATED).await;
        assert_eq!((&second["media"], second.get("duplicate")), (&first["media"], None));
        for upload in ["upload", "miniature_upload"] {
            assert_eq!(second[upload]["upload_id"], first[upload]["upload_id"]);
        }
        // What was signed again is as good as the first.
        send(platform, &second, &file.bytes).await;
        assert_eq!(platform.settled(&user, id(&first)).await["status"], "ready");
        let third = expect(again().await, StatusCode::CREATED).await;
        assert_eq!((id(&third), &third["media"]["status"]), (id(&first), &json!("ready")));
        assert_eq!((third.get("upload"), third.get("duplicate")), (None, None), "there is nothing to send");
    }
}

async fn another_request_under_the_same_key_is_refused(platform: &Platform) {
    let user = platform.sign_up().await;
    let body = File::video().announcement();
    let first = expect(announce_under(platform, &user, "key", &body).await, StatusCode::CREATED).await;
    let mut other = body.clone();
    other["title"] = json!("Another");
    let answer = announce_under(platform, &user, "key", &other).await;
    expect_problem(answer, StatusCode::UNPROCESSABLE_ENTITY, "idempotency_key_reused").await;
    // Written otherwise it is the same request, on either route.
    let mut same = body.clone();
    same["tags"] = json!([]);
    let request =
        platform.request(Method::POST, "/content").bearer_auth(&user.token).header("idempotency-key", "key");
    let again = expect(request.json(&same).send().await.unwrap(), StatusCode::CREATED).await;
    assert_eq!(id(&again), id(&first));
    // Another's key is another's.
    let stranger = platform.sign_up().await;
    let theirs = expect(announce_under(platform, &stranger, "key", &other).await, StatusCode::CREATED).await;
    assert_ne!(id(&theirs), id(&first));
}

async fn a_key_has_one_spelling(platform: &Platform) {
    let user = platform.sign_up().await;
    let body = File::video().announcement();
    for key in ["", "two words", &"k".repeat(256)] {
        let answer = announce_under(platform, &user, key, &body).await;
        let problem = expect_problem(answer, StatusCode::UNPROCESSABLE_ENTITY, "invalid").await;
        assert_eq!(pointers(&problem), ["Idempotency-Key"]);
    }
    expect(announce_under(platform, &user, &"k".repeat(255), &body).await, StatusCode::CREATED).await;
}

async fn a_key_makes_one_media_however_often_it_is_sent(platform: &Platform) {
    let user = platform.sign_up().await;
    let body = File::video().announcement();
    let answers = (0..32).map(|_| announce_under(platform, &user, "key", &body));
    let mut ids = BTreeSet::new();
    for answer in futures::future::join_all(answers).await {
        ids.insert(id(&expect(answer, StatusCode::CREATED).await).to_owned());
    }
    assert_eq!(ids.len(), 1);
    assert_eq!(reserved_bytes(platform, &user).await, File::video().bytes.len());
}

async fn an_answer_that_was_lost_is_given_again(_shared: &Platform) {
    let platform = Platform::start(|_| {}).await;
    let user = platform.sign_up().await;
    for method in ["put", "multipart"] {
        let mut body = File::video().announcement();
        body["upload_method"] = json!(method);
        // All is recorded, and the function dies before it can say so.
        let interception = platform.calls().intercept(|attempt| {
            let is_meant = attempt.operation == "TransactWriteItems"
                && matches!(&attempt.principal, Principal::Function(id) if id == "CreateMediaFunction");
            is_meant.then_some(Answer::DropAnswer)
        });
        let answer = announce_under(&platform, &user, method, &body).await;
        expect_problem(answer, StatusCode::SERVICE_UNAVAILABLE, "unavailable").await;
        drop(interception);
        let recorded = reserved_bytes(&platform, &user).await;
        let created =
            expect(announce_under(&platform, &user, method, &body).await, StatusCode::CREATED).await;
        assert_eq!(reserved_bytes(&platform, &user).await, recorded, "it was recorded the first time");
        let open =
            platform.s3().list_multipart_uploads().bucket(platform.bucket("IngestBucket")).send().await;
        assert_eq!(open.unwrap().uploads().len(), usize::from(method == "multipart"));
        send(&platform, &created, &File::video().bytes).await;
        assert_eq!(platform.settled(&user, id(&created)).await["status"], "ready");
    }
    assert_eq!(reserved_bytes(&platform, &user).await, 2 * File::video().bytes.len());
    platform.shut_down().await;
}

async fn conflicts_make_no_second_media(_shared: &Platform) {
    let platform = Platform::start(|_| {}).await;
    let user = platform.sign_up().await;
    platform.aws().disturb(Disturbance {
        conflict_one_in: NonZeroU32::new(5),
        operations: BTreeSet::from(["TransactWriteItems".to_owned()]),
        ..Disturbance::default()
    });
    let sequence = platform.calls().sequence();
    let body = with_digest(&File::video());
    let under_one_key = (0..16).map(|_| announce_under(&platform, &user, "key", &body));
    let under_others = (0..16).map(|number| {
        let (platform, user, body, key) = (&platform, &user, &body, number.to_string());
        async move { announce_under(platform, user, &key, body).await }
    });
    let (under_one_key, under_others) = futures::future::join(
        futures::future::join_all(under_one_key),
        futures::future::join_all(under_others),
    )
    .await;
    let mut ids = BTreeSet::new();
    for answer in under_one_key.into_iter().chain(under_others) {
        assert!(answer.status().is_success(), "{}", answer.status());
        ids.insert(id(&answer.json().await.unwrap()).to_owned());
    }
    assert_eq!(ids.len(), 1);
    assert_eq!(reserved_bytes(&platform, &user).await, File::video().bytes.len());
    let calls = platform.calls().since(sequence);
    let transactions = calls.iter().filter(|call| call.operation == "TransactWriteItems").count();
    assert!(transactions > 32, "some met a conflict: {transactions}");
    platform.shut_down().await;
}

/// The user as they were when the functions' clock showed another time.
async fn at(platform: &Platform, user: &User, offset_seconds: i64) -> User {
    platform.set_clock_offset(offset_seconds);
    User { token: platform.log_in(&user.email).await, ..user.clone() }
}

async fn a_key_is_forgotten_after_a_day(_shared: &Platform) {
    let platform = Platform::start(|_| {}).await;
    let user = platform.sign_up().await;
    let body = File::video().announcement();
    let then = at(&platform, &user, -DAY_SECONDS - 60).await;
    let first = expect(announce_under(&platform, &then, "key", &body).await, StatusCode::CREATED).await;
    // It is remembered up to its last minute.
    let later = at(&platform, &user, -120).await;
    let again = expect(announce_under(&platform, &later, "key", &body).await, StatusCode::CREATED).await;
    assert_eq!(id(&again), id(&first));
    let now = at(&platform, &user, 0).await;
    let mut other = body.clone();
    other["title"] = json!("Another");
    let second = expect(announce_under(&platform, &now, "key", &other).await, StatusCode::CREATED).await;
    assert_ne!(id(&second), id(&first));
    // And remembered for a day again.
    let answer = announce_under(&platform, &now, "key", &body).await;
    expect_problem(answer, StatusCode::UNPROCESSABLE_ENTITY, "idempotency_key_reused").await;
    platform.shut_down().await;
}

async fn an_upload_past_its_deadline_is_not_signed_again(_shared: &Platform) {
    let platform = Platform::start(|options| {
        options.parameters.insert("UploadDeadlineSeconds".to_owned(), "3600".to_owned());
    })
    .await;
    let user = platform.sign_up().await;
    let body = with_digest(&File::video());
    // Further back than clocks may differ: what was counted in a future hour is passed over.
    let then = at(&platform, &user, -3700).await;
    let first = expect(announce_under(&platform, &then, "key", &body).await, StatusCode::CREATED).await;
    let now = at(&platform, &user, 0).await;
    // Its end is the sweep's to note. Until then it is neither there nor to be sent.
    let again = expect(announce_under(&platform, &now, "key", &body).await, StatusCode::CREATED).await;
    assert_eq!((id(&again), again.get("upload")), (id(&first), None));
    let answer = platform.post_as(&now, "/media", &body).await;
    expect_problem(answer, StatusCode::CONFLICT, "changed_meanwhile").await;
    platform.shut_down().await;
}

async fn the_same_bytes_at_the_same_time_are_one_media(platform: &Platform) {
    let user = platform.sign_up().await;
    let mut body = with_digest(&File::video());
    for size_bytes in 1..=32 {
        body["size_bytes"] = json!(size_bytes);
        let answers = (0..2).map(|_| platform.post_as(&user, "/media", &body));
        let (mut ids, mut statuses) = (BTreeSet::new(), Vec::new());
        for answer in futures::future::join_all(answers).await {
            statuses.push(answer.status().as_u16());
            let created: Value = answer.json().await.unwrap();
            ids.insert((
                id(&created).to_owned(),
                created["upload"]["upload_id"].as_str().unwrap().to_owned(),
            ));
        }
        statuses.sort_unstable();
        assert_eq!((ids.len(), statuses), (1, vec![200, 201]));
    }
    assert_eq!(reserved_bytes(platform, &user).await, (1..=32).sum::<usize>());
}

async fn the_same_bytes_are_awaited_once(platform: &Platform) {
    let file = File::video();
    for method in ["put", "post", "multipart"] {
        let user = platform.sign_up().await;
        let mut body = with_digest(&file);
        body["upload_method"] = json!(method);
        let first = expect(platform.post_as(&user, "/media", &body).await, StatusCode::CREATED).await;
        // However it is asked for now, it is sent as it was announced.
        body["upload_method"] = json!("multipart");
        body["title"] = json!("Another title");
        let answer = platform.post_as(&user, "/media", &body).await;
        assert_eq!(answer.headers()["location"], format!("/media/{}", id(&first)));
        let again = expect(answer, StatusCode::OK).await;
        assert_eq!((&again["media"], again.get("duplicate")), (&first["media"], None));
        assert_eq!(again["upload"]["method"], method);
        assert_eq!(again["upload"]["upload_id"], first["upload"]["upload_id"]);
        send(platform, &again, &file.bytes).await;
        assert_eq!(platform.settled(&user, id(&first)).await["status"], "ready");
    }
}

async fn bytes_that_are_there_are_not_sent_again(_shared: &Platform) {
    let platform = Platform::start(|_| {}).await;
    let user = platform.sign_up().await;
    let file = File::video();
    let body = with_digest(&file);
    let created = expect(platform.post_as(&user, "/media", &body).await, StatusCode::CREATED).await;
    let duplicate = async |status: &str| {
        let again = expect(platform.post_as(&user, "/media", &body).await, StatusCode::OK).await;
        assert_eq!((id(&again), again.get("upload")), (id(&created), None));
        assert_eq!((&again["duplicate"], &again["media"]["status"]), (&json!(true), &json!(status)));
    };
    // Publishing waits until it was asked in the middle of it.
    let (copying, mut is_copying) = tokio::sync::watch::channel(false);
    let interception = platform.calls().intercept(move |attempt| {
        (attempt.operation == "CopyObject").then(|| {
            copying.send_replace(true);
            Answer::Delay(std::time::Duration::from_secs(4))
        })
    });
    send(&platform, &created, &file.bytes).await;
    tokio::time::timeout(PATIENCE, is_copying.wait_for(|copying| *copying)).await.unwrap().unwrap();
    duplicate("processing").await;
    drop(interception);
    platform.settled(&user, id(&created)).await;
    duplicate("ready").await;
    // Another size or another digest is another file.
    for (name, value) in
        [("size_bytes", json!(1)), ("checksum_sha256", json!(File::sample("v_aac.m4a").sha256()))]
    {
        let mut other = body.clone();
        other[name] = value;
        let other = expect(platform.post_as(&user, "/media", &other).await, StatusCode::CREATED).await;
        assert_ne!(id(&other), id(&created), "{name}");
    }
    platform.shut_down().await;
}

async fn bytes_are_known_to_their_owner_only(platform: &Platform) {
    let (owner, stranger) = (platform.sign_up().await, platform.sign_up().await);
    let body = with_digest(&File::video());
    let first = expect(platform.post_as(&owner, "/media", &body).await, StatusCode::CREATED).await;
    send(platform, &first, &File::video().bytes).await;
    platform.settled(&owner, id(&first)).await;
    let theirs = expect(platform.post_as(&stranger, "/media", &body).await, StatusCode::CREATED).await;
    assert_ne!(id(&theirs), id(&first));
    assert!(theirs["upload"].is_object() && theirs.get("duplicate").is_none());
}

async fn bytes_that_were_rejected_or_never_came_may_come_again(platform: &Platform) {
    let user = platform.sign_up().await;
    let bad = File::sample("v_bad_text.mp4");
    let body = with_digest(&bad);
    let first = expect(platform.post_as(&user, "/media", &body).await, StatusCode::CREATED).await;
    send(platform, &first, &bad.bytes).await;
    assert_eq!(platform.settled(&user, id(&first)).await["status"], "rejected");
    let second = expect(platform.post_as(&user, "/media", &body).await, StatusCode::CREATED).await;
    step(platform, id(&second), Media::expire).await;
    let third = expect(platform.post_as(&user, "/media", &body).await, StatusCode::CREATED).await;
    let ids = BTreeSet::from([id(&first), id(&second), id(&third)]);
    assert_eq!(ids.len(), 3);
    // The end of the first two does not end the third's claim.
    let again = expect(platform.post_as(&user, "/media", &body).await, StatusCode::OK).await;
    assert_eq!(id(&again), id(&third));
    step(platform, id(&first), Media::without_leftovers).await;
    let again = expect(platform.post_as(&user, "/media", &body).await, StatusCode::OK).await;
    assert_eq!(id(&again), id(&third));
}
