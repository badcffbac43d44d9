//! The containers, a module each: what is where in such a file, and which part of it tells what.
//!
//! A module reads from the head window as far as that goes, and a few windows more at most. What several containers
//! share is beside them: chunks, frames in a row, frame rates by time stamps.

pub(crate) mod ac3_stream;
pub(crate) mod adts;
pub(crate) mod aiff;
pub(crate) mod amr;
pub(crate) mod ape;
pub(crate) mod asf;
pub(crate) mod au;
pub(crate) mod avi;
pub(crate) mod caf;
pub(crate) mod chunk;
pub(crate) mod dts_stream;
pub(crate) mod first_frame;
pub(crate) mod flac;
pub(crate) mod flv;
pub(crate) mod frame_rate;
pub(crate) mod frames;
pub(crate) mod isobmff;
pub(crate) mod matroska;
pub(crate) mod mpeg_audio;
pub(crate) mod mpegts;
pub(crate) mod musepack;
pub(crate) mod ogg;
pub(crate) mod riff;
pub(crate) mod true_audio;
pub(crate) mod wav;
pub(crate) mod wavpack;

use crate::error::ProbeError;
use crate::metadata::Metadata;
use crate::reader::Reader;
use crate::source::ByteSource;
use crate::tags::LeadingTags;

/// The containers that are read here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Container {
    /// MP4, MOV, M4A, 3GP.
    IsoBmff,
    /// Matroska and WebM.
    Matroska,
    /// MPEG transport streams.
    MpegTs,
    /// Flash video.
    Flv,
    /// AVI and OpenDML.
    Avi,
    /// WMA and WMV.
    Asf,
    /// Vorbis, Opus, FLAC, Speex and Theora in Ogg.
    Ogg,
    /// Bare FLAC.
    Flac,
    /// MP3, MP2, MP1.
    MpegAudio,
    /// AAC in ADTS frames.
    Adts,
    /// Bare AC-3 and E-AC-3.
    Ac3,
    /// Bare DTS.
    Dts,
    /// True Audio (TTA).
    TrueAudio,
    /// WAV, RF64, BW64.
    Wav,
    /// Sony Wave64.
    Wave64,
    /// AIFF and AIFF-C.
    Aiff,
    /// Sun audio.
    Au,
    /// Apple's Core Audio Format.
    Caf,
    /// AMR and AMR-WB.
    Amr,
    /// Monkey's Audio.
    Ape,
    /// WavPack.
    WavPack,
    /// Musepack, stream versions 7 and 8.
    Musepack,
}

/// Reads the metadata of a file that looks like `container`, behind `leading` tags if it can have such.
pub(crate) async fn probe<S: ByteSource>(
    container: Container,
    reader: &mut Reader<'_, S>,
    leading: &LeadingTags,
) -> Result<Metadata, ProbeError<S::Error>> {
    match container {
        Container::IsoBmff => isobmff::probe(reader).await,
        Container::Matroska => matroska::probe(reader).await,
        Container::MpegTs => mpegts::probe(reader).await,
        Container::Flv => flv::probe(reader).await,
        Container::Avi => avi::probe(reader).await,
        Container::Asf => asf::probe(reader).await,
        Container::Ogg => ogg::probe(reader).await,
        Container::Flac => flac::probe(reader, leading.end).await,
        Container::MpegAudio => mpeg_audio::probe(reader, leading).await,
        Container::Adts => adts::probe(reader, leading).await,
        Container::Ac3 => ac3_stream::probe(reader, leading).await,
        Container::Dts => dts_stream::probe(reader, leading).await,
        Container::TrueAudio => true_audio::probe(reader, leading).await,
        Container::Wav => wav::probe(reader).await,
        Container::Wave64 => wav::wave64::probe(reader).await,
        Container::Aiff => aiff::probe(reader).await,
        Container::Au => au::probe(reader).await,
        Container::Caf => caf::probe(reader).await,
        Container::Amr => amr::probe(reader).await,
        Container::Ape => ape::probe(reader, leading).await,
        Container::WavPack => wavpack::probe(reader, leading).await,
        Container::Musepack => musepack::probe(reader, leading).await,
    }
}
