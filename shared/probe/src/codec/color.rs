//! Colour description: the code points of ITU-T H.273 (ISO/IEC 23091-2) by `ffprobe`'s names.

use crate::bits::Bits;
use crate::metadata::{Color, Hdr};

const TRANSFER_PQ: u16 = 16;
const TRANSFER_HLG: u16 = 18;
pub(crate) const UNSPECIFIED: u16 = 2;

/// Code points as a container or a codec carries them; absent and 2 both mean "unspecified".
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct ColorCodes {
    pub(crate) primaries: Option<u16>,
    pub(crate) transfer: Option<u16>,
    pub(crate) matrix: Option<u16>,
    pub(crate) full_range: Option<bool>,
}

impl ColorCodes {
    pub(crate) fn new(primaries: u16, transfer: u16, matrix: u16) -> Self {
        let specified = |code| (code != UNSPECIFIED).then_some(code);
        Self {
            primaries: specified(primaries),
            transfer: specified(transfer),
            matrix: specified(matrix),
            full_range: None,
        }
    }

    /// Reads primaries, transfer function and matrix of eight bits each, as bitstreams have them.
    pub(crate) fn read(bits: &mut Bits<'_>) -> Option<Self> {
        let mut code = || bits.bits(8).and_then(|code| u16::try_from(code).ok());
        Some(Self::new(code()?, code()?, code()?))
    }

    /// These codes, and where they are silent the `other` ones.
    pub(crate) fn or(self, other: Self) -> Self {
        Self {
            primaries: self.primaries.or(other.primaries),
            transfer: self.transfer.or(other.transfer),
            matrix: self.matrix.or(other.matrix),
            full_range: self.full_range.or(other.full_range),
        }
    }

    pub(crate) fn names(self) -> Option<Color> {
        let color = Color {
            primaries: self.primaries.and_then(primaries_name).map(str::to_owned),
            transfer: self.transfer.and_then(transfer_name).map(str::to_owned),
            matrix: self.matrix.and_then(matrix_name).map(str::to_owned),
            range: self.full_range.map(|full| if full { "pc" } else { "tv" }.to_owned()),
        };
        (color != Color::default()).then_some(color)
    }

    /// The kind of high dynamic range by the transfer function. Static metadata, which belongs to PQ, says it only
    /// where that is not given.
    pub(crate) fn hdr(self, has_static_metadata: bool) -> Option<Hdr> {
        match self.transfer {
            Some(TRANSFER_PQ) => Some(Hdr::Hdr10),
            Some(TRANSFER_HLG) => Some(Hdr::Hlg),
            None if has_static_metadata => Some(Hdr::Hdr10),
            _ => None,
        }
    }

    /// Primaries, transfer function and matrix as a codec string has them.
    pub(crate) fn codes(self) -> (u16, u16, u16) {
        let code = |code: Option<u16>| code.unwrap_or(UNSPECIFIED);
        (code(self.primaries), code(self.transfer), code(self.matrix))
    }
}

fn primaries_name(code: u16) -> Option<&'static str> {
    Some(match code {
        1 => "bt709",
        4 => "bt470m",
        5 => "bt470bg",
        6 => "smpte170m",
        7 => "smpte240m",
        8 => "film",
        9 => "bt2020",
        10 => "smpte428",
        11 => "smpte431",
        12 => "smpte432",
        22 => "ebu3213",
        _ => return None,
    })
}

fn transfer_name(code: u16) -> Option<&'static str> {
    Some(match code {
        1 => "bt709",
        4 => "bt470m",
        5 => "bt470bg",
        6 => "smpte170m",
        7 => "smpte240m",
        8 => "linear",
        9 => "log100",
        10 => "log316",
        11 => "iec61966-2-4",
        12 => "bt1361e",
        13 => "iec61966-2-1",
        14 => "bt2020-10",
        15 => "bt2020-12",
        TRANSFER_PQ => "smpte2084",
        17 => "smpte428",
        TRANSFER_HLG => "arib-std-b67",
        _ => return None,
    })
}

fn matrix_name(code: u16) -> Option<&'static str> {
    Some(match code {
        0 => "gbr",
        1 => "bt709",
        4 => "fcc",
        5 => "bt470bg",
        6 => "smpte170m",
        7 => "smpte240m",
        8 => "ycgco",
        9 => "bt2020nc",
        10 => "bt2020c",
        11 => "smpte2085",
        12 => "chroma-derived-nc",
        13 => "chroma-derived-c",
        14 => "ictcp",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unspecified_codes_leave_room_for_another_source() {
        let container = ColorCodes::new(9, 2, 9);
        let codec = ColorCodes { full_range: Some(false), ..ColorCodes::new(1, 16, 1) };
        let color = container.or(codec);
        assert_eq!(
            color.names(),
            Some(Color {
                primaries: Some("bt2020".to_owned()),
                transfer: Some("smpte2084".to_owned()),
                matrix: Some("bt2020nc".to_owned()),
                range: Some("tv".to_owned()),
            })
        );
        assert_eq!(color.hdr(false), Some(Hdr::Hdr10));
        assert_eq!(ColorCodes::new(2, 2, 2).names(), None);
    }

    #[test]
    fn static_metadata_speaks_where_the_transfer_function_does_not() {
        let by_transfer =
            |code| [false, true].map(|has_metadata| ColorCodes::new(9, code, 9).hdr(has_metadata));
        assert_eq!(by_transfer(2), [None, Some(Hdr::Hdr10)]);
        assert_eq!(by_transfer(16), [Some(Hdr::Hdr10); 2]);
        assert_eq!(by_transfer(18), [Some(Hdr::Hlg); 2]);
        assert_eq!(by_transfer(14), [None; 2]);
    }
}
