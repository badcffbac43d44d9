//! One frame of an ID3v2 tag: its header, its flags, and its data as they were before unsynchronisation.

use std::borrow::Cow;

use super::synchsafe;
use crate::cursor::Cursor;

/// The most of a frame's data that is looked at: text is short, and of a picture only the start matters.
const MAX_DATA_BYTES: usize = 16 * 1024;

pub(super) enum FrameKind {
    Text,
    UserText,
    Comment,
    Picture,
    Other,
}

pub(super) struct Frame<'a> {
    pub(super) id: &'a [u8],
    /// What is in memory of the data.
    stored: &'a [u8],
    /// Size of the data as the frame says.
    pub(super) data_bytes: u64,
    /// From the start of this frame to that of the next.
    pub(super) whole_bytes: usize,
    is_unsynchronised: bool,
    is_unreadable: bool,
}

/// Bytes of a frame's header.
pub(super) fn header_bytes(version: u8) -> usize {
    if version == 2 { 6 } else { 10 }
}

impl<'a> Frame<'a> {
    /// Reads the frame that `bytes` start with; `None` for padding and for what is no frame.
    pub(super) fn parse(version: u8, tag_is_unsynchronised: bool, bytes: &'a [u8]) -> Option<Self> {
        let mut fields = Cursor::new(bytes);
        let id = fields.take(if version == 2 { 3 } else { 4 })?;
        if !is_id(id) {
            return None;
        }
        let size = match version {
            2 => fields.u24()?,
            3 => fields.u32()?,
            _ => size_of_version_4(fields.u32()?, bytes),
        };
        let flags = if version == 2 { 0 } else { fields.u16()? };
        let (grouping, unreadable, length) = match version {
            3 => (0x20, 0xc0, 0),
            4 => (0x40, 0x0c, 0x01),
            _ => (0, 0, 0),
        };
        let extra = u32::from(flags & grouping != 0) + 4 * u32::from(flags & length != 0);
        let data_bytes = size.checked_sub(extra)?;
        let extra = usize::try_from(extra).ok()?;
        let stored = fields.rest().get(extra..).unwrap_or_default();
        let stored = &stored[..stored.len().min(usize::try_from(data_bytes).ok()?).min(MAX_DATA_BYTES)];
        Some(Self {
            id,
            stored,
            data_bytes: data_bytes.into(),
            whole_bytes: header_bytes(version).checked_add(usize::try_from(size).ok()?)?,
            is_unsynchronised: version == 4 && (tag_is_unsynchronised || flags & 2 != 0),
            is_unreadable: flags & unreadable != 0,
        })
    }

    pub(super) fn kind(&self) -> FrameKind {
        match self.id {
            b"APIC" | b"PIC" => FrameKind::Picture,
            b"TXXX" | b"TXX" => FrameKind::UserText,
            b"COMM" | b"COM" | b"USLT" | b"ULT" => FrameKind::Comment,
            [b'T', ..] => FrameKind::Text,
            _ => FrameKind::Other,
        }
    }

    /// The start of the data; `None` when they are compressed or encrypted.
    pub(super) fn data(&self) -> Option<Cow<'a, [u8]>> {
        if self.is_unreadable {
            return None;
        }
        Some(if self.is_unsynchronised { resynchronise(self.stored).into() } else { self.stored.into() })
    }
}

fn is_id(id: &[u8]) -> bool {
    id.iter().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit())
}

/// Some writers, iTunes among them, put plain sizes into version 2.4 tags: what leads to another frame is believed.
fn size_of_version_4(size: u32, frame: &[u8]) -> u32 {
    let Some(proper) = synchsafe(size) else { return size };
    let leads_on = |size: u32| {
        let next = usize::try_from(size).ok().and_then(|size| frame.get(size.checked_add(10)?..));
        next.is_some_and(|next| {
            next.is_empty() || next.iter().take(4).all(|byte| *byte == 0) || next.get(..4).is_some_and(is_id)
        })
    };
    if proper != size && !leads_on(proper) && leads_on(size) { size } else { proper }
}

/// Takes out the zero that unsynchronisation puts behind every 0xff.
pub(super) fn resynchronise(bytes: &[u8]) -> Vec<u8> {
    let mut plain = Vec::with_capacity(bytes.len());
    let mut after_ff = false;
    for &byte in bytes {
        if !(after_ff && byte == 0) {
            plain.push(byte);
        }
        after_ff = byte == 0xff;
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plain_size_is_believed_where_only_it_leads_on() {
        let frame = [1; 10 + 256];
        assert_eq!(size_of_version_4(0x100, &frame), 256);
        assert_eq!(size_of_version_4(0x100, &frame[..10 + 128]), 128);
        let followed = [&frame[..], b"TIT2"].concat();
        assert_eq!(size_of_version_4(0x100, &followed), 256);
    }
}
