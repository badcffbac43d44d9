//! Secrets Manager, by the pages of its API reference: `CreateSecret`, `GetSecretValue`, `PutSecretValue`,
//! `DescribeSecret`, `DeleteSecret`, `RestoreSecret`.

use aws_sdk_secretsmanager::Client;
use aws_sdk_secretsmanager::error::ProvideErrorMetadata;
use aws_sdk_secretsmanager::primitives::Blob;
use local::aws::Aws;
use serde_json::json;

use crate::support::{Local, function, policy, stack};

const TOKENS: [&str; 2] = ["11111111-1111-1111-1111-111111111111", "22222222-2222-2222-2222-222222222222"];

fn operator(local: &Local) -> Client {
    local.secrets(&Aws::operator_credentials())
}

#[tokio::test]
async fn a_secret_has_no_value_until_one_is_put() {
    let local = Local::start().await;
    let (operator, writer) =
        (local.secrets(&Aws::operator_credentials()), local.secrets(&local.function("Writer")));
    let get = || writer.get_secret_value().secret_id("stack/keys").send();
    assert_eq!(get().await.unwrap_err().code(), Some("ResourceNotFoundException"));
    let put = |value: &str| operator.put_secret_value().secret_id("stack/keys").secret_string(value).send();
    put("one").await.unwrap();
    assert_eq!(get().await.unwrap().secret_string(), Some("one"));
    put("two").await.unwrap();
    assert_eq!(get().await.unwrap().secret_string(), Some("two"));
    let previous =
        writer.get_secret_value().secret_id("stack/keys").version_stage("AWSPREVIOUS").send().await;
    assert_eq!(previous.unwrap().secret_string(), Some("one"));
    let denied =
        writer.put_secret_value().secret_id("stack/keys").secret_string("x").send().await.unwrap_err();
    assert_eq!(denied.code(), Some("AccessDeniedException"));
    let missing = writer.get_secret_value().secret_id("stack/other").send().await.unwrap_err();
    assert_eq!(missing.code(), Some("ResourceNotFoundException"));
    let local = local.restart().await;
    let again =
        local.secrets(&Aws::operator_credentials()).get_secret_value().secret_id("stack/keys").send().await;
    assert_eq!(again.unwrap().secret_string(), Some("two"));
}

#[tokio::test]
async fn a_secret_is_created_once_under_each_name() {
    let local = Local::start().await;
    let secrets = operator(&local);
    let create = |token: &str, value: &str| {
        let request = secrets.create_secret().name("app/one").description("of a test");
        request.client_request_token(token).secret_string(value).send()
    };
    let created = create(TOKENS[0], "v1").await.unwrap();
    let arn = created.arn().unwrap();
    let suffix = arn.strip_prefix("arn:aws:secretsmanager:us-east-1:000000000000:secret:app/one-").unwrap();
    assert!(suffix.len() == 6 && suffix.chars().all(|one| one.is_ascii_alphanumeric()), "{arn}");
    assert_eq!(created.version_id(), Some(TOKENS[0]));

    // The same request again is the same secret; another value, or another token, is a conflict.
    assert_eq!(create(TOKENS[0], "v1").await.unwrap().arn(), Some(arn));
    for (token, value) in [(TOKENS[0], "v2"), (TOKENS[1], "v1")] {
        assert_eq!(create(token, value).await.unwrap_err().code(), Some("ResourceExistsException"));
    }
    // By name, by ARN, and by the ARN without its random end.
    for id in ["app/one", arn, arn.strip_suffix(&format!("-{suffix}")).unwrap()] {
        let value = secrets.get_secret_value().secret_id(id).send().await.unwrap();
        assert_eq!((value.secret_string(), value.arn()), (Some("v1"), Some(arn)), "{id}");
    }
    let described = secrets.describe_secret().secret_id("app/one").send().await.unwrap();
    assert_eq!(described.description(), Some("of a test"));
    assert!(described.created_date().is_some() && described.deleted_date().is_none());

    let arn = arn.to_owned();
    let local = local.restart().await;
    let value = operator(&local).get_secret_value().secret_id(&arn).send().await.unwrap();
    assert_eq!(value.secret_string(), Some("v1"));
    for name in ["", "a b", "ü", "a".repeat(513).as_str()] {
        let error = operator(&local).create_secret().name(name).send().await.unwrap_err();
        assert_eq!(error.code(), Some("InvalidParameterException"), "{name}");
    }
}

#[tokio::test]
async fn a_token_makes_a_put_happen_once_and_labels_move() {
    let local = Local::start().await;
    let secrets = operator(&local);
    let put = |token: &str, value: &str| {
        let request = secrets.put_secret_value().secret_id("stack/keys").client_request_token(token);
        request.secret_string(value)
    };
    put(TOKENS[0], "one").send().await.unwrap();
    put(TOKENS[1], "two").version_stages("AWSPENDING").send().await.unwrap();
    let get = |stage: &str| secrets.get_secret_value().secret_id("stack/keys").version_stage(stage).send();
    assert_eq!(get("AWSCURRENT").await.unwrap().secret_string(), Some("one"));
    assert_eq!(get("AWSPENDING").await.unwrap().secret_string(), Some("two"));
    assert_eq!(get("AWSPREVIOUS").await.unwrap_err().code(), Some("ResourceNotFoundException"));

    // Again, the same: nothing moves. Another value: refused.
    let again = put(TOKENS[0], "one").send().await.unwrap();
    assert_eq!(again.version_stages(), ["AWSCURRENT"]);
    let error = put(TOKENS[0], "other").send().await.unwrap_err();
    assert_eq!(error.code(), Some("ResourceExistsException"));
    assert_eq!(get("AWSCURRENT").await.unwrap().secret_string(), Some("one"));

    let described = secrets.describe_secret().secret_id("stack/keys").send().await.unwrap();
    let stages = described.version_ids_to_stages().unwrap();
    assert_eq!(stages[TOKENS[0]], ["AWSCURRENT"]);
    assert_eq!(stages[TOKENS[1]], ["AWSPENDING"]);
    let both = secrets.get_secret_value().secret_id("stack/keys").version_id(TOKENS[1]);
    let error = both.version_stage("AWSCURRENT").send().await.unwrap_err();
    assert_eq!(error.code(), Some("InvalidRequestException"));
}

/// "PutSecretValue" in the API reference.
#[tokio::test]
async fn the_first_version_is_the_current_one_whatever_its_labels() {
    let local = Local::start().await;
    let secrets = operator(&local);
    let put = |value: &str| {
        let put = secrets.put_secret_value().secret_id("stack/keys").secret_string(value);
        put.version_stages("CUSTOM").send()
    };
    assert_eq!(put("one").await.unwrap().version_stages(), ["AWSCURRENT", "CUSTOM"]);
    assert_eq!(put("two").await.unwrap().version_stages(), ["CUSTOM"]);
    let current = secrets.get_secret_value().secret_id("stack/keys").send().await.unwrap();
    assert_eq!(current.secret_string(), Some("one"));
}

#[tokio::test]
async fn a_value_is_text_or_bytes_of_at_most_64_kib() {
    let local = Local::start().await;
    let secrets = operator(&local);
    let put = || secrets.put_secret_value().secret_id("stack/keys");
    let binary = |bytes: usize| put().secret_binary(Blob::new(vec![7; bytes])).send();
    binary(65_536).await.unwrap();
    let value = secrets.get_secret_value().secret_id("stack/keys").send().await.unwrap();
    assert_eq!(value.secret_binary().unwrap().as_ref().len(), 65_536);
    assert_eq!(binary(65_537).await.unwrap_err().code(), Some("ValidationException"));
    put().secret_string("x".repeat(65_536)).send().await.unwrap();
    for (request, code) in [
        (put().secret_string("x".repeat(65_537)), "ValidationException"),
        (put(), "InvalidParameterException"),
        (put().secret_string("a").secret_binary(Blob::new("b")), "InvalidParameterException"),
        (put().secret_string("a").client_request_token("short"), "InvalidParameterException"),
        (put().secret_string("a").version_stages(""), "InvalidParameterException"),
    ] {
        assert_eq!(request.send().await.unwrap_err().code(), Some(code));
    }
}

#[tokio::test]
async fn a_deleted_secret_can_be_restored_until_its_window_ends() {
    let local = Local::start().await;
    let secrets = operator(&local);
    secrets.create_secret().name("app/one").secret_string("v").send().await.unwrap();
    let delete = || secrets.delete_secret().secret_id("app/one");
    for days in [6, 31] {
        let error = delete().recovery_window_in_days(days).send().await.unwrap_err();
        assert_eq!(error.code(), Some("InvalidParameterException"), "{days}");
    }
    let both = delete().recovery_window_in_days(7).force_delete_without_recovery(true).send().await;
    assert_eq!(both.unwrap_err().code(), Some("InvalidParameterException"));

    let deleted = delete().recovery_window_in_days(7).send().await.unwrap();
    let now = time::OffsetDateTime::now_utc().unix_timestamp();
    assert!((deleted.deletion_date().unwrap().secs() - now - 7 * 86_400).abs() < 60);
    let invalid = Some("InvalidRequestException");
    let get = || secrets.get_secret_value().secret_id("app/one").send();
    assert_eq!(get().await.unwrap_err().code(), invalid);
    let put = secrets.put_secret_value().secret_id("app/one").secret_string("w").send().await;
    assert_eq!(put.unwrap_err().code(), invalid);
    assert_eq!(delete().send().await.unwrap_err().code(), invalid);
    let create = || secrets.create_secret().name("app/one").secret_string("w").send();
    assert_eq!(create().await.unwrap_err().code(), invalid);
    let described = secrets.describe_secret().secret_id("app/one").send().await.unwrap();
    assert!(described.deleted_date().is_some());

    secrets.restore_secret().secret_id("app/one").send().await.unwrap();
    assert_eq!(get().await.unwrap().secret_string(), Some("v"));

    delete().send().await.unwrap();
    let database = rusqlite::Connection::open(local.directory.path().join("aws.sqlite")).unwrap();
    let later = "UPDATE secret SET deletion_at_ms = deletion_at_ms - 2592000000 WHERE deletion_at_ms > 0";
    assert_eq!(database.execute(later, []).unwrap(), 1);
    assert_eq!(get().await.unwrap_err().code(), Some("ResourceNotFoundException"));
    create().await.unwrap();
    assert_eq!(get().await.unwrap().secret_string(), Some("w"));
}

#[tokio::test]
async fn a_secret_can_be_deleted_at_once() {
    let local = Local::start().await;
    let secrets = operator(&local);
    secrets.create_secret().name("app/one").secret_string("v").send().await.unwrap();
    let delete = || secrets.delete_secret().secret_id("app/one").force_delete_without_recovery(true).send();
    delete().await.unwrap();
    let error = secrets.get_secret_value().secret_id("app/one").send().await.unwrap_err();
    assert_eq!(error.code(), Some("ResourceNotFoundException"));
    assert_eq!(delete().await.unwrap().name(), Some("app/one"), "what is not there is as good as deleted");
    let error = secrets.delete_secret().secret_id("app/one").send().await.unwrap_err();
    assert_eq!(error.code(), Some("ResourceNotFoundException"));
    secrets.create_secret().name("app/one").send().await.unwrap();
    let error = secrets.get_secret_value().secret_id("app/one").send().await.unwrap_err();
    assert_eq!(error.code(), Some("ResourceNotFoundException"), "it has no value yet");
}

/// "Actions, resources, and condition keys for AWS Secrets Manager": the resource is the ARN with its random end.
#[tokio::test]
async fn permissions_name_the_arn_with_wildcards_for_its_end() {
    let mut stack = stack();
    let named = policy(
        "App.Policies[0]",
        json!({ "Effect": "Allow",
                "Action": ["secretsmanager:CreateSecret", "secretsmanager:GetSecretValue"],
                "Resource": "arn:aws:secretsmanager:us-east-1:000000000000:secret:app/one-??????" }),
    );
    stack.functions.insert("App".to_owned(), function("App", vec![named]));
    let local = Local::start_with(&stack).await;
    let app = local.secrets(&local.function("App"));
    app.create_secret().name("app/one").secret_string("v").send().await.unwrap();
    app.get_secret_value().secret_id("app/one").send().await.unwrap();
    let denied = Some("AccessDeniedException");
    let error = app.create_secret().name("app/one-two").secret_string("v").send().await.unwrap_err();
    assert_eq!(error.code(), denied);
    // Whether another secret exists is not told.
    for id in ["stack/keys", "no/such", "arn:aws:secretsmanager:us-east-1:000000000000:secret:no/such-AAAAAA"]
    {
        let error = app.get_secret_value().secret_id(id).send().await.unwrap_err();
        assert_eq!(error.code(), denied, "{id}");
    }
    let error = app.delete_secret().secret_id("app/one").send().await.unwrap_err();
    assert_eq!(error.code(), denied);
}
