//! `hubctl agreement show` and `list`: terms, acts and state, for eyes and for programs.

use mesh_core::agreement::{Act, Agreement, State};
use mesh_core::directory::change::Object;
use mesh_core::time::UnixMs;
use mesh_rt::exit::CmdError;
use serde_json::{Value, json};

use super::file::Found;
use crate::config::Config;
use crate::output::{Columns, Format, Told, printable};
use crate::registry::{Registry, centre};

pub(super) fn show(found: &Found, format: Format) -> Result<Told, CmdError> {
    let Found { agreement, state, .. } = found;
    let mut value = value(agreement);
    value["state"] = state.name().into();
    value["words"] = state.words().into();
    Ok(Told::new(format, &value, |_| text(agreement, state)))
}

pub(super) async fn list(
    config: &Config,
    wanted: Option<&str>,
    format: Format,
) -> Result<Told, CmdError> {
    let centre = centre(config).map_err(CmdError::usage)?;
    let registry = Registry::read(&centre).await.map_err(CmdError::failure)?;
    let directory = registry.directory()?;
    let mut columns = Columns::new(&["AGREEMENT", "TITLE", "CONSUMER", "SERVICE", "STATE"]);
    let mut values = Vec::new();
    for object in registry.objects.values() {
        let Object::Agreement(agreement) = object else { continue };
        let state = super::state(&directory, agreement);
        if wanted.is_some_and(|wanted| wanted != state.name()) {
            continue;
        }
        let terms = agreement.terms();
        columns.row(&[
            agreement.id().to_string()[..16].into(),
            terms.title.clone(),
            terms.consumer.to_string(),
            terms.service.to_string(),
            state.words(),
        ]);
        let mut value = value(agreement);
        value["state"] = state.name().into();
        values.push(value);
    }
    Ok(Told::new(format, &values, |_| columns.text()))
}

fn text(agreement: &Agreement, state: &State) -> String {
    let mut text = format!("agreement {}\n  state         {}\n", agreement.id(), state.words());
    for (name, value) in facts(agreement) {
        text += &format!("  {name:<12}  {}\n", printable(&value));
    }
    let mut columns = Columns::new(&["", "", "", ""]);
    for act in acts(agreement) {
        columns.row(&act);
    }
    text + &columns.text()
}

/// The terms, a line each.
pub(crate) fn facts(agreement: &Agreement) -> Vec<(&'static str, String)> {
    let terms = agreement.terms();
    let list = |items: Vec<String>| items.join(", ");
    let quota = terms.quota;
    let mut facts = vec![
        ("title", terms.title.clone()),
        ("consumer", terms.consumer.to_string()),
        ("service", terms.service.to_string()),
        ("operations", list(terms.operations.iter().map(ToString::to_string).collect())),
    ];
    for (purpose, basis) in &terms.purposes {
        facts.push(("purpose", format!("{purpose}, by {basis}")));
    }
    let fields = terms.granted_fields.iter().map(|field| match field.as_str() {
        "" => "the whole answer".to_owned(),
        field => field.to_owned(),
    });
    facts.extend([
        ("fields", list(fields.collect())),
        (
            "quota",
            format!(
                "{} a second and {} at once, {} a day",
                quota.per_second, quota.burst, quota.per_day
            ),
        ),
        ("begins", UnixMs(terms.valid_from_unix_ms).to_string()),
        ("ends", UnixMs(terms.valid_until_unix_ms).to_string()),
        ("kept for", format!("{} days", terms.retention_days)),
    ]);
    if !terms.attributes.is_empty() {
        let wanted = terms.attributes.iter().map(|it| it.words().to_owned());
        facts.push(("consumer is", list(wanted.collect())));
    }
    if let Some(sla) = terms.sla {
        let percent = f64::from(sla.availability_millipercent) / 1_000.0;
        facts.push(("promised", format!("{percent} %, 95 of 100 in {} ms", sla.latency_p95_ms)));
    }
    if terms.sensitive {
        facts.push(("sensitive", "yes".into()));
    }
    if let Some(old) = terms.supersedes {
        facts.push(("supersedes", format!("{}, with {} ms of grace", old.agreement, old.grace_ms)));
    }
    facts
}

/// Who did what and when, a row each.
pub(crate) fn acts(agreement: &Agreement) -> Vec<Vec<String>> {
    let row = |act: &Act| {
        let (deed, party) = (act.deed.to_string(), act.party.to_string());
        vec![party, deed, UnixMs(act.at_unix_ms).to_string(), act.reason.to_string()]
    };
    agreement.acts.iter().map(row).collect()
}

/// An agreement as programs see it. Signatures are shown by whose they are, not by their bytes.
pub(crate) fn value(agreement: &Agreement) -> Value {
    let terms = agreement.terms();
    let acts: Vec<Value> = agreement.acts.iter().map(act_value).collect();
    json!({
        "id": agreement.id().to_string(),
        "title": terms.title,
        "consumer": terms.consumer,
        "attributes": terms.attributes,
        "service": terms.service,
        "operations": terms.operations,
        "purposes": terms.purposes,
        "granted_fields": terms.granted_fields,
        "quota": terms.quota,
        "sla": terms.sla,
        "valid_from_unix_ms": terms.valid_from_unix_ms,
        "valid_until_unix_ms": terms.valid_until_unix_ms,
        "retention_days": terms.retention_days,
        "sensitive": terms.sensitive,
        "supersedes": terms.supersedes.map(|old| old.agreement.to_string()),
        "supersede_grace_ms": terms.supersedes.map(|old| old.grace_ms),
        "acts": acts,
    })
}

fn act_value(act: &Act) -> Value {
    json!({
        "deed": act.deed.name(),
        "party": act.party.name(),
        "at_unix_ms": act.at_unix_ms,
        "reason": act.reason,
    })
}
