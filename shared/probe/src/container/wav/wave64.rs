//! Sony's Wave64 ("Sony Pictures Digital Wave 64 file format"): WAV with GUIDs for kinds and 64-bit sizes that count
//! their header. Chunks start at multiples of eight.

use super::MAX_TEXT_BYTES;
use super::sound::Sound;
use crate::container::chunk::ChunkReader;
use crate::cursor::Cursor;
use crate::error::ProbeError;
use crate::metadata::Metadata;
use crate::reader::Reader;
use crate::source::ByteSource;

pub(crate) const RIFF: &[u8; 16] = b"riff\x2e\x91\xcf\x11\xa5\xd6\x28\xdb\x04\xc1\x00\x00";
/// What follows the name in the GUIDs of all other kinds.
const KIND_TAIL: &[u8; 12] = b"\xf3\xac\xd3\x11\x8c\xd1\x00\xc0\x4f\x8e\xdb\x8a";

/// GUID of the file, its size, and the GUID of its form.
const PREAMBLE_BYTES: u64 = 16 + 8 + 16;
const HEADER_BYTES: u64 = 16 + 8;

/// Reads the metadata of a file that looks like one.
pub(crate) async fn probe<S: ByteSource>(
    reader: &mut Reader<'_, S>,
) -> Result<Metadata, ProbeError<S::Error>> {
    let mut chunks = ChunkReader::new(reader);
    let mut sound = Sound::default();
    let mut position = PREAMBLE_BYTES;
    while let Some(header) = chunks.header(position, HEADER_BYTES).await? {
        let Some((kind, size)) = parse_header(&header) else { break };
        let body = position.saturating_add(HEADER_BYTES);
        let body_bytes = size - HEADER_BYTES;
        match &kind {
            b"data" => sound.set_data(body, body_bytes),
            b"fmt " | b"fact" => {
                let bytes = chunks.bytes(body, body_bytes.min(MAX_TEXT_BYTES)).await?.unwrap_or_default();
                match &kind {
                    b"fmt " => sound.set_format(&bytes),
                    _ => sound.set_samples(Cursor::new(&bytes).u64_le().unwrap_or_default()),
                }
            }
            _ => {}
        }
        position = position.saturating_add(size).checked_next_multiple_of(8).unwrap_or(u64::MAX);
    }
    sound.into_metadata("w64", chunks.len())
}

/// Kind and whole size of a chunk; of an unknown kind the name is zeros.
fn parse_header(header: &[u8]) -> Option<([u8; 4], u64)> {
    let mut fields = Cursor::new(header);
    let (name, tail) = (fields.four_cc()?, fields.take(12)?);
    let size = fields.u64_le()?;
    let kind = if tail == KIND_TAIL { name } else { [0; 4] };
    (size > HEADER_BYTES).then_some((kind, size))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::MemorySource;

    fn chunk(name: [u8; 4], body: &[u8]) -> Vec<u8> {
        let size = HEADER_BYTES + body.len() as u64;
        let mut bytes = [&name[..], KIND_TAIL, &size.to_le_bytes(), body].concat();
        bytes.resize(bytes.len().next_multiple_of(8), 0);
        bytes
    }

    async fn read(chunks: &[Vec<u8>]) -> Result<Metadata, ProbeError<std::io::Error>> {
        let preamble = [&RIFF[..], &[0; 8], b"wave", KIND_TAIL].concat();
        crate::probe(&MemorySource::new([preamble, chunks.concat()].concat())).await
    }

    #[tokio::test]
    async fn chunks_are_aligned_to_eight_bytes() {
        let format = b"\x01\0\x02\0\x44\xac\0\0\x10\xb1\x02\0\x04\0\x10\0";
        let chunks = [
            chunk(*b"junk", &[1; 5]),
            chunk(*b"fmt ", format),
            chunk(*b"data", &vec![0; 17_640]),
            chunk(*b"junk", &[1; 99]),
        ];
        let metadata = read(&chunks).await.unwrap();
        assert_eq!((&*metadata.container, &*metadata.audio[0].codec), ("w64", "pcm_s16le"));
        assert!((metadata.duration_seconds - 0.1).abs() < 1e-6);
        assert!(matches!(read(&chunks[..2]).await, Err(ProbeError::Malformed { .. })));
    }

    #[test]
    fn a_size_must_count_its_header() {
        let mut header = chunk(*b"data", &[1]);
        assert_eq!(parse_header(&header), Some((*b"data", 25)));
        header[16] = 24;
        assert_eq!(parse_header(&header), None);
    }
}
