//! The part of a `moov` or `moof` box that matters, out of the bytes that were read of it.
//!
//! Only the boxes named in [`plan`] are kept, and they are descended into only below their proper parent, so the tree
//! is at most six levels deep whatever the file nests. Bodies are slices of what was read, not copies. A box of
//! senseless size ends its parent, not the walk; where the bytes end, or the boxes are too many, the tree ends, and
//! what was found before counts.

use bytes::Bytes;

use super::boxes::{FourCc, HEADER_BYTES, Header};

/// The most boxes that one probe looks at.
pub const MAX_BOXES: u32 = 20_000;

const KIB: u64 = 1024;

/// A box with its body or its children.
#[derive(Debug, Default)]
pub(super) struct Node {
    pub(super) kind: FourCc,
    /// The body, as far as it was read and is needed; empty for a box that was descended into.
    pub(super) data: Bytes,
    /// How long the body is by its header, read or not.
    pub(super) body_bytes: u64,
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
        (b"stbl", b"stts" | b"stsz" | b"stz2" | b"stco" | b"co64") | (b"traf", b"trun") => {
            Plan::Keep(u64::MAX)
        }
        (b"moov", b"mvhd")
        | (b"trak", b"tkhd" | b"tref")
        | (b"edts", b"elst")
        | (b"mdia", b"mdhd" | b"hdlr" | b"elng")
        | (b"mvex", b"mehd" | b"trex")
        | (b"meta", b"hdlr" | b"keys")
        | (b"traf", b"tfhd" | b"tfdt" | b"uuid") => Plan::Keep(64 * KIB),
        (b"moov", b"cmov") | (b"ilst", b"covr") => Plan::Keep(u64::MAX),
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

/// Reads the box whose `header` `bytes` begin with, and what matters below it. The bytes may end before the box does.
pub(super) fn read(bytes: &Bytes, header: Header, boxes_left: &mut u32) -> Node {
    let available = |range: std::ops::Range<u64>| {
        let at = |offset: u64| usize::try_from(offset).unwrap_or(usize::MAX).min(bytes.len());
        bytes.slice(at(range.start)..at(range.end).max(at(range.start)))
    };
    let root = Node { kind: header.kind, ..Node::default() };
    let mut path = vec![Open { node: root, position: header.body_offset, end: header.end(0, u64::MAX) }];
    // Ends: every turn either moves a position forward by at least 8 bytes or takes one box off the path.
    loop {
        let Some(open) = path.last_mut() else { return Node::default() };
        let (position, end) = (open.position, open.end);
        let header = Header::parse(&available(position..end.min(position.saturating_add(HEADER_BYTES))))
            .filter(|_| *boxes_left > 0);
        let Some(header) = header else {
            let Some(done) = path.pop() else { return Node::default() };
            match path.last_mut() {
                Some(parent) => parent.node.children.push(done.node),
                None => return done.node,
            }
            continue;
        };
        *boxes_left -= 1;
        let child_end = header.end(position, end);
        let body = position.saturating_add(header.body_offset).min(child_end);
        open.position = child_end;
        let mut node = Node { kind: header.kind, body_bytes: child_end - body, ..Node::default() };
        match plan(open.node.kind, header.kind) {
            Plan::Skip => {}
            Plan::Keep(at_most) => {
                node.data = available(body..body.saturating_add(at_most).min(child_end));
                open.node.children.push(node);
            }
            Plan::Descend => path.push(Open { node, position: body, end: child_end }),
            Plan::DescendMeta => {
                let head = available(body..body.saturating_add(8).min(child_end));
                let skip = if head.ends_with(b"hdlr") { 0 } else { 4 };
                path.push(Open { node, position: body.saturating_add(skip), end: child_end });
            }
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    #![allow(clippy::unwrap_used)]

    use super::super::boxes::tests::{boxed, full};
    use super::*;

    /// The tree of one box given by its bytes.
    pub(crate) fn tree(bytes: &[u8]) -> Node {
        let header = Header::parse(bytes).unwrap();
        let mut boxes_left = MAX_BOXES;
        read(&bytes.to_vec().into(), header, &mut boxes_left)
    }

    #[test]
    fn one_odd_box_does_not_lose_its_siblings() {
        let odd = boxed(*b"udta", b"\0\0\0\x03bad!");
        let track = boxed(*b"trak", full(*b"tkhd", 0, 0, b"track"));
        let huge = [&0xffff_fff0_u32.to_be_bytes()[..], b"mvexrest"].concat();
        let node = tree(&boxed(*b"moov", [odd, track, huge].concat()));
        let kinds: Vec<_> = node.children.iter().map(|child| child.kind).collect();
        assert_eq!(kinds, [*b"udta", *b"trak", *b"mvex"]);
        assert_eq!(node.child(*b"trak").unwrap().data(*b"tkhd"), Some(&b"\0\0\0\0track"[..]));
    }

    #[test]
    fn bytes_that_end_early_cut_the_box_that_they_end_in() {
        let stsz = full(*b"stsz", 0, 0, vec![7; 100]);
        let stbl =
            boxed(*b"stbl", [full(*b"stco", 0, 0, [1; 8]), full(*b"ctts", 0, 0, [0; 9]), stsz].concat());
        let cut = tree(&stbl[..stbl.len() - 60]);
        let table = cut.child(*b"stsz").unwrap();
        assert_eq!((table.data.len(), table.body_bytes), (44, 104));
        assert_eq!(cut.data(*b"stco").unwrap().len(), 12);
        assert!(cut.child(*b"ctts").is_none());
    }

    #[test]
    fn too_many_boxes_end_the_tree() {
        let track = boxed(*b"trak", full(*b"tkhd", 0, 0, b"track"));
        let bytes = boxed(*b"moov", [track, boxed(*b"free", []).repeat(100), boxed(*b"mvex", [])].concat());
        let mut boxes_left = 50;
        let node = read(&bytes.clone().into(), Header::parse(&bytes).unwrap(), &mut boxes_left);
        assert_eq!((node.children.len(), boxes_left), (1, 0));
    }

    #[test]
    fn quicktime_metadata_has_no_version() {
        let hdlr = full(*b"hdlr", 0, 0, b"\0\0\0\0mdta");
        for meta in [boxed(*b"meta", &hdlr), full(*b"meta", 0, 0, &hdlr)] {
            let node = tree(&boxed(*b"moov", meta));
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
        assert_eq!(tree(&bytes).children.len(), 1);
    }
}
