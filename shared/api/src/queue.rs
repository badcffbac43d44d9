//! The queue of objects to be processed, as the functions see it. Lambda's poller receives and deletes by itself.
//!
//! Permissions: `check` needs `sqs:GetQueueAttributes`, `send` `sqs:SendMessage`, `retry_after`
//! `sqs:ChangeMessageVisibility`.

use std::time::Duration;

use aws_sdk_sqs::Client;
use aws_sdk_sqs::error::DisplayErrorContext;
use aws_sdk_sqs::types::QueueAttributeName;
use aws_types::SdkConfig;

/// The queue could not do what was asked. The text is for the log.
#[derive(Debug, thiserror::Error)]
#[error("{operation} failed: {reason}")]
pub struct QueueError {
    operation: &'static str,
    reason: String,
}

/// A queue of SQS.
#[derive(Clone, Debug)]
pub struct Queue {
    client: Client,
    url: String,
}

impl Queue {
    pub(crate) fn new(configuration: &SdkConfig, url: impl Into<String>) -> Self {
        Self { client: Client::new(configuration), url: url.into() }
    }

    /// Whether the queue answers.
    pub async fn check(&self) -> Result<(), QueueError> {
        self.client
            .get_queue_attributes()
            .queue_url(&self.url)
            .attribute_names(QueueAttributeName::QueueArn)
            .send()
            .await
            .map(drop)
            .map_err(|error| QueueError {
                operation: "GetQueueAttributes",
                reason: DisplayErrorContext(error).to_string(),
            })
    }

    /// Sends a message that is received after `delay`, which is at most 15 minutes. One whose answer was lost may be sent
    /// twice.
    pub async fn send(&self, body: impl Into<String>, delay: Duration) -> Result<(), QueueError> {
        self.client
            .send_message()
            .queue_url(&self.url)
            .message_body(body)
            .delay_seconds(i32::try_from(delay.as_secs()).unwrap_or(i32::MAX))
            .send()
            .await
            .map(drop)
            .map_err(|error| QueueError {
                operation: "SendMessage",
                reason: DisplayErrorContext(error).to_string(),
            })
    }

    /// Lets a received message come back after `delay` instead of the queue's visibility timeout.
    pub async fn retry_after(&self, receipt_handle: &str, delay: Duration) -> Result<(), QueueError> {
        self.client
            .change_message_visibility()
            .queue_url(&self.url)
            .receipt_handle(receipt_handle)
            .visibility_timeout(i32::try_from(delay.as_secs()).unwrap_or(i32::MAX))
            .send()
            .await
            .map(drop)
            .map_err(|error| QueueError {
                operation: "ChangeMessageVisibility",
                reason: DisplayErrorContext(error).to_string(),
            })
    }
}
