//! ID3v1 and 1.1: 128 bytes at the end of a file, in fields of fixed size.

use super::{genre, text::latin_1};
use crate::metadata::Tags;

/// Bytes of a tag.
pub(crate) const TAG_BYTES: usize = 128;

/// Reads the tag that `bytes` end with.
pub(crate) fn parse(bytes: &[u8]) -> Option<Tags> {
    let tag = bytes.last_chunk::<TAG_BYTES>()?;
    let fields = tag.strip_prefix(b"TAG")?;
    let mut tags = Tags::default();
    let text = |from: usize, to: usize| {
        let field = fields.get(from..to).unwrap_or_default();
        latin_1(field.split(|byte| *byte == 0).next().unwrap_or_default())
    };
    for (key, from, to) in
        [("title", 0, 30), ("artist", 30, 60), ("album", 60, 90), ("date", 90, 94), ("comment", 94, 124)]
    {
        tags.insert(key, &text(from, to));
    }
    // Version 1.1 took the last two bytes of the comment for the track.
    if let [0, track @ 1..=u8::MAX] = fields[122..124] {
        tags.insert("track", &track.to_string());
    }
    if let Some(name) = genre::name(fields[124].into()) {
        tags.insert("genre", name);
    }
    Some(tags)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn fields_have_fixed_places() {
        let mut tag = vec![b'x'; 10];
        tag.extend(b"TAG");
        for (field, size) in [
            (&b"Title"[..], 30),
            (b"Artist", 30),
            (b"Album", 30),
            (b"1999", 4),
            (b"Comment", 28),
            (b"\0\x07", 2),
            (b"\x11", 1),
        ] {
            let end = tag.len() + size;
            tag.extend(field);
            tag.resize(end, 0);
        }
        let map = parse(&tag).unwrap().into_map();
        let values =
            ["title", "artist", "album", "date", "comment", "track", "genre"].map(|key| map[key].as_str());
        assert_eq!(values, ["Title", "Artist", "Album", "1999", "Comment", "7", "Rock"]);
        assert!(parse(&tag[..127]).is_none());
        assert!(parse(&[0; 128]).is_none());
    }

    #[test]
    fn a_long_comment_has_no_track() {
        let with_comment = |comment: &[u8]| {
            let mut tag = vec![0; TAG_BYTES];
            tag[..3].copy_from_slice(b"TAG");
            tag[97..97 + comment.len()].copy_from_slice(comment);
            parse(&tag).unwrap().into_map()
        };
        let map = with_comment(b"A comment of thirty characters");
        assert_eq!(map["comment"], "A comment of thirty characters");
        assert!(!map.contains_key("track"));
        let map = with_comment(b"One character fewer than that");
        assert_eq!((&*map["comment"], map.get("track")), ("One character fewer than that", None));
        assert!(!with_comment(b"Short").contains_key("track"));
    }
}
