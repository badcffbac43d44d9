//! Sun's and NeXT's audio files ("audio/basic").
//!
//! A header of six words, then an annotation up to where the sound starts. A size that is not known, as in a stream,
//! makes a sound as long as the file lasts.

use crate::codec::pcm;
use crate::container::riff::text;
use crate::cursor::Cursor;
use crate::error::ProbeError;
use crate::metadata::{AudioTrack, Metadata, Tags, float};
use crate::reader::Reader;
use crate::source::ByteSource;

const HEADER_BYTES: usize = 24;
const UNKNOWN_SIZE: u32 = u32::MAX;
/// A longer annotation is not read to its end.
const MAX_ANNOTATION_BYTES: u64 = 16 * 1024;
const KEYS: [&str; 5] = ["title", "artist", "album", "track", "genre"];

/// Reads the metadata of a file that looks like one.
pub(crate) async fn probe<S: ByteSource>(
    reader: &mut Reader<'_, S>,
) -> Result<Metadata, ProbeError<S::Error>> {
    let head = reader.read(0..HEADER_BYTES as u64 + MAX_ANNOTATION_BYTES).await?;
    let Some(header) = Header::parse(&head) else {
        return Err(ProbeError::malformed("it ends within its header"));
    };
    let Some((codec, bits_per_sample)) = codec_of(header.encoding) else {
        return Err(ProbeError::malformed("nothing in it says how the sound is coded"));
    };
    if header.sample_rate == 0 || header.channels == 0 {
        return Err(ProbeError::malformed("its sound has no sample rate or no channels"));
    }
    let size_bytes = match header.size {
        UNKNOWN_SIZE => reader.len().saturating_sub(header.offset.into()),
        size => size.into(),
    };
    let mut track = AudioTrack::plain(codec, header.channels, header.sample_rate);
    let frame_bits = u64::from(bits_per_sample) * u64::from(header.channels);
    track.bit_rate = Some(frame_bits.saturating_mul(header.sample_rate.into()));
    let seconds = float(size_bytes) * 8.0 / float(frame_bits) / f64::from(header.sample_rate);
    let mut metadata = Metadata::of_sound("au", reader.len(), seconds, track);
    let annotation =
        header.offset.try_into().ok().and_then(|end: usize| head.get(HEADER_BYTES..end.min(head.len())));
    metadata.tags = parse_annotation(annotation.unwrap_or_default()).into_map();
    Ok(metadata)
}

struct Header {
    /// Where the sound starts.
    offset: u32,
    size: u32,
    encoding: u32,
    sample_rate: u32,
    channels: u32,
}

impl Header {
    fn parse(bytes: &[u8]) -> Option<Self> {
        let mut fields = Cursor::new(bytes);
        fields.skip(4)?;
        Some(Self {
            offset: fields.u32()?,
            size: fields.u32()?,
            encoding: fields.u32()?,
            sample_rate: fields.u32()?,
            channels: fields.u32()?,
        })
    }
}

/// `ffprobe`'s name of an encoding, and the bits that a sample takes in it.
fn codec_of(encoding: u32) -> Option<(&'static str, u32)> {
    let codec = match encoding {
        1 => "pcm_mulaw",
        2 => "pcm_s8",
        3 => "pcm_s16be",
        4 => "pcm_s24be",
        5 => "pcm_s32be",
        6 => "pcm_f32be",
        7 => "pcm_f64be",
        23 => return Some(("adpcm_g726le", 4)),
        24 => "adpcm_g722",
        25 => return Some(("adpcm_g726le", 3)),
        26 => return Some(("adpcm_g726le", 5)),
        27 => "pcm_alaw",
        _ => return None,
    };
    pcm::exact_bits_per_sample(codec).map(|bits| (codec, bits))
}

/// The annotation is free text; some writers put lines of `key=value` there.
fn parse_annotation(annotation: &[u8]) -> Tags {
    let mut tags = Tags::default();
    for (key, value) in text(annotation).lines().filter_map(|line| line.split_once('=')) {
        if KEYS.contains(&key.to_ascii_lowercase().as_str()) {
            tags.insert(&key.to_ascii_lowercase(), value);
        }
    }
    tags
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::io;

    use super::*;
    use crate::MemorySource;

    async fn read(
        fields: [u32; 5],
        annotation: &str,
        sound_bytes: usize,
    ) -> Result<Metadata, ProbeError<io::Error>> {
        let fields = fields.map(u32::to_be_bytes).concat();
        let bytes = [b".snd", &fields[..], annotation.as_bytes(), &vec![0; sound_bytes]].concat();
        crate::probe(&MemorySource::new(bytes)).await
    }

    #[tokio::test]
    async fn the_header_tells_all() {
        let metadata = read([24, 16_000, 3, 8000, 2], "", 100).await.unwrap();
        let track = &metadata.audio[0];
        assert_eq!((&*metadata.container, &*track.codec), ("au", "pcm_s16be"));
        assert_eq!((track.channels, track.sample_rate, track.bit_rate), (2, 8000, Some(256_000)));
        assert!((metadata.duration_seconds - 0.5).abs() < 1e-6);
    }

    #[tokio::test]
    async fn a_size_that_is_not_known_is_that_of_the_rest() {
        let metadata = read([28, u32::MAX, 1, 8000, 1], "Note", 4000).await.unwrap();
        assert_eq!(metadata.audio[0].codec, "pcm_mulaw");
        assert!((metadata.duration_seconds - 0.5).abs() < 1e-6);
        assert!(metadata.tags.is_empty());
    }

    #[tokio::test]
    async fn an_annotation_may_hold_tags() {
        let annotation = "title=A=B\nArtist=C\nother=D\n\0";
        let offset = 24 + u32::try_from(annotation.len()).unwrap();
        let metadata = read([offset, 8, 25, 8000, 1], annotation, 8).await.unwrap();
        assert_eq!(metadata.audio[0].codec, "adpcm_g726le");
        let tags: Vec<_> = metadata.tags.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
        assert_eq!(tags, [("artist", "C"), ("title", "A=B")]);
        let cut = read([4096, 8, 3, 8000, 1], "title=A\n", 8).await.unwrap();
        assert_eq!(cut.tags["title"], "A");
    }

    #[tokio::test]
    async fn what_makes_no_sense_is_malformed() {
        for fields in [[24, 8, 99, 8000, 1], [24, 8, 3, 0, 1], [24, 8, 3, 8000, 0]] {
            assert!(matches!(read(fields, "", 8).await, Err(ProbeError::Malformed { .. })), "{fields:?}");
        }
        let cut = crate::probe(&MemorySource::new(".snd\0\0\0\x18\0\0")).await;
        assert!(matches!(cut, Err(ProbeError::Malformed { .. })));
        // Nothing overflows, and an offset before the header is none.
        assert!(read([0, u32::MAX - 1, 7, u32::MAX, u32::MAX], "", 8).await.unwrap().duration_seconds < 1.0);
    }
}
