//! A bucket's CORS rules, on preflights and on requests. Follows "How does Amazon S3 evaluate the CORS configuration on a
//! bucket?" in the S3 user guide.

use http::{HeaderMap, HeaderName, HeaderValue, Method, Response, header};
use http_body_util::Full;

use crate::aws::protocol::Fault;
use crate::stack::{Bucket, BucketCorsRule};

const VARY: &str = "Origin, Access-Control-Request-Headers, Access-Control-Request-Method";

/// Answers a preflight.
pub(super) fn preflight(
    bucket: Option<&Bucket>,
    headers: &HeaderMap,
) -> Result<Response<Full<bytes::Bytes>>, Fault> {
    let text = |name: &HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
    let origin = text(&header::ORIGIN).ok_or_else(|| {
        Fault::bad_request("BadRequest", "Insufficient information. Origin request header needed.")
    })?;
    let method = text(&header::ACCESS_CONTROL_REQUEST_METHOD)
        .and_then(|method| method.parse::<Method>().ok())
        .ok_or_else(|| Fault::bad_request("BadRequest", "Invalid Access-Control-Request-Method: null"))?;
    let requested: Vec<String> = text(&header::ACCESS_CONTROL_REQUEST_HEADERS)
        .unwrap_or_default()
        .split(',')
        .map(|name| name.trim().to_ascii_lowercase())
        .filter(|name| !name.is_empty())
        .collect();
    let rules = bucket.map_or(&[][..], |bucket| &bucket.cors_rules);
    if rules.is_empty() {
        return Err(forbidden("CORSResponse: CORS is not enabled for this bucket."));
    }
    let rule = find(rules, origin, &method, &requested).ok_or_else(|| {
        forbidden(
            "CORSResponse: This CORS request is not allowed. This is usually because the evalution of Origin, \
             request method / Access-Control-Request-Method or Access-Control-Request-Headers are not whitelisted \
             by the resource's CORS spec.",
        )
    })?;
    let mut response = Response::new(Full::default());
    let answer = response.headers_mut();
    add_common(answer, rule, origin);
    if !requested.is_empty() {
        set(answer, header::ACCESS_CONTROL_ALLOW_HEADERS, &requested.join(", "));
    }
    if let Some(seconds) = rule.max_age_seconds {
        set(answer, header::ACCESS_CONTROL_MAX_AGE, &seconds.to_string());
    }
    Ok(response)
}

/// Adds what a browser needs to hand the answer on, where a rule covers the request's origin and method.
pub(super) fn add_to_answer(
    bucket: Option<&Bucket>,
    method: &Method,
    request: &HeaderMap,
    answer: &mut HeaderMap,
) {
    let Some(origin) = request.get(header::ORIGIN).and_then(|origin| origin.to_str().ok()) else { return };
    let rules = bucket.map_or(&[][..], |bucket| &bucket.cors_rules);
    if let Some(rule) = find(rules, origin, method, &[]) {
        add_common(answer, rule, origin);
    }
}

fn find<'a>(
    rules: &'a [BucketCorsRule],
    origin: &str,
    method: &Method,
    headers: &[String],
) -> Option<&'a BucketCorsRule> {
    rules.iter().find(|rule| {
        rule.allowed_origins.iter().any(|allowed| matches(allowed, origin))
            && rule.allowed_methods.iter().any(|allowed| allowed == method.as_str())
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

fn forbidden(message: &str) -> Fault {
    Fault::new(http::StatusCode::FORBIDDEN, "AccessForbidden", message)
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
