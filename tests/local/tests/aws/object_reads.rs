//! How S3 answers reads, lists and copies in detail. Follows the pages of `GetObject`, `HeadObject`, `ListObjectsV2` and
//! `CopyObject` in the Amazon S3 API reference, and "Error responses".

use aws_sdk_s3::Client;
use aws_sdk_s3::presigning::PresigningConfig;
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::EncodingType;
use aws_smithy_types::DateTime;
use aws_smithy_types::date_time::Format;
use http::{Method, StatusCode};
use local::aws::Aws;
use std::time::Duration;

use crate::support::{INGEST, Local, MEDIA, Refused, send};

async fn put(s3: &Client, bucket: &str, key: &str, body: &'static [u8]) -> String {
    let request = s3.put_object().bucket(bucket).key(key).body(ByteStream::from_static(body));
    request.send().await.unwrap().e_tag().unwrap().to_owned()
}

/// The conditions of a read or of a copy's source, and whether each holds.
#[derive(Debug, Clone, Copy)]
struct Conditions {
    if_match: Option<bool>,
    if_none_match: Option<bool>,
    if_modified_since: Option<bool>,
    if_unmodified_since: Option<bool>,
}

const NONE: Conditions =
    Conditions { if_match: None, if_none_match: None, if_modified_since: None, if_unmodified_since: None };

/// Each with the status of a read; a copy answers 412 where a read answers 304.
fn precedence() -> [(Conditions, u16); 12] {
    let (yes, no) = (Some(true), Some(false));
    [
        (NONE, 200),
        (Conditions { if_match: yes, ..NONE }, 200),
        (Conditions { if_match: no, ..NONE }, 412),
        (Conditions { if_none_match: yes, ..NONE }, 200),
        (Conditions { if_none_match: no, ..NONE }, 304),
        (Conditions { if_modified_since: yes, ..NONE }, 200),
        (Conditions { if_modified_since: no, ..NONE }, 304),
        (Conditions { if_unmodified_since: no, ..NONE }, 412),
        // The two combinations that the reference tells of.
        (Conditions { if_match: yes, if_unmodified_since: no, ..NONE }, 200),
        (Conditions { if_none_match: no, if_modified_since: yes, ..NONE }, 304),
        (Conditions { if_none_match: yes, if_modified_since: no, ..NONE }, 200),
        (Conditions { if_match: no, if_none_match: no, ..NONE }, 412),
    ]
}

struct Given {
    matches: Option<String>,
    none_match: Option<String>,
    modified_since: Option<DateTime>,
    unmodified_since: Option<DateTime>,
}

impl Given {
    fn of(conditions: Conditions, e_tag: &str, last_modified: DateTime) -> Given {
        let tag = |is_own: bool| if is_own { e_tag.to_owned() } else { "\"other\"".to_owned() };
        let earlier = DateTime::from_secs(last_modified.secs() - 60);
        let date = |is_earlier: bool| if is_earlier { earlier } else { last_modified };
        Given {
            matches: conditions.if_match.map(tag),
            none_match: conditions.if_none_match.map(|holds| tag(!holds)),
            modified_since: conditions.if_modified_since.map(date),
            unmodified_since: conditions.if_unmodified_since.map(|holds| date(!holds)),
        }
    }
}

#[tokio::test]
async fn conditions_have_the_precedence_of_the_reference() {
    let local = Local::start().await;
    let s3 = local.operator_s3();
    let e_tag = put(&s3, MEDIA, "a", b"x").await;
    let head = s3.head_object().bucket(MEDIA).key("a").send().await.unwrap();
    for (conditions, expected) in precedence() {
        let given = Given::of(conditions, &e_tag, *head.last_modified().unwrap());
        let get = s3
            .get_object()
            .bucket(MEDIA)
            .key("a")
            .set_if_match(given.matches.clone())
            .set_if_none_match(given.none_match.clone())
            .set_if_modified_since(given.modified_since)
            .set_if_unmodified_since(given.unmodified_since);
        let status = get.send().await.map_or_else(|error| Refused::of(error).status, |_| 200);
        assert_eq!(status, expected, "GetObject {conditions:?}");
        let head = s3
            .head_object()
            .bucket(MEDIA)
            .key("a")
            .set_if_match(given.matches.clone())
            .set_if_none_match(given.none_match.clone())
            .set_if_modified_since(given.modified_since)
            .set_if_unmodified_since(given.unmodified_since);
        let status = head.send().await.map_or_else(|error| Refused::of(error).status, |_| 200);
        assert_eq!(status, expected, "HeadObject {conditions:?}");
        let copy = s3
            .copy_object()
            .bucket(MEDIA)
            .key("copy")
            .copy_source(format!("{MEDIA}/a"))
            .set_copy_source_if_match(given.matches)
            .set_copy_source_if_none_match(given.none_match)
            .set_copy_source_if_modified_since(given.modified_since)
            .set_copy_source_if_unmodified_since(given.unmodified_since);
        let status = copy.send().await.map_or_else(|error| Refused::of(error).status, |_| 200);
        assert_eq!(status, if expected == 304 { 412 } else { expected }, "CopyObject {conditions:?}");
    }
}

/// RFC 9110, section 13.1.5. A browser sends it when it resumes a download.
#[tokio::test]
async fn a_range_of_another_version_is_not_sent() {
    let local = Local::start().await;
    let s3 = local.operator_s3();
    let e_tag = put(&s3, MEDIA, "a", b"0123456789").await;
    let head = s3.head_object().bucket(MEDIA).key("a").send().await.unwrap();
    let date = head.last_modified().unwrap().fmt(Format::HttpDate).unwrap();
    let expires = PresigningConfig::expires_in(Duration::from_mins(1)).unwrap();
    let url = s3.get_object().bucket(MEDIA).key("a").presigned(expires).await.unwrap();
    for (condition, expected) in [
        (e_tag.as_str(), StatusCode::PARTIAL_CONTENT),
        (&date, StatusCode::PARTIAL_CONTENT),
        ("\"other\"", StatusCode::OK),
        (&format!("W/{e_tag}"), StatusCode::OK),
        ("Fri, 24 Jan 2020 12:00:00 GMT", StatusCode::OK),
    ] {
        let answer =
            local.send_presigned(&url, &[("range", "bytes=2-4"), ("if-range", condition)], b"").await;
        assert_eq!(answer.status, expected, "{condition}");
        let body: &[u8] = if expected == StatusCode::OK { b"0123456789" } else { b"234" };
        assert_eq!(&answer.body[..], body, "{condition}");
    }
    // Several ranges, another unit, and what is no range: the whole object.
    for range in ["bytes=0-1,3-4", "bytes=0-1, -1", "lines=0-1", "bytes=4-2", "bytes=a-b", "bytes=-"] {
        let answer = local.send_presigned(&url, &[("range", range)], b"").await;
        assert_eq!((answer.status, answer.body.len()), (StatusCode::OK, 10), "{range}");
        assert_eq!(answer.header("content-range"), None, "{range}");
    }
    let answer = local.send_presigned(&url, &[("range", "bytes=10-")], b"").await;
    assert_eq!(answer.status, StatusCode::RANGE_NOT_SATISFIABLE);
    assert_eq!(
        (answer.code().as_str(), answer.header("content-range")),
        ("InvalidRange", Some("bytes */10"))
    );
}

#[tokio::test]
async fn errors_of_head_have_no_body() {
    let local = Local::start().await;
    let s3 = local.operator_s3();
    put(&s3, MEDIA, "a", b"x").await;
    let expires = || PresigningConfig::expires_in(Duration::from_mins(1)).unwrap();
    let missing = s3.head_object().bucket(MEDIA).key("none").presigned(expires()).await.unwrap();
    let outside =
        s3.head_object().bucket(MEDIA).key("a").range("bytes=5-").presigned(expires()).await.unwrap();
    let changed =
        s3.head_object().bucket(MEDIA).key("a").if_match("\"b\"").presigned(expires()).await.unwrap();
    let denied =
        local.s3(&local.function("Nobody")).head_object().bucket(MEDIA).key("a").presigned(expires()).await;
    for (presigned, status) in [(missing, 404), (outside, 416), (changed, 412), (denied.unwrap(), 403)] {
        let answer = local.send_presigned(&presigned, &[], b"").await;
        assert_eq!((answer.status.as_u16(), answer.body.len()), (status, 0), "{answer:?}");
    }
}

#[tokio::test]
async fn versions_are_found_or_told_apart() {
    let local = Local::start().await;
    let s3 = local.operator_s3();
    put(&s3, INGEST, "a", b"x").await;
    let version = s3.head_object().bucket(INGEST).key("a").send().await.unwrap().version_id.unwrap();
    let marker = s3.delete_object().bucket(INGEST).key("a").send().await.unwrap().version_id.unwrap();
    let unknown: String = version.chars().rev().collect();
    for (bucket, key, id, status, code) in [
        (INGEST, "a", marker.as_str(), 405, "MethodNotAllowed"),
        (INGEST, "a", &unknown, 404, "NoSuchVersion"),
        (INGEST, "b", &version, 404, "NoSuchVersion"),
        (INGEST, "a", "null", 404, "NoSuchVersion"),
        (MEDIA, "a", &unknown, 404, "NoSuchVersion"),
        (INGEST, "a", "nonsense", 400, "InvalidArgument"),
        (INGEST, "a", "", 400, "InvalidArgument"),
    ] {
        let refused =
            Refused::of(s3.get_object().bucket(bucket).key(key).version_id(id).send().await.unwrap_err());
        assert_eq!((refused.status, refused.code.as_str()), (status, code), "{id}: {refused:?}");
        if !id.is_empty() {
            let head = s3.head_object().bucket(bucket).key(key).version_id(id).send().await;
            assert_eq!(Refused::of(head.unwrap_err()).status, status, "{id}");
        }
    }
    let error = s3.get_object().bucket(INGEST).key("a").version_id(&marker).send().await.unwrap_err();
    let response = error.raw_response().unwrap();
    assert_eq!(response.headers().get("x-amz-delete-marker"), Some("true"));
    assert_eq!(response.headers().get("allow"), Some("DELETE"));
}

#[tokio::test]
async fn names_and_metadata_have_their_limits() {
    let local = Local::start().await;
    let s3 = local.operator_s3();
    let put = |key: String| s3.put_object().bucket(MEDIA).key(key);
    put("k".repeat(1024)).send().await.unwrap();
    put("é".repeat(512)).send().await.unwrap();
    for key in ["k".repeat(1025), "é".repeat(513)] {
        let refused = Refused::of(put(key).send().await.unwrap_err());
        assert_eq!((refused.status, refused.code.as_str()), (400, "KeyTooLongError"));
    }
    // 2 KB of names and values together, without the prefix of the names.
    let with = |bytes: usize| put("m".to_owned()).metadata("name", "v".repeat(bytes - 4)).send();
    with(2048).await.unwrap();
    let refused = Refused::of(with(2049).await.unwrap_err());
    assert_eq!((refused.status, refused.code.as_str()), (400, "MetadataTooLarge"));
    let source = format!("{MEDIA}/m");
    let copy = s3.copy_object().bucket(MEDIA).key("n").copy_source(source).metadata("name", "v".repeat(3000));
    assert_eq!(Refused::of(copy.send().await.unwrap_err()).code, "MetadataTooLarge");
    let create = s3.create_multipart_upload().bucket(MEDIA).key("n").metadata("name", "v".repeat(2045));
    assert_eq!(Refused::of(create.send().await.unwrap_err()).code, "MetadataTooLarge");
}

#[tokio::test]
async fn lists_take_their_parameters_at_their_word() {
    let local = Local::start().await;
    let s3 = local.operator_s3();
    for key in ["a b", "dir/é", "dir/x+y", "z"] {
        put(&s3, MEDIA, key, b"").await;
    }
    let list = || s3.list_objects_v2().bucket(MEDIA);
    let keys = |answer: &aws_sdk_s3::operation::list_objects_v2::ListObjectsV2Output| -> Vec<String> {
        answer.contents().iter().map(|object| object.key().unwrap().to_owned()).collect()
    };
    let none = list().max_keys(0).send().await.unwrap();
    assert_eq!((none.key_count(), none.is_truncated(), none.max_keys()), (Some(0), Some(false), Some(0)));
    let all = list().max_keys(5000).send().await.unwrap();
    assert_eq!((all.key_count(), all.max_keys()), (Some(4), Some(1000)));
    assert!(all.contents().iter().all(|object| object.owner().is_none()));
    let owned = list().fetch_owner(true).send().await.unwrap();
    assert!(owned.contents().iter().all(|object| object.owner().unwrap().id().is_some()));
    let encoded = list().encoding_type(EncodingType::Url).prefix("dir/").send().await.unwrap();
    assert_eq!(
        keys(&encoded),
        ["dir/%C3%A9", "dir/x%2By"].map(str::to_owned).into_iter().rev().collect::<Vec<_>>()
    );
    assert_eq!(encoded.prefix(), Some("dir/"));

    let first = list().max_keys(1).send().await.unwrap();
    let token = first.next_continuation_token().unwrap().to_owned();
    // A token counts more than where to start.
    let second = list().continuation_token(&token).start_after("y").send().await.unwrap();
    assert_eq!(keys(&second), ["dir/x+y", "dir/é", "z"]);
    let mut changed: Vec<char> = token.chars().collect();
    let position = changed.iter().rposition(|one| *one != '=').unwrap() - 1;
    changed[position] = if changed[position] == 'A' { 'B' } else { 'A' };
    for wrong in
        [changed.into_iter().collect::<String>(), token[..token.len() / 2].to_owned(), "YQ==".to_owned()]
    {
        let refused = Refused::of(list().continuation_token(&wrong).send().await.unwrap_err());
        assert_eq!((refused.status, refused.code.as_str()), (400, "InvalidArgument"), "{wrong}");
    }
    let operator = Aws::operator_credentials();
    for parameter in ["max-keys=-1", "max-keys=x", "encoding-type=base64"] {
        let target = format!("/{MEDIA}?list-type=2&{parameter}");
        let refused = local.s3_refuses(&operator, Method::GET, &target, &[]).await;
        assert_eq!(
            (refused.status, refused.code.as_str()),
            (400, "InvalidArgument"),
            "{parameter}: {refused:?}"
        );
    }
}

#[tokio::test]
async fn nobody_reads_without_a_signature() {
    let local = Local::start().await;
    put(&local.operator_s3(), MEDIA, "a", b"x").await;
    for (method, target) in [
        (Method::GET, format!("{MEDIA}/a")),
        (Method::GET, format!("{MEDIA}/a?response-content-type=text/html")),
        (Method::HEAD, format!("{MEDIA}/a")),
        (Method::PUT, format!("{MEDIA}/a")),
        (Method::DELETE, format!("{MEDIA}/a")),
        (Method::GET, format!("{MEDIA}?list-type=2")),
        (Method::GET, String::new()),
    ] {
        let answer = send(method.clone(), &format!("{}/{target}", local.url()), &[], b"").await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN, "{method} {target}");
        if method != Method::HEAD {
            assert_eq!(answer.code(), "AccessDenied", "{method} {target}");
        }
    }
}

/// `CopyObject`: at most 5 GB at once. The size is made up, since nobody wants to upload that much.
#[tokio::test]
async fn a_copy_is_not_larger_than_one_request_may_copy() {
    let local = Local::start().await;
    let s3 = local.operator_s3();
    put(&s3, MEDIA, "a", b"x").await;
    let database = rusqlite::Connection::open(local.directory.path().join("aws.sqlite")).unwrap();
    let resize = |bytes: i64| database.execute("UPDATE object SET size_bytes = ?1 WHERE key = 'a'", [bytes]);
    let copy = || s3.copy_object().bucket(MEDIA).key("b").copy_source(format!("{MEDIA}/a")).send();
    assert_eq!(resize(5_368_709_121).unwrap(), 1);
    let refused = Refused::of(copy().await.unwrap_err());
    assert_eq!((refused.status, refused.code.as_str()), (400, "InvalidRequest"));
    resize(5_368_709_120).unwrap();
    copy().await.unwrap();
}
