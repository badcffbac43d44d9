//! Packets of a transport stream: ISO/IEC 13818-1 clause 2.4.3, with what surrounds them on discs and in the air.

use crate::cursor::Cursor;

const SYNC_BYTE: u8 = 0x47;
/// Bytes of a packet itself.
const PACKET_BYTES: usize = 188;
/// Packets as they are stored: alone, behind a time stamp (M2TS), before error correction.
const STRIDES: [usize; 3] = [188, 192, 204];
/// So many sync bytes in a row are no coincidence.
const MIN_IN_SYNC: usize = 5;
/// How far the first packet is looked for.
const MAX_JUNK_BYTES: usize = 16 * 1024;

/// Where packets start in a stretch of a file, and how far they are apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Sync {
    first: usize,
    pub(super) stride: usize,
}

impl Sync {
    /// Finds packets in `bytes`, which may start in the middle of one, or with junk.
    pub(super) fn find(bytes: &[u8]) -> Option<Self> {
        (0..bytes.len().min(MAX_JUNK_BYTES)).filter(|first| bytes[*first] == SYNC_BYTE).find_map(|first| {
            let stride = STRIDES.into_iter().find(|stride| is_in_sync(bytes, first, *stride))?;
            Some(Self { first, stride })
        })
    }

    /// Finds packets that are `stride` bytes apart.
    pub(super) fn find_with(bytes: &[u8], stride: usize) -> Option<Self> {
        let first = (0..bytes.len().min(MAX_JUNK_BYTES)).find(|first| is_in_sync(bytes, *first, stride))?;
        Some(Self { first, stride })
    }
}

/// Whether packets are in sync from `first` on: five of them, or all of fewer when the bytes end.
fn is_in_sync(bytes: &[u8], first: usize, stride: usize) -> bool {
    let expected = (first..bytes.len()).step_by(stride).take(MIN_IN_SYNC);
    let wanted = if first == 0 || first == stride - PACKET_BYTES { 3 } else { MIN_IN_SYNC };
    expected.clone().count() >= wanted && expected.clone().all(|position| bytes[position] == SYNC_BYTE)
}

/// A packet with something in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Packet<'a> {
    pub(super) pid: u16,
    /// Whether a section or a PES packet starts in it.
    pub(super) is_start: bool,
    /// The program's clock, in the ticks of time stamps.
    pub(super) clock: Option<u64>,
    pub(super) payload: &'a [u8],
}

impl<'a> Packet<'a> {
    fn parse(bytes: &'a [u8]) -> Option<Self> {
        let mut fields = Cursor::new(bytes.get(..PACKET_BYTES)?);
        fields.skip(1)?;
        let head = fields.u16()?;
        let control = fields.u8()?;
        let (is_damaged, is_start) = (head & 0x8000 != 0, head & 0x4000 != 0);
        let is_scrambled = control & 0xc0 != 0;
        if is_damaged || is_scrambled || control & 0x10 == 0 {
            return None;
        }
        let mut clock = None;
        if control & 0x20 != 0 {
            let adaptation_bytes = fields.u8()?;
            clock = program_clock(fields.take(adaptation_bytes.into())?);
        }
        Some(Self { pid: head & 0x1fff, is_start, clock, payload: fields.rest() })
    }
}

/// The base of the PCR in an adaptation field.
fn program_clock(adaptation: &[u8]) -> Option<u64> {
    let mut fields = Cursor::new(adaptation);
    let has_clock = fields.u8()? & 0x10 != 0;
    let base = u64::from(fields.u32()?) << 1 | u64::from(fields.u8()? >> 7);
    has_clock.then_some(base)
}

/// The packets of a stretch of a file; where it is out of step they are looked for again.
pub(super) struct Packets<'a> {
    bytes: &'a [u8],
    position: usize,
    stride: usize,
}

impl<'a> Packets<'a> {
    pub(super) fn new(bytes: &'a [u8], sync: Sync) -> Self {
        Self { bytes, position: sync.first, stride: sync.stride }
    }
}

impl<'a> Iterator for Packets<'a> {
    type Item = Packet<'a>;

    fn next(&mut self) -> Option<Packet<'a>> {
        loop {
            let rest = self.bytes.get(self.position..)?;
            if rest.first()? != &SYNC_BYTE {
                self.position += Sync::find_with(rest, self.stride)?.first;
                continue;
            }
            if rest.len() < PACKET_BYTES {
                return None;
            }
            self.position += self.stride;
            if let Some(packet) = Packet::parse(rest) {
                return Some(packet);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn packet(pid: u16, payload: &[u8]) -> Vec<u8> {
        let stuffing = 183 - payload.len();
        let mut bytes = vec![SYNC_BYTE];
        bytes.extend((pid | 0x4000).to_be_bytes());
        bytes.extend([0x30, u8::try_from(stuffing).unwrap()]);
        // No flags, then stuffing.
        bytes.push(0);
        bytes.resize(188 - payload.len(), 0xff);
        bytes.extend(payload);
        bytes
    }

    fn pids(bytes: &[u8]) -> Vec<u16> {
        Packets::new(bytes, Sync::find(bytes).unwrap()).map(|packet| packet.pid).collect()
    }

    #[test]
    fn packets_come_in_three_strides() {
        for (stride, before) in [(188, 0), (192, 4), (204, 0)] {
            let stored = |pid| {
                let mut bytes = vec![0; before];
                bytes.extend(packet(pid, b"payload"));
                bytes.resize(stride, 0);
                bytes
            };
            let bytes: Vec<u8> = (1..=8).flat_map(stored).collect();
            assert_eq!(Sync::find(&bytes), Some(Sync { first: before, stride }));
            assert_eq!(pids(&bytes), (1..=8).collect::<Vec<_>>());
            assert_eq!(pids(&bytes[before + 7..]), (2..=8).collect::<Vec<_>>());
        }
    }

    #[test]
    fn payloads_follow_the_adaptation_field() {
        let bytes: Vec<u8> = (1..=3).flat_map(|pid| packet(pid, b"payload")).collect();
        let first = Packets::new(&bytes, Sync::find(&bytes).unwrap()).next().unwrap();
        assert_eq!(first, Packet { pid: 1, is_start: true, clock: None, payload: b"payload" });
        let mut with_clock = packet(1, b"payload");
        with_clock[5..11].copy_from_slice(&[0x10, 0x80, 0, 0, 0, 0x80]);
        assert_eq!(Packet::parse(&with_clock).unwrap().clock, Some((1 << 32) + 1));
    }

    #[test]
    fn lost_bytes_cost_one_packet() {
        let mut bytes: Vec<u8> = (1..=20).flat_map(|pid| packet(pid, b"")).collect();
        bytes.drain(188 * 4 + 20..188 * 4 + 50);
        assert_eq!(pids(&bytes), (1..=5).chain(7..=20).collect::<Vec<_>>());
    }

    #[test]
    fn damaged_and_overlong_fields_are_left_out() {
        let mut bytes: Vec<u8> = (1..=6).flat_map(|pid| packet(pid, b"")).collect();
        bytes[1] |= 0x80;
        bytes[188 + 3] |= 0x80;
        bytes[2 * 188 + 4] = 200;
        assert_eq!(pids(&bytes), [4, 5, 6]);
        assert_eq!(Sync::find(&[SYNC_BYTE; 2]), None);
    }
}
