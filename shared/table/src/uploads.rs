//! Uploads: announced together with their media, and read together with their owner.
//!
//! Announcing is one transaction of media, uploads, work, digest, idempotency key and the owner's usage. What stands in
//! its way is told by the refusal itself, so that a request that was sent before costs no read to recognise.

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use domain::{IdempotentRequest, Media, MediaId, SizeBytes, Timestamp, Upload, UploadId, User, UserId};
use serde::{Deserialize, Serialize};

use crate::Table;
use crate::deleted_users::read_user;
use crate::error::TableError;
use crate::item::{Item, from_item, to_item};
use crate::keys::{Key, PARTITION, media_index};
use crate::media::digest_key;
use crate::transaction::{Committed, Condition, FailedCondition, MAX_WRITES, Transaction};
use crate::work::put_work;

/// How many writes of a transaction are the owner's usage.
const USAGE_WRITES: usize = 1;

/// How long an idempotency key is remembered.
const KEY_REMEMBERED: Duration = Duration::from_hours(24);

/// A media that is announced, with everything that goes with it.
#[derive(Clone, Debug)]
pub struct Announcement {
    /// The media.
    pub media: Media,
    /// The upload of its source, and that of its miniature if it has one.
    pub uploads: Vec<Upload>,
    /// The request, if the client named it.
    pub request: Option<IdempotentRequest>,
}

/// What became of an announcement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Announced {
    /// It is recorded.
    Created,
    /// The request was sent before under the same key.
    Repeated {
        /// What it created then.
        media_id: MediaId,
    },
    /// Another request was sent before under the same key.
    KeyReused,
    /// Its owner has a media with the same SHA-256 and size.
    Duplicate {
        /// That media.
        media_id: MediaId,
    },
    /// It does not fit into its owner's quota.
    QuotaExceeded,
}

/// What became of announcements.
#[derive(Debug)]
pub struct Outcomes {
    /// Of each, in their order. `None` if the table failed before it was settled: it may be recorded or not.
    pub announced: Vec<Option<Announced>>,
    /// How the table failed, if it did.
    pub failure: Option<TableError>,
}

#[derive(Serialize, Deserialize)]
struct StoredDigest {
    media_id: MediaId,
}

#[derive(Serialize, Deserialize)]
struct StoredRequest {
    request_sha256: String,
    media_id: MediaId,
    expires_at: i64,
}

/// What a write of an announcement's transaction guards.
#[derive(Clone, Copy)]
enum Guard {
    Id,
    Key(usize),
    Digest(usize),
    Quota,
}

impl Table {
    /// Records announcements of one owner, each whole or not at all, in as few transactions as they fit into; and answers
    /// what became of each. Together they reserve at most what is left of `quota_bytes`. If the table fails halfway, what
    /// was settled before stays so.
    pub async fn announce(
        &self,
        announcements: &[Announcement],
        quota_bytes: SizeBytes,
        now: Timestamp,
    ) -> Outcomes {
        let mut announced = vec![None; announcements.len()];
        let settled = self.announce_into(&mut announced, announcements, quota_bytes, now).await;
        Outcomes { announced, failure: settled.err() }
    }

    async fn announce_into(
        &self,
        outcomes: &mut [Option<Announced>],
        announcements: &[Announcement],
        quota_bytes: SizeBytes,
        now: Timestamp,
    ) -> Result<(), TableError> {
        // Where a quota does not take a whole batch, what still fits is found one by one.
        let mut is_one_by_one = false;
        loop {
            let waiting = (0..announcements.len()).filter(|index| outcomes[*index].is_none());
            let batch = self.batch(announcements, waiting, is_one_by_one, quota_bytes, now)?;
            if batch.members.is_empty() {
                return Ok(());
            }
            match self.commit(batch.transaction).await? {
                Committed::Yes => {
                    for member in batch.members {
                        outcomes[member] = Some(Announced::Created);
                    }
                }
                // Each round settles at least one announcement, or is the only one that leads to going one by one.
                Committed::ConditionsFailed(failed) => {
                    let settled = settle(announcements, &batch.guards, failed)?;
                    if settled.is_empty() {
                        if let [member] = batch.members[..] {
                            outcomes[member] = Some(Announced::QuotaExceeded);
                        }
                        is_one_by_one = true;
                    }
                    for (member, outcome) in settled {
                        outcomes[member] = Some(outcome);
                    }
                }
            }
        }
    }

    /// A transaction of the first announcements that fit into one, no item of it written twice.
    fn batch(
        &self,
        announcements: &[Announcement],
        waiting: impl Iterator<Item = usize>,
        is_one_by_one: bool,
        quota_bytes: SizeBytes,
        now: Timestamp,
    ) -> Result<Batch, TableError> {
        let mut batch = Batch { transaction: self.transaction(), guards: Vec::new(), members: Vec::new() };
        let (mut reserved_bytes, mut digests) = (0_u64, BTreeSet::new());
        for index in waiting {
            let announcement = &announcements[index];
            let is_full = batch.transaction.len() + announcement.writes() + USAGE_WRITES > MAX_WRITES;
            if is_full || (is_one_by_one && !batch.members.is_empty()) {
                break;
            }
            // Of two with the same digest, the second one meets the first where that is recorded.
            let digest = digest_key(&announcement.media).map(|key| key.sort);
            if digest.is_some_and(|digest| !digests.insert(digest)) {
                continue;
            }
            reserved_bytes = reserved_bytes.saturating_add(announcement.media.reserved_bytes);
            batch = batch.with(index, announcement, now)?;
        }
        if let Some(first) = batch.members.first() {
            let usage = Key::usage(announcements[*first].media.owner_id);
            batch.transaction =
                batch.transaction.add_within(&usage, "size_bytes", reserved_bytes, quota_bytes);
            batch.guards.push(Guard::Quota);
        }
        Ok(batch)
    }

    /// The upload with this id, unless its record has expired.
    pub async fn upload(&self, id: UploadId, now: Timestamp) -> Result<Option<Upload>, TableError> {
        let upload: Option<Upload> = self.get_value(&Key::upload(id)).await?;
        Ok(upload.filter(|upload| is_kept(upload, now)))
    }

    /// The upload with this id and the user with that one, in one request.
    pub async fn upload_and_user(
        &self,
        upload_id: UploadId,
        user_id: UserId,
        now: Timestamp,
    ) -> Result<(Option<Upload>, Option<User>), TableError> {
        let (upload_key, user_key) = (Key::upload(upload_id), Key::user(user_id));
        let items = self.get_many(&[upload_key.clone(), user_key.clone()]).await?;
        let (mut upload, mut user) = (None, None);
        for item in items {
            if is_at(&item, &upload_key) {
                upload = Some(from_item(item)?);
            } else if is_at(&item, &user_key) {
                user = read_user(item)?;
            }
        }
        Ok((upload.filter(|upload| is_kept(upload, now)), user))
    }
}

impl Announcement {
    /// How many writes it takes: those of its media, its uploads with the work that each one is, its digest and its
    /// idempotency key.
    fn writes(&self) -> usize {
        let keys = usize::from(self.request.is_some()) + usize::from(digest_key(&self.media).is_some());
        1 + 2 * self.uploads.len() + keys
    }
}

/// Announcements that are recorded together.
struct Batch {
    transaction: Transaction,
    /// What each write guards, in their order.
    guards: Vec<Guard>,
    /// Their places among all announcements.
    members: Vec<usize>,
}

impl Batch {
    /// With one more announcement. What it may collide with comes first, in the order in which it is to be told.
    fn with(mut self, index: usize, announcement: &Announcement, now: Timestamp) -> Result<Self, TableError> {
        let Announcement { media, uploads, request } = announcement;
        let mut transaction = self.transaction;
        if let Some(request) = request {
            let stored = StoredRequest {
                request_sha256: request.request_sha256.clone(),
                media_id: media.id,
                expires_at: now.plus(KEY_REMEMBERED).unix_seconds(),
            };
            let item = to_item(&Key::idempotency(media.owner_id, request), Vec::new(), &stored)?;
            transaction = transaction.put(item, &Condition::AbsentOrExpired(now));
            self.guards.push(Guard::Key(index));
        }
        if let Some(digest) = digest_key(media) {
            let item = to_item(&digest, Vec::new(), &StoredDigest { media_id: media.id })?;
            transaction = transaction.put(item, &Condition::Absent);
            self.guards.push(Guard::Digest(index));
        }
        transaction =
            transaction.put(to_item(&Key::media(media.id), media_index(media), media)?, &Condition::Absent);
        for upload in uploads {
            let item = to_item(&Key::upload(upload.id), Vec::new(), upload)?;
            transaction = transaction.put(item, &Condition::Absent);
        }
        transaction = put_work(transaction, media)?;
        self.guards.resize(transaction.len(), Guard::Id);
        self.members.push(index);
        Ok(Self { transaction, ..self })
    }
}

fn is_at(item: &Item, key: &Key) -> bool {
    item.get(PARTITION).and_then(|value| value.as_s().ok()) == Some(&key.partition)
}

fn is_kept(upload: &Upload, now: Timestamp) -> bool {
    upload.expires_at.is_none_or(|expires_at| expires_at > now.unix_seconds())
}

/// What failed conditions say of the announcements that they guard; of a quota nothing, since that is the batch's.
fn settle(
    announcements: &[Announcement],
    guards: &[Guard],
    failed: Vec<FailedCondition>,
) -> Result<HashMap<usize, Announced>, TableError> {
    let mut settled = HashMap::new();
    for FailedCondition { index, item } in failed {
        let refused =
            |reason: &str| TableError::Refused { operation: "TransactWriteItems", reason: reason.to_owned() };
        let item = || item.ok_or_else(|| refused("the refusal does not say what is there"));
        match guards.get(index) {
            Some(Guard::Key(member)) => {
                let stored: StoredRequest = from_item(item()?)?;
                let request = announcements.get(*member).and_then(|asked| asked.request.as_ref());
                let is_same = request.is_some_and(|request| request.request_sha256 == stored.request_sha256);
                let outcome = if is_same {
                    Announced::Repeated { media_id: stored.media_id }
                } else {
                    Announced::KeyReused
                };
                settled.insert(*member, outcome);
            }
            Some(Guard::Digest(member)) => {
                let stored: StoredDigest = from_item(item()?)?;
                // A key that was used before says more.
                settled.entry(*member).or_insert(Announced::Duplicate { media_id: stored.media_id });
            }
            Some(Guard::Quota) => {}
            Some(Guard::Id) | None => return Err(refused("an id is taken already")),
        }
    }
    Ok(settled)
}

#[cfg(test)]
mod tests;
