//! Where the last fragment of a file begins, found from the end of the file, so that those between need not be read.
//!
//! The random access index (`mfra`) at the end of the file names it. Where there is none, the fragment shows itself:
//! the file is searched backwards for a `moof` box, in few steps that grow, because a fragment of some seconds at a
//! high bit rate is several mebibytes long and its media data has to be read through.
//!
//! The bytes of a `moof` may also occur within media data. So what is found has to hold a fragment of a track that
//! the movie has, and the boxes behind it have to follow one another to the end of the file.
//!
//! Finds nothing, without an error, where the last fragment is longer than the search is allowed to go.

use super::boxes::{self, Header};
use super::fragment;
use super::movie::Movie;
use crate::error::ProbeError;
use crate::reader::{Reader, SHORT_REST_BYTES};
use crate::source::ByteSource;

/// The first step of the search.
pub(super) const FIRST_STEP_BYTES: u64 = SHORT_REST_BYTES;
/// The least that the second step searches; each further one searches [`GROWTH`] times as much.
const SECOND_STEP_BYTES: u64 = 1024 * 1024;
const GROWTH: u64 = 4;
/// The most that is searched.
pub(super) const MAX_SEARCH_BYTES: u64 = 8 * 1024 * 1024;
/// A longer random access index than this is not read.
const MAX_INDEX_BYTES: u64 = 2 * 1024 * 1024;
/// The most places that are examined for being a fragment, and the most boxes that are followed from them: what looks
/// like one by chance fails at once.
const MAX_CANDIDATES: usize = 256;
const MAX_FOLLOWED_BOXES: u32 = 20_000;
/// Bytes that tell a `moof`: its header, and that of the `mfhd` in it.
const SIGNATURE_BYTES: usize = 16;

/// What the walk knows when it looks for the last fragment.
#[derive(Clone, Copy)]
pub(super) struct Search<'m> {
    pub(super) movie: &'m Movie,
    /// Where the last fragment begins at the earliest.
    pub(super) after: u64,
    /// How long fragments seem to be: the length of one in bytes.
    pub(super) fragment_bytes: u64,
    /// How much to search at most, counted from the end of the file.
    pub(super) max_bytes: u64,
}

impl Search<'_> {
    /// Offset of the last fragment, or of one close before it.
    pub(super) async fn run<S: ByteSource>(
        self,
        reader: &mut Reader<'_, S>,
    ) -> Result<Option<u64>, ProbeError<S::Error>> {
        let len = reader.len();
        let mut start = len.saturating_sub(FIRST_STEP_BYTES).max(self.after);
        let mut tail = reader.read(start..len).await?;
        if let Some(indexed) = self.by_index(reader, &tail).await? {
            return Ok(Some(indexed));
        }
        let mut is_new = tail.len();
        loop {
            if let Some(found) = self.first_moof(&tail, is_new) {
                return Ok(Some(start + found as u64));
            }
            let searched = len - start;
            if start == self.after || searched >= self.max_bytes {
                return Ok(None);
            }
            let earlier = len.saturating_sub(self.next_step(searched)).max(self.after);
            tail = reader.read(earlier..len).await?;
            is_new = usize::try_from(start - earlier).unwrap_or(usize::MAX);
            start = earlier;
        }
    }

    /// How much to search when the last `searched` bytes hold no fragment: enough for one like the known one.
    fn next_step(&self, searched: u64) -> u64 {
        let likely = self.fragment_bytes.saturating_add(self.fragment_bytes / 8 + 64 * 1024);
        let grown =
            if searched < SECOND_STEP_BYTES { SECOND_STEP_BYTES } else { searched.saturating_mul(GROWTH) };
        let step = if likely > self.max_bytes { grown } else { grown.max(likely) };
        step.min(self.max_bytes)
    }

    /// The last fragment that the random access index names, if the file ends with one.
    async fn by_index<S: ByteSource>(
        &self,
        reader: &mut Reader<'_, S>,
        tail: &[u8],
    ) -> Result<Option<u64>, ProbeError<S::Error>> {
        let len = reader.len();
        let size = tail.last_chunk::<16>().and_then(|last| fragment::parse_mfro(last));
        let Some(offset) = size
            .filter(|size| *size <= MAX_INDEX_BYTES)
            .and_then(|size| len.checked_sub(size))
            .filter(|offset| *offset > self.after)
        else {
            return Ok(None);
        };
        let mfra = reader.read(offset..len).await?;
        let tables = boxes::children(mfra.get(8..).unwrap_or_default()).filter(|(kind, _)| kind == b"tfra");
        let last = tables.filter_map(|(_, tfra)| fragment::last_moof_offset(tfra)).max();
        let Some(last) = last.filter(|last| (self.after..offset).contains(last)) else { return Ok(None) };
        let header = Header::parse(&reader.read(last..last.saturating_add(boxes::HEADER_BYTES)).await?);
        Ok(header.filter(|header| &header.kind == b"moof").map(|_| last))
    }

    /// Where the first fragment that begins in the first `is_new` bytes of `tail` begins.
    fn first_moof(&self, tail: &[u8], is_new: usize) -> Option<usize> {
        let searched = tail.get(..is_new.saturating_add(SIGNATURE_BYTES - 1)).unwrap_or(tail);
        let mut starts = searched
            .windows(SIGNATURE_BYTES)
            .enumerate()
            .filter(|(_, window)| &window[4..8] == b"moof" && &window[12..] == b"mfhd")
            .map(|(start, _)| start)
            .take(MAX_CANDIDATES);
        let mut boxes_left = MAX_FOLLOWED_BOXES;
        starts.find(|start| self.leads_to_the_end(tail.get(*start..).unwrap_or_default(), &mut boxes_left))
    }

    /// Whether `rest`, which reaches to the end of the file, begins with a fragment of the movie, and boxes follow
    /// one another from there to the end. Stray bytes may come last, and media data may be cut off, of which the walk
    /// then tells.
    fn leads_to_the_end(&self, mut rest: &[u8], boxes_left: &mut u32) -> bool {
        let mut is_first = true;
        let mut has_media_data = false;
        while !rest.is_empty() {
            let Some(left) = boxes_left.checked_sub(1) else { return false };
            *boxes_left = left;
            let Some(header) = Header::parse(rest).filter(Header::has_plausible_kind) else { break };
            let reaches = header.size.filter(|size| *size <= rest.len() as u64);
            let Some(size) = reaches.and_then(|size| usize::try_from(size).ok()) else {
                return !is_first && &header.kind == b"mdat";
            };
            if is_first && !fragment::is_moof_of(self.movie, rest.get(8..size).unwrap_or_default()) {
                return false;
            }
            is_first = false;
            has_media_data |= &header.kind == b"mdat";
            rest = rest.get(size..).unwrap_or_default();
        }
        has_media_data
    }
}
