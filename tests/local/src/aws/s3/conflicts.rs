//! Deletes that come in between while a conditional write is on its way.
//!
//! Follows "Conditional write behavior" in the S3 user guide: of several conditional writes the first to finish succeeds
//! and the others fail with 412, but one during which the object was deleted is answered with 409
//! `ConditionalRequestConflict`, and may be tried again.
//!
//! This is about writes of one request. An upload in parts is a write that lasts from its creation to its completion,
//! also across a restart; so its row remembers the delete ([`super::multipart::uploads::note_delete`]).

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use s3s::{S3Error, S3ErrorCode, S3Result};

/// Bucket and key.
type Name = (String, String);

/// The objects that are being written under a condition.
#[derive(Default)]
pub(super) struct Conflicts(Mutex<BTreeMap<Name, Watched>>);

#[derive(Default)]
struct Watched {
    writes: usize,
    deletes: u64,
}

impl Conflicts {
    /// Watches an object from now on until the write is over.
    pub(super) fn watch(&self, bucket: &str, key: &str) -> Watch<'_> {
        let name = (bucket.to_owned(), key.to_owned());
        let mut objects = self.lock();
        let watched = objects.entry(name.clone()).or_default();
        watched.writes += 1;
        Watch { conflicts: self, deletes_before: watched.deletes, name }
    }

    /// Notes that an object is deleted; inside the transaction that deletes it.
    pub(super) fn note_delete(&self, bucket: &str, key: &str) {
        if let Some(watched) = self.lock().get_mut(&(bucket.to_owned(), key.to_owned())) {
            watched.deletes += 1;
        }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Name, Watched>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A conditional write on its way.
pub(super) struct Watch<'a> {
    conflicts: &'a Conflicts,
    name: Name,
    deletes_before: u64,
}

impl Watch<'_> {
    /// Refuses the write if the object was deleted meanwhile; inside the transaction that writes.
    pub(super) fn judge(&self) -> S3Result<()> {
        let deletes = self.conflicts.lock().get(&self.name).map_or(0, |watched| watched.deletes);
        if deletes == self.deletes_before {
            return Ok(());
        }
        Err(conflict())
    }
}

impl Drop for Watch<'_> {
    fn drop(&mut self) {
        let mut objects = self.conflicts.lock();
        if let Some(watched) = objects.get_mut(&self.name) {
            watched.writes -= 1;
            if watched.writes == 0 {
                objects.remove(&self.name);
            }
        }
    }
}

/// A condition that can no longer be judged.
pub(super) fn conflict() -> S3Error {
    S3Error::with_message(
        S3ErrorCode::ConditionalRequestConflict,
        "The conditional request cannot succeed due to a conflicting operation against this resource.",
    )
}
