//! MPEG-1, MPEG-2 and MPEG-2.5 audio, layers I to III: the frame header of ISO/IEC 11172-3 clause 2.4.1.3 and
//! ISO/IEC 13818-3.

use super::frame::Frame;

/// Bytes of a frame header.
pub(crate) const HEADER_BYTES: usize = 4;

/// kbit/s of MPEG-1 by layer, then of MPEG-2 by layer; 0 is "free format".
const BIT_RATES: [[u32; 15]; 5] = [
    [0, 32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448],
    [0, 32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384],
    [0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320],
    [0, 32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256],
    [0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160],
];
const SAMPLE_RATES: [u32; 3] = [44_100, 48_000, 32_000];

/// What the header of a frame says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FrameHeader {
    /// Whether this is MPEG-1, with its higher rates, rather than MPEG-2 or MPEG-2.5.
    pub(crate) is_mpeg_1: bool,
    /// 1 to 3.
    pub(crate) layer: u8,
    /// Bits per second; `None` in free format, where only the distance of two headers tells.
    pub(crate) bit_rate: Option<u32>,
    pub(crate) sample_rate: u32,
    pub(crate) channels: u32,
    /// One slot more than the bit rate asks for.
    is_padded: bool,
}

impl FrameHeader {
    fn bytes_at(&self, bit_rate: u32) -> usize {
        let padding = u32::from(self.is_padded);
        // A slot is four bytes in layer I, else one.
        let bytes = if self.layer == 1 {
            (12 * bit_rate / self.sample_rate + padding) * 4
        } else {
            self.samples() / 8 * bit_rate / self.sample_rate + padding
        };
        bytes as usize
    }

    /// `ffprobe`'s name of the codec, which is also what browsers call it.
    pub(crate) fn codec(&self) -> &'static str {
        match self.layer {
            1 => "mp1",
            2 => "mp2",
            _ => "mp3",
        }
    }

    /// Bytes of the side information that follows the header in layer III.
    pub(crate) fn side_info_bytes(&self) -> usize {
        match (self.is_mpeg_1, self.channels) {
            (true, 1) | (false, 2) => 17,
            (true, _) => 32,
            (false, _) => 9,
        }
    }
}

impl Frame for FrameHeader {
    fn parse(bytes: &[u8]) -> Option<Self> {
        let [0xff, kind, rates, mode, ..] = *bytes else { return None };
        if kind & 0xe0 != 0xe0 {
            return None;
        }
        // MPEG-1, MPEG-2 and MPEG-2.5, which halve the sample rate once each; 1 is reserved.
        let halvings = match kind >> 3 & 3 {
            3 => 0,
            2 => 1,
            0 => 2,
            _ => return None,
        };
        let layer = 4 - (kind >> 1 & 3);
        let is_mpeg_1 = halvings == 0;
        let row = match (is_mpeg_1, layer) {
            (true, 1..=3) => usize::from(layer) - 1,
            (false, 1) => 3,
            (false, 2 | 3) => 4,
            _ => return None,
        };
        let bit_rate = *BIT_RATES.get(row)?.get(usize::from(rates >> 4))?;
        Some(Self {
            is_mpeg_1,
            layer,
            bit_rate: (bit_rate > 0).then_some(bit_rate * 1000),
            sample_rate: *SAMPLE_RATES.get(usize::from(rates >> 2 & 3))? >> halvings,
            channels: if mode >> 6 == 3 { 1 } else { 2 },
            is_padded: rates & 2 != 0,
        })
    }

    fn size_bytes(&self) -> Option<usize> {
        self.bit_rate.map(|bit_rate| self.bytes_at(bit_rate))
    }

    fn samples(&self) -> u32 {
        match (self.layer, self.is_mpeg_1) {
            (1, _) => 384,
            (3, false) => 576,
            _ => 1152,
        }
    }

    fn sample_rate(&self) -> u32 {
        self.sample_rate
    }

    /// All but bit rate, padding and stereo mode stays.
    fn continues(&self, next: &Self) -> bool {
        (self.is_mpeg_1, self.layer, self.sample_rate, self.channels)
            == (next.is_mpeg_1, next.layer, next.sample_rate, next.channels)
    }

    fn bit_rate(&self) -> Option<u32> {
        self.bit_rate
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[track_caller]
    fn check(bytes: [u8; 4], codec: &str, rates: (u32, u32), channels: u32, frame: (usize, u32)) {
        let header = FrameHeader::parse(&bytes).unwrap();
        assert_eq!(header.codec(), codec);
        assert_eq!((header.bit_rate.unwrap(), header.sample_rate), rates);
        assert_eq!(header.channels, channels);
        assert_eq!((header.size_bytes().unwrap(), header.samples()), frame);
    }

    #[test]
    fn every_layer_and_version_has_its_tables() {
        check([0xff, 0xfb, 0x90, 0x64], "mp3", (128_000, 44_100), 2, (417, 1152));
        check([0xff, 0xfb, 0x92, 0xc4], "mp3", (128_000, 44_100), 1, (418, 1152));
        check([0xff, 0xf3, 0x88, 0xc4], "mp3", (64_000, 16_000), 1, (288, 576));
        check([0xff, 0xe3, 0x18, 0xc4], "mp3", (8000, 8000), 1, (72, 576));
        check([0xff, 0xfd, 0xa4, 0x04], "mp2", (192_000, 48_000), 2, (576, 1152));
        check([0xff, 0xf5, 0xa4, 0x04], "mp2", (96_000, 24_000), 2, (576, 1152));
        check([0xff, 0xff, 0xc4, 0x04], "mp1", (384_000, 48_000), 2, (384, 384));
        check([0xff, 0xf7, 0xc6, 0x04], "mp1", (192_000, 24_000), 2, (388, 384));
    }

    #[test]
    fn reserved_values_are_no_header() {
        for bytes in [
            [0xfe, 0xfb, 0x90, 0x64],
            [0xff, 0x7b, 0x90, 0x64],
            [0xff, 0xeb, 0x90, 0x64],
            [0xff, 0xf9, 0x90, 0x64],
            [0xff, 0xfb, 0xf0, 0x64],
            [0xff, 0xfb, 0x9c, 0x64],
        ] {
            assert_eq!(FrameHeader::parse(&bytes), None, "{bytes:x?}");
        }
        assert_eq!(FrameHeader::parse(&[0xff, 0xfb, 0x90]), None);
    }

    #[test]
    fn free_format_has_no_rate_and_no_size() {
        let header = FrameHeader::parse(&[0xff, 0xfb, 0x00, 0x64]).unwrap();
        assert_eq!((header.bit_rate, header.size_bytes()), (None, None));
    }
}
