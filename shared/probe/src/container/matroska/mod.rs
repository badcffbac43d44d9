//! Matroska and WebM (RFC 9559), over EBML (RFC 8794).
//!
//! The walk hops over the parts of the segment as far as they are in memory, and goes by the seek head to those that
//! lie elsewhere: description and tracks because nothing can be said without them, tags and attachments while reads
//! are left. The duration is what the description says. A live recording says none: there the last blocks tell,
//! within one or two windows at the end of the file, else the last cue, else an estimate by size.
//!
//! A file that has neither description nor tracks within reach is malformed; one that was cut off behind them is
//! answered as if it were whole, as `ffprobe` does.

mod cluster;
mod codec;
mod ebml;
mod tags;
mod track;
mod video;

use std::collections::BTreeMap;

use bytes::Bytes;

use cluster::{Block, CLUSTER};
use ebml::{Header, MAX_HEADER_BYTES, child, child_float, child_text, child_unsigned, children};
use tags::Collected;
use track::{Media, Track, parse_tracks};

use crate::container::frame_rate;
use crate::error::ProbeError;
use crate::metadata::{CoverArt, MAX_COVER_ART, MAX_TRACKS, Metadata, float, round_frame_rate};
use crate::reader::{Reader, WINDOW_BYTES};
use crate::source::ByteSource;
use crate::tags::created_at_unix;

const SEGMENT: u32 = 0x1853_8067;
const SEEK_HEAD: u32 = 0x114d_9b74;
const SEEK: u32 = 0x4dbb;
const SEEK_ID: u32 = 0x53ab;
const SEEK_POSITION: u32 = 0x53ac;
const INFO: u32 = 0x1549_a966;
const TIMESTAMP_SCALE: u32 = 0x2a_d7b1;
const DURATION: u32 = 0x4489;
const DATE_UTC: u32 = 0x4461;
const TITLE: u32 = 0x7ba9;
const MUXING_APP: u32 = 0x4d80;
const TRACKS: u32 = 0x1654_ae6b;
const TAGS: u32 = 0x1254_c367;
const ATTACHMENTS: u32 = 0x1941_a469;
const ATTACHED_FILE: u32 = 0x61a7;
const CUES: u32 = 0x1c53_bb6b;
const CUE_POINT: u32 = 0xbb;
const CUE_TIME: u32 = 0xb3;

/// Nanoseconds of a tick where nothing else is said.
const DEFAULT_TIMESTAMP_SCALE: u64 = 1_000_000;
/// Dates count from the start of 2001.
const EPOCH: i64 = 978_307_200;

/// The most parts of the segment that are looked at.
const MAX_PARTS: u32 = 1024;
/// The most entries of seek heads that are followed.
const MAX_SEEKS: usize = 64;
/// As much of a part as is read.
const MAX_PART_BYTES: u64 = 256 * 1024;
/// The most attachments that are looked at.
const MAX_ATTACHMENTS: u32 = 256;
/// As much of an attachment as its name and type take.
const ATTACHMENT_HEAD_BYTES: u64 = 1024;
/// As much of the first clusters as is looked at for a frame rate.
const FIRST_FRAMES_BYTES: u64 = 4 * WINDOW_BYTES;
/// Of a long file, as much of the end as is searched for a cluster, and again where there is none.
const TAIL_BYTES: [u64; 2] = [256 * 1024, 640 * 1024];
/// The most elements in front of the segment.
const MAX_PROLOGUE: usize = 16;

/// Reads the metadata of a file that looks like one.
pub(crate) async fn probe<S: ByteSource>(
    reader: &mut Reader<'_, S>,
) -> Result<Metadata, ProbeError<S::Error>> {
    let (segment_body, segment_end) = find_segment(reader).await?;
    let mut walk = Walk {
        reader,
        segment_body,
        segment_end,
        parts: Vec::new(),
        seeks: Vec::new(),
        first_cluster: None,
        seconds_per_byte: 0.0,
    };
    walk.run().await
}

/// Where the segment's body starts and ends.
async fn find_segment<S: ByteSource>(reader: &mut Reader<'_, S>) -> Result<(u64, u64), ProbeError<S::Error>> {
    let head = reader.read(0..WINDOW_BYTES).await?;
    let from =
        |position: u64| usize::try_from(position).ok().and_then(|at| head.get(at..)).unwrap_or_default();
    let mut position = 0;
    for _ in 0..MAX_PROLOGUE {
        let Some(header) = Header::parse(from(position)) else { break };
        let body_at = position + header.header_bytes;
        let end = header.size.map_or(u64::MAX, |size| body_at.saturating_add(size));
        match header.id {
            ebml::EBML => {
                let doc_type = child_text(from(body_at), ebml::DOC_TYPE).unwrap_or_default();
                if !matches!(doc_type.as_str(), "matroska" | "webm") {
                    return Err(ProbeError::Unsupported {
                        looks_like: Some("an EBML document that is no film"),
                    });
                }
            }
            SEGMENT => return Ok((body_at, end.min(reader.len()))),
            _ => {}
        }
        position = end;
    }
    Err(ProbeError::malformed("it has a header of Matroska, but no segment"))
}

/// A part of the segment: its identifier, where its body starts, and how long that is.
#[derive(Clone, Copy)]
struct Part {
    id: u32,
    body_at: u64,
    size: Option<u64>,
}

struct Walk<'r, 's, S: ByteSource> {
    reader: &'r mut Reader<'s, S>,
    segment_body: u64,
    segment_end: u64,
    parts: Vec<Part>,
    seeks: Vec<(u32, u64)>,
    first_cluster: Option<u64>,
    /// How fast time passes in what was seen of the clusters.
    seconds_per_byte: f64,
}

impl<S: ByteSource> Walk<'_, '_, S> {
    async fn run(&mut self) -> Result<Metadata, ProbeError<S::Error>> {
        self.find_parts().await?;
        self.fetch_elsewhere().await?;
        let Some(tracks) = self.part_body(TRACKS).await? else {
            return Err(ProbeError::malformed("it does not say what tracks it has"));
        };
        let info = self.part_body(INFO).await?.unwrap_or_default();
        let mut tracks = parse_tracks(&tracks);
        let ticks = Ticks::of(&info);
        self.apply_first_frames(&mut tracks, ticks).await?;

        let mut metadata = Metadata::new("matroska", "matroska,webm", self.reader.len());
        let said =
            child_float(&info, DURATION).filter(|duration| *duration > 0.0).map(|said| said * ticks.seconds);
        let duration = match said {
            Some(duration) => duration,
            None => self.last_timestamp(&tracks, ticks).await?,
        };
        let collected = self.tags(&info).await?;
        metadata.cover_art = self.cover_art().await?;
        metadata.created_at = child(&info, DATE_UTC).and_then(created_at);
        metadata.tags = collected.file.into_map();
        metadata.set_duration(duration);
        add_tracks(&mut metadata, tracks, &collected.bit_rates);
        Ok(metadata)
    }

    /// Reads from `start` to `end` if that is in memory or within what may still be read.
    async fn read(&mut self, start: u64, end: u64) -> Result<Option<Bytes>, ProbeError<S::Error>> {
        match self.reader.read(start..end).await {
            // What is known by then is an answer.
            Err(ProbeError::LimitExceeded { .. }) => Ok(None),
            answer => answer.map(Some),
        }
    }

    async fn header_at(&mut self, position: u64) -> Result<Option<Header>, ProbeError<S::Error>> {
        let bytes = self.read(position, position.saturating_add(MAX_HEADER_BYTES)).await?;
        Ok(bytes.as_deref().and_then(Header::parse))
    }

    /// Notes the parts of the segment one after the other, until description and tracks are found and the next part
    /// is not in memory.
    async fn find_parts(&mut self) -> Result<(), ProbeError<S::Error>> {
        let mut position = self.segment_body;
        for _ in 0..MAX_PARTS {
            if position >= self.segment_end {
                break;
            }
            let is_cached = self.reader.is_cached(position..position.saturating_add(MAX_HEADER_BYTES));
            if !is_cached && (self.is_complete() || self.reader.reads_left() <= 1) {
                break;
            }
            let Some(header) = self.header_at(position).await? else { break };
            let body_at = position.saturating_add(header.header_bytes);
            if header.id == CLUSTER {
                self.first_cluster.get_or_insert(position);
            } else {
                self.note(Part { id: header.id, body_at, size: header.size }).await?;
            }
            let Some(size) = header.size else { break };
            position = body_at.saturating_add(size);
        }
        Ok(())
    }

    fn is_complete(&self) -> bool {
        [INFO, TRACKS].iter().all(|id| {
            self.parts.iter().any(|part| part.id == *id) || self.seeks.iter().any(|(target, _)| target == id)
        })
    }

    /// Fetches where description and tracks begin, if they were not seen: what lies behind comes along.
    async fn fetch_elsewhere(&mut self) -> Result<(), ProbeError<S::Error>> {
        let unseen = |id: &u32| [INFO, TRACKS].contains(id) && !self.parts.iter().any(|part| part.id == *id);
        let first = self.seeks.iter().filter(|(id, _)| unseen(id)).map(|(_, position)| *position).min();
        if let Some(position) = first {
            self.header_at(self.segment_body.saturating_add(position)).await?;
        }
        Ok(())
    }

    async fn note(&mut self, part: Part) -> Result<(), ProbeError<S::Error>> {
        if part.id == SEEK_HEAD {
            let entries = self.body(part).await?.unwrap_or_default();
            for seek in children(&entries).filter(|element| element.id == SEEK) {
                let target = child_unsigned(seek.body, SEEK_ID).and_then(|id| u32::try_from(id).ok());
                let position = child_unsigned(seek.body, SEEK_POSITION);
                if self.seeks.len() < MAX_SEEKS {
                    self.seeks.extend(target.zip(position));
                }
            }
        } else {
            self.parts.push(part);
        }
        Ok(())
    }

    /// Where the first part with identifier `id` is: seen on the walk, or named by the seek head.
    async fn part(&mut self, id: u32) -> Result<Option<Part>, ProbeError<S::Error>> {
        if let Some(part) = self.parts.iter().find(|part| part.id == id) {
            return Ok(Some(*part));
        }
        let Some((_, position)) = self.seeks.iter().find(|(target, _)| *target == id).copied() else {
            return Ok(None);
        };
        let position = self.segment_body.saturating_add(position);
        let header = self.header_at(position).await?.filter(|header| header.id == id);
        let part = header.map(|header| Part {
            id,
            body_at: position.saturating_add(header.header_bytes),
            size: header.size,
        });
        self.parts.extend(part);
        Ok(part)
    }

    /// The body of `part`, as far as the file and what one reads of a part go.
    async fn body(&mut self, part: Part) -> Result<Option<Bytes>, ProbeError<S::Error>> {
        let size = part.size.unwrap_or(MAX_PART_BYTES).min(MAX_PART_BYTES);
        self.read(part.body_at, part.body_at.saturating_add(size)).await
    }

    async fn part_body(&mut self, id: u32) -> Result<Option<Bytes>, ProbeError<S::Error>> {
        match self.part(id).await? {
            Some(part) => self.body(part).await,
            None => Ok(None),
        }
    }

    /// The first clusters, which start at `start`: what is in memory of them, or more where that is too little.
    async fn first_frames(&mut self, start: u64, tracks: &[Track]) -> Result<Bytes, ProbeError<S::Error>> {
        let cached_end = self.reader.cached_until(start).min(start.saturating_add(FIRST_FRAMES_BYTES));
        let bytes = self.reader.read(start..cached_end).await?;
        // The last timestamp and the tags have to be left a read each.
        if self.reader.reads_left() > 2
            && lack_frames(tracks, &cluster::blocks(&bytes))
            && let Some(more) = self.read(start, start.saturating_add(FIRST_FRAMES_BYTES)).await?
        {
            return Ok(more);
        }
        Ok(bytes)
    }

    /// The first frames tell what some codecs keep from the container, and a rate where none is said.
    async fn apply_first_frames(
        &mut self,
        tracks: &mut [Track],
        ticks: Ticks,
    ) -> Result<(), ProbeError<S::Error>> {
        let bytes = match self.first_cluster {
            Some(start) => self.first_frames(start, tracks).await?,
            None => Bytes::new(),
        };
        let blocks = cluster::blocks(&bytes);
        let timestamps = || blocks.iter().map(|block| block.timestamp);
        if let Some((first, last)) = timestamps().min().zip(timestamps().max()) {
            let seconds = ticks.at(last.saturating_sub(first));
            self.seconds_per_byte = seconds / float(bytes.len() as u64);
        }
        let mut by_track = by_track(&blocks);
        for track in tracks {
            // Of tracks with one number the first has them.
            let own = by_track.remove(&track.number).unwrap_or_default();
            if let Media::Video(video) = &mut track.media {
                let rate = if let Some(nanoseconds) = track.default_duration {
                    1e9 / float(nanoseconds)
                } else if let Some(rate) =
                    video.said_rate.and_then(|rate| frame_rate::in_ticks(rate, ticks.seconds))
                {
                    rate
                } else {
                    let first = own.iter().take(frame_rate::MAX_FRAMES);
                    frame_rate::estimate(first.map(|block| block.timestamp).collect(), ticks.seconds)
                };
                video.track.frame_rate = round_frame_rate(rate);
            }
            track.apply_first_frames(&own);
        }
        Ok(())
    }

    /// When the last frame ends, in seconds: by the last cluster within reach, else by the last cue, else by how fast
    /// time passes at the start.
    async fn last_timestamp(&mut self, tracks: &[Track], ticks: Ticks) -> Result<f64, ProbeError<S::Error>> {
        let end = self.segment_end;
        // Of tracks with one number the first counts.
        let usual_durations: BTreeMap<u64, Option<u64>> =
            tracks.iter().rev().map(|track| (track.number, track.default_duration)).collect();
        for bytes in TAIL_BYTES {
            let start = end.saturating_sub(bytes).max(self.segment_body);
            let Some(bytes) = self.read(start, end).await? else { break };
            if let Some(offset) = cluster::last_cluster(&bytes) {
                let blocks = cluster::blocks(bytes.get(offset..).unwrap_or_default());
                let ends = blocks.iter().map(|block| {
                    let duration = block.duration.map(|duration| float(duration) * ticks.seconds);
                    let usual = usual_durations.get(&block.track).copied().flatten();
                    let usual = usual.map(|usual| float(usual) / 1e9);
                    ticks.at(block.timestamp) + duration.or(usual).unwrap_or_default()
                });
                return Ok(ends.fold(0.0, f64::max));
            }
            if start == self.segment_body {
                break;
            }
        }
        let cues = self.part_body(CUES).await?.unwrap_or_default();
        let times = children(&cues)
            .filter(|element| element.id == CUE_POINT)
            .filter_map(|point| child_unsigned(point.body, CUE_TIME));
        let last_cue = times.max().map_or(0.0, |time| float(time) * ticks.seconds);
        let estimate = self.seconds_per_byte * float(end.saturating_sub(self.first_cluster.unwrap_or(end)));
        Ok(if last_cue > 0.0 { last_cue } else { estimate })
    }

    async fn tags(&mut self, info: &[u8]) -> Result<Collected, ProbeError<S::Error>> {
        let mut collected = Collected::default();
        for (id, key) in [(TITLE, "title"), (MUXING_APP, "encoder")] {
            if let Some(value) = child_text(info, id) {
                collected.file.insert(key, &value);
            }
        }
        // The first part is found by the seek head too; there may be more.
        self.part(TAGS).await?;
        let parts: Vec<Part> = self.parts.iter().filter(|part| part.id == TAGS).copied().collect();
        for part in parts {
            if let Some(body) = self.body(part).await? {
                collected.add(&body);
            }
        }
        Ok(collected)
    }

    async fn cover_art(&mut self) -> Result<Vec<CoverArt>, ProbeError<S::Error>> {
        let mut cover_art = Vec::new();
        let Some(attachments) = self.part(ATTACHMENTS).await? else { return Ok(cover_art) };
        let end = attachments.size.map_or(u64::MAX, |size| attachments.body_at.saturating_add(size));
        let mut position = attachments.body_at;
        for _ in 0..MAX_ATTACHMENTS {
            if position >= end.min(self.segment_end) || cover_art.len() >= MAX_COVER_ART {
                break;
            }
            let Some(header) = self.header_at(position).await? else { break };
            let Some(size) = header.size else { break };
            let body_at = position.saturating_add(header.header_bytes);
            position = body_at.saturating_add(size);
            if header.id == ATTACHED_FILE {
                let head_end = body_at.saturating_add(size.min(ATTACHMENT_HEAD_BYTES));
                let Some(head) = self.read(body_at, head_end).await? else { break };
                cover_art.extend(tags::parse_picture(&head));
            }
        }
        Ok(cover_art)
    }
}

/// The blocks of each track by its number. Both may be many: to look for each in all of the others takes too long.
fn by_track<'b, 'a>(blocks: &'b [Block<'a>]) -> BTreeMap<u64, Vec<&'b Block<'a>>> {
    let mut by_track: BTreeMap<u64, Vec<_>> = BTreeMap::new();
    for block in blocks {
        by_track.entry(block.track).or_default().push(block);
    }
    by_track
}

/// Whether a rate has to be found for a video track, and `blocks` are too few to tell it.
fn lack_frames(tracks: &[Track], blocks: &[Block<'_>]) -> bool {
    let by_track = by_track(blocks);
    let needs_rate =
        |track: &&Track| matches!(track.media, Media::Video(_)) && track.default_duration.is_none();
    tracks
        .iter()
        .filter(needs_rate)
        .any(|track| by_track.get(&track.number).map_or(0, Vec::len) < frame_rate::MIN_FRAMES_FOR_DIVISOR)
}

/// How long a tick of the segment is.
#[derive(Clone, Copy)]
struct Ticks {
    seconds: f64,
}

impl Ticks {
    fn of(info: &[u8]) -> Self {
        let scale = child_unsigned(info, TIMESTAMP_SCALE).filter(|nanoseconds| *nanoseconds > 0);
        Self { seconds: float(scale.unwrap_or(DEFAULT_TIMESTAMP_SCALE)) / 1e9 }
    }

    fn at(self, timestamp: i64) -> f64 {
        float(u64::try_from(timestamp).unwrap_or_default()) * self.seconds
    }
}

fn add_tracks(metadata: &mut Metadata, tracks: Vec<Track>, bit_rates: &[(u64, u64)]) {
    for track in tracks {
        let bit_rate = bit_rates.iter().find(|(uid, _)| *uid == track.uid).map(|(_, bit_rate)| *bit_rate);
        match track.media {
            Media::Video(video) if metadata.video.len() < MAX_TRACKS => {
                let mut video = video.finish();
                video.bit_rate = bit_rate;
                metadata.video.push(video);
            }
            Media::Audio(mut audio) if metadata.audio.len() < MAX_TRACKS => {
                audio.bit_rate = bit_rate.or(audio.bit_rate);
                metadata.audio.push(audio);
            }
            Media::Subtitle(subtitle) if metadata.subtitles.len() < MAX_TRACKS => {
                metadata.subtitles.push(subtitle);
            }
            _ => {}
        }
    }
}

/// A date: signed nanoseconds since the start of 2001.
fn created_at(date: &[u8]) -> Option<String> {
    let nanoseconds = i64::from_be_bytes(*date.first_chunk::<8>().filter(|_| date.len() == 8)?);
    let since_1970 = EPOCH.checked_add(nanoseconds.div_euclid(1_000_000_000))?;
    created_at_unix(since_1970)
}

#[cfg(test)]
mod tests;
