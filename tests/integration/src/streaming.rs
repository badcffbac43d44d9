//! Playing back: stream URLs, signed URLs, ranges.

use reqwest::{Method, Response, StatusCode};
use serde_json::json;

use crate::platform::{File, Platform, expect, expect_problem, pointers};
use crate::signed_urls::{ready, seconds, stream_urls, text};

crate::tests![
    a_stream_url_plays_every_byte,
    a_signed_url_tells_its_true_end,
    the_time_to_live_is_bounded,
    a_stream_token_is_for_one_media,
    a_stream_token_ends,
    a_stream_token_of_a_disabled_account_stops_playing,
    head_is_redirected_too,
    the_aliases_answer_as_published,
    any_page_may_play,
    what_is_not_ready_does_not_play,
    a_private_media_is_its_owners,
    a_known_version_is_not_sent_again,
];

async fn range(platform: &Platform, url: &str, range: &str) -> Response {
    platform.http.get(url).header("range", range).send().await.unwrap()
}

fn location(answer: &Response) -> String {
    answer.headers()["location"].to_str().unwrap().to_owned()
}

async fn a_stream_url_plays_every_byte(platform: &Platform) {
    let (owner, viewer) = (platform.sign_up().await, platform.sign_up().await);
    let (media_id, file) = ready(platform, &owner).await;
    let urls = stream_urls(platform, &viewer, &media_id, "").await;
    let stream_url = urls["stream_url"].as_str().unwrap();
    assert!(stream_url.starts_with(&format!("{}/media/stream/{media_id}?token=", platform.stack.api_url())));

    let redirect = platform.http.get(stream_url).send().await.unwrap();
    assert_eq!(redirect.status(), StatusCode::FOUND);
    assert_eq!(redirect.headers()["cache-control"], "no-store");
    for url in [location(&redirect), urls["signed_url"].as_str().unwrap().to_owned()] {
        let whole = platform.http.get(&url).send().await.unwrap();
        assert_eq!(
            (whole.status(), whole.headers()["content-type"].to_str().unwrap()),
            (StatusCode::OK, "video/mp4")
        );
        assert_eq!(whole.headers()["content-disposition"], format!("inline; filename*=UTF-8''{}", file.name));
        assert_eq!(whole.bytes().await.unwrap(), file.bytes);
        let middle = range(platform, &url, "bytes=1000-1999").await;
        assert_eq!(middle.status(), StatusCode::PARTIAL_CONTENT);
        assert_eq!(middle.headers()["content-range"], format!("bytes 1000-1999/{}", file.bytes.len()));
        assert_eq!(middle.bytes().await.unwrap(), file.bytes[1000..2000]);
        let end = range(platform, &url, "bytes=-10").await;
        assert_eq!(end.bytes().await.unwrap(), file.bytes[file.bytes.len() - 10..]);
        assert_eq!(
            range(platform, &url, "bytes=99999999-").await.status(),
            StatusCode::RANGE_NOT_SATISFIABLE
        );
    }
}

async fn a_signed_url_tells_its_true_end(platform: &Platform) {
    let user = platform.sign_up().await;
    let (media_id, _) = ready(platform, &user).await;
    let urls = stream_urls(platform, &user, &media_id, "?expires_in=86400").await;
    assert_eq!(urls["expires_in"], 86_400);
    let (end, stream_end) =
        (seconds(text(&urls, "signed_url_expires_at")), seconds(text(&urls, "expires_at")));
    // The stream URL lives a day; the credentials of a chained role, and so the signed URL, an hour.
    assert!(stream_end - end >= 86_400 - 3_600);
    let url = urls["signed_url"].as_str().unwrap();
    let life = url.split_once("X-Amz-Expires=").unwrap().1.split('&').next().unwrap().parse::<i64>().unwrap();
    assert!(life <= 3_600 && stream_end - 86_400 + life >= end, "{life}");
}

async fn the_time_to_live_is_bounded(platform: &Platform) {
    let user = platform.sign_up().await;
    let (media_id, _) = ready(platform, &user).await;
    for accepted in [60, 86_400] {
        let urls = stream_urls(platform, &user, &media_id, &format!("?expires_in={accepted}")).await;
        assert_eq!(urls["expires_in"], accepted);
    }
    for refused in ["59", "86401", "-1", "1h", "", "1e3"] {
        let answer = platform.get(&user, &format!("/media/{media_id}/stream-url?expires_in={refused}")).await;
        let problem = expect_problem(answer, StatusCode::UNPROCESSABLE_ENTITY, "invalid").await;
        assert_eq!(pointers(&problem), ["?expires_in"], "{refused}");
    }
}

async fn a_stream_token_is_for_one_media(platform: &Platform) {
    let user = platform.sign_up().await;
    let ((one, _), (other, _)) = (ready(platform, &user).await, ready(platform, &user).await);
    let urls = stream_urls(platform, &user, &one, "").await;
    let (_, token) = urls["stream_url"].as_str().unwrap().split_once("?token=").unwrap();
    for (media_id, token) in [(&other, token), (&one, "x"), (&one, user.token.as_str()), (&one, "")] {
        let path = format!("/media/stream/{media_id}?token={token}");
        let answer = platform.request(Method::GET, &path).send().await.unwrap();
        expect_problem(answer, StatusCode::UNAUTHORIZED, "token_invalid").await;
    }
    // And it is no access token.
    let as_access =
        platform.request(Method::GET, &format!("/media/{one}")).bearer_auth(token).send().await.unwrap();
    expect_problem(as_access, StatusCode::UNAUTHORIZED, "token_invalid").await;
}

async fn a_stream_token_ends(_shared: &Platform) {
    let platform = Platform::start(|_| {}).await;
    let user = platform.sign_up().await;
    let (media_id, _) = ready(&platform, &user).await;
    let urls = stream_urls(&platform, &user, &media_id, "?expires_in=60").await;
    let play = || platform.http.get(urls["stream_url"].as_str().unwrap()).send();
    assert_eq!(play().await.unwrap().status(), StatusCode::FOUND);
    platform.set_clock_offset(61);
    expect_problem(play().await.unwrap(), StatusCode::UNAUTHORIZED, "token_expired").await;
    platform.shut_down().await;
}

async fn a_stream_token_of_a_disabled_account_stops_playing(_shared: &Platform) {
    use aws_sdk_dynamodb::types::AttributeValue;
    let platform = Platform::start(|_| {}).await;
    let user = platform.sign_up().await;
    let (media_id, _) = ready(&platform, &user).await;
    let urls = stream_urls(&platform, &user, &media_id, "?expires_in=86400").await;
    let play = || platform.http.get(urls["stream_url"].as_str().unwrap()).send();
    assert_eq!(play().await.unwrap().status(), StatusCode::FOUND);
    platform.set_profile(&user, "disabled", AttributeValue::Bool(true)).await;
    // However fresh the token is: it may have been asked for with an access token that was about to end.
    expect_problem(play().await.unwrap(), StatusCode::UNAUTHORIZED, "token_invalid").await;
    platform.set_profile(&user, "disabled", AttributeValue::Bool(false)).await;
    assert_eq!(play().await.unwrap().status(), StatusCode::FOUND);
    platform.shut_down().await;
}

async fn head_is_redirected_too(platform: &Platform) {
    let user = platform.sign_up().await;
    let (media_id, file) = ready(platform, &user).await;
    let urls = stream_urls(platform, &user, &media_id, "").await;
    let redirect = platform.http.head(urls["stream_url"].as_str().unwrap()).send().await.unwrap();
    assert_eq!(redirect.status(), StatusCode::FOUND);
    let head = platform.http.head(location(&redirect)).send().await.unwrap();
    assert_eq!(head.status(), StatusCode::OK);
    assert_eq!(head.headers()["content-length"], file.bytes.len().to_string());
    assert_eq!(head.headers()["accept-ranges"], "bytes");
}

async fn the_aliases_answer_as_published(platform: &Platform) {
    let user = platform.sign_up().await;
    let (media_id, file) = ready(platform, &user).await;

    let answer = platform.get(&user, &format!("/api/v1/s3-media/{media_id}?expires_in=600")).await;
    let signed = expect(answer, StatusCode::OK).await;
    assert_eq!((&signed["success"], &signed["media_id"]), (&json!(true), &json!(media_id)));
    assert_eq!(signed["expires_in"], 600);
    let direct = platform.http.get(signed["signed_url"].as_str().unwrap()).send().await.unwrap();
    assert_eq!(direct.bytes().await.unwrap(), file.bytes);
    // What the credentials cannot keep for a day leads through the API instead.
    let answer = platform.get(&user, &format!("/api/v1/s3-media/{media_id}?expires_in=86400")).await;
    let signed = expect(answer, StatusCode::OK).await;
    assert!(signed["signed_url"].as_str().unwrap().starts_with(platform.stack.api_url()));

    let redirect = platform.get(&user, &format!("/content/{media_id}/stream")).await;
    assert_eq!(redirect.status(), StatusCode::FOUND);
    let media = expect(platform.get(&user, &format!("/content/{media_id}")).await, StatusCode::OK).await;
    assert_eq!(media["id"], media_id);
}

async fn any_page_may_play(platform: &Platform) {
    let user = platform.sign_up().await;
    let (media_id, _) = ready(platform, &user).await;
    let urls = stream_urls(platform, &user, &media_id, "").await;
    // After a redirect to another origin a browser says that it has none.
    let request = platform.http.get(urls["signed_url"].as_str().unwrap()).header("origin", "null");
    let answer = request.header("range", "bytes=0-0").send().await.unwrap();
    assert_eq!(answer.headers()["access-control-allow-origin"], "*");
    let exposed = answer.headers()["access-control-expose-headers"].to_str().unwrap().to_ascii_lowercase();
    for header in ["content-length", "content-range", "etag"] {
        assert!(exposed.contains(header), "{header} in {exposed}");
    }
}

async fn what_is_not_ready_does_not_play(platform: &Platform) {
    let user = platform.sign_up().await;
    let created = platform.announce(&user, &File::video()).await;
    let media_id = created["media"]["id"].as_str().unwrap();
    for path in [format!("/media/{media_id}/stream-url"), format!("/content/{media_id}/stream")] {
        expect_problem(platform.get(&user, &path).await, StatusCode::CONFLICT, "not_ready").await;
    }
    for unknown in [uuid::Uuid::now_v7().to_string(), "x".to_owned(), "x%2Fy".to_owned()] {
        for path in [format!("/media/{unknown}/stream-url"), format!("/api/v1/s3-media/{unknown}")] {
            let answer = platform.get(&user, &path).await;
            assert_eq!(answer.status(), StatusCode::NOT_FOUND, "{path}");
        }
    }
}

async fn a_private_media_is_its_owners(platform: &Platform) {
    let (owner, stranger, admin) =
        (platform.sign_up().await, platform.sign_up().await, platform.admin().await);
    let file = File::video();
    let mut body = file.announcement();
    body["visibility"] = json!("private");
    let created = expect(platform.post_as(&owner, "/media", &body).await, StatusCode::CREATED).await;
    platform.put(&created["upload"], file.bytes).await;
    let media_id = created["media"]["id"].as_str().unwrap();
    platform.settled(&owner, media_id).await;
    for path in [
        format!("/media/{media_id}"),
        format!("/content/{media_id}"),
        format!("/media/{media_id}/stream-url"),
        format!("/media/stream/{media_id}"),
    ] {
        expect_problem(platform.get(&stranger, &path).await, StatusCode::NOT_FOUND, "not_found").await;
        for allowed in [&owner, &admin] {
            let status = platform.get(allowed, &path).await.status();
            assert!(matches!(status, StatusCode::OK | StatusCode::FOUND), "{path}: {status}");
        }
    }
}

async fn a_known_version_is_not_sent_again(platform: &Platform) {
    let user = platform.sign_up().await;
    let (media_id, _) = ready(platform, &user).await;
    let path = format!("/media/{media_id}");
    let answer = platform.get(&user, &path).await;
    let etag = answer.headers()["etag"].to_str().unwrap().to_owned();
    assert!(etag.starts_with('"'), "strong");
    let request = platform.request(Method::GET, &path).bearer_auth(&user.token);
    let again = request.header("if-none-match", &etag).send().await.unwrap();
    assert_eq!(
        (again.status(), again.headers()["etag"].to_str().unwrap()),
        (StatusCode::NOT_MODIFIED, etag.as_str())
    );
    let request = platform.request(Method::GET, &path).bearer_auth(&user.token);
    let other = request.header("if-none-match", "\"0\"").send().await.unwrap();
    assert_eq!(other.status(), StatusCode::OK);
}
