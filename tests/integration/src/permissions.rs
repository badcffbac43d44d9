//! The template's policies: enough, and no more. That each is used is checked at the end of the suite.

use reqwest::StatusCode;
use serde_json::Value;

use crate::platform::{File, Platform, expect, expect_problem};

crate::tests![a_permission_that_is_taken_out_is_missed, a_function_cannot_do_what_another_may];

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

async fn a_function_cannot_do_what_another_may(platform: &Platform) {
    use aws_credential_types::Credentials;
    use aws_sdk_s3::config::{BehaviorVersion, Region};
    let user = platform.sign_up().await;
    let media = platform.upload(&user, &File::video()).await;
    expect(platform.get(&user, &format!("/media/{}", media["id"].as_str().unwrap())).await, StatusCode::OK)
        .await;
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
