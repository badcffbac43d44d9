//! Pages of lists that are read from several places at once, each sorted by id from the newest.
//!
//! A place is read up to a bound, and some of what is read may not be for the caller. So a page ends where the first
//! unfinished place was left: nothing beyond can be told yet to be next. It may be short and still have a cursor.

use std::collections::BTreeMap;

/// What was read of one place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stretch<Id, T> {
    /// What is for the caller, by id.
    pub items: Vec<(Id, T)>,
    /// The last id that was read, if there may be more behind it.
    pub unfinished_after: Option<Id>,
}

/// A page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page<Id, T> {
    /// The items, the newest first, each once.
    pub items: Vec<T>,
    /// The last id that was shown or passed over, if there may be more behind it.
    pub next: Option<Id>,
}

impl<Id: Copy + Ord, T> Page<Id, T> {
    /// Merges what was read into a page of at most `limit` items.
    pub fn merge(stretches: Vec<Stretch<Id, T>>, limit: usize) -> Self {
        let frontier = stretches.iter().filter_map(|stretch| stretch.unfinished_after).max();
        let mut known = BTreeMap::new();
        for (id, item) in stretches.into_iter().flat_map(|stretch| stretch.items) {
            if frontier.is_none_or(|frontier| id >= frontier) {
                known.entry(id).or_insert(item);
            }
        }
        let is_cut = known.len() > limit;
        let mut shown: Vec<(Id, T)> = known.into_iter().rev().collect();
        shown.truncate(limit);
        let last = shown.last().map(|(id, _)| *id);
        let next = if is_cut { last } else { frontier };
        Self { items: shown.into_iter().map(|(_, item)| item).collect(), next }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Reads at most `bound` items below `cursor` of a place, some of which are hidden.
    fn read(place: &[(u32, bool)], cursor: Option<u32>, bound: usize) -> Stretch<u32, u32> {
        let below = place.iter().filter(|(id, _)| cursor.is_none_or(|cursor| *id < cursor));
        let read: Vec<(u32, bool)> = below.copied().take(bound).collect();
        let unfinished_after = if read.len() == bound { read.last().map(|(id, _)| *id) } else { None };
        let items = read.into_iter().filter(|(_, is_shown)| *is_shown).map(|(id, _)| (id, id)).collect();
        Stretch { items, unfinished_after }
    }

    proptest! {
        #[test]
        fn paging_shows_everything_once_and_in_order(
            places in proptest::collection::vec(
                proptest::collection::btree_map(0..200_u32, any::<bool>(), 0..40), 1..5
            ),
            limit in 1..10_usize,
            bound in 1..10_usize,
        ) {
            let places: Vec<Vec<(u32, bool)>> =
                places.into_iter().map(|place| place.into_iter().rev().collect()).collect();
            let mut expected: Vec<u32> = places.iter().flatten()
                .filter(|(_, is_shown)| *is_shown).map(|(id, _)| *id).collect();
            expected.sort_unstable_by(|one, other| other.cmp(one));
            expected.dedup();

            let (mut shown, mut cursor) = (Vec::new(), None);
            for _ in 0..1_000 {
                let stretches = places.iter().map(|place| read(place, cursor, bound)).collect();
                let page = Page::merge(stretches, limit);
                prop_assert!(page.items.len() <= limit);
                shown.extend(page.items);
                match page.next {
                    Some(next) => {
                        prop_assert!(cursor.is_none_or(|cursor| next < cursor), "no progress");
                        cursor = Some(next);
                    }
                    None => break,
                }
            }
            prop_assert_eq!(shown, expected);
        }
    }
}
