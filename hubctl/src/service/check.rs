//! Services judged by the technical standards, before they are published or after.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use mesh_core::address::ServiceAddress;
use mesh_core::directory::change::{Change, Object};
use mesh_core::service::Service;
use mesh_core::standards::{self, Finding, Interface, Severity};
use mesh_rt::exit::CmdError;
use serde::Serialize;

use super::attach::read_file;
use super::find;
use crate::config::Config;
use crate::directory::Written;
use crate::output::{Format, Told, printable};
use crate::registry::{Registry, centre};

/// What is said of one service.
#[derive(Debug, Serialize)]
struct Report {
    service: ServiceAddress,
    /// Was its description at hand, so that operations were compared with it?
    described: bool,
    findings: Vec<Finding>,
}

/// Services that would not be published.
#[derive(Debug, thiserror::Error)]
#[error("{refused} of {all} services would be refused")]
struct Unkept {
    refused: usize,
    all: usize,
}

/// A description is of one service.
#[derive(Debug, thiserror::Error)]
#[error("{}: holds {found} services, and a description is compared with one", file.display())]
struct NotOne {
    file: PathBuf,
    found: usize,
}

/// Neither a file nor an address.
#[derive(Debug, thiserror::Error)]
#[error("{what:?} is neither a file nor the address of a service: {why}")]
struct Neither {
    what: String,
    why: String,
}

pub(super) async fn check(
    config: Option<&Config>,
    what: &Path,
    description: Option<&Path>,
    format: Format,
) -> Result<Told, CmdError> {
    let services = match config {
        _ if what.exists() => {
            let written = Written::read(what).map_err(CmdError::usage)?;
            written.objects.services.into_iter().map(|service| (service, None)).collect()
        }
        Some(config) => vec![published(config, what).await?],
        None => Vec::new(),
    };
    let interface = description.map(|file| read_file(file, None)).transpose()?;
    let interface = interface.map(|(_, _, interface)| interface);
    if interface.is_some() && services.len() != 1 {
        let (file, found) = (what.to_owned(), services.len());
        return Err(CmdError::usage(NotOne { file, found }));
    }
    let reports: Vec<Report> = services
        .into_iter()
        .map(|(service, published)| {
            let interface = interface.as_ref().or(published.as_ref());
            let findings = standards::check(&service, interface);
            Report { service: service.address, described: interface.is_some(), findings }
        })
        .collect();
    let refused = reports.iter().filter(|report| standards::refuses(&report.findings)).count();
    let mut told = Told::new(format, &reports, |reports| text(reports));
    if refused != 0 {
        told.complaint = Some(CmdError::failure(Unkept { refused, all: reports.len() }));
    }
    Ok(told)
}

/// A service as the registry has it, with its description.
async fn published(config: &Config, what: &Path) -> Result<(Service, Option<Interface>), CmdError> {
    let what = what.display().to_string();
    let address = what
        .parse::<ServiceAddress>()
        .map_err(|why| CmdError::usage(Neither { what: printable(&what), why: why.to_string() }))?;
    let centre = centre(config).map_err(CmdError::usage)?;
    let registry = Registry::read(&centre).await.map_err(CmdError::failure)?;
    let service = find(&registry, &address)?.clone();
    let interface = match service.description {
        None => None,
        Some(description) => {
            let described = centre.description(&address).await.map_err(CmdError::failure)?;
            let read = mesh_describe::read(description.media_type, &described.content);
            Some(read.map_err(CmdError::failure)?)
        }
    };
    Ok((service, interface))
}

/// What the standards want besides of the services that `changes` put, a line each. Errors are the
/// centre's to refuse.
pub(crate) fn warnings(changes: &[Change]) -> Vec<String> {
    let warned = changes.iter().filter_map(|change| {
        let Change::Put(Object::Service(service)) = change else { return None };
        let findings = standards::check(service, None);
        let warned = findings.iter().filter(|finding| finding.severity == Severity::Warning);
        let rules: Vec<&str> = warned.map(|finding| finding.rule.name()).collect();
        (!rules.is_empty()).then(|| format!("{}: {}", service.address, rules.join(", ")))
    });
    warned.collect()
}

fn text(reports: &[Report]) -> String {
    let mut text = String::new();
    let mut counts = [0; 2];
    for Report { service, described, findings } in reports {
        let verdict = match (standards::refuses(findings), findings.len()) {
            (true, _) => "would be refused",
            (false, 0) => "keeps every rule",
            (false, _) => "would be published, with warnings",
        };
        let compared = if *described { ", compared with its description" } else { "" };
        let _ = writeln!(text, "{service}: {verdict}{compared}");
        for Finding { severity, rule, place, wrong, remedy } in findings {
            counts[usize::from(*severity == Severity::Warning)] += 1;
            let (severity, rule) = (severity.name(), rule.name());
            let _ = writeln!(text, "  {severity:<7}  {rule:<21}  {place}: {}", printable(wrong));
            let _ = writeln!(text, "  {:<7}  {:<21}  → {remedy}", "", "");
        }
    }
    let [errors, warnings] = counts;
    let _ = writeln!(text, "{} services, {errors} errors, {warnings} warnings", reports.len());
    text
}
