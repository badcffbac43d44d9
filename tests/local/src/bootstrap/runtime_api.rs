//! The Runtime API of one process: hands out events, and takes answers and errors.
//!
//! Follows <https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html>. An answer to another invocation than the one
//! that runs is refused, as is anything that the API does not have.

use std::convert::Infallible;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::service::service_fn;
use serde::Deserialize;
use serde_json::json;
use tokio::net::TcpListener;
use tokio::sync::{mpsc, oneshot, watch};

use crate::connections;
use crate::functions::{Invocation, PAYLOAD_LIMIT_BYTES};
use crate::stack::Function;

/// The path that all of the API is under: its version.
const VERSION: &str = "/2018-06-01/runtime";

/// What a process made of an event.
#[derive(Debug)]
pub(super) enum Outcome {
    /// Its answer, as it sent it.
    Answer(Bytes),
    /// It says that it failed.
    Error { error_type: String, message: String },
}

/// The body of an error.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ErrorBody {
    error_type: String,
    error_message: String,
}

/// An event that waits for the process to ask for it.
struct Event {
    payload: Bytes,
    request_id: String,
    trace_id: String,
    outcome: oneshot::Sender<Outcome>,
}

struct Shared {
    function_arn: String,
    timeout: Duration,
    events: tokio::sync::Mutex<mpsc::Receiver<Event>>,
    /// The invocation that runs, and who waits for its outcome.
    running: Mutex<Option<(String, oneshot::Sender<Outcome>)>>,
}

/// The API, on a loopback port of its own until it is dropped.
#[derive(Debug)]
pub(super) struct RuntimeApi {
    address: SocketAddr,
    events: mpsc::Sender<Event>,
    _stop: watch::Sender<bool>,
}

impl RuntimeApi {
    /// Opens the port for a process of this function.
    pub(super) async fn start(function: &Function) -> std::io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let (events, receiver) = mpsc::channel(1);
        let shared = Arc::new(Shared {
            function_arn: function.arn.clone(),
            timeout: function.timeout,
            events: tokio::sync::Mutex::new(receiver),
            running: Mutex::default(),
        });
        let (stop, stopped) = watch::channel(false);
        let service = move |_| {
            let shared = Arc::clone(&shared);
            service_fn(move |request| {
                let shared = Arc::clone(&shared);
                async move { Ok::<_, Infallible>(shared.answer(request).await) }
            })
        };
        tokio::spawn(connections::serve(listener, "runtime API", stopped, service));
        Ok(Self { address, events, _stop: stop })
    }

    /// Where it listens: what `AWS_LAMBDA_RUNTIME_API` tells.
    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Hands an event over and waits for its outcome; `None` if there is nobody any more who could tell it.
    pub(super) async fn invoke(&self, payload: Bytes, invocation: Invocation) -> Option<Outcome> {
        let (outcome, answered) = oneshot::channel();
        let event =
            Event { payload, request_id: invocation.request_id, trace_id: invocation.trace_id, outcome };
        self.events.send(event).await.ok()?;
        answered.await.ok()
    }
}

impl Shared {
    async fn answer(&self, request: Request<Incoming>) -> Response<Full<Bytes>> {
        let path = request.uri().path().strip_prefix(VERSION).unwrap_or_default().to_owned();
        let parts: Vec<&str> = path.split('/').skip(1).collect();
        match (request.method(), parts.as_slice()) {
            (&Method::GET, ["invocation", "next"]) => self.next().await,
            (&Method::POST, ["invocation", request_id, kind @ ("response" | "error")]) => {
                let is_error = *kind == "error";
                match Limited::new(request.into_body(), PAYLOAD_LIMIT_BYTES).collect().await {
                    Ok(body) => self.take(request_id, is_error, body.to_bytes()),
                    Err(_) => refusal(StatusCode::PAYLOAD_TOO_LARGE, "RequestEntityTooLarge"),
                }
            }
            // The process ends by itself right after it, and its log says why.
            (&Method::POST, ["init", "error"]) => accepted(),
            _ => refusal(StatusCode::NOT_FOUND, "NotFound"),
        }
    }

    async fn next(&self) -> Response<Full<Bytes>> {
        let Some(event) = self.events.lock().await.recv().await else {
            return refusal(StatusCode::GONE, "ShuttingDown");
        };
        let deadline = (SystemTime::now() + self.timeout).duration_since(UNIX_EPOCH).unwrap_or_default();
        let response = Response::builder()
            .header("content-type", "application/json")
            .header("lambda-runtime-aws-request-id", &event.request_id)
            .header("lambda-runtime-deadline-ms", deadline.as_millis().to_string())
            .header("lambda-runtime-invoked-function-arn", &self.function_arn)
            .header("lambda-runtime-trace-id", &event.trace_id)
            .body(Full::from(event.payload));
        *self.running.lock().unwrap_or_else(PoisonError::into_inner) =
            Some((event.request_id, event.outcome));
        response.unwrap_or_else(|_| refusal(StatusCode::INTERNAL_SERVER_ERROR, "InternalServerError"))
    }

    fn take(&self, request_id: &str, is_error: bool, body: Bytes) -> Response<Full<Bytes>> {
        let outcome = if is_error {
            match serde_json::from_slice::<ErrorBody>(&body) {
                Ok(ErrorBody { error_type, error_message }) => {
                    Outcome::Error { error_type, message: error_message }
                }
                Err(_) => return refusal(StatusCode::BAD_REQUEST, "InvalidErrorShape"),
            }
        } else {
            Outcome::Answer(body)
        };
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        match running.take_if(|(running, _)| running == request_id) {
            Some((_, waiting)) => {
                // Nobody waits any more for an invocation that timed out.
                let _ = waiting.send(outcome);
                accepted()
            }
            None => refusal(StatusCode::BAD_REQUEST, "InvalidRequestID"),
        }
    }
}

fn accepted() -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::from(json!({"status": "OK"}).to_string()));
    *response.status_mut() = StatusCode::ACCEPTED;
    response
}

fn refusal(status: StatusCode, error_type: &str) -> Response<Full<Bytes>> {
    let body = json!({"errorType": error_type, "errorMessage": error_type});
    let mut response = Response::new(Full::from(body.to_string()));
    *response.status_mut() = status;
    response
}
