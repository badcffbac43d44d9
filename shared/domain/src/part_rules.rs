//! What the parts of an upload have to be: as they were planned, or, where the file's size is not declared, as S3 takes
//! them, cut by the client.
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html>

use std::collections::{BTreeMap, BTreeSet};

use crate::{ETag, Invalid, MAX_PARTS, PART_SIZE_BYTES, Part, PartNumber, PartPlan, SizeBytes, UploadedPart};

/// How many parts may be on their way at once where no signature bounds their length. Uppy sends six, if not told otherwise.
const MAX_PARTS_UNDER_WAY: usize = 32;

/// What the parts of an upload have to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PartRules {
    /// Just these.
    Planned(PartPlan),
    /// As many as the client likes, all but the last of at least 5 MiB.
    Free {
        /// How long they may be together.
        max_size_bytes: SizeBytes,
    },
}

/// A part that is awaited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AwaitedPart {
    /// Its number.
    pub number: PartNumber,
    /// Its length, if it has to have one.
    pub size_bytes: Option<SizeBytes>,
}

impl From<Part> for AwaitedPart {
    fn from(Part { number, size_bytes }: Part) -> Self {
        Self { number, size_bytes: Some(size_bytes) }
    }
}

/// What a client says that it sent: parts, and the tags that S3 answered.
pub type NamedParts = BTreeMap<PartNumber, ETag>;

/// Why parts do not make up the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AssemblyError {
    /// These are not there, or not as they should be.
    Missing(Vec<PartNumber>),
    /// Together they are too long.
    TooLarge {
        /// How long they are.
        size_bytes: SizeBytes,
        /// How long they may be.
        max_size_bytes: SizeBytes,
    },
}

impl PartRules {
    /// The plan, if there is one.
    pub fn plan(&self) -> Option<&PartPlan> {
        match self {
            Self::Planned(plan) => Some(plan),
            Self::Free { .. } => None,
        }
    }

    /// How many parts there may be.
    fn max_parts(&self) -> u16 {
        match self {
            Self::Planned(plan) => plan.part_count(),
            Self::Free { max_size_bytes } => u16::try_from(max_size_bytes.div_ceil(*PART_SIZE_BYTES.start()))
                .unwrap_or(MAX_PARTS)
                .min(MAX_PARTS),
        }
    }

    /// The part with this number, or the sentence that says which there are; `None` is what is no part number at all.
    pub fn find(&self, number: Option<PartNumber>) -> Result<AwaitedPart, Invalid> {
        match self {
            Self::Planned(plan) => plan.find(number).map(AwaitedPart::from),
            Self::Free { .. } => {
                let most = self.max_parts();
                number
                    .filter(|number| u16::from(*number) <= most)
                    .map(|number| AwaitedPart { number, size_bytes: None })
                    .ok_or_else(|| Invalid::new(format!("must be a part number from 1 to {most}")))
            }
        }
    }

    /// Whether a part may be signed while these are there. A signature bounds the length of a planned part and of no other:
    /// of those only so many may be under way, and none more once what is there is too long. What is there counts against
    /// no quota yet.
    pub fn check_under_way(
        &self,
        number: PartNumber,
        uploaded: &[UploadedPart],
    ) -> Result<(), AssemblyError> {
        let Self::Free { max_size_bytes } = *self else { return Ok(()) };
        let size_bytes = total_size_bytes(uploaded);
        if size_bytes > max_size_bytes {
            return Err(AssemblyError::TooLarge { size_bytes, max_size_bytes });
        }
        let there: BTreeSet<PartNumber> = uploaded.iter().map(|part| part.number).collect();
        let under_way: Vec<PartNumber> =
            PartNumber::FIRST.up_to(number).filter(|number| !there.contains(number)).collect();
        if under_way.len() > MAX_PARTS_UNDER_WAY { Err(AssemblyError::Missing(under_way)) } else { Ok(()) }
    }

    /// Those of the uploaded parts that make up the file, in order, if all of it is there as it should be; and, if the client
    /// named theirs, as they sent it. Of parts that were cut freely, the named ones are the file.
    pub fn assemble(
        &self,
        uploaded: Vec<UploadedPart>,
        named: Option<&NamedParts>,
    ) -> Result<Vec<UploadedPart>, AssemblyError> {
        match self {
            Self::Planned(plan) => assemble_planned(plan, uploaded, named),
            Self::Free { max_size_bytes } => assemble_free(*max_size_bytes, uploaded, named),
        }
    }

    /// Which parts are known not to be there, or not in their length.
    pub fn missing(&self, uploaded: &[UploadedPart]) -> Vec<PartNumber> {
        match self.assemble(uploaded.to_vec(), None) {
            Err(AssemblyError::Missing(missing)) => missing,
            Ok(_) | Err(AssemblyError::TooLarge { .. }) => Vec::new(),
        }
    }
}

/// How long parts are together.
pub fn total_size_bytes(parts: &[UploadedPart]) -> SizeBytes {
    parts.iter().fold(0, |sum, part| sum.saturating_add(part.size_bytes))
}

/// Whether the client sent another part than this one under its number, or none.
fn is_another(part: &UploadedPart, named: Option<&NamedParts>) -> bool {
    named.is_some_and(|named| named.get(&part.number) != Some(&part.etag))
}

fn assemble_planned(
    plan: &PartPlan,
    mut parts: Vec<UploadedPart>,
    named: Option<&NamedParts>,
) -> Result<Vec<UploadedPart>, AssemblyError> {
    parts.retain(|part| plan.part(part.number).is_some());
    let mut missing: BTreeSet<PartNumber> = plan.missing(&parts).into_iter().collect();
    missing.extend(parts.iter().filter(|part| is_another(part, named)).map(|part| part.number));
    if missing.is_empty() { Ok(parts) } else { Err(AssemblyError::Missing(missing.into_iter().collect())) }
}

fn assemble_free(
    max_size_bytes: SizeBytes,
    uploaded: Vec<UploadedPart>,
    named: Option<&NamedParts>,
) -> Result<Vec<UploadedPart>, AssemblyError> {
    let mut uploaded: BTreeMap<PartNumber, UploadedPart> =
        uploaded.into_iter().map(|part| (part.number, part)).collect();
    let last = match named {
        Some(named) => named.keys().next_back(),
        None => uploaded.keys().next_back(),
    };
    let last = last.copied().unwrap_or(PartNumber::FIRST);
    let (mut parts, mut missing) = (Vec::new(), Vec::new());
    for number in PartNumber::FIRST.up_to(last) {
        let shortest = if number == last { 1 } else { *PART_SIZE_BYTES.start() };
        let is_whole = |part: &UploadedPart| part.size_bytes >= shortest && !is_another(part, named);
        match uploaded.remove(&number).filter(is_whole) {
            Some(part) => parts.push(part),
            None => missing.push(number),
        }
    }
    if !missing.is_empty() {
        return Err(AssemblyError::Missing(missing));
    }
    let size_bytes = total_size_bytes(&parts);
    if size_bytes > max_size_bytes {
        return Err(AssemblyError::TooLarge { size_bytes, max_size_bytes });
    }
    Ok(parts)
}

#[cfg(test)]
mod tests;
