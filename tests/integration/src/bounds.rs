//! The bounds of every field of every JSON body: the longest and the largest that is taken, and what is just beyond.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::platform::{PASSWORD, Platform, User, expect_problem, pointers};

crate::tests![
    fields_of_accounts_are_bounded,
    fields_of_announcements_are_bounded,
    fields_of_edits_are_bounded,
    fields_of_uploads_in_parts_are_bounded,
    what_is_no_object_is_refused_whole,
];

/// A route and a body that it takes.
struct Body<'a> {
    platform: &'a Platform,
    user: &'a User,
    method: Method,
    path: String,
    body: Value,
}

impl Body<'_> {
    async fn send(&self, field: &str, value: &Value) -> reqwest::Response {
        let mut body = self.body.clone();
        if body.get("email") == Some(&Value::Null) {
            body["email"] = json!(fresh_email());
        }
        *at(&mut body, field) = value.clone();
        let request = self.platform.request(self.method.clone(), &self.path).bearer_auth(&self.user.token);
        request.json(&body).send().await.unwrap()
    }

    /// Each of these values is taken.
    async fn takes(&self, field: &str, values: impl IntoIterator<Item = Value>) {
        for value in values {
            let answer = self.send(field, &value).await;
            let status = answer.status();
            assert!(status.is_success(), "{} {field}: {status}: {}", self.path, answer.text().await.unwrap());
        }
    }

    /// None of these values is taken, and the answer points at the field.
    async fn refuses(&self, field: &str, values: impl IntoIterator<Item = Value>) {
        for value in values {
            let answer = self.send(field, &value).await;
            let status = answer.status();
            assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{} {field}: {value}", self.path);
            let problem = expect_problem(answer, status, "invalid").await;
            assert_eq!(pointers(&problem), [field], "{}: {problem:#}", self.path);
        }
    }
}

/// A place in a body, by its pointer; made if it is not there.
fn at<'a>(body: &'a mut Value, pointer: &str) -> &'a mut Value {
    pointer.split('/').skip(1).fold(body, |value, name| &mut value[name])
}

fn fresh_email() -> String {
    format!("{}@example.com", uuid::Uuid::now_v7().simple())
}

/// An address of this length that nobody has.
fn email_of(length: usize) -> Value {
    let local = uuid::Uuid::now_v7().simple().to_string();
    let domain: Vec<String> = vec!["d".repeat(60); 3];
    let rest = length - local.len() - "@".len() - domain.join(".").len() - ".".len();
    json!(format!("{local}@{}.{}", domain.join("."), "e".repeat(rest)))
}

fn text(length: usize) -> Value {
    json!("t".repeat(length))
}

/// A password of this length that nobody guesses.
fn password(length: usize) -> Value {
    let strong = "kVq7#zRw!tB2xLm9@pGd4$hJn6%sYc8&".chars().cycle();
    json!(strong.take(length).collect::<String>())
}

async fn fields_of_accounts_are_bounded(platform: &Platform) {
    let admin = &platform.admin().await;
    let no_text = [json!(1), json!(true), json!([]), json!({})];
    for path in ["/auth/signup", "/users"] {
        let body = json!({"email": null, "password": PASSWORD});
        let account = Body { platform, user: admin, method: Method::POST, path: path.to_owned(), body };
        account.takes("/email", [email_of(254)]).await;
        account.refuses("/email", [email_of(255), json!("ada"), json!("a@b@example.com"), json!(1)]).await;
        account.takes("/password", [password(12), password(128)]).await;
        account.refuses("/password", [password(11), password(129), json!("passwordpassword")]).await;
        account.refuses("/password", no_text.clone()).await;
        account.takes("/display_name", [text(1), text(100), Value::Null]).await;
        account.refuses("/display_name", [text(0), text(101), json!("two\nlines"), json!(1)]).await;
        account.refuses("/colour", [json!("red")]).await;
        if path == "/users" {
            account.takes("/role", ["viewer", "operator", "admin"].map(Value::from)).await;
            account.refuses("/role", [json!("root"), json!("Admin"), json!(1)]).await;
        }
    }
    let user = platform.sign_up().await;
    let path = format!("/users/{}", user.id);
    let edit = Body { platform, user: admin, method: Method::PATCH, path: path.clone(), body: json!({}) };
    edit.takes("/display_name", [text(100), Value::Null]).await;
    edit.refuses("/display_name", [text(0), text(101)]).await;
    edit.refuses("/role", [json!("root"), Value::Null]).await;
    edit.refuses("/disabled", [json!("true"), json!(1), Value::Null]).await;
    edit.refuses("/email", [json!("b@example.com")]).await;

    let path = format!("{path}/password");
    let temporary = Body { platform, user: admin, method: Method::POST, path, body: json!({}) };
    temporary.refuses("/password", [password(11), password(129), json!(1), Value::Null]).await;
    let body = json!({"current_password": PASSWORD});
    let path = "/users/me/password".to_owned();
    let own = Body { platform, user: &user, method: Method::POST, path, body };
    own.refuses("/new_password", [password(11), password(129), json!(1), Value::Null]).await;
    let body = json!({"new_password": password(20)});
    let wrong = Body { body, path: own.path.clone(), method: Method::POST, ..own };
    wrong.refuses("/current_password", [json!("another"), json!(1), Value::Null]).await;

    for path in ["/auth/refresh", "/auth/logout"] {
        let tokens =
            Body { platform, user: &user, method: Method::POST, path: path.to_owned(), body: json!({}) };
        tokens.refuses("/refresh_token", [Value::Null, json!(1)]).await;
    }
}

async fn fields_of_announcements_are_bounded(_shared: &Platform) {
    const MIB: u64 = 1024 * 1024;
    // One who may announce as much as is tried here.
    let platform = &Platform::start(|options| {
        options.parameters.insert("UserQuotaBytes".to_owned(), "1000000000000000".to_owned());
    })
    .await;
    let user = &platform.sign_up().await;
    let body = json!({"title": "T", "filename": "f.mp4", "content_type": "video/mp4", "size_bytes": 1000});
    let media = Body { platform, user, method: Method::POST, path: "/media".to_owned(), body };
    media.takes("/title", [text(1), text(200), json!("é".repeat(200))]).await;
    media.refuses("/title", [text(0), json!(" "), text(201), json!("a\u{0}b"), json!(1), Value::Null]).await;
    media.takes("/filename", [text(1), text(255)]).await;
    media
        .refuses("/filename", [text(0), text(256), json!("é".repeat(128)), json!("a/b"), json!("a\\b")])
        .await;
    media.takes("/content_type", ["video/webm", "AUDIO/mpeg"].map(Value::from)).await;
    media.refuses("/content_type", [json!("image/png"), json!("video/"), json!("video/mp4; a=b")]).await;
    media.takes("/size_bytes", [json!(1), json!(53_687_091_200_u64)]).await;
    media
        .refuses("/size_bytes", [json!(0), json!(-1), json!(1.5), json!("1"), json!(53_687_091_201_u64)])
        .await;
    media.takes("/description", [text(0), text(5000), json!("two\nlines"), Value::Null]).await;
    media.refuses("/description", [text(5001), json!("a\u{0}"), json!(1)]).await;
    let tags = |count: usize| json!((0..count).map(|number| format!("t{number}")).collect::<Vec<_>>());
    media.takes("/tags", [tags(0), tags(20), json!(["t".repeat(50)]), Value::Null]).await;
    media.refuses("/tags", [tags(21), json!(["t".repeat(51)]), json!([""]), json!("t"), json!([1])]).await;
    media.takes("/visibility", ["members", "private"].map(Value::from)).await;
    media.refuses("/visibility", [json!("public"), json!(1)]).await;
    media.takes("/checksum_sha256", [json!("47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=")]).await;
    media.refuses("/checksum_sha256", [json!("x"), json!("e3b0c44298fc1c14"), json!(1)]).await;
    media.takes("/checksum_crc64nvme", [json!("rosUhgp5mIg=")]).await;
    media.refuses("/checksum_crc64nvme", [json!("x"), json!("rosUhgp5mIh="), json!(1)]).await;
    let url = |length: usize| json!(format!("https://example.com/{}", "p".repeat(length - 20)));
    media.takes("/thumbnail_url", [url(2048), Value::Null]).await;
    media.refuses("/thumbnail_url", [url(2049), json!("http://example.com"), json!("javascript:x")]).await;
    media.takes("/upload_method", ["auto", "put", "post", "multipart"].map(Value::from)).await;
    media.refuses("/upload_method", [json!("PUT"), json!(1)]).await;
    media.takes("/part_size_bytes", [json!(5 * MIB), json!(5120 * MIB)]).await;
    media.refuses("/part_size_bytes", [json!(5 * MIB - 1), json!(5120 * MIB + 1), json!("5")]).await;
    media.refuses("/miniature", [json!("x"), json!([])]).await;

    let mut body = media.body.clone();
    body["miniature"] = json!({"filename": "m.png", "content_type": "image/png", "size_bytes": 1});
    let pictured = Body { body, path: "/media".to_owned(), method: Method::POST, ..media };
    pictured.takes("/miniature/size_bytes", [json!(1), json!(5_242_880)]).await;
    pictured.refuses("/miniature/size_bytes", [json!(0), json!(5_242_881)]).await;
    pictured.takes("/miniature/content_type", ["image/jpeg", "image/avif"].map(Value::from)).await;
    pictured.refuses("/miniature/content_type", [json!("image/svg+xml"), json!("video/mp4")]).await;
    pictured.takes("/miniature/filename", [text(255)]).await;
    pictured.refuses("/miniature/filename", [text(256), json!("a/b")]).await;
    pictured.refuses("/miniature/colour", [json!("red")]).await;

    let file = json!({"title": "T", "filename": "f.mp4", "content_type": "video/mp4", "size_bytes": 1});
    let path = "/api/v1/bulk-upload".to_owned();
    let bulk = Body { platform, user, method: Method::POST, path, body: json!({}) };
    bulk.takes("/files", [json!([file]), json!(vec![&file; 100])]).await;
    bulk.refuses("/files", [json!([]), json!(vec![&file; 101]), json!({}), Value::Null]).await;
}

async fn fields_of_edits_are_bounded(platform: &Platform) {
    let user = &platform.sign_up().await;
    let created = platform.announce(user, &crate::platform::File::video()).await;
    let id = created["media"]["id"].as_str().unwrap();
    let edit = Body { platform, user, method: Method::PATCH, path: format!("/media/{id}"), body: json!({}) };
    edit.takes("/title", [text(1), text(200)]).await;
    edit.refuses("/title", [text(0), text(201), Value::Null]).await;
    edit.takes("/description", [text(5000), Value::Null]).await;
    edit.refuses("/description", [text(5001)]).await;
    edit.takes("/tags", [json!(vec!["t"; 20]), Value::Null]).await;
    edit.refuses("/tags", [json!(vec!["t"; 21]), json!(["t".repeat(51)])]).await;
    edit.refuses("/visibility", [json!("public"), Value::Null]).await;
    edit.refuses("/thumbnail_url", [json!("http://example.com")]).await;
    for fixed in ["/id", "/owner_id", "/status", "/size_bytes", "/content_type", "/filename", "/version"] {
        edit.refuses(fixed, [json!("x")]).await;
    }
}

async fn fields_of_uploads_in_parts_are_bounded(platform: &Platform) {
    let user = &platform.sign_up().await;
    // 150 parts.
    let body = json!({
        "title": "T", "filename": "f", "content_type": "video/mp4", "size_bytes": 150 * 16 * 1024 * 1024_u64,
    });
    let created = platform.post_as(user, "/media", &body).await.json::<Value>().await.unwrap();
    let upload_id = created["upload"]["upload_id"].as_str().unwrap();
    let numbers = |count: u64| json!((1..=count).collect::<Vec<_>>());
    let path = format!("/api/v1/{upload_id}/parts");
    let parts = Body { platform, user, method: Method::POST, path, body: json!({}) };
    parts.takes("/part_numbers", [json!([150]), numbers(100)]).await;
    let beyond =
        [numbers(101), json!([]), json!([0]), json!([151]), json!([1, 1]), json!(["1"]), Value::Null];
    parts.refuses("/part_numbers", beyond).await;
}

async fn what_is_no_object_is_refused_whole(platform: &Platform) {
    let user = platform.sign_up().await;
    for body in [json!([]), json!("x"), json!(1), Value::Null] {
        let answer = platform.post_as(&user, "/media", &body).await;
        let problem = expect_problem(answer, StatusCode::UNPROCESSABLE_ENTITY, "invalid").await;
        assert_eq!(pointers(&problem), [""]);
    }
    let huge = json!({"title": "t".repeat(1024 * 1024)});
    let answer = platform.post_as(&user, "/media", &huge).await;
    expect_problem(answer, StatusCode::PAYLOAD_TOO_LARGE, "body_too_large").await;
}
