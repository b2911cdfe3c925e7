//! What is wrong with a wire message, by field.

use std::error::Error;
use std::str::FromStr;

use mesh_core::exchange::Digest;

/// A wire message that is not what its document says. Names the field.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{field}: {why}")]
pub struct Malformed {
    pub field: &'static str,
    pub why: String,
}

impl Malformed {
    /// `why` is a sentence, or the error of whoever tried to read the field.
    pub fn new(field: &'static str, why: impl Into<Box<dyn Error>>) -> Self {
        Self { field, why: why.into().to_string() }
    }

    /// The message or field is not there.
    pub fn missing(field: &'static str) -> Self {
        Self::new(field, "is missing")
    }

    /// The field belongs to a later version of the protocol than the one that is spoken.
    pub fn too_new(field: &'static str) -> Self {
        Self::new(field, "belongs to a later protocol version")
    }
}

/// Reads a field's text with the rule of its type.
pub(crate) fn parse<T>(field: &'static str, text: &str) -> Result<T, Malformed>
where
    T: FromStr,
    T::Err: Error + 'static,
{
    text.parse().map_err(|error| Malformed::new(field, error))
}

/// Reads an optional text, absent when empty.
pub(crate) fn parse_optional<T>(field: &'static str, text: &str) -> Result<Option<T>, Malformed>
where
    T: FromStr,
    T::Err: Error + 'static,
{
    if text.is_empty() { Ok(None) } else { parse(field, text).map(Some) }
}

/// Reads exactly `N` bytes.
pub(crate) fn exactly<const N: usize>(
    field: &'static str,
    bytes: &[u8],
) -> Result<[u8; N], Malformed> {
    bytes
        .try_into()
        .map_err(|_| Malformed::new(field, format!("is {} bytes long, want {N}", bytes.len())))
}

/// Reads a SHA-256 digest.
pub(crate) fn digest(field: &'static str, bytes: &[u8]) -> Result<Digest, Malformed> {
    exactly(field, bytes).map(Digest)
}

/// Refuses bytes beyond the limit of their field.
pub(crate) fn at_most(field: &'static str, length: usize, limit: usize) -> Result<(), Malformed> {
    if length <= limit {
        return Ok(());
    }
    Err(Malformed::new(field, format!("is {length} long, limit {limit}")))
}

/// Refuses what only a later protocol version may carry.
pub(crate) fn absent(field: &'static str, is_absent: bool) -> Result<(), Malformed> {
    if is_absent { Ok(()) } else { Err(Malformed::too_new(field)) }
}
