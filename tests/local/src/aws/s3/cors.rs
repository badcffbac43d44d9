//! A bucket's CORS rules, on preflights and on requests.
//!
//! Follows "Using cross-origin resource sharing (CORS)" and "How does Amazon S3 evaluate the CORS configuration on a
//! bucket?" in the S3 user guide: the first rule counts that covers the origin, the method and every header that is
//! asked for. A preflight needs no signature. A request that no rule covers is carried out all the same, and its answer
//! has nothing for a browser. Both carry the same headers, and those of an error are no others than those of success.

use http::{HeaderMap, HeaderName, HeaderValue, Method, Response, header};
use http_body_util::Full;

use crate::aws::protocol::Fault;
use crate::stack::{Bucket, BucketCorsRule};

/// The methods that a rule can allow.
const METHODS: [&str; 5] = ["DELETE", "GET", "HEAD", "POST", "PUT"];

const VARY: &str = "Origin, Access-Control-Request-Headers, Access-Control-Request-Method";

/// Answers a preflight.
pub(super) fn preflight(
    bucket: Option<&Bucket>,
    path: &str,
    headers: &HeaderMap,
) -> Result<Response<Full<bytes::Bytes>>, Fault> {
    let origin = text(headers, &header::ORIGIN).ok_or_else(|| {
        Fault::bad_request("BadRequest", "Insufficient information. Origin request header needed.")
    })?;
    let method = text(headers, &header::ACCESS_CONTROL_REQUEST_METHOD);
    let forbidden = |message: &str| {
        let resource_type = if is_object(path) { "OBJECT" } else { "BUCKET" };
        Fault::new(http::StatusCode::FORBIDDEN, "AccessForbidden", format!("CORSResponse: {message}"))
            .with_detail("Method", method.unwrap_or("OPTIONS"))
            .with_detail("ResourceType", resource_type)
    };
    let rules = &bucket.ok_or_else(|| forbidden("Bucket not found"))?.cors_rules;
    if rules.is_empty() {
        return Err(forbidden("CORS is not enabled for this bucket."));
    }
    let method = method.filter(|method| METHODS.contains(method)).ok_or_else(|| {
        let message = format!("Invalid Access-Control-Request-Method: {}", method.unwrap_or("null"));
        Fault::bad_request("BadRequest", message)
    })?;
    let requested = requested_headers(headers);
    let rule = find(rules, origin, method, &requested).ok_or_else(|| {
        forbidden(
            "This CORS request is not allowed. This is usually because the evalution of Origin, request method / \
             Access-Control-Request-Method or Access-Control-Request-Headers are not whitelisted by the resource's \
             CORS spec.",
        )
    })?;
    let mut response = Response::new(Full::default());
    let answer = response.headers_mut();
    add_common(answer, rule, origin);
    if !requested.is_empty() {
        set(answer, header::ACCESS_CONTROL_ALLOW_HEADERS, &requested.join(", "));
    }
    Ok(response)
}

/// Adds what a browser needs to hand the answer on, where a rule covers the request. One that asks, like a preflight,
/// for another method or for headers is judged by those.
pub(super) fn add_to_answer(
    bucket: Option<&Bucket>,
    method: &Method,
    request: &HeaderMap,
    answer: &mut HeaderMap,
) {
    let Some(origin) = text(request, &header::ORIGIN) else { return };
    let method = text(request, &header::ACCESS_CONTROL_REQUEST_METHOD).unwrap_or(method.as_str());
    let rules = bucket.map_or(&[][..], |bucket| &bucket.cors_rules);
    if let Some(rule) = find(rules, origin, method, &requested_headers(request)) {
        add_common(answer, rule, origin);
    }
}

fn find<'a>(
    rules: &'a [BucketCorsRule],
    origin: &str,
    method: &str,
    headers: &[String],
) -> Option<&'a BucketCorsRule> {
    rules.iter().find(|rule| {
        rule.allowed_origins.iter().any(|allowed| matches(allowed, origin))
            && rule.allowed_methods.iter().any(|allowed| allowed == method)
            && headers.iter().all(|header| {
                rule.allowed_headers.iter().any(|allowed| matches(&allowed.to_ascii_lowercase(), header))
            })
    })
}

fn add_common(answer: &mut HeaderMap, rule: &BucketCorsRule, origin: &str) {
    if rule.allowed_origins.iter().any(|allowed| allowed == "*") {
        set(answer, header::ACCESS_CONTROL_ALLOW_ORIGIN, "*");
    } else {
        set(answer, header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        set(answer, header::ACCESS_CONTROL_ALLOW_CREDENTIALS, "true");
    }
    set(answer, header::ACCESS_CONTROL_ALLOW_METHODS, &rule.allowed_methods.join(", "));
    if !rule.exposed_headers.is_empty() {
        set(answer, header::ACCESS_CONTROL_EXPOSE_HEADERS, &rule.exposed_headers.join(", "));
    }
    if let Some(seconds) = rule.max_age_seconds {
        set(answer, header::ACCESS_CONTROL_MAX_AGE, &seconds.to_string());
    }
    set(answer, header::VARY, VARY);
}

fn set(headers: &mut HeaderMap, name: HeaderName, value: &str) {
    match HeaderValue::from_str(value) {
        Ok(value) => {
            headers.insert(name, value);
        }
        Err(error) => tracing::error!(%error, value, "a CORS rule is not a header"),
    }
}

fn text<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

/// `Access-Control-Request-Headers`, in lower case.
fn requested_headers(headers: &HeaderMap) -> Vec<String> {
    text(headers, &header::ACCESS_CONTROL_REQUEST_HEADERS)
        .unwrap_or_default()
        .split(',')
        .map(|name| name.trim().to_ascii_lowercase())
        .filter(|name| !name.is_empty())
        .collect()
}

/// Whether a path goes on behind the bucket.
fn is_object(path: &str) -> bool {
    path.trim_start_matches('/').split_once('/').is_some_and(|(_, key)| !key.is_empty())
}

/// A rule's origin or header name may hold one `*`.
fn matches(pattern: &str, text: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == text,
        Some((start, end)) => {
            text.len() >= start.len() + end.len() && text.starts_with(start) && text.ends_with(end)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::matches;

    #[test]
    fn one_wildcard_stands_for_any_characters() {
        assert!(matches("https://*.example.com", "https://a.b.example.com"));
        assert!(!matches("https://*.example.com", "https://example.com"));
        assert!(matches("x-amz-*", "x-amz-checksum-sha256"));
        assert!(!matches("ab*ba", "aba"));
        assert!(matches("*", "anything"));
    }
}
