//! `AWS::SQS::Queue` and `AWS::SQS::QueuePolicy`.

use std::ops::RangeInclusive;
use std::time::Duration;

use serde_json::Value;

use super::{Evaluated, policy};
use crate::stack::{Queue, Redrive};
use crate::template::error::{Problem, TemplateError};
use crate::template::names::Names;
use crate::template::properties::Properties;

const HONOURED: &[&str] = &[
    "QueueName",
    "VisibilityTimeout",
    "MessageRetentionPeriod",
    "RedrivePolicy",
    "DelaySeconds",
    "FifoQueue",
    "MaximumMessageSize",
    "ReceiveMessageWaitTimeSeconds",
];
/// Encryption with SQS's own key. (With a key of KMS, S3 and every caller would need permissions for that key.)
const IRRELEVANT: &[&str] = &["SqsManagedSseEnabled", "Tags"];

/// The smallest and the largest limit on a message. The largest is the default.
const MESSAGE_LIMITS_BYTES: RangeInclusive<u64> = 1024..=1_048_576;

pub(super) fn queues(names: &Names, evaluated: &Evaluated) -> Result<Vec<Queue>, TemplateError> {
    let mut queues = Vec::new();
    for (logical_id, properties) in evaluated.of_type("AWS::SQS::Queue") {
        let properties =
            Properties::new(properties, &format!("{logical_id}.Properties"), HONOURED, IRRELEVANT)?;
        properties.only("DelaySeconds", "0")?;
        properties.only("FifoQueue", "false")?;
        properties.only("ReceiveMessageWaitTimeSeconds", "0")?;
        let seconds = |name: &'static str, default: u64, most: u64| match properties.integer(name)? {
            Some(seconds) if seconds > most => {
                Err(TemplateError::invalid(properties.place_of(name), format!("at most {most} seconds")))
            }
            seconds => Ok(Duration::from_secs(seconds.unwrap_or(default))),
        };
        queues.push(Queue {
            logical_id: logical_id.to_owned(),
            name: names.name(logical_id)?,
            arn: names.arn(logical_id)?.unwrap_or_default(),
            url: names.queue_url(logical_id)?,
            visibility_timeout: seconds("VisibilityTimeout", 30, 43_200)?,
            message_retention: seconds("MessageRetentionPeriod", 345_600, 1_209_600)?,
            maximum_message_bytes: maximum_message_bytes(&properties)?,
            redrive: redrive(&properties)?,
            policies: Vec::new(),
        });
    }
    attach_policies(evaluated, &mut queues)?;
    Ok(queues)
}

fn maximum_message_bytes(properties: &Properties) -> Result<usize, TemplateError> {
    let bytes = properties.integer("MaximumMessageSize")?.unwrap_or(*MESSAGE_LIMITS_BYTES.end());
    usize::try_from(bytes).ok().filter(|_| MESSAGE_LIMITS_BYTES.contains(&bytes)).ok_or_else(|| {
        TemplateError::invalid(properties.place_of("MaximumMessageSize"), "must be 1024–1048576 bytes")
    })
}

fn redrive(properties: &Properties) -> Result<Option<Redrive>, TemplateError> {
    if properties.get("RedrivePolicy").is_none() {
        return Ok(None);
    }
    let declared = properties.child("RedrivePolicy", &["deadLetterTargetArn", "maxReceiveCount"], &[])?;
    let most = declared.integer("maxReceiveCount")?;
    let max_receive_count = most
        .and_then(|most| u32::try_from(most).ok())
        .filter(|most| (1..=1000).contains(most))
        .ok_or_else(|| TemplateError::invalid(declared.place_of("maxReceiveCount"), "must be 1–1000"))?;
    Ok(Some(Redrive {
        dead_letter_queue_arn: declared.required_string("deadLetterTargetArn")?,
        max_receive_count,
    }))
}

fn attach_policies(evaluated: &Evaluated, queues: &mut [Queue]) -> Result<(), TemplateError> {
    for (logical_id, properties) in evaluated.of_type("AWS::SQS::QueuePolicy") {
        let place = format!("{logical_id}.Properties");
        let properties = Properties::new(properties, &place, &["Queues", "PolicyDocument"], &[])?;
        let document: &Value = properties.required("PolicyDocument")?;
        for (index, url) in properties.strings("Queues")?.into_iter().enumerate() {
            let queue = queues.iter_mut().find(|queue| queue.url == url).ok_or_else(|| {
                TemplateError::at(format!("{place}.Queues[{index}]"), Problem::UnresolvedReference(url))
            })?;
            queue.policies.push(policy(logical_id.to_owned(), document)?);
        }
    }
    Ok(())
}
