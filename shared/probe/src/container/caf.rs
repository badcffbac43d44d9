//! Apple's Core Audio Format ("Apple Core Audio Format Specification 1.0").
//!
//! The description comes first. Sound in packets of one size is as long as its bytes last; a packet table, which
//! often follows the sound and then takes one more read, counts the others, with the frames that a player drops.
//!
//! A file without a description, without sound, or without the packet table that it needs is malformed.

use crate::codec::{aac, headers, pcm, quicktime};
use crate::container::chunk::ChunkReader;
use crate::container::isobmff::esds::ElementaryStream;
use crate::container::riff::text;
use crate::cursor::Cursor;
use crate::error::ProbeError;
use crate::metadata::{AudioTrack, Metadata, Tags, float};
use crate::reader::Reader;
use crate::source::ByteSource;

/// Signature, version and flags.
const PREAMBLE_BYTES: u64 = 8;
const HEADER_BYTES: u64 = 12;
const DESCRIPTION_BYTES: u64 = 32;
/// The counts that a packet table starts with.
const TABLE_HEAD_BYTES: u64 = 24;
const EDIT_COUNT_BYTES: u64 = 4;
/// A longer chunk than this holds no text or configuration that is worth reading.
const MAX_BODY_BYTES: u64 = 64 * 1024;
const MAX_STRINGS: u32 = 1024;

const IS_FLOAT: u32 = 1;
const IS_LITTLE_ENDIAN: u32 = 2;

/// Reads the metadata of a file that looks like one.
pub(crate) async fn probe<S: ByteSource>(
    reader: &mut Reader<'_, S>,
) -> Result<Metadata, ProbeError<S::Error>> {
    let mut chunks = ChunkReader::new(reader);
    let mut found = Found::default();
    let mut position = PREAMBLE_BYTES;
    while let Some(header) = chunks.header(position, HEADER_BYTES).await? {
        let mut fields = Cursor::new(&header);
        let Some((kind, size)) = fields.four_cc().zip(fields.i64()) else { break };
        let body = position.saturating_add(HEADER_BYTES);
        let wanted_bytes = match &kind {
            b"desc" => DESCRIPTION_BYTES,
            b"pakt" => TABLE_HEAD_BYTES,
            b"kuki" | b"info" => MAX_BODY_BYTES,
            _ => 0,
        };
        if &kind == b"data" {
            found.sound_offset = Some(body.saturating_add(EDIT_COUNT_BYTES));
        }
        // Only the sound may be of a size that is not known, and nothing follows it then.
        let Ok(size) = u64::try_from(size) else { break };
        if wanted_bytes > 0
            && let Some(bytes) = chunks.bytes(body, size.min(wanted_bytes)).await?
        {
            found.read_body(kind, &bytes);
        }
        position = body.saturating_add(size);
    }
    found.into_metadata(chunks.len())
}

#[derive(Default)]
struct Found {
    description: Option<Description>,
    sound_offset: Option<u64>,
    table: Option<PacketTable>,
    cookie: Vec<u8>,
    tags: Tags,
}

impl Found {
    fn read_body(&mut self, kind: [u8; 4], body: &[u8]) {
        match &kind {
            b"desc" if self.description.is_none() => self.description = Description::parse(body),
            b"pakt" => self.table = PacketTable::parse(body),
            b"kuki" => self.cookie = body.to_vec(),
            b"info" => drop(read_strings(body, &mut self.tags)),
            _ => {}
        }
    }

    fn into_metadata<E>(self, len: u64) -> Result<Metadata, ProbeError<E>> {
        let Some(description) = self.description else {
            return Err(ProbeError::malformed("nothing in it says how the sound is coded (desc)"));
        };
        let Some(sound_offset) = self.sound_offset else {
            return Err(ProbeError::malformed("there is no sound (data) in it"));
        };
        if description.sample_rate == 0 || description.channels == 0 {
            return Err(ProbeError::malformed("its sound has no sample rate or no channels"));
        }
        let bit_rate = description.bit_rate();
        let sound_bytes = len.saturating_sub(sound_offset);
        let seconds = match (self.table, bit_rate) {
            (Some(table), _) => table.frames(&description) / f64::from(description.sample_rate),
            (None, Some(bit_rate)) => float(sound_bytes) * 8.0 / float(bit_rate),
            (None, None) => {
                return Err(ProbeError::malformed("the table of its packets (pakt) is missing"));
            }
        };
        let mut metadata = Metadata::of_sound("caf", len, seconds, description.track(&self.cookie));
        metadata.tags = self.tags.into_map();
        Ok(metadata)
    }
}

/// The audio description chunk.
struct Description {
    sample_rate: u32,
    format: [u8; 4],
    flags: u32,
    /// 0 where packets differ.
    bytes_per_packet: u32,
    /// 0 where packets differ.
    frames_per_packet: u32,
    channels: u32,
    bits_per_channel: u32,
}

impl Description {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a float-to-integer cast saturates"
    )]
    fn parse(body: &[u8]) -> Option<Self> {
        let mut fields = Cursor::new(body);
        Some(Self {
            sample_rate: fields.f64()? as u32,
            format: fields.four_cc()?,
            flags: fields.u32()?,
            bytes_per_packet: fields.u32()?,
            frames_per_packet: fields.u32()?,
            channels: fields.u32()?,
            bits_per_channel: fields.u32()?,
        })
    }

    /// Bits per second where all packets are alike.
    fn bit_rate(&self) -> Option<u64> {
        let bits = u64::from(self.bytes_per_packet) * 8;
        let rate = bits.saturating_mul(self.sample_rate.into()).checked_div(self.frames_per_packet.into())?;
        (rate > 0).then_some(rate)
    }

    fn track(&self, cookie: &[u8]) -> AudioTrack {
        let codec = self.codec();
        let mut track = AudioTrack::plain(codec, self.channels, self.sample_rate);
        track.bit_rate = self.bit_rate();
        match codec {
            "aac" => read_aac_cookie(cookie, &mut track),
            "alac" => read_alac_cookie(cookie, &mut track),
            // Opus decodes to 48 kHz, whatever it was made from.
            "opus" => track.sample_rate = 48_000,
            _ => {}
        }
        track
    }

    fn codec(&self) -> &'static str {
        match &self.format {
            b"lpcm" => self.pcm_codec(),
            b"aac " | b"aach" | b"aacp" | b"aacl" | b"aace" | b"aacf" | b"aacs" => "aac",
            b"cac3" => "ac3",
            b"ilbc" => "ilbc",
            b".mp1" => "mp1",
            b"Qclq" => "qcelp",
            b"opus" => "opus",
            b"flac" => "flac",
            _ => quicktime::audio_name(self.format),
        }
    }

    fn pcm_codec(&self) -> &'static str {
        let has = |flag| self.flags & flag != 0;
        let format = if has(IS_FLOAT) { pcm::Format::Float } else { pcm::Format::Signed };
        pcm::name(format, self.bits_per_channel, !has(IS_LITTLE_ENDIAN))
    }
}

/// The cookie is what an MP4 has in its `esds` box, mostly without version and flags.
fn read_aac_cookie(cookie: &[u8], track: &mut AudioTrack) {
    let with_version = [&[0; 4], cookie].concat();
    let stream = ElementaryStream::parse(&with_version).or_else(|| ElementaryStream::parse(cookie));
    aac::describe(track, stream.and_then(|stream| stream.decoder_specific_info).unwrap_or_default());
}

/// The cookie is the codec's configuration, in older files behind the boxes of QuickTime.
fn read_alac_cookie(cookie: &[u8], track: &mut AudioTrack) {
    // Size and kind of the box, version and flags.
    let config = match cookie.get(4..12) {
        Some(b"frmaalac") => cookie.get(12 + 8 + 4..),
        _ => Some(cookie),
    };
    if let Some(config) = config.and_then(headers::parse_alac) {
        track.channels = config.channels.filter(|channels| *channels > 0).unwrap_or(track.channels);
        track.sample_rate = config.sample_rate.filter(|rate| *rate > 0).unwrap_or(track.sample_rate);
    }
}

/// The counts of a packet table. The sizes that follow them are not needed.
struct PacketTable {
    packets: u64,
    /// All frames, with those that a player drops at the start and at the end.
    frames: u64,
}

impl PacketTable {
    fn parse(body: &[u8]) -> Option<Self> {
        let mut fields = Cursor::new(body);
        let packets = fields.u64()?;
        let valid = fields.u64()?;
        let (priming, remainder) = (fields.u32()?, fields.u32()?);
        Some(Self { packets, frames: valid.saturating_add(priming.into()).saturating_add(remainder.into()) })
    }

    fn frames(&self, description: &Description) -> f64 {
        match description.frames_per_packet {
            0 => float(self.frames),
            frames => float(self.packets) * f64::from(frames),
        }
    }
}

/// A count, then keys and values, each up to its zero.
fn read_strings(body: &[u8], tags: &mut Tags) -> Option<()> {
    let mut fields = Cursor::new(body);
    let count = fields.u32()?.min(MAX_STRINGS);
    let mut strings = fields.rest().split(|byte| *byte == 0);
    for _ in 0..count {
        let (key, value) = (strings.next()?, strings.next()?);
        tags.insert(&text(key), &text(value));
    }
    Some(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::io;

    use super::*;
    use crate::MemorySource;

    fn chunk(kind: [u8; 4], body: &[u8]) -> Vec<u8> {
        [&kind[..], &(body.len() as u64).to_be_bytes(), body].concat()
    }

    fn description(format: [u8; 4], fields: [u32; 5]) -> Vec<u8> {
        let fields = fields.map(u32::to_be_bytes).concat();
        chunk(*b"desc", &[&44_100_f64.to_be_bytes()[..], &format, &fields].concat())
    }

    fn table(packets: u64, valid: u64, priming: u32, remainder: u32) -> Vec<u8> {
        let counts = [packets.to_be_bytes(), valid.to_be_bytes()].concat();
        chunk(*b"pakt", &[&counts[..], &priming.to_be_bytes(), &remainder.to_be_bytes(), &[9; 40]].concat())
    }

    async fn read(chunks: &[Vec<u8>]) -> Result<Metadata, ProbeError<io::Error>> {
        let bytes = [b"caff\0\x01\0\0", &chunks.concat()[..]].concat();
        crate::probe(&MemorySource::new(bytes)).await
    }

    fn seconds(metadata: &Metadata, wanted: f64) {
        assert!((metadata.duration_seconds - wanted).abs() < 1e-6, "{} {wanted}", metadata.duration_seconds);
    }

    #[tokio::test]
    async fn uncompressed_sound_is_as_long_as_its_bytes() {
        let sound = vec![0; 4 + 17_640];
        let metadata =
            read(&[description(*b"lpcm", [2, 4, 1, 2, 16]), chunk(*b"data", &sound)]).await.unwrap();
        assert_eq!((&*metadata.container, &*metadata.audio[0].codec), ("caf", "pcm_s16le"));
        assert_eq!((metadata.audio[0].channels, metadata.audio[0].sample_rate), (2, 44_100));
        seconds(&metadata, 0.1);
        let again = [[2, 4, 1, 2, 16], [2, 2, 1, 1, 16]].map(|fields| description(*b"lpcm", fields));
        let metadata = read(&[again.concat(), chunk(*b"data", &sound)]).await.unwrap();
        assert_eq!(metadata.audio[0].channels, 2);
        let streamed = [b"data", &[0xff; 8][..], &sound].concat();
        seconds(&read(&[description(*b"lpcm", [3, 8, 1, 2, 32]), streamed]).await.unwrap(), 0.05);
    }

    #[tokio::test]
    async fn packets_are_counted_by_their_table() {
        let sound = chunk(*b"data", &vec![0; 400_000]);
        let fixed = [description(*b"alac", [0, 0, 4096, 2, 0]), sound.clone(), table(10, 39_000, 0, 960)];
        seconds(&read(&fixed).await.unwrap(), 40_960.0 / 44_100.0);
        let variable = [description(*b"opus", [0, 0, 0, 2, 0]), sound.clone(), table(10, 44_100, 312, 0)];
        let metadata = read(&variable).await.unwrap();
        seconds(&metadata, 44_412.0 / 44_100.0);
        assert_eq!(metadata.audio[0].sample_rate, 48_000);
        let error = read(&variable[..2]).await.unwrap_err();
        assert!(error.to_string().contains("(pakt)"), "{error}");
    }

    #[tokio::test]
    async fn cookies_tell_what_the_codec_knows() {
        let aac = b"\x03\x80\x80\x80\x22\0\0\0\x04\x80\x80\x80\x14\x40\x15\0\x18\0\0\x01\xf4\0\0\x01\xf4\0\x05\x80\x80\x80\x02\x12\x10";
        let chunks = |format, cookie: &[u8]| {
            let description = description(format, [0, 0, 1024, 1, 0]);
            [description, chunk(*b"kuki", cookie), table(1, 1024, 0, 0), chunk(*b"data", &[0; 4])]
        };
        let metadata = read(&chunks(*b"aac ", aac)).await.unwrap();
        let track = &metadata.audio[0];
        assert_eq!(
            (&*track.codec_string, track.profile.as_deref(), track.channels),
            ("mp4a.40.2", Some("LC"), 2)
        );
        let mut lossless = vec![0; 24];
        lossless[9] = 6;
        lossless[20..].copy_from_slice(&96_000_u32.to_be_bytes());
        let old = [b"\0\0\0\x0cfrmaalac\0\0\0\x24alac\0\0\0\0", &lossless[..]].concat();
        for cookie in [lossless, old] {
            let metadata = read(&chunks(*b"alac", &cookie)).await.unwrap();
            assert_eq!((metadata.audio[0].channels, metadata.audio[0].sample_rate), (6, 96_000));
        }
    }

    #[tokio::test]
    async fn strings_are_tags() {
        let info = chunk(*b"info", b"\0\0\0\x03title\0A\0artist\0B\0cut");
        let metadata =
            read(&[description(*b"lpcm", [2, 4, 1, 2, 16]), info, chunk(*b"data", &[0; 8])]).await.unwrap();
        assert_eq!((&*metadata.tags["title"], &*metadata.tags["artist"]), ("A", "B"));
        assert_eq!(metadata.tags.len(), 2);
    }

    #[tokio::test]
    async fn what_is_missing_is_told() {
        let description = description(*b"lpcm", [2, 4, 1, 2, 16]);
        let error = read(&[chunk(*b"data", &[0; 8])]).await.unwrap_err();
        assert!(error.to_string().contains("(desc)"), "{error}");
        let error = read(std::slice::from_ref(&description)).await.unwrap_err();
        assert!(error.to_string().contains("(data)"), "{error}");
        let whole =
            [description, chunk(*b"info", b"\xff\xff\xff\xffa\0b\0"), table(u64::MAX, u64::MAX, 9, 9)];
        let whole = [whole.concat(), chunk(*b"data", &[0; 8])].concat();
        for end in 0..whole.len() {
            let _ = read(&[whole[..end].to_vec()]).await;
        }
        assert!(read(&[whole]).await.unwrap().duration_seconds.is_finite());
    }
}
