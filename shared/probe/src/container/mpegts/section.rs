//! Program-specific information: the PAT and the PMTs of ISO/IEC 13818-1 clause 2.4.4.
//!
//! Checksums are not looked at: a table is believed when its own sizes fit.

use super::stream_type::{Descriptor, descriptors};
use crate::cursor::Cursor;

const PROGRAM_ASSOCIATION: u8 = 0;
const PROGRAM_MAP: u8 = 2;
/// Table id, length and the five bytes that long sections have in common.
const HEADER_BYTES: usize = 8;
const CHECKSUM_BYTES: usize = 4;
const MAX_SECTION_BYTES: usize = 4096;

/// Puts sections together from the payloads of one PID.
#[derive(Default)]
pub(super) struct SectionBuffer {
    bytes: Vec<u8>,
    is_open: bool,
}

impl SectionBuffer {
    /// Adds the payload of a packet, and calls `found` for each section that is complete.
    pub(super) fn add(&mut self, is_start: bool, payload: &[u8], mut found: impl FnMut(&[u8])) {
        if !is_start {
            self.extend(payload, &mut found);
            return;
        }
        let Some((pointer, rest)) = payload.split_first() else { return };
        // What precedes the pointer's target belongs to the section before.
        let Some((before, rest)) = rest.split_at_checked(usize::from(*pointer)) else { return };
        self.extend(before, &mut found);
        self.bytes.clear();
        self.is_open = true;
        self.extend(rest, &mut found);
    }

    fn extend(&mut self, payload: &[u8], found: &mut impl FnMut(&[u8])) {
        if !self.is_open {
            return;
        }
        self.bytes.extend_from_slice(payload);
        loop {
            let [table, high, low, ..] = self.bytes[..] else { return };
            let size = 3 + (usize::from(high & 0x0f) << 8 | usize::from(low));
            // Stuffing follows the last section.
            if table == 0xff || size > MAX_SECTION_BYTES {
                self.is_open = false;
                self.bytes.clear();
                return;
            }
            if self.bytes.len() < size {
                return;
            }
            found(&self.bytes[..size]);
            self.bytes.drain(..size);
        }
    }
}

/// The number of a long section's table, and its body, when it is in force already.
fn body(section: &[u8], table: u8) -> Option<(u16, &[u8])> {
    let mut fields = Cursor::new(section);
    if fields.u8()? != table {
        return None;
    }
    fields.skip(2)?;
    let number = fields.u16()?;
    let is_current = fields.u8()? & 1 == 1;
    let body = section.get(HEADER_BYTES..section.len().checked_sub(CHECKSUM_BYTES)?)?;
    is_current.then_some((number, body))
}

/// The programs of a PAT section: number and PID of the PMT. Number 0 is the network's own.
pub(super) fn parse_pat(section: &[u8]) -> Option<Vec<(u16, u16)>> {
    let (_, body) = body(section, PROGRAM_ASSOCIATION)?;
    let entries = body.chunks_exact(4).map(|entry| {
        (u16::from_be_bytes([entry[0], entry[1]]), u16::from_be_bytes([entry[2], entry[3]]) & 0x1fff)
    });
    Some(entries.filter(|(program, _)| *program != 0).collect())
}

/// A PMT section.
pub(super) struct ProgramMap<'a> {
    pub(super) program: u16,
    /// PID of the packets that carry the program's clock.
    pub(super) clock_pid: u16,
    pub(super) descriptors: &'a [u8],
    streams: &'a [u8],
}

/// An entry of a PMT.
pub(super) struct StreamEntry<'a> {
    pub(super) stream_type: u8,
    pub(super) pid: u16,
    descriptors: &'a [u8],
}

impl<'a> ProgramMap<'a> {
    pub(super) fn parse(section: &'a [u8]) -> Option<Self> {
        let (program, body) = body(section, PROGRAM_MAP)?;
        let mut fields = Cursor::new(body);
        let clock_pid = fields.u16()? & 0x1fff;
        let descriptors_bytes = fields.u16()? & 0x0fff;
        let descriptors = fields.take(descriptors_bytes.into())?;
        Some(Self { program, clock_pid, descriptors, streams: fields.rest() })
    }

    pub(super) fn streams(&self) -> impl Iterator<Item = StreamEntry<'a>> {
        let mut fields = Cursor::new(self.streams);
        std::iter::from_fn(move || {
            let (stream_type, pid) = (fields.u8()?, fields.u16()? & 0x1fff);
            let descriptors_bytes = usize::from(fields.u16()? & 0x0fff);
            let descriptors = fields.take(descriptors_bytes.min(fields.rest().len()))?;
            Some(StreamEntry { stream_type, pid, descriptors })
        })
    }
}

impl<'a> StreamEntry<'a> {
    pub(super) fn descriptors(&self) -> impl Iterator<Item = Descriptor<'a>> + Clone {
        descriptors(self.descriptors)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    pub(crate) fn section(table: u8, number: u16, body: &[u8]) -> Vec<u8> {
        let length = u16::try_from(body.len() + 5 + 4).unwrap() | 0xb000;
        [&[table][..], &length.to_be_bytes(), &number.to_be_bytes(), &[0xc1, 0, 0], body, &[0; 4]].concat()
    }

    #[test]
    fn sections_cross_packets_and_share_them() {
        let pat = section(0, 1, &[0, 0, 0xe0, 0x10, 0, 1, 0xf0, 0x00]);
        let mut buffer = SectionBuffer::default();
        let mut found = Vec::new();
        let mut add =
            |is_start, payload: &[u8]| buffer.add(is_start, payload, |section| found.push(section.to_vec()));
        add(false, b"lost start");
        add(true, &[&[0][..], &pat[..10]].concat());
        add(false, &pat[10..15]);
        add(true, &[&[5][..], &pat[15..], &pat, &[0xff; 9]].concat());
        // Stuffing is no section, however long it is.
        add(false, &[0xff; 4096]);
        assert_eq!(found, [pat.clone(), pat.clone()]);
        let mut next = pat.clone();
        next[5] = 0xc0;
        assert_eq!(parse_pat(&next), None, "not in force yet");
        assert_eq!(parse_pat(&pat), Some(vec![(1, 0x1000)]));
        assert_eq!(parse_pat(&section(2, 1, &[])), None);
    }

    #[test]
    fn a_program_map_lists_streams() {
        let body = [
            &[0xe1, 0x00, 0xf0, 0x03, 0x05, 0x01, b'x'][..],
            &[0x1b, 0xe1, 0x00, 0xf0, 0x00],
            &[0x0f, 0xe1, 0x01, 0xf0, 0x06, 0x0a, 0x04, b'e', b'n', b'g', 0],
            &[0x06, 0xe1, 0x02, 0xff, 0xff, 0x0a],
        ]
        .concat();
        let bytes = section(2, 7, &body);
        let map = ProgramMap::parse(&bytes).unwrap();
        assert_eq!((map.program, map.clock_pid, map.descriptors), (7, 0x100, &[0x05, 0x01, b'x'][..]));
        let streams: Vec<_> = map.streams().map(|stream| (stream.stream_type, stream.pid)).collect();
        assert_eq!(streams, [(0x1b, 0x100), (0x0f, 0x101), (0x06, 0x102)]);
        assert_eq!(map.streams().nth(1).unwrap().descriptors().next().unwrap().data, b"eng\0");
        assert!(ProgramMap::parse(&section(2, 7, &[0xe1, 0, 0xff, 0xff])).is_none());
    }

    #[test]
    fn hostile_sizes_end_a_section() {
        let mut buffer = SectionBuffer::default();
        let mut count = 0;
        buffer.add(true, &[0, 0, 0xff, 0xff, 1], |_| count += 1);
        assert!(!buffer.is_open || buffer.bytes.len() <= MAX_SECTION_BYTES);
        for section in [&[][..], &[0], &[0, 0xb0, 0x00], &section(0, 0, &[])[..9]] {
            assert!(parse_pat(section).is_none_or(|programs| programs.is_empty()));
        }
        assert_eq!(count, 0);
    }
}
