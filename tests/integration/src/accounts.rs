//! Signing up, logging in, and making admins.

use futures::future::join_all;
use reqwest::{Method, StatusCode};
use serde_json::json;

use crate::platform::{File, PASSWORD, Platform, expect, expect_problem, pointers};

crate::tests![
    signing_up_makes_an_operator,
    of_many_who_want_one_email_one_gets_it,
    wrong_fields_are_named_all_at_once,
    a_body_that_is_no_json_object_is_refused,
    aliases_pass_over_unknown_fields,
    logging_in_gives_tokens,
    a_form_to_log_in_is_small,
    an_unknown_email_looks_like_a_wrong_password,
    sign_up_can_be_closed_and_its_role_chosen,
    an_admin_is_made_once,
    an_account_is_promoted_to_admin,
];

fn fresh_email() -> String {
    format!("{}@example.com", uuid::Uuid::now_v7().simple())
}

async fn signing_up_makes_an_operator(platform: &Platform) {
    let email = fresh_email();
    let body = json!({"email": format!("  {}  ", email.to_uppercase()), "password": PASSWORD, "display_name": "Ada"});
    let answer = platform.post("/auth/signup", &body).await;
    assert_eq!(answer.headers()["location"], "/users/me");
    let account = expect(answer, StatusCode::CREATED).await;
    assert_eq!(account["email"], email, "normalised");
    assert_eq!(
        (&account["display_name"], &account["role"], &account["disabled"]),
        (&json!("Ada"), &json!("operator"), &json!(false))
    );
    let mut names: Vec<_> = account.as_object().unwrap().keys().collect();
    names.sort();
    assert_eq!(names, ["created_at", "disabled", "display_name", "email", "id", "role"], "no password hash");
}

async fn of_many_who_want_one_email_one_gets_it(platform: &Platform) {
    for _ in 0..4 {
        let email = fresh_email();
        let body = json!({"email": email, "password": PASSWORD});
        let answers = join_all((0..8).map(|_| platform.post("/auth/signup", &body))).await;
        let created = answers.iter().filter(|answer| answer.status() == StatusCode::CREATED).count();
        assert_eq!(created, 1);
        for answer in answers.into_iter().filter(|answer| answer.status() != StatusCode::CREATED) {
            expect_problem(answer, StatusCode::CONFLICT, "email_taken").await;
        }
    }
}

async fn wrong_fields_are_named_all_at_once(platform: &Platform) {
    let body =
        json!({"email": "nobody", "password": "passwordpassword", "display_name": "", "role": "admin"});
    let answer = platform.post("/auth/signup", &body).await;
    let problem = expect_problem(answer, StatusCode::UNPROCESSABLE_ENTITY, "invalid").await;
    assert_eq!(pointers(&problem), ["/email", "/display_name", "/password", "/role"]);
    let missing = expect_problem(
        platform.post("/auth/signup", &json!({})).await,
        StatusCode::UNPROCESSABLE_ENTITY,
        "invalid",
    );
    assert_eq!(pointers(&missing.await), ["/email", "/password"]);
}

async fn a_body_that_is_no_json_object_is_refused(platform: &Platform) {
    let send = |body: String, content_type: &'static str| {
        platform.request(Method::POST, "/auth/signup").header("content-type", content_type).body(body).send()
    };
    let deep = format!("{}1{}", r#"{"a":"#.repeat(40), "}".repeat(40));
    for body in ["{", "", "\u{0}", &deep] {
        let answer = send(body.to_owned(), "application/json").await.unwrap();
        expect_problem(answer, StatusCode::BAD_REQUEST, "malformed_json").await;
    }
    let answer = send("[]".to_owned(), "application/json; charset=utf-8").await.unwrap();
    expect_problem(answer, StatusCode::UNPROCESSABLE_ENTITY, "invalid").await;
    let answer = send("<user/>".to_owned(), "application/xml").await.unwrap();
    expect_problem(answer, StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type").await;
}

async fn aliases_pass_over_unknown_fields(platform: &Platform) {
    let body = json!({"email": fresh_email(), "password": PASSWORD, "favourite_colour": "red"});
    expect(platform.post("/auth/register", &body).await, StatusCode::CREATED).await;
}

async fn logging_in_gives_tokens(platform: &Platform) {
    let user = platform.sign_up().await;
    let json_body = json!({"email": user.email, "password": PASSWORD});
    let form = [
        ("grant_type", "password"),
        ("username", user.email.as_str()),
        ("password", PASSWORD),
        ("scope", ""),
    ];
    let form: Vec<String> = form
        .iter()
        .map(|(name, value)| format!("{name}={}", value.replace('@', "%40").replace(' ', "+")))
        .collect();
    let form = form.join("&");
    for path in ["/auth/login", "/auth/signin", "/auth/token"] {
        let as_form = platform
            .request(Method::POST, path)
            .header("content-type", "application/x-www-form-urlencoded")
            .body(form.clone())
            .send()
            .await
            .unwrap();
        for answer in [platform.post(path, &json_body).await, as_form] {
            assert_eq!(answer.headers()["cache-control"], "no-store");
            let tokens = expect(answer, StatusCode::OK).await;
            assert_eq!((&tokens["token_type"], &tokens["expires_in"]), (&json!("bearer"), &json!(1800)));
            assert_eq!(tokens["access_token"].as_str().unwrap().split('.').count(), 3);
            assert!(tokens["refresh_token"].as_str().unwrap().len() > 40);
        }
    }
    let wrong_grant = platform
        .request(Method::POST, "/auth/token")
        .header("content-type", "application/x-www-form-urlencoded")
        .body(form.replace("grant_type=password", "grant_type=client_credentials"))
        .send();
    expect_problem(wrong_grant.await.unwrap(), StatusCode::UNPROCESSABLE_ENTITY, "invalid").await;
}

async fn a_form_to_log_in_is_small(platform: &Platform) {
    let user = platform.sign_up().await;
    let form = |filler_bytes: usize| {
        let credentials = format!("username={}&password={}", user.email, PASSWORD.replace(' ', "+"));
        let request = platform.request(Method::POST, "/auth/token");
        let request = request.header("content-type", "application/x-www-form-urlencoded");
        request.body(format!("{credentials}&scope={}", "x".repeat(filler_bytes))).send()
    };
    expect(form(60 * 1024).await.unwrap(), StatusCode::OK).await;
    let answer = form(64 * 1024).await.unwrap();
    expect_problem(answer, StatusCode::PAYLOAD_TOO_LARGE, "body_too_large").await;
}

async fn an_unknown_email_looks_like_a_wrong_password(_shared: &Platform) {
    let platform = Platform::start(|_| {}).await;
    let user = platform.sign_up().await;
    let log_in = |email: String| {
        let platform = &platform;
        async move {
            let body = json!({"email": email, "password": "another horse battery staple"});
            let sequence = platform.calls().sequence();
            let answer = platform.post("/auth/login", &body).await;
            let mut problem = expect_problem(answer, StatusCode::UNAUTHORIZED, "credentials_invalid").await;
            problem.as_object_mut().unwrap().remove("request_id");
            let calls = platform.calls().since(sequence).into_iter().filter(|call| call.service != "sqs");
            (problem, calls.map(|call| call.operation).collect::<Vec<_>>())
        }
    };
    let wrong_password = log_in(user.email.clone()).await;
    assert_eq!(wrong_password.1, ["UpdateItem", "UpdateItem", "UpdateItem", "GetItem", "GetItem"]);
    assert_eq!(log_in(fresh_email()).await, wrong_password);
    platform.shut_down().await;
}

async fn sign_up_can_be_closed_and_its_role_chosen(_shared: &Platform) {
    let closed = Platform::start(|options| {
        options.parameters.insert("SignupEnabled".to_owned(), "false".to_owned());
    })
    .await;
    let body = json!({"email": fresh_email(), "password": PASSWORD});
    expect_problem(closed.post("/auth/signup", &body).await, StatusCode::FORBIDDEN, "sign_up_closed").await;
    closed.shut_down().await;

    let viewers = Platform::start(|options| {
        options.parameters.insert("SignupRole".to_owned(), "viewer".to_owned());
    })
    .await;
    let viewer = viewers.sign_up().await;
    let answer = viewers.post_as(&viewer, "/media", &File::video().announcement()).await;
    expect_problem(answer, StatusCode::FORBIDDEN, "role_insufficient").await;
    viewers.shut_down().await;
}

async fn an_admin_is_made_once(platform: &Platform) {
    let event = json!({"email": fresh_email(), "password": PASSWORD, "display_name": "Boss"});
    let first = platform.stack.invoke("CreateAdminFunction", event.clone()).await.unwrap();
    assert_eq!((&first["role"], &first["display_name"]), (&json!("admin"), &json!("Boss")));
    let again = platform.stack.invoke("CreateAdminFunction", event).await.unwrap();
    assert_eq!(first, again);
}

async fn an_account_is_promoted_to_admin(_shared: &Platform) {
    let platform = Platform::start(|_| {}).await;
    let invoke = |event| platform.stack.invoke("CreateAdminFunction", event);
    let admins = || async {
        let item = platform.item("ADMINS", "COUNT").await.unwrap_or_default();
        item.get("count").map_or(0, |count| count.as_n().unwrap().parse::<i64>().unwrap())
    };
    let user = platform.sign_up().await;
    assert_eq!(admins().await, 0);
    for _ in 0..2 {
        let promoted = invoke(json!({"email": user.email})).await.unwrap();
        assert_eq!((&promoted["id"], &promoted["role"]), (&json!(user.id), &json!("admin")));
        assert_eq!(admins().await, 1, "counted once");
    }
    // The password is unchanged.
    platform.log_in(&user.email).await;

    // With a password, only the account's own: a stranger may have signed up under this e-mail.
    let stranger = platform.sign_up().await;
    let event = json!({"email": stranger.email, "password": "another horse battery staple"});
    let refused = invoke(event).await.unwrap_err();
    assert!(refused.to_string().contains("another password"), "{refused}");
    assert_eq!(admins().await, 1);
    let event = json!({"email": stranger.email, "password": PASSWORD});
    assert_eq!(invoke(event).await.unwrap()["role"], "admin");

    let nobody = invoke(json!({"email": fresh_email()})).await;
    assert!(nobody.unwrap_err().to_string().contains("give a password"));
    invoke(json!({"email": fresh_email(), "password": PASSWORD})).await.unwrap();
    assert_eq!(admins().await, 3);
    platform.shut_down().await;
}
