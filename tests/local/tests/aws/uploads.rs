//! Writes under pressure, what they announce, and what browsers see.

use std::time::Duration;

use aws_sdk_s3::error::ProvideErrorMetadata;
use aws_sdk_s3::presigning::{PresignedRequest, PresigningConfig};
use aws_sdk_s3::primitives::ByteStream;
use http::{Method, StatusCode};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::support::{INGEST, Local, MEDIA, QUEUE_ARN, send, until};

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_many_writers_exactly_one_creates() {
    let local = Local::start().await;
    for bucket in [MEDIA, INGEST] {
        for round in 0..10 {
            let key = format!("race-{round}");
            let writers: Vec<_> = (0..32_u8)
                .map(|writer| {
                    let request =
                        local.operator_s3().put_object().bucket(bucket).key(&key).if_none_match("*");
                    let request = request.body(ByteStream::from(vec![writer; 1000]));
                    tokio::spawn(async move { (writer, request.send().await) })
                })
                .collect();
            let mut winners = Vec::new();
            for writer in writers {
                match writer.await.unwrap() {
                    (writer, Ok(_)) => winners.push(writer),
                    (_, Err(error)) => assert_eq!(error.code(), Some("PreconditionFailed")),
                }
            }
            assert_eq!(winners.len(), 1);
            let stored = local.operator_s3().get_object().bucket(bucket).key(&key).send().await.unwrap();
            assert_eq!(stored.body.collect().await.unwrap().to_vec(), vec![winners[0]; 1000]);
        }
    }
    let files = std::fs::read_dir(local.directory.path().join("objects")).unwrap().count();
    assert_eq!(files, 20, "losers leave nothing behind");
}

#[tokio::test]
async fn a_replacing_write_can_name_what_it_replaces() {
    let local = Local::start().await;
    let s3 = local.operator_s3();
    let put = || s3.put_object().bucket(MEDIA).key("a").body(ByteStream::from_static(b"x"));
    assert_eq!(put().if_match("\"abc\"").send().await.unwrap_err().code(), Some("NoSuchKey"));
    let e_tag = put().send().await.unwrap().e_tag.unwrap();
    assert_eq!(put().if_match("\"abc\"").send().await.unwrap_err().code(), Some("PreconditionFailed"));
    put().if_match(&e_tag).send().await.unwrap();
    assert_eq!(put().if_none_match("\"abc\"").send().await.unwrap_err().code(), Some("NotImplemented"));
}

#[tokio::test]
async fn a_write_that_is_cut_off_was_never_there() {
    let local = Local::start().await;
    let s3 = local.operator_s3();
    let put = s3.put_object().bucket(INGEST).key("uploads/cut").content_length(1_000_000);
    let put = put.presigned(PresigningConfig::expires_in(Duration::from_mins(1)).unwrap()).await.unwrap();
    let mut stream = begin(&local, &put, &vec![1; 500_000]).await;
    let objects = local.directory.path().join("objects");
    let files = || std::fs::read_dir(&objects).unwrap().count();
    until(|| files() == 1).await;
    assert!(
        s3.head_object().bucket(INGEST).key("uploads/cut").send().await.is_err(),
        "not visible while it is written"
    );
    stream.shutdown().await.unwrap();
    let mut rest = Vec::new();
    // Whether an answer still arrives does not matter.
    let _ = stream.read_to_end(&mut rest).await;
    drop(stream);
    until(|| files() == 0).await;
    assert!(s3.head_object().bucket(INGEST).key("uploads/cut").send().await.is_err());
    assert_eq!(local.aws.queues().counts(QUEUE_ARN).unwrap().visible, 0);
    std::fs::write(objects.join("left-by-a-crash"), b"x").unwrap();
    let _local = local.restart().await;
    assert_eq!(files(), 0);
}

/// Sends a presigned request and the beginning of its body.
async fn begin(local: &Local, put: &PresignedRequest, body: &[u8]) -> TcpStream {
    let uri: http::Uri = put.uri().parse().unwrap();
    let mut stream = TcpStream::connect(local.aws.address()).await.unwrap();
    let mut head = format!(
        "PUT {} HTTP/1.1\r\nconnection: close\r\nhost: {}\r\n",
        uri.path_and_query().unwrap(),
        local.aws.address()
    );
    for (name, value) in put.headers().filter(|(name, _)| !name.eq_ignore_ascii_case("host")) {
        head.extend([name, ": ", value, "\r\n"]);
    }
    stream.write_all(format!("{head}\r\n").as_bytes()).await.unwrap();
    stream.write_all(body).await.unwrap();
    stream
}

/// "Conditional write behavior" in the S3 user guide.
#[tokio::test]
async fn a_conditional_write_loses_to_what_comes_in_between() {
    #[derive(Debug, Clone, Copy)]
    enum Between {
        Nothing,
        Write,
        Delete,
    }
    for (bucket, conditional, exists, between, expected) in [
        (MEDIA, true, false, Between::Nothing, "HTTP/1.1 200"),
        (MEDIA, true, false, Between::Write, "HTTP/1.1 412"),
        (MEDIA, true, true, Between::Nothing, "HTTP/1.1 412"),
        (MEDIA, true, true, Between::Delete, "HTTP/1.1 409"),
        (INGEST, true, true, Between::Delete, "HTTP/1.1 409"),
        (MEDIA, false, true, Between::Delete, "HTTP/1.1 200"),
        // There is nothing to be deleted.
        (MEDIA, true, false, Between::Delete, "HTTP/1.1 200"),
    ] {
        let local = Local::start().await;
        let s3 = local.operator_s3();
        if exists {
            s3.put_object().bucket(bucket).key("a").send().await.unwrap();
        }
        let put = s3.put_object().bucket(bucket).key("a").content_length(10);
        let put = put.set_if_none_match(conditional.then(|| "*".to_owned()));
        let expires = PresigningConfig::expires_in(Duration::from_mins(1)).unwrap();
        let put = put.presigned(expires).await.unwrap();
        let mut stream = begin(&local, &put, b"01234").await;
        let objects = local.directory.path().join("objects");
        let files = usize::from(exists) + 1;
        until(|| std::fs::read_dir(&objects).unwrap().count() == files).await;
        match between {
            Between::Nothing => {}
            Between::Write => drop(s3.put_object().bucket(bucket).key("a").send().await.unwrap()),
            Between::Delete => drop(s3.delete_object().bucket(bucket).key("a").send().await.unwrap()),
        }
        stream.write_all(b"56789").await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        assert!(answer.starts_with(expected), "{between:?} {bucket}: {answer}");
        if expected.ends_with("409") {
            assert!(answer.contains("<Code>ConditionalRequestConflict</Code>"), "{answer}");
            // Tried again, it succeeds.
            let again = local.send_presigned(&put, &[], b"0123456789").await;
            assert_eq!(again.status, StatusCode::OK);
        }
    }
}

#[tokio::test]
async fn new_objects_are_announced_in_s3s_own_words() {
    let local = Local::start().await;
    let s3 = local.operator_s3();
    let key = "uploads/a b+c%d/é";
    let stored = s3.put_object().bucket(INGEST).key(key).body(ByteStream::from_static(b"hello world")).send();
    let stored = stored.await.unwrap();
    s3.put_object().bucket(INGEST).key("elsewhere").send().await.unwrap();
    s3.copy_object()
        .bucket(INGEST)
        .key("uploads/copy")
        .copy_source(format!("{INGEST}/elsewhere"))
        .send()
        .await
        .unwrap();
    let messages = local.aws.queues().receive(QUEUE_ARN, 10, None).unwrap();
    assert_eq!(messages.len(), 2);
    let records: Vec<Value> = messages
        .iter()
        .map(|message| serde_json::from_str::<Value>(&message.body).unwrap()["Records"][0].clone())
        .collect();
    let put = &records[0];
    assert_eq!(put["eventVersion"], "2.1");
    assert_eq!(put["eventSource"], "aws:s3");
    assert_eq!(put["eventName"], "ObjectCreated:Put");
    assert_eq!(put["awsRegion"], "us-east-1");
    assert_eq!(put["s3"]["bucket"]["name"], INGEST);
    assert_eq!(put["s3"]["bucket"]["arn"], "arn:aws:s3:::stack-ingest");
    let object = &put["s3"]["object"];
    assert_eq!(object["key"], "uploads/a+b%2Bc%25d/%C3%A9");
    assert_eq!(object["size"], 11);
    assert_eq!(object["eTag"], "5eb63bbbe01eeed093cb22bb8f5acdc3");
    assert_eq!(object["versionId"].as_str(), stored.version_id());
    assert_eq!(records[1]["eventName"], "ObjectCreated:Copy");
    assert_eq!(records[1]["s3"]["object"]["key"], "uploads/copy");
    let sequencer = |record: &Value| record["s3"]["object"]["sequencer"].as_str().unwrap().to_owned();
    assert!(sequencer(&records[0]) < sequencer(&records[1]));
}

#[tokio::test]
async fn browsers_are_told_what_the_template_allows() {
    let local = Local::start().await;
    let url = format!("{}/{INGEST}/uploads/a", local.url());
    let preflight = |origin: &'static str, method: &'static str, headers: &'static str| {
        let url = url.clone();
        async move {
            let headers = [
                ("origin", origin),
                ("access-control-request-method", method),
                ("access-control-request-headers", headers),
            ];
            send(Method::OPTIONS, &url, &headers, b"").await
        }
    };
    let answer = preflight("https://app.example.com", "PUT", "Content-Type, x-amz-checksum-sha256").await;
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(answer.header("access-control-allow-origin"), Some("https://app.example.com"));
    assert_eq!(answer.header("access-control-allow-headers"), Some("content-type, x-amz-checksum-sha256"));
    assert_eq!(answer.header("access-control-allow-methods"), Some("PUT, POST"));
    assert_eq!(answer.header("access-control-max-age"), Some("600"));
    assert_eq!(answer.header("access-control-expose-headers"), Some("ETag"));
    for (origin, method, headers) in [
        ("https://example.org", "PUT", "content-type"),
        ("https://app.example.com", "GET", "content-type"),
        ("https://app.example.com", "PUT", "authorization"),
    ] {
        let answer = preflight(origin, method, headers).await;
        assert_eq!((answer.status, answer.code().as_str()), (StatusCode::FORBIDDEN, "AccessForbidden"));
        assert_eq!(answer.header("access-control-allow-origin"), None);
    }
    // The answer to the request itself carries the rule too, even when it is a refusal.
    let origin = [("origin", "https://app.example.com")];
    let answer = send(Method::PUT, &url, &origin, b"x").await;
    assert_eq!(answer.status, StatusCode::FORBIDDEN);
    assert_eq!(answer.header("access-control-allow-origin"), Some("https://app.example.com"));
    assert_eq!(answer.header("access-control-expose-headers"), Some("ETag"));
    let answer = send(Method::GET, &url, &origin, b"").await;
    assert_eq!(answer.header("access-control-allow-origin"), None);
    let without = format!("{}/{MEDIA}/a", local.url());
    let headers = [("origin", "https://app.example.com"), ("access-control-request-method", "PUT")];
    assert_eq!(send(Method::OPTIONS, &without, &headers, b"").await.status, StatusCode::FORBIDDEN);
}
