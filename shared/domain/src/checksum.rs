//! Checksums of an uploaded object, as S3 writes them: the digest's bytes in base64.
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/checking-object-integrity.html>

use serde::{Deserialize, Serialize};

use crate::{Invalid, text};

/// The algorithm of a checksum that was compared with the object's bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "lowercase")]
pub enum ChecksumAlgorithm {
    /// SHA-256, enforced by S3 on a single PUT.
    Sha256,
    /// CRC-64/NVME, which S3 computes over the full object, multipart or not.
    Crc64nvme,
}

text! {
    /// A SHA-256 digest in base64, as in `x-amz-checksum-sha256`.
    Sha256Checksum = |text| digest(text, 32),
    /// A CRC-64/NVME in base64, big-endian, as in `x-amz-checksum-crc64nvme`.
    Crc64NvmeChecksum = |text| digest(text, 8),
}

fn digest(text: &str, length_bytes: usize) -> Result<String, Invalid> {
    if is_base64_of(text, length_bytes) {
        Ok(text.to_owned())
    } else {
        Err(Invalid::new(format!("must be the {length_bytes} bytes of the digest in padded base64")))
    }
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
