//! Deleting accounts: shut out at once, and everything that they owned settled by the sweep.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use aws_sdk_dynamodb::types::AttributeValue::S;
use futures::future::join;
use local::aws::{Answer, Principal};
use reqwest::{Method, Response, StatusCode};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::lists::{ids, pages};
use crate::miniatures::{Image, announce, id_of, send_file, send_image, shown};
use crate::platform::{File, Item, PASSWORD, Platform, User, expect, expect_problem, pointers};
use crate::seed::{Copied, Seed, id_made_before};
use crate::sweep::{DAYS, MINUTES, left_in_s3, nothing, nothing_but, sweep_at, sweep_killed_at, usage};
use crate::users::admins;

crate::tests![
    who_deletes_whom_and_how_is_checked,
    a_deleted_user_is_shut_out_at_once,
    deleted_media_go_with_their_owner,
    kept_media_become_the_admins,
    kept_media_that_are_being_processed_become_ready,
    what_a_deleted_admin_was_to_get_goes_on_to_the_next,
    what_is_announced_at_the_last_moment_is_found,
    many_media_take_several_sweeps,
    one_media_that_fails_holds_up_no_other,
    a_deletion_that_dies_at_any_call_is_made_up_for,
    two_sweeps_at_once_hand_over_once,
    the_last_admin_is_not_deleted,
    of_two_admins_who_delete_each_other_one_stays,
];

async fn delete(platform: &Platform, admin: &User, user_id: &str, media: &str) -> Response {
    let request = platform.request(Method::DELETE, &format!("/users/{user_id}?media={media}"));
    request.bearer_auth(&admin.token).send().await.unwrap()
}

async fn expect_deleted(platform: &Platform, admin: &User, user: &User, media: &str) {
    assert_eq!(delete(platform, admin, &user.id, media).await.status(), StatusCode::NO_CONTENT);
}

/// What is owed for a user.
pub(crate) async fn work_of_user(platform: &Platform, user_id: &str) -> Vec<Item> {
    let shards = (0..4).map(|shard| platform.items_of(format!("WORK#{shard}")));
    let all = futures::future::join_all(shards).await.into_iter().flatten();
    all.filter(|item| item.get("user_id") == Some(&S(user_id.to_owned()))).collect()
}

/// Sweeps from the last look on until nothing is owed for a user; answers how often.
async fn settle(platform: &Platform, user: &User) -> i64 {
    for sweeps in 1..=12 {
        let report = sweep_at(platform, (20 + sweeps) * MINUTES).await;
        assert_eq!(report["failed"], 0, "{report}");
        if work_of_user(platform, &user.id).await.is_empty() {
            return sweeps;
        }
    }
    panic!("it goes on and on: {:?}", work_of_user(platform, &user.id).await);
}

/// That nothing but the memory of a user is left.
async fn expect_nothing_left(platform: &Platform, user: &User) {
    let left = platform.items_of(format!("USER#{}", user.id)).await;
    let [left] = left.as_slice() else { panic!("{left:?}") };
    assert!(left.contains_key("expires_at") && !left.contains_key("email"), "{left:?}");
    assert!(work_of_user(platform, &user.id).await.is_empty());
    assert!(platform.items_of(format!("OWNER#{}", user.id)).await.is_empty(), "digests");
    assert!(platform.items_of(format!("EMAIL#{}", user.email)).await.is_empty());
}

async fn owner(platform: &Platform, media_id: &str) -> String {
    let record = platform.item(&format!("MEDIA#{media_id}"), "RECORD").await.unwrap();
    record["owner_id"].as_s().unwrap().clone()
}

async fn who_deletes_whom_and_how_is_checked(platform: &Platform) {
    let (user, admin) = (platform.sign_up().await, platform.admin().await);
    let answer = delete(platform, &user, &admin.id, "delete").await;
    expect_problem(answer, StatusCode::FORBIDDEN, "role_insufficient").await;
    for (query, wrong) in [
        ("", vec!["?media"]),
        ("?media=", vec!["?media"]),
        ("?media=Delete", vec!["?media"]),
        ("?media=keep&colour=red", vec!["?colour"]),
    ] {
        let request = platform.request(Method::DELETE, &format!("/users/{}{query}", user.id));
        let answer = request.bearer_auth(&admin.token).send().await.unwrap();
        let problem = expect_problem(answer, StatusCode::UNPROCESSABLE_ENTITY, "invalid").await;
        assert_eq!(pointers(&problem), wrong, "{query}");
    }
    // There would be nobody to keep them.
    let answer = delete(platform, &admin, &admin.id, "keep").await;
    let problem = expect_problem(answer, StatusCode::UNPROCESSABLE_ENTITY, "invalid").await;
    assert_eq!(pointers(&problem), ["?media"]);
    for nobody in [Uuid::now_v7().to_string(), "x".to_owned()] {
        let answer = delete(platform, &admin, &nobody, "delete").await;
        expect_problem(answer, StatusCode::NOT_FOUND, "not_found").await;
    }
    let request = platform.request(Method::DELETE, &format!("/users/{}?media=delete", user.id));
    let stale = request.bearer_auth(&admin.token).header("if-match", "\"0\"").send().await.unwrap();
    expect_problem(stale, StatusCode::PRECONDITION_FAILED, "precondition_failed").await;
    expect(platform.get(&user, "/users/me").await, StatusCode::OK).await;
}

async fn a_deleted_user_is_shut_out_at_once(platform: &Platform) {
    let (user, admin) = (platform.sign_up().await, platform.admin().await);
    let credentials = json!({"email": user.email, "password": PASSWORD});
    let tokens = expect(platform.post("/auth/login", &credentials).await, StatusCode::OK).await;
    expect_deleted(platform, &admin, &user, "delete").await;

    let answer = platform.post_as(&user, "/media", &File::video().announcement()).await;
    expect_problem(answer, StatusCode::UNAUTHORIZED, "token_invalid").await;
    let answer = platform.post("/auth/login", &credentials).await;
    expect_problem(answer, StatusCode::UNAUTHORIZED, "credentials_invalid").await;
    let refresh = json!({"refresh_token": tokens["refresh_token"]});
    let answer = platform.post("/auth/refresh", &refresh).await;
    expect_problem(answer, StatusCode::UNAUTHORIZED, "session_ended").await;

    let path = format!("/users/{}", user.id);
    expect_problem(platform.get(&admin, &path).await, StatusCode::NOT_FOUND, "not_found").await;
    let edit = platform.request(Method::PATCH, &path).bearer_auth(&admin.token).json(&json!({})).send();
    expect_problem(edit.await.unwrap(), StatusCode::NOT_FOUND, "not_found").await;
    let password = json!({"password": "another horse battery staple"});
    let answer = platform.post_as(&admin, &format!("{path}/password"), &password).await;
    expect_problem(answer, StatusCode::NOT_FOUND, "not_found").await;
    let listed = expect(platform.get(&admin, "/users?limit=100").await, StatusCode::OK).await;
    assert!(listed["items"].as_array().unwrap().iter().all(|item| item["id"] != user.id.as_str()));

    // Whoever comes under the same address is somebody else.
    let again = expect(platform.post("/auth/signup", &credentials).await, StatusCode::CREATED).await;
    assert_ne!(again["id"], user.id.as_str());
    for media in ["delete", "keep"] {
        expect_deleted(platform, &admin, &user, media).await;
    }
    platform.log_in(&user.email).await;
}

async fn deleted_media_go_with_their_owner(_shared: &Platform) {
    let platform = Platform::start(|_| {}).await;
    let (user, admin) = (platform.sign_up().await, platform.admin().await);
    let ready = platform.upload(&user, &File::video()).await["id"].as_str().unwrap().to_owned();
    let sent = crate::methods::announce_by(&platform, &user, &File::video(), "multipart").await;
    let url = sent["upload"]["parts"][0]["url"].as_str().unwrap();
    assert_eq!(
        platform.http.put(url).body(File::video().bytes).send().await.unwrap().status(),
        StatusCode::OK
    );
    platform.idle().await;
    assert_eq!(left_in_s3(&platform, &id_of(&sent)).await, (false, 1));

    expect_deleted(&platform, &admin, &user, "delete").await;
    assert_eq!(sweep_at(&platform, 0).await, nothing_but("later", 1));
    for media_id in [&ready, &id_of(&sent)] {
        let answer = platform.get(&admin, &format!("/media/{media_id}")).await;
        expect_problem(answer, StatusCode::NOT_FOUND, "not_found").await;
    }
    let report = sweep_at(&platform, MINUTES).await;
    assert_eq!(report["settled"], json!({"deleted": 2, "later": 1}), "{report}");
    assert_eq!(left_in_s3(&platform, &id_of(&sent)).await, (false, 0));
    assert_eq!(usage(&platform, &user).await, 0);
    // Nothing is left, and nothing is due before the last look.
    sweep_at(&platform, 2 * MINUTES).await;
    assert_eq!(sweep_at(&platform, 19 * MINUTES).await, nothing());
    assert_eq!(sweep_at(&platform, 21 * MINUTES).await, nothing_but("deleted", 1));
    expect_nothing_left(&platform, &user).await;
    assert_eq!(sweep_at(&platform, 30 * DAYS).await, nothing());

    expect_deleted(&platform, &admin, &user, "delete").await;
    platform.set_clock_offset(7 * DAYS + 30 * MINUTES);
    let admin = User { token: platform.log_in(&admin.email).await, ..admin };
    let answer = delete(&platform, &admin, &user.id, "delete").await;
    expect_problem(answer, StatusCode::NOT_FOUND, "not_found").await;
    platform.shut_down().await;
}

async fn kept_media_become_the_admins(_shared: &Platform) {
    let platform = Platform::start(|_| {}).await;
    let (user, admin, other) = (platform.sign_up().await, platform.admin().await, platform.sign_up().await);
    let (file, image) = (File::video(), Image::png());
    let mut body = file.announcement();
    (body["title"], body["tags"]) = (json!("Hidden harbour"), json!(["holiday"]));
    (body["visibility"], body["checksum_sha256"]) = (json!("private"), json!(file.sha256()));
    let private = expect(platform.post_as(&user, "/media", &body).await, StatusCode::CREATED).await;
    send_file(&platform, &private, &file).await;
    let pictured = announce(&platform, &user, &file, &image).await;
    send_file(&platform, &pictured, &file).await;
    send_image(&platform, &pictured, &image).await;
    let is_pictured =
        |media: &Value| media["status"] == "ready" && media["thumbnail_url"] != "https://example.com/own.jpg";
    let before = platform.wait_for(&user, &id_of(&pictured), is_pictured).await;
    platform.settled(&user, &id_of(&private)).await;
    platform.idle().await;
    let awaited = platform.announce(&user, &file).await;
    // The admin has the same file.
    body.as_object_mut().unwrap().remove("tags");
    body["title"] = json!("Own");
    let own = expect(platform.post_as(&admin, "/media", &body).await, StatusCode::CREATED).await;
    let kept_bytes = usage(&platform, &user).await - file.bytes.len();

    expect_deleted(&platform, &admin, &user, "keep").await;
    assert_eq!(sweep_at(&platform, 0).await, nothing_but("later", 1));
    // Right afterwards, not only at the end.
    assert_eq!(usage(&platform, &admin).await, kept_bytes + file.bytes.len());
    assert_eq!(usage(&platform, &user).await, file.bytes.len(), "of what is being deleted");
    assert!(platform.items(&format!("OWNER#{}", user.id), "DIGEST#").await.is_empty());
    let digests = platform.items(&format!("OWNER#{}", admin.id), "DIGEST#").await;
    assert_eq!(digests.len(), 1);
    assert_eq!(digests[0]["media_id"].as_s().unwrap(), own["media"]["id"].as_str().unwrap());
    settle(&platform, &user).await;
    expect_nothing_left(&platform, &user).await;

    for media_id in [id_of(&private), id_of(&pictured)] {
        assert_eq!(owner(&platform, &media_id).await, admin.id);
        assert!(platform.work_of(&media_id).await.is_empty());
    }
    let owned = ids(pages(&platform, &admin, "/media?owner=me").await.iter().flatten());
    assert_eq!(owned.len(), 3, "{owned:?}");
    let found = |user| pages(&platform, user, "/search?title=hidden+harbour");
    assert_eq!(ids(found(&admin).await.iter().flatten()), [id_of(&private).parse::<Uuid>().unwrap()]);
    assert!(found(&other).await.iter().flatten().next().is_none());
    let answer = platform.get(&other, &format!("/media/{}", id_of(&private))).await;
    expect_problem(answer, StatusCode::NOT_FOUND, "not_found").await;
    let after = platform.get(&other, &format!("/media/{}", id_of(&pictured))).await;
    let after = expect(after, StatusCode::OK).await;
    assert_eq!((&after["thumbnail_url"], &after["owner_id"]), (&before["thumbnail_url"], &json!(admin.id)));
    assert!(!shown(&platform, &after["thumbnail_url"]).await.is_empty());
    // Of what was never sent there was nothing to keep.
    let answer = platform.get(&admin, &format!("/media/{}", id_of(&awaited))).await;
    expect_problem(answer, StatusCode::NOT_FOUND, "not_found").await;
    assert_eq!(usage(&platform, &admin).await, kept_bytes + file.bytes.len());
    platform.shut_down().await;
}

async fn kept_media_that_are_being_processed_become_ready(_shared: &Platform) {
    let platform = Platform::start(|_| {}).await;
    let (user, admin) = (platform.sign_up().await, platform.admin().await);
    let created = platform.announce(&user, &File::video()).await;
    let media_id = id_of(&created);
    let interception = platform.calls().intercept(|attempt| {
        (attempt.operation == "CopyObject").then(|| Answer::Error {
            status: 503,
            code: "SlowDown".to_owned(),
            message: "later".to_owned(),
        })
    });
    send_file(&platform, &created, &File::video()).await;
    platform.wait_for(&admin, &media_id, |media| media["status"] == "processing").await;
    expect_deleted(&platform, &admin, &user, "keep").await;
    assert_eq!(sweep_at(&platform, 0).await, nothing_but("later", 1));
    assert_eq!(owner(&platform, &media_id).await, admin.id);
    drop(interception);
    assert_eq!(platform.settled(&admin, &media_id).await["status"], "ready");
    platform.idle().await;
    settle(&platform, &user).await;
    expect_nothing_left(&platform, &user).await;
    assert_eq!(usage(&platform, &admin).await, File::video().bytes.len());
    platform.shut_down().await;
}

async fn what_a_deleted_admin_was_to_get_goes_on_to_the_next(_shared: &Platform) {
    let platform = Platform::start(|_| {}).await;
    let (user, first, second) = (platform.sign_up().await, platform.admin().await, platform.admin().await);
    let media = platform.upload(&user, &File::video()).await;
    platform.idle().await;
    expect_deleted(&platform, &first, &user, "keep").await;
    expect_deleted(&platform, &second, &first, "keep").await;
    settle(&platform, &user).await;
    settle(&platform, &first).await;
    assert_eq!(owner(&platform, media["id"].as_str().unwrap()).await, second.id);
    assert_eq!(usage(&platform, &second).await, File::video().bytes.len());
    expect_nothing_left(&platform, &user).await;
    expect_nothing_left(&platform, &first).await;
    platform.shut_down().await;
}

async fn what_is_announced_at_the_last_moment_is_found(_shared: &Platform) {
    for media in ["delete", "keep"] {
        let platform = Platform::start(|_| {}).await;
        let (user, admin) = (platform.sign_up().await, platform.admin().await);
        let seed = Seed::sow(&platform).await;
        expect_deleted(&platform, &admin, &user, media).await;
        assert_eq!(sweep_at(&platform, 0).await, nothing_but("later", 1));
        assert_eq!(sweep_at(&platform, 10 * MINUTES).await, nothing());
        // By a request that had been let in.
        let late = Copied::of(Uuid::now_v7(), &user.id);
        seed.plant(&platform, std::slice::from_ref(&late));
        settle(&platform, &user).await;
        expect_nothing_left(&platform, &user).await;
        let record = platform.item(&format!("MEDIA#{}", late.id), "RECORD").await.unwrap();
        match media {
            "delete" => assert!(record.contains_key("deleted_at")),
            _ => assert_eq!(record["owner_id"].as_s().unwrap(), &admin.id),
        }
        platform.shut_down().await;
    }
}

async fn many_media_take_several_sweeps(_shared: &Platform) {
    const KEPT: usize = 1250;
    const DELETED: usize = 250;
    let platform = Platform::start(|_| {}).await;
    let (keeping, deleting, admin) =
        (platform.sign_up().await, platform.sign_up().await, platform.admin().await);
    let seed = Seed::sow(&platform).await;
    let copies = |count: usize, owner_id: &str| -> Vec<Copied> {
        let age = |number: usize| Duration::from_secs(u64::try_from(number).unwrap());
        (0..count).map(|number| Copied::of(id_made_before(age(number)), owner_id)).collect()
    };
    seed.plant(&platform, &copies(KEPT, &keeping.id));
    seed.plant(&platform, &copies(DELETED, &deleting.id));
    let owned = async |user: &User| -> usize {
        let path = format!("/media?owner={}&limit=100", user.id);
        pages(&platform, &admin, &path).await.iter().map(Vec::len).sum()
    };
    expect_deleted(&platform, &admin, &keeping, "keep").await;
    assert_eq!(sweep_at(&platform, 0).await, nothing_but("later", 1));
    assert_eq!((owned(&keeping).await, owned(&admin).await), (KEPT - 1000, 1000));
    assert_eq!(sweep_at(&platform, MINUTES).await, nothing_but("later", 1));
    assert_eq!((owned(&keeping).await, owned(&admin).await), (0, KEPT));
    assert_eq!(usage(&platform, &admin).await, KEPT * File::video().bytes.len());

    expect_deleted(&platform, &admin, &deleting, "delete").await;
    assert_eq!(sweep_at(&platform, 2 * MINUTES).await["settled"]["later"], 2);
    assert_eq!(owned(&deleting).await, 0, "out of sight");
    let report = sweep_at(&platform, 3 * MINUTES).await;
    assert_eq!((&report["settled"]["deleted"], &report["failed"]), (&json!(DELETED), &json!(0)));
    for user in [&keeping, &deleting] {
        settle(&platform, user).await;
        expect_nothing_left(&platform, user).await;
    }
    platform.shut_down().await;
}

async fn one_media_that_fails_holds_up_no_other(_shared: &Platform) {
    let platform = Platform::start(|_| {}).await;
    let (user, admin) = (platform.sign_up().await, platform.admin().await);
    let media_ids = [
        id_of(&platform.announce(&user, &File::video()).await),
        id_of(&platform.announce(&user, &File::video()).await),
    ];
    expect_deleted(&platform, &admin, &user, "delete").await;
    let changes = AtomicUsize::new(0);
    let interception = platform.calls().intercept(move |attempt| {
        let is_first = matches!(&attempt.principal, Principal::Function(id) if id == "SweepFunction")
            && attempt.operation == "TransactWriteItems"
            && changes.fetch_add(1, Ordering::SeqCst) == 0;
        is_first.then(|| Answer::Error {
            status: 400,
            code: "ValidationException".to_owned(),
            message: "no".to_owned(),
        })
    });
    let report = sweep_at(&platform, 0).await;
    drop(interception);
    assert_eq!(report, json!({"settled": {}, "failed": 1, "is_unfinished": false}));
    let mut deleting = 0;
    for media_id in media_ids {
        let record = platform.item(&format!("MEDIA#{media_id}"), "RECORD").await.unwrap();
        deleting += usize::from(record["status"].as_s().unwrap() == "deleting");
    }
    assert_eq!(deleting, 1);
    settle(&platform, &user).await;
    expect_nothing_left(&platform, &user).await;
    platform.shut_down().await;
}

async fn a_deletion_that_dies_at_any_call_is_made_up_for(_shared: &Platform) {
    let platform = Platform::start(|_| {}).await;
    let admin = platform.admin().await;
    let mut kept = 0;
    for number in 0..100 {
        let media = if number % 2 == 0 { "keep" } else { "delete" };
        let user = platform.sign_up().await;
        let uploaded = platform.upload(&user, &File::video()).await;
        let awaited = id_of(&platform.announce(&user, &File::video()).await);
        platform.idle().await;
        expect_deleted(&platform, &admin, &user, media).await;
        let mut was_killed = false;
        // When media are dealt with, when those that are deleted are removed, and when the account is settled.
        for minutes in [0, 1, 25] {
            was_killed |= sweep_killed_at(&platform, minutes * MINUTES, number / 2).await;
        }
        settle(&platform, &user).await;
        expect_nothing_left(&platform, &user).await;
        let media_id = uploaded["id"].as_str().unwrap();
        let record = platform.item(&format!("MEDIA#{media_id}"), "RECORD").await.unwrap();
        assert_eq!(record.contains_key("deleted_at"), media == "delete", "killed at call {number}");
        let left = platform.items_of(format!("MEDIA#{awaited}")).await;
        assert!(left.len() == 1 && left[0].contains_key("deleted_at"), "killed at call {number}");
        for media_id in [media_id, &awaited] {
            assert!(platform.work_of(media_id).await.is_empty(), "killed at call {number}");
        }
        kept += usize::from(media == "keep");
        assert_eq!(usage(&platform, &admin).await, kept * File::video().bytes.len(), "counted once");
        if !was_killed && media == "delete" {
            assert!(number > 20, "only {number} calls");
            platform.shut_down().await;
            return;
        }
    }
    panic!("a deletion takes ever more calls");
}

async fn two_sweeps_at_once_hand_over_once(_shared: &Platform) {
    let platform = Platform::start(|_| {}).await;
    let (user, admin) = (platform.sign_up().await, platform.admin().await);
    let seed = Seed::sow(&platform).await;
    let copies: Vec<_> = (0..60).map(|_| Copied::of(Uuid::now_v7(), &user.id)).collect();
    seed.plant(&platform, &copies);
    expect_deleted(&platform, &admin, &user, "keep").await;
    let sweep = || async { platform.stack.run_schedule("sweep").await.unwrap() };
    let (one, other) = join(sweep(), sweep()).await;
    assert_eq!((&one["failed"], &other["failed"]), (&json!(0), &json!(0)));
    assert_eq!(usage(&platform, &admin).await, copies.len() * File::video().bytes.len());
    settle(&platform, &user).await;
    expect_nothing_left(&platform, &user).await;
    platform.shut_down().await;
}

async fn the_last_admin_is_not_deleted(_shared: &Platform) {
    let platform = Platform::start(|_| {}).await;
    let admin = platform.admin().await;
    let answer = delete(&platform, &admin, &admin.id, "delete").await;
    expect_problem(answer, StatusCode::CONFLICT, "last_admin").await;
    // One that is shut out is not another one.
    let second = platform.admin().await;
    let path = format!("/users/{}", second.id);
    let request = platform.request(Method::PATCH, &path).bearer_auth(&admin.token);
    expect(request.json(&json!({"disabled": true})).send().await.unwrap(), StatusCode::OK).await;
    let answer = delete(&platform, &admin, &admin.id, "delete").await;
    expect_problem(answer, StatusCode::CONFLICT, "last_admin").await;
    expect_deleted(&platform, &admin, &second, "delete").await;
    assert_eq!(admins(&platform).await, 1, "it was not counted twice");

    // With another one there an admin may go, and is gone at once.
    let third = platform.admin().await;
    expect_deleted(&platform, &admin, &admin, "delete").await;
    assert_eq!(admins(&platform).await, 1);
    let answer = delete(&platform, &admin, &third.id, "delete").await;
    expect_problem(answer, StatusCode::UNAUTHORIZED, "token_invalid").await;
    platform.shut_down().await;
}

async fn of_two_admins_who_delete_each_other_one_stays(_shared: &Platform) {
    let platform = Platform::start(|_| {}).await;
    for media in ["delete", "keep"].into_iter().cycle().take(12) {
        let (one, other) = (platform.admin().await, platform.admin().await);
        let before = admins(&platform).await;
        let (first, second) =
            join(delete(&platform, &one, &other.id, media), delete(&platform, &other, &one.id, media)).await;
        let mut statuses = [first.status(), second.status()];
        statuses.sort();
        assert_eq!(statuses[0], StatusCode::NO_CONTENT);
        assert!(matches!(statuses[1], StatusCode::FORBIDDEN | StatusCode::UNAUTHORIZED), "{statuses:?}");
        assert_eq!(admins(&platform).await, before - 1);
    }
    platform.shut_down().await;
}
