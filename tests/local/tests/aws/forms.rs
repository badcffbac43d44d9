//! Uploads from browsers: "POST Object" and "POST policy" in the S3 API reference.

use aws_sdk_s3::types::ChecksumMode;
use http::{Method, StatusCode};
use local::aws::{Aws, Credentials};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::post_form::{PostForm, content_type, file_head, post};
use crate::support::{Answer, INGEST, Local, MEDIA, QUEUE_ARN, REGION, UPLOAD_ROLE_ARN, send, until};

/// SHA-256 of `hello world`.
const SHA256: &str = "uU0nuZNNPgilLlLX2n2r+sSE7+N6U4DukIj3rOLvzek=";

fn operator() -> Credentials {
    Aws::operator_credentials()
}

/// Asserts that an answer refuses, and that nothing has been stored or announced.
async fn assert_refused(local: &Local, answer: &Answer, status: u16, code: &str, message: &str) {
    assert_eq!(answer.refusal(), (status, code.to_owned()), "{}", answer.text());
    assert_eq!(answer.element("Message").as_deref(), Some(message));
    let listed = local.operator_s3().list_objects_v2().bucket(INGEST).send().await.unwrap();
    assert_eq!(listed.key_count(), Some(0));
    assert_eq!(local.aws.queues().counts(QUEUE_ARN).unwrap().visible, 0);
    let files = std::fs::read_dir(local.directory.path().join("objects")).unwrap().count();
    assert_eq!(files, 0, "nothing is left behind");
}

#[tokio::test]
async fn a_form_stores_its_file_with_what_its_fields_say() {
    let local = Local::start().await;
    let form = PostForm::new("uploads/${filename}")
        .with("Content-Type", "video/mp4")
        .with("Cache-Control", "no-store")
        .with("Content-Disposition", "inline")
        .with("Expires", "Thu, 01 Dec 2033 16:00:00 GMT")
        .with_field("x-amz-meta-Title", "for ${filename}")
        .with_condition(json!(["eq", "$x-amz-meta-title", "for film.mp4"]))
        .with("acl", "bucket-owner-full-control")
        .with("submit-by", "an unknown field means nothing")
        .with_field("x-ignore-me", "needs no condition")
        .sign(&local.assume(None).await);
    let sequence = local.aws.calls().sequence();
    let answer = form.send(&local).await;
    assert_eq!(answer.status, StatusCode::NO_CONTENT, "{}", answer.text());
    assert_eq!(answer.body.len(), 0);
    assert_eq!(answer.header("etag"), Some("\"5eb63bbbe01eeed093cb22bb8f5acdc3\""));
    let location = format!("{}/{INGEST}/uploads%2Ffilm.mp4", local.url());
    assert_eq!(answer.header("location"), Some(location.as_str()));
    assert_eq!(answer.header("x-amz-checksum-type"), Some("FULL_OBJECT"));
    assert!(answer.header("x-amz-checksum-crc64nvme").is_some());

    let stored =
        local.operator_s3().get_object().bucket(INGEST).key("uploads/film.mp4").send().await.unwrap();
    assert_eq!(stored.content_type(), Some("video/mp4"));
    assert_eq!(stored.cache_control(), Some("no-store"));
    assert_eq!(stored.content_disposition(), Some("inline"));
    assert_eq!(stored.expires_string(), Some("Thu, 01 Dec 2033 16:00:00 GMT"));
    assert_eq!(stored.metadata().unwrap()["title"], "for film.mp4");
    assert_eq!(stored.version_id(), answer.header("x-amz-version-id"));
    assert_eq!(stored.body.collect().await.unwrap().to_vec(), b"hello world");

    let messages = local.aws.queues().receive(QUEUE_ARN, 10, None).unwrap();
    let [message] = messages.as_slice() else { panic!("{} messages", messages.len()) };
    let record = serde_json::from_str::<Value>(&message.body).unwrap()["Records"][0].clone();
    assert_eq!(record["eventName"], "ObjectCreated:Post");
    assert_eq!(record["s3"]["object"]["key"], "uploads/film.mp4");
    assert_eq!(record["s3"]["object"]["size"], 11);
    assert_eq!(record["s3"]["object"]["versionId"].as_str(), answer.header("x-amz-version-id"));

    let calls = local.aws.calls().since(sequence);
    assert_eq!(calls[0].operation, "PostObject");
    let resource = format!("arn:aws:s3:::{INGEST}/uploads/film.mp4");
    assert_eq!(calls[0].actions, [("s3:PutObject".to_owned(), resource)]);
}

#[tokio::test]
async fn the_form_says_how_success_is_answered() {
    let local = Local::start().await;
    let form = |status: &str| {
        PostForm::new("uploads/a b/é&").with("success_action_status", status).sign(&operator())
    };
    assert_eq!(form("200").send(&local).await.status, StatusCode::OK);
    assert_eq!(form("204").send(&local).await.status, StatusCode::NO_CONTENT);
    assert_eq!(form("404").send(&local).await.status, StatusCode::NO_CONTENT);
    let created = form("201").send(&local).await;
    assert_eq!(created.status, StatusCode::CREATED);
    assert_eq!(created.header("content-type"), Some("application/xml"));
    let url = format!("{}/{INGEST}/uploads%2Fa%20b%2F%C3%A9%26", local.url());
    assert_eq!(
        created.text(),
        format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<PostResponse><Location>{url}</Location>\
             <Bucket>{INGEST}</Bucket><Key>uploads/a b/é&amp;</Key>\
             <ETag>&quot;5eb63bbbe01eeed093cb22bb8f5acdc3&quot;</ETag></PostResponse>"
        )
    );
    assert_eq!(created.header("location"), Some(url.as_str()));

    let redirected = |field: &'static str, target: &'static str| {
        let form = PostForm::new("uploads/a b").with("success_action_status", "200");
        form.with(field, target).sign(&operator())
    };
    let parameters = "bucket=stack-ingest&key=uploads%2Fa+b&etag=%225eb63bbbe01eeed093cb22bb8f5acdc3%22";
    for (field, target, separator) in [
        ("success_action_redirect", "https://app.example.com/done", '?'),
        ("redirect", "http://localhost:3000/?step=2", '&'),
    ] {
        let answer = redirected(field, target).send(&local).await;
        assert_eq!((answer.status, answer.body.len()), (StatusCode::SEE_OTHER, 0));
        assert_eq!(answer.header("location"), Some(format!("{target}{separator}{parameters}").as_str()));
    }
    for target in ["/relative", "https://", "javascript:alert(1)"] {
        assert_eq!(redirected("success_action_redirect", target).send(&local).await.status, StatusCode::OK);
    }
}

#[tokio::test]
async fn a_condition_that_is_not_met_refuses_the_form() {
    let local = Local::start().await;
    let failed =
        |condition: &str| format!("Invalid according to Policy: Policy Condition failed: {condition}");
    let form = PostForm::new("uploads/a").with("Content-Type", "video/mp4").sign(&operator());
    for (form, condition) in [
        (form.clone().replace("key", "elsewhere/a"), r#"["starts-with", "$key", "uploads/"]"#),
        (form.clone().replace("Content-Type", "text/html"), r#"["eq", "$Content-Type", "video/mp4"]"#),
        (form.clone().without("Content-Type"), r#"["eq", "$Content-Type", "video/mp4"]"#),
    ] {
        assert_refused(&local, &form.send(&local).await, 403, "AccessDenied", &failed(condition)).await;
    }
    let elsewhere = post(&local, MEDIA, &[], &form.body()).await;
    let message = failed(r#"["eq", "$bucket", "stack-ingest"]"#);
    assert_refused(&local, &elsewhere, 403, "AccessDenied", &message).await;
    let extra = form.clone().with_field("x-amz-meta-More", "x").send(&local).await;
    let message = "Invalid according to Policy: Extra input fields: x-amz-meta-More";
    assert_refused(&local, &extra, 403, "AccessDenied", message).await;
    let mut late = PostForm::new("uploads/a");
    late.expires_at = late.signed_at - time::Duration::seconds(1);
    let late = late.sign(&operator()).send(&local).await;
    let message = "Invalid according to Policy: Policy expired.";
    assert_refused(&local, &late, 403, "AccessDenied", message).await;
    let broken = PostForm::new("uploads/a").with_condition(json!({})).sign(&operator()).send(&local).await;
    assert_eq!(broken.refusal(), (400, "InvalidPolicyDocument".to_owned()));
    assert_eq!(form.send(&local).await.status, StatusCode::NO_CONTENT);
}

#[tokio::test]
async fn the_file_is_as_long_as_the_policy_says() {
    let local = Local::start().await;
    let form = |bytes: usize| {
        let form = PostForm::new("uploads/a").with_condition(json!(["content-length-range", 5, 70_000]));
        form.with_file(&vec![b'-'; bytes]).sign(&operator())
    };
    let small = form(4).send(&local).await;
    let message = "Your proposed upload is smaller than the minimum allowed size";
    assert_refused(&local, &small, 400, "EntityTooSmall", message).await;
    assert_eq!(small.element("ProposedSize").as_deref(), Some("4"));
    assert_eq!(small.element("MinSizeAllowed").as_deref(), Some("5"));
    let large = form(3_000_001).send(&local).await;
    let message = "Your proposed upload exceeds the maximum allowed size";
    assert_refused(&local, &large, 400, "EntityTooLarge", message).await;
    assert_eq!(large.element("ProposedSize").as_deref(), Some("3000001"));
    assert_eq!(large.element("MaxSizeAllowed").as_deref(), Some("70000"));
    for bytes in [5, 70_000] {
        assert_eq!(form(bytes).send(&local).await.status, StatusCode::NO_CONTENT);
    }
}

#[tokio::test]
async fn the_policy_is_signed_by_known_credentials() {
    let local = Local::start().await;
    let session = local.assume(None).await;
    let form = PostForm::new("uploads/a").sign(&session);
    let missing = |name: &str| {
        format!(
            "Bucket POST must contain a field named '{name}'.  If it is specified, please check the order of the \
             fields."
        )
    };
    for name in ["key", "X-Amz-Algorithm", "X-Amz-Credential", "X-Amz-Date", "X-Amz-Signature", "Policy"] {
        let answer = form.clone().without(name).send(&local).await;
        assert_refused(&local, &answer, 400, "InvalidArgument", &missing(name)).await;
        assert_eq!(answer.element("ArgumentName").as_deref(), Some(name));
    }
    let wrong_date = form.clone().replace("x-amz-date", "20300101T000000Z");
    let wrong_region = form
        .clone()
        .replace("x-amz-credential", &form.field("x-amz-credential").replace(REGION, "eu-west-1"));
    let version_2 = form.clone().with_field("AWSAccessKeyId", "local");
    for (form, status, code) in [
        (form.clone().replace("x-amz-signature", &"0".repeat(64)), 403, "SignatureDoesNotMatch"),
        (form.clone().replace("policy", &form.field("policy")[..40]), 403, "SignatureDoesNotMatch"),
        (form.clone().replace("x-amz-security-token", "d3Jvbmc="), 400, "InvalidToken"),
        (form.clone().without("x-amz-security-token"), 403, "InvalidAccessKeyId"),
        (form.clone().replace("x-amz-credential", "x"), 400, "InvalidArgument"),
        (form.clone().replace("x-amz-algorithm", "AWS4-HMAC-SHA1"), 400, "InvalidArgument"),
        (wrong_date, 400, "InvalidArgument"),
        (wrong_region, 400, "InvalidArgument"),
        (version_2, 400, "InvalidRequest"),
    ] {
        let answer = form.send(&local).await;
        assert_eq!(answer.refusal(), (status, code.to_owned()), "{}", answer.text());
    }
    let anonymous = PostForm::new("uploads/a").send(&local).await;
    assert_refused(&local, &anonymous, 403, "AccessDenied", "Access Denied").await;
    let database = rusqlite::Connection::open(local.directory.path().join("aws.sqlite")).unwrap();
    assert_eq!(form.send(&local).await.status, StatusCode::NO_CONTENT);
    database.execute("UPDATE session SET expires_at_ms = 1", []).unwrap();
    assert_eq!(form.send(&local).await.refusal(), (400, "ExpiredToken".to_owned()));
}

#[tokio::test]
async fn a_form_has_the_permissions_of_who_signed_it() {
    let local = Local::start().await;
    let mut form = PostForm::new("elsewhere");
    form.conditions = vec![json!({ "bucket": INGEST }), json!({ "key": "elsewhere" })];
    let answer = form.sign(&local.assume(None).await).send(&local).await;
    assert_eq!(answer.refusal(), (403, "AccessDenied".to_owned()));
    assert!(answer.text().contains("is not authorized to perform: s3:PutObject"), "{}", answer.text());
}

#[tokio::test]
async fn checksums_are_verified() {
    let local = Local::start().await;
    let form = |name: &str, value: &str| PostForm::new("uploads/a").with(name, value);
    let other = "ypeBEsobvcr6wjGzmiPcTaeG7/gUfE5yuYB3ha/uSLs=";
    let md5 = "XrY7u+Ae7tCTyyK7j1rNww==";
    for (form, code) in [
        (form("x-amz-checksum-sha256", other), "BadDigest"),
        (form("x-amz-checksum-sha256", "sailorjerry"), "InvalidRequest"),
        (form("x-amz-checksum-crc64nvme", "AAAAAAAAAAA="), "BadDigest"),
        (form("x-amz-checksum-algorithm", "SHA256"), "InvalidRequest"),
        (form("Content-MD5", "AAAAAAAAAAAAAAAAAAAAAA=="), "BadDigest"),
        (
            form("x-amz-checksum-sha256", SHA256).with("x-amz-checksum-crc64nvme", "AAAAAAAAAAA="),
            "InvalidRequest",
        ),
    ] {
        let answer = form.sign(&operator()).send(&local).await;
        assert_eq!(answer.refusal(), (400, code.to_owned()), "{}", answer.text());
    }
    let right = form("x-amz-checksum-sha256", SHA256).with("x-amz-checksum-algorithm", "SHA256");
    let answer = right.with("content-md5", md5).sign(&operator()).send(&local).await;
    assert_eq!(answer.status, StatusCode::NO_CONTENT, "{}", answer.text());
    assert_eq!(answer.header("x-amz-checksum-sha256"), Some(SHA256));
    let head = local.operator_s3().head_object().bucket(INGEST).key("uploads/a");
    let head = head.checksum_mode(ChecksumMode::Enabled).send().await.unwrap();
    assert_eq!(head.checksum_sha256(), Some(SHA256));
    assert_eq!(head.content_type(), Some("binary/octet-stream"), "that of the part says nothing");
}

#[tokio::test]
async fn keys_are_bounded() {
    let local = Local::start().await;
    let form = |key: &str| PostForm::new(key).sign(&operator());
    let long = format!("uploads/{}", "k".repeat(1_016));
    assert_eq!(form(&long).send(&local).await.status, StatusCode::NO_CONTENT);
    let answer = form(&format!("{long}k")).send(&local).await;
    assert_eq!(answer.refusal(), (400, "KeyTooLongError".to_owned()));
    let answer = form("").send(&local).await;
    assert_eq!(answer.element("Message").as_deref(), Some("User key must have a length greater than 0."));
    let unnamed = PostForm { filename: None, ..form("uploads/${filename}") };
    unnamed.send(&local).await;
    local.operator_s3().head_object().bucket(INGEST).key("uploads/${filename}").send().await.unwrap();
}

#[tokio::test]
async fn what_would_mean_more_on_aws_is_refused_by_name() {
    let local = Local::start().await;
    for (name, value) in [
        ("tagging", "<Tagging/>"),
        ("x-amz-website-redirect-location", "/a"),
        ("x-amz-storage-class", "GLACIER"),
        ("x-amz-server-side-encryption-customer-key", "x"),
        ("x-amz-meta-a", "é"),
    ] {
        let answer = PostForm::new("uploads/a").with(name, value).sign(&operator()).send(&local).await;
        assert_eq!(answer.refusal(), (501, "NotImplemented".to_owned()));
        assert!(answer.text().contains(name), "{}", answer.text());
    }
    let form = PostForm::new("uploads/a").sign(&operator());
    for (query, name) in [("acl", "acl of PostObject"), ("versionId=null", "versionId of PostObject")] {
        let answer = post(&local, &format!("{INGEST}?{query}"), &[], &form.body()).await;
        assert_eq!(answer.refusal(), (501, "NotImplemented".to_owned()));
        assert!(answer.text().contains(name), "{}", answer.text());
    }
    let logged = post(&local, &format!("{INGEST}?x-for-the-log=1"), &[], &form.body()).await;
    assert_eq!(logged.status, StatusCode::NO_CONTENT, "{}", logged.text());
    let answer = PostForm::new("uploads/a").with("acl", "public-read").sign(&operator()).send(&local).await;
    assert_eq!(answer.refusal(), (400, "AccessControlListNotSupported".to_owned()));
}

#[tokio::test]
async fn what_is_no_form_with_one_file_is_refused() {
    let local = Local::start().await;
    let form = PostForm::new("uploads/a").sign(&operator());
    let body = form.body();
    let url = format!("{}/{INGEST}", local.url());
    for content_type in ["text/plain", "application/x-www-form-urlencoded"] {
        let answer = send(Method::POST, &url, &[("content-type", content_type)], &body).await;
        let message = "At least one of the pre-conditions you specified did not hold";
        assert_refused(&local, &answer, 412, "PreconditionFailed", message).await;
    }
    let malformed = "The body of your POST request is not well-formed multipart/form-data.";
    let no_boundary = send(Method::POST, &url, &[("content-type", "multipart/form-data")], &body).await;
    assert_refused(&local, &no_boundary, 400, "MalformedPOSTRequest", malformed).await;
    // Complete as a request, but not as a form.
    let no_end = post(&local, INGEST, &[], &form.open_body()).await;
    assert_refused(&local, &no_end, 400, "MalformedPOSTRequest", malformed).await;

    let end = body.strip_prefix(form.open_body().as_slice()).unwrap();
    let files = "POST requires exactly one file upload per request.";
    let second = [form.open_body(), b"\r\n".to_vec(), file_head(None).into_bytes(), end.to_vec()].concat();
    let second = post(&local, INGEST, &[], &second).await;
    assert_refused(&local, &second, 400, "InvalidArgument", files).await;
    let nothing = String::from_utf8(body.clone()).unwrap().replace("name=\"file\"", "name=\"upload\"");
    let nothing = post(&local, INGEST, &[], nothing.as_bytes()).await;
    assert_refused(&local, &nothing, 400, "InvalidArgument", files).await;
    assert_eq!(nothing.element("ArgumentName").as_deref(), Some("file"));
    let large = form.clone().with_field("x-ignore-large", &"x".repeat(20_480)).send(&local).await;
    let message = "Your POST request fields preceeding the upload file was too large.";
    assert_refused(&local, &large, 400, "MaxPostPreDataLengthExceeded", message).await;

    // What comes behind the file is ignored.
    let late_field = "\r\n------WebKitFormBoundaryqLzD1kLQiPzTQx8H\r\n\
        Content-Disposition: form-data; name=\"submit\"\r\n\r\nUpload";
    let body = [form.open_body(), late_field.as_bytes().to_vec(), end.to_vec()].concat();
    assert_eq!(post(&local, INGEST, &[], &body).await.status, StatusCode::NO_CONTENT);
    assert_eq!(post(&local, "no-such-bucket", &[], &body).await.refusal(), (404, "NoSuchBucket".to_owned()));
}

#[tokio::test]
async fn a_form_that_is_cut_off_was_never_there() {
    let local = Local::start().await;
    let form = PostForm::new("uploads/cut").with_file(&vec![b'\r'; 600_000]).sign(&operator());
    let body = form.body();
    let mut stream = tokio::net::TcpStream::connect(local.aws.address()).await.unwrap();
    let head = format!(
        "POST /{INGEST} HTTP/1.1\r\nhost: {}\r\ncontent-type: {}\r\ncontent-length: {}\r\n\r\n",
        local.aws.address(),
        content_type(),
        body.len(),
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.write_all(&body[..body.len() - 10]).await.unwrap();
    let objects = local.directory.path().join("objects");
    let files = || std::fs::read_dir(&objects).unwrap().count();
    until(|| files() == 1).await;
    stream.shutdown().await.unwrap();
    let mut rest = Vec::new();
    // Whether an answer still arrives does not matter.
    let _ = stream.read_to_end(&mut rest).await;
    drop(stream);
    until(|| files() == 0).await;
    assert!(local.operator_s3().head_object().bucket(INGEST).key("uploads/cut").send().await.is_err());
    assert_eq!(local.aws.queues().counts(QUEUE_ARN).unwrap().visible, 0);
}

#[tokio::test]
async fn the_page_that_sent_a_form_may_read_the_answer() {
    let local = Local::start().await;
    let form = PostForm::new("uploads/a").sign(&operator());
    let origin = [("origin", "https://app.example.com")];
    let broken = form.clone().replace("key", "elsewhere");
    for (form, status) in [(form, StatusCode::NO_CONTENT), (broken, StatusCode::FORBIDDEN)] {
        let answer = form.send_with(&local, &origin).await;
        assert_eq!(answer.status, status);
        assert_eq!(answer.header("access-control-allow-origin"), Some("https://app.example.com"));
        assert_eq!(answer.header("access-control-expose-headers"), Some("ETag"));
    }
}

#[tokio::test]
async fn the_platforms_own_forms_are_taken() {
    let local = Local::start().await;
    let function = local.function("Writer");
    let credentials = aws_credential_types::Credentials::new(
        function.access_key_id,
        function.secret_access_key,
        function.session_token,
        None,
        "test",
    );
    let configuration = aws_types::SdkConfig::builder()
        .behavior_version(aws_sdk_s3::config::BehaviorVersion::latest())
        .region(aws_sdk_s3::config::Region::new(REGION))
        .credentials_provider(aws_credential_types::provider::SharedCredentialsProvider::new(credentials))
        .endpoint_url(local.url())
        .http_client(aws_smithy_http_client::Builder::new().build_http())
        .build();
    let role = buckets::AssumedRole::new(&configuration, UPLOAD_ROLE_ARN, "upload-1");
    let signer = buckets::UploadSigner::new(&configuration, role, INGEST);
    let now = domain::Timestamp::from(std::time::SystemTime::now());
    let id = "0197a3b2-7c1d-7e40-9f00-0123456789ab";
    let upload = domain::Upload {
        id: id.parse().unwrap(),
        media_id: id.parse().unwrap(),
        owner_id: id.parse().unwrap(),
        slot: domain::Slot::Source,
        method: domain::UploadMethod::Put,
        state: domain::UploadState::Open,
        content_type: "video/mp4".parse().unwrap(),
        size: domain::DeclaredSize::exact(11),
        checksum_sha256: Some(SHA256.parse().unwrap()),
        checksum_crc64nvme: None,
        created_at: now,
        deadline: now,
        expires_at: None,
    };
    let presigned = signer.presign_post(&upload, &(11..=11), now).await.unwrap();
    assert_eq!(presigned.url, format!("{}/{INGEST}", local.url()));
    let form = PostForm { fields: presigned.fields, ..PostForm::new("") };
    let other = form.clone().with_file(b"hello wurld").send(&local).await;
    assert_eq!(other.refusal(), (400, "BadDigest".to_owned()));
    let longer = form.clone().with_file(b"hello world!").send(&local).await;
    assert_eq!(longer.refusal(), (400, "EntityTooLarge".to_owned()));
    assert_eq!(form.send(&local).await.status, StatusCode::NO_CONTENT);
    let key = format!("uploads/{id}/source");
    let head = local.operator_s3().head_object().bucket(INGEST).key(key).send().await.unwrap();
    assert_eq!((head.content_type(), head.content_length()), (Some("video/mp4"), Some(11)));
}
