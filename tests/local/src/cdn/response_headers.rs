//! What a response headers policy makes of the headers that come from the origin.
//!
//! Follows "Understand response headers policies" in the CloudFront developer guide: some are removed, then others are
//! added, each in place of the origin's or only where it has none. Those of CORS are for requests that tell an origin.

use http::{HeaderMap, HeaderName, HeaderValue, header};

use crate::aws::wildcard_match;
use crate::stack::{ResponseCors, ResponseHeadersPolicy};

/// What `ALL` stands for among methods.
const ALL_METHODS: &str = "GET, DELETE, HEAD, OPTIONS, PATCH, POST, PUT";

/// What CORS asks of a viewer.
pub(super) struct Viewer {
    /// `Origin`.
    pub(super) origin: Option<String>,
    /// Whether it only asks what it may do.
    pub(super) is_preflight: bool,
}

impl ResponseHeadersPolicy {
    /// Changes the headers of an answer to `viewer`.
    pub(super) fn apply(&self, viewer: &Viewer, headers: &mut HeaderMap) {
        for name in &self.removed {
            headers.remove(name.as_str());
        }
        if let (Some(cors), Some(origin)) = (&self.cors, &viewer.origin) {
            cors.apply(origin, viewer.is_preflight, headers);
        }
        for added in &self.added {
            add(headers, &added.name, &added.value, added.overrides_origin);
        }
    }
}

impl ResponseCors {
    fn apply(&self, origin: &str, is_preflight: bool, headers: &mut HeaderMap) {
        let Some(allowed) = self.allowed_origin(origin) else { return };
        let mut set = |name: HeaderName, value: &str| {
            if !value.is_empty() {
                add(headers, name.as_str(), value, self.overrides_origin);
            }
        };
        set(header::ACCESS_CONTROL_ALLOW_ORIGIN, allowed);
        if self.allow_credentials {
            set(header::ACCESS_CONTROL_ALLOW_CREDENTIALS, "true");
        }
        if is_preflight {
            let methods = self.allow_methods.join(", ");
            let methods = if methods == "ALL" { ALL_METHODS } else { &methods };
            set(header::ACCESS_CONTROL_ALLOW_METHODS, methods);
            set(header::ACCESS_CONTROL_ALLOW_HEADERS, &self.allow_headers.join(", "));
            if let Some(seconds) = self.max_age_seconds {
                set(header::ACCESS_CONTROL_MAX_AGE, &seconds.to_string());
            }
        } else {
            set(header::ACCESS_CONTROL_EXPOSE_HEADERS, &self.expose_headers.join(", "));
        }
        if allowed != "*" && !varies_by_origin(headers) {
            headers.append(header::VARY, HeaderValue::from_static("Origin"));
        }
    }

    /// What to answer an origin with, if it is allowed.
    fn allowed_origin<'a>(&self, origin: &'a str) -> Option<&'a str> {
        if self.allow_origins.iter().any(|allowed| allowed == "*") {
            return Some("*");
        }
        let host = origin.split_once("://").map_or(origin, |(_, host)| host);
        let matches = |allowed: &String| wildcard_match(allowed, origin) || wildcard_match(allowed, host);
        self.allow_origins.iter().any(matches).then_some(origin)
    }
}

fn varies_by_origin(headers: &HeaderMap) -> bool {
    let values = headers.get_all(header::VARY).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).any(|name| name.trim().eq_ignore_ascii_case("origin"))
}

fn add(headers: &mut HeaderMap, name: &str, value: &str, overrides_origin: bool) {
    let (Ok(name), Ok(value)) = (HeaderName::from_bytes(name.as_bytes()), HeaderValue::from_str(value))
    else {
        tracing::error!(name, value, "a response headers policy has what is not a header");
        return;
    };
    if overrides_origin || !headers.contains_key(&name) {
        headers.insert(name, value);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]

    use super::*;
    use crate::stack::AddedHeader;

    fn policy(allow_origins: &[&str], overrides_origin: bool) -> ResponseHeadersPolicy {
        let list = |items: &[&str]| items.iter().map(|item| (*item).to_owned()).collect::<Vec<_>>();
        ResponseHeadersPolicy {
            removed: list(&["x-gone"]),
            cors: Some(ResponseCors {
                allow_origins: list(allow_origins),
                allow_methods: list(&["GET", "HEAD"]),
                allow_headers: list(&["Range"]),
                expose_headers: list(&["ETag", "Content-Range"]),
                max_age_seconds: Some(600),
                allow_credentials: false,
                overrides_origin,
            }),
            added: vec![AddedHeader {
                name: "x-content-type-options".to_owned(),
                value: "nosniff".to_owned(),
                overrides_origin,
            }],
        }
    }

    fn apply(policy: &ResponseHeadersPolicy, origin: Option<&str>, is_preflight: bool) -> Vec<String> {
        let mut headers = HeaderMap::new();
        headers.insert("x-gone", HeaderValue::from_static("1"));
        headers.insert("access-control-expose-headers", HeaderValue::from_static("own"));
        policy.apply(&Viewer { origin: origin.map(str::to_owned), is_preflight }, &mut headers);
        let mut lines: Vec<String> =
            headers.iter().map(|(name, value)| format!("{name}: {}", value.to_str().unwrap())).collect();
        lines.sort();
        lines
    }

    #[test]
    fn cors_is_for_those_who_tell_an_origin() {
        let all = policy(&["*"], true);
        let own = "access-control-expose-headers: own";
        let nosniff = "x-content-type-options: nosniff";
        assert_eq!(apply(&all, None, false), [own, nosniff]);
        assert_eq!(
            apply(&all, Some("https://a.example"), false),
            ["access-control-allow-origin: *", "access-control-expose-headers: ETag, Content-Range", nosniff]
        );
        assert_eq!(
            apply(&all, Some("https://a.example"), true),
            [
                "access-control-allow-headers: Range",
                "access-control-allow-methods: GET, HEAD",
                "access-control-allow-origin: *",
                own,
                "access-control-max-age: 600",
                nosniff,
            ]
        );
    }

    #[test]
    fn an_origin_in_a_list_is_echoed_and_others_get_nothing() {
        let some = policy(&["https://*.example.org", "b.example"], false);
        let own = "access-control-expose-headers: own";
        let nosniff = "x-content-type-options: nosniff";
        for origin in ["https://a.example.org", "http://b.example"] {
            let allowed = format!("access-control-allow-origin: {origin}");
            assert_eq!(apply(&some, Some(origin), false), [allowed.as_str(), own, "vary: Origin", nosniff]);
        }
        assert_eq!(apply(&some, Some("https://c.example"), false), [own, nosniff]);
    }
}
