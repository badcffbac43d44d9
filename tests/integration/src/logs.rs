//! What functions log: that every line of a request names it, that what is counted is declared as CloudWatch takes it, and
//! that no secret is among it.
//!
//! The whole binary logs as functions do on Lambda. Tests on other stacks log at the same time, so a test looks for its
//! own lines by their request, or for what must be in no line at all.

use std::collections::BTreeSet;
use std::io;
use std::sync::{Arc, Mutex};

use local::Options;
use local::aws::Answer;
use reqwest::{Method, StatusCode};
use serde_json::{Map, Value, json};

use crate::platform::{
    File, PASSWORD, PATIENCE, Platform, User, eventually, expect, expect_problem, with_cdn,
};

crate::tests![
    every_line_of_a_request_names_it,
    a_player_is_named_by_its_token,
    every_line_of_an_event_names_it,
    what_happens_is_counted,
    no_secret_is_logged,
];

/// Where lines go while a test records them.
static RECORDERS: Mutex<Vec<Arc<Mutex<Vec<u8>>>>> = Mutex::new(Vec::new());

/// Makes this binary log as functions do.
pub(crate) fn record() {
    let log = api::json_log("media-platform", tracing::Level::INFO, || Recorders);
    tracing::subscriber::set_global_default(log).unwrap();
}

struct Recorders;

impl io::Write for Recorders {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        for recorder in RECORDERS.lock().unwrap().iter() {
            recorder.lock().unwrap().extend_from_slice(bytes);
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The log from here on.
struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    fn open() -> Self {
        let recorder = Arc::default();
        RECORDERS.lock().unwrap().push(Arc::clone(&recorder));
        Self(recorder)
    }

    /// What functions logged; the local stack, which logs into the same log, is no function.
    fn lines(&self) -> Vec<Map<String, Value>> {
        let bytes = self.0.lock().unwrap();
        let lines = std::str::from_utf8(&bytes).unwrap().lines();
        let lines = lines.map(|line| match serde_json::from_str(line) {
            Ok(Value::Object(fields)) => fields,
            other => panic!("{other:?}: {line}"),
        });
        let is_of_stack = |line: &Map<String, Value>| {
            let target = line["target"].as_str().unwrap();
            ["local", "s3s", "dynoxide"].iter().any(|name| target.split("::").next() == Some(name))
        };
        lines.filter(|line| !is_of_stack(line)).collect()
    }

    /// Those of which this is said.
    fn lines_with(&self, field: &str, value: &str) -> Vec<Map<String, Value>> {
        let lines = self.lines().into_iter();
        lines.filter(|line| line.get(field).and_then(Value::as_str) == Some(value)).collect()
    }
}

impl Drop for Log {
    fn drop(&mut self) {
        RECORDERS.lock().unwrap().retain(|recorder| !Arc::ptr_eq(recorder, &self.0));
    }
}

fn request_id(answer: &reqwest::Response) -> String {
    answer.headers()["x-request-id"].to_str().unwrap().to_owned()
}

fn function_name(platform: &Platform, binary: &str) -> String {
    platform.stack.function_of_binary(binary).unwrap().name.clone()
}

async fn every_line_of_a_request_names_it(_shared: &Platform) {
    let platform = Platform::start(|_| {}).await;
    let user = platform.sign_up().await;
    let log = Log::open();
    let interception = platform.calls().intercept(|attempt| {
        (attempt.service == "dynamodb").then(|| Answer::Error {
            status: 400,
            code: "ProvisionedThroughputExceededException".to_owned(),
            message: "throttled".to_owned(),
        })
    });
    let answer = platform.get(&user, &format!("/media/{}", user.id)).await;
    drop(interception);
    let id = request_id(&answer);
    expect_problem(answer, StatusCode::SERVICE_UNAVAILABLE, "unavailable").await;

    let lines = log.lines_with("request_id", &id);
    let messages: Vec<_> = lines.iter().map(|line| line["message"].as_str().unwrap()).collect();
    assert_eq!(messages, ["the request failed", "request"]);
    let function = function_name(&platform, "get-media");
    for line in &lines {
        for (field, value) in
            [("caller_id", user.id.as_str()), ("function", &function), ("route", "GET /media/{media_id}")]
        {
            assert_eq!(line[field], value, "{line:?}");
        }
        assert!(line["trace_id"].as_str().unwrap().starts_with("1-"), "{line:?}");
        uuid::Uuid::parse_str(line["lambda_request_id"].as_str().unwrap()).unwrap();
    }
    let [_, request] = lines.as_slice() else { panic!("{lines:?}") };
    let said = json!({"method": "GET", "status": 503, "code": "unavailable", "client_errors": 0,
                      "server_errors": 1, "cold_starts": 1, "level": "INFO"});
    for (field, value) in said.as_object().unwrap() {
        assert_eq!(&request[field], value, "{field} of {request:?}");
    }
    // A warm instance, and nobody who is known.
    let answer = platform.request(Method::GET, &format!("/media/{}", user.id)).send().await.unwrap();
    let [request] = log.lines_with("request_id", &request_id(&answer)).try_into().unwrap();
    assert_eq!((&request["client_errors"], &request["cold_starts"]), (&json!(1), &json!(0)));
    assert!(!request.contains_key("caller_id"), "{request:?}");
    platform.shut_down().await;
}

async fn a_player_is_named_by_its_token(platform: &Platform) {
    let user = platform.sign_up().await;
    let (media_id, _) = crate::signed_urls::ready(platform, &user).await;
    let urls = crate::signed_urls::stream_urls(platform, &user, &media_id, "").await;
    let log = Log::open();
    let answer = platform.http.get(urls["stream_url"].as_str().unwrap()).send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::FOUND);
    let [request] = log.lines_with("request_id", &request_id(&answer)).try_into().unwrap();
    assert_eq!(request["caller_id"], user.id.as_str(), "{request:?}");
}

async fn every_line_of_an_event_names_it(_shared: &Platform) {
    let platform = Platform::start(|_| {}).await;
    let log = Log::open();
    let user = platform.sign_up().await;
    let media = platform.upload(&user, &File::video()).await;
    platform.idle().await;
    let lines = log.lines_with("media_id", media["id"].as_str().unwrap());
    let [ready] = lines.as_slice() else { panic!("{lines:?}") };
    let of_run = log.lines_with("request_id", ready["request_id"].as_str().unwrap());
    assert!(of_run.len() >= 2, "{of_run:?}");
    let function = function_name(&platform, "extract-metadata");
    for line in of_run {
        assert_eq!(
            (&line["function"], &line["trace_id"]),
            (&json!(function), &ready["trace_id"]),
            "{line:?}"
        );
        assert_eq!(line["request_id"], line["lambda_request_id"], "{line:?}");
    }
    platform.shut_down().await;
}

/// Holds a line against the specification of the embedded metric format; returns the names of its metrics.
/// <https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html>
fn metrics_of(line: &Map<String, Value>) -> Vec<String> {
    const UNITS: &[&str] = &["Count", "Milliseconds", "Seconds", "Bytes"];
    let Some(metadata) = line.get("_aws") else { return Vec::new() };
    let age = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_millis()
        - u128::from(metadata["Timestamp"].as_u64().unwrap());
    assert!(age < 3_600_000, "the timestamp is in milliseconds: {metadata}");
    let [directive] = metadata["CloudWatchMetrics"].as_array().unwrap().as_slice() else {
        panic!("one directive: {metadata}")
    };
    let members: Vec<_> = directive.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(members, ["Dimensions", "Metrics", "Namespace"]);
    assert_eq!(directive["Namespace"], api::metrics::NAMESPACE);
    // One set of one dimension, whose value is a member of the root.
    assert_eq!(directive["Dimensions"], json!([["Service"]]));
    assert_eq!(line["Service"], "media-platform");
    let metrics = directive["Metrics"].as_array().unwrap();
    assert!((1..=100).contains(&metrics.len()), "{metadata}");
    let names = metrics.iter().map(|metric| {
        let members: Vec<_> = metric.as_object().unwrap().keys().map(String::as_str).collect();
        assert_eq!(members, ["Name", "Unit"]);
        assert!(UNITS.contains(&metric["Unit"].as_str().unwrap()), "{metric}");
        let name = metric["Name"].as_str().unwrap();
        assert!(line[name].is_number(), "{name} of {line:?}");
        name.to_owned()
    });
    names.collect()
}

async fn what_happens_is_counted(_shared: &Platform) {
    let platform = Platform::start(|_| {}).await;
    let log = Log::open();
    let user = platform.sign_up().await;
    let good = File::video();
    let ready = platform.upload(&user, &good).await;
    let rejected = platform.upload(&user, &File::sample("v_bad_text.mp4")).await;
    let awaited = platform.announce(&user, &good).await["media"]["id"].as_str().unwrap().to_owned();
    platform.idle().await;
    let id = |media: &Value| media["id"].as_str().unwrap().to_owned();
    // An hour after the deadline, which the sweep is an hour late for.
    platform.set_clock_offset(25 * 3_600);
    platform.stack.run_schedule("sweep").await.unwrap();

    let count = |field: &str, value: &str, metric: &str| -> Vec<Value> {
        let lines = log.lines_with(field, value);
        lines.iter().filter_map(|line| line.get(metric).cloned()).collect()
    };
    assert_eq!(count("media_id", &id(&ready), "uploads_ready"), [json!(1)]);
    assert_eq!(count("media_id", &id(&ready), "published_bytes"), [json!(good.bytes.len())]);
    assert_eq!(count("media_id", &id(&rejected), "uploads_rejected"), [json!(1)]);
    assert_eq!(count("media_id", &id(&rejected), "uploads_ready"), Vec::<Value>::new());
    assert_eq!(count("media_id", &awaited, "uploads_failed"), Vec::<Value>::new());

    let sweeps = log.lines_with("function", &function_name(&platform, "sweep"));
    let swept = sweeps
        .iter()
        .find(|line| line["message"] == "swept" && line["sweep_settled"] == 1 && line["sweep_failed"] == 0);
    let late = swept.expect("the sweep")["sweep_oldest_due_seconds"].as_u64().unwrap();
    assert!((3_500..7_200).contains(&late), "{late} s late");

    let mut declared = BTreeSet::new();
    for line in log.lines() {
        declared.extend(metrics_of(&line));
    }
    for metric in ["duration_ms", "client_errors", "server_errors", "cold_starts", "processing_ms"] {
        assert!(declared.contains(metric), "{metric} in {declared:?}");
    }
    platform.shut_down().await;
}

/// Everything that a client knows and nobody else may, from traffic of every kind.
async fn secrets_of_traffic(platform: &Platform) -> Vec<(&'static str, String)> {
    const NEW_PASSWORD: &str = "Tr0ub4dor and three more words";
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let user = platform.sign_up().await;
    let credentials = json!({"email": user.email, "password": PASSWORD});
    let tokens = expect(platform.post("/auth/login", &credentials).await, StatusCode::OK).await;
    let refresh = |token: &Value| json!({"refresh_token": token});
    let refreshed = platform.post("/auth/refresh", &refresh(&tokens["refresh_token"])).await;
    let refreshed = expect(refreshed, StatusCode::OK).await;
    let mut secrets = vec![
        ("password", PASSWORD.to_owned()),
        ("password", NEW_PASSWORD.to_owned()),
        ("e-mail", user.email.clone()),
        ("access token", text(&tokens["access_token"])),
        ("access token", text(&refreshed["access_token"])),
        ("refresh token", text(&tokens["refresh_token"])),
        ("refresh token", text(&refreshed["refresh_token"])),
    ];

    // Uploads of each kind, and playing back.
    let file = File::video();
    let media = platform.upload(&user, &file).await;
    for method in ["put", "post", "multipart"] {
        let mut announcement = file.announcement();
        announcement["upload_method"] = json!(method);
        let created =
            expect(platform.post_as(&user, "/media", &announcement).await, StatusCode::CREATED).await;
        let upload = &created["upload"];
        match method {
            "post" => secrets.push(("policy", text(&upload["fields"]["policy"]))),
            "put" => secrets.push(("signed URL", text(&upload["url"]))),
            _ => {
                secrets.push(("signed URL", text(&upload["parts"][0]["url"])));
                let path = format!("/api/v1/{}/complete", text(&upload["upload_id"]));
                expect_problem(
                    platform.post_as(&user, &path, &json!({})).await,
                    StatusCode::CONFLICT,
                    "parts_incomplete",
                )
                .await;
            }
        }
    }
    let path = format!("/media/{}/stream-url", text(&media["id"]));
    let urls = expect(platform.get(&user, &path).await, StatusCode::OK).await;
    let stream_url = text(&urls["stream_url"]);
    let redirect = platform.http.get(&stream_url).send().await.unwrap();
    secrets.push(("signed URL", redirect.headers()["location"].to_str().unwrap().to_owned()));
    secrets.push(("signed URL", text(&urls["signed_url"])));
    secrets.push(("stream token", stream_url.split_once("token=").unwrap().1.to_owned()));

    // Uppy, whose token is a part of the path.
    let token =
        expect(platform.post_as(&user, "/upload-tokens", &json!({})).await, StatusCode::CREATED).await;
    secrets.push(("upload token", text(&token["upload_token"])));
    let companion_url = text(&token["companion_url"]);
    let form = platform.http.get(format!("{companion_url}/s3/params?filename=a.mp4")).send().await.unwrap();
    let form = expect(form, StatusCode::OK).await;
    secrets.push(("policy", text(&form["fields"]["policy"])));
    for path in ["x/s3/params?filename=a.mp4", "/s3/params", "/s3/multipart/1", "/s3/sts"] {
        let answer = platform.http.get(format!("{companion_url}{path}")).send().await.unwrap();
        assert!(answer.status().is_client_error(), "{path}: {}", answer.status());
    }

    // What is refused.
    let with = |token: &str, path: &str| platform.request(Method::GET, path).bearer_auth(token).send();
    let forged = format!("{}x", user.token);
    for (token, path) in [(&forged, "/users/me"), (&stream_url, "/media"), (&user.token, "/users")] {
        assert!(with(token, path).await.unwrap().status().is_client_error());
    }
    secrets.push(("forged token", forged));
    for body in [
        json!({"email": user.email, "password": NEW_PASSWORD}),
        json!({"email": user.email, "password": PASSWORD, NEW_PASSWORD: 1}),
    ] {
        assert!(platform.post("/auth/login", &body).await.status().is_client_error());
        assert!(platform.post("/auth/signup", &body).await.status().is_client_error());
    }
    let broken = format!(r#"{{"password": "{NEW_PASSWORD}""#);
    let sent = platform.request(Method::POST, "/auth/login").body(broken).send().await.unwrap();
    assert_eq!(sent.status(), StatusCode::BAD_REQUEST);
    // A replay, which ends the session.
    platform.set_clock_offset(60);
    let replayed = platform.post("/auth/refresh", &refresh(&tokens["refresh_token"])).await;
    expect_problem(replayed, StatusCode::UNAUTHORIZED, "token_reused").await;
    platform.set_clock_offset(0);
    break_everything(platform, &user, &stream_url, &companion_url).await;
    // Of a URL the signature is what counts, and of a token the last part.
    let parts: Vec<_> = secrets.iter().filter_map(|(what, secret)| Some((*what, essence(secret)?))).collect();
    secrets.extend(parts);
    secrets
}

/// The signature of a URL or a token.
fn essence(secret: &str) -> Option<String> {
    let from_url = secret.split_once("Signature=").map(|(_, rest)| rest.split('&').next().unwrap());
    let from_token = secret.starts_with("ey").then(|| secret.rsplit('.').next().unwrap());
    from_url.or(from_token).map(str::to_owned)
}

/// Asks while each service fails in turn, so that errors of the SDK are logged.
async fn break_everything(platform: &Platform, user: &User, stream_url: &str, companion_url: &str) {
    for service in ["dynamodb", "s3", "sqs", "sts", "secretsmanager"] {
        let _interception = platform.calls().intercept(move |attempt| {
            (attempt.service == service).then(|| Answer::Error {
                status: 400,
                code: "ValidationException".to_owned(),
                message: "refused".to_owned(),
            })
        });
        let _ = platform.post("/auth/login", &json!({"email": user.email, "password": PASSWORD})).await;
        let _ = platform.post("/auth/signup", &json!({"email": user.email, "password": PASSWORD})).await;
        let mut announcement = File::video().announcement();
        announcement["upload_method"] = json!("multipart");
        let _ = platform.post_as(user, "/media", &announcement).await;
        let _ = platform.get(user, "/media").await;
        let _ = platform.http.get(stream_url).send().await.unwrap();
        let _ = platform.http.get(format!("{companion_url}/s3/params?filename=a.mp4")).send().await.unwrap();
        let _ = platform.request(Method::GET, "/health").send().await.unwrap();
    }
}

async fn no_secret_is_logged(_shared: &Platform) {
    // Files are played from S3, and from CloudFront, whose signatures are others.
    look_for_secrets(|_| {}).await;
    look_for_secrets(with_cdn).await;
}

async fn look_for_secrets(change: impl FnOnce(&mut Options)) {
    let log = Log::open();
    let platform = Platform::start(change).await;
    let secrets = secrets_of_traffic(&platform).await;
    let keys = platform.aws().function_credentials("GetMediaFunction");
    let has_failed =
        eventually(PATIENCE, async || log.lines().iter().any(|line| line["message"] == "the request failed"));
    assert!(has_failed.await, "nothing failed, so nothing could leak");
    let lines: Vec<String> = log.lines().into_iter().map(|line| Value::Object(line).to_string()).collect();
    assert!(lines.len() > 20, "{}", lines.len());
    for (what, secret) in secrets.iter().chain([&("secret key", keys.secret_access_key)]) {
        assert!(secret.len() >= 8, "{what} {secret} is too short to be searched for");
        let found = lines.iter().find(|line| line.contains(secret.as_str()));
        assert!(found.is_none(), "the {what} {secret} is logged: {}", found.unwrap());
    }
    platform.shut_down().await;
}
