//! Spectral band replication (SBR) in the frames of AAC, which neither an ADTS header nor every configuration tells:
//! ISO/IEC 14496-3 clause 4.4.2.

use crate::bits::Bits;

const FILL_ELEMENT: u32 = 6;
const END_ELEMENT: u32 = 7;
const MAX_FILL_BYTES: usize = 269;
/// Frames that are looked at, and the fewest that decide.
const MAX_FRAMES: usize = 24;
const MIN_FRAMES: u32 = 4;

/// Whether the first of `frames`, each a raw data block, carry SBR.
///
/// It is in a fill element near the end of a frame. To get there one would have to decode the frame, so it is looked
/// for from the end: where such an element would end with the frame, or where another fill element begins that does.
/// Chance hits one frame in ten or so, never most of a row.
pub(crate) fn carry_sbr<'a>(frames: impl IntoIterator<Item = &'a [u8]>) -> bool {
    let (mut count, mut with_sbr) = (0, 0);
    for frame in frames.into_iter().take(MAX_FRAMES) {
        count += 1;
        with_sbr += u32::from(ends_with_sbr(frame));
    }
    count >= MIN_FRAMES && with_sbr * 4 >= count * 3
}

/// What could be a fill element, by bits from the start of the frame.
struct FillElement {
    start: usize,
    end: usize,
    extension: u32,
}

/// Whether a fill element with SBR data, and the mark of the end behind it, fit the end of a raw data block.
fn ends_with_sbr(frame: &[u8]) -> bool {
    let bits = frame.len() * 8;
    // The longest has 269 bytes; an encoder that pads has two of them.
    let earliest = bits.saturating_sub(2 * (MAX_FILL_BYTES + 2) * 8 + 16);
    let elements: Vec<_> = (earliest..bits).filter_map(|start| fill_element(frame, start)).collect();
    let is_sbr = |element: &FillElement| matches!(element.extension, 13 | 14);
    // The end mark takes three bits, and is padded to the byte.
    let at_end = elements.iter().filter(|element| {
        (element.end + 3).div_ceil(8) * 8 == bits && bits_at(frame, element.end, 3) == Some(END_ELEMENT)
    });
    at_end.into_iter().any(|last| {
        let before = || elements.iter().any(|element| element.end == last.start && is_sbr(element));
        is_sbr(last) || (matches!(last.extension, 0 | 1) && before())
    })
}

fn fill_element(frame: &[u8], start: usize) -> Option<FillElement> {
    let mut bits = Bits::new(frame);
    bits.skip(start)?;
    if bits.bits(3)? != FILL_ELEMENT {
        return None;
    }
    let mut bytes = bits.bits(4)? as usize;
    let mut data = start + 7;
    if bytes == 15 {
        bytes = (bytes + bits.bits(8)? as usize).saturating_sub(1);
        data += 8;
    }
    let end = data + bytes * 8;
    (bytes > 0 && end <= frame.len() * 8).then_some(FillElement { start, end, extension: bits.bits(4)? })
}

fn bits_at(frame: &[u8], start: usize, count: u32) -> Option<u32> {
    let mut bits = Bits::new(frame);
    bits.skip(start)?;
    bits.bits(count)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bits::tests::packed;

    #[test]
    fn most_of_a_row_of_frames_decide() {
        let with = packed("000 0000 1 01100110 01010101 0011 110 0010 1101 0000 11110000 111");
        let without = packed("000 0000 1 01100110 01010101 0011 111");
        let row = |count_with: usize, count_without: usize| {
            let with = std::iter::repeat_n(&with[..], count_with);
            carry_sbr(with.chain(std::iter::repeat_n(&without[..], count_without)))
        };
        assert!(row(4, 0) && row(3, 1) && row(18, 6));
        assert!(!row(3, 0) && !row(2, 2) && !row(17, 7));
        assert!(row(24, 100));
        assert!(!carry_sbr([&[][..]; 8]));
    }
}
