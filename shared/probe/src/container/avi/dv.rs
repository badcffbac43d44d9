//! DV with its sound interleaved, "type 1" of Microsoft's "DV Data in the AVI File Format": one stream that is a video
//! track and an audio track, described by the DV frames alone (IEC 61834-2, SMPTE 314M).

use crate::metadata::{AudioTrack, Metadata, VideoTrack, aspect_ratio};

/// Set in the header block where there are 50 fields a second.
const IS_50_FIELDS: u8 = 0x80;
/// Where the sound's source pack is in a frame: in the fourth audio block, behind blocks of header, subcode and VAUX.
const AUDIO_SOURCE_OFFSET: usize = 80 * 6 + 80 * 16 * 3 + 3;
const AUDIO_SOURCE: u8 = 0x50;
const SAMPLE_RATES: [u32; 3] = [48_000, 44_100, 32_000];
/// Pairs of channels by the type of the signal: two channels of SD, none, four, eight.
const PAIRS: [u32; 4] = [1, 0, 2, 4];

/// Adds the tracks that `frame`, the first one of the stream, tells.
pub(super) fn add_tracks(frame: &[u8], metadata: &mut Metadata) {
    let mut video = VideoTrack::new("dvvideo", "dvvideo");
    if let Some(flags) = frame.get(3) {
        let is_50_fields = flags & IS_50_FIELDS != 0;
        (video.width, video.height) = if is_50_fields { (720, 576) } else { (720, 480) };
        video.frame_rate = if is_50_fields { 25.0 } else { 29.97 };
        video.display_aspect_ratio = aspect_ratio(4, 3);
    }
    metadata.video.push(video);
    if let Some((pairs, sample_rate)) = parse_audio_source(frame) {
        for _ in 0..pairs {
            let mut audio = AudioTrack::plain("pcm_s16le", 2, sample_rate);
            audio.bit_rate = Some(u64::from(sample_rate) * 32);
            metadata.audio.push(audio);
        }
    }
}

/// Pairs of channels, and their sample rate.
fn parse_audio_source(frame: &[u8]) -> Option<(u32, u32)> {
    let [AUDIO_SOURCE, _, _, signal, sampling] = *frame.get(AUDIO_SOURCE_OFFSET..)?.first_chunk::<5>()?
    else {
        return None;
    };
    let frequency = usize::from(sampling >> 3 & 7);
    let pairs = *PAIRS.get(usize::from(signal & 0x1f))?;
    // At 32 kHz, samples of twelve bits leave room for four channels.
    let is_four_channels = pairs == 1 && sampling & 7 != 0 && frequency == 2;
    Some((if is_four_channels { 2 } else { pairs }, *SAMPLE_RATES.get(frequency)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tracks(flags: u8, pack: [u8; 5]) -> (u32, f64, Vec<u32>) {
        let mut frame = vec![0; AUDIO_SOURCE_OFFSET];
        frame[3] = flags;
        frame.extend(pack);
        let mut metadata = Metadata::new("avi", "avi", 0);
        add_tracks(&frame, &mut metadata);
        let rates = metadata.audio.iter().map(|track| track.sample_rate).collect();
        (metadata.video[0].height, metadata.video[0].frame_rate, rates)
    }

    #[test]
    fn a_frame_tells_picture_and_sound() {
        assert_eq!(tracks(0xbf, [0x50, 0, 0, 0x20, 0]), (576, 25.0, vec![48_000]));
        assert_eq!(tracks(0x3f, [0x50, 0, 0, 0, 0x10]), (480, 29.97, vec![32_000]));
        assert_eq!(tracks(0x3f, [0x50, 0, 0, 0, 0x11]), (480, 29.97, vec![32_000, 32_000]));
        assert_eq!(tracks(0x3f, [0x50, 0, 0, 1, 0]), (480, 29.97, vec![]));
        assert_eq!(tracks(0x3f, [0xff; 5]), (480, 29.97, vec![]));
    }
}
