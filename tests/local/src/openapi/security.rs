//! Who may call an operation: whoever has a token, where one can be missing; anybody, where none can.

use serde_json::json;

use super::json::{Json, Object};
use super::responses::codes_of;

/// Says it, unless the description did.
pub(super) fn describe(operation: &mut Object) {
    let needs_token = codes_of(operation).iter().any(|code| code == "token_missing");
    let security = if needs_token { json!([{"bearer": []}, {"oauth2": []}]) } else { json!([]) };
    operation.entry("security".to_owned()).or_insert_with(|| Json::from(security));
}
