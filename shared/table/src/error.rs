//! What can go wrong, told apart by what a caller can do about it.

use aws_sdk_dynamodb::error::{DisplayErrorContext, ProvideErrorMetadata};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;

/// The table could not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum TableError {
    /// It throttles, timed out or cannot be reached: later it may work.
    #[error("the table is not available for {operation}: {reason}")]
    Unavailable {
        /// What was tried.
        operation: &'static str,
        /// What happened.
        reason: String,
    },
    /// It refused the request: a missing permission or a malformed request.
    #[error("the table refused {operation}: {reason}")]
    Refused {
        /// What was tried.
        operation: &'static str,
        /// What it said.
        reason: String,
    },
    /// An item does not read as what it should be, or cannot be written.
    #[error("an item of the table is malformed: {0}")]
    Malformed(#[from] serde_dynamo::Error),
}

/// A change was not made.
#[derive(Debug, thiserror::Error)]
pub enum ChangeError {
    /// The record has changed since it was read: read it again and decide again.
    #[error("the record has changed in the meantime")]
    Outdated,
    /// The table's own error.
    #[error(transparent)]
    Table(#[from] TableError),
}

/// A user was not created.
#[derive(Debug, thiserror::Error)]
pub enum CreateUserError {
    /// Another user has this e-mail.
    #[error("the e-mail is taken")]
    EmailTaken,
    /// The table's own error.
    #[error(transparent)]
    Table(#[from] TableError),
}

/// A user was not changed.
#[derive(Debug, thiserror::Error)]
pub enum ChangeUserError {
    /// The user has changed since they were read: read them again and decide again.
    #[error("the user has changed in the meantime")]
    Outdated,
    /// Who changes them is no admin any more.
    #[error("who changes the user is no admin any more")]
    NotAdmin,
    /// No admin would be left.
    #[error("no admin would be left")]
    LastAdmin,
    /// The table's own error.
    #[error(transparent)]
    Table(#[from] TableError),
}

/// Error codes that pass by themselves.
/// <https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Programming.Errors.html>
const PASSING: [&str; 9] = [
    "InternalServerError",
    "ItemCollectionSizeLimitExceededException",
    "LimitExceededException",
    "ProvisionedThroughputExceededException",
    "RequestLimitExceeded",
    "ServiceUnavailable",
    "ThrottlingException",
    "TransactionConflictException",
    "TransactionInProgressException",
];

impl TableError {
    pub(crate) fn of<E>(operation: &'static str, error: &SdkError<E, HttpResponse>) -> Self
    where
        E: ProvideErrorMetadata + std::error::Error + 'static,
    {
        let is_server_error =
            error.raw_response().is_some_and(|response| response.status().is_server_error());
        let (code, message) = match error.as_service_error() {
            Some(service) => (service.code(), service.message()),
            None => (None, None),
        };
        let reason = match (code, message) {
            (Some(code), Some(message)) => format!("{code}: {message}"),
            (Some(code), None) => code.to_owned(),
            _ => DisplayErrorContext(error).to_string(),
        };
        match code {
            Some(code) if !is_server_error && !PASSING.contains(&code) => Self::Refused { operation, reason },
            _ => Self::Unavailable { operation, reason },
        }
    }
}
