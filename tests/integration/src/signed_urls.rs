//! Signed URLs: every way of bending one, their true ends, and what they save a file as.

use local::aws::Answer;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::platform::{File, Platform, User, expect, expect_problem, pointers};

crate::tests![
    a_bent_url_of_s3_opens_nothing,
    a_url_of_s3_ends,
    what_is_left_of_the_credentials_is_said,
    a_url_saves_the_file_under_its_name,
    a_name_that_breaks_a_header_is_not_taken,
    conditions_need_a_cdn,
    what_is_deleted_plays_no_more,
];

const MINUTES: i64 = 60;

/// A media that is ready, and its file.
pub(crate) async fn ready(platform: &Platform, user: &User) -> (String, File) {
    let file = File::video();
    let media = platform.upload(user, &file).await;
    assert_eq!(media["status"], "ready");
    (media["id"].as_str().unwrap().to_owned(), file)
}

pub(crate) async fn stream_urls(platform: &Platform, user: &User, media_id: &str, query: &str) -> Value {
    let path = format!("/media/{media_id}/stream-url{query}");
    expect(platform.get(user, &path).await, StatusCode::OK).await
}

pub(crate) fn text<'a>(urls: &'a Value, name: &str) -> &'a str {
    urls[name].as_str().unwrap()
}

/// Seconds since the epoch of an RFC 3339 time.
pub(crate) fn seconds(text: &str) -> i64 {
    text.parse::<domain::Timestamp>().unwrap().unix_seconds()
}

/// Where a stream URL leads to.
pub(crate) async fn target(platform: &Platform, stream_url: &str) -> String {
    let redirect = platform.http.get(stream_url).send().await.unwrap();
    assert_eq!(redirect.status(), StatusCode::FOUND);
    redirect.headers()["location"].to_str().unwrap().to_owned()
}

/// A URL with one thing changed each: a parameter is not there, has another value, or is one more, or the path is
/// another's. What was changed comes with it.
pub(crate) fn bent(url: &str, media_id: &str, other_id: &str) -> Vec<(String, String)> {
    let (place, query) = url.split_once('?').unwrap();
    let pairs: Vec<&str> = query.split('&').collect();
    let mut bent = vec![
        ("another's path".to_owned(), url.replace(media_id, other_id)),
        ("another path".to_owned(), url.replace("/source?", "/source2?")),
        ("no parameters".to_owned(), place.to_owned()),
        ("one more parameter".to_owned(), format!("{url}&response-content-type=text%2Fhtml")),
    ];
    for (number, pair) in pairs.iter().enumerate() {
        let with = |new: Option<String>| {
            let mut pairs: Vec<String> = pairs.iter().map(ToString::to_string).collect();
            pairs.splice(number..=number, new);
            format!("{place}?{}", pairs.join("&"))
        };
        let (name, value) = pair.split_once('=').unwrap();
        bent.push((format!("without {name}"), with(None)));
        bent.push((format!("another {name}"), with(Some(format!("{name}={}", another(value))))));
    }
    bent
}

/// A value that means something else: a later time, or with another character in its middle.
fn another(value: &str) -> String {
    if let Ok(number) = value.parse::<i64>() {
        return (number + 3_600).to_string();
    }
    let middle = value.len() / 2;
    let replacement = if &value[middle..=middle] == "A" { "B" } else { "A" };
    format!("{}{replacement}{}", &value[..middle], &value[middle + 1..])
}

/// Asks for each bent URL: none opens anything.
pub(crate) async fn assert_all_refused(platform: &Platform, bent: Vec<(String, String)>) {
    assert!(bent.len() > 8, "{bent:?}");
    for (what, url) in bent {
        let answer = platform.http.get(&url).send().await.unwrap();
        let status = answer.status();
        let is_refused = matches!(status, StatusCode::BAD_REQUEST | StatusCode::FORBIDDEN);
        assert!(is_refused, "{what}: {status} for {url}");
    }
}

async fn a_bent_url_of_s3_opens_nothing(platform: &Platform) {
    let user = platform.sign_up().await;
    let ((media_id, file), (other_id, _)) = (ready(platform, &user).await, ready(platform, &user).await);
    for query in ["", "?download=1"] {
        let urls = stream_urls(platform, &user, &media_id, query).await;
        let redirected = target(platform, text(&urls, "stream_url")).await;
        for url in [text(&urls, "signed_url"), &redirected] {
            let whole = platform.http.get(url).send().await.unwrap();
            assert_eq!(whole.bytes().await.unwrap(), file.bytes);
            assert_all_refused(platform, bent(url, &media_id, &other_id)).await;
        }
    }
}

async fn a_url_of_s3_ends(_shared: &Platform) {
    let platform = Platform::start(|_| {}).await;
    let user = platform.sign_up().await;
    let (media_id, _) = ready(&platform, &user).await;
    // Asked for as long ago as that, as S3's clock has it. Log-ins are counted by the minute, and one from before a whole
    // window is what the limit takes for a clock that is wrong: so it is more than two.
    for (ago, expected) in [(30, StatusCode::OK), (150, StatusCode::FORBIDDEN)] {
        platform.set_clock_offset(-ago);
        let user = User { token: platform.log_in(&user.email).await, ..user.clone() };
        let urls = stream_urls(&platform, &user, &media_id, "?expires_in=60").await;
        let answer = platform.http.get(text(&urls, "signed_url")).send().await.unwrap();
        assert_eq!(answer.status(), expected, "after {ago} s");
    }
    platform.shut_down().await;
}

async fn what_is_left_of_the_credentials_is_said(_shared: &Platform) {
    let platform = Platform::start(|_| {}).await;
    let user = platform.sign_up().await;
    let (media_id, _) = ready(&platform, &user).await;
    let is_down = platform.calls().intercept(|attempt| {
        (attempt.operation == "AssumeRole").then(|| Answer::Error {
            status: 503,
            code: "ServiceUnavailable".to_owned(),
            message: "down".to_owned(),
        })
    });
    let ask = async |minutes: i64| {
        platform.set_clock_offset(minutes * MINUTES);
        let user = User { token: platform.log_in(&user.email).await, ..user.clone() };
        let now = domain::Timestamp::from(std::time::SystemTime::now()).unix_seconds() + minutes * MINUTES;
        (platform.get(&user, &format!("/media/{media_id}/stream-url?expires_in=3600")).await, user, now)
    };

    // The role's credentials have five minutes left, and nobody renews them.
    let (answer, user, now) = ask(55).await;
    let urls = expect(answer, StatusCode::OK).await;
    let left = seconds(text(&urls, "signed_url_expires_at")) - now;
    assert!((200..=301).contains(&left), "{left} s");
    let life = text(&urls, "signed_url").split_once("X-Amz-Expires=").unwrap().1;
    let life: i64 = life.split('&').next().unwrap().parse().unwrap();
    assert!((left - life).abs() <= 1, "{life} s are signed, {left} s are said");
    // What leads through the API lives as long as asked all the same, and redirects to what there is.
    assert!(seconds(text(&urls, "expires_at")) - now > 3_500);
    target(&platform, text(&urls, "stream_url")).await;
    // An upload needs longer.
    let answer = platform.post_as(&user, "/media", &File::video().announcement()).await;
    expect_problem(answer, StatusCode::SERVICE_UNAVAILABLE, "unavailable").await;

    // With less than a minute nothing is signed.
    let (answer, _, _) = ask(60).await;
    expect_problem(answer, StatusCode::SERVICE_UNAVAILABLE, "unavailable").await;
    drop(is_down);
    platform.shut_down().await;
}

/// A name, and what it is saved as.
pub(crate) const NAMES: [(&str, &str); 6] = [
    ("clip.mp4", "filename=\"clip.mp4\"; filename*=UTF-8''clip.mp4"),
    ("a b;c.mp4", "filename=\"a b_c.mp4\"; filename*=UTF-8''a%20b%3Bc.mp4"),
    (
        "\"; filename=evil.exe; x=\".mp4",
        "filename=\"__ filename=evil.exe_ x=_.mp4\"; filename*=UTF-8''%22%3B%20filename%3Devil.exe%3B%20x%3D%22.mp4",
    ),
    (
        "Zürich 映画 😀.mp4",
        "filename=\"Z_rich __ _.mp4\"; filename*=UTF-8''Z%C3%BCrich%20%E6%98%A0%E7%94%BB%20%F0%9F%98%80.mp4",
    ),
    (
        "100%25 & more+x=1?#.mp4",
        "filename=\"100_25 & more+x=1?#.mp4\"; filename*=UTF-8''100%2525%20&%20more+x%3D1%3F#.mp4",
    ),
    ("it's (1)*.mp4", "filename=\"it's (1)*.mp4\"; filename*=UTF-8''it%27s%20%281%29%2A.mp4"),
];

async fn a_url_saves_the_file_under_its_name(platform: &Platform) {
    let user = platform.sign_up().await;
    for (name, saved_as) in NAMES {
        let file = File { name: name.to_owned(), ..File::video() };
        let media = platform.upload(&user, &file).await;
        assert_saved_as(platform, &user, media["id"].as_str().unwrap(), saved_as).await;
    }
}

/// Each URL of the media, asked for as a download, says so; asked for to be shown, it does not.
pub(crate) async fn assert_saved_as(platform: &Platform, user: &User, media_id: &str, saved_as: &str) {
    for (query, disposition) in [
        ("?download=1", format!("attachment; {saved_as}")),
        ("?download=true", format!("attachment; {saved_as}")),
        ("", format!("inline; {}", saved_as.split_once("; ").unwrap().1)),
        ("?download=0", format!("inline; {}", saved_as.split_once("; ").unwrap().1)),
    ] {
        let urls = stream_urls(platform, user, media_id, query).await;
        let redirected = target(platform, text(&urls, "stream_url")).await;
        for url in [text(&urls, "signed_url"), &redirected] {
            let answer = platform.http.get(url).header("range", "bytes=0-0").send().await.unwrap();
            assert_eq!(answer.status(), StatusCode::PARTIAL_CONTENT);
            assert_eq!(answer.headers()["content-disposition"], disposition.as_str(), "{query}");
            assert_eq!(answer.headers()["content-type"], "video/mp4");
        }
        let redirect = platform.http.head(text(&urls, "stream_url")).send().await.unwrap();
        let head = platform.http.head(redirect.headers()["location"].to_str().unwrap()).send().await.unwrap();
        assert_eq!(head.headers()["content-disposition"], disposition.as_str(), "HEAD {query}");
    }
}

async fn a_name_that_breaks_a_header_is_not_taken(platform: &Platform) {
    let user = platform.sign_up().await;
    for name in ["a\r\nset-cookie: x=1.mp4", "a\nb.mp4", "a\0.mp4", "../a.mp4", "a\\b.mp4"] {
        let file = File { name: name.to_owned(), ..File::video() };
        let mut body = file.announcement();
        body["title"] = json!("A film");
        let answer = platform.post_as(&user, "/media", &body).await;
        let problem = expect_problem(answer, StatusCode::UNPROCESSABLE_ENTITY, "invalid").await;
        assert_eq!(pointers(&problem), ["/filename"], "{name:?}");
    }
}

async fn conditions_need_a_cdn(platform: &Platform) {
    let user = platform.sign_up().await;
    let (media_id, _) = ready(platform, &user).await;
    let query = "?ip=203.0.113.7&not_before=2026-11-20T08:15:30Z&download=maybe&unknown=1";
    for (path, expected) in [
        (format!("/media/{media_id}/stream-url"), vec!["?ip", "?not_before", "?download", "?unknown"]),
        (format!("/api/v1/s3-media/{media_id}"), vec!["?ip", "?not_before", "?download"]),
    ] {
        let answer = platform.get(&user, &format!("{path}{query}")).await;
        let problem = expect_problem(answer, StatusCode::UNPROCESSABLE_ENTITY, "invalid").await;
        assert_eq!(pointers(&problem), expected);
        assert!(problem["errors"][0]["detail"].as_str().unwrap().contains("CDN"), "{problem}");
    }
    let answer = platform.get(&user, &format!("/media/stream/{media_id}?download=maybe")).await;
    let problem = expect_problem(answer, StatusCode::UNPROCESSABLE_ENTITY, "invalid").await;
    assert_eq!(pointers(&problem), ["?download"]);
}

async fn what_is_deleted_plays_no_more(_shared: &Platform) {
    let platform = Platform::start(|_| {}).await;
    let (owner, viewer) = (platform.sign_up().await, platform.sign_up().await);
    let (media_id, _) = ready(&platform, &owner).await;
    platform.idle().await;
    let urls = stream_urls(&platform, &viewer, &media_id, "").await;
    let redirected = target(&platform, text(&urls, "stream_url")).await;
    let request = platform.request(Method::DELETE, &format!("/media/{media_id}")).bearer_auth(&owner.token);
    assert_eq!(request.send().await.unwrap().status(), StatusCode::NO_CONTENT);
    // At once through the API; by what is signed already, once the sweep has removed the file.
    let answer = platform.http.get(text(&urls, "stream_url")).send().await.unwrap();
    expect_problem(answer, StatusCode::NOT_FOUND, "not_found").await;
    crate::sweep::sweep_at(&platform, 0).await;
    for url in [text(&urls, "signed_url"), &redirected] {
        let status = platform.http.get(url).send().await.unwrap().status();
        assert!(matches!(status, StatusCode::FORBIDDEN | StatusCode::NOT_FOUND), "{status}");
    }
    platform.shut_down().await;
}
