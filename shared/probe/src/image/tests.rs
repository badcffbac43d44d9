//! Headers built by hand, whole, odd and hostile.

#![allow(clippy::unwrap_used)]

use super::*;
use crate::container::isobmff::boxes::tests::{boxed, full};
use crate::source::MemorySource;

fn image(bytes: &[u8]) -> Result<ImageMetadata, ProbeError<std::io::Error>> {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(probe_image(&MemorySource::new(bytes.to_vec())))
}

#[track_caller]
fn check(bytes: &[u8], content_type: &str, width: u32, height: u32, rotation: u16) {
    let size_bytes = bytes.len() as u64;
    let content_type = content_type.to_owned();
    let expected = ImageMetadata { content_type, width, height, rotation, size_bytes };
    assert_eq!(image(bytes).unwrap(), expected);
}

#[track_caller]
fn check_broken(bytes: &[u8]) {
    let refused = image(bytes);
    assert!(matches!(refused, Err(ProbeError::Malformed { .. })), "{refused:?}");
}

/// A segment of a JPEG file.
fn segment(marker: u8, body: &[u8]) -> Vec<u8> {
    let length = u16::try_from(body.len() + 2).unwrap().to_be_bytes();
    [&[0xff, marker][..], &length, body].concat()
}

fn frame(marker: u8) -> Vec<u8> {
    segment(marker, &[8, 0, 200, 1, 44, 3, 1, 0x22, 0])
}

fn exif(order: [u8; 4], orientation: u8) -> Vec<u8> {
    let is_little = &order == b"II*\0";
    let word = |value: u16| if is_little { value.to_le_bytes() } else { value.to_be_bytes() };
    let long = |value: u32| if is_little { value.to_le_bytes() } else { value.to_be_bytes() };
    let other = [&word(0x010f)[..], &word(2), &long(4), b"abc\0"].concat();
    let entry = [&word(0x0112)[..], &word(3), &long(1), &word(orientation.into()), &[0; 2]].concat();
    segment(0xe1, &[&b"Exif\0\0"[..], &order, &long(8), &word(2), &other, &entry].concat())
}

#[test]
fn jpeg_is_baseline_or_progressive_and_turned_by_exif() {
    let start = || vec![0xff, 0xd8];
    check(&[start(), frame(0xc0)].concat(), "image/jpeg", 300, 200, 0);
    let tables = [segment(0xdb, &[0; 65]), segment(0xc4, &[0; 30]), vec![0xff, 0xff]].concat();
    check(&[start(), tables, frame(0xc2)].concat(), "image/jpeg", 300, 200, 0);
    let xmp = || segment(0xe1, b"http://ns.adobe.com/xap/1.0/\0");
    for (order, orientation, rotation) in
        [(*b"II*\0", 6, 90), (*b"MM\0*", 8, 270), (*b"MM\0*", 3, 180), (*b"II*\0", 1, 0), (*b"II*\0", 99, 0)]
    {
        let bytes = [start(), xmp(), exif(order, orientation), xmp(), frame(0xc0)].concat();
        check(&bytes, "image/jpeg", 300, 200, rotation);
    }
    check_broken(&[start(), segment(0xda, &[0; 8]), frame(0xc0)].concat());
    check_broken(&[start(), vec![0xff, 0xe0, 0, 1], frame(0xc0)].concat());
    check_broken(&[start(), segment(0xe0, &[0; 8])].concat());
    check_broken(&[start(), segment(0xc0, &[8, 0, 0, 0, 0])].concat());
    check(
        &[start(), segment(0xe1, b"Exif\0\0II*\0\xff\xff\xff\xff"), frame(0xc0)].concat(),
        "image/jpeg",
        300,
        200,
        0,
    );
}

#[test]
fn large_segments_may_precede_the_frame_header() {
    let profile = segment(0xe2, &vec![7; 65_000]);
    let bytes = |count: usize| {
        [vec![0xff, 0xd8], exif(*b"II*\0", 6), profile.repeat(count), frame(0xc0), vec![0; 2_000_000]]
            .concat()
    };
    check(&bytes(14), "image/jpeg", 300, 200, 90);
    let refused = image(&bytes(30));
    assert!(matches!(refused, Err(ProbeError::LimitExceeded { .. })), "{refused:?}");
    let fill = [vec![0xff; 100_000], frame(0xc0)].concat();
    let refused = image(&[vec![0xff, 0xd8], fill].concat());
    assert!(matches!(refused, Err(ProbeError::LimitExceeded { .. })), "{refused:?}");
}

#[test]
fn png_and_gif_begin_with_their_size() {
    let png = |kind: &[u8]| {
        [b"\x89PNG\r\n\x1a\n\0\0\0\x0d", kind, b"\0\0\x01\x2c\0\0\0\xc8\x08\x06\0\0\0"].concat()
    };
    check(&png(b"IHDR"), "image/png", 300, 200, 0);
    check_broken(&png(b"IDAT"));
    check_broken(&png(b"IHDR")[..20]);
    for version in [b"GIF87a", b"GIF89a"] {
        check(&[&version[..], &[0x2c, 1, 200, 0, 0, 0, 0]].concat(), "image/gif", 300, 200, 0);
    }
    check_broken(b"GIF89a\0\0\x01\0");
}

#[test]
fn webp_has_three_forms() {
    let webp = |kind: &[u8; 4], body: &[u8]| [b"RIFF\0\0\0\0WEBP", &kind[..], &[0; 4], body].concat();
    let lossy = [0x30, 1, 0, 0x9d, 1, 0x2a, 0x2c, 0x41, 200, 0];
    check(&webp(b"VP8 ", &lossy), "image/webp", 300, 200, 0);
    let packed: u32 = 0x12b | 0xc7 << 14 | 1 << 28;
    check(&webp(b"VP8L", &[&[0x2f][..], &packed.to_le_bytes()].concat()), "image/webp", 300, 200, 0);
    check(&webp(b"VP8X", &[0x10, 0, 0, 0, 0x2b, 1, 0, 199, 0, 0]), "image/webp", 300, 200, 0);
    check_broken(&webp(b"VP8 ", &[0; 10]));
    check_broken(&webp(b"VP8L", &[0; 5]));
    check_broken(&webp(b"ALPH", &[0; 10]));
}

/// A file of two items: a thumbnail, and the primary one, whose properties are the second and the third.
fn heif(brand: [u8; 4], turn: u8, ipma_version: u8) -> Vec<u8> {
    let size =
        |width: u32, height: u32| full(*b"ispe", 0, 0, [width.to_be_bytes(), height.to_be_bytes()].concat());
    let ipco = boxed(*b"ipco", [size(16, 16), size(4032, 3024), boxed(*b"irot", [turn])].concat());
    let associations: &[u8] = if ipma_version == 0 {
        &[0, 0, 0, 2, 0, 1, 1, 0x81, 0, 2, 2, 0x02, 0x83]
    } else {
        &[0, 0, 0, 2, 0, 0, 0, 1, 1, 0x80, 1, 0, 0, 0, 2, 2, 0, 2, 0x80, 3]
    };
    let ipma = full(*b"ipma", ipma_version, ipma_version.into(), associations);
    let meta = [full(*b"pitm", 0, 0, [0, 2]), boxed(*b"iprp", [ipco, ipma].concat())].concat();
    let ftyp = boxed(*b"ftyp", [&brand[..], &[0; 4], b"mif1heic"].concat());
    [ftyp, boxed(*b"free", vec![0; 100_000]), full(*b"meta", 0, 0, meta)].concat()
}

#[test]
fn heic_and_avif_tell_of_their_primary_item() {
    check(&heif(*b"heic", 3, 0), "image/heic", 4032, 3024, 90);
    check(&heif(*b"mif1", 1, 1), "image/heic", 4032, 3024, 270);
    check(&heif(*b"avif", 0, 0), "image/avif", 4032, 3024, 0);
    let whole = heif(*b"avif", 0, 0);
    for end in [40, 100_000, whole.len() - 60, whole.len() - 4] {
        check_broken(&whole[..end]);
    }
    let endless = [boxed(*b"ftyp", b"avif\0\0\0\0"), boxed(*b"free", []).repeat(1000)].concat();
    assert!(matches!(image(&endless), Err(ProbeError::LimitExceeded { .. })));
}

#[test]
fn what_is_no_image_is_named() {
    let named = |bytes: &[u8]| match image(bytes) {
        Err(ProbeError::Unsupported { looks_like }) => looks_like,
        other => panic!("{other:?}"),
    };
    assert_eq!(named(b"\0\0\0\x18ftypisom\0\0\x02\0isomiso2"), Some("audio or video"));
    assert_eq!(named(b"%PDF-1.7"), Some("a PDF document"));
    assert_eq!(named(b"BM\0\x01\x02"), None);
    assert_eq!(named(b""), Some("an empty file"));
}
