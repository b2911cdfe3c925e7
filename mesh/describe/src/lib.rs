//! Interface descriptions: which calls an OpenAPI document, a protobuf descriptor set or a WSDL
//! describes. What cannot be read is refused, with what to look at; nothing is fetched, and no
//! reference to another document is followed.

mod openapi;
mod protobuf;
mod wsdl;
mod yaml;

use mesh_core::service::{DESCRIPTION_BYTES_MAX, MediaType};
use mesh_core::standards::{DescribedCall, Interface};

/// A description that cannot be read, and what to look at.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Unreadable {
    #[error("the description is {found} bytes long, want 1 to {DESCRIPTION_BYTES_MAX}")]
    Length { found: usize },
    #[error("the description is no text in UTF-8")]
    Encoding,
    #[error("the description is no {form}: {why}")]
    Form { form: &'static str, why: String },
    #[error("the description describes no call")]
    Empty,
}

/// Calls that one description holds at most; more would be no interface that anybody reads.
pub const CALLS_MAX: usize = 2048;

/// Reads `content` as `media_type` says it is.
pub fn read(media_type: MediaType, content: &[u8]) -> Result<Interface, Unreadable> {
    if !(1..=DESCRIPTION_BYTES_MAX).contains(&content.len()) {
        return Err(Unreadable::Length { found: content.len() });
    }
    let calls = match media_type {
        MediaType::OpenApiJson => openapi::calls(&openapi::from_json(text(content)?)?)?,
        MediaType::OpenApiYaml => openapi::calls(&yaml::read(text(content)?)?)?,
        MediaType::Protobuf => protobuf::calls(content)?,
        MediaType::Wsdl => wsdl::calls(text(content)?)?,
    };
    if calls.is_empty() {
        return Err(Unreadable::Empty);
    }
    Ok(Interface { calls })
}

/// What `content` looks like, by the first thing in it; for those who attach a file.
pub fn guess(content: &[u8]) -> MediaType {
    let Ok(text) = std::str::from_utf8(content) else { return MediaType::Protobuf };
    // A descriptor set begins with the tag of its field 1; a text has no such control characters.
    let control = |c: char| c.is_control() && !c.is_whitespace();
    if text.starts_with('\n') && text.chars().any(control) {
        return MediaType::Protobuf;
    }
    match text.trim_start_matches('\u{feff}').trim_start().chars().next() {
        Some('{') => MediaType::OpenApiJson,
        Some('<') => MediaType::Wsdl,
        _ => MediaType::OpenApiYaml,
    }
}

/// A call in words, such as `GET /persons/{id}`.
pub fn words(call: &DescribedCall) -> String {
    match call {
        DescribedCall::Rest { method, path } => format!("{} {path}", method.name()),
        DescribedCall::Grpc(method) => format!("gRPC {method}"),
        DescribedCall::Soap(name) => format!("SOAP {name}"),
    }
}

fn text(content: &[u8]) -> Result<&str, Unreadable> {
    let text = std::str::from_utf8(content).map_err(|_| Unreadable::Encoding)?;
    // RFC 8259 §8.1: a reader may pass it over.
    Ok(text.trim_start_matches('\u{feff}'))
}

#[expect(clippy::needless_pass_by_value, reason = "every caller has made it for this")]
fn unreadable(form: &'static str, why: impl ToString) -> Unreadable {
    Unreadable::Form { form, why: why.to_string() }
}

#[cfg(test)]
mod tests;
