//! Event source mappings: what Lambda does between an SQS queue and a function.
//!
//! Like Lambda's pollers, they call SQS with the credentials of the function's own role, so that the role has to allow
//! `sqs:ReceiveMessage`, `sqs:DeleteMessage` and `sqs:GetQueueAttributes`. (SAM would attach a managed policy for all
//! queues by itself; here the statement must be written.)
//!
//! A batch is received, handed to the function, and what succeeded is deleted. What failed stays in the queue and becomes
//! visible again after the queue's visibility timeout: the items that the function names, where it reports
//! `batchItemFailures`, else the whole batch when the invocation fails. An answer that cannot be read keeps everything
//! (<https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html>).

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use aws_sdk_sqs::Client;
use aws_sdk_sqs::config::retry::RetryConfig;
use aws_sdk_sqs::config::timeout::TimeoutConfig;
use aws_sdk_sqs::error::DisplayErrorContext;
use aws_sdk_sqs::types::{Message, MessageSystemAttributeName, QueueAttributeName};
use serde_json::{Map, Value, json};
use tokio::sync::{Semaphore, watch};
use tokio::task::{JoinHandle, JoinSet};

use crate::functions::{Functions, Invocation};
use crate::stack::EventSourceMapping;

/// Batches at the same time, where the template sets no `MaximumConcurrency`: Lambda begins with five.
const DEFAULT_CONCURRENCY: usize = 5;
/// How long a mapping waits after its queue failed.
const RETRY_INTERVAL: Duration = Duration::from_secs(1);
/// How long one receive waits for a message: SQS's longest.
const WAIT_SECONDS: u16 = 20;

/// How long one call to SQS may take, waiting included.
const CALL_TIMEOUT: Duration = Duration::from_secs(30);

/// A mapping could not be made.
#[derive(Debug, thiserror::Error)]
#[error("the queue {queue_url} of {function} cannot be polled with the function's role: {reason}")]
pub struct MappingError {
    /// Logical id of the function.
    pub function: String,
    /// The queue.
    pub queue_url: String,
    /// What SQS said.
    pub reason: String,
}

/// A mapping to run.
#[derive(Debug, Clone)]
pub struct Source {
    /// What the template says.
    pub mapping: EventSourceMapping,
    /// URL of its queue.
    pub queue_url: String,
    /// `AWS::Region`.
    pub region: String,
    /// What the function's role signs with, and where.
    pub configuration: aws_types::SdkConfig,
}

/// The running mappings of a stack.
#[derive(Debug)]
pub struct Mappings {
    stop: watch::Sender<bool>,
    /// Raised by every receive and every batch that ended.
    changes: watch::Sender<u64>,
    tasks: Vec<JoinHandle<()>>,
}

impl Mappings {
    /// Starts polling. A queue that is not there, or that the role may not see, is an error, as when Lambda makes the
    /// mapping.
    pub async fn start(sources: Vec<Source>, functions: &Functions) -> Result<Self, MappingError> {
        let (stop, _) = watch::channel(false);
        let (changes, _) = watch::channel(0);
        let mut pollers = Vec::new();
        for source in sources {
            let client = Client::from_conf(
                aws_sdk_sqs::config::Builder::from(&source.configuration)
                    .timeout_config(
                        TimeoutConfig::builder()
                            .connect_timeout(Duration::from_secs(2))
                            // Longer than a receive waits; the functions' own are shorter.
                            .operation_attempt_timeout(CALL_TIMEOUT)
                            .operation_timeout(CALL_TIMEOUT)
                            .build(),
                    )
                    .retry_config(RetryConfig::disabled())
                    .build(),
            );
            let poller = Poller { source, client, functions: functions.clone(), changes: changes.clone() };
            poller.check().await?;
            pollers.push(poller);
        }
        let tasks =
            pollers.into_iter().map(|poller| tokio::spawn(Arc::new(poller).run(stop.subscribe()))).collect();
        Ok(Self { stop, changes, tasks })
    }

    /// Changes whenever a batch was received or ended.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    /// Receives no more, and waits for the batches that run.
    pub async fn shut_down(self) {
        self.stop.send_replace(true);
        for task in self.tasks {
            if let Err(error) = task.await {
                tracing::error!(%error, "an event source mapping did not stop cleanly");
            }
        }
    }
}

struct Poller {
    source: Source,
    client: Client,
    functions: Functions,
    changes: watch::Sender<u64>,
}

impl Poller {
    async fn check(&self) -> Result<(), MappingError> {
        let request = self.client.get_queue_attributes().queue_url(&self.source.queue_url);
        let answer = request.attribute_names(QueueAttributeName::QueueArn).send().await;
        answer.map(|_| ()).map_err(|error| MappingError {
            function: self.source.mapping.function.clone(),
            queue_url: self.source.queue_url.clone(),
            reason: DisplayErrorContext(error).to_string(),
        })
    }

    async fn run(self: Arc<Self>, mut stopped: watch::Receiver<bool>) {
        let concurrency = self.source.mapping.maximum_concurrency.unwrap_or(DEFAULT_CONCURRENCY);
        let permits = Arc::new(Semaphore::new(concurrency));
        let mut batches = JoinSet::new();
        loop {
            let next = async {
                let permit = Arc::clone(&permits).acquire_owned().await;
                self.receive().await.map(|messages| (permit, messages))
            };
            let received = tokio::select! {
                biased;
                _ = stopped.wait_for(|stopped| *stopped) => break,
                received = next => received,
            };
            match received {
                Ok((permit, messages)) if !messages.is_empty() => {
                    let poller = Arc::clone(&self);
                    batches.spawn(async move {
                        poller.process(messages).await;
                        drop(permit);
                    });
                }
                Ok(_) => {}
                Err(error) => {
                    tracing::error!(queue = self.source.queue_url, error, "the queue could not be read");
                    tokio::select! {
                        _ = stopped.wait_for(|stopped| *stopped) => break,
                        () = tokio::time::sleep(RETRY_INTERVAL) => {}
                    }
                }
            }
            while batches.try_join_next().is_some() {}
        }
        while batches.join_next().await.is_some() {}
    }

    async fn receive(&self) -> Result<Vec<Message>, String> {
        let answer = self
            .client
            .receive_message()
            .queue_url(&self.source.queue_url)
            .max_number_of_messages(i32::try_from(self.source.mapping.batch_size).unwrap_or(10))
            .wait_time_seconds(i32::from(WAIT_SECONDS))
            .message_system_attribute_names(MessageSystemAttributeName::All)
            .send()
            .await
            .map_err(|error| DisplayErrorContext(error).to_string())?;
        self.changed();
        Ok(answer.messages.unwrap_or_default())
    }

    async fn process(&self, messages: Vec<Message>) {
        let mapping = &self.source.mapping;
        let event = self.event(&messages);
        let outcome = self.functions.invoke(&mapping.function, event, Invocation::new()).await;
        let failed = match outcome {
            Ok(answer) if mapping.report_batch_item_failures => failed_items(&answer, &messages),
            Ok(_) => Ok(BTreeSet::new()),
            Err(error) => Err(error.to_string()),
        };
        match failed {
            Ok(failed) => {
                let done = |message: &&Message| !failed.contains(message.message_id().unwrap_or_default());
                for message in messages.iter().filter(done) {
                    self.delete(message).await;
                }
                if !failed.is_empty() {
                    tracing::warn!(function = mapping.function, ?failed, "messages stay in the queue");
                }
            }
            Err(reason) => {
                tracing::warn!(function = mapping.function, reason, "the whole batch stays in the queue");
            }
        }
        self.changed();
    }

    async fn delete(&self, message: &Message) {
        let handle = message.receipt_handle().unwrap_or_default();
        let request = self.client.delete_message().queue_url(&self.source.queue_url).receipt_handle(handle);
        if let Err(error) = request.send().await {
            let error = DisplayErrorContext(error).to_string();
            tracing::error!(message_id = message.message_id(), error, "a message could not be deleted");
        }
    }

    fn changed(&self) {
        self.changes.send_modify(|count| *count = count.wrapping_add(1));
    }

    /// The event of <https://docs.aws.amazon.com/lambda/latest/dg/with-sqs.html>.
    fn event(&self, messages: &[Message]) -> Value {
        let records: Vec<Value> = messages
            .iter()
            .map(|message| {
                let attributes: Map<String, Value> = message
                    .attributes()
                    .into_iter()
                    .flatten()
                    .map(|(name, value)| (name.as_str().to_owned(), json!(value)))
                    .collect();
                json!({
                    "messageId": message.message_id(),
                    "receiptHandle": message.receipt_handle(),
                    "body": message.body(),
                    "attributes": attributes,
                    "messageAttributes": {},
                    "md5OfBody": message.md5_of_body(),
                    "eventSource": "aws:sqs",
                    "eventSourceARN": self.source.mapping.queue_arn,
                    "awsRegion": self.source.region,
                })
            })
            .collect();
        json!({"Records": records})
    }
}

/// The ids that a function reported as failed; an error where Lambda takes the batch as failed altogether.
fn failed_items(answer: &Value, messages: &[Message]) -> Result<BTreeSet<String>, String> {
    let items = match answer {
        Value::Null => return Ok(BTreeSet::new()),
        Value::Object(entries) => match entries.get("batchItemFailures") {
            None | Some(Value::Null) => return Ok(BTreeSet::new()),
            Some(Value::Array(items)) => items,
            Some(_) => return Err("batchItemFailures is not a list".to_owned()),
        },
        _ => return Err("the answer is not an object".to_owned()),
    };
    items
        .iter()
        .map(|item| {
            let id = item.get("itemIdentifier").and_then(Value::as_str).unwrap_or_default();
            if messages.iter().any(|message| message.message_id() == Some(id)) {
                Ok(id.to_owned())
            } else {
                Err(format!("itemIdentifier {id:?} is not in the batch"))
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]

    use super::*;

    fn message(id: &str) -> Message {
        Message::builder().message_id(id).build()
    }

    #[test]
    fn reported_failures() {
        let batch = [message("a"), message("b")];
        let failed =
            |answer: Value| failed_items(&answer, &batch).map(|ids| ids.into_iter().collect::<Vec<_>>());

        for success in
            [json!(null), json!({}), json!({"batchItemFailures": null}), json!({"batchItemFailures": []})]
        {
            assert_eq!(failed(success.clone()), Ok(vec![]), "{success}");
        }
        assert_eq!(failed(json!({"batchItemFailures": [{"itemIdentifier": "b"}]})), Ok(vec!["b".to_owned()]));
        for failure in [
            json!("done"),
            json!({"batchItemFailures": "b"}),
            json!({"batchItemFailures": [{"itemIdentifier": ""}]}),
            json!({"batchItemFailures": [{"itemIdentifier": null}]}),
            json!({"batchItemFailures": [{"id": "b"}]}),
            json!({"batchItemFailures": [{"itemIdentifier": "c"}]}),
        ] {
            assert!(failed(failure.clone()).is_err(), "{failure}");
        }
    }
}
