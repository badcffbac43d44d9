//! CORS as API Gateway does it for an API with a `CorsConfiguration`: it answers preflights itself, drops the CORS
//! headers of the functions, and adds its own for origins on the list
//! (<https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-cors.html>).

use http::header::{
    ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS,
    ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE,
    ACCESS_CONTROL_REQUEST_METHOD, HeaderName, ORIGIN,
};
use http::{HeaderMap, HeaderValue, Method};

use crate::stack::ApiCors;

/// A browser asks whether it may send what it is about to send.
pub(super) fn is_preflight(method: &Method, headers: &HeaderMap) -> bool {
    method == Method::OPTIONS
        && headers.contains_key(ORIGIN)
        && headers.contains_key(ACCESS_CONTROL_REQUEST_METHOD)
}

/// The headers of the answer to a preflight.
pub(super) fn preflight_headers(cors: &ApiCors, request: &HeaderMap) -> HeaderMap {
    let mut headers = HeaderMap::new();
    if !allow_origin(cors, request, &mut headers) {
        return headers;
    }
    list(&mut headers, ACCESS_CONTROL_ALLOW_METHODS, &cors.allow_methods);
    list(&mut headers, ACCESS_CONTROL_ALLOW_HEADERS, &cors.allow_headers);
    list(&mut headers, ACCESS_CONTROL_EXPOSE_HEADERS, &cors.expose_headers);
    if let Some(seconds) = cors.max_age_seconds {
        headers.insert(ACCESS_CONTROL_MAX_AGE, HeaderValue::from(seconds));
    }
    headers
}

/// Replaces what a function said about CORS by what the API is configured to say.
pub(super) fn replace_headers(cors: &ApiCors, request: &HeaderMap, response: &mut HeaderMap) {
    let own: Vec<HeaderName> =
        response.keys().filter(|name| name.as_str().starts_with("access-control-")).cloned().collect();
    for name in own {
        response.remove(name);
    }
    if allow_origin(cors, request, response) {
        list(response, ACCESS_CONTROL_EXPOSE_HEADERS, &cors.expose_headers);
    }
}

fn allow_origin(cors: &ApiCors, request: &HeaderMap, headers: &mut HeaderMap) -> bool {
    let Some(origin) = request.get(ORIGIN) else { return false };
    let Ok(text) = origin.to_str() else { return false };
    let allowed = cors.allow_origins.iter().find(|allowed| match allowed.as_str() {
        "*" => true,
        // API Gateway knows these two, and no other pattern.
        "https://*" => text.starts_with("https://"),
        "http://*" => text.starts_with("http://"),
        exact => exact == text,
    });
    let Some(allowed) = allowed else { return false };
    let value = if allowed == "*" { HeaderValue::from_static("*") } else { origin.clone() };
    headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, value);
    if cors.allow_credentials {
        headers.insert(ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
    }
    true
}

fn list(headers: &mut HeaderMap, name: HeaderName, values: &[String]) {
    if !values.is_empty()
        && let Ok(value) = HeaderValue::from_str(&values.join(","))
    {
        headers.insert(name, value);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]

    use super::*;

    fn configuration() -> ApiCors {
        ApiCors {
            allow_origins: vec!["https://a.example".to_owned()],
            allow_methods: vec!["GET".to_owned(), "POST".to_owned()],
            allow_headers: vec!["authorization".to_owned()],
            expose_headers: vec!["etag".to_owned(), "location".to_owned()],
            max_age_seconds: Some(600),
            allow_credentials: false,
        }
    }

    fn request(origin: &str) -> HeaderMap {
        HeaderMap::from_iter([(ORIGIN, HeaderValue::from_str(origin).unwrap())])
    }

    #[test]
    fn a_preflight_from_a_listed_origin_is_told_everything() {
        let headers = preflight_headers(&configuration(), &request("https://a.example"));
        assert_eq!(headers["access-control-allow-origin"], "https://a.example");
        assert_eq!(headers["access-control-allow-methods"], "GET,POST");
        assert_eq!(headers["access-control-allow-headers"], "authorization");
        assert_eq!(headers["access-control-expose-headers"], "etag,location");
        assert_eq!(headers["access-control-max-age"], "600");
    }

    #[test]
    fn another_origin_is_told_nothing() {
        for origin in ["https://b.example", "http://a.example", "null"] {
            assert!(preflight_headers(&configuration(), &request(origin)).is_empty(), "{origin}");
        }
    }

    #[test]
    fn what_a_function_says_is_replaced() {
        let mut response = HeaderMap::new();
        response.insert("access-control-allow-origin", HeaderValue::from_static("*"));
        response.insert("access-control-max-age", HeaderValue::from_static("5"));
        response.insert("etag", HeaderValue::from_static("x"));

        let mut other = response.clone();
        replace_headers(&configuration(), &request("https://b.example"), &mut other);
        assert_eq!(other.len(), 1);

        replace_headers(&configuration(), &request("https://a.example"), &mut response);
        assert_eq!(response["access-control-allow-origin"], "https://a.example");
        assert_eq!(response["access-control-expose-headers"], "etag,location");
        assert!(!response.contains_key("access-control-max-age"));
    }

    #[test]
    fn the_three_patterns() {
        for (pattern, origin, expected) in [
            ("*", "https://b.example", Some("*")),
            ("https://*", "https://b.example", Some("https://b.example")),
            ("https://*", "http://b.example", None),
            ("http://*", "http://localhost:5173", Some("http://localhost:5173")),
            ("https://*.example", "https://b.example", None),
        ] {
            let cors = ApiCors { allow_origins: vec![pattern.to_owned()], ..configuration() };
            let headers = preflight_headers(&cors, &request(origin));
            let answer = headers.get("access-control-allow-origin").map(|value| value.to_str().unwrap());
            assert_eq!(answer, expected, "{pattern} {origin}");
        }
    }
}
