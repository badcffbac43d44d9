//! Searching media by the words of their titles.
//!
//! A search passes words from the end of their partition, each time the newest media first: the leading term itself, then
//! longer words that begin with it. What it reads is bounded, in items and in calls, however much is stored. A title is
//! found from the moment on that it is written; what is found is read and looked at again, since it may change meanwhile.

use std::cmp::Reverse;

use aws_sdk_dynamodb::types::AttributeValue;
use domain::{Action, Caller, Decision, Media, MediaId, Query, Status, TitleWord, Words, decide};

use crate::Table;
use crate::error::TableError;
use crate::keys::{Key, word_partition, words_of, words_that_begin_with};
use crate::listing::{Read, read};
use crate::words::FoundMedia;

/// How many words of titles one search reads at most.
const MAX_WORDS_READ: usize = 500;

/// What a search found, the best match first, and of equal ones the newest.
#[derive(Clone, Debug, PartialEq)]
pub struct Found {
    /// The media.
    pub media: Vec<Media>,
    /// Where to go on, if there may be more.
    pub next: Option<TitleWord>,
}

/// A search under way.
struct Search<'a> {
    caller: &'a Caller,
    query: &'a Query,
    limit: usize,
    /// How many times more words the next request asks for than the page lacks. It grows, so that a search with few hits
    /// makes few requests.
    factor: usize,
    words_read: usize,
    /// What was found, each once, and whether the leading term itself is in its title.
    found: Vec<(MediaId, bool)>,
    /// The last word that was read.
    last_read: Option<TitleWord>,
    /// The last one of a title that the caller may see. A page ends there, because its cursor tells the word.
    last_visible: Option<TitleWord>,
}

impl Search<'_> {
    /// Takes what was read. Says whether the page is full and there is more.
    fn take(&mut self, words: Vec<FoundMedia>) -> bool {
        self.words_read += words.len();
        for word in words {
            if self.found.len() == self.limit {
                return true;
            }
            let place = word.place();
            let ready = Action::ViewReady { owner_id: word.owner_id, visibility: word.visibility };
            if decide(self.caller, ready) == Decision::Allowed {
                let is_known = self.found.iter().any(|(id, _)| *id == place.media_id);
                if word.is_by(self.query) && !is_known {
                    self.found.push((place.media_id, place.word == self.query.leading_term()));
                }
                self.last_visible = Some(place.clone());
            }
            self.last_read = Some(place);
        }
        false
    }

    /// How many words to ask for next; nothing when enough were read.
    fn next_chunk(&self) -> Option<usize> {
        // One more than the page lacks tells whether there are more.
        let wanted = (self.limit + 1 - self.found.len()) * self.factor;
        Some(wanted.min(MAX_WORDS_READ.saturating_sub(self.words_read))).filter(|chunk| *chunk > 0)
    }

    /// Where a search goes on that stops here. Only after as many hidden words as one search reads is it one of them.
    fn place(self) -> Option<TitleWord> {
        self.last_visible.or(self.last_read)
    }
}

impl Table {
    /// Ready media that the caller may see, by the words of their titles, after `after`, which is a word that the query
    /// passes. `limit` is 100 at most. A page may be short and still have more behind it.
    pub async fn search(
        &self,
        caller: &Caller,
        query: &Query,
        after: Option<TitleWord>,
        limit: usize,
    ) -> Result<Found, TableError> {
        let mut search = Search {
            caller,
            query,
            limit,
            factor: 1,
            words_read: 0,
            found: Vec::new(),
            last_read: None,
            last_visible: None,
        };
        let has_more = self.pass_words(&mut search, after).await?;
        let mut found = std::mem::take(&mut search.found);
        found.sort_by_key(|(id, is_exact)| Reverse((*is_exact, *id)));
        let ids: Vec<MediaId> = found.into_iter().map(|(id, _)| id).collect();
        let is_it = |media: &Media| {
            media.status() == Status::Ready
                && decide(caller, Action::View(media)) == Decision::Allowed
                && query.matches(&Words::of(media.title.as_str()))
        };
        let media = self.records(&ids).await?.into_iter().filter(is_it).collect();
        Ok(Found { media, next: search.place().filter(|_| has_more) })
    }

    /// Passes words until the page is full, enough were read, or there are no more. Says whether there may be more.
    async fn pass_words(
        &self,
        search: &mut Search<'_>,
        after: Option<TitleWord>,
    ) -> Result<bool, TableError> {
        let term = search.query.leading_term();
        let (exact, longer) = (words_of(term), words_that_begin_with(term));
        let ranges = match &after {
            Some(after) if after.word != term => vec![longer],
            _ if search.query.is_prefix() => vec![exact, longer],
            _ => vec![exact],
        };
        let mut start = after.map(|after| Key::word(&after.word, after.media_id));
        for range in ranges {
            loop {
                let Some(chunk) = search.next_chunk() else { return Ok(true) };
                let read = self.words_between(term, &range, start.take(), chunk).await?;
                if search.take(read.items) {
                    return Ok(true);
                }
                if !read.is_unfinished {
                    break;
                }
                search.factor *= 2;
                start = search.last_read.as_ref().map(|place| Key::word(&place.word, place.media_id));
            }
        }
        Ok(false)
    }

    /// The next words of a range, at most `limit`.
    pub(crate) async fn words_between(
        &self,
        term: &str,
        [first, last]: &[String; 2],
        start: Option<Key>,
        limit: usize,
    ) -> Result<Read<FoundMedia>, TableError> {
        let query = self
            .query_from_end(word_partition(term), limit)
            .key_condition_expression("PK = :partition AND SK BETWEEN :first AND :last")
            .expression_attribute_values(":first", AttributeValue::S(first.clone()))
            .expression_attribute_values(":last", AttributeValue::S(last.clone()))
            .set_exclusive_start_key(start.map(|key| key.attributes()))
            .consistent_read(true);
        read(query).await
    }
}
