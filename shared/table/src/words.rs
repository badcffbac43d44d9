//! The words and tags that ready media are found by, written and removed with the media's own change.

use std::collections::BTreeMap;

use domain::{MAX_TAGS, MAX_WORDS, Media, MediaId, Query, Status, TitleWord, UserId, Visibility, Words};
use serde::{Deserialize, Serialize};

use crate::error::TableError;
use crate::item::{Item, to_item};
use crate::keys::Key;
use crate::transaction::{Condition, MAX_WRITES, Transaction};

/// Another title with other tags for a media that is ready and loses its thumbnail's address: its record, the work that
/// makes, and all entries before and after.
const MAX_CHANGED: usize = 2 + 2 * (MAX_WORDS + MAX_TAGS);
const _: () = assert!(MAX_CHANGED <= MAX_WRITES);

/// What a title's word says of the media: enough to tell without reading it whether a search finds it.
#[derive(Serialize)]
struct StoredWord<'a> {
    media_id: MediaId,
    owner_id: UserId,
    visibility: Visibility,
    words: &'a Words,
}

/// A media by one of its title's words.
#[derive(Deserialize)]
pub(crate) struct FoundMedia {
    /// The sort key: the word and the media's id.
    #[serde(rename = "SK")]
    sort: String,
    media_id: MediaId,
    pub(crate) owner_id: UserId,
    pub(crate) visibility: Visibility,
    words: Words,
}

impl FoundMedia {
    /// Whether this is the word under which a search finds the media. It finds others of its words too, and is to show it
    /// once.
    pub(crate) fn is_by(&self, query: &Query) -> bool {
        query.matches(&self.words) && query.found_under(&self.words) == Some(self.word())
    }

    /// The word and its media.
    pub(crate) fn place(&self) -> TitleWord {
        TitleWord { word: self.word().to_owned(), media_id: self.media_id }
    }

    fn word(&self) -> &str {
        self.sort.rsplit_once('#').map_or("", |(word, _)| word)
    }
}

/// A media by one of its tags.
#[derive(Serialize, Deserialize)]
pub(crate) struct Tagged {
    pub(crate) media_id: MediaId,
}

/// What a media is found by, as items under their keys; nothing while it is not ready.
fn entries(media: &Media) -> Result<BTreeMap<(String, String), Item>, TableError> {
    let mut entries = BTreeMap::new();
    if media.status() != Status::Ready {
        return Ok(entries);
    }
    let words = Words::of(media.title.as_str());
    let found = StoredWord {
        media_id: media.id,
        owner_id: media.owner_id,
        visibility: media.visibility,
        words: &words,
    };
    for word in words.iter() {
        let key = Key::word(word, media.id);
        entries.insert((key.partition.clone(), key.sort.clone()), to_item(&key, Vec::new(), &found)?);
    }
    for tag in &media.tags {
        let key = Key::tag(tag, media.id);
        let item = to_item(&key, Vec::new(), &Tagged { media_id: media.id })?;
        entries.insert((key.partition.clone(), key.sort.clone()), item);
    }
    Ok(entries)
}

/// Turns what `previous` is found by into what `media` is found by; what stays is not written again.
pub(crate) fn replace_entries(
    mut transaction: Transaction,
    previous: &Media,
    media: &Media,
) -> Result<Transaction, TableError> {
    let (mut before, after) = (entries(previous)?, entries(media)?);
    for (key, item) in after {
        if before.remove(&key).as_ref() != Some(&item) {
            transaction = transaction.put(item, &Condition::Always);
        }
    }
    for (partition, sort) in before.into_keys() {
        transaction = transaction.delete(&Key { partition, sort });
    }
    Ok(transaction)
}
