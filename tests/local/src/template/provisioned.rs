//! What custom resources have answered: kept in the data directory, so that a restart sends nothing again.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Custom resources by logical id.
pub type Provisioned = BTreeMap<String, ProvisionedResource>;

/// One provisioned custom resource.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProvisionedResource {
    /// `PhysicalResourceId` of the answer.
    pub physical_id: String,
    /// `Data` of the answer, which `Fn::GetAtt` reads.
    pub attributes: BTreeMap<String, String>,
    /// The properties that it was provisioned with.
    pub properties: Value,
}

/// A custom resource whose properties are final, so that its function can be called.
#[derive(Debug, Clone)]
pub struct PendingResource {
    /// Its name in the template.
    pub logical_id: String,
    /// `Custom::…`.
    pub resource_type: String,
    /// Logical id of the function that `ServiceToken` names.
    pub function: String,
    /// Its properties, `ServiceToken` included.
    pub properties: Value,
}
