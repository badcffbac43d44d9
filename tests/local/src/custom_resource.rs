//! Custom resources: what CloudFormation does when a template has one.
//!
//! The function behind `ServiceToken` gets a request with a `ResponseURL`, does its work, and `PUT`s its answer there
//! (<https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/crpg-ref.html>). What it answered is kept in the data
//! directory: with the same properties a restart sends nothing, with others an `Update`. An update that answers another
//! physical id is a replacement: once the stack is as the template says, the old one is sent a `Delete`. That one failed is
//! logged, as CloudFormation goes on too. Nothing else is ever deleted here.

use std::convert::Infallible;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode, header};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use uuid::Uuid;

use crate::functions::{Functions, Invocation, InvocationError};
use crate::template::{PendingResource, Provisioned, ProvisionedResource};

/// CloudFormation's limit on an answer.
const ANSWER_LIMIT_BYTES: usize = 4096;
/// How long after the function has returned its answer may still arrive.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(2);

/// Why a custom resource could not be provisioned.
#[derive(Debug, thiserror::Error)]
pub enum ProvisionError {
    /// The function answered `FAILED`.
    #[error("{logical_id} ({resource_type}) failed: {reason}")]
    Failed {
        /// The resource.
        logical_id: String,
        /// Its type.
        resource_type: String,
        /// The answer's `Reason`.
        reason: String,
    },
    /// The invocation failed.
    #[error("{logical_id}: its function {function} failed: {source}")]
    Invocation {
        /// The resource.
        logical_id: String,
        /// The function.
        function: String,
        /// Why.
        source: InvocationError,
    },
    /// The function returned without sending an answer.
    #[error("{logical_id}: its function {function} sent no answer to the ResponseURL")]
    NoAnswer {
        /// The resource.
        logical_id: String,
        /// The function.
        function: String,
    },
    /// An answer that CloudFormation would not take.
    #[error("{logical_id}: its answer is not valid: {reason}")]
    Invalid {
        /// The resource.
        logical_id: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The place for the answer could not be opened.
    #[error("no place for the answer of a custom resource: {0}")]
    Listen(#[source] std::io::Error),
    /// What was provisioned could not be read or kept.
    #[error("{}: {source}", path.display())]
    State {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
}

/// What has been provisioned so far, as kept in the data directory.
pub struct State {
    path: PathBuf,
    resources: Provisioned,
    replaced: Vec<Replaced>,
}

/// What an update has replaced, to be deleted when nothing needs it any more.
struct Replaced {
    pending: PendingResource,
    old: ProvisionedResource,
    functions: Functions,
}

impl State {
    /// Reads what earlier starts have left.
    pub fn open(data_directory: &Path) -> Result<Self, ProvisionError> {
        let path = data_directory.join("custom-resources.json");
        let resources = match std::fs::read(&path) {
            Ok(bytes) => serde_json::from_slice(&bytes)
                .map_err(|error| ProvisionError::State { path: path.clone(), source: error.into() })?,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Provisioned::new(),
            Err(source) => return Err(ProvisionError::State { path, source }),
        };
        Ok(Self { path, resources, replaced: Vec::new() })
    }

    fn keep(&mut self, logical_id: &str, resource: &ProvisionedResource) -> Result<(), ProvisionError> {
        self.resources.insert(logical_id.to_owned(), resource.clone());
        let failed = |source| ProvisionError::State { path: self.path.clone(), source };
        let bytes = serde_json::to_vec_pretty(&self.resources).map_err(|error| failed(error.into()))?;
        // Written aside and renamed, so that a crash leaves the old state or the new one.
        let aside = self.path.with_extension("json.new");
        std::fs::write(&aside, bytes).map_err(failed)?;
        std::fs::rename(&aside, &self.path).map_err(failed)
    }

    /// What the resource answers: from before when its properties are the same, else from its function.
    pub async fn provision(
        &mut self,
        pending: &PendingResource,
        stack_id: &str,
        functions: &Functions,
    ) -> Result<ProvisionedResource, ProvisionError> {
        let previous = self.resources.get(&pending.logical_id).cloned();
        if let Some(previous) = previous.as_ref().filter(|previous| previous.properties == pending.properties)
        {
            return Ok(previous.clone());
        }
        let request_type = if previous.is_some() { "Update" } else { "Create" };
        let answer = request(request_type, pending, previous.as_ref(), stack_id, functions).await?;
        let resource = accept(pending, answer)?;
        self.keep(&pending.logical_id, &resource)?;
        if let Some(old) = previous.filter(|old| old.physical_id != resource.physical_id) {
            self.replaced.push(Replaced { pending: pending.clone(), old, functions: functions.clone() });
        }
        Ok(resource)
    }

    /// Deletes what updates have replaced.
    pub async fn clean_up(&mut self, stack_id: &str) {
        for Replaced { mut pending, old, functions } in std::mem::take(&mut self.replaced) {
            pending.properties = old.properties.clone();
            let deleted = request("Delete", &pending, Some(&old), stack_id, &functions).await;
            if let Err(error) = deleted.and_then(|answer| accept(&pending, answer)) {
                tracing::error!(%error, physical_id = old.physical_id, "what was replaced could not be deleted");
            }
        }
    }
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Answer {
    status: String,
    #[serde(default)]
    reason: Option<String>,
    #[serde(default)]
    physical_resource_id: Option<String>,
    stack_id: String,
    request_id: String,
    logical_resource_id: String,
    #[serde(default)]
    data: Option<Map<String, Value>>,
}

async fn request(
    request_type: &str,
    pending: &PendingResource,
    previous: Option<&ProvisionedResource>,
    stack_id: &str,
    functions: &Functions,
) -> Result<Answer, ProvisionError> {
    let logical_id = &pending.logical_id;
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.map_err(ProvisionError::Listen)?;
    let address = listener.local_addr().map_err(ProvisionError::Listen)?;
    let request_id = Uuid::new_v4().to_string();
    let path = format!("/{}", Uuid::new_v4().simple());
    let mut event = json!({
        "RequestType": request_type,
        "RequestId": request_id,
        "ResponseURL": format!("http://{address}{path}"),
        "StackId": stack_id,
        "ResourceType": pending.resource_type,
        "LogicalResourceId": logical_id,
        "ServiceToken": pending.properties.get("ServiceToken"),
        "ResourceProperties": pending.properties,
    });
    if let Some(previous) = previous {
        event["PhysicalResourceId"] = json!(previous.physical_id);
        if request_type == "Update" {
            event["OldResourceProperties"] = previous.properties.clone();
        }
    }
    let (sender, mut answers) = mpsc::channel(1);
    let server = tokio::spawn(take_answers(listener, path, sender));
    let invoked = functions.invoke(&pending.function, event, Invocation::new()).await;
    let answer = match invoked {
        Ok(_) => tokio::time::timeout(ANSWER_TIMEOUT, answers.recv()).await.ok().flatten().ok_or_else(|| {
            ProvisionError::NoAnswer { logical_id: logical_id.clone(), function: pending.function.clone() }
        }),
        Err(source) => Err(ProvisionError::Invocation {
            logical_id: logical_id.clone(),
            function: pending.function.clone(),
            source,
        }),
    };
    server.abort();
    let invalid = |reason: String| ProvisionError::Invalid { logical_id: logical_id.clone(), reason };
    let answer: Answer = serde_json::from_slice(&answer?).map_err(|error| invalid(error.to_string()))?;
    if answer.stack_id != stack_id
        || answer.request_id != request_id
        || answer.logical_resource_id != *logical_id
    {
        return Err(invalid(
            "StackId, RequestId and LogicalResourceId must be those of the request".to_owned(),
        ));
    }
    Ok(answer)
}

fn accept(pending: &PendingResource, answer: Answer) -> Result<ProvisionedResource, ProvisionError> {
    let logical_id = pending.logical_id.clone();
    match answer.status.as_str() {
        "SUCCESS" => {}
        "FAILED" => {
            return Err(ProvisionError::Failed {
                logical_id,
                resource_type: pending.resource_type.clone(),
                reason: answer.reason.unwrap_or_else(|| "no Reason was given".to_owned()),
            });
        }
        other => return Err(ProvisionError::Invalid { logical_id, reason: format!("Status is {other:?}") }),
    }
    let Some(physical_id) = answer.physical_resource_id.filter(|id| !id.is_empty()) else {
        return Err(ProvisionError::Invalid {
            logical_id,
            reason: "PhysicalResourceId is missing".to_owned(),
        });
    };
    let mut attributes = std::collections::BTreeMap::new();
    for (name, value) in answer.data.unwrap_or_default() {
        let text = match value {
            Value::String(text) => text,
            Value::Number(number) => number.to_string(),
            Value::Bool(value) => value.to_string(),
            _ => {
                let reason = format!("Data.{name} is neither a string nor a number nor a boolean");
                return Err(ProvisionError::Invalid { logical_id, reason });
            }
        };
        attributes.insert(name, text);
    }
    Ok(ProvisionedResource { physical_id, attributes, properties: pending.properties.clone() })
}

/// Takes `PUT`s on one secret path, as S3 does for CloudFormation: the URL is presigned without a content type, so that one
/// with a content type has another signature, and S3 takes no body of unknown length.
async fn take_answers(listener: TcpListener, path: String, answers: mpsc::Sender<Bytes>) {
    loop {
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(error) => {
                tracing::warn!(%error, "the answer of a custom resource could not be received");
                return;
            }
        };
        let (path, answers) = (path.clone(), answers.clone());
        let service = service_fn(move |request: Request<Incoming>| {
            let (path, answers) = (path.clone(), answers.clone());
            async move {
                let mut response = Response::new(Full::<Bytes>::default());
                *response.status_mut() = take_answer(request, &path, &answers).await;
                Ok::<_, Infallible>(response)
            }
        });
        tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
    }
}

async fn take_answer(request: Request<Incoming>, path: &str, answers: &mpsc::Sender<Bytes>) -> StatusCode {
    if request.method() != Method::PUT || request.uri().path() != path {
        return StatusCode::FORBIDDEN;
    }
    let headers = request.headers();
    if headers.get(header::CONTENT_TYPE).is_some_and(|content_type| !content_type.is_empty()) {
        return StatusCode::FORBIDDEN;
    }
    if !headers.contains_key(header::CONTENT_LENGTH) {
        return StatusCode::LENGTH_REQUIRED;
    }
    match Limited::new(request.into_body(), ANSWER_LIMIT_BYTES).collect().await {
        // A second answer changes nothing.
        Ok(body) => {
            let _ = answers.try_send(body.to_bytes());
            StatusCode::OK
        }
        Err(_) => StatusCode::PAYLOAD_TOO_LARGE,
    }
}
