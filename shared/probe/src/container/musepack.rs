//! Musepack, stream versions 7 and 8 (the Musepack project's "SV7" and "SV8 Specification").

use crate::cursor::Cursor;
use crate::error::ProbeError;
use crate::metadata::{AudioTrack, Metadata, float};
use crate::reader::{Reader, WINDOW_BYTES};
use crate::source::ByteSource;
use crate::tags::{LeadingTags, trailing};

const FRAME_SAMPLES: u64 = 1152;
const SAMPLE_RATES: [u32; 4] = [44_100, 48_000, 37_800, 32_000];
/// Packets that may precede the stream header of version 8.
const MAX_PACKETS: usize = 64;

#[derive(Debug, PartialEq, Eq)]
struct Header {
    /// Container and codec by `ffprobe`'s names.
    names: (&'static str, &'static str),
    channels: u32,
    sample_rate: u32,
    samples: u64,
}

impl Header {
    fn parse(head: &[u8]) -> Option<Self> {
        match head.strip_prefix(b"MPCK") {
            Some(packets) => Self::parse_version_8(packets),
            None => Self::parse_version_7(head),
        }
    }

    fn parse_version_7(head: &[u8]) -> Option<Self> {
        let mut fields = Cursor::new(head);
        fields.skip(3)?;
        if fields.u8()? & 15 != 7 {
            return None;
        }
        let frames = fields.u32_le()?;
        fields.skip(2)?;
        let sample_rate = SAMPLE_RATES[usize::from(fields.u8()? & 3)];
        let samples = u64::from(frames) * FRAME_SAMPLES;
        Some(Self { names: ("mpc", "musepack7"), channels: 2, sample_rate, samples })
    }

    /// Packets of a key, a size that counts itself and the key, and content.
    fn parse_version_8(packets: &[u8]) -> Option<Self> {
        let mut fields = Cursor::new(packets);
        for _ in 0..MAX_PACKETS {
            let before = fields.rest().len();
            let key = fields.take(2)?;
            let size = usize::try_from(variable(&mut fields)?).ok()?;
            let content = size.checked_sub(before - fields.rest().len())?;
            if key == b"SH" {
                return Self::parse_stream_header(fields.rest());
            }
            fields.skip(content)?;
        }
        None
    }

    fn parse_stream_header(content: &[u8]) -> Option<Self> {
        let mut fields = Cursor::new(content);
        fields.skip(4 + 1)?;
        let samples = variable(&mut fields)?;
        variable(&mut fields)?;
        let (rates, channels) = (fields.u8()?, fields.u8()?);
        let sample_rate = *SAMPLE_RATES.get(usize::from(rates >> 5))?;
        // Whole packets count, as ffprobe has it, unless there is none.
        let packet_samples = FRAME_SAMPLES << (2 * (channels & 3));
        let samples = match samples / packet_samples * packet_samples {
            0 => samples,
            whole => whole,
        };
        let channels = u32::from(channels >> 4) + 1;
        Some(Self { names: ("mpc8", "musepack8"), channels, sample_rate, samples })
    }
}

/// Seven bits a byte, the top bit set in all but the last.
fn variable(fields: &mut Cursor<'_>) -> Option<u64> {
    let mut value = 0;
    for _ in 0..9 {
        let byte = fields.u8()?;
        value = value << 7 | u64::from(byte & 0x7f);
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

/// Reads the metadata of a file that looks like one.
pub(crate) async fn probe<S: ByteSource>(
    reader: &mut Reader<'_, S>,
    leading: &LeadingTags,
) -> Result<Metadata, ProbeError<S::Error>> {
    let head = reader.read(leading.end..leading.end.saturating_add(WINDOW_BYTES)).await?;
    let Some(header) = Header::parse(&head) else {
        return Err(ProbeError::malformed("its header makes no sense"));
    };
    let (container, codec) = header.names;
    let seconds = float(header.samples) / f64::from(header.sample_rate);
    let track = AudioTrack::plain(codec, header.channels, header.sample_rate);
    let mut metadata = Metadata::of_sound(container, reader.len(), seconds, track);
    trailing::read(reader, leading.end).await?.add_to(&mut metadata);
    Ok(metadata)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn version_7_counts_frames() {
        let header = Header::parse(b"MP+\x17\x0b\0\0\0\0\0\x01\0").unwrap();
        assert_eq!((header.names.1, header.sample_rate, header.samples), ("musepack7", 48_000, 11 * 1152));
        assert_eq!(Header::parse(b"MP+\x05\x0b\0\0\0\0\0\x01\0"), None);
    }

    #[test]
    fn version_8_counts_samples() {
        let head = b"MPCKRG\x05\0\0SH\x0e\0\0\0\0\x08\x82\x80\x00\0\x00\x13AP";
        let header = Header::parse(head).unwrap();
        assert_eq!((header.names.0, header.sample_rate, header.channels), ("mpc8", 44_100, 2));
        assert_eq!(header.samples, 2 << 14);
        assert_eq!(Header::parse(b"MPCKRG\x01\0\0SH"), None);
        assert_eq!(Header::parse(&[b"MPCK".to_vec(), b"RG\x03".repeat(500)].concat()), None);
        assert_eq!(Header::parse(b"MPCKSH\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"), None);
    }
}
