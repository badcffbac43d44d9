//! Why keys could not be provisioned.

use auth::KeyError;
use aws_sdk_secretsmanager::error::{DisplayErrorContext, ProvideErrorMetadata, SdkError};

/// Why the keys could not be provisioned: what CloudFormation is told.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ProvisionError {
    #[error("the request is malformed: {0}")]
    Request(String),
    #[error("the resource's properties are malformed: {0}")]
    Properties(String),
    #[error("Secrets Manager or CloudFront did not answer in time; try again")]
    TimedOut,
    #[error("{operation} is not allowed: {reason}")]
    Denied { operation: &'static str, reason: String },
    #[error("{operation} failed: {reason}")]
    Refused { operation: &'static str, reason: String },
    #[error(
        "the public key {0} is still in a key group, so it cannot be deleted; remove it there, then try again"
    )]
    InUse(String),
    #[error("CloudFront has more public keys than are looked through")]
    TooManyPublicKeys,
    #[error("CloudFront has no public key of generation {0}")]
    Missing(u32),
    #[error(transparent)]
    Key(#[from] KeyError),
}

impl ProvisionError {
    /// The reason goes to CloudFormation, which takes no more than a few hundred words: code and message, not the answer.
    pub(crate) fn of<E>(operation: &'static str, error: SdkError<E>) -> Self
    where
        E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
    {
        let code = error.code().unwrap_or_default().to_owned();
        let reason = match (error.code(), error.message()) {
            (Some(code), Some(message)) => format!("{code}: {message}"),
            (Some(code), None) => code.to_owned(),
            _ => "the service cannot be reached".to_owned(),
        };
        tracing::error!(operation, error = %DisplayErrorContext(error), "a call failed");
        if code.starts_with("AccessDenied") {
            Self::Denied { operation, reason }
        } else {
            Self::Refused { operation, reason }
        }
    }
}
