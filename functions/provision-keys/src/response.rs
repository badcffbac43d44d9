//! Answering CloudFormation: a PUT to the URL that came with the request.
//! <https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/crpg-ref-responses.html>

use std::time::Duration;

use aws_smithy_http_client::{Connector, tls};
use aws_smithy_runtime_api::client::http::HttpConnector as _;
use aws_smithy_runtime_api::http::Request as HttpRequest;
use aws_smithy_types::body::SdkBody;
use lambda_runtime::Error;
use serde_json::{Map, Value, json};

use crate::error::ProvisionError;
use crate::request::Sender;

/// How long the answer may take to be taken.
const TIMEOUT: Duration = Duration::from_secs(8);
/// How often it is tried: an answer that does not arrive blocks the deployment until its own time is up.
const ATTEMPTS: u32 = 3;
/// What all of that takes at most.
pub(crate) const ANSWERING_TIME: Duration = Duration::from_secs(25);

/// CloudFormation takes 4 096 bytes in all.
const MAX_REASON_LENGTH: usize = 500;

/// What was provisioned.
pub(crate) struct Provisioned {
    pub(crate) physical_id: String,
    pub(crate) attributes: Map<String, Value>,
}

/// Tells CloudFormation how it ended.
pub(crate) async fn answer(
    sender: &Sender,
    outcome: Result<Provisioned, ProvisionError>,
) -> Result<(), Error> {
    let (status, reason, physical_id, data) = match outcome {
        Ok(provisioned) => ("SUCCESS", String::new(), provisioned.physical_id, provisioned.attributes),
        Err(error) => {
            let reason = error.to_string().chars().take(MAX_REASON_LENGTH).collect();
            ("FAILED", reason, sender.physical_id().to_owned(), Map::new())
        }
    };
    let body = json!({
        "Status": status,
        "Reason": reason,
        "PhysicalResourceId": physical_id,
        "StackId": sender.stack_id,
        "RequestId": sender.request_id,
        "LogicalResourceId": sender.logical_resource_id,
        "Data": data,
    });
    let body = body.to_string();
    for _ in 1..ATTEMPTS {
        match put(&sender.response_url, &body).await {
            Ok(()) => return Ok(()),
            Err(error) => tracing::warn!(%error, "CloudFormation could not be answered; trying again"),
        }
    }
    put(&sender.response_url, &body).await
}

async fn put(url: &str, body: &str) -> Result<(), Error> {
    let connector = Connector::builder()
        .tls_provider(tls::Provider::Rustls(tls::rustls_provider::CryptoMode::Ring))
        .build();
    let mut request = HttpRequest::new(SdkBody::from(body));
    request.set_method("PUT")?;
    request.set_uri(url)?;
    // The URL is signed for an empty content type.
    request.headers_mut().insert("content-type", "");
    request.headers_mut().insert("content-length", body.len().to_string());
    let response = tokio::time::timeout(TIMEOUT, connector.call(request)).await??;
    if response.status().is_success() {
        Ok(())
    } else {
        Err(format!("the answer was answered with {}", response.status().as_u16()).into())
    }
}
