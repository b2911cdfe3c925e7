//! What a consumer's agent decides before anything leaves it: who asks, what, under which
//! permission, and why.

use std::collections::BTreeSet;

use mesh_core::access::Refused;
use mesh_core::address::SystemAddress;
use mesh_core::directory::{Directory, Permission, Service};
use mesh_core::id::{OperationId, PurposeId};
use mesh_core::operation::{Operation, RequestPath};
use mesh_core::permit::{self, NotPermitted, Wish};
use mesh_core::reason::Reason;
use mesh_core::service::Deprecation;
use mesh_core::time::UnixMs;

use crate::r1::{Asked, Flaw};

/// A request that may leave.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clearance<'d> {
    pub(crate) service: &'d Service,
    pub(crate) operation: &'d Operation,
    pub(crate) permission: &'d Permission,
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
    // Without a permission, whether the service exists is nobody's business.
    let permissions: Vec<_> = directory.permissions(own, &asked.service).collect();
    let service = directory.service(&asked.service).filter(|_| !permissions.is_empty());
    let service = service.ok_or_else(not_permitted)?;
    let operation = find_operation(service, asked)?;
    let purpose = find_purpose(&permissions, &operation.id, asked.purpose.as_ref())?;
    let wish = Wish { consumer: own, service: &asked.service, operation: &operation.id, purpose };
    let permission = permit::decide(directory, &wish).map_err(|_| not_permitted())?;
    let usable = service.usable(now);
    let deprecated = usable.map_err(|why| Flaw::refused(&Refused::Unusable(why), now))?;
    Ok(Clearance { service, operation, permission, purpose, deprecated })
}

fn not_permitted() -> Flaw {
    Flaw::new(Reason::NotPermitted, NotPermitted.to_string())
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

/// The purpose that was named, as the directory has it; else the only one there is.
fn find_purpose<'d>(
    permissions: &[&'d Permission],
    operation: &OperationId,
    named: Option<&PurposeId>,
) -> Result<&'d PurposeId, Flaw> {
    let covering = permissions.iter().filter(|given| given.operations.contains(operation));
    let purposes: BTreeSet<&PurposeId> = covering.flat_map(|given| &given.purposes).collect();
    if let Some(named) = named {
        return purposes.get(named).copied().ok_or_else(not_permitted);
    }
    match purposes.len() {
        0 => Err(not_permitted()),
        1 => purposes.first().copied().ok_or_else(not_permitted),
        several => {
            let detail = format!(
                "{several} purposes are permitted for this operation: say which in the header \
                 Mesh-Purpose"
            );
            Err(Flaw::new(Reason::RequestMalformed, detail))
        }
    }
}

#[cfg(test)]
mod tests {
    use mesh_core::directory::{Agency, Objects, System};
    use mesh_core::exchange::DirectoryPosition;
    use mesh_core::node::MeshDomain;
    use mesh_core::operation::{Method, OperationKind};

    use super::*;

    fn directory() -> Directory {
        let operation = |id: &str, method: &str, path: &str| {
            let (method, path) = (method.parse().unwrap(), path.parse().unwrap());
            Operation::rest(id.parse().unwrap(), OperationKind::Inquiry, method, path)
        };
        let permission = |id: &str, operations: &[&str], purposes: &[&str]| Permission {
            id: id.parse().unwrap(),
            consumer: "ir/gov/tax/desk".parse().unwrap(),
            service: "ir/gov/tax/debts/debt.v1".parse().unwrap(),
            operations: operations.iter().map(|text| text.parse().unwrap()).collect(),
            purposes: purposes.iter().map(|text| text.parse().unwrap()).collect(),
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
            permissions: vec![
                permission("first", &["getDebt"], &["licence"]),
                permission("second", &["listDebts"], &["census", "audit"]),
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
        let denied = "NOT_PERMITTED: no permission covers this";
        #[rustfmt::skip]
        let cases = [
            // Client, service                    Request        Purpose    Want
            (desk, debt,                         "GET", "/1",   "",        "first licence"),
            (desk, debt,                         "GET", "/1",   "licence", "first licence"),
            (desk, debt,                         "GET", "/1",   "census",  denied),
            (desk, debt,                         "GET", "/",    "audit",   "second audit"),
            (desk, debt,                         "GET", "/",    "",
                "REQUEST_MALFORMED: 2 purposes are permitted for this operation: say which in the \
                 header Mesh-Purpose"),
            (desk, debt,                         "POST", "/1",  "",        denied),
            (desk, debt,                         "GET", "/all", "",        denied),
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
            let said = match decide(&directory, &own, &asked, UnixMs(0)) {
                Ok(clear) => format!("{} {}", clear.permission.id, clear.purpose),
                Err(flaw) => flaw.to_string(),
            };
            assert!(said.starts_with(want), "{method} {path} {purpose}: {said}");
        }
    }
}
