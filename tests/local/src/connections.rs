//! The connections of a port: accepted until it is told to stop, each served HTTP/1.1, and let go in order.

use std::future::Future;
use std::net::SocketAddr;
use std::time::Duration;

use http::{Request, Response};
use hyper::body::{Body, Incoming};
use hyper::server::conn::http1;
use hyper::service::Service;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use tokio::net::TcpListener;
use tokio::sync::watch;

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// How long the loop rests when a connection cannot be accepted: out of file descriptors, most likely, and it would fail
/// again at once.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// How long requests may go on after the port is closed.
const SHUTDOWN_PATIENCE: Duration = Duration::from_secs(10);

/// Serves a port, `name` in the log, with what `service` makes for each client, until `stopped` says so or its sender is
/// gone. Then it closes the port and waits for running requests.
pub(crate) async fn serve<S, B>(
    listener: TcpListener,
    name: &'static str,
    mut stopped: watch::Receiver<bool>,
    service: impl Fn(SocketAddr) -> S,
) where
    S: Service<Request<Incoming>, Response = Response<B>> + Send + 'static,
    S::Future: Future + Send,
    S::Error: Into<BoxError>,
    B: Body + Send + 'static,
    B::Data: Send,
    B::Error: Into<BoxError>,
{
    let connections = GracefulShutdown::new();
    loop {
        let accepted = tokio::select! {
            _ = stopped.wait_for(|stopped| *stopped) => break,
            accepted = listener.accept() => accepted,
        };
        let (stream, peer) = match accepted {
            Ok(connection) => connection,
            Err(error) => {
                tracing::warn!(%error, "{name}: a connection could not be accepted");
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .serve_connection(TokioIo::new(stream), service(peer));
        let connection = connections.watch(connection);
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(%error, "{name}: a connection ended early");
            }
        });
    }
    drop(listener);
    if tokio::time::timeout(SHUTDOWN_PATIENCE, connections.shutdown()).await.is_err() {
        tracing::warn!("{name}: requests were still running when the port was closed");
    }
}
