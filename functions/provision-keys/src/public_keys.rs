//! The public keys that CloudFront verifies signed URLs with.
//!
//! CloudFront gives each an id of its own, and nothing else can be looked up by: so a key is found among all of the
//! account's by its name, which is unique there. It is made of the stack's id, the key's generation and its thumbprint, so
//! that nobody's keys are taken for another's, and that what to delete is seen without any other record.
//!
//! <https://docs.aws.amazon.com/cloudfront/latest/APIReference/API_CreatePublicKey.html>

use std::ops::RangeInclusive;
use std::time::Duration;

use auth::CdnPublicKey;
use aws_sdk_cloudfront::Client;
use aws_sdk_cloudfront::config::timeout::TimeoutConfig;
use aws_sdk_cloudfront::error::BuildError;
use aws_sdk_cloudfront::operation::create_public_key::CreatePublicKeyError;
use aws_sdk_cloudfront::operation::get_public_key::GetPublicKeyError;
use aws_sdk_cloudfront::types::PublicKeyConfig;
use aws_types::SdkConfig;

use crate::error::ProvisionError;

/// CloudFront's control plane is slower than what a request can wait for.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(10);
const OPERATION_TIMEOUT: Duration = Duration::from_secs(20);

const PAGE_SIZE: i32 = 100;
/// An account has a quota of ten public keys, unless AWS raised it.
const MAX_PAGES: usize = 20;

/// How often a key that is there by CloudFront's word is looked for: its lists may lag behind.
const LOOKS: usize = 3;
const LOOK_PAUSE: Duration = Duration::from_secs(1);

/// CloudFront.
pub(crate) fn client(configuration: &SdkConfig) -> Client {
    let timeouts = TimeoutConfig::builder()
        .operation_attempt_timeout(ATTEMPT_TIMEOUT)
        .operation_timeout(OPERATION_TIMEOUT)
        .build();
    Client::from_conf(
        aws_sdk_cloudfront::config::Builder::from(configuration).timeout_config(timeouts).build(),
    )
}

/// A public key that CloudFront has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PublishedKey {
    /// CloudFront's id of it, which a signed URL tells as `Key-Pair-Id`.
    pub(crate) id: String,
    pub(crate) generation: u32,
    name: String,
}

/// The public keys of one stack.
pub(crate) struct PublicKeys<'a> {
    client: &'a Client,
    /// What the names of them all begin with.
    prefix: String,
}

impl<'a> PublicKeys<'a> {
    pub(crate) fn of_stack(client: &'a Client, stack_id: &str) -> Self {
        // An ARN that ends in the stack's name and a UUID.
        let unique = stack_id.rsplit('/').next().unwrap_or(stack_id);
        Self { client, prefix: format!("signing-keys-{unique}-") }
    }

    /// Has CloudFront know these keys, in their order.
    pub(crate) async fn publish(&self, keys: &[CdnPublicKey]) -> Result<Vec<PublishedKey>, ProvisionError> {
        let known = self.list().await?;
        let mut published = Vec::with_capacity(keys.len());
        for key in keys {
            let name = self.name_of(key);
            let is_known = known.iter().find(|known| known.name == name);
            published.push(match is_known {
                Some(known) => known.clone(),
                None => self.create(key, name).await?,
            });
        }
        Ok(published)
    }

    /// Deletes them all but those of these generations.
    pub(crate) async fn delete_except(
        &self,
        needed: Option<RangeInclusive<u32>>,
    ) -> Result<(), ProvisionError> {
        for key in self.list().await? {
            if !needed.as_ref().is_some_and(|needed| needed.contains(&key.generation)) {
                self.delete(&key).await?;
            }
        }
        Ok(())
    }

    fn name_of(&self, key: &CdnPublicKey) -> String {
        format!("{}{}-{}", self.prefix, key.generation, key.key_id)
    }

    /// The generation of a key with this name; `None` if it is none of this stack's.
    fn generation_of(&self, name: &str) -> Option<u32> {
        let (generation, _) = name.strip_prefix(&self.prefix)?.split_once('-')?;
        generation.parse().ok()
    }

    async fn create(&self, key: &CdnPublicKey, name: String) -> Result<PublishedKey, ProvisionError> {
        let malformed = |error: BuildError| ProvisionError::Request(error.to_string());
        let configuration = PublicKeyConfig::builder()
            .name(&name)
            // One key has one reference, so that creating it twice creates it once.
            .caller_reference(&name)
            .comment(format!("Signed URLs of key generation {}", key.generation))
            .encoded_key(&key.pem)
            .build()
            .map_err(malformed)?;
        let created = self.client.create_public_key().public_key_config(configuration).send().await;
        match created {
            Ok(answer) => {
                let created = answer.public_key.ok_or(ProvisionError::Missing(key.generation))?;
                Ok(PublishedKey { id: created.id, generation: key.generation, name })
            }
            // Another run of this request was faster.
            Err(error)
                if error
                    .as_service_error()
                    .is_some_and(CreatePublicKeyError::is_public_key_already_exists) =>
            {
                self.find(key.generation, &name).await
            }
            Err(error) => Err(ProvisionError::of("CreatePublicKey", error)),
        }
    }

    async fn find(&self, generation: u32, name: &str) -> Result<PublishedKey, ProvisionError> {
        for look in 0..LOOKS {
            if look > 0 {
                tokio::time::sleep(LOOK_PAUSE).await;
            }
            if let Some(found) = self.list().await?.into_iter().find(|known| known.name == name) {
                return Ok(found);
            }
        }
        Err(ProvisionError::Missing(generation))
    }

    /// All of this stack's.
    async fn list(&self) -> Result<Vec<PublishedKey>, ProvisionError> {
        let mut keys = Vec::new();
        let mut marker = None;
        for _ in 0..MAX_PAGES {
            let list = self.client.list_public_keys().max_items(PAGE_SIZE).set_marker(marker);
            let page = list.send().await.map_err(|error| ProvisionError::of("ListPublicKeys", error))?;
            let Some(page) = page.public_key_list else { return Ok(keys) };
            keys.extend(page.items.unwrap_or_default().into_iter().filter_map(|key| {
                let generation = self.generation_of(&key.name)?;
                Some(PublishedKey { id: key.id, generation, name: key.name })
            }));
            marker = page.next_marker;
            if marker.is_none() {
                return Ok(keys);
            }
        }
        Err(ProvisionError::TooManyPublicKeys)
    }

    /// Deletes a key, which need not be there.
    async fn delete(&self, key: &PublishedKey) -> Result<(), ProvisionError> {
        let version = match self.client.get_public_key().id(&key.id).send().await {
            Ok(answer) => answer.e_tag,
            Err(error) if error.as_service_error().is_some_and(GetPublicKeyError::is_no_such_public_key) => {
                return Ok(());
            }
            Err(error) => return Err(ProvisionError::of("GetPublicKey", error)),
        };
        let delete = self.client.delete_public_key().id(&key.id).set_if_match(version);
        match delete.send().await {
            Ok(_) => Ok(()),
            Err(error) => match error.as_service_error() {
                Some(refused) if refused.is_no_such_public_key() => Ok(()),
                Some(refused) if refused.is_public_key_in_use() => Err(ProvisionError::InUse(key.id.clone())),
                _ => Err(ProvisionError::of("DeletePublicKey", error)),
            },
        }
    }
}
