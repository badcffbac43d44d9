//! AIFF and AIFF-C (Apple's "Audio Interchange File Format" 1.3, "AIFF-C" draft 1991).
//!
//! Tags come from the text chunks and an ID3 chunk, also behind the sound, which takes one more read in a long file.
//! The duration is that of the common chunk, whether the sound is all there or not. A file without that chunk is
//! malformed.

use crate::codec::{self, pcm};
use crate::container::chunk::ChunkReader;
use crate::container::riff::text;
use crate::cursor::Cursor;
use crate::error::ProbeError;
use crate::metadata::{AudioTrack, CoverArt, Metadata, Tags, float};
use crate::reader::Reader;
use crate::source::ByteSource;
use crate::tags::id3v2;

/// Form, size and the word `AIFF` or `AIFC`.
const PREAMBLE_BYTES: u64 = 12;
const HEADER_BYTES: u64 = 8;
/// The start of a common chunk that is looked at: all but the name of the compression.
const COMMON_BYTES: u64 = 22;
/// A longer chunk than this holds no text that is worth reading.
const MAX_TEXT_BYTES: u64 = 64 * 1024;

/// Reads the metadata of a file that looks like one.
pub(crate) async fn probe<S: ByteSource>(
    reader: &mut Reader<'_, S>,
) -> Result<Metadata, ProbeError<S::Error>> {
    let mut chunks = ChunkReader::new(reader);
    let mut found = Found::default();
    let mut position = PREAMBLE_BYTES;
    while let Some(header) = chunks.header(position, HEADER_BYTES).await? {
        let mut fields = Cursor::new(&header);
        let Some((kind, size)) = fields.four_cc().zip(fields.u32()) else { break };
        let body = position.saturating_add(HEADER_BYTES);
        found.visit(&mut chunks, kind, body, size.into()).await?;
        let end = body.saturating_add(size.into());
        position = end.saturating_add(end % 2);
    }
    found.into_metadata(chunks.len())
}

#[derive(Default)]
struct Found {
    common: Option<Common>,
    has_id3: bool,
    tags: Tags,
    cover_art: Vec<CoverArt>,
    created_at: Option<String>,
}

impl Found {
    async fn visit<S: ByteSource>(
        &mut self,
        chunks: &mut ChunkReader<'_, '_, S>,
        kind: [u8; 4],
        body: u64,
        size: u64,
    ) -> Result<(), ProbeError<S::Error>> {
        match &kind {
            b"COMM" if self.common.is_none() => {
                let bytes = chunks.bytes(body, size.min(COMMON_BYTES)).await?.unwrap_or_default();
                self.common = Common::parse(&bytes);
            }
            // The first one counts: each may take a read.
            b"ID3 " | b"id3 " if !std::mem::replace(&mut self.has_id3, true) => {
                if let Some(reader) = chunks.reader_for(body..body.saturating_add(size.min(MAX_TEXT_BYTES)))
                    && let Some((content, _)) = id3v2::read(reader, body).await?
                {
                    self.tags.add(content.tags);
                    self.cover_art.extend(content.cover_art);
                    self.created_at = self.created_at.take().or(content.created_at);
                }
            }
            _ => {
                if let Some(key) = tag_name(kind)
                    && let Some(bytes) = chunks.bytes(body, size.min(MAX_TEXT_BYTES)).await?
                {
                    self.tags.insert(key, &text(&bytes));
                }
            }
        }
        Ok(())
    }

    fn into_metadata<E>(self, len: u64) -> Result<Metadata, ProbeError<E>> {
        let Some(common) = self.common else {
            return Err(ProbeError::malformed("nothing in it says how the sound is coded (COMM)"));
        };
        if common.sample_rate == 0 || common.channels == 0 {
            return Err(ProbeError::malformed("its sound has no sample rate or no channels"));
        }
        let codec = common.codec();
        // These codecs know one channel only, whatever is written.
        let is_mono = matches!(codec, "gsm" | "adpcm_g722");
        let channels = if is_mono { 1 } else { common.channels.into() };
        let mut track = AudioTrack::plain(codec, channels, common.sample_rate);
        let (block_bytes, block_samples) = block(codec, common.channels.into());
        let bits = (block_bytes * 8).saturating_mul(common.sample_rate.into());
        track.bit_rate = Some(bits / block_samples).filter(|rate| *rate > 0);
        let samples = u64::from(common.blocks) * block_samples;
        let seconds = float(samples) / f64::from(common.sample_rate);
        let mut metadata = Metadata::of_sound("aiff", len, seconds, track);
        metadata.cover_art = self.cover_art;
        metadata.created_at = self.created_at;
        metadata.tags = self.tags.into_map();
        Ok(metadata)
    }
}

fn tag_name(kind: [u8; 4]) -> Option<&'static str> {
    Some(match &kind {
        b"NAME" => "title",
        b"AUTH" => "author",
        b"(c) " => "copyright",
        b"ANNO" => "comment",
        _ => return None,
    })
}

/// The common chunk.
#[derive(Debug, PartialEq, Eq)]
struct Common {
    channels: u16,
    /// Sample frames, which are blocks where the sound is compressed.
    blocks: u32,
    bits_per_sample: u16,
    sample_rate: u32,
    /// AIFF-C only.
    compression: Option<[u8; 4]>,
}

impl Common {
    fn parse(body: &[u8]) -> Option<Self> {
        let mut fields = Cursor::new(body);
        Some(Self {
            channels: fields.u16()?,
            blocks: fields.u32()?,
            bits_per_sample: fields.u16()?,
            sample_rate: extended_to_integer(fields.u16()?, fields.u64()?),
            compression: fields.four_cc(),
        })
    }

    fn codec(&self) -> &'static str {
        let compression = self.compression.map(|kind| kind.map(|byte| byte.to_ascii_uppercase()));
        match compression.as_ref() {
            // No bits count as a byte.
            None | Some(b"NONE" | b"TWOS") => {
                pcm::name(pcm::Format::Signed, u32::from(self.bits_per_sample).max(1), true)
            }
            Some(b"SOWT") => "pcm_s16le",
            Some(b"RAW ") => "pcm_u8",
            Some(b"IN24") => "pcm_s24be",
            Some(b"IN32") => "pcm_s32be",
            Some(b"FL32") => "pcm_f32be",
            Some(b"FL64") => "pcm_f64be",
            Some(b"ALAW") => "pcm_alaw",
            Some(b"ULAW") => "pcm_mulaw",
            Some(b"IMA4") => "adpcm_ima_qt",
            Some(b"MAC3") => "mace3",
            Some(b"MAC6") => "mace6",
            Some(b"GSM ") => "gsm",
            Some(b"G722") => "adpcm_g722",
            Some(b"G726") => "adpcm_g726le",
            Some(b"QDMC") => "qdmc",
            Some(b"QDM2") => "qdm2",
            Some(b"QCLP") => "qcelp",
            Some(b"SDX2") => "sdx2_dpcm",
            Some(b"ADP4") => "adpcm_ima_dk4",
            Some(b"AIWF") => "adpcm_ima_ws",
            Some(_) => codec::UNKNOWN,
        }
    }
}

/// Bytes of a block of all channels, and the samples per channel in it.
fn block(codec: &str, channels: u64) -> (u64, u64) {
    match codec {
        "adpcm_ima_qt" => (34 * channels, 64),
        "mace3" => (2 * channels, 6),
        "mace6" => (channels, 6),
        "gsm" => (33, 160),
        "qcelp" => (35, 160),
        "adpcm_g722" | "adpcm_ima_ws" => (channels, 2),
        _ => (pcm::bits_per_sample(codec).map_or(0, |bits| u64::from(bits) * channels / 8), 1),
    }
}

/// A sample rate out of an 80-bit float of IEEE 754: sign and exponent, then a mantissa without a hidden bit. 0 for
/// what is no rate.
fn extended_to_integer(sign_and_exponent: u16, mantissa: u64) -> u32 {
    // Exponent of the mantissa's lowest bit.
    let Some(shift) = (16_383_u32 + 63).checked_sub(sign_and_exponent.into()) else { return 0 };
    let half = if shift == 0 { 0 } else { 1_u64.checked_shl(shift - 1).unwrap_or(0) };
    let rounded = u128::from(mantissa) + u128::from(half);
    u32::try_from(rounded.checked_shr(shift).unwrap_or(0)).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::io;

    use super::*;
    use crate::MemorySource;

    const RATE_44100: [u8; 10] = [0x40, 0x0e, 0xac, 0x44, 0, 0, 0, 0, 0, 0];

    fn chunk(kind: [u8; 4], body: &[u8]) -> Vec<u8> {
        let size = u32::try_from(body.len()).unwrap().to_be_bytes();
        let mut bytes = [&kind[..], &size, body].concat();
        bytes.resize(bytes.len().next_multiple_of(2), 0);
        bytes
    }

    fn common(channels: u8, blocks: u32, bits: u8, compression: &[u8]) -> Vec<u8> {
        chunk(
            *b"COMM",
            &[&[0, channels], &blocks.to_be_bytes()[..], &[0, bits], &RATE_44100, compression].concat(),
        )
    }

    async fn read(form: &[u8; 4], chunks: &[Vec<u8>]) -> Result<Metadata, ProbeError<io::Error>> {
        let bytes = [b"FORM\0\0\0\0", &form[..], &chunks.concat()].concat();
        crate::probe(&MemorySource::new(bytes)).await
    }

    #[tokio::test]
    async fn the_common_chunk_tells_all_of_the_sound() {
        let metadata = read(b"AIFF", &[common(2, 22_050, 16, &[])]).await.unwrap();
        let track = &metadata.audio[0];
        assert_eq!((&*metadata.container, &*track.codec), ("aiff", "pcm_s16be"));
        assert_eq!((track.channels, track.sample_rate, track.bit_rate), (2, 44_100, Some(1_411_200)));
        assert!((metadata.duration_seconds - 0.5).abs() < 1e-6);
    }

    #[tokio::test]
    async fn compressed_sound_is_counted_in_blocks() {
        for (compression, codec, samples) in [
            (b"sowt", "pcm_s16le", 1.0),
            (b"ULAW", "pcm_mulaw", 1.0),
            (b"NONE", "pcm_s16be", 1.0),
            (b"fl32", "pcm_f32be", 1.0),
            (b"ima4", "adpcm_ima_qt", 64.0),
            (b"MAC3", "mace3", 6.0),
            (b"GSM ", "gsm", 160.0),
        ] {
            let metadata = read(b"AIFC", &[common(1, 441, 16, compression)]).await.unwrap();
            assert_eq!(metadata.audio[0].codec, codec);
            assert!((metadata.duration_seconds - samples / 100.0).abs() < 1e-6, "{codec}");
        }
        let speech = read(b"AIFC", &[common(2, 441, 16, b"GSM ")]).await.unwrap();
        assert_eq!(speech.audio[0].channels, 1);
    }

    #[tokio::test]
    async fn texts_stand_before_and_behind_the_sound() {
        let mut id3 = b"ID3\x03\0\0\0\0\0\x12TALB\0\0\0\x08\0\0\0Album\0\0".to_vec();
        id3.resize(28, 0);
        let metadata = read(
            b"AIFF",
            &[
                chunk(*b"NAME", b"Odd"),
                common(1, 1, 8, &[]),
                chunk(*b"SSND", &vec![0; 400_000]),
                chunk(*b"ANNO", b"Note\0"),
                chunk(*b"ID3 ", &id3),
            ],
        )
        .await
        .unwrap();
        let tags: Vec<_> = metadata.tags.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
        assert_eq!(tags, [("album", "Album"), ("comment", "Note"), ("title", "Odd")]);
    }

    #[tokio::test]
    async fn without_a_common_chunk_it_is_malformed() {
        let error = read(b"AIFF", &[chunk(*b"SSND", &[0; 8])]).await.unwrap_err();
        assert!(error.to_string().contains("(COMM)"), "{error}");
        let error = read(b"AIFF", &[common(0, 1, 8, &[])]).await.unwrap_err();
        assert!(error.to_string().contains("no channels"), "{error}");
    }

    #[test]
    fn rates_are_floats_of_ten_bytes() {
        let rate = |hex: u128| {
            extended_to_integer(
                u16::try_from(hex >> 64).unwrap(),
                u64::try_from(hex & u128::from(u64::MAX)).unwrap(),
            )
        };
        assert_eq!(rate(0x400e_ac44_0000_0000_0000), 44_100);
        assert_eq!(rate(0x400b_fa00_0000_0000_0000), 8000);
        assert_eq!(rate(0x400f_bb80_0000_0000_0000), 96_000);
        // 22 254.5 Hz, the rate of old Macintoshes.
        assert_eq!(rate(0x400d_addd_1745_d145_d174), 22_255);
        for hex in [0, 0xffff_ffff_ffff_ffff_ffff, 0x7fff_8000_0000_0000_0000, 0x403e_8000_0000_0000_0000] {
            assert_eq!(rate(hex), 0, "{hex:x}");
        }
    }
}
