//! One service that keeps every rule, and what is told when it breaks one.

use super::*;
use crate::identifier::ServiceCardCode;
use crate::operation::{Operation, OperationKind};
use crate::service::{Contact, Description, Lifecycle, Maintenance, MediaType, ServiceCard};
use crate::sla::Sla;
use crate::time::UnixMs;

fn fine() -> Service {
    let (method, path) = (Method::Get, "/persons/{id}".parse().unwrap());
    let id = "getPerson".parse().unwrap();
    let mut operation = Operation::rest(id, OperationKind::Inquiry, method, path);
    operation.subject = Some("national-id path:id".parse().unwrap());
    let address = "ir/gov/civil/persons/identity.v1".parse().unwrap();
    let email = Some("help@civil.gov.ir".parse().unwrap());
    Service {
        sla: Some(Sla::new(99_900, 800).unwrap()),
        card: Some(ServiceCard {
            code: Some("00012345678".parse::<ServiceCardCode>().unwrap()),
            title_fa: "استعلام هویت".parse().unwrap(),
            title_en: "Identity".parse().unwrap(),
            unit_fa: "دفتر فناوری".parse().unwrap(),
            fee_rials: None,
            contacts: vec![Contact::new("help desk".parse().unwrap(), None, email).unwrap()],
        }),
        approval: Some("council, 1396/1/28, no. 11".parse().unwrap()),
        description: Some(Description {
            sha256: crate::exchange::Digest([1; 32]),
            media_type: MediaType::OpenApiJson,
            length_bytes: 10,
        }),
        ..Service::new(address, vec![operation])
    }
}

fn interface() -> Interface {
    let path = "/persons/{national_id}".parse().unwrap();
    Interface { calls: vec![DescribedCall::Rest { method: Method::Get, path }] }
}

#[test]
fn every_rule_is_broken_by_something_and_kept_by_something() {
    type Break = fn(&mut Service);
    let breaks: &[(Rule, Break)] = &[
        (Rule::ServiceName, |s| s.address.service = "identity-v2".parse().unwrap()),
        (Rule::OperationName, |s| s.operations[0].id = "Get_person".parse().unwrap()),
        (Rule::OperationKind, |s| s.operations[0].kind = OperationKind::Submission),
        (Rule::MixedCalls, |s| {
            let mut other = s.operations[0].clone();
            other.id = "other".parse().unwrap();
            other.call = Call::Grpc("civil.v1.Persons/Get".parse().unwrap());
            s.operations.push(other);
        }),
        (Rule::SubjectMissing, |s| s.operations[0].subject = None),
        (Rule::SubjectField, |s| {
            s.operations[0].subject = Some("national-id path:person".parse().unwrap());
        }),
        (Rule::SlaMissing, |s| s.sla = None),
        (Rule::SlaTimeout, |s| s.timeout_ms = 700),
        (Rule::CardMissing, |s| s.card = None),
        (Rule::CardCodeMissing, |s| s.card.as_mut().unwrap().code = None),
        (Rule::CardTitle, |s| {
            s.card.as_mut().unwrap().title_fa = "Identity".parse().unwrap();
        }),
        (Rule::ContactMissing, |s| s.card.as_mut().unwrap().contacts.clear()),
        (Rule::ContactEmail, |s| {
            s.card.as_mut().unwrap().contacts[0].email = Some("help".parse().unwrap());
        }),
        (Rule::ApprovalMissing, |s| s.approval = None),
        (Rule::DescriptionMissing, |s| s.description = None),
        (Rule::DescriptionLanguage, |s| {
            s.description.as_mut().unwrap().media_type = MediaType::Protobuf;
        }),
        (Rule::DescriptionOperation, |s| {
            let (method, path) = (Method::Get, "/companies/{id}".parse().unwrap());
            s.operations[0].call = Call::Rest { method, path };
        }),
        (Rule::NoticeMissing, |s| s.lifecycle.disabled_since = Some(UnixMs(1))),
        (Rule::SuccessorMissing, |s| s.lifecycle.retired_at = Some(UnixMs(1))),
        (Rule::MaintenanceLong, |s| {
            let week = 7 * 24 * 3600 * 1000;
            let maintenance = Maintenance::new(UnixMs(1), UnixMs(week + 2)).unwrap();
            s.lifecycle = Lifecycle { maintenance: Some(maintenance), ..Lifecycle::default() };
        }),
    ];
    assert_eq!(check(&fine(), Some(&interface())), []);
    for (rule, change) in breaks {
        let mut service = fine();
        change(&mut service);
        let findings = check(&service, Some(&interface()));
        let found = findings.iter().find(|finding| finding.rule == *rule);
        let found = found.unwrap_or_else(|| panic!("{} is not found", rule.name()));
        assert_eq!(found.severity, rule.severity());
        assert_eq!(refuses(&findings), findings[0].severity == Severity::Error);
    }
    let broken: Vec<Rule> = breaks.iter().map(|(rule, _)| *rule).collect();
    assert_eq!(broken, Rule::ALL);
}

#[test]
fn a_finding_is_a_sentence() {
    let mut service = fine();
    service.timeout_ms = 700;
    let findings = check(&service, None);
    let told: Vec<String> = findings.iter().map(ToString::to_string).collect();
    let want = "error sla-timeout: sla: it promises answers within 800 ms, and breaks off after \
                700 ms; raise `timeout_ms`, or promise less time";
    assert_eq!(told, [want]);
}

#[test]
fn every_rule_has_its_section_in_the_documents() {
    let page = include_str!("../../../../docs/standards.md");
    for rule in Rule::ALL {
        let row = format!("| `{}` | {} |", rule.name(), rule.severity().name());
        assert!(page.contains(&row), "docs/standards.md has no row {row}");
    }
    let rows = page.lines().filter(|line| line.starts_with("| `")).count();
    assert_eq!(rows, Rule::ALL.len(), "docs/standards.md has a row for what is no rule");
}
