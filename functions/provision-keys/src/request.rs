//! What CloudFormation asks.
//! <https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/crpg-ref-requests.html>

use serde::Deserialize;
use serde_json::Value;

use crate::error::ProvisionError;
use crate::keys::Cdn;

/// A failed creation needs an id too; CloudFormation then deletes the resource under it.
const NOT_CREATED: &str = "signing-keys-not-created";

/// Who asked, and where the answer goes: read of an event even where the rest of it is malformed.
pub(crate) struct Sender {
    pub(crate) response_url: String,
    pub(crate) request_id: String,
    pub(crate) stack_id: String,
    pub(crate) logical_resource_id: String,
    /// Absent from the request that creates.
    physical_resource_id: Option<String>,
}

impl Sender {
    /// `None` if there is nowhere to answer to.
    pub(crate) fn of(event: &Value) -> Option<Self> {
        let field = |name: &str| event.get(name).and_then(Value::as_str).map(str::to_owned);
        Some(Self {
            response_url: field("ResponseURL")?,
            request_id: field("RequestId").unwrap_or_default(),
            stack_id: field("StackId").unwrap_or_default(),
            logical_resource_id: field("LogicalResourceId").unwrap_or_default(),
            physical_resource_id: field("PhysicalResourceId"),
        })
    }

    /// The resource's physical id so far.
    pub(crate) fn physical_id(&self) -> &str {
        self.physical_resource_id.as_deref().unwrap_or(NOT_CREATED)
    }
}

/// What is to be done.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Request {
    pub(crate) request_type: RequestType,
    pub(crate) request_id: String,
    pub(crate) stack_id: String,
    /// Absent from the request that creates.
    pub(crate) physical_resource_id: Option<String>,
    pub(crate) resource_properties: Value,
    /// Of an update; of the rollback of one, what that was to be.
    #[serde(default)]
    old_resource_properties: Value,
}

#[derive(Clone, Copy, Deserialize)]
pub(crate) enum RequestType {
    Create,
    Update,
    Delete,
}

impl Request {
    pub(crate) fn parse(event: Value) -> Result<Self, ProvisionError> {
        serde_json::from_value(event).map_err(|error| ProvisionError::Request(error.to_string()))
    }

    /// The secret of this name, if the resource has one.
    pub(crate) fn secret(&self, name: &str) -> Option<&str> {
        self.resource_properties.get(name).and_then(Value::as_str)
    }

    /// Whether the resource has a CDN, or had one before this update.
    pub(crate) fn cdn(&self) -> Cdn {
        if self.secret("CdnKeysSecret").is_some() {
            Cdn::On
        } else if self.old_resource_properties.get("CdnKeysSecret").is_some() {
            Cdn::Off
        } else {
            Cdn::Never
        }
    }
}

/// The resource's properties. CloudFormation sends numbers as text.
pub(crate) struct Properties {
    pub(crate) key_generation: u32,
    pub(crate) access_keys_secret: String,
    pub(crate) capability_keys_secret: String,
    pub(crate) cdn_keys_secret: Option<String>,
}

impl Properties {
    pub(crate) fn parse(properties: &Value) -> Result<Self, ProvisionError> {
        #[derive(Deserialize)]
        #[serde(rename_all = "PascalCase")]
        struct Written {
            key_generation: String,
            access_keys_secret: String,
            capability_keys_secret: String,
            cdn_keys_secret: Option<String>,
        }
        let written = Written::deserialize(properties);
        let written = written.map_err(|error| ProvisionError::Properties(error.to_string()))?;
        let key_generation = written.key_generation.parse().ok().filter(|generation| *generation > 0);
        Ok(Self {
            key_generation: key_generation.ok_or_else(|| {
                ProvisionError::Properties("KeyGeneration must be a whole number from 1".to_owned())
            })?,
            access_keys_secret: written.access_keys_secret,
            capability_keys_secret: written.capability_keys_secret,
            cdn_keys_secret: written.cdn_keys_secret,
        })
    }
}
