//! Checksums of an uploaded object, as S3 writes them: the digest's bytes in base64.
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/checking-object-integrity.html>

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::{Invalid, serde_as_text};

/// The algorithm of a checksum that was compared with the object's bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ChecksumAlgorithm {
    /// SHA-256, enforced by S3 on a single PUT.
    Sha256,
    /// CRC-64/NVME, which S3 computes over the full object, multipart or not.
    Crc64nvme,
}

macro_rules! checksum {
    ($($(#[$doc:meta])+ $name:ident: $bytes:literal bytes),+ $(,)?) => {$(
        $(#[$doc])+
        #[derive(Clone, Debug, PartialEq, Eq, Hash)]
        pub struct $name(String);

        impl $name {
            /// The base64 text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str(&self.0)
            }
        }

        impl FromStr for $name {
            type Err = Invalid;

            fn from_str(text: &str) -> Result<Self, Invalid> {
                if is_base64_of(text, $bytes) {
                    Ok(Self(text.to_owned()))
                } else {
                    Err(Invalid::new(concat!("must be the ", $bytes, " bytes of the digest in padded base64")))
                }
            }
        }

        serde_as_text!($name);
    )+};
}

checksum! {
    /// A SHA-256 digest in base64, as in `x-amz-checksum-sha256`.
    Sha256Checksum: 32 bytes,
    /// A CRC-64/NVME in base64, big-endian, as in `x-amz-checksum-crc64nvme`.
    Crc64NvmeChecksum: 8 bytes,
}

/// Whether `text` is the one canonical padded base64 spelling (RFC 4648, section 4) of `length` bytes. `length` is not
/// a multiple of three, so the text ends in padding, and the bits that the last character does not need must be zero:
/// otherwise one digest would have several spellings.
fn is_base64_of(text: &str, length: usize) -> bool {
    const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let padding = (3 - length % 3) % 3;
    let bytes = text.as_bytes();
    if bytes.len() != length.div_ceil(3) * 4 || !text.ends_with(&"=".repeat(padding)) {
        return false;
    }
    let digits = &bytes[..bytes.len() - padding];
    let value_of = |digit: &u8| ALPHABET.iter().position(|letter| letter == digit);
    digits.iter().all(|digit| value_of(digit).is_some())
        && digits
            .last()
            .and_then(value_of)
            .is_some_and(|value| value.trailing_zeros() as usize >= padding * 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_has_one_spelling() {
        // SHA-256 of nothing.
        assert!("47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=".parse::<Sha256Checksum>().is_ok());
        for wrong in [
            "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFV=",
            "47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU=",
            "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU",
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
            "",
        ] {
            assert!(wrong.parse::<Sha256Checksum>().is_err(), "{wrong}");
        }
        assert!("rosUhgp5mIg=".parse::<Crc64NvmeChecksum>().is_ok());
        assert!("rosUhgp5mIh=".parse::<Crc64NvmeChecksum>().is_err());
    }
}
