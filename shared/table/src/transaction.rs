//! Transactions: what is written together, each write with its condition; and what single writes do that meet one.

use aws_sdk_dynamodb::error::ProvideErrorMetadata;
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::types::builders::UpdateBuilder;
use aws_sdk_dynamodb::types::{
    AttributeValue, ConditionCheck, Delete, Put, ReturnValuesOnConditionCheckFailure, TransactWriteItem,
    Update,
};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use domain::Timestamp;

use crate::Table;
use crate::error::TableError;
use crate::item::Item;
use crate::keys::Key;
use crate::pauses::{ATTEMPTS, Pauses};

/// Under which condition an item is written.
pub(crate) enum Condition {
    /// Whatever is there.
    Always,
    /// Nothing is there.
    Absent,
    /// Nothing is there, or what has expired by now.
    AbsentOrExpired(Timestamp),
    /// The record that is there has this version.
    Version(u64),
}

/// How a transaction ended, short of an error.
#[derive(Debug, PartialEq)]
pub(crate) enum Committed {
    /// All of it is written.
    Yes,
    /// None of it is: these writes' conditions were not met. At least one, in the order of the writes.
    ConditionsFailed(Vec<FailedCondition>),
}

impl Committed {
    /// The place of the first write whose condition was not met, if there was one.
    pub(crate) fn first_failed(&self) -> Option<usize> {
        match self {
            Self::Yes => None,
            Self::ConditionsFailed(failed) => failed.first().map(|failed| failed.index),
        }
    }
}

/// A write whose condition was not met.
#[derive(Debug, PartialEq)]
pub(crate) struct FailedCondition {
    /// Its place in the transaction.
    pub(crate) index: usize,
    /// What is there, if the write was to be told.
    pub(crate) item: Option<Item>,
}

/// How many writes a transaction has at most.
/// <https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TransactWriteItems.html>
pub(crate) const MAX_WRITES: usize = 100;

/// Writes that happen together or not at all. At most [`MAX_WRITES`], and each to an item of its own.
pub(crate) struct Transaction {
    table_name: String,
    writes: Vec<Result<TransactWriteItem, aws_sdk_dynamodb::error::BuildError>>,
}

impl Transaction {
    pub(crate) fn put(mut self, item: Item, condition: &Condition) -> Self {
        let put = Put::builder().table_name(&self.table_name).set_item(Some(item));
        let put = match condition {
            Condition::Always => put,
            // What is there is told with the refusal, so that finding out who was first takes no read.
            Condition::Absent => put
                .condition_expression("attribute_not_exists(PK)")
                .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld),
            Condition::AbsentOrExpired(now) => put
                .condition_expression("attribute_not_exists(PK) OR expires_at <= :now")
                .expression_attribute_values(":now", AttributeValue::N(now.unix_seconds().to_string()))
                .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld),
            Condition::Version(version) => put
                .condition_expression("version = :version")
                .expression_attribute_values(":version", AttributeValue::N(version.to_string())),
        };
        self.writes.push(put.build().map(|put| TransactWriteItem::builder().put(put).build()));
        self
    }

    pub(crate) fn delete(mut self, key: &Key) -> Self {
        let delete = Delete::builder().table_name(&self.table_name).set_key(Some(key.attributes())).build();
        self.writes.push(delete.map(|delete| TransactWriteItem::builder().delete(delete).build()));
        self
    }

    /// Writes nothing here, but lets nothing be written unless this user is an admin who is not shut out.
    pub(crate) fn check_admin(mut self, key: &Key) -> Self {
        let check = ConditionCheck::builder()
            .table_name(&self.table_name)
            .set_key(Some(key.attributes()))
            .condition_expression("#role = :admin AND disabled = :false")
            .expression_attribute_names("#role", "role")
            .expression_attribute_values(":admin", AttributeValue::S("admin".to_owned()))
            .expression_attribute_values(":false", AttributeValue::Bool(false))
            .build();
        self.writes.push(check.map(|check| TransactWriteItem::builder().condition_check(check).build()));
        self
    }

    /// Takes one from a number, on condition that one is left.
    pub(crate) fn take_one_of_several(mut self, key: &Key, attribute: &str) -> Self {
        let update = Update::builder()
            .table_name(&self.table_name)
            .set_key(Some(key.attributes()))
            .update_expression("ADD #attribute :minus_one")
            .condition_expression("#attribute > :one")
            .expression_attribute_names("#attribute", attribute)
            .expression_attribute_values(":minus_one", AttributeValue::N("-1".to_owned()))
            .expression_attribute_values(":one", AttributeValue::N("1".to_owned()))
            .build();
        self.writes.push(update.map(|update| TransactWriteItem::builder().update(update).build()));
        self
    }

    /// Adds to a number that starts at zero.
    pub(crate) fn add(self, key: &Key, attribute: &str, amount: i128) -> Self {
        self.update(Self::addition(key, attribute, amount))
    }

    /// Adds to a number that starts at zero, unless that makes it larger than `limit`.
    pub(crate) fn add_within(self, key: &Key, attribute: &str, amount: u64, limit: u64) -> Self {
        let room = i128::from(limit) - i128::from(amount);
        // Where nothing is there, the number is zero; the comparison alone would be false.
        let condition = if room >= 0 {
            "attribute_not_exists(#attribute) OR #attribute <= :room"
        } else {
            "#attribute <= :room"
        };
        let addition = Self::addition(key, attribute, i128::from(amount))
            .condition_expression(condition)
            .expression_attribute_values(":room", AttributeValue::N(room.to_string()));
        self.update(addition)
    }

    /// Changes an item as the builder says, whose table is this one.
    pub(crate) fn update(mut self, update: UpdateBuilder) -> Self {
        let update = update.table_name(&self.table_name).build();
        self.writes.push(update.map(|update| TransactWriteItem::builder().update(update).build()));
        self
    }

    fn addition(key: &Key, attribute: &str, amount: i128) -> UpdateBuilder {
        Update::builder()
            .set_key(Some(key.attributes()))
            .update_expression("ADD #attribute :amount")
            .expression_attribute_names("#attribute", attribute)
            .expression_attribute_values(":amount", AttributeValue::N(amount.to_string()))
    }

    /// How many writes there are by now.
    pub(crate) fn len(&self) -> usize {
        self.writes.len()
    }
}

impl Table {
    pub(crate) fn transaction(&self) -> Transaction {
        Transaction { table_name: self.name.clone(), writes: Vec::new() }
    }

    /// Carries a transaction out. One that meets another one on an item is tried again: the SDK's own retries leave
    /// `TransactionCanceledException` out, because some of its reasons are final.
    pub(crate) async fn commit(&self, transaction: Transaction) -> Result<Committed, TableError> {
        const OPERATION: &str = "TransactWriteItems";
        let writes = transaction.writes.into_iter().collect::<Result<Vec<_>, _>>().map_err(|error| {
            TableError::Refused { operation: OPERATION, reason: format!("incomplete write: {error}") }
        })?;
        let mut pauses = Pauses::new();
        for attempt in 1.. {
            let result =
                self.client.transact_write_items().set_transact_items(Some(writes.clone())).send().await;
            let Err(error) = result else { return Ok(Committed::Yes) };
            let cancelled = match error.as_service_error() {
                Some(TransactWriteItemsError::TransactionCanceledException(cancelled)) => {
                    cancelled.cancellation_reasons()
                }
                _ => &[],
            };
            let reasons: Vec<&str> = cancelled.iter().map(|reason| reason.code().unwrap_or("None")).collect();
            match outcome(&reasons) {
                Outcome::ConditionsFailed(indexes) => {
                    let failed = |index: usize| {
                        let item = cancelled.get(index).and_then(|reason| reason.item().cloned());
                        FailedCondition { index, item: item.filter(|item| !item.is_empty()) }
                    };
                    return Ok(Committed::ConditionsFailed(indexes.into_iter().map(failed).collect()));
                }
                Outcome::Passing if attempt < ATTEMPTS => {}
                Outcome::Passing => {
                    let reason = format!("cancelled {ATTEMPTS} times: {reasons:?}");
                    return Err(TableError::Unavailable { operation: OPERATION, reason });
                }
                Outcome::Final => return Err(TableError::of(OPERATION, &error)),
            }
            pauses.next().await;
        }
        unreachable!("the loop ends by returning")
    }
}

/// Sends a write of one item; again, if a transaction is under way on that item. The SDK's own retries leave
/// `TransactionConflictException` out.
pub(crate) async fn send_write<T, E, Sent>(send: impl Fn() -> Sent) -> Result<T, SdkError<E, HttpResponse>>
where
    E: ProvideErrorMetadata,
    Sent: Future<Output = Result<T, SdkError<E, HttpResponse>>>,
{
    let mut pauses = Pauses::new();
    for _ in 1..ATTEMPTS {
        let result = send().await;
        let code = result.as_ref().err().and_then(|error| error.as_service_error()?.code());
        if code != Some("TransactionConflictException") {
            return result;
        }
        pauses.next().await;
    }
    send().await
}

#[derive(Debug, PartialEq, Eq)]
enum Outcome {
    ConditionsFailed(Vec<usize>),
    Passing,
    Final,
}

/// What the cancellation reasons of a transaction, one for each write, amount to.
/// <https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TransactWriteItems.html>
fn outcome(reasons: &[&str]) -> Outcome {
    let failed: Vec<usize> =
        (0..reasons.len()).filter(|index| reasons.get(*index) == Some(&"ConditionalCheckFailed")).collect();
    if !failed.is_empty() {
        return Outcome::ConditionsFailed(failed);
    }
    let is_passing = |reason: &&str| {
        matches!(*reason, "TransactionConflict" | "ThrottlingError" | "ProvisionedThroughputExceeded")
    };
    if reasons.iter().any(is_passing) { Outcome::Passing } else { Outcome::Final }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_are_told_apart() {
        assert_eq!(outcome(&["None", "ConditionalCheckFailed"]), Outcome::ConditionsFailed(vec![1]));
        // A failed condition stays failed, whatever else happened.
        let failed = ["ConditionalCheckFailed", "TransactionConflict", "ConditionalCheckFailed"];
        assert_eq!(outcome(&failed), Outcome::ConditionsFailed(vec![0, 2]));
        assert_eq!(outcome(&["TransactionConflict", "None"]), Outcome::Passing);
        assert_eq!(outcome(&["ThrottlingError"]), Outcome::Passing);
        assert_eq!(outcome(&["ValidationError"]), Outcome::Final);
        assert_eq!(outcome(&[]), Outcome::Final);
    }
}
