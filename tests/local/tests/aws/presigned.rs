//! Presigned URLs: exactly what was signed, and nothing else.

use std::time::Duration;

use aws_sdk_s3::presigning::{PresignedRequest, PresigningConfig};
use http::StatusCode;
use local::aws::Aws;

use crate::support::{Answer, INGEST, Local, MEDIA};

const SHA256: &str = "uU0nuZNNPgilLlLX2n2r+sSE7+N6U4DukIj3rOLvzek=";

fn for_seconds(seconds: u64) -> PresigningConfig {
    PresigningConfig::expires_in(Duration::from_secs(seconds)).unwrap()
}

/// A PUT of exactly `hello world`, once.
async fn exact_put(local: &Local) -> PresignedRequest {
    local
        .s3(&local.function("Writer"))
        .put_object()
        .bucket(MEDIA)
        .key("allowed/a b")
        .content_length(11)
        .content_type("video/mp4")
        .if_none_match("*")
        .checksum_sha256(SHA256)
        .presigned(for_seconds(900))
        .await
        .unwrap()
}

#[tokio::test]
async fn a_presigned_put_takes_exactly_what_was_signed() {
    let local = Local::start().await;
    let put = exact_put(&local).await;
    let mismatch = (403, "SignatureDoesNotMatch".to_owned());
    for (headers, body) in [
        (&[("content-length", "12")][..], &b"hello world!"[..]),
        (&[("content-type", "video/webm")], b"hello world"),
        (&[("content-type", "")], b"hello world"),
        (&[("if-none-match", "")], b"hello world"),
        (&[("if-none-match", "\"x\"")], b"hello world"),
        (&[("x-amz-checksum-sha256", "")], b"hello world"),
        (&[("x-amz-checksum-sha256", "ypeBEsobvcr6wjGzmiPcTaeG7/gUfE5yuYB3ha/uSLs=")], b"hello world"),
    ] {
        let answer = local.send_presigned(&put, headers, body).await;
        assert_eq!(answer.refusal(), mismatch, "{headers:?}");
    }
    let answer = local.send_presigned(&put, &[], b"other bytes").await;
    assert_eq!(answer.refusal(), (400, "BadDigest".to_owned()));
    let answer = local.send_presigned(&put, &[], b"hello world").await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text());
    assert_eq!(answer.header("x-amz-checksum-sha256"), Some(SHA256));
    let answer = local.send_presigned(&put, &[], b"hello world").await;
    assert_eq!(answer.refusal(), (412, "PreconditionFailed".to_owned()));
}

#[tokio::test]
async fn headers_that_were_not_signed_are_refused() {
    let local = Local::start().await;
    let put = exact_put(&local).await;
    for name in ["x-amz-meta-more", "x-amz-acl", "x-amz-copy-source", "x-amz-security-token"] {
        let answer = local.send_presigned(&put, &[(name, "stack-media/allowed/a")], b"hello world").await;
        assert_eq!(answer.refusal(), (403, "AccessDenied".to_owned()), "{name}");
        assert!(answer.text().contains("not signed"));
    }
}

async fn send_altered(put: &PresignedRequest, alter: impl FnOnce(&str) -> String) -> Answer {
    let headers: Vec<(&str, &str)> = put.headers().collect();
    let (headers, uri) = (headers.as_slice(), alter(put.uri()));
    crate::support::send(put.method().parse().unwrap(), &uri, headers, b"hello world").await
}

#[tokio::test]
async fn a_url_is_bound_to_its_method_key_parameters_and_token() {
    let local = Local::start().await;
    let put = exact_put(&local).await;
    let mismatch = (403, "SignatureDoesNotMatch".to_owned());
    let answer = send_altered(&put, |uri| uri.replace("allowed/a%20b", "allowed/c")).await;
    assert_eq!(answer.refusal(), mismatch);
    let answer = send_altered(&put, |uri| uri.replace("Expires=900", "Expires=9000")).await;
    assert_eq!(answer.refusal(), mismatch);
    let answer = send_altered(&put, |uri| format!("{uri}&x-amz-meta-a=b")).await;
    assert_eq!(answer.refusal(), mismatch);
    let token = |uri: &str| {
        let start = uri.find("X-Amz-Security-Token=").unwrap();
        let end = uri[start..].find('&').map_or(uri.len(), |at| start + at);
        (start, end)
    };
    let without = |uri: &str| {
        let (start, end) = token(uri);
        format!("{}{}", &uri[..start], uri[end..].trim_start_matches('&'))
    };
    let answer = send_altered(&put, without).await;
    assert_eq!(answer.refusal(), (403, "InvalidAccessKeyId".to_owned()));
    let wrong = |uri: &str| {
        let (start, end) = token(uri);
        format!("{}X-Amz-Security-Token=d3Jvbmc%3D{}", &uri[..start], &uri[end..])
    };
    let answer = send_altered(&put, wrong).await;
    assert_eq!(answer.refusal(), (400, "InvalidToken".to_owned()));
    let answer = send_altered(&put, |uri| uri.replace("Expires=900", "Expires=604801")).await;
    assert_eq!(answer.refusal(), (400, "AuthorizationQueryParametersError".to_owned()));
    let answer = send_altered(&put, |uri| uri.replace("us-east-1", "eu-west-1")).await;
    assert_eq!(answer.refusal(), (400, "AuthorizationQueryParametersError".to_owned()));
    let answer = send_altered(&put, ToOwned::to_owned).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text());
}

#[tokio::test]
async fn a_url_has_the_permissions_of_who_signed_it() {
    let local = Local::start().await;
    let nobody = local.s3(&local.function("Nobody"));
    let put = nobody.put_object().bucket(MEDIA).key("allowed/a").presigned(for_seconds(60)).await.unwrap();
    let answer = local.send_presigned(&put, &[], b"x").await;
    assert_eq!(answer.refusal(), (403, "AccessDenied".to_owned()));
    assert!(answer.text().contains("stack-Nobody is not authorized to perform: s3:PutObject"));
}

#[tokio::test]
async fn a_url_ends_with_its_own_time_and_with_its_session() {
    let local = Local::start().await;
    local.operator_s3().put_object().bucket(INGEST).key("uploads/a").send().await.unwrap();
    let long_ago = std::time::SystemTime::now() - Duration::from_mins(2);
    let config =
        PresigningConfig::builder().start_time(long_ago).expires_in(Duration::from_mins(1)).build().unwrap();
    let get =
        local.operator_s3().get_object().bucket(INGEST).key("uploads/a").presigned(config).await.unwrap();
    let answer = local.send_presigned(&get, &[], b"").await;
    assert_eq!(answer.refusal(), (403, "AccessDenied".to_owned()));
    assert!(answer.text().contains("Request has expired"));

    let assumed = local.sts(&Aws::operator_credentials()).assume_role();
    let assumed =
        assumed.role_arn(crate::support::UPLOAD_ROLE_ARN).role_session_name("upload-1").send().await;
    let assumed = assumed.unwrap().credentials.unwrap();
    let session = local::aws::Credentials {
        access_key_id: assumed.access_key_id,
        secret_access_key: assumed.secret_access_key,
        session_token: Some(assumed.session_token),
    };
    let get = local.s3(&session).get_object().bucket(INGEST).key("uploads/a");
    let get = get.response_content_type("video/x").presigned(for_seconds(3600)).await.unwrap();
    let answer = local.send_presigned(&get, &[("range", "bytes=0-9,20-29")], b"").await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text());
    assert_eq!(answer.header("content-type"), Some("video/x"));
    let database = rusqlite::Connection::open(local.directory.path().join("aws.sqlite")).unwrap();
    database.execute("UPDATE session SET expires_at_ms = 1", []).unwrap();
    assert_eq!(local.send_presigned(&get, &[], b"").await.refusal(), (400, "ExpiredToken".to_owned()));
    database.execute("DELETE FROM session", []).unwrap();
    assert_eq!(local.send_presigned(&get, &[], b"").await.refusal(), (403, "InvalidAccessKeyId".to_owned()));
}
