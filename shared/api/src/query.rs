//! Taking a query apart: every parameter is parsed into its type, and all that is wrong is told at once. Parameters that
//! nobody asks for are passed over.

use std::ops::RangeInclusive;

use domain::Invalid;

use crate::problem::{FieldError, Problem};
use crate::request::Request;

/// A request's query being taken apart.
#[derive(Debug)]
pub struct QueryParameters<'a> {
    request: &'a Request,
    errors: Vec<FieldError>,
}

impl<'a> QueryParameters<'a> {
    /// Of this request.
    pub fn of(request: &'a Request) -> Self {
        Self { request, errors: Vec::new() }
    }

    /// Takes a parameter that may be missing. `None` also stands for one that is wrong, and is noted.
    pub fn optional<T>(&mut self, name: &str, parse: impl FnOnce(&str) -> Result<T, Invalid>) -> Option<T> {
        let parsed = parse(self.request.query(name)?);
        parsed
            .map_err(|invalid| {
                self.errors.push(FieldError { pointer: format!("?{name}"), detail: invalid.to_string() });
            })
            .ok()
    }

    /// Fails with all that was wrong.
    pub fn finish(self) -> Result<(), Problem> {
        if self.errors.is_empty() { Ok(()) } else { Err(Problem::invalid(self.errors)) }
    }
}

/// A whole number within bounds, as a parameter's text.
pub fn whole_number(text: &str, bounds: RangeInclusive<u64>) -> Result<u64, Invalid> {
    text.parse().ok().filter(|number| bounds.contains(number)).ok_or_else(|| {
        Invalid::new(format!("must be a whole number from {} to {}", bounds.start(), bounds.end()))
    })
}
