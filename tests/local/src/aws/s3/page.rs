//! A page of a list that is sorted by key and may fold keys into common prefixes.

/// What a list asks for.
pub(super) struct Listing<'a> {
    pub(super) prefix: &'a str,
    /// Empty where nothing is folded.
    pub(super) delimiter: &'a str,
    /// The key or common prefix with which the page before ended.
    pub(super) after: &'a str,
    /// How many entries fit.
    pub(super) limit: usize,
}

/// A page being filled.
pub(super) struct Page<T> {
    pub(super) items: Vec<T>,
    pub(super) prefixes: Vec<String>,
    /// The last key or common prefix on it.
    pub(super) last: Option<String>,
    pub(super) is_truncated: bool,
}

impl<T> Default for Page<T> {
    fn default() -> Self {
        Self { items: Vec::new(), prefixes: Vec::new(), last: None, is_truncated: false }
    }
}

impl Listing<'_> {
    /// The key behind which a page begins. It may begin in front of the prefix: that may be a key itself.
    pub(super) fn start(&self) -> &str {
        let in_front = self.prefix.char_indices().next_back().map_or("", |(last, _)| &self.prefix[..last]);
        if self.after < self.prefix { in_front } else { self.after }
    }
}

impl<T> Page<T> {
    pub(super) fn len(&self) -> usize {
        self.items.len() + self.prefixes.len()
    }

    /// Puts the next one on the page, as itself or as its common prefix; `false` ends the scan.
    pub(super) fn add(&mut self, listing: &Listing<'_>, key: &str, item: T) -> bool {
        let Some(rest) = key.strip_prefix(listing.prefix) else {
            // Behind the prefix there is nothing left to find.
            return key < listing.prefix;
        };
        let common = rest
            .find(listing.delimiter)
            .filter(|_| !listing.delimiter.is_empty())
            .map(|at| &key[..listing.prefix.len() + at + listing.delimiter.len()]);
        // A page that ended with this prefix has shown all of it; one that starts inside it shows it again.
        if common.is_some_and(|common| {
            self.prefixes.last().is_some_and(|last| last == common) || common == listing.after
        }) {
            return true;
        }
        if self.len() == listing.limit {
            self.is_truncated = true;
            return false;
        }
        self.last = Some(common.unwrap_or(key).to_owned());
        match common {
            Some(common) => self.prefixes.push(common.to_owned()),
            None => self.items.push(item),
        }
        true
    }
}
