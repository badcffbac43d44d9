//! The template's policies: enough, and no more. That each permission is used is checked at the end of the suite; that
//! each is needed, here.

use local::LocalStack;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::miniatures::Image;
use crate::platform::{File, PASSWORD, PATIENCE, Platform, eventually, expect_problem, with_cdn};

crate::tests![
    a_permission_that_is_taken_out_is_missed,
    every_statement_of_every_function_is_needed,
    what_functions_are_allowed_and_their_boundary_are_the_same,
    what_the_boundary_leaves_out_is_missed,
    a_function_cannot_do_what_another_may,
];
/// Takes statements with this action out of a function's policies.
fn without(template: &mut Value, function: &str, action: &str) {
    let policies = template["Resources"][function]["Properties"]["Policies"].as_array_mut().unwrap();
    let mut taken = 0;
    for policy in policies {
        policy["Statement"].as_array_mut().unwrap().retain(|statement| {
            let is_meant = statement["Action"] == action;
            taken += usize::from(is_meant);
            !is_meant
        });
    }
    assert!(taken > 0, "{function} has no statement for {action}");
}

async fn a_permission_that_is_taken_out_is_missed(_shared: &Platform) {
    let platform = Platform::start(|options| {
        options.template_edit =
            Some(Box::new(|template| without(template, "GetMediaFunction", "dynamodb:Query")));
    })
    .await;
    let user = platform.sign_up().await;
    let created = platform.announce(&user, &File::video()).await;
    let path = format!("/media/{}", created["media"]["id"].as_str().unwrap());
    let sequence = platform.calls().sequence();
    let answer = platform.get(&user, &path).await;
    expect_problem(answer, StatusCode::INTERNAL_SERVER_ERROR, "internal").await;
    let calls = platform.calls().since(sequence);
    let denied = calls.iter().find(|call| call.operation == "Query").unwrap();
    assert_eq!(denied.outcome.error_code.as_deref(), Some("AccessDeniedException"));
    platform.shut_down().await;
}

/// IAM's limit on a managed policy, white space not counted.
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html>
const MANAGED_POLICY_LIMIT: usize = 6144;

/// The pairs of action and resource that a policy's statements allow.
fn pairs(document: &Value) -> Vec<(String, String)> {
    let texts = |value: &Value| match value {
        Value::Array(items) => items.iter().map(|item| item.as_str().unwrap().to_owned()).collect(),
        one => vec![one.as_str().unwrap().to_owned()],
    };
    let statements = document["Statement"].as_array().unwrap().iter();
    statements
        .flat_map(|statement| {
            let resources = texts(&statement["Resource"]);
            texts(&statement["Action"])
                .into_iter()
                .flat_map(move |action| resources.clone().into_iter().map(move |one| (action.clone(), one)))
        })
        .collect()
}

fn covers((action, pattern): &(String, String), (wanted, resource): &(String, String)) -> bool {
    let is_within =
        pattern.strip_suffix('*').map_or(pattern == resource, |start| resource.starts_with(start));
    action == wanted && is_within
}

/// Every function is bounded; the boundary leaves room for all that their policies name, and for nothing else but what
/// SAM's policies are about, AWS's own keys, and the roles whose trust names a function's.
async fn what_functions_are_allowed_and_their_boundary_are_the_same(shared: &Platform) {
    let functions = &shared.stack.stack().functions;
    let mut allowed = Vec::new();
    let mut boundary = Vec::new();
    for (name, function) in functions {
        let document = &function.permissions_boundary.as_ref().unwrap_or_else(|| panic!("{name}")).document;
        let text = document.to_string();
        assert!(text.len() <= MANAGED_POLICY_LIMIT, "{} characters", text.len());
        boundary = pairs(document);
        let own: Vec<_> = function.policies.iter().flat_map(|policy| pairs(&policy.document)).collect();
        for wanted in &own {
            assert!(boundary.iter().any(|pair| covers(pair, wanted)), "{name}: {wanted:?} is out of bounds");
        }
        allowed.extend(own);
    }
    let is_elsewhere =
        |action: &str| ["logs:", "xray:", "kms:", "sts:"].iter().any(|of| action.starts_with(of));
    for pair in boundary.iter().filter(|(action, _)| !is_elsewhere(action)) {
        assert!(allowed.iter().any(|own| covers(pair, own)), "no function's policy names {pair:?}");
    }
}

async fn what_the_boundary_leaves_out_is_missed(_shared: &Platform) {
    let platform = Platform::start(|options| {
        options.template_edit = Some(Box::new(|template| {
            let boundary = &mut template["Resources"]["FunctionPermissionsBoundary"]["Properties"];
            let statements = boundary["PolicyDocument"]["Statement"].as_array_mut().unwrap();
            let before = statements.len();
            statements.retain(|statement| statement["Action"] != "dynamodb:Query");
            assert_eq!(statements.len(), before - 1);
        }));
    })
    .await;
    let user = platform.sign_up().await;
    let sequence = platform.calls().sequence();
    let answer = platform.get(&user, "/media").await;
    expect_problem(answer, StatusCode::INTERNAL_SERVER_ERROR, "internal").await;
    let calls = platform.calls().since(sequence);
    let denied = calls.iter().find(|call| call.operation == "Query").unwrap();
    assert_eq!(denied.outcome.error_code.as_deref(), Some("AccessDeniedException"));
    platform.shut_down().await;
}

/// Takes the statements out one by one, and each time does all there is to do: something is denied, or does not start.
async fn every_statement_of_every_function_is_needed(shared: &Platform) {
    let template = local::template::read(&local::Options::default().template).unwrap();
    let mut statements = Vec::new();
    for function in shared.stack.stack().functions.keys() {
        let policies = &template["Resources"][function]["Properties"]["Policies"];
        for (policy, document) in policies.as_array().into_iter().flatten().enumerate() {
            let count = document["Statement"].as_array().unwrap().len();
            statements.extend((0..count).map(|number| (function.clone(), policy, number)));
        }
    }
    assert!(statements.len() >= 20, "{}", statements.len());
    // As long as none is taken out, nothing is denied.
    let platform = Platform::start(use_everything).await;
    do_everything(&platform).await;
    platform.idle().await;
    assert_eq!(denied(&platform), Vec::<String>::new());
    platform.shut_down().await;
    for (function, policy, number) in statements {
        let place = format!("{function}.Policies[{policy}].Statement[{number}]");
        let path = format!("/Resources/{function}/Properties/Policies/{policy}/Statement");
        let start = Platform::try_start(|options| {
            use_everything(options);
            options.template_edit = Some(Box::new(move |template| {
                template.pointer_mut(&path).unwrap().as_array_mut().unwrap().remove(number);
            }));
        });
        // A function that cannot read its key, or a queue that cannot be polled, does not even start.
        let Ok(platform) = start.await else { continue };
        do_everything(&platform).await;
        let is_missed = eventually(PATIENCE / 4, async || !denied(&platform).is_empty()).await;
        assert!(is_missed, "nobody misses {place}");
        platform.shut_down().await;
    }
}

fn use_everything(options: &mut local::Options) {
    // What is never ready is not waited for.
    options.parameters.insert("ReadyWaitSeconds".to_owned(), "0".to_owned());
    with_cdn(options);
}

/// Who was denied what.
fn denied(platform: &Platform) -> Vec<String> {
    let calls = platform.calls().since(0);
    let is_denial = |code: &str| code.starts_with("AccessDenied");
    let denied = calls.iter().filter(|call| call.outcome.error_code.as_deref().is_some_and(is_denial));
    denied.map(|call| format!("{:?}: {} {:?}", call.principal, call.operation, call.actions)).collect()
}

/// Uses every function, whether it works or not.
async fn do_everything(platform: &Platform) {
    let invoke = |logical_id: &'static str, event: Value| async move {
        let stack: &LocalStack = &platform.stack;
        stack.invoke(logical_id, event).await
    };
    let admin = json!({"email": "admin@example.com", "password": PASSWORD});
    let _ = invoke("CreateAdminFunction", admin).await;
    let _ = platform.request(Method::GET, "/health").send().await;
    let _ = platform.request(Method::GET, "/api/v1/s3-media/health/s3").send().await;
    let account = json!({"email": "ada@example.com", "password": PASSWORD});
    let _ = platform.post("/auth/signup", &account).await;
    let answer = platform.post("/auth/login", &account).await.json::<Value>().await.unwrap_or_default();
    let Some(token) = answer["access_token"].as_str() else { return };
    let as_user = |method, path: String| platform.request(method, &path).bearer_auth(token);
    manage_accounts(platform).await;

    use_uploads_in_parts(platform, token).await;
    upload_by_uppy(platform, token).await;
    // One that is rejected, one whose miniature is, and one that becomes ready.
    let bad = File::sample("v_bad_text.mp4");
    let mut announcement = bad.announcement();
    let answer = as_user(Method::POST, "/media".to_owned()).json(&announcement).send().await.unwrap();
    if let Some(upload) = answer.json::<Value>().await.unwrap_or_default().get("upload") {
        let _ = platform.put(upload, bad.bytes.clone()).await;
    }
    announcement["miniature"] =
        json!({"filename": "m", "content_type": "image/png", "size_bytes": bad.bytes.len()});
    let answer = as_user(Method::POST, "/media".to_owned()).json(&announcement).send().await.unwrap();
    if let Some(upload) = answer.json::<Value>().await.unwrap_or_default().get("miniature_upload") {
        let _ = platform.put(upload, bad.bytes).await;
    }
    for (path, name) in [("/media", "v_vp9_opus.webm"), ("/api/v1/s3-media/upload", "v_vp8_opus_live.webm")] {
        let form = crate::forms::form_of(&File::sample(name)).text("title", path);
        let _ = as_user(Method::POST, path.to_owned()).multipart(form).send().await;
    }
    let file = File::video();
    let mut announcement = file.announcement();
    announcement["tags"] = json!(["clip"]);
    let created = as_user(Method::POST, "/media".to_owned()).json(&announcement).send().await.unwrap();
    let created = created.json::<Value>().await.unwrap_or_default();
    let Some(media_id) = created["media"]["id"].as_str() else { return };
    // In parts, which S3 is told of first.
    let mut in_parts = File::video().announcement();
    in_parts["upload_method"] = json!("multipart");
    let _ = as_user(Method::POST, "/media".to_owned()).json(&in_parts).send().await;
    let files = json!({"files": [in_parts]});
    let _ = as_user(Method::POST, "/api/v1/bulk-upload".to_owned()).json(&files).send().await;
    // A message that cannot be read, an object that is not there, and one that is.
    let queue = platform.queue("IngestQueue");
    platform.aws().queues().send(&queue, "no event").unwrap();
    let another = uuid::Uuid::now_v7().to_string();
    let object = crate::processing::put_as_operator(platform, &another, &file).await;
    let gone = crate::processing::event_of(platform, media_id, &object.0, &object.1);
    crate::processing::deliver(platform, &gone).await;
    let _ = platform.put(&created["upload"], file.bytes).await;
    eventually(PATIENCE / 4, async || {
        let media = as_user(Method::GET, format!("/media/{media_id}")).send().await.unwrap();
        let media = media.json::<Value>().await.unwrap_or_default();
        !denied(platform).is_empty() || media["status"] == "ready"
    })
    .await;
    for path in ["/media", "/media?tag=clip", "/search?title=h264"] {
        let _ = as_user(Method::GET, path.to_owned()).send().await;
    }
    let _ = as_user(Method::GET, format!("/media/{media_id}/jobs")).send().await;
    let _ = as_user(Method::POST, format!("/media/{media_id}/view")).send().await;
    let _ = as_user(Method::GET, format!("/media/{media_id}/analytics")).send().await;
    edit_and_delete(platform, token).await;
    let urls = as_user(Method::GET, format!("/media/{media_id}/stream-url")).send().await.unwrap();
    let urls = urls.json::<Value>().await.unwrap_or_default();
    let _ = as_user(Method::GET, format!("/media/stream/{media_id}")).send().await;
    if let Some(stream_url) = urls["stream_url"].as_str() {
        let _ = platform.http.get(stream_url).send().await;
    }
    crate::sweep::sweep_everything(platform, token).await;
}

/// Edits a media with a thumbnail so that everything of it changes, takes it from the sight of others, views and deletes
/// it; and one that still awaits its file.
async fn edit_and_delete(platform: &Platform, token: &str) {
    let ask = async |method: Method, path: &str, body: &Value| {
        let request = platform.request(method, path).bearer_auth(token).json(body);
        request.send().await.unwrap().json::<Value>().await.unwrap_or_default()
    };
    let form =
        crate::forms::form_of(&File::sample("v_aac.m4a")).text("title", "First words").text("tags", "first");
    let form = form.part("miniature", Image::png().part());
    let created = platform.request(Method::POST, "/media").bearer_auth(token).multipart(form).send().await;
    let created = created.unwrap().json::<Value>().await.unwrap_or_default();
    let path = format!("/media/{}", created["media"]["id"].as_str().unwrap_or_default());
    eventually(PATIENCE / 4, async || {
        let media = ask(Method::GET, &path, &Value::Null).await;
        !denied(platform).is_empty() || (media["status"] == "ready" && !media["thumbnail_url"].is_null())
    })
    .await;
    ask(Method::PATCH, &path, &json!({"title": "Second words", "tags": ["second"]})).await;
    ask(Method::PATCH, &path, &json!({"visibility": "private"})).await;
    // What a sweep is to remove with it.
    ask(Method::POST, &format!("{path}/view"), &json!({})).await;
    ask(Method::DELETE, &path, &Value::Null).await;
    let awaited = ask(Method::POST, "/media", &File::sample("v_aac.m4a").announcement()).await;
    let awaited = awaited["media"]["id"].as_str().unwrap_or_default().to_owned();
    ask(Method::DELETE, &format!("/media/{awaited}"), &Value::Null).await;
}

/// An admin makes an account, changes it and resets its password, and deletes another one; the first one's user changes that, refreshes and logs out.
async fn manage_accounts(platform: &Platform) {
    let json_of = async |request: reqwest::RequestBuilder| -> Value {
        request.send().await.unwrap().json().await.unwrap_or_default()
    };
    let log_in = async |email: &str| {
        let credentials = json!({"email": email, "password": PASSWORD});
        json_of(platform.request(Method::POST, "/auth/login").json(&credentials)).await
    };
    let with = |tokens: &Value, method, path: &str| {
        platform.request(method, path).bearer_auth(tokens["access_token"].as_str().unwrap_or_default())
    };
    let post = async |path: &str, body: Value| drop(platform.post(path, &body).await);

    let admin = log_in("admin@example.com").await;
    let _ = with(&admin, Method::GET, "/users").send().await;
    let account = json!({"email": "grace@example.com", "password": PASSWORD, "role": "admin"});
    let account = json_of(with(&admin, Method::POST, "/users").json(&account)).await;
    let path = format!("/users/{}", account["id"].as_str().unwrap_or_default());
    let _ = with(&admin, Method::GET, &path).send().await;
    let _ = with(&admin, Method::PATCH, &path).json(&json!({"role": "viewer"})).send().await;
    let temporary = json!({"password": PASSWORD});
    let _ = with(&admin, Method::POST, &format!("{path}/password")).json(&temporary).send().await;

    let account = json!({"email": "edsger@example.com", "password": PASSWORD, "role": "admin"});
    let account = json_of(with(&admin, Method::POST, "/users").json(&account)).await;
    let path = format!("/users/{}?media=keep", account["id"].as_str().unwrap_or_default());
    let _ = with(&admin, Method::DELETE, &path).send().await;

    let grace = log_in("grace@example.com").await;
    let _ = with(&grace, Method::GET, "/users/me").send().await;
    let passwords = json!({"current_password": PASSWORD, "new_password": "another horse battery staple"});
    let _ = with(&grace, Method::POST, "/users/me/password").json(&passwords).send().await;
    post("/auth/refresh", json!({"refresh_token": grace["refresh_token"]})).await;
    platform.set_clock_offset(60);
    post("/auth/refresh", json!({"refresh_token": grace["refresh_token"]})).await;
    platform.set_clock_offset(0);
    post("/auth/logout", json!({"refresh_token": grace["refresh_token"]})).await;
}

/// Aborts uploads in parts and in one piece, and completes one in parts.
async fn use_uploads_in_parts(platform: &Platform, token: &str) {
    let file = File::video();
    let ask = async |method: Method, path: &str, body: Option<&Value>| {
        let request = platform.request(method, path).bearer_auth(token);
        let request = if let Some(body) = body { request.json(body) } else { request };
        request.send().await.unwrap().json::<Value>().await.unwrap_or_default()
    };
    for method in ["multipart", "put"] {
        let mut body = file.announcement();
        body["upload_method"] = json!(method);
        body["checksum_sha256"] = json!(file.sha256());
        let created = ask(Method::POST, "/media", Some(&body)).await;
        let Some(upload_id) = created["upload"]["upload_id"].as_str() else { continue };
        let path = |rest: &str| format!("/api/v1/{upload_id}{rest}");
        if method == "multipart" {
            let signed = ask(Method::GET, &path("/part/1"), None).await;
            if let Some(url) = signed["url"].as_str() {
                let _ = platform.http.put(url).body(file.bytes.clone()).send().await;
            }
            ask(Method::GET, &path("/parts"), None).await;
        } else {
            ask(Method::POST, &path("/complete"), None).await;
        }
        ask(Method::DELETE, &path(""), None).await;
    }
    let mut body = file.announcement();
    body["upload_method"] = json!("multipart");
    let created = ask(Method::POST, "/media", Some(&body)).await;
    if let Some(url) = created["upload"]["parts"][0]["url"].as_str() {
        let _ = platform.http.put(url).body(file.bytes.clone()).send().await;
    }
    if let Some(upload_id) = created["upload"]["upload_id"].as_str() {
        ask(Method::POST, &format!("/api/v1/{upload_id}/complete"), None).await;
    }
}

/// Uploads by Uppy's routes: by a form, and in parts that are completed on either way, and given up.
async fn upload_by_uppy(platform: &Platform, token: &str) {
    let file = File::video();
    let ask = async |method: Method, path: &str, body: Option<&Value>| {
        let request = platform.request(method, path).bearer_auth(token);
        let request = if let Some(body) = body { request.json(body) } else { request };
        request.send().await.unwrap().json::<Value>().await.unwrap_or_default()
    };
    let upload_token = ask(Method::POST, "/upload-tokens", None).await;
    let companion = format!("/u/{}/s3", upload_token["upload_token"].as_str().unwrap_or_default());
    ask(Method::GET, &format!("{companion}/params?filename=a.mp4"), None).await;
    let begin = async || {
        let body = json!({"filename": file.name, "type": file.content_type});
        let begun = ask(Method::POST, &format!("{companion}/multipart"), Some(&body)).await;
        let upload_id = begun["uploadId"].as_str()?.to_owned();
        let path = format!("{companion}/multipart/{upload_id}");
        let signed = ask(Method::GET, &format!("{path}/1"), None).await;
        let sent = platform.http.put(signed["url"].as_str()?).body(file.bytes.clone()).send().await.ok()?;
        let parts = json!({"parts": [{"PartNumber": 1, "ETag": sent.headers().get("etag")?.to_str().ok()?}]});
        ask(Method::GET, &path, None).await;
        Some((upload_id, path, parts))
    };
    if let Some((_, path, parts)) = begin().await {
        ask(Method::POST, &format!("{path}/complete"), Some(&parts)).await;
    }
    if let Some((upload_id, _, parts)) = begin().await {
        ask(Method::POST, &format!("/api/v1/{upload_id}/complete"), Some(&parts)).await;
    }
    // One with a digest, that was announced on the canonical route.
    let mut body = file.announcement();
    body["checksum_sha256"] = json!(file.sha256());
    for method in ["put", "multipart"] {
        body["upload_method"] = json!(method);
        let created = ask(Method::POST, "/media", Some(&body)).await;
        let upload_id = created["upload"]["upload_id"].as_str().unwrap_or_default();
        let path = format!("{companion}/multipart/{upload_id}");
        if method == "put" {
            ask(Method::POST, &format!("{path}/complete"), None).await;
        }
        ask(Method::DELETE, &path, None).await;
    }
}

async fn a_function_cannot_do_what_another_may(platform: &Platform) {
    use aws_credential_types::Credentials;
    use aws_sdk_s3::config::{BehaviorVersion, Region};
    let user = platform.sign_up().await;
    let media = platform.upload(&user, &File::video()).await;
    assert_eq!(media["status"], "ready");
    // With the keys of a function that only reads the table, the file cannot be read.
    let keys = platform.aws().function_credentials("GetMediaFunction");
    let configuration = aws_sdk_s3::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new(platform.stack.stack().region.clone()))
        .credentials_provider(Credentials::new(
            keys.access_key_id,
            keys.secret_access_key,
            keys.session_token,
            None,
            "function",
        ))
        .endpoint_url(platform.stack.aws_url())
        .force_path_style(true)
        .http_client(aws_smithy_http_client::Builder::new().build_http())
        .build();
    let read = aws_sdk_s3::Client::from_conf(configuration)
        .get_object()
        .bucket(platform.bucket("MediaBucket"))
        .key(format!("media/{}/source", media["id"].as_str().unwrap()))
        .send()
        .await;
    assert_eq!(read.unwrap_err().raw_response().unwrap().status().as_u16(), 403);
}
