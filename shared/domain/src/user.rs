//! Users, their roles and their sessions.

use std::str::FromStr;

use serde::{Deserialize, Serialize};
use unicode_normalization::UnicodeNormalization;

use crate::{DisplayName, Invalid, SessionId, Timestamp, UserId, text};

/// What a user may do. Ordered: each role may do all that the ones before it may.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
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
    let is_address = normal.len() <= 254
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
    /// When the account was made.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
    /// Raised by every change; a change is conditional on it.
    pub version: u64,
}

/// A log-in: the family of refresh tokens that descends from it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Session {
    /// Its id.
    pub id: SessionId,
    /// Whose it is.
    pub user_id: UserId,
    /// SHA-256 of the refresh token that is valid now, in base64.
    pub refresh_token_sha256: String,
    /// When the user logged in.
    pub created_at: Timestamp,
    /// When it ends, in seconds since the epoch: DynamoDB deletes it some time after that.
    pub expires_at: i64,
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
}
