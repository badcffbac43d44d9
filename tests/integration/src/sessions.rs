//! Sessions: how they are refreshed, what ends them, and what that does to their tokens.

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use futures::future::join_all;
use reqwest::{Method, Response, StatusCode};
use serde_json::{Value, json};

use crate::platform::{File, PASSWORD, PATIENCE, Platform, User, expect, expect_problem, pointers};

crate::tests![
    refreshing_gives_other_tokens_that_work,
    a_session_ends_thirty_days_after_the_log_in,
    two_tabs_that_use_one_token_both_go_on,
    of_many_refreshes_at_once_nobody_is_thrown_out,
    a_late_replay_ends_the_session,
    a_replay_of_one_before_the_last_ends_the_session,
    a_token_that_was_never_issued_ends_nothing,
    logging_out_ends_the_session_and_may_be_repeated,
    a_password_change_ends_the_other_sessions,
    a_write_that_meets_a_transaction_is_tried_again,
    a_log_in_that_a_password_change_overtakes_is_over,
    a_new_password_is_judged,
    a_temporary_password_has_to_be_changed,
    whoever_is_disabled_or_demoted_loses_their_sessions,
    a_hash_is_made_anew_when_the_parameters_are_raised,
    anyone_can_verify_an_access_token,
];

const ANOTHER_PASSWORD: &str = "another horse battery staple";

/// The tokens of a log-in.
async fn log_in(platform: &Platform, email: &str, password: &str) -> Value {
    let body = json!({"email": email, "password": password});
    expect(platform.post("/auth/login", &body).await, StatusCode::OK).await
}

async fn refresh(platform: &Platform, tokens: &Value) -> Response {
    platform.post("/auth/refresh", &json!({"refresh_token": tokens["refresh_token"]})).await
}

/// The tokens of a refresh that has to work.
async fn refreshed(platform: &Platform, tokens: &Value) -> Value {
    expect(refresh(platform, tokens).await, StatusCode::OK).await
}

async fn expect_over(answer: Response) {
    expect_problem(answer, StatusCode::UNAUTHORIZED, "session_ended").await;
}

/// Changes something with the access token.
async fn change(platform: &Platform, tokens: &Value) -> Response {
    send(platform, Method::POST, tokens, "/media", &File::video().announcement()).await
}

async fn send(platform: &Platform, method: Method, tokens: &Value, path: &str, body: &Value) -> Response {
    let token = tokens["access_token"].as_str().unwrap();
    platform.request(method, path).bearer_auth(token).json(body).send().await.unwrap()
}

/// Reads with the access token something that is not there.
async fn expect_reading(platform: &Platform, tokens: &Value) {
    let path = format!("/media/{}", uuid::Uuid::now_v7());
    let token = tokens["access_token"].as_str().unwrap();
    let answer = platform.request(Method::GET, &path).bearer_auth(token).send().await.unwrap();
    expect_problem(answer, StatusCode::NOT_FOUND, "not_found").await;
}

async fn change_password(platform: &Platform, tokens: &Value, from: &str, to: &str) -> Response {
    let body = json!({"current_password": from, "new_password": to});
    send(platform, Method::POST, tokens, "/users/me/password", &body).await
}

async fn patch(platform: &Platform, admin: &User, user: &User, body: &Value) {
    let path = format!("/users/{}", user.id);
    let request = platform.request(Method::PATCH, &path).bearer_auth(&admin.token).json(body);
    expect(request.send().await.unwrap(), StatusCode::OK).await;
}

async fn refreshing_gives_other_tokens_that_work(platform: &Platform) {
    let (user, admin) = (platform.sign_up().await, platform.admin().await);
    let first = log_in(platform, &user.email, PASSWORD).await;
    // What has changed since the log-in shows.
    patch(platform, &admin, &user, &json!({"role": "admin"})).await;
    let answer = refresh(platform, &first).await;
    assert_eq!(answer.headers()["cache-control"], "no-store");
    let second = expect(answer, StatusCode::OK).await;
    let mut names: Vec<_> = second.as_object().unwrap().keys().collect();
    names.sort();
    assert_eq!(names, ["access_token", "expires_in", "refresh_token", "token_type"]);
    assert_eq!((&second["token_type"], &second["expires_in"]), (&json!("bearer"), &json!(1800)));
    assert_ne!(first["refresh_token"], second["refresh_token"]);
    let (before, after) = (claims(&first), claims(&second));
    assert_eq!((&before["role"], &after["role"]), (&json!("operator"), &json!("admin")));
    assert_eq!(before["sid"], after["sid"]);
    assert_ne!(before["jti"], after["jti"]);
    for tokens in [&first, &second] {
        expect(change(platform, tokens).await, StatusCode::CREATED).await;
    }

    let missing = platform.post("/auth/refresh", &json!({"refresh_token": 1, "token": "x"})).await;
    let problem = expect_problem(missing, StatusCode::UNPROCESSABLE_ENTITY, "invalid").await;
    assert_eq!(pointers(&problem), ["/refresh_token", "/token"]);
}

fn claims(tokens: &Value) -> Value {
    let token = tokens["access_token"].as_str().unwrap();
    let claims = BASE64_URL_SAFE_NO_PAD.decode(token.split('.').nth(1).unwrap()).unwrap();
    serde_json::from_slice(&claims).unwrap()
}

async fn a_session_ends_thirty_days_after_the_log_in(_shared: &Platform) {
    const DAY: i64 = 24 * 60 * 60;
    let platform = Platform::start(|_| {}).await;
    let user = platform.sign_up().await;
    let mut tokens = log_in(&platform, &user.email, PASSWORD).await;
    for days in [10, 20, 29] {
        platform.set_clock_offset(days * DAY);
        tokens = refreshed(&platform, &tokens).await;
    }
    platform.set_clock_offset(30 * DAY + 1);
    // DynamoDB has not deleted it yet.
    let session = format!("SESSION#{}", claims(&tokens)["sid"].as_str().unwrap());
    assert!(platform.item(&format!("USER#{}", user.id), &session).await.is_some());
    expect_over(refresh(&platform, &tokens).await).await;
    platform.shut_down().await;
}

async fn two_tabs_that_use_one_token_both_go_on(_shared: &Platform) {
    let platform = Platform::start(|_| {}).await;
    let user = platform.sign_up().await;
    let tokens = log_in(&platform, &user.email, PASSWORD).await;
    let mut one = refreshed(&platform, &tokens).await;
    platform.set_clock_offset(9);
    let mut other = refreshed(&platform, &tokens).await;
    assert_ne!(one["refresh_token"], other["refresh_token"]);
    // Each by itself, at times of its own.
    for round in 1..=3 {
        platform.set_clock_offset(round * 1_800);
        one = refreshed(&platform, &one).await;
        platform.set_clock_offset(round * 1_800 + 600);
        other = refreshed(&platform, &other).await;
    }
    for tokens in [&one, &other] {
        expect(change(&platform, tokens).await, StatusCode::CREATED).await;
    }
    // What was used up is not kept.
    let session = format!("SESSION#{}", claims(&one)["sid"].as_str().unwrap());
    let session = platform.item(&format!("USER#{}", user.id), &session).await.unwrap();
    assert!(session["refresh_tokens"].as_m().unwrap().len() <= 4, "{session:?}");
    platform.shut_down().await;
}

async fn of_many_refreshes_at_once_nobody_is_thrown_out(platform: &Platform) {
    let user = platform.sign_up().await;
    for _ in 0..4 {
        let tokens = log_in(platform, &user.email, PASSWORD).await;
        let children = join_all((0..16).map(|_| refreshed(platform, &tokens))).await;
        let mut distinct: Vec<_> = children.iter().map(|child| child["refresh_token"].to_string()).collect();
        distinct.sort();
        distinct.dedup();
        assert_eq!(distinct.len(), children.len());
        for grandchild in join_all(children.iter().map(|child| refreshed(platform, child))).await {
            refreshed(platform, &grandchild).await;
        }
    }
}

async fn a_late_replay_ends_the_session(_shared: &Platform) {
    let platform = Platform::start(|_| {}).await;
    let user = platform.sign_up().await;
    // The one before the present one, and one long used up.
    for generations in [1, 3] {
        platform.set_clock_offset(0);
        let first = log_in(&platform, &user.email, PASSWORD).await;
        let bystander = log_in(&platform, &user.email, PASSWORD).await;
        let mut last = first.clone();
        for generation in 0..generations {
            platform.set_clock_offset(generation * 100);
            last = refreshed(&platform, &last).await;
        }
        platform.set_clock_offset(generations * 100);
        // Thieves come in numbers too.
        let replays = join_all((0..4).map(|_| refresh(&platform, &first))).await;
        let mut codes = Vec::new();
        for replay in replays {
            assert_eq!(replay.status(), StatusCode::UNAUTHORIZED);
            codes.push(replay.json::<Value>().await.unwrap()["code"].as_str().unwrap().to_owned());
        }
        assert!(codes.iter().any(|code| code == "token_reused"), "{codes:?}");
        assert!(codes.iter().all(|code| code == "token_reused" || code == "session_ended"), "{codes:?}");
        expect_over(refresh(&platform, &last).await).await;
        refreshed(&platform, &bystander).await;
    }
    platform.shut_down().await;
}

async fn a_replay_of_one_before_the_last_ends_the_session(platform: &Platform) {
    let user = platform.sign_up().await;
    let first = log_in(platform, &user.email, PASSWORD).await;
    let second = refreshed(platform, &first).await;
    let in_another_tab = refreshed(platform, &first).await;
    let third = refreshed(platform, &second).await;
    // However soon: the second one has been used, so the first one's answer arrived.
    let answer = refresh(platform, &first).await;
    expect_problem(answer, StatusCode::UNAUTHORIZED, "token_reused").await;
    for tokens in [&first, &second, &third, &in_another_tab] {
        expect_over(refresh(platform, tokens).await).await;
    }
}

async fn a_token_that_was_never_issued_ends_nothing(platform: &Platform) {
    let user = platform.sign_up().await;
    let tokens = log_in(platform, &user.email, PASSWORD).await;
    let token = tokens["refresh_token"].as_str().unwrap();
    // User and session are 32 bytes: whoever sees an access token knows them.
    let mut bytes = BASE64_URL_SAFE_NO_PAD.decode(token).unwrap();
    bytes[32..].fill(7);
    let forged = json!({"refresh_token": BASE64_URL_SAFE_NO_PAD.encode(&bytes)});
    let foreign = log_in(platform, &platform.sign_up().await.email, PASSWORD).await;
    for body in [&forged, &json!({"refresh_token": &token[1..]}), &json!({"refresh_token": ""})] {
        let answer = platform.post("/auth/refresh", body).await;
        expect_problem(answer, StatusCode::UNAUTHORIZED, "token_invalid").await;
        let answer = platform.post("/auth/logout", body).await;
        assert_eq!(answer.status(), StatusCode::NO_CONTENT, "whatever it is, it is good for nothing");
    }
    refreshed(platform, &foreign).await;
    refreshed(platform, &tokens).await;
}

async fn logging_out_ends_the_session_and_may_be_repeated(platform: &Platform) {
    let user = platform.sign_up().await;
    let first = log_in(platform, &user.email, PASSWORD).await;
    let bystander = log_in(platform, &user.email, PASSWORD).await;
    let last = refreshed(platform, &first).await;
    // With any token of the session, as often as one likes.
    for tokens in [&first, &first, &last] {
        let answer = platform.post("/auth/logout", &json!({"refresh_token": tokens["refresh_token"]})).await;
        assert_eq!(answer.status(), StatusCode::NO_CONTENT);
        assert!(answer.headers().contains_key("x-request-id"));
        assert_eq!(answer.bytes().await.unwrap().len(), 0);
    }
    for tokens in [&first, &last] {
        expect_over(refresh(platform, tokens).await).await;
    }
    refreshed(platform, &bystander).await;
    let answer = platform.post("/auth/logout", &json!({})).await;
    let problem = expect_problem(answer, StatusCode::UNPROCESSABLE_ENTITY, "invalid").await;
    assert_eq!(pointers(&problem), ["/refresh_token"]);
}

async fn a_password_change_ends_the_other_sessions(platform: &Platform) {
    let user = platform.sign_up().await;
    let asking = log_in(platform, &user.email, PASSWORD).await;
    let other = log_in(platform, &user.email, PASSWORD).await;
    let answer = change_password(platform, &asking, PASSWORD, ANOTHER_PASSWORD).await;
    assert_eq!(answer.status(), StatusCode::NO_CONTENT);

    expect_over(change(platform, &other).await).await;
    expect_over(refresh(platform, &other).await).await;
    expect_reading(platform, &other).await;
    expect(change(platform, &asking).await, StatusCode::CREATED).await;
    let asking = refreshed(platform, &asking).await;
    expect(change(platform, &asking).await, StatusCode::CREATED).await;

    let old = platform.post("/auth/login", &json!({"email": user.email, "password": PASSWORD})).await;
    expect_problem(old, StatusCode::UNAUTHORIZED, "credentials_invalid").await;
    let later = log_in(platform, &user.email, ANOTHER_PASSWORD).await;
    expect(change(platform, &later).await, StatusCode::CREATED).await;

    // The next change, from the later session, ends the one that went on.
    let answer = change_password(platform, &later, ANOTHER_PASSWORD, PASSWORD).await;
    assert_eq!(answer.status(), StatusCode::NO_CONTENT);
    expect_over(refresh(platform, &asking).await).await;
    expect_over(change(platform, &asking).await).await;
    refreshed(platform, &later).await;
}

async fn a_write_that_meets_a_transaction_is_tried_again(_shared: &Platform) {
    use local::aws::Disturbance;
    let platform = Platform::start(|_| {}).await;
    let user = platform.sign_up().await;
    platform
        .aws()
        .disturb(Disturbance { conflict_one_in: std::num::NonZeroU32::new(3), ..Disturbance::default() });
    let sequence = platform.calls().sequence();
    for _ in 0..4 {
        let mut tokens = log_in(&platform, &user.email, PASSWORD).await;
        for _ in 0..4 {
            tokens = refreshed(&platform, &tokens).await;
        }
        let body = json!({"refresh_token": tokens["refresh_token"]});
        assert_eq!(platform.post("/auth/logout", &body).await.status(), StatusCode::NO_CONTENT);
    }
    let calls = platform.calls().since(sequence);
    let met = calls
        .iter()
        .filter(|call| call.outcome.error_code.as_deref() == Some("TransactionConflictException"))
        .count();
    assert!(met > 2, "{met} of {} calls", calls.len());
    platform.shut_down().await;
}

async fn a_log_in_that_a_password_change_overtakes_is_over(_shared: &Platform) {
    use local::aws::{Answer, Principal};
    let platform = Platform::start(|_| {}).await;
    let user = platform.sign_up().await;
    let tokens = log_in(&platform, &user.email, PASSWORD).await;
    let (beginning, mut has_begun) = tokio::sync::watch::channel(false);
    let interception = platform.calls().intercept(move |attempt| {
        let is_log_in = matches!(&attempt.principal, Principal::Function(id) if id == "LogInFunction");
        (is_log_in && attempt.operation == "PutItem").then(|| {
            beginning.send_replace(true);
            Answer::Delay(std::time::Duration::from_millis(500))
        })
    });
    // The password has been checked, and the session is about to be written, when the password changes.
    let change_meanwhile = async {
        tokio::time::timeout(PATIENCE, has_begun.wait_for(|begun| *begun)).await.unwrap().unwrap();
        change_password(&platform, &tokens, PASSWORD, ANOTHER_PASSWORD).await
    };
    let (overtaken, changed) =
        futures::future::join(log_in(&platform, &user.email, PASSWORD), change_meanwhile).await;
    drop(interception);
    assert_eq!(changed.status(), StatusCode::NO_CONTENT);
    expect_over(change(&platform, &overtaken).await).await;
    expect_over(refresh(&platform, &overtaken).await).await;
    platform.shut_down().await;
}

async fn a_new_password_is_judged(platform: &Platform) {
    let user = platform.sign_up().await;
    let tokens = log_in(platform, &user.email, PASSWORD).await;
    let send = async |body: Value| {
        let answer = send(platform, Method::POST, &tokens, "/users/me/password", &body).await;
        expect_problem(answer, StatusCode::UNPROCESSABLE_ENTITY, "invalid").await
    };
    let all_wrong = json!({"current_password": 1, "new_password": "passwordpassword", "colour": "red"});
    assert_eq!(pointers(&send(all_wrong).await), ["/current_password", "/new_password", "/colour"]);
    assert_eq!(pointers(&send(json!({})).await), ["/current_password", "/new_password"]);
    for (from, to, pointer) in [
        (ANOTHER_PASSWORD, "a third horse battery staple", "/current_password"),
        (PASSWORD, PASSWORD, "/new_password"),
        (PASSWORD, &PASSWORD.replacen('c', "\u{ff43}", 1), "/new_password"),
        (PASSWORD, "11 letters.", "/new_password"),
        (PASSWORD, &"x7!qLm ".repeat(19), "/new_password"),
        (PASSWORD, &user.email, "/new_password"),
    ] {
        let problem = send(json!({"current_password": from, "new_password": to})).await;
        assert_eq!(pointers(&problem), [pointer], "{to}");
    }
    let advice = send(json!({"current_password": PASSWORD, "new_password": "passwordpassword"})).await;
    assert!(advice["detail"].as_str().unwrap().contains("too easy to guess. "), "{advice}");
    // Nothing of that has changed anything.
    expect(change(platform, &tokens).await, StatusCode::CREATED).await;
    log_in(platform, &user.email, PASSWORD).await;
}

async fn a_temporary_password_has_to_be_changed(platform: &Platform) {
    const TEMPORARY: &str = "temporary horse battery staple";
    let (user, admin) = (platform.sign_up().await, platform.admin().await);
    let before = log_in(platform, &user.email, PASSWORD).await;
    let path = format!("/users/{}/password", user.id);
    let answer = platform.post_as(&admin, &path, &json!({"password": TEMPORARY})).await;
    assert_eq!(answer.status(), StatusCode::NO_CONTENT);
    expect_over(change(platform, &before).await).await;
    expect_over(refresh(platform, &before).await).await;

    let tokens = log_in(platform, &user.email, TEMPORARY).await;
    assert_eq!(tokens["password_change_required"], true);
    let tokens = refreshed(platform, &tokens).await;
    assert_eq!(tokens["password_change_required"], true);
    let refused = change(platform, &tokens).await;
    expect_problem(refused, StatusCode::FORBIDDEN, "password_change_required").await;
    expect_reading(platform, &tokens).await;
    let token = tokens["access_token"].as_str().unwrap();
    let profile = platform.request(Method::GET, "/users/me").bearer_auth(token).send().await.unwrap();
    assert_eq!(expect(profile, StatusCode::OK).await["password_change_required"], true);
    let other = log_in(platform, &user.email, TEMPORARY).await;
    let answer = platform.post("/auth/logout", &json!({"refresh_token": other["refresh_token"]})).await;
    assert_eq!(answer.status(), StatusCode::NO_CONTENT);

    let same = change_password(platform, &tokens, TEMPORARY, TEMPORARY).await;
    expect_problem(same, StatusCode::UNPROCESSABLE_ENTITY, "invalid").await;
    let answer = change_password(platform, &tokens, TEMPORARY, ANOTHER_PASSWORD).await;
    assert_eq!(answer.status(), StatusCode::NO_CONTENT);
    expect(change(platform, &tokens).await, StatusCode::CREATED).await;
    let tokens = log_in(platform, &user.email, ANOTHER_PASSWORD).await;
    assert!(tokens.get("password_change_required").is_none());

    let nobody = format!("/users/{}/password", uuid::Uuid::now_v7());
    let answer = platform.post_as(&admin, &nobody, &json!({"password": TEMPORARY})).await;
    expect_problem(answer, StatusCode::NOT_FOUND, "not_found").await;
    let answer = platform.post_as(&admin, &path, &json!({"password": "passwordpassword"})).await;
    let problem = expect_problem(answer, StatusCode::UNPROCESSABLE_ENTITY, "invalid").await;
    assert_eq!(pointers(&problem), ["/password"]);
}

async fn whoever_is_disabled_or_demoted_loses_their_sessions(platform: &Platform) {
    let (user, admin) = (platform.sign_up().await, platform.admin().await);
    let tokens = log_in(platform, &user.email, PASSWORD).await;
    // What takes no rights ends nothing.
    for body in [json!({"role": "admin"}), json!({"display_name": "Ada"}), json!({"disabled": false})] {
        patch(platform, &admin, &user, &body).await;
        expect(change(platform, &tokens).await, StatusCode::CREATED).await;
    }
    patch(platform, &admin, &user, &json!({"role": "operator"})).await;
    expect_over(change(platform, &tokens).await).await;
    expect_over(refresh(platform, &tokens).await).await;
    expect_reading(platform, &tokens).await;

    let tokens = log_in(platform, &user.email, PASSWORD).await;
    patch(platform, &admin, &user, &json!({"disabled": true})).await;
    let answers = [change(platform, &tokens).await, refresh(platform, &tokens).await];
    for answer in answers {
        expect_problem(answer, StatusCode::FORBIDDEN, "account_disabled").await;
    }
    let body = json!({"email": user.email, "password": PASSWORD});
    let answer = platform.post("/auth/login", &body).await;
    expect_problem(answer, StatusCode::FORBIDDEN, "account_disabled").await;

    // Enabled again, they log in again.
    patch(platform, &admin, &user, &json!({"disabled": false})).await;
    expect_over(change(platform, &tokens).await).await;
    expect_over(refresh(platform, &tokens).await).await;
    let tokens = log_in(platform, &user.email, PASSWORD).await;
    expect(change(platform, &tokens).await, StatusCode::CREATED).await;
}

async fn a_hash_is_made_anew_when_the_parameters_are_raised(platform: &Platform) {
    use aws_sdk_dynamodb::types::AttributeValue::S;
    // `PASSWORD` with 8 KiB and one pass.
    const OLD_HASH: &str =
        "$argon2id$v=19$m=8,t=1,p=1$Z3VfYx5GyFrgTzjQkILNMw$lTMIW1Wm2/R2u0uLG8oBaTLQslKfGqT1yUmMqwE7q0g";
    let user = platform.sign_up().await;
    let hash = || async {
        let profile = platform.item(&format!("USER#{}", user.id), "PROFILE").await.unwrap();
        profile["password_hash"].as_s().unwrap().clone()
    };
    platform.set_profile(&user, "password_hash", S(OLD_HASH.to_owned())).await;
    let wrong = json!({"email": user.email, "password": ANOTHER_PASSWORD});
    let answer = platform.post("/auth/login", &wrong).await;
    expect_problem(answer, StatusCode::UNAUTHORIZED, "credentials_invalid").await;
    assert_eq!(hash().await, OLD_HASH);

    // Of several at once each logs in, and nobody's session ends.
    let logged_in = join_all((0..4).map(|_| log_in(platform, &user.email, PASSWORD))).await;
    let rehashed = hash().await;
    assert!(rehashed.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{rehashed}");
    for tokens in &logged_in {
        expect(change(platform, tokens).await, StatusCode::CREATED).await;
    }
    log_in(platform, &user.email, PASSWORD).await;
    assert_eq!(hash().await, rehashed, "once");
}

async fn anyone_can_verify_an_access_token(platform: &Platform) {
    let get = || platform.request(Method::GET, "/.well-known/jwks.json");
    let answer = get().send().await.unwrap();
    assert_eq!(answer.headers()["cache-control"], "public, max-age=300");
    let etag = answer.headers()["etag"].to_str().unwrap().to_owned();
    assert!(etag.starts_with('"') && etag.ends_with('"') && etag.len() > 20, "{etag}");
    let keys = expect(answer, StatusCode::OK).await;
    let known = get().header("if-none-match", &etag).send().await.unwrap();
    assert_eq!(
        (known.status(), &known.headers()["etag"]),
        (StatusCode::NOT_MODIFIED, &etag.parse().unwrap())
    );
    assert_eq!(known.headers()["cache-control"], "public, max-age=300");

    let user = platform.sign_up().await;
    let parts: Vec<&str> = user.token.split('.').collect();
    let decode = |text: &str| BASE64_URL_SAFE_NO_PAD.decode(text).unwrap();
    let header: Value = serde_json::from_slice(&decode(parts[0])).unwrap();
    assert_eq!((&header["alg"], &header["typ"]), (&json!("EdDSA"), &json!("at+jwt")));
    let keys = keys["keys"].as_array().unwrap();
    assert!(keys.len() >= 2, "the present one and the next");
    assert!(keys.iter().all(|key| key.get("d").is_none()), "nothing private");
    let key = keys.iter().find(|key| key["kid"] == header["kid"]).unwrap();
    assert_eq!((&key["kty"], &key["crv"], &key["use"]), (&json!("OKP"), &json!("Ed25519"), &json!("sig")));
    let public = decode(key["x"].as_str().unwrap());
    ring::signature::UnparsedPublicKey::new(&ring::signature::ED25519, public)
        .verify(format!("{}.{}", parts[0], parts[1]).as_bytes(), &decode(parts[2]))
        .unwrap();
    let claims: Value = serde_json::from_slice(&decode(parts[1])).unwrap();
    assert_eq!((&claims["sub"], &claims["role"]), (&json!(user.id), &json!("operator")));
    for claim in ["iss", "aud", "sid", "iat", "exp", "jti"] {
        assert!(claims.get(claim).is_some(), "{claim}");
    }
    let life = claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap();
    assert_eq!(life, 1800);
}
