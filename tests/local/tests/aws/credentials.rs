//! Who may call: signatures, session tokens, STS.

use std::time::{Duration, SystemTime};

use aws_sdk_s3::error::ProvideErrorMetadata;
use http::{Method, StatusCode};
use local::aws::{Aws, AwsError, AwsOptions, Credentials, Principal};

use crate::support::{INGEST, Local, MEDIA, UPLOAD_ROLE_ARN, send, stack};

async fn assume(local: &Local, policy: Option<&str>) -> Credentials {
    let answer = local
        .sts(&local.function("Writer"))
        .assume_role()
        .role_arn(UPLOAD_ROLE_ARN)
        .role_session_name("upload-1")
        .set_policy(policy.map(str::to_owned))
        .send()
        .await
        .unwrap();
    let credentials = answer.credentials().unwrap();
    Credentials {
        access_key_id: credentials.access_key_id().to_owned(),
        secret_access_key: credentials.secret_access_key().to_owned(),
        session_token: Some(credentials.session_token().to_owned()),
    }
}

#[tokio::test]
async fn get_caller_identity_names_the_caller() {
    let local = Local::start().await;
    let operator = local.sts(&Aws::operator_credentials()).get_caller_identity().send().await.unwrap();
    assert_eq!(operator.arn(), Some("arn:aws:iam::000000000000:user/local"));
    let function = local.sts(&local.function("Writer")).get_caller_identity().send().await.unwrap();
    assert_eq!(function.arn(), Some("arn:aws:sts::000000000000:assumed-role/stack-Writer-role/stack-Writer"));
    assert!(function.user_id().unwrap().starts_with("AROA"));
    let session = local.sts(&assume(&local, None).await).get_caller_identity().send().await.unwrap();
    assert_eq!(session.arn(), Some("arn:aws:sts::000000000000:assumed-role/stack-upload/upload-1"));
}

#[tokio::test]
async fn wrong_credentials_are_refused_by_every_service() {
    let local = Local::start().await;
    let right = local.function("Writer");
    let wrong_secret = Credentials { secret_access_key: "wrong".to_owned(), ..right.clone() };
    let no_token = Credentials { session_token: None, ..right.clone() };
    let mut token = right.session_token.clone().unwrap();
    let last = token.remove(10);
    token.insert(10, if last == 'A' { 'B' } else { 'A' });
    let tampered = Credentials { session_token: Some(token), ..right.clone() };
    let unknown = Credentials { access_key_id: "ASIAUNKNOWNUNKNOWN22".to_owned(), ..right };
    let cases = [
        (wrong_secret, "InvalidSignatureException", "SignatureDoesNotMatch", "SignatureDoesNotMatch"),
        (no_token, "UnrecognizedClientException", "InvalidClientTokenId", "InvalidAccessKeyId"),
        (tampered, "UnrecognizedClientException", "InvalidClientTokenId", "InvalidToken"),
        (unknown, "UnrecognizedClientException", "InvalidClientTokenId", "InvalidAccessKeyId"),
    ];
    for (credentials, json, sts, s3) in cases {
        let error = local.dynamodb(&credentials).list_tables().send().await.unwrap_err();
        assert_eq!(error.code(), Some(json));
        let error = local.sqs(&credentials).get_queue_url().queue_name("uploads").send().await.unwrap_err();
        assert_eq!(error.code(), Some(json));
        let error = local.secrets(&credentials).get_secret_value().secret_id("x").send().await.unwrap_err();
        assert_eq!(error.code(), Some(json));
        let error = local.sts(&credentials).get_caller_identity().send().await.unwrap_err();
        assert_eq!(error.code(), Some(sts));
        let error =
            local.s3(&credentials).get_object().bucket(MEDIA).key("allowed/a").send().await.unwrap_err();
        assert_eq!(error.code(), Some(s3));
    }
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
    let narrowed = local.s3(&assume(&local, Some(policy)).await);
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
    let (session, function) = (assume(&local, None).await, local.function("Writer"));
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
    let session = assume(&local, None).await;
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
