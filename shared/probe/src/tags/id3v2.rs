//! ID3v2.2, 2.3 and 2.4 ("ID3 tag version 2.4.0 - Main Structure" and "Native Frames", and their predecessors).
//!
//! Text frames become tags, attached pictures are named but not read: a picture of megabytes is hopped over. Frames
//! that are compressed or encrypted are left out, and so is what follows a frame that makes no sense.

mod frame;

use frame::{Frame, FrameKind};

use super::text::{latin_1, utf_16_be, utf_16_le};
use super::{created_at, genre, picture_type};
use crate::cursor::Cursor;
use crate::error::ProbeError;
use crate::metadata::{CoverArt, MAX_COVER_ART, MAX_TAGS, Metadata, Tags};
use crate::reader::Reader;
use crate::source::ByteSource;

pub(crate) const HEADER_BYTES: usize = 10;
/// The most frames that are looked at; beyond these a tag is no description any more.
const MAX_FRAMES: u32 = 1024;
/// The most of a text frame that is decoded.
const MAX_TEXT_BYTES: usize = 8 * 1024;
/// Tags in a row that are read; real files have one or two.
const MAX_LEADING_TAGS: usize = 4;
/// Reads that are left to others.
const RESERVED_READS: u32 = 2;
/// The most of a tag that is fetched, besides what is in memory already.
const MAX_FETCH_BYTES: u64 = 128 * 1024;

/// Keys by frame: of version 2.2 with three letters, of 2.3 and 2.4 with four.
const NAMES: [(&[u8], &str); 42] = [
    (b"TT2", "title"),
    (b"TIT2", "title"),
    (b"TP1", "artist"),
    (b"TPE1", "artist"),
    (b"TP2", "album_artist"),
    (b"TPE2", "album_artist"),
    (b"TP3", "performer"),
    (b"TPE3", "performer"),
    (b"TAL", "album"),
    (b"TALB", "album"),
    (b"TCM", "composer"),
    (b"TCOM", "composer"),
    (b"TCO", "genre"),
    (b"TCON", "genre"),
    (b"TCR", "copyright"),
    (b"TCOP", "copyright"),
    (b"TEN", "encoded_by"),
    (b"TENC", "encoded_by"),
    (b"TLA", "language"),
    (b"TLAN", "language"),
    (b"TPA", "disc"),
    (b"TPOS", "disc"),
    (b"TPB", "publisher"),
    (b"TPUB", "publisher"),
    (b"TRK", "track"),
    (b"TRCK", "track"),
    (b"TSS", "encoder"),
    (b"TSSE", "encoder"),
    (b"TCP", "compilation"),
    (b"TCMP", "compilation"),
    (b"TDRC", "date"),
    (b"TDRL", "date"),
    (b"TDEN", "creation_time"),
    (b"TSOA", "album-sort"),
    (b"TSOP", "artist-sort"),
    (b"TSOT", "title-sort"),
    (b"TT1", "grouping"),
    (b"TIT1", "grouping"),
    (b"ULT", "lyrics"),
    (b"USLT", "lyrics"),
    (b"TDES", "description"),
    (b"TYER", "year"),
];

/// What a tag says.
#[derive(Default)]
pub(crate) struct Content {
    pub(crate) tags: Tags,
    pub(crate) cover_art: Vec<CoverArt>,
    pub(crate) created_at: Option<String>,
    date: Date,
}

/// Before version 2.4 a date is in three frames.
#[derive(Default)]
struct Date {
    year: Option<String>,
    /// Day and month.
    day: Option<String>,
    /// Hour and minute.
    time: Option<String>,
}

/// The header of a tag.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    version: u8,
    flags: u8,
    /// Bytes of the frames, the extended header and the padding.
    body_bytes: u32,
}

impl Header {
    /// Reads the header that `bytes` start with.
    pub(crate) fn parse(bytes: &[u8]) -> Option<Self> {
        let mut fields = Cursor::new(bytes);
        if fields.take(3)? != b"ID3" {
            return None;
        }
        let (version, revision, flags) = (fields.u8()?, fields.u8()?, fields.u8()?);
        let body_bytes = synchsafe(fields.u32()?)?;
        ((2..=4).contains(&version) && revision != 0xff).then_some(Self { version, flags, body_bytes })
    }

    /// Size of the whole tag, with header and footer.
    pub(crate) fn tag_bytes(self) -> u64 {
        let has_footer = self.version == 4 && self.flags & 0x10 != 0;
        let header_bytes = HEADER_BYTES as u64;
        u64::from(self.body_bytes) + if has_footer { 2 * header_bytes } else { header_bytes }
    }

    fn is_unsynchronised(self) -> bool {
        self.flags & 0x80 != 0
    }

    fn has_extended_header(self) -> bool {
        self.version > 2 && self.flags & 0x40 != 0
    }

    /// The whole of a version 2.2 tag, in a scheme that was never laid down.
    fn is_compressed(self) -> bool {
        self.version == 2 && self.flags & 0x40 != 0
    }
}

/// Reads the tags that a file starts with, one behind the other.
pub(crate) async fn read_leading<S: ByteSource>(
    reader: &mut Reader<'_, S>,
) -> Result<LeadingTags, ProbeError<S::Error>> {
    let mut leading = LeadingTags::default();
    for _ in 0..MAX_LEADING_TAGS {
        let Some((content, end)) = read(reader, leading.end).await? else { break };
        leading.content.add(content);
        leading.end = end.min(reader.len());
    }
    Ok(leading)
}

/// The tags in front of what plays.
#[derive(Default)]
pub(crate) struct LeadingTags {
    content: Content,
    /// Where the rest of the file starts.
    pub(crate) end: u64,
}

impl LeadingTags {
    /// Whether they say anything.
    pub(crate) fn has_tags(&self) -> bool {
        !self.content.is_empty()
    }

    /// Adds them to what the container itself says.
    pub(crate) fn add_to(self, metadata: &mut Metadata) {
        for (key, value) in self.content.tags.into_map() {
            if metadata.tags.len() < MAX_TAGS {
                metadata.tags.entry(key).or_insert(value);
            }
        }
        metadata.cover_art.extend(self.content.cover_art);
        metadata.cover_art.truncate(MAX_COVER_ART);
        metadata.created_at = metadata.created_at.take().or(self.content.created_at);
    }
}

/// Reads the tag at `offset`: what is in memory of it, and one more stretch where a long frame hides the rest.
/// `None` when there is no tag.
pub(crate) async fn read<S: ByteSource>(
    reader: &mut Reader<'_, S>,
    offset: u64,
) -> Result<Option<(Content, u64)>, ProbeError<S::Error>> {
    let header = reader.read(offset..offset.saturating_add(HEADER_BYTES as u64)).await?;
    let Some(header) = Header::parse(&header) else { return Ok(None) };
    let body = offset.saturating_add(HEADER_BYTES as u64);
    let body_end = body.saturating_add(header.body_bytes.into());
    let end = offset.saturating_add(header.tag_bytes());
    let known_end = reader.cached_until(body).min(body_end);
    let mut content = Content::default();
    let bytes = reader.read(body..known_end).await?;
    let next = content.add_body(header, &bytes).map(|next| body.saturating_add(next));
    // Unsynchronisation of the whole tag moves everything: there is no telling where a frame further on starts.
    let can_hop = header.version == 4 || !header.is_unsynchronised();
    // What plays is more important than the rest of a tag.
    let can_hop = can_hop && reader.reads_left() > RESERVED_READS;
    if let Some(next) = next.filter(|next| can_hop && *next < body_end.min(reader.len())) {
        // To the end of the tag, and with luck to what follows it in the same fetch.
        let bytes = reader.read(next..body_end.min(next.saturating_add(MAX_FETCH_BYTES))).await?;
        content.add_frames(header, &bytes);
    }
    content.finish();
    Ok(Some((content, end)))
}

impl Content {
    fn is_empty(&self) -> bool {
        self.tags.is_empty() && self.cover_art.is_empty()
    }

    /// Fills in what a further tag says beyond this one.
    fn add(&mut self, further: Self) {
        self.tags.add(further.tags);
        self.cover_art.extend(further.cover_art);
        self.cover_art.truncate(MAX_COVER_ART);
        self.created_at = self.created_at.take().or(further.created_at);
    }

    /// Reads a tag that is wholly in memory, as in a chunk of another format.
    pub(crate) fn parse(tag: &[u8]) -> Option<Self> {
        let header = Header::parse(tag)?;
        let body = tag.get(HEADER_BYTES..)?;
        let mut content = Self::default();
        content.add_body(header, &body[..body.len().min(header.body_bytes as usize)]);
        content.finish();
        Some(content)
    }

    /// Reads the start of a tag's body; answers where the first frame starts that is not in it, counted from there.
    fn add_body(&mut self, header: Header, body: &[u8]) -> Option<u64> {
        if header.is_compressed() {
            return None;
        }
        let whole;
        let body = if header.version < 4 && header.is_unsynchronised() {
            whole = frame::resynchronise(body);
            &whole[..]
        } else {
            body
        };
        let extended =
            if header.has_extended_header() { extended_header_bytes(header.version, body)? } else { 0 };
        let frames = body.get(extended..)?;
        self.add_frames(header, frames).map(|next| next + extended as u64)
    }

    /// Answers where the first frame starts that is not in `frames`, `None` when no more are to be expected.
    fn add_frames(&mut self, header: Header, frames: &[u8]) -> Option<u64> {
        let mut position = 0_usize;
        for _ in 0..MAX_FRAMES {
            let Some(rest) = frames.get(position..).filter(|rest| !rest.is_empty()) else { break };
            if rest.len() < frame::header_bytes(header.version) {
                break;
            }
            let frame = Frame::parse(header.version, header.is_unsynchronised(), rest)?;
            self.add_frame(&frame);
            position = position.checked_add(frame.whole_bytes)?;
        }
        u64::try_from(position).ok()
    }

    fn add_frame(&mut self, frame: &Frame<'_>) {
        let Some(data) = frame.data() else { return };
        match frame.kind() {
            FrameKind::Picture => {
                if self.cover_art.len() < MAX_COVER_ART {
                    self.cover_art.extend(parse_picture(frame.id, &data, frame.data_bytes));
                }
            }
            FrameKind::Comment => drop(self.add_comment(frame.id, &data)),
            FrameKind::UserText => drop(self.add_user_text(&data)),
            FrameKind::Text => drop(self.add_text(frame.id, &data)),
            FrameKind::Other => {}
        }
    }

    fn add_text(&mut self, id: &[u8], data: &[u8]) -> Option<()> {
        let (encoding, text) = data.split_first()?;
        let (value, _) = decode(*encoding, text)?;
        match id {
            b"TYER" | b"TYE" => self.date.year = Some(value),
            b"TDAT" | b"TDA" => self.date.day = Some(value),
            b"TIME" | b"TIM" => self.date.time = Some(value),
            b"TCON" | b"TCO" => self.tags.insert("genre", &genre::from_text(&value)),
            _ => {
                let key = NAMES.iter().find(|(known, _)| *known == id).map(|(_, name)| *name);
                let key = key.or_else(|| std::str::from_utf8(id).ok())?;
                self.insert(key, &value);
            }
        }
        Some(())
    }

    /// Description and value: the description is the key.
    fn add_user_text(&mut self, data: &[u8]) -> Option<()> {
        let (encoding, text) = data.split_first()?;
        let (key, rest) = decode(*encoding, text)?;
        let (value, _) = decode(*encoding, rest)?;
        self.insert(&key, &value);
        Some(())
    }

    /// Language, description and text of a comment or of lyrics.
    fn add_comment(&mut self, id: &[u8], data: &[u8]) -> Option<()> {
        let (encoding, rest) = data.split_first()?;
        let (description, rest) = decode(*encoding, rest.get(3..)?)?;
        let (value, _) = decode(*encoding, rest)?;
        match id {
            b"USLT" | b"ULT" => self.insert("lyrics", &value),
            _ if description.is_empty() => self.insert("comment", &value),
            _ => self.insert(&description, &value),
        }
        Some(())
    }

    fn insert(&mut self, key: &str, value: &str) {
        if key.eq_ignore_ascii_case("creation_time") {
            self.created_at = self.created_at.take().or_else(|| created_at(value));
        } else {
            self.tags.insert(key, value);
        }
    }

    fn finish(&mut self) {
        let Date { year: Some(year), day, time } = std::mem::take(&mut self.date) else { return };
        let mut date = year.trim().to_owned();
        if let Some((day, month)) = day.as_deref().and_then(four_digits) {
            date = format!("{date}-{month}-{day}");
            if let Some((hour, minute)) = time.as_deref().and_then(four_digits) {
                date = format!("{date} {hour}:{minute}");
            }
        }
        self.tags.insert("date", &date);
    }
}

fn four_digits(text: &str) -> Option<(&str, &str)> {
    let is_number = text.len() == 4 && text.bytes().all(|byte| byte.is_ascii_digit());
    if is_number { text.split_at_checked(2) } else { None }
}

/// A number of 28 bits in four bytes, whose top bits are clear.
fn synchsafe(number: u32) -> Option<u32> {
    let [a, b, c, d] = number.to_be_bytes().map(u32::from);
    (number & 0x8080_8080 == 0).then_some(a << 21 | b << 14 | c << 7 | d)
}

/// Size of the extended header, which counts itself in version 2.4 only.
fn extended_header_bytes(version: u8, body: &[u8]) -> Option<usize> {
    let size = Cursor::new(body).u32()?;
    let bytes = if version == 4 { synchsafe(size)? } else { size.checked_add(4)? };
    usize::try_from(bytes).ok()
}

/// A string up to its terminator, and what follows it.
fn decode(encoding: u8, bytes: &[u8]) -> Option<(String, &[u8])> {
    let width = if matches!(encoding, 1 | 2) { 2 } else { 1 };
    let looked_at = &bytes[..bytes.len().min(MAX_TEXT_BYTES)];
    let end = looked_at.chunks_exact(width).position(|unit| unit.iter().all(|byte| *byte == 0));
    let text = &looked_at[..end.map_or(looked_at.len(), |units| units * width)];
    let rest = end.and_then(|units| bytes.get((units + 1) * width..)).unwrap_or_default();
    let value = match (encoding, text) {
        (0, _) => latin_1(text),
        (1, [0xfe, 0xff, text @ ..]) | (2, text) => utf_16_be(text),
        (1, [0xff, 0xfe, text @ ..] | text) => utf_16_le(text),
        (3, _) => String::from_utf8_lossy(text).into_owned(),
        _ => return None,
    };
    Some((value, rest))
}

/// `APIC`, or `PIC` of version 2.2, which has a format of three letters instead of a MIME type.
fn parse_picture(id: &[u8], data: &[u8], data_bytes: u64) -> Option<CoverArt> {
    let (encoding, rest) = data.split_first()?;
    let (format, rest) = if id == b"PIC" {
        let (format, rest) = rest.split_at_checked(3)?;
        (latin_1(format), rest)
    } else {
        decode(0, rest)?
    };
    // The type of the picture, then its description.
    let (_, picture) = decode(*encoding, rest.get(1..)?)?;
    let before = (data.len() - picture.len()) as u64;
    Some(CoverArt {
        content_type: picture_type(&format, picture).to_owned(),
        size_bytes: data_bytes.saturating_sub(before),
    })
}

#[cfg(test)]
mod tests;
