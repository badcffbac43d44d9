//! SQS standard queues, in SQLite: sending, receiving with a visibility timeout, deleting, moving to a dead-letter
//! queue.
//!
//! Follows "Amazon SQS visibility timeout" and "Using dead-letter queues". What AWS leaves open is settled here: messages
//! come in the order in which they were sent, each once, and a receipt handle older than the last receive deletes
//! nothing. [`Queues::duplicate`] unsettles order and number for tests.
//!
//! Whoever received a message in an earlier run of the process is gone: what was in flight is visible again at the start.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rusqlite::{OptionalExtension, Row, Transaction, params};
use s3s::crypto::{Checksum as _, Md5};
use tokio::sync::Notify;
use uuid::Uuid;

use super::clock;
use super::database::Database;
use super::installed::{Current, Installed};
use super::signature::hex;
use crate::stack::Queue;

/// Why a queue does not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum QueueError {
    /// The stack has no such queue.
    #[error("the stack has no queue {0}")]
    UnknownQueue(String),
    /// Not a handle that `receive` gave out.
    #[error("the receipt handle is not valid")]
    InvalidReceiptHandle,
    /// The queue's `MaximumMessageSize` is smaller than the body.
    #[error("a message of this queue has at most {maximum_bytes} bytes")]
    MessageTooLong {
        /// The limit.
        maximum_bytes: usize,
    },
    /// The message is not being worked on, so its visibility cannot be changed.
    #[error("the message is not in flight")]
    NotInFlight,
    /// The database failed.
    #[error("the queue's database failed: {0}")]
    Database(#[from] rusqlite::Error),
}

/// A received message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// `MessageId`.
    pub message_id: String,
    /// `ReceiptHandle`: what deletes it, until it is received again.
    pub receipt_handle: String,
    /// `Body`.
    pub body: String,
    /// `MD5OfBody`, hexadecimal.
    pub md5_of_body: String,
    /// `SenderId`.
    pub sender_id: String,
    /// `SentTimestamp`, milliseconds since 1970.
    pub sent_at_ms: i64,
    /// `ApproximateReceiveCount`, this receive included.
    pub receive_count: u32,
    /// `ApproximateFirstReceiveTimestamp`, milliseconds since 1970.
    pub first_received_at_ms: i64,
    /// `DeadLetterQueueSourceArn`: where it came from, in a dead-letter queue.
    pub source_queue_arn: Option<String>,
}

/// How many messages a queue holds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct QueueCounts {
    /// `ApproximateNumberOfMessages`: to be received now.
    pub visible: u64,
    /// `ApproximateNumberOfMessagesNotVisible`: received and neither deleted nor visible again.
    pub in_flight: u64,
    /// `ApproximateNumberOfMessagesDelayed`: sent with a delay that has not passed.
    pub delayed: u64,
}

/// How a queue delivers what is sent to it, where a test asked for it.
#[derive(Debug, Clone, Copy)]
struct Duplication {
    copies: u32,
    spread: Duration,
}

/// The stack's queues, shared.
#[derive(Clone)]
pub struct Queues {
    database: Database,
    current: Current,
    wakers: Arc<Mutex<BTreeMap<String, Arc<Notify>>>>,
    /// By ARN of the queue.
    duplications: Arc<Mutex<BTreeMap<String, Duplication>>>,
}

impl Queues {
    /// The queues of a database that no other process uses.
    pub(crate) fn open(database: Database, current: Current) -> Result<Queues, rusqlite::Error> {
        database.transaction(|transaction| {
            transaction.execute(
                "UPDATE message SET visible_at_ms = ?1 WHERE visible_at_ms > ?1 AND receive_count > 0",
                [clock::now_ms()],
            )
        })?;
        Ok(Queues { database, current, wakers: Arc::default(), duplications: Arc::default() })
    }

    /// Makes the queue deliver as badly as SQS may: every message sent from now on is stored `copies` times under one
    /// id, each copy comes at a random moment of the `spread` after its sending, and what is there at the same time comes
    /// in random order. One copy and no spread is how it was before.
    pub fn duplicate(&self, queue_arn: &str, copies: u32, spread: Duration) -> Result<(), QueueError> {
        self.current.get().existing_queue(queue_arn)?;
        let mut duplications = lock(&self.duplications);
        if copies <= 1 && spread.is_zero() {
            duplications.remove(queue_arn);
        } else {
            duplications.insert(queue_arn.to_owned(), Duplication { copies, spread });
        }
        Ok(())
    }

    /// Sends a message and returns its id.
    pub fn send(&self, queue_arn: &str, body: &str) -> Result<String, QueueError> {
        self.send_as(queue_arn, body, "AIDALOCALOPERATOR000", Duration::ZERO)
    }

    pub(crate) fn send_as(
        &self,
        queue_arn: &str,
        body: &str,
        sender_id: &str,
        delay: Duration,
    ) -> Result<String, QueueError> {
        let installed = self.current.get();
        let queue = installed.existing_queue(queue_arn)?;
        let message_id = self
            .database
            .transaction(|transaction| self.enqueue(transaction, queue, body, sender_id, delay))?;
        self.wake(queue_arn);
        Ok(message_id)
    }

    /// Puts a message into a queue, as part of the transaction that is its reason, and returns its id. [`Queues::wake`]
    /// must follow.
    pub(crate) fn enqueue(
        &self,
        transaction: &Transaction<'_>,
        queue: &Queue,
        body: &str,
        sender_id: &str,
        delay: Duration,
    ) -> Result<String, QueueError> {
        if body.len() > queue.maximum_message_bytes {
            return Err(QueueError::MessageTooLong { maximum_bytes: queue.maximum_message_bytes });
        }
        let duplication = lock(&self.duplications).get(&queue.arn).copied();
        let (copies, spread) = duplication
            .map_or((1, Duration::ZERO), |duplication| (duplication.copies.max(1), duplication.spread));
        let message_id = Uuid::now_v7().to_string();
        let now = clock::now_ms();
        let mut statement = transaction.prepare_cached(
            "INSERT INTO message (queue_arn, message_id, body, sender_id, sent_at_ms, visible_at_ms)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6 + abs(random() % (?7 + 1)))",
        )?;
        for _ in 0..copies {
            let visible_at = now + milliseconds(delay);
            let spread = milliseconds(spread);
            statement.execute(params![queue.arn, message_id, body, sender_id, now, visible_at, spread])?;
        }
        Ok(message_id)
    }

    /// Receives up to `maximum` messages and hides them for `visibility`, or for the queue's own timeout. Messages that
    /// have been received too often already move to the dead-letter queue instead.
    pub fn receive(
        &self,
        queue_arn: &str,
        maximum: usize,
        visibility: Option<Duration>,
    ) -> Result<Vec<Message>, QueueError> {
        let installed = self.current.get();
        let queue = installed.existing_queue(queue_arn)?;
        let visibility = visibility.unwrap_or(queue.visibility_timeout);
        let now = clock::now_ms();
        let order = if lock(&self.duplications).contains_key(queue_arn) { "random()" } else { "id" };
        let messages = self.database.transaction(|transaction| {
            transaction.execute(
                "DELETE FROM message WHERE queue_arn = ?1 AND sent_at_ms <= ?2",
                params![queue_arn, now - milliseconds(queue.message_retention)],
            )?;
            bury(transaction, queue, now)?;
            let mut statement = transaction.prepare_cached(&format!(
                "UPDATE message SET receive_count = receive_count + 1, visible_at_ms = ?3, receipt_handle = ?4,
                     first_received_at_ms = COALESCE(first_received_at_ms, ?2)
                 WHERE id = (SELECT id FROM message WHERE queue_arn = ?1 AND visible_at_ms <= ?2
                              ORDER BY {order} LIMIT 1)
                 RETURNING *",
            ))?;
            let mut messages = Vec::new();
            while messages.len() < maximum {
                // Even a timeout of zero must not hand out the same message twice in one batch.
                let hidden_until = now + milliseconds(visibility).max(1);
                let handle = Uuid::now_v7().to_string();
                let found =
                    statement.query_row(params![queue_arn, now, hidden_until, handle], read_message).optional()?;
                let Some(message) = found else { break };
                messages.push(message);
            }
            Ok::<_, QueueError>(messages)
        })?;
        if let Some(redrive) = &queue.redrive {
            self.wake(&redrive.dead_letter_queue_arn);
        }
        Ok(messages)
    }

    /// Deletes a received message. A handle of an earlier receive is accepted and deletes nothing.
    pub fn delete(&self, queue_arn: &str, receipt_handle: &str) -> Result<(), QueueError> {
        self.current.get().existing_queue(queue_arn)?;
        let (message_id, handle) = parse_receipt(receipt_handle)?;
        self.database.transaction(|transaction| {
            transaction.execute(
                "DELETE FROM message WHERE queue_arn = ?1 AND message_id = ?2 AND receipt_handle = ?3",
                [queue_arn, &message_id, &handle],
            )?;
            Ok(())
        })
    }

    /// Hides a message that is in flight for `visibility` from now on; zero makes it visible at once.
    pub fn change_visibility(
        &self,
        queue_arn: &str,
        receipt_handle: &str,
        visibility: Duration,
    ) -> Result<(), QueueError> {
        self.current.get().existing_queue(queue_arn)?;
        let (message_id, handle) = parse_receipt(receipt_handle)?;
        let now = clock::now_ms();
        let changed = self.database.transaction(|transaction| {
            transaction.execute(
                "UPDATE message SET visible_at_ms = ?5
                 WHERE queue_arn = ?1 AND message_id = ?2 AND receipt_handle = ?3 AND visible_at_ms > ?4",
                params![queue_arn, message_id, handle, now, now + milliseconds(visibility)],
            )
        })?;
        if changed == 0 {
            return Err(QueueError::NotInFlight);
        }
        self.wake(queue_arn);
        Ok(())
    }

    /// Returns once the queue has a message to receive. It wakes when one is sent, and when one becomes visible again.
    pub async fn wait_for_message(&self, queue_arn: &str) -> Result<(), QueueError> {
        let waker = self.waker(queue_arn);
        loop {
            let notified = Arc::clone(&waker).notified_owned();
            tokio::pin!(notified);
            // Registered before looking, so that a message sent in between is not missed.
            notified.as_mut().enable();
            self.current.get().existing_queue(queue_arn)?;
            let next: Option<i64> = self.database.transaction(|transaction| {
                transaction.query_row(
                    "SELECT MIN(visible_at_ms) FROM message WHERE queue_arn = ?1",
                    [queue_arn],
                    |row| row.get(0),
                )
            })?;
            match next.map(|visible_at| visible_at - clock::now_ms()) {
                Some(wait) if wait <= 0 => return Ok(()),
                Some(wait) => {
                    let wait = Duration::from_millis(wait.unsigned_abs());
                    tokio::select! {
                        () = notified => {}
                        () = tokio::time::sleep(wait) => {}
                    }
                }
                None => notified.await,
            }
        }
    }

    /// How many messages the queue holds.
    pub fn counts(&self, queue_arn: &str) -> Result<QueueCounts, QueueError> {
        self.counts_containing(queue_arn, "")
    }

    /// How many messages the queue holds whose body contains `text`.
    pub fn counts_containing(&self, queue_arn: &str, text: &str) -> Result<QueueCounts, QueueError> {
        self.current.get().existing_queue(queue_arn)?;
        self.database.transaction(|transaction| {
            Ok(transaction.query_row(
                "SELECT COUNT(*) FILTER (WHERE visible_at_ms <= ?2),
                        COUNT(*) FILTER (WHERE visible_at_ms > ?2 AND receive_count > 0),
                        COUNT(*) FILTER (WHERE visible_at_ms > ?2 AND receive_count = 0)
                 FROM message WHERE queue_arn = ?1 AND instr(body, ?3) > 0",
                params![queue_arn, clock::now_ms(), text],
                |row| Ok(QueueCounts { visible: row.get(0)?, in_flight: row.get(1)?, delayed: row.get(2)? }),
            )?)
        })
    }

    /// Wakes whoever waits for a message; after the transaction that brought one.
    pub(crate) fn wake(&self, queue_arn: &str) {
        self.waker(queue_arn).notify_waiters();
    }

    fn waker(&self, queue_arn: &str) -> Arc<Notify> {
        Arc::clone(lock(&self.wakers).entry(queue_arn.to_owned()).or_default())
    }
}

impl Installed {
    /// The queue with this ARN, or the error that there is none.
    pub(crate) fn existing_queue(&self, queue_arn: &str) -> Result<&Queue, QueueError> {
        self.queue(queue_arn).ok_or_else(|| QueueError::UnknownQueue(queue_arn.to_owned()))
    }
}

/// Moves visible messages that have been received `maxReceiveCount` times to the dead-letter queue. They keep the time
/// at which they were sent, and so their retention.
fn bury(transaction: &Transaction<'_>, queue: &Queue, now: i64) -> Result<(), rusqlite::Error> {
    let Some(redrive) = &queue.redrive else { return Ok(()) };
    transaction.execute(
        "UPDATE message SET queue_arn = ?3, source_queue_arn = ?1, receive_count = 0, first_received_at_ms = NULL,
             receipt_handle = NULL
         WHERE queue_arn = ?1 AND visible_at_ms <= ?2 AND receive_count >= ?4",
        params![queue.arn, now, redrive.dead_letter_queue_arn, redrive.max_receive_count],
    )?;
    Ok(())
}

fn read_message(row: &Row<'_>) -> Result<Message, rusqlite::Error> {
    let (message_id, handle): (String, String) = (row.get("message_id")?, row.get("receipt_handle")?);
    let body: String = row.get("body")?;
    Ok(Message {
        receipt_handle: STANDARD.encode(format!("{message_id} {handle}")),
        md5_of_body: md5_hex(&body),
        message_id,
        body,
        sender_id: row.get("sender_id")?,
        sent_at_ms: row.get("sent_at_ms")?,
        receive_count: row.get("receive_count")?,
        first_received_at_ms: row.get("first_received_at_ms")?,
        source_queue_arn: row.get("source_queue_arn")?,
    })
}

/// The MD5 of a body, in hexadecimal.
pub(crate) fn md5_hex(body: &str) -> String {
    hex(Md5::checksum(body.as_bytes()).as_ref())
}

fn parse_receipt(receipt_handle: &str) -> Result<(String, String), QueueError> {
    let text = STANDARD.decode(receipt_handle).ok().and_then(|bytes| String::from_utf8(bytes).ok());
    text.as_deref()
        .and_then(|text| text.split_once(' '))
        .map(|(message_id, handle)| (message_id.to_owned(), handle.to_owned()))
        .ok_or(QueueError::InvalidReceiptHandle)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn milliseconds(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX / 4)
}
