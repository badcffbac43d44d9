//! The `Content-Disposition` of a form's part: the field's name, and the file's if it is one.
//!
//! Clients disagree on how to write a quotation mark inside quotes, so both ways are read: `%22` as browsers do (HTML
//! standard, "multipart/form-data encoding algorithm", with `%0D` and `%0A`), and `\"` as older ones do. Any other
//! backslash is itself: it separates folders on Windows. `filename*` (RFC 5987) is not for forms by RFC 7578, section 4.2,
//! but .NET sends it next to a `filename` that it has made unreadable, so it comes first.

use percent_encoding::percent_decode_str;

/// Which field a part is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Disposition {
    /// The field's name; not empty.
    pub(super) name: String,
    /// What the client calls the file; a part without it is a text.
    pub(super) filename: Option<String>,
}

impl Disposition {
    /// Reads the header's value. `None` if it is not `form-data` with a name.
    pub(super) fn parse(header: &str) -> Option<Self> {
        let (kind, mut rest) = header.split_once(';')?;
        if !kind.trim().eq_ignore_ascii_case("form-data") {
            return None;
        }
        let (mut name, mut filename, mut extended_filename) = (None, None, None);
        while !rest.trim().is_empty() {
            let (attribute, after) = rest.split_once('=')?;
            let (value, after) = parameter_value(after.trim_start())?;
            match attribute.trim().to_ascii_lowercase().as_str() {
                "name" => name = Some(unescape(&value)),
                "filename" => filename = Some(unescape(&value)),
                "filename*" => extended_filename = extended_value(&value),
                _ => {}
            }
            rest = after;
        }
        let name = name.filter(|name| !name.is_empty())?;
        Some(Self { name, filename: extended_filename.or(filename) })
    }
}

/// A parameter's value, in quotes or not, and what comes behind its semicolon.
fn parameter_value(text: &str) -> Option<(String, &str)> {
    let Some(quoted) = text.strip_prefix('"') else {
        let (value, rest) = text.split_once(';').unwrap_or((text, ""));
        return Some((value.trim().to_owned(), rest));
    };
    let mut value = String::new();
    let mut characters = quoted.chars();
    loop {
        match characters.next()? {
            '"' => break,
            '\\' if characters.as_str().starts_with(['"', '\\']) => value.extend(characters.next()),
            character => value.push(character),
        }
    }
    let rest = characters.as_str().trim_start();
    if rest.is_empty() { Some((value, rest)) } else { Some((value, rest.strip_prefix(';')?)) }
}

/// The three characters that browsers escape; a percent sign they do not, so no other is taken for an escape.
fn unescape(value: &str) -> String {
    value.replace("%22", "\"").replace("%0D", "\r").replace("%0A", "\n")
}

/// `UTF-8''` and percent-encoded bytes; any other character set is passed over.
fn extended_value(value: &str) -> Option<String> {
    let (character_set, rest) = value.split_once('\'')?;
    let (_language, encoded) = rest.split_once('\'')?;
    if !character_set.eq_ignore_ascii_case("utf-8") {
        return None;
    }
    percent_decode_str(encoded).decode_utf8().ok().map(std::borrow::Cow::into_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(header: &str) -> Option<(String, Option<String>)> {
        Disposition::parse(header).map(|disposition| (disposition.name, disposition.filename))
    }

    #[test]
    fn names_are_read_as_clients_write_them() {
        for (header, filename) in [
            (r#"form-data; name="file"; filename="a b.mp4""#, "a b.mp4"),
            (r#"Form-Data; Name="file"; FileName="a.mp4""#, "a.mp4"),
            (r#"form-data; filename="a.mp4"; name="file""#, "a.mp4"),
            ("form-data;name=file;filename=a.mp4", "a.mp4"),
            (r#"form-data; name = "file" ; filename = "a.mp4" ; size=3; "#, "a.mp4"),
            // As browsers, and curl by default, write quotation marks; a percent sign is itself.
            (r#"form-data; name="file"; filename="%22a%22 100%.mp4""#, r#""a" 100%.mp4"#),
            (r#"form-data; name="file"; filename="a%0D%0Ab%41.mp4""#, "a\r\nb%41.mp4"),
            // As reqwest, and curl if told to, write them.
            (r#"form-data; name="file"; filename="\"a\"\\.mp4""#, r#""a"\.mp4"#),
            (r#"form-data; name="file"; filename="C:\x\y.mp4""#, r"C:\x\y.mp4"),
            // What is in quotes is no parameter.
            (r#"form-data; filename="; name=no; filename=no"; name="file""#, "; name=no; filename=no"),
            (
                r#"form-data; name=file; filename="=?utf-8?B?w6QubXA0?="; filename*=utf-8''%C3%A4.mp4"#,
                "ä.mp4",
            ),
            (r#"form-data; name="file"; filename*=iso-8859-1'de'%E4.mp4; filename="a.mp4""#, "a.mp4"),
            (r#"form-data; name="file"; filename="""#, ""),
        ] {
            assert_eq!(read(header), Some(("file".to_owned(), Some(filename.to_owned()))), "{header}");
        }
        assert_eq!(read(r#"form-data; name="a%22b""#), Some(("a\"b".to_owned(), None)));
    }

    #[test]
    fn a_part_needs_a_name() {
        for header in [
            "",
            "form-data",
            "form-data;",
            r#"form-data; name="""#,
            "form-data; name=",
            r#"form-data; filename="a.mp4""#,
            r#"attachment; name="file""#,
            r#"form-data; name="file"#,
            r#"form-data; name="file\""#,
            r#"form-data; name="file"x"#,
            "form-data; name",
        ] {
            assert_eq!(read(header), None, "{header}");
        }
    }
}
