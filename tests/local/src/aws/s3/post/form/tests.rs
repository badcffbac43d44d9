#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::convert::Infallible;

use bytes::Bytes;
use futures::stream;
use http_body_util::StreamBody;
use hyper::body::{Body, Frame};

use super::{Field, File, Form, FormError, MAXIMUM_FIELDS_BYTES, parameter};

/// What a form holds: fields, file name, file, and how many more files.
type Read = (Vec<Field>, Option<String>, Vec<u8>, usize);

fn in_frames(bytes: &[u8], frame_bytes: usize) -> impl Body<Data = Bytes, Error = Infallible> + Unpin {
    let frames: Vec<_> =
        bytes.chunks(frame_bytes).map(|chunk| Ok(Frame::data(Bytes::copy_from_slice(chunk)))).collect();
    StreamBody::new(stream::iter(frames))
}

async fn read(body: &[u8], frame_bytes: usize) -> Result<Read, FormError> {
    let mut form = Form::new("multipart/form-data; boundary=\"a b\"", in_frames(body, frame_bytes))?;
    let (fields, file) = form.read_fields().await?;
    let Some(File { filename }) = file else { return Ok((fields, None, Vec::new(), 0)) };
    let mut bytes = Vec::new();
    while let Some(chunk) = form.next_chunk().await? {
        bytes.extend(chunk);
    }
    Ok((fields, filename, bytes, form.finish().await?))
}

const FORM: &str = "a preamble\r\n--a b\r\nContent-Disposition: form-data; name=\"key\"\r\n\r\na\r\nb\r\n--a b \t\r\n\
    content-disposition:form-data; name=empty\r\nX-Other: 1\r\n\r\n\r\n--a b\r\n\
    Content-Disposition: form-data; name=\"file\"; filename=\"C:\\a;\\\"b.mp4\"\r\nContent-Type: video/mp4\r\n\r\n\
    12\r\n--a\r\n--a \r\n\r\n--a b\r\nContent-Disposition: form-data; name=\"submit\"\r\n\r\nSend\r\n--a b--\r\nepilogue";

#[tokio::test]
async fn a_form_reads_the_same_however_it_arrives() {
    for frame_bytes in [1, 2, 3, 7, 64, FORM.len()] {
        let (fields, filename, bytes, more_files) = read(FORM.as_bytes(), frame_bytes).await.unwrap();
        let field = |name: &str, value: &str| Field { name: name.to_owned(), value: value.to_owned() };
        assert_eq!(fields, [field("key", "a\r\nb"), field("empty", "")]);
        assert_eq!(filename.as_deref(), Some("C:\\a;\"b.mp4"));
        assert_eq!(bytes, b"12\r\n--a\r\n--a \r\n");
        assert_eq!(more_files, 0);
    }
}

#[tokio::test]
async fn a_form_that_is_cut_off_anywhere_is_never_complete() {
    let end = FORM.find("--\r\nepilogue").unwrap() + 2;
    for length in 0..end {
        assert_eq!(read(&FORM.as_bytes()[..length], 50).await, Err(FormError::Malformed), "{length} bytes");
    }
    read(&FORM.as_bytes()[..end], 50).await.unwrap();
}

#[tokio::test]
async fn only_so_much_may_come_before_the_file_and_anything_be_the_file() {
    let head = "--a b\r\nContent-Disposition: form-data; name=\"x\"\r\n\r\n";
    let file = "\r\n--a b\r\nContent-Disposition: form-data; name=\"file\"\r\n\r\n";
    let room = MAXIMUM_FIELDS_BYTES - head.len() - file.len();
    for (value_bytes, fits) in [(room, true), (room + 1, false), (10 * room, false)] {
        let form = format!("{head}{}{file}{}\r\n--a b--", "v".repeat(value_bytes), "f".repeat(100_000));
        let result = read(form.as_bytes(), 16_384).await;
        assert_eq!(result.as_ref().map(|(_, _, bytes, _)| bytes.len()).ok(), fits.then_some(100_000));
        if !fits {
            assert_eq!(result, Err(FormError::FieldsTooLarge));
        }
    }
}

#[tokio::test]
async fn further_files_are_counted() {
    let part = "Content-Disposition: form-data; name=\"file\"\r\n\r\nx\r\n";
    let form = format!("--a b\r\n{part}--a b\r\n{part}--a b\r\n{part}--a b--");
    assert_eq!(read(form.as_bytes(), 9).await.unwrap(), (Vec::new(), None, b"x".to_vec(), 2));
    assert_eq!(read(b"--a b--", 3).await.unwrap(), (Vec::new(), None, Vec::new(), 0));
}

#[tokio::test]
async fn what_is_not_a_form_is_refused() {
    for body in [
        "--a b\r\n\r\nx\r\n--a b--",
        "--a b\r\nContent-Disposition: form-data\r\n\r\nx\r\n--a b--",
        "--a b\r\nContent-Disposition: attachment; name=\"file\"\r\n\r\nx\r\n--a b--",
        "--a b\r\nno colon\r\n\r\nx\r\n--a b--",
        "--a bc\r\nContent-Disposition: form-data; name=\"x\"\r\n\r\nx\r\n--a b--",
    ] {
        assert_eq!(read(body.as_bytes(), 20).await, Err(FormError::Malformed), "{body}");
    }
    let invalid_utf_8 = b"--a b\r\nContent-Disposition: form-data; name=\"x\"\r\n\r\n\xff\r\n--a b--";
    assert_eq!(read(invalid_utf_8, 20).await, Err(FormError::Malformed));
    let long = format!("multipart/form-data; boundary={}", "b".repeat(71));
    for content_type in ["multipart/form-data", "multipart/form-data; boundary=", "x; boundary", &long] {
        assert!(Form::new(content_type, in_frames(b"", 1)).is_err(), "{content_type}");
    }
}

#[test]
fn parameters_are_tokens_or_quoted() {
    let header = "form-data; name=a ; Filename=\"b; c=\\\"d\\\"\"; last = \"é\"";
    assert_eq!(parameter(header, "name").as_deref(), Some("a"));
    assert_eq!(parameter(header, "filename").as_deref(), Some("b; c=\"d\""));
    assert_eq!(parameter(header, "last").as_deref(), Some("é"));
    assert_eq!(parameter(header, "c"), None);
    assert_eq!(parameter("form-data; name=\"open", "name"), None);
}
