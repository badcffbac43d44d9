//! Custom resources: what `provision-keys` tells CloudFormation, whatever it is asked.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use reqwest::StatusCode;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use crate::platform::{File, Platform, expect};

crate::tests![
    asking_again_gives_the_same_keys,
    a_rotation_promotes_a_known_key_and_can_be_rolled_back,
    a_failure_is_told_to_cloud_formation,
    what_was_denied_is_tried_again,
    a_malformed_request_is_answered_too,
    it_answers_before_its_own_time_is_up,
    an_answer_that_is_not_taken_is_sent_again,
];

/// Invokes `provision-keys` with this event, with this stack's secrets for those that it names; answers what was sent to
/// the response URL.
pub(crate) async fn invoke(platform: &Platform, mut event: Value) -> Value {
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
        for properties in ["ResourceProperties", "OldResourceProperties"] {
            if let Some(named) = event.get_mut(properties).and_then(|all| all.get_mut(&secret.logical_id)) {
                *named = json!(secret.arn);
            }
        }
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
        "ResourceProperties": {
            "KeyGeneration": generation.to_string(),
            "AccessKeysSecret": "",
            "CapabilityKeysSecret": "",
        },
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
    assert_eq!(denied["PhysicalResourceId"], "signing-keys-1");
    assert_eq!(denied["Status"], "FAILED");
    let reason = denied["Reason"].as_str().unwrap();
    assert!(reason.contains("AccessDeniedException") && reason.len() < 1_000, "{reason}");
    platform.shut_down().await;
}

async fn what_was_denied_is_tried_again(_shared: &Platform) {
    let platform = Platform::start(|_| {}).await;
    let denials = AtomicUsize::new(0);
    // A policy that CloudFormation has just attached does not hold for some seconds.
    let interception = platform.calls().intercept(move |attempt| {
        let is_early = attempt.operation == "PutSecretValue" && denials.fetch_add(1, Ordering::Relaxed) < 4;
        is_early.then(|| local::aws::Answer::Error {
            status: 400,
            code: "AccessDeniedException".to_owned(),
            message: "not yet".to_owned(),
        })
    });
    let answer = invoke(&platform, request("Update", 2)).await;
    drop(interception);
    assert_eq!(answer["Status"], "SUCCESS", "{answer}");
    platform.shut_down().await;
}

async fn a_malformed_request_is_answered_too(shared: &Platform) {
    let malformed: [(&str, Value); 8] = [
        ("RequestType", json!("Recreate")),
        ("RequestType", Value::Null),
        ("RequestId", json!(1)),
        ("StackId", Value::Null),
        ("ResourceProperties", json!("none")),
        ("ResourceProperties", json!({"KeyGeneration": "1"})),
        (
            "ResourceProperties",
            json!({"KeyGeneration": "0", "AccessKeysSecret": "", "CapabilityKeysSecret": ""}),
        ),
        (
            "ResourceProperties",
            json!({"KeyGeneration": "-1", "AccessKeysSecret": "", "CapabilityKeysSecret": ""}),
        ),
    ];
    for (name, value) in malformed {
        let mut event = request("Update", 1);
        event[name] = value;
        let answer = invoke(shared, event.clone()).await;
        assert_eq!(answer["Status"], "FAILED", "{event}");
        assert!(answer["Reason"].as_str().unwrap().contains("malformed"), "{answer}");
        assert_eq!(answer["PhysicalResourceId"], "signing-keys-1");
        assert_eq!(answer["LogicalResourceId"], "SigningKeys");
    }
    // What was never created can be deleted, whatever it was asked to be.
    let mut delete = request("Delete", 1);
    delete["ResourceProperties"] = json!({"KeyGeneration": "none"});
    assert_eq!(invoke(shared, delete).await["Status"], "SUCCESS");
    // Nobody can be answered: the function fails.
    let mut nowhere = request("Create", 1);
    nowhere["ResponseURL"] = json!(7);
    let error = shared.stack.invoke("ProvisionKeysFunction", nowhere).await.unwrap_err();
    assert!(error.to_string().contains("ResponseURL"), "{error}");
}

async fn it_answers_before_its_own_time_is_up(_shared: &Platform) {
    let platform = Platform::start(|options| {
        options.template_edit = Some(Box::new(|template| {
            template["Resources"]["ProvisionKeysFunction"]["Properties"]["Timeout"] = json!(31);
        }));
    })
    .await;
    let interception = platform.calls().intercept(|attempt| {
        (attempt.operation == "GetSecretValue").then(|| local::aws::Answer::Delay(Duration::from_secs(20)))
    });
    let answer = invoke(&platform, request("Update", 2)).await;
    drop(interception);
    assert_eq!(answer["Status"], "FAILED");
    assert!(answer["Reason"].as_str().unwrap().contains("in time"), "{answer}");
    platform.shut_down().await;
}

async fn an_answer_that_is_not_taken_is_sent_again(shared: &Platform) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut event = request("Create", 1);
    address(shared, &mut event, &listener);
    let receiving = async {
        drop(listener.accept().await.unwrap());
        let (mut refused, _) = listener.accept().await.unwrap();
        refused.write_all(b"HTTP/1.1 503 Slow Down\r\ncontent-length: 0\r\n\r\n").await.unwrap();
        receive(&listener).await
    };
    let (invoked, sent) = tokio::join!(shared.stack.invoke("ProvisionKeysFunction", event), receiving);
    invoked.unwrap();
    assert_eq!(sent["Status"], "SUCCESS", "{sent}");
}
