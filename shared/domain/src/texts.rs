//! Texts that people write: titles, descriptions, tags, names. Each type holds the bounds of the HTTP contract.

use crate::{Invalid, text};

text! {
    /// A media's title: 1–200 characters, on one line.
    Title = |text| one_line(text, MAX_TITLE_CHARACTERS),
    /// A media's description: at most 5 000 characters, on as many lines as it likes.
    Description = |text| lines(text, MAX_DESCRIPTION_CHARACTERS),
    /// A tag: 1–50 characters, on one line.
    Tag = |text| one_line(text, MAX_TAG_CHARACTERS),
    /// A user's name as shown to others: 1–100 characters, on one line.
    DisplayName = |text| one_line(text, MAX_DISPLAY_NAME_CHARACTERS),
    /// The name of the file on the client's side: 1–255 bytes, no path separators, no control characters. It is
    /// shown and offered for downloads; nothing on the server is named after it.
    Filename = filename,
    /// Where a client's own thumbnail is: an absolute `https` URL of at most 2 048 bytes.
    ThumbnailUrl = thumbnail_url,
}

/// The longest title.
pub(crate) const MAX_TITLE_CHARACTERS: usize = 200;
/// The longest description.
pub(crate) const MAX_DESCRIPTION_CHARACTERS: usize = 5_000;
/// The longest tag.
pub(crate) const MAX_TAG_CHARACTERS: usize = 50;
/// The longest name of a user.
pub(crate) const MAX_DISPLAY_NAME_CHARACTERS: usize = 100;
/// The longest name of a file, in UTF-8.
pub(crate) const MAX_FILENAME_BYTES: usize = 255;
/// The longest URL of a thumbnail.
pub(crate) const MAX_THUMBNAIL_URL_BYTES: usize = 2_048;

impl Title {
    /// The title of a file that was given none: its name, as far as it fits.
    pub fn of_file(filename: &Filename) -> Result<Self, Invalid> {
        filename.as_str().chars().take(MAX_TITLE_CHARACTERS).collect::<String>().parse()
    }
}

impl Description {
    /// No description.
    pub fn empty() -> Self {
        Self(String::new())
    }
}

fn one_line(text: &str, max_characters: usize) -> Result<String, Invalid> {
    let text = text.trim();
    if text.is_empty() || text.chars().count() > max_characters {
        return Err(Invalid::new(format!("must be 1 to {max_characters} characters long")));
    }
    if text.chars().any(char::is_control) {
        return Err(Invalid::new("must be on one line, without control characters"));
    }
    Ok(text.to_owned())
}

fn lines(text: &str, max_characters: usize) -> Result<String, Invalid> {
    if text.chars().count() > max_characters {
        return Err(Invalid::new(format!("must be at most {max_characters} characters long")));
    }
    if text.chars().any(|character| character.is_control() && !matches!(character, '\n' | '\r' | '\t')) {
        return Err(Invalid::new("must not contain control characters other than line breaks and tabs"));
    }
    Ok(text.to_owned())
}

fn filename(text: &str) -> Result<String, Invalid> {
    if text.is_empty() || text.len() > MAX_FILENAME_BYTES {
        return Err(Invalid::new(format!("must be 1 to {MAX_FILENAME_BYTES} bytes long")));
    }
    if text.chars().any(|character| character.is_control() || matches!(character, '/' | '\\')) {
        return Err(Invalid::new("must be a file's name without folders or control characters"));
    }
    Ok(text.to_owned())
}

fn thumbnail_url(text: &str) -> Result<String, Invalid> {
    let is_url = text.strip_prefix("https://").is_some_and(|rest| {
        let (authority, path) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
        is_host_and_port(authority) && is_path_and_query(path)
    });
    if is_url && text.len() <= MAX_THUMBNAIL_URL_BYTES {
        Ok(text.to_owned())
    } else {
        Err(Invalid::new(format!("must be an absolute https URL of at most {MAX_THUMBNAIL_URL_BYTES} bytes")))
    }
}

/// A name or an IPv4 address, and maybe a port (RFC 3986, section 3.2): no user, and nothing in brackets.
fn is_host_and_port(authority: &str) -> bool {
    let (host, port) = authority.split_once(':').unwrap_or((authority, ""));
    !host.is_empty()
        && host.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_'))
        && port.len() <= 5
        && port.bytes().all(|byte| byte.is_ascii_digit())
}

/// What RFC 3986 lets a path, a query and a fragment have (sections 3.3 to 3.5).
fn is_path_and_query(text: &str) -> bool {
    let mut fragments = text.split('#');
    let is_written_out = |part: &str| {
        let mut escapes = part.split('%');
        escapes.next().is_some_and(|plain| plain.bytes().all(is_uri_byte))
            && escapes.all(|escaped| {
                let (digits, plain) = escaped.split_at_checked(2).unwrap_or_default();
                !digits.is_empty()
                    && digits.bytes().all(|byte| byte.is_ascii_hexdigit())
                    && plain.bytes().all(is_uri_byte)
            })
    };
    fragments.by_ref().take(2).all(is_written_out) && fragments.next().is_none()
}

fn is_uri_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:@/?".contains(&byte)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn titles_are_trimmed_and_bounded_in_characters() {
        assert_eq!("  Zürich  ".parse::<Title>().map(|title| title.to_string()), Ok("Zürich".to_owned()));
        assert!("é".repeat(200).parse::<Title>().is_ok());
        for wrong in ["", "   ", &"é".repeat(201), "two\nlines", "nul\0"] {
            assert!(wrong.parse::<Title>().is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn a_file_without_a_title_is_called_by_its_name() {
        let title = |filename: &str| {
            Title::of_file(&filename.parse().unwrap()).map(|title| title.as_str().to_owned())
        };
        assert_eq!(title(" clip.mp4"), Ok("clip.mp4".to_owned()));
        assert_eq!(title(&"a".repeat(255)), Ok("a".repeat(200)));
        assert!(title(" ").is_err());
    }

    #[test]
    fn filenames_name_no_folder() {
        assert!("clip (1).mp4".parse::<Filename>().is_ok());
        assert!("a".repeat(255).parse::<Filename>().is_ok());
        for wrong in ["", "a/b.mp4", "..\\b.mp4", "a\r\n.mp4", &"é".repeat(128)] {
            assert!(wrong.parse::<Filename>().is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn descriptions_keep_their_lines() {
        assert!("one\n\ttwo\r\n".parse::<Description>().is_ok());
        assert!("bell\u{7}".parse::<Description>().is_err());
        assert!("x".repeat(5_001).parse::<Description>().is_err());
    }

    #[test]
    fn thumbnails_are_https() {
        for right in
            ["https://example.com", "https://example.com:8443/a%20b.jpg?x=1&y=@#top", "https://192.0.2.1?a/b"]
        {
            assert!(right.parse::<ThumbnailUrl>().is_ok(), "{right}");
        }
        for wrong in [
            "http://example.com/a.jpg",
            "https://",
            "https:///a.jpg",
            "https://user@example.com/",
            "javascript:alert(1)",
            "https://example.com/a b.jpg",
            "https://example.com/\"onerror=",
            "https://[",
            "https://[::1/a.jpg",
            "https://example.com:port/",
            "https://example.com/{a}",
            "https://example.com/a^b",
            "https://example.com/100%",
            "https://example.com/%zz",
            "https://example.com/a#b#c",
        ] {
            assert!(wrong.parse::<ThumbnailUrl>().is_err(), "{wrong}");
        }
    }
}
