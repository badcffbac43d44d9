//! What an event names in `${…}`: made for that one case, and only what it names.

use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::parts::Client;
use crate::platform::{File, PASSWORD, Platform, User, expect};

/// An event with what it names in its place: access tokens (`OPERATOR_TOKEN`, `ADMIN_TOKEN`), and of the operator the id
/// (`USER_ID`), a refresh token (`REFRESH_TOKEN`), an upload token (`UPLOAD_TOKEN`), a media that is ready (`MEDIA_ID`) with a stream token (`STREAM_TOKEN`),
/// and an upload in parts of which nothing has been sent (`UPLOAD_ID`), or all (`SENT_UPLOAD_ID`).
pub(super) async fn fill(platform: &Platform, event: &str) -> String {
    let mut event = Event(event.to_owned());
    if !event.names_anything() {
        return event.0;
    }
    let operator = platform.sign_up().await;
    event.fill("OPERATOR_TOKEN", &operator.token);
    event.fill("USER_ID", &operator.id);
    if event.names("ADMIN_TOKEN") {
        event.fill("ADMIN_TOKEN", &platform.admin().await.token);
    }
    if event.names("REFRESH_TOKEN") {
        event.fill("REFRESH_TOKEN", &refresh_token(platform, &operator).await);
    }
    if event.names("UPLOAD_TOKEN") {
        let answer = platform.post_as(&operator, "/upload-tokens", &json!({})).await;
        event.fill("UPLOAD_TOKEN", &text(&expect(answer, StatusCode::CREATED).await["upload_token"]));
    }
    if event.names("MEDIA_ID") {
        let media = platform.upload(&operator, &File::video()).await;
        let media_id = media["id"].as_str().unwrap();
        event.fill("STREAM_TOKEN", &stream_token(platform, &operator, media_id).await);
        event.fill("MEDIA_ID", media_id);
    }
    if event.names("UPLOAD_ID") {
        let client = Client::announce(platform, &operator, File::video()).await;
        event.fill("UPLOAD_ID", &client.upload_id);
    }
    if event.names("SENT_UPLOAD_ID") {
        let client = Client::announce(platform, &operator, File::video()).await;
        client.send_all().await;
        event.fill("SENT_UPLOAD_ID", &client.upload_id);
    }
    assert!(!event.names_anything(), "nobody knows what an event names here: {}", event.0);
    event.0
}

/// The text of an event.
struct Event(String);

impl Event {
    fn names_anything(&self) -> bool {
        self.0.contains("${")
    }

    fn names(&self, name: &str) -> bool {
        self.0.contains(&format!("${{{name}}}"))
    }

    fn fill(&mut self, name: &str, value: &str) {
        self.0 = self.0.replace(&format!("${{{name}}}"), value);
    }
}

async fn refresh_token(platform: &Platform, user: &User) -> String {
    let answer = platform.post("/auth/login", &json!({"email": user.email, "password": PASSWORD})).await;
    text(&expect(answer, StatusCode::OK).await["refresh_token"])
}

async fn stream_token(platform: &Platform, user: &User, media_id: &str) -> String {
    let answer = platform.get(user, &format!("/media/{media_id}/stream-url")).await;
    let url = text(&expect(answer, StatusCode::OK).await["stream_url"]);
    url.split_once("token=").expect("a stream token").1.to_owned()
}

fn text(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}
