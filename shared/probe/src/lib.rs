//! Technical metadata of media files from any byte source that is read by ranges.
//!
//! [`probe`] looks at the first bytes of a [`ByteSource`], decides by content (never by name) which container it
//! is, and reads just what tells duration, tracks, codecs and tags: boxes and tables that it does not need are
//! skipped, not read. The names in the answer (codecs, profiles, colours, container) are those that `ffprobe` uses;
//! codec strings follow RFC 6381.
//!
//! Guarantees, whatever the bytes and however long the file: no panic, no recursion, at most [`MAX_READS`] reads, of
//! at most [`MAX_BYTES`] in all and, for the index of an MP4, [`MAX_MOOV_BYTES`] more. Most files take one read of
//! 64 KiB; an MP4 with its index at the end takes two or three, one in fragments two. Where a bound is met after the
//! tracks are known, the answer is what was found, its duration an estimate by size; before, it is
//! [`ProbeError::LimitExceeded`].
//!
//! [`probe_image`] does the same for still images, within the same bounds.
//!
//! It fails with a [`ProbeError`], which tells the content's fault ([`ProbeError::rejection`]) from the source's.
//!
//! Containers so far: the ISO base media file format (ISO/IEC 14496-12) and QuickTime, that is MP4, MOV, M4A,
//! M4V, 3GP and fragmented MP4. Other known kinds of content are named in [`ProbeError::Unsupported`].
//!
//! ```
//! use probe::{MemorySource, ProbeError, probe};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() {
//! let source = MemorySource::new("Dear diary, this is no film.");
//! let error = probe(&source).await.unwrap_err();
//! assert!(matches!(error, ProbeError::Unsupported { looks_like: Some("plain text") }));
//!
//! let rejection = error.rejection().expect("the content is at fault, not the source");
//! assert_eq!(rejection.code, "unsupported_container");
//! # }
//! ```

mod ac3_stream;
mod adts;
mod aiff;
mod amr;
mod ape;
mod asf;
mod au;
mod avi;
mod bits;
mod caf;
mod chunk;
mod codec;
mod cursor;
mod detect;
mod dts_stream;
mod error;
mod first_frame;
mod flac;
mod flv;
mod frame_rate;
mod frames;
mod image;
mod isobmff;
mod matroska;
mod metadata;
mod mpeg_audio;
mod mpegts;
mod musepack;
mod ogg;
mod reader;
mod riff;
mod source;
mod tags;
mod true_audio;
mod wav;
mod wavpack;

pub use error::{ProbeError, Rejection};
pub use image::{ImageMetadata, probe_image};
pub use metadata::{
    AudioTrack, Color, CoverArt, Hdr, MAX_COVER_ART, MAX_TAGS, MAX_TRACKS, MediaKind, Metadata,
    SubtitleTrack, VideoTrack,
};
pub use reader::{MAX_BYTES, MAX_READS};
pub use source::{ByteSource, FileSource, MemorySource};

pub use isobmff::{MAX_BOXES, MAX_MOOV_BYTES};

use detect::{Container, Detected};
use reader::{Reader, WINDOW_BYTES};
use tags::{LeadingTags, id3v2};

/// Reads the technical metadata of `source`.
///
/// # Errors
///
/// [`ProbeError::Unsupported`] when the content is of a kind that this crate does not read,
/// [`ProbeError::Malformed`] when it is broken or cut off, [`ProbeError::NoMediaTracks`] when there is neither
/// video nor audio in it, [`ProbeError::LimitExceeded`] when a bound of this crate was met before the answer, and
/// [`ProbeError::Source`] or [`ProbeError::ShortRead`] when the source failed.
pub async fn probe<S: ByteSource>(source: &S) -> Result<Metadata, ProbeError<S::Error>> {
    let mut reader = Reader::new(source);
    // An ID3v2 tag may precede anything, though it is at home in MP3 only.
    let leading = id3v2::read_leading(&mut reader).await?;
    let head = reader.read(leading.end..leading.end.saturating_add(detect::HEAD_BYTES)).await?;
    let mut detected = detect::detect(&head);
    if detected == Detected::Unknown {
        let window = reader.read(leading.end..leading.end.saturating_add(WINDOW_BYTES)).await?;
        detected = detect::search(&window);
    }
    let mut metadata = match detected {
        Detected::Known(container) => probe_container(container, &mut reader, &leading).await?,
        _ if leading.end > 0 => mpeg_audio::probe(&mut reader, &leading).await?,
        Detected::Other(looks_like) => {
            return Err(ProbeError::Unsupported { looks_like: Some(looks_like) });
        }
        Detected::Unknown => return Err(ProbeError::Unsupported { looks_like: None }),
    };
    leading.add_to(&mut metadata);
    if metadata.video.is_empty() && metadata.audio.is_empty() {
        return Err(ProbeError::NoMediaTracks);
    }
    Ok(metadata)
}

async fn probe_container<S: ByteSource>(
    container: Container,
    reader: &mut Reader<'_, S>,
    leading: &LeadingTags,
) -> Result<Metadata, ProbeError<S::Error>> {
    match container {
        Container::IsoBmff => isobmff::probe(reader).await,
        Container::Matroska => matroska::probe(reader).await,
        Container::MpegTs => mpegts::probe(reader).await,
        Container::Dts => dts_stream::probe(reader, leading).await,
        Container::TrueAudio => true_audio::probe(reader, leading).await,
        Container::MpegAudio => mpeg_audio::probe(reader, leading).await,
        Container::Adts => adts::probe(reader, leading).await,
        Container::Ac3 => ac3_stream::probe(reader, leading).await,
        Container::Ogg => ogg::probe(reader).await,
        Container::Flac => flac::probe(reader, leading.end).await,
        Container::Wav => wav::probe(reader).await,
        Container::Wave64 => wav::wave64::probe(reader).await,
        Container::Aiff => aiff::probe(reader).await,
        Container::Au => au::probe(reader).await,
        Container::Caf => caf::probe(reader).await,
        Container::Amr => amr::probe(reader).await,
        Container::Ape => ape::probe(reader, leading).await,
        Container::WavPack => wavpack::probe(reader, leading).await,
        Container::Musepack => musepack::probe(reader, leading).await,
        Container::Flv => flv::probe(reader).await,
        Container::Avi => avi::probe(reader).await,
        Container::Asf => asf::probe(reader).await,
    }
}
