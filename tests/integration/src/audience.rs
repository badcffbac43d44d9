//! An audience: many viewers of one media at the same time. They are accounts written into the table, with tokens from
//! [`Mint`], because a thousand log-ins would be a thousand password hashes.

use std::sync::atomic::{AtomicUsize, Ordering};

use futures::stream::{self, StreamExt as _};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::mint::Mint;
use crate::platform::{Platform, User, expect};
use crate::seed::to_json;

/// How often a view is told of before it is given up.
const ATTEMPTS: usize = 20;

pub(crate) struct Audience {
    pub(crate) viewers: Vec<User>,
}

/// How often the viewers had to ask.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    /// Requests that were answered 202.
    pub(crate) accepted: usize,
    /// Requests that were answered 503, and made again.
    pub(crate) unavailable: usize,
}

impl Audience {
    pub(crate) async fn gather(platform: &Platform, count: usize) -> Self {
        let user = platform.sign_up().await;
        let mint = Mint::open(platform, &user).await;
        let profile = platform.item(&format!("USER#{}", user.id), "PROFILE").await.unwrap();
        let profile = to_json(&profile).to_string();
        let viewer = |_| {
            let id = Uuid::now_v7().to_string();
            User { email: format!("{id}@example.com"), token: mint.token(&id, "viewer"), id }
        };
        let viewers: Vec<User> = (0..count).map(viewer).collect();
        let account = |viewer: &User| -> Value {
            let text = profile.replace(&user.id, &viewer.id).replace(&user.email, &viewer.email);
            serde_json::from_str(&text).unwrap()
        };
        let table = &platform.stack.stack().tables[0].name;
        platform.aws().import_items(table, viewers.iter().map(account).collect()).unwrap();
        Self { viewers }
    }

    /// Each viewer views the media so often, over so many connections. Every fifth view is told of twice, as by a client
    /// that got no answer.
    pub(crate) async fn view(
        &self,
        platform: &Platform,
        media_id: &str,
        times: usize,
        connections: usize,
    ) -> Tally {
        let unavailable = AtomicUsize::new(0);
        let views = (0..times).flat_map(|time| {
            self.viewers.iter().enumerate().flat_map(move |(number, viewer)| {
                let twice = 1 + usize::from((time + number) % 5 == 0);
                (0..twice).map(move |_| (viewer, format!("view-{time}")))
            })
        });
        let told = stream::iter(views).map(async |(viewer, view_id): (&User, String)| {
            for _ in 0..ATTEMPTS {
                let answer = tell(platform, viewer, media_id, &view_id).await;
                if answer.status() != StatusCode::SERVICE_UNAVAILABLE {
                    expect(answer, StatusCode::ACCEPTED).await;
                    return;
                }
                unavailable.fetch_add(1, Ordering::Relaxed);
            }
            panic!("{view_id} of {} was refused {ATTEMPTS} times", viewer.id);
        });
        let accepted = told.buffer_unordered(connections).count().await;
        Tally { accepted, unavailable: unavailable.into_inner() }
    }
}

async fn tell(platform: &Platform, viewer: &User, media_id: &str, view_id: &str) -> reqwest::Response {
    let request = platform.request(Method::POST, &format!("/media/{media_id}/view"));
    request.bearer_auth(&viewer.token).json(&json!({"view_id": view_id})).send().await.unwrap()
}
