//! The tables that encoders put into a first frame of silence: Xing's, which LAME and others write too, and VBRI of
//! Fraunhofer's encoder. They have no standard but each other.

use crate::codec::mpeg_audio::{FrameHeader, HEADER_BYTES};
use crate::cursor::Cursor;

/// Where a VBRI table is, behind the header.
const VBRI_OFFSET: usize = 32;
const HAS_FRAMES: u32 = 1;
const HAS_BYTES: u32 = 2;

/// What a table says of the stream.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Index {
    frames: Option<u32>,
    bytes: Option<u32>,
}

impl Index {
    /// Reads the table in the frame that `bytes` start with.
    pub(super) fn parse(first: &FrameHeader, bytes: &[u8]) -> Option<Self> {
        if first.layer != 3 {
            return None;
        }
        let body = bytes.get(HEADER_BYTES..)?;
        Self::parse_xing(body.get(first.side_info_bytes()..)?)
            .or_else(|| Self::parse_vbri(body.get(VBRI_OFFSET..)?))
    }

    fn parse_xing(table: &[u8]) -> Option<Self> {
        let mut fields = Cursor::new(table);
        if !matches!(&fields.four_cc()?, b"Xing" | b"Info") {
            return None;
        }
        let flags = fields.u32()?;
        let frames = if flags & HAS_FRAMES != 0 { Some(fields.u32()?) } else { None };
        let bytes = if flags & HAS_BYTES != 0 { Some(fields.u32()?) } else { None };
        Some(Self { frames: frames.filter(|frames| *frames > 0), bytes: bytes.filter(|bytes| *bytes > 0) })
    }

    fn parse_vbri(table: &[u8]) -> Option<Self> {
        let mut fields = Cursor::new(table);
        if &fields.four_cc()? != b"VBRI" || fields.u16()? != 1 {
            return None;
        }
        fields.skip(4)?;
        let (bytes, frames) = (fields.u32()?, fields.u32()?);
        Some(Self { frames: (frames > 0).then_some(frames), bytes: (bytes > 0).then_some(bytes) })
    }

    /// The frames of a stream of `stream_bytes`; `None` when it is longer by a sixteenth than the table knows.
    pub(super) fn frames_in(&self, stream_bytes: u64) -> Option<u64> {
        let is_longer = self.bytes.is_some_and(|bytes| {
            let bytes = u64::from(bytes);
            stream_bytes > bytes && stream_bytes - bytes > bytes >> 4
        });
        self.frames.filter(|_| !is_longer).map(u64::from)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::codec::frame::Frame as _;

    fn frame(offset: usize, table: &[u8]) -> (FrameHeader, Vec<u8>) {
        let mut bytes = vec![0xff, 0xfb, 0x90, 0x64];
        bytes.resize(4 + offset, 0);
        bytes.extend(table);
        (FrameHeader::parse(&bytes).unwrap(), bytes)
    }

    #[test]
    fn xing_tables_say_what_their_flags_announce() {
        let parse = |table: &[u8]| {
            let (first, bytes) = frame(32, table);
            Index::parse(&first, &bytes)
        };
        let full = parse(b"Xing\0\0\0\x03\0\0\x01\x80\0\0\x9f\x00").unwrap();
        assert_eq!(full, Index { frames: Some(384), bytes: Some(0x9f00) });
        assert_eq!(full.frames_in(0x9f00), Some(384));
        assert_eq!(full.frames_in(100), Some(384));
        assert_eq!(full.frames_in(0x9f00 + 0x9f0), Some(384));
        assert_eq!(full.frames_in(0x9f00 + 0x9f1), None);
        let no_frames = parse(b"Info\0\0\0\x02\0\0\x9f\x00").unwrap();
        assert_eq!((no_frames.frames_in(0x9f00), no_frames.bytes), (None, Some(0x9f00)));
        assert_eq!(parse(b"Xing\0\0\0\x03\0\0\x01"), None);
        let (_, mut layer_2) = frame(32, b"Xing\0\0\0\x03\0\0\x01\x80\0\0\x9f\x00");
        layer_2[1] = 0xfd;
        assert_eq!(Index::parse(&FrameHeader::parse(&layer_2).unwrap(), &layer_2), None);
        assert_eq!(parse(b"Ping\0\0\0\x03\0\0\x01\x80\0\0\x9f\x00"), None);
    }

    #[test]
    fn vbri_tables_are_in_one_place() {
        let (first, bytes) = frame(32, b"VBRI\0\x01\0\0\0\0\0\0\x9f\x00\0\0\x01\x80");
        assert_eq!(Index::parse(&first, &bytes), Some(Index { frames: Some(384), bytes: Some(0x9f00) }));
        let (first, bytes) = frame(32, b"VBRI\0\x02\0\0\0\0\0\0\x9f\x00\0\0\x01\x80");
        assert_eq!(Index::parse(&first, &bytes), None);
    }
}
