//! WAV in its forms: RIFF and RIFX ("Multimedia Programming Interface and Data Specifications 1.0"), RF64 and BW64 with
//! 64-bit sizes (EBU Tech 3306, ITU-R BS.2088), and Sony's Wave64 ([`wave64`]).
//!
//! Tags come from the `INFO` list, the broadcast extension (EBU Tech 3285) and an ID3 chunk, also behind the media
//! data, which takes one more read in a long file.
//!
//! A file without `fmt ` or without `data` is malformed. One whose data is cut off, or of a size that its writer did
//! not know, is as long as its bytes last.

mod broadcast;
mod disguise;
mod sound;
pub(crate) mod wave64;

use sound::Sound;

use crate::container::chunk::ChunkReader;
use crate::container::riff;
use crate::cursor::Cursor;
use crate::error::ProbeError;
use crate::metadata::Metadata;
use crate::reader::Reader;
use crate::source::ByteSource;
use crate::tags::id3v2;

const HEADER_BYTES: u64 = riff::HEADER_BYTES as u64;
/// Form, size and the word `WAVE`.
const PREAMBLE_BYTES: u64 = 12;
/// A longer chunk than this holds no text that is worth reading.
const MAX_TEXT_BYTES: u64 = 128 * 1024;
/// What is looked at of the media data.
const START_BYTES: u64 = 32 * 1024;
/// A size that says "see `ds64`", or "not known" where there is none.
const NO_SIZE: u32 = u32::MAX;
/// Chunks that are expected anywhere: with them one tells whether an odd chunk was padded.
const KINDS: [&[u8; 4]; 8] = [b"fmt ", b"data", b"LIST", b"fact", b"bext", b"id3 ", b"cue ", b"JUNK"];

/// Reads the metadata of a file that looks like one.
pub(crate) async fn probe<S: ByteSource>(
    reader: &mut Reader<'_, S>,
) -> Result<Metadata, ProbeError<S::Error>> {
    Walk { chunks: ChunkReader::new(reader), is_big_endian: false, long_sizes: None, sound: Sound::default() }
        .run()
        .await
}

struct Walk<'r, 's, S: ByteSource> {
    chunks: ChunkReader<'r, 's, S>,
    /// RIFX.
    is_big_endian: bool,
    /// Size of the data by `ds64`.
    long_sizes: Option<u64>,
    sound: Sound,
}

impl<S: ByteSource> Walk<'_, '_, S> {
    async fn run(mut self) -> Result<Metadata, ProbeError<S::Error>> {
        let preamble = self.chunks.bytes(0, PREAMBLE_BYTES).await?.unwrap_or_default();
        self.is_big_endian = preamble.starts_with(b"RIFX");
        let mut position = PREAMBLE_BYTES;
        while let Some(header) = self.chunks.header(position, HEADER_BYTES).await? {
            let Some(next) = self.visit(position, &header).await? else { break };
            position = self.skip_padding(next).await?;
        }
        self.sound.into_metadata("wav", self.chunks.len())
    }

    /// Reads the chunk at `position`; answers where it ends, `None` when nothing follows it.
    async fn visit(&mut self, position: u64, header: &[u8]) -> Result<Option<u64>, ProbeError<S::Error>> {
        let Some(header) = riff::Header::parse(header) else { return Ok(None) };
        let size = if self.is_big_endian { header.size.swap_bytes() } else { header.size };
        let body = position.saturating_add(HEADER_BYTES);
        let end = body.saturating_add(size.into());
        match &header.kind {
            b"data" => {
                // Not worth a read of its own.
                if self.chunks.has(body, START_BYTES)
                    && let Some(start) = self.chunks.bytes(body, START_BYTES).await?
                {
                    self.sound.set_start_of_data(start);
                }
                return Ok(self.visit_data(body, size));
            }
            b"fmt " | b"ds64" | b"fact" | b"bext" | b"LIST" => {
                let bytes = self.chunks.bytes(body, u64::from(size).min(MAX_TEXT_BYTES)).await?;
                if let Some(bytes) = bytes {
                    self.read_body(header.kind, &bytes);
                }
            }
            // The first one counts: each may take a read.
            b"id3 " | b"ID3 " if !self.sound.has_id3() => {
                let range = body..end.min(body.saturating_add(MAX_TEXT_BYTES));
                if let Some(reader) = self.chunks.reader_for(range)
                    && let Some((content, _)) = id3v2::read(reader, body).await?
                {
                    self.sound.add_id3(content);
                }
            }
            _ => {}
        }
        Ok(Some(end))
    }

    /// Takes note of the data; answers where it ends if that is told.
    fn visit_data(&mut self, body: u64, size: u32) -> Option<u64> {
        let size = match self.long_sizes {
            Some(long) if size == NO_SIZE => long,
            _ if matches!(size, 0 | NO_SIZE) => 0,
            _ => size.into(),
        };
        self.sound.set_data(body, size);
        (size > 0).then(|| body.saturating_add(size))
    }

    fn read_body(&mut self, kind: [u8; 4], body: &[u8]) {
        match &kind {
            b"fmt " if self.is_big_endian => self.sound.set_format(&little_endian_format(body)),
            b"fmt " => self.sound.set_format(body),
            b"ds64" => drop(self.read_long_sizes(body)),
            b"fact" => {
                let samples = Cursor::new(body).u32_le().unwrap_or_default();
                self.sound
                    .set_samples(if self.is_big_endian { samples.swap_bytes() } else { samples }.into());
            }
            b"bext" => drop(broadcast::read(body, &mut self.sound.tags)),
            b"LIST" => {
                if let Some(list) = body.strip_prefix(b"INFO") {
                    riff::read_info(list, &mut self.sound.tags);
                }
            }
            _ => {}
        }
    }

    fn read_long_sizes(&mut self, body: &[u8]) -> Option<()> {
        let mut fields = Cursor::new(body);
        fields.skip(8)?;
        self.long_sizes = Some(fields.u64_le()?);
        self.sound.set_samples(fields.u64_le()?);
        Some(())
    }

    /// Chunks start at even offsets, but some writers forget the padding.
    async fn skip_padding(&mut self, end: u64) -> Result<u64, ProbeError<S::Error>> {
        if end.is_multiple_of(2) {
            return Ok(end);
        }
        let padded = end.saturating_add(1);
        let Some(bytes) = self.chunks.bytes(end, HEADER_BYTES).await? else { return Ok(padded) };
        let is_kind = KINDS.iter().any(|known| bytes.starts_with(&known[..]));
        Ok(if is_kind { end } else { padded })
    }
}

/// The `fmt ` chunk of RIFX in the byte order of RIFF.
fn little_endian_format(body: &[u8]) -> Vec<u8> {
    const FIELD_BYTES: [usize; 6] = [2, 2, 4, 4, 2, 2];
    let mut swapped = body.to_vec();
    let mut rest = &mut swapped[..];
    for bytes in FIELD_BYTES {
        let Some((field, next)) = rest.split_at_mut_checked(bytes) else { break };
        field.reverse();
        rest = next;
    }
    swapped
}

#[cfg(test)]
mod tests;
