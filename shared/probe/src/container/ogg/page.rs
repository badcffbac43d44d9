//! Pages (RFC 3533 clause 6).

use crate::cursor::Cursor;

const CAPTURE: &[u8; 4] = b"OggS";
const CHECKSUM_AT: usize = 22;
/// The largest page: header, 255 lacing values, 255 full segments.
pub(super) const MAX_PAGE_BYTES: u64 = 27 + 255 + 255 * 255;
/// A granule position that says that no packet ends on the page.
const NO_GRANULE: u64 = u64::MAX;

const CONTINUED: u8 = 1;
const FIRST: u8 = 2;
const LAST: u8 = 4;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Page<'a> {
    flags: u8,
    pub(super) granule: Option<u64>,
    pub(super) serial: u32,
    lacing: &'a [u8],
    body: &'a [u8],
    bytes: &'a [u8],
}

impl<'a> Page<'a> {
    /// Reads the page that starts `bytes`; `None` when there is none, or not all of it.
    pub(super) fn parse(bytes: &'a [u8]) -> Option<Self> {
        let mut fields = Cursor::new(bytes);
        let is_version_0 = fields.take(CAPTURE.len())? == CAPTURE && fields.u8()? == 0;
        let flags = fields.u8()?;
        let granule = fields.u64_le()?;
        let serial = fields.u32_le()?;
        fields.skip(4 + 4)?;
        let segments = fields.u8()?;
        let lacing = fields.take(segments.into())?;
        let body = fields.take(lacing.iter().map(|value| usize::from(*value)).sum())?;
        let bytes = bytes.get(..bytes.len() - fields.rest().len())?;
        is_version_0.then_some(Self {
            flags,
            granule: (granule != NO_GRANULE).then_some(granule),
            serial,
            lacing,
            body,
            bytes,
        })
    }

    /// The whole pages in `bytes`, in order, whatever lies between them.
    pub(super) fn all(bytes: &'a [u8]) -> impl Iterator<Item = Self> {
        let mut rest = bytes;
        std::iter::from_fn(move || {
            loop {
                let start = rest.windows(CAPTURE.len()).position(|window| window == CAPTURE)?;
                rest = &rest[start..];
                if let Some(page) = Self::parse(rest) {
                    rest = &rest[page.bytes.len()..];
                    return Some(page);
                }
                rest = &rest[CAPTURE.len()..];
            }
        })
    }

    /// Whether it starts a logical stream.
    pub(super) fn is_first(&self) -> bool {
        self.flags & FIRST != 0
    }

    /// Whether it ends a logical stream.
    pub(super) fn is_last(&self) -> bool {
        self.flags & LAST != 0
    }

    /// Whether it starts with the rest of a packet from the page before.
    pub(super) fn is_continued(&self) -> bool {
        self.flags & CONTINUED != 0
    }

    /// The pieces of packets on the page, and whether each is the end of its packet.
    pub(super) fn pieces(&self) -> impl Iterator<Item = (&'a [u8], bool)> {
        let (mut lacing, mut body) = (self.lacing, self.body);
        std::iter::from_fn(move || {
            if lacing.is_empty() {
                return None;
            }
            let full = lacing.iter().take_while(|value| **value == 255).count();
            let (values, is_end) = match lacing.get(..=full) {
                Some(values) => (values, true),
                None => (lacing, false),
            };
            let size = values.iter().map(|value| usize::from(*value)).sum();
            let (piece, rest) = body.split_at_checked(size)?;
            (lacing, body) = (&lacing[values.len()..], rest);
            Some((piece, is_end))
        })
    }

    /// Whether the page is as it was written, and not a capture pattern within a packet.
    pub(super) fn is_intact(&self) -> bool {
        let said = self.bytes.get(CHECKSUM_AT..).and_then(|bytes| Cursor::new(bytes).u32_le());
        let counted = self.bytes.iter().enumerate().fold(0_u32, |sum, (index, byte)| {
            let is_checksum = (CHECKSUM_AT..CHECKSUM_AT + 4).contains(&index);
            let byte = if is_checksum { 0 } else { *byte };
            sum << 8 ^ CHECKSUMS[usize::from((sum >> 24).to_be_bytes()[3] ^ byte)]
        });
        said == Some(counted)
    }
}

/// CRC-32 of one byte each, of polynomial 0x04c11db7, neither reflected nor inverted.
const CHECKSUMS: [u32; 256] = {
    let mut table = [0; 256];
    let mut index = 0;
    while index < 256 {
        #[expect(clippy::cast_possible_truncation, reason = "it is less than 256")]
        let mut sum = (index as u32) << 24;
        let mut bit = 0;
        while bit < 8 {
            sum = if sum & 0x8000_0000 == 0 { sum << 1 } else { sum << 1 ^ 0x04c1_1db7 };
            bit += 1;
        }
        table[index] = sum;
        index += 1;
    }
    table
};

#[cfg(test)]
pub(super) mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    /// A page of whole packets, with its checksum.
    pub(in super::super) fn page(flags: u8, granule: u64, serial: u32, packets: &[&[u8]]) -> Vec<u8> {
        let mut lacing = Vec::new();
        for packet in packets {
            lacing.extend(vec![255; packet.len() / 255]);
            lacing.push(u8::try_from(packet.len() % 255).unwrap());
        }
        let mut bytes =
            [b"OggS\0", &[flags][..], &granule.to_le_bytes(), &serial.to_le_bytes(), &[0; 8]].concat();
        bytes.push(u8::try_from(lacing.len()).unwrap());
        bytes.extend(lacing);
        bytes.extend(packets.concat());
        let sum = (0..bytes.len()).fold(0, |sum: u32, index| {
            sum << 8 ^ CHECKSUMS[usize::from((sum >> 24).to_be_bytes()[3] ^ bytes[index])]
        });
        bytes[CHECKSUM_AT..CHECKSUM_AT + 4].copy_from_slice(&sum.to_le_bytes());
        bytes
    }

    #[test]
    fn a_page_holds_packets() {
        let long = [7; 300];
        let bytes = page(FIRST, 5, 9, &[b"ab", &long, b""]);
        let parsed = Page::parse(&bytes).unwrap();
        assert_eq!(
            (parsed.serial, parsed.granule, parsed.is_first(), parsed.is_last()),
            (9, Some(5), true, false)
        );
        let pieces: Vec<_> = parsed.pieces().collect();
        assert_eq!(pieces, [(&b"ab"[..], true), (&long[..], true), (&[][..], true)]);
        assert!(parsed.is_intact());
        assert_eq!(Page::parse(&bytes[..bytes.len() - 1]), None);
    }

    #[test]
    fn a_checksum_is_that_of_the_standard() {
        // Of the bytes 1 and 255, as the polynomial makes them.
        assert_eq!(CHECKSUMS[1], 0x04c1_1db7);
        assert_eq!(CHECKSUMS[255], 0xb1f7_40b4);
        let mut bytes = page(0, 1, 2, &[b"abc"]);
        *bytes.last_mut().unwrap() ^= 1;
        assert!(!Page::parse(&bytes).unwrap().is_intact());
    }

    #[test]
    fn pages_are_found_between_junk() {
        let bytes = [b"OggSOgg".to_vec(), page(0, 1, 2, &[b"OggS"]), vec![0; 9], page(4, 2, 2, &[])].concat();
        let granules: Vec<_> = Page::all(&bytes).filter(Page::is_intact).map(|page| page.granule).collect();
        assert_eq!(granules, [Some(1), Some(2)]);
        assert_eq!(Page::all(&b"OggS".repeat(2000)).count(), 0);
        assert_eq!(Page::parse(&page(0, u64::MAX, 1, &[])).unwrap().granule, None);
    }
}
