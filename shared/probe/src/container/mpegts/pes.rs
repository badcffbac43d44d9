//! PES packets: ISO/IEC 13818-1 clause 2.4.3.6.

use crate::bits::Bits;

/// Time stamps count to here, at 90 kHz, and begin anew: every 26.5 hours.
pub(super) const CLOCK_PERIOD: u64 = 1 << 33;
pub(super) const CLOCK_RATE: f64 = 90_000.0;

/// The start of a PES packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct PesHeader<'a> {
    pub(super) presentation: Option<u64>,
    /// Decoding time, which is that of presentation unless it is told apart.
    pub(super) decoding: Option<u64>,
    /// What there is of the elementary stream.
    pub(super) payload: &'a [u8],
}

impl<'a> PesHeader<'a> {
    /// Reads the header that `bytes`, the payload of a packet, start with.
    pub(super) fn parse(bytes: &'a [u8]) -> Option<Self> {
        let [0, 0, 1, stream_id, _, _, rest @ ..] = bytes else { return None };
        // Maps, padding and control streams have no further header.
        if matches!(stream_id, 0xbc | 0xbe | 0xbf | 0xf0..=0xf2 | 0xf8 | 0xff) {
            return None;
        }
        let [marker, flags, header_bytes, rest @ ..] = rest else { return None };
        if marker & 0xc0 != 0x80 {
            return None;
        }
        let (header, payload) = rest.split_at_checked(usize::from(*header_bytes))?;
        let presentation = if flags & 0x80 != 0 { time_stamp(header) } else { None };
        let told_apart = if flags & 0xc0 == 0xc0 { header.get(5..).and_then(time_stamp) } else { None };
        Some(Self { presentation, decoding: told_apart.or(presentation), payload })
    }
}

/// 33 bits in five bytes, in three parts with a marker bit behind each.
fn time_stamp(bytes: &[u8]) -> Option<u64> {
    let mut bits = Bits::new(bytes);
    bits.skip(4)?;
    let mut stamp = 0;
    for part_bits in [3, 15, 15] {
        stamp = stamp << part_bits | u64::from(bits.bits(part_bits)?);
        if !bits.bit()? {
            return None;
        }
    }
    Some(stamp)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn a_header_has_up_to_two_time_stamps() {
        let bytes = b"\0\0\x01\xe0\0\0\x80\xc0\x0a\x31\0\x07\xef\x21\x11\0\x07\xd8\x61data";
        let header = PesHeader::parse(bytes).unwrap();
        assert_eq!(header.payload, b"data");
        assert_eq!((header.presentation, header.decoding), (Some(128_912), Some(126_000)));
        let all_ones = b"\0\0\x01\xc0\0\0\x80\x80\x05\x2f\xff\xff\xff\xff";
        let header = PesHeader::parse(all_ones).unwrap();
        assert_eq!((header.presentation, header.decoding), (Some(CLOCK_PERIOD - 1), Some(CLOCK_PERIOD - 1)));
        assert_eq!(PesHeader::parse(b"\0\0\x01\xe0\0\0\x80\0\0x").unwrap().presentation, None);
    }

    #[test]
    fn what_is_no_header_is_none() {
        assert_eq!(PesHeader::parse(b"\0\0\x01\xbe\0\0\x80\0\0"), None);
        assert_eq!(PesHeader::parse(b"\0\0\x01\xe0\0\0\x40\0\0"), None);
        assert_eq!(PesHeader::parse(b"\0\0\x01\xe0\0\0\x80\0\x05\0"), None);
        assert_eq!(PesHeader::parse(b"\0\0\x02\xe0\0\0\x80\0\0"), None);
    }
}
