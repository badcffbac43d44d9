//! The part of a `moov` or `moof` box that matters, read into memory.
//!
//! Only the boxes named in [`plan`] are kept, and they are descended into only below their proper parent, so the tree
//! is at most six levels deep whatever the file nests. Sample tables, which make up nearly all of a long film's
//! index, are read only as far as they are needed. A box of senseless size ends its parent, not the walk.

use bytes::Bytes;

use super::boxes::{FourCc, HEADER_BYTES, Header};
use crate::error::ProbeError;
use crate::reader::Reader;
use crate::source::ByteSource;

/// The most boxes that one probe looks at.
pub const MAX_BOXES: u32 = 20_000;

const KIB: u64 = 1024;
/// Version, flags, constant size and count of a sample size table: all that is read of a long one.
const TABLE_HEAD_BYTES: u64 = 12;
/// A sample table up to this long is always read whole.
const SHORT_TABLE_BYTES: u64 = 16 * KIB;

/// Whether sample tables are read whole or as little as will do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tables {
    Whole,
    Heads,
}

/// A box with the first bytes of its body, and its children.
#[derive(Debug, Default)]
pub(super) struct Node {
    pub(super) kind: FourCc,
    /// The body, cut at what is needed of it; empty for a box that was descended into.
    pub(super) data: Bytes,
    /// The last 8 bytes of a table of chunk offsets, however long it is.
    pub(super) tail: Bytes,
    pub(super) children: Vec<Node>,
}

impl Node {
    pub(super) fn child(&self, kind: FourCc) -> Option<&Node> {
        self.children.iter().find(|child| child.kind == kind)
    }

    pub(super) fn all(&self, kind: FourCc) -> impl Iterator<Item = &Node> {
        self.children.iter().filter(move |child| child.kind == kind)
    }

    /// The body of the first child of type `kind`.
    pub(super) fn data(&self, kind: FourCc) -> Option<&[u8]> {
        self.child(kind).map(|child| &child.data[..])
    }
}

enum Plan {
    /// Its body is boxes.
    Descend,
    /// Its body is boxes behind a version and flags, which QuickTime leaves out.
    DescendMeta,
    /// Keep the body up to this many bytes.
    Keep(u64),
    /// Keep the whole table or only its head.
    KeepTable,
    /// Keep the first bytes and the last 8.
    KeepEnds,
    Skip,
}

fn plan(parent: FourCc, kind: FourCc) -> Plan {
    match (&parent, &kind) {
        (b"moov", b"trak" | b"mvex" | b"udta")
        | (b"trak", b"mdia" | b"edts" | b"udta")
        | (b"mdia", b"minf")
        | (b"minf", b"stbl")
        | (b"meta", b"ilst")
        | (b"moof", b"traf") => Plan::Descend,
        (b"moov" | b"trak" | b"udta", b"meta") => Plan::DescendMeta,
        (b"stbl", b"stsd") => Plan::Keep(256 * KIB),
        (b"stbl", b"stts" | b"stsz" | b"stz2") => Plan::KeepTable,
        (b"stbl", b"stco" | b"co64") => Plan::KeepEnds,
        (b"moov", b"mvhd" | b"cmov")
        | (b"trak", b"tkhd" | b"tref")
        | (b"edts", b"elst")
        | (b"mdia", b"mdhd" | b"hdlr" | b"elng")
        | (b"mvex", b"mehd" | b"trex")
        | (b"meta", b"hdlr" | b"keys")
        | (b"traf", b"tfhd" | b"tfdt" | b"uuid") => Plan::Keep(64 * KIB),
        (b"traf", b"trun") => Plan::Keep(u64::MAX),
        (b"ilst", b"covr") => Plan::Skip,
        (b"ilst" | b"udta", _) => Plan::Keep(8 * KIB),
        _ => Plan::Skip,
    }
}

/// A box on the way down: its children are being read.
struct Open {
    node: Node,
    position: u64,
    end: u64,
}

/// Reads the box at `offset`, with the `header` it has there, and what matters below it.
pub(super) async fn read<S: ByteSource>(
    reader: &mut Reader<'_, S>,
    boxes_left: &mut u32,
    offset: u64,
    header: Header,
    tables: Tables,
) -> Result<Node, ProbeError<S::Error>> {
    let end = header.end(offset, reader.len());
    let root = Node { kind: header.kind, ..Node::default() };
    let mut path = vec![Open { node: root, position: offset + header.body_offset, end }];
    // Ends: every turn either moves a position forward by at least 8 bytes or takes one box off the path.
    loop {
        let Some(open) = path.last_mut() else { return Ok(Node::default()) };
        let (position, end) = (open.position, open.end);
        let header = if end.saturating_sub(position) < 8 {
            None
        } else {
            Header::parse(&reader.read(position..position.saturating_add(HEADER_BYTES).min(end)).await?)
        };
        let Some(header) = header else {
            let Some(done) = path.pop() else { return Ok(Node::default()) };
            match path.last_mut() {
                Some(parent) => parent.node.children.push(done.node),
                None => return Ok(done.node),
            }
            continue;
        };
        spend_box(boxes_left)?;
        let child_end = header.end(position, end);
        let body = position.saturating_add(header.body_offset).min(child_end);
        open.position = child_end;
        let mut node = Node { kind: header.kind, ..Node::default() };
        match plan(open.node.kind, header.kind) {
            Plan::Skip => {}
            Plan::Keep(at_most) => {
                node.data = reader.read(body..body.saturating_add(at_most).min(child_end)).await?;
                open.node.children.push(node);
            }
            Plan::KeepTable => {
                let is_kept = tables == Tables::Whole || child_end - body <= SHORT_TABLE_BYTES;
                let kept_end = if is_kept { child_end } else { body + TABLE_HEAD_BYTES };
                node.data = reader.read(body..kept_end).await?;
                open.node.children.push(node);
            }
            Plan::KeepEnds => {
                node.data = reader.read(body..body.saturating_add(8).min(child_end)).await?;
                node.tail = reader.read(child_end.saturating_sub(8).max(body)..child_end).await?;
                open.node.children.push(node);
            }
            Plan::Descend => path.push(Open { node, position: body, end: child_end }),
            Plan::DescendMeta => {
                let head = reader.read(body..body.saturating_add(8).min(child_end)).await?;
                let skip = if head.ends_with(b"hdlr") { 0 } else { 4 };
                path.push(Open { node, position: body.saturating_add(skip), end: child_end });
            }
        }
    }
}

/// Counts one more box.
pub(super) fn spend_box<E>(boxes_left: &mut u32) -> Result<(), ProbeError<E>> {
    let Some(left) = boxes_left.checked_sub(1) else {
        return Err(ProbeError::LimitExceeded { limit: format!("it has more than {MAX_BOXES} boxes") });
    };
    *boxes_left = left;
    Ok(())
}

#[cfg(test)]
pub(super) mod tests {
    #![allow(clippy::unwrap_used)]

    use super::super::boxes::tests::{boxed, full};
    use super::*;
    use crate::source::MemorySource;

    /// The tree of one box given by its bytes.
    pub(crate) fn tree(bytes: &[u8], tables: Tables) -> Node {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let source = MemorySource::new(bytes.to_vec());
        let mut reader = Reader::new(&source);
        let mut boxes_left = MAX_BOXES;
        let header = Header::parse(bytes).unwrap();
        runtime.block_on(read(&mut reader, &mut boxes_left, 0, header, tables)).unwrap()
    }

    #[test]
    fn one_odd_box_does_not_lose_its_siblings() {
        let odd = boxed(*b"udta", b"\0\0\0\x03bad!");
        let track = boxed(*b"trak", full(*b"tkhd", 0, 0, b"track"));
        let huge = [&0xffff_fff0_u32.to_be_bytes()[..], b"mvexrest"].concat();
        let node = tree(&boxed(*b"moov", [odd, track, huge].concat()), Tables::Whole);
        let kinds: Vec<_> = node.children.iter().map(|child| child.kind).collect();
        assert_eq!(kinds, [*b"udta", *b"trak", *b"mvex"]);
        assert_eq!(node.child(*b"trak").unwrap().data(*b"tkhd"), Some(&b"\0\0\0\0track"[..]));
    }

    #[test]
    fn sample_tables_are_kept_as_far_as_needed() {
        let stsz = full(*b"stsz", 0, 0, vec![7; 20_000]);
        let stco = full(*b"stco", 0, 0, [&vec![1; 1000][..], b"12345678"].concat());
        let stbl = boxed(*b"stbl", [stsz, stco, full(*b"ctts", 0, 0, [0; 100])].concat());
        let heads = tree(&stbl, Tables::Heads);
        assert_eq!(heads.data(*b"stsz").unwrap().len(), 12);
        assert_eq!(&heads.child(*b"stco").unwrap().tail[..], b"12345678");
        assert!(heads.child(*b"ctts").is_none());
        assert_eq!(tree(&stbl, Tables::Whole).data(*b"stsz").unwrap().len(), 20_004);
    }

    #[test]
    fn quicktime_metadata_has_no_version() {
        let hdlr = full(*b"hdlr", 0, 0, b"\0\0\0\0mdta");
        for meta in [boxed(*b"meta", &hdlr), full(*b"meta", 0, 0, &hdlr)] {
            let node = tree(&boxed(*b"moov", meta), Tables::Whole);
            assert!(node.child(*b"meta").unwrap().child(*b"hdlr").is_some());
        }
    }

    #[test]
    fn deep_nesting_costs_no_stack() {
        let mut bytes = Vec::new();
        for level in (1..=20_000_u32).rev() {
            bytes.extend((level * 8).to_be_bytes());
            bytes.extend(if level == 20_000 { b"moov" } else { b"trak" });
        }
        assert_eq!(tree(&bytes, Tables::Whole).children.len(), 1);
    }
}
