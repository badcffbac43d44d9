//! Compressed sound in the guise of PCM, so that it can be recorded and played bit by bit: DTS and AC-3 frames as they
//! are, or in bursts as a digital output has them (IEC 61937).
//!
//! A mark of two or four bytes occurs in any sound sooner or later, so frames are believed only if another one of the
//! same kind follows, and bursts only if there is a frame in them.

use crate::codec::frame::Frame as _;
use crate::codec::{ac3, dts};

/// A burst starts with two words, its kind and its size.
const BURST_HEADER_BYTES: usize = 8;
/// Bytes of a frame that are enough for its header.
const FRAME_HEAD_BYTES: usize = 64;

/// What the sound really is.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Disguised {
    pub(super) codec: &'static str,
    pub(super) channels: u32,
    pub(super) sample_rate: u32,
}

/// How the words of a frame are stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Packing {
    BigEndian,
    LittleEndian,
    /// 14 of the 16 bits of a sample, so that it sounds less loud by mistake.
    BigEndian14,
    LittleEndian14,
}

/// The mark of DTS in each packing.
const DTS_MARKS: [([u8; 4], Packing); 4] = [
    ([0x7f, 0xfe, 0x80, 0x01], Packing::BigEndian),
    ([0xfe, 0x7f, 0x01, 0x80], Packing::LittleEndian),
    ([0x1f, 0xff, 0xe8, 0x00], Packing::BigEndian14),
    ([0xff, 0x1f, 0x00, 0xe8], Packing::LittleEndian14),
];
/// The mark of AC-3 in each packing.
const AC3_MARKS: [([u8; 2], Packing); 2] =
    [([0x0b, 0x77], Packing::BigEndian), ([0x77, 0x0b], Packing::LittleEndian)];
/// The two words that a burst starts with.
const BURST_MARKS: [([u8; 4], Packing); 2] =
    [([0xf8, 0x72, 0x4e, 0x1f], Packing::BigEndian), ([0x72, 0xf8, 0x1f, 0x4e], Packing::LittleEndian)];

/// Looks for compressed sound in `start`, the start of what pretends to be 16-bit samples.
pub(super) fn find(start: &[u8]) -> Option<Disguised> {
    (0..start.len()).step_by(2).find_map(|position| {
        let bytes = &start[position..];
        burst(bytes).or_else(|| dts_frame(bytes)).or_else(|| ac3_frame(bytes))
    })
}

fn packing<const N: usize>(bytes: &[u8], marks: &[([u8; N], Packing)]) -> Option<Packing> {
    marks.iter().find(|(mark, _)| bytes.starts_with(mark)).map(|(_, packing)| *packing)
}

fn burst(bytes: &[u8]) -> Option<Disguised> {
    let packing = packing(bytes, &BURST_MARKS)?;
    let frame = unpack(bytes.get(BURST_HEADER_BYTES..)?, packing);
    parse_dts(&frame).or_else(|| parse_ac3(&frame).map(|(found, _)| found))
}

fn dts_frame(bytes: &[u8]) -> Option<Disguised> {
    let packing = packing(bytes, &DTS_MARKS)?;
    let first = parse_dts(&unpack(bytes, packing))?;
    let mark = bytes.get(..4)?;
    let rest = bytes.get(FRAME_HEAD_BYTES..)?;
    let next = rest.chunks_exact(2).enumerate().find_map(|(index, _)| {
        let next = &rest[2 * index..];
        next.starts_with(mark).then(|| parse_dts(&unpack(next, packing)))?
    });
    (next.as_ref() == Some(&first)).then_some(first)
}

fn ac3_frame(bytes: &[u8]) -> Option<Disguised> {
    let packing = packing(bytes, &AC3_MARKS)?;
    let (first, frame_bytes) = parse_ac3(&unpack(bytes, packing))?;
    let (next, _) = parse_ac3(&unpack(bytes.get(frame_bytes..)?, packing))?;
    (next == first).then_some(first)
}

fn parse_dts(frame: &[u8]) -> Option<Disguised> {
    let config = dts::CoreFrame::parse(frame)?.config;
    Some(Disguised { codec: "dts", channels: config.channels?, sample_rate: config.sample_rate? })
}

/// The sound, and the size of its first frame.
fn parse_ac3(frame: &[u8]) -> Option<(Disguised, usize)> {
    let frame = ac3::Frame::parse(frame)?;
    let found = Disguised { codec: frame.codec(), channels: frame.channels, sample_rate: frame.sample_rate };
    Some((found, frame.frame_bytes))
}

/// The head of a frame in the order of its own format.
fn unpack(bytes: &[u8], packing: Packing) -> Vec<u8> {
    let head = &bytes[..bytes.len().min(FRAME_HEAD_BYTES)];
    let words = head.chunks_exact(2).map(|word| match packing {
        Packing::BigEndian | Packing::BigEndian14 => u16::from_be_bytes([word[0], word[1]]),
        Packing::LittleEndian | Packing::LittleEndian14 => u16::from_le_bytes([word[0], word[1]]),
    });
    if matches!(packing, Packing::BigEndian | Packing::LittleEndian) {
        return words.flat_map(u16::to_be_bytes).collect();
    }
    let (mut unpacked, mut bits, mut bit_count) = (Vec::new(), 0_u32, 0);
    for word in words {
        bits = bits << 14 | u32::from(word & 0x3fff);
        bit_count += 14;
        while bit_count >= 8 {
            bit_count -= 8;
            unpacked.push((bits >> bit_count & 0xff).to_le_bytes()[0]);
        }
        bits &= (1 << bit_count) - 1;
    }
    unpacked
}

#[cfg(test)]
mod tests {
    use super::*;

    const DTS: [u8; 16] = *b"\x7f\xfe\x80\x01\xfc\x3c\x3e\xd2\x75\xe0\x02\x00\x00\x00\x00\x00";
    /// 48 kHz, 5.1 channels, frames of 1792 bytes.
    const AC3: [u8; 8] = [0x0b, 0x77, 0, 0, 0x1e, 0x40, 0xe1, 0];

    fn swapped(bytes: &[u8]) -> Vec<u8> {
        bytes.chunks(2).flat_map(|word| [word[1], word[0]]).collect()
    }

    /// Fourteen bits to a word.
    fn loosened(bytes: &[u8]) -> Vec<u8> {
        let bits: Vec<u16> =
            bytes.iter().flat_map(|byte| (0..8).rev().map(move |bit| u16::from(byte >> bit & 1))).collect();
        let word = |bits: &[u16]| bits.iter().fold(0, |word, bit| word << 1 | bit);
        // The sign is extended into the two bits that are not used.
        let extended = |word: u16| if word & 0x2000 != 0 { word | 0xc000 } else { word };
        bits.chunks_exact(14).flat_map(|bits| extended(word(bits)).to_be_bytes()).collect()
    }

    fn frames(frame: &[u8], frame_bytes: usize, count: usize) -> Vec<u8> {
        let mut padded = frame.to_vec();
        padded.resize(frame_bytes, 0x55);
        padded.repeat(count)
    }

    #[test]
    fn frames_of_dts_are_found_in_every_packing() {
        let dts = Disguised { codec: "dts", channels: 6, sample_rate: 48_000 };
        let loose = loosened(&DTS);
        for frame in [DTS.to_vec(), swapped(&DTS), loose.clone(), swapped(&loose)] {
            let sound = [vec![0; 512], frames(&frame, 1006, 2)].concat();
            assert_eq!(find(&sound).as_ref(), Some(&dts), "{frame:x?}");
            assert_eq!(find(&frames(&frame, 1006, 1)), None);
        }
    }

    #[test]
    fn frames_of_ac3_are_found() {
        let found = find(&frames(&AC3, 1792, 2));
        assert_eq!(found, Some(Disguised { codec: "ac3", channels: 6, sample_rate: 48_000 }));
        assert_eq!(find(&frames(&AC3, 1794, 2)), None);
        let mut stereo = AC3;
        stereo[6] = 0x40;
        assert_eq!(find(&[frames(&AC3, 1792, 1), frames(&stereo, 1792, 1)].concat()), None);
    }

    #[test]
    fn extended_signs_are_no_bits_of_a_frame() {
        let words = [0_u16, 0xe000, 0, 0].map(u16::to_be_bytes).concat();
        assert_eq!(unpack(&words, Packing::BigEndian14), [0, 2, 0, 0, 0, 0, 0]);
    }

    #[test]
    fn a_burst_holds_one_frame() {
        let burst = [&[0xf8, 0x72, 0x4e, 0x1f, 0, 1, 0x38, 0][..], &AC3].concat();
        for sound in [burst.clone(), swapped(&burst)] {
            assert_eq!(find(&sound).map(|found| found.codec), Some("ac3"));
        }
    }

    #[test]
    fn sound_is_sound() {
        let noise: Vec<u8> =
            (0..32_768_u32).map(|index| (index * index / 7 % 251).to_le_bytes()[0]).collect();
        assert_eq!(find(&noise), None);
        assert_eq!(find(&vec![0; 32_768]), None);
        assert_eq!(find(&DTS[..5]), None);
    }
}
