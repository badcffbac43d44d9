//! Users, their roles, and what ends their sessions.
//!
//! Sessions are not listed to be ended: a user carries a generation, a session the one that it began in, and one of an
//! earlier generation is over. So whoever reads the user knows, and a log-in that is under way while the password
//! changes begins a session that is over already.

use std::str::FromStr;

use serde::{Deserialize, Serialize};
use unicode_normalization::UnicodeNormalization;

use crate::{DisplayName, Invalid, Patch, SessionId, Timestamp, UserId, text};

/// What a user may do. Ordered: each role may do all that the ones before it may.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Reads.
    Viewer,
    /// Also uploads, and changes and deletes their own media.
    Operator,
    /// Does everything to everything and manages users.
    Admin,
}

impl FromStr for Role {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        match text {
            "viewer" => Ok(Self::Viewer),
            "operator" => Ok(Self::Operator),
            "admin" => Ok(Self::Admin),
            _ => Err(Invalid::new("must be viewer, operator or admin")),
        }
    }
}

text! {
    /// An e-mail address in its normal form: NFKC, lower case, no white space around it. Two spellings of one address
    /// compare equal.
    Email = email,
}

/// The longest e-mail address.
pub(crate) const MAX_EMAIL_BYTES: usize = 254;

/// Checks what every address has: one `@` between a local part of at most 64 bytes and a domain of labels, 254 bytes
/// in all (RFC 5321, section 4.5.3.1). Whether mail arrives there is not known.
fn email(text: &str) -> Result<String, Invalid> {
    let normal: String = text.trim().nfkc().flat_map(char::to_lowercase).nfkc().collect();
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.chars().all(|character| character.is_alphanumeric() || character == '-')
    };
    let is_address = normal.len() <= MAX_EMAIL_BYTES
        && normal.split_once('@').is_some_and(|(local, domain)| {
            (1..=64).contains(&local.len())
                && local.chars().all(|character| {
                    character.is_alphanumeric() || "!#$%&'*+-/=?^_`{|}~.".contains(character)
                })
                && domain.contains('.')
                && domain.split('.').all(is_label)
        });
    if is_address { Ok(normal) } else { Err(Invalid::new("must be an e-mail address")) }
}

/// A user.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct User {
    /// Their id.
    pub id: UserId,
    /// Their address, unique among users.
    pub email: Email,
    /// Their name as shown to others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub display_name: Option<DisplayName>,
    /// What they may do.
    pub role: Role,
    /// Whether they are shut out.
    pub disabled: bool,
    /// Their password as a PHC string, parameters included (`$argon2id$v=19$m=…`).
    pub password_hash: String,
    /// Whether somebody else chose their password, so that they have to choose another one.
    #[serde(default)]
    pub password_change_required: bool,
    /// Raised by what ends all sessions: those of an earlier generation are over.
    #[serde(default)]
    pub session_generation: u64,
    /// The one session that goes on nevertheless.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kept_session: Option<SessionId>,
    /// When the account was made.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
    /// Raised by every change; a change is conditional on it.
    pub version: u64,
}

/// What an admin may change about a user.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UserPatch {
    /// Their name.
    pub display_name: Patch<DisplayName>,
    /// What they may do.
    pub role: Option<Role>,
    /// Whether they are shut out.
    pub disabled: Option<bool>,
}

impl User {
    /// A fresh account.
    pub fn new(
        id: UserId,
        email: Email,
        display_name: Option<DisplayName>,
        role: Role,
        password_hash: String,
        now: Timestamp,
    ) -> Self {
        Self {
            id,
            email,
            display_name,
            role,
            disabled: false,
            password_hash,
            password_change_required: false,
            session_generation: 0,
            kept_session: None,
            created_at: now,
            updated_at: now,
            version: 1,
        }
    }

    /// Whether they are one of those of whom there has to be one.
    pub fn is_active_admin(&self) -> bool {
        self.role == Role::Admin && !self.disabled
    }

    /// Whether a session that began in this generation goes on.
    pub fn keeps_session(&self, id: SessionId, generation: u64) -> bool {
        generation == self.session_generation || self.kept_session == Some(id)
    }

    /// The user with what an admin changes; itself if that is nothing. Who is demoted or shut out loses all sessions
    /// but `kept_session`.
    #[must_use]
    pub fn patched(&self, patch: UserPatch, kept_session: Option<SessionId>, now: Timestamp) -> Self {
        let patched = Self {
            display_name: patch.display_name.apply(self.display_name.clone()),
            role: patch.role.unwrap_or(self.role),
            disabled: patch.disabled.unwrap_or(self.disabled),
            ..self.clone()
        };
        if patched == *self {
            return patched;
        }
        let loses_rights = patched.role < self.role || patched.disabled && !self.disabled;
        let patched = if loses_rights { patched.without_sessions_but(kept_session) } else { patched };
        patched.changed(now)
    }

    /// The user with a password that they chose. All sessions end but the one that they chose it in.
    #[must_use]
    pub fn with_password(&self, password_hash: String, session: SessionId, now: Timestamp) -> Self {
        let user = Self { password_hash, password_change_required: false, ..self.clone() };
        user.without_sessions_but(Some(session)).changed(now)
    }

    /// The user with a password that somebody else chose. All sessions end.
    #[must_use]
    pub fn with_temporary_password(&self, password_hash: String, now: Timestamp) -> Self {
        let user = Self { password_hash, password_change_required: true, ..self.clone() };
        user.without_sessions_but(None).changed(now)
    }

    /// The user with the same password, hashed anew.
    #[must_use]
    pub fn with_rehashed_password(&self, password_hash: String, now: Timestamp) -> Self {
        Self { password_hash, ..self.clone() }.changed(now)
    }

    fn without_sessions_but(self, kept_session: Option<SessionId>) -> Self {
        Self { session_generation: self.session_generation + 1, kept_session, ..self }
    }

    fn changed(self, now: Timestamp) -> Self {
        Self { updated_at: now, version: self.version + 1, ..self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_address_has_one_normal_form() {
        let normal = |text: &str| text.parse::<Email>().map(|email| email.to_string());
        assert_eq!(normal(" Ada@Example.COM ").unwrap(), "ada@example.com");
        // Composed and decomposed, full-width and plain, capital and small.
        assert_eq!(normal("zoe\u{308}@example.com").unwrap(), normal("ZOË@example.com").unwrap());
        assert_eq!(normal("ａｄａ@example.com").unwrap(), "ada@example.com");
        for wrong in [
            "",
            "ada",
            "ada@",
            "@example.com",
            "ada@example",
            "a da@example.com",
            "a@b@example.com",
            "ada@-example.com",
            "ada@example..com",
            "ada\n@example.com",
            &format!("{}@example.com", "a".repeat(65)),
        ] {
            assert!(wrong.parse::<Email>().is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn roles_are_ordered() {
        assert!(Role::Viewer < Role::Operator && Role::Operator < Role::Admin);
    }

    fn user() -> User {
        let (id, now) = (UserId::new(uuid::Uuid::from_u128(1)), Timestamp::from_unix_seconds(1));
        User::new(id, "a@example.com".parse().unwrap(), None, Role::Operator, "hash".to_owned(), now)
    }

    fn session(number: u128) -> SessionId {
        SessionId::new(uuid::Uuid::from_u128(number))
    }

    #[test]
    fn a_password_change_ends_all_sessions_but_one() {
        let later = Timestamp::from_unix_seconds(2);
        let changed = user().with_password("other".to_owned(), session(1), later);
        assert!(changed.keeps_session(session(1), 0) && !changed.keeps_session(session(2), 0));
        assert!(changed.keeps_session(session(3), 1), "one that began afterwards");
        assert_eq!((changed.version, changed.updated_at), (2, later));
        // The next change, from another session, ends the one that was kept.
        let again = changed.with_password("third".to_owned(), session(3), later);
        assert!(again.keeps_session(session(3), 1));
        assert!(!again.keeps_session(session(1), 0) && !again.keeps_session(session(4), 1));
    }

    #[test]
    fn a_temporary_password_ends_all_sessions_until_it_is_changed() {
        let later = Timestamp::from_unix_seconds(2);
        let temporary = user().with_temporary_password("other".to_owned(), later);
        assert!(temporary.password_change_required && !temporary.keeps_session(session(1), 0));
        assert!(!temporary.with_password("third".to_owned(), session(1), later).password_change_required);
    }

    #[test]
    fn only_who_loses_rights_loses_sessions() {
        let patched = |patch| user().patched(patch, Some(session(1)), Timestamp::from_unix_seconds(2));
        let role = |role| UserPatch { role: Some(role), ..UserPatch::default() };
        let disabled = |disabled| UserPatch { disabled: Some(disabled), ..UserPatch::default() };
        for patch in [role(Role::Viewer), disabled(true)] {
            let user = patched(patch.clone());
            assert!(user.keeps_session(session(1), 0) && !user.keeps_session(session(2), 0), "{patch:?}");
        }
        let promoted = patched(role(Role::Admin));
        assert!(promoted.keeps_session(session(2), 0) && promoted.is_active_admin());
        for nothing in [UserPatch::default(), role(Role::Operator), disabled(false)] {
            assert_eq!(patched(nothing), user());
        }
    }

    #[test]
    fn a_name_is_kept_set_or_removed() {
        let name: DisplayName = "Ada".parse().unwrap();
        let patched = |user: &User, display_name| {
            let patch = UserPatch { display_name, ..UserPatch::default() };
            user.patched(patch, None, Timestamp::from_unix_seconds(2))
        };
        let named = patched(&user(), Patch::Set(name.clone()));
        assert_eq!((named.display_name.as_ref(), named.version), (Some(&name), 2));
        assert_eq!(patched(&named, Patch::Keep), named);
        assert_eq!(patched(&named, Patch::Remove).display_name, None);
    }
}
