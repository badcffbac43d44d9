//! Languages of tracks: the packed code of `mdhd` (ISO/IEC 14496-12 clause 8.4.2) or a Macintosh language code
//! ("QuickTime File Format", Language Code Values), and the extended tag of `elng`.

const UNDETERMINED: &str = "und";
/// Smaller codes are Macintosh ones.
const FIRST_PACKED: u16 = 0x400;
/// The code of a track that has none.
pub(super) const UNSPECIFIED: u16 = 0x7fff;
const MAX_TAG_BYTES: usize = 35;

const MACINTOSH: [&str; 24] = [
    "eng", "fra", "ger", "ita", "dut", "sve", "spa", "dan", "por", "nor", "heb", "jpn", "ara", "fin", "gre",
    "ice", "mlt", "tur", "hrv", "chi", "urd", "hin", "tha", "kor",
];

/// The language by `code`, or by the body of an `elng` box where the code tells none.
pub(super) fn name(code: u16, extended: Option<&[u8]>) -> Option<String> {
    let coded = if code >= FIRST_PACKED { unpack(code) } else { macintosh(code) };
    match coded {
        Some(language) if language != UNDETERMINED => Some(language),
        undetermined => extended.and_then(extended_tag).or(undetermined),
    }
}

/// Three letters of five bits each, counted from 0x60.
fn unpack(code: u16) -> Option<String> {
    if code == UNSPECIFIED {
        return None;
    }
    let letters = [code >> 10, code >> 5, code].map(|bits| 0x60 + (bits & 0x1f).to_be_bytes()[1]);
    letters.iter().all(u8::is_ascii_lowercase).then(|| letters.map(char::from).iter().collect())
}

fn macintosh(code: u16) -> Option<String> {
    MACINTOSH.get(usize::from(code)).map(|language| (*language).to_owned())
}

fn extended_tag(data: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(data.get(4..)?).ok()?.trim_end_matches('\0');
    let is_tag = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    (is_tag && (2..=MAX_TAG_BYTES).contains(&text.len())).then(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_packed_macintosh_or_extended() {
        assert_eq!(name(0x15c7, None).as_deref(), Some("eng"));
        assert_eq!(name(0x55c4, None).as_deref(), Some("und"));
        assert_eq!(name(0x55c4, Some(b"\0\0\0\0pt-BR\0")).as_deref(), Some("pt-BR"));
        assert_eq!(name(0x15c7, Some(b"\0\0\0\0en-GB\0")).as_deref(), Some("eng"));
        assert_eq!(name(11, None).as_deref(), Some("jpn"));
        assert_eq!(name(0x7fff, None), None);
        assert_eq!(name(0x400, None), None);
        assert_eq!(name(999, Some(b"\0\0\0\0<b>")), None);
    }
}
