//! The platform under test, and what a client does with it.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::{Duration, SystemTime};

use aws_credential_types::Credentials;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use local::aws::{Answer, Aws, Calls, Interception, PermissionUse};
use local::gateway::Inspect;
use local::{LocalStack, Options};
use reqwest::{Method, RequestBuilder, Response, StatusCode};
use serde_json::{Value, json};

/// Nothing here takes longer, however slow the machine.
pub(crate) const PATIENCE: Duration = Duration::from_mins(1);

/// The template's rate limits.
pub(crate) const RATE_LIMITS: [&str; 8] = [
    "SignUpsPerIpPerHour",
    "SignUpsPerEmailPerHour",
    "LogInsPerIpPerMinute",
    "LogInsPerAccountAndIpPerHour",
    "LogInsPerAccountPerHour",
    "PasswordChangesPerUserPerHour",
    "UploadsPerUserPerHour",
    "ViewsPerViewerPerMinute",
];

/// A limit that no test reaches.
const MANY: &str = "1000000";

pub(crate) const PASSWORD: &str = "correct horse battery staple";

/// An item of the table.
pub(crate) type Item = std::collections::HashMap<String, aws_sdk_dynamodb::types::AttributeValue>;

/// A running local stack, and an HTTP client that follows no redirects.
pub(crate) struct Platform {
    pub(crate) stack: LocalStack,
    pub(crate) http: reqwest::Client,
    clock_offset_seconds: Arc<AtomicI64>,
}

/// Looks at each answer of the platforms of this run, if it is set before they start.
pub(crate) static INSPECT: OnceLock<Inspect> = OnceLock::new();

/// What the stacks of this run used.
static USED_PERMISSIONS: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());

fn describe(permission: &PermissionUse) -> String {
    // Without the statement's number, which depends on those before it that have a condition.
    let PermissionUse { source, action, resource, condition, .. } = permission;
    let condition = condition.as_deref().map_or(String::new(), |condition| format!(", {condition}"));
    format!("{source}: {action} on {resource}{condition}")
}

/// Somebody with an account.
#[derive(Clone, Debug)]
pub(crate) struct User {
    pub(crate) id: String,
    pub(crate) email: String,
    pub(crate) token: String,
}

/// A file to be uploaded.
#[derive(Clone, Debug)]
pub(crate) struct File {
    pub(crate) name: String,
    pub(crate) content_type: &'static str,
    pub(crate) bytes: Vec<u8>,
}

impl File {
    /// One of `tests/media`.
    pub(crate) fn sample(name: &str) -> Self {
        let path = format!("{}/../media/{name}", env!("CARGO_MANIFEST_DIR"));
        let content_type = match name.rsplit_once('.').unwrap().1 {
            "mp4" => "video/mp4",
            "mov" => "video/quicktime",
            "3gp" => "video/3gpp",
            "m4a" => "audio/mp4",
            "mkv" => "video/x-matroska",
            "webm" => "video/webm",
            "ts" | "m2ts" => "video/mp2t",
            "ogv" => "video/ogg",
            "flv" => "video/x-flv",
            "avi" => "video/x-msvideo",
            "wmv" => "video/x-ms-wmv",
            "mp3" | "mp2" => "audio/mpeg",
            "aac" => "audio/aac",
            "ac3" => "audio/ac3",
            "eac3" => "audio/eac3",
            "ogg" | "oga" | "opus" => "audio/ogg",
            "flac" => "audio/flac",
            "wav" => "audio/wav",
            "aiff" => "audio/aiff",
            "au" => "audio/basic",
            "caf" => "audio/x-caf",
            "wma" => "audio/x-ms-wma",
            extension => panic!("what is .{extension}?"),
        };
        Self { name: name.to_owned(), content_type, bytes: std::fs::read(path).unwrap() }
    }

    /// A small video.
    pub(crate) fn video() -> Self {
        Self::sample("v_h264_aac_faststart.mp4")
    }

    pub(crate) fn sha256(&self) -> String {
        BASE64_STANDARD.encode(ring::digest::digest(&ring::digest::SHA256, &self.bytes))
    }

    /// What `POST /media` is asked for it.
    pub(crate) fn announcement(&self) -> Value {
        json!({
            "title": self.name,
            "filename": self.name,
            "content_type": self.content_type,
            "size_bytes": self.bytes.len(),
        })
    }
}

/// Has the platform serve published files by CloudFront.
pub(crate) fn with_cdn(options: &mut Options) {
    options.parameters.insert("CdnEnabled".to_owned(), "true".to_owned());
}

impl Platform {
    /// Starts a platform of its own; `change` may choose parameters, take permissions out, and so on.
    pub(crate) async fn start(change: impl FnOnce(&mut Options)) -> Self {
        Self::try_start(change).await.expect("the local stack starts")
    }

    /// The same, where the change may keep it from starting.
    pub(crate) async fn try_start(change: impl FnOnce(&mut Options)) -> Result<Self, local::StartError> {
        let clock_offset_seconds = Arc::new(AtomicI64::new(0));
        let offset = Arc::clone(&clock_offset_seconds);
        let clock = api::Clock::new(move || {
            let seconds = offset.load(Ordering::Relaxed);
            let moved = Duration::from_secs(seconds.unsigned_abs());
            if seconds < 0 { SystemTime::now() - moved } else { SystemTime::now() + moved }
        });
        let mut options = Options { clock, inspect: INSPECT.get().cloned(), ..Options::default() };
        // What fails is tried again at once.
        options.parameters.insert("ProcessingRetrySeconds".to_owned(), "0".to_owned());
        // All tests come from one address.
        for limit in RATE_LIMITS {
            options.parameters.insert(limit.to_owned(), MANY.to_owned());
        }
        change(&mut options);
        let stack = LocalStack::start(options).await?;
        let http = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
        Ok(Self { stack, http, clock_offset_seconds })
    }

    /// Moves the functions' clock; AWS keeps its own.
    pub(crate) fn set_clock_offset(&self, seconds: i64) {
        self.clock_offset_seconds.store(seconds, Ordering::Relaxed);
    }

    pub(crate) async fn shut_down(self) {
        self.note_used_permissions();
        self.stack.shut_down().await;
    }

    pub(crate) fn aws(&self) -> &Aws {
        self.stack.aws().expect("the built-in AWS")
    }

    pub(crate) fn calls(&self) -> &Calls {
        self.aws().calls()
    }

    /// Permissions of the template that no stack of this run used, each as a line.
    pub(crate) fn unused_permissions(&self) -> Vec<String> {
        self.note_used_permissions();
        let used = USED_PERMISSIONS.lock().unwrap();
        let declared = self.calls().permission_usage();
        declared.iter().map(describe).filter(|permission| !used.contains(permission)).collect()
    }

    fn note_used_permissions(&self) {
        let usage = self.calls().permission_usage();
        let used = usage.iter().filter(|permission| permission.times > 0).map(describe);
        USED_PERMISSIONS.lock().unwrap().extend(used);
    }

    /// A request to the API.
    pub(crate) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.http.request(method, format!("{}{path}", self.stack.api_url())).timeout(PATIENCE)
    }

    pub(crate) async fn get(&self, user: &User, path: &str) -> Response {
        self.request(Method::GET, path).bearer_auth(&user.token).send().await.unwrap()
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> Response {
        self.request(Method::POST, path).json(body).send().await.unwrap()
    }

    pub(crate) async fn post_as(&self, user: &User, path: &str, body: &Value) -> Response {
        self.request(Method::POST, path).bearer_auth(&user.token).json(body).send().await.unwrap()
    }

    /// A fresh account with the role of those who sign up.
    pub(crate) async fn sign_up(&self) -> User {
        let email = format!("{}@example.com", uuid::Uuid::now_v7().simple());
        let answer = self.post("/auth/signup", &json!({"email": email, "password": PASSWORD})).await;
        let account = expect(answer, StatusCode::CREATED).await;
        let token = self.log_in(&email).await;
        User { id: account["id"].as_str().unwrap().to_owned(), email, token }
    }

    /// A fresh admin.
    pub(crate) async fn admin(&self) -> User {
        let email = format!("{}@example.com", uuid::Uuid::now_v7().simple());
        let event = json!({"email": email, "password": PASSWORD});
        let account = self.stack.invoke("CreateAdminFunction", event).await.unwrap();
        let token = self.log_in(&email).await;
        User { id: account["id"].as_str().unwrap().to_owned(), email, token }
    }

    pub(crate) async fn log_in(&self, email: &str) -> String {
        let answer = self.post("/auth/login", &json!({"email": email, "password": PASSWORD})).await;
        expect(answer, StatusCode::OK).await["access_token"].as_str().unwrap().to_owned()
    }

    /// Announces a file; the answer has `media` and `upload`.
    pub(crate) async fn announce(&self, user: &User, file: &File) -> Value {
        expect(self.post_as(user, "/media", &file.announcement()).await, StatusCode::CREATED).await
    }

    /// Sends a file as its upload says.
    pub(crate) async fn put(&self, upload: &Value, bytes: Vec<u8>) -> Response {
        self.put_request(upload, bytes).send().await.unwrap()
    }

    /// The same, to be changed before it is sent.
    pub(crate) fn put_request(&self, upload: &Value, bytes: Vec<u8>) -> RequestBuilder {
        let mut request = self.http.put(upload["url"].as_str().unwrap()).body(bytes).timeout(PATIENCE);
        for (name, value) in upload["headers"].as_object().unwrap() {
            request = request.header(name, value.as_str().unwrap());
        }
        request
    }

    /// Announces and sends a file, and waits until it is dealt with.
    pub(crate) async fn upload(&self, user: &User, file: &File) -> Value {
        let created = self.announce(user, file).await;
        assert_eq!(self.put(&created["upload"], file.bytes.clone()).await.status(), StatusCode::OK);
        self.settled(user, created["media"]["id"].as_str().unwrap()).await
    }

    /// The media once it is neither awaited, nor being completed or processed.
    pub(crate) async fn settled(&self, user: &User, media_id: &str) -> Value {
        self.wait_for(user, media_id, |media| {
            !matches!(media["status"].as_str(), Some("awaiting_upload" | "completing" | "processing"))
        })
        .await
    }

    /// The media once `condition` holds.
    pub(crate) async fn wait_for(
        &self,
        user: &User,
        media_id: &str,
        condition: impl Fn(&Value) -> bool,
    ) -> Value {
        let mut media = Value::Null;
        let has_come = eventually(PATIENCE, async || {
            media = expect(self.get(user, &format!("/media/{media_id}")).await, StatusCode::OK).await;
            condition(&media)
        })
        .await;
        assert!(has_come, "still {media:#}");
        media
    }

    /// Waits until everything that S3 told of this media is dealt with.
    pub(crate) async fn idle_for(&self, media_id: &str) {
        self.stack.idle_for(media_id, PATIENCE).await.unwrap();
    }

    /// Waits until everything that S3 told of is dealt with; only on a stack of one's own, since others' uploads count.
    pub(crate) async fn idle(&self) {
        self.stack.idle(PATIENCE).await.unwrap();
    }

    /// Until the interception is dropped nothing that arrives is processed; only on a stack of one's own.
    pub(crate) async fn hold_processing(&self) -> Interception {
        let (sequence, queue) = (self.calls().sequence(), self.queue("IngestQueue"));
        let interception = self.calls().intercept(|attempt| {
            (attempt.operation == "ReceiveMessage").then(|| Answer::Error {
                status: 500,
                code: "InternalError".to_owned(),
                message: "down".to_owned(),
            })
        });
        // A receive that was allowed before may still be waiting for a message: it gets one that says nothing.
        self.aws().queues().send(&queue, r#"{"Service": "Amazon S3", "Event": "s3:TestEvent"}"#).unwrap();
        let is_held = eventually(PATIENCE, async || {
            let calls = self.calls().since(sequence);
            calls.iter().any(|call| call.operation == "ReceiveMessage" && call.outcome.status == 500)
        });
        assert!(is_held.await, "messages are still received");
        interception
    }

    /// An S3 client with the operator's keys.
    pub(crate) fn s3(&self) -> aws_sdk_s3::Client {
        let configuration =
            aws_sdk_s3::config::Builder::from(&self.sdk_configuration()).force_path_style(true);
        aws_sdk_s3::Client::from_conf(configuration.build())
    }

    /// A DynamoDB client with the operator's keys.
    pub(crate) fn dynamodb(&self) -> aws_sdk_dynamodb::Client {
        aws_sdk_dynamodb::Client::new(&self.sdk_configuration())
    }

    pub(crate) fn sdk_configuration(&self) -> aws_types::SdkConfig {
        use aws_sdk_s3::config::{BehaviorVersion, Region, SharedCredentialsProvider};
        let credentials = Aws::operator_credentials();
        let credentials = Credentials::new(
            credentials.access_key_id,
            credentials.secret_access_key,
            None,
            None,
            "operator",
        );
        aws_types::SdkConfig::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new(self.stack.stack().region.clone()))
            .credentials_provider(SharedCredentialsProvider::new(credentials))
            .endpoint_url(self.stack.aws_url())
            .http_client(aws_smithy_http_client::Builder::new().build_http())
            .build()
    }

    /// The name of the bucket with this logical id.
    pub(crate) fn bucket(&self, logical_id: &str) -> String {
        let mut buckets = self.stack.stack().buckets.iter();
        buckets.find(|bucket| bucket.logical_id == logical_id).expect("the bucket").name.clone()
    }

    /// The ARN of the queue with this logical id.
    pub(crate) fn queue(&self, logical_id: &str) -> String {
        let mut queues = self.stack.stack().queues.iter();
        queues.find(|queue| queue.logical_id == logical_id).expect("the queue").arn.clone()
    }

    /// An item of the table.
    pub(crate) async fn item(&self, partition: &str, sort: &str) -> Option<Item> {
        use aws_sdk_dynamodb::types::AttributeValue::S;
        let answer = self
            .dynamodb()
            .get_item()
            .table_name(&self.stack.stack().tables[0].name)
            .key("PK", S(partition.to_owned()))
            .key("SK", S(sort.to_owned()))
            .send()
            .await
            .unwrap();
        answer.item
    }

    /// Sets an attribute of a user's profile.
    pub(crate) async fn set_profile(
        &self,
        user: &User,
        name: &str,
        value: aws_sdk_dynamodb::types::AttributeValue,
    ) {
        use aws_sdk_dynamodb::types::AttributeValue::S;
        self.dynamodb()
            .update_item()
            .table_name(&self.stack.stack().tables[0].name)
            .key("PK", S(format!("USER#{}", user.id)))
            .key("SK", S("PROFILE".to_owned()))
            .update_expression("SET #name = :value")
            .expression_attribute_names("#name", name)
            .expression_attribute_values(":value", value)
            .send()
            .await
            .unwrap();
    }

    /// All items of a partition.
    pub(crate) async fn items_of(&self, partition: String) -> Vec<Item> {
        self.items(&partition, "").await
    }

    /// What is owed for a media.
    pub(crate) async fn work_of(&self, media_id: &str) -> Vec<Item> {
        use aws_sdk_dynamodb::types::AttributeValue::S;
        let shards = (0..4).map(|shard| self.items_of(format!("WORK#{shard}")));
        let all = futures::future::join_all(shards).await.into_iter().flatten();
        // Of a user's deletion, no media is named.
        all.filter(|item| item.get("media_id") == Some(&S(media_id.to_owned()))).collect()
    }

    /// Of which kinds it is.
    pub(crate) async fn kinds_of_work(&self, media_id: &str) -> Vec<String> {
        self.work_of(media_id).await.iter().map(|item| item["kind"].as_s().unwrap().clone()).collect()
    }

    /// All items of a partition whose sort key begins so.
    pub(crate) async fn items(&self, partition: &str, sort_prefix: &str) -> Vec<Item> {
        use aws_sdk_dynamodb::types::AttributeValue::S;
        let answer = self
            .dynamodb()
            .query()
            .table_name(&self.stack.stack().tables[0].name)
            .key_condition_expression("PK = :partition AND begins_with(SK, :prefix)")
            .expression_attribute_values(":partition", S(partition.to_owned()))
            .expression_attribute_values(":prefix", S(sort_prefix.to_owned()))
            .send()
            .await
            .unwrap();
        answer.items.unwrap_or_default()
    }
}

/// Whether `condition` comes to hold while there is patience. Asked again and again, because what is outside of this
/// process's tests tells nobody when it changes.
pub(crate) async fn eventually(patience: Duration, mut condition: impl AsyncFnMut() -> bool) -> bool {
    let begun = std::time::Instant::now();
    loop {
        if condition().await {
            return true;
        }
        if begun.elapsed() > patience {
            return false;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// The JSON body of an answer that has to have this status.
pub(crate) async fn expect(answer: Response, status: StatusCode) -> Value {
    let (actual, url) = (answer.status(), answer.url().clone());
    let text = answer.text().await.unwrap();
    assert_eq!(actual, status, "{}: {text}", url.path());
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

/// A problem with this code, in the shape that every error of ours has.
pub(crate) async fn expect_problem(answer: Response, status: StatusCode, code: &str) -> Value {
    let headers = answer.headers().clone();
    let problem = expect(answer, status).await;
    assert_eq!(headers["content-type"], "application/problem+json");
    assert_eq!(problem["code"], code, "{problem:#}");
    assert_eq!(problem["status"], status.as_u16());
    assert_eq!(problem["type"], format!("/docs#{code}"));
    assert_eq!(problem["request_id"], headers["x-request-id"].to_str().unwrap());
    assert!(
        !problem["title"].as_str().unwrap().is_empty() && !problem["detail"].as_str().unwrap().is_empty()
    );
    if status == StatusCode::UNAUTHORIZED {
        assert_eq!(headers["www-authenticate"], "Bearer");
    }
    if status == StatusCode::SERVICE_UNAVAILABLE {
        assert!(headers.contains_key("retry-after"));
    }
    problem
}

/// The pointers of a validation problem.
pub(crate) fn pointers(problem: &Value) -> Vec<&str> {
    problem["errors"].as_array().unwrap().iter().map(|error| error["pointer"].as_str().unwrap()).collect()
}

/// The `Code` of an S3 error.
pub(crate) async fn s3_error_code(answer: Response) -> String {
    let text = answer.text().await.unwrap();
    let code = text.split_once("<Code>").and_then(|(_, rest)| rest.split_once("</Code>"));
    code.unwrap_or_else(|| panic!("no S3 error: {text}")).0.to_owned()
}
