//! Bits out of a byte slice, most significant first, as codec headers pack them.

pub(crate) struct Bits<'a> {
    bytes: &'a [u8],
    position: usize,
}

impl<'a> Bits<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, position: 0 }
    }

    pub(crate) fn bit(&mut self) -> Option<bool> {
        let byte = self.bytes.get(self.position / 8)?;
        let bit = byte >> (7 - self.position % 8) & 1;
        self.position += 1;
        Some(bit == 1)
    }

    /// The next `count` bits, at most 32.
    pub(crate) fn bits(&mut self, count: u32) -> Option<u32> {
        debug_assert!(count <= 32);
        let mut value = 0;
        for _ in 0..count {
            value = value << 1 | u32::from(self.bit()?);
        }
        Some(value)
    }

    pub(crate) fn skip(&mut self, count: usize) -> Option<()> {
        let position = self.position.checked_add(count)?;
        if position > self.bytes.len().checked_mul(8)? {
            return None;
        }
        self.position = position;
        Some(())
    }

    #[cfg(test)]
    pub(crate) fn left(&self) -> usize {
        (self.bytes.len() * 8).saturating_sub(self.position)
    }

    pub(crate) fn align(&mut self) {
        self.position = self.position.next_multiple_of(8);
    }

    /// An unsigned Exp-Golomb number, `ue(v)` of ITU-T H.264 clause 9.1.
    pub(crate) fn ue(&mut self) -> Option<u32> {
        let mut zeros = 0;
        while !self.bit()? {
            zeros += 1;
            if zeros > 31 {
                return None;
            }
        }
        let suffix = self.bits(zeros)?;
        Some((1 << zeros) - 1 + suffix)
    }

    /// A signed Exp-Golomb number, `se(v)` of ITU-T H.264 clause 9.1.1.
    pub(crate) fn se(&mut self) -> Option<i64> {
        let code = i64::from(self.ue()?);
        Some(if code % 2 == 0 { -(code / 2) } else { code / 2 + 1 })
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// The bytes of `bits`, zeros and ones with spaces as one likes, padded with zeros.
    pub(crate) fn packed(bits: &str) -> Vec<u8> {
        let bits: Vec<u8> = bits.bytes().filter(u8::is_ascii_digit).map(|digit| digit - b'0').collect();
        let byte = |bits: &[u8]| bits.iter().fold(0, |sum, bit| sum << 1 | bit) << (8 - bits.len());
        bits.chunks(8).map(byte).collect()
    }

    #[test]
    fn exp_golomb_numbers_are_read_in_sequence() {
        // 1 | 010 | 011 | 00100 | 00101
        let mut bits = Bits::new(&[0b1010_0110, 0b0100_0010, 0b1000_0000]);
        assert_eq!([bits.ue(), bits.ue(), bits.ue(), bits.ue()], [Some(0), Some(1), Some(2), Some(3)]);
        assert_eq!(bits.se(), Some(-2));
        assert_eq!(bits.left(), 7);
        assert_eq!(bits.ue(), None);
        assert_eq!(Bits::new(&[0; 20]).ue(), None);
    }

    #[test]
    fn nothing_is_read_beyond_the_end() {
        let mut bits = Bits::new(&[0xff]);
        assert_eq!(bits.bits(4), Some(15));
        assert_eq!(bits.skip(5), None);
        assert_eq!(bits.skip(usize::MAX), None);
        assert_eq!(bits.bits(5), None);
    }
}
