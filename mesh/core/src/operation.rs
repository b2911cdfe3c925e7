//! Declared operations: which method and path of a service, or which gRPC method, an agreement
//! speaks of.

mod grpc;
mod subject;

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::id::OperationId;

pub use grpc::{GRPC_METHOD_BYTES_MAX, GrpcMethod, ParseGrpcMethodError};
pub use subject::{FIELD_BYTES_MAX, ParseSubjectError, Place, Subject, SubjectKind};

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

/// One operation of a service.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(try_from = "Written", into = "Written")]
pub struct Operation {
    pub id: OperationId,
    pub kind: OperationKind,
    pub call: Call,
    /// Whom a request is about; `None` where the provider has not said.
    pub subject: Option<Subject>,
}

/// How an operation is called.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Call {
    Rest { method: Method, path: PathTemplate },
    Grpc(GrpcMethod),
}

/// An operation in a file: `method` and `path`, or `grpc`.
#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Written {
    id: OperationId,
    kind: OperationKind,
    /// The HTTP method, in upper case.
    #[serde(skip_serializing_if = "Option::is_none")]
    method: Option<Method>,
    #[serde(skip_serializing_if = "Option::is_none")]
    path: Option<PathTemplate>,
    #[serde(skip_serializing_if = "Option::is_none")]
    grpc: Option<GrpcMethod>,
    #[serde(skip_serializing_if = "Option::is_none")]
    subject: Option<Subject>,
}

/// An operation of which nobody can say how it is called.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("operation {0} wants either method and path, or grpc")]
pub struct NoCall(OperationId);

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
    /// An operation of a REST service whose subject is not declared.
    pub fn rest(id: OperationId, kind: OperationKind, method: Method, path: PathTemplate) -> Self {
        Self { id, kind, call: Call::Rest { method, path }, subject: None }
    }

    /// Is a request with this method and path this operation?
    pub fn covers(&self, method: Method, path: RequestPath<'_>) -> bool {
        match &self.call {
            Call::Rest { method: declared, path: template } => {
                *declared == method && template.matches(path)
            }
            Call::Grpc(_) => false,
        }
    }

    /// Which of two operations that cover one request says more of its path.
    pub fn is_more_specific(&self, other: &Self) -> bool {
        match (&self.call, &other.call) {
            (Call::Rest { path: mine, .. }, Call::Rest { path: theirs, .. }) => {
                mine.is_more_specific(theirs)
            }
            _ => false,
        }
    }
}

impl Call {
    /// Could one request be a call of either?
    pub fn is_same_as(&self, other: &Self) -> bool {
        match (self, other) {
            (
                Self::Rest { method, path },
                Self::Rest { method: other_method, path: other_path },
            ) => method == other_method && path.is_same_as(other_path),
            (Self::Grpc(method), Self::Grpc(other)) => method == other,
            _ => false,
        }
    }

    pub fn grpc_method(&self) -> Option<&GrpcMethod> {
        match self {
            Self::Rest { .. } => None,
            Self::Grpc(method) => Some(method),
        }
    }

    /// HTTP method and path, where it has them.
    pub fn rest(&self) -> Option<(Method, &PathTemplate)> {
        match self {
            Self::Rest { method, path } => Some((*method, path)),
            Self::Grpc(_) => None,
        }
    }
}

impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rest { method, path } => write!(f, "{} {path}", method.name()),
            Self::Grpc(method) => write!(f, "gRPC {method}"),
        }
    }
}

impl TryFrom<Written> for Operation {
    type Error = NoCall;

    fn try_from(written: Written) -> Result<Self, Self::Error> {
        let Written { id, kind, method, path, grpc, subject } = written;
        let call = match (method, path, grpc) {
            (Some(method), Some(path), None) => Call::Rest { method, path },
            (None, None, Some(method)) => Call::Grpc(method),
            _ => return Err(NoCall(id)),
        };
        Ok(Self { id, kind, call, subject })
    }
}

impl From<Operation> for Written {
    fn from(operation: Operation) -> Self {
        let Operation { id, kind, call, subject } = operation;
        let (method, path, grpc) = match call {
            Call::Rest { method, path } => (Some(method), Some(path), None),
            Call::Grpc(method) => (None, None, Some(method)),
        };
        Self { id, kind, method, path, grpc, subject }
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

    /// Does `{name}` stand in it?
    pub fn has_parameter(&self, name: &str) -> bool {
        self.0.iter().any(|segment| matches!(segment, Segment::Any(found) if **found == *name))
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
