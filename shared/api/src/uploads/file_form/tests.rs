use std::time::Duration;

use domain::Visibility;

use super::*;
use crate::fields::UnknownFields;
use crate::form::Form;

/// A part of a form.
#[derive(Clone, Copy)]
enum Part<'a> {
    Text(&'a str, &'a str),
    File(&'a str, &'a str, Option<&'a str>, &'a [u8]),
}
use Part::{File, Text};

async fn fields(parts: &[Part<'_>]) -> Fields {
    let mut body = Vec::new();
    for part in parts {
        let (name, filename, content_type, bytes) = match *part {
            Text(name, text) => (name, String::new(), None, text.as_bytes()),
            File(name, filename, content_type, bytes) => {
                (name, format!("; filename=\"{filename}\""), content_type, bytes)
            }
        };
        body.extend(format!("--b\r\nContent-Disposition: form-data; name=\"{name}\"{filename}\r\n").bytes());
        body.extend(content_type.map(|own| format!("Content-Type: {own}\r\n")).unwrap_or_default().bytes());
        body.extend([b"\r\n", bytes, b"\r\n"].concat());
    }
    body.extend(b"--b--\r\n");
    let form = Form::read("multipart/form-data; boundary=b", body.into()).await.unwrap();
    Fields::of_form(form, UnknownFields::Refused)
}

fn limits() -> UploadLimits {
    UploadLimits {
        content_types: "video/*,audio/flac".parse().unwrap(),
        max_upload_bytes: 1 << 20,
        image_types: "image/png".parse().unwrap(),
        max_miniature_bytes: 1_000,
        user_quota_bytes: 1_000,
        deadline: Duration::from_hours(1),
    }
}

async fn take(parts: &[Part<'_>]) -> Result<FileForm, Problem> {
    FileForm::take(fields(parts).await, &limits()).await
}

fn pointers(taken: Result<FileForm, Problem>) -> Vec<String> {
    let Err(problem) = taken else { return Vec::new() };
    let body = serde_json::to_value(problem.body("id")).unwrap();
    let errors = body["errors"].as_array().unwrap().iter();
    errors.map(|error| error["pointer"].as_str().unwrap().to_owned()).collect()
}

fn sample(name: &str) -> Vec<u8> {
    std::fs::read(format!("{}/../../tests/media/{name}", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

const TITLE: Part<'_> = Text("title", "T");
/// The header of a picture of one pixel.
const PNG: &[u8] = b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR\0\0\0\x01\0\0\0\x01\x08\0\0\0\0";

#[tokio::test]
async fn a_form_says_what_json_does() {
    let form = take(&[
        TITLE,
        Text("description", "Two\r\nlines"),
        Text("content_type", "video/webm"),
        Text("tags", "a, b,a"),
        Text("visibility", "private"),
        Text("thumbnail_url", "https://example.com/a.png"),
        Text("duration", "12.5"),
        File("file", "C:\\a.mp4", Some("video/mp4"), b"film"),
        File("miniature", "a.png", Some("image/png"), PNG),
    ])
    .await
    .unwrap();
    let tags: Vec<&str> = form.asked.tags.iter().map(Tag::as_str).collect();
    assert_eq!((tags, form.asked.visibility), (vec!["a", "b"], Visibility::Private));
    assert_eq!((form.asked.filename.as_str(), form.asked.content_type.as_str()), ("a.mp4", "video/webm"));
    assert_eq!((form.asked.size_bytes, form.asked.duration_seconds), (Some(4), Some(12.5)));
    assert_eq!(form.asked.thumbnail_url.unwrap().as_str(), "https://example.com/a.png");
    // As `printf film | openssl dgst -sha256 -binary | base64` says.
    assert_eq!(form.asked.checksum_sha256.unwrap().as_str(), "0GB/etJiiyr5FY37oGzocWbmaxW/aPjzWPmqJ8y3wyE=");
    assert_eq!((&form.file.bytes[..], &form.miniature.unwrap().bytes[..]), (&b"film"[..], PNG));
    let asked = form.asked.miniature.unwrap();
    assert_eq!((asked.content_type, asked.size_bytes), (ImageType::Png, PNG.len() as u64));
}

#[tokio::test]
async fn every_wrong_field_is_named_at_once() {
    let long = vec![b'x'; 1_001];
    let wrong = take(&[
        Text("title", " "),
        Text("description", "bell\u{7}"),
        Text("content_type", "film"),
        Text("tags", "a,,b"),
        Text("visibility", "public"),
        Text("thumbnail_url", "http://example.com/a.png"),
        Text("duration", "NaN"),
        File("file", "a.mp4", Some("video/mp4"), b""),
        File("miniature", "a.gif", Some("image/gif"), &long),
        Text("colour", "red"),
    ])
    .await;
    let expected = [
        "/title",
        "/content_type",
        "/description",
        "/tags",
        "/visibility",
        "/thumbnail_url",
        "/duration",
        "/file",
        "/miniature",
        "/miniature",
        "/colour",
    ];
    assert_eq!(pointers(wrong), expected);
    assert_eq!(pointers(take(&[]).await), ["/title", "/file"]);
    assert_eq!(pointers(take(&[TITLE, Text("file", "text")]).await), ["/file"]);
    let large = vec![b'x'; (1 << 20) + 1];
    let too_large = File("file", "a.mp4", Some("video/mp4"), &large);
    assert_eq!(pointers(take(&[TITLE, too_large]).await), ["/file"]);
}

#[tokio::test]
async fn a_duration_is_a_number_of_seconds() {
    let file = File("file", "a.mp4", Some("video/mp4"), b"film");
    for (text, seconds) in [("1", 1.0), (" 0.5 ", 0.5), ("1e-6", 1e-6), ("31536000", 31_536_000.0)] {
        let form = take(&[TITLE, file, Text("duration", text)]).await.unwrap();
        assert_eq!(form.asked.duration_seconds, Some(seconds), "{text}");
    }
    assert_eq!(take(&[TITLE, file, Text("duration", "")]).await.unwrap().asked.duration_seconds, None);
    for wrong in ["0", "-0", "1e-200", "-1", "inf", "NaN", "1e300", "31536001", "1:30", "1,5"] {
        let duration = Text("duration", wrong);
        assert_eq!(pointers(take(&[TITLE, file, duration]).await), ["/duration"], "{wrong}");
    }
}

#[tokio::test]
async fn the_type_is_what_is_said_or_what_is_found() {
    let (video, flac, mp3) = (sample("v_vp9_opus.webm"), sample("v_flac.flac"), sample("v_cbr.mp3"));
    let text = b"Dear diary, this is no film.".as_slice();
    for (declared, own, bytes, expected) in [
        // The field says it all, whatever the part says.
        (Some("video/mp4"), Some("image/png"), text, Ok("video/mp4")),
        (Some("audio/mpeg"), None, text, Err("/content_type")),
        (Some("image/png"), Some("video/mp4"), text, Err("/content_type")),
        // The part's own, of the kind that the field says.
        (None, Some("Video/MP4; codecs=avc1"), text, Ok("video/mp4")),
        (None, Some("image/png"), &video, Err("/file")),
        (Some("video"), Some("video/webm"), &video, Ok("video/webm")),
        // By content.
        (Some("video"), Some("audio/webm"), &video, Ok("video/matroska")),
        (Some("video"), Some("text/plain"), &video, Ok("video/matroska")),
        (Some("audio"), Some("application/octet-stream"), &flac, Ok("audio/flac")),
        (None, Some("application/octet-stream"), &flac, Ok("audio/flac")),
        (None, None, &flac, Ok("audio/flac")),
        // That has to be of the kind, of a known one, and allowed.
        (Some("audio"), None, &video, Err("/file")),
        (Some("video"), Some("audio/flac"), &flac, Err("/file")),
        (Some("video"), Some("text/plain"), text, Err("/file")),
        (None, None, text, Err("/file")),
        (None, None, &mp3, Err("/file")),
    ] {
        let file = File("file", "a", own, bytes);
        let taken = match declared {
            Some(declared) => take(&[TITLE, Text("content_type", declared), file]).await,
            None => take(&[TITLE, file]).await,
        };
        let place = format!("{declared:?}, {own:?}");
        match expected {
            Ok(expected) => assert_eq!(taken.unwrap().asked.content_type.as_str(), expected, "{place}"),
            Err(pointer) => assert_eq!(pointers(taken), [pointer], "{place}"),
        }
    }
}

#[tokio::test]
async fn a_miniature_without_a_type_is_what_it_is() {
    let file = File("file", "a.mp4", Some("video/mp4"), b"film");
    for own in [None, Some("application/octet-stream"), Some("image/png")] {
        let form = take(&[TITLE, file, File("miniature", "a", own, PNG)]).await.unwrap();
        assert_eq!(form.asked.miniature.unwrap().content_type, ImageType::Png);
    }
    for (own, bytes) in
        [(None, &b"text"[..]), (Some("image/svg+xml"), b"<svg>"), (None, b"GIF89a\x01\0\x01\0")]
    {
        let wrong = take(&[TITLE, file, File("miniature", "a", own, bytes)]).await;
        assert_eq!(pointers(wrong), ["/miniature"], "{own:?}");
    }
}

#[tokio::test]
async fn a_video_needs_no_title() {
    let video = sample("v_vp9_opus.webm");
    let taken = async |parts: &[Part<'_>]| FileForm::take_video(fields(parts).await, &limits()).await;
    let form = taken(&[File("file", "a/clip.webm", Some("video/webm"), &video)]).await.unwrap();
    assert_eq!((form.asked.title.as_str(), form.asked.content_type.as_str()), ("clip.webm", "video/webm"));
    let file = File("file", "clip.webm", Some("text/plain"), &video);
    let form = taken(&[file, Text("title", "T")]).await.unwrap();
    assert_eq!((form.asked.title.as_str(), form.asked.content_type.as_str()), ("T", "video/matroska"));

    let too_long = "t".repeat(201);
    assert_eq!(pointers(taken(&[file, Text("title", &too_long)]).await), ["/title"]);
    let sound = sample("v_flac.flac");
    let sound = File("file", "a.flac", Some("audio/flac"), &sound);
    assert_eq!(pointers(taken(&[sound]).await), ["/file"]);
    assert_eq!(pointers(taken(&[]).await), ["/file"]);
}

#[tokio::test]
async fn the_digest_is_of_both_files() {
    let film = File("file", "a.mp4", Some("video/mp4"), b"film");
    let other_png = [PNG, b"!"].concat();
    let mut longer = PNG.to_vec();
    longer.push(b'?');
    let mut digests = Vec::new();
    for (file, miniature) in
        [(film, &other_png), (film, &longer), (File("file", "a.mp4", Some("video/mp4"), b"Film"), &longer)]
    {
        let form = take(&[TITLE, file, File("miniature", "a.png", None, miniature)]).await.unwrap();
        digests.push(form.asked.sha256().unwrap());
    }
    digests.dedup();
    assert_eq!(digests.len(), 3);
}
