//! The SQS API over [`Queues`], in its JSON protocol. Follows the Amazon SQS API reference.

use std::time::Duration;

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::identity::Caller;
use super::installed::{Installed, Requirement};
use super::protocol::{Fault, parse, refuse_unknown};
use super::queues::{Message, QueueError, Queues};
use crate::stack::Queue;

/// 12 hours.
const MAXIMUM_VISIBILITY_SECONDS: u64 = 43_200;

/// What `ReceiveMessage` may be asked for. The last four are of FIFO queues, traces and encryption: no message here has
/// them.
const MESSAGE_ATTRIBUTES: [&str; 10] = [
    "All",
    "ApproximateFirstReceiveTimestamp",
    "ApproximateReceiveCount",
    "DeadLetterQueueSourceArn",
    "SenderId",
    "SentTimestamp",
    "AWSTraceHeader",
    "MessageDeduplicationId",
    "MessageGroupId",
    "SequenceNumber",
];

/// What queues have on AWS besides the attributes that they have here.
const OTHER_QUEUE_ATTRIBUTES: [&str; 13] = [
    "ContentBasedDeduplication",
    "CreatedTimestamp",
    "DeduplicationScope",
    "DelaySeconds",
    "FifoQueue",
    "FifoThroughputLimit",
    "KmsDataKeyReusePeriodSeconds",
    "KmsMasterKeyId",
    "LastModifiedTimestamp",
    "Policy",
    "ReceiveMessageWaitTimeSeconds",
    "RedriveAllowPolicy",
    "SqsManagedSseEnabled",
];

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct QueueName {
    queue_name: String,
    #[serde(rename = "QueueOwnerAWSAccountId")]
    owner_account_id: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct QueueUrl {
    queue_url: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct AttributeNames {
    #[serde(default)]
    attribute_names: Vec<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Send {
    message_body: String,
    #[serde(default)]
    delay_seconds: u64,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Receive {
    max_number_of_messages: Option<usize>,
    visibility_timeout: Option<u64>,
    #[serde(default)]
    wait_time_seconds: u64,
    #[serde(default)]
    attribute_names: Vec<String>,
    #[serde(default)]
    message_system_attribute_names: Vec<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Receipt {
    receipt_handle: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Visibility {
    receipt_handle: String,
    visibility_timeout: u64,
}

/// What a request needs permission for: the operation's own action on the queue.
pub(crate) fn requirements(
    installed: &Installed,
    operation: &str,
    body: &Value,
) -> Result<Vec<Requirement>, Fault> {
    let known: &[&str] = match operation {
        "GetQueueUrl" => &["QueueName", "QueueOwnerAWSAccountId"],
        "GetQueueAttributes" => &["QueueUrl", "AttributeNames"],
        "SendMessage" => &["QueueUrl", "MessageBody", "DelaySeconds"],
        "ReceiveMessage" => &[
            "QueueUrl",
            "MaxNumberOfMessages",
            "VisibilityTimeout",
            "WaitTimeSeconds",
            "AttributeNames",
            "MessageAttributeNames",
            "MessageSystemAttributeNames",
        ],
        "DeleteMessage" => &["QueueUrl", "ReceiptHandle"],
        "ChangeMessageVisibility" => &["QueueUrl", "ReceiptHandle", "VisibilityTimeout"],
        other => return Err(Fault::not_implemented(&format!("SQS {other}"))),
    };
    refuse_unknown(operation, body, known)?;
    let queue = if operation == "GetQueueUrl" {
        by_name(installed, &parse(body)?)?
    } else {
        by_url(installed, &parse::<QueueUrl>(body)?.queue_url)?
    };
    Ok(vec![Requirement::new(format!("sqs:{operation}"), &queue.arn)])
}

/// Carries out a permitted request.
pub(crate) async fn run(
    queues: &Queues,
    installed: &Installed,
    caller: &Caller,
    operation: &str,
    body: &Value,
) -> Result<Value, Fault> {
    if operation == "GetQueueUrl" {
        let queue = by_name(installed, &parse(body)?)?;
        return Ok(json!({ "QueueUrl": queue.url }));
    }
    let queue = by_url(installed, &parse::<QueueUrl>(body)?.queue_url)?;
    match operation {
        "GetQueueAttributes" => attributes(queues, queue, &parse::<AttributeNames>(body)?.attribute_names),
        "SendMessage" => send(queues, queue, caller, &parse(body)?),
        "ReceiveMessage" => receive(queues, queue, &parse(body)?).await,
        "DeleteMessage" => {
            queues.delete(&queue.arn, &parse::<Receipt>(body)?.receipt_handle)?;
            Ok(json!({}))
        }
        "ChangeMessageVisibility" => {
            let change: Visibility = parse(body)?;
            at_most("VisibilityTimeout", change.visibility_timeout, MAXIMUM_VISIBILITY_SECONDS)?;
            let visibility = Duration::from_secs(change.visibility_timeout);
            queues.change_visibility(&queue.arn, &change.receipt_handle, visibility)?;
            Ok(json!({}))
        }
        other => Err(Fault::not_implemented(&format!("SQS {other}"))),
    }
}

fn send(queues: &Queues, queue: &Queue, caller: &Caller, request: &Send) -> Result<Value, Fault> {
    at_most("DelaySeconds", request.delay_seconds, 900)?;
    if request.message_body.is_empty() {
        return Err(Fault::bad_request(
            "MissingParameter",
            "The request must contain the parameter MessageBody.",
        ));
    }
    let is_allowed = |character: char| matches!(character, '\t' | '\n' | '\r' | ' '..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..);
    if !request.message_body.chars().all(is_allowed) {
        return Err(Fault::bad_request(
            "InvalidMessageContents",
            "The message holds characters that are not allowed.",
        ));
    }
    let delay = Duration::from_secs(request.delay_seconds);
    let message_id = queues.send_as(&queue.arn, &request.message_body, &caller.user_id, delay)?;
    Ok(json!({ "MessageId": message_id, "MD5OfMessageBody": super::queues::md5_hex(&request.message_body) }))
}

async fn receive(queues: &Queues, queue: &Queue, request: &Receive) -> Result<Value, Fault> {
    let maximum = request.max_number_of_messages.unwrap_or(1);
    if !(1..=10).contains(&maximum) {
        return Err(invalid_value(&format!(
            "Value {maximum} for parameter MaxNumberOfMessages is invalid. Reason: Must be between 1 and 10, if provided."
        )));
    }
    at_most("WaitTimeSeconds", request.wait_time_seconds, 20)?;
    if let Some(seconds) = request.visibility_timeout {
        at_most("VisibilityTimeout", seconds, MAXIMUM_VISIBILITY_SECONDS)?;
    }
    let mut wanted = request.attribute_names.iter().chain(&request.message_system_attribute_names);
    if let Some(unknown) = wanted.find(|name| !MESSAGE_ATTRIBUTES.contains(&name.as_str())) {
        return Err(unknown_attribute(unknown));
    }
    let visibility = request.visibility_timeout.map(Duration::from_secs);
    let mut messages = queues.receive(&queue.arn, maximum, visibility)?;
    if messages.is_empty() && request.wait_time_seconds > 0 {
        let wait = Duration::from_secs(request.wait_time_seconds);
        if let Ok(found) = tokio::time::timeout(wait, queues.wait_for_message(&queue.arn)).await {
            found?;
            messages = queues.receive(&queue.arn, maximum, visibility)?;
        }
    }
    if messages.is_empty() {
        return Ok(json!({}));
    }
    let wanted: Vec<&String> =
        request.attribute_names.iter().chain(&request.message_system_attribute_names).collect();
    Ok(
        json!({ "Messages": messages.iter().map(|message| message_json(message, &wanted)).collect::<Vec<_>>() }),
    )
}

fn message_json(message: &Message, wanted: &[&String]) -> Value {
    let mut attributes = Map::new();
    let known = [
        ("ApproximateReceiveCount", Some(message.receive_count.to_string())),
        ("SentTimestamp", Some(message.sent_at_ms.to_string())),
        ("ApproximateFirstReceiveTimestamp", Some(message.first_received_at_ms.to_string())),
        ("SenderId", Some(message.sender_id.clone())),
        ("DeadLetterQueueSourceArn", message.source_queue_arn.clone()),
    ];
    for (name, value) in known {
        if let Some(value) = value
            && wanted.iter().any(|one| *one == "All" || *one == name)
        {
            attributes.insert(name.to_owned(), Value::String(value));
        }
    }
    let mut json = json!({
        "MessageId": message.message_id,
        "ReceiptHandle": message.receipt_handle,
        "MD5OfBody": message.md5_of_body,
        "Body": message.body,
    });
    if !attributes.is_empty() {
        json["Attributes"] = Value::Object(attributes);
    }
    json
}

fn attributes(queues: &Queues, queue: &Queue, wanted: &[String]) -> Result<Value, Fault> {
    let counts = queues.counts(&queue.arn)?;
    let redrive = queue.redrive.as_ref().map(|redrive| {
        json!({
            "deadLetterTargetArn": redrive.dead_letter_queue_arn,
            "maxReceiveCount": redrive.max_receive_count,
        })
        .to_string()
    });
    let known = [
        ("QueueArn", Some(queue.arn.clone())),
        ("ApproximateNumberOfMessages", Some(counts.visible.to_string())),
        ("ApproximateNumberOfMessagesNotVisible", Some(counts.in_flight.to_string())),
        ("ApproximateNumberOfMessagesDelayed", Some(counts.delayed.to_string())),
        ("VisibilityTimeout", Some(queue.visibility_timeout.as_secs().to_string())),
        ("MaximumMessageSize", Some(queue.maximum_message_bytes.to_string())),
        ("MessageRetentionPeriod", Some(queue.message_retention.as_secs().to_string())),
        ("RedrivePolicy", redrive),
    ];
    if let Some(unknown) =
        wanted.iter().find(|name| *name != "All" && known.iter().all(|(one, _)| one != name))
    {
        return Err(if OTHER_QUEUE_ATTRIBUTES.contains(&unknown.as_str()) {
            Fault::not_implemented(&format!("The queue attribute {unknown}"))
        } else {
            unknown_attribute(unknown)
        });
    }
    let attributes: Map<String, Value> = known
        .into_iter()
        .filter(|(name, _)| wanted.iter().any(|one| one == "All" || one == name))
        .filter_map(|(name, value)| Some((name.to_owned(), Value::String(value?))))
        .collect();
    Ok(json!({ "Attributes": attributes }))
}

fn by_name<'a>(installed: &'a Installed, wanted: &QueueName) -> Result<&'a Queue, Fault> {
    let is_here = wanted.owner_account_id.as_ref().is_none_or(|owner| owner == installed.account_id());
    let mut queues = installed.queues().iter();
    queues.find(|queue| is_here && queue.name == wanted.queue_name).ok_or_else(no_queue)
}

/// Queues are told apart by account and name; the host of the URL may be AWS's or this port's.
fn by_url<'a>(installed: &'a Installed, url: &str) -> Result<&'a Queue, Fault> {
    let tail = |url: &str| -> Option<String> {
        let mut parts = url.rsplit('/');
        let (name, account) = (parts.next()?, parts.next()?);
        Some(format!("{account}/{name}"))
    };
    let wanted = tail(url);
    installed
        .queues()
        .iter()
        .find(|queue| wanted.is_some() && tail(&queue.url) == wanted)
        .ok_or_else(no_queue)
}

fn unknown_attribute(name: &str) -> Fault {
    Fault::bad_request("InvalidAttributeName", format!("Unknown Attribute {name}."))
}

fn no_queue() -> Fault {
    let mut fault = Fault::bad_request("QueueDoesNotExist", "The specified queue does not exist.");
    fault.query_code = Some("AWS.SimpleQueueService.NonExistentQueue");
    fault
}

fn invalid_value(message: &str) -> Fault {
    let mut fault = Fault::bad_request("InvalidParameterValueException", message);
    fault.query_code = Some("InvalidParameterValue");
    fault
}

fn at_most(name: &str, value: u64, maximum: u64) -> Result<(), Fault> {
    if value <= maximum {
        return Ok(());
    }
    Err(invalid_value(&format!(
        "Value {value} for parameter {name} is invalid. Reason: Must be between 0 and {maximum}, if provided."
    )))
}

impl From<QueueError> for Fault {
    fn from(error: QueueError) -> Fault {
        match error {
            QueueError::UnknownQueue(_) => no_queue(),
            QueueError::InvalidReceiptHandle => Fault::bad_request(
                "ReceiptHandleIsInvalid",
                "The input receipt handle is not a valid receipt handle.",
            ),
            QueueError::MessageTooLong { maximum_bytes } => invalid_value(&format!(
                "One or more parameters are invalid. Reason: Message must be shorter than {maximum_bytes} bytes."
            )),
            QueueError::NotInFlight => {
                let mut fault = Fault::bad_request("MessageNotInflight", "The message is not in flight.");
                fault.query_code = Some("AWS.SimpleQueueService.MessageNotInflight");
                fault
            }
            QueueError::Database(error) => Fault::internal(&error),
        }
    }
}
