//! Responses: problems as all routes answer them, the headers that go with a status, and what API Gateway answers by itself.

use api::Code;
use serde_json::json;

use super::OpenApiError;
use super::json::{Json, Object, object};

/// The codes of a response, as a description names them.
const CODES: &str = "x-problem-codes";

/// What API Gateway answers to any request by itself, in a shape of its own.
/// <https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-quotas.html>
const GATEWAY: [(&str, &str, &str); 3] = [
    ("429", "TooManyRequests", "Too Many Requests"),
    ("500", "InternalServerError", "Internal Server Error"),
    ("503", "ServiceUnavailable", "Service Unavailable"),
];

const RATE_LIMIT_HEADERS: [&str; 3] = ["RateLimit-Limit", "RateLimit-Remaining", "RateLimit-Reset"];

/// The codes that an operation may answer.
pub(super) fn codes_of(operation: &Object) -> Vec<String> {
    let responses = operation.get("responses").and_then(Json::as_object).into_iter().flatten();
    let codes = responses.flat_map(|(_, response)| codes_in(response));
    codes.collect()
}

fn codes_in(response: &Json) -> Vec<String> {
    let problem = response.get("content").and_then(|content| content.get("application/problem+json"));
    let examples = problem.and_then(|problem| problem.get("examples")).and_then(Json::as_object);
    examples.into_iter().flat_map(Object::keys).cloned().collect()
}

/// Describes those of an operation.
pub(super) fn describe(operation: &mut Object) -> Result<(), OpenApiError> {
    let Some(responses) = operation.get_mut("responses").and_then(Json::as_object_mut) else { return Ok(()) };
    for response in responses.values_mut().filter_map(Json::as_object_mut) {
        if let Some(Json::Array(codes)) = response.shift_remove(CODES) {
            *response = problems(&codes)?;
        }
    }
    let is_limited =
        responses.values().any(|response| codes_in(response).contains(&"rate_limited".to_owned()));
    let is_versioned = ["304", "412"].iter().any(|status| responses.contains_key(*status));
    let creates = responses.contains_key("201");
    for (status, response) in responses.iter_mut() {
        let is_versioned =
            is_versioned && matches!(status.as_str(), "200" | "304") && has_json(response, status);
        let mut headers = vec!["X-Request-Id"];
        headers.extend(is_versioned.then_some("ETag"));
        headers.extend(
            (matches!(status.as_str(), "201" | "302") || status == "200" && creates).then_some("Location"),
        );
        headers.extend((status == "401").then_some("WWW-Authenticate"));
        headers.extend(
            (matches!(status.as_str(), "202" | "429" | "503") && may_retry(response))
                .then_some("Retry-After"),
        );
        headers.extend(RATE_LIMIT_HEADERS.into_iter().filter(|_| is_limited));
        add_headers(response, &headers);
    }
    for (status, name, message) in GATEWAY {
        if let Some(response) = responses.get_mut(status) {
            also_by_gateway(response, message);
        } else {
            let reference = object! { "$ref": format!("#/components/responses/{name}") };
            responses.insert(status.to_owned(), reference.into());
        }
    }
    responses.sort_unstable_keys();
    Ok(())
}

/// A `HEAD` is answered as a `GET`, without the body.
pub(super) fn remove_bodies(operation: &mut Object) {
    let responses = operation.get_mut("responses").and_then(Json::as_object_mut);
    for response in responses.into_iter().flat_map(Object::values_mut).filter_map(Json::as_object_mut) {
        response.shift_remove("content");
    }
}

/// What the responses of all operations refer to.
pub(super) fn components() -> (Object, Object, Object) {
    let responses = GATEWAY.iter().map(|(_, name, message)| {
        let response = object! {
            "description": format!("What API Gateway answers by itself: `{message}`."),
            "content": object! { "application/json": by_gateway(message) },
        };
        ((*name).to_owned(), response.into())
    });
    let examples = Code::ALL.iter().filter(|code| **code != Code::RouteUnknown);
    let examples = examples.map(|code| {
        let example = object! { "summary": code.title(), "value": example(*code) };
        (code.as_str().to_owned(), example.into())
    });
    (responses.collect(), headers(), examples.collect())
}

fn problems(codes: &[Json]) -> Result<Object, OpenApiError> {
    let names = || codes.iter().filter_map(Json::as_str);
    let codes: Vec<Code> = names()
        .map(|name| {
            let code = Code::ALL.iter().find(|code| code.as_str() == name).copied();
            code.ok_or_else(|| OpenApiError::UnknownCode(name.to_owned()))
        })
        .collect::<Result<_, _>>()?;
    let lines: Vec<String> = codes
        .iter()
        .map(|code| format!("- `{}`: {} {}", code.as_str(), code.explanation(), code.advice()))
        .collect();
    let status = codes.first().map(|code| code.status().as_u16());
    let schema = json!({
        "allOf": [
            {"$ref": "#/components/schemas/Problem"},
            {"properties": {"status": {"const": status}, "code": {"enum": names().collect::<Vec<_>>()}}},
        ],
    });
    let examples: Object = names()
        .map(|name| (name.to_owned(), object! { "$ref": format!("#/components/examples/{name}") }.into()))
        .collect();
    Ok(object! {
        "description": lines.join("\n"),
        "content": object! { "application/problem+json": object! { "schema": schema, "examples": examples } },
    })
}

fn has_json(response: &Json, status: &str) -> bool {
    status == "304" || response.get("content").is_some()
}

/// What is healthy or not does not say when to ask again; what is refused, or goes on, does.
fn may_retry(response: &Json) -> bool {
    let is_report = response.get("content").is_some_and(|content| content.get("application/json").is_some());
    let says_when =
        response.get("description").and_then(Json::as_str).is_some_and(|text| text.contains("Retry-After"));
    !is_report || says_when
}

fn add_headers(response: &mut Json, names: &[&str]) {
    let Some(headers) = response.entry("headers").and_then(Json::as_object_mut) else { return };
    for name in names {
        let reference = object! { "$ref": format!("#/components/headers/{name}") };
        headers.insert((*name).to_owned(), reference.into());
    }
}

fn by_gateway(message: &str) -> Json {
    json!({"schema": {"$ref": "#/components/schemas/GatewayMessage"}, "example": {"message": message}}).into()
}

/// A status that API Gateway may answer too.
fn also_by_gateway(response: &mut Json, message: &str) {
    let Some(content) = response.entry("content").and_then(Json::as_object_mut) else { return };
    match content.get_mut("application/json").and_then(Json::as_object_mut) {
        Some(own) => {
            if let Some(schema) = own.shift_remove("schema") {
                let gateway = object! { "$ref": "#/components/schemas/GatewayMessage" };
                let schemas: Json = [schema, gateway.into()].into_iter().collect();
                own.insert("schema".to_owned(), object! { "anyOf": schemas }.into());
            }
        }
        None => {
            content.insert("application/json".to_owned(), by_gateway(message));
        }
    }
}

fn headers() -> Object {
    let header =
        |description: &str, schema| object! { "description": description, "schema": Json::from(schema) };
    let seconds = || json!({"type": "integer", "minimum": 0, "examples": [12]});
    object! {
        "ETag": header("The version of the record, for `If-Match` and `If-None-Match`.", json!({"type": "string", "examples": ["\"3\""]})),
        "Location": header("Where it is.", json!({"type": "string", "format": "uri-reference", "examples": ["/media/01a1f806-60d0-7abc-8def-0123456789ab"]})),
        "RateLimit-Limit": header("How many requests the limit allows in its window, of the limit that is nearest.", json!({"type": "integer", "minimum": 1, "examples": [10]})),
        "RateLimit-Remaining": header("How many of them are left.", json!({"type": "integer", "minimum": 0, "examples": [9]})),
        "RateLimit-Reset": header("In how many seconds one more is left.", seconds()),
        "Retry-After": header("After how many seconds to try again.", seconds()),
        "WWW-Authenticate": header("How to sign in (RFC 6750).", json!({"type": "string", "const": "Bearer"})),
        "X-Request-Id": header("Names this request in our logs.", json!({"type": "string", "examples": [REQUEST_ID]})),
    }
}

const REQUEST_ID: &str = "JKJaXmPLvHcESHA=";

/// A problem with this code, as a client sees it.
fn example(code: Code) -> Json {
    let mut problem = object! {
        "type": format!("/docs#{}", code.as_str()),
        "title": code.title(),
        "status": json!(code.status().as_u16()),
        "detail": format!("{} {}", code.explanation(), code.advice()),
        "code": code.as_str(),
        "request_id": REQUEST_ID,
    };
    match code {
        Code::Invalid => {
            let errors = json!([{"pointer": "/title", "detail": "must be 1 to 200 characters long"}]);
            problem.insert("detail".to_owned(), "/title must be 1 to 200 characters long.".into());
            problem.insert("errors".to_owned(), errors.into());
        }
        Code::PartsIncomplete => {
            problem.insert("missing".to_owned(), json!([2, 7]).into());
        }
        _ => {}
    }
    problem.into()
}
