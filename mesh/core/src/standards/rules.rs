//! The rules of the technical standards, group by group.

use super::{Finding, Interface, Rule};
use crate::operation::{Call, Method, Operation, OperationKind, Place, Subject};
use crate::service::{MediaType, Service, ServiceCard};

/// Shortest name of a service that says something.
const SERVICE_NAME_BYTES_MIN: usize = 3;

/// Longest maintenance that passes for one.
const MAINTENANCE_MS_MAX: u64 = 7 * 24 * 60 * 60 * 1000;

/// What can be said of a service alone.
pub(super) fn of(service: &Service) -> Vec<Finding> {
    let mut findings = Vec::new();
    names(service, &mut findings);
    calls(service, &mut findings);
    service.operations.iter().for_each(|operation| subject(operation, &mut findings));
    promise(service, &mut findings);
    match &service.card {
        None => add(
            &mut findings,
            Rule::CardMissing,
            ("card", "there is no service card".into()),
            "describe the service: title, unit, contacts",
        ),
        Some(card) => of_card(card, &mut findings),
    }
    if service.approval.is_none() {
        let wrong = "it cites no agreement of the council".into();
        let remedy = "cite the decision in `approval`, such as its number and date";
        add(&mut findings, Rule::ApprovalMissing, ("approval", wrong), remedy);
    }
    description(service, &mut findings);
    life(service, &mut findings);
    findings
}

/// What can be said once the interface description was read.
pub(super) fn of_interface(service: &Service, interface: &Interface, into: &mut Vec<Finding>) {
    for operation in &service.operations {
        if !interface.calls.iter().any(|described| described.describes(&operation.call)) {
            let wrong = format!("the interface description has no {}", operation.call);
            let remedy = "describe it, or declare what is described";
            add(into, Rule::DescriptionOperation, (&place(operation), wrong), remedy);
        }
    }
}

fn names(service: &Service, into: &mut Vec<Finding>) {
    let name = service.address.service.as_str();
    let versioned = name.rsplit_once('-').is_some_and(|(_, end)| {
        let digits = end.strip_prefix('v').unwrap_or_default();
        !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit())
    });
    if name.len() < SERVICE_NAME_BYTES_MIN || versioned {
        let wrong = format!("{name:?} is very short, or repeats the version");
        let remedy = "name the service by a word, such as identity";
        add(into, Rule::ServiceName, ("address", wrong), remedy);
    }
    for operation in &service.operations {
        let id = operation.id.as_str();
        if !id.starts_with(|c: char| c.is_ascii_lowercase()) || id.contains('_') {
            let wrong = format!("{id:?} is not written as getPerson is");
            let remedy = "write a verb, then what it is about, without '_'";
            add(into, Rule::OperationName, (&place(operation), wrong), remedy);
        }
    }
}

fn calls(service: &Service, into: &mut Vec<Finding>) {
    for operation in &service.operations {
        let Some((method, _)) = operation.call.rest() else { continue };
        let safe = matches!(method, Method::Get | Method::Head | Method::Options);
        let wrong = match operation.kind {
            OperationKind::Submission if safe => "it is a submission, and only reads by its method",
            OperationKind::Inquiry if !safe && method != Method::Post => {
                "it is an inquiry, and changes something by its method"
            }
            _ => continue,
        };
        let wrong = format!("{wrong}, {}", method.name());
        let remedy = "change `kind`, or the method";
        add(into, Rule::OperationKind, (&place(operation), wrong), remedy);
    }
    let grpc = |operation: &&Operation| operation.call.grpc_method().is_some();
    let spoken = service.operations.iter().filter(grpc).count();
    if spoken != 0 && spoken != service.operations.len() {
        let wrong = "some operations are gRPC methods and some are not".into();
        let remedy = "publish two services";
        add(into, Rule::MixedCalls, ("operations", wrong), remedy);
    }
}

fn subject(operation: &Operation, into: &mut Vec<Finding>) {
    let Some(subject) = &operation.subject else {
        let wrong = "it does not say whom its requests are about".into();
        let remedy = "declare `subject`, such as \"national-id path:id\", or \"nobody\"";
        return add(into, Rule::SubjectMissing, (&place(operation), wrong), remedy);
    };
    let Subject::Field { place: field, name, .. } = subject else { return };
    let wrong = match (&operation.call, field) {
        (Call::Rest { path, .. }, Place::Path) if !path.has_parameter(name) => {
            format!("its path has no parameter {name}")
        }
        (Call::Rest { method: Method::Get | Method::Head | Method::Options, .. }, Place::Body) => {
            "its requests have no body".into()
        }
        (Call::Grpc(_), Place::Path | Place::Query) => {
            "a gRPC call has its fields in the body".into()
        }
        _ => return,
    };
    let remedy = "name the field that holds the identifier";
    add(into, Rule::SubjectField, (&place(operation), wrong), remedy);
}

fn promise(service: &Service, into: &mut Vec<Finding>) {
    let Some(sla) = service.sla else {
        let wrong = "it promises nothing".into();
        let remedy = "offer an availability and a latency";
        return add(into, Rule::SlaMissing, ("sla", wrong), remedy);
    };
    if service.timeout_ms < sla.latency_p95_ms.into() {
        let wrong = format!(
            "it promises answers within {} ms, and breaks off after {} ms",
            sla.latency_p95_ms, service.timeout_ms
        );
        let remedy = "raise `timeout_ms`, or promise less time";
        add(into, Rule::SlaTimeout, ("sla", wrong), remedy);
    }
}

fn of_card(card: &ServiceCard, into: &mut Vec<Finding>) {
    if card.code.is_none() {
        let wrong = "the card has no code".into();
        add(into, Rule::CardCodeMissing, ("card", wrong), "enter the eleven digits once approved");
    }
    if !card.title_fa.as_str().chars().any(|c| ('\u{0600}'..='\u{06ff}').contains(&c)) {
        let wrong = "the Persian title has no Persian letter".into();
        add(into, Rule::CardTitle, ("card.title_fa", wrong), "write it in Persian");
    }
    if card.contacts.is_empty() {
        let wrong = "nobody can be asked".into();
        let remedy = "name an office with a telephone number or an e-mail address";
        add(into, Rule::ContactMissing, ("card.contacts", wrong), remedy);
    }
    for contact in &card.contacts {
        let email = contact.email.as_ref().map(|email| email.as_str());
        let fits = |email: &str| {
            let parts: Vec<&str> = email.split('@').collect();
            matches!(parts[..], [name, host] if !name.is_empty() && host.contains('.'))
        };
        if email.is_some_and(|email| !fits(email)) {
            let wrong = format!("the e-mail address of {} is none", contact.role);
            add(into, Rule::ContactEmail, ("card.contacts", wrong), "write name@host");
        }
    }
}

fn description(service: &Service, into: &mut Vec<Finding>) {
    let Some(description) = service.description else {
        let wrong = "nothing describes the interface".into();
        let remedy = "attach a description: `hubctl service attach`";
        return add(into, Rule::DescriptionMissing, ("description", wrong), remedy);
    };
    let grpc = service.operations.iter().any(|operation| operation.call.grpc_method().is_some());
    if grpc != (description.media_type == MediaType::Protobuf) {
        let wrong = format!("{} does not describe such calls", description.media_type.name());
        let remedy = "attach a descriptor set for gRPC, OpenAPI or WSDL for HTTP";
        add(into, Rule::DescriptionLanguage, ("description", wrong), remedy);
    }
}

fn life(service: &Service, into: &mut Vec<Finding>) {
    let life = &service.lifecycle;
    let refuses = life.disabled_since.is_some() || life.maintenance.is_some();
    if refuses && life.notice.is_none() {
        let wrong = "whoever is refused is not told why".into();
        let remedy = "write a notice in Persian and English";
        add(into, Rule::NoticeMissing, ("lifecycle.notice", wrong), remedy);
    }
    let leaves = life.deprecated.is_some() || life.retired_at.is_some();
    if leaves && life.next_major.is_none() {
        let wrong = "users must leave, and are not told where to go".into();
        let remedy = "name the next version in `next_major`";
        add(into, Rule::SuccessorMissing, ("lifecycle", wrong), remedy);
    }
    if let Some(away) = life.maintenance
        && MAINTENANCE_MS_MAX < away.until.0 - away.from.0
    {
        let wrong = "the maintenance takes more than a week".into();
        let remedy = "disable the service instead, and say why";
        add(into, Rule::MaintenanceLong, ("lifecycle.maintenance", wrong), remedy);
    }
}

fn place(operation: &Operation) -> String {
    format!("operation {}", operation.id)
}

fn add(into: &mut Vec<Finding>, rule: Rule, (place, wrong): (&str, String), remedy: &'static str) {
    into.push(Finding { severity: rule.severity(), rule, place: place.into(), wrong, remedy });
}
