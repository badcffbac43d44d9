//! Which route serves a request, as API Gateway decides it: an exact segment beats a parameter, a parameter beats a
//! greedy one, and of two equally specific routes the one with the request's own method beats `ANY`; `$default` takes
//! what is left. A route with another method does not hide a less specific one, and `/media` is not `/media/`
//! (<https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-routes.html>).

use std::borrow::Cow;
use std::collections::BTreeMap;

use percent_encoding::percent_decode_str;

use crate::stack::Route;

/// The routes of an API, most specific first.
#[derive(Debug)]
pub(super) struct Router {
    routes: Vec<(Vec<Segment>, Route)>,
    default: Option<Route>,
}

/// In the order of precedence.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Segment {
    Exact(String),
    Parameter(String),
    Greedy(String),
}

/// A route that serves a request.
#[derive(Debug)]
pub(super) struct Match<'a> {
    pub(super) route: &'a Route,
    /// Decoded.
    pub(super) path_parameters: BTreeMap<String, String>,
}

impl Match<'_> {
    /// `GET /media/{media_id}`, or `$default`.
    pub(super) fn route_key(&self) -> String {
        match &self.route.method {
            Some(method) => format!("{method} {}", self.route.path),
            None => self.route.path.clone(),
        }
    }
}

impl Router {
    pub(super) fn new(routes: &[Route]) -> Self {
        let mut sorted: Vec<(Vec<Segment>, Route)> = Vec::new();
        let mut default = None;
        for route in routes {
            if route.method.is_none() {
                default = Some(route.clone());
                continue;
            }
            let segments = route.path.trim_start_matches('/').split('/').map(Segment::new).collect();
            sorted.push((segments, route.clone()));
        }
        sorted.sort_by_key(|(segments, route)| {
            let kinds: Vec<u8> = segments.iter().map(Segment::kind).collect();
            (kinds, route.method.as_deref() == Some("ANY"))
        });
        Self { routes: sorted, default }
    }

    /// `raw_path` is percent-encoded; each of its segments is decoded by itself, so that `%2F` separates nothing.
    pub(super) fn find(&self, method: &str, raw_path: &str) -> Option<Match<'_>> {
        let segments: Vec<Cow<'_, str>> = raw_path
            .strip_prefix('/')
            .unwrap_or(raw_path)
            .split('/')
            .map(|segment| percent_decode_str(segment).decode_utf8_lossy())
            .collect();
        self.routes
            .iter()
            .filter(|(_, route)| route.method.as_deref().is_some_and(|own| own == "ANY" || own == method))
            .find_map(|(pattern, route)| {
                parameters(pattern, &segments).map(|path_parameters| Match { route, path_parameters })
            })
            .or_else(|| self.default.as_ref().map(|route| Match { route, path_parameters: BTreeMap::new() }))
    }
}

impl Segment {
    fn new(segment: &str) -> Self {
        match segment.strip_prefix('{').and_then(|name| name.strip_suffix('}')) {
            None => Self::Exact(segment.to_owned()),
            Some(name) => match name.strip_suffix('+') {
                None => Self::Parameter(name.to_owned()),
                Some(name) => Self::Greedy(name.to_owned()),
            },
        }
    }

    fn kind(&self) -> u8 {
        match self {
            Self::Exact(_) => 0,
            Self::Parameter(_) => 1,
            Self::Greedy(_) => 2,
        }
    }
}

fn parameters(pattern: &[Segment], segments: &[Cow<'_, str>]) -> Option<BTreeMap<String, String>> {
    let mut found = BTreeMap::new();
    for (index, expected) in pattern.iter().enumerate() {
        let segment = segments.get(index)?;
        match expected {
            Segment::Exact(text) if text == segment => {}
            Segment::Exact(_) => return None,
            Segment::Parameter(_) if segment.is_empty() => return None,
            Segment::Parameter(name) => {
                found.insert(name.clone(), segment.clone().into_owned());
            }
            Segment::Greedy(name) => {
                let rest = segments[index..].join("/");
                if rest.is_empty() {
                    return None;
                }
                found.insert(name.clone(), rest);
                return Some(found);
            }
        }
    }
    (pattern.len() == segments.len()).then_some(found)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]

    use std::time::Duration;

    use super::*;

    fn router(routes: &[&str]) -> Router {
        let routes: Vec<Route> = routes
            .iter()
            .map(|key| {
                let (method, path) = match key.split_once(' ') {
                    Some((method, path)) => (Some(method.to_owned()), path),
                    None => (None, *key),
                };
                Route {
                    method,
                    path: path.to_owned(),
                    function: String::new(),
                    timeout: Duration::from_secs(30),
                }
            })
            .collect();
        Router::new(&routes)
    }

    fn key(router: &Router, method: &str, path: &str) -> Option<String> {
        router.find(method, path).map(|found| found.route_key())
    }

    #[test]
    fn the_most_specific_route_serves() {
        let router = router(&[
            "$default",
            "ANY /{proxy+}",
            "GET /pets/{proxy+}",
            "GET /pets/dog/{id}",
            "GET /pets/{kind}/1",
            "GET /pets/dog/1",
            "ANY /pets/dog/{id}",
        ]);
        let cases = [
            ("GET", "/pets/dog/1", "GET /pets/dog/1"),
            ("GET", "/pets/dog/2", "GET /pets/dog/{id}"),
            ("POST", "/pets/dog/2", "ANY /pets/dog/{id}"),
            ("POST", "/pets/dog/1", "ANY /pets/dog/{id}"),
            ("GET", "/pets/cat/1", "GET /pets/{kind}/1"),
            ("GET", "/pets/cat/2", "GET /pets/{proxy+}"),
            ("GET", "/pets/cat/2/3", "GET /pets/{proxy+}"),
            ("POST", "/pets/cat/2", "ANY /{proxy+}"),
            ("GET", "/pets", "ANY /{proxy+}"),
            ("GET", "/", "$default"),
        ];
        for (method, path, expected) in cases {
            assert_eq!(key(&router, method, path).as_deref(), Some(expected), "{method} {path}");
        }
    }

    #[test]
    fn a_trailing_slash_is_another_path() {
        let router = router(&["GET /media", "GET /media/{media_id}"]);
        assert_eq!(key(&router, "GET", "/media/"), None);
        assert_eq!(key(&router, "GET", "/media/x/"), None);
        assert_eq!(key(&router, "GET", "//media"), None);
        assert_eq!(key(&router, "GET", "/media").as_deref(), Some("GET /media"));
    }

    #[test]
    fn parameters_are_decoded_segment_by_segment() {
        let router = router(&["GET /media/{media_id}/x", "GET /u/{token}/s3/{proxy+}"]);
        let found = router.find("GET", "/media/a%2Fb%20c/x").unwrap();
        assert_eq!(found.path_parameters["media_id"], "a/b c");
        let found = router.find("GET", "/u/t/s3/one/two%3F").unwrap();
        assert_eq!(
            found.path_parameters,
            [("proxy", "one/two?"), ("token", "t")].map(|(a, b)| (a.to_owned(), b.to_owned())).into()
        );
        assert!(router.find("GET", "/u/t/s3/").is_none());
    }

    #[test]
    fn an_exact_segment_may_be_written_encoded() {
        let router = router(&["GET /.well-known/jwks.json"]);
        assert!(router.find("GET", "/%2Ewell-known/jwks.json").is_some());
        assert!(router.find("get", "/.well-known/jwks.json").is_none());
    }
}
