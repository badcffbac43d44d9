//! `$default`: requests that no route matches.
//!
//! API Gateway has no routes that end in a slash, but the replaced systems did; clients that follow redirects find
//! theirs without it. Neither has it one for `OPTIONS`, and its documentation of the `$default` route says that this
//! catches those too (<https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-cors.html>): a browser goes on
//! after a preflight only if that succeeded, so it does, with the CORS headers that API Gateway adds.

use std::sync::Arc;

use api::{Answer, Code, Environment, Function, Problem, Request, StartError, http_function};
use http::header::LOCATION;
use http::{Method, StatusCode};
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};

/// The function.
pub async fn build(_environment: Environment) -> Result<impl Function, StartError> {
    Ok(http_function((), handle))
}

/// Lets a preflight pass, and redirects a path that ends in a slash to the one without; anything else is unknown.
async fn handle(_state: Arc<()>, request: Request) -> Result<Answer, Problem> {
    if request.method() == Method::OPTIONS {
        return Ok(Answer::empty(StatusCode::NO_CONTENT));
    }
    match without_trailing_slash(request.path(), request.query_string()) {
        Some(location) => Answer::empty(StatusCode::PERMANENT_REDIRECT).header(LOCATION, &location),
        None => Err(Problem::new(
            Code::RouteUnknown,
            format!("There is no {} on this path. Compare it with the list of routes.", request.method()),
        )),
    }
}

/// What a path cannot have unescaped (RFC 3986, section 3.3).
const NOT_IN_PATH: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b'#')
    .add(b'%')
    .add(b'<')
    .add(b'>')
    .add(b'?')
    .add(b'[')
    .add(b'\\')
    .add(b']')
    .add(b'^')
    .add(b'`')
    .add(b'{')
    .add(b'|')
    .add(b'}');

/// The path without the slashes at its end, and the query. API Gateway hands over the path decoded and the query as it
/// came. Slashes at the path's beginning become one: `//host/` must not redirect to another host.
fn without_trailing_slash(path: &str, query: &str) -> Option<String> {
    let target = path.strip_suffix('/')?.trim_matches('/');
    if target.is_empty() {
        return None;
    }
    let target = utf8_percent_encode(target, NOT_IN_PATH);
    Some(if query.is_empty() { format!("/{target}") } else { format!("/{target}?{query}") })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_slash_at_the_end_goes() {
        let redirect = without_trailing_slash;
        assert_eq!(redirect("/media/", "").as_deref(), Some("/media"));
        assert_eq!(redirect("/media//", "a=%2F&b").as_deref(), Some("/media?a=%2F&b"));
        assert_eq!(redirect("/a b/50%/é?/", "").as_deref(), Some("/a%20b/50%25/%C3%A9%3F"));
        assert_eq!(redirect("/media", ""), None);
        assert_eq!(redirect("/", ""), None);
    }

    #[test]
    fn never_to_another_host_and_never_into_another_header() {
        assert_eq!(without_trailing_slash("//evil.example/", "").as_deref(), Some("/evil.example"));
        assert_eq!(without_trailing_slash("/\\evil.example/", "").as_deref(), Some("/%5Cevil.example"));
        assert_eq!(without_trailing_slash("/a\r\nb/", "").as_deref(), Some("/a%0D%0Ab"));
    }
}
