//! Vorbis comments ("Ogg Vorbis I format specification: comment field and header specification"), as Vorbis, Opus,
//! Theora, Speex and FLAC carry them, with pictures as RFC 9639 clause 8.6 and the Xiph wiki have them.
//!
//! What was read may end before the comments do, as with large pictures: what is there counts.

use crate::codec::flac;
use crate::cursor::Cursor;
use crate::metadata::{CoverArt, MAX_COVER_ART, Tags};

/// The most comments that are looked at.
const MAX_COMMENTS: u32 = 1024;
/// A key longer than this is none.
const MAX_KEY_BYTES: usize = 128;
/// As much of a value as can be of use: all of a tag, or the head of a picture with a long description.
const MAX_VALUE_BYTES: usize = 4096;

/// Where `ffprobe`'s name is not the comment's own in lower case.
const NAMES: [(&str, &str); 4] = [
    ("albumartist", "album_artist"),
    ("tracknumber", "track"),
    ("discnumber", "disc"),
    ("description", "comment"),
];

/// What comments tell.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Comments {
    /// The values of a key that comes several times are joined by `;`.
    pub(crate) fields: Vec<(String, String)>,
    pub(crate) cover_art: Vec<CoverArt>,
}

impl Comments {
    /// Reads the comments from their vendor string on: behind the packet type and signature of an Ogg codec.
    pub(crate) fn parse(packet: &[u8]) -> Self {
        let mut comments = Self::default();
        // Where the bytes end, the comments do.
        let _end: Option<()> = comments.read(Cursor::new(packet));
        comments
    }

    fn read(&mut self, mut fields: Cursor<'_>) -> Option<()> {
        let vendor_bytes = fields.u32_le()?;
        fields.skip(usize::try_from(vendor_bytes).ok()?)?;
        for _ in 0..fields.u32_le()?.min(MAX_COMMENTS) {
            let size = usize::try_from(fields.u32_le()?).ok()?;
            let comment = fields.rest();
            let comment = comment.get(..size).unwrap_or(comment);
            self.add(comment);
            fields.skip(size)?;
        }
        Some(())
    }

    fn add(&mut self, comment: &[u8]) {
        let Some(equals) = comment.iter().take(MAX_KEY_BYTES).position(|byte| *byte == b'=') else { return };
        let (key, value) = (&comment[..equals], &comment[equals + 1..]);
        let value = value.get(..MAX_VALUE_BYTES).unwrap_or(value);
        let key = String::from_utf8_lossy(key).to_ascii_lowercase();
        match key.as_str() {
            "metadata_block_picture" => {
                let picture = decode_base64(value);
                self.add_picture(flac::parse_picture(&picture));
            }
            _ => self.add_text(key, &String::from_utf8_lossy(value)),
        }
    }

    fn add_picture(&mut self, picture: Option<CoverArt>) {
        if self.cover_art.len() < MAX_COVER_ART {
            self.cover_art.extend(picture);
        }
    }

    fn add_text(&mut self, key: String, value: &str) {
        let key =
            NAMES.iter().find(|(comment, _)| *comment == key).map_or(key, |(_, name)| (*name).to_owned());
        if let Some((_, known)) = self.fields.iter_mut().find(|(known, _)| *known == key) {
            if known.len() < MAX_VALUE_BYTES {
                known.push(';');
                known.push_str(value);
            }
        } else {
            self.fields.push((key, value.to_owned()));
        }
    }

    /// Adds everything that is a tag of the file to `tags`.
    pub(crate) fn add_to(&self, tags: &mut Tags) {
        for (key, value) in &self.fields {
            tags.insert(key, value);
        }
    }
}

/// The bytes of `text` (RFC 4648 clause 4) up to its end or to what is no digit.
fn decode_base64(text: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(text.len() / 4 * 3 + 3);
    let (mut buffer, mut bits) = (0_u32, 0);
    for digit in text.iter().map_while(|byte| base64_digit(*byte)) {
        buffer = buffer << 6 | u32::from(digit);
        bits += 6;
        if bits >= 8 {
            bits -= 8;
            bytes.push((buffer >> bits).to_be_bytes()[3]);
        }
    }
    bytes
}

fn base64_digit(byte: u8) -> Option<u8> {
    Some(match byte {
        b'A'..=b'Z' => byte - b'A',
        b'a'..=b'z' => byte - b'a' + 26,
        b'0'..=b'9' => byte - b'0' + 52,
        b'+' => 62,
        b'/' => 63,
        _ => return None,
    })
}

#[cfg(test)]
pub(crate) mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    pub(crate) fn comments(vendor: &str, comments: &[&str]) -> Vec<u8> {
        let string =
            |text: &str| [&u32::try_from(text.len()).unwrap().to_le_bytes()[..], text.as_bytes()].concat();
        let mut packet = string(vendor);
        packet.extend(u32::try_from(comments.len()).unwrap().to_le_bytes());
        packet.extend(comments.iter().flat_map(|comment| string(comment)));
        packet
    }

    fn value<'a>(comments: &'a Comments, key: &str) -> Option<&'a str> {
        comments.fields.iter().find(|(known, _)| known == key).map(|(_, value)| value.as_str())
    }

    #[test]
    fn keys_are_folded_and_values_joined() {
        let packet =
            comments("vendor", &["Artist=One", "ARTIST=Two", "TRACKNUMBER=3", "no pair", "title=Größe=1"]);
        let parsed = Comments::parse(&packet);
        assert_eq!(value(&parsed, "artist"), Some("One;Two"));
        assert_eq!(value(&parsed, "track"), Some("3"));
        assert_eq!(value(&parsed, "title"), Some("Größe=1"));
        assert_eq!(parsed.fields.len(), 3);
    }

    #[test]
    fn a_picture_is_read_from_as_much_of_it_as_is_there() {
        // 3, "image/png", "", 16 bytes of zeros, 100 000 bytes; then the picture, here cut off.
        let head = "METADATA_BLOCK_PICTURE=AAAAAwAAAAlpbWFnZS9wbmcAAAAAAAAAAAAAAAAAAAAAAAAAAAABhqA=";
        let mut packet = comments("", &["title=T", head]);
        let sized = packet.len() - head.len() - 4;
        packet[sized..sized + 4].copy_from_slice(&200_000_u32.to_le_bytes());
        let parsed = Comments::parse(&packet);
        assert_eq!(
            parsed.cover_art,
            [CoverArt { content_type: "image/png".to_owned(), size_bytes: 100_000 }]
        );
        assert_eq!(value(&parsed, "title"), Some("T"));
    }

    #[test]
    fn hostile_lengths_end_the_comments() {
        let mut many = comments("", &["a=1"]);
        many[4..8].copy_from_slice(&u32::MAX.to_le_bytes());
        assert_eq!(Comments::parse(&many).fields.len(), 1);
        assert_eq!(Comments::parse(&[0xff; 64]), Comments::default());
        assert_eq!(Comments::parse(&[]), Comments::default());
        let same = vec!["k=vvvvvvvvvvvvvvvv"; 5000];
        let joined = Comments::parse(&comments("", &same));
        assert!(value(&joined, "k").unwrap().len() <= 2 * MAX_VALUE_BYTES);
    }
}
