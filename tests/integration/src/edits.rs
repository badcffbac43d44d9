//! Editing media: merge patches, replacing, versions, and who may.

use aws_sdk_dynamodb::types::AttributeValue::S;
use reqwest::{Method, Response, StatusCode};
use serde_json::{Value, json};

use crate::miniatures::{self, Image, shown};
use crate::platform::{File, Platform, User, expect, expect_problem, pointers};
use crate::sweep::sweep_at;

crate::tests![
    an_edit_changes_what_it_names,
    replacing_empties_what_is_not_sent,
    every_wrong_field_of_an_edit_is_named,
    a_version_is_edited_once,
    of_many_edits_of_one_version_one_wins,
    edits_without_a_version_are_all_made,
    only_owners_who_may_upload_and_admins_edit,
    who_loses_sight_of_a_media_loses_its_thumbnail,
];

async fn edit(platform: &Platform, user: &User, media_id: &str, body: &Value) -> Response {
    let request = platform.request(Method::PATCH, &format!("/media/{media_id}")).bearer_auth(&user.token);
    request.json(body).send().await.unwrap()
}

/// A ready media of this user.
async fn ready(platform: &Platform, user: &User) -> String {
    platform.upload(user, &File::video()).await["id"].as_str().unwrap().to_owned()
}

/// An awaited media of this user.
async fn awaited(platform: &Platform, user: &User) -> String {
    platform.announce(user, &File::video()).await["media"]["id"].as_str().unwrap().to_owned()
}

async fn an_edit_changes_what_it_names(platform: &Platform) {
    let user = platform.sign_up().await;
    let media_id = ready(platform, &user).await;
    let before = expect(platform.get(&user, &format!("/media/{media_id}")).await, StatusCode::OK).await;
    let body = json!({
        "title": "Another", "description": "Two\nlines", "tags": ["a", "b", "a"], "visibility": "private",
        "thumbnail_url": "https://example.com/a.jpg",
    });
    let answer = edit(platform, &user, &media_id, &body).await;
    let etag = answer.headers()["etag"].to_str().unwrap().to_owned();
    let edited = expect(answer, StatusCode::OK).await;
    assert_eq!((&edited["title"], &edited["tags"]), (&json!("Another"), &json!(["a", "b"])));
    for name in ["description", "visibility", "thumbnail_url"] {
        assert_eq!(edited[name], body[name], "{name}");
    }
    for name in ["metadata", "status", "size_bytes", "created_at", "owner_id"] {
        assert_eq!(edited[name], before[name], "{name}");
    }
    assert_eq!(edited["version"].as_u64(), before["version"].as_u64().map(|version| version + 1));
    let read = platform.get(&user, &format!("/media/{media_id}")).await;
    assert_eq!(read.headers()["etag"], *etag);
    assert_eq!(expect(read, StatusCode::OK).await, edited);

    // What is null is emptied, what is not named stays.
    let emptied = json!({"description": null, "tags": null, "thumbnail_url": null});
    let edited = expect(edit(platform, &user, &media_id, &emptied).await, StatusCode::OK).await;
    assert_eq!((&edited["description"], &edited["tags"]), (&json!(""), &json!([])));
    assert_eq!((&edited["thumbnail_url"], &edited["title"]), (&Value::Null, &json!("Another")));
    // Nothing new is no change.
    let unchanged = expect(edit(platform, &user, &media_id, &emptied).await, StatusCode::OK).await;
    assert_eq!(unchanged, edited);
}

async fn replacing_empties_what_is_not_sent(platform: &Platform) {
    let user = platform.sign_up().await;
    let media_id = awaited(platform, &user).await;
    let body = json!({"description": "D", "tags": ["a"], "visibility": "private"});
    expect(edit(platform, &user, &media_id, &body).await, StatusCode::OK).await;
    let path = format!("/content/{media_id}");
    let replace =
        |body: Value| platform.request(Method::PUT, &path).bearer_auth(&user.token).json(&body).send();
    let replaced = replace(json!({"title": "Only this", "unknown": 1})).await.unwrap();
    let replaced = expect(replaced, StatusCode::OK).await;
    assert_eq!((&replaced["title"], &replaced["description"]), (&json!("Only this"), &json!("")));
    // Who may see it is never widened by leaving it out.
    assert_eq!((&replaced["tags"], &replaced["visibility"]), (&json!([]), &json!("private")));
    let answer = replace(json!({"description": "D"})).await.unwrap();
    let problem = expect_problem(answer, StatusCode::UNPROCESSABLE_ENTITY, "invalid").await;
    assert_eq!(pointers(&problem), ["/title"]);
    // The alias patches as the canonical route does.
    let request = platform.request(Method::PATCH, &path).bearer_auth(&user.token);
    let answer = request.json(&json!({"tags": ["b"]})).send().await.unwrap();
    let edited = expect(answer, StatusCode::OK).await;
    assert_eq!((&edited["title"], &edited["tags"]), (&json!("Only this"), &json!(["b"])));
}

async fn every_wrong_field_of_an_edit_is_named(platform: &Platform) {
    let user = platform.sign_up().await;
    let media_id = awaited(platform, &user).await;
    let body = json!({
        "title": null, "description": "d".repeat(5001), "tags": vec!["x"; 21], "visibility": "public",
        "thumbnail_url": "http://example.com", "status": "ready",
    });
    let answer = edit(platform, &user, &media_id, &body).await;
    let problem = expect_problem(answer, StatusCode::UNPROCESSABLE_ENTITY, "invalid").await;
    let expected = ["/title", "/description", "/tags", "/visibility", "/thumbnail_url", "/status"];
    assert_eq!(pointers(&problem), expected);
}

async fn a_version_is_edited_once(platform: &Platform) {
    let user = platform.sign_up().await;
    let media_id = awaited(platform, &user).await;
    let edit_of = |version: &'static str, title: &'static str| {
        let request = platform.request(Method::PATCH, &format!("/media/{media_id}")).bearer_auth(&user.token);
        request.header("if-match", version).json(&json!({"title": title})).send()
    };
    let answer = edit_of("\"1\"", "One").await.unwrap();
    assert_eq!(answer.headers()["etag"], "\"2\"");
    let answer = edit_of("\"1\"", "Two").await.unwrap();
    expect_problem(answer, StatusCode::PRECONDITION_FAILED, "precondition_failed").await;
    let media = expect(edit_of("\"2\"", "Three").await.unwrap(), StatusCode::OK).await;
    assert_eq!(media["title"], "Three");
}

async fn of_many_edits_of_one_version_one_wins(platform: &Platform) {
    let user = platform.sign_up().await;
    let media_id = awaited(platform, &user).await;
    for round in 1..=10 {
        let edits = (0..16).map(|number| {
            let request =
                platform.request(Method::PATCH, &format!("/media/{media_id}")).bearer_auth(&user.token);
            let body = json!({"title": format!("{round} {number}")});
            request.header("if-match", format!("\"{round}\"")).json(&body).send()
        });
        let answers = futures::future::join_all(edits).await;
        let statuses: Vec<StatusCode> =
            answers.iter().map(|answer| answer.as_ref().unwrap().status()).collect();
        let count = |wanted| statuses.iter().filter(|status| **status == wanted).count();
        assert_eq!((count(StatusCode::OK), count(StatusCode::PRECONDITION_FAILED)), (1, 15), "{statuses:?}");
    }
}

async fn edits_without_a_version_are_all_made(platform: &Platform) {
    let user = platform.sign_up().await;
    let media_id = awaited(platform, &user).await;
    let bodies = [json!({"title": "T2"}), json!({"description": "D2"}), json!({"tags": ["t2"]})];
    let edits = bodies.iter().map(|body| edit(platform, &user, &media_id, body));
    for answer in futures::future::join_all(edits).await {
        expect(answer, StatusCode::OK).await;
    }
    let media = expect(platform.get(&user, &format!("/media/{media_id}")).await, StatusCode::OK).await;
    assert_eq!((&media["title"], &media["description"]), (&json!("T2"), &json!("D2")));
    assert_eq!((&media["tags"], &media["version"]), (&json!(["t2"]), &json!(4)));
}

async fn only_owners_who_may_upload_and_admins_edit(platform: &Platform) {
    let (owner, other, admin) = (platform.sign_up().await, platform.sign_up().await, platform.admin().await);
    let media_id = ready(platform, &owner).await;
    let body = json!({"title": "Mine"});
    let answer = edit(platform, &other, &media_id, &body).await;
    expect_problem(answer, StatusCode::FORBIDDEN, "role_insufficient").await;
    expect(edit(platform, &admin, &media_id, &json!({"visibility": "private"})).await, StatusCode::OK).await;
    let answer = edit(platform, &other, &media_id, &body).await;
    expect_problem(answer, StatusCode::NOT_FOUND, "not_found").await;
    platform.set_profile(&owner, "role", S("viewer".to_owned())).await;
    let answer = edit(platform, &owner, &media_id, &body).await;
    expect_problem(answer, StatusCode::FORBIDDEN, "role_insufficient").await;
    let nobodys = uuid::Uuid::now_v7();
    let answer = edit(platform, &admin, &nobodys.to_string(), &body).await;
    expect_problem(answer, StatusCode::NOT_FOUND, "not_found").await;
}

async fn who_loses_sight_of_a_media_loses_its_thumbnail(_shared: &Platform) {
    let platform = Platform::start(|_| {}).await;
    let user = platform.sign_up().await;
    let (file, image) = (File::video(), Image::png());
    let created = miniatures::announce(&platform, &user, &file, &image).await;
    let media_id = miniatures::id_of(&created);
    miniatures::send_image(&platform, &created, &image).await;
    miniatures::send_file(&platform, &created, &file).await;
    platform.settled(&user, &media_id).await;
    miniatures::miniature_ended(&platform, &media_id).await;
    let path = format!("/media/{media_id}");
    let before = expect(platform.get(&user, &path).await, StatusCode::OK).await["thumbnail_url"].clone();
    let bytes = shown(&platform, &before).await;

    let hidden =
        expect(edit(&platform, &user, &media_id, &json!({"visibility": "private"})).await, StatusCode::OK)
            .await;
    assert_ne!(hidden["thumbnail_url"], before);
    assert_eq!(shown(&platform, &hidden["thumbnail_url"]).await, bytes);
    let answer = platform.http.get(before.as_str().unwrap()).send().await.unwrap();
    expect_problem(answer, StatusCode::NOT_FOUND, "not_found").await;
    // Where a CDN serves it, it has to be gone itself.
    let (_, key) = before.as_str().unwrap().rsplit_once('/').unwrap();
    let object = format!("media/{media_id}/thumbnail/{key}");
    let bucket = platform.bucket("MediaBucket");
    assert!(platform.s3().head_object().bucket(&bucket).key(&object).send().await.is_ok());
    assert_eq!(sweep_at(&platform, 0).await["settled"], json!({"removed": 1}));
    assert!(platform.s3().head_object().bucket(&bucket).key(&object).send().await.is_err());
    assert_eq!(shown(&platform, &hidden["thumbnail_url"]).await, bytes);
    // Shown to all again, it keeps its address.
    let body = json!({"visibility": "members"});
    let open = expect(edit(&platform, &user, &media_id, &body).await, StatusCode::OK).await;
    assert_eq!(open["thumbnail_url"], hidden["thumbnail_url"]);
    platform.shut_down().await;
}
