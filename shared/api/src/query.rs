//! Taking a query apart: every parameter is parsed into its type, and all that is wrong is told at once.

use std::collections::BTreeSet;
use std::ops::RangeInclusive;

use domain::Invalid;
use utoipa::ToSchema;

use crate::fields::UnknownFields;
use crate::problem::{FieldError, Problem};
use crate::request::Request;

/// A request's query being taken apart.
#[derive(Debug)]
pub struct QueryParameters<'a> {
    request: &'a Request,
    unknown: UnknownFields,
    /// The names of those that were asked for, whether they are there or not.
    taken: BTreeSet<String>,
    errors: Vec<FieldError>,
}

impl<'a> QueryParameters<'a> {
    /// Of this request. Parameters that nobody takes are refused on the `canonical` route and passed over on its aliases.
    pub fn of_route(request: &'a Request, canonical: &str) -> Self {
        Self {
            request,
            unknown: request.unknown_fields(canonical),
            taken: BTreeSet::new(),
            errors: Vec::new(),
        }
    }

    /// Takes a parameter that may be missing. `None` also stands for one that is wrong, and is noted.
    pub fn optional<T>(&mut self, name: &str, parse: impl FnOnce(&str) -> Result<T, Invalid>) -> Option<T> {
        self.taken.insert(name.to_owned());
        let parsed = parse(self.request.query(name)?);
        parsed.map_err(|invalid| self.refuse(name, invalid.to_string())).ok()
    }

    /// Takes a parameter that has to be there. `None` is noted as an error, so that `finish` fails.
    pub fn required<T>(&mut self, name: &str, parse: impl FnOnce(&str) -> Result<T, Invalid>) -> Option<T> {
        if self.request.query(name).is_none() {
            self.refuse(name, "is required");
        }
        self.optional(name, parse)
    }

    /// Fails with all that was wrong.
    pub fn finish(mut self) -> Result<(), Problem> {
        if self.unknown == UnknownFields::Refused {
            let names: BTreeSet<String> = self.request.query_names().map(str::to_owned).collect();
            let taken = std::mem::take(&mut self.taken);
            for name in names.difference(&taken) {
                self.refuse(name, "is not a parameter of this request");
            }
        }
        if self.errors.is_empty() { Ok(()) } else { Err(Problem::invalid(self.errors)) }
    }

    fn refuse(&mut self, name: &str, detail: impl Into<String>) {
        self.errors.push(FieldError { pointer: format!("?{name}"), detail: detail.into() });
    }
}

/// A whole number within bounds, as a parameter's text.
pub fn whole_number(text: &str, bounds: RangeInclusive<u64>) -> Result<u64, Invalid> {
    text.parse().ok().filter(|number| bounds.contains(number)).ok_or_else(|| {
        Invalid::new(format!("must be a whole number from {} to {}", bounds.start(), bounds.end()))
    })
}

/// What [`yes_or_no`] reads, as the OpenAPI document describes it.
#[derive(Clone, Copy, Debug, ToSchema)]
pub enum YesOrNo {
    /// Yes.
    #[schema(rename = "1")]
    One,
    /// Yes.
    #[schema(rename = "true")]
    True,
    /// No.
    #[schema(rename = "0")]
    Zero,
    /// No.
    #[schema(rename = "false")]
    False,
}

/// `1` or `true`, `0` or `false`, as a parameter's text.
pub fn yes_or_no(text: &str) -> Result<bool, Invalid> {
    match text {
        "1" | "true" => Ok(true),
        "0" | "false" => Ok(false),
        _ => Err(Invalid::new("must be 1 or 0")),
    }
}
