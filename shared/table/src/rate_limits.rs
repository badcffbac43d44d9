//! The rate limits' items: up to when each subject of a limit is occupied.
//!
//! # What is guaranteed
//!
//! A request is counted by one conditional write if its subject was idle, and by at most two otherwise; nothing is read.
//! Of several requests at the same time each is counted, and of those that want the last slot one gets it: an occupation
//! only grows, so a subject that the first write found occupied is occupied when the second one adds to it, and that one's
//! condition decides.
//!
//! # How it fails
//!
//! A call is tried twice and no more, because the caller goes on without it. A write whose answer got lost may count
//! twice.
//!
//! An item expires a little after its subject is idle at the latest. One whose subject is known, see [`RateLimits::know`],
//! stays until that ends, and may then be deleted at any time: its count begins anew.

use std::time::Duration;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::config::retry::RetryConfig;
use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::operation::update_item::builders::UpdateItemFluentBuilder;
use aws_sdk_dynamodb::types::{AttributeValue, ReturnValue, ReturnValuesOnConditionCheckFailure};
use aws_types::SdkConfig;
use domain::{LimitedRequest, Quota, RateLimitName, RateLimitSubject, Timestamp, UnixMicroseconds, Verdict};
use serde::Deserialize;

use crate::error::TableError;
use crate::item::{Item, from_item};
use crate::keys::Key;

const OPERATION: &str = "UpdateItem";

/// Attempts at one write.
const ATTEMPTS: u32 = 2;

/// The longest pause between them.
const PAUSE: Duration = Duration::from_millis(50);

/// The items of the rate limits, in the table.
#[derive(Clone, Debug)]
pub struct RateLimits {
    client: Client,
    table_name: String,
}

/// What a request was told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Taken {
    /// Whether it may go on.
    pub verdict: Verdict,
    /// What is left after it.
    pub quota: Quota,
    /// Until when its subject is known.
    pub known_until: Option<Timestamp>,
}

/// An item.
#[derive(Deserialize)]
struct Occupation {
    /// In microseconds since the epoch.
    occupied_until: u64,
    /// In seconds since the epoch.
    known_until: Option<i64>,
}

/// How a write ended, short of an error, and what the item is then.
enum Written {
    Yes(Occupation),
    No(Occupation),
}

impl RateLimits {
    /// Those in the table of this name.
    pub fn new(configuration: &SdkConfig, table_name: impl Into<String>) -> Self {
        let retries = RetryConfig::standard().with_max_attempts(ATTEMPTS).with_initial_backoff(PAUSE);
        let configuration =
            aws_sdk_dynamodb::config::Builder::from(configuration).retry_config(retries).build();
        Self { client: Client::from_conf(configuration), table_name: table_name.into() }
    }

    /// Counts a request, if the limit allows it.
    pub async fn take(
        &self,
        name: RateLimitName,
        subject: &RateLimitSubject,
        request: &LimitedRequest,
    ) -> Result<Taken, TableError> {
        let key = Key::rate_limit(name, subject);
        let seen = match written(self.occupy(&key, request)).await? {
            Written::Yes(occupation) => return Ok(occupation.tell(request, Verdict::Allowed)),
            Written::No(occupation) => occupation,
        };
        let refused = request.verdict(seen.until());
        if refused != Verdict::Allowed {
            return Ok(seen.tell(request, refused));
        }
        Ok(match written(self.occupy_longer(&key, request)).await? {
            Written::Yes(occupation) => occupation.tell(request, Verdict::Allowed),
            Written::No(occupation) => {
                let refused = request.refusal(occupation.until());
                occupation.tell(request, refused)
            }
        })
    }

    /// Forgets what was counted of a subject, and knows it until then.
    pub async fn know(
        &self,
        name: RateLimitName,
        subject: &RateLimitSubject,
        now: UnixMicroseconds,
        until: Timestamp,
    ) -> Result<(), TableError> {
        self.update(&Key::rate_limit(name, subject))
            .update_expression("SET occupied_until = :now, known_until = :until, expires_at = :until")
            .expression_attribute_values(":now", microseconds(now))
            .expression_attribute_values(":until", seconds(until))
            .send()
            .await
            .map(drop)
            .map_err(|error| TableError::of(OPERATION, &error))
    }

    /// The write for a subject that is idle.
    fn occupy(&self, key: &Key, request: &LimitedRequest) -> UpdateItemFluentBuilder {
        self.update(key)
            .update_expression(
                "SET occupied_until = :first, expires_at = if_not_exists(known_until, :forgotten)",
            )
            .condition_expression(
                "attribute_not_exists(occupied_until) OR occupied_until <= :now OR occupied_until > :horizon",
            )
            .expression_attribute_values(":first", microseconds(request.first_occupation()))
            .expression_attribute_values(":now", microseconds(request.now()))
            .expression_attribute_values(":horizon", microseconds(request.horizon()))
            .expression_attribute_values(":forgotten", seconds(request.forgotten_at()))
    }

    /// The write for one that is not. If the item is gone after all, it was idle.
    fn occupy_longer(&self, key: &Key, request: &LimitedRequest) -> UpdateItemFluentBuilder {
        let cost = AttributeValue::N(request.cost().as_micros().to_string());
        self.update(key)
            .update_expression(
                "SET occupied_until = if_not_exists(occupied_until, :now) + :cost, \
                 expires_at = if_not_exists(known_until, :forgotten)",
            )
            .condition_expression("attribute_not_exists(occupied_until) OR occupied_until <= :latest")
            .expression_attribute_values(":cost", cost)
            .expression_attribute_values(":now", microseconds(request.now()))
            .expression_attribute_values(":latest", microseconds(request.latest()))
            .expression_attribute_values(":forgotten", seconds(request.forgotten_at()))
    }

    fn update(&self, key: &Key) -> UpdateItemFluentBuilder {
        self.client.update_item().table_name(&self.table_name).set_key(Some(key.attributes()))
    }
}

impl Occupation {
    fn until(&self) -> UnixMicroseconds {
        UnixMicroseconds::new(self.occupied_until)
    }

    fn tell(&self, request: &LimitedRequest, verdict: Verdict) -> Taken {
        let known_until = self.known_until.map(Timestamp::from_unix_seconds);
        Taken { verdict, quota: request.quota(self.until()), known_until }
    }
}

/// Sends a conditional write, and is told of the item either way.
async fn written(update: UpdateItemFluentBuilder) -> Result<Written, TableError> {
    let result = update
        .return_values(ReturnValue::AllNew)
        .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
        .send()
        .await;
    match result {
        Ok(answer) => Ok(Written::Yes(occupation(answer.attributes)?)),
        Err(error) => match error.as_service_error() {
            Some(UpdateItemError::ConditionalCheckFailedException(failed)) => {
                Ok(Written::No(occupation(failed.item().cloned())?))
            }
            _ => Err(TableError::of(OPERATION, &error)),
        },
    }
}

fn occupation(item: Option<Item>) -> Result<Occupation, TableError> {
    from_item(item.unwrap_or_default())
}

fn microseconds(moment: UnixMicroseconds) -> AttributeValue {
    AttributeValue::N(moment.get().to_string())
}

fn seconds(moment: Timestamp) -> AttributeValue {
    AttributeValue::N(moment.unix_seconds().to_string())
}
