//! Tags, built by hand.

#![allow(clippy::unwrap_used)]

use super::*;
use crate::source::MemorySource;

fn frame(id: &str, flags: u16, data: &[u8]) -> Vec<u8> {
    let size = u32::try_from(data.len()).unwrap();
    let size = if id.len() == 3 { size.to_be_bytes()[1..].to_vec() } else { size.to_be_bytes().to_vec() };
    let flags = if id.len() == 3 { Vec::new() } else { flags.to_be_bytes().to_vec() };
    [id.as_bytes(), &size, &flags, data].concat()
}

fn tag(version: u8, flags: u8, body: &[u8]) -> Vec<u8> {
    [b"ID3", &[version, 0, flags][..], &in_seven_bits(body.len()), body].concat()
}

fn in_seven_bits(size: usize) -> [u8; 4] {
    [size >> 21, size >> 14, size >> 7, size].map(|bits| u8::try_from(bits & 0x7f).unwrap())
}

fn tags(version: u8, flags: u8, frames: &[Vec<u8>]) -> Vec<(String, String)> {
    let content = Content::parse(&tag(version, flags, &frames.concat())).unwrap();
    content.tags.into_map().into_iter().collect()
}

fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

#[test]
fn text_has_four_encodings() {
    let frames = [
        frame("TIT2", 0, b"\0Gr\xfc\xdfe\0"),
        frame("TPE1", 0, b"\x01\xff\xfeA\0\xe9\0\0\0"),
        frame("TALB", 0, b"\x01\xfe\xff\0B"),
        frame("TCOM", 0, b"\x02\0C\0\0\0D"),
        frame("TPE2", 0, b"\x03\xc3\xa9\0second"),
        frame("TPOS", 0, b"\x04?"),
        frame("TCON", 0, b"\0(17)"),
        frame("TBPM", 0, b"\x00120"),
    ];
    let expected = [
        ("TBPM", "120"),
        ("album", "B"),
        ("album_artist", "é"),
        ("artist", "Aé"),
        ("composer", "C"),
        ("genre", "Rock"),
        ("title", "Grüße"),
    ];
    assert_eq!(tags(3, 0, &frames), pairs(&expected));
}

#[test]
fn comments_and_user_text_have_descriptions() {
    let frames = [
        frame("COMM", 0, b"\0engiTunNORM\0 0001"),
        frame("COMM", 0, b"\x01eng\xff\xfe\0\0\xff\xfeh\0i\0"),
        frame("TXXX", 0, b"\0mood\0calm"),
        frame("TXXX", 0, b"\0creation_time\x002024-05-06T07:08:09.000000Z"),
        frame("USLT", 0, b"\0eng\0la la"),
    ];
    let content = Content::parse(&tag(4, 0, &frames.concat())).unwrap();
    assert_eq!(content.created_at.as_deref(), Some("2024-05-06T07:08:09Z"));
    let expected = [("comment", "hi"), ("iTunNORM", "0001"), ("lyrics", "la la"), ("mood", "calm")];
    assert_eq!(content.tags.into_map().into_iter().collect::<Vec<_>>(), pairs(&expected));
}

#[test]
fn version_2_2_has_short_names_and_pictures() {
    let frames = [frame("TT2", 0, b"\0T"), frame("PIC", 0, b"\0PNG\x03cover\0\0\0\0\0")].concat();
    let content = Content::parse(&tag(2, 0, &frames)).unwrap();
    assert_eq!(content.cover_art, [CoverArt { content_type: "image/png".to_owned(), size_bytes: 4 }]);
    assert_eq!(content.tags.into_map().get("title").map(String::as_str), Some("T"));
    // Compressed as a whole.
    assert!(Content::parse(&tag(2, 0x40, &frames)).unwrap().cover_art.is_empty());
}

#[test]
fn a_date_is_put_together() {
    let frames =
        [frame("TYER", 0, b"\x001999"), frame("TDAT", 0, b"\x003112"), frame("TIME", 0, b"\x002359")];
    assert_eq!(tags(3, 0, &frames), pairs(&[("date", "1999-12-31 23:59")]));
    assert_eq!(tags(3, 0, &frames[..1]), pairs(&[("date", "1999")]));
    let frames = [frame("TYER", 0, b"\x001999"), frame("TDAT", 0, "\0é1é".as_bytes())];
    assert_eq!(tags(3, 0, &frames), pairs(&[("date", "1999")]));
}

#[test]
fn unsynchronisation_is_undone() {
    let whole = frame("TIT2", 0, b"\x01\xff\0\xfeA\0");
    // The size is that of before.
    let mut whole_tag = whole.clone();
    whole_tag[7] = 5;
    assert_eq!(tags(3, 0x80, &[whole_tag]), pairs(&[("title", "A")]));
    let by_frame = frame("TIT2", 2, b"\x01\xff\0\xfeA\0");
    assert_eq!(tags(4, 0, &[by_frame]), pairs(&[("title", "A")]));
}

#[test]
fn flags_put_bytes_before_the_data() {
    let frames = [
        frame("TIT2", 0x41, b"\x07\0\0\0\x02\0T"),
        frame("TALB", 0x08, b"\0compressed"),
        frame("TPE1", 0x04, b"\0encrypted"),
    ];
    assert_eq!(tags(4, 0, &frames), pairs(&[("title", "T")]));
    assert_eq!(tags(3, 0, &[frame("TIT2", 0x20, b"\x07\0T")]), pairs(&[("title", "T")]));
    assert_eq!(tags(4, 0, &[frame("TIT2", 0x01, b"\0")]), pairs(&[]));
}

#[test]
fn an_extended_header_is_skipped() {
    let extended = b"\0\0\0\x06\0\0\0\0\0\0".to_vec();
    assert_eq!(tags(3, 0x40, &[extended, frame("TIT2", 0, b"\0T")]), pairs(&[("title", "T")]));
    let extended = b"\0\0\0\x06\x01\0".to_vec();
    assert_eq!(tags(4, 0x40, &[extended, frame("TIT2", 0, b"\0T")]), pairs(&[("title", "T")]));
    assert_eq!(tags(4, 0x40, &[b"\x7f\x7f\x7f\x7f".to_vec()]), pairs(&[]));
}

#[test]
fn plain_sizes_in_version_2_4_are_noticed() {
    let long = [&[0][..], &[b'x'; 0x90]].concat();
    let frames = [frame("TIT2", 0, &long), frame("TALB", 0, b"\0A"), vec![0; 20]];
    let map: std::collections::BTreeMap<_, _> = tags(4, 0, &frames).into_iter().collect();
    assert_eq!(map.get("album").map(String::as_str), Some("A"));
}

#[test]
fn a_header_tells_the_size_of_the_tag() {
    assert_eq!(Header::parse(b"ID3\x04\0\x10\0\0\x02\x01").unwrap().tag_bytes(), 257 + 20);
    assert_eq!(Header::parse(b"ID3\x03\0\0\0\0\x02\x01").unwrap().tag_bytes(), 257 + 10);
    for bytes in
        [&b"ID3\x04\0\0\0\0\x80\0"[..], b"ID3\x05\0\0\0\0\0\0", b"ID3\x03\0\0\0\0\0", b"IDX\x03\0\0\0\0\0\0"]
    {
        assert_eq!(Header::parse(bytes), None);
    }
}

#[tokio::test]
async fn a_huge_picture_is_hopped_over() {
    let picture = [&b"\0image/jpeg\0\x03\0"[..], &vec![0xff; 700_000]].concat();
    let frames = [frame("TIT2", 0, b"\0T"), frame("APIC", 0, &picture), frame("TALB", 0, b"\0A")].concat();
    let mut file = tag(3, 0, &frames);
    let tag_bytes = file.len() as u64;
    file.extend([1; 1000]);
    let source = MemorySource::new(file);
    let mut reader = Reader::new(&source);
    reader.read(0..100).await.unwrap();
    let (content, end) = read(&mut reader, 0).await.unwrap().unwrap();
    assert_eq!(end, tag_bytes);
    assert_eq!(content.cover_art, [CoverArt { content_type: "image/jpeg".to_owned(), size_bytes: 700_000 }]);
    let map = content.tags.into_map();
    assert_eq!((map["title"].as_str(), map["album"].as_str()), ("T", "A"));
    assert!(reader.is_cached(end..end + 1000));
}

#[tokio::test]
async fn pictures_are_hopped_over_where_their_stored_size_is_known() {
    // The size is that of before in version 2.3, of the whole tag, and that of after in 2.4, of each frame. A hop by
    // the former leads to what looks like a frame at the end of the picture.
    let look_alike = frame("TPE1", 0, b"\0no");
    let stuffed = [0xff, 0].repeat(look_alike.len());
    let picture = [&b"\0image/jpeg\0\x03\0"[..], &stuffed, &vec![1; 700_000], &look_alike].concat();
    let frames = |size: [u8; 4]| {
        let mut picture = frame("APIC", 0, &picture);
        picture[4..8].copy_from_slice(&size);
        [frame("TIT2", 0, b"\0T"), picture, frame("TALB", 0, b"\0A")].concat()
    };
    let size_before = u32::try_from(picture.len() - look_alike.len()).unwrap().to_be_bytes();
    for (version, size, found) in [
        (3, size_before, pairs(&[("title", "T")])),
        (4, in_seven_bits(picture.len()), pairs(&[("album", "A"), ("title", "T")])),
    ] {
        let source = MemorySource::new(tag(version, 0x80, &frames(size)));
        let mut reader = Reader::new(&source);
        reader.read(0..100).await.unwrap();
        let (content, _) = read(&mut reader, 0).await.unwrap().unwrap();
        assert_eq!(content.cover_art.len(), 1);
        assert_eq!(content.tags.into_map().into_iter().collect::<Vec<_>>(), found, "{version}");
    }
}

#[test]
fn nonsense_ends_the_tag() {
    let frames = [frame("TIT2", 0, b"\0T"), vec![1; 40], frame("TALB", 0, b"\0A")];
    assert_eq!(tags(3, 0, &frames), pairs(&[("title", "T")]));
    let endless = frame("TPE1", 0, b"");
    assert_eq!(tags(3, 0, &vec![endless; 5000]), pairs(&[]));
    let mut too_long = frame("TIT2", 0, b"\0T");
    too_long[4..8].fill(0xff);
    assert_eq!(tags(3, 0, &[too_long]), pairs(&[("title", "T")]));
}
