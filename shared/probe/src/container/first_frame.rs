//! What the first frame of a track tells beyond its description in AVI, ASF and WAV, which know nothing of profiles,
//! and whose writers are often wrong about channels.
//!
//! A frame that is not there, or makes no sense, leaves the track as it is.

use crate::codec::frame::Frame as _;
use crate::codec::{VideoConfig, ac3, adts, h264, hevc, mpeg_audio, mpeg_video, mpeg4_video};
use crate::metadata::{AudioTrack, VideoTrack};

/// As much of a track as is worth looking at.
pub(crate) const START_BYTES: u64 = 32 * 1024;

/// Completes `track` by `start`, the start of the stream, and by the configuration that came with its description.
/// Answers the frame rate that they tell, which is left out: containers have their own.
pub(crate) fn complete_video(track: &mut VideoTrack, extradata: &[u8], start: &[u8]) -> Option<(u64, u64)> {
    let found = video_config(&track.codec, start).or_else(|| video_config(&track.codec, extradata));
    let (prefix, config) = found?;
    if let Some(prefix) = prefix {
        track.codec_string = format!("{prefix}{}", config.codec_suffix);
    }
    let frame_rate = config.frame_rate;
    config.apply_to(track);
    frame_rate
}

/// What a byte stream, or a configuration record, of `codec` says, and what its codec string starts with.
fn video_config(codec: &str, bytes: &[u8]) -> Option<(Option<&'static str>, VideoConfig)> {
    match codec {
        "h264" => {
            let is_record = bytes.first() == Some(&1);
            let record = || h264::parse_avcc(bytes).filter(|_| is_record);
            Some((Some("avc1"), h264::find_sps(bytes).or_else(record)?))
        }
        "hevc" => Some((Some("hvc1"), hevc::find_sps(bytes)?)),
        "mpeg4" => Some((Some("mp4v"), mpeg4_video::find_layer(bytes)?)),
        "mpeg1video" | "mpeg2video" => Some((None, mpeg_video::Sequence::find(bytes)?.config)),
        _ => None,
    }
}

/// Completes `track` by `start`, the start of the stream.
pub(crate) fn complete_audio(track: &mut AudioTrack, start: &[u8]) {
    match track.codec.as_str() {
        "mp2" | "mp3" => {
            if let Some(frame) = mpeg_audio::FrameHeader::parse(start) {
                track.channels = frame.channels;
                track.sample_rate = frame.sample_rate;
                track.bit_rate = track.bit_rate.or(frame.bit_rate.map(u64::from));
                frame.codec().clone_into(&mut track.codec);
                track.codec_string.clone_from(&track.codec);
            }
        }
        "aac" => {
            if let Some(frame) = adts::FrameHeader::parse(start) {
                adts::config(&frame, start).apply_to(track);
            }
        }
        "ac3" | "eac3" => {
            if let Some(frame) = ac3::Frame::parse(start) {
                track.channels = frame.channels_in(start);
                track.sample_rate = frame.sample_rate;
                frame.codec().clone_into(&mut track.codec);
                frame.codec_string().clone_into(&mut track.codec_string);
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Parameter set of a 1280×720 encode by x264: no colours, square pixels.
    const SPS: &[u8] =
        b"\0\0\0\x01\x09\xf0\0\0\0\x01\x67\x64\x00\x1f\xac\x24\x84\x01\x40\x16\xec\x04\x40\x00\x00\x03\
        \x00\x40\x00\x00\x0c\x23\xc6\x0c\x92\0\0\x01\x68";

    #[test]
    fn a_parameter_set_in_front_or_in_the_description_tells_the_profile() {
        for (extradata, start) in [(&[][..], SPS), (SPS, &[][..])] {
            let mut track = VideoTrack::new("h264", "h264");
            // In fields.
            assert_eq!(complete_video(&mut track, extradata, start), Some((48, 2)));
            assert_eq!((&*track.codec_string, track.profile.as_deref()), ("avc1.64001f", Some("High")));
            assert_eq!((track.width, track.height, track.level), (1280, 720, Some(31)));
            assert_eq!(track.display_aspect_ratio.as_deref(), Some("16:9"));
        }
    }

    #[test]
    fn a_stream_that_makes_no_sense_changes_nothing() {
        for codec in ["h264", "hevc", "mpeg4", "mpeg2video", "wmv2"] {
            for bytes in [&[][..], &[0; 64], &[0xff; 64], b"\0\0\x01"] {
                let mut track = VideoTrack::new(codec, codec);
                assert_eq!(complete_video(&mut track, bytes, bytes), None);
                assert_eq!(track, VideoTrack::new(codec, codec));
            }
        }
    }

    #[test]
    fn sound_says_how_many_channels_it_has() {
        let mut track = AudioTrack::new("mp3", "mp3");
        track.channels = 2;
        complete_audio(&mut track, &[0xff, 0xfb, 0x92, 0xc4]);
        assert_eq!((track.channels, track.sample_rate), (1, 44_100));
        complete_audio(&mut track, &[0; 4]);
        assert_eq!((track.channels, track.sample_rate, track.bit_rate), (1, 44_100, Some(128_000)));
        let mut track = AudioTrack::new("aac", "mp4a.40.2");
        complete_audio(&mut track, &[0xff, 0xf1, 0x50, 0x40, 0x2e, 0x7f, 0xfc]);
        assert_eq!((track.channels, track.sample_rate, track.profile.as_deref()), (1, 44_100, Some("LC")));
    }
}
