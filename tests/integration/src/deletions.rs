//! Deleting media: out of sight at once, and gone with everything that belongs to them after a sweep.

use local::aws::{Answer, Principal};
use reqwest::{Method, Response, StatusCode};
use serde_json::json;

use crate::miniatures::{self, Image};
use crate::platform::{File, Platform, User, expect, expect_problem};
use crate::processing::{event_of, put_as_operator};
use crate::sweep::{DAYS, HOURS, MINUTES, left_in_s3, nothing, nothing_but, sweep_at, usage};

crate::tests![
    a_deleted_media_is_out_of_sight_at_once,
    a_sweep_removes_everything,
    an_upload_in_parts_is_deleted_with_its_parts,
    what_is_being_processed_is_deleted_when_that_has_ended,
    a_deletion_that_dies_at_any_call_is_made_up_for,
    what_an_edit_left_that_died_is_removed_too,
    a_deletion_and_edits_agree,
    only_owners_and_admins_delete,
];

async fn delete(platform: &Platform, user: &User, path: &str) -> Response {
    platform.request(Method::DELETE, path).bearer_auth(&user.token).send().await.unwrap()
}

async fn a_deleted_media_is_out_of_sight_at_once(platform: &Platform) {
    let (user, other) = (platform.sign_up().await, platform.sign_up().await);
    for path in ["/media", "/content", "/api/v1/s3-media"] {
        let file = File::video();
        let media = platform.upload(&user, &file).await;
        let media_id = media["id"].as_str().unwrap();
        let stale = platform.request(Method::DELETE, &format!("/media/{media_id}")).bearer_auth(&user.token);
        let answer = stale.header("if-match", "\"1\"").send().await.unwrap();
        expect_problem(answer, StatusCode::PRECONDITION_FAILED, "precondition_failed").await;

        let answer = delete(platform, &user, &format!("{path}/{media_id}")).await;
        if path == "/api/v1/s3-media" {
            let body = expect(answer, StatusCode::OK).await;
            assert_eq!((&body["success"], &body["media_id"]), (&json!(true), &json!(media_id)));
            let again = delete(platform, &user, &format!("{path}/{media_id}")).await;
            expect_problem(again, StatusCode::NOT_FOUND, "not_found").await;
        } else {
            assert_eq!(answer.status(), StatusCode::NO_CONTENT);
            let again = delete(platform, &user, &format!("{path}/{media_id}")).await;
            assert_eq!(again.status(), StatusCode::NO_CONTENT);
        }
        for gone in ["", "/stream-url"] {
            let answer = platform.get(&user, &format!("/media/{media_id}{gone}")).await;
            expect_problem(answer, StatusCode::NOT_FOUND, "not_found").await;
        }
        // To others it was never there.
        let answer = delete(platform, &other, &format!("/media/{media_id}")).await;
        expect_problem(answer, StatusCode::NOT_FOUND, "not_found").await;
    }
}

async fn a_sweep_removes_everything(_shared: &Platform) {
    let platform = Platform::start(|_| {}).await;
    let user = platform.sign_up().await;
    let mut body = File::video().announcement();
    body["checksum_sha256"] = json!(File::video().sha256());
    body["tags"] = json!(["holiday"]);
    let created = expect(platform.post_as(&user, "/media", &body).await, StatusCode::CREATED).await;
    let media_id = created["media"]["id"].as_str().unwrap().to_owned();
    platform.put(&created["upload"], File::video().bytes).await;
    assert_eq!(platform.settled(&user, &media_id).await["status"], "ready");
    platform.idle().await;
    assert!(!platform.items_of("TAG#holiday".to_owned()).await.is_empty());

    assert_eq!(
        delete(&platform, &user, &format!("/media/{media_id}")).await.status(),
        StatusCode::NO_CONTENT
    );
    // At once it is found no more, and the same file is a new one.
    assert!(platform.items_of("TAG#holiday".to_owned()).await.is_empty());
    let again = expect(platform.post_as(&user, "/media", &body).await, StatusCode::CREATED).await;
    assert_ne!(again["media"]["id"], media_id.as_str());

    let report = sweep_at(&platform, 0).await;
    assert_eq!(report, nothing_but("deleted", 1));
    let left = platform.items_of(format!("MEDIA#{media_id}")).await;
    assert_eq!(left.len(), 1, "{left:?}");
    assert!(left[0].contains_key("deleted_at") && !left[0].contains_key("title"));
    let upload_id = created["upload"]["upload_id"].as_str().unwrap();
    assert!(platform.item(&format!("UPLOAD#{upload_id}"), "UPLOAD").await.is_none());
    assert!(platform.work_of(&media_id).await.is_empty());
    assert_eq!(usage(&platform, &user).await, File::video().bytes.len(), "what the new one reserves");
    let (bucket, key) = (platform.bucket("MediaBucket"), format!("media/{media_id}/source"));
    assert!(platform.s3().head_object().bucket(bucket).key(key).send().await.is_err());
    assert_eq!(left_in_s3(&platform, &media_id).await, (false, 0));

    // The tombstone answers for a week.
    assert_eq!(
        delete(&platform, &user, &format!("/media/{media_id}")).await.status(),
        StatusCode::NO_CONTENT
    );
    platform.set_clock_offset(8 * DAYS);
    let user = User { token: platform.log_in(&user.email).await, ..user };
    let answer = delete(&platform, &user, &format!("/media/{media_id}")).await;
    expect_problem(answer, StatusCode::NOT_FOUND, "not_found").await;
    platform.shut_down().await;
}

async fn an_upload_in_parts_is_deleted_with_its_parts(_shared: &Platform) {
    let platform = Platform::start(|_| {}).await;
    let user = platform.sign_up().await;
    let created = crate::methods::announce_by(&platform, &user, &File::video(), "multipart").await;
    let media_id = created["media"]["id"].as_str().unwrap().to_owned();
    let url = created["upload"]["parts"][0]["url"].as_str().unwrap();
    let sent = platform.http.put(url).body(File::video().bytes).send().await.unwrap();
    assert_eq!(sent.status(), StatusCode::OK);
    assert_eq!(left_in_s3(&platform, &media_id).await, (false, 1));
    assert_eq!(
        delete(&platform, &user, &format!("/media/{media_id}")).await.status(),
        StatusCode::NO_CONTENT
    );
    assert_eq!(sweep_at(&platform, 0).await, nothing_but("deleted", 1));
    assert_eq!(left_in_s3(&platform, &media_id).await, (false, 0));
    assert_eq!(usage(&platform, &user).await, 0);
    platform.shut_down().await;
}

async fn what_is_being_processed_is_deleted_when_that_has_ended(_shared: &Platform) {
    let platform = Platform::start(|_| {}).await;
    let user = platform.sign_up().await;
    let created = platform.announce(&user, &File::video()).await;
    let media_id = created["media"]["id"].as_str().unwrap().to_owned();
    // Its run breaks off while it publishes.
    let interception = platform.calls().intercept(|attempt| {
        (attempt.operation == "CopyObject").then(|| local::aws::Answer::Error {
            status: 503,
            code: "SlowDown".to_owned(),
            message: "later".to_owned(),
        })
    });
    platform.put(&created["upload"], File::video().bytes).await;
    platform.wait_for(&user, &media_id, |media| media["status"] == "processing").await;
    assert_eq!(
        delete(&platform, &user, &format!("/media/{media_id}")).await.status(),
        StatusCode::NO_CONTENT
    );
    assert_eq!(sweep_at(&platform, 0).await, nothing(), "a run may still publish it");
    drop(interception);
    platform.idle().await;
    assert_eq!(sweep_at(&platform, 21 * MINUTES).await, nothing_but("deleted", 1));
    // An object that comes later is nobody's.
    let (version_id, etag) = put_as_operator(&platform, &media_id, &File::video()).await;
    crate::processing::deliver(&platform, &event_of(&platform, &media_id, &version_id, &etag)).await;
    platform.idle().await;
    assert!(!left_in_s3(&platform, &media_id).await.0);
    assert!(platform.work_of(&media_id).await.is_empty());
    platform.shut_down().await;
}

async fn a_deletion_that_dies_at_any_call_is_made_up_for(_shared: &Platform) {
    let platform = Platform::start(|_| {}).await;
    let user = platform.sign_up().await;
    for number in 0..100 {
        let media = platform.upload(&user, &File::video()).await;
        let media_id = media["id"].as_str().unwrap();
        platform.idle().await;
        crate::views::view(&platform, &user, media_id, "one").await;
        let path = format!("/media/{media_id}");
        assert_eq!(delete(&platform, &user, &path).await.status(), StatusCode::NO_CONTENT);
        let is_dead = crate::sweep::sweep_killed_at(&platform, 0, number).await;
        sweep_at(&platform, HOURS).await;
        assert_eq!(platform.items_of(format!("MEDIA#{media_id}")).await.len(), 1, "killed at call {number}");
        assert!(platform.work_of(media_id).await.is_empty(), "killed at call {number}");
        crate::views::assert_closed(&crate::views::stored(&platform, media_id).await);
        assert_eq!(usage(&platform, &user).await, 0, "killed at call {number}");
        if !is_dead {
            assert!(number > 5, "only {number} calls");
            platform.shut_down().await;
            return;
        }
    }
    panic!("a deletion takes ever more calls");
}

/// The thumbnail gets its fresh key in the bucket before the record says so.
async fn what_an_edit_left_that_died_is_removed_too(_shared: &Platform) {
    let platform = Platform::start(|_| {}).await;
    let user = platform.sign_up().await;
    let created = miniatures::announce(&platform, &user, &File::video(), &Image::png()).await;
    let media_id = miniatures::id_of(&created);
    miniatures::send_image(&platform, &created, &Image::png()).await;
    miniatures::send_file(&platform, &created, &File::video()).await;
    assert_eq!(platform.settled(&user, &media_id).await["status"], "ready");
    miniatures::miniature_ended(&platform, &media_id).await;
    let path = format!("/media/{media_id}");
    let interception = platform.calls().intercept(|attempt| {
        let is_edit = matches!(&attempt.principal, Principal::Function(id) if id == "UpdateMediaFunction");
        (is_edit && attempt.operation == "TransactWriteItems").then_some(Answer::Drop)
    });
    let edit = platform.request(Method::PATCH, &path).bearer_auth(&user.token);
    let answer = edit.json(&json!({"visibility": "private"})).send().await.unwrap();
    expect_problem(answer, StatusCode::SERVICE_UNAVAILABLE, "unavailable").await;
    drop(interception);
    let published = async || {
        let list = platform.s3().list_objects_v2().bucket(platform.bucket("MediaBucket"));
        list.prefix(format!("media/{media_id}/")).send().await.unwrap().contents().len()
    };
    assert_eq!(published().await, 3, "the file, its thumbnail, and a copy that nobody knows of");
    assert_eq!(delete(&platform, &user, &path).await.status(), StatusCode::NO_CONTENT);
    assert_eq!(sweep_at(&platform, 0).await, nothing_but("deleted", 1));
    assert_eq!(published().await, 0);
    platform.shut_down().await;
}

async fn a_deletion_and_edits_agree(platform: &Platform) {
    let user = platform.sign_up().await;
    for _ in 0..10 {
        let created = platform.announce(&user, &File::video()).await;
        let media_id = created["media"]["id"].as_str().unwrap();
        let path = format!("/media/{media_id}");
        let edits = (0..4).map(|number| {
            let request = platform.request(Method::PATCH, &path).bearer_auth(&user.token);
            request.json(&json!({"title": format!("T{number}")})).send()
        });
        let deletion = delete(platform, &user, &path);
        let (deleted, edited) = tokio::join!(deletion, futures::future::join_all(edits));
        assert_eq!(deleted.status(), StatusCode::NO_CONTENT);
        for answer in edited {
            let status = answer.unwrap().status();
            assert!(matches!(status, StatusCode::OK | StatusCode::NOT_FOUND), "{status}");
        }
        expect_problem(platform.get(&user, &path).await, StatusCode::NOT_FOUND, "not_found").await;
    }
}

async fn only_owners_and_admins_delete(platform: &Platform) {
    let (owner, other, admin) = (platform.sign_up().await, platform.sign_up().await, platform.admin().await);
    let media = platform.upload(&owner, &File::video()).await;
    let path = format!("/media/{}", media["id"].as_str().unwrap());
    let answer = delete(platform, &other, &path).await;
    expect_problem(answer, StatusCode::FORBIDDEN, "role_insufficient").await;
    assert_eq!(delete(platform, &admin, &path).await.status(), StatusCode::NO_CONTENT);
    assert_eq!(delete(platform, &owner, &path).await.status(), StatusCode::NO_CONTENT);
    let nobodys = format!("/media/{}", uuid::Uuid::now_v7());
    expect_problem(delete(platform, &admin, &nobodys).await, StatusCode::NOT_FOUND, "not_found").await;
}
