//! Still images, as thumbnails and covers are: kind, size, and how a viewer turns them.
//!
//! [`probe_image`] decides by content, and reads headers only: JPEG (ITU-T T.81, with the orientation of Exif), PNG
//! (ISO/IEC 15948), GIF, WebP (RFC 9649), and HEIC and AVIF (ISO/IEC 23008-12). The bounds are those of
//! [`probe`](crate::probe): four reads, 1 MiB. One read does, unless something large precedes the header.

mod gif;
mod heif;
mod jpeg;
mod png;
mod webp;

use serde::{Deserialize, Serialize};

use crate::detect::{self, Detected};
use crate::error::ProbeError;
use crate::reader::Reader;
use crate::source::ByteSource;

/// What an image is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ImageMetadata {
    /// MIME type, such as `image/jpeg`.
    pub content_type: String,
    /// Width in pixels, before rotation.
    pub width: u32,
    /// Height in pixels, before rotation.
    pub height: u32,
    /// Degrees clockwise by which a viewer turns the image: 0, 90, 180 or 270. Mirroring is left out.
    pub rotation: u16,
    /// Size of the file in bytes.
    pub size_bytes: u64,
}

/// What the header of an image says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Picture {
    width: u32,
    height: u32,
    rotation: u16,
}

impl Picture {
    fn upright(width: u32, height: u32) -> Self {
        Self { width, height, rotation: 0 }
    }
}

/// Reads what the image in `source` is.
///
/// # Errors
///
/// [`ProbeError::Unsupported`] when the content is no image of a kind named above, [`ProbeError::Malformed`] when its
/// header is broken or cut off, [`ProbeError::LimitExceeded`] when a bound was met before the header, and
/// [`ProbeError::Source`] or [`ProbeError::ShortRead`] when the source failed.
pub async fn probe_image<S: ByteSource>(source: &S) -> Result<ImageMetadata, ProbeError<S::Error>> {
    let mut reader = Reader::new(source);
    let head = reader.read(0..detect::HEAD_BYTES).await?;
    let (content_type, picture) = match head.as_ref() {
        [0xff, 0xd8, 0xff, ..] => ("image/jpeg", jpeg::read(&mut reader).await?),
        [0x89, b'P', b'N', b'G', b'\r', b'\n', 0x1a, b'\n', header @ ..] => ("image/png", png::parse(header)),
        [b'G', b'I', b'F', b'8', b'7' | b'9', b'a', screen @ ..] => ("image/gif", gif::parse(screen)),
        [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', chunks @ ..] => {
            ("image/webp", webp::parse(chunks))
        }
        _ => match heif::content_type(&head) {
            Some(content_type) => (content_type, heif::read(&mut reader).await?),
            None => return Err(ProbeError::Unsupported { looks_like: looks_like(&head) }),
        },
    };
    let Some(Picture { width, height, rotation }) = picture else {
        return Err(ProbeError::malformed("its header is broken or cut off"));
    };
    if width == 0 || height == 0 {
        return Err(ProbeError::malformed("its width or height is 0"));
    }
    let size_bytes = source.len();
    Ok(ImageMetadata { content_type: content_type.to_owned(), width, height, rotation, size_bytes })
}

fn looks_like(head: &[u8]) -> Option<&'static str> {
    match detect::detect(head) {
        Detected::Known(_) => Some("audio or video"),
        Detected::Other(name) => Some(name),
        Detected::Unknown => None,
    }
}

#[cfg(test)]
mod tests;
