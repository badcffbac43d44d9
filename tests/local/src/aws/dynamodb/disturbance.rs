//! Conflicts and throttling on purpose.
//!
//! The database behind this port carries out one write after the other, so two transactions on one item wait for each
//! other where DynamoDB would cancel one of them; and it has no limit that could be exceeded. What a program makes of
//! these answers is tried out with the switch here: a [`Disturbance`] says how many calls meet one. Which calls those are
//! follows from its seed and from the order of calls alone.
//!
//! Follows "Transaction conflict handling in DynamoDB" and "Error handling with DynamoDB" in the developer guide, and the
//! API reference of `TransactWriteItems` (`CancellationReasons`), `BatchWriteItem` (`UnprocessedItems`) and `BatchGetItem`
//! (`UnprocessedKeys`).

use std::collections::BTreeSet;
use std::num::NonZeroU32;
use std::sync::{Mutex, PoisonError};

use serde_json::{Map, Value, json};

use crate::aws::protocol::Fault;

/// How DynamoDB refuses calls that it could have carried out. The default disturbs nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Disturbance {
    /// One in so many writes and transactions meets another transaction that is going on for its item: a single write
    /// ends with `TransactionConflictException`, a transaction with `TransactionCanceledException` and the reason
    /// `TransactionConflict` for one of its items.
    pub conflict_one_in: Option<NonZeroU32>,
    /// One in so many calls is throttled: a single one ends with `ThrottlingException` or
    /// `ProvisionedThroughputExceededException`, a transaction with a reason that says so for one of its items; of a batch
    /// with several entries all but the last are carried out, and that one comes back as unprocessed.
    pub throttle_one_in: Option<NonZeroU32>,
    /// Only these operations are disturbed; all that read or write items where it is empty.
    pub operations: BTreeSet<String>,
    /// Another seed disturbs other calls.
    pub seed: u64,
}

/// What becomes of a call.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Disturbed {
    No,
    Refused(Fault),
    /// A batch that is carried out in part.
    InPart(Batch),
}

/// The two parts of a batch's `RequestItems`.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Batch {
    /// The request with what is carried out.
    pub(super) request: Value,
    /// What comes back as unprocessed.
    pub(super) unprocessed: Value,
}

/// Disturbs calls.
#[derive(Debug, Default)]
pub(super) struct Disturber(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    disturbance: Disturbance,
    /// Calls that could have been disturbed so far.
    calls: u64,
}

impl Disturber {
    /// Disturbs calls in this way from now on.
    pub(super) fn set(&self, disturbance: Disturbance) {
        *self.lock() = State { disturbance, calls: 0 };
    }

    /// What becomes of the next call.
    pub(super) fn disturb(&self, operation: &str, request: &Value) -> Disturbed {
        let kind = Kind::of(operation);
        let mut state = self.lock();
        let State { disturbance, calls } = &mut *state;
        let is_meant = disturbance.operations.is_empty() || disturbance.operations.contains(operation);
        let (Some(kind), true) = (kind, is_meant) else { return Disturbed::No };
        *calls += 1;
        let random = mix(disturbance.seed ^ mix(*calls));
        // Two draws of one number: whether it conflicts says nothing about whether it is throttled.
        if kind.can_conflict() && strikes(disturbance.conflict_one_in, random) {
            return Disturbed::Refused(kind.conflict(request, random));
        }
        if strikes(disturbance.throttle_one_in, mix(random)) {
            return kind.throttle(request, random);
        }
        Disturbed::No
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn strikes(one_in: Option<NonZeroU32>, random: u64) -> bool {
    one_in.is_some_and(|one_in| random.is_multiple_of(u64::from(one_in.get())))
}

/// SplitMix64: spreads consecutive numbers over all of them.
fn mix(number: u64) -> u64 {
    let number = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    number ^ (number >> 31)
}

/// The operations on items, by how they can fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Read,
    Write,
    Transaction,
    Batch,
}

impl Kind {
    fn of(operation: &str) -> Option<Kind> {
        match operation {
            "GetItem" | "Query" | "Scan" => Some(Kind::Read),
            "PutItem" | "UpdateItem" | "DeleteItem" => Some(Kind::Write),
            "TransactWriteItems" | "TransactGetItems" => Some(Kind::Transaction),
            "BatchGetItem" | "BatchWriteItem" => Some(Kind::Batch),
            _ => None,
        }
    }

    fn can_conflict(self) -> bool {
        matches!(self, Kind::Write | Kind::Transaction)
    }

    fn conflict(self, request: &Value, random: u64) -> Fault {
        if self == Kind::Transaction {
            return cancelled("TransactionConflict", request, random);
        }
        Fault::bad_request("TransactionConflictException", "Transaction is ongoing for the item")
    }

    fn throttle(self, request: &Value, random: u64) -> Disturbed {
        let is_on_demand = random & 1 == 0;
        if self == Kind::Transaction {
            let code = if is_on_demand { "ThrottlingError" } else { "ProvisionedThroughputExceeded" };
            return Disturbed::Refused(cancelled(code, request, random));
        }
        if self == Kind::Batch
            && let Some(batch) = split(request)
        {
            return Disturbed::InPart(batch);
        }
        Disturbed::Refused(if is_on_demand {
            Fault::bad_request(
                "ThrottlingException",
                "Throughput exceeds the current capacity of your table or index.",
            )
        } else {
            Fault::bad_request(
                "ProvisionedThroughputExceededException",
                "The level of configured provisioned throughput for the table was exceeded.",
            )
        })
    }
}

/// A cancelled transaction: one of its items has the reason, the others none.
fn cancelled(code: &str, request: &Value, random: u64) -> Fault {
    let items = request["TransactItems"].as_array().map_or(1, |items| items.len().max(1));
    let chosen = usize::try_from(mix(random) % items as u64).unwrap_or(0);
    let codes: Vec<&str> = (0..items).map(|item| if item == chosen { code } else { "None" }).collect();
    Fault::bad_request(
        "TransactionCanceledException",
        format!(
            "Transaction cancelled, please refer cancellation reasons for specific reasons [{}]",
            codes.join(", ")
        ),
    )
}

/// Takes the last entry out of a batch of several.
fn split(request: &Value) -> Option<Batch> {
    let tables = request["RequestItems"].as_object()?;
    let (table, entries) = tables.iter().next_back()?;
    // Writes are a list, reads an object with a list of keys in it.
    let mut carried_out = entries.as_array().or_else(|| entries["Keys"].as_array())?.clone();
    let withheld = vec![carried_out.pop()?];
    let with_list = |list: Vec<Value>| {
        let mut changed = entries.clone();
        match &mut changed {
            Value::Object(fields) => fields["Keys"] = Value::Array(list),
            other => *other = Value::Array(list),
        }
        changed
    };
    let mut left: Map<String, Value> = tables.clone();
    if carried_out.is_empty() {
        left.remove(table);
    } else {
        left.insert(table.clone(), with_list(carried_out));
    }
    if left.is_empty() {
        return None;
    }
    let mut request = request.clone();
    request["RequestItems"] = Value::Object(left);
    Some(Batch { request, unprocessed: json!({ table: with_list(withheld) }) })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn every(one_in: u32) -> Option<NonZeroU32> {
        NonZeroU32::new(one_in)
    }

    #[test]
    fn a_seed_decides_which_calls_are_disturbed() {
        let pattern = |seed: u64| {
            let disturber = Disturber::default();
            disturber.set(Disturbance { conflict_one_in: every(4), seed, ..Disturbance::default() });
            let is_refused = |_| matches!(disturber.disturb("PutItem", &json!({})), Disturbed::Refused(_));
            (0..1000).map(is_refused).collect::<Vec<bool>>()
        };
        let first = pattern(1);
        assert_eq!(first, pattern(1));
        assert_ne!(first, pattern(2));
        let refused = first.iter().filter(|is_refused| **is_refused).count();
        assert!((200..300).contains(&refused), "{refused}");
    }

    #[test]
    fn only_what_can_meet_it_and_what_is_named_is_disturbed() {
        let disturber = Disturber::default();
        assert_eq!(disturber.disturb("PutItem", &json!({})), Disturbed::No);
        disturber.set(Disturbance { conflict_one_in: every(1), ..Disturbance::default() });
        for operation in ["GetItem", "Query", "BatchWriteItem", "DescribeTable", "ListTables"] {
            assert_eq!(disturber.disturb(operation, &json!({})), Disturbed::No, "{operation}");
        }
        assert!(matches!(disturber.disturb("DeleteItem", &json!({})), Disturbed::Refused(_)));
        let operations = BTreeSet::from(["PutItem".to_owned()]);
        disturber.set(Disturbance { throttle_one_in: every(1), operations, ..Disturbance::default() });
        assert_eq!(disturber.disturb("DeleteItem", &json!({})), Disturbed::No);
        assert!(matches!(disturber.disturb("PutItem", &json!({})), Disturbed::Refused(_)));
    }

    #[test]
    fn the_last_entry_of_a_batch_stays_unprocessed() {
        let writes = json!({ "RequestItems": { "a": [1, 2], "b": [3] }, "more": 1 });
        let batch = split(&writes).unwrap();
        assert_eq!(batch.request, json!({ "RequestItems": { "a": [1, 2] }, "more": 1 }));
        assert_eq!(batch.unprocessed, json!({ "b": [3] }));
        let reads = json!({ "RequestItems": { "a": { "Keys": [1, 2], "ConsistentRead": true } } });
        let batch = split(&reads).unwrap();
        assert_eq!(
            batch.request,
            json!({ "RequestItems": { "a": { "Keys": [1], "ConsistentRead": true } } })
        );
        assert_eq!(batch.unprocessed, json!({ "a": { "Keys": [2], "ConsistentRead": true } }));
        assert_eq!(split(&json!({ "RequestItems": { "a": [1] } })), None);
        assert_eq!(split(&json!({})), None);
    }
}
