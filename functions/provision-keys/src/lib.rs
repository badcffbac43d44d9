//! Makes, rotates and removes the signing keys: a custom resource of CloudFormation.
//!
//! Properties: `KeyGeneration`, and for each purpose the secret that holds its private keys: `AccessKeysSecret`,
//! `CapabilityKeysSecret`, and where there is a CDN `CdnKeysSecret`. Attributes: the public keys of the previous, the
//! present and the next generation (`AccessJwks`, `CapabilityJwks`; `CdnPublicKeyIds`, as CloudFront names them), and
//! which key signs (`AccessSigningKid`, `CapabilitySigningKid`, `CdnSigningKid`, and `CdnKeyPairId` by CloudFront's name).
//!
//! **Creating and updating only add.** Asked again for a generation they answer the same; the next one promotes the keys
//! that were *next*; a rollback finds its keys still there. A secret is written under the request's id, so that of two runs
//! of one request one writes and both answer what was written. A public key is found by its name, which tells stack,
//! generation and key, so that a run that died after creating it is gone on with. The access keys are written last, with
//! what is then *present*: the generation, and whether there is a CDN.
//!
//! **The physical id** tells the same two (`signing-keys-2-cdn`). Another one is a replacement for CloudFormation: once an
//! update is over, and nothing uses the old one any more, it deletes it, and after a rollback the one that was not to be.
//! So turning the CDN on or off is a replacement too: without it nobody would be asked to remove the public keys. Another
//! secret is none, since nothing is left behind of it.
//!
//! **Deleting** removes those public keys of this stack that what is present does not need: all of them if it is itself what
//! is deleted, as when the stack is removed, or was never finished. A key that is gone is well; one that a key group still
//! names is a failure that says so. The secrets belong to the template.
//!
//! **CloudFormation is always answered**: with a failure where the event is malformed, and before this function's own time
//! is up. Permissions that CloudFormation has just attached take a moment to hold, so what is denied is tried again.
//!
//! Needs `secretsmanager:GetSecretValue` and `secretsmanager:PutSecretValue` on the secrets, and with a CDN
//! `cloudfront:ListPublicKeys`, `CreatePublicKey`, `GetPublicKey` and `DeletePublicKey`.

mod error;
mod keys;
mod public_keys;
mod request;
mod response;

use std::sync::Arc;
use std::time::{Duration, Instant};

use api::{Environment, Function, StartError, long_event_function};
use auth::{CdnKeyRing, TokenKeyRing};
use lambda_runtime::Error;
use serde_json::{Map, Value, json};

use crate::error::ProvisionError;
use crate::keys::{Cdn, Present, Secrets};
use crate::public_keys::PublicKeys;
use crate::request::{Properties, Request, RequestType, Sender};
use crate::response::{ANSWERING_TIME, Provisioned, answer};

/// How long to wait, in seconds, before what was denied is tried again. What IAM was told a moment ago, as when an update
/// turns the CDN on, mostly holds within seconds, but can take longer.
const PROPAGATION_PAUSES_SECONDS: [u64; 5] = [1, 2, 4, 8, 16];

struct State {
    secrets: Secrets,
    cloudfront: aws_sdk_cloudfront::Client,
}

/// The function. It needs nothing from its environment but credentials.
pub async fn build(environment: Environment) -> Result<impl Function, StartError> {
    let aws = environment.aws()?;
    let state = State { secrets: Secrets::new(&aws), cloudfront: public_keys::client(&aws) };
    Ok(long_event_function(state, handle))
}

async fn handle(state: Arc<State>, event: Value, deadline: Instant) -> Result<(), Error> {
    let Some(sender) = Sender::of(&event) else {
        return Err("the event has no ResponseURL, so nobody can be answered".into());
    };
    let time = deadline.saturating_duration_since(Instant::now()).saturating_sub(ANSWERING_TIME);
    let outcome = tokio::time::timeout(time, carry_out(&state, event)).await;
    let outcome = outcome.unwrap_or(Err(ProvisionError::TimedOut));
    if let Err(error) = &outcome {
        tracing::error!(%error, "the keys could not be provisioned");
    }
    answer(&sender, outcome).await
}

async fn carry_out(state: &State, event: Value) -> Result<Provisioned, ProvisionError> {
    let request = Request::parse(event)?;
    for seconds in PROPAGATION_PAUSES_SECONDS {
        match attempt(state, &request).await {
            Err(error @ ProvisionError::Denied { .. }) => {
                tracing::warn!(%error, "trying again, should the permission be new");
                tokio::time::sleep(Duration::from_secs(seconds)).await;
            }
            outcome => return outcome,
        }
    }
    attempt(state, &request).await
}

async fn attempt(state: &State, request: &Request) -> Result<Provisioned, ProvisionError> {
    match request.request_type {
        RequestType::Create | RequestType::Update => provision(state, request).await,
        RequestType::Delete => delete(state, request).await,
    }
}

async fn provision(state: &State, request: &Request) -> Result<Provisioned, ProvisionError> {
    let properties = Properties::parse(&request.resource_properties)?;
    let generation = properties.key_generation;
    let request_id = request.request_id.as_str();
    let mut attributes = Map::new();
    if let Some(secret) = &properties.cdn_keys_secret {
        let ring: CdnKeyRing = state.secrets.advance(secret, generation, request_id).await?;
        let keys = PublicKeys::of_stack(&state.cloudfront, &request.stack_id);
        let published = keys.publish(&ring.public_keys(generation)?).await?;
        let signing = published.iter().find(|key| key.generation == generation);
        let signing = signing.ok_or(ProvisionError::Missing(generation))?;
        let ids: Vec<&str> = published.iter().map(|key| key.id.as_str()).collect();
        attributes.insert("CdnSigningKid".to_owned(), json!(ring.signing_key_id(generation)?));
        attributes.insert("CdnKeyPairId".to_owned(), json!(signing.id));
        attributes.insert("CdnPublicKeyIds".to_owned(), json!(ids.join(",")));
    }
    let capability: TokenKeyRing =
        state.secrets.advance(&properties.capability_keys_secret, generation, request_id).await?;
    attributes.insert("CapabilityJwks".to_owned(), json!(capability.public_set(generation)?));
    attributes.insert("CapabilitySigningKid".to_owned(), json!(capability.signing_key_id(generation)?));

    let present = Present { generation, cdn: request.cdn() };
    let access = state.secrets.advance_access(&properties.access_keys_secret, present, request_id).await?;
    attributes.insert("AccessJwks".to_owned(), json!(access.public_set(generation)?));
    attributes.insert("AccessSigningKid".to_owned(), json!(access.signing_key_id(generation)?));
    Ok(Provisioned { physical_id: present.physical_id(), attributes })
}

async fn delete(state: &State, request: &Request) -> Result<Provisioned, ProvisionError> {
    let Some(physical_id) = request.physical_resource_id.clone() else {
        return Err(ProvisionError::Request("a deletion names a PhysicalResourceId".to_owned()));
    };
    // What was never created may have no properties that could be read.
    let present = match request.secret("AccessKeysSecret") {
        Some(secret) => state.secrets.present(secret).await?,
        None => None,
    };
    let has_had_cdn = present.is_some_and(|present| present.cdn != Cdn::Never);
    if has_had_cdn || request.cdn() != Cdn::Never {
        let needing = present.filter(|present| present.physical_id() != physical_id);
        let needed = needing.and_then(Present::generations_of_cdn);
        PublicKeys::of_stack(&state.cloudfront, &request.stack_id).delete_except(needed).await?;
    }
    Ok(Provisioned { physical_id, attributes: Map::new() })
}
