//! Checksums: which algorithms there are, what each may cover, and how those of parts become that of an object.
//!
//! Follows "Checking object integrity in Amazon S3" in the S3 user guide. Of an object that came in parts, a
//! `FULL_OBJECT` checksum is that of all its bytes; since CRCs of neighbours can be combined, it is found without reading
//! them again. A `COMPOSITE` checksum is the checksum of the parts' checksums, with the number of parts behind it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use crc_fast::CrcAlgorithm;
use s3s::checksum::ChecksumHasher;
use s3s::crypto::{Checksum as _, Crc32, Crc32c, Crc64Nvme, Sha1, Sha256};
use s3s::dto::{self, Checksum};
use serde::{Deserialize, Serialize};

/// A checksum algorithm.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Algorithm {
    Crc32,
    Crc32c,
    Crc64Nvme,
    Sha1,
    Sha256,
}

/// What the checksum of an object that came in parts covers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum ChecksumType {
    Composite,
    FullObject,
}

impl ChecksumType {
    pub(super) const fn name(self) -> &'static str {
        match self {
            ChecksumType::Composite => dto::ChecksumType::COMPOSITE,
            ChecksumType::FullObject => dto::ChecksumType::FULL_OBJECT,
        }
    }

    pub(super) fn parse(name: &str) -> Option<ChecksumType> {
        [ChecksumType::Composite, ChecksumType::FullObject].into_iter().find(|kind| kind.name() == name)
    }

    pub(super) fn dto(self) -> dto::ChecksumType {
        dto::ChecksumType::from_static(self.name())
    }
}

impl Algorithm {
    pub(super) const ALL: [Algorithm; 5] =
        [Algorithm::Crc32, Algorithm::Crc32c, Algorithm::Crc64Nvme, Algorithm::Sha1, Algorithm::Sha256];

    /// As in `x-amz-checksum-*`.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Algorithm::Crc32 => "crc32",
            Algorithm::Crc32c => "crc32c",
            Algorithm::Crc64Nvme => "crc64nvme",
            Algorithm::Sha1 => "sha1",
            Algorithm::Sha256 => "sha256",
        }
    }

    /// Reads a name, whatever its case.
    pub(super) fn parse(name: &str) -> Option<Algorithm> {
        Algorithm::ALL.into_iter().find(|algorithm| algorithm.name().eq_ignore_ascii_case(name))
    }

    /// As `x-amz-checksum-algorithm` has it.
    pub(super) fn dto(self) -> dto::ChecksumAlgorithm {
        dto::ChecksumAlgorithm::from(self.name().to_uppercase())
    }

    const fn length_bytes(self) -> usize {
        match self {
            Algorithm::Crc32 | Algorithm::Crc32c => 4,
            Algorithm::Crc64Nvme => 8,
            Algorithm::Sha1 => 20,
            Algorithm::Sha256 => 32,
        }
    }

    /// Whether a text is a value of this algorithm, in base64.
    pub(super) fn is_value(self, text: &str) -> bool {
        STANDARD.decode(text).is_ok_and(|value| value.len() == self.length_bytes())
    }

    /// Whether the checksum of an object that came in parts can be of this type.
    pub(super) const fn supports(self, checksum_type: ChecksumType) -> bool {
        match checksum_type {
            ChecksumType::Composite => !matches!(self, Algorithm::Crc64Nvme),
            ChecksumType::FullObject => self.crc().is_some(),
        }
    }

    const fn crc(self) -> Option<CrcAlgorithm> {
        match self {
            Algorithm::Crc32 => Some(CrcAlgorithm::Crc32IsoHdlc),
            Algorithm::Crc32c => Some(CrcAlgorithm::Crc32Iscsi),
            Algorithm::Crc64Nvme => Some(CrcAlgorithm::Crc64Nvme),
            Algorithm::Sha1 | Algorithm::Sha256 => None,
        }
    }

    /// Computes this algorithm's checksum, among others.
    pub(super) fn enable(self, hasher: &mut ChecksumHasher) {
        match self {
            Algorithm::Crc32 => hasher.crc32 = Some(Crc32::new()),
            Algorithm::Crc32c => hasher.crc32c = Some(Crc32c::new()),
            Algorithm::Crc64Nvme => hasher.crc64nvme = Some(Crc64Nvme::new()),
            Algorithm::Sha1 => hasher.sha1 = Some(Sha1::new()),
            Algorithm::Sha256 => hasher.sha256 = Some(Sha256::new()),
        }
    }

    /// The checksum of an object from those of its parts, each with the part's length. `None` where one of them is no
    /// value of this algorithm, or the type is not possible with it.
    pub(super) fn of_parts<'a>(
        self,
        checksum_type: ChecksumType,
        parts: impl Iterator<Item = (&'a str, u64)>,
    ) -> Option<String> {
        let parts = parts.map(|(value, length_bytes)| {
            let value = STANDARD.decode(value).ok().filter(|value| value.len() == self.length_bytes())?;
            Some((value, length_bytes))
        });
        match checksum_type {
            ChecksumType::Composite => self.composite(parts),
            ChecksumType::FullObject => self.combined(parts),
        }
    }

    fn composite(self, parts: impl Iterator<Item = Option<(Vec<u8>, u64)>>) -> Option<String> {
        let mut hasher = ChecksumHasher::default();
        self.enable(&mut hasher);
        let mut count = 0_usize;
        for part in parts {
            hasher.update(&part?.0);
            count += 1;
        }
        let checksums = Checksums::from(hasher.finalize());
        Some(format!("{}-{count}", checksums.get(self)?))
    }

    fn combined(self, mut parts: impl Iterator<Item = Option<(Vec<u8>, u64)>>) -> Option<String> {
        let crc = self.crc()?;
        let number = |value: &[u8]| value.iter().fold(0_u64, |number, byte| number << 8 | u64::from(*byte));
        let whole = parts.try_fold(None, |whole, part| {
            let (value, length_bytes) = part?;
            Some(Some(match whole {
                None => number(&value),
                Some(whole) => crc_fast::checksum_combine(crc, whole, number(&value), length_bytes),
            }))
        })??;
        Some(STANDARD.encode(&whole.to_be_bytes()[8 - self.length_bytes()..]))
    }
}

/// Values in base64, by algorithm. S3 stores one with each object: the one that the writer declared, else its own
/// CRC64NVME.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Checksums {
    pub(super) crc32: Option<String>,
    pub(super) crc32c: Option<String>,
    pub(super) crc64nvme: Option<String>,
    pub(super) sha1: Option<String>,
    pub(super) sha256: Option<String>,
}

impl Checksums {
    /// A single one.
    pub(super) fn of(algorithm: Algorithm, value: String) -> Checksums {
        let mut checksums = Checksums::default();
        *checksums.slot(algorithm) = Some(value);
        checksums
    }

    pub(super) fn get(&self, algorithm: Algorithm) -> Option<&str> {
        match algorithm {
            Algorithm::Crc32 => self.crc32.as_deref(),
            Algorithm::Crc32c => self.crc32c.as_deref(),
            Algorithm::Crc64Nvme => self.crc64nvme.as_deref(),
            Algorithm::Sha1 => self.sha1.as_deref(),
            Algorithm::Sha256 => self.sha256.as_deref(),
        }
    }

    /// All that are there.
    pub(super) fn iter(&self) -> impl Iterator<Item = (Algorithm, &str)> {
        Algorithm::ALL.into_iter().filter_map(|algorithm| Some((algorithm, self.get(algorithm)?)))
    }

    /// Only that of one algorithm.
    pub(super) fn only(&self, algorithm: Algorithm) -> Checksums {
        self.get(algorithm)
            .map_or_else(Checksums::default, |value| Checksums::of(algorithm, value.to_owned()))
    }

    /// What a stored checksum covers: a composite one has the number of parts behind it.
    pub(super) fn checksum_type(&self) -> ChecksumType {
        let is_composite = self.iter().any(|(_, value)| value.contains('-'));
        if is_composite { ChecksumType::Composite } else { ChecksumType::FullObject }
    }

    fn slot(&mut self, algorithm: Algorithm) -> &mut Option<String> {
        match algorithm {
            Algorithm::Crc32 => &mut self.crc32,
            Algorithm::Crc32c => &mut self.crc32c,
            Algorithm::Crc64Nvme => &mut self.crc64nvme,
            Algorithm::Sha1 => &mut self.sha1,
            Algorithm::Sha256 => &mut self.sha256,
        }
    }
}

/// The checksums that a request declares. The inputs that have them are types of their own.
macro_rules! checksums {
    ($input:expr) => {
        Checksums {
            crc32: $input.checksum_crc32.clone(),
            crc32c: $input.checksum_crc32c.clone(),
            crc64nvme: $input.checksum_crc64nvme.clone(),
            sha1: $input.checksum_sha1.clone(),
            sha256: $input.checksum_sha256.clone(),
        }
    };
}
pub(super) use checksums;

impl From<Checksum> for Checksums {
    fn from(checksum: Checksum) -> Checksums {
        Checksums {
            crc32: checksum.checksum_crc32,
            crc32c: checksum.checksum_crc32c,
            crc64nvme: checksum.checksum_crc64nvme,
            sha1: checksum.checksum_sha1,
            sha256: checksum.checksum_sha256,
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use s3s::checksum::ChecksumHasher;

    use super::{Algorithm, ChecksumType, Checksums};

    fn checksum(algorithm: Algorithm, bytes: &[u8]) -> String {
        let mut hasher = ChecksumHasher::default();
        algorithm.enable(&mut hasher);
        hasher.update(bytes);
        Checksums::from(hasher.finalize()).get(algorithm).unwrap().to_owned()
    }

    #[test]
    fn crcs_of_parts_combine_to_that_of_the_whole() {
        let bytes: Vec<u8> = (0..100_000_u32).map(|number| number.to_le_bytes()[0] ^ 0x5a).collect();
        for algorithm in [Algorithm::Crc32, Algorithm::Crc32c, Algorithm::Crc64Nvme] {
            for lengths in [vec![100_000], vec![1, 99_999], vec![60_000, 0, 39_999, 1]] {
                let mut rest = bytes.as_slice();
                let parts: Vec<(String, u64)> = lengths
                    .iter()
                    .map(|length| {
                        let (part, behind) = rest.split_at(*length);
                        rest = behind;
                        (checksum(algorithm, part), part.len() as u64)
                    })
                    .collect();
                let parts = parts.iter().map(|(value, length)| (value.as_str(), *length));
                let whole = algorithm.of_parts(ChecksumType::FullObject, parts);
                assert_eq!(whole.unwrap(), checksum(algorithm, &bytes), "{algorithm:?} {lengths:?}");
            }
        }
    }

    #[test]
    fn a_composite_checksum_is_that_of_the_parts_checksums() {
        // The SHA-256 of "one" and of "two", then that of both behind one another.
        let parts = [checksum(Algorithm::Sha256, b"one"), checksum(Algorithm::Sha256, b"two")];
        let parts = parts.iter().map(|value| (value.as_str(), 3));
        let composite = Algorithm::Sha256.of_parts(ChecksumType::Composite, parts).unwrap();
        assert_eq!(composite, "EZFMGaKKmMV9EvPM5sMreUR4T0tHgacGwk6x3ChOKFY=-2");
        let checksums = Checksums::of(Algorithm::Sha256, composite);
        assert_eq!(checksums.checksum_type(), ChecksumType::Composite);
    }

    #[test]
    fn each_algorithm_has_its_types() {
        let types = |algorithm: Algorithm| {
            [ChecksumType::Composite, ChecksumType::FullObject].map(|kind| algorithm.supports(kind))
        };
        assert_eq!(
            Algorithm::ALL.map(types),
            [[true, true], [true, true], [false, true], [true, false], [true, false]]
        );
    }
}
