//! Which DTS it is: the extensions of a frame, ETSI TS 102 114 clauses 5.3.1 and 7.

use super::dts;
use crate::bits::Bits;

const SUBSTREAM_SYNC: [u8; 4] = [0x64, 0x58, 0x20, 0x25];
const LOSSLESS_SYNC: [u8; 4] = [0x41, 0xa2, 0x95, 0x47];
/// As much of a substream as its header and the start of its first asset take.
const SUBSTREAM_HEAD_BYTES: usize = 1024;

/// `ffprobe`'s name of the profile, by a frame with what belongs to it; `None` when it is no frame.
pub(crate) fn profile(frame: &[u8]) -> Option<&'static str> {
    if frame.starts_with(&SUBSTREAM_SYNC) {
        return Some(substream_profile(frame));
    }
    let mut bits = Bits::new(frame.strip_prefix(&dts::SYNC)?);
    bits.skip(1 + 5 + 1 + 7)?;
    let core_bytes = bits.bits(14)? as usize + 1;
    // Arrangement, rates, and what mixes and describes.
    bits.skip(6 + 4 + 5 + 1 + 1 + 1 + 1 + 1)?;
    let extension = bits.bits(3)?;
    let has_extension = bits.bit()?;
    if let Some(substream) = frame.get(core_bytes..)
        && substream.starts_with(&SUBSTREAM_SYNC)
    {
        return Some(substream_profile(substream));
    }
    Some(match (has_extension, extension) {
        (true, 0 | 6) => "DTS-ES",
        (true, 2) => "DTS 96/24",
        _ => "DTS",
    })
}

fn substream_profile(substream: &[u8]) -> &'static str {
    let head = substream.get(..SUBSTREAM_HEAD_BYTES).unwrap_or(substream);
    let is_lossless = head.windows(LOSSLESS_SYNC.len()).any(|window| window == LOSSLESS_SYNC);
    if is_lossless { "DTS-HD MA" } else { "DTS-HD HRA" }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A core frame of 100 bytes with this extension.
    fn core(extension: u32, has_extension: bool) -> Vec<u8> {
        // Normal frame, 32 samples of deficit, no CRC, 16 blocks; 100 bytes; the rest up to the extension is 0.
        let fields =
            [(1, 1), (31, 5), (0, 1), (15, 7), (99, 14), (0, 20), (extension, 3), (has_extension.into(), 1)];
        let mut bits = Vec::new();
        for (value, count) in fields {
            bits.extend((0..count).rev().map(|bit| value >> bit & 1 == 1));
        }
        let packed = bits.chunks(8).map(|byte| {
            byte.iter().enumerate().fold(0, |sum, (index, bit)| sum | u8::from(*bit) << (7 - index))
        });
        let mut frame: Vec<u8> = dts::SYNC.into_iter().chain(packed).collect();
        frame.resize(100, 0);
        frame
    }

    #[test]
    fn extensions_make_the_profile() {
        assert_eq!(profile(&core(0, false)), Some("DTS"));
        assert_eq!(profile(&core(0, true)), Some("DTS-ES"));
        assert_eq!(profile(&core(2, true)), Some("DTS 96/24"));
        let substream = [&SUBSTREAM_SYNC[..], &[0; 60]].concat();
        assert_eq!(profile(&[core(0, false), substream.clone()].concat()), Some("DTS-HD HRA"));
        let lossless = [&substream[..], &LOSSLESS_SYNC].concat();
        assert_eq!(profile(&[core(0, false), lossless.clone()].concat()), Some("DTS-HD MA"));
        assert_eq!(profile(&lossless), Some("DTS-HD MA"));
        assert_eq!(profile(b"\x7f\xfe\x80\x01"), None);
        assert_eq!(profile(b"noise"), None);
    }
}
