//! The stream properties object and its extension.

use super::packet::Beginning;
use crate::codec::bitmap::Bitmap;
use crate::codec::wave_format::WaveFormat;
use crate::cursor::Cursor;
use crate::tags::text::utf_16_le;

type Guid = [u8; 16];

const AUDIO: &Guid = b"\x40\x9e\x69\xf8\x4d\x5b\xcf\x11\xa8\xfd\x00\x80\x5f\x5c\x44\x2b";
const VIDEO: &Guid = b"\xc0\xef\x19\xbc\x4d\x5b\xcf\x11\xa8\xfd\x00\x80\x5f\x5c\x44\x2b";
const JFIF: &Guid = b"\x00\xe1\x1b\xb6\x4e\x5b\xcf\x11\xa8\xfd\x00\x80\x5f\x5c\x44\x2b";
/// Recorded television puts the kind of stream, and more, in front of its description.
const EMBEDDED: &Guid = b"\xe2\x65\xfb\x3a\xef\x47\xf2\x40\xac\x2c\x70\xa9\x0d\x71\xd3\x43";
const EMBEDDED_AUDIO: &Guid = b"\x9d\x8c\x17\x31\xe1\x03\x28\x45\xb5\x82\x3d\xf9\xdb\x22\xf5\x03";
/// Subtype, three numbers, format and size, which follow the kind of an embedded stream.
const EMBEDDED_BYTES: usize = 16 + 3 * 4 + 16 + 4;
/// Width, height and flags in front of the bitmap structure.
const WINDOW_BYTES: usize = 4 + 4 + 1;

/// What kind of stream it is, with its description.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Description {
    /// `WAVEFORMATEX`.
    Audio(Vec<u8>),
    /// `BITMAPINFOHEADER`.
    Video(Vec<u8>),
    /// Pictures in JPEG, with width and height.
    Jpeg(u32, u32),
    Other,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) struct Stream {
    pub(super) number: u8,
    pub(super) description: Description,
}

impl Stream {
    /// Reads the body of a stream properties object.
    pub(super) fn parse(body: &[u8]) -> Option<Self> {
        let mut fields = Cursor::new(body);
        let kind = fields.take(16)?;
        // Kind of error correction, and a time offset.
        fields.skip(16 + 8)?;
        let specific_bytes = usize::try_from(fields.u32_le()?).unwrap_or(usize::MAX);
        fields.skip(4)?;
        let number = (fields.u16_le()? & 0x7f).to_le_bytes()[0];
        fields.skip(4)?;
        let specific = &fields.rest()[..specific_bytes.min(fields.rest().len())];
        Some(Self { number, description: describe(kind, specific) })
    }

    pub(super) fn bitmap(&self) -> Option<Bitmap<'_>> {
        let Description::Video(bitmap) = &self.description else { return None };
        Bitmap::parse(bitmap)
    }

    pub(super) fn wave_format(&self) -> Option<WaveFormat<'_>> {
        let Description::Audio(format) = &self.description else { return None };
        WaveFormat::parse(format)
    }
}

fn describe(kind: &[u8], specific: &[u8]) -> Description {
    let mut fields = Cursor::new(specific);
    if kind == AUDIO {
        return Description::Audio(specific.to_vec());
    }
    if kind == VIDEO {
        let has_bitmap = fields.skip(WINDOW_BYTES + 2).is_some();
        return if has_bitmap { Description::Video(fields.rest().to_vec()) } else { Description::Other };
    }
    if kind == JFIF {
        let size = fields.u32_le().zip(fields.u32_le());
        return size.map_or(Description::Other, |(width, height)| Description::Jpeg(width, height));
    }
    let is_embedded_audio = kind == EMBEDDED && fields.take(16) == Some(&EMBEDDED_AUDIO[..]);
    if is_embedded_audio && fields.skip(EMBEDDED_BYTES).is_some() {
        return Description::Audio(fields.rest().to_vec());
    }
    Description::Other
}

/// The extended stream properties object.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct ExtendedProperties {
    pub(super) number: u16,
    /// Bits per second; 0 when it is not told.
    pub(super) bit_rate: u32,
    /// Into the language list.
    pub(super) language: u16,
    /// In units of 100 ns; 0 when it is not told.
    pub(super) time_per_frame: u64,
    /// Where a stream properties object may follow, counted from the body's start.
    pub(super) embedded_offset: usize,
}

impl ExtendedProperties {
    /// Reads the body of the object.
    pub(super) fn parse(body: &[u8]) -> Option<Self> {
        let mut fields = Cursor::new(body);
        // Start and end.
        fields.skip(8 + 8)?;
        let bit_rate = fields.u32_le()?;
        // Buffers, alternate rates, the largest object and flags.
        fields.skip(4 * 7)?;
        let number = fields.u16_le()?;
        let language = fields.u16_le()?;
        let time_per_frame = fields.u64_le()?;
        let (names, extensions) = (fields.u16_le()?, fields.u16_le()?);
        for _ in 0..names {
            fields.skip(2)?;
            let bytes = fields.u16_le()?;
            fields.skip(bytes.into())?;
        }
        for _ in 0..extensions {
            fields.skip(16 + 2)?;
            let bytes = fields.u32_le()?;
            fields.skip(usize::try_from(bytes).ok()?)?;
        }
        let embedded_offset = body.len() - fields.rest().len();
        Some(Self { number, bit_rate, language, time_per_frame, embedded_offset })
    }
}

/// The languages of a language list object.
pub(super) fn parse_languages(body: &[u8]) -> Vec<String> {
    let mut fields = Cursor::new(body);
    let count = fields.u16_le().unwrap_or_default();
    let mut next = || {
        let bytes = fields.u8()?;
        let tag = utf_16_le(fields.take(bytes.into())?);
        Some(tag.trim_end_matches('\0').to_owned())
    };
    (0..count).map_while(|_| next()).collect()
}

/// What is known of a stream besides its description.
pub(super) struct Context<'a> {
    pub(super) extended: Option<&'a ExtendedProperties>,
    pub(super) beginning: Option<&'a Beginning>,
    pub(super) language: Option<&'static str>,
    pub(super) pixel_aspect: Option<(u32, u32)>,
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(in super::super) fn properties(kind: &Guid, number: u8, specific: &[u8]) -> Vec<u8> {
        let size = u32::try_from(specific.len()).unwrap_or(u32::MAX).to_le_bytes();
        [&kind[..], &[0; 24], &size, &[0; 4], &[number | 0x80, 0x80], &[0; 4], specific].concat()
    }

    pub(in super::super) fn audio(number: u8, wave_format: &[u8]) -> Vec<u8> {
        properties(AUDIO, number, wave_format)
    }

    pub(in super::super) fn video(number: u8, bitmap: &[u8]) -> Vec<u8> {
        properties(VIDEO, number, &[&[0; WINDOW_BYTES + 2], bitmap].concat())
    }

    #[test]
    fn kinds_of_streams_are_told_apart() {
        let description = |kind, specific: &[u8]| {
            Stream::parse(&properties(kind, 5, specific)).map(|stream| (stream.number, stream.description))
        };
        assert_eq!(description(AUDIO, b"wave"), Some((5, Description::Audio(b"wave".to_vec()))));
        let window = [&[0; WINDOW_BYTES + 2][..], b"bitmap"].concat();
        assert_eq!(description(VIDEO, &window), Some((5, Description::Video(b"bitmap".to_vec()))));
        assert_eq!(description(JFIF, &[8, 0, 0, 0, 6, 0, 0, 0]), Some((5, Description::Jpeg(8, 6))));
        let embedded = [&EMBEDDED_AUDIO[..], &[0; EMBEDDED_BYTES], b"wave"].concat();
        assert_eq!(description(EMBEDDED, &embedded), Some((5, Description::Audio(b"wave".to_vec()))));
        assert_eq!(description(&[9; 16], b"?"), Some((5, Description::Other)));
    }

    #[test]
    fn names_and_extensions_are_passed_over() {
        let mut body = vec![0; 16];
        body.extend(128_000_u32.to_le_bytes());
        body.extend([0; 28]);
        body.extend([2, 0, 1, 0]);
        body.extend(400_000_u64.to_le_bytes());
        body.extend([1, 0, 1, 0]);
        body.extend([0, 0, 2, 0, b'N', 0]);
        body.extend([&[9; 18][..], &[3, 0, 0, 0], &[1; 3]].concat());
        let wanted = ExtendedProperties {
            number: 2,
            bit_rate: 128_000,
            language: 1,
            time_per_frame: 400_000,
            embedded_offset: body.len(),
        };
        assert_eq!(ExtendedProperties::parse(&body), Some(wanted));
        for end in 0..body.len() {
            assert_eq!(ExtendedProperties::parse(&body[..end]), None);
        }
    }

    #[test]
    fn languages_are_listed() {
        assert_eq!(parse_languages(b"\x02\0\x06e\0n\0\0\0\x04d\0e\0"), ["en", "de"]);
        assert_eq!(parse_languages(b"\xff\xff\x04d\0e\0\x09"), ["de"]);
    }
}
