//! Text as tags have it. What is no character becomes a replacement character.

/// ISO 8859-1, in which every byte is the code point of its number.
pub(crate) fn latin_1(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| char::from(*byte)).collect()
}

/// UTF-8 up to its first zero byte.
pub(crate) fn until_nul(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes.split(|byte| *byte == 0).next().unwrap_or_default()).into_owned()
}

pub(crate) fn utf_16_be(bytes: &[u8]) -> String {
    utf_16(bytes.chunks_exact(2).map(|pair| u16::from_be_bytes([pair[0], pair[1]])))
}

pub(crate) fn utf_16_le(bytes: &[u8]) -> String {
    utf_16(bytes.chunks_exact(2).map(|pair| u16::from_le_bytes([pair[0], pair[1]])))
}

fn utf_16(units: impl Iterator<Item = u16>) -> String {
    char::decode_utf16(units).map(|unit| unit.unwrap_or(char::REPLACEMENT_CHARACTER)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_encoding_is_read_as_itself() {
        assert_eq!(latin_1(b"Gr\xfc\xdfe"), "Grüße");
        assert_eq!(utf_16_be(b"\0A\xd8\x3d\xde\x00\0"), "A\u{1f600}");
        assert_eq!(utf_16_le(b"A\0\x3d\xd8"), "A\u{fffd}");
    }
}
