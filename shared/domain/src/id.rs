//! Ids. All are UUIDs of version 7 (RFC 9562), so that sorting by id is sorting by the time of creation.

use std::fmt;
use std::str::FromStr;

use uuid::Uuid;

use crate::{Invalid, serde_as_text};

macro_rules! id {
    ($($(#[$doc:meta])+ $name:ident),+ $(,)?) => {$(
        $(#[$doc])+
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Uuid);

        impl $name {
            /// From a freshly made UUID of version 7.
            pub fn new(uuid: Uuid) -> Self {
                Self(uuid)
            }

            /// The UUID.
            pub fn uuid(self) -> Uuid {
                self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.as_hyphenated().fmt(formatter)
            }
        }

        impl FromStr for $name {
            type Err = Invalid;

            /// Accepts only the hyphenated lower-case form, so that one id has one spelling.
            fn from_str(text: &str) -> Result<Self, Invalid> {
                let uuid = Uuid::try_parse(text).map_err(|_| Invalid::new("must be an id (a UUID)"))?;
                let mut buffer = Uuid::encode_buffer();
                if uuid.as_hyphenated().encode_lower(&mut buffer) != text {
                    return Err(Invalid::new("must be an id (a UUID) in lower case with hyphens"));
                }
                Ok(Self(uuid))
            }
        }

        serde_as_text!($name);
    )+};
}

id! {
    /// A user.
    UserId,
    /// A media.
    MediaId,
    /// An upload: what a client sends bytes under, for one slot of one media.
    UploadId,
    /// A log-in session: a family of refresh tokens.
    SessionId,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_id_has_one_spelling() {
        let text = "019a9f3e-7c00-7abc-8def-0123456789ab";
        assert_eq!(text.parse::<MediaId>().map(|id| id.to_string()), Ok(text.to_owned()));
        for other in [
            "019A9F3E-7C00-7ABC-8DEF-0123456789AB",
            "019a9f3e7c007abc8def0123456789ab",
            "{019a9f3e-7c00-7abc-8def-0123456789ab}",
            "x",
            "",
        ] {
            assert!(other.parse::<MediaId>().is_err(), "{other}");
        }
    }
}
