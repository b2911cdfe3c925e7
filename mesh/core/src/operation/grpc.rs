//! Full names of gRPC methods, such as `tax.v1.Debts/Get`.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Longest full name, in bytes.
pub const GRPC_METHOD_BYTES_MAX: usize = 256;

/// `{package}.{Service}/{Method}`. A call of it is a POST to this path behind a '/'.
#[derive(Clone, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(try_from = "String", into = "String")]
pub struct GrpcMethod(Box<str>);

/// Text that is no full name of a gRPC method.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error(
    "gRPC method is not package.Service/Method of letters, digits and '_', at most \
     {GRPC_METHOD_BYTES_MAX} bytes"
)]
pub struct ParseGrpcMethodError;

impl GrpcMethod {
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The full name of its service, such as `tax.v1.Debts`.
    pub fn service(&self) -> &str {
        self.0.split_once('/').map_or("", |(service, _)| service)
    }

    /// Its own name, such as `Get`.
    pub fn method(&self) -> &str {
        self.0.split_once('/').map_or("", |(_, method)| method)
    }

    /// Is a call with this HTTP/2 `:path` a call of this method? Exact, as gRPC is.
    pub fn is_called_by(&self, path: &str) -> bool {
        path.strip_prefix('/') == Some(self.as_str())
    }
}

impl FromStr for GrpcMethod {
    type Err = ParseGrpcMethodError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (service, method) = text.split_once('/').ok_or(ParseGrpcMethodError)?;
        let fits = text.len() <= GRPC_METHOD_BYTES_MAX
            && service.split('.').all(is_word)
            && is_word(method);
        if fits { Ok(Self(text.into())) } else { Err(ParseGrpcMethodError) }
    }
}

fn is_word(text: &str) -> bool {
    let inner = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
    text.bytes().all(inner) && text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
}

impl TryFrom<String> for GrpcMethod {
    type Error = ParseGrpcMethodError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<GrpcMethod> for String {
    fn from(method: GrpcMethod) -> Self {
        method.0.into()
    }
}

impl fmt::Display for GrpcMethod {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_full_names_alone() {
        for text in ["tax.v1.Debts/Get", "Debts/Get", "_a.B2/_c"] {
            let method: GrpcMethod = text.parse().unwrap();
            assert_eq!(method.to_string(), text);
            assert_eq!(format!("{}/{}", method.service(), method.method()), text);
            assert!(method.is_called_by(&format!("/{text}")));
            assert!(!method.is_called_by(text));
        }
        let long = format!("{}/Get", "x".repeat(GRPC_METHOD_BYTES_MAX));
        for text in [
            "", "Get", "/Get", "a/", "a/b/c", ".a/B", "a./B", "a..b/C", "1a/B", "a-b/C", "ا/B",
            &long,
        ] {
            assert!(text.parse::<GrpcMethod>().is_err(), "{text:?}");
        }
    }
}
