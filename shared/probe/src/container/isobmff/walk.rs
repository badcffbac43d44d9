//! The walk from box to box at the top of a file: headers only, until the movie box (`moov`) is read and it is known
//! whether the media data (`mdat`) is complete; in a fragmented file, to where the last fragment ends.
//!
//! Four reads have to do. The first takes in the head of the file, which mostly holds all that matters. A movie box
//! behind the media data takes one more where it is short, else one for its header and one for the rest. Where the
//! media data is in many stretches, the last read takes in the end of the file, which is searched for the movie box.
//!
//! In a fragmented file the walk goes through the fragments in the head, and from there to those in the end, by an
//! index or by a search. What lies between is not read: fragments mostly say when they start. Where they do not, the
//! duration is an estimate by size.

use super::boxes::{FourCc, HEADER_BYTES, Header};
use super::entry::SampleEntry;
use super::fragment::{self, SegmentIndex, Timelines};
use super::movie::{Coverage, Layout, Movie};
use super::{MAX_BOXES, MAX_MOOV_BYTES, compressed, search, tree};
use crate::error::ProbeError;
use crate::metadata::{Metadata, float};
use crate::reader::{Reader, SHORT_REST_BYTES, WINDOW_BYTES};
use crate::source::ByteSource;

/// Read beyond the movie box and beyond a fragment's head, for the headers that follow it.
const BEYOND_BYTES: u64 = 1024;
/// What follows the media data is read in one go up to this length.
const SHORT_INDEX_BYTES: u64 = 640 * 1024;
/// Of a longer head of a fragment only the start is read.
const MAX_MOOF_BYTES: u64 = 256 * 1024;
/// A longer segment index than this is not read.
const MAX_SIDX_BYTES: u64 = 256 * 1024;
/// The most segment indexes that are remembered at once: one per track of a segment.
const MAX_PENDING_INDEXES: usize = 16;

/// Enough of a frame of audio to know its channels.
const FRAME_HEADER_BYTES: u64 = 32;

enum Step {
    To(u64),
    Done,
}

pub(super) struct Walk<'r, 's, S: ByteSource> {
    reader: &'r mut Reader<'s, S>,
    boxes_left: u32,
    major_brand: Option<FourCc>,
    movie: Option<Movie>,
    moov_offset: u64,
    /// Whether the movie box is longer than may be read.
    is_movie_cut: bool,
    first_mdat: Option<u64>,
    fragmented: bool,
    /// By which the last box is longer than the file.
    missing_bytes: u64,
    timelines: Timelines,
    coverage: Coverage,
    first_moof: Option<u64>,
    latest_moof: u64,
    /// Where the latest head of a fragment that was read in part ends: how long its media data is has to be known.
    long_moof_end: Option<u64>,
    /// Indexes met since the last jump, and where their segments end.
    pending: Vec<SegmentIndex>,
    pending_end: u64,
    has_looked_for_the_last_fragment: bool,
    /// Fragments jumped over that do not say when they start.
    untimed_bytes: u64,
}

impl<'r, 's, S: ByteSource> Walk<'r, 's, S> {
    pub(super) fn new(reader: &'r mut Reader<'s, S>) -> Self {
        Self {
            reader,
            boxes_left: MAX_BOXES,
            major_brand: None,
            movie: None,
            moov_offset: 0,
            is_movie_cut: false,
            first_mdat: None,
            fragmented: false,
            missing_bytes: 0,
            timelines: Timelines::new(),
            coverage: Coverage::Whole,
            first_moof: None,
            latest_moof: 0,
            long_moof_end: None,
            pending: Vec::new(),
            pending_end: 0,
            has_looked_for_the_last_fragment: false,
            untimed_bytes: 0,
        }
    }

    pub(super) async fn run(mut self) -> Result<Metadata, ProbeError<S::Error>> {
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
        if self.untimed_bytes > 0 && self.coverage == Coverage::Whole {
            self.coverage = self.coverage_up_to(self.reader.len());
        }
        self.read_first_frames().await?;
        self.finish(position)
    }

    /// Lets the first frame of each track that knows better than its entry speak, where it is at hand or there is a
    /// read left for it.
    async fn read_first_frames(&mut self) -> Result<(), ProbeError<S::Error>> {
        let Some(movie) = &mut self.movie else { return Ok(()) };
        for track in &mut movie.tracks {
            let SampleEntry::Audio(entry) = &mut track.entry else { continue };
            let Some(start) = track.samples.first_chunk_offset.filter(|_| entry.is_told_by_frames()) else {
                continue;
            };
            let range = start..start.saturating_add(FRAME_HEADER_BYTES);
            if self.reader.can_read(range.clone()) {
                entry.read_frame(&self.reader.read(range).await?);
            }
        }
        Ok(())
    }

    /// Goes on from `position`. Ends: it goes forward, or stays once for each read.
    async fn step(&mut self, position: u64) -> Result<Step, ProbeError<S::Error>> {
        if !self.reader.is_cached(position..position.saturating_add(HEADER_BYTES)) {
            if self.movie.is_none() {
                return self.read_towards_the_movie(position).await;
            }
            if self.fragmented && self.long_moof_end != Some(position) {
                return self.jump(position).await;
            }
        }
        let Some(header) = self.header(position).await? else { return Ok(Step::Done) };
        self.visit(position, header).await
    }

    /// What is known of the fragments when those up to `position` were seen.
    fn coverage_up_to(&self, position: u64) -> Coverage {
        let first = [self.first_mdat, self.first_moof].into_iter().flatten().min().unwrap_or(position);
        let whole = self.reader.len().saturating_sub(first);
        let seen = position.saturating_sub(first).saturating_sub(self.untimed_bytes);
        let whole_by_seen = if seen > 0 { float(whole) / float(seen) } else { 1.0 };
        Coverage::Part { whole_by_seen }
    }

    fn finish(self, position: u64) -> Result<Metadata, ProbeError<S::Error>> {
        let Some(movie) = self.movie else {
            return Err(no_movie(self.major_brand, self.fragmented, position));
        };
        if movie.tracks.is_empty() && (self.is_movie_cut || self.boxes_left == 0) {
            let limit = format!(
                "its index (moov) names no track within {MAX_MOOV_BYTES} bytes and {MAX_BOXES} boxes"
            );
            return Err(ProbeError::LimitExceeded { limit });
        }
        let size_bytes = self.reader.len();
        let beyond = |offset: &u64| *offset >= size_bytes;
        let misses_samples =
            movie.tracks.iter().any(|track| track.samples.last_chunk_offset.as_ref().is_some_and(beyond));
        // A movie box all alone, as of a film whose media data lies elsewhere, is not cut off.
        let truncated = self.missing_bytes > 0 || (misses_samples && self.first_mdat.is_some());
        Ok(movie.into_metadata(&Layout {
            size_bytes,
            fast_start: self.first_mdat.is_none_or(|mdat| self.moov_offset < mdat),
            fragmented: self.fragmented,
            truncated,
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
        self.boxes_left = self.boxes_left.checked_sub(1).ok_or_else(too_many_boxes)?;
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
                if missing > 0 && self.movie.is_none() {
                    return Err(cut_off("its media data", missing, true));
                }
                self.missing_bytes = missing;
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
            b"moof" if missing > 0 => {
                if self.timelines.is_empty() {
                    return Err(cut_off("its first fragment", missing, self.movie.is_none()));
                }
                self.missing_bytes = missing;
                return Ok(Step::Done);
            }
            b"moof" => return self.visit_fragment(position, header).await,
            b"sidx" if self.pending.len() < MAX_PENDING_INDEXES => self.read_index(position, header).await?,
            b"mfra" => return Ok(Step::Done),
            _ if missing > 0 && self.movie.is_none() => {
                return Err(cut_off("a part of it", missing, true));
            }
            _ => {}
        }
        Ok(Step::To(end))
    }

    /// Reads on from `position`, where nothing is known yet and the movie box is still to come. Stays where it is, or
    /// goes to the movie box.
    async fn read_towards_the_movie(&mut self, position: u64) -> Result<Step, ProbeError<S::Error>> {
        let len = self.reader.len();
        let rest = len - position;
        let is_last_read = self.reader.reads_left() <= 1;
        if rest <= SHORT_INDEX_BYTES || (is_last_read && rest <= self.reader.bytes_left()) {
            self.reader.read(position..len).await?;
        } else if is_last_read {
            let start = len - self.reader.bytes_left();
            let tail = self.reader.read(start..len).await?;
            let Some(found) = search::find_movie(&tail) else {
                return Err(ProbeError::LimitExceeded {
                    limit: "its index (moov) was not found by so few reads".to_owned(),
                });
            };
            return Ok(Step::To(start + found as u64));
        } else {
            self.header(position).await?;
        }
        Ok(Step::To(position))
    }

    async fn read_movie(&mut self, position: u64, header: Header) -> Result<(), ProbeError<S::Error>> {
        let end = header.end(position, self.reader.len());
        let size = end - position;
        self.is_movie_cut = size > MAX_MOOV_BYTES;
        let read_bytes = size.min(MAX_MOOV_BYTES);
        if !self.reader.is_cached(position..end) {
            self.reader.allow(read_bytes);
        }
        let beyond = if self.is_movie_cut { 0 } else { BEYOND_BYTES };
        let bytes = self.reader.read(position..position.saturating_add(read_bytes + beyond)).await?;
        let mut moov = tree::read(&bytes, header, &mut self.boxes_left);
        if let Some(cmov) = moov.data(*b"cmov") {
            let unreadable = || ProbeError::malformed("its compressed index (cmov) cannot be read");
            let inflated = compressed::inflate(cmov).ok_or_else(unreadable)?;
            let header = Header::parse(&inflated).ok_or_else(unreadable)?;
            moov = tree::read(&inflated, header, &mut self.boxes_left);
        }
        self.movie = Some(Movie::parse(&moov));
        self.moov_offset = position;
        Ok(())
    }

    async fn visit_fragment(&mut self, position: u64, header: Header) -> Result<Step, ProbeError<S::Error>> {
        self.fragmented = true;
        let end = header.end(position, self.reader.len());
        let Some(movie) = &self.movie else { return Ok(Step::To(end)) };
        let read_end = end.min(position.saturating_add(MAX_MOOF_BYTES));
        // One that the head of the file cuts in two is not worth a read: the last one is.
        let is_first = self.first_moof.is_none();
        if !is_first && !self.has_looked_for_the_last_fragment && !self.reader.is_cached(position..read_end) {
            return self.jump(position).await;
        }
        self.first_moof.get_or_insert(position);
        self.latest_moof = position;
        let bytes = self.reader.read(position..read_end).await?;
        let moof = tree::read(&bytes, header, &mut self.boxes_left);
        fragment::add_moof(&moof, movie, &mut self.timelines);
        self.long_moof_end = (read_end < end).then_some(end);
        Ok(Step::To(end))
    }

    async fn read_index(&mut self, position: u64, header: Header) -> Result<(), ProbeError<S::Error>> {
        let end = header.end(position, self.reader.len());
        if end - position > MAX_SIDX_BYTES {
            return Ok(());
        }
        let body = self.reader.read(position + header.body_offset..end).await?;
        if let Some(index) = SegmentIndex::parse(&body) {
            self.pending_end = self.pending_end.max(end.saturating_add(index.end_offset));
            self.pending.push(index);
        }
        Ok(())
    }

    /// Goes on from `position`, up to which fragments are known: to where indexed segments end if that is the end of
    /// the file, else to the last fragments that can be found, else to where indexed segments end.
    async fn jump(&mut self, position: u64) -> Result<Step, ProbeError<S::Error>> {
        let indexes = std::mem::take(&mut self.pending);
        let indexed_end = std::mem::take(&mut self.pending_end).min(self.reader.len());
        let is_indexed_to_the_end = position < indexed_end && self.reader.rest_is_short(indexed_end);
        if !is_indexed_to_the_end && !std::mem::replace(&mut self.has_looked_for_the_last_fragment, true) {
            if self.reader.rest_is_short(position) {
                self.reader.read(position..self.reader.len()).await?;
                return Ok(Step::To(position));
            }
            if let Some(step) = self.jump_to_the_last_fragment(position).await? {
                return Ok(step);
            }
        }
        if position < indexed_end
            && let Some(movie) = &self.movie
        {
            for index in indexes {
                index.add_to(movie, &mut self.timelines);
            }
            return Ok(Step::To(indexed_end));
        }
        self.header(position).await?;
        Ok(Step::To(position))
    }

    async fn jump_to_the_last_fragment(
        &mut self,
        position: u64,
    ) -> Result<Option<Step>, ProbeError<S::Error>> {
        let Some(movie) = &self.movie else { return Ok(None) };
        let is_timed = self.timelines.values().all(|timeline| timeline.is_absolute);
        let is_said_by_movie = movie.knows_fragment_duration();
        if is_timed || !is_said_by_movie {
            let likely_bytes = position.saturating_sub(self.latest_moof);
            if let Some(found) = self.find_the_last_fragment(position, likely_bytes).await? {
                return Ok(Some(Step::To(found)));
            }
        }
        if is_said_by_movie {
            self.coverage = Coverage::SaidByMovie;
            return Ok(Some(Step::Done));
        }
        Ok(None)
    }

    /// Where the last fragment begins, or one shortly before it, behind `after`. Searches the end of the file for
    /// one as long as is `likely_bytes`, and then as much of it as may be read.
    async fn find_the_last_fragment(
        &mut self,
        after: u64,
        likely_bytes: u64,
    ) -> Result<Option<u64>, ProbeError<S::Error>> {
        let len = self.reader.len();
        let likely_bytes = likely_bytes.saturating_add(likely_bytes / 4 + WINDOW_BYTES);
        let mut tail_bytes = SHORT_REST_BYTES;
        if likely_bytes <= self.reader.bytes_left().saturating_sub(WINDOW_BYTES) {
            tail_bytes = tail_bytes.max(likely_bytes);
        }
        loop {
            let start = len.saturating_sub(tail_bytes).max(after);
            let tail = self.reader.read(start..len).await?;
            let Some(movie) = &self.movie else { return Ok(None) };
            let points = search::last_access_points(&tail);
            let is_timed = self.timelines.values().all(|timeline| timeline.is_absolute);
            if let Some(found) = fragment::resume_at(&points, after..len, movie, &mut self.timelines) {
                fragment::jump(movie, &mut self.timelines);
                return Ok(Some(found));
            }
            if let Some(found) = search::find_fragment(&tail, movie) {
                fragment::jump(movie, &mut self.timelines);
                let found = start + found as u64;
                if !is_timed {
                    self.untimed_bytes = found.saturating_sub(after);
                }
                return Ok(Some(found));
            }
            // Enough for the whole index, or else as much as leaves one window to spare.
            let index_bytes = search::access_index_bytes(&tail).unwrap_or(0);
            let most = (tail.len() as u64 + self.reader.bytes_left()).saturating_sub(WINDOW_BYTES);
            let next = if index_bytes > tail.len() as u64 { index_bytes.min(most) } else { most };
            let is_worth_it = self.reader.reads_left() > 0 && next > tail.len() as u64 && start > after;
            if !is_worth_it || movie.knows_fragment_duration() {
                return Ok(None);
            }
            tail_bytes = next;
        }
    }
}

fn too_many_boxes<E>() -> ProbeError<E> {
    ProbeError::LimitExceeded { limit: format!("it has more than {MAX_BOXES} boxes") }
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
