//! A look at each answer of a route before it is sent: how a test suite holds all that it sees against a contract, without
//! a word in the tests themselves.

use std::sync::Arc;

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::request::Parts;
use http::{HeaderValue, Response, StatusCode};
use http_body_util::{BodyExt, Full};

/// What was asked, and what is to be answered.
#[derive(Debug)]
pub struct Exchange<'a> {
    /// The route that served it: `GET /media/{media_id}`, or `$default`.
    pub route: &'a str,
    /// The request without its body.
    pub request: &'a Parts,
    /// The request's body.
    pub request_body: &'a Bytes,
    /// The answer as it is sent.
    pub answer: &'a Response<Bytes>,
}

/// Objects to an answer, or lets it pass. An objection is sent instead of the answer, with status 500, so that it fails
/// the test that asked.
pub type Inspect = Arc<dyn Fn(&Exchange<'_>) -> Result<(), String> + Send + Sync>;

/// What a request came to before it had an answer.
#[derive(Debug, Default)]
pub(super) struct Served {
    /// The logical id of the function.
    pub(super) function: Option<String>,
    pub(super) route: Option<String>,
    pub(super) body: Bytes,
}

/// The answer, or the objection to it.
pub(super) async fn inspected(
    inspect: &Inspect,
    request: &Parts,
    served: &Served,
    response: Response<Full<Bytes>>,
) -> Response<Full<Bytes>> {
    let Some(route) = &served.route else { return response };
    let (head, body) = response.into_parts();
    let Ok(collected) = body.collect().await;
    let answer = Response::from_parts(head, collected.to_bytes());
    let objection = inspect(&Exchange { route, request, request_body: &served.body, answer: &answer }).err();
    let Some(objection) = objection else { return answer.map(Full::from) };
    tracing::error!(objection, route, "an answer does not pass");
    let mut response = Response::new(Full::from(objection));
    *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    response
}
