//! Lists, page by page: `?limit=` and `?cursor=` in, `items` and `next_cursor` out.
//!
//! Lists are sorted by id, the newest first. A cursor says which list it is of and the last id that was seen, so it
//! stays valid whatever is added, and grants nothing. To clients it is opaque: base64url, one spelling for each.

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use domain::Invalid;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::query::{QueryParameters, whole_number};

/// How many items a page has at most.
pub const MAX_PAGE_ITEMS: u64 = 100;

/// How many it has if the client does not say.
const DEFAULT_PAGE_ITEMS: u64 = 20;

/// A page that is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Page {
    list: &'static str,
    /// How many items at most.
    pub limit: usize,
    /// Only items with a smaller id than this.
    pub after: Option<Uuid>,
}

impl Page {
    /// Takes `limit` and `cursor` out of a query. `list` names the list, so that no other's cursor is taken for one of
    /// its own.
    pub fn take(parameters: &mut QueryParameters<'_>, list: &'static str) -> Self {
        let limit = parameters.optional("limit", |text| whole_number(text, 1..=MAX_PAGE_ITEMS));
        let after = parameters.optional("cursor", |text| {
            parse_cursor(list, text)
                .ok_or_else(|| Invalid::new("must be the next_cursor of a page of this list"))
        });
        let limit = usize::try_from(limit.unwrap_or(DEFAULT_PAGE_ITEMS)).unwrap_or(usize::MAX);
        Self { list, limit, after }
    }

    /// The cursor of the page that goes on after the item with this id.
    pub fn cursor_after(&self, id: Uuid) -> String {
        BASE64_URL_SAFE_NO_PAD.encode([self.list.as_bytes(), id.as_bytes()].concat())
    }
}

fn parse_cursor(list: &str, text: &str) -> Option<Uuid> {
    let bytes = BASE64_URL_SAFE_NO_PAD.decode(text).ok()?;
    Uuid::from_slice(bytes.strip_prefix(list.as_bytes())?).ok()
}

/// A page of a list.
#[derive(Debug, Serialize, ToSchema)]
pub struct List<T> {
    /// The items, the newest first.
    pub items: Vec<T>,
    /// To be sent as `cursor` for the page after this one; `null` if there is none.
    pub next_cursor: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_reads_back_and_no_other_list_takes_it() {
        let page = Page { list: "users", limit: 1, after: None };
        let id = Uuid::from_u128(0x019a_9f3e_7c00_7abc_8def_0123_4567_89ab);
        let cursor = page.cursor_after(id);
        assert_eq!(parse_cursor("users", &cursor), Some(id));
        assert_eq!(parse_cursor("media", &cursor), None);
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
            assert_eq!(parse_cursor("users", &text), None, "{text}");
        }
    }
}
