//! Changes to a record, field by field, as JSON Merge Patch (RFC 7396) tells them.

/// What becomes of a field that may be without a value.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Patch<T> {
    /// It stays as it is.
    #[default]
    Keep,
    /// It loses its value.
    Remove,
    /// It gets this value.
    Set(T),
}

impl<T> Patch<T> {
    /// The field as it becomes.
    pub fn apply(self, previous: Option<T>) -> Option<T> {
        match self {
            Self::Keep => previous,
            Self::Remove => None,
            Self::Set(value) => Some(value),
        }
    }
}
