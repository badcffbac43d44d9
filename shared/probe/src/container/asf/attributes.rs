//! Tags, and what else is written as named values: pictures and the shape of a pixel.

use crate::cursor::Cursor;
use crate::metadata::{CoverArt, MAX_COVER_ART, Tags};
use crate::tags::text::utf_16_le;
use crate::tags::{id3v2, picture_type};

const NAMES: [(&str, &str); 20] = [
    ("title", "title"),
    ("author", "artist"),
    ("copyright", "copyright"),
    ("description", "comment"),
    ("wm/albumartist", "album_artist"),
    ("wm/albumtitle", "album"),
    ("wm/composer", "composer"),
    ("wm/encodedby", "encoded_by"),
    ("wm/encodingsettings", "encoder"),
    ("wm/genre", "genre"),
    ("wm/language", "language"),
    ("wm/lyrics", "lyrics"),
    ("wm/originalfilename", "filename"),
    ("wm/partofset", "disc"),
    ("wm/publisher", "publisher"),
    ("wm/tool", "encoder"),
    ("wm/tracknumber", "track"),
    ("wm/mediastationcallsign", "service_provider"),
    ("wm/mediastationname", "service_name"),
    ("wm/year", "date"),
];

/// Types of values.
const UNICODE: u16 = 0;
const BYTES: u16 = 1;
const BOOL: u16 = 2;
const DWORD: u16 = 3;
const QWORD: u16 = 4;
const WORD: u16 = 5;

/// What named values tell.
#[derive(Default)]
pub(super) struct Attributes {
    pub(super) tags: Tags,
    pub(super) cover_art: Vec<CoverArt>,
    /// Width and height of a pixel, by number of the stream; 0 for all streams.
    pixel_aspects: Vec<(u16, Aspect)>,
}

#[derive(Clone, Copy, Default)]
struct Aspect {
    x: u32,
    y: u32,
}

/// Where a value is written decides how long a truth value is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    ExtendedContent,
    Metadata,
}

impl Attributes {
    /// The content description object: five lengths, then the strings.
    pub(super) fn read_content_description(&mut self, body: &[u8]) -> Option<()> {
        let mut fields = Cursor::new(body);
        let mut lengths = [0; 5];
        for length in &mut lengths {
            *length = usize::from(fields.u16_le()?);
        }
        for (key, length) in ["title", "artist", "copyright", "comment"].into_iter().zip(lengths) {
            self.tags.insert(key, &string(fields.take(length)?));
        }
        Some(())
    }

    /// The extended content description object: values of the whole file.
    pub(super) fn read_extended_content(&mut self, body: &[u8]) -> Option<()> {
        let mut fields = Cursor::new(body);
        for _ in 0..fields.u16_le()? {
            // A string takes an even number of bytes, whatever some writers say.
            let name_bytes = usize::from(fields.u16_le()?).next_multiple_of(2);
            let name = string(fields.take(name_bytes)?);
            let kind = fields.u16_le()?;
            let bytes = usize::from(fields.u16_le()?);
            let bytes = if kind == UNICODE { bytes.next_multiple_of(2) } else { bytes };
            self.add(0, &name, kind, take_up_to(&mut fields, bytes), Place::ExtendedContent);
        }
        Some(())
    }

    /// The metadata object and the metadata library object: values of a stream or of the whole file.
    pub(super) fn read_metadata(&mut self, body: &[u8]) -> Option<()> {
        let mut fields = Cursor::new(body);
        for _ in 0..fields.u16_le()? {
            // Index of a language.
            fields.skip(2)?;
            let stream_number = fields.u16_le()?;
            let name_bytes = usize::from(fields.u16_le()?);
            let kind = fields.u16_le()?;
            let bytes = usize::try_from(fields.u32_le()?).unwrap_or(usize::MAX);
            let name = string(fields.take(name_bytes)?);
            self.add(stream_number, &name, kind, take_up_to(&mut fields, bytes), Place::Metadata);
        }
        Some(())
    }

    /// Width and height of a pixel in a stream, in any unit.
    pub(super) fn pixel_aspect(&self, stream_number: u8) -> Option<(u32, u32)> {
        let of = |number: u16| {
            let found = self.pixel_aspects.iter().find(|(of, _)| *of == number);
            found.map(|(_, aspect)| (aspect.x, aspect.y)).filter(|(x, y)| *x > 0 && *y > 0)
        };
        of(stream_number.into()).or_else(|| of(0))
    }

    fn add(&mut self, stream_number: u16, name: &str, kind: u16, value: &[u8], place: Place) {
        let number = || number(kind, value, place);
        match (name, kind) {
            ("AspectRatioX" | "AspectRatioY", _) => {
                let number = number().and_then(|number| u32::try_from(number).ok()).unwrap_or_default();
                if let Some(aspect) = self.aspect_of(stream_number) {
                    let side = if name.ends_with('X') { &mut aspect.x } else { &mut aspect.y };
                    *side = number;
                }
            }
            ("WM/Picture", BYTES) => {
                if self.cover_art.len() < MAX_COVER_ART {
                    self.cover_art.extend(parse_picture(value));
                }
            }
            ("ID3", BYTES) => {
                if let Some(content) = id3v2::Content::parse(value) {
                    self.tags.add(content.tags);
                    self.cover_art.extend(content.cover_art);
                    self.cover_art.truncate(MAX_COVER_ART);
                }
            }
            (_, UNICODE) => self.tags.insert(tag_name(name), &string(value)),
            _ => {
                if let Some(number) = number() {
                    self.tags.insert(tag_name(name), &number.to_string());
                }
            }
        }
    }

    fn aspect_of(&mut self, stream_number: u16) -> Option<&mut Aspect> {
        // Streams are numbered to 127.
        if stream_number > 127 {
            return None;
        }
        if !self.pixel_aspects.iter().any(|(of, _)| *of == stream_number) {
            self.pixel_aspects.push((stream_number, Aspect::default()));
        }
        self.pixel_aspects.iter_mut().find(|(of, _)| *of == stream_number).map(|(_, aspect)| aspect)
    }
}

fn tag_name(name: &str) -> &str {
    NAMES.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map_or(name, |(_, tag)| tag)
}

fn number(kind: u16, value: &[u8], place: Place) -> Option<u64> {
    let mut fields = Cursor::new(value);
    match kind {
        BOOL if place == Place::ExtendedContent => fields.u32_le().map(u64::from),
        BOOL | WORD => fields.u16_le().map(u64::from),
        DWORD => fields.u32_le().map(u64::from),
        QWORD => fields.u64_le(),
        _ => None,
    }
}

/// The last value may be cut by the end of what was read.
fn take_up_to<'a>(fields: &mut Cursor<'a>, count: usize) -> &'a [u8] {
    let count = count.min(fields.rest().len());
    fields.take(count).unwrap_or_default()
}

/// UTF-16 up to its terminator.
fn string(bytes: &[u8]) -> String {
    let text = utf_16_le(bytes);
    text.split('\0').next().unwrap_or_default().to_owned()
}

/// `WM/Picture`: type, size, MIME type and description, then the picture.
fn parse_picture(value: &[u8]) -> Option<CoverArt> {
    let mut fields = Cursor::new(value);
    fields.skip(1)?;
    let size_bytes = fields.u32_le()?.into();
    let content_type = picture_type(&string(fields.rest()), &[]).to_owned();
    Some(CoverArt { content_type, size_bytes })
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(in super::super) fn utf_16(text: &str) -> Vec<u8> {
        text.encode_utf16().chain([0]).flat_map(u16::to_le_bytes).collect()
    }

    fn length(bytes: &[u8]) -> [u8; 2] {
        u16::try_from(bytes.len()).unwrap_or(u16::MAX).to_le_bytes()
    }

    pub(in super::super) fn extended(values: &[(&str, u16, &[u8])]) -> Vec<u8> {
        let mut bytes = u16::try_from(values.len()).unwrap_or(u16::MAX).to_le_bytes().to_vec();
        for (name, kind, value) in values {
            let name = utf_16(name);
            bytes.extend([&length(&name)[..], &name, &kind.to_le_bytes(), &length(value), value].concat());
        }
        bytes
    }

    fn map(attributes: Attributes) -> Vec<(String, String)> {
        attributes.tags.into_map().into_iter().collect()
    }

    fn pairs(expected: &[(&str, &str)]) -> Vec<(String, String)> {
        expected.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn descriptions_are_tags() {
        let (title, author) = (utf_16("Title"), utf_16("Author"));
        let lengths = [&length(&title)[..], &length(&author), &[0; 6]].concat();
        let mut attributes = Attributes::default();
        assert!(attributes.read_content_description(&[lengths, title, author].concat()).is_some());
        let year = utf_16("1999");
        let values: [(&str, u16, &[u8]); 5] = [
            ("WM/Year", UNICODE, &year),
            ("WM/TrackNumber", DWORD, &[7, 0, 0, 0]),
            ("IsVBR", BOOL, &[1, 0, 0, 0]),
            ("IsWide", BOOL, &[0, 0, 1, 0]),
            ("Unknown", 6, &[0; 16]),
        ];
        assert!(attributes.read_extended_content(&extended(&values)).is_some());
        let wanted = [
            ("IsVBR", "1"),
            ("IsWide", "65536"),
            ("artist", "Author"),
            ("date", "1999"),
            ("title", "Title"),
            ("track", "7"),
        ];
        assert_eq!(map(attributes), pairs(&wanted));
    }

    #[test]
    fn pictures_are_named_even_if_they_are_cut() {
        let picture = [&[3, 0x10, 0x27, 0, 0][..], &utf_16("image/png"), &utf_16("Front"), &[1; 20]].concat();
        let mut attributes = Attributes::default();
        attributes.read_extended_content(&extended(&[("WM/Picture", BYTES, &picture)]));
        let wanted = [CoverArt { content_type: "image/png".to_owned(), size_bytes: 10_000 }];
        assert_eq!(attributes.cover_art, wanted);
    }

    #[test]
    fn pictures_in_many_id3_tags_are_bounded() {
        let frame = [&b"APIC\0\0\0\x0e\0\0\0image/png\0\0\0x"[..]; 10].concat();
        let tag = [&b"ID3\x03\0\0\0\0\x01\x70"[..], &frame].concat();
        let mut attributes = Attributes::default();
        attributes.read_extended_content(&extended(&[("ID3", BYTES, &tag[..]); 4]));
        assert_eq!(attributes.cover_art.len(), MAX_COVER_ART);
    }

    #[test]
    fn pixels_have_a_shape_by_stream() {
        let value = |stream: u16, name: &str, value: u16| {
            let name = utf_16(name);
            [
                &[0, 0][..],
                &stream.to_le_bytes(),
                &length(&name),
                &WORD.to_le_bytes(),
                &2_u32.to_le_bytes(),
                &name,
                &value.to_le_bytes(),
            ]
            .concat()
        };
        let values = [
            value(0, "AspectRatioX", 4),
            value(0, "AspectRatioY", 3),
            value(2, "AspectRatioX", 64),
            value(2, "AspectRatioY", 45),
        ];
        let mut attributes = Attributes::default();
        assert!(attributes.read_metadata(&[&[4, 0][..], &values.concat()].concat()).is_some());
        assert_eq!((attributes.pixel_aspect(1), attributes.pixel_aspect(2)), (Some((4, 3)), Some((64, 45))));
        assert!(map(attributes).is_empty());
    }

    #[test]
    fn cut_values_are_left_out() {
        let whole = extended(&[("A", UNICODE, &utf_16("B")), ("C", QWORD, &[1; 8])]);
        for end in 0..whole.len() {
            let mut attributes = Attributes::default();
            attributes.read_extended_content(&whole[..end]);
            attributes.read_metadata(&whole[..end]);
            attributes.read_content_description(&whole[..end]);
        }
    }
}
