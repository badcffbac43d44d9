//! The schemas that operations refer to, each once and under its name.

use super::OpenApiError;
use super::json::{Json, Object};

/// Schemas by name.
#[derive(Debug, Default)]
pub(super) struct Schemas(Object);

impl Schemas {
    /// Takes those of a function's description in.
    pub(super) fn add(&mut self, documentation: &Json) -> Result<(), OpenApiError> {
        let schemas = documentation.get("components").and_then(|components| components.get("schemas"));
        for (name, schema) in schemas.and_then(Json::as_object).into_iter().flatten() {
            match self.0.get(name) {
                Some(present) if present != schema => return Err(OpenApiError::SchemaTwice(name.clone())),
                Some(_) => {}
                None => {
                    self.0.insert(name.clone(), schema.clone());
                }
            }
        }
        Ok(())
    }

    /// All of them, by name.
    pub(super) fn into_object(mut self) -> Object {
        self.0.sort_unstable_keys();
        self.0
    }
}
