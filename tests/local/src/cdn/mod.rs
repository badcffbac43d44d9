//! The edge of the stack's CloudFront distribution: real HTTP/1.1 in, the bucket's objects out.
//!
//! As CloudFront does, it takes the first cache behaviour whose path pattern matches, asks for a signed URL where that has
//! trusted key groups, forwards to the bucket what the policies let through, as the distribution and by the bucket's own
//! leave, and gives the answer the headers of the response headers policy.
//!
//! Viewers speak plain HTTP to a loopback port, which is the domain name of the distribution: their URLs are signed as
//! `http://127.0.0.1:3001/…`. Nothing is cached, so that what is gone from the bucket is gone here at once; on AWS it may
//! be served for as long as the cache policy says. Signed cookies are not read.

mod policy;
mod response_headers;
mod signed_url;

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode, Uri, header};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::service::service_fn;
use percent_encoding::percent_decode_str;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use uuid::Uuid;

use self::response_headers::Viewer;
use self::signed_url::{Refusal, SignedUrl};
use crate::aws::{Aws, Cut, ResponseBody, boxed, wildcard_match};
use crate::connections;
use crate::stack::{CacheBehavior, Distribution, ForwardedQuery, KeyGroup};

/// What the origin gets of a viewer's headers, whatever the policies say.
const ALWAYS_FORWARDED: [HeaderName; 6] = [
    header::RANGE,
    header::IF_MATCH,
    header::IF_MODIFIED_SINCE,
    header::IF_NONE_MATCH,
    header::IF_RANGE,
    header::IF_UNMODIFIED_SINCE,
];
/// What S3 tells and CloudFront keeps for itself.
const KEPT_FROM_VIEWERS: [&str; 2] = ["x-amz-id-2", "x-amz-request-id"];

/// The running edge.
#[derive(Debug)]
pub struct Cdn {
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

struct Edge {
    distribution: Distribution,
    key_groups: Vec<KeyGroup>,
    aws: Aws,
    clock: api::Clock,
}

impl Cdn {
    /// Serves a distribution on a bound listener until shut down.
    pub fn start(
        listener: TcpListener,
        distribution: &Distribution,
        key_groups: &[KeyGroup],
        aws: Aws,
        clock: api::Clock,
    ) -> Self {
        let (distribution, key_groups) = (distribution.clone(), key_groups.to_vec());
        let edge = Arc::new(Edge { distribution, key_groups, aws, clock });
        let (stop, stopped) = watch::channel(false);
        let task = tokio::spawn(accept(listener, edge, stopped));
        Self { stop, task }
    }

    /// Takes no more requests, and waits for those that run.
    pub async fn shut_down(self) {
        self.stop.send_replace(true);
        if let Err(error) = self.task.await {
            tracing::error!(%error, "the CDN did not stop cleanly");
        }
    }
}

async fn accept(listener: TcpListener, edge: Arc<Edge>, stopped: watch::Receiver<bool>) {
    let service = |peer: SocketAddr| {
        let edge = Arc::clone(&edge);
        service_fn(move |request: Request<Incoming>| {
            let edge = Arc::clone(&edge);
            async move { edge.serve(request.into_parts().0, peer.ip()).await }
        })
    };
    connections::serve(listener, "the CDN", stopped, service).await;
}

impl Edge {
    async fn serve(&self, parts: Parts, address: IpAddr) -> Result<Response<ResponseBody>, Cut> {
        let started = Instant::now();
        let request_id = Uuid::new_v4().simple().to_string();
        let (method, path) = (parts.method.clone(), parts.uri.path().to_owned());
        let mut response = match self.admit(&parts, address) {
            Ok((behavior, query)) => self.forward(parts, behavior, &query, &request_id).await?,
            Err(refusal) => boxed(refusal.response()),
        };
        let is_error = response.status().is_client_error() || response.status().is_server_error();
        let cache = if is_error { "Error from cloudfront" } else { "Miss from cloudfront" };
        let headers = response.headers_mut();
        headers.insert("x-cache", HeaderValue::from_static(cache));
        headers.insert(header::VIA, HeaderValue::from_static("1.1 local.cloudfront.net (CloudFront)"));
        if let Ok(id) = HeaderValue::from_str(&request_id) {
            headers.insert("x-amz-cf-id", id);
        }
        // Never the query: it is what lets its holder in.
        tracing::info!("{method} {path} {} {} ms", response.status().as_u16(), started.elapsed().as_millis());
        Ok(response)
    }

    /// Whether a viewer is let in; with what, and with which query but for CloudFront's own parameters.
    fn admit(&self, parts: &Parts, address: IpAddr) -> Result<(&CacheBehavior, String), Refusal> {
        let host = parts.headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
        if host != self.distribution.domain_name {
            return Err(Refusal::WrongHost);
        }
        let behavior = self.behavior(parts.uri.path());
        if !behavior.allowed_methods.iter().any(|method| *method == parts.method.as_str()) {
            return Err(Refusal::MethodNotAllowed);
        }
        let signed = SignedUrl::read(host, &parts.uri)?;
        if !behavior.trusted_key_groups.is_empty() {
            let trusted = |id: &str| self.trusts(behavior, id);
            let key = |id: &str| if trusted(id) { self.aws.public_key(id) } else { Ok(None) };
            signed.verify(key, address, self.clock.now())?;
        }
        Ok((behavior, signed.query))
    }

    fn behavior(&self, path: &str) -> &CacheBehavior {
        let path = path.strip_prefix('/').unwrap_or(path);
        let matches = |pattern: &str| wildcard_match(pattern.strip_prefix('/').unwrap_or(pattern), path);
        let mut behaviors = self.distribution.cache_behaviors.iter();
        let found = behaviors.find(|(pattern, _)| matches(pattern));
        found.map_or(&self.distribution.default_cache_behavior, |(_, behavior)| behavior)
    }

    fn trusts(&self, behavior: &CacheBehavior, public_key_id: &str) -> bool {
        let mut groups =
            self.key_groups.iter().filter(|group| behavior.trusted_key_groups.contains(&group.id));
        groups.any(|group| group.public_key_ids.iter().any(|id| id == public_key_id))
    }

    async fn forward(
        &self,
        parts: Parts,
        behavior: &CacheBehavior,
        query: &str,
        request_id: &str,
    ) -> Result<Response<ResponseBody>, Cut> {
        let viewer = Viewer::of(&parts);
        let Some(parts) = origin_request(parts, behavior, query) else {
            return Ok(boxed(Refusal::MalformedUrl.response()));
        };
        let mut response = self.aws.answer_distribution(parts, &self.distribution.arn, request_id).await?;
        let headers = response.headers_mut();
        for name in KEPT_FROM_VIEWERS {
            headers.remove(name);
        }
        behavior.response_headers.apply(&viewer, headers);
        Ok(response)
    }
}

/// The request that the bucket gets.
fn origin_request(parts: Parts, behavior: &CacheBehavior, query: &str) -> Option<Parts> {
    let query = forwarded_query(query, &behavior.forwarded_query);
    let mark = if query.is_empty() { "" } else { "?" };
    let target = format!("/{}{}{mark}{query}", behavior.bucket, parts.uri.path());
    let mut headers = HeaderMap::new();
    for (name, value) in &parts.headers {
        let is_forwarded = ALWAYS_FORWARDED.contains(name)
            || behavior.forwarded_headers.iter().any(|forwarded| forwarded == name.as_str());
        if is_forwarded {
            headers.append(name, value.clone());
        }
    }
    let mut request = Request::new(());
    *request.method_mut() = parts.method;
    *request.uri_mut() = target.parse::<Uri>().ok()?;
    *request.headers_mut() = headers;
    Some(request.into_parts().0)
}

fn forwarded_query(query: &str, forwarded: &ForwardedQuery) -> String {
    let is_forwarded = |parameter: &&str| {
        let name = parameter.split('=').next().unwrap_or(parameter);
        let name = percent_decode_str(name).decode_utf8_lossy();
        match forwarded {
            ForwardedQuery::Only(names) => names.iter().any(|one| *one == name),
            ForwardedQuery::AllExcept(names) => names.iter().all(|one| *one != name),
        }
    };
    query
        .split('&')
        .filter(|parameter| !parameter.is_empty())
        .filter(is_forwarded)
        .collect::<Vec<_>>()
        .join("&")
}

impl Refusal {
    /// What CloudFront answers by itself. A response headers policy does not apply: it is for what comes from the origin.
    fn response(&self) -> Response<Full<Bytes>> {
        let status = match self {
            Refusal::MalformedUrl | Refusal::NotImplemented => StatusCode::BAD_REQUEST,
            Refusal::Internal(_) => StatusCode::INTERNAL_SERVER_ERROR,
            _ => StatusCode::FORBIDDEN,
        };
        let body = format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?><Error><Code>{}</Code><Message>{self}</Message></Error>",
            self.code()
        );
        let mut response = Response::new(Full::new(Bytes::from(body)));
        *response.status_mut() = status;
        response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("text/xml"));
        response
    }
}

impl Viewer {
    fn of(parts: &Parts) -> Viewer {
        let origin = parts.headers.get(header::ORIGIN).and_then(|origin| origin.to_str().ok());
        Viewer {
            origin: origin.map(str::to_owned),
            is_preflight: parts.method == Method::OPTIONS
                && parts.headers.contains_key(header::ACCESS_CONTROL_REQUEST_METHOD),
        }
    }
}
