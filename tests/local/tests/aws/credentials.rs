//! Who may call: signatures, session tokens, STS.

use std::time::{Duration, SystemTime};

use aws_sdk_s3::error::ProvideErrorMetadata;
use http::{Method, StatusCode};
use local::aws::{Aws, AwsError, AwsOptions, Credentials, Principal};

use crate::support::{INGEST, Local, MEDIA, Refused, UPLOAD_ROLE_ARN, send, stack};

#[tokio::test]
async fn get_caller_identity_names_the_caller() {
    let local = Local::start().await;
    let operator = local.sts(&Aws::operator_credentials()).get_caller_identity().send().await.unwrap();
    assert_eq!(operator.arn(), Some("arn:aws:iam::000000000000:user/local"));
    let function = local.sts(&local.function("Writer")).get_caller_identity().send().await.unwrap();
    assert_eq!(function.arn(), Some("arn:aws:sts::000000000000:assumed-role/stack-Writer-role/stack-Writer"));
    assert!(function.user_id().unwrap().starts_with("AROA"));
    let session = local.sts(&local.assume(None).await).get_caller_identity().send().await.unwrap();
    assert_eq!(session.arn(), Some("arn:aws:sts::000000000000:assumed-role/stack-upload/upload-1"));
}

/// The codes of "Common errors" in each service's API reference, and of "Error responses" in that of S3.
#[derive(Debug, Clone, Copy)]
struct Codes {
    json: &'static str,
    /// STS; SQS, whose clients read it from a header of its own.
    query: &'static str,
    s3: &'static str,
}

const UNKNOWN: Codes =
    Codes { json: "UnrecognizedClientException", query: "InvalidClientTokenId", s3: "InvalidAccessKeyId" };
const INVALID_TOKEN: Codes = Codes { s3: "InvalidToken", ..UNKNOWN };
const WRONG_SIGNATURE: Codes =
    Codes { json: "InvalidSignatureException", query: "SignatureDoesNotMatch", s3: "SignatureDoesNotMatch" };
const EXPIRED: Codes = Codes { json: "ExpiredTokenException", query: "ExpiredToken", s3: "ExpiredToken" };

/// What each service says to these credentials.
async fn refusals(local: &Local, credentials: &Credentials) -> [(&'static str, Refused); 5] {
    let dynamodb = local.dynamodb(credentials).list_tables().send().await.unwrap_err();
    let sqs = local.sqs(credentials).get_queue_url().queue_name("uploads").send().await.unwrap_err();
    let secrets =
        local.secrets(credentials).get_secret_value().secret_id("stack/keys").send().await.unwrap_err();
    let sts = local.sts(credentials).get_caller_identity().send().await.unwrap_err();
    let s3 = local.s3(credentials).get_object().bucket(MEDIA).key("allowed/a").send().await.unwrap_err();
    [
        ("dynamodb", Refused::of(dynamodb)),
        ("sqs", Refused::of(sqs)),
        ("secretsmanager", Refused::of(secrets)),
        ("sts", Refused::of(sts)),
        ("s3", Refused::of(s3)),
    ]
}

#[tokio::test]
async fn wrong_credentials_are_refused_by_every_service() {
    let local = Local::start().await;
    let (function, operator) = (local.function("Writer"), Aws::operator_credentials());
    let (session, other, ended) =
        (local.assume(None).await, local.assume(None).await, local.assume(None).await);
    let database = rusqlite::Connection::open(local.directory.path().join("aws.sqlite")).unwrap();
    let expire = "UPDATE session SET expires_at_ms = expires_at_ms - 3600001 WHERE access_key_id = ?1";
    assert_eq!(database.execute(expire, [&ended.access_key_id]).unwrap(), 1);

    let token = session.session_token.clone().unwrap();
    let with_token =
        |token: Option<&str>| Credentials { session_token: token.map(str::to_owned), ..session.clone() };
    let tampered = token.replacen(&token[10..11], if &token[10..11] == "A" { "B" } else { "A" }, 1);
    let cases = [
        (
            "unknown key",
            Credentials { access_key_id: "ASIAUNKNOWNUNKNOWN22".to_owned(), ..session.clone() },
            UNKNOWN,
        ),
        (
            "key in lower case",
            Credentials { access_key_id: session.access_key_id.to_lowercase(), ..session.clone() },
            UNKNOWN,
        ),
        (
            "key of another session",
            Credentials { access_key_id: other.access_key_id.clone(), ..session.clone() },
            INVALID_TOKEN,
        ),
        (
            "wrong secret",
            Credentials { secret_access_key: "wrong".to_owned(), ..session.clone() },
            WRONG_SIGNATURE,
        ),
        (
            "secret of another session",
            Credentials { secret_access_key: other.secret_access_key.clone(), ..session.clone() },
            WRONG_SIGNATURE,
        ),
        (
            "wrong secret of a function",
            Credentials { secret_access_key: "wrong".to_owned(), ..function.clone() },
            WRONG_SIGNATURE,
        ),
        (
            "wrong secret of the operator",
            Credentials { secret_access_key: "wrong".to_owned(), ..operator.clone() },
            WRONG_SIGNATURE,
        ),
        ("no token", with_token(None), UNKNOWN),
        ("no token of a function", Credentials { session_token: None, ..function.clone() }, UNKNOWN),
        ("tampered token", with_token(Some(&tampered)), INVALID_TOKEN),
        ("truncated token", with_token(Some(&token[..token.len() - 1])), INVALID_TOKEN),
        ("longer token", with_token(Some(&format!("{token}A"))), INVALID_TOKEN),
        ("token of another session", with_token(other.session_token.as_deref()), INVALID_TOKEN),
        ("token of a function", with_token(function.session_token.as_deref()), INVALID_TOKEN),
        (
            "token with a long-term key",
            Credentials { session_token: Some(token.clone()), ..operator },
            INVALID_TOKEN,
        ),
        ("expired", ended.clone(), EXPIRED),
        // An expired key says nothing of whether the secret was right.
        (
            "expired, with a wrong token",
            Credentials { session_token: Some(token.clone()), ..ended },
            INVALID_TOKEN,
        ),
    ];
    for (name, credentials, codes) in cases {
        for (service, refused) in refusals(&local, &credentials).await {
            let (status, code) = match service {
                "s3" if codes.s3.starts_with("Invalid") && codes.s3 != "InvalidToken" => (403, codes.s3),
                "s3" if codes.s3 == "SignatureDoesNotMatch" => (403, codes.s3),
                "s3" => (400, codes.s3),
                "sqs" | "sts" => (403, codes.query),
                _ => (400, codes.json),
            };
            assert_eq!(
                (refused.status, refused.code.as_str()),
                (status, code),
                "{name}: {service} {refused:?}"
            );
        }
    }
    // The right ones are accepted all the same.
    local.sts(&session).get_caller_identity().send().await.unwrap();
}

#[tokio::test]
async fn an_incomplete_signature_is_refused_by_every_service() {
    let local = Local::start().await;
    let scope = |service: &str| format!("local/20260101/us-east-1/{service}/aws4_request");
    let targets = [
        ("dynamodb", "DynamoDB_20120810.ListTables"),
        ("sqs", "AmazonSQS.GetQueueUrl"),
        ("secretsmanager", "secretsmanager.GetSecretValue"),
        ("sts", ""),
    ];
    for (service, target) in targets {
        let send = |authorization: String| {
            let local = &local;
            async move {
                let (kind, body) = if service == "sts" {
                    ("application/x-www-form-urlencoded", "Action=GetCallerIdentity&Version=2011-06-15")
                } else {
                    ("application/x-amz-json-1.0", "{}")
                };
                let headers = [
                    ("authorization", authorization.as_str()),
                    ("content-type", kind),
                    ("x-amz-date", "20260101T000000Z"),
                    ("x-amz-target", target),
                ];
                send(Method::POST, &local.url(), &headers, body.as_bytes()).await
            }
        };
        let credential = format!("AWS4-HMAC-SHA256 Credential={}", scope(service));
        for (authorization, code) in [
            (credential.clone(), "IncompleteSignature"),
            (format!("{credential}, SignedHeaders=host"), "IncompleteSignature"),
            (format!("{credential}, SignedHeaders=x-amz-date, Signature=00"), "Signature"),
            // Signed months ago.
            (format!("{credential}, SignedHeaders=host;x-amz-date, Signature=00"), "Signature"),
        ] {
            let answer = send(authorization.clone()).await;
            assert!(answer.status.is_client_error(), "{authorization}");
            assert!(answer.text().contains(code), "{authorization}: {}", answer.text());
        }
    }
    let headers = [("authorization", "AWS4-HMAC-SHA256 Credential=local/20260101/us-east-1/s3/aws4_request")];
    let answer = send(Method::GET, &format!("{}/{MEDIA}/a", local.url()), &headers, b"").await;
    assert_eq!(
        (answer.status, answer.code().as_str()),
        (StatusCode::BAD_REQUEST, "AuthorizationHeaderMalformed")
    );
}

#[tokio::test]
async fn unsigned_requests_are_refused() {
    let local = Local::start().await;
    let answer = send(Method::GET, &format!("{}/{MEDIA}/allowed/a", local.url()), &[], b"").await;
    assert_eq!((answer.status, answer.code().as_str()), (StatusCode::FORBIDDEN, "AccessDenied"));
    let headers =
        [("x-amz-target", "DynamoDB_20120810.ListTables"), ("content-type", "application/x-amz-json-1.0")];
    let answer = send(Method::POST, &local.url(), &headers, b"{}").await;
    assert_eq!(answer.status, StatusCode::BAD_REQUEST);
    assert!(answer.text().contains("MissingAuthenticationTokenException"), "{}", answer.text());
    let form = [("content-type", "application/x-www-form-urlencoded")];
    let answer =
        send(Method::POST, &local.url(), &form, b"Action=GetCallerIdentity&Version=2011-06-15").await;
    assert_eq!(
        (answer.status, answer.code().as_str()),
        (StatusCode::FORBIDDEN, "MissingAuthenticationToken")
    );
    let version_2 = [("authorization", "AWS AKID:c2lnbmF0dXJl"), ("date", "Fri, 24 Jan 2030 12:00:00 +0000")];
    let answer = send(Method::GET, &format!("{}/{MEDIA}/a", local.url()), &version_2, b"").await;
    assert_eq!((answer.status, answer.code().as_str()), (StatusCode::BAD_REQUEST, "InvalidRequest"));
}

#[tokio::test]
async fn a_role_is_assumed_by_whom_it_trusts_and_who_may() {
    let local = Local::start().await;
    let assume = |logical_id: &str, session: &str, role: &str| {
        let request = local.sts(&local.function(logical_id)).assume_role().role_arn(role);
        let request = request.role_session_name(session);
        async move { request.send().await.unwrap_err() }
    };
    let error = assume("Nobody", "upload-1", UPLOAD_ROLE_ARN).await;
    assert_eq!(error.code(), Some("AccessDenied"));
    assert_eq!(
        error.message().unwrap(),
        "User: arn:aws:sts::000000000000:assumed-role/stack-Nobody-role/stack-Nobody is not authorized to perform: \
         sts:AssumeRole on resource: arn:aws:iam::000000000000:role/stack-upload because no identity-based policy \
         allows the sts:AssumeRole action"
    );
    // The trust policy wants another session name.
    assert_eq!(assume("Writer", "else-1", UPLOAD_ROLE_ARN).await.code(), Some("AccessDenied"));
    let unknown = "arn:aws:iam::000000000000:role/unknown";
    assert_eq!(assume("Writer", "upload-1", unknown).await.code(), Some("AccessDenied"));
}

#[tokio::test]
async fn a_chained_session_lasts_between_fifteen_minutes_and_an_hour() {
    let local = Local::start().await;
    let assume = |credentials: &Credentials, seconds: i32| {
        let request = local.sts(credentials).assume_role().role_arn(UPLOAD_ROLE_ARN);
        let request = request.role_session_name("upload-1").duration_seconds(seconds);
        async move { request.send().await }
    };
    let writer = local.function("Writer");
    for seconds in [899, 3601, 43_201] {
        assert_eq!(assume(&writer, seconds).await.unwrap_err().code(), Some("ValidationError"), "{seconds}");
    }
    for seconds in [900, 3600] {
        let answer = assume(&writer, seconds).await.unwrap();
        let expiration = SystemTime::try_from(*answer.credentials().unwrap().expiration()).unwrap();
        let left = expiration.duration_since(SystemTime::now()).unwrap();
        let expected = Duration::from_secs(seconds.unsigned_abs().into());
        assert!(left <= expected && left + Duration::from_mins(1) > expected, "{left:?}");
    }
    // The operator is no role: for it the role's own limit counts.
    let operator = Aws::operator_credentials();
    assume(&operator, 7200).await.unwrap();
    assert_eq!(assume(&operator, 7201).await.unwrap_err().code(), Some("ValidationError"));
}

#[tokio::test]
async fn a_session_policy_narrows_and_never_widens() {
    let local = Local::start().await;
    let policy = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:PutObject",
        "Resource":["arn:aws:s3:::stack-ingest/uploads/one","arn:aws:s3:::stack-media/*"]}]}"#;
    let narrowed = local.s3(&local.assume(Some(policy)).await);
    let put = |bucket: &str, key: &str| narrowed.put_object().bucket(bucket).key(key).send();
    put(INGEST, "uploads/one").await.unwrap();
    let error = put(INGEST, "uploads/two").await.unwrap_err();
    assert_eq!(error.code(), Some("AccessDenied"));
    assert!(error.message().unwrap().contains("no session policy allows the s3:PutObject action"));
    let error = put(MEDIA, "anything").await.unwrap_err();
    assert!(error.message().unwrap().contains("no identity-based policy allows the s3:PutObject action"));
    let malformed = local
        .sts(&local.function("Writer"))
        .assume_role()
        .role_arn(UPLOAD_ROLE_ARN)
        .role_session_name("upload-1")
        .policy("{}")
        .send()
        .await
        .unwrap_err();
    assert_eq!(malformed.code(), Some("MalformedPolicyDocument"));
}

#[tokio::test]
async fn sessions_and_function_keys_survive_a_restart_and_sessions_end() {
    let local = Local::start().await;
    let (session, function) = (local.assume(None).await, local.function("Writer"));
    local.s3(&session).put_object().bucket(INGEST).key("uploads/a").send().await.unwrap();
    let local = local.restart().await;
    assert_eq!(local.function("Writer"), function);
    local.s3(&session).get_object().bucket(INGEST).key("uploads/a").send().await.unwrap();

    let database = rusqlite::Connection::open(local.directory.path().join("aws.sqlite")).unwrap();
    assert_eq!(
        database.execute("UPDATE session SET expires_at_ms = expires_at_ms - 3600001", []).unwrap(),
        1
    );
    let error = local.s3(&session).get_object().bucket(INGEST).key("uploads/a").send().await.unwrap_err();
    assert_eq!(error.code(), Some("ExpiredToken"));
    let error = local.sts(&session).get_caller_identity().send().await.unwrap_err();
    assert_eq!(error.code(), Some("ExpiredToken"));
    let error = local.dynamodb(&session).list_tables().send().await.unwrap_err();
    assert_eq!(error.code(), Some("ExpiredTokenException"));
}

#[tokio::test]
async fn calls_name_the_principal_and_what_was_needed() {
    let local = Local::start().await;
    let session = local.assume(None).await;
    let before = local.aws.calls().sequence();
    local
        .s3(&session)
        .put_object()
        .bucket(INGEST)
        .key("uploads/a")
        .body(vec![7; 10].into())
        .send()
        .await
        .unwrap();
    local.s3(&session).put_object().bucket(MEDIA).key("a").send().await.unwrap_err();
    let calls = local.aws.calls().since(before);
    assert_eq!(calls.len(), 2);
    let role = Principal::Role { arn: UPLOAD_ROLE_ARN.to_owned(), session: "upload-1".to_owned() };
    assert_eq!(
        (calls[0].service, calls[0].operation.as_str(), &calls[0].principal),
        ("s3", "PutObject", &role)
    );
    assert_eq!(
        calls[0].actions,
        [("s3:PutObject".to_owned(), "arn:aws:s3:::stack-ingest/uploads/a".to_owned())]
    );
    assert_eq!((calls[0].outcome.status, calls[0].transfer.request_bytes), (200, 10));
    assert_eq!(
        (calls[1].outcome.status, calls[1].outcome.error_code.as_deref()),
        (403, Some("AccessDenied"))
    );
}

#[tokio::test]
async fn a_port_and_a_data_directory_are_used_by_one() {
    let local = Local::start().await;
    let other = tempfile::tempdir().unwrap();
    let options = AwsOptions { data_directory: other.path().to_owned(), address: local.aws.address() };
    let error = Aws::start(options).await.err().unwrap();
    assert!(error.to_string().contains(&format!("port {} is taken", local.aws.address().port())));
    let directory = local.directory.path().to_owned();
    let options = AwsOptions { data_directory: directory, address: ([127, 0, 0, 1], 0).into() };
    assert!(matches!(Aws::start(options).await.err().unwrap(), AwsError::DataDirectoryInUse(_)));
}

#[tokio::test]
async fn a_queue_that_does_not_let_s3_send_is_an_error() {
    let local = Local::start().await;
    let mut changed = stack();
    changed.queues[0].policies.clear();
    let error = local.aws.install(&changed).await.unwrap_err();
    assert!(matches!(error, AwsError::NotificationDenied { .. }), "{error}");
}
