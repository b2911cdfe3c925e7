//! What people look up of services: messages to values and back.

use bytes::Bytes;
use mesh_core::access::explain::{Passage, Stop};
use mesh_core::address::{ServiceAddress, SystemAddress};
use mesh_core::directory::Directory;
use mesh_core::directory::change::{Key, Object};
use mesh_core::id::{OperationId, PurposeId};
use mesh_core::permit::Wish;
use mesh_core::reason::Mender;
use mesh_core::service::{DESCRIPTION_BYTES_MAX, Description, MediaType, State};

use crate::directory::{read_description, write_agency, write_contact, write_description};
use crate::header::write_position;
use crate::malformed::{Malformed, at_most, parse};
use crate::wire::catalogue::v1 as wire;

/// What is asked of a node: may this consumer?
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct AccessQuestion {
    pub consumer: SystemAddress,
    pub service: ServiceAddress,
    pub operation: OperationId,
    pub purpose: PurposeId,
}

/// A description and its text.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Described {
    pub description: Description,
    pub content: Bytes,
}

impl AccessQuestion {
    pub fn wish(&self) -> Wish<'_> {
        let Self { consumer, service, operation, purpose } = self;
        Wish { consumer, service, operation, purpose }
    }
}

pub fn read_access_question(
    request: &wire::CheckAccessRequest,
) -> Result<AccessQuestion, Malformed> {
    Ok(AccessQuestion {
        consumer: parse("access.consumer", &request.consumer)?,
        service: parse("access.service", &request.service)?,
        operation: parse("access.operation", &request.operation)?,
        purpose: parse("access.purpose", &request.purpose)?,
    })
}

pub fn write_access_question(question: &AccessQuestion) -> wire::CheckAccessRequest {
    wire::CheckAccessRequest {
        consumer: question.consumer.to_string(),
        service: question.service.to_string(),
        operation: question.operation.to_string(),
        purpose: question.purpose.to_string(),
    }
}

/// What `directory` says to `question`.
pub fn write_access_answer(
    directory: &Directory,
    question: &AccessQuestion,
    explained: Result<&Passage<'_>, &Stop>,
) -> wire::CheckAccessResponse {
    let verdict = match explained {
        Ok(passage) => wire::check_access_response::Verdict::Allowed(write_passage(passage)),
        Err(stop) => {
            let stopped = write_stop(directory, question, stop);
            wire::check_access_response::Verdict::Stopped(stopped)
        }
    };
    let position = write_position(directory.position());
    wire::CheckAccessResponse { directory: Some(position), verdict: Some(verdict) }
}

fn write_passage(passage: &Passage<'_>) -> wire::Allowed {
    let retire_at = match passage.state {
        State::Deprecated(deprecation) => deprecation.retire_at.0,
        _ => 0,
    };
    wire::Allowed {
        agreement: passage.agreement.id().to_string(),
        state: passage.state.name().into(),
        retire_at_unix_ms: retire_at,
        way: passage.way.iter().map(ToString::to_string).collect(),
    }
}

fn write_stop(directory: &Directory, question: &AccessQuestion, stop: &Stop) -> wire::Stopped {
    let by_provider = stop.mender == Mender::Provider;
    let address = &question.service.system.agency;
    let agency = match directory.object(&Key::Agency(address.clone())) {
        Some(Object::Agency(agency)) if by_provider => Some(write_agency(&agency)),
        _ => None,
    };
    let service = directory.service(&question.service).filter(|_| by_provider);
    let card = service.and_then(|service| service.card.as_ref());
    wire::Stopped {
        rule: stop.rule.name().into(),
        reason: stop.reason.name().into(),
        hop: stop.hop.to_string(),
        detail: stop.detail.clone(),
        mender: stop.mender.name().into(),
        since_unix_ms: stop.since.map_or(0, |since| since.0),
        agency,
        contacts: card.map_or(Vec::new(), |card| card.contacts.iter().map(write_contact).collect()),
    }
}

/// Reads what an operator wants kept: its form, and that it is not too long.
pub fn read_put(request: wire::PutDescriptionRequest) -> Result<(MediaType, Bytes), Malformed> {
    let media_type = MediaType::of(&request.media_type)
        .ok_or(Malformed::new("description.media_type", "is none that interfaces have"))?;
    if request.content.is_empty() {
        return Err(Malformed::missing("description.content"));
    }
    at_most("description.content", request.content.len(), DESCRIPTION_BYTES_MAX)?;
    Ok((media_type, request.content))
}

/// Reads a description that a node handed out. Whoever asked compares its digest.
pub fn read_described(response: wire::GetDescriptionResponse) -> Result<Described, Malformed> {
    let found = response.description.ok_or(Malformed::missing("description"))?;
    at_most("description.content", response.content.len(), DESCRIPTION_BYTES_MAX)?;
    Ok(Described { description: read_description(&found)?, content: response.content })
}

pub fn write_described(described: Described) -> wire::GetDescriptionResponse {
    let description = Some(write_description(&described.description));
    wire::GetDescriptionResponse { description, content: described.content }
}
