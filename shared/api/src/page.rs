//! Lists, page by page: `?limit=` and `?cursor=` in, `items` and `next_cursor` out.
//!
//! Lists are sorted, most of them by id, the newest first. A cursor says which list it is of and the last place that was
//! seen, so it stays valid whatever is added, and grants nothing. To clients it is opaque: base64url, one spelling for
//! each.

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use domain::{Invalid, JobsBefore, MediaId, TitleWord};
use serde::Serialize;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use crate::query::{QueryParameters, whole_number};

/// How many items a page has at most.
pub const MAX_PAGE_ITEMS: u64 = 100;

/// How many it has if the client does not say.
const DEFAULT_PAGE_ITEMS: u64 = 20;

/// What a list is asked for, as the OpenAPI document describes it.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct PageParameters {
    /// How many items the page has at most.
    #[param(minimum = 1, maximum = 100, default = 20)]
    pub limit: Option<u64>,
    /// `next_cursor` of the page before. Without it, the first page is answered.
    #[param(pattern = "^[A-Za-z0-9_-]+$")]
    pub cursor: Option<String>,
}

/// A place in a list, as bytes. Each has one spelling.
pub trait Place: Sized {
    /// The bytes.
    fn to_bytes(&self) -> Vec<u8>;

    /// The place, if the bytes are one.
    fn from_bytes(bytes: &[u8]) -> Option<Self>;
}

/// In a list that is sorted by id.
impl Place for Uuid {
    fn to_bytes(&self) -> Vec<u8> {
        self.as_bytes().to_vec()
    }

    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        Self::from_slice(bytes).ok()
    }
}

impl Place for JobsBefore {
    fn to_bytes(&self) -> Vec<u8> {
        [self.extract_metadata.to_be_bytes(), self.upload_to_cdn.to_be_bytes()].concat()
    }

    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (extract_metadata, upload_to_cdn) = bytes.split_first_chunk()?;
        Some(Self {
            extract_metadata: u32::from_be_bytes(*extract_metadata),
            upload_to_cdn: u32::from_be_bytes(upload_to_cdn.try_into().ok()?),
        })
    }
}

/// In what a search finds.
impl Place for TitleWord {
    fn to_bytes(&self) -> Vec<u8> {
        [self.media_id.uuid().as_bytes(), self.word.as_bytes()].concat()
    }

    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (media_id, word) = bytes.split_first_chunk()?;
        let word = str::from_utf8(word).ok()?.to_owned();
        Some(Self { word, media_id: MediaId::new(Uuid::from_bytes(*media_id)) })
    }
}

/// A page that is asked for, of a list with places of this kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page<P = Uuid> {
    list: String,
    /// How many items at most.
    pub limit: usize,
    /// Only items behind this place.
    pub after: Option<P>,
}

impl<P: Place> Page<P> {
    /// Takes `limit` and `cursor` out of a query. `list` names the list, so that no other's cursor is taken for one of
    /// its own.
    pub fn take(parameters: &mut QueryParameters<'_>, list: impl Into<String>) -> Self {
        Self::take_if(parameters, list, |_| true)
    }

    /// The same, of a list that does not have every place.
    pub fn take_if(
        parameters: &mut QueryParameters<'_>,
        list: impl Into<String>,
        has_place: impl FnOnce(&P) -> bool,
    ) -> Self {
        let list = list.into();
        let limit = parameters.optional("limit", |text| whole_number(text, 1..=MAX_PAGE_ITEMS));
        let after = parameters.optional("cursor", |text| {
            parse_cursor(&list, text)
                .filter(has_place)
                .ok_or_else(|| Invalid::new("must be the next_cursor of a page of this list"))
        });
        let limit = usize::try_from(limit.unwrap_or(DEFAULT_PAGE_ITEMS)).unwrap_or(usize::MAX);
        Self { list, limit, after }
    }

    /// The cursor of the page that goes on after this place.
    // By value: an id is one, and is made for this.
    #[allow(clippy::needless_pass_by_value)]
    pub fn cursor_after(&self, place: P) -> String {
        BASE64_URL_SAFE_NO_PAD.encode([self.list.as_bytes(), &place.to_bytes()].concat())
    }
}

fn parse_cursor<P: Place>(list: &str, text: &str) -> Option<P> {
    let bytes = BASE64_URL_SAFE_NO_PAD.decode(text).ok()?;
    P::from_bytes(bytes.strip_prefix(list.as_bytes())?)
}

/// A page of a list.
#[derive(Debug, Serialize, ToSchema)]
pub struct List<T> {
    /// The items, the newest first.
    #[schema(max_items = 100)]
    pub items: Vec<T>,
    /// To be sent as `cursor` for the page after this one; `null` if there is none.
    #[schema(required, example = "bWVkaWEBofgGYNB6vI3vASNFZ4mr")]
    pub next_cursor: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_reads_back_and_no_other_list_takes_it() {
        let page = Page { list: "users".to_owned(), limit: 1, after: None };
        let id = Uuid::from_u128(0x019a_9f3e_7c00_7abc_8def_0123_4567_89ab);
        let cursor = page.cursor_after(id);
        assert_eq!(parse_cursor("users", &cursor), Some(id));
        assert_eq!(parse_cursor::<Uuid>("media", &cursor), None);
        let foreign = [
            String::new(),
            id.to_string(),
            format!("{cursor}="),
            format!("{cursor}A"),
            cursor[1..].to_owned(),
            cursor.to_uppercase(),
            BASE64_URL_SAFE_NO_PAD.encode("users"),
        ];
        for text in foreign {
            assert_eq!(parse_cursor::<Uuid>("users", &text), None, "{text}");
        }
    }

    fn reads_back<P: Place + Clone + PartialEq + std::fmt::Debug>(place: &P) {
        let page = Page { list: "list".to_owned(), limit: 1, after: None };
        let cursor = page.cursor_after(place.clone());
        assert_eq!(parse_cursor::<P>("list", &cursor).as_ref(), Some(place));
    }

    #[test]
    fn places_of_every_kind_read_back() {
        reads_back(&JobsBefore { extract_metadata: 1, upload_to_cdn: u32::MAX });
        reads_back(&TitleWord { word: "東".to_owned(), media_id: MediaId::new(Uuid::max()) });
        assert_eq!(JobsBefore::from_bytes(&[0; 7]), None);
        assert_eq!(JobsBefore::from_bytes(&[0; 9]), None);
        assert_eq!(TitleWord::from_bytes(&[0; 15]), None);
        assert_eq!(TitleWord::from_bytes(&[0xff; 17]), None);
    }
}
