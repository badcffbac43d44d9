//! What a client declares of a file's size before it sends it.
//!
//! Most declare it, and then nothing else is taken. Uppy does not: of such a file it is only known how large it may be,
//! until its parts are added up or its object is there. Meanwhile it counts as one part against its owner's quota.

use std::ops::RangeInclusive;

use serde::{Deserialize, Serialize};

use crate::{Failure, PART_SIZE_BYTES, SizeBytes};

/// What is declared of a file's size.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum DeclaredSize {
    /// It is this long.
    Exact {
        /// The size.
        size_bytes: SizeBytes,
    },
    /// Nothing.
    Unknown {
        /// How long it may be.
        max_size_bytes: SizeBytes,
    },
}

impl DeclaredSize {
    /// It is this long.
    pub fn exact(size_bytes: SizeBytes) -> Self {
        Self::Exact { size_bytes }
    }

    /// The size, if it is declared.
    pub fn size_bytes(&self) -> Option<SizeBytes> {
        match *self {
            Self::Exact { size_bytes } => Some(size_bytes),
            Self::Unknown { .. } => None,
        }
    }

    /// How long the file may be.
    pub fn range(&self) -> RangeInclusive<SizeBytes> {
        match *self {
            Self::Exact { size_bytes } => size_bytes..=size_bytes,
            Self::Unknown { max_size_bytes } => 1..=max_size_bytes,
        }
    }

    /// What it counts against its owner's quota before more is known: an unknown size as one of S3's smallest parts, so that
    /// who has begun many files finds the quota used, and who has little room left can still send a small one.
    pub fn reserved_bytes(&self) -> SizeBytes {
        match *self {
            Self::Exact { size_bytes } => size_bytes,
            Self::Unknown { max_size_bytes } => max_size_bytes.min(*PART_SIZE_BYTES.start()),
        }
    }

    /// Whether a file of this size is what was declared.
    pub fn verify(&self, size_bytes: SizeBytes) -> Result<(), Failure> {
        if self.range().contains(&size_bytes) {
            return Ok(());
        }
        Err(match *self {
            Self::Exact { size_bytes: declared } => Failure::new(
                "size_mismatch",
                format!(
                    "The file is {size_bytes} bytes long; {declared} bytes were declared. Upload it again with its true size."
                ),
            ),
            Self::Unknown { max_size_bytes } => Failure::new(
                "file_too_large",
                format!("The file is {size_bytes} bytes long; 1 to {max_size_bytes} are allowed here."),
            ),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_declared_size_is_met_and_an_unknown_one_is_bounded() {
        let exact = DeclaredSize::exact(10);
        let unknown = DeclaredSize::Unknown { max_size_bytes: 10 };
        let code = |size: DeclaredSize, size_bytes| size.verify(size_bytes).map_err(|failure| failure.code);
        assert_eq!(code(exact, 10), Ok(()));
        for other in [9, 11] {
            assert_eq!(code(exact, other), Err("size_mismatch".to_owned()));
        }
        assert!(code(unknown, 1).is_ok() && code(unknown, 10).is_ok());
        for other in [0, 11] {
            assert_eq!(code(unknown, other), Err("file_too_large".to_owned()));
        }
    }

    #[test]
    fn an_unknown_size_counts_as_one_part_at_most() {
        let reserved = |max_size_bytes| DeclaredSize::Unknown { max_size_bytes }.reserved_bytes();
        assert_eq!((reserved(10), reserved(50 << 30)), (10, 5 << 20));
        assert_eq!(DeclaredSize::exact(50 << 30).reserved_bytes(), 50 << 30);
    }
}
