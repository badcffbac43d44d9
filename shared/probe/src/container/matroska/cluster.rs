//! Clusters and the blocks in them (RFC 9559 clause 5.1.3 and 10): when frames are shown, and the first of a track.

use super::ebml::{Header, MAX_HEADER_BYTES, children, read_number, unsigned};
use crate::cursor::Cursor;

pub(super) const CLUSTER: u32 = 0x1f43_b675;
const TIMESTAMP: u32 = 0xe7;
const SIMPLE_BLOCK: u32 = 0xa3;
const BLOCK_GROUP: u32 = 0xa0;
const BLOCK: u32 = 0xa1;
const BLOCK_DURATION: u32 = 0x9b;
/// What a cluster may start with: `Void`, CRC-32, its timestamp, position, size of the one before.
const FIRST_CHILDREN: [u32; 5] = [0xec, 0xbf, TIMESTAMP, 0xa7, 0xab];

/// A block, of whatever lacing.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Block<'a> {
    pub(super) track: u64,
    /// In the ticks of the segment.
    pub(super) timestamp: i64,
    pub(super) duration: Option<u64>,
    is_laced: bool,
    /// What there is of the frames.
    data: &'a [u8],
}

impl<'a> Block<'a> {
    fn parse(body: &'a [u8], cluster_timestamp: i64) -> Option<Self> {
        let (track, track_bytes) = read_number(body)?;
        let mut fields = Cursor::new(body.get(track_bytes..)?);
        let relative = fields.u16()?.cast_signed();
        let flags = fields.u8()?;
        let timestamp = cluster_timestamp.saturating_add(relative.into());
        Some(Self { track, timestamp, duration: None, is_laced: flags & 6 != 0, data: fields.rest() })
    }

    /// The only frame of the block; `None` when there are several.
    pub(super) fn frame(&self) -> Option<&'a [u8]> {
        (!self.is_laced).then_some(self.data)
    }
}

/// The blocks of the clusters in `bytes`, which start with one and may end anywhere.
pub(super) fn blocks(bytes: &[u8]) -> Vec<Block<'_>> {
    let mut blocks = Vec::new();
    let mut timestamp = 0;
    let mut rest = bytes;
    // Each turn takes a header at least.
    while let Some(header) = Header::parse(rest) {
        let header_bytes = usize::try_from(header.header_bytes).unwrap_or(usize::MAX);
        rest = rest.get(header_bytes..).unwrap_or_default();
        // The children of a cluster are read as if they were beside it: its size, known or not, does not matter.
        if header.id == CLUSTER {
            timestamp = 0;
            continue;
        }
        let size = header.size.and_then(|size| usize::try_from(size).ok()).unwrap_or(usize::MAX);
        let (body, after) = rest.split_at(size.min(rest.len()));
        match header.id {
            TIMESTAMP => timestamp = unsigned(body).and_then(|ticks| i64::try_from(ticks).ok()).unwrap_or(0),
            SIMPLE_BLOCK => blocks.extend(Block::parse(body, timestamp)),
            BLOCK_GROUP => blocks.extend(parse_group(body, timestamp)),
            _ => {}
        }
        rest = after;
    }
    blocks
}

fn parse_group(group: &[u8], cluster_timestamp: i64) -> Option<Block<'_>> {
    let mut block = None;
    let mut duration = None;
    for element in children(group) {
        match element.id {
            BLOCK => block = Block::parse(element.body, cluster_timestamp),
            BLOCK_DURATION => duration = unsigned(element.body),
            _ => {}
        }
    }
    Some(Block { duration, ..block? })
}

/// Where the last cluster in `bytes` starts. Its identifier may occur in a frame too, so what follows it counts.
pub(super) fn last_cluster(bytes: &[u8]) -> Option<usize> {
    let id = CLUSTER.to_be_bytes();
    (0..bytes.len()).rev().find(|start| bytes[*start..].starts_with(&id) && is_cluster(&bytes[*start..]))
}

fn is_cluster(bytes: &[u8]) -> bool {
    let first = children(bytes).next().and_then(|cluster| children(cluster.body).next());
    first.is_some_and(|first| {
        FIRST_CHILDREN.contains(&first.id) && first.size.is_some_and(|size| size <= 8 * MAX_HEADER_BYTES)
    })
}

#[cfg(test)]
mod tests {
    use super::super::ebml::tests::{element, endless};
    use super::*;

    fn block(track: u8, relative: i16, flags: u8) -> Vec<u8> {
        let [high, low] = relative.to_be_bytes();
        vec![0x80 | track, high, low, flags, b'F', b'R']
    }

    #[test]
    fn blocks_are_timed_by_their_cluster() {
        let group = [element(BLOCK, block(2, -5, 0)), element(BLOCK_DURATION, [40])].concat();
        let first = [element(TIMESTAMP, [1, 0]), element(SIMPLE_BLOCK, block(1, 3, 0x80))].concat();
        let second = [element(TIMESTAMP, [2, 0]), element(BLOCK_GROUP, group)].concat();
        let first = endless(CLUSTER, first);
        let bytes = [first.clone(), element(CLUSTER, second)].concat();
        let found: Vec<_> =
            blocks(&bytes).iter().map(|b| (b.track, b.timestamp, b.duration, b.frame())).collect();
        assert_eq!(found, [(1, 259, None, Some(&b"FR"[..])), (2, 507, Some(40), Some(&b"FR"[..]))]);
        assert_eq!(last_cluster(&bytes), Some(first.len()));
    }

    #[test]
    fn a_lacing_hides_the_frame() {
        let bytes = element(CLUSTER, element(SIMPLE_BLOCK, block(1, 0, 6)));
        assert_eq!(blocks(&bytes).first().map(Block::frame), Some(None));
    }

    #[test]
    fn a_cluster_is_believed_by_what_it_starts_with() {
        let real = element(CLUSTER, element(TIMESTAMP, [1]));
        for first in FIRST_CHILDREN {
            assert_eq!(last_cluster(&element(CLUSTER, element(first, [1]))), Some(0), "{first:x}");
        }
        // In a frame: of another kind, of a length that none of these has, of none.
        for first in [element(SIMPLE_BLOCK, [1]), element(TIMESTAMP, [0; 97]), endless(TIMESTAMP, [1])] {
            let frame = element(SIMPLE_BLOCK, element(CLUSTER, first));
            assert_eq!(last_cluster(&[real.clone(), frame].concat()), Some(0));
        }
    }

    #[test]
    fn nonsense_has_no_blocks() {
        assert!(blocks(&[0; 100]).is_empty());
        assert!(blocks(&element(CLUSTER, element(SIMPLE_BLOCK, [0x81, 0]))).is_empty());
        assert!(blocks(&CLUSTER.to_be_bytes().repeat(50)).is_empty());
        assert_eq!(last_cluster(&CLUSTER.to_be_bytes().repeat(50)), None);
        assert_eq!(last_cluster(&[]), None);
    }
}
