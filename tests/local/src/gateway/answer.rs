//! From what a function answered to an HTTP response, payload format 2.0, and what API Gateway answers by itself.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::header::{
    CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, HeaderName, SET_COOKIE, TRANSFER_ENCODING, UPGRADE,
};
use http::{HeaderValue, Response, StatusCode};
use http_body_util::Full;
use serde_json::{Value, json};

use crate::functions::InvocationError;

/// What API Gateway answers without asking a function, or instead of one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum OwnAnswer {
    /// No route, and no `$default`.
    NotFound,
    /// The request cannot be read.
    BadRequest,
    /// The body, or the event made of it, is too large.
    EntityTooLarge,
    /// Request line and headers are too large.
    HeadersTooLarge,
    /// The function failed, or answered what is no answer.
    InternalServerError,
    /// The function took longer than the integration's timeout.
    ServiceUnavailable,
}

impl OwnAnswer {
    fn status(self) -> StatusCode {
        match self {
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::BadRequest => StatusCode::BAD_REQUEST,
            Self::EntityTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::HeadersTooLarge => StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
            Self::InternalServerError => StatusCode::INTERNAL_SERVER_ERROR,
            Self::ServiceUnavailable => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    fn message(self) -> &'static str {
        match self {
            Self::NotFound => "Not Found",
            Self::BadRequest => "Bad Request",
            Self::EntityTooLarge => "Request Entity Too Large",
            Self::HeadersTooLarge => "Request Header Fields Too Large",
            Self::InternalServerError => "Internal Server Error",
            Self::ServiceUnavailable => "Service Unavailable",
        }
    }

    /// `{"message": …}`.
    pub(super) fn response(self) -> Response<Full<Bytes>> {
        let body = json!({"message": self.message()}).to_string();
        let mut response = Response::new(Full::from(body));
        *response.status_mut() = self.status();
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        response
    }
}

/// The response for an invocation's outcome.
pub(super) fn response(outcome: Result<Value, InvocationError>) -> Response<Full<Bytes>> {
    match outcome {
        Ok(answer) => from_function(&answer).unwrap_or_else(|reason| {
            tracing::error!(reason, "the function's answer is not a response");
            OwnAnswer::InternalServerError.response()
        }),
        Err(InvocationError::RequestTooLarge(_)) => OwnAnswer::EntityTooLarge.response(),
        Err(
            InvocationError::UnknownFunction(_)
            | InvocationError::Function { .. }
            | InvocationError::TimedOut(_)
            | InvocationError::Killed
            | InvocationError::Exited(_)
            | InvocationError::ResponseTooLarge(_),
        ) => OwnAnswer::InternalServerError.response(),
    }
}

/// How long API Gateway waits for the function.
pub(super) async fn within<T>(timeout: Duration, work: impl Future<Output = T>) -> Result<T, OwnAnswer> {
    tokio::time::timeout(timeout, work).await.map_err(|_| OwnAnswer::ServiceUnavailable)
}

fn from_function(answer: &Value) -> Result<Response<Full<Bytes>>, &'static str> {
    let Some(status) = answer.get("statusCode") else {
        // Without a status code the whole answer is the body.
        let mut response = Response::new(Full::from(answer.to_string()));
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        return Ok(response);
    };
    let status = status
        .as_u64()
        .or_else(|| status.as_str().and_then(|text| text.parse().ok()))
        .and_then(|code| u16::try_from(code).ok())
        .filter(|code| (200..=599).contains(code))
        .and_then(|code| StatusCode::from_u16(code).ok())
        .ok_or("statusCode is not an HTTP status")?;
    let body = body(answer)?;
    let has_body = !body.is_empty();
    let mut response = Response::new(Full::from(body));
    *response.status_mut() = status;
    headers(answer, response.headers_mut())?;
    for cookie in answer.get("cookies").and_then(Value::as_array).into_iter().flatten() {
        let cookie = cookie.as_str().ok_or("a cookie is not a string")?;
        let cookie = HeaderValue::from_str(cookie).map_err(|_| "a cookie is not a header value")?;
        response.headers_mut().append(SET_COOKIE, cookie);
    }
    if has_body && !response.headers().contains_key(CONTENT_TYPE) {
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    }
    Ok(response)
}

fn body(answer: &Value) -> Result<Bytes, &'static str> {
    let text = match answer.get("body") {
        None | Some(Value::Null) => return Ok(Bytes::new()),
        Some(Value::String(text)) => text,
        Some(_) => return Err("body is not a string"),
    };
    match answer.get("isBase64Encoded").and_then(Value::as_bool) {
        Some(true) => STANDARD.decode(text).map(Bytes::from).map_err(|_| "body is not base64"),
        _ => Ok(Bytes::from(text.clone())),
    }
}

fn headers(answer: &Value, headers: &mut http::HeaderMap) -> Result<(), &'static str> {
    let declared = match answer.get("headers") {
        None | Some(Value::Null) => return Ok(()),
        Some(Value::Object(declared)) => declared,
        Some(_) => return Err("headers is not an object"),
    };
    for (name, value) in declared {
        let name: HeaderName = name.parse().map_err(|_| "a header's name is not one")?;
        // The gateway's connection to the client is not the function's business.
        if [CONNECTION, CONTENT_LENGTH, TRANSFER_ENCODING, UPGRADE].contains(&name) {
            continue;
        }
        let text = match value {
            Value::String(text) => text.clone(),
            Value::Number(number) => number.to_string(),
            Value::Bool(value) => value.to_string(),
            _ => return Err("a header's value is not a string"),
        };
        let value = HeaderValue::from_str(&text).map_err(|_| "a header's value is not one")?;
        headers.append(name, value);
    }
    Ok(())
}

#[cfg(test)]
#[path = "answer_tests.rs"]
mod tests;
