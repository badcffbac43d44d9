//! Cross-origin requests: "Using cross-origin resource sharing (CORS)" in the S3 user guide.

use http::{Method, StatusCode};
use local::stack::{BucketCorsRule, Stack};

use crate::support::{Answer, INGEST, Local, MEDIA, send, stack};

const NOT_ALLOWED: &str = "CORSResponse: This CORS request is not allowed. This is usually because the evalution of \
    Origin, request method / Access-Control-Request-Method or Access-Control-Request-Headers are not whitelisted by \
    the resource's CORS spec.";
const VARY: &str = "Origin, Access-Control-Request-Headers, Access-Control-Request-Method";

fn rule(
    origins: &[&str],
    methods: &[&str],
    headers: &[&str],
    exposed: &[&str],
    age: Option<u64>,
) -> BucketCorsRule {
    let texts = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
    BucketCorsRule {
        allowed_origins: texts(origins),
        allowed_methods: texts(methods),
        allowed_headers: texts(headers),
        exposed_headers: texts(exposed),
        max_age_seconds: age,
    }
}

/// The ingest bucket has rules for one origin, for another by wildcard, and for all; the media bucket has none.
fn stack_with_rules() -> Stack {
    let mut stack = stack();
    let ingest = stack.buckets.iter_mut().find(|bucket| bucket.name == INGEST).unwrap();
    ingest.cors_rules = vec![
        rule(&["https://app.example.com"], &["PUT", "POST"], &["*"], &["ETag"], Some(7200)),
        rule(&["http://*.localhost"], &["GET"], &["x-AMZ-*", "Range"], &["ETag", "Content-Range"], None),
        rule(&["*"], &["GET", "HEAD"], &["range"], &[], Some(60)),
    ];
    stack
}

async fn ask(local: &Local, method: Method, path: &str, headers: &[(&str, &str)]) -> Answer {
    send(method, &format!("{}/{path}", local.url()), headers, b"").await
}

async fn preflight(local: &Local, origin: &str, method: &str, headers: &str) -> Answer {
    let mut all = vec![("origin", origin), ("access-control-request-method", method)];
    if !headers.is_empty() {
        all.push(("access-control-request-headers", headers));
    }
    ask(local, Method::OPTIONS, &format!("{INGEST}/uploads/a"), &all).await
}

/// Each `Access-Control-` header without that start, and its value.
fn allowed(answer: &Answer) -> Vec<(String, String)> {
    let mut headers: Vec<(String, String)> = answer
        .headers
        .iter()
        .filter_map(|(name, value)| {
            let name = name.as_str().strip_prefix("access-control-")?;
            Some((name.to_owned(), value.to_str().unwrap().to_owned()))
        })
        .collect();
    headers.sort();
    headers
}

fn are(expected: &[(&str, &str)]) -> Vec<(String, String)> {
    expected.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

#[tokio::test]
async fn a_preflight_is_answered_by_the_first_rule_that_covers_it() {
    let local = Local::start_with(&stack_with_rules()).await;
    let exact = preflight(&local, "https://app.example.com", "PUT", "Content-Type, if-none-match").await;
    assert_eq!((exact.status, exact.body.len()), (StatusCode::OK, 0));
    assert_eq!(exact.header("vary"), Some(VARY));
    let expected = [
        ("allow-credentials", "true"),
        ("allow-headers", "content-type, if-none-match"),
        ("allow-methods", "PUT, POST"),
        ("allow-origin", "https://app.example.com"),
        ("expose-headers", "ETag"),
        ("max-age", "7200"),
    ];
    assert_eq!(allowed(&exact), are(&expected));

    let part = preflight(&local, "http://a.b.localhost", "GET", "X-Amz-Date,RANGE").await;
    let expected = [
        ("allow-credentials", "true"),
        ("allow-headers", "x-amz-date, range"),
        ("allow-methods", "GET"),
        ("allow-origin", "http://a.b.localhost"),
        ("expose-headers", "ETag, Content-Range"),
    ];
    assert_eq!(allowed(&part), are(&expected));

    // What may be read by every page is sent without credentials.
    let any = preflight(&local, "null", "HEAD", "").await;
    let expected = [("allow-methods", "GET, HEAD"), ("allow-origin", "*"), ("max-age", "60")];
    assert_eq!(allowed(&any), are(&expected));
    assert_eq!(any.header("vary"), Some(VARY));
}

#[tokio::test]
async fn a_preflight_that_no_rule_covers_is_refused() {
    let local = Local::start_with(&stack_with_rules()).await;
    for (origin, method, headers) in [
        ("https://app.example.com", "DELETE", ""),
        ("https://app.example.com:8443", "PUT", ""),
        ("http://app.example.com", "PUT", ""),
        ("http://localhost", "GET", "x-amz-date"),
        ("http://a.localhost", "GET", "x-amz-date, authorization"),
        ("https://other.example.com", "PUT", ""),
    ] {
        let answer = preflight(&local, origin, method, headers).await;
        assert_eq!((answer.status, answer.code().as_str()), (StatusCode::FORBIDDEN, "AccessForbidden"));
        let text = answer.text().replace("&apos;", "'");
        assert!(text.contains(NOT_ALLOWED), "{text}");
        assert!(
            text.contains(&format!("<Method>{method}</Method><ResourceType>OBJECT</ResourceType>")),
            "{text}"
        );
        assert_eq!(allowed(&answer), []);
    }
}

#[tokio::test]
async fn a_preflight_names_its_origin_and_a_method() {
    let local = Local::start_with(&stack_with_rules()).await;
    let origin = ("origin", "https://app.example.com");
    let method = ("access-control-request-method", "PUT");
    for (path, headers, status, code, message) in [
        (INGEST, vec![method], 400, "BadRequest", "Insufficient information. Origin request header needed."),
        (INGEST, vec![origin], 400, "BadRequest", "Invalid Access-Control-Request-Method: null"),
        (
            INGEST,
            vec![origin, ("access-control-request-method", "PATCH")],
            400,
            "BadRequest",
            "Invalid Access-Control-Request-Method: PATCH",
        ),
        (
            MEDIA,
            vec![origin, method],
            403,
            "AccessForbidden",
            "CORSResponse: CORS is not enabled for this bucket.",
        ),
        ("none", vec![origin], 403, "AccessForbidden", "CORSResponse: Bucket not found"),
    ] {
        let answer = ask(&local, Method::OPTIONS, path, &headers).await;
        assert_eq!((answer.status.as_u16(), answer.code().as_str()), (status, code), "{path} {headers:?}");
        assert!(answer.text().contains(&format!("<Message>{message}</Message>")), "{}", answer.text());
    }
}

#[tokio::test]
async fn an_answer_carries_the_rule_that_covers_its_request() {
    let local = Local::start_with(&stack_with_rules()).await;
    let s3 = local.operator_s3();
    s3.put_object().bucket(INGEST).key("uploads/a").send().await.unwrap();
    let presigning = aws_sdk_s3::presigning::PresigningConfig::expires_in(std::time::Duration::from_mins(1));
    let get = s3.get_object().bucket(INGEST).key("uploads/a").presigned(presigning.unwrap()).await.unwrap();
    let expected = [
        ("allow-credentials", "true"),
        ("allow-methods", "GET"),
        ("allow-origin", "http://a.localhost"),
        ("expose-headers", "ETag, Content-Range"),
    ];
    let answer = local.send_presigned(&get, &[("origin", "http://a.localhost")], b"").await;
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(allowed(&answer), are(&expected));
    assert_eq!(answer.header("vary"), Some(VARY));
    let answer = local.send_presigned(&get, &[("origin", "https://app.example.com")], b"").await;
    assert_eq!(answer.header("access-control-allow-origin"), Some("*"), "by the last rule");
    assert_eq!(answer.header("access-control-max-age"), Some("60"));
    // Nothing is said to a request from nowhere, nor to one that asks for more than a rule allows.
    for headers in [
        &[][..],
        &[("origin", "http://a.localhost"), ("access-control-request-headers", "authorization")],
        &[("origin", "http://a.localhost"), ("access-control-request-method", "PUT")],
    ] {
        let answer = local.send_presigned(&get, headers, b"").await;
        assert_eq!(answer.status, StatusCode::OK);
        assert_eq!((allowed(&answer), answer.header("vary")), (Vec::new(), None));
    }
    // A refusal can be read too.
    let answer =
        ask(&local, Method::GET, &format!("{INGEST}/uploads/a"), &[("origin", "http://a.localhost")]).await;
    assert_eq!(answer.status, StatusCode::FORBIDDEN);
    assert_eq!(allowed(&answer), are(&expected));
}
