//! Sessions: what a log-in begins, and the refresh tokens that descend from it.
//!
//! Each use of a refresh token issues another one. Two tabs of a browser may use one token at the same time, and an
//! answer may get lost: so a token works again for [`REFRESH_TOKEN_GRACE`] after its first use, each use issues a token
//! of its own, and each of those goes on by itself. The use of one of those shows that its answer arrived, and that is the
//! end of the one before. A token that is used after its end was copied: the session ends (RFC 9700, section 4.14.2).

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{SessionId, Timestamp, UserId};

/// How long a session lasts, from the log-in, however often it is refreshed.
pub const SESSION_LIFE: Duration = Duration::from_hours(30 * 24);

/// How long a refresh token works again after its first use, unless one that it led to is used.
pub const REFRESH_TOKEN_GRACE: Duration = Duration::from_secs(10);

/// How many refresh tokens that were not used yet a session keeps. There are several where answers got lost or tabs
/// refreshed at the same time; of more than these the oldest are forgotten.
const MAX_UNUSED_TOKENS: usize = 64;

/// How many tokens are forgotten at once: what one update of the table has room for.
const MAX_FORGOTTEN_TOKENS: usize = 32;

/// A log-in: the family of refresh tokens that descends from it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Session {
    /// Its id.
    pub id: SessionId,
    /// Whose it is.
    pub user_id: UserId,
    /// The user's [`session_generation`](crate::User::session_generation) when it began.
    pub generation: u64,
    /// SHA-256, in base64, of what all of its refresh tokens have in common. It tells a token that was issued once from
    /// one that never was.
    pub family_sha256: String,
    /// Its refresh tokens, by their SHA-256 in base64: those that were not used yet, and those used a moment ago.
    pub refresh_tokens: BTreeMap<String, IssuedToken>,
    /// When the user logged in.
    pub created_at: Timestamp,
    /// When it ends, in seconds since the epoch: DynamoDB deletes it some time after that.
    pub expires_at: i64,
}

/// A refresh token of a session.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct IssuedToken {
    /// When it was issued.
    pub issued_at: Timestamp,
    /// SHA-256 of the one that it was issued for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous_sha256: Option<String>,
    /// When it was used first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub used_at: Option<Timestamp>,
}

impl IssuedToken {
    /// One that is issued now, at the log-in or for a previous one.
    pub fn new(previous_sha256: Option<String>, now: Timestamp) -> Self {
        Self { issued_at: now, previous_sha256, used_at: None }
    }

    fn works(&self, now: Timestamp) -> bool {
        self.used_at.is_none_or(|used_at| used_at >= now.minus(REFRESH_TOKEN_GRACE))
    }
}

impl Session {
    /// Whether the refresh token with this digest may be used now. One of this session that may not was copied.
    pub fn accepts(&self, sha256: &str, now: Timestamp) -> bool {
        self.refresh_tokens.get(sha256).is_some_and(|token| token.works(now))
    }

    /// The refresh tokens that are forgotten when `used` is used: the one before it, those that were used up, and the
    /// oldest of too many.
    pub fn forgotten(&self, used: &str, now: Timestamp) -> Vec<&str> {
        let previous = self.refresh_tokens.get(used).and_then(|token| token.previous_sha256.as_deref());
        let (mut forgotten, mut unused) = (Vec::new(), Vec::new());
        for (sha256, token) in self.refresh_tokens.iter().filter(|(sha256, _)| *sha256 != used) {
            if previous == Some(sha256) {
                forgotten.insert(0, sha256.as_str());
            } else if !token.works(now) {
                forgotten.push(sha256.as_str());
            } else if token.used_at.is_none() {
                unused.push((token.issued_at, sha256.as_str()));
            }
        }
        unused.sort_unstable();
        let surplus = unused.len().saturating_sub(MAX_UNUSED_TOKENS);
        forgotten.extend(unused.iter().take(surplus).map(|(_, sha256)| sha256));
        forgotten.truncate(MAX_FORGOTTEN_TOKENS);
        forgotten
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    const NOW: i64 = 1_800_000_000;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_unix_seconds(NOW + seconds)
    }

    fn session(tokens: impl IntoIterator<Item = (String, IssuedToken)>) -> Session {
        Session {
            id: SessionId::new(Uuid::from_u128(1)),
            user_id: UserId::new(Uuid::from_u128(2)),
            generation: 0,
            family_sha256: "family".to_owned(),
            refresh_tokens: tokens.into_iter().collect(),
            created_at: at(0),
            expires_at: at(0).plus(SESSION_LIFE).unix_seconds(),
        }
    }

    fn used(seconds: i64) -> IssuedToken {
        IssuedToken { used_at: Some(at(seconds)), ..IssuedToken::new(None, at(0)) }
    }

    #[test]
    fn a_token_works_until_it_is_used_and_a_moment_longer() {
        let session = session([("new".into(), IssuedToken::new(None, at(0))), ("used".into(), used(100))]);
        assert!(session.accepts("new", at(1_000_000)));
        for (seconds, accepted) in [(99, true), (100, true), (110, true), (111, false), (9_999, false)] {
            assert_eq!(session.accepts("used", at(seconds)), accepted, "{seconds}");
        }
        assert!(!session.accepts("never issued", at(0)));
    }

    #[test]
    fn what_is_used_up_is_forgotten_and_what_works_is_kept() {
        let session = session([
            ("new".into(), IssuedToken::new(None, at(0))),
            ("used".into(), used(100)),
            ("used up".into(), used(80)),
        ]);
        assert_eq!(session.forgotten("new", at(100)), ["used up"]);
    }

    #[test]
    fn of_too_many_the_oldest_are_forgotten() {
        let token =
            |age: usize| (format!("{age:03}"), IssuedToken::new(None, at(-i64::try_from(age).unwrap())));
        let of = |count: usize| session((0..count).map(token));
        assert!(of(MAX_UNUSED_TOKENS + 1).forgotten("000", at(0)).is_empty());
        assert_eq!(of(MAX_UNUSED_TOKENS + 2).forgotten("000", at(0)), ["065"]);
        // But never the one that is being used.
        assert_eq!(of(MAX_UNUSED_TOKENS + 2).forgotten("065", at(0)), ["064"]);
        let many = of(1_000);
        let forgotten = many.forgotten("000", at(0));
        assert_eq!((forgotten.len(), forgotten[0]), (MAX_FORGOTTEN_TOKENS, "999"));
    }

    #[test]
    fn the_use_of_a_token_ends_the_one_before_and_comes_first() {
        let child = |parent: &str| IssuedToken::new(Some(parent.to_owned()), at(100));
        let mut tokens = vec![
            ("parent".into(), used(100)),
            ("one".into(), child("parent")),
            ("other".into(), child("parent")),
            ("orphan".into(), child("forgotten already")),
        ];
        tokens.extend((0..100).map(|number| (format!("{number}"), used(0))));
        let session = session(tokens);
        assert_eq!(session.forgotten("one", at(105))[0], "parent");
        assert_eq!(session.forgotten("other", at(105))[0], "parent");
        assert!(!session.forgotten("orphan", at(105)).contains(&"parent"));
    }
}
