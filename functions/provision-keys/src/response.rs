//! Answering CloudFormation: a PUT to the URL that came with the request.
//! <https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/crpg-ref-responses.html>

use std::time::Duration;

use aws_smithy_http_client::{Connector, tls};
use aws_smithy_runtime_api::client::http::HttpConnector as _;
use aws_smithy_runtime_api::http::Request as HttpRequest;
use aws_smithy_types::body::SdkBody;
use lambda_runtime::Error;
use serde_json::{Value, json};

use crate::{ProvisionError, Request};

/// How long the answer may take to be taken.
const TIMEOUT: Duration = Duration::from_secs(10);
/// How often it is tried: an answer that does not arrive blocks the deployment for an hour.
const ATTEMPTS: usize = 3;

/// What was provisioned.
pub(crate) struct Provisioned {
    pub(crate) physical_id: String,
    pub(crate) attributes: Value,
}

/// Tells CloudFormation how it ended.
pub(crate) async fn answer(
    request: &Request,
    outcome: Result<Provisioned, ProvisionError>,
) -> Result<(), Error> {
    let (status, reason, physical_id, data) = match outcome {
        Ok(provisioned) => ("SUCCESS", String::new(), provisioned.physical_id, provisioned.attributes),
        // A failed creation needs an id too; CloudFormation then deletes the resource under it.
        Err(error) => {
            let physical_id = request.physical_resource_id.as_deref().unwrap_or("signing-keys-not-created");
            ("FAILED", error.to_string(), physical_id.to_owned(), json!({}))
        }
    };
    let body = json!({
        "Status": status,
        "Reason": reason,
        "PhysicalResourceId": physical_id,
        "StackId": request.stack_id,
        "RequestId": request.request_id,
        "LogicalResourceId": request.logical_resource_id,
        "Data": data,
    });
    let body = body.to_string();
    for _ in 1..ATTEMPTS {
        match put(&request.response_url, &body).await {
            Ok(()) => return Ok(()),
            Err(error) => tracing::warn!(%error, "CloudFormation could not be answered; trying again"),
        }
    }
    put(&request.response_url, &body).await
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
