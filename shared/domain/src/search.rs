//! Searching titles: how a text is cut into words, folded, and matched.
//!
//! Words are those of UAX #29, tailored: an underscore separates words too, as in the names of files, and so does an
//! apostrophe, so that `d'été` is found by `été`. They are folded so that `Café`, `CAFE` and `cafe` are one word:
//! decomposed (NFKD), letters and digits only, in lower case. A search names words or their beginnings; all of them have to
//! be in the title.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use unicode_normalization::UnicodeNormalization as _;
use unicode_normalization::char::is_combining_mark;
use unicode_segmentation::UnicodeSegmentation as _;

use crate::{Invalid, MediaId};

/// How many distinct words of a title can be searched for, and how many a search can have; the first ones count. As many
/// as leave room for all of them, twice, in the transaction that changes title and tags of a media.
pub const MAX_WORDS: usize = 29;

/// What separates words, beyond what UAX #29 says.
const SEPARATORS: [char; 3] = ['_', '\'', '’'];

/// How long the beginning of a word has to be to find it.
const MIN_PREFIX_LETTERS: usize = 2;

/// How much of a word is compared: longer ones are cut.
const MAX_WORD_LETTERS: usize = 40;

/// The distinct words of a title, folded.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Words(BTreeSet<String>);

impl Words {
    /// Of a text.
    pub fn of(text: &str) -> Self {
        let mut words = BTreeSet::new();
        for word in
            text.split(SEPARATORS).flat_map(str::unicode_words).map(fold).filter(|word| !word.is_empty())
        {
            if words.len() == MAX_WORDS {
                break;
            }
            words.insert(word);
        }
        Self(words)
    }

    /// They, in order.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }
}

/// A search.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Query {
    /// Folded, the longest first; at least one.
    terms: Vec<String>,
}

impl Query {
    /// What a client typed.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        let mut terms: Vec<String> = Words::of(text).0.into_iter().collect();
        if terms.is_empty() {
            return Err(Invalid::new("must have a word: letters or digits"));
        }
        terms.sort_by_key(|term| (std::cmp::Reverse(term.chars().count()), term.clone()));
        Ok(Self { terms })
    }

    /// The search itself: the same for all texts that find the same.
    pub fn terms(&self) -> &[String] {
        &self.terms
    }

    /// The term that is looked up: the longest, since the fewest titles have it. The others filter what it finds.
    pub fn leading_term(&self) -> &str {
        self.terms.first().map_or("", String::as_str)
    }

    /// Whether the leading term is long enough to find words that begin with it.
    pub fn is_prefix(&self) -> bool {
        is_prefix(self.leading_term())
    }

    /// Whether a search passes this word: it is the leading term, or begins with it.
    pub fn passes(&self, word: &str) -> bool {
        let term = self.leading_term();
        word == term || (self.is_prefix() && word.starts_with(term) && fold(word) == word)
    }

    /// Whether a title with these words is found.
    pub fn matches(&self, words: &Words) -> bool {
        self.terms.iter().all(|term| words.0.contains(term) || begun(words, term).is_some())
    }

    /// Under which of its words a title is found: under the term itself if it has that, else under the last one that
    /// begins so. One title has several such words and is to be found once.
    pub fn found_under<'a>(&self, words: &'a Words) -> Option<&'a str> {
        let term = self.leading_term();
        words.0.get(term).map(String::as_str).or_else(|| begun(words, term))
    }
}

/// A title's word: a place in the order in which a search passes words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TitleWord {
    /// The word, folded.
    pub word: String,
    /// Of which media.
    pub media_id: MediaId,
}

/// The last word that begins with `term`.
fn begun<'a>(words: &'a Words, term: &str) -> Option<&'a str> {
    words.iter().filter(|word| is_prefix(term) && word.starts_with(term)).last()
}

fn is_prefix(term: &str) -> bool {
    term.chars().count() >= MIN_PREFIX_LETTERS
}

/// A word's letters and digits, without marks and in lower case.
fn fold(word: &str) -> String {
    let letters = word.nfkd().filter(|letter| is_part(*letter)).flat_map(char::to_lowercase);
    // Lowering some letters brings a mark of its own.
    letters.nfkd().filter(|letter| is_part(*letter)).take(MAX_WORD_LETTERS).collect()
}

/// Whether a character counts. Some marks are alphabetic too.
fn is_part(letter: char) -> bool {
    letter.is_alphanumeric() && !is_combining_mark(letter)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn words(text: &str) -> Vec<String> {
        Words::of(text).iter().map(str::to_owned).collect()
    }

    fn finds(query: &str, title: &str) -> bool {
        Query::parse(query).unwrap().matches(&Words::of(title))
    }

    #[test]
    fn case_and_accents_do_not_count() {
        for spelling in ["Café", "CAFE", "cafe", "Cafe\u{301}", "ＣＡＦÉ"] {
            assert_eq!(words(spelling), ["cafe"], "{spelling}");
        }
        assert_eq!(words("İstanbul"), ["istanbul"]);
        assert_eq!(words("Straße"), ["straße"]);
    }

    #[test]
    fn any_script_has_words() {
        assert_eq!(words("Der Zauberberg, 2. Teil"), ["2", "der", "teil", "zauberberg"]);
        // Й is И with a mark, as É is E with one.
        assert_eq!(words("Война и мир"), ["воина", "и", "мир"]);
        assert_eq!(words("東京"), ["京", "東"]);
        // A vowel that is a mark does not count, as an accent does not.
        assert_eq!(words("हिन्दी"), ["हनद"]);
        assert_eq!(words("— … !"), [] as [&str; 0]);
    }

    #[test]
    fn only_letters_and_digits_of_a_word_count() {
        assert_eq!(words("can't l’été"), ["can", "ete", "l", "t"]);
        assert_eq!(words("3.14 U.S.A."), ["314", "usa"]);
        assert_eq!(words("my_holiday_02.mp4"), ["02", "holiday", "mp4", "my"]);
        // A quotation mark inside of a Hebrew word; a presentation form that decomposes into a space and a mark.
        assert_eq!(words("צה\"ל \u{fe70}ab"), ["ab", "צהל"]);
    }

    #[test]
    fn all_words_are_required_and_beginnings_suffice() {
        assert!(finds("summer cafe", "A Café in summer"));
        assert!(finds("su caf", "A Café in summer"));
        assert!(!finds("summer winter", "A Café in summer"));
        // One letter is a word of its own, not the beginning of any.
        assert!(finds("a", "A Café in summer") && !finds("s", "A Café in summer"));
        assert!(finds("東", "東京"));
    }

    #[test]
    fn a_title_is_found_under_one_word() {
        let query = Query::parse("car").unwrap();
        assert_eq!(query.found_under(&Words::of("cart car carpet")), Some("car"));
        assert_eq!(query.found_under(&Words::of("cart carpet")), Some("cart"));
        assert_eq!(query.found_under(&Words::of("scar")), None);
        assert_eq!(Query::parse("of carpets").unwrap().leading_term(), "carpets");
    }

    #[test]
    fn a_query_has_words_and_the_first_ones_count() {
        assert!(Query::parse(" … ").is_err());
        // A language without spaces has a word a letter: any title can be searched for.
        let title: String = ('一'..='龥').take(200).collect();
        assert!(finds(&title, &title));
        assert_eq!(Query::parse(&title).unwrap().terms().len(), MAX_WORDS);
    }

    #[test]
    fn a_search_passes_its_leading_term_and_what_begins_so() {
        let query = Query::parse("car of").unwrap();
        assert!(query.passes("car") && query.passes("cart") && !query.passes("ca") && !query.passes("of"));
        assert!(
            !query.passes("car#") && !query.passes("CART") && !query.passes("carré"),
            "no word of a title"
        );
        let letter = Query::parse("c").unwrap();
        assert!(letter.passes("c") && !letter.passes("car"));
    }

    proptest! {
        #[test]
        fn every_word_of_a_title_finds_it(title in "\\PC{1,200}") {
            let folded = Words::of(&title);
            prop_assert!(folded.0.len() <= MAX_WORDS);
            for word in folded.iter() {
                let query = Query { terms: vec![word.to_owned()] };
                prop_assert!(query.matches(&folded));
                prop_assert_eq!(query.found_under(&folded), Some(word));
                // What is folded stays as it is, and sorts after what ends a word in a key.
                prop_assert_eq!(fold(word), word);
                prop_assert!(word.chars().all(|letter| letter > '$'));
            }
        }
    }
}
