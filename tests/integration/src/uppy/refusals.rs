//! Who may not upload through Uppy's routes, and what upload tokens are good for.

use aws_sdk_dynamodb::types::AttributeValue;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use super::client::{Uppy, Version, upload_token};
use crate::mint::Mint;
use crate::parts::{PART_BYTES, sound};
use crate::platform::{File, PASSWORD, Platform, expect, expect_problem, pointers};

crate::tests![
    a_token_lives_as_long_as_asked,
    a_token_is_for_uploads_and_nothing_else,
    a_token_that_is_not_ours_is_refused,
    who_may_not_upload_any_more_uploads_no_more,
    an_upload_of_somebody_else_is_not_there,
    a_file_that_is_not_taken_is_refused,
    files_are_counted,
];

async fn a_token_lives_as_long_as_asked(platform: &Platform) {
    let user = platform.sign_up().await;
    let ask = async |body: &Value| platform.post_as(&user, "/upload-tokens", body).await;
    for (body, expires_in) in
        [(json!({}), 3_600), (json!({"expires_in": 60}), 60), (json!({"expires_in": 86_400}), 86_400)]
    {
        let answer = ask(&body).await;
        let location = answer.headers()["location"].to_str().unwrap().to_owned();
        let token = expect(answer, StatusCode::CREATED).await;
        assert_eq!(token["expires_in"], expires_in);
        assert_eq!(location, format!("/u/{}", token["upload_token"].as_str().unwrap()));
        assert_eq!(token["companion_url"], format!("{}{location}", platform.stack.api_url()));
    }
    for wrong in [json!({"expires_in": 59}), json!({"expires_in": 86_401}), json!({"expires_in": "1h"})] {
        let problem = expect_problem(ask(&wrong).await, StatusCode::UNPROCESSABLE_ENTITY, "invalid").await;
        assert_eq!(pointers(&problem), ["/expires_in"]);
    }
    let problem = ask(&json!({"max_upload_bytes": 1})).await;
    expect_problem(problem, StatusCode::UNPROCESSABLE_ENTITY, "invalid").await;
    let without_body = platform.request(Method::POST, "/upload-tokens").bearer_auth(&user.token);
    expect(without_body.send().await.unwrap(), StatusCode::CREATED).await;
}

async fn a_token_is_for_uploads_and_nothing_else(platform: &Platform) {
    let user = platform.sign_up().await;
    let token = upload_token(platform, &user).await;
    let token = token["upload_token"].as_str().unwrap();
    for (method, path) in [
        (Method::GET, "/users/me"),
        (Method::POST, "/media"),
        (Method::POST, "/upload-tokens"),
        (Method::GET, "/s3/params?filename=a.mp4"),
    ] {
        let answer = platform.request(method, path).bearer_auth(token).send().await.unwrap();
        expect_problem(answer, StatusCode::UNAUTHORIZED, "token_invalid").await;
    }
    // Nor is an access token for the path.
    let uppy = Uppy::with_token(platform, &user.token);
    let answer = uppy.sign_form("a.mp4", "video/mp4").await;
    uppy.expect_problem(answer, StatusCode::UNAUTHORIZED, "token_invalid").await;
    // Without any, nothing is signed.
    let answer = platform.request(Method::GET, "/s3/params?filename=a.mp4").send().await.unwrap();
    uppy.expect_problem(answer, StatusCode::UNAUTHORIZED, "token_missing").await;
}

/// A change to a token's header and claims.
type Change = fn(&mut Value, &mut Value);

async fn a_token_that_is_not_ours_is_refused(platform: &Platform) {
    let user = platform.sign_up().await;
    let token = upload_token(platform, &user).await;
    let mint = Mint::of(platform, token["upload_token"].as_str().unwrap(), "CapabilityKeysSecret").await;
    let uppy = Uppy::with_token(platform, &mint.changed(|_, _| {}));
    let upload = uppy.begin(&File::video()).await;
    let faults: [(&str, Change); 8] = [
        ("token_expired", |_, claims| {
            claims["exp"] = claims["iat"].as_i64().map(|iat| json!(iat - 1)).unwrap();
        }),
        ("token_invalid", |_, claims| claims["aud"] = json!("stream")),
        ("token_invalid", |_, claims| claims["iss"] = json!("another")),
        ("token_invalid", |header, _| header["typ"] = json!("stream+jwt")),
        ("token_invalid", |header, _| header["alg"] = json!("HS256")),
        ("token_invalid", |header, _| header["kid"] = json!("unknown")),
        ("token_invalid", |_, claims| drop(claims.as_object_mut().unwrap().remove("sid"))),
        ("token_invalid", |_, claims| claims["sub"] = json!(uuid::Uuid::now_v7())),
    ];
    for (code, fault) in faults {
        let uppy = Uppy::with_token(platform, &mint.changed(fault));
        let mut answers = uppy.ask_all(&upload).await;
        answers.push(uppy.sign_form("a.mp4", "video/mp4").await);
        answers.push(uppy.ask_to_begin(&File::video()).await);
        for answer in answers {
            uppy.expect_problem(answer, StatusCode::UNAUTHORIZED, code).await;
        }
    }
    let (said, signature) = token["upload_token"].as_str().unwrap().rsplit_once('.').unwrap();
    let tampered = format!("{said}.{}", signature.chars().rev().collect::<String>());
    let uppy = Uppy::with_token(platform, &tampered);
    let answer = uppy.sign_form("a.mp4", "video/mp4").await;
    uppy.expect_problem(answer, StatusCode::UNAUTHORIZED, "token_invalid").await;
}

async fn who_may_not_upload_any_more_uploads_no_more(platform: &Platform) {
    for version in Version::BOTH {
        let user = platform.sign_up().await;
        let uppy = Uppy::new(platform, &user, version).await;
        let upload = uppy.begin(&File::video()).await;
        let refuses = async |status: StatusCode, code: &str| {
            let mut answers = uppy.ask_all(&upload).await;
            answers.push(uppy.sign_form("a.mp4", "video/mp4").await);
            answers.push(uppy.ask_to_begin(&File::video()).await);
            for answer in answers {
                uppy.expect_problem(answer, status, code).await;
            }
            platform.post_as(&user, "/upload-tokens", &json!({})).await
        };
        platform.set_profile(&user, "role", AttributeValue::S("viewer".to_owned())).await;
        let answer = refuses(StatusCode::FORBIDDEN, "role_insufficient").await;
        expect_problem(answer, StatusCode::FORBIDDEN, "role_insufficient").await;
        platform.set_profile(&user, "role", AttributeValue::S("operator".to_owned())).await;
        platform.set_profile(&user, "disabled", AttributeValue::Bool(true)).await;
        let answer = refuses(StatusCode::FORBIDDEN, "account_disabled").await;
        expect_problem(answer, StatusCode::FORBIDDEN, "account_disabled").await;
        platform.set_profile(&user, "disabled", AttributeValue::Bool(false)).await;
        // Changing the password ends the other sessions, and what was made in them.
        let another = crate::platform::User { token: platform.log_in(&user.email).await, ..user.clone() };
        let passwords = json!({"current_password": PASSWORD, "new_password": "another horse battery staple"});
        let answer = platform.post_as(&another, "/users/me/password", &passwords).await;
        assert_eq!(answer.status(), StatusCode::NO_CONTENT);
        refuses(StatusCode::UNAUTHORIZED, "session_ended").await;
    }
}

async fn an_upload_of_somebody_else_is_not_there(platform: &Platform) {
    let (owner, other) = (platform.sign_up().await, platform.sign_up().await);
    let file = sound(PART_BYTES);
    let own = Uppy::new(platform, &owner, Version::Five).await;
    let upload = own.begin(&file).await;
    let sent = own.send_parts(&upload, &file, &[PART_BYTES]).await;
    for version in Version::BOTH {
        let uppy = Uppy::new(platform, &other, version).await;
        let unknown = json!({"uploadId": uuid::Uuid::now_v7(), "key": upload["key"]});
        let malformed = json!({"uploadId": "..%2F..%2Fmedia", "key": upload["key"]});
        // A key of one's own opens nothing.
        let mine = uppy.begin(&file).await;
        let with_my_key = json!({"uploadId": upload["uploadId"], "key": mine["key"]});
        for upload in [&upload, &unknown, &malformed, &with_my_key] {
            for answer in uppy.ask_all(upload).await {
                uppy.expect_problem(answer, StatusCode::NOT_FOUND, "not_found").await;
            }
        }
        // Nor does one of another's: it is not read.
        let with_their_key = json!({"uploadId": mine["uploadId"], "key": upload["key"]});
        assert_eq!(uppy.list(&with_their_key).await, json!([]));
        assert_eq!(expect(uppy.abort(&with_their_key).await, StatusCode::OK).await, json!({}));
    }
    expect(own.complete(&upload, &sent).await, StatusCode::OK).await;
}

async fn a_file_that_is_not_taken_is_refused(platform: &Platform) {
    let user = platform.sign_up().await;
    for version in Version::BOTH {
        let uppy = Uppy::new(platform, &user, version).await;
        let answer = uppy.sign_form("notes.txt", "text/plain").await;
        let problem = uppy.expect_problem(answer, StatusCode::UNPROCESSABLE_ENTITY, "invalid").await;
        assert_eq!(pointers(&problem), ["?type"]);
        let wrong = json!({"type": 7, "metadata": {"title": "a\nb"}});
        let answer = uppy.request(Method::POST, "/s3/multipart").json(&wrong).send().await.unwrap();
        let problem = uppy.expect_problem(answer, StatusCode::UNPROCESSABLE_ENTITY, "invalid").await;
        assert_eq!(pointers(&problem), ["/filename"]);
        let answer = uppy.request(Method::POST, "/s3/multipart").body("{").send().await.unwrap();
        uppy.expect_problem(answer, StatusCode::BAD_REQUEST, "malformed_json").await;

        let upload = uppy.begin(&File::video()).await;
        for number in [0, 10_001] {
            let answer = uppy.sign_part(&upload, number).await;
            let problem = uppy.expect_problem(answer, StatusCode::UNPROCESSABLE_ENTITY, "invalid").await;
            assert_eq!(pointers(&problem), ["{part_number}"]);
        }
        let part = json!({"PartNumber": 1, "ETag": "e"});
        let answer = uppy.complete(&upload, &[part.clone(), part]).await;
        uppy.expect_problem(answer, StatusCode::UNPROCESSABLE_ENTITY, "invalid").await;
        // What came by a form has no parts.
        let form = expect(uppy.sign_form("a.mp4", "video/mp4").await, StatusCode::OK).await;
        let media = platform.item(&format!("MEDIA#{}", form["media_id"].as_str().unwrap()), "RECORD").await;
        let in_one_piece = json!({"uploadId": media.unwrap()["upload_id"].as_s().unwrap(), "key": "k"});
        for answer in [uppy.ask_to_list(&in_one_piece).await, uppy.sign_part(&in_one_piece, 1).await] {
            uppy.expect_problem(answer, StatusCode::CONFLICT, "not_multipart").await;
        }
    }
}

async fn files_are_counted(_shared: &Platform) {
    let platform = Platform::start(|options| {
        options.parameters.insert("UploadsPerUserPerHour".to_owned(), "2".to_owned());
    })
    .await;
    let user = platform.sign_up().await;
    let uppy = Uppy::new(&platform, &user, Version::Six).await;
    uppy.begin(&File::video()).await;
    expect(uppy.sign_form("a.mp4", "video/mp4").await, StatusCode::OK).await;
    for answer in [uppy.ask_to_begin(&File::video()).await, uppy.sign_form("a.mp4", "video/mp4").await] {
        assert!(answer.headers().contains_key("retry-after"));
        uppy.expect_problem(answer, StatusCode::TOO_MANY_REQUESTS, "rate_limited").await;
    }
    platform.shut_down().await;
}
