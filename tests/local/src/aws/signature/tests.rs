#![allow(clippy::unwrap_used, clippy::expect_used)]

mod s3_examples;
mod suite;

use http::{HeaderMap, HeaderName, HeaderValue, Method, Uri};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use time::{Duration, OffsetDateTime};

use self::suite::{SUITE, Vector};
use super::{Authorization, CredentialScope, Path, SignatureError, SignedRequest, parse_time, sha256};

const ACCESS_KEY_ID: &str = "AKIDEXAMPLE";
const SECRET: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
const TIME: &str = "20150830T123600Z";

/// A request of the suite that can be changed.
#[derive(Clone)]
struct Request {
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    path: Path,
    payload_sha256: String,
    authorization: Authorization,
}

impl Request {
    /// As it is signed in its header.
    fn in_header(vector: &Vector) -> Request {
        let mut headers = HeaderMap::new();
        let dates = [("host", "example.amazonaws.com"), ("x-amz-date", TIME)];
        for (name, value) in dates.iter().chain(vector.headers) {
            headers.append(HeaderName::from_static(name), HeaderValue::from_static(value));
        }
        let header = format!(
            "AWS4-HMAC-SHA256 Credential={ACCESS_KEY_ID}/20150830/us-east-1/service/aws4_request, \
             SignedHeaders={}, Signature={}",
            vector.signed_headers, vector.signature
        );
        Request {
            method: vector.method.parse().unwrap(),
            uri: vector.uri.parse().unwrap(),
            headers,
            path: vector.path,
            payload_sha256: sha256(vector.body.as_bytes()),
            authorization: Authorization::parse(&header).unwrap(),
        }
    }

    /// As it is signed in its query; `None` where it is not.
    fn in_query(vector: &Vector) -> Option<Request> {
        if vector.query_signature.is_empty() {
            return None;
        }
        let mut request = Request::in_header(vector);
        let encode = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
        request.headers.remove("x-amz-content-sha256");
        request.headers.remove("x-amz-date");
        let token = request.headers.remove("x-amz-security-token");
        let signed_headers = request.authorization.signed_headers.iter();
        let signed_headers: Vec<String> =
            signed_headers.filter(|name| request.headers.contains_key(name.as_str())).cloned().collect();
        let credential = format!("{ACCESS_KEY_ID}/20150830/us-east-1/service/aws4_request");
        let mut uri = format!(
            "{}{}X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential={}&X-Amz-Date={TIME}&X-Amz-Expires=3600\
             &X-Amz-SignedHeaders={}&X-Amz-Signature={}",
            vector.uri,
            if vector.uri.contains('?') { '&' } else { '?' },
            encode(&credential),
            encode(&signed_headers.join(";")),
            vector.query_signature,
        );
        if let Some(token) = token {
            uri.extend(["&X-Amz-Security-Token=", &encode(token.to_str().unwrap())]);
        }
        request.uri = uri.parse().unwrap();
        vector.query_signature.clone_into(&mut request.authorization.signature);
        request.authorization.signed_headers = signed_headers;
        Some(request)
    }

    fn compare(&self) -> Result<(), SignatureError> {
        self.signed().compare(&self.authorization, TIME, SECRET)
    }

    fn verify_at(&self, now: OffsetDateTime) -> Result<(), SignatureError> {
        self.signed().verify(&self.authorization, SECRET, Some("us-east-1"), "service", now)
    }

    fn signed(&self) -> SignedRequest<'_> {
        SignedRequest {
            method: &self.method,
            uri: &self.uri,
            headers: &self.headers,
            path: self.path,
            payload_sha256: &self.payload_sha256,
        }
    }
}

fn vanilla() -> Request {
    Request::in_header(SUITE.iter().find(|vector| vector.name == "get-vanilla").unwrap())
}

#[test]
fn the_suite_is_accepted_and_what_is_changed_is_not() {
    let mut requests = 0;
    for vector in SUITE {
        for request in [Some(Request::in_header(vector)), Request::in_query(vector)].into_iter().flatten() {
            requests += 1;
            assert_eq!(request.compare(), Ok(()), "{}", vector.name);
            let mut changed = vec![request.clone(); 6];
            changed[0].method = Method::DELETE;
            changed[1].uri = format!("/changed{}", request.uri).parse().unwrap();
            let separator = if request.uri.query().is_some() { '&' } else { '?' };
            changed[2].uri = format!("{}{separator}more=", request.uri).parse().unwrap();
            changed[3].payload_sha256 = sha256(b"changed");
            changed[4].headers.append("host", HeaderValue::from_static("changed"));
            let last = if request.authorization.signature.ends_with('0') { '1' } else { '0' };
            changed[5].authorization.signature.pop();
            changed[5].authorization.signature.push(last);
            for (change, request) in changed.iter().enumerate() {
                assert_eq!(
                    request.compare(),
                    Err(SignatureError::Mismatch),
                    "{}, change {change}",
                    vector.name
                );
            }
        }
    }
    assert_eq!(requests, 73);
}

#[test]
fn every_signed_header_is_there_and_host_is_one() {
    let mut missing = vanilla();
    missing.authorization.signed_headers.insert(1, "missing".to_owned());
    assert_eq!(missing.compare(), Err(SignatureError::Mismatch));
    let mut unsorted = vanilla();
    unsorted.authorization.signed_headers.reverse();
    assert_eq!(unsorted.compare(), Err(SignatureError::Mismatch));
    let mut without_host = vanilla();
    without_host.authorization.signed_headers.remove(0);
    assert!(matches!(without_host.compare(), Err(SignatureError::Incomplete(_))));
}

#[test]
fn a_request_is_valid_for_fifteen_minutes_either_way() {
    let signed_at = parse_time(TIME).unwrap();
    for minutes in [-15, 15] {
        let at = signed_at + Duration::minutes(minutes);
        vanilla().verify_at(at).unwrap();
        let result = vanilla().verify_at(at + Duration::seconds(minutes.signum()));
        assert!(matches!(result, Err(SignatureError::Skewed(_))));
    }
}

#[test]
fn a_signature_is_for_one_place_and_day() {
    let at = parse_time(TIME).unwrap();
    let scopes: [fn(&mut CredentialScope); 3] = [
        |scope| scope.date = "20150829".to_owned(),
        |scope| scope.region = "eu-west-1".to_owned(),
        |scope| scope.service = "sts".to_owned(),
    ];
    for change in scopes {
        let mut request = vanilla();
        change(&mut request.authorization.scope);
        assert!(matches!(request.verify_at(at), Err(SignatureError::Scope(_))));
    }
}

#[test]
fn an_incomplete_header_is_told_from_a_wrong_one() {
    let incomplete = [
        "Bearer x",
        "AWS4-HMAC-SHA256 Credential=a/b/c/d/aws4_request, SignedHeaders=host",
        "AWS4-HMAC-SHA256 Credential=a/b/c/d, SignedHeaders=host, Signature=0",
        "AWS4-HMAC-SHA256 Credential=a/b/c/d/aws4_request/e, SignedHeaders=host, Signature=0",
    ];
    for header in incomplete {
        assert!(matches!(Authorization::parse(header), Err(SignatureError::Incomplete(_))), "{header}");
    }
}
