//! EBML (RFC 8794): elements of a variable-size identifier, a variable-size length, and a body.

use crate::cursor::Cursor;
use crate::tags::text::until_nul;

/// As many bytes as a header may have: 4 of identifier and 8 of size.
pub(super) const MAX_HEADER_BYTES: u64 = 12;
/// The most elements that are looked at in one parent.
const MAX_CHILDREN: usize = 64 * 1024;

pub(super) const EBML: u32 = 0x1a45_dfa3;
pub(super) const DOC_TYPE: u32 = 0x4282;

/// An element before its body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) id: u32,
    /// Size of the body; `None` when the writer did not know it.
    pub(super) size: Option<u64>,
    pub(super) header_bytes: u64,
}

impl Header {
    pub(super) fn parse(bytes: &[u8]) -> Option<Self> {
        let mut fields = Cursor::new(bytes);
        let (id, id_bytes) = read_id(&mut fields)?;
        let (size, size_bytes) = read_size(&mut fields)?;
        Some(Self { id, size, header_bytes: id_bytes + size_bytes })
    }
}

/// Bytes of a number by its first byte: one more than there are zero bits at its top.
fn number_bytes(first: u8) -> u32 {
    first.leading_zeros() + 1
}

fn read_id(fields: &mut Cursor<'_>) -> Option<(u32, u64)> {
    let first = fields.u8()?;
    let count = number_bytes(first);
    if count > 4 {
        return None;
    }
    let rest = fields.take(usize::try_from(count - 1).ok()?)?;
    let id = rest.iter().fold(u32::from(first), |id, byte| id << 8 | u32::from(*byte));
    Some((id, count.into()))
}

/// A size, `None` within where all its bits are set.
fn read_size(fields: &mut Cursor<'_>) -> Option<(Option<u64>, u64)> {
    let first = fields.u8()?;
    let count = number_bytes(first);
    if count > 8 {
        return None;
    }
    let rest = fields.take(usize::try_from(count - 1).ok()?)?;
    let all_set = (1 << (7 * count)) - 1;
    let size = rest.iter().fold(u64::from(first), |size, byte| size << 8 | u64::from(*byte)) & all_set;
    Some(((size != all_set).then_some(size), count.into()))
}

/// A number coded as sizes are, with the bytes that it takes.
pub(super) fn read_number(bytes: &[u8]) -> Option<(u64, usize)> {
    let (number, count) = read_size(&mut Cursor::new(bytes))?;
    Some((number?, usize::try_from(count).ok()?))
}

/// An element in memory, perhaps not all of its body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Element<'a> {
    pub(super) id: u32,
    /// As the header says it.
    pub(super) size: Option<u64>,
    /// What there is of the body; everything up to the end of the parent where the size is not known.
    pub(super) body: &'a [u8],
}

/// The elements in `body`, up to the first that makes no sense.
pub(super) fn children(body: &[u8]) -> impl Iterator<Item = Element<'_>> {
    let mut rest = body;
    std::iter::from_fn(move || {
        let header = Header::parse(rest)?;
        let from = usize::try_from(header.header_bytes).ok()?;
        let available = rest.get(from..)?;
        let size = header.size.and_then(|size| usize::try_from(size).ok()).unwrap_or(usize::MAX);
        let (body, after) = available.split_at(size.min(available.len()));
        rest = after;
        Some(Element { id: header.id, size: header.size, body })
    })
    .take(MAX_CHILDREN)
}

/// The body of the first child with identifier `id`.
pub(super) fn child(body: &[u8], id: u32) -> Option<&[u8]> {
    children(body).find(|element| element.id == id).map(|element| element.body)
}

/// The unsigned integer in the first child with identifier `id`. An empty one stands for its default, as an absent
/// one does.
pub(super) fn child_unsigned(body: &[u8], id: u32) -> Option<u64> {
    unsigned(child(body, id)?)
}

pub(super) fn child_float(body: &[u8], id: u32) -> Option<f64> {
    float(child(body, id)?)
}

pub(super) fn child_text(body: &[u8], id: u32) -> Option<String> {
    child(body, id).map(until_nul)
}

pub(super) fn unsigned(body: &[u8]) -> Option<u64> {
    (1..=8).contains(&body.len()).then(|| body.iter().fold(0, |value, byte| value << 8 | u64::from(*byte)))
}

fn float(body: &[u8]) -> Option<f64> {
    match body.len() {
        4 => Cursor::new(body).u32().map(f32::from_bits).map(f64::from),
        8 => Cursor::new(body).f64(),
        _ => None,
    }
}

#[cfg(test)]
pub(super) mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    /// An element with a size of eight bytes, and an identifier of as many as it has.
    pub(in super::super) fn element(id: u32, body: impl AsRef<[u8]>) -> Vec<u8> {
        let body = body.as_ref();
        let mut bytes = header(id);
        bytes.extend((body.len() as u64 | 1 << 56).to_be_bytes());
        bytes.extend(body);
        bytes
    }

    /// An element of which the size is not known.
    pub(in super::super) fn endless(id: u32, body: impl AsRef<[u8]>) -> Vec<u8> {
        [header(id), vec![0xff], body.as_ref().to_vec()].concat()
    }

    fn header(id: u32) -> Vec<u8> {
        id.to_be_bytes().into_iter().skip_while(|byte| *byte == 0).collect()
    }

    #[test]
    fn identifiers_and_sizes_vary_in_length() {
        let header = |bytes: &[u8]| Header::parse(bytes).map(|h| (h.id, h.size, h.header_bytes));
        assert_eq!(header(&[0xec, 0x81]), Some((0xec, Some(1), 2)));
        assert_eq!(header(&[0x42, 0x82, 0x40, 0x02]), Some((DOC_TYPE, Some(2), 4)));
        assert_eq!(header(b"\x1a\x45\xdf\xa3\x01\0\0\0\0\0\0\x1f"), Some((EBML, Some(31), 12)));
        assert_eq!(header(&[0xec, 0xff]), Some((0xec, None, 2)));
        assert_eq!(header(&[0xec, 0x7f, 0xff]), Some((0xec, None, 3)));
        assert_eq!(header(&[0xec, 0x01, 255, 255, 255, 255, 255, 255, 255]), Some((0xec, None, 9)));
        assert_eq!(header(&[0x08, 0, 0, 0, 0, 0x81]), None);
        assert_eq!(header(&[0xec, 0x00]), None);
        assert_eq!(header(&[0xec, 0x40]), None);
        assert_eq!(header(&[]), None);
    }

    #[test]
    fn children_end_where_their_parent_does() {
        let body = [element(0xae, b"abc"), element(0xec, []), vec![0xae, 0x85, 1, 2]].concat();
        let found: Vec<_> = children(&body).map(|child| (child.id, child.size, child.body)).collect();
        assert_eq!(
            found,
            [(0xae, Some(3), &b"abc"[..]), (0xec, Some(0), &[][..]), (0xae, Some(5), &[1, 2][..])]
        );
        assert_eq!(children(&[0; 64]).count(), 0);
        assert_eq!(children(&[0xec, 0x80].repeat(100_000)).count(), MAX_CHILDREN);
    }

    #[test]
    fn values_of_odd_sizes_are_their_defaults() {
        assert_eq!(unsigned(&[1, 0]), Some(256));
        assert_eq!(unsigned(&[]), None);
        assert_eq!(unsigned(&[0; 9]), None);
        assert_eq!(float(&1.5_f32.to_be_bytes()), Some(1.5));
        assert_eq!(float(&2.5_f64.to_be_bytes()), Some(2.5));
        assert_eq!(float(&[0; 3]), None);
        assert_eq!(child_text(&element(0xec, b"und\0\0"), 0xec).as_deref(), Some("und"));
    }
}
