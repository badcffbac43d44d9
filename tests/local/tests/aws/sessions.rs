//! `AssumeRole`, by its page in the STS API reference.

use aws_sdk_sts::operation::assume_role::AssumeRoleOutput;
use local::aws::{Aws, Credentials};
use local::stack::Stack;
use serde_json::{Value, json};

use crate::support::{Local, Refused, UPLOAD_ROLE_ARN, policy, stack};

type Parameters<'a> = &'a [(&'a str, &'a str)];

async fn assume(local: &Local, who: &Credentials, more: Parameters<'_>) -> Result<AssumeRoleOutput, Refused> {
    let value = |name: &str| more.iter().find(|(one, _)| *one == name).map(|(_, value)| (*value).to_owned());
    let request = local
        .sts(who)
        .assume_role()
        .role_arn(value("RoleArn").unwrap_or_else(|| UPLOAD_ROLE_ARN.to_owned()))
        .role_session_name(value("RoleSessionName").unwrap_or_else(|| "upload-1".to_owned()))
        .set_external_id(value("ExternalId"))
        .set_policy(value("Policy"))
        .set_duration_seconds(value("DurationSeconds").map(|seconds| seconds.parse().unwrap()));
    request.send().await.map_err(Refused::of)
}

fn trusting(statement: Value) -> Stack {
    let mut stack = stack();
    stack.roles[0].trust = policy("UploadRole.AssumeRolePolicyDocument", statement);
    stack
}

#[tokio::test]
// The packed size is still answered, although the API has a successor for it.
#[allow(deprecated)]
async fn a_session_is_shaped_as_on_aws() {
    let local = Local::start().await;
    let session = assume(&local, &local.function("Writer"), &[("Policy", EMPTY_POLICY)]).await.unwrap();
    let credentials = session.credentials().unwrap();
    let key = credentials.access_key_id();
    assert!(key.len() == 20 && key.starts_with("ASIA"), "{key}");
    assert!(key.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit()), "{key}");
    assert_eq!(credentials.secret_access_key().len(), 40);
    assert!((300..2048).contains(&credentials.session_token().len()));
    let user = session.assumed_role_user().unwrap();
    assert_eq!(user.arn(), "arn:aws:sts::000000000000:assumed-role/stack-upload/upload-1");
    let (role_id, name) = user.assumed_role_id().split_once(':').unwrap();
    assert!(role_id.starts_with("AROA") && role_id.len() == 21 && name == "upload-1", "{role_id}");
    assert!((1..=100).contains(&session.packed_policy_size().unwrap()));
    let without = assume(&local, &local.function("Writer"), &[]).await.unwrap();
    assert_eq!(without.packed_policy_size(), None);
    assert_eq!(without.assumed_role_user(), session.assumed_role_user(), "the role's id is its own");
}

const EMPTY_POLICY: &str = r#"{"Version":"2012-10-17","Statement":[]}"#;

#[tokio::test]
async fn every_parameter_has_its_bounds() {
    let local = Local::start().await;
    let operator = Aws::operator_credentials();
    let long_policy = format!("{EMPTY_POLICY}{}", " ".repeat(2049 - EMPTY_POLICY.len()));
    let (long_name, long_id) = ("a".repeat(65), "a".repeat(1225));
    let validation = "ValidationError";
    let malformed = "MalformedPolicyDocument";
    let no_principal = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"*","Resource":"*"}]}"#;
    let cases: [(&str, &str, &str, &str); 17] = [
        (
            "RoleSessionName",
            "u",
            validation,
            "'roleSessionName' failed to satisfy constraint: Member must have length greater than or equal to 2",
        ),
        ("RoleSessionName", &long_name, validation, "length less than or equal to 64"),
        ("RoleSessionName", "upload 1", validation, "regular expression pattern: [\\w+=,.@-]*"),
        ("RoleSessionName", "upload-ü", validation, "regular expression"),
        ("ExternalId", "x", validation, "'externalId'"),
        ("ExternalId", "a b", validation, "[\\w+=,.@:\\/-]*"),
        ("ExternalId", &long_id, validation, "less than or equal to 1224"),
        ("RoleArn", "arn:aws:iam::1", validation, "greater than or equal to 20"),
        ("RoleArn", "arn:aws:iam::000000000000:user/someone", validation, "is invalid"),
        ("RoleArn", "arn:aws:iam::00000000000:role/stack-upload", validation, "is invalid"),
        ("DurationSeconds", "899", validation, "greater than or equal to 900"),
        ("DurationSeconds", "43201", validation, "less than or equal to 43200"),
        ("DurationSeconds", "7201", validation, "exceeds the MaxSessionDuration set for this role"),
        ("Policy", &long_policy, validation, "less than or equal to 2048"),
        ("Policy", "{", malformed, ""),
        ("Policy", "{}", malformed, ""),
        ("Policy", no_principal, malformed, "Principal"),
    ];
    for (name, value, code, message) in cases {
        let refused = assume(&local, &operator, &[(name, value)]).await.unwrap_err();
        assert_eq!((refused.status, refused.code.as_str()), (400, code), "{name} {value}: {refused:?}");
        assert!(refused.message.contains(message), "{name} {value}: {refused:?}");
    }
    let several = [("RoleSessionName", "u "), ("DurationSeconds", "1"), ("ExternalId", "x")];
    let refused = assume(&local, &operator, &several).await.unwrap_err();
    assert!(refused.message.starts_with("3 validation errors detected: Value 'u '"), "{refused:?}");
    let missing = local.sts_refuses(&operator, "Action=AssumeRole&Version=2011-06-15").await;
    assert!(
        missing.message.starts_with("2 validation errors detected: Value null at 'roleArn'"),
        "{missing:?}"
    );
    // What is allowed at the very bounds.
    let longest = "a".repeat(57);
    let name = format!("upload-{longest}");
    for parameters in [
        &[("RoleSessionName", name.as_str()), ("DurationSeconds", "900")][..],
        &[("DurationSeconds", "7200"), ("ExternalId", "a:/b")],
    ] {
        assume(&local, &operator, parameters).await.unwrap();
    }
    // Whoever may not assume the role is told of the mistake first.
    let refused = assume(&local, &local.function("Nobody"), &[("RoleSessionName", "u")]).await.unwrap_err();
    assert_eq!(refused.code, validation);
}

/// "Role chaining" in the IAM user guide: one hour, whatever the role allows.
#[tokio::test]
async fn a_session_of_a_session_lasts_at_most_an_hour() {
    let local = Local::start().await;
    let refused =
        assume(&local, &local.function("Writer"), &[("DurationSeconds", "3601")]).await.unwrap_err();
    assert_eq!(
        refused.message,
        "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining"
    );
    assume(&local, &local.function("Writer"), &[("DurationSeconds", "3600")]).await.unwrap();
}

/// "AWS JSON policy elements: Principal" in the IAM user guide.
#[tokio::test]
async fn the_trust_policy_decides_by_each_form_of_its_principal() {
    let writer = "arn:aws:iam::000000000000:role/stack-Writer-role";
    let session = "arn:aws:sts::000000000000:assumed-role/stack-Writer-role/stack-Writer";
    // Principal, and who gets in: Writer, whose own policy allows it, and Nobody, who has none.
    for (principal, writer_may, nobody_may) in [
        (json!("*"), true, true),
        (json!({ "AWS": "*" }), true, true),
        (json!({ "AWS": "000000000000" }), true, false),
        (json!({ "AWS": "arn:aws:iam::000000000000:root" }), true, false),
        (json!({ "AWS": writer }), true, false),
        (json!({ "AWS": [session] }), true, false),
        (json!({ "AWS": "arn:aws:iam::000000000000:role/stack-Nobody-role" }), false, true),
        (json!({ "AWS": "111111111111" }), false, false),
        (json!({ "Service": "lambda.amazonaws.com" }), false, false),
    ] {
        let statement = json!({ "Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole" });
        let local = Local::start_with(&trusting(statement)).await;
        for (who, may) in [("Writer", writer_may), ("Nobody", nobody_may)] {
            let outcome = assume(&local, &local.function(who), &[]).await;
            assert_eq!(outcome.is_ok(), may, "{who} {principal}: {outcome:?}");
            if let Err(refused) = outcome {
                assert_eq!((refused.status, refused.code.as_str()), (403, "AccessDenied"));
                assert!(refused.message.contains("is not authorized to perform: sts:AssumeRole on resource"));
            }
        }
    }
}

#[tokio::test]
async fn the_trust_policy_decides_by_external_id_and_denies() {
    let allow = json!({ "Effect": "Allow", "Principal": { "AWS": "000000000000" }, "Action": "sts:AssumeRole",
                        "Condition": { "StringEquals": { "sts:ExternalId": "partner" } } });
    let local = Local::start_with(&trusting(allow.clone())).await;
    let writer = local.function("Writer");
    assume(&local, &writer, &[("ExternalId", "partner")]).await.unwrap();
    for parameters in [&[][..], &[("ExternalId", "other")]] {
        assert_eq!(assume(&local, &writer, parameters).await.unwrap_err().code, "AccessDenied");
    }
    let deny = json!({ "Effect": "Deny", "Principal": "*", "Action": "sts:*",
                       "Condition": { "StringLike": { "sts:RoleSessionName": "bad-*" } } });
    let local = Local::start_with(&trusting(json!([allow, deny]))).await;
    let parameters = [("ExternalId", "partner"), ("RoleSessionName", "bad-1")];
    let operator = Aws::operator_credentials();
    for who in [local.function("Writer"), operator.clone()] {
        assert_eq!(assume(&local, &who, &parameters).await.unwrap_err().code, "AccessDenied");
    }
    assume(&local, &operator, &[("ExternalId", "partner")]).await.unwrap();
}

#[tokio::test]
async fn a_trust_policy_names_no_resource() {
    let local = Local::start().await;
    let statement =
        json!({ "Effect": "Allow", "Principal": "*", "Action": "sts:AssumeRole", "Resource": "*" });
    let error = local.aws.install(&trusting(statement)).await.unwrap_err();
    let expected = "policy of UploadRole.AssumeRolePolicyDocument: Statement[0] has a Resource, which no trust policy has";
    assert_eq!(error.to_string(), expected);
}
