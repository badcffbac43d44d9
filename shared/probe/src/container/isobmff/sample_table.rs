//! What the sample tables of a track add up to (ISO/IEC 14496-12 clauses 8.6.1.2, 8.7.3 and 8.7.5).

use super::tree::Node;
use crate::cursor::Cursor;

/// Larger deltas in a time table are negative ones.
const MAX_DELTA: u32 = u32::MAX - 480_000;

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
    /// Where the first chunk, and with it the first sample, begins in the file.
    pub(super) first_chunk_offset: Option<u64>,
}

impl SampleTable {
    pub(super) fn parse(stbl: &Node) -> Self {
        let times = stbl.data(*b"stts").and_then(parse_stts);
        let sizes = stbl
            .data(*b"stsz")
            .and_then(parse_stsz)
            .or_else(|| stbl.data(*b"stz2").and_then(parse_stz2))
            .unwrap_or_default();
        let table = stbl.data(*b"co64").map(|co64| (co64, 8)).or(stbl.data(*b"stco").map(|stco| (stco, 4)));
        let offset = |place| table.and_then(|(table, width)| chunk_offset(table, width, place));
        Self {
            count: times.map_or(sizes.count, |times| times.count),
            duration: times.map(|times| times.duration),
            size_bytes: sizes.total_bytes,
            last_chunk_offset: offset(Place::Last),
            first_chunk_offset: offset(Place::First),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Times {
    count: u64,
    duration: u64,
}

/// Adds a time table up. Deltas close to 2^32 are negative ones: some writers take back with them what they gave too
/// much before. As no time runs backwards, such a sample lasts one unit, and the following ones give the rest back.
fn parse_stts(data: &[u8]) -> Option<Times> {
    let mut fields = Cursor::new(data);
    fields.skip(4)?;
    let entries = usize::try_from(fields.u32()?).ok()?;
    let table = fields.take(entries.checked_mul(8)?)?;
    let mut times = Times { count: 0, duration: 0 };
    let mut owed = 0_u64;
    for entry in table.chunks_exact(8) {
        let mut fields = Cursor::new(entry);
        let (count, delta) = (u64::from(fields.u32()?), fields.u32()?);
        let mut delta_given = u64::from(delta);
        if delta > MAX_DELTA {
            delta_given = 1;
            owed = owed.saturating_add(count.saturating_mul(1 + u64::from(delta.wrapping_neg())));
        }
        if owed > 0 && count > 0 {
            let paid = (owed / count).min(delta_given.saturating_sub(1));
            owed = owed.saturating_sub(paid.saturating_mul(count));
            delta_given -= paid;
        }
        times.count = times.count.saturating_add(count);
        times.duration = times.duration.saturating_add(delta_given.saturating_mul(count));
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

#[derive(Clone, Copy)]
enum Place {
    First,
    Last,
}

/// An entry of a table of chunk offsets, `width` bytes each; `None` when there is none, or it was not read.
fn chunk_offset(table: &[u8], width: usize, place: Place) -> Option<u64> {
    let mut fields = Cursor::new(table);
    fields.skip(4)?;
    let last = usize::try_from(fields.u32()?.checked_sub(1)?).ok()?;
    if matches!(place, Place::Last) {
        fields.skip(last.checked_mul(width)?)?;
    }
    fields.take(width).map(|offset| offset.iter().fold(0, |offset, byte| offset << 8 | u64::from(*byte)))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

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
                last_chunk_offset: Some(4096),
                first_chunk_offset: Some(48),
            }
        );
    }

    #[test]
    fn what_negative_deltas_take_back_is_given_back() {
        let minus = |ticks: u32| ticks.wrapping_neg();
        let duration = |entries: &[u32]| {
            let count = u32::try_from(entries.len() / 2).unwrap();
            table(&[full(*b"stts", 0, 0, words(&[&[count], entries].concat()))]).duration
        };
        // One sample goes back 9 units: it lasts 1, and the ten of the next ones that follow lasts 1 less each.
        assert_eq!(duration(&[10, 100, 1, minus(9), 10, 100]), Some(1000 + 1 + 990));
        assert_eq!(duration(&[1, minus(9), 1, 5]), Some(1 + 1));
        assert_eq!(duration(&[1, 0x7fff_ffff]), Some(0x7fff_ffff));
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
        assert_eq!(long.duration, Some(u64::from(all) * 0x8000_0000));
        assert_eq!(
            table(&[full(*b"stsz", 0, 0, words(&[all, all]))]).size_bytes,
            Some(u64::from(all).pow(2))
        );
    }
}
