//! Boxes: a size, a four-character type, a body (ISO/IEC 14496-12 clause 4.2).

use crate::cursor::Cursor;

pub(crate) type FourCc = [u8; 4];

/// Longest box header: a 64-bit size. The 16 bytes of an extended type count as body.
pub(crate) const HEADER_BYTES: u64 = 16;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) kind: FourCc,
    /// Where the body begins, counted from the start of the box.
    pub(crate) body_offset: u64,
    /// Bytes of header and body; `None` for a box that reaches to the end of what holds it.
    pub(crate) size: Option<u64>,
}

impl Header {
    /// Reads the header at the start of `bytes`; `None` when they are too few, or no box can be that small.
    pub(crate) fn parse(bytes: &[u8]) -> Option<Self> {
        let mut fields = Cursor::new(bytes);
        let small = fields.u32()?;
        let kind = fields.four_cc()?;
        let (body_offset, size) = match small {
            0 => (8, None),
            1 => (16, Some(fields.u64()?)),
            _ => (8, Some(small.into())),
        };
        (size.is_none_or(|size| size >= body_offset)).then_some(Self { kind, body_offset, size })
    }

    /// Where the box at `offset` ends in a parent that ends at `parent_end`: never beyond it.
    pub(crate) fn end(&self, offset: u64, parent_end: u64) -> u64 {
        self.size.and_then(|size| offset.checked_add(size)).map_or(parent_end, |end| end.min(parent_end))
    }

    /// Whether the type is made of characters as types are; else this is no box but stray bytes.
    pub(crate) fn has_plausible_kind(&self) -> bool {
        self.kind.iter().all(|byte| matches!(byte, b' '..=b'~' | 0xa9))
    }
}

/// The boxes in `bytes` with their bodies. Ends at the first that cannot be one; a body never leaves `bytes`.
pub(crate) fn children(bytes: &[u8]) -> impl Iterator<Item = (FourCc, &[u8])> {
    let mut rest = bytes;
    std::iter::from_fn(move || {
        let header = Header::parse(rest)?;
        let end = usize::try_from(header.end(0, rest.len() as u64)).ok()?;
        let body = rest.get(usize::try_from(header.body_offset).ok()?..end)?;
        rest = &rest[end..];
        Some((header.kind, body))
    })
}

/// The body of the first box of type `kind` in `bytes`.
pub(crate) fn child(bytes: &[u8], kind: FourCc) -> Option<&[u8]> {
    children(bytes).find(|(found, _)| *found == kind).map(|(_, body)| body)
}

/// `kind` as text, for codec strings: characters that are none become dots, surrounding blanks go.
pub(crate) fn kind_text(kind: FourCc) -> String {
    let printable = |byte: u8| if byte.is_ascii_graphic() || byte == b' ' { char::from(byte) } else { '.' };
    kind.map(printable).iter().collect::<String>().trim().to_owned()
}

#[cfg(test)]
pub(crate) mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    /// A box of type `kind` around `body`.
    pub(crate) fn boxed(kind: FourCc, body: impl AsRef<[u8]>) -> Vec<u8> {
        let body = body.as_ref();
        let mut bytes = u32::try_from(body.len() + 8).unwrap().to_be_bytes().to_vec();
        bytes.extend(kind);
        bytes.extend(body);
        bytes
    }

    /// The same with version and flags in front of `body`.
    pub(crate) fn full(kind: FourCc, version: u8, flags: u32, body: impl AsRef<[u8]>) -> Vec<u8> {
        let version_flags = u32::from(version) << 24 | flags;
        boxed(kind, [&version_flags.to_be_bytes(), body.as_ref()].concat())
    }

    #[test]
    fn sizes_are_short_long_or_open() {
        let short = Header::parse(b"\0\0\0\x20free").unwrap();
        assert_eq!((short.body_offset, short.size), (8, Some(32)));
        let long = Header::parse(b"\0\0\0\x01mdat\x80\0\0\0\0\0\0\0").unwrap();
        assert_eq!((long.body_offset, long.size), (16, Some(1 << 63)));
        assert_eq!(long.end(u64::MAX - 1, 100), 100);
        assert_eq!(Header::parse(b"\0\0\0\0mdat").unwrap().end(8, 100), 100);
    }

    #[test]
    fn too_small_a_size_is_no_box() {
        assert_eq!(Header::parse(b"\0\0\0\x07free"), None);
        assert_eq!(Header::parse(b"\0\0\0\x01mdat\0\0\0\0\0\0\0\x0f"), None);
        assert_eq!(Header::parse(b"\0\0\0\x01mdat\0\0"), None);
    }

    #[test]
    fn children_stay_within_their_parent_and_end() {
        let mut bytes = boxed(*b"abcd", b"12");
        bytes.extend(b"\0\0\xff\xffefgh345");
        let found: Vec<_> = children(&bytes).collect();
        assert_eq!(found, [(*b"abcd", &b"12"[..]), (*b"efgh", b"345")]);
        assert_eq!(children(&[0; 64]).count(), 1);
        assert_eq!(children(b"\0\0\0\x01abcd\0\0\0\0\0\0\0\0").count(), 0);
    }

    #[test]
    fn types_are_shown_as_text() {
        assert_eq!(kind_text(*b"raw "), "raw");
        assert_eq!(kind_text(*b"ms\0\x55"), "ms.U");
    }
}
