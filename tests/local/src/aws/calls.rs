//! What was called: a record for tests to assert on, hooks to answer in a service's place, and how often each
//! permission was used.

use std::collections::{BTreeSet, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::identity::Principal;
use super::installed::Installed;
use super::policy::{Permission, UsageCounts};

/// How many calls are remembered.
const REMEMBERED_CALLS: usize = 100_000;

/// A call that has been answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// Numbers calls from 1 in the order in which they were answered.
    pub sequence: u64,
    /// `s3`, `dynamodb`, `sts`, `sqs`, `secretsmanager` or `cloudfront`.
    pub service: &'static str,
    /// `PutObject`, …; the HTTP method where an S3 request was refused before its operation was known.
    pub operation: String,
    /// Who called.
    pub principal: Principal,
    /// The IAM actions that the call needed, each with its resource. Empty where it was refused before that.
    pub actions: Vec<(String, String)>,
    /// How it ended.
    pub outcome: Outcome,
    /// What went over the wire.
    pub transfer: Transfer,
    /// How many items DynamoDB read to answer a query, a scan or a batch; 0 for all other calls.
    pub items_read: u64,
}

/// How a call ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// HTTP status that the caller saw; 0 where a hook cut the connection.
    pub status: u16,
    /// The service's error code.
    pub error_code: Option<String>,
}

/// The size of a call's bodies, as their headers declare it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Transfer {
    /// Bytes of the request's body, without the framing of signed chunks.
    pub request_bytes: u64,
    /// Bytes of the answer's body; 0 for answers to HEAD.
    pub response_bytes: u64,
    /// The `Range` header.
    pub range: Option<String>,
}

/// A call that is allowed and about to be carried out.
#[derive(Debug, Clone)]
pub struct Attempt {
    /// As in [`Call`].
    pub service: &'static str,
    /// As in [`Call`].
    pub operation: String,
    /// As in [`Call`].
    pub principal: Principal,
    /// As in [`Call`].
    pub actions: Vec<(String, String)>,
}

impl Attempt {
    /// The resource of its first action: the object, the table, the queue…
    pub fn resource(&self) -> Option<&str> {
        self.actions.first().map(|(_, resource)| resource.as_str())
    }
}

/// What a hook does with an attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// The service refuses it; nothing is carried out.
    Error {
        /// HTTP status.
        status: u16,
        /// The service's error code, e.g. `ThrottlingException`.
        code: String,
        /// For people. DynamoDB's `TransactionCanceledException` gets its cancellation reasons from the list in
        /// brackets that ends the message, as on AWS: `… for specific reasons [TransactionConflict, None]`.
        message: String,
    },
    /// The connection is cut; nothing is carried out.
    Drop,
    /// It is carried out, and then the connection is cut in place of the answer.
    DropAnswer,
    /// It is carried out, later.
    Delay(Duration),
}

/// One permission of a function or a role, and how often it allowed a call. A statement is as many permissions as it has
/// combinations of an action, a resource and a condition's value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PermissionUse {
    /// Where the template declares the policy.
    pub source: String,
    /// Index of the statement in it.
    pub statement: usize,
    /// Action pattern; `!` in front of `NotAction`'s.
    pub action: String,
    /// Resource pattern; `!` in front of `NotResource`'s.
    pub resource: String,
    /// A condition key and one of its values, e.g. `dynamodb:LeadingKeys EMAIL#*`; `!` in front of the values of a negated
    /// condition, which work together. `None` where the statement has no conditions.
    pub condition: Option<String>,
    /// Calls that it allowed: all that they needed was allowed, and this was a part of it.
    pub times: u64,
}

type Hook = Arc<dyn Fn(&Attempt) -> Option<Answer> + Send + Sync>;

#[derive(Default)]
struct Inner {
    record: Mutex<Record>,
    hooks: Mutex<Vec<(u64, Hook)>>,
    usage: Mutex<UsageCounts>,
}

#[derive(Default)]
struct Record {
    sequence: u64,
    calls: VecDeque<Call>,
    hooks_made: u64,
}

/// The record of calls, shared.
#[derive(Clone, Default)]
pub struct Calls {
    inner: Arc<Inner>,
}

/// Removes its hook when dropped.
#[must_use = "the hook is removed when this is dropped"]
pub struct Interception {
    calls: Calls,
    id: u64,
}

impl Drop for Interception {
    fn drop(&mut self) {
        lock(&self.calls.inner.hooks).retain(|(id, _)| *id != self.id);
    }
}

impl Calls {
    /// The calls answered after `sequence`, oldest first; at most the last 100 000.
    pub fn since(&self, sequence: u64) -> Vec<Call> {
        lock(&self.inner.record).calls.iter().filter(|call| call.sequence > sequence).cloned().collect()
    }

    /// The number of the last call.
    pub fn sequence(&self) -> u64 {
        lock(&self.inner.record).sequence
    }

    /// Lets `hook` see every call that is allowed before it is carried out, and answer in its place. The first of
    /// several hooks to answer wins.
    pub fn intercept(
        &self,
        hook: impl Fn(&Attempt) -> Option<Answer> + Send + Sync + 'static,
    ) -> Interception {
        let id = {
            let mut record = lock(&self.inner.record);
            record.hooks_made += 1;
            record.hooks_made
        };
        lock(&self.inner.hooks).push((id, Arc::new(hook)));
        Interception { calls: self.clone(), id }
    }

    /// Every permission of the installed functions and roles, and how often it allowed a call.
    pub fn permission_usage(&self) -> Vec<PermissionUse> {
        lock(&self.inner.usage)
            .iter()
            .map(|(permission, times)| {
                let Permission { source, statement, action, resource, condition } = permission.clone();
                PermissionUse { source, statement, action, resource, condition, times: *times }
            })
            .collect()
    }

    /// Adds a call to the record; its `sequence` is set here.
    pub(crate) fn record(&self, mut call: Call) {
        let mut record = lock(&self.inner.record);
        record.sequence += 1;
        call.sequence = record.sequence;
        if record.calls.len() == REMEMBERED_CALLS {
            record.calls.pop_front();
        }
        record.calls.push_back(call);
    }

    /// What the hooks say to an attempt.
    pub(crate) fn ask(&self, attempt: &Attempt) -> Option<Answer> {
        let hooks: Vec<Hook> = lock(&self.inner.hooks).iter().map(|(_, hook)| Arc::clone(hook)).collect();
        hooks.iter().find_map(|hook| hook(attempt))
    }

    /// Counts the permissions that allowed a call. They are those of the whole call, once each.
    pub(crate) fn count(&self, used: BTreeSet<Permission>) {
        let mut usage = lock(&self.inner.usage);
        for permission in used {
            if let Some(times) = usage.get_mut(&permission) {
                *times += 1;
            }
        }
    }

    /// Takes over the permissions of a stack; counts of those that it still has are kept.
    pub(crate) fn install(&self, installed: &Installed) {
        let mut usage = lock(&self.inner.usage);
        let mut permissions = installed.permissions();
        for (permission, times) in &mut permissions {
            *times = usage.get(permission).copied().unwrap_or(0);
        }
        *usage = permissions;
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
