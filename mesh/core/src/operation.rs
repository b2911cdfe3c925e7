//! Declared operations: which method and path of a service a permission speaks of.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::id::OperationId;

/// Longest path of a request, in bytes.
pub const PATH_BYTES_MAX: usize = 4096;

/// Does an operation only read, or does it change something at the provider?
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum OperationKind {
    /// Safe to repeat.
    Inquiry,
    /// Changes something at the provider. Its idempotency key is for the provider to honour.
    Submission,
}

/// One operation of a REST service.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Operation {
    pub id: OperationId,
    pub kind: OperationKind,
    /// The HTTP method, in upper case.
    pub method: Method,
    pub path: PathTemplate,
}

/// An HTTP method that a service may declare (RFC 9110 §9, RFC 5789).
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Method {
    Get,
    Head,
    Post,
    Put,
    Patch,
    Delete,
    Options,
}

/// A path in which `{name}` stands for one segment, such as `/persons/{id}/kin`.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(try_from = "String", into = "String")]
pub struct PathTemplate(Box<[Segment]>);

#[derive(Clone, Debug, Eq, PartialEq)]
enum Segment {
    Fixed(Box<str>),
    Any(Box<str>),
}

/// A request path that is safe to compare: no empty or dot segment, no hidden slash or dot.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct RequestPath<'t>(&'t str);

/// Text that is no path template, or no path that the mesh carries.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum ParsePathError {
    #[error("path does not begin with '/'")]
    NoSlash,
    #[error("path is longer than {PATH_BYTES_MAX} bytes")]
    Length,
    #[error("path has an empty or dot segment, or one that hides '.', '/', '\\' or ';'")]
    Segment,
    #[error("path encodes a character that needs no encoding")]
    Encoding,
    #[error("path has a character or percent-encoding that RFC 3986 does not allow")]
    Character,
    #[error("method is none of GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS")]
    Method,
}

impl Operation {
    /// Is a request with this method and path this operation?
    pub fn covers(&self, method: Method, path: RequestPath<'_>) -> bool {
        self.method == method && self.path.matches(path)
    }
}

impl PathTemplate {
    /// Which of two templates that match one path says more of it: the one whose first differing
    /// segment is fixed.
    pub fn is_more_specific(&self, other: &Self) -> bool {
        let fixed = |segment: &Segment| matches!(segment, Segment::Fixed(_));
        let pairs = self.0.iter().zip(&other.0);
        let first = pairs.map(|(mine, theirs)| (fixed(mine), fixed(theirs))).find(|(a, b)| a != b);
        first.is_some_and(|(mine, _)| mine)
    }

    /// Do both templates match the same paths? Then no request could tell them apart.
    pub fn is_same_as(&self, other: &Self) -> bool {
        let same = |(mine, theirs): (&Segment, &Segment)| match (mine, theirs) {
            (Segment::Any(_), Segment::Any(_)) => true,
            (mine, theirs) => mine == theirs,
        };
        self.0.len() == other.0.len() && self.0.iter().zip(&other.0).all(same)
    }

    /// Does `path` have this template's segments? Parameters match one segment each.
    pub fn matches(&self, path: RequestPath<'_>) -> bool {
        let mut found = path.segments();
        let all_match = self.0.iter().all(|segment| match (segment, found.next()) {
            (_, None) => false,
            (Segment::Any(_), Some(_)) => true,
            (Segment::Fixed(want), Some(text)) => **want == *text,
        });
        all_match && found.next().is_none()
    }
}

impl<'t> RequestPath<'t> {
    /// Checks `text`, a path as it stands in a request line: percent-encoded, without query.
    pub fn new(text: &'t str) -> Result<Self, ParsePathError> {
        if PATH_BYTES_MAX < text.len() {
            return Err(ParsePathError::Length);
        }
        let rest = text.strip_prefix('/').ok_or(ParsePathError::NoSlash)?;
        if !rest.is_empty() {
            rest.split('/').try_for_each(check_segment)?;
        }
        Ok(Self(text))
    }

    pub fn as_str(&self) -> &'t str {
        self.0
    }

    fn segments(self) -> impl Iterator<Item = &'t str> {
        self.0[1..].split('/').filter(|segment| !segment.is_empty())
    }
}

/// RFC 3986 §3.3, and nothing in it that some server might decode into a path of its own.
fn check_segment(segment: &str) -> Result<(), ParsePathError> {
    let mut decoded = Vec::with_capacity(segment.len());
    let mut bytes = segment.bytes();
    while let Some(byte) = bytes.next() {
        let plain = byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:@".contains(&byte);
        match byte {
            b'%' => {
                let mut digit = || bytes.next().and_then(|b| char::from(b).to_digit(16));
                let (Some(high), Some(low)) = (digit(), digit()) else {
                    return Err(ParsePathError::Character);
                };
                let byte = (high * 16 + low) as u8;
                // RFC 3986 §2.3: what is the same to every server must look the same here.
                if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
                    return Err(encoded(byte));
                }
                decoded.push(byte);
            }
            _ if plain => decoded.push(byte),
            _ => return Err(ParsePathError::Character),
        }
    }
    if decoded.iter().any(|&b| b < 0x20 || b == 0x7f) {
        return Err(ParsePathError::Character);
    }
    let dots = matches!(&decoded[..], b"" | b"." | b"..");
    // `%25` would let a second decoding turn `%252e` into a dot.
    // Some servers cut a segment at ';' and see the dots that stand before it.
    let hidden = decoded.iter().any(|b| matches!(b, b'/' | b'\\' | b'%' | b';'));
    if dots || hidden { Err(ParsePathError::Segment) } else { Ok(()) }
}

/// An encoded dot hides a segment; any other letter hides which operation is meant.
fn encoded(byte: u8) -> ParsePathError {
    if byte == b'.' { ParsePathError::Segment } else { ParsePathError::Encoding }
}

impl FromStr for PathTemplate {
    type Err = ParsePathError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let rest = text.strip_prefix('/').ok_or(ParsePathError::NoSlash)?;
        if PATH_BYTES_MAX < text.len() {
            return Err(ParsePathError::Length);
        }
        if rest.is_empty() {
            return Ok(Self(Box::default()));
        }
        let read = |text: &str| match text.strip_prefix('{').and_then(|t| t.strip_suffix('}')) {
            Some(name) => {
                let word = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
                let fits = !name.is_empty() && name.bytes().all(word);
                fits.then(|| Segment::Any(name.into())).ok_or(ParsePathError::Character)
            }
            None => check_segment(text).map(|()| Segment::Fixed(text.into())),
        };
        rest.split('/').map(read).collect::<Result<_, _>>().map(Self)
    }
}

impl fmt::Display for PathTemplate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return f.write_str("/");
        }
        self.0.iter().try_for_each(|segment| match segment {
            Segment::Fixed(text) => write!(f, "/{text}"),
            Segment::Any(name) => write!(f, "/{{{name}}}"),
        })
    }
}

impl TryFrom<String> for PathTemplate {
    type Error = ParsePathError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<PathTemplate> for String {
    fn from(template: PathTemplate) -> Self {
        template.to_string()
    }
}

impl Method {
    const ALL: [(Self, &'static str); 7] = [
        (Self::Get, "GET"),
        (Self::Head, "HEAD"),
        (Self::Post, "POST"),
        (Self::Put, "PUT"),
        (Self::Patch, "PATCH"),
        (Self::Delete, "DELETE"),
        (Self::Options, "OPTIONS"),
    ];

    pub fn name(self) -> &'static str {
        Self::ALL.iter().find(|(method, _)| *method == self).map_or("", |(_, name)| name)
    }
}

impl FromStr for Method {
    type Err = ParsePathError;

    /// Exact: methods are case-sensitive (RFC 9110 §9.1).
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let found = Self::ALL.iter().find(|(_, name)| *name == text);
        found.map(|(method, _)| *method).ok_or(ParsePathError::Method)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn matches_segment_by_segment() {
        #[rustfmt::skip]
        let cases = [
            // Template              Path                      Matches
            ("/",                    "/",                      true),
            ("/",                    "/a",                     false),
            ("/persons",             "/persons",               true),
            ("/persons/{id}",        "/persons/0012345679",    true),
            ("/persons/{id}",        "/persons/%DB%B1",        true),
            ("/persons/{id}",        "/persons",               false),
            ("/persons/{id}",        "/persons/1/kin",         false),
            ("/persons/{id}/kin",    "/persons/1/kin",         true),
            ("/persons/{id}/kin",    "/persons/1/debts",       false),
        ];
        for (template, path, want) in cases {
            let parsed: PathTemplate = template.parse().expect(template);
            assert_eq!(parsed.to_string(), template);
            assert_eq!(parsed.matches(RequestPath::new(path).expect(path)), want, "{path}");
        }
    }

    #[test]
    fn a_fixed_segment_says_more_than_any() {
        let template = |text: &str| text.parse::<PathTemplate>().expect(text);
        let cases = [
            // More specific         Less specific
            ("/persons/all", "/persons/{id}"),
            ("/persons/{id}/kin", "/persons/{id}/{what}"),
            ("/a/b/{y}", "/a/{x}/c"),
        ];
        for (more, less) in cases {
            assert!(template(more).is_more_specific(&template(less)), "{more}");
            assert!(!template(less).is_more_specific(&template(more)), "{less}");
            assert!(!template(less).is_same_as(&template(more)), "{less}");
        }
        assert!(template("/{a}/b").is_same_as(&template("/{c}/b")));
        assert!(!template("/{a}/b").is_more_specific(&template("/{c}/b")));
    }

    #[test]
    fn refuses_paths_that_could_climb() {
        for path in [
            "",
            "persons",
            "//",
            "/a//b",
            "/a/",
            "/.",
            "/..",
            "/a/../b",
            "/%2e%2e/secret",
            "/%2E/x",
            "/a/%2e%2e/b",
            "/a%2fb",
            "/a%5cb",
            "/a\\b",
            "/%252e%252e/b",
            "/a%",
            "/a%2",
            "/a%zz",
            "/a b",
            "/a?b",
            "/a#b",
            "/a;b",
            "/..;/b",
            "/a%3bb",
            "/%61ll",
            "/%7Euser",
            "/%00",
            "/سلام",
        ] {
            assert!(RequestPath::new(path).is_err(), "{path:?}");
        }
        assert_eq!(RequestPath::new(&"/a".repeat(PATH_BYTES_MAX)), Err(ParsePathError::Length));
    }
}
