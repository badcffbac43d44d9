//! A door into a running local stack for other processes: `cargo local sweep` runs a schedule through it.
//!
//! It is a loopback port of its own. Its address and a random token are in `control.json` in the data directory, which
//! only the user can read: whoever has the state may use it. `POST /schedules/{name}` runs a schedule and answers with
//! the function's answer.

use std::convert::Infallible;
use std::io::Write;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode, header};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use subtle::ConstantTimeEq;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use uuid::Uuid;

use crate::connections;
use crate::schedule::{RunScheduleError, Runner};

/// Where the door of a data directory is described.
const FILE: &str = "control.json";

/// Why a running stack did not do what another process asked of it.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ControlError {
    /// There is no door, or the stack behind it is only starting or stopping.
    #[error("the local stack that uses {} does not answer ({reason}); it may be starting, try again", directory.display())]
    NoAnswer {
        /// The data directory.
        directory: PathBuf,
        /// What went wrong.
        reason: String,
    },
    /// The stack says why.
    #[error("{0}")]
    Refused(String),
}

#[derive(Serialize, Deserialize)]
struct Door {
    address: SocketAddr,
    token: String,
}

/// The open door.
#[derive(Debug)]
pub(crate) struct Control {
    file: PathBuf,
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl Control {
    /// Opens the door of a data directory.
    pub(crate) async fn open(directory: &Path, runner: Runner) -> std::io::Result<Control> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let door = Door { address: listener.local_addr()?, token: Uuid::new_v4().to_string() };
        let file = directory.join(FILE);
        write_private(&file, &serde_json::to_vec(&door)?)?;
        let (stop, stopped) = watch::channel(false);
        let shared = Arc::new((door, runner));
        let service = move |_| {
            let shared = Arc::clone(&shared);
            service_fn(move |request| answer(Arc::clone(&shared), request))
        };
        let task =
            tokio::spawn(async move { connections::serve(listener, "control", stopped, service).await });
        Ok(Control { file, stop, task })
    }

    /// Closes the door once what was asked for is done.
    pub(crate) async fn shut_down(self) {
        self.stop.send_replace(true);
        if let Err(error) = self.task.await {
            tracing::error!(%error, "the control port did not stop cleanly");
        }
        if let Err(error) = std::fs::remove_file(&self.file) {
            tracing::warn!(file = %self.file.display(), %error, "could not be removed");
        }
    }
}

/// Forgets the door of an earlier run that could not close it.
pub(crate) fn forget(directory: &Path) -> std::io::Result<()> {
    match std::fs::remove_file(directory.join(FILE)) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Writes a new file for the user only.
pub(crate) fn write_private(file: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(file)?.write_all(bytes)
}

async fn answer(
    shared: Arc<(Door, Runner)>,
    request: Request<Incoming>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let (door, runner) = &*shared;
    let given = request.headers().get(header::AUTHORIZATION).map_or(&[][..], |value| value.as_bytes());
    let is_known: bool = given.ct_eq(format!("Bearer {}", door.token).as_bytes()).into();
    let (status, answer) = match (request.method(), request.uri().path().strip_prefix("/schedules/")) {
        _ if !is_known => (StatusCode::UNAUTHORIZED, json!("the token is not that of the data directory")),
        (&Method::POST, Some(name)) => run(runner, name).await,
        _ => (StatusCode::NOT_FOUND, json!("there is nothing here")),
    };
    let mut response = Response::new(Full::from(answer.to_string()));
    *response.status_mut() = status;
    Ok(response)
}

async fn run(runner: &Runner, name: &str) -> (StatusCode, Value) {
    match runner.run(name).await {
        Ok(answer) => (StatusCode::OK, answer),
        Err(error @ RunScheduleError::NoSchedule { .. }) => (StatusCode::NOT_FOUND, json!(error.to_string())),
        Err(error @ RunScheduleError::Invocation { .. }) => {
            (StatusCode::BAD_GATEWAY, json!(error.to_string()))
        }
    }
}

/// Runs a schedule of the stack that uses this data directory, and returns the function's answer.
pub(crate) async fn run_schedule(directory: &Path, name: &str) -> Result<Value, ControlError> {
    let no_answer = |reason: String| ControlError::NoAnswer { directory: directory.to_owned(), reason };
    let text = std::fs::read(directory.join(FILE)).map_err(|error| no_answer(error.to_string()))?;
    let door: Door = serde_json::from_slice(&text).map_err(|error| no_answer(error.to_string()))?;
    let request = Request::post(format!("http://{}/schedules/{name}", door.address))
        .header(header::AUTHORIZATION, format!("Bearer {}", door.token))
        .body(Full::<Bytes>::default())
        .map_err(|error| no_answer(error.to_string()))?;
    let client: Client<_, Full<Bytes>> = Client::builder(TokioExecutor::new()).build_http();
    let response = client.request(request).await.map_err(|error| no_answer(error.to_string()))?;
    let status = response.status();
    let body = response.into_body().collect().await.map_err(|error| no_answer(error.to_string()))?;
    let answer: Value =
        serde_json::from_slice(&body.to_bytes()).map_err(|error| no_answer(error.to_string()))?;
    match answer {
        answer if status == StatusCode::OK => Ok(answer),
        Value::String(reason) => Err(ControlError::Refused(reason)),
        other => Err(no_answer(other.to_string())),
    }
}
