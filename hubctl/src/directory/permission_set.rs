//! `[[permission_sets]]`: one rule for many pairs, written once and kept as plain permissions.

use std::collections::BTreeSet;

use aws_lc_rs::digest::{SHA256, digest};
use mesh_core::address::{ServiceAddress, SystemAddress};
use mesh_core::directory::Permission;
use mesh_core::id::{OperationId, PermissionId, PurposeId};
use serde::Deserialize;

/// Most permissions of one source, those that sets stand for among them.
pub(super) const PERMISSIONS_MAX: usize = 200_000;

/// Bytes of a digest that tell one pair of a set from another.
const PAIR_DIGEST_BYTES: usize = 4;

/// Each of `consumers` may use `operations` of each of `services` for `purposes`. A system needs
/// no permission for its own service, so that pair is left out.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq)]
#[serde(deny_unknown_fields)]
pub(super) struct PermissionSet {
    id: PermissionId,
    consumers: BTreeSet<SystemAddress>,
    services: BTreeSet<ServiceAddress>,
    operations: BTreeSet<OperationId>,
    purposes: BTreeSet<PurposeId>,
}

impl PermissionSet {
    /// The plain permissions, at most `room`; or why there are none.
    pub(super) fn expand(self, room: usize) -> Result<Vec<Permission>, String> {
        let Self { id: set, consumers, services, operations, purposes } = self;
        let pairs = consumers
            .iter()
            .flat_map(|consumer| services.iter().map(move |service| (consumer, service)))
            .filter(|(consumer, service)| service.system != **consumer);
        let mut permissions = Vec::new();
        for (consumer, service) in pairs {
            if permissions.len() == room {
                return Err(format!(
                    "permission set {set} makes more than {PERMISSIONS_MAX} permissions of them all"
                ));
            }
            permissions.push(Permission {
                id: pair_id(&set, consumer, service)?,
                consumer: consumer.clone(),
                service: service.clone(),
                operations: operations.clone(),
                purposes: purposes.clone(),
            });
        }
        if permissions.is_empty() {
            return Err(format!("permission set {set} has no pair of a consumer and a service"));
        }
        Ok(permissions)
    }
}

/// The set's id, `-`, and the first bytes of SHA-256 over `CONSUMER SERVICE` in hexadecimal: what
/// joins or leaves the set changes no other pair's id.
fn pair_id(
    set: &PermissionId,
    consumer: &SystemAddress,
    service: &ServiceAddress,
) -> Result<PermissionId, String> {
    let digest = digest(&SHA256, format!("{consumer} {service}").as_bytes());
    let pair = digest.as_ref().iter().take(PAIR_DIGEST_BYTES);
    let pair: String = pair.map(|byte| format!("{byte:02x}")).collect();
    let id = format!("{set}-{pair}");
    id.parse().map_err(|why| format!("permission set {set} makes {id}: {why}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(id: &str, consumers: &str, services: &str) -> PermissionSet {
        let text = format!(
            "id = \"{id}\"\nconsumers = {consumers}\nservices = {services}\n\
             operations = [\"get\"]\npurposes = [\"upkeep\"]\n"
        );
        toml::from_str(&text).unwrap()
    }

    const A: &str = r#"["ir/gov/a/x"]"#;
    const BOTH: &str = r#"["ir/gov/a/x", "ir/gov/b/y"]"#;
    const SERVICES: &str = r#"["ir/gov/a/x/s.v1", "ir/gov/b/y/s.v1"]"#;

    #[test]
    fn every_pair_but_a_system_and_its_own_service() {
        let permissions = set("cards", BOTH, SERVICES).expand(2).unwrap();
        let pairs: Vec<_> = permissions
            .iter()
            .map(|given| format!("{} {}", given.consumer, given.service))
            .collect();
        assert_eq!(pairs, ["ir/gov/a/x ir/gov/b/y/s.v1", "ir/gov/b/y ir/gov/a/x/s.v1"]);
        // As `printf 'ir/gov/a/x ir/gov/b/y/s.v1' | sha256sum` begins: ids last over versions.
        assert_eq!(permissions[0].id.as_str(), "cards-39cd7b24");
        let alone = set("cards", A, SERVICES).expand(1).unwrap();
        assert_eq!(alone[0], permissions[0], "who else is in the set changes nothing");
    }

    #[test]
    fn a_set_that_makes_no_permissions_says_why() {
        let long = "a".repeat(55);
        let cases = [
            (set("cards", BOTH, SERVICES).expand(1), "more than 200000 permissions"),
            (set("cards", A, r#"["ir/gov/a/x/s.v1"]"#).expand(9), "has no pair"),
            (set("cards", "[]", SERVICES).expand(9), "has no pair"),
            (set(&long, BOTH, SERVICES).expand(9), "is 64 bytes long"),
        ];
        for (expanded, want) in cases {
            let why = expanded.expect_err(want);
            assert!(why.contains(want), "{why}");
        }
    }
}
