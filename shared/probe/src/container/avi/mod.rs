//! AVI ("AVI RIFF File Reference", Microsoft) and its extension for large files, OpenDML 1.02.
//!
//! Everything is told by the header list in front; of the media data the first chunk of each stream is looked at, for
//! what the description leaves out. The index is not needed. Durations are those that streams say, cut short in
//! proportion where the file ends before the size it says; sound of a constant sample size counts only when there is
//! nothing else.
//!
//! A file without a stream that can be understood is malformed.

mod dv;
mod stream;

use stream::{Stream, StreamHeader};

use crate::container::chunk::ChunkReader;
use crate::container::first_frame::START_BYTES;
use crate::container::riff;
use crate::cursor::Cursor;
use crate::error::ProbeError;
use crate::metadata::{MAX_TRACKS, Metadata, Tags, float};
use crate::reader::Reader;
use crate::source::ByteSource;
use crate::tags::created_at;

const HEADER_BYTES: u64 = riff::HEADER_BYTES as u64;
/// Form, size and the word `AVI `.
const PREAMBLE_BYTES: u64 = 12;
const LIST_KIND_BYTES: u64 = 4;
/// The most of a chunk of the header list that is read.
const MAX_BODY_BYTES: u64 = 64 * 1024;
/// The most chunks of media data that are looked at for the first one of each stream.
const MAX_MEDIA_CHUNKS: u32 = 512;

/// Reads the metadata of a file that looks like one.
pub(crate) async fn probe<S: ByteSource>(
    reader: &mut Reader<'_, S>,
) -> Result<Metadata, ProbeError<S::Error>> {
    Walk { chunks: ChunkReader::new(reader), found: Found::default() }.run().await
}

struct Walk<'r, 's, S: ByteSource> {
    chunks: ChunkReader<'r, 's, S>,
    found: Found,
}

impl<S: ByteSource> Walk<'_, '_, S> {
    async fn run(mut self) -> Result<Metadata, ProbeError<S::Error>> {
        let preamble = self.chunks.bytes(0, PREAMBLE_BYTES).await?.unwrap_or_default();
        self.found.said_bytes =
            riff::Header::parse(&preamble).map_or(0, |header| u64::from(header.size) + HEADER_BYTES);
        let mut position = PREAMBLE_BYTES;
        while let Some(header) = self.chunks.header(position, HEADER_BYTES).await? {
            let Some(header) = riff::Header::parse(&header) else { break };
            let body = position.saturating_add(HEADER_BYTES);
            if &header.kind == b"LIST" {
                match self.enter_list(body, header.size).await? {
                    List::Entered => position = body.saturating_add(LIST_KIND_BYTES),
                    List::Read => position = padded_end(body, header.size),
                    List::Media => {
                        position = padded_end(body, header.size);
                        // Tags may follow, but so rarely that they are not worth a read.
                        if header.size == 0 || !self.chunks.has(position, MAX_BODY_BYTES) {
                            break;
                        }
                    }
                }
            } else {
                let size = u64::from(header.size).min(MAX_BODY_BYTES);
                if is_read(header.kind)
                    && let Some(bytes) = self.chunks.bytes(body, size).await?
                {
                    self.found.read_body(header.kind, &bytes);
                }
                position = padded_end(body, header.size);
            }
        }
        self.found.into_metadata(self.chunks.len())
    }

    async fn enter_list(&mut self, body: u64, size: u32) -> Result<List, ProbeError<S::Error>> {
        let kind = self.chunks.bytes(body, LIST_KIND_BYTES).await?.unwrap_or_default();
        match &kind[..] {
            b"INFO" => {
                let size = u64::from(size).min(MAX_BODY_BYTES).saturating_sub(LIST_KIND_BYTES);
                let list = self.chunks.bytes(body.saturating_add(LIST_KIND_BYTES), size).await?;
                riff::read_info(&list.unwrap_or_default(), &mut self.found.tags);
                Ok(List::Read)
            }
            b"movi" => {
                let media = body.saturating_add(LIST_KIND_BYTES);
                self.found.media_offset = media;
                let start = self.chunks.bytes(media, START_BYTES).await?;
                self.found.read_media(&start.unwrap_or_default());
                Ok(List::Media)
            }
            // The header list and the stream lists in it: nesting says nothing that order does not.
            _ => Ok(List::Entered),
        }
    }
}

enum List {
    Entered,
    Read,
    Media,
}

fn padded_end(body: u64, size: u32) -> u64 {
    body.saturating_add(size.into()).saturating_add((size % 2).into())
}

fn is_read(kind: [u8; 4]) -> bool {
    matches!(&kind, b"avih" | b"strh" | b"strf" | b"vprp" | b"IDIT")
}

#[derive(Default)]
struct Found {
    /// Size of the file as its first chunk says.
    said_bytes: u64,
    microseconds_per_frame: u32,
    streams: Vec<Stream>,
    media_offset: u64,
    tags: Tags,
    created_at: Option<String>,
}

impl Found {
    fn read_body(&mut self, kind: [u8; 4], body: &[u8]) {
        match &kind {
            b"avih" => self.microseconds_per_frame = Cursor::new(body).u32_le().unwrap_or_default(),
            b"strh" if self.streams.len() < MAX_TRACKS => {
                let header = StreamHeader::parse(body, self.microseconds_per_frame);
                self.streams.extend(header.map(Stream::new));
            }
            b"strf" => {
                if let Some(stream) = self.streams.last_mut() {
                    stream.set_format(body);
                }
            }
            b"vprp" => {
                if let Some(stream) = self.streams.last_mut() {
                    stream.set_properties(body);
                }
            }
            b"IDIT" => self.created_at = parse_date(&riff::text(body)),
            _ => {}
        }
    }

    /// Gives each stream its first chunk of media data.
    fn read_media(&mut self, media: &[u8]) {
        let mut rest = media;
        for _ in 0..MAX_MEDIA_CHUNKS {
            let Some((kind, body)) = riff::first_chunk(rest) else { break };
            let whole = riff::HEADER_BYTES + body.len() + body.len() % 2;
            // Groups of chunks that are to be read at once.
            let is_group = &kind == b"LIST";
            let step = if is_group { riff::HEADER_BYTES + 4 } else { whole };
            rest = rest.get(step..).unwrap_or_default();
            if let Some(stream) = stream_index(kind).and_then(|index| self.streams.get_mut(index)) {
                stream.set_start(body);
            }
        }
    }

    fn into_metadata<E>(self, len: u64) -> Result<Metadata, ProbeError<E>> {
        let mut metadata = Metadata::new("avi", "avi", len);
        let is_cut = self.said_bytes > len;
        let share = if is_cut { float(len) / float(self.said_bytes) } else { 1.0 };
        let said = self.streams.iter().filter_map(Stream::seconds).reduce(f64::max);
        for stream in self.streams {
            stream.add_to(&mut metadata);
        }
        if metadata.video.is_empty() && metadata.audio.is_empty() && metadata.subtitles.is_empty() {
            return Err(ProbeError::malformed("no stream is described in it"));
        }
        let rates = metadata.audio.iter().filter_map(|track| track.bit_rate).fold(0, u64::saturating_add);
        let media_bytes = len.saturating_sub(self.media_offset);
        metadata.set_duration(match said {
            Some(seconds) => seconds * share,
            None if rates > 0 => float(media_bytes) * 8.0 / float(rates),
            None => 0.0,
        });
        metadata.tags = self.tags.into_map();
        metadata.created_at = self.created_at;
        Ok(metadata)
    }
}

/// The stream that a chunk of media data belongs to: two digits, then what kind of data it is.
fn stream_index(kind: [u8; 4]) -> Option<usize> {
    let [tens, ones, ..] = kind;
    let is_index = &kind[2..] == b"ix";
    (tens.is_ascii_digit() && ones.is_ascii_digit() && !is_index)
        .then(|| usize::from(tens - b'0') * 10 + usize::from(ones - b'0'))
}

/// A date as `ctime` has it, such as `Mon Mar 10 15:04:43 2003`.
fn parse_date(text: &str) -> Option<String> {
    const MONTHS: [&str; 12] =
        ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
    let mut words = text.split_whitespace().skip(1);
    let (month, day, time, year) = (words.next()?, words.next()?, words.next()?, words.next()?);
    let month = MONTHS.iter().position(|name| month.eq_ignore_ascii_case(name))? + 1;
    let day: u8 = day.parse().ok()?;
    let year: u16 = year.parse().ok()?;
    created_at(&format!("{year:04}-{month:02}-{day:02}T{time}Z"))
}

#[cfg(test)]
mod tests;
