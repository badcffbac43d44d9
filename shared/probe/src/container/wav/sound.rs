//! What the chunks of a WAV file tell together: the track, and how long it is.

use bytes::Bytes;

use super::disguise;
use crate::codec::pcm;
use crate::codec::wave_format::WaveFormat;
use crate::container::first_frame::complete_audio;
use crate::error::ProbeError;
use crate::metadata::{AudioTrack, CoverArt, Metadata, Tags, float};
use crate::tags::id3v2;

/// How far a number of samples may be from what rate and size make of it, to be taken for one of all channels.
const ALL_CHANNELS_TOLERANCE: f64 = 0.3;

#[derive(Default)]
pub(super) struct Sound {
    format: Vec<u8>,
    /// Offset and size of the media data; size 0 where it is not told.
    data: Option<(u64, u64)>,
    /// What the media data starts with.
    start: Bytes,
    /// Samples per channel, by `fact` or `ds64`.
    samples: u64,
    pub(super) tags: Tags,
    cover_art: Vec<CoverArt>,
    created_at: Option<String>,
    id3_tags: Option<Tags>,
}

impl Sound {
    /// The first format counts.
    pub(super) fn set_format(&mut self, format: &[u8]) {
        if self.format.is_empty() {
            self.format = format.to_vec();
        }
    }

    /// The last data counts. `size` is 0 where it is not told.
    pub(super) fn set_data(&mut self, offset: u64, size: u64) {
        self.data = Some((offset, if size > u64::MAX / 16 { 0 } else { size }));
    }

    pub(super) fn set_start_of_data(&mut self, start: Bytes) {
        self.start = start;
    }

    /// The first count that is not 0 counts.
    pub(super) fn set_samples(&mut self, samples: u64) {
        if self.samples == 0 {
            self.samples = samples;
        }
    }

    pub(super) fn add_id3(&mut self, content: id3v2::Content) {
        self.cover_art.extend(content.cover_art);
        self.created_at = self.created_at.take().or(content.created_at);
        self.id3_tags.get_or_insert(content.tags);
    }

    pub(super) fn has_id3(&self) -> bool {
        self.id3_tags.is_some()
    }

    pub(super) fn into_metadata<E>(self, container: &str, len: u64) -> Result<Metadata, ProbeError<E>> {
        let Some((data_offset, data_size)) = self.data else {
            return Err(ProbeError::malformed("there is no sound (data) in it"));
        };
        let Some(format) = WaveFormat::parse(&self.format) else {
            return Err(ProbeError::malformed("nothing in it says how the sound is coded (fmt)"));
        };
        if format.sample_rate == 0 {
            return Err(ProbeError::malformed("its sample rate is 0"));
        }
        if format.channels == 0 {
            return Err(ProbeError::malformed("it has no channels"));
        }
        let samples = samples(&format, data_size, data_offset.saturating_add(data_size) <= len, self.samples);
        let mut track = format.track();
        padded_pcm(&format).unwrap_or(format.codec).clone_into(&mut track.codec);
        if pcm::bits_of_pcm(&track.codec).is_some() {
            track.codec_string.clone_from(&track.codec);
            track.bit_rate = exact_bit_rate(&format);
        }
        complete_audio(&mut track, &self.start);
        if format.codec == "pcm_s16le"
            && let Some(found) = disguise::find(&self.start)
        {
            let bit_rate = track.bit_rate;
            track = AudioTrack::plain(found.codec, found.channels, found.sample_rate);
            track.bit_rate = bit_rate;
        }
        let seconds = match samples {
            0 => estimated_seconds(len.saturating_sub(data_offset), track.bit_rate.unwrap_or_default()),
            samples => float(samples) / f64::from(format.sample_rate),
        };
        let mut metadata = Metadata::of_sound(container, len, seconds, track);
        metadata.cover_art = self.cover_art;
        metadata.created_at = self.created_at;
        let mut tags = self.tags;
        tags.add(self.id3_tags.unwrap_or_default());
        metadata.tags = tags.into_map();
        Ok(metadata)
    }
}

/// PCM that fills more bytes than its bits need goes by names of its own.
fn padded_pcm(format: &WaveFormat<'_>) -> Option<&'static str> {
    let fills_four_bytes = format.block_align == format.channels.saturating_mul(4);
    match format.codec {
        "pcm_s32le" if fills_four_bytes && format.extradata == [1, 0] => Some("pcm_f16le"),
        "pcm_s24le" if fills_four_bytes && format.bits_per_sample == 24 => Some("pcm_f24le"),
        _ => None,
    }
}

/// Uncompressed sound takes what its samples take, whatever rate is written.
fn exact_bit_rate(format: &WaveFormat<'_>) -> Option<u64> {
    let bits = pcm::bits_of_pcm(format.codec)?;
    let per_frame = u64::from(format.block_align) * 8;
    let per_frame = if per_frame > 0 { per_frame } else { u64::from(bits) * u64::from(format.channels) };
    Some(per_frame.saturating_mul(format.sample_rate.into()))
}

fn estimated_seconds(bytes: u64, bit_rate: u64) -> f64 {
    if bit_rate == 0 { 0.0 } else { float(bytes) * 8.0 / float(bit_rate) }
}

/// Samples per channel; 0 when neither the count nor the size of the data tells. `told` is the count as it is written.
fn samples(format: &WaveFormat<'_>, data_size: u64, is_whole: bool, told: u64) -> u64 {
    let data_bits = data_size.saturating_mul(8);
    let channels = u64::from(format.channels);
    let mut samples = told;
    if counts_all_channels(format, data_size, told) {
        samples /= channels;
    }
    // A sample of a compressed codec takes no more than an uncompressed one.
    if data_size > 0
        && samples > 0
        && channels > 0
        && data_bits / samples / channels > u64::from(format.bits_per_sample) + 1
    {
        samples = 0;
    }
    if format.codec == "g729" && data_bits > samples {
        samples = 0;
    }
    let is_exact = pcm::exact_bits_per_sample(format.codec).is_some();
    let frame_bits = pcm::bits_per_sample(format.codec).map_or(0, |bits| u64::from(bits) * channels);
    if (samples == 0 || is_exact) && data_size > 0 && is_whole && frame_bits > 0 {
        samples = data_bits / frame_bits;
    }
    samples
}

/// Some writers count the samples of all channels: then they are as many times too many for the size of the data.
fn counts_all_channels(format: &WaveFormat<'_>, data_size: u64, samples: u64) -> bool {
    let channels = u64::from(format.channels);
    if channels < 2 || samples == 0 || !samples.is_multiple_of(channels) || data_size == 0 {
        return false;
    }
    let Some(bit_rate) = format.bit_rate() else { return false };
    let seconds = float(samples) / float(channels) / f64::from(format.sample_rate);
    (float(data_size) * 8.0 / seconds / float(bit_rate) - 1.0).abs() < ALL_CHANNELS_TOLERANCE
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn format(
        codec: &'static str,
        channels: u32,
        bytes_per_second: u32,
        bits_per_sample: u32,
    ) -> WaveFormat<'static> {
        WaveFormat {
            codec,
            channels,
            sample_rate: 44_100,
            bytes_per_second,
            block_align: channels * bits_per_sample / 8,
            bits_per_sample,
            extradata: &[],
        }
    }

    #[test]
    fn uncompressed_sound_is_counted_by_its_size() {
        let pcm = format("pcm_s16le", 2, 176_400, 16);
        assert_eq!(samples(&pcm, 4000, true, 0), 1000);
        assert_eq!(samples(&pcm, 4000, true, 77), 1000);
        // Cut off: then what is written is all there is.
        assert_eq!(samples(&pcm, 4000, false, 0), 0);
        assert_eq!(samples(&pcm, 4000, false, 1000), 1000);
        assert_eq!(samples(&pcm, u64::MAX, true, 0), u64::MAX / 32);
    }

    #[test]
    fn compressed_sound_is_counted_by_what_is_written() {
        let mp3 = format("mp3", 2, 16_000, 0);
        assert_eq!(samples(&mp3, 16_000, true, 44_100), 44_100);
        assert_eq!(samples(&mp3, 16_000, true, 77), 0);
        // Writers of this one count something else.
        assert_eq!(samples(&format("g729", 1, 1000, 0), 1000, true, 5000), 0);
        let adpcm = format("adpcm_ms", 2, 44_000, 4);
        assert_eq!(samples(&adpcm, 20_000, true, 0), 20_000);
        // All channels, as some writers count.
        assert_eq!(samples(&adpcm, 20_000, true, 40_000), 20_000);
    }

    #[test]
    fn samples_in_wider_words_have_other_names() {
        let mut pcm = format("pcm_s24le", 2, 0, 24);
        assert_eq!(padded_pcm(&pcm), None);
        pcm.block_align = 8;
        assert_eq!(padded_pcm(&pcm), Some("pcm_f24le"));
        assert_eq!(exact_bit_rate(&pcm), Some(2_822_400));
    }
}
