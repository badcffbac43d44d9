//! The template's policies: enough, and no more. That each permission is used is checked at the end of the suite; that
//! each is needed, here.

use local::LocalStack;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::platform::{File, PASSWORD, PATIENCE, Platform, eventually, expect_problem};

crate::tests![
    a_permission_that_is_taken_out_is_missed,
    every_statement_of_every_function_is_needed,
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
    for (function, policy, number) in statements {
        let place = format!("{function}.Policies[{policy}].Statement[{number}]");
        let path = format!("/Resources/{function}/Properties/Policies/{policy}/Statement");
        let start = Platform::try_start(|options| {
            options.template_edit = Some(Box::new(move |template| {
                template.pointer_mut(&path).unwrap().as_array_mut().unwrap().remove(number);
            }));
        });
        // A function that cannot read its key, or a queue that cannot be polled, does not even start.
        let Ok(platform) = start.await else { continue };
        do_everything(&platform).await;
        let is_missed = eventually(PATIENCE / 4, async || is_something_denied(&platform)).await;
        assert!(is_missed, "nobody misses {place}");
        platform.shut_down().await;
    }
}

fn is_something_denied(platform: &Platform) -> bool {
    let is_denial = |code: &str| code.starts_with("AccessDenied");
    platform.calls().since(0).iter().any(|call| call.outcome.error_code.as_deref().is_some_and(is_denial))
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
    let account = json!({"email": "ada@example.com", "password": PASSWORD});
    let _ = platform.post("/auth/signup", &account).await;
    let answer = platform.post("/auth/login", &account).await.json::<Value>().await.unwrap_or_default();
    let Some(token) = answer["access_token"].as_str() else { return };
    let as_user = |method, path: String| platform.request(method, &path).bearer_auth(token);

    // One that is rejected, and one that becomes ready.
    let bad = File::sample("v_bad_text.mp4");
    let answer = as_user(Method::POST, "/media".to_owned()).json(&bad.announcement()).send().await.unwrap();
    if let Some(upload) = answer.json::<Value>().await.unwrap_or_default().get("upload") {
        let _ = platform.put(upload, bad.bytes).await;
    }
    let file = File::video();
    let mut announcement = file.announcement();
    announcement["tags"] = json!(["clip"]);
    let created = as_user(Method::POST, "/media".to_owned()).json(&announcement).send().await.unwrap();
    let created = created.json::<Value>().await.unwrap_or_default();
    let Some(media_id) = created["media"]["id"].as_str() else { return };
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
        is_something_denied(platform) || media["status"] == "ready"
    })
    .await;
    for path in ["/media", "/media?tag=clip", "/search?title=h264"] {
        let _ = as_user(Method::GET, path.to_owned()).send().await;
    }
    let _ = as_user(Method::GET, format!("/media/{media_id}/jobs")).send().await;
    let urls = as_user(Method::GET, format!("/media/{media_id}/stream-url")).send().await.unwrap();
    let urls = urls.json::<Value>().await.unwrap_or_default();
    let _ = as_user(Method::GET, format!("/media/stream/{media_id}")).send().await;
    if let Some(stream_url) = urls["stream_url"].as_str() {
        platform.set_clock_offset(31 * 60);
        let _ = platform.http.get(stream_url).send().await;
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
