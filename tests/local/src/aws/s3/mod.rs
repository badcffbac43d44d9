//! S3: s3s reads requests, verifies signatures and writes answers; what it lacks is added around it.
//!
//! - In front of it: the head's signature by this stack's own clock, session tokens, headers that are there but not
//!   signed, Signature Version 2 (refused), CORS, complete error bodies.
//! - In its place: browser forms ([`post`]), of which it leaves out too much.
//! - Beside it: what CloudFront asks, which does not come through the port ([`origin`]).
//! - Behind it: permissions, and the objects themselves.
//!
//! An object is an immutable file with a random name, or several that are read as one, and a row in the index that makes
//! it visible. The row is written last, in one transaction with the messages that announce the object; so a write that
//! is cut off, or loses against a condition, was never there. Files without a row are removed at start. Keys are data,
//! never a path.

mod access;
mod backend;
mod checksums;
mod conditions;
mod conflicts;
mod copy;
mod cors;
mod events;
mod files;
mod front;
mod get;
mod index;
mod known_headers;
mod known_parameters;
mod list;
mod multipart;
mod origin;
mod page;
mod post;
mod put;
mod receive;
mod unread;
mod verification;

use std::path::PathBuf;
use std::sync::Arc;

use s3s::service::{S3Service, S3ServiceBuilder};

use super::AwsError;
use super::calls::Calls;
use super::database::Database;
use super::identity::Identities;
use super::installed::Current;
use super::queues::Queues;
use crate::stack::Bucket;

use self::conflicts::Conflicts;
use self::files::Files;

/// S3, shared.
#[derive(Clone)]
pub(crate) struct S3 {
    state: Arc<State>,
    service: S3Service,
}

/// What all of S3's parts work with.
struct State {
    files: Files,
    conflicts: Conflicts,
    database: Database,
    current: Current,
    queues: Queues,
    calls: Calls,
    identities: Identities,
}

impl S3 {
    /// Opens the directory of objects and removes what earlier writes left unfinished there.
    pub(crate) fn open(
        directory: PathBuf,
        database: Database,
        current: Current,
        queues: Queues,
        calls: Calls,
        identities: Identities,
    ) -> Result<S3, AwsError> {
        let files = Files::open(directory)?;
        files.remove_all_but(&database.transaction(index::files)?)?;
        let state = Arc::new(State {
            files,
            conflicts: Conflicts::default(),
            database,
            current,
            queues,
            calls,
            identities,
        });
        let mut builder = S3ServiceBuilder::new(backend::Backend::new(Arc::clone(&state)));
        builder.set_auth(access::Secrets::new(Arc::clone(&state)));
        builder.set_access(access::Permissions::new(Arc::clone(&state)));
        Ok(S3 { state, service: builder.build() })
    }

    /// Creates the buckets that are missing.
    pub(crate) fn create_buckets(&self, buckets: &[Bucket]) -> Result<(), rusqlite::Error> {
        self.state.database.transaction(|transaction| {
            buckets.iter().try_for_each(|bucket| index::create_bucket(transaction, &bucket.name))
        })
    }
}
