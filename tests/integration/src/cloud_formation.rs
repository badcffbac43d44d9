//! Custom resources: what `provision-keys` tells CloudFormation, and what the keys are good for.

use reqwest::StatusCode;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use crate::platform::{File, Platform, expect};

crate::tests![
    asking_again_gives_the_same_keys,
    a_rotation_promotes_a_known_key_and_can_be_rolled_back,
    a_failure_is_told_to_cloud_formation,
];

/// Invokes `provision-keys` with this event, for this stack's secrets; answers what it sent to the response URL.
async fn invoke(platform: &Platform, mut event: Value) -> Value {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    address(platform, &mut event, &listener);
    let invoking = platform.stack.invoke("ProvisionKeysFunction", event);
    let (invoked, sent) = tokio::join!(invoking, receive(&listener));
    invoked.unwrap();
    sent
}

/// Makes a request one of this stack, to be answered here.
pub(crate) fn address(platform: &Platform, event: &mut Value, listener: &TcpListener) {
    event["ResponseURL"] = json!(format!("http://{}/response?signature=x", listener.local_addr().unwrap()));
    for secret in &platform.stack.stack().secrets {
        event["ResourceProperties"][&secret.logical_id] = json!(secret.arn);
    }
}

/// Takes one answer, as the presigned URL of S3 would.
pub(crate) async fn receive(listener: &TcpListener) -> Value {
    let (mut stream, _) = listener.accept().await.unwrap();
    let mut request = Vec::new();
    let body = loop {
        stream.read_buf(&mut request).await.unwrap();
        let text = String::from_utf8_lossy(&request).into_owned();
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let head = head.to_ascii_lowercase();
        assert!(head.starts_with("put /response?signature=x "), "{head}");
        assert!(
            head.lines().any(|line| line.trim_end() == "content-type:"),
            "signed for an empty one: {head}"
        );
        let (_, length) = head.split_once("content-length: ").expect("S3 takes no chunks");
        let length: usize = length.lines().next().unwrap().trim().parse().unwrap();
        if body.len() >= length {
            break body.to_owned();
        }
    };
    stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await.unwrap();
    serde_json::from_str(&body).unwrap()
}

fn request(request_type: &str, generation: u32) -> Value {
    json!({
        "RequestType": request_type,
        "RequestId": uuid::Uuid::now_v7().to_string(),
        "StackId": "arn:aws:cloudformation:us-east-1:000000000000:stack/media-platform/1",
        "LogicalResourceId": "SigningKeys",
        "ResourceType": "Custom::SigningKeys",
        "PhysicalResourceId": "signing-keys-1",
        "ResourceProperties": {"KeyGeneration": generation.to_string()},
    })
}

fn key_ids(jwks: &Value) -> Vec<String> {
    let set: Value = serde_json::from_str(jwks.as_str().unwrap()).unwrap();
    set["keys"].as_array().unwrap().iter().map(|key| key["kid"].as_str().unwrap().to_owned()).collect()
}

async fn asking_again_gives_the_same_keys(_shared: &Platform) {
    let platform = Platform::start(|_| {}).await;
    let once = invoke(&platform, request("Create", 1)).await;
    let twice = invoke(&platform, request("Create", 1)).await;
    assert_eq!(once["Status"], "SUCCESS");
    assert_eq!(once["Data"], twice["Data"]);
    // They are those that the functions were started with.
    let log_in = &platform.stack.stack().functions["LogInFunction"];
    assert_eq!(once["Data"]["AccessSigningKid"], json!(log_in.environment["ACCESS_SIGNING_KID"]));
    assert!(!once.to_string().contains("\\\"d\\\""), "nothing private: {once}");
    platform.shut_down().await;
}

async fn a_rotation_promotes_a_known_key_and_can_be_rolled_back(_shared: &Platform) {
    let platform = Platform::start(|_| {}).await;
    let first = invoke(&platform, request("Create", 1)).await["Data"].clone();
    let second = invoke(&platform, request("Update", 2)).await["Data"].clone();
    for (jwks, kid) in [("AccessJwks", "AccessSigningKid"), ("CapabilityJwks", "CapabilitySigningKid")] {
        assert_ne!(first[kid], second[kid]);
        assert!(key_ids(&first[jwks]).contains(&second[kid].as_str().unwrap().to_owned()));
        assert!(key_ids(&second[jwks]).contains(&first[kid].as_str().unwrap().to_owned()));
    }
    // The functions of before the rotation still sign and verify.
    let user = platform.sign_up().await;
    expect(platform.post_as(&user, "/media", &File::video().announcement()).await, StatusCode::CREATED).await;
    let rolled_back = invoke(&platform, request("Update", 1)).await["Data"].clone();
    assert_eq!(rolled_back["AccessSigningKid"], first["AccessSigningKid"]);
    platform.shut_down().await;
}

async fn a_failure_is_told_to_cloud_formation(_shared: &Platform) {
    let platform = Platform::start(|_| {}).await;
    let skipping = invoke(&platform, request("Update", 7)).await;
    assert_eq!(
        (&skipping["Status"], &skipping["PhysicalResourceId"]),
        (&json!("FAILED"), &json!("signing-keys-1"))
    );
    assert!(skipping["Reason"].as_str().unwrap().contains("one at a time"), "{skipping}");

    let interception = platform.calls().intercept(|attempt| {
        (attempt.service == "secretsmanager").then(|| local::aws::Answer::Error {
            status: 400,
            code: "AccessDeniedException".to_owned(),
            message: "no".to_owned(),
        })
    });
    let denied = invoke(&platform, request("Update", 2)).await;
    drop(interception);
    assert_eq!(denied["Status"], "FAILED");
    let reason = denied["Reason"].as_str().unwrap();
    assert!(reason.contains("AccessDeniedException") && reason.len() < 1_000, "{reason}");
    platform.shut_down().await;
}
