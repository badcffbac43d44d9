//! Technical metadata of media files from any byte source that is read by ranges.
//!
//! [`probe`] looks at the first bytes of a [`ByteSource`], decides by content (never by name) which container it
//! is, and reads just what tells duration, tracks, codecs and tags: boxes and tables that it does not need are
//! skipped, not read. The names in the answer (codecs, profiles, colours, container) are those that `ffprobe` uses;
//! codec strings follow RFC 6381.
//!
//! Guarantees, whatever the bytes and however long the file: no panic; nothing nests deeper than a handful of calls;
//! every loop is bounded, by a constant or by the bytes that were read; at most [`MAX_READS`] reads, of at most
//! [`MAX_BYTES`] in all and, for the index of an MP4, [`MAX_MOOV_BYTES`] more, which are held in memory until the
//! answer is there. Most files take one read of 64 KiB; one whose index or last frame is at its end takes two or three.
//! Where a bound is met after the tracks are known, the answer is what was found, its duration an estimate by size;
//! before, it is [`ProbeError::LimitExceeded`].
//!
//! [`probe_image`] does the same for still images, within the same bounds: JPEG, PNG, GIF, WebP, HEIC and AVIF.
//!
//! Both fail with a [`ProbeError`], which tells the content's fault ([`ProbeError::rejection`]) from the source's.
//!
//! Containers: the ISO base media file format and QuickTime (MP4, MOV, M4A, 3GP, in fragments or not), Matroska and
//! WebM, MPEG transport streams, FLV, AVI, ASF, Ogg, FLAC, MP3 and its elders, AAC in ADTS, AC-3, DTS, WAV with its
//! large forms, AIFF, AU, CAF, AMR, TTA, Monkey's Audio, WavPack, Musepack. Other known kinds of content are named in
//! [`ProbeError::Unsupported`].
//!
//! ```
//! use probe::{MediaKind, MemorySource, ProbeError, probe};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! // A second of silence: Sun's audio header, then µ-law at 8 kHz.
//! let header = [0x2e73_6e64, 24, 8000, 1, 8000, 1].map(u32::to_be_bytes).concat();
//! let source = MemorySource::new([header, vec![0xff; 8000]].concat());
//! let metadata = probe(&source).await?;
//! assert_eq!(metadata.kind(), MediaKind::Audio);
//! assert_eq!((metadata.container.as_str(), metadata.duration_seconds), ("au", 1.0));
//! assert_eq!((metadata.audio[0].codec.as_str(), metadata.audio[0].sample_rate), ("pcm_mulaw", 8000));
//!
//! let source = MemorySource::new("Dear diary, this is no film.");
//! let error = probe(&source).await.unwrap_err();
//! assert!(matches!(error, ProbeError::Unsupported { looks_like: Some("plain text") }));
//!
//! let rejection = error.rejection().expect("the content is at fault, not the source");
//! assert_eq!(rejection.code, "unsupported_container");
//! # Ok(())
//! # }
//! ```

mod bits;
mod codec;
mod container;
mod cursor;
mod detect;
mod error;
mod image;
mod metadata;
mod reader;
mod source;
mod tags;

pub use error::{ProbeError, Rejection};
pub use image::{ImageMetadata, probe_image};
pub use metadata::{
    AudioTrack, Color, CoverArt, Hdr, MAX_COVER_ART, MAX_TAGS, MAX_TRACKS, MediaKind, Metadata,
    SubtitleTrack, VideoTrack,
};
pub use reader::{MAX_BYTES, MAX_READS};
pub use source::{ByteSource, FileSource, MemorySource};

pub use container::isobmff::{MAX_BOXES, MAX_MOOV_BYTES};

use detect::Detected;
use reader::{Reader, WINDOW_BYTES};
use tags::id3v2;

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
        Detected::Known(container) => container::probe(container, &mut reader, &leading).await?,
        _ if leading.end > 0 => container::mpeg_audio::probe(&mut reader, &leading).await?,
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
