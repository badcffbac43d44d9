//! The ISO base media file format (ISO/IEC 14496-12) and QuickTime: MP4, MOV, M4A, 3GP, fragmented MP4.
//!
//! The walk hops from box to box at the top of the file, reading headers only, until it has the movie box (`moov`)
//! and knows whether the media data (`mdat`) is complete; in a fragmented file it goes on to where the last fragment
//! ends. There it gets by an index, by a search from the end of the file, or else from fragment to fragment.
//!
//! A bound on reads, bytes or boxes that is met after the movie box was read does not refuse the file: its fragments
//! are too many, which is no fault. Its duration is then what `mehd` says, or is estimated by the fragments seen.
//!
//! A file that lacks its movie box, or ends within a movie box, a fragment or its media data, is malformed: it was
//! cut off. A box that makes no sense elsewhere ends the walk there, and what was found before counts.

mod audio_entry;
mod boxes;
mod entry;
pub(crate) mod esds;
mod fragment;
mod language;
mod last_fragment;
mod movie;
mod sample_table;
mod tags;
mod track;
mod tree;
mod video_entry;

use boxes::{FourCc, HEADER_BYTES, Header};
use fragment::{SegmentIndex, Timelines};
use last_fragment::{FIRST_STEP_BYTES, MAX_SEARCH_BYTES, Search};
use movie::{Coverage, Layout, Movie};
use tree::Tables;

use crate::error::ProbeError;
use crate::metadata::{Metadata, float};
use crate::reader::{Reader, WINDOW_BYTES};
use crate::source::ByteSource;

pub use tree::MAX_BOXES;

/// The most bytes that one probe reads of the index of an MP4, its `moov` box, on top of
/// [`MAX_BYTES`](crate::MAX_BYTES). A larger index is still read, because the tables that make it large are skipped.
pub const MAX_MOOV_BYTES: u64 = 32 * 1024 * 1024;

/// The most reads that one probe makes for the fragments of an MP4, on top of [`MAX_READS`](crate::MAX_READS): one
/// for each where neither an index nor the end of the file shows where the last one is.
pub const MAX_FRAGMENT_READS: u32 = 384;

/// The most bytes that one probe reads for the fragments of an MP4, on top of [`MAX_BYTES`](crate::MAX_BYTES): 8 MiB
/// to search the end of the file for the last one, 4 MiB for heads of fragments.
pub const MAX_FRAGMENT_BYTES: u64 = 12 * 1024 * 1024;

/// A movie box up to this long is read whole, in one go.
const SMALL_MOOV_BYTES: u64 = 1024 * 1024;
/// Read beyond the movie box and beyond a fragment's head, for the headers that follow it.
const BEYOND_BYTES: u64 = 1024;
/// Smallest window of the hops from fragment to fragment.
const HOP_WINDOW_BYTES: u64 = 4 * 1024;
/// A longer segment index than this is not read.
const MAX_INDEX_BYTES: u64 = 256 * 1024;
/// The most segment indexes that are remembered at once: one per track of a segment.
const MAX_PENDING_INDEXES: usize = 16;

/// Reads the metadata of a file that looks like one of the family.
pub(crate) async fn probe<S: ByteSource>(
    reader: &mut Reader<'_, S>,
) -> Result<Metadata, ProbeError<S::Error>> {
    Walk::new(reader).run().await
}

enum Step {
    To(u64),
    Done,
}

struct Walk<'r, 's, S: ByteSource> {
    reader: &'r mut Reader<'s, S>,
    boxes_left: u32,
    major_brand: Option<FourCc>,
    movie: Option<Movie>,
    moov_offset: u64,
    first_mdat: Option<u64>,
    fragmented: bool,
    timelines: Timelines,
    coverage: Coverage,
    first_moof: Option<u64>,
    latest_moof: u64,
    /// Indexes met since the last jump, and where their segments end.
    pending: Vec<SegmentIndex>,
    pending_end: u64,
    has_looked_for_the_last_fragment: bool,
}

impl<'r, 's, S: ByteSource> Walk<'r, 's, S> {
    fn new(reader: &'r mut Reader<'s, S>) -> Self {
        Self {
            reader,
            boxes_left: MAX_BOXES,
            major_brand: None,
            movie: None,
            moov_offset: 0,
            first_mdat: None,
            fragmented: false,
            timelines: Timelines::new(),
            coverage: Coverage::Whole,
            first_moof: None,
            latest_moof: 0,
            pending: Vec::new(),
            pending_end: 0,
            has_looked_for_the_last_fragment: false,
        }
    }

    async fn run(mut self) -> Result<Metadata, ProbeError<S::Error>> {
        let mut position = 0;
        while position < self.reader.len() {
            match self.step(position).await {
                Ok(Step::To(next)) => position = next,
                Ok(Step::Done) => break,
                Err(ProbeError::LimitExceeded { .. }) if self.movie.is_some() => {
                    self.coverage = self.coverage_up_to(position);
                    break;
                }
                Err(error) => return Err(error),
            }
        }
        self.finish(position)
    }

    /// Goes on from `position`: ends, because a step that stays there can only be the one jump that led nowhere.
    async fn step(&mut self, position: u64) -> Result<Step, ProbeError<S::Error>> {
        if self.is_long_way_from(position) {
            return self.jump(position).await;
        }
        let Some(header) = self.header(position).await? else { return Ok(Step::Done) };
        self.visit(position, header).await
    }

    /// What is known of the fragments when those up to `position` were seen.
    fn coverage_up_to(&self, position: u64) -> Coverage {
        let first = [self.first_mdat, self.first_moof].into_iter().flatten().min().unwrap_or(position);
        let (whole, seen) = (self.reader.len().saturating_sub(first), position.saturating_sub(first));
        let whole_by_seen = if seen > 0 { float(whole) / float(seen) } else { 1.0 };
        Coverage::Part { whole_by_seen }
    }

    fn finish(self, position: u64) -> Result<Metadata, ProbeError<S::Error>> {
        let Some(movie) = self.movie else {
            return Err(no_movie(self.major_brand, self.fragmented, position));
        };
        let size_bytes = self.reader.len();
        let beyond = |offset: &u64| *offset >= size_bytes;
        let misses_samples =
            movie.tracks.iter().any(|track| track.samples.last_chunk_offset.as_ref().is_some_and(beyond));
        // A movie box all alone, as of a film whose media data lies elsewhere, is not cut off.
        if misses_samples && self.first_mdat.is_some() {
            return Err(ProbeError::malformed("its index points to media data beyond the end of the file"));
        }
        Ok(movie.into_metadata(&Layout {
            size_bytes,
            fast_start: self.first_mdat.is_none_or(|mdat| self.moov_offset < mdat),
            fragmented: self.fragmented,
            timelines: self.timelines,
            coverage: self.coverage,
        }))
    }

    /// The header at `position`; `None` where there is no box.
    async fn header(&mut self, position: u64) -> Result<Option<Header>, ProbeError<S::Error>> {
        let bytes = self.reader.read(position..position.saturating_add(HEADER_BYTES)).await?;
        Ok(Header::parse(&bytes).filter(Header::has_plausible_kind))
    }

    async fn visit(&mut self, position: u64, header: Header) -> Result<Step, ProbeError<S::Error>> {
        tree::spend_box(&mut self.boxes_left)?;
        let len = self.reader.len();
        let end = header.end(position, len);
        let missing = header.size.map_or(0, |size| size.saturating_sub(len - position));
        match &header.kind {
            b"ftyp" => {
                let body = position + header.body_offset;
                self.major_brand = self.reader.read(body..body + 4).await?.first_chunk().copied();
            }
            b"mdat" => {
                self.first_mdat.get_or_insert(position);
                if missing > 0 {
                    return Err(cut_off("its media data", missing, self.movie.is_none()));
                }
                if self.movie.as_ref().is_some_and(|movie| !movie.is_extended && movie.has_samples()) {
                    return Ok(Step::Done);
                }
            }
            b"moov" if self.movie.is_none() => {
                if missing > 0 {
                    return Err(cut_off("its index (moov)", missing, false));
                }
                self.read_movie(position, header).await?;
                // Once the media data is found to be complete, nothing that follows the index is needed.
                if self.first_mdat.is_some() && self.movie.as_ref().is_some_and(|movie| !movie.is_extended) {
                    return Ok(Step::Done);
                }
            }
            b"moof" => {
                if missing > 0 {
                    return Err(cut_off("its last fragment", missing, self.movie.is_none()));
                }
                self.read_fragment(position, header).await?;
            }
            b"sidx" if self.pending.len() < MAX_PENDING_INDEXES => self.read_index(position, header).await?,
            b"mfra" => return Ok(Step::Done),
            _ if missing > 0 && self.movie.is_none() => {
                return Err(cut_off("a part of it", missing, true));
            }
            _ => {}
        }
        Ok(Step::To(end))
    }

    async fn read_movie(&mut self, position: u64, header: Header) -> Result<(), ProbeError<S::Error>> {
        let end = header.end(position, self.reader.len());
        let size = end - position;
        self.reader.allow(size.min(MAX_MOOV_BYTES));
        let tables = if size <= SMALL_MOOV_BYTES {
            self.reader.read(position..end.saturating_add(BEYOND_BYTES)).await?;
            Tables::Whole
        } else {
            Tables::Heads
        };
        let moov = tree::read(self.reader, &mut self.boxes_left, position, header, tables).await?;
        if moov.child(*b"cmov").is_some() {
            return Err(ProbeError::malformed(
                "its index is compressed, as old QuickTime did, and cannot be read",
            ));
        }
        self.movie = Some(Movie::parse(&moov));
        self.moov_offset = position;
        Ok(())
    }

    async fn read_fragment(&mut self, position: u64, header: Header) -> Result<(), ProbeError<S::Error>> {
        self.fragmented = true;
        let Some(movie) = &self.movie else { return Ok(()) };
        if self.first_moof.is_none() {
            self.first_moof = Some(position);
            self.reader.allow(MAX_FRAGMENT_BYTES);
            self.reader.allow_reads(MAX_FRAGMENT_READS);
        }
        self.latest_moof = position;
        let end = header.end(position, self.reader.len());
        let with_next_header = end.saturating_add(BEYOND_BYTES);
        // The next fragment's head is probably as long as this one.
        self.reader.set_window((with_next_header - position).clamp(HOP_WINDOW_BYTES, WINDOW_BYTES));
        self.reader.read(position..with_next_header.min(position.saturating_add(WINDOW_BYTES))).await?;
        let moof = tree::read(self.reader, &mut self.boxes_left, position, header, Tables::Whole).await?;
        fragment::add_moof(&moof, movie, &mut self.timelines);
        Ok(())
    }

    async fn read_index(&mut self, position: u64, header: Header) -> Result<(), ProbeError<S::Error>> {
        let end = header.end(position, self.reader.len());
        if end - position > MAX_INDEX_BYTES {
            return Ok(());
        }
        let body = self.reader.read(position + header.body_offset..end).await?;
        if let Some(index) = SegmentIndex::parse(&body) {
            self.pending_end = self.pending_end.max(end.saturating_add(index.end_offset));
            self.pending.push(index);
        }
        Ok(())
    }

    /// Whether fragments were found and there are many bytes to the end of which nothing is known.
    fn is_long_way_from(&self, position: u64) -> bool {
        let may_jump = !self.pending.is_empty() || !self.has_looked_for_the_last_fragment;
        may_jump
            && self.fragmented
            && self.movie.is_some()
            && !self.reader.is_cached(position..position.saturating_add(HEADER_BYTES))
            && !self.reader.rest_is_short(position)
    }

    /// Goes from `position` to where indexed segments end if that is the end of the file, else to the last fragment
    /// that can be found, else to where indexed segments end.
    async fn jump(&mut self, position: u64) -> Result<Step, ProbeError<S::Error>> {
        let indexes = std::mem::take(&mut self.pending);
        let indexed_end = std::mem::take(&mut self.pending_end);
        let is_indexed_to_the_end = position < indexed_end && self.reader.rest_is_short(indexed_end);
        if !is_indexed_to_the_end
            && !std::mem::replace(&mut self.has_looked_for_the_last_fragment, true)
            && let Some(step) = self.jump_to_the_last_fragment(position).await?
        {
            return Ok(step);
        }
        let Some(movie) = self.movie.as_ref().filter(|_| position < indexed_end) else {
            return Ok(Step::To(position));
        };
        for index in indexes {
            index.add_to(movie, &mut self.timelines);
        }
        Ok(Step::To(indexed_end.min(self.reader.len())))
    }

    async fn jump_to_the_last_fragment(
        &mut self,
        position: u64,
    ) -> Result<Option<Step>, ProbeError<S::Error>> {
        let Some(movie) = &self.movie else { return Ok(None) };
        // Where fragments do not say when they start, all of them have to be added up.
        if self.timelines.values().all(|timeline| timeline.is_absolute) {
            let search = Search {
                movie,
                after: position,
                fragment_bytes: position.saturating_sub(self.latest_moof),
                // What the movie box says is as good as what a long search would find.
                max_bytes: if movie.knows_fragment_duration() { FIRST_STEP_BYTES } else { MAX_SEARCH_BYTES },
            };
            if let Some(last) = search.run(self.reader).await? {
                return Ok(Some(Step::To(last)));
            }
        }
        if movie.knows_fragment_duration() {
            self.coverage = Coverage::SaidByMovie;
            return Ok(Some(Step::Done));
        }
        Ok(None)
    }
}

fn cut_off<E>(part: &str, missing_bytes: u64, lacks_index: bool) -> ProbeError<E> {
    let index = if lacks_index { ", and there is no index (moov)" } else { "" };
    let bytes = if missing_bytes == 1 { "byte" } else { "bytes" };
    ProbeError::malformed(format!("it ends {missing_bytes} {bytes} before the end of {part}{index}"))
}

/// Why a file without a movie box is refused; the walk ended at `position`.
fn no_movie<E>(major_brand: Option<FourCc>, fragmented: bool, position: u64) -> ProbeError<E> {
    const IMAGE_BRANDS: [&FourCc; 9] =
        [b"heic", b"heix", b"heim", b"heis", b"hevc", b"mif1", b"msf1", b"avif", b"avis"];
    if major_brand.is_some_and(|brand| IMAGE_BRANDS.contains(&&brand)) {
        return ProbeError::Unsupported { looks_like: Some("a HEIF or AVIF image") };
    }
    if fragmented {
        return ProbeError::malformed(
            "it is a segment of a stream without the index (moov) that belongs to it",
        );
    }
    ProbeError::malformed(format!(
        "there is no index (moov) in it, up to byte {position} where its parts end"
    ))
}

#[cfg(test)]
mod tests;
