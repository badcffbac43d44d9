//! What the sample tables of a track add up to (ISO/IEC 14496-12 clauses 8.6.1.2, 8.7.3 and 8.7.5).

use super::tree::Node;
use crate::cursor::Cursor;

#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct SampleTable {
    /// Number of samples, by the time table where it was read whole, else by the size table.
    pub(super) count: u64,
    /// Sum of the time table in the track's timescale; `None` when it was not read whole.
    pub(super) duration: Option<u64>,
    /// Sum of all sample sizes; `None` when they differ and were not read whole.
    pub(super) size_bytes: Option<u64>,
    /// Where the last chunk begins in the file.
    pub(super) last_chunk_offset: Option<u64>,
}

impl SampleTable {
    pub(super) fn parse(stbl: &Node) -> Self {
        let times = stbl.data(*b"stts").and_then(parse_stts);
        let sizes = stbl
            .data(*b"stsz")
            .and_then(parse_stsz)
            .or_else(|| stbl.data(*b"stz2").and_then(parse_stz2))
            .unwrap_or_default();
        let last_32 = stbl.data(*b"stco").and_then(|stco| last_offset(stco, 4));
        let last_64 = stbl.data(*b"co64").and_then(|co64| last_offset(co64, 8));
        Self {
            count: times.map_or(sizes.count, |times| times.count),
            duration: times.map(|times| times.duration),
            size_bytes: sizes.total_bytes,
            last_chunk_offset: last_32.max(last_64),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Times {
    count: u64,
    duration: u64,
}

fn parse_stts(data: &[u8]) -> Option<Times> {
    let mut fields = Cursor::new(data);
    fields.skip(4)?;
    let entries = usize::try_from(fields.u32()?).ok()?;
    let table = fields.take(entries.checked_mul(8)?)?;
    let mut times = Times { count: 0, duration: 0 };
    for entry in table.chunks_exact(8) {
        let mut fields = Cursor::new(entry);
        let (count, delta) = (fields.u32()?, fields.i32()?);
        // Some writers store small negative deltas; they are no time.
        let delta = u64::try_from(delta).unwrap_or(0);
        times.count = times.count.saturating_add(count.into());
        times.duration = times.duration.saturating_add(delta.saturating_mul(count.into()));
    }
    Some(times)
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Sizes {
    count: u64,
    total_bytes: Option<u64>,
}

fn parse_stsz(data: &[u8]) -> Option<Sizes> {
    let mut fields = Cursor::new(data);
    fields.skip(4)?;
    let (constant, count) = (fields.u32()?, fields.u32()?);
    if constant > 0 {
        let total = u64::from(constant) * u64::from(count);
        return Some(Sizes { count: count.into(), total_bytes: Some(total) });
    }
    let table = usize::try_from(count).ok()?.checked_mul(4).and_then(|bytes| fields.take(bytes));
    let total = table
        .map(|table| table.chunks_exact(4).filter_map(|size| Cursor::new(size).u32()).map(u64::from).sum());
    Some(Sizes { count: count.into(), total_bytes: total })
}

fn parse_stz2(data: &[u8]) -> Option<Sizes> {
    let mut fields = Cursor::new(data);
    fields.skip(7)?;
    let field_bits = fields.u8()?;
    let count = fields.u32()?;
    let bytes = u64::from(count).checked_mul(field_bits.into())?.div_ceil(8);
    let table = usize::try_from(bytes).ok().and_then(|bytes| fields.take(bytes));
    let total = table.map(|table| match field_bits {
        4 => table.iter().map(|pair| u64::from(pair >> 4) + u64::from(pair & 15)).sum(),
        16 => table.chunks_exact(2).filter_map(|size| Cursor::new(size).u16()).map(u64::from).sum(),
        _ => table.iter().copied().map(u64::from).sum(),
    });
    Some(Sizes { count: count.into(), total_bytes: total })
}

/// The last entry of a table of chunk offsets, `width` bytes each; `None` when it was not read.
fn last_offset(table: &[u8], width: usize) -> Option<u64> {
    let mut fields = Cursor::new(table);
    fields.skip(4)?;
    let last = usize::try_from(fields.u32()?.checked_sub(1)?).ok()?;
    fields.skip(last.checked_mul(width)?)?;
    fields.take(width).map(|offset| offset.iter().fold(0, |offset, byte| offset << 8 | u64::from(*byte)))
}

#[cfg(test)]
mod tests {
    use super::super::boxes::tests::{boxed, full};
    use super::super::tree::tests::tree;
    use super::*;

    fn words(words: &[u32]) -> Vec<u8> {
        words.iter().flat_map(|word| word.to_be_bytes()).collect()
    }

    fn table(boxes: &[Vec<u8>]) -> SampleTable {
        SampleTable::parse(&tree(&boxed(*b"stbl", boxes.concat())))
    }

    #[test]
    fn tables_add_up() {
        let stts = full(*b"stts", 0, 0, words(&[2, 100, 1001, 1, 500]));
        let stsz = full(*b"stsz", 0, 0, words(&[0, 3, 10, 20, 30]));
        let stco = full(*b"stco", 0, 0, words(&[2, 48, 4096]));
        assert_eq!(
            table(&[stts, stsz, stco]),
            SampleTable {
                count: 101,
                duration: Some(100_600),
                size_bytes: Some(60),
                last_chunk_offset: Some(4096)
            }
        );
    }

    #[test]
    fn sizes_may_be_constant_packed_or_missing() {
        assert_eq!(table(&[full(*b"stsz", 0, 0, words(&[4, 1000]))]).size_bytes, Some(4000));
        assert_eq!(table(&[full(*b"stz2", 0, 0, [0, 0, 0, 4, 0, 0, 0, 3, 0x12, 0x30])]).size_bytes, Some(6));
        assert_eq!(table(&[full(*b"stz2", 0, 0, [0, 0, 0, 16, 0, 0, 0, 1, 1, 2])]).size_bytes, Some(258));
        let co64 = full(*b"co64", 0, 0, words(&[1, 1, 2]));
        assert_eq!(table(&[co64]).last_chunk_offset, Some((1 << 32) + 2));
        assert_eq!(table(&[full(*b"stco", 0, 0, words(&[0]))]).last_chunk_offset, None);
    }

    #[test]
    fn counts_of_two_to_the_32_cost_nothing() {
        let all = u32::MAX;
        let lying =
            table(&[full(*b"stts", 0, 0, words(&[all, 1, 1])), full(*b"stsz", 0, 0, words(&[0, all, 1]))]);
        assert_eq!((lying.count, lying.duration, lying.size_bytes), (all.into(), None, None));
        let long = table(&[full(*b"stts", 0, 0, words(&[2, all, 0x7fff_ffff, all, all]))]);
        assert_eq!(long.duration, Some(u64::from(all) * 0x7fff_ffff));
        assert_eq!(
            table(&[full(*b"stsz", 0, 0, words(&[all, all]))]).size_bytes,
            Some(u64::from(all).pow(2))
        );
    }
}
