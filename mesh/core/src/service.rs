//! Services as their providers publish them: what they offer, to whom it is explained how, and
//! whether they may be used now.

mod card;
mod decision;
mod lifecycle;
mod state;

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::address::ServiceAddress;
use crate::exchange::Digest;
use crate::limits::{DEADLINE_DEFAULT, DEADLINE_MAX};
use crate::operation::{GrpcMethod, Method, Operation, RequestPath};
use crate::sla::Sla;
use crate::text::Citation;

pub use card::{CONTACTS_MAX, CardError, Contact, ServiceCard};
pub use decision::{Decision, Said, Undecided};
pub use lifecycle::{Deprecation, Lifecycle, Maintenance, Notice, PeriodError};
pub use state::{State, Unusable};

/// One major version of a service of a system.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Service {
    pub address: ServiceAddress,
    /// Total time of an exchange whose caller grants none.
    #[serde(default = "Service::timeout_ms_default")]
    pub timeout_ms: u64,
    pub operations: Vec<Operation>,
    /// A node that has heard nothing of the directory for long stops serving these first.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub sensitive: bool,
    #[serde(default, skip_serializing_if = "Lifecycle::is_plain")]
    pub lifecycle: Lifecycle,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub card: Option<ServiceCard>,
    /// The council's agreement to the new system, portal or database.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approval: Option<Citation>,
    /// What the provider offers; an agreement may settle on another.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sla: Option<Sla>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<Description>,
}

/// The interface description of a service, by its digest: it is kept and fetched apart.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Description {
    pub sha256: Digest,
    pub media_type: MediaType,
    /// At most [`DESCRIPTION_BYTES_MAX`].
    pub length_bytes: u32,
}

/// The largest interface description.
pub const DESCRIPTION_BYTES_MAX: usize = 1024 * 1024;

/// The languages in which interfaces are described.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize)]
pub enum MediaType {
    #[serde(rename = "application/vnd.oai.openapi+json")]
    OpenApiJson,
    #[serde(rename = "application/vnd.oai.openapi")]
    OpenApiYaml,
    /// A `google.protobuf.FileDescriptorSet`.
    #[serde(rename = "application/protobuf")]
    Protobuf,
    #[serde(rename = "application/wsdl+xml")]
    Wsdl,
}

impl MediaType {
    pub const ALL: [(Self, &'static str); 4] = [
        (Self::OpenApiJson, "application/vnd.oai.openapi+json"),
        (Self::OpenApiYaml, "application/vnd.oai.openapi"),
        (Self::Protobuf, "application/protobuf"),
        (Self::Wsdl, "application/wsdl+xml"),
    ];

    pub fn name(self) -> &'static str {
        Self::ALL.iter().find(|(known, _)| *known == self).map_or("", |(_, name)| name)
    }

    /// The type of this name; no parameters.
    pub fn of(name: &str) -> Option<Self> {
        Self::ALL.iter().find(|(_, known)| *known == name).map(|(found, _)| *found)
    }
}

impl Service {
    /// A service of which nothing else is known yet.
    pub fn new(address: ServiceAddress, operations: Vec<Operation>) -> Self {
        Self {
            address,
            timeout_ms: Self::timeout_ms_default(),
            operations,
            sensitive: false,
            lifecycle: Lifecycle::default(),
            card: None,
            approval: None,
            sla: None,
            description: None,
        }
    }

    /// The operation that a request with this method and path is: of several that cover it, the
    /// most specific. The directory sees to it that there is one.
    pub fn operation(&self, method: Method, path: RequestPath<'_>) -> Option<&Operation> {
        let covering = self.operations.iter().filter(|operation| operation.covers(method, path));
        covering.reduce(|best, other| if other.is_more_specific(best) { other } else { best })
    }

    /// The operation that a call of this gRPC method is.
    pub fn grpc_operation(&self, method: &GrpcMethod) -> Option<&Operation> {
        self.operations.iter().find(|operation| operation.call.grpc_method() == Some(method))
    }

    /// Total time of an exchange: what the caller grants, else the service's own time.
    pub fn deadline(&self, granted: Option<Duration>) -> Duration {
        granted.unwrap_or(Duration::from_millis(self.timeout_ms)).min(DEADLINE_MAX)
    }

    fn timeout_ms_default() -> u64 {
        DEADLINE_DEFAULT.as_millis() as u64
    }
}
