//! The OpenAPI document, and whether an answer keeps to it.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{Response, StatusCode};
use local::gateway::Exchange;
use serde_json::{Map, Value};

use super::schemas::Schemas;

/// Of every answer that a function gave.
const X_REQUEST_ID: &str = "x-request-id";

/// Headers that an answer has only if they are documented, whatever else API Gateway and browsers add: those that a client
/// acts upon.
const DOCUMENTED_HEADERS: [&str; 9] = [
    "etag",
    "location",
    "retry-after",
    "ratelimit-limit",
    "ratelimit-remaining",
    "ratelimit-reset",
    "www-authenticate",
    "deprecation",
    "sunset",
];

/// The document.
pub(super) struct Document {
    /// As it was read.
    pub(super) source: Value,
    /// By route: `GET /media/{media_id}`.
    operations: BTreeMap<String, Operation>,
    pub(super) schemas: Schemas,
}

/// What an operation answers, by status.
struct Operation(BTreeMap<u16, Documented>);

/// A documented response.
struct Documented {
    /// JSON pointers to the schemas, by media type.
    content: BTreeMap<String, String>,
    /// By name in lower case.
    headers: BTreeMap<String, Header>,
    /// The codes of a problem.
    codes: BTreeSet<String>,
    /// Whether it is what API Gateway answers by itself, as all operations refer to it.
    is_by_gateway: bool,
}

struct Header {
    is_required: bool,
    /// JSON pointer.
    schema: String,
}

impl Document {
    /// The document as it is published.
    pub(super) fn read() -> Self {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../functions/docs/openapi.json");
        let text = std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{path}: {error}"));
        Self::of(serde_json::from_str(&text).unwrap())
    }

    fn of(document: Value) -> Self {
        let mut operations = BTreeMap::new();
        for (path, item) in document["paths"].as_object().unwrap() {
            for (method, operation) in item.as_object().unwrap() {
                let Some(responses) = operation.get("responses").and_then(Value::as_object) else { continue };
                let place = format!("/paths/{}/{method}/responses", escaped(path));
                let responses = responses.iter().map(|(status, response)| {
                    let (place, response) = resolved(&document, format!("{place}/{status}"), response);
                    (status.parse().unwrap(), Documented::of(&document, &place, response))
                });
                operations
                    .insert(format!("{} {path}", method.to_uppercase()), Operation(responses.collect()));
            }
        }
        Self { operations, schemas: Schemas::of(document.clone()), source: document }
    }

    /// All that operations may answer: a route, a status and, of a problem, its code.
    pub(super) fn promises(&self) -> impl Iterator<Item = String> {
        self.operations.iter().flat_map(|(route, Operation(responses))| {
            let own = responses.iter().filter(|(_, response)| !response.is_by_gateway);
            own.flat_map(move |(status, response)| {
                let codes = response.codes.iter().map(move |code| promise(route, *status, Some(code)));
                codes.chain(response.codes.is_empty().then(|| promise(route, *status, None)))
            })
        })
    }

    /// Which of the promises an answer is, or what is wrong with it.
    pub(super) fn check(&self, exchange: &Exchange<'_>) -> Result<Option<String>, String> {
        let answer = exchange.answer;
        if !answer.headers().contains_key(X_REQUEST_ID) {
            return check_own_answer(answer).map(|()| None);
        }
        if exchange.route == "$default" {
            return self.check_default(answer).map(|()| None);
        }
        let Operation(responses) = self.operations.get(exchange.route).ok_or("is no documented operation")?;
        let status = answer.status().as_u16();
        let documented = responses.get(&status).ok_or_else(|| {
            format!("has an undocumented status: {}", String::from_utf8_lossy(answer.body()))
        })?;
        self.check_headers(documented, answer)?;
        if exchange.request.method == http::Method::HEAD {
            return Ok(Some(promise(exchange.route, status, None)));
        }
        let body = self.check_body(documented, answer)?;
        let code = body.as_ref().and_then(|body| body["code"].as_str());
        let code = code.filter(|_| !answer.status().is_success());
        if let Some(code) = code.filter(|code| !documented.codes.contains(*code)) {
            return Err(format!("has the undocumented code {code}"));
        }
        Ok(Some(promise(exchange.route, status, code)))
    }

    /// What has no route is redirected, or a problem.
    fn check_default(&self, answer: &Response<Bytes>) -> Result<(), String> {
        if answer.status() == StatusCode::PERMANENT_REDIRECT {
            return Ok(());
        }
        self.schemas.objection("/components/schemas/Problem", &json_of(answer)?).map_or(Ok(()), Err)
    }

    fn check_headers(&self, documented: &Documented, answer: &Response<Bytes>) -> Result<(), String> {
        for (name, header) in &documented.headers {
            let Some(value) = answer.headers().get(name) else {
                if header.is_required {
                    return Err(format!("has no {name}"));
                }
                continue;
            };
            let text = value.to_str().map_err(|_| format!("{name} is no text"))?;
            // A header is text; it is what its schema says if that reads it so, or as the number that it spells.
            let values = [Some(Value::from(text)), text.parse::<u64>().ok().map(Value::from)];
            let mut objections =
                values.into_iter().flatten().map(|value| self.schemas.objection(&header.schema, &value));
            if !objections.any(|objection| objection.is_none()) {
                return Err(format!("{name} is not as documented: {text}"));
            }
        }
        let mut names = answer.headers().keys().map(http::HeaderName::as_str);
        let is_undocumented =
            |name: &&str| DOCUMENTED_HEADERS.contains(name) && !documented.headers.contains_key(*name);
        names.find(is_undocumented).map_or(Ok(()), |name| Err(format!("has the undocumented header {name}")))
    }

    /// The body, if it is JSON.
    fn check_body(&self, documented: &Documented, answer: &Response<Bytes>) -> Result<Option<Value>, String> {
        let is_empty = answer.body().is_empty();
        if is_empty && documented.content.is_empty() {
            return Ok(None);
        }
        let content_type = content_type(answer);
        let schema = documented
            .content
            .get(content_type)
            .ok_or_else(|| format!("has a body of the undocumented type {content_type:?}"))?;
        if !content_type.ends_with("json") {
            return Ok(None);
        }
        let body = json_of(answer)?;
        let objection = self.schemas.objection(schema, &body);
        objection.map_or(Ok(Some(body)), |objection| {
            Err(format!("has a body that is not as documented: {objection}"))
        })
    }
}

impl Documented {
    fn of(document: &Value, place: &str, response: &Value) -> Self {
        let members = |name: &str| response.get(name).and_then(Value::as_object).into_iter().flatten();
        let content = members("content").map(|(media_type, _)| {
            (media_type.clone(), format!("{place}/content/{}/schema", escaped(media_type)))
        });
        let headers = members("headers").map(|(name, header)| {
            let (place, header) = resolved(document, format!("{place}/headers/{}", escaped(name)), header);
            let is_required = header.get("required").and_then(Value::as_bool).unwrap_or_default();
            (name.to_lowercase(), Header { is_required, schema: format!("{place}/schema") })
        });
        let mut codes = BTreeSet::new();
        note_codes(document, &response["content"]["application/problem+json"]["schema"], &mut codes);
        let is_by_gateway = place.starts_with("/components/responses/");
        Self { content: content.collect(), headers: headers.collect(), codes, is_by_gateway }
    }
}

/// The codes that a problem of this schema may have.
fn note_codes(document: &Value, schema: &Value, codes: &mut BTreeSet<String>) {
    let listed = schema["properties"]["code"]["enum"].as_array().into_iter().flatten();
    codes.extend(listed.map(|code| code.as_str().unwrap().to_owned()));
    for part in schema["allOf"].as_array().into_iter().flatten() {
        note_codes(document, resolved(document, String::new(), part).1, codes);
    }
}

fn promise(route: &str, status: u16, code: Option<&str>) -> String {
    match code {
        Some(code) => format!("{route} {status} {code}"),
        None => format!("{route} {status}"),
    }
}

/// Where a thing is and what, if it is only referred to.
pub(super) fn resolved<'a>(document: &'a Value, place: String, value: &'a Value) -> (String, &'a Value) {
    let Some(reference) = value.get("$ref").and_then(Value::as_str) else { return (place, value) };
    let pointer = reference.strip_prefix('#').unwrap();
    (pointer.to_owned(), document.pointer(pointer).unwrap_or_else(|| panic!("{reference} is nowhere")))
}

/// As a segment of a JSON pointer (RFC 6901).
pub(super) fn escaped(segment: &str) -> String {
    segment.replace('~', "~0").replace('/', "~1")
}

/// What API Gateway answers by itself: an error, in its own shape.
fn check_own_answer(answer: &Response<Bytes>) -> Result<(), String> {
    let body = json_of(answer)?;
    let members: Option<Vec<&String>> = body.as_object().map(Map::keys).map(Iterator::collect);
    let is_own = (answer.status().is_client_error() || answer.status().is_server_error())
        && members.is_some_and(|members| members == ["message"]);
    if is_own { Ok(()) } else { Err(format!("has no {X_REQUEST_ID}")) }
}

fn content_type(answer: &Response<Bytes>) -> &str {
    let text = answer.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    text.split(';').next().unwrap_or_default().trim()
}

fn json_of(answer: &Response<Bytes>) -> Result<Value, String> {
    serde_json::from_slice(answer.body()).map_err(|error| format!("has a body that is no JSON: {error}"))
}
