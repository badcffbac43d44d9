//! `Content-Disposition` (RFC 6266): whether a file is shown or saved, and under which name.
//!
//! The client's own name goes into `filename*` (RFC 8187), whatever script it is in, and for those that do not know that
//! into `filename`, with only what no reading of a quoted string can get wrong.

use domain::Filename;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// RFC 8187, `attr-char`: what may stand unescaped in `filename*`.
const NOT_ATTR_CHAR: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'!')
    .remove(b'#')
    .remove(b'$')
    .remove(b'&')
    .remove(b'+')
    .remove(b'-')
    .remove(b'.')
    .remove(b'^')
    .remove(b'_')
    .remove(b'`')
    .remove(b'|')
    .remove(b'~');

/// Shown in the browser, and saved under the client's own name if somebody does so.
pub(crate) fn inline(filename: &Filename) -> String {
    format!("inline; {}", extended(filename))
}

/// Saved, under the client's own name.
pub(crate) fn attachment(filename: &Filename) -> String {
    format!("attachment; filename=\"{}\"; {}", plain(filename), extended(filename))
}

fn extended(filename: &Filename) -> String {
    format!("filename*=UTF-8''{}", utf8_percent_encode(filename.as_str(), NOT_ATTR_CHAR))
}

/// Without what ends or escapes a quoted string, what some take for percent encoding (RFC 6266, appendix D), and what is
/// not ASCII.
fn plain(filename: &Filename) -> String {
    let is_safe = |character: char| {
        (character.is_ascii_graphic() || character == ' ') && !matches!(character, '"' | '\\' | '%' | ';')
    };
    filename.as_str().chars().map(|character| if is_safe(character) { character } else { '_' }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filename_cannot_break_out_of_its_header() {
        for (name, plain, extended) in [
            ("clip.mp4", "clip.mp4", "clip.mp4"),
            ("a b.mp4", "a b.mp4", "a%20b.mp4"),
            ("Zürich \"1\"; x=y.mp4", "Z_rich _1__ x=y.mp4", "Z%C3%BCrich%20%221%22%3B%20x%3Dy.mp4"),
            ("100%25.mp4", "100_25.mp4", "100%2525.mp4"),
            ("映画'*.mp4", "__'*.mp4", "%E6%98%A0%E7%94%BB%27%2A.mp4"),
            ("\u{202e}4pm.exe", "_4pm.exe", "%E2%80%AE4pm.exe"),
        ] {
            let filename: Filename = name.parse().unwrap();
            assert_eq!(inline(&filename), format!("inline; filename*=UTF-8''{extended}"));
            let attachment = attachment(&filename);
            assert_eq!(attachment, format!("attachment; filename=\"{plain}\"; filename*=UTF-8''{extended}"));
            assert!(attachment.bytes().all(|byte| (b' '..=b'~').contains(&byte)), "{attachment}");
        }
    }
}
