//! From an HTTP request to the event that a Lambda function behind an HTTP API receives, payload format 2.0
//! (<https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html>).
//!
//! What that page leaves open follows what the service is seen to do: `rawPath` and `pathParameters` are
//! percent-decoded, and a body is text only for `text/*`, `application/json`, `application/xml` and
//! `application/javascript`; everything else, forms and bodies without a type included, is base64.
//!
//! One thing differs: `requestContext.domainName` is the whole `Host` of the request with its port, which on AWS there is
//! none of, so that a function can build its own URL.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::SystemTime;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::HeaderMap;
use http::header::{CONTENT_TYPE, COOKIE, HOST, USER_AGENT};
use http::request::Parts;
use percent_encoding::percent_decode_str;
use serde_json::{Map, Value, json};
use time::OffsetDateTime;
use time::macros::format_description;

use super::router::Match;

/// What the event says that the request does not.
#[derive(Debug)]
pub(super) struct Circumstances<'a> {
    pub(super) account_id: &'a str,
    pub(super) api_id: &'a str,
    pub(super) peer: SocketAddr,
    /// Where the API listens; stands in for an absent `Host`.
    pub(super) address: SocketAddr,
    pub(super) request_id: &'a str,
    pub(super) trace_id: &'a str,
    pub(super) received: SystemTime,
}

/// The event of one request.
pub(super) fn event(request: &Parts, body: &[u8], found: &Match, circumstances: &Circumstances) -> Value {
    let query = request.uri.query().unwrap_or_default();
    let path = percent_decode_str(request.uri.path()).decode_utf8_lossy();
    let route_key = found.route_key();
    let mut event = Map::new();
    event.insert("version".to_owned(), json!("2.0"));
    event.insert("routeKey".to_owned(), json!(route_key));
    event.insert("rawPath".to_owned(), json!(path));
    event.insert("rawQueryString".to_owned(), json!(query));
    let cookies = cookies(&request.headers);
    if !cookies.is_empty() {
        event.insert("cookies".to_owned(), json!(cookies));
    }
    event.insert("headers".to_owned(), json!(headers(&request.headers, circumstances)));
    let query_parameters = query_parameters(query);
    if !query_parameters.is_empty() {
        event.insert("queryStringParameters".to_owned(), json!(query_parameters));
    }
    if !found.path_parameters.is_empty() {
        event.insert("pathParameters".to_owned(), json!(found.path_parameters));
    }
    event.insert("requestContext".to_owned(), request_context(request, &path, &route_key, circumstances));
    let mut is_base64_encoded = false;
    if !body.is_empty() {
        let text = if is_text(&request.headers) { std::str::from_utf8(body).ok() } else { None };
        is_base64_encoded = text.is_none();
        let body = text.map_or_else(|| STANDARD.encode(body), str::to_owned);
        event.insert("body".to_owned(), json!(body));
    }
    event.insert("isBase64Encoded".to_owned(), json!(is_base64_encoded));
    Value::Object(event)
}

fn request_context(request: &Parts, path: &str, route_key: &str, circumstances: &Circumstances) -> Value {
    let domain_name = header(&request.headers, &HOST).unwrap_or_else(|| circumstances.address.to_string());
    let received = OffsetDateTime::from(circumstances.received);
    let format = format_description!(
        "[day]/[month repr:short]/[year]:[hour]:[minute]:[second] [offset_hour sign:mandatory][offset_minute]"
    );
    json!({
        "accountId": circumstances.account_id,
        "apiId": circumstances.api_id,
        "domainName": domain_name,
        "domainPrefix": domain_name.split('.').next(),
        "http": {
            "method": request.method.as_str(),
            "path": path,
            "protocol": format!("{:?}", request.version),
            "sourceIp": circumstances.peer.ip().to_string(),
            "userAgent": header(&request.headers, &USER_AGENT).unwrap_or_default(),
        },
        "requestId": circumstances.request_id,
        "routeKey": route_key,
        "stage": "$default",
        "time": received.format(&format).unwrap_or_default(),
        "timeEpoch": i64::try_from(received.unix_timestamp_nanos() / 1_000_000).unwrap_or_default(),
    })
}

fn header(headers: &HeaderMap, name: &http::HeaderName) -> Option<String> {
    headers.get(name).map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned())
}

/// Lower-case names, several values joined by commas, cookies apart, and what the proxy adds.
fn headers(request: &HeaderMap, circumstances: &Circumstances) -> BTreeMap<String, String> {
    let mut headers = BTreeMap::new();
    for name in request.keys().filter(|name| *name != COOKIE) {
        let values: Vec<_> =
            request.get_all(name).iter().map(|value| String::from_utf8_lossy(value.as_bytes())).collect();
        headers.insert(name.as_str().to_owned(), values.join(","));
    }
    headers.entry("host".to_owned()).or_insert_with(|| circumstances.address.to_string());
    headers.entry("content-length".to_owned()).or_insert_with(|| "0".to_owned());
    let peer = circumstances.peer.ip().to_string();
    let forwarded_for = match headers.get("x-forwarded-for") {
        Some(before) => format!("{before}, {peer}"),
        None => peer,
    };
    headers.insert("x-forwarded-for".to_owned(), forwarded_for);
    headers.insert("x-forwarded-port".to_owned(), circumstances.address.port().to_string());
    headers.insert("x-forwarded-proto".to_owned(), "http".to_owned());
    headers.insert("x-amzn-trace-id".to_owned(), circumstances.trace_id.to_owned());
    headers
}

fn cookies(headers: &HeaderMap) -> Vec<String> {
    headers
        .get_all(COOKIE)
        .iter()
        .flat_map(|value| {
            let value = String::from_utf8_lossy(value.as_bytes()).into_owned();
            value.split(';').map(|cookie| cookie.trim().to_owned()).collect::<Vec<_>>()
        })
        .filter(|cookie| !cookie.is_empty())
        .collect()
}

/// Decoded; several values of one name are joined by commas.
fn query_parameters(query: &str) -> BTreeMap<String, String> {
    let mut parameters: BTreeMap<String, String> = BTreeMap::new();
    for (name, value) in form_urlencoded::parse(query.as_bytes()) {
        parameters
            .entry(name.into_owned())
            .and_modify(|values| {
                values.push(',');
                values.push_str(&value);
            })
            .or_insert_with(|| value.clone().into_owned());
    }
    parameters
}

fn is_text(headers: &HeaderMap) -> bool {
    let Some(content_type) = header(headers, &CONTENT_TYPE) else { return false };
    let essence = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    essence.starts_with("text/")
        || matches!(essence.as_str(), "application/json" | "application/xml" | "application/javascript")
}

#[cfg(test)]
#[path = "event_tests.rs"]
mod tests;
