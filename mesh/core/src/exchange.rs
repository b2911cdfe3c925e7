//! One exchange: its id, the clear headers of request and answer, and what a body is.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::address::{ServiceAddress, SystemAddress};
use crate::agreement::AgreementId;
use crate::id::{OperationId, PurposeId};
use crate::identifier::{Kind, personal};
use crate::operation::OperationKind;
use crate::reason::Reason;

/// Names one exchange: a UUID of version 7 (RFC 9562 §5.7), made by the consumer's agent.
#[derive(Clone, Copy, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct ExchangeId([u8; 16]);

/// A SHA-256 digest; as text, 64 hexadecimal digits.
#[derive(Clone, Copy, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(try_from = "String", into = "String")]
pub struct Digest(pub [u8; 32]);

/// Where a node stands in the history of its directory.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct DirectoryPosition {
    /// Raised by a restore or a migration of the registry.
    pub epoch: u64,
    /// Raised by each change.
    pub revision: u64,
    /// Root over the heads of all scopes; `None` at a node that has heard no heartbeat yet.
    pub root: Option<Digest>,
}

/// What the header says of a body.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum BodyDescriptor {
    /// The whole body is at hand, at most `INLINE_BODY_BYTES_MAX` bytes.
    Inline { digest: Digest, length: u32 },
    /// The body follows as it comes, in chunks of at most so many bytes; once they are sealed, each
    /// but the last has exactly so many.
    Stream { chunk_bytes: u32, length: Option<u64> },
}

/// The clear part of a request. Its bytes are signed, so no hop changes them.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct RequestHeader {
    pub exchange: ExchangeId,
    pub consumer: SystemAddress,
    pub service: ServiceAddress,
    pub operation: OperationId,
    pub kind: OperationKind,
    /// By which the consumer may ask.
    pub agreement: AgreementId,
    pub purpose: PurposeId,
    /// Total time that the consumer grants, counted from `issued_at_unix_ms` at its agent.
    pub deadline: Duration,
    pub issued_at_unix_ms: u64,
    pub body: BodyDescriptor,
    /// Digest of the head that travels beside the header.
    pub head_digest: Digest,
    /// Who asks at the consumer, by a name that only the consumer can resolve.
    pub operator: Option<Pseudonym>,
    pub idempotency_key: Option<IdempotencyKey>,
    /// The exchange that this one repeats.
    pub retry_of: Option<ExchangeId>,
    pub directory: DirectoryPosition,
}

/// How an exchange ended, as the provider's agent says it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Outcome {
    /// The provider's service answered, whatever it said.
    Answered,
    /// The provider's agent did not ask its service.
    Refused(Reason),
    /// The service was asked, and no whole answer came of it.
    Failed(Reason),
}

/// The clear part of an answer.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct AnswerHeader {
    pub exchange: ExchangeId,
    /// SHA-256 of the bytes of the request header that this answers.
    pub request_digest: Digest,
    pub outcome: Outcome,
    pub answered_at_unix_ms: u64,
    pub body: BodyDescriptor,
    pub head_digest: Digest,
    pub directory: DirectoryPosition,
}

/// Declares a short opaque text of printable ASCII.
macro_rules! opaque {
    ($(#[$doc:meta])* $name:ident, $kind:literal, $stands_for_a_person:literal) => {
        $(#[$doc])*
        #[derive(Clone, Debug, Eq, Hash, PartialEq)]
        pub struct $name(Box<str>);

        impl $name {
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = ParseOpaqueError;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                let fits = (1..=OPAQUE_BYTES_MAX).contains(&text.len())
                    && text.bytes().all(|b| b.is_ascii_graphic());
                if !fits {
                    return Err(ParseOpaqueError::Form { kind: $kind });
                }
                match personal(text) {
                    Some(found) if $stands_for_a_person => {
                        Err(ParseOpaqueError::Personal { kind: $kind, found })
                    }
                    _ => Ok(Self(text.into())),
                }
            }
        }
    };
}

/// Longest pseudonym or idempotency key, in bytes.
pub const OPAQUE_BYTES_MAX: usize = 128;

/// Text that is no pseudonym or key. What it was is never told.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum ParseOpaqueError {
    #[error("{kind} is not 1 to {OPAQUE_BYTES_MAX} bytes of printable ASCII")]
    Form { kind: &'static str },
    #[error("{kind} has the form of {found}; want a name that only the consumer can resolve")]
    Personal { kind: &'static str, found: Kind },
}

opaque! {
    /// Stands for a person at the consumer; never an identifier of that person, as it is in the
    /// clear at every hop.
    Pseudonym, "operator pseudonym", true
}

opaque! {
    /// Two submissions with one key are one submission.
    IdempotencyKey, "idempotency key", false
}

impl ExchangeId {
    /// A fresh id at `unix_ms`, with `random` bits from the caller's generator.
    pub fn new(unix_ms: u64, random: [u8; 10]) -> Self {
        let mut bytes = [0; 16];
        bytes[..6].copy_from_slice(&unix_ms.to_be_bytes()[2..]);
        bytes[6..].copy_from_slice(&random);
        bytes[6] = (bytes[6] & 0x0f) | 0x70;
        bytes[8] = (bytes[8] & 0x3f) | 0x80;
        Self(bytes)
    }

    /// Reads 16 bytes; `None` unless they are a UUID of version 7.
    pub fn from_bytes(bytes: [u8; 16]) -> Option<Self> {
        let version_7 = bytes[6] >> 4 == 7 && bytes[8] >> 6 == 0b10;
        version_7.then_some(Self(bytes))
    }

    pub fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }

    /// When it was made, by the clock of its maker.
    pub fn unix_ms(&self) -> u64 {
        self.0[..6].iter().fold(0, |ms, byte| ms << 8 | u64::from(*byte))
    }
}

impl fmt::Display for ExchangeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, byte) in self.0.iter().enumerate() {
            if matches!(index, 4 | 6 | 8 | 10) {
                f.write_str("-")?;
            }
            write!(f, "{byte:02x}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for ExchangeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Text that is not 64 hexadecimal digits.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("digest is not 64 hexadecimal digits")]
pub struct ParseDigestError;

impl FromStr for Digest {
    type Err = ParseDigestError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut digest = [0; 32];
        if text.len() != 64 || !text.bytes().all(|b| b.is_ascii_hexdigit()) {
            return Err(ParseDigestError);
        }
        for (index, byte) in digest.iter_mut().enumerate() {
            let digits = &text[2 * index..2 * index + 2];
            *byte = u8::from_str_radix(digits, 16).map_err(|_| ParseDigestError)?;
        }
        Ok(Self(digest))
    }
}

impl TryFrom<String> for Digest {
    type Error = ParseDigestError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<Digest> for String {
    fn from(digest: Digest) -> Self {
        digest.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_exchange_id_is_a_uuid_of_version_7() {
        // The example of RFC 9562, appendix A.6.
        let random = [0x7c, 0xc3, 0x98, 0xc4, 0xdc, 0x0c, 0x0c, 0x07, 0x39, 0x8f];
        let id = ExchangeId::new(0x017F_22E2_79B0, random);
        assert_eq!(id.to_string(), "017f22e2-79b0-7cc3-98c4-dc0c0c07398f");
        assert_eq!(id.unix_ms(), 0x017F_22E2_79B0);
        assert_eq!(ExchangeId::from_bytes(*id.as_bytes()), Some(id));
        assert_eq!(ExchangeId::from_bytes([0; 16]), None);
    }

    #[test]
    fn a_digest_reads_as_it_prints() {
        let text = "00ff".repeat(16);
        assert_eq!(text.parse::<Digest>().unwrap().to_string(), text);
        assert_eq!("00".parse::<Digest>(), Err(ParseDigestError));
        assert_eq!("+0".repeat(32).parse::<Digest>(), Err(ParseDigestError));
    }
}
