//! Frame headers (RFC 9639 clause 9.1), to find the last sample of a stream that does not say how many there are.

use crate::codec::flac::StreamInfo;
use crate::cursor::Cursor;

/// The longest header: sync, sizes, coded number, block size, rate, checksum.
const MAX_HEADER_BYTES: usize = 4 + 7 + 2 + 2 + 1;

/// The number of samples up to the end of the last frame whose header is in `bytes`; 0 when there is none.
pub(super) fn last_sample(bytes: &[u8], info: &StreamInfo) -> u64 {
    let starts = (0..bytes.len().saturating_sub(1)).rev();
    let last = starts.filter(|start| bytes[*start] == 0xff && bytes[start + 1] & 0xfe == 0xf8);
    last.filter_map(|start| bytes.get(start..)).find_map(|frame| end_sample(frame, info)).unwrap_or(0)
}

/// The sample behind the frame that starts `bytes`; `None` when no header of this stream is there.
fn end_sample(bytes: &[u8], info: &StreamInfo) -> Option<u64> {
    let mut fields = Cursor::new(bytes.get(..MAX_HEADER_BYTES).unwrap_or(bytes));
    fields.skip(1)?;
    let has_variable_blocks = fields.u8()? & 1 == 1;
    let (codes, channels) = (fields.u8()?, fields.u8()?);
    let number = read_coded_number(&mut fields)?;
    let block_samples = match codes >> 4 {
        1 => 192,
        code @ 2..=5 => 576 << (code - 2),
        6 => u64::from(fields.u8()?) + 1,
        7 => u64::from(fields.u16()?) + 1,
        code @ 8..=15 => 256 << (code - 8),
        _ => return None,
    };
    match codes & 0xf {
        12 => fields.skip(1)?,
        13 | 14 => fields.skip(2)?,
        15 => return None,
        _ => {}
    }
    let header_bytes = bytes.len().min(MAX_HEADER_BYTES) - fields.rest().len();
    let channel_count = match channels >> 4 {
        code @ 0..=7 => u32::from(code) + 1,
        8..=10 => 2,
        _ => return None,
    };
    if crc_8(&bytes[..header_bytes]) != fields.u8()? || channel_count != info.channels {
        return None;
    }
    let first =
        if has_variable_blocks { number } else { number.checked_mul(info.max_block_samples.into())? };
    first.checked_add(block_samples)
}

/// A number of up to 36 bits, coded as UTF-8 would if it went that far.
fn read_coded_number(fields: &mut Cursor<'_>) -> Option<u64> {
    let first = fields.u8()?;
    let ones = first.leading_ones();
    if ones == 0 {
        return Some(first.into());
    }
    if !(2..=7).contains(&ones) {
        return None;
    }
    let mut number = u64::from(first & (0x7f_u8 >> ones));
    for _ in 1..ones {
        let next = fields.u8().filter(|next| next & 0xc0 == 0x80)?;
        number = number << 6 | u64::from(next & 0x3f);
    }
    Some(number)
}

/// Polynomial x^8 + x^2 + x + 1, starting at 0.
fn crc_8(bytes: &[u8]) -> u8 {
    bytes.iter().fold(0, |crc, byte| {
        (0..8).fold(crc ^ byte, |crc: u8, _| if crc & 0x80 == 0 { crc << 1 } else { crc << 1 ^ 7 })
    })
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(in super::super) fn frame(variable: bool, codes: u8, channels: u8, rest: &[u8]) -> Vec<u8> {
        let mut header = vec![0xff, 0xf8 | u8::from(variable), codes, channels << 4 | 8];
        header.extend(rest);
        header.push(crc_8(&header));
        header
    }

    fn info() -> StreamInfo {
        StreamInfo {
            max_block_samples: 4096,
            min_block_samples: 4096,
            sample_rate: 44_100,
            channels: 2,
            bits_per_sample: 16,
            total_samples: None,
        }
    }

    #[test]
    fn frames_or_samples_are_numbered() {
        // Frame 2 of 4096, the last one of 1000; 0x7f, 0xc4 0x80 is 256.
        assert_eq!(end_sample(&frame(false, 0x79, 1, &[2, 0x03, 0xe7]), &info()), Some(2 * 4096 + 1000));
        assert_eq!(end_sample(&frame(true, 0xc9, 8, &[0xc4, 0x80]), &info()), Some(256 + 4096));
        assert_eq!(end_sample(&frame(true, 0x39, 1, &[5]), &info()), Some(5 + 1152));
        assert_eq!(end_sample(&frame(false, 0xc9, 0, &[2]), &info()), None, "mono in a stereo stream");
        let mut broken = frame(false, 0xc9, 1, &[2]);
        broken[5] ^= 1;
        assert_eq!(end_sample(&broken, &info()), None, "checksum");
    }

    #[test]
    fn the_last_header_that_makes_sense_counts() {
        let bytes = [
            frame(false, 0xc9, 1, &[1]),
            vec![7; 50],
            frame(false, 0xc9, 1, &[2]),
            vec![0xff, 0xf8, 0xff, 0xf8, 0xff],
        ]
        .concat();
        assert_eq!(last_sample(&bytes, &info()), 3 * 4096);
        assert_eq!(last_sample(&[0xff; 5000], &info()), 0);
        assert_eq!(last_sample(&[0xff, 0xf8].repeat(5000), &info()), 0);
        assert_eq!(last_sample(&[], &info()), 0);
    }
}
