//! Makes and rotates the signing keys: a custom resource of CloudFormation.
//!
//! Properties: `KeyGeneration`, and for each purpose the secret that holds its private keys (`AccessKeysSecret`,
//! `CapabilityKeysSecret`). Attributes: the public keys of the previous, the present and the next generation
//! (`AccessJwks`, `CapabilityJwks`), and the id of the key that signs (`AccessSigningKid`, `CapabilitySigningKid`).
//!
//! Asked again for a generation it answers the same; the next one promotes the keys that were *next*; a rollback finds
//! its keys still there. A secret is written under the request's id, so that of two runs of one request one writes and
//! both answer what was written. Deleting does nothing: the secrets belong to the template. CloudFormation is always
//! answered, also when something failed.
//!
//! Needs `secretsmanager:GetSecretValue` and `secretsmanager:PutSecretValue` on both secrets.

mod response;

use std::sync::Arc;
use std::time::Duration;

use api::{Environment, Function, StartError, event_function};
use auth::{KeyError, TokenKeyRing};
use aws_sdk_secretsmanager::Client;
use aws_sdk_secretsmanager::error::{DisplayErrorContext, ProvideErrorMetadata, SdkError};
use lambda_runtime::Error;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::response::{Provisioned, answer};

/// Leaves time to answer CloudFormation before the function's own time is up.
const PROVISIONING_TIMEOUT: Duration = Duration::from_secs(25);

struct State {
    secrets: Client,
}

/// The resource's properties. CloudFormation sends numbers as text.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Properties {
    key_generation: String,
    access_keys_secret: String,
    capability_keys_secret: String,
}

/// What CloudFormation asks.
/// <https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/crpg-ref-requests.html>
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Request {
    request_type: RequestType,
    #[serde(rename = "ResponseURL")]
    response_url: String,
    request_id: String,
    stack_id: String,
    logical_resource_id: String,
    /// Absent from the request that creates.
    physical_resource_id: Option<String>,
    resource_properties: Value,
}

#[derive(Deserialize)]
enum RequestType {
    Create,
    Update,
    Delete,
}

/// Why the keys could not be provisioned.
#[derive(Debug, thiserror::Error)]
enum ProvisionError {
    #[error("the resource's properties are malformed: {0}")]
    Properties(String),
    #[error("Secrets Manager did not answer in time; try again")]
    TimedOut,
    #[error("{operation} failed: {reason}")]
    Secret { operation: &'static str, reason: String },
    #[error(transparent)]
    Key(#[from] KeyError),
}

/// The function. It needs nothing from its environment but credentials.
pub async fn build(environment: Environment) -> Result<impl Function, StartError> {
    let aws = environment.aws()?;
    Ok(event_function(State { secrets: Client::new(&aws) }, handle))
}

async fn handle(state: Arc<State>, request: Request) -> Result<(), Error> {
    let outcome = match request.request_type {
        RequestType::Create | RequestType::Update => {
            let provisioning = provision(&state.secrets, &request.request_id, &request.resource_properties);
            tokio::time::timeout(PROVISIONING_TIMEOUT, provisioning)
                .await
                .unwrap_or(Err(ProvisionError::TimedOut))
        }
        RequestType::Delete => Ok(Provisioned {
            physical_id: request.physical_resource_id.clone().unwrap_or_default(),
            attributes: json!({}),
        }),
    };
    if let Err(error) = &outcome {
        tracing::error!(%error, "the keys could not be provisioned");
    }
    answer(&request, outcome).await
}

async fn provision(
    secrets: &Client,
    request_id: &str,
    properties: &Value,
) -> Result<Provisioned, ProvisionError> {
    let malformed = |reason: String| ProvisionError::Properties(reason);
    let properties: Properties =
        Properties::deserialize(properties).map_err(|error| malformed(error.to_string()))?;
    let generation: u32 = properties
        .key_generation
        .parse()
        .ok()
        .filter(|generation| *generation > 0)
        .ok_or_else(|| malformed("KeyGeneration must be a whole number from 1".to_owned()))?;
    let access = advance(secrets, &properties.access_keys_secret, generation, request_id).await?;
    let capability = advance(secrets, &properties.capability_keys_secret, generation, request_id).await?;
    Ok(Provisioned {
        physical_id: format!("signing-keys-{generation}"),
        attributes: json!({
            "AccessJwks": access.public_set(generation)?,
            "AccessSigningKid": access.signing_key_id(generation)?,
            "CapabilityJwks": capability.public_set(generation)?,
            "CapabilitySigningKid": capability.signing_key_id(generation)?,
        }),
    })
}

/// The ring of a secret, with the keys of this generation and of the next.
async fn advance(
    secrets: &Client,
    secret: &str,
    generation: u32,
    request_id: &str,
) -> Result<TokenKeyRing, ProvisionError> {
    let stored = read(secrets, secret).await?;
    let ring =
        stored.as_deref().map(TokenKeyRing::parse).transpose()?.unwrap_or_default().advance_to(generation)?;
    let text = ring.to_secret()?;
    if stored.as_deref() == Some(text.as_str()) {
        return Ok(ring);
    }
    let written = secrets
        .put_secret_value()
        .secret_id(secret)
        .client_request_token(request_id)
        .secret_string(text)
        .send()
        .await;
    match written {
        Ok(_) => Ok(ring),
        // Another run of this request has written its own keys: those are the ones.
        Err(error) if error.as_service_error().is_some_and(|error| error.is_resource_exists_exception()) => {
            let stored = read(secrets, secret).await?.unwrap_or_default();
            Ok(TokenKeyRing::parse(&stored)?)
        }
        Err(error) => Err(failed("PutSecretValue", error)),
    }
}

/// The secret's text; `None` if it has none yet.
async fn read(secrets: &Client, secret: &str) -> Result<Option<String>, ProvisionError> {
    match secrets.get_secret_value().secret_id(secret).send().await {
        Ok(answer) => Ok(answer.secret_string),
        Err(error)
            if error.as_service_error().is_some_and(|error| error.is_resource_not_found_exception()) =>
        {
            Ok(None)
        }
        Err(error) => Err(failed("GetSecretValue", error)),
    }
}

/// The reason goes to CloudFormation, which takes no more than a few hundred words: code and message, not the answer.
fn failed<E>(operation: &'static str, error: SdkError<E>) -> ProvisionError
where
    E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
{
    let reason = match (error.code(), error.message()) {
        (Some(code), Some(message)) => format!("{code}: {message}"),
        (Some(code), None) => code.to_owned(),
        _ => "Secrets Manager cannot be reached".to_owned(),
    };
    tracing::error!(operation, error = %DisplayErrorContext(error), "Secrets Manager refused");
    ProvisionError::Secret { operation, reason }
}
