//! The invoke events of `events/`: each is fed to its function, and answered as this table says.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::{Value, json};

use crate::cloud_formation;
use crate::platform::{Platform, with_cdn};

crate::tests![every_event_is_answered];

/// What an event is answered.
enum Answered {
    /// An HTTP answer with this status, and this `code` if it is a problem.
    Http(u16, Option<&'static str>),
    /// An answer that contains this.
    With(Value),
    /// An error of the function that contains this.
    Error(&'static str),
    /// An answer sent to CloudFormation with this status.
    CloudFormation(&'static str),
}
use Answered::{CloudFormation, Error, Http, With};

/// In this order: some build on the ones before.
fn expected() -> Vec<(&'static str, &'static str, Answered)> {
    let nothing_failed = || With(json!({"batchItemFailures": []}));
    vec![
        ("ping", "ping", Http(200, None)),
        ("version", "version", Http(200, None)),
        ("check-health", "health", Http(200, None)),
        ("check-storage", "healthy", Http(200, None)),
        ("unmatched-route", "unknown-route", Http(404, Some("route_unknown"))),
        ("unmatched-route", "trailing-slash", Http(308, None)),
        ("sign-up", "new-account", Http(201, None)),
        ("sign-up", "weak-password", Http(422, Some("invalid"))),
        ("sign-up", "unknown-field", Http(422, Some("invalid"))),
        ("log-in", "json", Http(200, None)),
        ("log-in", "oauth2-form", Http(200, None)),
        ("log-in", "wrong-password", Http(401, Some("credentials_invalid"))),
        ("refresh-token", "invalid-token", Http(401, Some("token_invalid"))),
        ("refresh-token", "ended-session", Http(401, Some("session_ended"))),
        ("refresh-token", "no-token", Http(422, Some("invalid"))),
        ("log-out", "ended-session", Http(204, None)),
        ("log-out", "no-token", Http(422, Some("invalid"))),
        ("get-jwks", "keys", Http(200, None)),
        ("get-profile", "no-token", Http(401, Some("token_missing"))),
        ("get-profile", "invalid-token", Http(401, Some("token_invalid"))),
        ("change-password", "no-token", Http(401, Some("token_missing"))),
        ("list-users", "no-token", Http(401, Some("token_missing"))),
        ("create-user", "no-token", Http(401, Some("token_missing"))),
        ("get-user", "no-token", Http(401, Some("token_missing"))),
        ("update-user", "no-token", Http(401, Some("token_missing"))),
        ("delete-user", "no-token", Http(401, Some("token_missing"))),
        ("set-password", "no-token", Http(401, Some("token_missing"))),
        ("create-media", "no-token", Http(401, Some("token_missing"))),
        ("create-media", "invalid-token", Http(401, Some("token_invalid"))),
        ("bulk-upload", "no-token", Http(401, Some("token_missing"))),
        ("bulk-upload", "invalid-token", Http(401, Some("token_invalid"))),
        ("get-media", "no-token", Http(401, Some("token_missing"))),
        ("update-media", "no-token", Http(401, Some("token_missing"))),
        ("delete-media", "no-token", Http(401, Some("token_missing"))),
        ("list-media", "no-token", Http(401, Some("token_missing"))),
        ("list-media", "alias-no-token", Http(401, Some("token_missing"))),
        ("list-jobs", "no-token", Http(401, Some("token_missing"))),
        ("record-view", "no-token", Http(401, Some("token_missing"))),
        ("record-view", "invalid-token", Http(401, Some("token_invalid"))),
        ("get-analytics", "no-token", Http(401, Some("token_missing"))),
        ("get-analytics", "invalid-token", Http(401, Some("token_invalid"))),
        ("search-media", "no-token", Http(401, Some("token_missing"))),
        ("create-stream-url", "no-token", Http(401, Some("token_missing"))),
        ("stream-media", "no-token", Http(401, Some("token_missing"))),
        ("stream-media", "invalid-token", Http(401, Some("token_invalid"))),
        ("get-thumbnail", "unknown-media", Http(404, Some("not_found"))),
        ("get-thumbnail", "no-key", Http(404, Some("not_found"))),
        ("sign-part", "no-token", Http(401, Some("token_missing"))),
        ("sign-part", "several-without-token", Http(401, Some("token_missing"))),
        ("list-parts", "no-token", Http(401, Some("token_missing"))),
        ("complete-upload", "no-token", Http(401, Some("token_missing"))),
        ("complete-upload", "invalid-token", Http(401, Some("token_invalid"))),
        ("abort-upload", "no-token", Http(401, Some("token_missing"))),
        ("upload-file", "no-token", Http(401, Some("token_missing"))),
        ("upload-file", "invalid-token", Http(401, Some("token_invalid"))),
        ("create-admin", "new-admin", With(json!({"email": "admin@example.com", "role": "admin"}))),
        ("create-admin", "weak-password", Error("/password must be 12 to 128 characters long")),
        ("extract-metadata", "object-created", nothing_failed()),
        ("extract-metadata", "object-created-raw", nothing_failed()),
        ("extract-metadata", "object-created-miniature", nothing_failed()),
        ("extract-metadata", "foreign-key", nothing_failed()),
        ("extract-metadata", "s3-test-event", nothing_failed()),
        ("sweep", "schedule", With(json!({"settled": {}, "failed": 0, "is_unfinished": false}))),
        ("provision-keys", "create", CloudFormation("SUCCESS")),
        ("provision-keys", "create-with-cdn", CloudFormation("SUCCESS")),
        ("provision-keys", "rotate", CloudFormation("SUCCESS")),
        ("provision-keys", "malformed", CloudFormation("FAILED")),
        ("provision-keys", "delete", CloudFormation("SUCCESS")),
    ]
}

async fn every_event_is_answered(_shared: &Platform) {
    let platform = Platform::start(with_cdn).await;
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../events");
    let mut files = BTreeSet::new();
    for function in std::fs::read_dir(&root).unwrap() {
        let function = function.unwrap();
        for case in std::fs::read_dir(function.path()).unwrap() {
            let case = case.unwrap().file_name().into_string().unwrap();
            files.insert((function.file_name().into_string().unwrap(), case));
        }
    }
    for (function, case, answered) in expected() {
        assert!(
            files.remove(&(function.to_owned(), format!("{case}.json"))),
            "{function}/{case}.json is missing"
        );
        let event = std::fs::read(root.join(function).join(format!("{case}.json"))).unwrap();
        let event: Value = serde_json::from_slice(&event).unwrap();
        let sequence = platform.calls().sequence();
        let logical_id = platform.stack.function_of_binary(function).unwrap().logical_id.clone();
        if let CloudFormation(status) = answered {
            let sent = cloud_formation::invoke(&platform, event).await;
            assert_eq!(sent["Status"], status, "{function}/{case}: {sent}");
            continue;
        }
        let answer = platform.stack.invoke(&logical_id, event).await;
        let place = format!("{function}/{case}: {answer:?}");
        match answered {
            Http(status, code) => {
                let answer = answer.unwrap();
                assert_eq!(answer["statusCode"], status, "{place}");
                assert!(answer["headers"]["x-request-id"].is_string(), "{place}");
                if let Some(code) = code {
                    let body: Value = serde_json::from_str(answer["body"].as_str().unwrap()).unwrap();
                    assert_eq!(body["code"], code, "{place}");
                }
            }
            With(part) => {
                let answer = answer.unwrap();
                for (name, value) in part.as_object().unwrap() {
                    assert_eq!(&answer[name], value, "{place}");
                }
                if function == "extract-metadata" {
                    let calls = platform.calls().since(sequence);
                    let has_looked = calls.iter().any(|call| call.operation == "GetItem");
                    assert_eq!(has_looked, case.starts_with("object-created"), "{place}");
                }
            }
            CloudFormation(_) => unreachable!("answered above"),
            Error(part) => assert!(answer.unwrap_err().to_string().contains(part), "{place}"),
        }
    }
    assert!(files.is_empty(), "no answer is expected of {files:?}");
    platform.shut_down().await;
}
