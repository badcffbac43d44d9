//! S3 objects: what is written comes back, by range, by version, by condition.

use aws_sdk_s3::error::ProvideErrorMetadata;
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{ChecksumAlgorithm, ChecksumMode, ChecksumType, MetadataDirective};
use aws_smithy_types::DateTime;
use http::Method;
use local::aws::Aws;

use crate::support::{INGEST, Local, MEDIA, body};

type Client = aws_sdk_s3::Client;

async fn put(s3: &Client, bucket: &str, key: &str, body: &'static [u8]) -> String {
    let request = s3.put_object().bucket(bucket).key(key).body(ByteStream::from_static(body));
    request.send().await.unwrap().version_id().unwrap_or_default().to_owned()
}

#[tokio::test]
async fn what_is_stored_with_an_object_comes_back() {
    let local = Local::start().await;
    let s3 = local.operator_s3();
    let stored = s3
        .put_object()
        .bucket(MEDIA)
        .key("a")
        .body(ByteStream::from_static(b"hello world"))
        .content_type("text/plain")
        .cache_control("max-age=60")
        .content_disposition("inline")
        .content_encoding("identity")
        .content_language("en")
        .expires(DateTime::from_secs(2_000_000_000))
        .metadata("colour", "blue")
        .send()
        .await
        .unwrap();
    assert_eq!(stored.e_tag(), Some("\"5eb63bbbe01eeed093cb22bb8f5acdc3\""));
    assert_eq!(stored.version_id(), None);
    let local = local.restart().await;
    let s3 = local.operator_s3();
    let head = s3.head_object().bucket(MEDIA).key("a").send().await.unwrap();
    assert_eq!(head.content_length(), Some(11));
    assert_eq!(head.content_type(), Some("text/plain"));
    assert_eq!(head.cache_control(), Some("max-age=60"));
    assert_eq!(head.content_disposition(), Some("inline"));
    assert_eq!(head.content_encoding(), Some("identity"));
    assert_eq!(head.content_language(), Some("en"));
    assert_eq!(head.expires_string(), Some("Wed, 18 May 2033 03:33:20 GMT"));
    assert_eq!(head.metadata().unwrap()["colour"], "blue");
    assert_eq!(head.e_tag(), stored.e_tag());
    assert_eq!(body(&s3, MEDIA, "a").await.unwrap(), b"hello world");
    let overridden =
        s3.get_object().bucket(MEDIA).key("a").response_content_type("x/y").send().await.unwrap();
    assert_eq!(overridden.content_type(), Some("x/y"));
}

#[tokio::test]
async fn keys_are_data_and_never_paths() {
    let local = Local::start().await;
    let s3 = local.operator_s3();
    let keys = ["../x", "q", "q/r", "/leading", "a//b", "space and+plus%25", "é/ü", "./."];
    for key in keys {
        s3.put_object().bucket(MEDIA).key(key).body(key.as_bytes().to_vec().into()).send().await.unwrap();
    }
    for key in keys {
        assert_eq!(body(&s3, MEDIA, key).await.unwrap(), key.as_bytes(), "{key}");
    }
    let listed = s3.list_objects_v2().bucket(MEDIA).send().await.unwrap();
    let mut expected = keys.to_vec();
    expected.sort_unstable();
    assert_eq!(listed.contents().iter().map(|object| object.key().unwrap()).collect::<Vec<_>>(), expected);
}

#[tokio::test]
async fn a_range_is_a_part_and_one_outside_is_refused() {
    let local = Local::start().await;
    let s3 = local.operator_s3();
    put(&s3, MEDIA, "a", b"0123456789").await;
    let get = |range: &str| {
        let request = s3.get_object().bucket(MEDIA).key("a").range(range);
        async move { request.send().await }
    };
    for (range, expected, content_range) in [
        ("bytes=0-0", "0", "bytes 0-0/10"),
        ("bytes=2-4", "234", "bytes 2-4/10"),
        ("bytes=7-", "789", "bytes 7-9/10"),
        ("bytes=7-100", "789", "bytes 7-9/10"),
        ("bytes=-3", "789", "bytes 7-9/10"),
        ("bytes=-30", "0123456789", "bytes 0-9/10"),
    ] {
        let answer = get(range).await.unwrap();
        assert_eq!(answer.content_range(), Some(content_range));
        assert_eq!(answer.body.collect().await.unwrap().to_vec(), expected.as_bytes());
    }
    for range in ["bytes=10-", "bytes=10-11", "bytes=-0"] {
        let error = get(range).await.unwrap_err();
        assert_eq!(error.code(), Some("InvalidRange"), "{range}");
        let response = error.raw_response().unwrap();
        assert_eq!(response.status().as_u16(), 416);
        assert_eq!(response.headers().get("content-range"), Some("bytes */10"));
    }
    let head = s3.head_object().bucket(MEDIA).key("a").range("bytes=2-4").send().await.unwrap();
    assert_eq!((head.content_length(), head.content_range()), (Some(3), Some("bytes 2-4/10")));
    let calls = local.aws.calls().since(0);
    assert_eq!(calls[2].transfer.range.as_deref(), Some("bytes=2-4"));
    assert_eq!(calls[2].transfer.response_bytes, 3);
}

#[tokio::test]
async fn reads_are_conditional() {
    let local = Local::start().await;
    let s3 = local.operator_s3();
    put(&s3, MEDIA, "a", b"x").await;
    let e_tag = s3.head_object().bucket(MEDIA).key("a").send().await.unwrap().e_tag.unwrap();
    let get = || s3.get_object().bucket(MEDIA).key("a");
    get().if_match(&e_tag).send().await.unwrap();
    let error = get().if_match("\"other\"").send().await.unwrap_err();
    assert_eq!(error.code(), Some("PreconditionFailed"));
    let error = get().if_none_match(&e_tag).send().await.unwrap_err();
    let response = error.raw_response().unwrap();
    assert_eq!(response.status().as_u16(), 304);
    assert_eq!(response.headers().get("etag"), Some(e_tag.as_str()));
    assert_eq!(response.body().bytes(), Some(&b""[..]));
    let past = DateTime::from_secs(1_000_000_000);
    assert_eq!(get().if_unmodified_since(past).send().await.unwrap_err().code(), Some("PreconditionFailed"));
    get().if_modified_since(past).send().await.unwrap();
}

#[tokio::test]
async fn a_missing_key_is_404_only_for_those_who_may_list() {
    let local = Local::start().await;
    let error = local.operator_s3().get_object().bucket(MEDIA).key("allowed/x").send().await.unwrap_err();
    assert_eq!((error.code(), error.raw_response().unwrap().status().as_u16()), (Some("NoSuchKey"), 404));
    let writer = local.s3(&local.function("Writer"));
    let error = writer.get_object().bucket(MEDIA).key("allowed/x").send().await.unwrap_err();
    assert_eq!((error.code(), error.raw_response().unwrap().status().as_u16()), (Some("AccessDenied"), 403));
    assert_eq!(
        error.message().unwrap(),
        "User: arn:aws:sts::000000000000:assumed-role/stack-Writer-role/stack-Writer is not authorized to perform: \
         s3:ListBucket on resource: \"arn:aws:s3:::stack-media\" because no identity-based policy allows the \
         s3:ListBucket action"
    );
    let error = writer.head_object().bucket(MEDIA).key("allowed/x").send().await.unwrap_err();
    assert_eq!(error.raw_response().unwrap().status().as_u16(), 403);
    let error = writer.put_object().bucket(MEDIA).key("allowed/not/x").send().await.unwrap_err();
    assert!(error.message().unwrap().contains("with an explicit deny in an identity-based policy"));
    let error = local.operator_s3().get_object().bucket("no-such-bucket").key("x").send().await.unwrap_err();
    assert_eq!(error.code(), Some("NoSuchBucket"));
}

#[tokio::test]
async fn versions_are_kept_and_delete_markers_hide() {
    let local = Local::start().await;
    let s3 = local.operator_s3();
    let (first, second) = (put(&s3, INGEST, "a", b"1").await, put(&s3, INGEST, "a", b"2").await);
    assert_ne!(first, second);
    assert_eq!(body(&s3, INGEST, "a").await.unwrap(), b"2");
    let version = |id: &str| s3.get_object().bucket(INGEST).key("a").version_id(id).send();
    assert_eq!(version(&first).await.unwrap().body.collect().await.unwrap().to_vec(), b"1");

    let deleted = s3.delete_object().bucket(INGEST).key("a").send().await.unwrap();
    assert_eq!(deleted.delete_marker(), Some(true));
    let marker = deleted.version_id().unwrap();
    let error = s3.get_object().bucket(INGEST).key("a").send().await.unwrap_err();
    assert_eq!(error.code(), Some("NoSuchKey"));
    assert_eq!(error.raw_response().unwrap().headers().get("x-amz-delete-marker"), Some("true"));
    let error = version(marker).await.unwrap_err();
    assert_eq!(error.code(), Some("MethodNotAllowed"));
    assert!(s3.list_objects_v2().bucket(INGEST).send().await.unwrap().contents().is_empty());

    // Removing the marker brings the object back; removing the latest version, the one before.
    let remove = |id: &str| s3.delete_object().bucket(INGEST).key("a").version_id(id).send();
    assert_eq!(remove(marker).await.unwrap().delete_marker(), Some(true));
    assert_eq!(body(&s3, INGEST, "a").await.unwrap(), b"2");
    assert_eq!(remove(&second).await.unwrap().version_id(), Some(second.as_str()));
    assert_eq!(body(&s3, INGEST, "a").await.unwrap(), b"1");
    assert_eq!(version(&second).await.unwrap_err().code(), Some("NoSuchVersion"));
    assert_eq!(version("nonsense").await.unwrap_err().code(), Some("InvalidArgument"));
    remove(&second).await.unwrap();
    remove(&first).await.unwrap();
    let files = std::fs::read_dir(local.directory.path().join("objects")).unwrap().count();
    assert_eq!(files, 0, "no file outlives its object");
}

#[tokio::test]
async fn without_versions_a_write_replaces_and_a_delete_removes() {
    let local = Local::start().await;
    let s3 = local.operator_s3();
    put(&s3, MEDIA, "a", b"1").await;
    put(&s3, MEDIA, "a", b"2").await;
    assert_eq!(body(&s3, MEDIA, "a").await.unwrap(), b"2");
    let files = || std::fs::read_dir(local.directory.path().join("objects")).unwrap().count();
    assert_eq!(files(), 1);
    let deleted = s3.delete_object().bucket(MEDIA).key("a").send().await.unwrap();
    assert_eq!((deleted.delete_marker(), deleted.version_id()), (None, None));
    s3.delete_object().bucket(MEDIA).key("a").send().await.unwrap();
    assert_eq!(files(), 0);
}

#[tokio::test]
async fn a_copy_is_an_object_of_its_own() {
    let local = Local::start().await;
    let s3 = local.operator_s3();
    let request = s3.put_object().bucket(INGEST).key("a b+c").content_type("text/plain").metadata("k", "v");
    let first = request.body(ByteStream::from_static(b"1")).send().await.unwrap();
    let version = first.version_id().unwrap();
    put(&s3, INGEST, "a b+c", b"2").await;
    let source = format!("{INGEST}/a%20b%2Bc?versionId={version}");
    let copy = || s3.copy_object().bucket(MEDIA).key("copy").copy_source(&source);
    let copied = copy().copy_source_if_match(first.e_tag().unwrap()).send().await.unwrap();
    assert_eq!(copied.copy_source_version_id(), Some(version));
    assert_eq!(copied.copy_object_result().unwrap().e_tag(), first.e_tag());
    s3.delete_object().bucket(INGEST).key("a b+c").version_id(version).send().await.unwrap();
    assert_eq!(body(&s3, MEDIA, "copy").await.unwrap(), b"1");
    let head = s3.head_object().bucket(MEDIA).key("copy").send().await.unwrap();
    assert_eq!((head.content_type(), head.metadata().unwrap()["k"].as_str()), (Some("text/plain"), "v"));

    assert_eq!(copy().send().await.unwrap_err().code(), Some("NoSuchVersion"));
    let latest = s3.copy_object().bucket(MEDIA).key("copy").copy_source(format!("{INGEST}/a%20b%2Bc"));
    let error = latest.clone().copy_source_if_match("\"other\"").send().await.unwrap_err();
    assert_eq!(error.code(), Some("PreconditionFailed"));
    let replaced = latest.metadata_directive(MetadataDirective::Replace).content_type("x/y");
    replaced.send().await.unwrap();
    let head = s3.head_object().bucket(MEDIA).key("copy").send().await.unwrap();
    assert_eq!(
        (head.content_type(), head.metadata().map_or(0, std::collections::HashMap::len)),
        (Some("x/y"), 0)
    );
    let itself = s3.copy_object().bucket(MEDIA).key("copy").copy_source(format!("{MEDIA}/copy"));
    assert_eq!(itself.send().await.unwrap_err().code(), Some("InvalidRequest"));
}

#[tokio::test]
async fn a_copy_needs_both_permissions() {
    let local = Local::start().await;
    put(&local.operator_s3(), INGEST, "uploads/a", b"1").await;
    let writer = local.s3(&local.function("Writer"));
    let source = format!("{INGEST}/uploads/a");
    let error =
        writer.copy_object().bucket(MEDIA).key("allowed/a").copy_source(source).send().await.unwrap_err();
    assert!(
        error
            .message()
            .unwrap()
            .contains("s3:GetObject on resource: \"arn:aws:s3:::stack-ingest/uploads/a\"")
    );
    put(&writer, MEDIA, "allowed/a", b"1").await;
    let source = format!("{MEDIA}/allowed/a");
    let copy = |key: &str| writer.copy_object().bucket(MEDIA).key(key).copy_source(&source).send();
    let error = copy("elsewhere").await.unwrap_err();
    assert!(
        error.message().unwrap().contains("s3:PutObject on resource: \"arn:aws:s3:::stack-media/elsewhere\"")
    );
    copy("allowed/b").await.unwrap();
}

#[tokio::test]
async fn the_declared_checksum_is_verified_stored_and_returned() {
    let local = Local::start().await;
    let s3 = local.operator_s3();
    let put = || s3.put_object().bucket(MEDIA).key("a").body(ByteStream::from_static(b"hello world"));
    let sha256 = "uU0nuZNNPgilLlLX2n2r+sSE7+N6U4DukIj3rOLvzek=";
    let stored = put().checksum_sha256(sha256).send().await.unwrap();
    assert_eq!(stored.checksum_sha256(), Some(sha256));
    let head =
        |mode: Option<ChecksumMode>| s3.head_object().bucket(MEDIA).key("a").set_checksum_mode(mode).send();
    let enabled = head(Some(ChecksumMode::Enabled)).await.unwrap();
    assert_eq!(enabled.checksum_sha256(), Some(sha256));
    assert_eq!(enabled.checksum_crc64_nvme(), None, "S3 keeps one checksum: the declared one");
    assert_eq!(enabled.checksum_type(), Some(&ChecksumType::FullObject));
    assert_eq!(head(None).await.unwrap().checksum_sha256(), None);

    let other = "ypeBEsobvcr6wjGzmiPcTaeG7/gUfE5yuYB3ha/uSLs=";
    assert_eq!(put().checksum_sha256(other).send().await.unwrap_err().code(), Some("BadDigest"));
    assert_eq!(put().checksum_sha256("short").send().await.unwrap_err().code(), Some("InvalidRequest"));
    let algorithms = [
        (ChecksumAlgorithm::Crc32, "DUoRhQ=="),
        (ChecksumAlgorithm::Crc32C, "yZRlqg=="),
        (ChecksumAlgorithm::Crc64Nvme, "jSnVw/bqjr4="),
    ];
    for (algorithm, expected) in algorithms {
        let stored = put().checksum_algorithm(algorithm.clone()).send().await.unwrap();
        let value = match algorithm {
            ChecksumAlgorithm::Crc32 => stored.checksum_crc32(),
            ChecksumAlgorithm::Crc32C => stored.checksum_crc32_c(),
            _ => stored.checksum_crc64_nvme(),
        };
        assert_eq!(value, Some(expected), "{algorithm}");
    }
    let md5 = put().content_md5("XrY7u+Ae7tCTyyK7j1rNww==").send().await;
    md5.unwrap();
    assert_eq!(
        put().content_md5("1B2M2Y8AsgTpgAmY7PhCfg==").send().await.unwrap_err().code(),
        Some("BadDigest")
    );
    assert_eq!(put().content_md5("nonsense").send().await.unwrap_err().code(), Some("InvalidDigest"));
}

/// "PutObject" and "UploadPart" in the S3 API reference: the header promises that a checksum comes.
#[tokio::test]
async fn the_algorithm_that_the_sdk_names_has_to_come() {
    const SHA256: (&str, &str) = ("x-amz-sdk-checksum-algorithm", "SHA256");
    const UNKNOWN: (&str, &str) = ("x-amz-sdk-checksum-algorithm", "MD4");
    const CRC32: (&str, &str) = ("x-amz-checksum-crc32", "AAAAAA==");
    let local = Local::start().await;
    let s3 = local.operator_s3();
    let upload = s3.create_multipart_upload().bucket(MEDIA).key("a").send().await.unwrap();
    let part = format!("/{MEDIA}/a?partNumber=1&uploadId={}", upload.upload_id().unwrap());
    for (headers, message) in [
        (&[SHA256][..], "no corresponding x-amz-checksum-* or x-amz-trailer"),
        (&[SHA256, CRC32][..], "x-amz-sdk-checksum-algorithm header is invalid"),
        (&[UNKNOWN, CRC32][..], "x-amz-sdk-checksum-algorithm header is invalid"),
    ] {
        for target in [&format!("/{MEDIA}/a"), &part] {
            let refused = local.s3_refuses(&Aws::operator_credentials(), Method::PUT, target, headers).await;
            assert_eq!((refused.status, refused.code.as_str()), (400, "InvalidRequest"), "{headers:?}");
            assert!(refused.message.contains(message), "{refused:?}");
        }
    }
    assert_eq!(body(&s3, MEDIA, "a").await, None);
}

#[tokio::test]
async fn lists_page_and_fold() {
    let local = Local::start().await;
    let s3 = local.operator_s3();
    for key in ["a", "b/1", "b/2", "b/c/3", "b-x", "d", "é"] {
        put(&s3, MEDIA, key, b"").await;
    }
    let list = || s3.list_objects_v2().bucket(MEDIA);
    let folded = list().delimiter("/").send().await.unwrap();
    let keys = |answer: &aws_sdk_s3::operation::list_objects_v2::ListObjectsV2Output| {
        let keys = answer.contents().iter().map(|object| object.key().unwrap().to_owned());
        let prefixes = answer.common_prefixes().iter().map(|prefix| prefix.prefix().unwrap().to_owned());
        keys.chain(prefixes).collect::<Vec<_>>()
    };
    assert_eq!(keys(&folded), ["a", "b-x", "d", "é", "b/"]);
    assert_eq!(folded.key_count(), Some(5));
    assert_eq!(keys(&list().prefix("b/").delimiter("/").send().await.unwrap()), ["b/1", "b/2", "b/c/"]);
    assert_eq!(keys(&list().prefix("b").start_after("b/1").send().await.unwrap()), ["b/2", "b/c/3"]);
    let mut seen = Vec::new();
    let mut token = None;
    loop {
        let page = list().delimiter("/").max_keys(1).set_continuation_token(token).send().await.unwrap();
        assert_eq!(page.key_count(), Some(1));
        seen.extend(keys(&page));
        token = page.next_continuation_token().map(str::to_owned);
        if token.is_none() {
            assert_eq!(page.is_truncated(), Some(false));
            break;
        }
    }
    assert_eq!(seen, ["a", "b-x", "b/", "d", "é"]);
    assert_eq!(list().continuation_token("%").send().await.unwrap_err().code(), Some("InvalidArgument"));
    s3.head_bucket().bucket(MEDIA).send().await.unwrap();
    let buckets = s3.list_buckets().send().await.unwrap();
    assert_eq!(
        buckets.buckets().iter().filter_map(|bucket| bucket.name()).collect::<Vec<_>>(),
        [INGEST, MEDIA]
    );
}

#[tokio::test]
async fn what_is_not_implemented_is_refused_by_name() {
    let local = Local::start().await;
    let s3 = local.operator_s3();
    let error = s3.put_object().bucket(MEDIA).key("a").tagging("a=b").send().await.unwrap_err();
    assert_eq!(error.code(), Some("NotImplemented"));
    assert!(error.message().unwrap().contains("x-amz-tagging"));
    let error = s3.list_object_versions().bucket(MEDIA).send().await.unwrap_err();
    assert!(error.message().unwrap().contains("ListObjectVersions"));
}
