//! E-mail addresses and passwords that nobody has yet.

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::rand::{SecureRandom, SystemRandom};

/// The system gave no random bytes.
#[derive(Debug, thiserror::Error)]
#[error("the system gave no random bytes")]
pub(crate) struct NoRandomness;

fn bytes<const N: usize>() -> Result<[u8; N], NoRandomness> {
    let mut bytes = [0; N];
    SystemRandom::new().fill(&mut bytes).map_err(|_| NoRandomness)?;
    Ok(bytes)
}

/// 144 random bits as text.
pub(crate) fn password() -> Result<String, NoRandomness> {
    bytes::<18>().map(|bytes| URL_SAFE_NO_PAD.encode(bytes))
}

/// An address at example.com, which nobody can own (RFC 2606).
pub(crate) fn email() -> Result<String, NoRandomness> {
    let mut name = String::new();
    for byte in bytes::<8>()? {
        // Writing to a string cannot fail.
        let _ = write!(name, "{byte:02x}");
    }
    Ok(format!("demo-{name}@example.com"))
}
