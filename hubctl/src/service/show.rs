//! Services as people look them up.

use std::fmt::Write as _;

use mesh_core::address::ServiceAddress;
use mesh_core::directory::change::Object;
use mesh_core::operation::{Operation, OperationKind};
use mesh_core::service::{Service, State};
use mesh_core::time::UnixMs;
use mesh_rt::exit::CmdError;
use serde::Serialize;

use super::decide::users;
use super::find;
use crate::cli::now_ms;
use crate::config::Config;
use crate::output::{Columns, Format, Told, printable};
use crate::registry::{Registry, centre};

/// One line of the list.
#[derive(Debug, Serialize)]
struct Row {
    service: ServiceAddress,
    state: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    since: Option<UnixMs>,
    operations: usize,
    /// Consumers who may use it.
    users: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    title_fa: Option<String>,
}

/// Everything that is known of one service.
#[derive(Debug, Serialize)]
struct Shown<'s> {
    state: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    since: Option<UnixMs>,
    users: usize,
    service: &'s Service,
}

pub(super) async fn list(config: &Config, prefix: &str, format: Format) -> Result<Told, CmdError> {
    let centre = centre(config).map_err(CmdError::usage)?;
    let registry = Registry::read(&centre).await.map_err(CmdError::failure)?;
    let directory = registry.directory()?;
    let now = UnixMs(now_ms());
    let services = registry.objects.values().filter_map(|object| match object {
        Object::Service(service) => Some(service),
        _ => None,
    });
    let wanted = services.filter(|service| service.address.to_string().starts_with(prefix));
    let rows: Vec<Row> = wanted
        .map(|service| Row {
            service: service.address.clone(),
            state: service.state(now).name(),
            since: service.state(now).since(),
            operations: service.operations.len(),
            users: users(&directory, &service.address),
            title_fa: service.card.as_ref().map(|card| card.title_fa.to_string()),
        })
        .collect();
    Ok(Told::new(format, &rows, |rows| {
        let header = ["SERVICE", "STATE", "OPERATIONS", "USERS", "عنوان"];
        let mut columns = Columns::new(&header).numbers(&[2, 3]);
        for row in rows {
            columns.row(&[
                row.service.to_string(),
                row.state.into(),
                row.operations.to_string(),
                row.users.to_string(),
                row.title_fa.clone().unwrap_or_default(),
            ]);
        }
        columns.text()
    }))
}

pub(super) async fn show(
    config: &Config,
    address: &ServiceAddress,
    format: Format,
) -> Result<Told, CmdError> {
    let centre = centre(config).map_err(CmdError::usage)?;
    let registry = Registry::read(&centre).await.map_err(CmdError::failure)?;
    let service = find(&registry, address)?;
    let state = service.state(UnixMs(now_ms()));
    let users = users(&registry.directory()?, address);
    let shown = Shown { state: state.name(), since: state.since(), users, service };
    Ok(Told::new(format, &shown, |shown| text(shown, state)))
}

fn text(shown: &Shown<'_>, state: State) -> String {
    let Shown { users, service, .. } = shown;
    let mut text = format!("service {}\n", service.address);
    let mut line = |name: &str, value: String| {
        // Writing to a string does not fail.
        let _ = writeln!(text, "  {name:<12}  {}", printable(&value));
    };
    line("state", state_words(state));
    if let Some(next) = service.lifecycle.next_major {
        line("next version", format!("v{next}"));
    }
    if let Some(notice) = &service.lifecycle.notice {
        line("notice", notice.en.to_string());
        line("توضیح", notice.fa.to_string());
    }
    if let Some(away) = service.lifecycle.maintenance {
        line("maintenance", format!("from {} until {}", away.from, away.until));
    }
    card(service, &mut line);
    if service.sensitive {
        line("sensitive", "yes".into());
    }
    if let Some(sla) = service.sla {
        let percent = f64::from(sla.availability_millipercent) / 1000.0;
        line("promises", format!("{percent} %, 95 % within {} ms", sla.latency_p95_ms));
    }
    line("total time", format!("{} ms", service.timeout_ms));
    if let Some(found) = service.description {
        let (media_type, length) = (found.media_type.name(), found.length_bytes);
        line("described by", format!("{media_type}, {length} bytes, {}", found.sha256));
    }
    line("users", users.to_string());
    operations(&service.operations, &mut text);
    text
}

fn card(service: &Service, line: &mut impl FnMut(&str, String)) {
    if let Some(approval) = &service.approval {
        line("approval", approval.to_string());
    }
    let Some(card) = &service.card else { return };
    line("title", card.title_en.to_string());
    line("عنوان", card.title_fa.to_string());
    line("واحد", card.unit_fa.to_string());
    if let Some(code) = &card.code {
        line("card code", code.as_str().into());
    }
    if let Some(fee) = card.fee_rials {
        line("fee", format!("{fee} rials"));
    }
    for contact in &card.contacts {
        let reach = [&contact.phone, &contact.email].into_iter().flatten();
        let reach = reach.map(ToString::to_string).collect::<Vec<_>>().join(", ");
        line("ask", format!("{}: {reach}", contact.role));
    }
}

fn operations(operations: &[Operation], text: &mut String) {
    let _ = writeln!(text, "\n  operations: {}", operations.len());
    let mut columns = Columns::new(&["OPERATION", "KIND", "CALL", "SUBJECT"]);
    for operation in operations {
        let kind = match operation.kind {
            OperationKind::Inquiry => "inquiry",
            OperationKind::Submission => "submission",
        };
        let subject = operation.subject.as_ref().map_or("not declared".into(), ToString::to_string);
        let call = operation.call.to_string();
        columns.row(&[operation.id.to_string(), kind.into(), call, subject]);
    }
    for line in columns.text().lines() {
        let _ = writeln!(text, "    {}", line.trim_end());
    }
}

fn state_words(state: State) -> String {
    match state {
        State::Active => "active".into(),
        State::Deprecated(it) => format!("deprecated since {}, retires {}", it.since, it.retire_at),
        State::Maintenance(it) => format!("in maintenance until {}", it.until),
        State::Disabled { since } => format!("disabled since {since}"),
        State::Retired { at } => format!("retired since {at}"),
    }
}
