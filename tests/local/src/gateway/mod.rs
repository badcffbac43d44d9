//! The HTTP API: real HTTP/1.1 in, API Gateway's events to the functions, and their answers back.
//!
//! It has API Gateway's own limits and answers: 10 240 bytes of request line and headers (431), 10 MB of body (413), the
//! integration's timeout (503), a function that failed (500), `{"message": …}` in each. Only loopback is served.

mod answer;
mod cors;
mod event;
mod inspection;
mod router;

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Instant, SystemTime};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::{Bytes, BytesMut};
use http::request::Parts;
use http::{HeaderValue, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use uuid::Uuid;

use self::answer::OwnAnswer;
use self::event::Circumstances;
use self::inspection::{Served, inspected};
use self::router::Router;
use crate::connections;
use crate::functions::{Functions, Invocation};
use crate::stack::{ApiCors, Stack};

pub use self::inspection::{Exchange, Inspect};

/// API Gateway's limit on the request line and the header values together.
const HEADERS_LIMIT_BYTES: usize = 10_240;
/// API Gateway's limit on a request body: 10 MB.
const BODY_LIMIT_BYTES: usize = 10 * 1024 * 1024;
/// How much of a body that is too large is read before the answer.
const DRAIN_LIMIT_BYTES: usize = 64 * 1024 * 1024;

/// The running HTTP API.
#[derive(Debug)]
pub struct Gateway {
    address: SocketAddr,
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

struct Api {
    router: Router,
    cors: Option<ApiCors>,
    functions: Functions,
    account_id: String,
    api_id: String,
    address: SocketAddr,
    inspect: Option<Inspect>,
}

impl Gateway {
    /// Serves the stack's routes on a bound listener until shut down.
    pub fn start(
        listener: TcpListener,
        stack: &Stack,
        api_id: &str,
        functions: Functions,
        inspect: Option<Inspect>,
    ) -> std::io::Result<Self> {
        let address = listener.local_addr()?;
        let api = Arc::new(Api {
            router: Router::new(&stack.routes),
            cors: stack.api_cors.clone(),
            functions,
            account_id: stack.account_id.clone(),
            api_id: api_id.to_owned(),
            address,
            inspect,
        });
        let (stop, stopped) = watch::channel(false);
        let task = tokio::spawn(accept(listener, api, stopped));
        Ok(Self { address, stop, task })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Takes no more requests, and waits for those that run.
    pub async fn shut_down(self) {
        self.stop.send_replace(true);
        if let Err(error) = self.task.await {
            tracing::error!(%error, "the HTTP API did not stop cleanly");
        }
    }
}

async fn accept(listener: TcpListener, api: Arc<Api>, stopped: watch::Receiver<bool>) {
    let service = |peer| {
        let api = Arc::clone(&api);
        service_fn(move |request| {
            let api = Arc::clone(&api);
            async move { Ok::<_, Infallible>(api.serve(request, peer).await) }
        })
    };
    connections::serve(listener, "the HTTP API", stopped, service).await;
}

/// Without what is as long as a token: it is a secret, and no line is long enough for it.
fn without_tokens(path: &str) -> String {
    let segments: Vec<&str> =
        path.split('/').map(|segment| if segment.len() > 100 { "…" } else { segment }).collect();
    segments.join("/")
}

impl Api {
    async fn serve(&self, request: Request<Incoming>, peer: SocketAddr) -> Response<Full<Bytes>> {
        let started = Instant::now();
        let (parts, body) = request.into_parts();
        let request_id = STANDARD.encode(&Uuid::new_v4().as_bytes()[..11]);
        let mut served = Served::default();
        let mut response = match &self.cors {
            Some(cors) if cors::is_preflight(&parts.method, &parts.headers) => {
                let mut response = Response::new(Full::default());
                *response.status_mut() = StatusCode::NO_CONTENT;
                *response.headers_mut() = cors::preflight_headers(cors, &parts.headers);
                response
            }
            _ => {
                let result = self.answer(&parts, body, peer, &request_id, &mut served).await;
                let mut response = result.unwrap_or_else(OwnAnswer::response);
                if let Some(cors) = &self.cors {
                    cors::replace_headers(cors, &parts.headers, response.headers_mut());
                }
                response
            }
        };
        if let Some(inspect) = &self.inspect {
            response = inspected(inspect, &parts, &served, response).await;
        }
        if let Ok(id) = HeaderValue::from_str(&request_id) {
            response.headers_mut().insert("apigw-requestid", id);
        }
        tracing::info!(
            "{} {} {} {} ms {}",
            parts.method,
            without_tokens(parts.uri.path()),
            response.status().as_u16(),
            started.elapsed().as_millis(),
            served.function.as_deref().unwrap_or("-")
        );
        response
    }

    async fn answer(
        &self,
        parts: &Parts,
        body: Incoming,
        peer: SocketAddr,
        request_id: &str,
        served: &mut Served,
    ) -> Result<Response<Full<Bytes>>, OwnAnswer> {
        if head_size_bytes(parts) > HEADERS_LIMIT_BYTES {
            return Err(OwnAnswer::HeadersTooLarge);
        }
        let path = parts.uri.path();
        let found = self.router.find(parts.method.as_str(), path).ok_or(OwnAnswer::NotFound)?;
        served.function = Some(found.route.function.clone());
        served.route = Some(found.route_key());
        served.body = read(body).await?;
        let invocation = Invocation::new();
        let circumstances = Circumstances {
            account_id: &self.account_id,
            api_id: &self.api_id,
            peer,
            address: self.address,
            request_id,
            trace_id: &invocation.trace_id,
            received: SystemTime::now(),
        };
        let event = event::event(parts, &served.body, &found, &circumstances);
        let invoked = self.functions.invoke(&found.route.function, event, invocation);
        let outcome = answer::within(found.route.timeout, invoked).await?;
        Ok(answer::response(outcome))
    }
}

fn head_size_bytes(parts: &Parts) -> usize {
    let target = parts.uri.path_and_query().map_or(0, |target| target.as_str().len());
    let request_line = parts.method.as_str().len() + 1 + target + 1 + "HTTP/1.1".len();
    request_line + parts.headers.values().map(HeaderValue::len).sum::<usize>()
}

/// The whole body. One that is too large is still read, up to a point, because most clients look at the answer only when
/// they have sent everything.
async fn read(mut body: Incoming) -> Result<Bytes, OwnAnswer> {
    let mut collected = BytesMut::new();
    let mut size = 0;
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|_| OwnAnswer::BadRequest)?;
        let Ok(data) = frame.into_data() else { continue };
        size += data.len();
        if size > DRAIN_LIMIT_BYTES {
            break;
        }
        if size <= BODY_LIMIT_BYTES {
            collected.extend_from_slice(&data);
        }
    }
    if size > BODY_LIMIT_BYTES { Err(OwnAnswer::EntityTooLarge) } else { Ok(collected.freeze()) }
}
