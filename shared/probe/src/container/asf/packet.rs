//! Data packets (clause 5.2 of the "Advanced Systems Format Specification" 1.2): the times of the first frames, and
//! their first bytes.

use crate::cursor::Cursor;

/// The most payloads that are looked at.
const MAX_PAYLOADS: u32 = 2048;
/// The most times that are kept of a stream.
const MAX_TIMES: usize = 256;
const MIN_PACKET_BYTES: usize = 16;

/// What the first packets show of one stream.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Beginning {
    pub(super) stream_number: u8,
    /// Presentation times of media objects in milliseconds, as stored.
    pub(super) times: Vec<u32>,
    /// The first bytes of the first media object.
    pub(super) start: Vec<u8>,
}

/// Reads `data`, which holds packets of `packet_bytes` each, the last one cut or not.
pub(super) fn read(data: &[u8], packet_bytes: usize) -> Vec<Beginning> {
    let mut beginnings = Vec::new();
    if packet_bytes >= MIN_PACKET_BYTES {
        let mut payloads_left = MAX_PAYLOADS;
        for packet in data.chunks(packet_bytes) {
            read_packet(packet, packet_bytes, &mut payloads_left, &mut beginnings);
            if payloads_left == 0 {
                break;
            }
        }
    }
    beginnings
}

/// Reads the payloads of a packet up to the first that makes no sense.
fn read_packet(
    packet: &[u8],
    packet_bytes: usize,
    payloads_left: &mut u32,
    beginnings: &mut Vec<Beginning>,
) -> Option<()> {
    let mut fields = Cursor::new(packet);
    let mut length_flags = fields.u8()?;
    if length_flags & 0x80 != 0 {
        // Error correction data.
        fields.skip((length_flags & 0x0f).into())?;
        length_flags = fields.u8()?;
    }
    let property_flags = fields.u8()?;
    variable(&mut fields, length_flags >> 5)?;
    variable(&mut fields, length_flags >> 1)?;
    let padding = variable(&mut fields, length_flags >> 3)?;
    // Send time and duration.
    fields.skip(4 + 2)?;
    let has_many = length_flags & 1 != 0;
    let payload_flags = if has_many { fields.u8()? } else { 1 };
    for _ in 0..payload_flags & 0x3f {
        *payloads_left = payloads_left.checked_sub(1)?;
        let header = PayloadHeader::parse(&mut fields, property_flags)?;
        let rest = fields.rest();
        let data = if has_many {
            let wanted = variable(&mut fields, payload_flags >> 6)? as usize;
            fields.take(wanted.min(fields.rest().len()))?
        } else {
            // A packet that the end of what was read cuts has none of its padding.
            let padding = if packet.len() == packet_bytes { padding as usize } else { 0 };
            rest.get(..rest.len().checked_sub(padding)?)?
        };
        header.add_to(data, beginnings);
    }
    Some(())
}

/// A field whose size is in two bits of `flags`.
fn variable(fields: &mut Cursor<'_>, flags: u8) -> Option<u32> {
    match flags & 3 {
        0 => Some(0),
        1 => fields.u8().map(u32::from),
        2 => fields.u16_le().map(u32::from),
        _ => fields.u32_le(),
    }
}

struct PayloadHeader {
    stream_number: u8,
    /// Where in its media object the payload belongs.
    offset: u32,
    /// Presentation time in milliseconds.
    time: Option<u32>,
    /// Time between the media objects that are all in this payload, each behind its size in a byte.
    compressed: Option<u8>,
}

impl PayloadHeader {
    fn parse(fields: &mut Cursor<'_>, property_flags: u8) -> Option<Self> {
        let stream_number = fields.u8()? & 0x7f;
        variable(fields, property_flags >> 4)?;
        let offset = variable(fields, property_flags >> 2)?;
        let replicated = variable(fields, property_flags)? as usize;
        if replicated == 1 {
            let step = fields.u8()?;
            return Some(Self { stream_number, offset: 0, time: Some(offset), compressed: Some(step) });
        }
        let mut data = Cursor::new(fields.take(replicated)?);
        let time = data.skip(4).and_then(|()| data.u32_le());
        Some(Self { stream_number, offset, time, compressed: None })
    }

    fn add_to(&self, data: &[u8], beginnings: &mut Vec<Beginning>) {
        if self.offset > 0 {
            return;
        }
        let known = beginnings.iter().position(|beginning| beginning.stream_number == self.stream_number);
        let index = known.unwrap_or(beginnings.len());
        if known.is_none() {
            beginnings.push(Beginning { stream_number: self.stream_number, ..Beginning::default() });
        }
        let Some(beginning) = beginnings.get_mut(index) else { return };
        let data = if self.compressed.is_some() { data.get(1..).unwrap_or_default() } else { data };
        if beginning.start.is_empty() {
            beginning.start = data.to_vec();
        }
        if let Some(time) = self.time
            && beginning.times.len() < MAX_TIMES
        {
            beginning.times.push(time);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Error correction, flags, padding in a byte, send time and duration.
    fn packet(has_many: bool, padding: u8, payloads: &[u8]) -> Vec<u8> {
        let flags = if has_many { 0x09 } else { 0x08 };
        let mut bytes = vec![0x82, 0, 0, flags, 0x5d, padding, 1, 2, 3, 4, 5, 6];
        bytes.extend(payloads);
        bytes.resize(bytes.len() + usize::from(padding), 0);
        bytes
    }

    fn payload(stream: u8, offset: u32, time: u32) -> Vec<u8> {
        let mut bytes = vec![stream, 7];
        bytes.extend(offset.to_le_bytes());
        bytes.push(8);
        bytes.extend(100_u32.to_le_bytes());
        bytes.extend(time.to_le_bytes());
        bytes
    }

    #[test]
    fn one_payload_goes_up_to_the_padding() {
        let bytes = packet(false, 3, &[payload(0x81, 0, 3000), b"data".to_vec()].concat());
        let wanted = Beginning { stream_number: 1, times: vec![3000], start: b"data".to_vec() };
        assert_eq!(read(&bytes, bytes.len()), [wanted]);
    }

    #[test]
    fn many_payloads_say_their_sizes() {
        let payloads = [
            &[0x83][..],
            &payload(1, 0, 10),
            &[2, 0],
            b"ab",
            &payload(2, 0, 20),
            &[1, 0],
            b"c",
            &payload(1, 2, 10),
            &[1, 0],
            b"d",
        ];
        let bytes = packet(true, 0, &payloads.concat());
        let beginnings = read(&[bytes.clone(), bytes.clone()].concat(), bytes.len());
        assert_eq!(beginnings.len(), 2);
        assert_eq!((&beginnings[0].times[..], &beginnings[0].start[..]), (&[10, 10][..], &b"ab"[..]));
        assert_eq!((&beginnings[1].times[..], &beginnings[1].start[..]), (&[20, 20][..], &b"c"[..]));
    }

    #[test]
    fn small_objects_share_a_payload() {
        let compressed = [&[1, 7][..], &500_u32.to_le_bytes(), &[1, 40, 2], b"xy"].concat();
        let bytes = packet(false, 0, &compressed);
        let wanted = Beginning { stream_number: 1, times: vec![500], start: b"xy".to_vec() };
        assert_eq!(read(&bytes, bytes.len()), [wanted]);
    }

    #[test]
    fn packets_that_are_cut_or_of_noise_end_the_reading() {
        let bytes =
            packet(true, 0, &[&[0x83][..], &payload(1, 0, 10), &[2, 0], b"ab", &payload(2, 0, 20)].concat());
        for end in 0..bytes.len() {
            read(&bytes[..end], bytes.len());
        }
        for byte in 0..=255 {
            read(&[byte; 3000], 100);
        }
        assert!(read(&bytes, 0).is_empty());
    }
}
