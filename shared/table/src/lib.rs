//! The DynamoDB table: its keys, its items, and every condition under which one is written.
//!
//! # What is guaranteed
//!
//! - A record that changes carries `version`, and is written on condition that the stored one still has the version
//!   that was read ([`ChangeError::Outdated`] otherwise): no step overwrites what it has not seen.
//! - What belongs together is one transaction: a media with its uploads, its digest, its owner's usage and the work still
//!   owed; a user with their e-mail and the count of admins, of whom one always stays.
//! - Of several requests under one idempotency key, and of several media with one digest, one is recorded; the others are
//!   told of it.
//! - An item whose `expires_at` has passed is not there, whether DynamoDB has deleted it yet or not.
//!
//! # How it fails
//!
//! [`TableError::Unavailable`] when DynamoDB throttles, times out or cannot be reached, after the client's own
//! retries; trying again later is safe, because a transaction is all or nothing and conditional.
//! [`TableError::Refused`] and [`TableError::Malformed`] are faults of ours. Their texts are for the log, never for a
//! client.
//!
//! # Permissions
//!
//! | verb | actions, on the table's ARN |
//! |---|---|
//! | `user`, `account`, `user_id_by_email`, `session`, `media`, `job`, `upload`, `open_for_users`, `open_for_media`, `check` | `dynamodb:GetItem` |
//! | `media_with_metadata`, `open_for_metadata`, `jobs`, `due_work` | `dynamodb:Query` |
//! | `users` | `dynamodb:Query` on the index |
//! | `put_session` | `dynamodb:PutItem` |
//! | `create_user`, `change_user` | `dynamodb:PutItem`, and where an admin is made or unmade `dynamodb:UpdateItem` |
//! | `change_user_as` | the same and `dynamodb:ConditionCheckItem` |
//! | `delete_user` | the same and `dynamodb:DeleteItem` |
//! | `rotate_refresh_token` | `dynamodb:UpdateItem` |
//! | `end_session` | `dynamodb:DeleteItem` |
//! | `upload_and_user`, `open_for_uploads` | `dynamodb:BatchGetItem` |
//! | `stretches` | `dynamodb:Query` on the place's index, or on the table and `dynamodb:BatchGetItem` for a tag |
//! | `owned_media`, `open_for_lists` | `dynamodb:Query` on the index of owners |
//! | `search` | `dynamodb:Query`, `dynamodb:BatchGetItem` |
//! | `open_for_searches` | `dynamodb:Query` |
//! | `record_view` | `dynamodb:BatchGetItem`, `dynamodb:PutItem`, `dynamodb:UpdateItem` |
//! | `counted_views` | `dynamodb:Query` |
//! | `remove_views` | `dynamodb:PutItem`, `dynamodb:Query`, `dynamodb:BatchWriteItem` |
//! | `forget_work` | `dynamodb:DeleteItem` |
//! | `announce` | `dynamodb:PutItem`, `dynamodb:UpdateItem` |
//! | `remove_belongings`, `remove_user_belongings` | `dynamodb:Query`, `dynamodb:DeleteItem` |
//! | `change_deleted_user` | `dynamodb:PutItem`, `dynamodb:DeleteItem` |
//! | `change_media`, `bury` | `dynamodb:PutItem`, `dynamodb:UpdateItem`, `dynamodb:DeleteItem` |
//! | `RateLimits` | `dynamodb:UpdateItem` |

mod deleted_users;
mod deletion;
mod error;
mod item;
mod keys;
mod listing;
mod media;
mod pauses;
mod rate_limits;
mod search;
mod sessions;
mod transaction;
mod uploads;
mod users;
mod views;
mod words;
mod work;

use aws_sdk_dynamodb::Client;
use aws_types::SdkConfig;
use domain::{MediaId, Place, Timestamp, UploadId, UserId};
use uuid::Uuid;

pub use deleted_users::Account;
pub use error::{ChangeError, ChangeUserError, CreateUserError, TableError};
pub use media::{MediaChange, Record};
pub use rate_limits::{RateLimits, Taken};
pub use search::Found;
pub use uploads::{Announced, Announcement, Outcomes};
pub use views::{CountedViews, Recorded};
pub use work::{DuePage, DueWork, Subject, WorkPlace, work_begins};

/// The table.
#[derive(Clone, Debug)]
pub struct Table {
    client: Client,
    name: String,
}

impl Table {
    /// The table of this name.
    pub fn new(configuration: &SdkConfig, name: impl Into<String>) -> Self {
        Self { client: Client::new(configuration), name: name.into() }
    }

    /// Opens a connection, by reading a user who is never there. Needs what [`Self::user`] needs.
    pub async fn open_for_users(&self) -> Result<(), TableError> {
        self.user(UserId::new(Uuid::nil())).await.map(drop)
    }

    /// Opens a connection, by reading a media that is never there. Needs what [`Self::media`] needs.
    pub async fn open_for_media(&self) -> Result<(), TableError> {
        self.get(&keys::Key::media(MediaId::new(Uuid::nil()))).await.map(drop)
    }

    /// Opens a connection, by reading an upload that is never there. Needs what [`Self::upload_and_user`] needs.
    pub async fn open_for_uploads(&self) -> Result<(), TableError> {
        let (nothing, long_ago) = (Uuid::nil(), Timestamp::from_unix_seconds(0));
        self.upload_and_user(UploadId::new(nothing), UserId::new(nothing), long_ago).await.map(drop)
    }

    /// Opens a connection, by querying a media that is never there. Needs what [`Self::media_with_metadata`] needs.
    pub async fn open_for_metadata(&self) -> Result<(), TableError> {
        let long_ago = Timestamp::from_unix_seconds(0);
        self.media_with_metadata(MediaId::new(Uuid::nil()), long_ago).await.map(drop)
    }

    /// Opens a connection, by listing the media of a user who is never there.
    pub async fn open_for_lists(&self) -> Result<(), TableError> {
        self.stretches(&Place::OwnedBy(UserId::new(Uuid::nil())), None, 1).await.map(drop)
    }

    /// Opens a connection, by looking for a word that is never there.
    pub async fn open_for_searches(&self) -> Result<(), TableError> {
        self.words_between("", &keys::words_of(""), None, 1).await.map(drop)
    }

    /// Whether the table answers: reads an item that is never there.
    pub async fn check(&self) -> Result<(), TableError> {
        self.get(&keys::Key::health()).await.map(drop)
    }
}
