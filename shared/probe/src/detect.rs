//! What kind of file this is, by its first bytes alone.
//!
//! Kinds that no module of [`container`](crate::container) reads are named for the error message.

use crate::container::wav::wave64;
use crate::container::{Container, ac3_stream, adts, dts_stream, mpeg_audio, mpegts};

/// How many bytes the decision is made on.
pub(crate) const HEAD_BYTES: u64 = 4096;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Detected {
    Known(Container),
    /// Known, not read here. Completes "it looks like …".
    Other(&'static str),
    /// Of no known kind.
    Unknown,
}

/// Boxes that a file of the family starts with: ISO/IEC 14496-12 wants `ftyp` first, QuickTime does not.
const FIRST_BOXES: [&[u8; 4]; 14] = [
    b"ftyp", b"moov", b"mdat", b"free", b"skip", b"wide", b"pnot", b"styp", b"moof", b"sidx", b"udta",
    b"uuid", b"prfl", b"emsg",
];

/// Signatures at the very start, longer ones first where one begins with another.
const SIGNATURES: [(&[u8], Detected); 30] = [
    (b"\x1a\x45\xdf\xa3", Detected::Known(Container::Matroska)),
    (b"OggS", Detected::Known(Container::Ogg)),
    (b"fLaC", Detected::Known(Container::Flac)),
    (b"FLV\x01", Detected::Known(Container::Flv)),
    (b"\x30\x26\xb2\x75\x8e\x66\xcf\x11", Detected::Known(Container::Asf)),
    (wave64::RIFF, Detected::Known(Container::Wave64)),
    (b"#!AMR", Detected::Known(Container::Amr)),
    (b"MThd", Detected::Other("a MIDI file")),
    (b"TTA1", Detected::Known(Container::TrueAudio)),
    (b"MAC ", Detected::Known(Container::Ape)),
    (b"wvpk", Detected::Known(Container::WavPack)),
    (b"MP+", Detected::Known(Container::Musepack)),
    (b"MPCK", Detected::Known(Container::Musepack)),
    (b".snd", Detected::Known(Container::Au)),
    (b"caff", Detected::Known(Container::Caf)),
    (b"\x00\x00\x01\xba", Detected::Other("an MPEG program stream")),
    (b"\x00\x00\x01\xb3", Detected::Other("an MPEG video stream")),
    (b"\x89PNG\r\n\x1a\n", Detected::Other("a PNG image")),
    (b"\xff\xd8\xff", Detected::Other("a JPEG image")),
    (b"GIF8", Detected::Other("a GIF image")),
    (b"II*\0", Detected::Other("a TIFF image")),
    (b"MM\0*", Detected::Other("a TIFF image")),
    (b"%PDF-", Detected::Other("a PDF document")),
    (b"PK\x03\x04", Detected::Other("a ZIP archive")),
    (b"\x1f\x8b", Detected::Other("a gzip archive")),
    (b"7z\xbc\xaf\x27\x1c", Detected::Other("a 7-Zip archive")),
    (b"Rar!\x1a\x07", Detected::Other("a RAR archive")),
    (b"\x7fELF", Detected::Other("a program")),
    (b"MZ\x90\0", Detected::Other("a program")),
    (b"SQLite format 3\0", Detected::Other("a database")),
];

/// Streams of frames: whether a file starts with some, and whether there are some anywhere in it.
type IsLike = fn(&[u8]) -> bool;
const FRAMED: [(Container, IsLike, IsLike); 4] = [
    (Container::Adts, adts::is_like, adts::is_within),
    (Container::MpegAudio, mpeg_audio::is_like, mpeg_audio::is_within),
    (Container::Ac3, ac3_stream::is_like, ac3_stream::is_within),
    (Container::Dts, dts_stream::is_like, dts_stream::is_within),
];

/// Decides on a longer window whether there is a stream of frames behind bytes of no known kind.
pub(crate) fn search(window: &[u8]) -> Detected {
    if mpegts::is_like(window) {
        return Detected::Known(Container::MpegTs);
    }
    let found = FRAMED.iter().find(|(_, _, is_within)| is_within(window));
    found.map_or(Detected::Unknown, |(container, ..)| Detected::Known(*container))
}

/// Signature, version and flags of a page that starts a logical stream.
const FIRST_OGG_PAGE: &[u8] = b"OggS\0\x02";

/// Decides on the first [`HEAD_BYTES`] of a file, or all of it when it is shorter.
pub(crate) fn detect(head: &[u8]) -> Detected {
    if is_iso_bmff(head) {
        return Detected::Known(Container::IsoBmff);
    }
    if head.is_empty() {
        return Detected::Other("an empty file");
    }
    if let Some((_, detected)) = SIGNATURES.iter().find(|(signature, _)| head.starts_with(signature)) {
        return *detected;
    }
    if let Some(detected) = chunked(head) {
        return detected;
    }
    if mpegts::is_like(head) {
        return Detected::Known(Container::MpegTs);
    }
    if let Some(container) =
        FRAMED.iter().find(|(_, is_like, _)| is_like(head)).map(|(container, ..)| *container)
    {
        return Detected::Known(container);
    }
    // Streams are cut out of broadcasts anywhere: a first page may follow the rest of another.
    if head.windows(FIRST_OGG_PAGE.len()).any(|window| window == FIRST_OGG_PAGE) {
        return Detected::Known(Container::Ogg);
    }
    if is_text(head) { Detected::Other("plain text") } else { Detected::Unknown }
}

fn is_iso_bmff(head: &[u8]) -> bool {
    let Some((size, rest)) = head.split_first_chunk::<4>() else { return false };
    let Some(kind) = rest.first_chunk::<4>() else { return false };
    // 0: to the end of the file, 1: a 64-bit size follows.
    matches!(u32::from_be_bytes(*size), 0 | 1 | 8..) && FIRST_BOXES.contains(&kind)
}

/// RIFF and IFF say their form in the third word.
fn chunked(head: &[u8]) -> Option<Detected> {
    let form = head.get(8..12)?;
    match (head.get(..4)?, form) {
        (b"RIFF" | b"RIFX" | b"RF64" | b"BW64", b"WAVE") => Some(Detected::Known(Container::Wav)),
        (b"RIFF", b"AVI " | b"AVIX" | b"AVI\x19") => Some(Detected::Known(Container::Avi)),
        (b"RIFF", b"WEBP") => Some(Detected::Other("a WebP image")),
        (b"FORM", b"AIFF" | b"AIFC") => Some(Detected::Known(Container::Aiff)),
        _ => None,
    }
}

fn is_text(head: &[u8]) -> bool {
    let text = match std::str::from_utf8(head) {
        Ok(text) => text,
        // A character cut in two by the end of the head is no reason to doubt the rest.
        Err(error) if error.error_len().is_none() => {
            std::str::from_utf8(&head[..error.valid_up_to()]).unwrap_or_default()
        }
        Err(_) => return false,
    };
    !text.is_empty() && text.chars().all(|c| !c.is_control() || c.is_whitespace())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_decides() {
        assert_eq!(detect(b"\0\0\0\x18ftypisom"), Detected::Known(Container::IsoBmff));
        assert_eq!(detect(b"\0\0\0\x01mdat\0\0\0\0\0\0\0\x10"), Detected::Known(Container::IsoBmff));
        assert_eq!(detect(b"\0\0\0\x02ftypisom"), Detected::Unknown);
        assert_eq!(detect(b"Hello, wor\xc3"), Detected::Other("plain text"));
        assert_eq!(detect(b"RIFF\0\0\0\0WAVEfmt "), Detected::Known(Container::Wav));
        assert_eq!(detect(b"RIFF\0\0\0\0????\0"), Detected::Unknown);
        assert_eq!(detect(b"\xff\xfb\x90\x64"), Detected::Unknown);
        assert_eq!(detect(b"\xff\xfe\0\0"), Detected::Unknown);
        assert_eq!(detect(b"\0\x01\x02"), Detected::Unknown);
        for (head, container) in [
            (&b"RIFX\0\0\0\0WAVEfmt "[..], Container::Wav),
            (b"BW64\xff\xff\xff\xffWAVEds64", Container::Wav),
            (b"riff\x2e\x91\xcf\x11\xa5\xd6\x28\xdb\x04\xc1\0\0", Container::Wave64),
            (b"RIFF\0\0\0\0AVI LIST", Container::Avi),
            (b"RIFF\0\0\0\0AVI\x19LIST", Container::Avi),
            (b"FORM\0\0\0\0AIFC", Container::Aiff),
            (b".snd\0\0\0\x18", Container::Au),
            (b"caff\0\x01", Container::Caf),
            (b"\x30\x26\xb2\x75\x8e\x66\xcf\x11\xa6\xd9\0\xaa\0\x62\xce\x6c", Container::Asf),
        ] {
            assert_eq!(detect(head), Detected::Known(container));
        }
        assert_eq!(detect(b"\0\x07OggS\0\x02\0"), Detected::Known(Container::Ogg));
        assert_eq!(detect(b"\0\x07OggS\0\x04\0"), Detected::Unknown);
        assert_eq!(detect(b""), Detected::Other("an empty file"));
        assert_eq!(
            detect(&b"\xff\xf1\x50\x80\x02\x1f\xfc123456789".repeat(3)),
            Detected::Known(Container::Adts)
        );
        let frame = [&b"\xff\xfb\x90\x64"[..], &[0; 413]].concat();
        assert_eq!(detect(&frame.repeat(3)), Detected::Known(Container::MpegAudio));
        assert_eq!(
            search(&[&[7; 5000][..], &frame.repeat(9)].concat()),
            Detected::Known(Container::MpegAudio)
        );
        assert_eq!(search(&[&[7; 5000][..], &frame.repeat(7), &[7; 99]].concat()), Detected::Unknown);
        let mut packets = vec![0xff; 564];
        packets[0] = 0x47;
        packets[188] = 0x47;
        assert_eq!(detect(&packets), Detected::Unknown);
        packets[376] = 0x47;
        assert_eq!(detect(&packets), Detected::Known(Container::MpegTs));
    }
}
