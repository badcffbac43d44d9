//! Stream tokens: what they say is what is done, and nobody but the platform makes one.

use aws_sdk_dynamodb::types::AttributeValue;
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use reqwest::{Response, StatusCode};
use serde_json::{Value, json};

use crate::mint::Mint;
use crate::platform::{File, Platform, User, expect, expect_problem};
use crate::signed_urls::{ready, stream_urls, target, text};

crate::tests![
    every_claim_is_signed,
    only_what_the_platform_would_say_is_believed,
    a_player_that_comes_back_plays_on,
    what_became_private_plays_for_its_owner_only,
    a_token_is_for_later_or_for_nobody,
    a_link_that_nobody_asked_a_time_for_is_short,
];

async fn play(platform: &Platform, media_id: &str, token: &str) -> Response {
    let url = format!("{}/media/stream/{media_id}?token={token}", platform.stack.api_url());
    platform.http.get(url).send().await.unwrap()
}

fn token_of(stream_url: &str) -> &str {
    stream_url.split_once("?token=").unwrap().1.split('&').next().unwrap()
}

async fn mint(platform: &Platform, user: &User, media_id: &str) -> (String, Mint) {
    let urls = stream_urls(platform, user, media_id, "").await;
    let token = token_of(text(&urls, "stream_url")).to_owned();
    let mint = Mint::of(platform, &token, "CapabilityKeysSecret").await;
    (token, mint)
}

fn encoded(json: &Value) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(json.to_string())
}

async fn every_claim_is_signed(platform: &Platform) {
    let (user, other) = (platform.sign_up().await, platform.sign_up().await);
    let ((media_id, _), (other_media, _)) = (ready(platform, &user).await, ready(platform, &user).await);
    let (token, mint) = mint(platform, &user, &media_id).await;
    let parts: Vec<&str> = token.split('.').collect();
    let claims = mint.original_claims().clone();
    assert_eq!((&claims["sub"], &claims["viewer"]), (&json!(media_id), &json!(user.id)));
    let later = claims["exp"].as_i64().unwrap() + 3_600;
    let changes = [
        ("sub", json!(other_media)),
        ("viewer", json!(other.id)),
        ("iat", json!(later)),
        ("exp", json!(later)),
        ("jti", json!(uuid::Uuid::now_v7())),
        ("iss", json!("another")),
        ("aud", json!("api")),
        ("ip", json!("127.0.0.1/32")),
        ("nbf", json!(0)),
    ];
    let names: Vec<&String> = claims.as_object().unwrap().keys().collect();
    assert!(names.iter().all(|name| changes.iter().any(|(changed, _)| changed == name)), "{names:?}");
    for (name, value) in changes {
        let mut forged = claims.clone();
        forged[name] = value;
        // One for another media is tried there.
        let played = forged["sub"].as_str().unwrap().to_owned();
        let with = format!("{}.{}.{}", parts[0], encoded(&forged), parts[2]);
        let answer = play(platform, &played, &with).await;
        expect_problem(answer, StatusCode::UNAUTHORIZED, "token_invalid").await;
        forged.as_object_mut().unwrap().remove(name);
        if claims.get(name).is_some() {
            let without = format!("{}.{}.{}", parts[0], encoded(&forged), parts[2]);
            let answer = play(platform, &played, &without).await;
            expect_problem(answer, StatusCode::UNAUTHORIZED, "token_invalid").await;
        }
    }
    for forged in [
        format!("{}.{}.", parts[0], parts[1]),
        format!("{}.{}", parts[0], parts[1]),
        format!("{}.{}.{}A", parts[0], parts[1], &parts[2][..parts[2].len() - 2]),
        format!("{token}.{}", parts[2]),
    ] {
        let answer = play(platform, &media_id, &forged).await;
        expect_problem(answer, StatusCode::UNAUTHORIZED, "token_invalid").await;
    }
}

/// A change to a token's header and claims.
type Change = fn(&mut Value, &mut Value);

/// What is signed with the right key, and is still not what the platform says.
async fn only_what_the_platform_would_say_is_believed(platform: &Platform) {
    let user = platform.sign_up().await;
    let (media_id, _) = ready(platform, &user).await;
    let (_, mint) = mint(platform, &user, &media_id).await;
    assert_eq!(play(platform, &media_id, &mint.changed(|_, _| {})).await.status(), StatusCode::FOUND);
    let faults: [(&str, Change); 9] = [
        ("another audience", |_, claims| claims["aud"] = json!("upload")),
        ("another issuer", |_, claims| claims["iss"] = json!("another")),
        ("another type", |header, _| header["typ"] = json!("at+jwt")),
        ("no type", |header, _| drop(header.as_object_mut().unwrap().remove("typ"))),
        ("another algorithm", |header, _| header["alg"] = json!("HS256")),
        ("an unknown key", |header, _| header["kid"] = json!("unknown")),
        ("no viewer", |_, claims| drop(claims.as_object_mut().unwrap().remove("viewer"))),
        ("no end", |_, claims| drop(claims.as_object_mut().unwrap().remove("exp"))),
        ("no media", |_, claims| drop(claims.as_object_mut().unwrap().remove("sub"))),
    ];
    for (what, fault) in faults {
        let answer = play(platform, &media_id, &mint.changed(fault)).await;
        let problem = expect_problem(answer, StatusCode::UNAUTHORIZED, "token_invalid").await;
        assert!(problem["detail"].is_string(), "{what}");
    }
}

async fn a_player_that_comes_back_plays_on(_shared: &Platform) {
    let platform = Platform::start(|_| {}).await;
    let user = platform.sign_up().await;
    let (media_id, file) = ready(&platform, &user).await;
    // More than an hour ago.
    platform.set_clock_offset(-3_700);
    let asked = User { token: platform.log_in(&user.email).await, ..user };
    let urls = stream_urls(&platform, &asked, &media_id, "?expires_in=7200").await;
    let first = target(&platform, text(&urls, "stream_url")).await;
    let ended = platform.http.get(&first).send().await.unwrap();
    assert_eq!(ended.status(), StatusCode::FORBIDDEN);

    platform.set_clock_offset(0);
    let second = target(&platform, text(&urls, "stream_url")).await;
    assert_ne!(first, second);
    let answer = platform.http.get(&second).header("range", "bytes=5000-5999").send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::PARTIAL_CONTENT);
    assert_eq!(answer.bytes().await.unwrap(), file.bytes[5000..6000]);
    platform.shut_down().await;
}

async fn what_became_private_plays_for_its_owner_only(platform: &Platform) {
    let (owner, viewer, admin) = (platform.sign_up().await, platform.sign_up().await, platform.admin().await);
    let (media_id, _) = ready(platform, &owner).await;
    let mut stream = Vec::new();
    for user in [&owner, &viewer, &admin] {
        let urls = stream_urls(platform, user, &media_id, "").await;
        stream.push(text(&urls, "stream_url").to_owned());
        target(platform, &stream[stream.len() - 1]).await;
    }
    let change = platform.request(reqwest::Method::PATCH, &format!("/media/{media_id}"));
    let answer = change.bearer_auth(&owner.token).json(&json!({"visibility": "private"})).send().await;
    expect(answer.unwrap(), StatusCode::OK).await;
    target(platform, &stream[0]).await;
    target(platform, &stream[2]).await;
    // An admin who is one no longer is a viewer like others.
    platform.set_profile(&admin, "role", AttributeValue::S("operator".to_owned())).await;
    for stream_url in &stream[1..] {
        let answer = platform.http.get(stream_url).send().await.unwrap();
        expect_problem(answer, StatusCode::NOT_FOUND, "not_found").await;
    }
}

async fn a_token_is_for_later_or_for_nobody(platform: &Platform) {
    let user = platform.sign_up().await;
    let (media_id, _) = ready(platform, &user).await;
    let (_, mint) = mint(platform, &user, &media_id).await;
    let begins = |seconds: i64| {
        mint.changed(|_, claims| claims["nbf"] = json!(claims["iat"].as_i64().unwrap() + seconds))
    };
    let answer = play(platform, &media_id, &begins(600)).await;
    expect_problem(answer, StatusCode::UNAUTHORIZED, "token_not_yet_valid").await;
    assert_eq!(play(platform, &media_id, &begins(0)).await.status(), StatusCode::FOUND);
    // Made while there was a CDN: what S3 signs plays from anywhere, so it is not signed, wherever one asks from.
    for ip in ["203.0.113.7/32", "127.0.0.1/32"] {
        let bound = mint.changed(|_, claims| claims["ip"] = json!(ip));
        expect_problem(play(platform, &media_id, &bound).await, StatusCode::UNAUTHORIZED, "token_invalid")
            .await;
    }
}

async fn a_link_that_nobody_asked_a_time_for_is_short(platform: &Platform) {
    let user = platform.sign_up().await;
    let form = crate::forms::form_of(&File::video());
    let request = platform.request(reqwest::Method::POST, "/api/v1/s3-media/upload");
    let answer = request.bearer_auth(&user.token).multipart(form).send().await.unwrap();
    let uploaded = expect(answer, StatusCode::CREATED).await;
    let claims = token_of(text(&uploaded, "storage_url")).split('.').nth(1).unwrap();
    let claims: Value = serde_json::from_slice(&BASE64_URL_SAFE_NO_PAD.decode(claims).unwrap()).unwrap();
    assert_eq!(claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap(), 600);
}
