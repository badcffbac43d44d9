//! Rate limits: what they allow, what they refuse and until when, and what nobody can make of them.
//!
//! The functions' clock stands still here, so that what is told in seconds is exact. All addresses of 127.0.0.0/8 are this
//! machine's, so a client can come from any of them.

mod accounts;

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime};

use domain::{RateLimit, RateLimitName, RateLimitSubject, UnixMicroseconds, UserId, Verdict};
use futures::future::join_all;
use local::aws::{Answer, Attempt};
use reqwest::{Method, RequestBuilder, Response, StatusCode};
use serde_json::{Value, json};
use table::RateLimits;

use crate::platform::{File, PASSWORD, PATIENCE, Platform, RATE_LIMITS, User, expect, expect_problem};

pub(crate) use self::accounts::tests as tests_of_accounts;

crate::tests![
    sign_ups_are_limited_by_address,
    sign_ups_are_limited_by_email,
    log_ins_are_limited_by_address,
    no_header_makes_another_address,
    an_ipv6_network_is_one_address,
    the_window_slides,
    announced_files_are_limited_by_user,
    each_file_of_a_bulk_request_counts,
    views_are_limited_by_viewer,
    guesses_at_the_own_password_are_limited,
    of_many_at_once_as_many_are_announced_as_may_be,
    of_many_at_once_one_takes_the_last_slot,
    what_cannot_be_counted_passes,
    a_limit_of_nothing_is_none,
    what_is_kept_of_a_limit_expires_and_names_nobody,
];

/// A clock that is moved by hand.
#[derive(Clone)]
struct StoppedClock {
    began: SystemTime,
    moved_seconds: Arc<AtomicU64>,
}

impl StoppedClock {
    fn now(&self) -> SystemTime {
        self.began + Duration::from_secs(self.moved_seconds.load(Ordering::SeqCst))
    }

    fn advance(&self, seconds: u64) {
        self.moved_seconds.fetch_add(seconds, Ordering::SeqCst);
    }

    /// Goes back, too.
    fn set(&self, seconds: u64) {
        self.moved_seconds.store(seconds, Ordering::SeqCst);
    }
}

/// A platform with these limits, whose clock stands still.
async fn start(limits: &[(&str, u32)]) -> (Platform, StoppedClock) {
    let clock = StoppedClock { began: SystemTime::now(), moved_seconds: Arc::default() };
    let functions_clock = clock.clone();
    let platform = Platform::start(|options| {
        options.clock = api::Clock::new(move || functions_clock.now());
        for (name, requests) in limits {
            options.parameters.insert((*name).to_owned(), requests.to_string());
        }
    });
    (platform.await, clock)
}

/// A client at 127.0.0.`host`.
struct Client<'a> {
    platform: &'a Platform,
    http: reqwest::Client,
}

fn client(platform: &Platform, host: u8) -> Client<'_> {
    let address = Ipv4Addr::new(127, 0, 0, host);
    let http = reqwest::Client::builder().local_address(Some(address.into())).build().unwrap();
    Client { platform, http }
}

impl Client<'_> {
    fn post(&self, path: &str, body: &Value) -> RequestBuilder {
        let url = format!("{}{path}", self.platform.stack.api_url());
        self.http.request(Method::POST, url).json(body).timeout(PATIENCE)
    }

    async fn sign_up(&self, email: &str) -> Response {
        self.post("/auth/signup", &json!({"email": email, "password": PASSWORD})).send().await.unwrap()
    }

    async fn log_in(&self, email: &str, password: &str) -> Response {
        self.post("/auth/login", &json!({"email": email, "password": password})).send().await.unwrap()
    }

    async fn gets_in(&self, user: &User) {
        expect(self.log_in(&user.email, PASSWORD).await, StatusCode::OK).await;
    }

    async fn guesses(&self, user: &User) {
        let answer = self.log_in(&user.email, "wrong horse battery staple").await;
        expect_problem(answer, StatusCode::UNAUTHORIZED, "credentials_invalid").await;
    }

    /// Whatever the password is.
    async fn is_shut_out_of(&self, user: &User) -> Told {
        let told = refused(self.log_in(&user.email, "wrong horse battery staple").await).await;
        assert_eq!(refused(self.log_in(&user.email, PASSWORD).await).await, told);
        told
    }
}

/// What the headers say.
#[derive(Debug, PartialEq)]
struct Told {
    limit: u32,
    remaining: u32,
    reset: u32,
    retry_after: Option<u32>,
}

fn told(answer: &Response) -> Option<Told> {
    let number = |name: &str| answer.headers().get(name)?.to_str().unwrap().parse().ok();
    Some(Told {
        limit: number("ratelimit-limit")?,
        remaining: number("ratelimit-remaining")?,
        reset: number("ratelimit-reset")?,
        retry_after: number("retry-after"),
    })
}

fn allowed(limit: u32, remaining: u32, reset: u32) -> Told {
    Told { limit, remaining, reset, retry_after: None }
}

async fn refused(answer: Response) -> Told {
    let told = told(&answer).expect("what is refused says why");
    let problem = expect_problem(answer, StatusCode::TOO_MANY_REQUESTS, "rate_limited").await;
    let seconds = told.retry_after.expect("and until when");
    let wait = if seconds == 1 { "in a second.".to_owned() } else { format!("in {seconds} seconds.") };
    assert!(problem["detail"].as_str().unwrap().ends_with(&wait), "{problem}");
    told
}

fn email() -> String {
    format!("{}@example.com", uuid::Uuid::now_v7().simple())
}

async fn sign_ups_are_limited_by_address(_shared: &Platform) {
    let (platform, clock) = start(&[("SignUpsPerIpPerHour", 3)]).await;
    let somebody = client(&platform, 2);
    for remaining in [2, 1, 0] {
        let answer = somebody.sign_up(&email()).await;
        assert_eq!(told(&answer), Some(allowed(3, remaining, 1200)));
        expect(answer, StatusCode::CREATED).await;
    }
    let sequence = platform.calls().sequence();
    let told = refused(somebody.sign_up(&email()).await).await;
    assert_eq!(told, Told { limit: 3, remaining: 0, reset: 1200, retry_after: Some(1200) });
    assert_eq!(platform.calls().since(sequence).len(), 1, "nothing but the limit was asked");
    // Others are not concerned, and what cannot be an account does not count.
    expect(client(&platform, 3).sign_up(&email()).await, StatusCode::CREATED).await;
    let answer = somebody.sign_up("nobody").await;
    expect_problem(answer, StatusCode::UNPROCESSABLE_ENTITY, "invalid").await;

    clock.advance(1199);
    assert_eq!(refused(somebody.sign_up(&email()).await).await.retry_after, Some(1));
    clock.advance(1);
    expect(somebody.sign_up(&email()).await, StatusCode::CREATED).await;
    refused(somebody.sign_up(&email()).await).await;
    platform.shut_down().await;
}

async fn sign_ups_are_limited_by_email(_shared: &Platform) {
    let (platform, _) = start(&[("SignUpsPerEmailPerHour", 2)]).await;
    let email = email();
    expect(client(&platform, 2).sign_up(&email).await, StatusCode::CREATED).await;
    let answer = client(&platform, 3).sign_up(&email.to_uppercase()).await;
    expect_problem(answer, StatusCode::CONFLICT, "email_taken").await;
    assert_eq!(refused(client(&platform, 4).sign_up(&email).await).await.limit, 2);
    platform.shut_down().await;
}

async fn log_ins_are_limited_by_address(_shared: &Platform) {
    let (platform, _) = start(&[("LogInsPerIpPerMinute", 3)]).await;
    let user = platform.sign_up().await;
    let (stranger, neighbour) = (client(&platform, 2), client(&platform, 3));
    for remaining in [2, 1, 0] {
        let answer = stranger.log_in(&email(), PASSWORD).await;
        assert_eq!(told(&answer), Some(allowed(3, remaining, 20)), "on errors, too");
        expect_problem(answer, StatusCode::UNAUTHORIZED, "credentials_invalid").await;
    }
    let sequence = platform.calls().sequence();
    stranger.is_shut_out_of(&user).await;
    let calls = platform.calls().since(sequence);
    assert!(calls.iter().all(|call| call.operation == "UpdateItem"), "no user was read: {calls:?}");
    assert_eq!(calls.len(), 2, "one write each");
    neighbour.gets_in(&user).await;
    platform.shut_down().await;
}

async fn no_header_makes_another_address(_shared: &Platform) {
    let (platform, _) = start(&[("LogInsPerIpPerMinute", 2)]).await;
    let stranger = client(&platform, 2);
    let mut statuses = Vec::new();
    for number in 0..4 {
        let address = format!("198.51.100.{number}");
        let body = json!({"email": email(), "password": PASSWORD});
        let mut request = stranger.post("/auth/login", &body);
        for name in ["x-forwarded-for", "x-real-ip", "x-client-ip", "true-client-ip", "cf-connecting-ip"] {
            request = request.header(name, &address);
        }
        let answer = request.header("forwarded", format!("for={address}")).send().await.unwrap();
        statuses.push(answer.status().as_u16());
    }
    assert_eq!(statuses, [401, 401, 429, 429]);
    // Nor does it make somebody else out of a victim.
    client(&platform, 3).gets_in(&platform.sign_up().await).await;
    platform.shut_down().await;
}

async fn an_ipv6_network_is_one_address(_shared: &Platform) {
    let (platform, _) = start(&[("LogInsPerIpPerMinute", 2)]).await;
    let event = std::fs::read(concat!(env!("CARGO_MANIFEST_DIR"), "/../../events/log-in/json.json"));
    let mut event: Value = serde_json::from_slice(&event.unwrap()).unwrap();
    let mut status_from = async |source_ip: &str| {
        event["requestContext"]["http"]["sourceIp"] = json!(source_ip);
        platform.stack.invoke("LogInFunction", event.clone()).await.unwrap()["statusCode"].clone()
    };
    assert_eq!(status_from("2001:db8:1:2::1").await, 401);
    assert_eq!(status_from("2001:db8:1:2:3:4:5:6").await, 401);
    assert_eq!(status_from("2001:db8:1:2:ffff:ffff:ffff:ffff").await, 429);
    assert_eq!(status_from("2001:db8:1:3::1").await, 401);
    platform.shut_down().await;
}

async fn the_window_slides(_shared: &Platform) {
    let (platform, clock) = start(&[("LogInsPerIpPerMinute", 6)]).await;
    let somebody = client(&platform, 2);
    let log_in = async || {
        let answer = somebody.log_in(&email(), PASSWORD).await;
        told(&answer).unwrap().retry_after
    };
    for _ in 0..6 {
        assert_eq!(log_in().await, None);
    }
    assert_eq!(log_in().await, Some(10));
    // One each ten seconds, wherever a minute begins.
    for _ in 0..3 {
        clock.advance(9);
        assert_eq!(log_in().await, Some(1));
        clock.advance(1);
        assert_eq!(log_in().await, None);
        assert_eq!(log_in().await, Some(10));
    }
    clock.advance(60);
    for _ in 0..6 {
        assert_eq!(log_in().await, None);
    }
    assert_eq!(log_in().await, Some(10));
    // A clock that is a little behind allows nothing more; one that was far ahead locks nobody out.
    clock.set(80);
    assert_eq!(log_in().await, Some(20));
    clock.set(0);
    let ahead = client(&platform, 3);
    clock.set(86_400);
    assert_eq!(ahead.log_in(&email(), PASSWORD).await.status(), StatusCode::UNAUTHORIZED);
    clock.set(0);
    assert_eq!(told(&ahead.log_in(&email(), PASSWORD).await), Some(allowed(6, 5, 10)));
    platform.shut_down().await;
}

async fn announced_files_are_limited_by_user(_shared: &Platform) {
    let (platform, clock) = start(&[("UploadsPerUserPerHour", 4)]).await;
    let (user, other) = (platform.sign_up().await, platform.sign_up().await);
    let file = File::sample("v_vp8_opus_live.webm");
    let form = |path: &str| {
        let form = crate::forms::form_of(&file).text("title", path.to_owned());
        platform.request(Method::POST, path).bearer_auth(&user.token).multipart(form).send()
    };
    let answer = platform.post_as(&user, "/media", &file.announcement()).await;
    assert_eq!((answer.status(), told(&answer)), (StatusCode::CREATED, Some(allowed(4, 3, 900))));
    let answer = platform.post_as(&user, "/content", &file.announcement()).await;
    assert_eq!((answer.status(), told(&answer)), (StatusCode::CREATED, Some(allowed(4, 2, 900))));
    let answer = form("/media").await.unwrap();
    assert_eq!((answer.status(), told(&answer)), (StatusCode::CREATED, Some(allowed(4, 1, 900))));
    let answer = form("/api/v1/s3-media/upload").await.unwrap();
    assert_eq!((answer.status(), told(&answer)), (StatusCode::CREATED, Some(allowed(4, 0, 900))));
    refused(form("/api/v1/s3-media/upload").await.unwrap()).await;
    refused(form("/media").await.unwrap()).await;
    refused(platform.post_as(&user, "/media", &file.announcement()).await).await;
    let bulk = json!({"files": [file.announcement()]});
    refused(platform.post_as(&user, "/api/v1/bulk-upload", &bulk).await).await;
    // What may not be asked at all does not count, nor what others ask.
    let answer = platform.post_as(&user, "/media", &json!({})).await;
    expect_problem(answer, StatusCode::UNPROCESSABLE_ENTITY, "invalid").await;
    expect(platform.post_as(&other, "/media", &file.announcement()).await, StatusCode::CREATED).await;
    clock.advance(900);
    expect(platform.post_as(&user, "/media", &file.announcement()).await, StatusCode::CREATED).await;
    platform.shut_down().await;
}

async fn each_file_of_a_bulk_request_counts(_shared: &Platform) {
    let (platform, clock) = start(&[("UploadsPerUserPerHour", 5)]).await;
    let user = platform.sign_up().await;
    let ask = async |files: usize| {
        let user = User { token: platform.log_in(&user.email).await, ..user.clone() };
        let mut files = vec![File::video().announcement(); files];
        // A wrong one counts as well.
        files[0] = json!({});
        platform.post_as(&user, "/api/v1/bulk-upload", &json!({"files": files})).await
    };
    let answer = ask(3).await;
    assert_eq!((answer.status(), told(&answer)), (StatusCode::OK, Some(allowed(5, 2, 720))));
    let told_then = refused(ask(4).await).await;
    assert_eq!(told_then, Told { limit: 5, remaining: 2, reset: 720, retry_after: Some(2 * 720) });
    // What is refused takes nothing.
    let answer = ask(2).await;
    assert_eq!((answer.status(), told(&answer)), (StatusCode::OK, Some(allowed(5, 0, 720))));
    // More than there are within an hour take all.
    assert_eq!(refused(ask(9).await).await.retry_after, Some(3600));
    clock.advance(3600);
    let answer = ask(9).await;
    assert_eq!((answer.status(), told(&answer)), (StatusCode::OK, Some(allowed(5, 0, 720))));
    platform.shut_down().await;
}

async fn views_are_limited_by_viewer(_shared: &Platform) {
    let (platform, clock) = start(&[("ViewsPerViewerPerMinute", 3)]).await;
    let (owner, viewer) = (platform.sign_up().await, platform.sign_up().await);
    let media =
        [platform.upload(&owner, &File::video()).await, platform.upload(&owner, &File::video()).await];
    let view = async |user: &User, number: usize| {
        let path = format!("/media/{}/view", media[number % 2]["id"].as_str().unwrap());
        platform.post_as(user, &path, &json!({"view_id": number.to_string()})).await
    };
    for number in 0..3 {
        let answer = view(&viewer, number).await;
        let remaining = 2 - u32::try_from(number).unwrap();
        assert_eq!(told(&answer), Some(allowed(3, remaining, 20)));
        expect(answer, StatusCode::ACCEPTED).await;
    }
    assert_eq!(refused(view(&viewer, 3).await).await.retry_after, Some(20));
    expect(view(&owner, 3).await, StatusCode::ACCEPTED).await;
    clock.advance(20);
    expect(view(&viewer, 3).await, StatusCode::ACCEPTED).await;
    platform.shut_down().await;
}

async fn guesses_at_the_own_password_are_limited(_shared: &Platform) {
    let (platform, _) = start(&[("PasswordChangesPerUserPerHour", 2)]).await;
    let user = platform.sign_up().await;
    let change = async |current: &str| {
        let body = json!({"current_password": current, "new_password": "another horse battery staple"});
        platform.post_as(&user, "/users/me/password", &body).await
    };
    for _ in 0..2 {
        let answer = change("wrong horse battery staple").await;
        expect_problem(answer, StatusCode::UNPROCESSABLE_ENTITY, "invalid").await;
    }
    assert_eq!(refused(change(PASSWORD).await).await.retry_after, Some(1800));
    platform.shut_down().await;
}

async fn of_many_at_once_as_many_are_announced_as_may_be(_shared: &Platform) {
    let (platform, clock) = start(&[("UploadsPerUserPerHour", 7)]).await;
    let mut user = platform.sign_up().await;
    let announcement = File::video().announcement();
    for _ in 0..2 {
        user.token = platform.log_in(&user.email).await;
        let answers = join_all((0..20).map(|_| platform.post_as(&user, "/media", &announcement))).await;
        let count = |status| answers.iter().filter(|answer| answer.status() == status).count();
        // On a machine so slow that the limiter's second is over, it lets pass, and tells of no limit.
        let uncounted = answers.iter().filter(|answer| told(answer).is_none()).count();
        let created = count(StatusCode::CREATED);
        assert_eq!(created + count(StatusCode::TOO_MANY_REQUESTS), 20);
        assert!((7..=7 + uncounted).contains(&created), "{created}, {uncounted} of them uncounted");
        // Then it has been idle.
        clock.advance(7200);
    }
    platform.shut_down().await;
}

/// The table's part of it alone, where more fit into one moment: a subject that is not there yet, one that was idle, one
/// with a single slot left.
async fn of_many_at_once_one_takes_the_last_slot(platform: &Platform) {
    const REQUESTS: u32 = 20;
    let table_name = &platform.stack.stack().tables[0].name;
    let limits = RateLimits::new(&platform.sdk_configuration(), table_name.as_str());
    let name = RateLimitName::UploadsPerUser;
    let limit = RateLimit::new(name, REQUESTS).unwrap();
    let subject = RateLimitSubject::user(UserId::new(uuid::Uuid::now_v7()));
    let take = async |seconds: u64, count: u32| {
        let now = UnixMicroseconds::new((1_795_162_530 + seconds) * 1_000_000);
        limits.take(name, &subject, &limit.request(now, count)).await.unwrap()
    };
    let allowed_of = async |seconds: u64, requests: usize| {
        let taken = join_all((0..requests).map(|_| take(seconds, 1))).await;
        taken.iter().filter(|taken| taken.verdict == Verdict::Allowed).count()
    };
    assert_eq!(allowed_of(0, 60).await, 20);
    assert_eq!(allowed_of(7200, 60).await, 20);
    assert_eq!(allowed_of(7200 + 180, 20).await, 1);
    assert_eq!(take(14_400, REQUESTS - 1).await.quota.remaining, 1);
    assert_eq!(allowed_of(14_400, 2).await, 1);
}

async fn what_cannot_be_counted_passes(_shared: &Platform) {
    let (platform, _) = start(&[("LogInsPerIpPerMinute", 1)]).await;
    let user = platform.sign_up().await;
    let somebody = client(&platform, 1);
    somebody.is_shut_out_of(&user).await;
    let is_counting = |attempt: &Attempt| attempt.service == "dynamodb" && attempt.operation == "UpdateItem";
    let fault =
        |status, code: &str| Answer::Error { status, code: code.to_owned(), message: "No".to_owned() };
    for answer in [
        fault(400, "ThrottlingException"),
        fault(500, "InternalServerError"),
        fault(400, "AccessDeniedException"),
        Answer::Drop,
        Answer::Delay(PATIENCE),
    ] {
        let interception =
            platform.calls().intercept(move |attempt| is_counting(attempt).then(|| answer.clone()));
        let begun = Instant::now();
        let passed = somebody.log_in(&user.email, PASSWORD).await;
        assert!(begun.elapsed() < PATIENCE / 5, "three limits take three seconds at most");
        assert_eq!((passed.status(), told(&passed)), (StatusCode::OK, None));
        drop(interception);
    }
    somebody.is_shut_out_of(&user).await;
    platform.shut_down().await;
}

async fn a_limit_of_nothing_is_none(_shared: &Platform) {
    let (platform, _) = start(&RATE_LIMITS.map(|name| (name, 0))).await;
    let user = platform.sign_up().await;
    let answer = client(&platform, 2).log_in(&user.email, PASSWORD).await;
    assert_eq!((answer.status(), told(&answer)), (StatusCode::OK, None));
    let answer = platform.post_as(&user, "/media", &File::video().announcement()).await;
    assert_eq!((answer.status(), told(&answer)), (StatusCode::CREATED, None));
    let calls = platform.calls().since(0);
    assert!(!calls.iter().any(|call| call.operation == "UpdateItem"), "nothing was counted");
    platform.shut_down().await;
}

async fn what_is_kept_of_a_limit_expires_and_names_nobody(_shared: &Platform) {
    let (platform, clock) = start(&[("LogInsPerIpPerMinute", 10)]).await;
    let user = platform.sign_up().await;
    // Where the owner is known, and where not.
    client(&platform, 1).guesses(&user).await;
    client(&platform, 2).guesses(&user).await;
    let now = clock.now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs();
    let table = &platform.stack.stack().tables[0];
    assert_eq!(table.time_to_live_attribute.as_deref(), Some("expires_at"));
    let items = platform.dynamodb().scan().table_name(&table.name).send().await.unwrap().items.unwrap();
    let mut lives = Vec::new();
    for item in items {
        let partition = item["PK"].as_s().unwrap();
        if !partition.starts_with("RATE#") {
            continue;
        }
        assert!(!format!("{item:?}").contains(user.email.split('@').next().unwrap()), "{item:?}");
        let expires_at: u64 = item["expires_at"].as_n().unwrap().parse().unwrap();
        lives.push((partition.split('#').nth(1).unwrap().to_owned(), (expires_at - now).div_ceil(60)));
    }
    lives.sort();
    let lives: Vec<(&str, u64)> = lives.iter().map(|(name, minutes)| (name.as_str(), *minutes)).collect();
    // The limit's window and a minute; but thirty days where the owner is known.
    let expected = [
        ("log_ins_per_account", 62),
        ("log_ins_per_account_and_ip", 62),
        ("log_ins_per_account_and_ip", 30 * 24 * 60 + 1),
        ("log_ins_per_ip", 3),
        ("log_ins_per_ip", 3),
        ("sign_ups_per_email", 62),
        ("sign_ups_per_ip", 62),
    ];
    assert_eq!(lives, expected);
    platform.shut_down().await;
}
