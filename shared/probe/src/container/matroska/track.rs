//! Track entries (RFC 9559 clause 5.1.4).

use super::cluster::Block;
use super::codec;
use super::ebml::{child, child_float, child_text, child_unsigned, children, unsigned};
use super::video::Video;
use crate::codec::aac::AudioSpecificConfig;
use crate::codec::flac::StreamInfo;
use crate::codec::sbr::carry_sbr;
use crate::codec::wave_format::WaveFormat;
use crate::codec::{AudioConfig, UNKNOWN, aac, codec_string, dts_profile, headers};
use crate::metadata::{AudioTrack, SubtitleTrack};

const TRACK_ENTRY: u32 = 0xae;
const TRACK_NUMBER: u32 = 0xd7;
const TRACK_UID: u32 = 0x73c5;
const TRACK_TYPE: u32 = 0x83;
const DEFAULT_DURATION: u32 = 0x23_e383;
const LANGUAGE: u32 = 0x22_b59c;
const LANGUAGE_BCP_47: u32 = 0x22_b59d;
const CODEC_ID: u32 = 0x86;
const CODEC_PRIVATE: u32 = 0x63a2;
const VIDEO: u32 = 0xe0;
const AUDIO: u32 = 0xe1;
const SAMPLING_FREQUENCY: u32 = 0xb5;
const OUTPUT_SAMPLING_FREQUENCY: u32 = 0x78b5;
const CHANNELS: u32 = 0x9f;
const BIT_DEPTH: u32 = 0x6264;
const CONTENT_ENCODINGS: u32 = 0x6d80;

const TYPE_VIDEO: u64 = 1;
const TYPE_AUDIO: u64 = 2;
const TYPE_SUBTITLE: u64 = 0x11;
/// A track that says no language is in this one.
const DEFAULT_LANGUAGE: &str = "eng";
const UNDETERMINED: &str = "und";
const DEFAULT_SAMPLE_RATE: f64 = 8000.0;

/// The most entries that are looked at.
const MAX_ENTRIES: usize = 512;

#[derive(Debug, PartialEq)]
pub(super) struct Track {
    pub(super) number: u64,
    pub(super) uid: u64,
    /// Nanoseconds of a frame.
    pub(super) default_duration: Option<u64>,
    /// Whether frames are as they are, neither compressed nor encrypted.
    has_plain_frames: bool,
    pub(super) media: Media,
    /// The configuration of AAC that does not say whether there is spectral band replication.
    core: Option<AudioSpecificConfig>,
}

#[derive(Debug, PartialEq)]
pub(super) enum Media {
    Video(Box<Video>),
    Audio(AudioTrack),
    Subtitle(SubtitleTrack),
}

impl Media {
    fn apply_first_frame(&mut self, frame: &[u8]) {
        match self {
            Self::Video(video) => video.apply_first_frame(frame),
            Self::Audio(audio) if audio.codec == "dts" => {
                audio.profile = dts_profile::profile(frame).map(str::to_owned);
            }
            Self::Audio(_) | Self::Subtitle(_) => {}
        }
    }
}

/// The tracks of a `Tracks` element. Those of other types (buttons, controls, metadata) are left out.
pub(super) fn parse_tracks(tracks: &[u8]) -> Vec<Track> {
    let entries = children(tracks).filter(|element| element.id == TRACK_ENTRY).take(MAX_ENTRIES);
    entries.filter_map(|entry| Track::parse(entry.body)).collect()
}

impl Track {
    fn parse(entry: &[u8]) -> Option<Self> {
        let codec_id = child_text(entry, CODEC_ID).unwrap_or_default();
        let codec_private = child(entry, CODEC_PRIVATE).unwrap_or_default();
        let media = match child_unsigned(entry, TRACK_TYPE)? {
            TYPE_VIDEO => {
                Media::Video(Box::new(Video::parse(&codec_id, codec_private, entry, child(entry, VIDEO)?)))
            }
            TYPE_AUDIO => Media::Audio(parse_audio(&codec_id, codec_private, entry)),
            TYPE_SUBTITLE => Media::Subtitle(SubtitleTrack {
                codec: codec::name(&codec_id).to_owned(),
                language: language(entry),
            }),
            _ => return None,
        };
        let core = match &media {
            Media::Audio(track) if codec::name(&codec_id) == "aac" => {
                let config = AudioSpecificConfig::parse(codec_private);
                // Where the container says the rate that is heard, nothing is left to be found.
                config.filter(|core| core.may_conceal_sbr() && core.sample_rate == track.sample_rate)
            }
            _ => None,
        };
        Some(Self {
            number: child_unsigned(entry, TRACK_NUMBER).unwrap_or_default(),
            uid: child_unsigned(entry, TRACK_UID).unwrap_or_default(),
            default_duration: child_unsigned(entry, DEFAULT_DURATION).filter(|nanoseconds| *nanoseconds > 0),
            has_plain_frames: child(entry, CONTENT_ENCODINGS).is_none(),
            media,
            core,
        })
    }

    /// Takes in what only the track's first frames say, which are in `blocks`.
    pub(super) fn apply_first_frames(&mut self, blocks: &[&Block<'_>]) {
        if !self.has_plain_frames {
            return;
        }
        if let Some(frame) = blocks.first().and_then(|block| block.frame()) {
            self.media.apply_first_frame(frame);
        }
        if let (Media::Audio(track), Some(mut config)) = (&mut self.media, self.core.take())
            && carry_sbr(blocks.iter().filter_map(|block| block.frame()))
        {
            config.add_implicit_sbr();
            config.apply_to(track);
        }
    }
}

/// `ffprobe` knows the older element only, and hides "undetermined".
fn language(entry: &[u8]) -> Option<String> {
    let language = child_text(entry, LANGUAGE).or_else(|| child_text(entry, LANGUAGE_BCP_47));
    let language = language.unwrap_or_else(|| DEFAULT_LANGUAGE.to_owned());
    let is_code = language.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    (is_code && (2..=35).contains(&language.len()) && language != UNDETERMINED).then_some(language)
}

fn parse_audio(codec_id: &str, codec_private: &[u8], entry: &[u8]) -> AudioTrack {
    let audio = child(entry, AUDIO).unwrap_or_default();
    let bit_depth = child_unsigned(audio, BIT_DEPTH).unwrap_or_default();
    let name = codec::pcm_name(codec_id, bit_depth).unwrap_or_else(|| codec::name(codec_id));
    let mut track = AudioTrack::new(name, codec_string(name));
    let sampled_at = child_float(audio, SAMPLING_FREQUENCY).unwrap_or(DEFAULT_SAMPLE_RATE);
    let played_at = child_float(audio, OUTPUT_SAMPLING_FREQUENCY).filter(|rate| *rate > 0.0);
    track.sample_rate = whole(played_at.unwrap_or(sampled_at));
    track.channels = child_unsigned(audio, CHANNELS).and_then(|count| u32::try_from(count).ok()).unwrap_or(1);
    track.language = language(entry);
    match name {
        "aac" => apply_aac(&mut track, codec_id, codec_private),
        _ if codec_id == "A_MS/ACM" => apply_wave_format(&mut track, codec_private),
        UNKNOWN if codec_id == "A_QUICKTIME" => {
            let name = codec::quicktime_audio_name(codec_private);
            name.clone_into(&mut track.codec);
            codec_string(name).clone_into(&mut track.codec_string);
        }
        _ => {
            let config = parse_config(name, codec_private).unwrap_or_default();
            track.channels = config.channels.unwrap_or(track.channels);
            track.sample_rate = config.sample_rate.unwrap_or(track.sample_rate);
        }
    }
    track
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a float-to-integer cast saturates"
)]
fn whole(rate: f64) -> u32 {
    rate as u32
}

fn apply_aac(track: &mut AudioTrack, codec_id: &str, codec_private: &[u8]) {
    aac::describe(track, codec_private);
    // Identifiers of old name the profile, A_AAC/MPEG4/LC/SBR, and come without a configuration.
    if track.profile.is_none() && codec_id.ends_with("/SBR") {
        "mp4a.40.5".clone_into(&mut track.codec_string);
        track.profile = Some("HE-AAC".to_owned());
    }
}

fn apply_wave_format(track: &mut AudioTrack, codec_private: &[u8]) {
    if let Some(format) = WaveFormat::parse(codec_private) {
        let language = track.language.take();
        *track = AudioTrack { language, ..format.track() };
    }
}

/// Codecs whose own header is the `CodecPrivate`.
fn parse_config(codec: &str, codec_private: &[u8]) -> Option<AudioConfig> {
    match codec {
        "opus" => {
            let channels = codec_private.get(9).copied().map(u32::from).filter(|count| *count > 0);
            Some(AudioConfig { channels, sample_rate: Some(48_000) })
        }
        "vorbis" => headers::parse_vorbis(codec_private),
        "flac" => {
            // "fLaC" and a block header.
            let info = StreamInfo::parse(codec_private.strip_prefix(b"fLaC")?.get(4..)?)?;
            Some(AudioConfig { channels: Some(info.channels), sample_rate: Some(info.sample_rate) })
        }
        "alac" => headers::parse_alac(codec_private),
        _ => None,
    }
}

/// The unsigned integers of all children with identifier `id`.
pub(super) fn all_unsigned(body: &[u8], id: u32) -> impl Iterator<Item = u64> {
    children(body).filter(move |element| element.id == id).filter_map(|element| unsigned(element.body))
}
