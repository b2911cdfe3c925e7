//! `hubctl agreement`: what two agencies and the secretariat agree on, from the draft to the end.

use mesh_core::agreement::{Act, Agreement};
use serde_json::{Value, json};

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
