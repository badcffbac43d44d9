//! Requests, as handlers see them.

use std::str::FromStr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use domain::{IdempotencyKey, Invalid, Quota};
use http::Method;
use http::header::{AUTHORIZATION, CONTENT_TYPE, HOST, IF_MATCH};
use lambda_http::request::{LambdaRequest, RequestContext};
use lambda_http::{Body, RequestExt as _};
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use serde_json::{Map, Value};

use crate::answer::check_if_match;
use crate::fields::{Fields, UnknownFields};
use crate::form::{FORM_CONTENT_TYPE, Form, essence, use_direct_upload};
use crate::problem::{Code, Problem};

const IDEMPOTENCY_KEY: &str = "Idempotency-Key";

/// The largest JSON body.
const MAX_JSON_BYTES: usize = 1024 * 1024;
/// How deep a JSON body may be nested.
const MAX_JSON_DEPTH: usize = 32;

/// What a client may write into a query and the URI that `lambda_http` makes of it cannot have.
const NOT_IN_QUERY: &AsciiSet =
    &CONTROLS.add(b' ').add(b'"').add(b'#').add(b'<').add(b'>').add(b'^').add(b'`');

/// A request that API Gateway passed on.
#[derive(Debug)]
pub struct Request {
    inner: http::Request<Bytes>,
    route: String,
    query_string: String,
    request_id: String,
    domain_name: String,
    source_ip: String,
    user_agent: String,
    quota: ToldQuota,
}

/// What the client is told of the limits that its request was counted under, whatever the answer becomes.
#[derive(Clone, Debug, Default)]
pub(crate) struct ToldQuota(Arc<Mutex<Option<Quota>>>);

impl ToldQuota {
    pub(crate) fn get(&self) -> Option<Quota> {
        *self.told()
    }

    fn told(&self) -> MutexGuard<'_, Option<Quota>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Request {
    /// From the event of an HTTP API, payload format 2.0.
    pub(crate) fn of(mut event: LambdaRequest) -> Self {
        // `lambda_http` puts host, path and query together into one URI, and panics if they make none. So the host, which
        // nobody needs there, is kept out of it, and the query is escaped. The query as it came is kept beside it: API
        // Gateway hands over the path decoded, and a `?` or `#` in it would be read as the path's end.
        let (query_string, domain_name) = match &mut event {
            LambdaRequest::ApiGatewayV2(event) => {
                event.headers.remove(HOST);
                let query_string = event.raw_query_string.take().unwrap_or_default();
                event.raw_query_string = Some(utf8_percent_encode(&query_string, NOT_IN_QUERY).to_string());
                (query_string, event.request_context.domain_name.take().unwrap_or_default())
            }
            _ => Default::default(),
        };
        let event: lambda_http::Request = event.into();
        let (route, request_id, source_ip, user_agent) = match event.request_context_ref() {
            Some(RequestContext::ApiGatewayV2(context)) => (
                context.route_key.clone().unwrap_or_default(),
                context.request_id.clone().unwrap_or_default(),
                context.http.source_ip.clone().unwrap_or_default(),
                context.http.user_agent.clone().unwrap_or_default(),
            ),
            _ => Default::default(),
        };
        let inner = event.map(|body| match body {
            Body::Text(text) => Bytes::from(text),
            Body::Binary(bytes) => Bytes::from(bytes),
            _ => Bytes::new(),
        });
        Self {
            inner,
            route,
            query_string,
            request_id,
            domain_name,
            source_ip,
            user_agent,
            quota: ToldQuota::default(),
        }
    }

    /// The method.
    pub fn method(&self) -> &Method {
        self.inner.method()
    }

    /// The route that matched, e.g. `GET /media/{media_id}`, or `$default`.
    pub fn route(&self) -> &str {
        &self.route
    }

    /// The path, decoded: API Gateway hands it over so.
    pub fn path(&self) -> &str {
        self.inner.raw_http_path()
    }

    /// The query as the client wrote it, without the question mark; empty if there is none.
    pub fn query_string(&self) -> &str {
        &self.query_string
    }

    /// API Gateway's id of the request.
    pub fn request_id(&self) -> &str {
        &self.request_id
    }

    /// The address that the request came from, as API Gateway saw it: never what a client's header says.
    pub fn source_ip(&self) -> &str {
        &self.source_ip
    }

    /// What the client says that it is; empty if it says nothing.
    pub fn user_agent(&self) -> &str {
        &self.user_agent
    }

    /// Tells the client what is left of a limit that the request was counted under; of several, that of which the least is
    /// left.
    pub(crate) fn tell(&self, quota: Quota) {
        let mut told = self.quota.told();
        if told.is_none_or(|told| quota.remaining < told.remaining) {
            *told = Some(quota);
        }
    }

    /// Tells the client what is left of the limit that refuses the request.
    pub(crate) fn tell_refusal(&self, quota: Quota) {
        *self.quota.told() = Some(quota);
    }

    /// What it is told by then.
    pub(crate) fn told_quota(&self) -> ToldQuota {
        self.quota.clone()
    }

    /// A header's value.
    pub fn header(&self, name: impl http::header::AsHeaderName) -> Option<&str> {
        self.inner.headers().get(name).and_then(|value| value.to_str().ok())
    }

    /// Goes on if `If-Match` allows a change to a record at this version.
    pub fn check_if_match(&self, version: u64) -> Result<(), Problem> {
        // A tag that cannot be read is none of ours; passing over it would change what the client has not seen.
        let tags = self.inner.headers().get(IF_MATCH).map(|value| value.to_str().unwrap_or_default());
        check_if_match(tags, version)
    }

    /// The URL of this API that the client used, without a slash at the end.
    pub fn api_url(&self) -> String {
        url_of(&self.domain_name)
    }

    /// An id in the path. What is no id names nothing, so it is not found.
    pub fn path_id<T: FromStr>(&self, name: &str, what: &str) -> Result<T, Problem> {
        let id = self.path_parameter(name).and_then(|text| text.parse().ok());
        id.ok_or_else(|| Problem::not_found(what))
    }

    /// A parameter of the path.
    pub(crate) fn path_parameter(&self, name: &str) -> Option<&str> {
        self.inner.path_parameters_ref().and_then(|parameters| parameters.first(name))
    }

    /// A query parameter; the first, if it is repeated.
    pub fn query(&self, name: &str) -> Option<&str> {
        self.inner.query_string_parameters_ref().and_then(|parameters| parameters.first(name))
    }

    /// The names of all query parameters.
    pub(crate) fn query_names(&self) -> impl Iterator<Item = &str> {
        self.inner.query_string_parameters_ref().into_iter().flat_map(|map| map.iter().map(|(name, _)| name))
    }

    /// The token of `Authorization: Bearer …` (RFC 6750, section 2.1).
    pub fn bearer_token(&self) -> Option<&str> {
        let (scheme, token) = self.header(AUTHORIZATION)?.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
    }

    /// The client's own name for this request, if it gave one.
    pub fn idempotency_key(&self) -> Result<Option<IdempotencyKey>, Problem> {
        let Some(value) = self.inner.headers().get(IDEMPOTENCY_KEY) else { return Ok(None) };
        let text = value.to_str().unwrap_or_default();
        let key = text.parse().map_err(|invalid: Invalid| Problem::invalid_field(IDEMPOTENCY_KEY, invalid));
        key.map(Some)
    }

    /// The media type of the body, in lower case and without parameters.
    pub fn content_type(&self) -> Option<String> {
        self.header(CONTENT_TYPE).map(essence)
    }

    /// The body.
    pub fn body(&self) -> &Bytes {
        self.inner.body()
    }

    /// The body's JSON object, to be taken apart field by field. Fields that nobody takes are refused on the
    /// `canonical` route and ignored on its aliases.
    pub fn json_fields(&self, canonical: &str) -> Result<Fields, Problem> {
        let is_json = |content_type: &str| {
            content_type == "application/json"
                || (content_type.starts_with("application/") && content_type.ends_with("+json"))
        };
        if self.content_type().is_some_and(|content_type| !is_json(&content_type)) {
            return Err(Problem::new(Code::UnsupportedMediaType, "Send the body as application/json."));
        }
        if self.body().len() > MAX_JSON_BYTES {
            return Err(Problem::new(Code::BodyTooLarge, "A JSON body may be 1 MiB at most."));
        }
        Ok(Fields::new(json_object(self.body())?, self.unknown_fields(canonical)))
    }

    /// Whether the body is declared as a form with files, `multipart/form-data`.
    pub fn is_form(&self) -> bool {
        self.content_type().as_deref() == Some(FORM_CONTENT_TYPE)
    }

    /// The form of the body, to be taken apart field by field and file by file. The whole body may have
    /// `max_form_bytes`; beyond it the client is told how to upload without a form. Fields that nobody takes are treated
    /// as those of JSON.
    pub async fn form_fields(&self, canonical: &str, max_form_bytes: usize) -> Result<Fields, Problem> {
        let content_type = self.header(CONTENT_TYPE).filter(|_| self.is_form()).ok_or_else(|| {
            Problem::new(Code::UnsupportedMediaType, "Send the body as multipart/form-data.")
        })?;
        let body = self.body();
        if body.len() > max_form_bytes {
            return Err(use_direct_upload(body.len(), max_form_bytes));
        }
        let form = Form::read(content_type, body.clone()).await?;
        Ok(Fields::of_form(form, self.unknown_fields(canonical)))
    }

    pub(crate) fn unknown_fields(&self, canonical: &str) -> UnknownFields {
        if self.route == canonical { UnknownFields::Refused } else { UnknownFields::Ignored }
    }
}

/// The URL of what is served under this domain name, without a slash at the end. On AWS it is always `https`; on a
/// loopback address, where the local stack listens, `http`.
pub(crate) fn url_of(domain_name: &str) -> String {
    let host = domain_name.rsplit_once(':').map_or(domain_name, |(host, _)| host);
    let is_loopback = matches!(host, "localhost" | "127.0.0.1" | "[::1]");
    format!("{}://{domain_name}", if is_loopback { "http" } else { "https" })
}

fn json_object(body: &[u8]) -> Result<Map<String, Value>, Problem> {
    let value: Value = serde_json::from_slice(body).map_err(|error| {
        let place = format!("line {}, column {}", error.line(), error.column());
        Problem::new(Code::MalformedJson, format!("The body is not JSON: it stops making sense at {place}."))
    })?;
    if depth(&value) > MAX_JSON_DEPTH {
        return Err(Problem::new(
            Code::MalformedJson,
            format!("The body is nested deeper than {MAX_JSON_DEPTH} levels."),
        ));
    }
    match value {
        Value::Object(fields) => Ok(fields),
        _ => Err(Problem::invalid_field("", "The body must be a JSON object")),
    }
}

/// How deep a value is nested. The parser's own limit bounds the recursion.
fn depth(value: &Value) -> usize {
    match value {
        Value::Array(items) => 1 + items.iter().map(depth).max().unwrap_or(0),
        Value::Object(fields) => 1 + fields.values().map(depth).max().unwrap_or(0),
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_is_bounded_in_depth() {
        let nested = |levels: usize| format!("{}1{}", r#"{"a":"#.repeat(levels), "}".repeat(levels));
        assert!(json_object(nested(32).as_bytes()).is_ok());
        for levels in [33, 127, 10_000] {
            assert_eq!(
                json_object(nested(levels).as_bytes()).unwrap_err().code(),
                Code::MalformedJson,
                "{levels}"
            );
        }
        assert_eq!(json_object(b"[]").unwrap_err().code(), Code::Invalid);
        assert_eq!(json_object(b"{").unwrap_err().code(), Code::MalformedJson);
        assert_eq!(json_object(b"").unwrap_err().code(), Code::MalformedJson);
    }

    fn request(event: &Value) -> Request {
        Request::of(serde_json::from_value(event.clone()).unwrap())
    }

    fn event(host: &str, raw_query_string: &str) -> Value {
        serde_json::json!({
            "version": "2.0",
            "routeKey": "GET /search",
            "rawPath": "/search",
            "rawQueryString": raw_query_string,
            "headers": {"host": host, "if-match": "\"\u{e9}\""},
            "requestContext": {
                "accountId": "123456789012",
                "apiId": "api",
                "domainName": host,
                "domainPrefix": "api",
                "http": {
                    "method": "GET",
                    "path": "/search",
                    "protocol": "HTTP/1.1",
                    "sourceIp": "127.0.0.1",
                    "userAgent": "test",
                },
                "requestId": "id",
                "routeKey": "GET /search",
                "stage": "$default",
                "time": "20/Nov/2026:08:15:30 +0000",
                "timeEpoch": 1_795_162_530_000_u64,
            },
            "isBase64Encoded": false,
        })
    }

    #[test]
    fn a_query_is_read_whatever_is_in_it() {
        for (query, title) in [
            ("title=a+b%20c&limit=1", "a b c"),
            ("title=<b>\"^`{|}\\#", "<b>\"^`{|}\\#"),
            ("title=\u{e9} \u{0}", "\u{e9} \u{0}"),
            ("title=%", "%"),
            ("title=?a=b&title=c", "?a=b"),
        ] {
            let request = request(&event("api.example.com", query));
            assert_eq!(request.query("title"), Some(title), "{query}");
            assert_eq!(request.query_string(), query);
        }
        assert_eq!(request(&event("api.example.com", "")).query("title"), None);
    }

    #[test]
    fn a_host_that_makes_no_url_does_no_harm() {
        for host in ["", " ", "a b", "a:99999999", "[", "*", "\u{e9}"] {
            let request = request(&event(host, "title=a"));
            assert_eq!((request.route(), request.path()), ("GET /search", "/search"), "{host}");
        }
        assert_eq!(request(&event("api.example.com", "")).api_url(), "https://api.example.com");
        assert_eq!(request(&event("127.0.0.1:3000", "")).api_url(), "http://127.0.0.1:3000");
    }

    #[test]
    fn an_if_match_that_cannot_be_read_names_no_version() {
        let problem = request(&event("api.example.com", "")).check_if_match(1).unwrap_err();
        assert_eq!(problem.code(), Code::PreconditionFailed);
    }
}
