//! Keys: printable ASCII in parts that `/` parts, and the prefixes by which they are read.

use std::fmt;
use std::str::FromStr;

/// Longest key, in bytes. A page of the largest keys alone fits in half a mebibyte.
pub const KEY_BYTES_MAX: usize = 512;

/// The name of a value, such as `mesh/object/agency/gov/tax`: one part or more, none empty, each of
/// printable ASCII without spaces. Keys are in the order of their bytes.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct StoreKey(Box<str>);

/// Keys that begin with this text, byte for byte: `mesh/object/` has `mesh/object/a/b` and not
/// `mesh/objects`. The empty prefix has every key.
#[derive(Clone, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct KeyPrefix(Box<str>);

/// Text that is no key or no prefix, and why.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum KeyMalformed {
    #[error("a key of {length} bytes, want 1 to {KEY_BYTES_MAX}")]
    Length { length: usize },
    #[error("key {text:?} has other than printable ASCII without spaces")]
    Alphabet { text: String },
    #[error("key {text:?} has an empty part, want such as a/b")]
    EmptyPart { text: String },
}

impl StoreKey {
    pub fn new(text: &str) -> Result<Self, KeyMalformed> {
        if text.is_empty() {
            return Err(KeyMalformed::Length { length: 0 });
        }
        check(text)?;
        if text.split('/').any(str::is_empty) {
            return Err(KeyMalformed::EmptyPart { text: text.into() });
        }
        Ok(Self(text.into()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl KeyPrefix {
    /// Every key of the store.
    pub fn all() -> Self {
        Self::default()
    }

    pub fn new(text: &str) -> Result<Self, KeyMalformed> {
        check(text)?;
        Ok(Self(text.into()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub fn has(&self, key: &StoreKey) -> bool {
        key.as_str().starts_with(self.as_str())
    }
}

/// What keys and prefixes have in common.
fn check(text: &str) -> Result<(), KeyMalformed> {
    if KEY_BYTES_MAX < text.len() {
        return Err(KeyMalformed::Length { length: text.len() });
    }
    if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(KeyMalformed::Alphabet { text: text.chars().take(80).collect() });
    }
    Ok(())
}

impl FromStr for StoreKey {
    type Err = KeyMalformed;

    fn from_str(text: &str) -> Result<Self, KeyMalformed> {
        Self::new(text)
    }
}

impl FromStr for KeyPrefix {
    type Err = KeyMalformed;

    fn from_str(text: &str) -> Result<Self, KeyMalformed> {
        Self::new(text)
    }
}

impl fmt::Display for StoreKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for KeyPrefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_printable_parts_of_bounded_length() {
        let longest = "k".repeat(KEY_BYTES_MAX);
        for good in ["a", "a/b", "mesh/log/0001/!~", "a/..", longest.as_str()] {
            assert_eq!(StoreKey::new(good).unwrap().to_string(), good);
        }
        let bad = ["", "/", "/a", "a/", "a//b", "a b", "a\n", "\u{6a9}", &"k".repeat(513)];
        for bad in bad {
            assert!(StoreKey::new(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_prefix_is_text_and_knows_no_parts() {
        let key = StoreKey::new("mesh/object/a").unwrap();
        for good in ["", "m", "mesh/", "mesh/object/a"] {
            assert!(KeyPrefix::new(good).unwrap().has(&key), "{good:?}");
        }
        assert!(!KeyPrefix::new("mesh/object/a/").unwrap().has(&key));
        assert!(KeyPrefix::new("a b").is_err());
    }
}
