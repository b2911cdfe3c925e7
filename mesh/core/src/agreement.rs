//! Agreements: what a consumer, a provider and the secretariat signed, and what became of it.

pub mod officer;
#[cfg(test)]
pub(crate) mod sample;
pub mod state;
pub mod step;
pub mod terms;
mod words;

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use crate::exchange::{Digest, ParseDigestError};

pub use self::officer::{Office, Officer};
pub use self::state::{Around, State};
pub use self::step::Refused;
pub use self::terms::Terms;

/// SHA-256 of the exact bytes of an agreement's terms: what was signed is what is named.
#[derive(Clone, Copy, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct AgreementId(pub Digest);

/// Who speaks in an agreement.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Party {
    /// The agency whose system asks.
    Consumer,
    /// The agency whose system answers.
    Provider,
    /// The council's secretariat, which sees to it that there is a law for it.
    Secretariat,
    /// Who runs the mesh; signs no agreement, and may suspend and revoke any.
    Centre,
}

/// What a party does.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Deed {
    Sign,
    /// Will not sign; the proposal is over.
    Reject,
    Suspend,
    /// Lifts the party's own suspension.
    Resume,
    /// The kill switch: over at once, and for good.
    Revoke,
}

/// What a party did, signed by one of its officers.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Act {
    pub deed: Deed,
    pub party: Party,
    /// When, by the officer's clock.
    pub at_unix_ms: u64,
    /// In words; empty only where the deed needs none. At most [`REASON_BYTES_MAX`].
    pub reason: Box<str>,
    /// DER chain of the officer's certificate, leaf first, without the trust anchor.
    pub chain: Vec<Arc<[u8]>>,
    /// Ed25519.
    pub signature: [u8; 64],
}

/// The terms, and what the parties did.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Agreement {
    written: Arc<Written>,
    /// In the order in which they were done. Of a party's suspensions only the last is kept, and
    /// what lifted it.
    pub acts: Vec<Act>,
}

/// What was signed, read and unread.
#[derive(Debug, Eq, PartialEq)]
struct Written {
    id: AgreementId,
    bytes: Box<[u8]>,
    terms: Terms,
}

/// Longest reason of an act, in bytes.
pub const REASON_BYTES_MAX: usize = 512;

/// Acts that an agreement keeps: three signatures, three suspensions with what lifted them, an end.
pub const ACTS_MAX: usize = 10;

/// Certificates in the chain of an act, without the trust anchor.
pub const CHAIN_CERTIFICATES_MAX: usize = 2;

impl Agreement {
    /// A proposal that nobody has signed. `id` is the SHA-256 of `bytes`, from which `terms` were
    /// read: whoever calls has computed the one and read the other.
    pub fn proposed(id: AgreementId, bytes: impl Into<Box<[u8]>>, terms: Terms) -> Self {
        let written = Arc::new(Written { id, bytes: bytes.into(), terms });
        Self { written, acts: Vec::new() }
    }

    pub fn id(&self) -> AgreementId {
        self.written.id
    }

    pub fn terms(&self) -> &Terms {
        &self.written.terms
    }

    /// The bytes that the parties signed.
    pub fn terms_bytes(&self) -> &[u8] {
        &self.written.bytes
    }

    /// What the party did of this kind, if it did.
    pub fn act(&self, party: Party, deed: Deed) -> Option<&Act> {
        self.acts.iter().find(|act| act.party == party && act.deed == deed)
    }

    /// The act that ended it for good, if one did.
    pub fn ended(&self) -> Option<&Act> {
        self.acts.iter().find(|act| matches!(act.deed, Deed::Reject | Deed::Revoke))
    }
}

impl Act {
    /// The text that is signed: lines that an officer can read, and that begin as no other text
    /// does that anybody signs in the mesh.
    pub fn signed_text(&self, agreement: AgreementId) -> String {
        let Self { deed, party, at_unix_ms, reason, .. } = self;
        format!(
            "mesh-agreement-act v1\nagreement {agreement}\ndeed {deed}\nparty {party}\n\
             at {at_unix_ms}\nreason {reason}\n"
        )
    }
}

impl Party {
    pub const ALL: [Self; 4] = [Self::Consumer, Self::Provider, Self::Secretariat, Self::Centre];

    /// Its word, such as `secretariat`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Consumer => "consumer",
            Self::Provider => "provider",
            Self::Secretariat => "secretariat",
            Self::Centre => "centre",
        }
    }
}

impl Deed {
    pub const ALL: [Self; 5] =
        [Self::Sign, Self::Reject, Self::Suspend, Self::Resume, Self::Revoke];

    /// Its word, such as `suspend`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Sign => "sign",
            Self::Reject => "reject",
            Self::Suspend => "suspend",
            Self::Resume => "resume",
            Self::Revoke => "revoke",
        }
    }
}

impl fmt::Display for Party {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl fmt::Display for Deed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl fmt::Display for AgreementId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl fmt::Debug for AgreementId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl FromStr for AgreementId {
    type Err = ParseDigestError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse().map(Self)
    }
}
