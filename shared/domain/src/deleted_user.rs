//! Users who are deleted: what is left of an account until all that it owned is settled, and for a week after that.
//!
//! What they owned is gone through from the newest media to the oldest, a stretch at a time, and again from the newest
//! until nothing is found. A request that was let in just before the account went may still announce a media, so the
//! last look comes once every such request has ended.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{Media, MediaId, Status, Timestamp, User, UserId, Work, WorkKind};

/// How long a function may still be at it that was begun in the name of the account.
const REQUESTS_END: Duration = Duration::from_mins(20);

/// How long it is remembered that a user was deleted, so that deleting them again succeeds.
const REMEMBERED: Duration = Duration::from_hours(24 * 7);

/// What becomes of the media of a user who is deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "media", rename_all = "snake_case")]
pub enum MediaFate {
    /// They are deleted too.
    Delete,
    /// They become another user's.
    Keep {
        /// The admin who asked.
        receiver_id: UserId,
    },
}

impl MediaFate {
    /// What it makes of a media; `None` if nothing. Of what was never uploaded there is nothing to keep.
    pub fn apply(self, media: &Media, now: Timestamp) -> Option<Media> {
        match (self, media.status()) {
            (_, Status::Deleting) => None,
            (Self::Delete, _) | (Self::Keep { .. }, Status::AwaitingUpload | Status::Expired) => {
                Some(media.begin_deletion(now))
            }
            (Self::Keep { receiver_id }, _) => Some(media.hand_over(receiver_id, now)),
        }
    }
}

/// A user who is deleted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeletedUser {
    /// Their id.
    pub id: UserId,
    /// Since when.
    pub deleted_at: Timestamp,
    /// What becomes of their media.
    #[serde(flatten)]
    pub fate: MediaFate,
    /// Up to which media they have been gone through; `None` at the start.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gone_through: Option<MediaId>,
    /// What is still owed; `None` once all is settled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub work: Option<Work>,
    /// One higher than before by every change, that of the user into this included.
    pub version: u64,
    /// When they are forgotten, once all is settled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<i64>,
}

impl DeletedUser {
    /// What is left of a user.
    pub fn of(user: &User, fate: MediaFate, now: Timestamp) -> Self {
        Self {
            id: user.id,
            deleted_at: now,
            fate,
            gone_through: None,
            work: Some(Work { kind: WorkKind::UserDeletion, due: now }),
            version: user.version + 1,
            expires_at: None,
        }
    }

    /// From when on nothing more can come to be theirs.
    pub fn last_look(&self) -> Timestamp {
        self.deleted_at.plus(REQUESTS_END)
    }

    /// They have been gone through up to here, and are looked at again.
    #[must_use]
    pub fn look_again(&self, gone_through: Option<MediaId>, due: Timestamp) -> Self {
        let work = self.work.map(|work| Work { due, ..work });
        Self { gone_through, work, version: self.version + 1, ..self.clone() }
    }

    /// Nothing is left to do.
    #[must_use]
    pub fn settle(&self, now: Timestamp) -> Self {
        let expires_at = Some(now.plus(REMEMBERED).unix_seconds());
        Self { gone_through: None, work: None, version: self.version + 1, expires_at, ..self.clone() }
    }

    /// Whether they are still remembered.
    pub fn is_remembered(&self, now: Timestamp) -> bool {
        self.expires_at.is_none_or(|expires_at| expires_at > now.unix_seconds())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::tests::{media, object};
    use crate::{PublishedObject, Role, State, Visibility};
    use uuid::Uuid;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_unix_seconds(seconds)
    }

    fn id(number: u128) -> UserId {
        UserId::new(Uuid::from_u128(number))
    }

    #[test]
    fn what_there_is_to_keep_is_kept() {
        let fate = MediaFate::Keep { receiver_id: id(9) };
        let published = PublishedObject { key: "k".to_owned(), etag: "e".to_owned() };
        let ready = media(State::Ready { source: object("1"), published });
        let ready = Media { visibility: Visibility::Private, ..ready };
        let kept = fate.apply(&ready, at(5)).unwrap();
        assert_eq!((kept.owner_id, kept.claims_digest, kept.version), (id(9), false, ready.version + 1));
        assert_eq!(
            Media {
                owner_id: ready.owner_id,
                claims_digest: true,
                version: 1,
                updated_at: ready.updated_at,
                ..kept
            },
            ready
        );
        for nothing in [State::AwaitingUpload, State::Expired] {
            let deleted = fate.apply(&media(nothing), at(5)).unwrap();
            assert_eq!((deleted.status(), deleted.owner_id), (Status::Deleting, ready.owner_id));
        }
        assert_eq!(fate.apply(&media(State::Completing), at(5)).unwrap().owner_id, id(9));
        assert_eq!(MediaFate::Delete.apply(&ready, at(5)).unwrap().status(), Status::Deleting);
        assert_eq!(MediaFate::Delete.apply(&media(State::Deleting), at(5)), None);
        assert_eq!(fate.apply(&media(State::Deleting), at(5)), None);
    }

    #[test]
    fn a_deletion_is_remembered_from_its_end_on() {
        let user =
            User::new(id(1), "a@example.com".parse().unwrap(), None, Role::Viewer, String::new(), at(0));
        let deleted = DeletedUser::of(&user, MediaFate::Delete, at(10));
        assert_eq!((deleted.version, deleted.last_look()), (2, at(10 + 20 * 60)));
        assert!(deleted.is_remembered(at(i64::from(u32::MAX))), "as long as anything is owed");
        let again = deleted.look_again(Some(MediaId::new(Uuid::nil())), at(20));
        assert_eq!(again.work, Some(Work { kind: WorkKind::UserDeletion, due: at(20) }));
        let settled = again.settle(at(2000));
        assert_eq!((settled.version, settled.work, settled.gone_through), (4, None, None));
        let week = 7 * 24 * 60 * 60;
        assert!(settled.is_remembered(at(2000 + week - 1)) && !settled.is_remembered(at(2000 + week)));
    }
}
