//! MP4 files made long: the real index of a short file, with its tables repeated and its media data swollen.

use crate::media;
use crate::source::Part;

/// A box of type `kind` around `body`.
pub(crate) fn boxed(kind: &[u8], body: &[u8]) -> Vec<u8> {
    let size = u32::try_from(body.len() + 8).unwrap().to_be_bytes();
    [&size, kind, body].concat()
}

fn word(bytes: &[u8], at: usize) -> u32 {
    u32::from_be_bytes(bytes[at..at + 4].try_into().unwrap())
}

/// The boxes in `bytes`: type and body.
fn boxes(mut bytes: &[u8]) -> Vec<(&[u8], &[u8])> {
    let mut found = Vec::new();
    while bytes.len() >= 8 {
        let size = word(bytes, 0) as usize;
        found.push((&bytes[4..8], &bytes[8..size]));
        bytes = &bytes[size..];
    }
    found
}

fn top_box(file: &[u8], wanted: &[u8]) -> Vec<u8> {
    let (kind, body) = boxes(file).into_iter().find(|(kind, _)| *kind == wanted).unwrap();
    boxed(kind, body)
}

fn swollen_mdat(size: u64) -> [Part; 2] {
    let header = [&[0, 0, 0, 1][..], b"mdat", &size.to_be_bytes()].concat();
    [Part::Bytes(header), Part::Zeros(size - 16)]
}

/// `moov` of a film that lasts `times` as long: every table is repeated.
fn longer(bytes: &[u8], times: usize) -> Vec<u8> {
    let repeat = |body: &[u8], count_at: usize, entry_bytes: usize| {
        let count = word(body, count_at) as usize;
        let entries = &body[count_at + 4..count_at + 4 + count * entry_bytes];
        let new_count = u32::try_from(count * times).unwrap().to_be_bytes();
        [&body[..count_at], &new_count, &entries.repeat(times)].concat()
    };
    let mut all = Vec::new();
    for (kind, body) in boxes(bytes) {
        let body = match kind {
            b"moov" | b"trak" | b"mdia" | b"minf" | b"stbl" => longer(body, times),
            b"stts" | b"ctts" => repeat(body, 4, 8),
            b"stsc" => repeat(body, 4, 12),
            b"stco" | b"stss" => repeat(body, 4, 4),
            b"stsz" if word(body, 4) == 0 => repeat(body, 8, 4),
            b"mvhd" => {
                let duration = (word(body, 16) * u32::try_from(times).unwrap()).to_be_bytes();
                [&body[..16], &duration, &body[20..]].concat()
            }
            _ => body.to_vec(),
        };
        all.extend(boxed(kind, &body));
    }
    all
}

/// An index in front, 5 s times `times`, and then so many bytes of media data.
pub(crate) fn fast_start(times: usize, media_bytes: u64) -> Vec<Part> {
    let file = media("v_h264_aac_faststart.mp4");
    let head = [top_box(&file, b"ftyp"), longer(&top_box(&file, b"moov"), times)].concat();
    [Part::Bytes(head)].into_iter().chain(swollen_mdat(media_bytes)).collect()
}

/// The same with the index at the end.
pub(crate) fn index_at_the_end(times: usize, media_bytes: u64) -> Vec<Part> {
    let file = media("v_h264_aac_moovend.mp4");
    let mut parts = vec![Part::Bytes(top_box(&file, b"ftyp"))];
    parts.extend(swollen_mdat(media_bytes));
    parts.push(Part::Bytes(longer(&top_box(&file, b"moov"), times)));
    parts
}

/// A fragment of a second so many times, each at its own time, with so many bytes of media data.
pub(crate) fn fragmented(count: u64, media_bytes: usize) -> Vec<Part> {
    /// Units per second of the video track and of the audio track, in the order of their fragments.
    const TIMESCALES: [u64; 2] = [15_360, 48_000];
    let file = media("v_fragmented.mp4");
    let head = [top_box(&file, b"ftyp"), top_box(&file, b"moov")].concat();
    let moof = top_box(&file, b"moof");
    // Version 1: the time in 64 bits.
    let times: Vec<usize> = (0..moof.len() - 5)
        .filter(|start| &moof[*start..start + 5] == b"tfdt\x01")
        .map(|at| at + 8)
        .collect();
    assert_eq!(times.len(), TIMESCALES.len());
    let mdat = boxed(b"mdat", &vec![0; media_bytes]);
    let fragment = move |number: u64| {
        let mut unit = [&moof[..], &mdat].concat();
        for (at, timescale) in times.iter().zip(TIMESCALES) {
            unit[*at..at + 8].copy_from_slice(&(number * timescale).to_be_bytes());
        }
        unit
    };
    vec![Part::Bytes(head), Part::Units(count, Box::new(fragment))]
}
