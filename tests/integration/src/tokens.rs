//! Access tokens: which are accepted, and what is answered to the others.

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use reqwest::{Method, StatusCode};
use serde_json::json;

use crate::platform::{File, Platform, User, expect, expect_problem};

crate::tests![
    a_route_that_needs_a_token_says_so,
    a_token_that_is_not_ours_is_refused,
    a_token_ends,
    a_token_without_its_account_changes_nothing,
];

fn protected() -> [(Method, String); 11] {
    let id = uuid::Uuid::now_v7();
    [
        (Method::GET, "/users/me".to_owned()),
        (Method::POST, "/users/me/password".to_owned()),
        (Method::GET, "/users".to_owned()),
        (Method::POST, "/users".to_owned()),
        (Method::GET, format!("/users/{id}")),
        (Method::PATCH, format!("/users/{id}")),
        (Method::POST, format!("/users/{id}/password")),
        (Method::POST, "/media".to_owned()),
        (Method::GET, format!("/media/{id}")),
        (Method::GET, format!("/media/{id}/stream-url")),
        (Method::GET, format!("/content/{id}/stream")),
    ]
}

async fn a_route_that_needs_a_token_says_so(platform: &Platform) {
    for (method, path) in protected() {
        let answer = platform.request(method.clone(), &path).send().await.unwrap();
        expect_problem(answer, StatusCode::UNAUTHORIZED, "token_missing").await;
        let answer = platform.request(method, &path).basic_auth("ada", Some("secret")).send().await.unwrap();
        expect_problem(answer, StatusCode::UNAUTHORIZED, "token_missing").await;
    }
}

async fn a_token_that_is_not_ours_is_refused(platform: &Platform) {
    let user = platform.sign_up().await;
    let parts: Vec<&str> = user.token.split('.').collect();
    let claims = String::from_utf8(BASE64_URL_SAFE_NO_PAD.decode(parts[1]).unwrap()).unwrap();
    let as_admin = BASE64_URL_SAFE_NO_PAD.encode(claims.replace("operator", "admin"));
    let unsigned = BASE64_URL_SAFE_NO_PAD.encode(r#"{"alg":"none","typ":"at+jwt"}"#);
    let forgeries = [
        "x".to_owned(),
        format!("{}.{as_admin}.{}", parts[0], parts[2]),
        format!("{unsigned}.{as_admin}."),
        format!("{}.{}.{}", parts[0], parts[1], &parts[2][1..]),
    ];
    for token in forgeries {
        for (method, path) in protected() {
            let answer = platform.request(method, &path).bearer_auth(&token).send().await.unwrap();
            expect_problem(answer, StatusCode::UNAUTHORIZED, "token_invalid").await;
        }
    }
}

async fn a_token_ends(_shared: &Platform) {
    let platform = Platform::start(|_| {}).await;
    platform.set_clock_offset(-1801);
    let user = platform.sign_up().await;
    expect(platform.post_as(&user, "/media", &File::video().announcement()).await, StatusCode::CREATED).await;
    platform.set_clock_offset(0);
    for (method, path) in protected() {
        let answer = platform.request(method, &path).bearer_auth(&user.token).send().await.unwrap();
        expect_problem(answer, StatusCode::UNAUTHORIZED, "token_expired").await;
    }
    platform.shut_down().await;
}

async fn a_token_without_its_account_changes_nothing(platform: &Platform) {
    use aws_sdk_dynamodb::types::AttributeValue;
    let announce =
        |user: User| async move { platform.post_as(&user, "/media", &File::video().announcement()).await };
    let user = platform.sign_up().await;
    platform.set_profile(&user, "role", AttributeValue::S("viewer".to_owned())).await;
    expect_problem(announce(user.clone()).await, StatusCode::FORBIDDEN, "role_insufficient").await;
    platform.set_profile(&user, "disabled", AttributeValue::Bool(true)).await;
    expect_problem(announce(user.clone()).await, StatusCode::FORBIDDEN, "account_disabled").await;
    let credentials = json!({"email": user.email, "password": crate::platform::PASSWORD});
    let log_in = platform.post("/auth/login", &credentials).await;
    expect_problem(log_in, StatusCode::FORBIDDEN, "account_disabled").await;
}
