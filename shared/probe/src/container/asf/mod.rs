//! ASF, the container of Windows Media ("Advanced Systems Format Specification" 1.2, Microsoft).
//!
//! Everything is told by the objects of the header in front. Of the data packets the first ones are looked at, for the
//! frame rate, which need not be said, and for what codecs know of themselves. An encrypted file is described like
//! any other.
//!
//! The duration is the one that is said, unless the file is broadcast or of another size than it says: then it is
//! estimated by bit rates, or by how much of the file is there. A file without a stream that can be understood is
//! malformed.

mod attributes;
mod frame_rate;
mod language;
mod packet;
mod stream;

use attributes::Attributes;
use packet::Beginning;
use stream::{Context, Description, ExtendedProperties, Stream};

use crate::codec::codec_string;
use crate::container::chunk::ChunkReader;
use crate::container::first_frame::{complete_audio, complete_video};
use crate::container::frame_rate::in_ticks;
use crate::cursor::Cursor;
use crate::error::ProbeError;
use crate::metadata::{MAX_TRACKS, Metadata, VideoTrack, display_aspect_ratio, float, round_frame_rate};
use crate::reader::{Reader, WINDOW_BYTES};
use crate::source::ByteSource;
use crate::tags::created_at_unix;

type Guid = [u8; 16];

/// Frames are timed in milliseconds.
const TICK_SECONDS: f64 = 0.001;
/// From 1601 to 1970.
const UNIX_EPOCH_SECONDS: i64 = 11_644_473_600;

const FILE_PROPERTIES: &Guid = b"\xa1\xdc\xab\x8c\x47\xa9\xcf\x11\x8e\xe4\x00\xc0\x0c\x20\x53\x65";
const STREAM_PROPERTIES: &Guid = b"\x91\x07\xdc\xb7\xb7\xa9\xcf\x11\x8e\xe6\x00\xc0\x0c\x20\x53\x65";
const HEADER_EXTENSION: &Guid = b"\xb5\x03\xbf\x5f\x2e\xa9\xcf\x11\x8e\xe3\x00\xc0\x0c\x20\x53\x65";
const EXTENDED_STREAM_PROPERTIES: &Guid = b"\xcb\xa5\xe6\x14\x72\xc6\x32\x43\x83\x99\xa9\x69\x52\x06\x5b\x5a";
const LANGUAGE_LIST: &Guid = b"\xa9\x46\x43\x7c\xe0\xef\xfc\x4b\xb2\x29\x39\x3e\xde\x41\x5c\x85";
const CONTENT_DESCRIPTION: &Guid = b"\x33\x26\xb2\x75\x8e\x66\xcf\x11\xa6\xd9\x00\xaa\x00\x62\xce\x6c";
const EXTENDED_CONTENT: &Guid = b"\x40\xa4\xd0\xd2\x07\xe3\xd2\x11\x97\xf0\x00\xa0\xc9\x5e\xa8\x50";
const METADATA: &Guid = b"\xea\xcb\xf8\xc5\xaf\x5b\x77\x48\x84\x67\xaa\x8c\x44\xfa\x4c\xca";
const METADATA_LIBRARY: &Guid = b"\x94\x1c\x23\x44\x98\x94\xd1\x49\xa1\x41\x1d\x13\x4e\x45\x70\x54";
const DATA: &Guid = b"\x36\x26\xb2\x75\x8e\x66\xcf\x11\xa6\xd9\x00\xaa\x00\x62\xce\x6c";

/// GUID and size, which counts them too.
const OBJECT_HEADER_BYTES: u64 = 24;
/// The header object's own fields: a count and two reserved bytes behind GUID and size.
const HEADER_BYTES: u64 = OBJECT_HEADER_BYTES + 4 + 2;
/// The header extension's fields in front of its objects.
const EXTENSION_FIELD_BYTES: u64 = 16 + 2 + 4;
/// The data object's fields in front of its packets.
const DATA_FIELD_BYTES: u64 = 16 + 8 + 2;
/// The most of an object that is read. Pictures lie at the end of what is longer.
const MAX_OBJECT_BYTES: u64 = 192 * 1024;
const IS_BROADCAST: u32 = 1;
/// What is looked at of the packets: what came with the header, and if need be one more read.
const FEW_PACKETS_BYTES: u64 = WINDOW_BYTES / 2;
const MANY_PACKETS_BYTES: u64 = 320 * 1024;
/// So many frames tell one usual rate from another.
const ENOUGH_FRAMES: usize = 24;
/// Streams that start further apart than this do not: one of the times is no time of this file.
const MAX_MILLISECONDS_APART: u32 = 10_000;

/// Reads the metadata of a file that looks like one.
pub(crate) async fn probe<S: ByteSource>(
    reader: &mut Reader<'_, S>,
) -> Result<Metadata, ProbeError<S::Error>> {
    let mut chunks = ChunkReader::new(reader);
    let mut found = Found::default();
    let mut position = HEADER_BYTES;
    while let Some(header) = chunks.header(position, OBJECT_HEADER_BYTES).await? {
        let mut fields = Cursor::new(&header);
        let Some((kind, size)) = fields.take(16).zip(fields.u64_le()) else { break };
        let body = position.saturating_add(OBJECT_HEADER_BYTES);
        if kind == DATA {
            let packets = body.saturating_add(DATA_FIELD_BYTES);
            found.packets_offset = Some(packets);
            found.read_packets(&mut chunks, packets).await?;
            break;
        }
        if size < OBJECT_HEADER_BYTES {
            break;
        }
        let body_bytes = size - OBJECT_HEADER_BYTES;
        position = if kind == HEADER_EXTENSION {
            body.saturating_add(EXTENSION_FIELD_BYTES)
        } else {
            let bytes = if is_read(kind) {
                chunks.bytes(body, body_bytes.min(MAX_OBJECT_BYTES)).await?
            } else {
                None
            };
            let inside = bytes.and_then(|bytes| found.read_object(kind, &bytes));
            // An extended stream properties object may have the plain one inside.
            match inside {
                Some(inside) => body.saturating_add(inside as u64),
                None => position.saturating_add(size),
            }
        };
    }
    found.into_metadata(chunks.len())
}

fn is_read(kind: &[u8]) -> bool {
    [
        FILE_PROPERTIES,
        STREAM_PROPERTIES,
        EXTENDED_STREAM_PROPERTIES,
        LANGUAGE_LIST,
        CONTENT_DESCRIPTION,
        EXTENDED_CONTENT,
        METADATA,
        METADATA_LIBRARY,
    ]
    .iter()
    .any(|known| kind == *known)
}

/// The file properties object.
#[derive(Clone, Copy, Default)]
struct FileProperties {
    file_bytes: u64,
    /// In units of 100 ns since 1601.
    creation_time: u64,
    /// In units of 100 ns, with the preroll.
    play_time: u64,
    preroll_milliseconds: u64,
    flags: u32,
    packet_bytes: usize,
}

impl FileProperties {
    fn parse(body: &[u8]) -> Option<Self> {
        let mut fields = Cursor::new(body);
        fields.skip(16)?;
        let (file_bytes, creation_time) = (fields.u64_le()?, fields.u64_le()?);
        // Number of packets.
        fields.skip(8)?;
        let play_time = fields.u64_le()?;
        // Send time.
        fields.skip(8)?;
        // Some writers use the upper half of the preroll for something else.
        let preroll_milliseconds = fields.u64_le()? & 0xffff_ffff;
        let flags = fields.u32_le()?;
        fields.skip(4)?;
        let packet_bytes = usize::try_from(fields.u32_le()?).ok()?;
        Some(Self { file_bytes, creation_time, play_time, preroll_milliseconds, flags, packet_bytes })
    }

    /// How long the file says it is, in seconds.
    fn seconds(&self) -> f64 {
        let milliseconds = (self.play_time / 10_000).saturating_sub(self.preroll_milliseconds);
        float(milliseconds) / 1000.0
    }

    fn is_broadcast(&self) -> bool {
        self.flags & IS_BROADCAST != 0
    }

    /// Whether the file is of the size that it says, by and large.
    fn is_whole(&self, len: u64) -> bool {
        self.file_bytes == 0 || self.file_bytes.abs_diff(len) < self.file_bytes.min(len) / 20
    }

    fn created_at(&self) -> Option<String> {
        let seconds = i64::try_from(self.creation_time / 10_000_000).ok()? - UNIX_EPOCH_SECONDS;
        if seconds > 0 { created_at_unix(seconds) } else { None }
    }
}

#[derive(Default)]
struct Found {
    properties: FileProperties,
    streams: Vec<Stream>,
    extended: Vec<ExtendedProperties>,
    languages: Vec<String>,
    attributes: Attributes,
    packets_offset: Option<u64>,
    beginnings: Vec<Beginning>,
}

impl Found {
    /// Reads an object; answers where inside it the next one starts, for the kind that has another one inside.
    fn read_object(&mut self, kind: &[u8], body: &[u8]) -> Option<usize> {
        if kind == FILE_PROPERTIES {
            self.properties = FileProperties::parse(body)?;
        } else if kind == STREAM_PROPERTIES {
            let stream = Stream::parse(body)?;
            if self.streams.len() < 2 * MAX_TRACKS {
                self.streams.push(stream);
            }
        } else if kind == EXTENDED_STREAM_PROPERTIES {
            let extended = ExtendedProperties::parse(body)?;
            let inside = extended.embedded_offset;
            if self.extended.len() < 2 * MAX_TRACKS {
                self.extended.push(extended);
            }
            return (inside < body.len()).then_some(inside);
        } else if kind == LANGUAGE_LIST {
            self.languages = stream::parse_languages(body);
        } else if kind == CONTENT_DESCRIPTION {
            self.attributes.read_content_description(body)?;
        } else if kind == EXTENDED_CONTENT {
            self.attributes.read_extended_content(body)?;
        } else {
            self.attributes.read_metadata(body)?;
        }
        None
    }

    /// Looks at the first packets, and at more of them where frames are too large to be counted in these.
    async fn read_packets<S: ByteSource>(
        &mut self,
        chunks: &mut ChunkReader<'_, '_, S>,
        offset: u64,
    ) -> Result<(), ProbeError<S::Error>> {
        for count in [FEW_PACKETS_BYTES, MANY_PACKETS_BYTES] {
            let Some(bytes) = chunks.bytes(offset, count).await? else { break };
            self.beginnings = packet::read(&bytes, self.properties.packet_bytes);
            if self.streams.iter().all(|stream| self.knows_frame_rate(stream)) {
                break;
            }
        }
        Ok(())
    }

    fn knows_frame_rate(&self, stream: &Stream) -> bool {
        let is_video = matches!(stream.description, Description::Video(_));
        let Context { extended, beginning, .. } = self.context(stream.number);
        !is_video
            || extended.is_some_and(|extended| extended.time_per_frame > 0)
            || beginning.is_some_and(|beginning| beginning.times.len() >= ENOUGH_FRAMES)
    }

    fn into_metadata<E>(self, len: u64) -> Result<Metadata, ProbeError<E>> {
        let mut metadata = Metadata::new("asf", "asf", len);
        for stream in &self.streams {
            add_track(stream, &self.context(stream.number), &mut metadata);
        }
        if metadata.video.is_empty() && metadata.audio.is_empty() {
            return Err(ProbeError::malformed("no stream is described in it"));
        }
        metadata.set_duration(self.seconds(&metadata, len));
        metadata.created_at = self.properties.created_at();
        metadata.cover_art = self.attributes.cover_art;
        metadata.tags = self.attributes.tags.into_map();
        Ok(metadata)
    }

    fn context(&self, number: u8) -> Context<'_> {
        let extended = self.extended.iter().find(|extended| extended.number == u16::from(number));
        let language = extended.and_then(|extended| self.languages.get(usize::from(extended.language)));
        Context {
            extended,
            beginning: self.beginnings.iter().find(|beginning| beginning.stream_number == number),
            language: language.and_then(|tag| language::three_letters(tag)),
            pixel_aspect: self.attributes.pixel_aspect(number),
        }
    }

    fn seconds(&self, metadata: &Metadata, len: u64) -> f64 {
        let said = self.properties.seconds();
        if !self.properties.is_broadcast() && self.properties.is_whole(len) {
            return said + self.seconds_between_starts();
        }
        let rates = metadata.audio.iter().filter_map(|track| track.bit_rate).fold(0, u64::saturating_add);
        let packet_bytes = len.saturating_sub(self.packets_offset.unwrap_or(len));
        if metadata.video.is_empty() && rates > 0 {
            float(packet_bytes) * 8.0 / float(rates)
        } else if self.properties.is_broadcast() || self.properties.file_bytes == 0 {
            0.0
        } else {
            said * (float(len) / float(self.properties.file_bytes)).min(1.0)
        }
    }

    /// All streams are as long as the file says, but need not start together.
    fn seconds_between_starts(&self) -> f64 {
        // Times of H.264 are those of decoding, which begins before the first picture is shown.
        let is_shown_at = |stream: &Stream| {
            stream.description != Description::Other
                && stream.bitmap().is_none_or(|bitmap| bitmap.codec != "h264")
        };
        let is_track = |beginning: &&Beginning| {
            let stream = self.streams.iter().find(|stream| stream.number == beginning.stream_number);
            stream.is_some_and(is_shown_at)
        };
        let starts =
            self.beginnings.iter().filter(is_track).filter_map(|beginning| beginning.times.iter().min());
        let (first, last) =
            starts.fold((u32::MAX, 0), |(first, last), start| (first.min(*start), last.max(*start)));
        let between = last.saturating_sub(first);
        if between <= MAX_MILLISECONDS_APART { f64::from(between) / 1000.0 } else { 0.0 }
    }
}

fn add_track(stream: &Stream, context: &Context<'_>, metadata: &mut Metadata) {
    let start = context.beginning.map(|beginning| &beginning.start[..]).unwrap_or_default();
    let bit_rate = context.extended.map(|extended| u64::from(extended.bit_rate)).filter(|rate| *rate > 0);
    if let Some(format) = stream.wave_format() {
        let mut track = format.track();
        complete_audio(&mut track, start);
        track.bit_rate = track.bit_rate.or(bit_rate);
        track.language = context.language.map(str::to_owned);
        metadata.audio.push(track);
        return;
    }
    let mut said_rate = None;
    let mut track = match (stream.bitmap(), &stream.description) {
        (Some(bitmap), _) => {
            let mut track = VideoTrack::new(bitmap.codec, codec_string(bitmap.codec));
            (track.width, track.height) = (bitmap.width, bitmap.height);
            let rate = complete_video(&mut track, bitmap.extradata, start);
            said_rate =
                rate.filter(|_| matches!(bitmap.codec, "h264" | "hevc" | "mpeg1video" | "mpeg2video"));
            track
        }
        (None, Description::Jpeg(width, height)) => {
            let mut track = VideoTrack::new("mjpeg", "mjpeg");
            (track.width, track.height) = (*width, *height);
            track
        }
        _ => return,
    };
    let times = context.beginning.map(|beginning| &beginning.times[..]).unwrap_or_default();
    let time_per_frame = context.extended.map_or(0, |extended| extended.time_per_frame);
    let rate = said_rate.and_then(|rate| in_ticks(rate, TICK_SECONDS));
    let rate = rate.unwrap_or_else(|| frame_rate::estimate(times, time_per_frame));
    track.frame_rate = round_frame_rate(rate);
    track.bit_rate = bit_rate;
    let pixel_aspect = context.pixel_aspect.unwrap_or((1, 1));
    if context.pixel_aspect.is_some() || track.display_aspect_ratio.is_none() {
        track.display_aspect_ratio = display_aspect_ratio((track.width, track.height), pixel_aspect);
    }
    metadata.video.push(track);
}

#[cfg(test)]
mod tests;
