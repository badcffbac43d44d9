//! WavPack 4 and 5 ("WavPack 4 & 5 Binary File / Block Format"): blocks, of which the first tells all in most files.

use crate::cursor::Cursor;
use crate::error::ProbeError;
use crate::metadata::{AudioTrack, Metadata, float};
use crate::reader::{Reader, WINDOW_BYTES};
use crate::source::ByteSource;
use crate::tags::{LeadingTags, trailing};

const HEADER_BYTES: usize = 32;
const SAMPLE_RATES: [u32; 15] = [
    6000, 8000, 9600, 11_025, 12_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000, 64_000, 88_200, 96_000,
    192_000,
];
const IS_MONO: u32 = 1 << 2;
const IS_FIRST_OF_CHANNELS: u32 = 1 << 11;
const IS_LAST_OF_CHANNELS: u32 = 1 << 12;

/// Sub-blocks: what they hold, and how their size is told.
const KIND: u8 = 0x3f;
const CHANNEL_INFO: u8 = 0x0d;
const DSD_DATA: u8 = 0x0e;
const SAMPLE_RATE: u8 = 0x27;
const MAX_DSD_SHIFT: u8 = 8;
const IS_LARGE: u8 = 0x80;
const MAX_SUB_BLOCKS: usize = 256;
const MAX_BLOCKS: usize = 4096;

/// The header of a block, and the sub-blocks that matter here.
#[derive(Debug, Default, PartialEq, Eq)]
struct Block {
    size_bytes: usize,
    /// Samples in the file; `None` when the encoder did not know.
    total_samples: Option<u64>,
    samples: u32,
    flags: u32,
    channels: Option<u32>,
    sample_rate: Option<u32>,
}

impl Block {
    fn parse(bytes: &[u8]) -> Option<Self> {
        let mut fields = Cursor::new(bytes);
        if fields.take(4)? != b"wvpk" {
            return None;
        }
        let size_bytes = usize::try_from(fields.u32_le()?).ok()?.checked_add(8)?;
        fields.skip(2 + 1)?;
        let total_top = fields.u8()?;
        let total = fields.u32_le()?;
        fields.skip(4)?;
        let (samples, flags) = (fields.u32_le()?, fields.u32_le()?);
        // Version 5 has found a fifth byte; all ones in the old four say "unknown".
        let total_samples = (total != u32::MAX).then(|| u64::from(total_top) << 32 | u64::from(total));
        let mut block = Self {
            size_bytes,
            total_samples,
            samples,
            flags,
            channels: None,
            sample_rate: SAMPLE_RATES.get(flags as usize >> 23 & 15).copied(),
        };
        if size_bytes < HEADER_BYTES {
            return None;
        }
        block.read_sub_blocks(bytes.get(HEADER_BYTES..bytes.len().min(size_bytes))?);
        Some(block)
    }

    fn read_sub_blocks(&mut self, bytes: &[u8]) {
        let mut fields = Cursor::new(bytes);
        for _ in 0..MAX_SUB_BLOCKS {
            if self.read_sub_block(&mut fields).is_none() {
                break;
            }
        }
    }

    fn read_sub_block(&mut self, fields: &mut Cursor<'_>) -> Option<()> {
        let kind = fields.u8()?;
        let mut words = usize::from(fields.u8()?);
        if kind & IS_LARGE != 0 {
            words |= usize::from(fields.u16_le()?) << 8;
        }
        // A last byte of padding, which the kind announces, does no harm here.
        match (kind & KIND, fields.take(words * 2)?) {
            (CHANNEL_INFO, [count, ..]) => self.channels = Some((*count).into()),
            // Eight one-bit samples are stored as one, and a power of two of these for each of the rate.
            (DSD_DATA, [shift @ 0..=MAX_DSD_SHIFT, ..]) => {
                self.sample_rate = self.sample_rate.and_then(|rate| rate.checked_mul(1 << shift));
            }
            (SAMPLE_RATE, [a, b, c, ..]) => self.sample_rate = Some(u32::from_le_bytes([*a, *b, *c, 0])),
            _ => {}
        }
        Some(())
    }

    fn channels(&self) -> u32 {
        let own = if self.flags & IS_MONO != 0 { 1 } else { 2 };
        let is_alone = self.flags & IS_FIRST_OF_CHANNELS != 0 && self.flags & IS_LAST_OF_CHANNELS != 0;
        self.channels.filter(|count| *count > 0 && !is_alone || *count > own).unwrap_or(own)
    }
}

/// Reads the metadata of a file that looks like one.
pub(crate) async fn probe<S: ByteSource>(
    reader: &mut Reader<'_, S>,
    leading: &LeadingTags,
) -> Result<Metadata, ProbeError<S::Error>> {
    let start = leading.end;
    let head = reader.read(start..start.saturating_add(WINDOW_BYTES)).await?;
    // A first block may hold the header of the original file, and nothing to play.
    let first = blocks(&head).find(|(_, block)| block.samples > 0);
    let Some((_, first)) = first else {
        return Err(ProbeError::malformed("there is no sound in its first blocks"));
    };
    let trailing = trailing::read(reader, start).await?;
    let samples =
        first.total_samples.map_or_else(|| estimate(&head, trailing.start.saturating_sub(start)), float);
    let sample_rate = first.sample_rate.unwrap_or(0);
    let track = AudioTrack::plain("wavpack", first.channels(), sample_rate);
    let mut metadata = Metadata::of_sound("wv", reader.len(), samples / f64::from(sample_rate), track);
    trailing.add_to(&mut metadata);
    Ok(metadata)
}

/// The blocks in `bytes`, and where they start.
fn blocks(bytes: &[u8]) -> impl Iterator<Item = (usize, Block)> {
    let mut position = 0_usize;
    let next = std::iter::from_fn(move || {
        let start = position;
        let block = Block::parse(bytes.get(start..)?)?;
        position = start.checked_add(block.size_bytes)?;
        Some((start, block))
    });
    next.take(MAX_BLOCKS)
}

/// Samples in `stream_bytes`, when those at the start are like the rest.
fn estimate(head: &[u8], stream_bytes: u64) -> f64 {
    let (mut samples, mut bytes) = (0_u64, 0);
    for (start, block) in blocks(head) {
        if block.flags & IS_FIRST_OF_CHANNELS != 0 {
            samples += u64::from(block.samples);
        }
        bytes = start as u64 + block.size_bytes as u64;
    }
    if bytes > 0 { float(samples) * float(stream_bytes) / float(bytes) } else { 0.0 }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn block(total: u32, samples: u32, flags: u32, sub_blocks: &[u8]) -> Vec<u8> {
        let size = u32::try_from(HEADER_BYTES - 8 + sub_blocks.len()).unwrap();
        let fields = [size, 0x0410, total, 0, samples, flags, 0].map(u32::to_le_bytes);
        [b"wvpk", &fields.concat()[..], sub_blocks].concat()
    }

    #[test]
    fn a_block_tells_rate_channels_and_length() {
        let flags = 9 << 23 | IS_FIRST_OF_CHANNELS | IS_LAST_OF_CHANNELS;
        let parsed = Block::parse(&block(441_000, 22_050, flags, &[])).unwrap();
        assert_eq!(
            (parsed.sample_rate, parsed.channels(), parsed.total_samples),
            (Some(44_100), 2, Some(441_000))
        );
        let mut long = block(5, 22_050, flags, &[]);
        long[11] = 1;
        assert_eq!(Block::parse(&long).unwrap().total_samples, Some((1 << 32) + 5));
        let mono = Block::parse(&block(u32::MAX, 22_050, flags | IS_MONO, &[])).unwrap();
        assert_eq!((mono.channels(), mono.total_samples), (1, None));
    }

    #[test]
    fn sub_blocks_tell_what_does_not_fit() {
        let sub_blocks = [0x4d, 1, 6, 0, 0x67, 2, 0x00, 0x53, 0x07, 0];
        let parsed = Block::parse(&block(1, 1, 15 << 23 | IS_FIRST_OF_CHANNELS, &sub_blocks)).unwrap();
        assert_eq!((parsed.sample_rate, parsed.channels()), (Some(480_000), 6));
        let cut = Block::parse(&block(1, 1, 15 << 23, &[0x8d, 0xff, 0xff, 0xff])).unwrap();
        assert_eq!((cut.sample_rate, cut.channels()), (None, 2));
    }

    #[test]
    fn an_unknown_length_is_estimated() {
        let one = block(u32::MAX, 100, IS_FIRST_OF_CHANNELS, &[0; 8]);
        assert!((estimate(&one.repeat(3), one.len() as u64 * 30) - 3000.0).abs() < 1e-6);
        // Further channels play at the same time.
        let pair = [one, block(u32::MAX, 100, IS_LAST_OF_CHANNELS, &[0; 8])].concat();
        assert!((estimate(&pair.repeat(3), pair.len() as u64 * 30) - 3000.0).abs() < 1e-6);
        assert!(estimate(b"", 100).abs() < f64::EPSILON);
    }
}
