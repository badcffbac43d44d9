//! AMR and AMR-WB speech: the storage format of RFC 4867 clause 5.
//!
//! A frame is 20 ms long and as many bytes as its mode takes. There is no mark to find one by, so frames are counted
//! from the start as far as may be read, and the rest is taken to be like them.

use crate::error::ProbeError;
use crate::metadata::{AudioTrack, Metadata, float};
use crate::reader::{Reader, WINDOW_BYTES};
use crate::source::ByteSource;

const FRAMES_PER_SECOND: f64 = 50.0;
/// Bytes of a frame by its mode, its header included.
const NARROW_BAND: [u8; 16] = [13, 14, 16, 18, 20, 21, 27, 32, 6, 1, 1, 1, 1, 1, 1, 1];
const WIDE_BAND: [u8; 16] = [18, 24, 33, 37, 41, 47, 51, 59, 61, 6, 1, 1, 1, 1, 1, 1];

struct Format {
    magic: &'static [u8],
    codec: &'static str,
    codec_string: &'static str,
    sample_rate: u32,
    frame_bytes: &'static [u8; 16],
}

const FORMATS: [Format; 2] = [
    Format {
        magic: b"#!AMR\n",
        codec: "amr_nb",
        codec_string: "samr",
        sample_rate: 8000,
        frame_bytes: &NARROW_BAND,
    },
    Format {
        magic: b"#!AMR-WB\n",
        codec: "amr_wb",
        codec_string: "sawb",
        sample_rate: 16_000,
        frame_bytes: &WIDE_BAND,
    },
];

/// Reads the metadata of a file that looks like one.
pub(crate) async fn probe<S: ByteSource>(
    reader: &mut Reader<'_, S>,
) -> Result<Metadata, ProbeError<S::Error>> {
    let len = reader.len();
    let head = reader.read(0..WINDOW_BYTES).await?;
    let Some(format) = FORMATS.iter().find(|format| head.starts_with(format.magic)) else {
        return Err(ProbeError::Unsupported { looks_like: Some("an AMR file of several channels") });
    };
    let start = format.magic.len() as u64;
    // Half of what may be read: hours of speech are much alike.
    let end = len.min(start.max(reader.cached_until(0)).saturating_add(reader.bytes_left() / 2));
    let bytes = reader.read(start..end).await?;
    let (frames, counted_bytes) = count(&bytes, format.frame_bytes);
    let mut frames = float(frames);
    if end < len && counted_bytes > 0 {
        frames *= float(len - start) / float(counted_bytes);
    }
    let mut track = AudioTrack::new(format.codec, format.codec_string);
    track.channels = 1;
    track.sample_rate = format.sample_rate;
    Ok(Metadata::of_sound("amr", len, frames / FRAMES_PER_SECOND, track))
}

/// Frames, and the bytes that they take. One that the end cuts counts.
fn count(bytes: &[u8], frame_bytes: &[u8; 16]) -> (u64, u64) {
    let (mut frames, mut position) = (0, 0_usize);
    while let Some(header) = bytes.get(position) {
        let mode = usize::from(header >> 3 & 15);
        position = position.saturating_add(usize::from(frame_bytes[mode]));
        frames += 1;
    }
    (frames, position as u64)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use crate::source::MemorySource;

    async fn seconds(bytes: Vec<u8>) -> (String, f64) {
        let metadata = crate::probe(&MemorySource::new(bytes)).await.unwrap();
        (metadata.audio[0].codec.clone(), metadata.duration_seconds)
    }

    #[tokio::test]
    async fn frames_of_all_modes_are_counted() {
        let mut bytes = b"#!AMR\n".to_vec();
        for _ in 0..25 {
            bytes.extend([0x3c; 32]);
            bytes.extend([0x44; 6]);
        }
        assert_eq!(seconds(bytes).await, ("amr_nb".to_owned(), 1.0));
        let wide = [&b"#!AMR-WB\n"[..], &[0x44; 61].repeat(50)].concat();
        assert_eq!(seconds(wide).await, ("amr_wb".to_owned(), 1.0));
    }

    #[tokio::test]
    async fn hours_are_estimated() {
        let bytes = [&b"#!AMR\n"[..], &[0x3c; 32].repeat(180_000)].concat();
        let (_, seconds) = seconds(bytes).await;
        assert!((seconds - 3600.0).abs() < 1.0, "{seconds}");
    }

    #[tokio::test]
    async fn several_channels_are_refused() {
        assert!(crate::probe(&MemorySource::new("#!AMR_MC1.0\n\0\0\0\x02")).await.is_err());
    }
}
