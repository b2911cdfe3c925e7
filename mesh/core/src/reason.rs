//! Why an exchange did not get its answer: a permanent name, who is at fault, who can mend it.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use crate::limits::DETAIL_BYTES_MAX;
use crate::node::DNS_NAME_BYTES_MAX;

/// Who can mend what a reason names.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Mender {
    /// The application that asks, or its agency.
    Consumer,
    /// The agency whose service was asked.
    Provider,
    /// The operator of the hop that the problem names.
    HopOperator,
    /// The registrar at the centre.
    Registrar,
    /// The parties of the agreement; the detail says which.
    Parties,
    /// Nobody need act: trying again is enough.
    Nobody,
}

/// What kind of trouble it is. Programs at the border derive gRPC codes and HTTP statuses from it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Kind {
    /// The request itself is wrong; the caller's mistake never looks like ours.
    Malformed,
    TooLarge,
    NotFound,
    /// Known, and not allowed.
    Forbidden,
    /// Somebody else came first.
    Conflict,
    /// Too much at once.
    Overload,
    /// Something on the way cannot be reached or left.
    Unavailable,
    Deadline,
    /// Reached, but it answered what cannot be used.
    BadAnswer,
    Cancelled,
    Internal,
}

macro_rules! reasons {
    ($(
        $(#[$doc:meta])*
        $variant:ident = $name:literal, $kind:ident, $mender:ident, $retry:expr;
    )*) => {
        /// The name that a program matches on. Permanent: retire one, never reuse it. Each has a
        /// page `docs/errors/{name}.md`, which a test checks.
        #[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
        pub enum Reason {
            $($(#[$doc])* $variant,)*
        }

        impl Reason {
            /// All of them, in the order of this file.
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            /// Its place in [`Self::ALL`], for what is counted by reason.
            pub fn index(self) -> usize {
                self as usize
            }

            /// Its name on the wire and in documents, such as `NOT_PERMITTED`.
            pub fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            pub fn kind(self) -> Kind {
                match self { $(Self::$variant => Kind::$kind,)* }
            }

            pub fn mender(self) -> Mender {
                match self { $(Self::$variant => Mender::$mender,)* }
            }

            /// How long to wait before trying again; `None` where trying again cannot help.
            pub fn retry_after(self) -> Option<Duration> {
                let after_ms: Option<u64> = match self { $(Self::$variant => $retry,)* };
                after_ms.map(Duration::from_millis)
            }
        }
    };
}

reasons! {
    // Wrong in the request itself.
    /// The request cannot be read: its path, a header or a wire message is not well formed.
    RequestMalformed = "REQUEST_MALFORMED", Malformed, Consumer, None;
    /// The request does not say which system asks.
    ClientMissing = "CLIENT_MISSING", Malformed, Consumer, None;
    /// The request is in the name of a system that is not the one beside this agent.
    ClientUnknown = "CLIENT_UNKNOWN", Forbidden, Consumer, None;
    /// The request's head is larger than the mesh carries.
    RequestTooLarge = "REQUEST_TOO_LARGE", TooLarge, Consumer, None;
    /// The local address asked for is not one that the agent serves.
    PathUnknown = "PATH_UNKNOWN", NotFound, Consumer, None;
    /// The service has no operation with this method and path.
    OperationUnknown = "OPERATION_UNKNOWN", NotFound, Consumer, None;
    /// The body that came is not the one that its header describes.
    BodyCorrupt = "BODY_CORRUPT", Malformed, HopOperator, None;

    // Not allowed.
    /// No agreement lets this consumer use this operation of this service for this purpose; or
    /// there is no such service.
    NotPermitted = "NOT_PERMITTED", Forbidden, Registrar, None;
    /// The consumer has an agreement, which does not name this operation.
    OperationNotPermitted = "OPERATION_NOT_PERMITTED", Forbidden, Parties, None;
    /// The consumer has an agreement, which does not name this purpose.
    PurposeNotPermitted = "PURPOSE_NOT_PERMITTED", Forbidden, Parties, None;
    /// The agreement is not signed by all, or has not begun.
    AgreementPending = "AGREEMENT_PENDING", Forbidden, Parties, None;
    /// One or more of the parties have suspended the agreement.
    AgreementSuspended = "AGREEMENT_SUSPENDED", Forbidden, Parties, None;
    /// The consumer is not what the agreement wants it to be.
    AttributeMissing = "ATTRIBUTE_MISSING", Forbidden, Registrar, None;
    /// The agreement's time is over.
    AgreementExpired = "AGREEMENT_EXPIRED", Forbidden, Parties, None;
    /// Another agreement has taken its place, and the grace is over.
    AgreementSuperseded = "AGREEMENT_SUPERSEDED", Forbidden, Consumer, None;
    /// A party has ended the agreement for good.
    AgreementRevoked = "AGREEMENT_REVOKED", Forbidden, Parties, None;
    /// The system that asks is not the one that the connection belongs to.
    SourceMismatch = "SOURCE_MISMATCH", Forbidden, HopOperator, None;
    /// The request is not the operation that its header declares.
    OperationMismatch = "OPERATION_MISMATCH", Forbidden, Consumer, None;
    /// The node's certificate is sound, but its key is not active in the directory.
    NodeUnknown = "NODE_UNKNOWN", Forbidden, Registrar, None;
    /// The exchange came back to a node that it had passed.
    LoopRefused = "LOOP_REFUSED", Forbidden, HopOperator, None;
    /// Two nodes speak no common version of the protocol.
    VersionUnsupported = "VERSION_UNSUPPORTED", Forbidden, HopOperator, None;

    // The service itself, told to who may use it.
    /// The service is switched off; the provider says why.
    ServiceDisabled = "SERVICE_DISABLED", Unavailable, Provider, None;
    /// The service is away for a time that was announced.
    ServiceMaintenance = "SERVICE_MAINTENANCE", Unavailable, Provider, Some(60_000);
    /// This version of the service is gone for good.
    ServiceRetired = "SERVICE_RETIRED", NotFound, Consumer, None;

    // On the way.
    /// The directories of two hops disagree about where a system is.
    RouteStale = "ROUTE_STALE", Unavailable, Nobody, Some(1000);
    /// The node has not heard from the centre for so long that it no longer knows what holds.
    DirectoryStale = "DIRECTORY_STALE", Unavailable, HopOperator, Some(5000);
    /// Two hops were told different directories under one number: somebody does not tell the truth.
    DirectorySplitView = "DIRECTORY_SPLIT_VIEW", Unavailable, Registrar, None;
    /// The agent has no link to its hub.
    HubUnreachable = "HUB_UNREACHABLE", Unavailable, HopOperator, Some(1000);
    /// The cluster hub has no link to the centre; there is no other way.
    CentreUnreachable = "CENTRE_UNREACHABLE", Unavailable, HopOperator, Some(1000);
    /// The provider's cluster hub has no link to the centre.
    ClusterUnreachable = "CLUSTER_UNREACHABLE", Unavailable, HopOperator, Some(1000);
    /// The provider's agent has no link, or the provider's own service takes no connection.
    ProviderUnreachable = "PROVIDER_UNREACHABLE", Unavailable, Provider, Some(1000);
    /// A link was lost while the exchange was under way.
    LinkLost = "LINK_LOST", Unavailable, Nobody, Some(250);
    /// A submission was under way when something broke: it may have been carried out.
    OutcomeUnknown = "OUTCOME_UNKNOWN", Unavailable, Nobody, Some(250);
    /// The node is about to stop and takes no new exchange.
    Draining = "DRAINING", Unavailable, Nobody, Some(250);
    /// A hop has as much in hand as it takes.
    Overloaded = "OVERLOADED", Overload, Nobody, Some(250);
    /// The total time of the exchange ran out at the hop named.
    DeadlineExceeded = "DEADLINE_EXCEEDED", Deadline, Provider, Some(1000);
    /// The one who asked went away.
    Cancelled = "CANCELLED", Cancelled, Nobody, None;

    // At the far end.
    /// The provider's own service broke the connection off before its answer was whole.
    ProviderBrokeOff = "PROVIDER_BROKE_OFF", BadAnswer, Provider, Some(1000);
    /// The provider's own service answered what is not well-formed HTTP, or too large a head.
    ProviderMalformed = "PROVIDER_MALFORMED", BadAnswer, Provider, None;
    /// The provider's agent has no backend configured for the service.
    BackendMissing = "BACKEND_MISSING", Unavailable, Provider, None;
    /// The answer does not belong to the request.
    AnswerMismatch = "ANSWER_MISMATCH", BadAnswer, HopOperator, None;

    // What describes a service.
    /// There is no interface description, or not the one that the directory names.
    DescriptionUnknown = "DESCRIPTION_UNKNOWN", NotFound, Provider, None;

    // The registry, to operators.
    /// The registry has moved on since the changes were written.
    RegistryConflict = "REGISTRY_CONFLICT", Conflict, Registrar, None;
    /// The changes cannot be made: the objects would not fit together.
    RegistryRefused = "REGISTRY_REFUSED", Malformed, Registrar, None;
    /// The registry cannot keep what it is told.
    RegistryUnavailable = "REGISTRY_UNAVAILABLE", Unavailable, HopOperator, Some(1000);
    /// The registry has no change set with this id.
    ChangeSetUnknown = "CHANGE_SET_UNKNOWN", NotFound, Registrar, None;
    /// The change set was decided of before, or is not the one that was read.
    ChangeSetClosed = "CHANGE_SET_CLOSED", Conflict, Registrar, None;
    /// The change set, or an object of it, is larger than the registry takes.
    ChangeSetTooLarge = "CHANGE_SET_TOO_LARGE", TooLarge, Registrar, None;
    /// This operator's decision does not count: it is the author's own, or the second one.
    ApprovalRefused = "APPROVAL_REFUSED", Forbidden, Registrar, None;
    /// An operator asks more often than an admin port answers.
    AdminRateLimited = "ADMIN_RATE_LIMITED", Overload, Nobody, Some(1000);
    /// A message to an admin port is larger than it takes.
    AdminMessageTooLarge = "ADMIN_MESSAGE_TOO_LARGE", TooLarge, Registrar, None;

    // Ours.
    /// A peer broke the rules of the link protocol; the link is closed.
    ProtocolViolation = "PROTOCOL_VIOLATION", Internal, HopOperator, None;
    /// The mesh itself failed; the log of the hop named says why.
    Internal = "INTERNAL", Internal, HopOperator, None;
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A name that is no reason this version knows.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{0:?} is no known reason")]
pub struct UnknownReason(pub String);

impl FromStr for Reason {
    type Err = UnknownReason;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let known = Self::ALL.iter().copied().find(|reason| reason.name() == text);
        known.ok_or_else(|| UnknownReason(text.chars().take(64).collect()))
    }
}

impl Mender {
    /// The word for it in errors, such as `provider`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Consumer => "consumer",
            Self::Provider => "provider",
            Self::HopOperator => "hop-operator",
            Self::Registrar => "registrar",
            Self::Parties => "agreement-parties",
            Self::Nobody => "nobody",
        }
    }
}

/// The name of a hop in errors and timings: a node's name below the mesh domain.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct HopName(std::sync::Arc<str>);

impl HopName {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for HopName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<&crate::node::NodeName> for HopName {
    fn from(node: &crate::node::NodeName) -> Self {
        Self(node.to_string().into())
    }
}

/// Text that cannot be the name of a hop.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("hop name is no lower-case DNS name of 1 to {DNS_NAME_BYTES_MAX} bytes")]
pub struct ParseHopError;

impl FromStr for HopName {
    type Err = ParseHopError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let allowed = |b: u8| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.');
        let fits = (1..=DNS_NAME_BYTES_MAX).contains(&text.len()) && text.bytes().all(allowed);
        if fits { Ok(Self(text.into())) } else { Err(ParseHopError) }
    }
}

/// The longest time that a problem tells anybody to wait: a year.
pub const WAIT_MAX: Duration = Duration::from_secs(366 * 24 * 3600);

const WAIT_MIN: Duration = Duration::from_millis(1);

/// A refusal or failure as it travels: why, at which hop, and what somebody there can check.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{reason} at {hop}: {detail}")]
pub struct Problem {
    pub reason: Reason,
    pub hop: HopName,
    /// A sentence for people: lower case, no full stop, no secret, no personal identifier.
    pub detail: Box<str>,
    /// How long to wait, where the one who found it knows better than the reason does.
    pub wait: Option<Duration>,
}

impl Problem {
    /// A problem found at `hop`. Cuts `detail` to what a peer takes.
    pub fn new(reason: Reason, hop: HopName, detail: impl Into<String>) -> Self {
        let mut detail: String = detail.into();
        detail.truncate(detail.floor_char_boundary(DETAIL_BYTES_MAX));
        Self { reason, hop, detail: detail.into(), wait: None }
    }

    /// The same, with the time after which trying again can help; at least a millisecond, at most
    /// [`WAIT_MAX`].
    pub fn wait(self, wait: Duration) -> Self {
        let wait = Duration::from_millis(wait.clamp(WAIT_MIN, WAIT_MAX).as_millis() as u64);
        Self { wait: Some(wait), ..self }
    }

    /// How long to wait before trying again; `None` where trying again cannot help.
    pub fn retry_after(&self) -> Option<Duration> {
        self.wait.or(self.reason.retry_after())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_upper_snake_unique_and_read_back() {
        for (index, reason) in Reason::ALL.iter().enumerate() {
            let name = reason.name();
            assert!(name.bytes().all(|b| b.is_ascii_uppercase() || b == b'_'), "{name}");
            assert_eq!(name.parse(), Ok(*reason));
            assert_eq!(reason.index(), index, "{name}");
            assert!(Reason::ALL[..index].iter().all(|earlier| earlier.name() != name), "{name}");
        }
    }

    #[test]
    fn a_long_detail_is_cut_between_characters() {
        let hop: HopName = "hub.health".parse().unwrap();
        let problem = Problem::new(Reason::Internal, hop, "خ".repeat(DETAIL_BYTES_MAX));
        assert_eq!(problem.detail.len(), DETAIL_BYTES_MAX);
    }
}
