//! What a client says of the parts that it sent.

use domain::{ETag, Invalid, MAX_PARTS, NamedParts, PartNumber, PartRules, Upload};
use serde::Deserialize;
use serde_json::Value;
use utoipa::ToSchema;

use crate::fields::list;
use crate::problem::Problem;
use crate::request::Request;

const CANONICAL: &str = "POST /api/v1/{upload_id}/complete";

/// Which parts make up the file.
#[derive(Debug, ToSchema)]
#[allow(dead_code)]
pub struct CompleteRequest {
    /// All parts, in any order. If they are not named, those that S3 lists are taken.
    #[schema(max_items = 10_000)]
    parts: Option<Vec<NamedPart>>,
}

/// A part as the client knows it. S3's own spelling, `PartNumber` and `ETag`, is taken too.
#[derive(Debug, PartialEq, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NamedPart {
    /// Its number.
    #[serde(alias = "PartNumber")]
    part_number: PartNumber,
    /// The `ETag` that S3 answered when it was sent, with or without the quotes.
    #[serde(alias = "ETag")]
    etag: ETag,
}

/// The parts that the body names; `None` if there is no body, or if it names none.
pub fn named_parts(request: &Request, upload: &Upload) -> Result<Option<NamedParts>, Problem> {
    if request.body().is_empty() {
        return Ok(None);
    }
    let rules = upload.part_rules();
    let mut fields = request.json_fields(CANONICAL)?;
    let parts = fields.optional("parts", |value| parts(value, rules.as_ref()));
    fields.finish()?;
    Ok(parts)
}

/// An upload that has no `rules` comes in one piece: of its one part nothing is asked.
fn parts(value: &Value, rules: Option<&PartRules>) -> Result<NamedParts, Invalid> {
    let named = list(value, MAX_PARTS.into(), |value| {
        let named =
            NamedPart::deserialize(value).map_err(|error| Invalid::new(format!("is wrong: {error}")))?;
        if let Some(rules) = rules {
            rules
                .find(Some(named.part_number))
                .map_err(|invalid| Invalid::new(format!("is wrong: part_number {invalid}")))?;
        }
        Ok(named)
    })?;
    let count = named.len();
    let parts: NamedParts = named.into_iter().map(|named| (named.part_number, named.etag)).collect();
    if parts.len() < count {
        return Err(Invalid::new("must name each part once"));
    }
    Ok(parts)
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::PartPlan;
    use serde_json::json;

    fn read(value: &Value) -> Result<Vec<(u16, String)>, String> {
        let rules = PartRules::Planned(PartPlan::with_part_size(10 << 20, 5 << 20).unwrap());
        let named = parts(value, Some(&rules)).map_err(|invalid| invalid.to_string())?;
        Ok(named.into_iter().map(|(number, etag)| (number.into(), etag.to_string())).collect())
    }

    #[test]
    fn parts_are_named_in_our_spelling_or_in_s3s() {
        let named = json!([{"PartNumber": 2, "ETag": "\"b\""}, {"part_number": 1, "etag": "a"}]);
        assert_eq!(read(&named), Ok(vec![(1, "a".to_owned()), (2, "b".to_owned())]));
        assert_eq!(read(&json!([])), Ok(Vec::new()));
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (wrong, part) in [
            (json!([{"part_number": 1, "etag": "a"}, {"part_number": 1, "etag": "a"}]), "each part once"),
            (
                json!([{"part_number": 1, "etag": "a"}, {"part_number": 3, "etag": "a"}]),
                "item 1 is wrong: part_number",
            ),
            (json!([{"part_number": 0, "etag": "a"}]), "1 to 10000"),
            (json!([{"part_number": 1}]), "etag"),
            (json!([{"part_number": 1, "etag": ""}]), "ETag"),
            (json!([{"part_number": 1, "etag": "a", "PartNumber": 1}]), "part_number"),
            (json!([{"part_number": 1, "etag": "a", "size": 1}]), "size"),
            (json!([1]), "item 0"),
            (json!({}), "a list"),
        ] {
            let detail = read(&wrong).unwrap_err();
            assert!(detail.contains(part), "{wrong}: {detail}");
        }
    }
}
