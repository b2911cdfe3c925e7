//! What a consumer's agent decides before anything leaves it: who asks, what, under which
//! agreement, and why.

use std::collections::BTreeSet;

use mesh_core::access::Refused;
use mesh_core::address::SystemAddress;
use mesh_core::agreement::{Agreement, State};
use mesh_core::directory::{Directory, Service};
use mesh_core::id::{OperationId, PurposeId};
use mesh_core::operation::{Operation, RequestPath};
use mesh_core::permit::{self, Denied, Wish};
use mesh_core::reason::Reason;
use mesh_core::service::Deprecation;
use mesh_core::time::UnixMs;

use crate::r1::{Asked, Flaw};

/// A request that may leave.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clearance<'d> {
    pub(crate) service: &'d Service,
    pub(crate) operation: &'d Operation,
    pub(crate) agreement: &'d Agreement,
    pub(crate) purpose: &'d PurposeId,
    /// Set where the service should no longer be used.
    pub(crate) deprecated: Option<Deprecation>,
}

/// Decides on `asked` at `now`, at the agent of the system `own`.
pub(crate) fn decide<'d>(
    directory: &'d Directory,
    own: &SystemAddress,
    asked: &Asked,
    now: UnixMs,
) -> Result<Clearance<'d>, Flaw> {
    if asked.client != *own {
        let detail = format!(
            "this agent asks for {own}, and X-Road-Client names {}: ask the agent of that system",
            asked.client
        );
        return Err(Flaw::new(Reason::ClientUnknown, detail));
    }
    // Without an agreement, whether the service exists is nobody's business.
    let agreements: Vec<_> = directory.agreements(own, &asked.service).collect();
    let service = directory.service(&asked.service).filter(|_| !agreements.is_empty());
    let service = service.ok_or_else(|| denied(&over(directory, &agreements, now)))?;
    let operation = find_operation(service, asked)?;
    let purpose = find_purpose(&agreements, &operation.id, asked.purpose.as_ref())?;
    let wish = Wish { consumer: own, service: &asked.service, operation: &operation.id, purpose };
    let agreement = permit::decide(directory, &wish, now).map_err(|why| denied(&why))?;
    let usable = service.usable(now);
    let deprecated = usable.map_err(|why| Flaw::refused(&Refused::Unusable(why), now))?;
    let purpose = agreement.terms().purposes.get_key_value(purpose);
    let (purpose, _) = purpose.ok_or_else(|| denied(&Denied::Purpose))?;
    Ok(Clearance { service, operation, agreement, purpose, deprecated })
}

/// Why there is nothing left to ask. What the parties agreed on once, and is revoked, is no secret
/// to them, though the directory tells this agent no more of the service.
fn over(directory: &Directory, agreements: &[&Agreement], now: UnixMs) -> Denied {
    let states = agreements.iter().map(|it| (it.id(), it.state(&directory.around(it, now))));
    let mut revoked = states.filter(|(_, state)| matches!(state, State::Revoked { .. }));
    revoked
        .next()
        .map_or(Denied::NotPermitted, |(agreement, state)| Denied::State { agreement, state })
}

fn denied(why: &Denied) -> Flaw {
    Flaw::new(why.reason(), why.to_string())
}

fn find_operation<'d>(service: &'d Service, asked: &Asked) -> Result<&'d Operation, Flaw> {
    let path = RequestPath::new(&asked.path)
        .map_err(|why| Flaw::new(Reason::RequestMalformed, why.to_string()))?;
    service.operation(asked.method, path).ok_or_else(|| {
        let (address, method) = (&service.address, asked.method.name());
        let declared = service.operations.iter().filter_map(|declared| declared.call.rest());
        let here = declared.filter(|(_, template)| template.matches(path));
        let methods: BTreeSet<&str> = here.map(|(method, _)| method.name()).collect();
        let methods = methods.into_iter().collect::<Vec<_>>().join(" and ");
        let detail = if methods.is_empty() {
            format!("{address} has no operation with this path")
        } else {
            format!("{address} has no {method} with this path, only {methods}")
        };
        Flaw::new(Reason::OperationUnknown, detail)
    })
}

/// The purpose that was named; else the only one that the agreements have for this operation.
fn find_purpose<'p>(
    agreements: &[&'p Agreement],
    operation: &OperationId,
    named: Option<&'p PurposeId>,
) -> Result<&'p PurposeId, Flaw> {
    if let Some(named) = named {
        return Ok(named);
    }
    let covering = agreements.iter().map(|it| it.terms());
    let covering = covering.filter(|terms| terms.operations.contains(operation));
    let purposes: BTreeSet<&PurposeId> = covering.flat_map(|terms| terms.purposes.keys()).collect();
    match purposes.len() {
        0 => Err(denied(&Denied::Operation)),
        1 => purposes.first().copied().ok_or_else(|| denied(&Denied::Operation)),
        several => {
            let detail = format!(
                "{several} purposes are agreed on for this operation: say which in the header \
                 Mesh-Purpose"
            );
            Err(Flaw::new(Reason::RequestMalformed, detail))
        }
    }
}

#[cfg(test)]
mod tests {
    use mesh_core::agreement::state::SIGNERS;
    use mesh_core::agreement::terms::{Draft, Quota, Terms};
    use mesh_core::agreement::{Act, Deed, Party};
    use mesh_core::directory::{Agency, Objects, System};
    use mesh_core::exchange::DirectoryPosition;
    use mesh_core::node::MeshDomain;
    use mesh_core::operation::{Method, OperationKind};
    use mesh_proto::directory::write_terms;

    use super::*;

    fn signed_by(party: Party) -> Act {
        let (reason, chain, signature) = ("".into(), Vec::new(), [0; 64]);
        Act { deed: Deed::Sign, party, at_unix_ms: 1, reason, chain, signature }
    }

    fn directory() -> Directory {
        let operation = |id: &str, method: &str, path: &str| {
            let (method, path) = (method.parse().unwrap(), path.parse().unwrap());
            Operation::rest(id.parse().unwrap(), OperationKind::Inquiry, method, path)
        };
        let agreement = |title: &str, operations: &[&str], purposes: &[&str]| {
            let purposes = purposes.iter().map(|text| (text.parse().unwrap(), "act 7".into()));
            let draft = Draft {
                title: title.into(),
                operations: operations.iter().map(|text| text.parse().unwrap()).collect(),
                purposes: purposes.collect(),
                granted_fields: ["".parse().unwrap()].into(),
                quota: Quota { per_second: 1, burst: 1, per_day: 1 },
                valid_from_unix_ms: 1,
                valid_until_unix_ms: 9,
                ..Draft::between(
                    "ir/gov/tax/desk".parse().unwrap(),
                    "ir/gov/tax/debts/debt.v1".parse().unwrap(),
                )
            };
            let mut agreement = write_terms(Terms::new(draft).unwrap()).unwrap();
            agreement.acts = SIGNERS.map(signed_by).into();
            agreement
        };
        let system = |address: &str| System {
            address: address.parse().unwrap(),
            cluster: None,
            attributes: [].into(),
        };
        let objects = Objects {
            agencies: vec![Agency {
                address: "ir/gov/tax".parse().unwrap(),
                name_fa: String::new(),
                name_en: String::new(),
            }],
            systems: vec![system("ir/gov/tax/desk"), system("ir/gov/tax/debts")],
            services: vec![Service::new(
                "ir/gov/tax/debts/debt.v1".parse().unwrap(),
                vec![
                    operation("getDebt", "GET", "/{id}"),
                    operation("listDebts", "GET", "/"),
                    operation("payDebt", "POST", "/{id}"),
                    operation("allDebts", "GET", "/all"),
                ],
            )],
            agreements: vec![
                agreement("first", &["getDebt"], &["licence"]),
                agreement("second", &["listDebts"], &["census", "audit"]),
            ],
            ..Objects::default()
        };
        let mesh = MeshDomain::new("ir".parse().unwrap(), "mesh.ir").unwrap();
        Directory::build(mesh, DirectoryPosition::default(), objects).unwrap()
    }

    #[test]
    fn decides() {
        let directory = directory();
        let own: SystemAddress = "ir/gov/tax/desk".parse().unwrap();
        let (desk, debt) = ("ir/gov/tax/desk", "ir/gov/tax/debts/debt.v1");
        let denied = "NOT_PERMITTED: no agreement lets this";
        let other = "OPERATION_NOT_PERMITTED: the agreement does not name this operation";
        #[rustfmt::skip]
        let cases = [
            // Client, service                    Request        Purpose    Want
            (desk, debt,                         "GET", "/1",   "",        "first licence"),
            (desk, debt,                         "GET", "/1",   "licence", "first licence"),
            (desk, debt,                         "GET", "/1",   "census",
                "PURPOSE_NOT_PERMITTED: the agreement does not name this purpose"),
            (desk, debt,                         "GET", "/",    "audit",   "second audit"),
            (desk, debt,                         "GET", "/",    "",
                "REQUEST_MALFORMED: 2 purposes are agreed on for this operation: say which in the \
                 header Mesh-Purpose"),
            (desk, debt,                         "POST", "/1",  "",        other),
            (desk, debt,                         "GET", "/all", "",        other),
            (desk, debt,                         "PUT", "/1",   "",
                "OPERATION_UNKNOWN: ir/gov/tax/debts/debt.v1 has no PUT with this path, only GET \
                 and POST"),
            (desk, debt,                         "GET", "/1/2", "",
                "OPERATION_UNKNOWN: ir/gov/tax/debts/debt.v1 has no operation with this path"),
            (desk, "ir/gov/tax/debts/debt.v2",   "GET", "/1",   "",        denied),
            (desk, "ir/gov/none/x/y.v1",         "PUT", "/1",   "",        denied),
            ("ir/gov/tax/debts", debt,           "GET", "/1",   "",
                "CLIENT_UNKNOWN: this agent asks for ir/gov/tax/desk, and X-Road-Client names \
                 ir/gov/tax/debts: ask the agent of that system"),
        ];
        for (client, service, method, path, purpose, want) in cases {
            let asked = Asked {
                client: client.parse().unwrap(),
                service: service.parse().unwrap(),
                method: method.parse::<Method>().unwrap(),
                path: path.into(),
                query: None,
                purpose: purpose.parse().ok(),
                granted: None,
                operator: None,
                idempotency_key: None,
                message_id: None,
                user_id: None,
                issue: None,
            };
            let said = match decide(&directory, &own, &asked, UnixMs(5)) {
                Ok(clear) => format!("{} {}", clear.agreement.terms().title, clear.purpose),
                Err(flaw) => flaw.to_string(),
            };
            assert!(said.starts_with(want), "{method} {path} {purpose}: {said}");
        }
    }
}
