//! `$default`: requests that no route matches.
//!
//! API Gateway has no routes that end in a slash, but the replaced systems did; clients that follow redirects find
//! theirs without it.

use std::sync::Arc;

use api::{Answer, Code, Environment, Function, Problem, Request, StartError, http_function};
use http::StatusCode;
use http::header::{CACHE_CONTROL, LOCATION};

/// The function.
pub async fn build(_environment: Environment) -> Result<impl Function, StartError> {
    Ok(http_function((), handle))
}

/// Redirects a path that ends in a slash to the one without; anything else is unknown.
async fn handle(_state: Arc<()>, request: Request) -> Result<Answer, Problem> {
    match without_trailing_slash(request.path(), request.query_string()) {
        Some(location) => Answer::empty(StatusCode::PERMANENT_REDIRECT)
            .header(LOCATION, &location)?
            .header(CACHE_CONTROL, "no-store"),
        None => Err(Problem::new(
            Code::RouteUnknown,
            format!("There is no {} on this path. The routes are listed at /docs.", request.method()),
        )),
    }
}

/// The path without the slashes at its end, and the query. Slashes at its beginning become one: `//host/` must not
/// redirect to another host.
fn without_trailing_slash(path: &str, query: Option<&str>) -> Option<String> {
    let target = path.strip_suffix('/')?.trim_matches('/');
    // A browser reads a backslash as a slash, and drops control characters.
    if target.is_empty() || !target.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\') {
        return None;
    }
    Some(match query {
        Some(query) if !query.is_empty() => format!("/{target}?{query}"),
        _ => format!("/{target}"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_slash_at_the_end_goes() {
        let redirect = without_trailing_slash;
        assert_eq!(redirect("/media/", None).as_deref(), Some("/media"));
        assert_eq!(redirect("/media//", Some("a=%2F&b")).as_deref(), Some("/media?a=%2F&b"));
        assert_eq!(redirect("/media/%2e%2e/", Some("")).as_deref(), Some("/media/%2e%2e"));
        assert_eq!(redirect("/media", None), None);
        assert_eq!(redirect("/", None), None);
    }

    #[test]
    fn never_to_another_host() {
        assert_eq!(without_trailing_slash("//evil.example/", None).as_deref(), Some("/evil.example"));
        assert_eq!(without_trailing_slash("/\\evil.example/", None), None);
    }
}
