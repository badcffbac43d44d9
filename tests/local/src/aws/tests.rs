//! Requests whose signature is right and whose body is not what was signed: no SDK sends them.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::collections::BTreeMap;

use bytes::Bytes;
use http::{Method, Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use ring::digest;
use tempfile::TempDir;
use time::macros::format_description;

use super::signature::{ALGORITHM, CredentialScope, hex, sign};
use super::{Aws, AwsOptions, clock};
use crate::stack::{Bucket, Stack};

const BUCKET: &str = "bucket";

async fn start() -> (Aws, TempDir) {
    let directory = tempfile::tempdir().unwrap();
    let options =
        AwsOptions { data_directory: directory.path().to_owned(), address: ([127, 0, 0, 1], 0).into() };
    let aws = Aws::start(options).await.unwrap();
    let bucket = Bucket {
        logical_id: "Bucket".to_owned(),
        name: BUCKET.to_owned(),
        arn: format!("arn:aws:s3:::{BUCKET}"),
        versioned: false,
        cors_rules: Vec::new(),
        notifications: Vec::new(),
        policies: Vec::new(),
    };
    let stack = Stack {
        name: "stack".to_owned(),
        region: "us-east-1".to_owned(),
        account_id: "000000000000".to_owned(),
        functions: BTreeMap::new(),
        routes: Vec::new(),
        api_cors: None,
        tables: Vec::new(),
        buckets: vec![bucket],
        queues: Vec::new(),
        event_source_mappings: Vec::new(),
        secrets: Vec::new(),
        roles: Vec::new(),
        key_groups: Vec::new(),
        distribution: None,
        schedules: Vec::new(),
        custom_resources: Vec::new(),
        outputs: BTreeMap::new(),
    };
    aws.install(&stack).await.unwrap();
    (aws, directory)
}

/// A request to S3, signed by the operator with the given `x-amz-content-sha256`.
struct Signed {
    time: String,
    scope: CredentialScope,
    signature: String,
    request: http::request::Builder,
}

fn signed(aws: &Aws, method: &Method, target: &str, payload: &str, more: &[(&str, &str)]) -> Signed {
    let format = format_description!("[year][month][day]T[hour][minute][second]Z");
    let time = clock::now().format(format).unwrap();
    let operator = Aws::operator_credentials();
    let scope = format!("{}/{}/us-east-1/s3/aws4_request", operator.access_key_id, &time[..8]);
    let host = aws.address().to_string();
    let mut headers: BTreeMap<&str, &str> = more.iter().copied().collect();
    headers.extend([("host", host.as_str()), ("x-amz-content-sha256", payload), ("x-amz-date", &time)]);
    let lines: String = headers.iter().flat_map(|(name, value)| [name, ":", value, "\n"]).collect();
    let names = headers.keys().copied().collect::<Vec<_>>().join(";");
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let canonical = format!("{method}\n{path}\n{query}\n{lines}\n{names}\n{payload}");
    let parsed = CredentialScope::parse(&scope).unwrap();
    let signature = sign(&operator.secret_access_key, &parsed, &time, &canonical);
    let mut request = Request::builder().method(method).uri(format!("http://{host}{target}")).header(
        "authorization",
        format!("{ALGORITHM} Credential={scope}, SignedHeaders={names}, Signature={signature}"),
    );
    for (name, value) in headers {
        request = request.header(name, value);
    }
    Signed { time, scope: parsed, signature, request }
}

async fn send(request: http::request::Builder, body: impl Into<Bytes>) -> (StatusCode, String) {
    let client: Client<_, Full<Bytes>> = Client::builder(TokioExecutor::new()).build_http();
    let response = client.request(request.body(Full::new(body.into())).unwrap()).await.unwrap();
    let status = response.status();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    (status, String::from_utf8(body.to_vec()).unwrap())
}

fn sha256(bytes: &[u8]) -> String {
    hex(digest::digest(&digest::SHA256, bytes).as_ref())
}

#[tokio::test]
async fn a_body_must_have_the_hash_that_was_signed() {
    let (aws, directory) = start().await;
    let path = format!("/{BUCKET}/a");
    let put = || signed(&aws, &Method::PUT, &path, &sha256(b"hello"), &[]).request;
    let (status, body) = send(put(), "other").await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    assert!(body.contains("<Code>XAmzContentSHA256Mismatch</Code>"), "{body}");
    assert_eq!(std::fs::read_dir(directory.path().join("objects")).unwrap().count(), 0);
    assert_eq!(send(put(), "hello").await.0, StatusCode::OK);
}

/// One chunk and the last, empty one, each signed over the one before.
fn chunks(put: &Signed, chunk: &[u8]) -> Vec<u8> {
    let operator = Aws::operator_credentials();
    let scope = &put.scope;
    let chunk_signature = |previous: &str, bytes: &[u8]| {
        // The string to sign of a chunk, as in "Signature calculations: transferring payload in multiple chunks".
        let text = format!(
            "AWS4-HMAC-SHA256-PAYLOAD\n{}\n{}/{}/s3/aws4_request\n{previous}\n{}\n{}",
            put.time,
            scope.date,
            scope.region,
            sha256(b""),
            sha256(bytes)
        );
        super::signature::sign_text(&operator.secret_access_key, scope, &text)
    };
    let first = chunk_signature(&put.signature, chunk);
    let last = chunk_signature(&first, b"");
    let mut body = format!("{:x};chunk-signature={first}\r\n", chunk.len()).into_bytes();
    body.extend_from_slice(chunk);
    body.extend_from_slice(format!("\r\n0;chunk-signature={last}\r\n\r\n").as_bytes());
    body
}

#[tokio::test]
async fn each_chunk_of_a_signed_stream_must_be_the_one_that_was_signed() {
    let (aws, directory) = start().await;
    let path = format!("/{BUCKET}/a");
    let headers = [("content-encoding", "aws-chunked"), ("x-amz-decoded-content-length", "5")];
    let put = || signed(&aws, &Method::PUT, &path, "STREAMING-AWS4-HMAC-SHA256-PAYLOAD", &headers);
    let request = put();
    let right = chunks(&request, b"hello");
    let mut wrong = right.clone();
    let at = wrong.windows(5).position(|window| window == b"hello").unwrap();
    wrong[at] = b'H';
    let (status, body) = send(request.request, wrong).await;
    assert_eq!(status, StatusCode::FORBIDDEN);
    assert!(body.contains("<Code>SignatureDoesNotMatch</Code>"), "{body}");
    assert_eq!(std::fs::read_dir(directory.path().join("objects")).unwrap().count(), 0);
    let request = put();
    let right = chunks(&request, b"hello");
    let (status, body) = send(request.request, right).await;
    assert_eq!(status, StatusCode::OK, "{body}");
    let (status, body) = send(signed(&aws, &Method::GET, &path, &sha256(b""), &[]).request, "").await;
    assert_eq!((status, body.as_str()), (StatusCode::OK, "hello"));
}

#[tokio::test]
async fn a_checksum_may_follow_the_body_and_is_verified() {
    let (aws, _directory) = start().await;
    let path = format!("/{BUCKET}/a");
    let headers = [
        ("content-encoding", "aws-chunked"),
        ("x-amz-decoded-content-length", "11"),
        ("x-amz-trailer", "x-amz-checksum-crc64nvme"),
    ];
    let put = || signed(&aws, &Method::PUT, &path, "STREAMING-UNSIGNED-PAYLOAD-TRAILER", &headers).request;
    let body =
        |checksum: &str| format!("b\r\nhello world\r\n0\r\nx-amz-checksum-crc64nvme:{checksum}\r\n\r\n");
    let (status, answer) = send(put(), body("AAAAAAAAAAA=")).await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    assert!(answer.contains("<Code>BadDigest</Code>"), "{answer}");
    let (status, answer) = send(put(), body("jSnVw/bqjr4=")).await;
    assert_eq!(status, StatusCode::OK, "{answer}");
}

#[tokio::test]
async fn a_parameter_is_there_once() {
    let (aws, _directory) = start().await;
    let target = format!("/{BUCKET}?list-type=2&prefix=a&prefix=b");
    let (status, body) = send(signed(&aws, &Method::GET, &target, &sha256(b""), &[]).request, "").await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    assert!(body.contains("prefix is there more than once"), "{body}");
}
