//! One stream of a program: what its own bytes say of it.

use super::frame_rate::{MAX_RATE, nearest_usual};
use super::packet::Packet;
use super::pes::PesHeader;
use super::stream_type::Codec;
use super::timeline::{Timeline, seconds_since};
use crate::codec::aac::AudioSpecificConfig;
use crate::codec::dts::{self, CoreFrame};
use crate::codec::frame::Frame;
use crate::codec::{
    AudioConfig, VideoConfig, ac3, adts, h264, hevc, latm, mpeg_audio, mpeg_video, mpeg4_video,
};
use crate::container::frames::find;
use crate::metadata::{AudioTrack, SubtitleTrack, VideoTrack, float, round_frame_rate};

/// Rows of frames that are believed, in a stream that was declared to be of their kind.
const IN_A_ROW: usize = 2;
/// Channels of Blu-ray PCM by its channel assignment.
const BLURAY_CHANNELS: [u32; 12] = [0, 1, 0, 2, 3, 3, 4, 4, 5, 6, 7, 8];

pub(super) struct Stream {
    pub(super) pid: u16,
    /// Index of the program that it belongs to.
    pub(super) program: usize,
    pub(super) codec: Codec,
    pub(super) language: Option<String>,
    pub(super) timeline: Timeline,
    /// The elementary stream from its first PES packet on, as far as it was read.
    elementary: Vec<u8>,
    has_started: bool,
}

/// What is known of a program's time.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct ProgramClock {
    /// PID of the packets that tell the clock.
    pub(super) pid: Option<u16>,
    /// What they told last.
    pub(super) latest: Option<u64>,
    /// The first time stamp, from which all others are counted.
    pub(super) reference: Option<u64>,
}

/// What a stream turned out to be.
pub(super) enum Track {
    Video(VideoTrack),
    Audio(AudioTrack),
    Subtitle(SubtitleTrack),
    /// Of no interest but for its times.
    Hidden,
}

/// A track, and how long a frame of it lasts.
pub(super) struct Described {
    pub(super) track: Track,
    pub(super) frame_seconds: f64,
    /// Whether the stream itself told what there is to know.
    pub(super) is_complete: bool,
}

impl Stream {
    pub(super) fn new(pid: u16, program: usize, codec: Codec, language: Option<String>) -> Self {
        let timeline = Timeline::default();
        Self { pid, program, codec, language, timeline, elementary: Vec::new(), has_started: false }
    }

    /// Adds a packet near the start of the file. `program` has what is known of time there.
    pub(super) fn add_head(&mut self, packet: &Packet<'_>, program: &mut ProgramClock) {
        if !packet.is_start {
            if self.has_started {
                self.elementary.extend_from_slice(packet.payload);
            }
            return;
        }
        if self.codec == Codec::Cues {
            if let Some(clock) = program.latest {
                self.add_times(clock, clock, program);
            }
            return;
        }
        let Some(header) = PesHeader::parse(packet.payload) else { return };
        self.has_started = true;
        self.elementary.extend_from_slice(header.payload);
        if let Some((presentation, decoding)) = header.presentation.zip(header.decoding) {
            self.add_times(presentation, decoding, program);
        }
    }

    /// Forgets what was read of the elementary stream, to start over elsewhere.
    pub(super) fn restart(&mut self) {
        self.elementary.clear();
        self.has_started = false;
    }

    /// Adds a packet from elsewhere, of which only the elementary stream is wanted.
    pub(super) fn add_elementary(&mut self, packet: &Packet<'_>) {
        let header = if packet.is_start { PesHeader::parse(packet.payload) } else { None };
        if let Some(header) = header {
            self.has_started = true;
            self.elementary.extend_from_slice(header.payload);
        } else if self.has_started {
            self.elementary.extend_from_slice(packet.payload);
        }
    }

    fn add_times(&mut self, presentation: u64, decoding: u64, program: &mut ProgramClock) {
        let reference = *program.reference.get_or_insert(presentation);
        self.timeline.add_head(seconds_since(reference, presentation), seconds_since(reference, decoding));
    }

    pub(super) fn elementary(&self) -> &[u8] {
        &self.elementary
    }

    pub(super) fn describe(&self) -> Described {
        let stream = &self.elementary[..];
        match self.codec {
            Codec::MpegVideo => {
                let sequence = mpeg_video::Sequence::find(stream);
                let name = sequence.as_ref().map_or("mpeg2video", mpeg_video::Sequence::codec);
                self.video(name, name, sequence.map(|sequence| sequence.config))
            }
            Codec::Mpeg4Video => self.video("mpeg4", "mp4v", mpeg4_video::find_layer(stream)),
            Codec::H264 => self.video("h264", "avc1", h264::find_sps(stream)),
            Codec::Hevc => self.video("hevc", "hvc1", hevc::find_sps(stream)),
            Codec::OtherVideo(name) => self.video(name, name, None),
            Codec::MpegAudio => {
                let frame = first::<mpeg_audio::FrameHeader>(stream).map(|(_, frame)| frame);
                let name = frame.map_or("mp3", |frame| frame.codec());
                let config = frame.map(|frame| AudioConfig {
                    channels: Some(frame.channels),
                    sample_rate: Some(frame.sample_rate),
                });
                self.audio(name, name, config, frame.map_or(0, |frame| frame.samples()))
            }
            Codec::Aac => self.aac("aac", find_aac(stream)),
            Codec::AacLatm => self.aac("aac_latm", find_latm(stream)),
            Codec::Ac3 => {
                let found = first::<ac3::Frame>(stream);
                let config = found.map(|(start, frame)| AudioConfig {
                    channels: Some(frame.channels_in(stream.get(start..).unwrap_or_default())),
                    sample_rate: Some(frame.sample_rate),
                });
                let (name, codec_string) =
                    found.map_or(("ac3", "ac-3"), |(_, frame)| (frame.codec(), frame.codec_string()));
                self.audio(name, codec_string, config, found.map_or(0, |(_, frame)| frame.samples))
            }
            Codec::Dts => {
                let frame = find_dts(stream);
                let samples = frame.as_ref().map_or(0, |frame| frame.samples);
                self.audio("dts", "dtsc", frame.map(|frame| frame.config), samples)
            }
            Codec::TrueHd => self.audio("truehd", "mlpa", None, 0),
            Codec::BlurayPcm => self.audio("pcm_bluray", "pcm_bluray", parse_bluray_pcm(stream), 0),
            Codec::S302m => self.audio("s302m", "s302m", parse_s302m(stream), 0),
            Codec::Opus { channels } => {
                let config = AudioConfig { channels, sample_rate: Some(48_000) };
                self.audio("opus", "opus", channels.map(|_| config), 960)
            }
            Codec::OtherAudio(name) => self.audio(name, name, None, 0),
            Codec::Subtitle(name) => Described {
                track: Track::Subtitle(SubtitleTrack {
                    codec: name.to_owned(),
                    language: self.language.clone(),
                }),
                frame_seconds: 0.0,
                is_complete: true,
            },
            Codec::Cues | Codec::Data => {
                Described { track: Track::Hidden, frame_seconds: 0.0, is_complete: true }
            }
        }
    }

    fn video(&self, name: &str, codec_string: &str, config: Option<VideoConfig>) -> Described {
        let is_complete = config.is_some();
        let config = config.unwrap_or_default();
        let told = config.frame_rate.map(|(frames, seconds)| float(frames) / float(seconds));
        let rate = told.filter(|rate| *rate <= MAX_RATE).or_else(|| self.timeline.frame_rate());
        let rate = rate.map_or(0.0, nearest_usual);
        let mut track = config.into_track(name, codec_string);
        track.frame_rate = round_frame_rate(rate);
        let frame_seconds = if rate > 0.0 { 1.0 / rate } else { 0.0 };
        Described { track: Track::Video(track), frame_seconds, is_complete }
    }

    fn aac(&self, name: &str, config: Option<AudioSpecificConfig>) -> Described {
        let object_type = config.as_ref().map_or(2, |config| config.object_type);
        let audio = config
            .as_ref()
            .map(|config| AudioConfig { channels: config.channels, sample_rate: Some(config.sample_rate) });
        let profile = config.and_then(|config| config.profile());
        let samples = if profile.is_some_and(|profile| profile.starts_with("HE")) { 2048 } else { 1024 };
        let mut described = self.audio(name, &format!("mp4a.40.{object_type}"), audio, samples);
        if let Track::Audio(track) = &mut described.track {
            track.profile = profile.map(str::to_owned);
        }
        described
    }

    fn audio(&self, name: &str, codec_string: &str, config: Option<AudioConfig>, samples: u32) -> Described {
        let mut track = AudioTrack::new(name, codec_string);
        let is_complete = config.is_some();
        let config = config.unwrap_or_default();
        track.channels = config.channels.unwrap_or(0);
        track.sample_rate = config.sample_rate.unwrap_or(0);
        track.language.clone_from(&self.language);
        let frame_seconds =
            if track.sample_rate > 0 { f64::from(samples) / f64::from(track.sample_rate) } else { 0.0 };
        Described { track: Track::Audio(track), frame_seconds, is_complete }
    }
}

/// The first frame of a stream that was declared to be of its kind, so that a lone one is believed where it should be.
fn first<F: Frame>(stream: &[u8]) -> Option<(usize, F)> {
    find::<F>(stream, 0, IN_A_ROW).or_else(|| Some((0, F::parse(stream)?)))
}

fn find_aac(stream: &[u8]) -> Option<AudioSpecificConfig> {
    let (start, frame) = first::<adts::FrameHeader>(stream)?;
    Some(adts::config(&frame, stream.get(start..)?))
}

fn find_latm(stream: &[u8]) -> Option<AudioSpecificConfig> {
    (0..stream.len()).find_map(|start| {
        let frame = &stream[start..];
        let size = latm::frame_bytes(frame)?;
        let is_followed =
            frame.get(size..).is_none_or(|next| next.len() < 3 || latm::frame_bytes(next).is_some());
        if is_followed { latm::parse_config(frame) } else { None }
    })
}

fn find_dts(stream: &[u8]) -> Option<CoreFrame> {
    let mut starts = stream.windows(4).enumerate().filter(|(_, window)| *window == dts::SYNC);
    starts.find_map(|(start, _)| CoreFrame::parse(&stream[start..]))
}

/// The header that Blu-ray puts before each packet of PCM: size, channel assignment and rate.
fn parse_bluray_pcm(stream: &[u8]) -> Option<AudioConfig> {
    let packed = *stream.get(2)?;
    let sample_rate = match packed & 15 {
        1 => 48_000,
        4 => 96_000,
        5 => 192_000,
        _ => return None,
    };
    let channels = *BLURAY_CHANNELS.get(usize::from(packed >> 4))?;
    (channels > 0).then_some(AudioConfig { channels: Some(channels), sample_rate: Some(sample_rate) })
}

/// SMPTE ST 302: always at 48 kHz, in pairs of channels.
fn parse_s302m(stream: &[u8]) -> Option<AudioConfig> {
    let channels = u32::from(stream.get(2)? >> 6) * 2 + 2;
    Some(AudioConfig { channels: Some(channels), sample_rate: Some(48_000) })
}

/// What a stream is by its own bytes, where no table and no descriptor tells.
pub(super) fn guess(stream: &[u8]) -> Option<Codec> {
    const SURE: usize = 4;
    if hevc::has_vps(stream) && hevc::find_sps(stream).is_some() {
        return Some(Codec::Hevc);
    }
    if mpeg_video::Sequence::find(stream).is_some_and(|sequence| sequence.config.size.is_some()) {
        return Some(Codec::MpegVideo);
    }
    if h264::find_sps(stream).is_some_and(|config| config.size.is_some()) {
        return Some(Codec::H264);
    }
    if is_row::<adts::FrameHeader>(stream, SURE) {
        return Some(Codec::Aac);
    }
    if is_row::<mpeg_audio::FrameHeader>(stream, SURE) {
        return Some(Codec::MpegAudio);
    }
    if is_row::<ac3::Frame>(stream, 3) {
        return Some(Codec::Ac3);
    }
    if is_row::<CoreFrame>(stream, 3) {
        return Some(Codec::Dts);
    }
    find_latm(stream).map(|_| Codec::AacLatm)
}

fn is_row<F: Frame>(stream: &[u8], in_a_row: usize) -> bool {
    find::<F>(stream, 0, in_a_row).is_some_and(|(start, _)| start < 2048)
}
