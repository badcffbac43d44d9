//! Idempotency keys: a client's own name for one request, so that sending it again does not do it again.

use crate::{Invalid, text};

text! {
    /// The value of an `Idempotency-Key` header: 1–255 visible ASCII characters.
    IdempotencyKey = |text| {
        let is_key = (1..=MAX_KEY_BYTES).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic());
        if is_key { Ok(text.to_owned()) } else { Err(Invalid::new(format!("must be 1 to {MAX_KEY_BYTES} visible ASCII characters"))) }
    },
}

/// The longest idempotency key.
pub(crate) const MAX_KEY_BYTES: usize = 255;

/// A request that was sent under an idempotency key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdempotentRequest {
    /// The client's key.
    pub key: IdempotencyKey,
    /// Which file of a bulk request; `None` for a request of one file.
    pub file_index: Option<u8>,
    /// SHA-256 of what was asked, in hexadecimal: another request under the same key is refused.
    pub request_sha256: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_visible_ascii() {
        assert!("3fa85f64-5717-4562".parse::<IdempotencyKey>().is_ok());
        for wrong in ["", "a b", "é", "a\n", &"a".repeat(256)] {
            assert!(wrong.parse::<IdempotencyKey>().is_err(), "{wrong:?}");
        }
    }
}
