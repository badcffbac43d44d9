//! Streams that are nothing but frames, each with its own header: MPEG audio, ADTS, AC-3, DTS.
//!
//! A header's mark is short and turns up in any data, so frames are believed only in a row.

pub(crate) mod length;
pub(crate) mod stream;

use crate::codec::frame::Frame;

/// What the marks of MPEG audio and ADTS, of AC-3, and of DTS start with: a quick look before a header is read.
const FIRST_BYTES: [u8; 3] = [0xff, 0x0b, 0x7f];
/// Frames in a row that are believed where a stream was out of step.
const IN_A_ROW_AGAIN: usize = 3;

/// What a walk from frame to frame has seen.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Run {
    pub(crate) frames: u64,
    pub(crate) seconds: f64,
    /// Bytes of the frames, without what lies between them.
    pub(crate) bytes: u64,
    /// The bit rate that all frames have.
    pub(crate) bit_rate: Option<u32>,
    /// Whether frames differ in bit rate.
    pub(crate) is_variable: bool,
}

impl Run {
    fn add<F: Frame>(&mut self, frame: &F, bytes: usize) {
        if self.frames == 0 {
            self.bit_rate = frame.bit_rate();
        } else if self.bit_rate != frame.bit_rate() {
            self.is_variable = true;
        }
        self.frames += 1;
        self.seconds += f64::from(frame.samples()) / f64::from(frame.sample_rate().max(1));
        self.bytes += bytes as u64;
    }
}

/// The first frame at or after `from` that is followed by `in_a_row - 1` others, or by fewer and the end.
pub(crate) fn find<F: Frame>(bytes: &[u8], from: usize, in_a_row: usize) -> Option<(usize, F)> {
    let starts = (from..bytes.len()).filter(|start| FIRST_BYTES.contains(&bytes[*start]));
    starts
        .filter_map(|start| Some((start, F::parse(bytes.get(start..)?)?)))
        .find(|(start, first)| is_row(bytes, *start, *first, in_a_row))
}

fn is_row<F: Frame>(bytes: &[u8], start: usize, first: F, in_a_row: usize) -> bool {
    let (mut position, mut frame) = (start, first);
    for _ in 1..in_a_row {
        let Some(next) = frame.size_bytes().and_then(|size| position.checked_add(size)) else { return false };
        let rest = bytes.get(next..).unwrap_or_default();
        match F::parse(rest) {
            Some(found) if first.continues(&found) => (position, frame) = (next, found),
            // Two are the least, even in a file of a few frames.
            _ => return position > start && is_end(rest),
        }
    }
    true
}

/// Whether frames may well end before `rest`: with the file, or with tags behind them.
fn is_end(rest: &[u8]) -> bool {
    rest.is_empty() || [&b"TAG"[..], b"APETAGEX", b"LYRICSBEGIN"].iter().any(|tag| rest.starts_with(tag))
}

/// Walks through `bytes`. A frame that the end cuts counts; junk between frames does not. `first` is a frame of the
/// stream, which may go on in another way, as files do that are joined.
pub(crate) fn walk<F: Frame>(bytes: &[u8], first: &F) -> Run {
    let mut run = Run::default();
    let mut position = 0;
    let mut like = *first;
    while position < bytes.len() {
        let frame = F::parse(&bytes[position..]).filter(|frame| like.continues(frame));
        let (start, frame) = match frame {
            Some(frame) => (position, frame),
            // Not just a look-alike: several in a row.
            None => match find::<F>(bytes, position, IN_A_ROW_AGAIN) {
                Some(found) => found,
                None => break,
            },
        };
        let Some(size) = frame.size_bytes() else { break };
        run.add(&frame, size);
        like = frame;
        position = start.saturating_add(size.max(1));
    }
    run
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::mpeg_audio::FrameHeader;

    fn frames(bit_rates: &[u8]) -> Vec<u8> {
        let mut bytes = Vec::new();
        for bit_rate in bit_rates {
            let header = [0xff, 0xfb, bit_rate << 4, 0x64];
            let size = FrameHeader::parse(&header).and_then(|frame| frame.size_bytes()).unwrap_or(0);
            let end = bytes.len() + size;
            bytes.extend(header);
            bytes.resize(end, 0);
        }
        bytes
    }

    #[test]
    fn frames_are_believed_in_a_row() {
        let stream = [&b"junk\xff\xfb\x90\x64junk"[..], &frames(&[9, 9, 9])].concat();
        let (start, first) = find::<FrameHeader>(&stream, 0, 3).expect("three frames");
        assert_eq!((start, first.bit_rate), (12, Some(128_000)));
        assert_eq!(find::<FrameHeader>(&stream[..12 + 417], 0, 3), None);
        assert!(find::<FrameHeader>(&stream[..12 + 417 + 417], 0, 3).is_some());
    }

    /// The header of a frame of 96 bytes at 48 kHz.
    const OTHER: [u8; 4] = [0xff, 0xfb, 0x14, 0x64];

    #[test]
    fn a_row_is_of_one_kind() {
        let other = [&OTHER[..], &[0; 92]].concat();
        let stream = [&other[..], &frames(&[9, 9, 9])].concat();
        assert_eq!(find::<FrameHeader>(&stream, 0, 3).map(|(start, _)| start), Some(96));
        assert_eq!(find::<FrameHeader>(&other.repeat(3), 0, 3).map(|(start, _)| start), Some(0));
    }

    #[test]
    fn what_looks_like_a_frame_of_another_kind_does_not_play() {
        let stream = frames(&[9, 9, 9]);
        let first = FrameHeader::parse(&stream).expect("a frame");
        let run = walk(&[&stream[..], &OTHER, &[0; 100], &stream].concat(), &first);
        assert_eq!((run.frames, run.bytes), (6, 6 * 417));
    }

    #[test]
    fn a_walk_counts_what_plays() {
        let stream = frames(&[9, 9, 9, 9]);
        let first = FrameHeader::parse(&stream).expect("a frame");
        let run = walk(&stream, &first);
        assert_eq!((run.frames, run.bytes), (4, 4 * 417));
        assert!((run.seconds - 4.0 * 1152.0 / 44_100.0).abs() < 1e-9);
        assert_eq!((run.bit_rate, run.is_variable), (Some(128_000), false));
        let with_junk = [&stream[..], &[0; 50], &frames(&[5, 6]), b"TAG\xff"].concat();
        let run = walk(&with_junk, &first);
        assert_eq!((run.frames, run.is_variable), (6, true));
        let joined =
            [&stream[..], &[0xff, 0xf3, 0x88, 0xc4], &[0; 284], &[0xff, 0xf3, 0x88, 0xc4], &[0; 284]]
                .concat();
        let seconds = walk(&joined, &first).seconds;
        assert!((seconds - 4.0 * 1152.0 / 44_100.0 - 2.0 * 576.0 / 16_000.0).abs() < 1e-9);
        assert_eq!(walk(&stream[..4 * 417 - 100], &first).frames, 4);
    }
}
