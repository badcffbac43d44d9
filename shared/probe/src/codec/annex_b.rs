//! Start codes: how H.264, HEVC and the MPEG video formats mark their units in a byte stream (ITU-T H.264 annex B).

/// The units of `stream` from the first start code on, without their start codes.
pub(crate) fn units(stream: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = after_start_code(stream);
    std::iter::from_fn(move || {
        let unit = rest?;
        let end = start_code(unit);
        rest = end.and_then(|end| unit.get(end + 3..));
        Some(&unit[..end.unwrap_or(unit.len())])
    })
}

fn after_start_code(stream: &[u8]) -> Option<&[u8]> {
    start_code(stream).and_then(|position| stream.get(position + 3..))
}

fn start_code(stream: &[u8]) -> Option<usize> {
    stream.windows(3).position(|window| window == [0, 0, 1])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_lie_between_start_codes() {
        let stream = b"junk\0\0\x01ab\0\0\0\x01\0\0\x01c\0\0";
        assert_eq!(units(stream).collect::<Vec<_>>(), [&b"ab\0"[..], b"", b"c\0\0"]);
        assert_eq!(units(b"\0\0").count(), 0);
        assert_eq!(units(b"\0\0\x01").collect::<Vec<_>>(), [&b""[..]]);
    }
}
