//! The technical standards of a published service, as a function: what is wrong with it, by which
//! rule, where, and what to do. `docs/standards.md` explains each rule; a test keeps both together.

mod rules;

use std::fmt;

use serde::Serialize;

use crate::operation::{Call, GrpcMethod, Method, PathTemplate};
use crate::service::Service;

/// What a service does not keep.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct Finding {
    pub severity: Severity,
    pub rule: Rule,
    /// Which part of the service, such as `operation getPerson`.
    pub place: String,
    pub wrong: String,
    /// What to do.
    pub remedy: &'static str,
}

/// What follows from a finding.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// It is not published.
    Error,
    /// It is published, and should be mended.
    Warning,
}

/// What an interface description says can be called.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Interface {
    pub calls: Vec<DescribedCall>,
}

/// One call of an interface description.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum DescribedCall {
    Rest {
        method: Method,
        path: PathTemplate,
    },
    Grpc(GrpcMethod),
    /// A named operation of a WSDL, which is told apart in the body.
    Soap(String),
}

macro_rules! rules {
    ($($(#[$doc:meta])* $variant:ident = $name:literal, $severity:ident;)*) => {
        /// The rules. Names are permanent; each has a section in `docs/standards.md`.
        #[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd, Serialize)]
        pub enum Rule {
            $($(#[$doc])* #[serde(rename = $name)] $variant,)*
        }

        impl Rule {
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            /// Its permanent name, such as `sla-missing`.
            pub fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            pub fn severity(self) -> Severity {
                match self { $(Self::$variant => Severity::$severity,)* }
            }
        }
    };
}

rules! {
    // Names.
    /// A service is named by a word, and its version stands apart.
    ServiceName = "service-name", Warning;
    /// An operation is named as programmers name functions: `getPerson`.
    OperationName = "operation-name", Warning;

    // What is called.
    /// What only reads is an inquiry, and what changes something a submission (RFC 9110 §9.2.1).
    OperationKind = "operation-kind", Error;
    /// One service speaks one language.
    MixedCalls = "mixed-calls", Error;

    // Whom it is about.
    /// The operation says whom its requests are about.
    SubjectMissing = "subject-missing", Warning;
    /// The field that holds the subject exists.
    SubjectField = "subject-field", Error;

    // What is promised.
    /// The provider offers a level of service.
    SlaMissing = "sla-missing", Warning;
    /// What is promised can be kept within the service's own total time.
    SlaTimeout = "sla-timeout", Error;

    // Who answers for it.
    /// There is a service card.
    CardMissing = "card-missing", Warning;
    /// The card is approved, and has its code.
    CardCodeMissing = "card-code-missing", Warning;
    /// The Persian title is in Persian.
    CardTitle = "card-title", Warning;
    /// Somebody can be asked.
    ContactMissing = "contact-missing", Warning;
    /// An e-mail address has one '@'.
    ContactEmail = "contact-email", Error;
    /// A new system, portal or database has the council's agreement (decree ¶2).
    ApprovalMissing = "approval-missing", Warning;

    // How it is explained.
    /// The interface is described.
    DescriptionMissing = "description-missing", Warning;
    /// The language of the description fits what is called.
    DescriptionLanguage = "description-language", Error;
    /// Every declared operation is described.
    DescriptionOperation = "description-operation", Error;

    // Where it stands in its life.
    /// Who is refused is told why, in both languages.
    NoticeMissing = "notice-missing", Error;
    /// Who must leave is told where to go.
    SuccessorMissing = "successor-missing", Warning;
    /// Maintenance ends within days.
    MaintenanceLong = "maintenance-long", Warning;
}

/// Judges `service`; with its `interface` where the description is at hand. Errors first.
pub fn check(service: &Service, interface: Option<&Interface>) -> Vec<Finding> {
    let mut findings = rules::of(service);
    if let Some(interface) = interface {
        rules::of_interface(service, interface, &mut findings);
    }
    findings.sort_by_key(|finding| (finding.severity, finding.rule));
    findings
}

/// Does anything in `findings` keep a service from being published?
pub fn refuses(findings: &[Finding]) -> bool {
    findings.iter().any(|finding| finding.severity == Severity::Error)
}

impl DescribedCall {
    /// Is the operation that is called so the one that is described here?
    pub fn describes(&self, call: &Call) -> bool {
        match (self, call) {
            (Self::Rest { method, path }, Call::Rest { method: declared, path: template }) => {
                method == declared && path.is_same_as(template)
            }
            (Self::Grpc(method), Call::Grpc(declared)) => method == declared,
            // Whatever the operation of a SOAP service is, it is posted.
            (Self::Soap(_), Call::Rest { method, .. }) => *method == Method::Post,
            _ => false,
        }
    }
}

impl Severity {
    /// Its word.
    pub fn name(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { severity, rule, place, wrong, remedy } = self;
        write!(f, "{} {}: {place}: {wrong}; {remedy}", severity.name(), rule.name())
    }
}

#[cfg(test)]
mod tests;
