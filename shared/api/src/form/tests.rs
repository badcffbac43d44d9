use futures::FutureExt as _;

use super::*;
use crate::{Fields, UnknownFields, text};

async fn read(content_type: &str, body: impl Into<Bytes>) -> Result<Fields, Problem> {
    let form = Form::read(content_type, body.into()).await?;
    Ok(Fields::of_form(form, UnknownFields::Refused))
}

/// What a client sent, kept as it came: its `Content-Type`, an empty line, the body.
fn sent(request: &'static [u8]) -> (&'static str, &'static [u8]) {
    let end = request.windows(4).position(|window| window == b"\r\n\r\n").unwrap();
    let head = std::str::from_utf8(&request[..end]).unwrap();
    (head.strip_prefix("Content-Type: ").unwrap(), &request[end + 4..])
}

/// Parts between the boundary `b`.
fn body(parts: &[&str]) -> Bytes {
    Bytes::from(format!("--b\r\n{}\r\n--b--\r\n", parts.join("\r\n--b\r\n")))
}

fn field(name: &str, value: &str) -> String {
    format!("Content-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}")
}

async fn detail(content_type: &str, body: impl Into<Bytes>) -> String {
    let problem = Form::read(content_type, body.into()).await.expect_err("it is malformed");
    assert_eq!(problem.code(), Code::MalformedForm, "{problem:?}");
    problem.describe()
}

const B: &str = "multipart/form-data; boundary=b";

/// Looks like a boundary, and is no text.
const FILE_BYTES: &[u8] = b"a\r\n--b\0\xff\r\nz";

#[tokio::test]
async fn what_clients_send_is_read() {
    let clients: [(&[u8], &str, &str); 6] = [
        (include_bytes!("../../tests/forms/chromium.form"), "Ein \"Film\" & mehr: äöü", "Zürich \"1\"%.mp4"),
        (include_bytes!("../../tests/forms/curl.form"), "Ein \"Film\" & mehr: äöü", "Zürich \"1\".mp4"),
        (include_bytes!("../../tests/forms/curl-escape.form"), "T", "Zürich \"1\".mp4"),
        (include_bytes!("../../tests/forms/requests.form"), "Ein \"Film\" & mehr: äöü", "Zürich \"1\".mp4"),
        (include_bytes!("../../tests/forms/reqwest.form"), "Ein \"Film\" & mehr: äöü", "Zürich \"1\".mp4"),
        (include_bytes!("../../tests/forms/undici.form"), "Ein \"Film\"\r\nzwei", "Zürich \"1\"%.mp4"),
    ];
    for (request, title, filename) in clients {
        let (content_type, body) = sent(request);
        let mut fields = read(content_type, body).await.unwrap();
        assert_eq!(fields.required("title", text), Some(title.to_owned()));
        let file = fields.required_file("file").unwrap();
        assert_eq!((file.filename.as_str(), file.content_type.as_deref()), (filename, Some("video/mp4")));
        assert_eq!(file.bytes, FILE_BYTES);
        // An input where no file was chosen.
        assert_eq!(fields.optional_file("miniature"), None);
        fields.optional::<String>("description", text);
        fields.optional::<String>("a\"b", text);
        fields.finish().unwrap();
    }
}

#[tokio::test]
async fn a_form_need_not_look_like_a_browsers() {
    // As .NET and some libraries for mail write it: a boundary in quotes, bare names, a preamble, padding, an epilogue.
    let body = "preamble\r\n--b b \t\r\nContent-Type: text/plain; charset=utf-8\r\n\
                content-disposition: form-data; name=title\r\n\r\nä\r\n--b b\r\n\
                Content-Transfer-Encoding: binary\r\nContent-Type: Video/MP4; codecs=avc1\r\n\
                Content-Disposition: form-data; name=file; filename=a.mp4\r\n\r\n\r\n--b b--\r\nepilogue";
    let mut fields = read("Multipart/Form-Data; charset=utf-8; Boundary=\"b b\"", body).await.unwrap();
    assert_eq!(fields.required("title", text), Some("ä".to_owned()));
    let file = fields.required_file("file").unwrap();
    assert_eq!((file.content_type.as_deref(), file.bytes.len()), (Some("video/mp4"), 0));
    fields.finish().unwrap();

    read(B, "--b--").await.unwrap().finish().unwrap();
}

#[tokio::test]
async fn only_the_last_segment_of_a_path_is_a_files_name() {
    for path in [r"C:\x\y.mp4", "a/b\\y.mp4", "a\\b/y.mp4", "../y.mp4", "y.mp4", r"\\\\server\\share\\y.mp4"]
    {
        let part = format!("Content-Disposition: form-data; name=\"file\"; filename=\"{path}\"\r\n\r\nx");
        let mut fields = read(B, body(&[&part])).await.unwrap();
        assert_eq!(fields.required_file("file").unwrap().filename.as_str(), "y.mp4", "{path}");
    }
}

#[tokio::test]
async fn all_wrong_fields_are_told_at_once() {
    let file = |name: &str, filename: &str| {
        format!("Content-Disposition: form-data; name=\"{name}\"; filename=\"{filename}\"\r\n\r\nx")
    };
    let parts = [
        file("file", "folder/"),
        file("title", "title.txt"),
        field("miniature", "no file"),
        field("thumbnail_url", "http://example.com"),
        field("description", ""),
        field("colour", "red"),
        file("attachment", "a.txt"),
        file("two_lines", "a%0Ab.mp4"),
    ];
    let mut fields = read(B, body(&parts.each_ref().map(String::as_str))).await.unwrap();
    assert_eq!(fields.required_file("file"), None);
    assert_eq!(fields.required::<domain::Title>("title", text), None);
    assert_eq!(fields.optional_file("miniature"), None);
    assert_eq!(fields.optional::<domain::ThumbnailUrl>("thumbnail_url", text), None);
    assert_eq!(fields.required::<domain::Description>("description", text), None);
    assert_eq!(fields.required_file("cover"), None);
    assert_eq!(fields.optional_file("two_lines"), None);
    let problem = fields.finish().unwrap_err();
    let body = serde_json::to_value(problem.body("id")).unwrap();
    let errors: Vec<_> =
        body["errors"].as_array().unwrap().iter().map(|error| error["pointer"].clone()).collect();
    let expected = [
        "/file",
        "/title",
        "/miniature",
        "/thumbnail_url",
        "/description",
        "/cover",
        "/two_lines",
        "/colour",
        "/attachment",
    ];
    assert_eq!(errors, expected, "{body}");
    assert_eq!(body["errors"][0]["detail"], "the file's name must be 1 to 255 bytes long");
    assert_eq!(body["errors"][1]["detail"], "must be a text, not a file");
    assert_eq!(body["errors"][2]["detail"], "must be a file, sent with a filename");
}

#[tokio::test]
async fn unreadable_forms_say_what_to_do() {
    for content_type in [
        "multipart/form-data",
        "multipart/form-data; boundary=",
        "multipart/form-data; boundary=\"\"",
        &format!("multipart/form-data; boundary={}", "b".repeat(71)),
    ] {
        let detail = detail(content_type, body(&[])).await;
        assert!(detail.ends_with("Leave that header to your HTTP client."), "{content_type}: {detail}");
    }
    let nameless = "Content-Type: text/plain\r\n\r\nx";
    let latin_1 =
        b"--b\r\nContent-Disposition: form-data; name=\"f\"; filename=\"\xe4\"\r\n\r\nx\r\n--b--\r\n"
            .as_slice();
    let base64 = format!("Content-Transfer-Encoding: base64\r\n{}", field("file", "eA=="));
    let broken_header = "Content-Disposition form-data\r\n\r\nx";
    let large_header = format!("X-Filler: {}\r\n{}", "x".repeat(MAX_PART_HEADERS_BYTES), field("a", "b"));
    for (body, expected) in [
        (body(&[&field("a", "1"), &field("a", "2")]), "The form has the field a twice."),
        (body(&[&field("a", ""), &field("a", "")]), "The form has the field a twice."),
        (body(&[&field("a", "1"), nameless]), "Part 2 needs the header Content-Disposition"),
        (latin_1.into(), "Part 1 needs the header Content-Disposition"),
        (body(&[&base64]), "Part 1 is encoded."),
        (body(&[broken_header]), "The headers of part 1 cannot be read."),
        (body(&[&large_header]), "Part 1 has more than 8192 bytes of headers."),
    ] {
        let detail = detail(B, body).await;
        assert!(detail.starts_with(expected), "{detail}");
    }
    let no_text = b"--b\r\nContent-Disposition: form-data; name=\"file\"\r\n\r\n\xff\r\n--b--\r\n".as_slice();
    assert_eq!(
        detail(B, no_text).await,
        "The field file is not UTF-8. If it is a file, send it with a filename."
    );
}

#[tokio::test]
async fn a_form_that_breaks_off_anywhere_is_malformed() {
    let whole = body(&[&field("a", "1"), &field("b", "2")]);
    // Without its last line break it is still whole.
    let closed = whole.len() - 2;
    assert!(read(B, whole.slice(..closed)).await.is_ok());
    for length in 0..closed {
        let detail = detail(B, whole.slice(..length)).await;
        assert!(detail.starts_with("The form breaks off"), "{length}: {detail}");
    }
    let other_boundary = detail("multipart/form-data; boundary=c", whole).await;
    assert!(other_boundary.contains("does not have the boundary"), "{other_boundary}");
}

/// Nothing that a client can send is a fault of ours, or waits for more than there is.
#[test]
fn a_byte_that_is_wrong_anywhere_does_no_harm() {
    let (content_type, whole) = sent(include_bytes!("../../tests/forms/chromium.form"));
    for position in 0..whole.len() {
        for byte in *b"\r\n-;=\"\\\xff\0" {
            let mut body = whole.to_vec();
            body[position] = byte;
            let form = Form::read(content_type, Bytes::from(body)).now_or_never().expect("it does not wait");
            if let Err(problem) = form {
                assert_eq!(problem.code(), Code::MalformedForm, "{byte:#x} at {position}: {problem:?}");
            }
        }
    }
}

#[tokio::test]
async fn parts_and_texts_are_limited() {
    let parts: Vec<String> = (0..=MAX_PARTS).map(|number| field(&format!("f{number}"), "")).collect();
    let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
    assert!(read(B, body(&parts[1..])).await.is_ok());
    assert_eq!(detail(B, body(&parts)).await, "The form has more than 32 parts.");

    let longest = "x".repeat(MAX_TEXT_BYTES);
    assert!(read(B, body(&[&field("a", &longest)])).await.is_ok());
    let detail = detail(B, body(&[&field("a", &format!("{longest}x"))])).await;
    assert!(detail.starts_with("The field a has more than 65536 bytes."), "{detail}");
}
