//! What can go wrong, told apart by what a caller can do about it.

use aws_sdk_s3::error::{DisplayErrorContext, ProvideErrorMetadata};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;

/// S3 or STS could not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum BucketError {
    /// It throttles, timed out or cannot be reached: later it may work.
    #[error("{operation} is not available: {reason}")]
    Unavailable {
        /// What was tried.
        operation: &'static str,
        /// What happened.
        reason: String,
    },
    /// It refused the request: a missing permission, or a malformed request.
    #[error("{operation} was refused: {reason}")]
    Refused {
        /// What was tried.
        operation: &'static str,
        /// What it said.
        reason: String,
    },
    /// The object is not there, or not in this version.
    #[error("{operation} found no such object")]
    Missing {
        /// What was tried.
        operation: &'static str,
    },
}

/// Codes that come with a status of 4xx although it may work later: throttling, as STS tells it, and writes of one key
/// that got in each other's way.
/// <https://docs.aws.amazon.com/STS/latest/APIReference/CommonErrors.html>
/// <https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html>
const PASSING: [&str; 6] = [
    "ConditionalRequestConflict",
    "OperationAborted",
    "RequestLimitExceeded",
    "SlowDown",
    "Throttling",
    "ThrottlingException",
];

impl BucketError {
    pub(crate) fn of<E>(operation: &'static str, error: &SdkError<E, HttpResponse>) -> Self
    where
        E: ProvideErrorMetadata + std::error::Error + 'static,
    {
        let status = error.raw_response().map(|response| response.status().as_u16());
        let service = error.as_service_error();
        let code = service.and_then(|service| service.code());
        let is_passing = code.is_some_and(|code| PASSING.contains(&code));
        let reason = match code {
            Some(code) => {
                let message = service.and_then(|service| service.message()).unwrap_or_default();
                format!("{code}: {message}")
            }
            None => DisplayErrorContext(error).to_string(),
        };
        match status {
            Some(404) => Self::Missing { operation },
            Some(status @ 400..=499) if !is_passing && status != 408 && status != 429 => {
                Self::Refused { operation, reason }
            }
            _ => Self::Unavailable { operation, reason },
        }
    }

    /// An answer without what it has to have.
    pub(crate) fn unreadable(operation: &'static str, what: &str) -> Self {
        Self::Unavailable { operation, reason: format!("the answer has no {what} that can be read") }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_sdk_sts::error::ErrorMetadata;
    use aws_sdk_sts::operation::assume_role::AssumeRoleError;
    use aws_smithy_runtime_api::http::StatusCode;
    use aws_smithy_types::body::SdkBody;

    fn of(status: u16, code: &str) -> BucketError {
        let error = AssumeRoleError::generic(ErrorMetadata::builder().code(code).build());
        let response = HttpResponse::new(StatusCode::try_from(status).unwrap(), SdkBody::empty());
        BucketError::of("AssumeRole", &SdkError::service_error(error, response))
    }

    #[test]
    fn what_passes_is_told_from_what_does_not() {
        assert!(matches!(of(400, "Throttling"), BucketError::Unavailable { .. }));
        assert!(matches!(of(503, "SlowDown"), BucketError::Unavailable { .. }));
        assert!(matches!(of(409, "ConditionalRequestConflict"), BucketError::Unavailable { .. }));
        assert!(matches!(of(500, "SomethingNew"), BucketError::Unavailable { .. }));
        assert!(matches!(of(403, "AccessDenied"), BucketError::Refused { .. }));
        assert!(matches!(of(404, "NoSuchKey"), BucketError::Missing { .. }));
    }
}
