//! APE tags, versions 1 and 2 ("APEv2 specification", Hydrogenaudio): keys and values in front of a footer.

use super::text::until_nul;
use crate::cursor::Cursor;
use crate::metadata::{CoverArt, MAX_COVER_ART, Tags};

/// Bytes of a footer, and of a header, which has the same fields.
pub(crate) const FOOTER_BYTES: usize = 32;
const MAX_ITEMS: u32 = 1024;
const HAS_HEADER: u32 = 1 << 31;
/// The kind of an item's value: 0 text, 1 binary, 2 a link.
const KIND: u32 = 0b110;

/// Keys that `ffprobe` has by another name.
const NAMES: [(&str, &str); 4] = [
    ("year", "date"),
    ("album artist", "album_artist"),
    ("tracknumber", "track"),
    ("encoded by", "encoded_by"),
];

/// The end of a tag.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Footer {
    /// Bytes of the items and the footer.
    size_bytes: u32,
    items: u32,
    has_header: bool,
}

impl Footer {
    /// Reads the footer that `bytes` end with.
    pub(crate) fn parse(bytes: &[u8]) -> Option<Self> {
        let mut fields = Cursor::new(bytes.last_chunk::<FOOTER_BYTES>()?);
        if fields.take(8)? != b"APETAGEX" {
            return None;
        }
        fields.skip(4)?;
        let (size_bytes, items, flags) = (fields.u32_le()?, fields.u32_le()?, fields.u32_le()?);
        let is_whole = usize::try_from(size_bytes).is_ok_and(|size| size >= FOOTER_BYTES);
        is_whole.then_some(Self { size_bytes, items, has_header: flags & HAS_HEADER != 0 })
    }

    /// Bytes of the whole tag.
    pub(crate) fn tag_bytes(&self) -> u64 {
        u64::from(self.size_bytes) + if self.has_header { FOOTER_BYTES as u64 } else { 0 }
    }

    /// Bytes from the first item to the end of the footer.
    pub(crate) fn items_bytes(&self) -> u64 {
        self.size_bytes.into()
    }

    /// Reads the items, which `bytes` start with.
    pub(crate) fn read_items(&self, bytes: &[u8], tags: &mut Tags, cover_art: &mut Vec<CoverArt>) {
        let mut fields = Cursor::new(bytes);
        for _ in 0..self.items.min(MAX_ITEMS) {
            if read_item(&mut fields, tags, cover_art).is_none() {
                break;
            }
        }
    }
}

fn read_item(fields: &mut Cursor<'_>, tags: &mut Tags, cover_art: &mut Vec<CoverArt>) -> Option<()> {
    let (size, flags) = (fields.u32_le()?, fields.u32_le()?);
    let key_bytes = fields.rest().iter().take(256).position(|byte| *byte == 0)?;
    let key = String::from_utf8_lossy(fields.take(key_bytes)?).to_lowercase();
    fields.skip(1)?;
    let value = fields.take(usize::try_from(size).ok()?)?;
    match flags & KIND {
        0 => {
            // Of several values the first one.
            let name = NAMES.iter().find(|(theirs, _)| *theirs == key).map_or(key.as_str(), |(_, ours)| ours);
            tags.insert(name, &until_nul(value));
        }
        0b010 if key.starts_with("cover art") && cover_art.len() < MAX_COVER_ART => {
            // A file name, then the picture.
            let name_bytes = value.iter().position(|byte| *byte == 0)?;
            let picture = value.get(name_bytes + 1..)?;
            cover_art.push(CoverArt {
                content_type: super::picture_type("", picture).to_owned(),
                size_bytes: picture.len() as u64,
            });
        }
        _ => {}
    }
    Some(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn item(key: &str, flags: u32, value: &[u8]) -> Vec<u8> {
        let size = u32::try_from(value.len()).unwrap();
        [&size.to_le_bytes()[..], &flags.to_le_bytes(), key.as_bytes(), &[0], value].concat()
    }

    pub(crate) fn tag(items: &[Vec<u8>]) -> Vec<u8> {
        let items_bytes = items.concat();
        let size = u32::try_from(items_bytes.len() + 32).unwrap();
        let count = u32::try_from(items.len()).unwrap();
        let footer =
            [&b"APETAGEX"[..], &2000_u32.to_le_bytes(), &size.to_le_bytes(), &count.to_le_bytes(), &[0; 12]];
        [items_bytes, footer.concat()].concat()
    }

    #[test]
    fn a_header_counts_with_its_tag() {
        let bytes = |flags: u32| {
            [b"APETAGEX", &[2000, 100, 0, flags, 0, 0].map(u32::to_le_bytes).concat()[..]].concat()
        };
        let tag_bytes = |flags| Footer::parse(&bytes(flags)).map(|footer| footer.tag_bytes());
        assert_eq!((tag_bytes(0), tag_bytes(HAS_HEADER)), (Some(100), Some(132)));
    }

    #[test]
    fn items_are_text_or_pictures() {
        let bytes = tag(&[
            item("Title", 0, "Grüße".as_bytes()),
            item("Year", 0, b"1999"),
            item("Artist", 0, b"A\0B"),
            item("Cover Art (Front)", 2, b"cover.png\0\x89PNG"),
            item("Link", 4, b"https://example.com"),
        ]);
        let footer = Footer::parse(&bytes).unwrap();
        assert_eq!(footer.tag_bytes(), bytes.len() as u64);
        let (mut tags, mut cover_art) = (Tags::default(), Vec::new());
        footer.read_items(&bytes, &mut tags, &mut cover_art);
        let map = tags.into_map();
        assert_eq!(
            (map["title"].as_str(), map["date"].as_str(), map["artist"].as_str()),
            ("Grüße", "1999", "A")
        );
        assert_eq!(map.len(), 3);
        assert_eq!(cover_art, [CoverArt { content_type: "image/png".to_owned(), size_bytes: 4 }]);
    }

    #[test]
    fn hostile_sizes_end_the_tag() {
        let mut broken = item("Title", 0, b"T");
        broken[..4].fill(0xff);
        let bytes = tag(&[item("Artist", 0, b"A"), broken, item("Album", 0, b"A")]);
        let (mut tags, mut cover_art) = (Tags::default(), Vec::new());
        Footer::parse(&bytes).unwrap().read_items(&bytes, &mut tags, &mut cover_art);
        assert_eq!(tags.into_map().len(), 1);
        assert_eq!(Footer::parse(&bytes[..bytes.len() - 1]), None);
    }
}
