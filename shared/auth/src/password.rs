//! Passwords: judged by strength (NIST SP 800-63B: length and guessability, no composition rules), hashed with
//! Argon2id at OWASP's parameters, compared in constant time.

use argon2::password_hash::{PasswordHasher as _, PasswordVerifier as _, phc::PasswordHash};
use argon2::{ARGON2ID_IDENT, Algorithm, Argon2, Params, Version};
use unicode_normalization::UnicodeNormalization;

/// OWASP Password Storage Cheat Sheet: 19 MiB, two passes, one lane.
const MEMORY_KIB: u32 = 19 * 1_024;
const PASSES: u32 = 2;
const LANES: u32 = 1;

/// The longest password that is hashed, in bytes: what a client can make the function work through.
const MAX_PASSWORD_BYTES: usize = 1_024;

/// The hash of a password that nobody has, with the present parameters. Checking against it takes as long as checking
/// against a user's, so that an unknown e-mail cannot be told from a wrong password by time.
pub const UNKNOWN_USER_HASH: &str = "$argon2id$v=19$m=19456,t=2,p=1$bm9ib2R5LW5vYm9keQ$\
                                     HU5SWp9HEw3SvmDVB3aTf7cPD1iTzn0CTwl1uSqkUsE";

/// Checked when this is compiled.
const PARAMS: Params = match Params::new(MEMORY_KIB, PASSES, LANES, None) {
    Ok(params) => params,
    Err(_) => panic!("out of Argon2's bounds"),
};

fn argon2() -> Argon2<'static> {
    Argon2::new(Algorithm::Argon2id, Version::V0x13, PARAMS)
}

/// One password, whatever keyboard it was typed on: NFKC, as NIST SP 800-63B advises.
fn normalised(password: &str) -> String {
    password.nfkc().collect()
}

/// The outcome of checking a password.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PasswordCheck {
    /// It is the user's.
    Right,
    /// It is not, or the stored hash cannot be read.
    Wrong,
}

/// Checks a password against a PHC string, with the parameters that the string names. Takes as long for a wrong
/// password as for the right one.
pub fn check_password(password: &str, password_hash: &str) -> PasswordCheck {
    let bounded = if password.len() <= MAX_PASSWORD_BYTES { password } else { "" };
    let is_right = PasswordHash::new(password_hash)
        .is_ok_and(|hash| argon2().verify_password(normalised(bounded).as_bytes(), &hash).is_ok());
    if is_right && password.len() <= MAX_PASSWORD_BYTES { PasswordCheck::Right } else { PasswordCheck::Wrong }
}

/// Whether a hash was made with other parameters than those of now, so that it should be made anew when the password is
/// at hand.
pub fn needs_rehash(password_hash: &str) -> bool {
    let is_current = PasswordHash::new(password_hash).is_ok_and(|hash| {
        let made_so = hash.algorithm == ARGON2ID_IDENT && hash.version == Some(Version::V0x13.into());
        let params = Params::try_from(&hash);
        made_so
            && params.is_ok_and(|params| {
                (params.m_cost(), params.t_cost(), params.p_cost()) == (MEMORY_KIB, PASSES, LANES)
            })
    });
    !is_current
}

/// Hashes a password that was checked already with the parameters of now.
pub fn rehash(password: &str) -> Result<String, HashError> {
    hash(&normalised(password))
}

/// The hash could not be made: no randomness for the salt, or no memory.
#[derive(Debug, thiserror::Error)]
#[error("the password could not be hashed: {0}")]
pub struct HashError(String);

/// Hashes with a fresh salt into a PHC string.
fn hash(normalised: &str) -> Result<String, HashError> {
    let hash = argon2().hash_password(normalised.as_bytes()).map_err(|error| HashError(error.to_string()))?;
    Ok(hash.to_string())
}

#[cfg(feature = "password-strength")]
mod strength {
    use std::fmt;

    use domain::{DisplayName, Email, Invalid};
    use zxcvbn::Score;

    use super::{HashError, MAX_PASSWORD_BYTES, normalised};

    /// A password that is good enough to be set: 12–128 characters, and not easy to guess.
    pub struct NewPassword(String);

    impl NewPassword {
        /// Judges `password`, knowing its user's e-mail and name, which make poor passwords. It is judged as it is hashed:
        /// what is easy to guess in one spelling is so in all.
        pub fn judge(
            password: &str,
            email: Option<&Email>,
            display_name: Option<&DisplayName>,
        ) -> Result<Self, Invalid> {
            let bounded = if password.len() <= MAX_PASSWORD_BYTES { password } else { "" };
            let password = normalised(bounded);
            if !(12..=128).contains(&password.chars().count()) {
                return Err(Invalid::new("must be 12 to 128 characters long"));
            }
            let user_words = [email.map(Email::as_str), display_name.map(DisplayName::as_str)];
            let user_words: Vec<&str> = user_words.into_iter().flatten().collect();
            let judgement = zxcvbn::zxcvbn(&password, &user_words);
            if judgement.score() >= Score::Three {
                return Ok(Self(password));
            }
            let mut detail = String::from("is too easy to guess.");
            if let Some(feedback) = judgement.feedback() {
                let advice = feedback.warning().map(|warning| warning.to_string());
                for sentence in
                    advice.into_iter().chain(feedback.suggestions().iter().map(ToString::to_string))
                {
                    detail.push(' ');
                    detail.push_str(&sentence);
                }
            }
            Err(Invalid::new(detail))
        }

        /// Whether it is this password, in whatever spelling.
        pub fn is(&self, password: &str) -> bool {
            password.len() <= MAX_PASSWORD_BYTES && self.0 == normalised(password)
        }

        /// Hashes it with a fresh salt into a PHC string.
        pub fn hash(&self) -> Result<String, HashError> {
            super::hash(&self.0)
        }
    }

    impl fmt::Debug for NewPassword {
        fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
            formatter.write_str("NewPassword")
        }
    }
}
#[cfg(feature = "password-strength")]
pub use strength::NewPassword;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_has_the_unknown_users_password_but_it_costs_the_same() {
        let hash = PasswordHash::new(UNKNOWN_USER_HASH).unwrap();
        let params = Params::try_from(&hash).unwrap();
        assert_eq!((params.m_cost(), params.t_cost(), params.p_cost()), (MEMORY_KIB, PASSES, LANES));
        assert_eq!(check_password("", UNKNOWN_USER_HASH), PasswordCheck::Wrong);
    }

    #[cfg(feature = "password-strength")]
    #[test]
    fn a_hash_knows_its_password_and_its_parameters() {
        let hash = NewPassword::judge("correct horse battery staple", None, None).unwrap().hash().unwrap();
        assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{hash}");
        assert_eq!(check_password("correct horse battery staple", &hash), PasswordCheck::Right);
        assert_eq!(check_password("correct horse battery stapl", &hash), PasswordCheck::Wrong);
        assert_eq!(check_password(&"x".repeat(MAX_PASSWORD_BYTES + 1), &hash), PasswordCheck::Wrong);
        assert_eq!(check_password("correct horse battery staple", "not a hash"), PasswordCheck::Wrong);
    }

    #[test]
    fn a_hash_of_other_parameters_is_made_anew() {
        assert!(!needs_rehash(UNKNOWN_USER_HASH));
        assert!(!needs_rehash(&rehash("correct horse battery staple").unwrap()));
        for (from, to) in
            [("m=19456", "m=9728"), ("t=2", "t=1"), ("p=1", "p=2"), ("v=19", "v=16"), ("2id$", "2i$")]
        {
            assert!(needs_rehash(&UNKNOWN_USER_HASH.replace(from, to)), "{to}");
        }
        assert!(needs_rehash("not a hash"));
    }

    #[cfg(feature = "password-strength")]
    #[test]
    fn one_password_on_any_keyboard() {
        let hash =
            NewPassword::judge("Zu\u{308}richer Seegang 47 Möwen", None, None).unwrap().hash().unwrap();
        assert_eq!(check_password("Züricher Seegang 47 Möwen", &hash), PasswordCheck::Right);
    }

    #[cfg(feature = "password-strength")]
    #[test]
    fn a_weak_password_is_weak_in_every_spelling() {
        let full_width: String =
            "passwordpassword".chars().filter_map(|letter| char::from_u32(letter as u32 + 0xfee0)).collect();
        assert_eq!(normalised(&full_width), "passwordpassword");
        assert!(NewPassword::judge(&full_width, None, None).is_err());
        // Six letters, typed with their marks apart.
        assert!(NewPassword::judge("q\u{308}x\u{308}j\u{30c}o\u{308}u\u{308}a\u{308}", None, None).is_err());
        assert!(NewPassword::judge("o\u{308}u\u{308}a\u{308}e\u{301}i\u{301}n\u{303}", None, None).is_err());
    }

    #[cfg(feature = "password-strength")]
    #[test]
    fn weak_passwords_come_with_advice() {
        let email = "ada.lovelace@example.com".parse().unwrap();
        for password in ["short", "passwordpassword", "111111111111111", "ada.lovelace@example.com"] {
            assert!(NewPassword::judge(password, Some(&email), None).is_err(), "{password}");
        }
        let name = "Augusta Ada King".parse().unwrap();
        assert!(NewPassword::judge("augusta ada king", None, Some(&name)).is_err());
        let advice = NewPassword::judge("passwordpassword", None, None).unwrap_err().to_string();
        assert!(advice.starts_with("is too easy to guess. "), "{advice}");
    }
}
