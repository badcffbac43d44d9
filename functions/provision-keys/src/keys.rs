//! The secrets that hold the private keys.
//!
//! Each is a key ring's text. That of the access keys, which every stack has, also tells what is present, so that a
//! deletion knows what is still needed, whatever request comes late.

use std::ops::RangeInclusive;

use auth::{KeyKind, KeyRing, TokenKeyRing};
use aws_sdk_secretsmanager::Client;
use aws_sdk_secretsmanager::operation::get_secret_value::GetSecretValueError;
use aws_types::SdkConfig;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::error::ProvisionError;

/// The member of the access keys' secret that tells what is present.
const PRESENT: &str = "present";

/// What the last creation or update left.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Present {
    /// Whose keys sign.
    pub(crate) generation: u32,
    pub(crate) cdn: Cdn,
}

/// Whether there is a CDN.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Cdn {
    Never,
    /// There was one, so public keys may be left of it.
    Off,
    On,
}

impl Present {
    pub(crate) fn physical_id(self) -> String {
        let Self { generation, cdn } = self;
        match cdn {
            Cdn::On => format!("signing-keys-{generation}-cdn"),
            Cdn::Off | Cdn::Never => format!("signing-keys-{generation}"),
        }
    }

    /// The generations whose public keys the CDN verifies with, if there is one.
    pub(crate) fn generations_of_cdn(self) -> Option<RangeInclusive<u32>> {
        let generations = self.generation.saturating_sub(1)..=self.generation.saturating_add(1);
        (self.cdn == Cdn::On).then_some(generations)
    }
}

/// Secrets Manager.
pub(crate) struct Secrets(Client);

impl Secrets {
    pub(crate) fn new(configuration: &SdkConfig) -> Self {
        Self(Client::new(configuration))
    }

    /// The ring of a secret, with the keys of this generation and of the next.
    pub(crate) async fn advance<Kind: KeyKind>(
        &self,
        secret: &str,
        generation: u32,
        request_id: &str,
    ) -> Result<KeyRing<Kind>, ProvisionError> {
        let stored = self.read(secret).await?;
        let ring: KeyRing<Kind> = parse(stored.as_deref())?.advance_to(generation)?;
        self.write(secret, stored.as_deref(), ring.to_secret()?, request_id).await
    }

    /// The same of the access keys, which also tell what is present from then on. That there was a CDN is not forgotten.
    pub(crate) async fn advance_access(
        &self,
        secret: &str,
        present: Present,
        request_id: &str,
    ) -> Result<TokenKeyRing, ProvisionError> {
        let stored = self.read(secret).await?;
        let before = stored.as_deref().and_then(present_of);
        let cdn = match (present.cdn, before) {
            (Cdn::Never, Some(Present { cdn: Cdn::On | Cdn::Off, .. })) => Cdn::Off,
            (cdn, _) => cdn,
        };
        let ring: TokenKeyRing = parse(stored.as_deref())?.advance_to(present.generation)?;
        let text = with_present(&ring, Present { cdn, ..present })?;
        self.write(secret, stored.as_deref(), text, request_id).await
    }

    /// What is present, by the access keys; `None` if nothing was ever finished, or the secret is gone.
    pub(crate) async fn present(&self, secret: &str) -> Result<Option<Present>, ProvisionError> {
        match self.0.get_secret_value().secret_id(secret).send().await {
            Ok(answer) => Ok(answer.secret_string.as_deref().and_then(present_of)),
            // A secret that is marked for deletion is an invalid request.
            Err(error)
                if error.as_service_error().is_some_and(|error| {
                    error.is_resource_not_found_exception() || error.is_invalid_request_exception()
                }) =>
            {
                Ok(None)
            }
            Err(error) => Err(ProvisionError::of("GetSecretValue", error)),
        }
    }

    /// The secret's text; `None` if it has none yet.
    async fn read(&self, secret: &str) -> Result<Option<String>, ProvisionError> {
        match self.0.get_secret_value().secret_id(secret).send().await {
            Ok(answer) => Ok(answer.secret_string),
            Err(error)
                if error
                    .as_service_error()
                    .is_some_and(GetSecretValueError::is_resource_not_found_exception) =>
            {
                Ok(None)
            }
            Err(error) => Err(ProvisionError::of("GetSecretValue", error)),
        }
    }

    /// Writes a secret's text, if it is another one; answers the ring that it then holds.
    async fn write<Kind: KeyKind>(
        &self,
        secret: &str,
        stored: Option<&str>,
        text: String,
        request_id: &str,
    ) -> Result<KeyRing<Kind>, ProvisionError> {
        if stored == Some(text.as_str()) {
            return parse(stored);
        }
        let put = self.0.put_secret_value().secret_id(secret).client_request_token(request_id);
        match put.secret_string(&text).send().await {
            Ok(_) => parse(Some(&text)),
            // Another run of this request has written its own keys: those are the ones.
            Err(error)
                if error.as_service_error().is_some_and(|error| error.is_resource_exists_exception()) =>
            {
                parse(self.read(secret).await?.as_deref())
            }
            Err(error) => Err(ProvisionError::of("PutSecretValue", error)),
        }
    }
}

fn parse<Kind: KeyKind>(text: Option<&str>) -> Result<KeyRing<Kind>, ProvisionError> {
    Ok(text.map(KeyRing::parse).transpose()?.unwrap_or_default())
}

fn present_of(text: &str) -> Option<Present> {
    let secret: Value = serde_json::from_str(text).ok()?;
    Present::deserialize(secret.get(PRESENT)?).ok()
}

fn with_present(ring: &TokenKeyRing, present: Present) -> Result<String, ProvisionError> {
    #[derive(Serialize)]
    struct Secret<'a> {
        keys: &'a Value,
        present: Present,
    }
    let malformed = |error: serde_json::Error| auth::KeyError::Malformed(error.to_string());
    let ring: Value = serde_json::from_str(&ring.to_secret()?).map_err(malformed)?;
    Ok(serde_json::to_string(&Secret { keys: &ring["keys"], present }).map_err(malformed)?)
}
