//! DynamoDB: dynoxide behind a check of signatures and permissions.
//!
//! dynoxide serves its own loopback port, over a file in the data directory. It verifies nothing, so nobody but this
//! module talks to it: each request has been verified and allowed before it is passed on unchanged, and its answer comes
//! back unchanged, conditional-check items and cancellation reasons included.
//!
//! Only the operations that the platform uses pass, with the members that they have here; any other is refused by name.

mod disturbance;
mod leading_keys;
mod members;
mod permissions;

use std::collections::HashMap;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, header};
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::task::JoinHandle;

pub use disturbance::Disturbance;
pub(crate) use permissions::requirements;

use self::disturbance::{Batch, Disturbed, Disturber};
use super::protocol::Fault;
use crate::stack::Table;

/// Why DynamoDB does not work.
#[derive(Debug, thiserror::Error)]
pub enum DynamoDbError {
    /// The database file could not be opened.
    #[error("the DynamoDB database cannot be opened: {0}")]
    Open(String),
    /// Its internal port could not be bound.
    #[error("no loopback port for DynamoDB: {0}")]
    Bind(#[from] std::io::Error),
    /// dynoxide did not answer.
    #[error("DynamoDB did not answer: {0}")]
    Unanswered(String),
    /// dynoxide refused what installing the stack needs.
    #[error("DynamoDB {operation} of table {table}: {answer}")]
    Refused {
        /// The operation.
        operation: &'static str,
        /// The table.
        table: String,
        /// What dynoxide said.
        answer: String,
    },
    /// Items that were to be imported are none, or do not fit the table.
    #[error("the items cannot be imported: {0}")]
    Import(String),
    /// The table exists and the template now says something else.
    #[error(
        "table {0} was created with other keys or indexes than the template has now; remove the data directory"
    )]
    Differs(String),
}

/// The running database.
pub(crate) struct DynamoDb {
    address: SocketAddr,
    database: dynoxide::Database,
    client: Client<HttpConnector, Full<Bytes>>,
    disturber: Disturber,
    stop: watch::Sender<bool>,
    server: Mutex<Option<JoinHandle<Result<(), String>>>>,
}

impl DynamoDb {
    /// Opens the file and serves it on a port of its own.
    pub(crate) async fn start(file: &Path) -> Result<DynamoDb, DynamoDbError> {
        let path =
            file.to_str().ok_or_else(|| DynamoDbError::Open(format!("{} is not UTF-8", file.display())))?;
        let database =
            dynoxide::Database::new(path).map_err(|error| DynamoDbError::Open(error.to_string()))?;
        let listener = tokio::net::TcpListener::bind((std::net::Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let (stop, mut stopped) = watch::channel(false);
        let own = database.clone();
        let server = tokio::spawn(dynoxide::server::serve_with_shutdown(listener, own, async move {
            // A sender that is gone stops it as well.
            let _ = stopped.wait_for(|stop| *stop).await;
        }));
        let client = Client::builder(TokioExecutor::new()).build_http();
        let disturber = Disturber::default();
        Ok(DynamoDb { address, database, client, disturber, stop, server: Mutex::new(Some(server)) })
    }

    /// Refuses calls in this way from now on.
    pub(crate) fn disturb(&self, disturbance: Disturbance) {
        self.disturber.set(disturbance);
    }

    /// Puts items past the API, in DynamoDB's JSON.
    pub(crate) fn import(&self, table: &str, items: Vec<Value>) -> Result<(), DynamoDbError> {
        let items: Result<Vec<dynoxide::Item>, _> = items.into_iter().map(serde_json::from_value).collect();
        let items = items.map_err(|error| DynamoDbError::Import(error.to_string()))?;
        self.database
            .import_items(table, items, dynoxide::ImportOptions::default())
            .map(drop)
            .map_err(|error| DynamoDbError::Import(error.to_string()))
    }

    /// Carries out a permitted request, unless it is disturbed.
    pub(crate) async fn run(
        &self,
        operation: &str,
        headers: &HeaderMap,
        body: Bytes,
        request: &Value,
    ) -> Result<Response<Bytes>, Fault> {
        match self.disturber.disturb(operation, request) {
            Disturbed::No => Ok(self.forward(operation, headers, body).await?),
            Disturbed::Refused(fault) => Err(fault),
            Disturbed::InPart(batch) => Ok(self.forward_in_part(operation, headers, batch).await?),
        }
    }

    async fn forward_in_part(
        &self,
        operation: &str,
        headers: &HeaderMap,
        batch: Batch,
    ) -> Result<Response<Bytes>, DynamoDbError> {
        let answered = self.forward(operation, headers, batch.request.to_string().into()).await?;
        if !answered.status().is_success() {
            return Ok(answered);
        }
        let mut answer: Value = serde_json::from_slice(answered.body())
            .map_err(|error| DynamoDbError::Unanswered(error.to_string()))?;
        let member = if operation == "BatchGetItem" { "UnprocessedKeys" } else { "UnprocessedItems" };
        answer[member] = batch.unprocessed;
        let (mut parts, _) = answered.into_parts();
        // The checksum was that of the whole answer.
        parts.headers.remove("x-amz-crc32");
        Ok(Response::from_parts(parts, answer.to_string().into()))
    }

    /// Passes a request on. Its own authorization stays here; dynoxide gets one that looks complete.
    async fn forward(
        &self,
        operation: &str,
        headers: &HeaderMap,
        body: Bytes,
    ) -> Result<Response<Bytes>, DynamoDbError> {
        let unanswered = |error: &dyn std::error::Error| DynamoDbError::Unanswered(error.to_string());
        let mut request = Request::new(Full::new(body));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = format!("http://{}/", self.address)
            .parse()
            .map_err(|error: http::uri::InvalidUri| unanswered(&error))?;
        let content_type = headers
            .get(header::CONTENT_TYPE)
            .cloned()
            .unwrap_or_else(|| HeaderValue::from_static("application/x-amz-json-1.0"));
        let target = HeaderValue::from_str(&format!("DynamoDB_20120810.{operation}"))
            .map_err(|error| unanswered(&error))?;
        let forwarded = request.headers_mut();
        forwarded.insert(header::CONTENT_TYPE, content_type);
        forwarded.insert("x-amz-target", target);
        forwarded.insert("x-amz-date", HeaderValue::from_static("20260101T000000Z"));
        forwarded.insert(
            header::AUTHORIZATION,
            HeaderValue::from_static(
                "AWS4-HMAC-SHA256 Credential=local/20260101/us-east-1/dynamodb/aws4_request, \
                 SignedHeaders=host;x-amz-date, Signature=verified",
            ),
        );
        let (parts, body) =
            self.client.request(request).await.map_err(|error| unanswered(&error))?.into_parts();
        let body = body.collect().await.map_err(|error| unanswered(&error))?.to_bytes();
        let mut response = Response::new(body);
        *response.status_mut() = parts.status;
        for name in ["content-type", "x-amz-crc32"] {
            if let Some(value) = parts.headers.get(name) {
                response.headers_mut().insert(name, value.clone());
            }
        }
        Ok(response)
    }

    /// Creates a table that is missing, and its time to live. One that exists must have the template's keys.
    pub(crate) async fn install(&self, table: &Table) -> Result<(), DynamoDbError> {
        let (status, described) = self.call("DescribeTable", &json!({ "TableName": table.name })).await?;
        if status == StatusCode::OK {
            let schema = |description: &Value| {
                let of = |value: &Value| value.get("KeySchema").cloned().unwrap_or(Value::Null);
                let mut indexes: Vec<(String, Value)> = description["GlobalSecondaryIndexes"]
                    .as_array()
                    .into_iter()
                    .flatten()
                    .map(|index| (index["IndexName"].to_string(), of(index)))
                    .collect();
                indexes.sort_by(|one, other| one.0.cmp(&other.0));
                (of(description), indexes)
            };
            if schema(&described["Table"]) != schema(&table.create_request) {
                return Err(DynamoDbError::Differs(table.name.clone()));
            }
        } else {
            self.expect("CreateTable", table, &table.create_request).await?;
        }
        let Some(attribute) = &table.time_to_live_attribute else { return Ok(()) };
        let (_, described) = self.call("DescribeTimeToLive", &json!({ "TableName": table.name })).await?;
        if described["TimeToLiveDescription"]["TimeToLiveStatus"] != "ENABLED" {
            let specification = json!({ "AttributeName": attribute, "Enabled": true });
            let request = json!({ "TableName": table.name, "TimeToLiveSpecification": specification });
            self.expect("UpdateTimeToLive", table, &request).await?;
        }
        Ok(())
    }

    /// Lets running requests finish and stops serving.
    pub(crate) async fn shut_down(&self) {
        self.stop.send_replace(true);
        let server = self.server.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(server) = server else { return };
        match server.await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::error!(error, "DynamoDB did not stop"),
            Err(error) => tracing::error!(%error, "DynamoDB did not stop"),
        }
    }

    async fn expect(
        &self,
        operation: &'static str,
        table: &Table,
        request: &Value,
    ) -> Result<(), DynamoDbError> {
        let (status, answer) = self.call(operation, request).await?;
        if status.is_success() {
            return Ok(());
        }
        Err(DynamoDbError::Refused { operation, table: table.name.clone(), answer: answer.to_string() })
    }

    async fn call(&self, operation: &str, request: &Value) -> Result<(StatusCode, Value), DynamoDbError> {
        let response = self.forward(operation, &HeaderMap::new(), request.to_string().into()).await?;
        let status = response.status();
        let answer = serde_json::from_slice(response.body())
            .map_err(|error| DynamoDbError::Unanswered(error.to_string()))?;
        Ok((status, answer))
    }
}

/// What an answer tells of what was read for it.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Counts {
    #[serde(default)]
    scanned_count: u64,
    /// By table.
    #[serde(default)]
    responses: HashMap<String, Vec<IgnoredAny>>,
}

/// How many items were read for this answer to a query, a scan or a batch.
pub(crate) fn items_read(operation: &str, answer: &Bytes) -> u64 {
    if !matches!(operation, "Query" | "Scan" | "BatchGetItem") {
        return 0;
    }
    // An error's answer has neither.
    serde_json::from_slice::<Counts>(answer).map_or(0, |counts| {
        counts.scanned_count + counts.responses.values().map(|items| items.len() as u64).sum::<u64>()
    })
}

impl From<DynamoDbError> for Fault {
    fn from(error: DynamoDbError) -> Fault {
        Fault::new(StatusCode::INTERNAL_SERVER_ERROR, "InternalServerError", error.to_string())
    }
}
