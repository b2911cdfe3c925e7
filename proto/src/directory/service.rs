//! Services of a directory: messages to values and back.

use std::fmt::Display;
use std::str::FromStr;

use bytes::Bytes;
use mesh_core::operation::{Call, Operation};
use mesh_core::service::{
    CONTACTS_MAX, Contact, DESCRIPTION_BYTES_MAX, Deprecation, Description, Lifecycle, Maintenance,
    MediaType, Notice, Service, ServiceCard,
};
use mesh_core::sla::Sla;
use mesh_core::time::UnixMs;

use crate::header::{read_kind, write_kind};
use crate::malformed::{Malformed, at_most, digest, parse, parse_optional};
use crate::wire::directory::v1 as wire;

/// Reads one service, whole or not at all.
pub(super) fn read_service(service: wire::Service) -> Result<Service, Malformed> {
    let operations = service.operations.into_iter().map(read_operation);
    Ok(Service {
        address: parse("service.address", &service.address)?,
        timeout_ms: service.timeout_ms,
        operations: operations.collect::<Result<_, _>>()?,
        sensitive: service.sensitive,
        lifecycle: service.lifecycle.map(read_lifecycle).transpose()?.unwrap_or_default(),
        card: service.card.as_ref().map(read_card).transpose()?,
        approval: parse_optional("service.approval", &service.approval)?,
        sla: service.sla.map(|sla| read_sla(&sla)).transpose()?,
        description: service.description.map(|found| read_description(&found)).transpose()?,
    })
}

/// The message that [`read_service`] reads as `service`.
pub(super) fn write_service(service: &Service) -> wire::Service {
    let lifecycle = Some(&service.lifecycle).filter(|lifecycle| !lifecycle.is_plain());
    wire::Service {
        address: service.address.to_string(),
        timeout_ms: service.timeout_ms,
        operations: service.operations.iter().map(write_operation).collect(),
        description: service.description.as_ref().map(write_description),
        card: service.card.as_ref().map(write_card),
        lifecycle: lifecycle.map(write_lifecycle),
        approval: text(service.approval.as_ref()),
        sensitive: service.sensitive,
        sla: service.sla.as_ref().map(write_sla),
    }
}

fn read_operation(operation: wire::Operation) -> Result<Operation, Malformed> {
    let call = match operation.call.ok_or(Malformed::missing("operation.call"))? {
        wire::operation::Call::Rest(rest) => Call::Rest {
            method: parse("operation.method", &rest.method)?,
            path: parse("operation.path", &rest.path)?,
        },
        wire::operation::Call::GrpcMethod(method) => {
            Call::Grpc(parse("operation.grpc_method", &method)?)
        }
    };
    Ok(Operation {
        id: parse("operation.id", &operation.id)?,
        kind: read_kind(operation.kind)?,
        call,
        subject: parse_optional("operation.subject", &operation.subject)?,
    })
}

fn write_operation(operation: &Operation) -> wire::Operation {
    let call = match &operation.call {
        Call::Rest { method, path } => wire::operation::Call::Rest(wire::RestCall {
            method: method.name().into(),
            path: path.to_string(),
        }),
        Call::Grpc(method) => wire::operation::Call::GrpcMethod(method.to_string()),
    };
    wire::Operation {
        id: operation.id.to_string(),
        kind: write_kind(operation.kind),
        call: Some(call),
        subject: text(operation.subject.as_ref()),
    }
}

fn read_lifecycle(lifecycle: wire::ServiceLifecycle) -> Result<Lifecycle, Malformed> {
    let deprecated = lifecycle.deprecated.map(|found| {
        Deprecation::new(UnixMs(found.since_unix_ms), UnixMs(found.retire_at_unix_ms))
            .map_err(|why| Malformed::new("lifecycle.deprecated", why))
    });
    let maintenance = lifecycle.maintenance.map(|found| {
        Maintenance::new(UnixMs(found.from_unix_ms), UnixMs(found.until_unix_ms))
            .map_err(|why| Malformed::new("lifecycle.maintenance", why))
    });
    let next_major = u16::try_from(lifecycle.next_major)
        .map_err(|_| Malformed::new("lifecycle.next_major", "is no version"))?;
    let notice = lifecycle.notice.map(|notice| {
        Ok(Notice { fa: parse("notice.fa", &notice.fa)?, en: parse("notice.en", &notice.en)? })
    });
    Ok(Lifecycle {
        disabled_since: lifecycle.disabled_since_unix_ms.map(UnixMs),
        retired_at: lifecycle.retired_at_unix_ms.map(UnixMs),
        deprecated: deprecated.transpose()?,
        maintenance: maintenance.transpose()?,
        next_major: (next_major != 0).then_some(next_major),
        notice: notice.transpose()?,
    })
}

fn write_lifecycle(lifecycle: &Lifecycle) -> wire::ServiceLifecycle {
    wire::ServiceLifecycle {
        disabled_since_unix_ms: lifecycle.disabled_since.map(|since| since.0),
        retired_at_unix_ms: lifecycle.retired_at.map(|at| at.0),
        deprecated: lifecycle.deprecated.map(|Deprecation { since, retire_at }| {
            wire::Deprecation { since_unix_ms: since.0, retire_at_unix_ms: retire_at.0 }
        }),
        maintenance: lifecycle.maintenance.map(|Maintenance { from, until }| wire::Maintenance {
            from_unix_ms: from.0,
            until_unix_ms: until.0,
        }),
        next_major: lifecycle.next_major.unwrap_or_default().into(),
        notice: lifecycle
            .notice
            .as_ref()
            .map(|Notice { fa, en }| wire::Notice { fa: fa.to_string(), en: en.to_string() }),
    }
}

fn read_card(card: &wire::ServiceCard) -> Result<ServiceCard, Malformed> {
    at_most("card.contacts", card.contacts.len(), CONTACTS_MAX)?;
    let contacts = card.contacts.iter().map(|contact| {
        Contact::new(
            parse("contact.role", &contact.role)?,
            parse_optional("contact.phone", &contact.phone)?,
            parse_optional("contact.email", &contact.email)?,
        )
        .map_err(|why| Malformed::new("card.contacts", why))
    });
    Ok(ServiceCard {
        code: parse_optional("card.code", &card.code)?,
        title_fa: parse("card.title_fa", &card.title_fa)?,
        title_en: parse("card.title_en", &card.title_en)?,
        unit_fa: parse("card.unit_fa", &card.unit_fa)?,
        fee_rials: card.fee_rials,
        contacts: contacts.collect::<Result<_, _>>()?,
    })
}

fn write_card(card: &ServiceCard) -> wire::ServiceCard {
    wire::ServiceCard {
        code: card.code.as_ref().map_or(String::new(), |code| code.as_str().into()),
        title_fa: card.title_fa.to_string(),
        title_en: card.title_en.to_string(),
        unit_fa: card.unit_fa.to_string(),
        fee_rials: card.fee_rials,
        contacts: card.contacts.iter().map(write_contact).collect(),
    }
}

pub(crate) fn write_contact(contact: &Contact) -> wire::Contact {
    wire::Contact {
        role: contact.role.to_string(),
        phone: text(contact.phone.as_ref()),
        email: text(contact.email.as_ref()),
    }
}

/// Reads what a service says of its description.
pub fn read_description(found: &wire::InterfaceDescription) -> Result<Description, Malformed> {
    let media_type = MediaType::of(&found.media_type)
        .ok_or(Malformed::new("description.media_type", "is none that interfaces have"))?;
    if !(1..=DESCRIPTION_BYTES_MAX).contains(&(found.length_bytes as usize)) {
        let why = format!("is {}, want 1 to {DESCRIPTION_BYTES_MAX}", found.length_bytes);
        return Err(Malformed::new("description.length_bytes", why));
    }
    let sha256 = digest("description.sha256", &found.sha256)?;
    Ok(Description { sha256, media_type, length_bytes: found.length_bytes })
}

/// The message that [`read_description`] reads as `description`.
pub fn write_description(description: &Description) -> wire::InterfaceDescription {
    wire::InterfaceDescription {
        sha256: Bytes::copy_from_slice(&description.sha256.0),
        media_type: description.media_type.name().into(),
        length_bytes: description.length_bytes,
    }
}

fn read_sla(sla: &wire::Sla) -> Result<Sla, Malformed> {
    Sla::new(sla.availability_millipercent, sla.latency_p95_ms)
        .map_err(|why| Malformed::new("sla", why))
}

fn write_sla(sla: &Sla) -> wire::Sla {
    wire::Sla {
        availability_millipercent: sla.availability_millipercent,
        latency_p95_ms: sla.latency_p95_ms,
    }
}

/// The text of a value that may be absent, which is empty.
fn text(value: Option<&(impl Display + FromStr)>) -> String {
    value.map_or(String::new(), ToString::to_string)
}
