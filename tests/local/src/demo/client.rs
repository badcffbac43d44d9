//! An HTTP client, as small as the job: HTTP/1.1, TLS by rustls over ring with the system's roots, no redirects.

use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE};
use http::request::Builder;
use http::{HeaderMap, Method, Request, Response, StatusCode, Uri};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client as Pool;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::Value;
use tokio::sync::OnceCell;

/// The body of a request.
pub(crate) type RequestBody = UnsyncBoxBody<Bytes, std::io::Error>;

/// More than any JSON or XML answer needs.
const ANSWER_LIMIT_BYTES: usize = 4 * 1024 * 1024;

/// Why a request did not succeed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ClientError {
    #[error("{url}: {reason}")]
    Transport { url: String, reason: String },
    #[error("{method} {url} answered {status}: {detail}")]
    Status { method: Method, url: String, status: StatusCode, detail: String },
    #[error("{url} did not answer JSON: {reason}")]
    NotJson { url: String, reason: String },
}

/// Connections to whatever the URLs name.
pub(crate) struct Client {
    plain: Pool<HttpConnector, RequestBody>,
    /// Made when it is needed: a machine without root certificates can still talk to itself.
    tls: OnceCell<Pool<HttpsConnector<HttpConnector>, RequestBody>>,
}

impl Client {
    pub(crate) fn new() -> Self {
        let plain = Pool::builder(TokioExecutor::new()).build(HttpConnector::new());
        Self { plain, tls: OnceCell::new() }
    }

    /// Sends a request as it is.
    pub(crate) async fn send(
        &self,
        request: Request<RequestBody>,
    ) -> Result<Response<Incoming>, ClientError> {
        let url = redacted(request.uri());
        if request.uri().scheme_str() != Some("https") {
            let sent = self.plain.request(request).await;
            return sent.map_err(|error| ClientError::Transport { url, reason: causes(&error) });
        }
        let tls = self
            .tls
            .get_or_try_init(|| async {
                let connector =
                    HttpsConnectorBuilder::new().with_native_roots()?.https_only().enable_http1().build();
                Ok::<_, std::io::Error>(Pool::builder(TokioExecutor::new()).build(connector))
            })
            .await
            .map_err(|error| ClientError::Transport { url: url.clone(), reason: error.to_string() })?;
        tls.request(request).await.map_err(|error| ClientError::Transport { url, reason: causes(&error) })
    }

    /// A request to the API: JSON both ways, and an error unless it succeeds.
    pub(super) async fn json(
        &self,
        method: Method,
        url: &str,
        token: Option<&str>,
        body: Option<&Value>,
    ) -> Result<Value, ClientError> {
        let mut request = Request::builder().method(method.clone()).uri(url);
        if let Some(token) = token {
            request = request.header(AUTHORIZATION, format!("Bearer {token}"));
        }
        let body = match body {
            Some(body) => {
                request = request.header(CONTENT_TYPE, "application/json");
                full(body.to_string())
            }
            None => full(""),
        };
        let response = self.send(build(request, url, body)?).await?;
        let status = response.status();
        let answer = read(response, url).await?;
        if !status.is_success() {
            return Err(ClientError::Status { method, url: url.to_owned(), status, detail: detail(&answer) });
        }
        serde_json::from_slice(&answer)
            .map_err(|error| ClientError::NotJson { url: url.to_owned(), reason: error.to_string() })
    }

    /// A PUT of `size_bytes` to a presigned URL.
    pub(super) async fn put(
        &self,
        url: &str,
        headers: &[(&str, &str)],
        size_bytes: u64,
        body: RequestBody,
    ) -> Result<(), ClientError> {
        let mut request = Request::put(url).header(CONTENT_LENGTH, size_bytes);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let response = self.send(build(request, url, body)?).await?;
        let status = response.status();
        if status.is_success() {
            return Ok(());
        }
        let url = response_url(url);
        let answer = read(response, &url).await?;
        Err(ClientError::Status { method: Method::PUT, url, status, detail: detail(&answer) })
    }

    /// A GET whose answer is for the caller to judge.
    pub(super) async fn get(&self, url: &str, headers: HeaderMap) -> Result<Response<Incoming>, ClientError> {
        let mut request = Request::get(url);
        if let Some(own) = request.headers_mut() {
            *own = headers;
        }
        self.send(build(request, url, full(""))?).await
    }
}

fn build(request: Builder, url: &str, body: RequestBody) -> Result<Request<RequestBody>, ClientError> {
    request
        .body(body)
        .map_err(|error| ClientError::Transport { url: response_url(url), reason: error.to_string() })
}

/// A body that is there at once.
pub(crate) fn full(text: impl Into<Bytes>) -> RequestBody {
    Full::new(text.into()).map_err(|never| match never {}).boxed_unsync()
}

/// A signed URL is a secret: without its query.
fn redacted(uri: &Uri) -> String {
    response_url(&uri.to_string())
}

fn response_url(url: &str) -> String {
    url.split('?').next().unwrap_or(url).to_owned()
}

/// An error with what caused it.
fn causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}

/// The whole of a short answer.
pub(crate) async fn read(response: Response<Incoming>, url: &str) -> Result<Bytes, ClientError> {
    let body = Limited::new(response.into_body(), ANSWER_LIMIT_BYTES).collect().await;
    body.map(http_body_util::Collected::to_bytes)
        .map_err(|error| ClientError::Transport { url: response_url(url), reason: error.to_string() })
}

/// What a problem says, or else the beginning of the answer.
fn detail(answer: &[u8]) -> String {
    if let Ok(problem) = serde_json::from_slice::<Value>(answer) {
        let field = |name: &str| problem.get(name).and_then(Value::as_str);
        if let Some(summary) = field("detail").or_else(|| field("title")).or_else(|| field("message")) {
            let errors: Vec<String> = problem
                .get("errors")
                .and_then(Value::as_array)
                .into_iter()
                .flatten()
                .map(|error| {
                    let part = |name: &str| error.get(name).and_then(Value::as_str).unwrap_or_default();
                    format!("{} {}", part("pointer"), part("detail"))
                })
                .collect();
            return [vec![summary.to_owned()], errors].concat().join("; ");
        }
    }
    String::from_utf8_lossy(answer).chars().take(300).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_is_told_in_its_own_words() {
        let problem = br##"{"title": "T", "detail": "Fix it.", "errors": [{"pointer": "#/email", "detail": "too long"}]}"##;
        assert_eq!(detail(problem), "Fix it.; #/email too long");
        assert_eq!(detail(br#"{"message": "Not Found"}"#), "Not Found");
        assert_eq!(
            detail(b"<Error><Code>AccessDenied</Code></Error>"),
            "<Error><Code>AccessDenied</Code></Error>"
        );
    }

    #[test]
    fn signatures_are_not_shown() {
        assert_eq!(response_url("http://h/b/k?X-Amz-Signature=s"), "http://h/b/k");
    }
}
