//! What WAV and AVI have in common: RIFF chunks and the `INFO` list (IBM's and Microsoft's "Multimedia Programming
//! Interface and Data Specifications 1.0").
//!
//! Chunks in memory may be cut off anywhere: what is there of the last one counts.

use crate::cursor::Cursor;
use crate::metadata::Tags;
use crate::tags::text::latin_1;

pub(crate) const HEADER_BYTES: usize = 8;

const NAMES: [(&[u8; 4], &str); 14] = [
    (b"IART", "artist"),
    (b"ICMT", "comment"),
    (b"ICOP", "copyright"),
    (b"ICRD", "date"),
    (b"IGNR", "genre"),
    (b"ILNG", "language"),
    (b"INAM", "title"),
    (b"IPRD", "album"),
    (b"IPRT", "track"),
    (b"ITRK", "track"),
    (b"ISFT", "encoder"),
    (b"ISMP", "timecode"),
    (b"ITCH", "encoded_by"),
    (b"IENG", "engineer"),
];

/// Kind and size of a chunk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) kind: [u8; 4],
    /// Without the header and a byte of padding.
    pub(crate) size: u32,
}

impl Header {
    pub(crate) fn parse(bytes: &[u8]) -> Option<Self> {
        let mut fields = Cursor::new(bytes);
        Some(Self { kind: fields.four_cc()?, size: fields.u32_le()? })
    }
}

/// The chunk that `bytes` start with: its kind, and its body, which may be cut off. `None` where there is no room for a
/// header.
pub(crate) fn first_chunk(bytes: &[u8]) -> Option<([u8; 4], &[u8])> {
    let (header, rest) = bytes.split_at_checked(HEADER_BYTES)?;
    let header = Header::parse(header)?;
    let size = usize::try_from(header.size).unwrap_or(usize::MAX);
    Some((header.kind, &rest[..size.min(rest.len())]))
}

/// Reads the body of an `INFO` list.
pub(crate) fn read_info(list: &[u8], tags: &mut Tags) {
    let mut rest = list;
    while let Some((kind, body)) = first_chunk(rest) {
        // Some writers pad with more than one zero.
        if kind[0] == 0 {
            rest = &rest[1..];
            continue;
        }
        insert(kind, body, tags);
        let padded = HEADER_BYTES + body.len() + body.len() % 2;
        rest = rest.get(padded..).unwrap_or_default();
    }
}

fn insert(kind: [u8; 4], value: &[u8], tags: &mut Tags) {
    let value = text(value);
    match NAMES.iter().find(|(known, _)| **known == kind) {
        Some((_, name)) => tags.insert(name, &value),
        None if kind.iter().all(|byte| byte.is_ascii_alphanumeric()) => tags.insert(&latin_1(&kind), &value),
        None => {}
    }
}

/// A string up to its terminator. The format knows no encoding: UTF-8 where it can be, else Latin-1.
pub(crate) fn text(bytes: &[u8]) -> String {
    let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
    let bytes = &bytes[..end];
    std::str::from_utf8(bytes).map_or_else(|_| latin_1(bytes), str::to_owned)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A chunk with its padding.
    pub(crate) fn chunk(kind: [u8; 4], body: impl AsRef<[u8]>) -> Vec<u8> {
        let body = body.as_ref();
        let size = u32::try_from(body.len()).unwrap_or(u32::MAX);
        let mut bytes = [&kind[..], &size.to_le_bytes(), body].concat();
        bytes.resize(bytes.len().next_multiple_of(2), 0);
        bytes
    }

    fn info(list: &[u8]) -> Vec<(String, String)> {
        let mut tags = Tags::default();
        read_info(list, &mut tags);
        tags.into_map().into_iter().collect()
    }

    fn pairs(expected: &[(&str, &str)]) -> Vec<(String, String)> {
        expected.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn strings_are_named() {
        let list =
            [chunk(*b"INAM", "Title\0"), chunk(*b"IART", b"Gr\xfc\xdfe"), chunk(*b"IXYZ", "é")].concat();
        assert_eq!(info(&list), pairs(&[("IXYZ", "é"), ("artist", "Grüße"), ("title", "Title")]));
    }

    #[test]
    fn more_padding_than_needed_is_hopped_over() {
        let list = [chunk(*b"INAM", "A"), vec![0, 0], chunk(*b"IART", "B\0"), vec![0; 11]].concat();
        assert_eq!(info(&list), pairs(&[("artist", "B"), ("title", "A")]));
    }

    #[test]
    fn a_cut_list_keeps_what_it_has() {
        let list = [chunk(*b"INAM", "A"), chunk(*b"IART", "Bcdef")].concat();
        for end in 0..list.len() {
            info(&list[..end]);
        }
        assert_eq!(info(&list[..list.len() - 4]), pairs(&[("artist", "Bc"), ("title", "A")]));
        assert_eq!(info(b"INAM\xff\xff\xff\xffX"), pairs(&[("title", "X")]));
    }
}
