//! Parts of a multipart upload: how a file is cut, and what is still missing of it.
//!
//! Every part but the last is of one size, so that a part's place in the file follows from its number, and whoever
//! knows the plan can go on with an upload that somebody else began.
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html>

use std::collections::BTreeMap;
use std::fmt;
use std::ops::RangeInclusive;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::{Invalid, SizeBytes, text};

const MIB: SizeBytes = 1024 * 1024;

/// How long a part may be; the last one may be shorter.
pub const PART_SIZE_BYTES: RangeInclusive<SizeBytes> = 5 * MIB..=5 * 1024 * MIB;

/// How many parts an upload may have.
pub const MAX_PARTS: u16 = 10_000;

/// How long a part is if nobody asks for another size and `MAX_PARTS` are enough: a broken connection costs little, and
/// a phone can hold one in memory.
const USUAL_PART_SIZE_BYTES: SizeBytes = 16 * MIB;

/// The number of a part, 1–10 000.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "u16", into = "u16")]
pub struct PartNumber(u16);

impl PartNumber {
    /// The first part's.
    pub const FIRST: Self = Self(1);

    /// All numbers from this one to `last`, with it.
    pub fn up_to(self, last: Self) -> impl Iterator<Item = Self> {
        (self.0..=last.0).map(Self)
    }
}

impl TryFrom<u16> for PartNumber {
    type Error = Invalid;

    fn try_from(number: u16) -> Result<Self, Invalid> {
        if (1..=MAX_PARTS).contains(&number) {
            Ok(Self(number))
        } else {
            Err(Invalid::new(format!("must be a part number from 1 to {MAX_PARTS}")))
        }
    }
}

impl From<PartNumber> for u16 {
    fn from(number: PartNumber) -> Self {
        number.0
    }
}

impl FromStr for PartNumber {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let is_plain = !text.starts_with(['0', '+']);
        // What is no plain number is as far out of range as 0.
        let number: u16 = text.parse().ok().filter(|_| is_plain).unwrap_or(0);
        Self::try_from(number)
    }
}

impl fmt::Display for PartNumber {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

text! {
    /// S3's tag of an object or a part, without the quotes that it is sent in.
    ETag = |text| {
        let tag = text.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or(text);
        let is_tag = (1..=MAX_ETAG_BYTES).contains(&tag.len())
            && tag.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'"');
        if is_tag { Ok(tag.to_owned()) } else { Err(Invalid::new("must be an ETag as S3 answered it")) }
    },
}

/// The longest tag.
pub(crate) const MAX_ETAG_BYTES: usize = 128;

/// A part as planned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Part {
    /// Its number.
    pub number: PartNumber,
    /// Its length.
    pub size_bytes: SizeBytes,
}

/// A part as S3 has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UploadedPart {
    /// Its number.
    pub number: PartNumber,
    /// Its length.
    pub size_bytes: SizeBytes,
    /// Its tag.
    pub etag: ETag,
}

/// How a file is cut into parts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PartPlan {
    size_bytes: SizeBytes,
    part_size_bytes: SizeBytes,
}

impl PartPlan {
    /// The usual plan for a file of 1 byte to `MAX_OBJECT_SIZE_BYTES`: parts of 16 MiB, or of as many whole MiB as it
    /// takes to need no more than `MAX_PARTS`.
    pub fn of(size_bytes: SizeBytes) -> Self {
        let needed = size_bytes.div_ceil(SizeBytes::from(MAX_PARTS)).next_multiple_of(MIB);
        Self { size_bytes, part_size_bytes: needed.max(USUAL_PART_SIZE_BYTES) }
    }

    /// With parts of the client's own size.
    pub fn with_part_size(size_bytes: SizeBytes, part_size_bytes: SizeBytes) -> Result<Self, Invalid> {
        let fewest = size_bytes.div_ceil(SizeBytes::from(MAX_PARTS)).max(*PART_SIZE_BYTES.start());
        if (fewest..=*PART_SIZE_BYTES.end()).contains(&part_size_bytes) {
            Ok(Self { size_bytes, part_size_bytes })
        } else {
            let most = PART_SIZE_BYTES.end();
            Err(Invalid::new(format!(
                "must be from {fewest} to {most}: a file of {size_bytes} bytes may have {MAX_PARTS} parts"
            )))
        }
    }

    /// As it was recorded.
    pub(crate) fn recorded(size_bytes: SizeBytes, part_size_bytes: SizeBytes) -> Self {
        Self { size_bytes, part_size_bytes: part_size_bytes.max(1) }
    }

    /// How long every part but the last is.
    pub fn part_size_bytes(&self) -> SizeBytes {
        self.part_size_bytes
    }

    /// How many parts there are.
    pub fn part_count(&self) -> u16 {
        u16::try_from(self.size_bytes.div_ceil(self.part_size_bytes)).unwrap_or(MAX_PARTS).min(MAX_PARTS)
    }

    /// The part with this number, if there is one.
    pub fn part(&self, number: PartNumber) -> Option<Part> {
        let begins_at = self.part_size_bytes.saturating_mul(SizeBytes::from(number.0 - 1));
        let size_bytes = self.size_bytes.saturating_sub(begins_at).min(self.part_size_bytes);
        (number.0 <= self.part_count()).then_some(Part { number, size_bytes })
    }

    /// The part with this number, or the sentence that says which there are; `None` is what is no part number at all.
    pub fn find(&self, number: Option<PartNumber>) -> Result<Part, Invalid> {
        let most = self.part_count();
        let unknown = || Invalid::new(format!("must be a part number from 1 to {most}"));
        number.and_then(|number| self.part(number)).ok_or_else(unknown)
    }

    /// All parts, in order.
    pub fn parts(self) -> impl Iterator<Item = Part> {
        (1..=self.part_count()).filter_map(move |number| self.part(PartNumber(number)))
    }

    /// Which parts are not there, or not in their length.
    pub fn missing(&self, uploaded: &[UploadedPart]) -> Vec<PartNumber> {
        let sizes: BTreeMap<PartNumber, SizeBytes> =
            uploaded.iter().map(|part| (part.number, part.size_bytes)).collect();
        let is_missing = |part: &Part| sizes.get(&part.number) != Some(&part.size_bytes);
        self.parts().filter(is_missing).map(|part| part.number).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::MAX_OBJECT_SIZE_BYTES;
    use proptest::prelude::*;

    fn check(plan: PartPlan, size_bytes: SizeBytes) {
        let parts: Vec<Part> = plan.parts().collect();
        assert!((1..=usize::from(MAX_PARTS)).contains(&parts.len()));
        assert_eq!(parts.len(), usize::from(plan.part_count()));
        assert_eq!(parts.iter().map(|part| part.size_bytes).sum::<u64>(), size_bytes);
        let (last, others) = parts.split_last().unwrap();
        assert!(others.iter().all(|part| part.size_bytes == plan.part_size_bytes()));
        assert!(PART_SIZE_BYTES.contains(&plan.part_size_bytes()));
        assert!((1..=plan.part_size_bytes()).contains(&last.size_bytes));
        let numbers: Vec<u16> = parts.iter().map(|part| part.number.into()).collect();
        assert_eq!(numbers, (1..=plan.part_count()).collect::<Vec<_>>());
    }

    proptest! {
        #[test]
        fn any_file_is_cut_within_s3s_limits(size_bytes in 1..=MAX_OBJECT_SIZE_BYTES) {
            check(PartPlan::of(size_bytes), size_bytes);
        }

        #[test]
        fn a_clients_part_size_is_taken_if_s3_takes_it(
            size_bytes in 1..=MAX_OBJECT_SIZE_BYTES,
            part_size_bytes in 1..=6 * 1024 * MIB,
        ) {
            let fits = PART_SIZE_BYTES.contains(&part_size_bytes) && size_bytes.div_ceil(part_size_bytes) <= 10_000;
            match PartPlan::with_part_size(size_bytes, part_size_bytes) {
                Ok(plan) => {
                    prop_assert!(fits);
                    check(plan, size_bytes);
                }
                Err(_) => prop_assert!(!fits),
            }
        }
    }

    #[test]
    fn the_edges_are_where_s3_puts_them() {
        for (size_bytes, part_size_bytes, part_count) in [
            (1, 16 * MIB, 1),
            (16 * MIB, 16 * MIB, 1),
            (16 * MIB + 1, 16 * MIB, 2),
            (160_000 * MIB, 16 * MIB, 10_000),
            (160_000 * MIB + 1, 17 * MIB, 9_412),
            (MAX_OBJECT_SIZE_BYTES, 5 * 1024 * MIB, 10_000),
        ] {
            let plan = PartPlan::of(size_bytes);
            assert_eq!((plan.part_size_bytes(), plan.part_count()), (part_size_bytes, part_count));
            check(plan, size_bytes);
        }
        assert!(PartPlan::with_part_size(1, 5 * MIB).is_ok());
        assert!(PartPlan::with_part_size(1, 5 * MIB - 1).is_err());
        assert!(PartPlan::with_part_size(50_000 * MIB + 1, 5 * MIB).is_err());
    }

    #[test]
    fn a_part_is_found_by_its_number() {
        let plan = PartPlan::with_part_size(10 * MIB + 7, 5 * MIB).unwrap();
        let size_bytes = |number: u16| {
            plan.find(PartNumber::try_from(number).ok()).map(|part| part.size_bytes).map_err(|error| error.0)
        };
        assert_eq!((size_bytes(1), size_bytes(3)), (Ok(5 * MIB), Ok(7)));
        for wrong in [0, 4, 10_000, 10_001] {
            assert_eq!(size_bytes(wrong), Err("must be a part number from 1 to 3".to_owned()));
        }
    }

    #[test]
    fn a_part_is_missing_if_it_is_not_there_in_full() {
        let plan = PartPlan::with_part_size(10 * MIB + 7, 5 * MIB).unwrap();
        let part = |number: u16, size_bytes| UploadedPart {
            number: PartNumber(number),
            size_bytes,
            etag: "e".parse().unwrap(),
        };
        let missing =
            |parts: &[UploadedPart]| -> Vec<u16> { plan.missing(parts).into_iter().map(u16::from).collect() };
        assert_eq!(missing(&[]), [1, 2, 3]);
        assert_eq!(missing(&[part(3, 7), part(1, 5 * MIB - 1)]), [1, 2]);
        assert_eq!(missing(&[part(1, 5 * MIB), part(2, 5 * MIB), part(3, 7)]), [] as [u16; 0]);
    }

    #[test]
    fn numbers_and_tags_have_one_spelling() {
        let number = |text: &str| text.parse::<PartNumber>().map(u16::from);
        assert_eq!((number("1"), number("10000")), (Ok(1), Ok(10_000)));
        for wrong in ["0", "10001", "01", "+1", "-1", "1.0", "", "99999999999"] {
            assert!(number(wrong).is_err(), "{wrong}");
        }
        assert_eq!("\"ab-2\"".parse::<ETag>().unwrap(), "ab-2".parse().unwrap());
        for wrong in ["", "\"\"", "\"a", "a b", &"a".repeat(129)] {
            assert!(wrong.parse::<ETag>().is_err(), "{wrong}");
        }
    }
}
