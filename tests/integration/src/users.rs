//! Accounts as admins see them, and as their owners do.

use futures::future::{join, join_all};
use reqwest::{Method, Response, StatusCode};
use serde_json::{Value, json};

use crate::platform::{PASSWORD, PATIENCE, Platform, User, expect, expect_problem, pointers};

crate::tests![
    only_admins_manage_accounts,
    everybody_sees_their_own_account,
    an_admin_makes_accounts,
    an_account_is_shown_by_its_id,
    an_account_is_changed_by_a_merge_patch,
    every_wrong_field_of_a_patch_is_named,
    of_many_changes_of_one_version_one_is_made,
    changes_of_any_version_are_all_made,
    the_last_admin_stays,
    of_two_admins_who_demote_each_other_one_stays,
    of_many_admins_too_nobody_is_demoted_by_who_is_none,
    nobody_takes_their_own_demotion_back,
    accounts_are_listed_page_by_page,
    a_page_that_makes_no_sense_is_refused,
];

async fn patch(platform: &Platform, admin: &User, id: &str, body: &Value) -> Response {
    let request = platform.request(Method::PATCH, &format!("/users/{id}")).bearer_auth(&admin.token);
    request.json(body).send().await.unwrap()
}

async fn patch_version(platform: &Platform, admin: &User, id: &str, etag: &str, body: &Value) -> Response {
    let request = platform.request(Method::PATCH, &format!("/users/{id}")).bearer_auth(&admin.token);
    request.header("if-match", etag).json(body).send().await.unwrap()
}

fn etag(answer: &Response) -> String {
    answer.headers()["etag"].to_str().unwrap().to_owned()
}

fn fresh_email() -> String {
    format!("{}@example.com", uuid::Uuid::now_v7().simple())
}

async fn only_admins_manage_accounts(platform: &Platform) {
    let user = platform.sign_up().await;
    let path = format!("/users/{}", user.id);
    let password = format!("{path}/password");
    for (method, path) in [
        (Method::GET, "/users"),
        (Method::POST, "/users"),
        (Method::GET, &path),
        (Method::PATCH, &path),
        (Method::DELETE, &path),
        (Method::POST, &password),
    ] {
        // Refused before the body is looked at.
        let request = platform.request(method, path).bearer_auth(&user.token).json(&json!({}));
        let answer = request.send().await.unwrap();
        expect_problem(answer, StatusCode::FORBIDDEN, "role_insufficient").await;
    }
}

async fn everybody_sees_their_own_account(platform: &Platform) {
    let user = platform.sign_up().await;
    let answer = platform.get(&user, "/users/me").await;
    assert_eq!(answer.headers()["cache-control"], "private, no-cache");
    let etag = etag(&answer);
    let account = expect(answer, StatusCode::OK).await;
    assert_eq!((&account["id"], &account["email"]), (&json!(user.id), &json!(user.email)));
    let mut names: Vec<_> = account.as_object().unwrap().keys().collect();
    names.sort();
    assert_eq!(names, ["created_at", "disabled", "display_name", "email", "id", "role"], "no password hash");
    let request = platform.request(Method::GET, "/users/me").bearer_auth(&user.token);
    let known = request.header("if-none-match", &etag).send().await.unwrap();
    assert_eq!(known.status(), StatusCode::NOT_MODIFIED);
}

async fn an_admin_makes_accounts(platform: &Platform) {
    let admin = platform.admin().await;
    for (role, made) in [(None, "operator"), (Some("viewer"), "viewer"), (Some("admin"), "admin")] {
        let email = fresh_email();
        let mut body = json!({"email": email.to_uppercase(), "password": PASSWORD, "display_name": " Ada "});
        if let Some(role) = role {
            body["role"] = json!(role);
        }
        let answer = platform.post_as(&admin, "/users", &body).await;
        let location = answer.headers()["location"].to_str().unwrap().to_owned();
        let account = expect(answer, StatusCode::CREATED).await;
        assert_eq!(location, format!("/users/{}", account["id"].as_str().unwrap()));
        assert_eq!(
            (&account["email"], &account["display_name"], &account["role"]),
            (&json!(email), &json!("Ada"), &json!(made))
        );
        assert_eq!(expect(platform.get(&admin, &location).await, StatusCode::OK).await, account);
        platform.log_in(&email).await;
        let again = platform.post_as(&admin, "/users", &body).await;
        expect_problem(again, StatusCode::CONFLICT, "email_taken").await;
    }
    let wrong = json!({
        "email": "nobody", "password": "short", "display_name": "é".repeat(101), "role": "king", "disabled": true,
    });
    let answer = platform.post_as(&admin, "/users", &wrong).await;
    let problem = expect_problem(answer, StatusCode::UNPROCESSABLE_ENTITY, "invalid").await;
    assert_eq!(pointers(&problem), ["/email", "/display_name", "/password", "/role", "/disabled"]);
}

async fn an_account_is_shown_by_its_id(platform: &Platform) {
    let (user, admin) = (platform.sign_up().await, platform.admin().await);
    let path = format!("/users/{}", user.id);
    let answer = platform.get(&admin, &path).await;
    let etag = etag(&answer);
    assert_eq!(expect(answer, StatusCode::OK).await["email"], user.email);
    let request = platform.request(Method::GET, &path).bearer_auth(&admin.token);
    let known = request.header("if-none-match", &etag).send().await.unwrap();
    assert_eq!(known.status(), StatusCode::NOT_MODIFIED);
    for nobody in [uuid::Uuid::now_v7().to_string(), "x".to_owned(), user.id.to_uppercase()] {
        let path = format!("/users/{nobody}");
        expect_problem(platform.get(&admin, &path).await, StatusCode::NOT_FOUND, "not_found").await;
        let answer = patch(platform, &admin, &nobody, &json!({"disabled": true})).await;
        expect_problem(answer, StatusCode::NOT_FOUND, "not_found").await;
    }
}

async fn an_account_is_changed_by_a_merge_patch(platform: &Platform) {
    let (user, admin) = (platform.sign_up().await, platform.admin().await);
    let answer = patch(platform, &admin, &user.id, &json!({"display_name": "Ada", "role": "viewer"})).await;
    let changed_etag = etag(&answer);
    let changed = expect(answer, StatusCode::OK).await;
    assert_eq!((&changed["display_name"], &changed["role"]), (&json!("Ada"), &json!("viewer")));
    // What changes nothing makes no new version.
    for nothing in [json!({}), json!({"role": "viewer"}), json!({"display_name": "Ada", "disabled": false})] {
        let answer = patch(platform, &admin, &user.id, &nothing).await;
        assert_eq!(etag(&answer), changed_etag, "{nothing}");
        assert_eq!(expect(answer, StatusCode::OK).await, changed);
    }
    let removal = platform
        .request(Method::PATCH, &format!("/users/{}", user.id))
        .bearer_auth(&admin.token)
        .header("content-type", "application/merge-patch+json")
        .header("if-match", &changed_etag)
        .body(r#"{"display_name": null, "disabled": true}"#);
    let removed = removal.send().await.unwrap();
    assert_ne!(etag(&removed), changed_etag);
    let removed = expect(removed, StatusCode::OK).await;
    assert_eq!(
        (&removed["display_name"], &removed["role"], &removed["disabled"]),
        (&Value::Null, &json!("viewer"), &json!(true))
    );
    for outdated in [changed_etag.as_str(), "W/\"3\"", "\"x\""] {
        let answer = patch_version(platform, &admin, &user.id, outdated, &json!({"disabled": false})).await;
        expect_problem(answer, StatusCode::PRECONDITION_FAILED, "precondition_failed").await;
    }
    let answer = patch_version(platform, &admin, &user.id, "*", &json!({"disabled": false})).await;
    expect(answer, StatusCode::OK).await;
}

async fn every_wrong_field_of_a_patch_is_named(platform: &Platform) {
    let (user, admin) = (platform.sign_up().await, platform.admin().await);
    for (body, wrong) in [
        (
            json!({"display_name": "", "role": null, "disabled": "no", "email": "other@example.com"}),
            vec!["/display_name", "/role", "/disabled", "/email"],
        ),
        (json!({"display_name": "x".repeat(101), "role": "king"}), vec!["/display_name", "/role"]),
        (json!({"disabled": null, "password_hash": "x"}), vec!["/disabled", "/password_hash"]),
        (json!([]), vec![""]),
    ] {
        let answer = patch(platform, &admin, &user.id, &body).await;
        let problem = expect_problem(answer, StatusCode::UNPROCESSABLE_ENTITY, "invalid").await;
        assert_eq!(pointers(&problem), wrong);
    }
}

async fn of_many_changes_of_one_version_one_is_made(platform: &Platform) {
    let (user, admin) = (platform.sign_up().await, platform.admin().await);
    for _ in 0..6 {
        let etag = etag(&platform.get(&admin, &format!("/users/{}", user.id)).await);
        let bodies: Vec<Value> = (0..8).map(|_| json!({"display_name": fresh_email()})).collect();
        let changes = bodies.iter().map(|body| patch_version(platform, &admin, &user.id, &etag, body));
        let mut made = Vec::new();
        for answer in join_all(changes).await {
            if answer.status() == StatusCode::OK {
                made.push(expect(answer, StatusCode::OK).await);
            } else {
                expect_problem(answer, StatusCode::PRECONDITION_FAILED, "precondition_failed").await;
            }
        }
        assert_eq!(made.len(), 1);
        let now = expect(platform.get(&admin, &format!("/users/{}", user.id)).await, StatusCode::OK).await;
        assert_eq!(now, made[0]);
    }
}

async fn changes_of_any_version_are_all_made(platform: &Platform) {
    let (user, admin) = (platform.sign_up().await, platform.admin().await);
    for name in ["Ada", "Grace", "Edsger"] {
        let bodies = [json!({"display_name": name}), json!({"role": "admin"}), json!({"disabled": false})];
        let changes = bodies.iter().map(|body| patch(platform, &admin, &user.id, body));
        for answer in join_all(changes).await {
            expect(answer, StatusCode::OK).await;
        }
        let account = expect(platform.get(&admin, &format!("/users/{}", user.id)).await, StatusCode::OK);
        let account = account.await;
        assert_eq!((&account["display_name"], &account["role"]), (&json!(name), &json!("admin")));
        expect(patch(platform, &admin, &user.id, &json!({"role": "viewer"})).await, StatusCode::OK).await;
    }
}

/// How many admins there are that are not shut out, by the count.
pub(crate) async fn admins(platform: &Platform) -> i64 {
    let item = platform.item("ADMINS", "COUNT").await.unwrap();
    item["count"].as_n().unwrap().parse().unwrap()
}

async fn the_last_admin_stays(_shared: &Platform) {
    let platform = Platform::start(|_| {}).await;
    let first = platform.admin().await;
    let expect_last = |answer| expect_problem(answer, StatusCode::CONFLICT, "last_admin");
    for body in
        [json!({"role": "operator"}), json!({"disabled": true}), json!({"role": "viewer", "disabled": true})]
    {
        expect_last(patch(&platform, &first, &first.id, &body).await).await;
    }
    // What leaves them admin is none of that.
    let answer = patch(&platform, &first, &first.id, &json!({"display_name": "Boss", "role": "admin"})).await;
    expect(answer, StatusCode::OK).await;

    // One that is shut out does not count.
    let second = platform.admin().await;
    assert_eq!(admins(&platform).await, 2);
    expect(patch(&platform, &first, &second.id, &json!({"disabled": true})).await, StatusCode::OK).await;
    assert_eq!(admins(&platform).await, 1);
    expect_last(patch(&platform, &first, &first.id, &json!({"role": "viewer"})).await).await;
    // Nor is it counted down twice.
    expect(patch(&platform, &first, &second.id, &json!({"role": "viewer"})).await, StatusCode::OK).await;
    assert_eq!(admins(&platform).await, 1);
    let again = json!({"disabled": false, "role": "admin"});
    expect(patch(&platform, &first, &second.id, &again).await, StatusCode::OK).await;
    assert_eq!(admins(&platform).await, 2);

    // With another one there they may go, and who asked keeps the session, with fewer rights.
    expect(patch(&platform, &first, &first.id, &json!({"role": "viewer"})).await, StatusCode::OK).await;
    assert_eq!(admins(&platform).await, 1);
    let answer = patch(&platform, &first, &second.id, &json!({"role": "viewer"})).await;
    expect_problem(answer, StatusCode::FORBIDDEN, "role_insufficient").await;
    platform.shut_down().await;
}

async fn of_two_admins_who_demote_each_other_one_stays(_shared: &Platform) {
    let platform = Platform::start(|_| {}).await;
    let (mut one, mut other) = (platform.admin().await, platform.admin().await);
    for round in 0..12 {
        let body = if round % 2 == 0 { json!({"role": "operator"}) } else { json!({"disabled": true}) };
        let answers =
            join(patch(&platform, &one, &other.id, &body), patch(&platform, &other, &one.id, &body));
        let (first, second) = answers.await;
        let succeeded = [&first, &second].iter().filter(|answer| answer.status() == StatusCode::OK).count();
        assert_eq!(succeeded, 1, "{first:?} {second:?}");
        assert_eq!(admins(&platform).await, 1);
        // The one who stays makes the other one admin again.
        if second.status() == StatusCode::OK {
            std::mem::swap(&mut one, &mut other);
        }
        let again = json!({"role": "admin", "disabled": false});
        expect(patch(&platform, &one, &other.id, &again).await, StatusCode::OK).await;
        assert_eq!(admins(&platform).await, 2);
        other.token = platform.log_in(&other.email).await;
    }
    platform.shut_down().await;
}

async fn of_many_admins_too_nobody_is_demoted_by_who_is_none(platform: &Platform) {
    let (bystander, mut one, mut other) =
        (platform.admin().await, platform.admin().await, platform.admin().await);
    for _ in 0..8 {
        let body = json!({"role": "operator"});
        let (first, second) =
            join(patch(platform, &one, &other.id, &body), patch(platform, &other, &one.id, &body)).await;
        let mut statuses = [first.status(), second.status()];
        statuses.sort();
        assert_eq!(statuses[0], StatusCode::OK);
        assert!(matches!(statuses[1], StatusCode::FORBIDDEN | StatusCode::UNAUTHORIZED), "{statuses:?}");
        for user in [&mut one, &mut other] {
            let again = patch(platform, &bystander, &user.id, &json!({"role": "admin"})).await;
            expect(again, StatusCode::OK).await;
            user.token = platform.log_in(&user.email).await;
        }
    }
}

async fn nobody_takes_their_own_demotion_back(_shared: &Platform) {
    use local::aws::{Answer, Principal};
    let platform = Platform::start(|_| {}).await;
    let (admin, demoted) = (platform.admin().await, platform.admin().await);
    // The second read of the first request: it has been let in as an admin's, and is about to be carried out.
    let reads = std::sync::atomic::AtomicUsize::new(0);
    let (reading, mut is_reading) = tokio::sync::watch::channel(false);
    let interception = platform.calls().intercept(move |attempt| {
        let is_meant = attempt.operation == "GetItem"
            && matches!(&attempt.principal, Principal::Function(id) if id == "UpdateUserFunction")
            && reads.fetch_add(1, std::sync::atomic::Ordering::SeqCst) == 1;
        is_meant.then(|| {
            reading.send_replace(true);
            Answer::Delay(std::time::Duration::from_millis(500))
        })
    });
    let (role, operator) =
        (json!({"role": "admin", "display_name": "Still here"}), json!({"role": "operator"}));
    let demotion = async {
        tokio::time::timeout(PATIENCE, is_reading.wait_for(|reading| *reading)).await.unwrap().unwrap();
        patch(&platform, &admin, &demoted.id, &operator).await
    };
    let (_, demotion) = join(patch(&platform, &demoted, &demoted.id, &role), demotion).await;
    drop(interception);
    expect(demotion, StatusCode::OK).await;
    let account = platform.get(&admin, &format!("/users/{}", demoted.id)).await;
    assert_eq!(expect(account, StatusCode::OK).await["role"], "operator");
    platform.shut_down().await;
}

async fn accounts_are_listed_page_by_page(_shared: &Platform) {
    let platform = Platform::start(|_| {}).await;
    let admin = platform.admin().await;
    let mut ids = vec![admin.id.clone()];
    for _ in 0..6 {
        ids.push(platform.sign_up().await.id);
    }
    ids.reverse();
    let page = |query: String| {
        let (platform, admin) = (&platform, &admin);
        async move { expect(platform.get(admin, &format!("/users{query}")).await, StatusCode::OK).await }
    };
    let shown = |page: &Value| -> Vec<String> {
        let items = page["items"].as_array().unwrap().iter();
        items.map(|item| item["id"].as_str().unwrap().to_owned()).collect()
    };
    let all = page(String::new()).await;
    assert_eq!((shown(&all), &all["next_cursor"]), (ids.clone(), &Value::Null));
    let mut names: Vec<_> = all["items"][0].as_object().unwrap().keys().collect();
    names.sort();
    assert_eq!(names, ["created_at", "disabled", "display_name", "email", "id", "role"]);
    // A page that just holds them all has no next one.
    assert_eq!(page("?limit=7".to_owned()).await["next_cursor"], Value::Null);

    for limit in [1, 2, 3, 6] {
        let mut seen = Vec::new();
        let mut query = format!("?limit={limit}");
        loop {
            let page = page(query).await;
            let items = shown(&page);
            assert!((1..=limit).contains(&items.len()), "{page}");
            seen.extend(items);
            assert!(seen.len() <= 100, "it goes on and on");
            // Who comes meanwhile shifts nothing.
            platform.sign_up().await;
            let Some(cursor) = page["next_cursor"].as_str() else { break };
            query = format!("?limit={limit}&cursor={cursor}");
        }
        let newcomers = seen.len() - ids.len();
        assert_eq!(seen[newcomers..], ids, "limit {limit}");
        seen.dedup();
        assert_eq!(seen.len(), newcomers + ids.len(), "each once");
    }
    platform.shut_down().await;
}

async fn a_page_that_makes_no_sense_is_refused(platform: &Platform) {
    let admin = platform.admin().await;
    let list = async |query: &str| platform.get(&admin, &format!("/users?{query}")).await;
    for (query, wrong) in [
        ("limit=0", vec!["?limit"]),
        ("limit=101", vec!["?limit"]),
        ("limit=many", vec!["?limit"]),
        ("limit=", vec!["?limit"]),
        ("limit=1.5", vec!["?limit"]),
        ("cursor=", vec!["?cursor"]),
        ("cursor=019a9f3e-7c00-7abc-8def-0123456789ab", vec!["?cursor"]),
        ("limit=-1&cursor=x", vec!["?limit", "?cursor"]),
        ("limit=1&colour=red", vec!["?colour"]),
    ] {
        let answer = list(query).await;
        let problem = expect_problem(answer, StatusCode::UNPROCESSABLE_ENTITY, "invalid").await;
        assert_eq!(pointers(&problem), wrong, "{query}");
    }
    expect(list("limit=100").await, StatusCode::OK).await;
}
