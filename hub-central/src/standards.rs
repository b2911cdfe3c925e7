//! What the technical standards say of the services that a change puts: errors keep it out.

use mesh_core::directory::change::{Change, Object};
use mesh_core::reason::Problem;
use mesh_core::service::Service;
use mesh_core::standards::{self, Finding, Interface, Severity};
use mesh_node::Node;

use crate::descriptions::Descriptions;

/// Findings that a message names; `hubctl service check` names all.
const FINDINGS_SHOWN: usize = 5;

/// Why services are not published.
#[derive(Debug)]
pub(crate) enum Unkept {
    /// They break rules; names the first of them.
    Rules(String),
    /// Their descriptions could not be read.
    Unknown(Problem),
}

/// Judges the services among `changes`, each with its description.
pub(crate) async fn check(
    node: &Node,
    descriptions: &Descriptions,
    changes: &[Change],
) -> Result<(), Unkept> {
    let mut errors = Vec::new();
    for change in changes {
        let Change::Put(Object::Service(service)) = change else { continue };
        let interface = interface(node, descriptions, service).await?;
        let findings = standards::check(service, interface.as_ref());
        let found = findings.into_iter().filter(|finding| finding.severity == Severity::Error);
        errors.extend(found.map(|finding| sentence(service, &finding)));
    }
    if errors.is_empty() {
        return Ok(());
    }
    let more = errors.len().saturating_sub(FINDINGS_SHOWN);
    let shown: Vec<String> = errors.into_iter().take(FINDINGS_SHOWN).collect();
    let more = if more == 0 { String::new() } else { format!(", and {more} more") };
    let shown = shown.join("; ");
    Err(Unkept::Rules(format!("the technical standards are not kept: {shown}{more}")))
}

/// What the description of `service` describes. It must be here before the service names it; one
/// that was named before, and has not changed, need not be read again.
async fn interface(
    node: &Node,
    descriptions: &Descriptions,
    service: &Service,
) -> Result<Option<Interface>, Unkept> {
    let Some(description) = service.description else { return Ok(None) };
    let directory = node.directory.now();
    let before = directory.service(&service.address);
    let same = before.is_some_and(|before| {
        before.description == service.description && before.operations == service.operations
    });
    if same {
        return Ok(None);
    }
    let refused = |why: String| Unkept::Rules(format!("service {}: {why}", service.address));
    let content = descriptions.read(&description).await.map_err(Unkept::Unknown)?;
    let content = content.ok_or_else(|| {
        refused("its description is not here; attach it with `hubctl service attach`".into())
    })?;
    let read = mesh_describe::read(description.media_type, &content);
    read.map(Some).map_err(|why| refused(why.to_string()))
}

fn sentence(service: &Service, finding: &Finding) -> String {
    let Finding { rule, place, wrong, .. } = finding;
    format!("{}: {}: {place}: {wrong}", service.address, rule.name())
}
