//! `[[agreements]]`: terms as people write them. What several have in common stands in `[terms]` of
//! the same file, and one entry may stand for many pairs.

use std::collections::{BTreeMap, BTreeSet};

use mesh_core::address::{ServiceAddress, SystemAddress};
use mesh_core::agreement::terms::{Draft, FieldPointer, Quota, Sla, Supersedes, Terms};
use mesh_core::agreement::{Agreement, AgreementId};
use mesh_core::directory::Attribute;
use mesh_core::exchange::Digest;
use mesh_core::id::{OperationId, PurposeId};
use mesh_core::time::UnixMs;
use mesh_proto::directory::write_terms;
use serde::Deserialize;

/// Most agreements of one source, those that sets stand for among them.
pub(super) const AGREEMENTS_MAX: usize = 200_000;

/// Each of the consumers with each of the services, but no system with itself. What is not said
/// here is taken from `[terms]`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct AgreementSet {
    title: Option<String>,
    consumer: Option<SystemAddress>,
    #[serde(default)]
    consumers: BTreeSet<SystemAddress>,
    service: Option<ServiceAddress>,
    #[serde(default)]
    services: BTreeSet<ServiceAddress>,
    attributes: Option<BTreeSet<Attribute>>,
    operations: Option<BTreeSet<OperationId>>,
    purposes: Option<BTreeSet<PurposeId>>,
    /// The law or decree that permits these purposes.
    legal_basis: Option<String>,
    granted_fields: Option<BTreeSet<FieldPointer>>,
    quota: Option<Quota>,
    sla: Option<Sla>,
    valid_from: Option<UnixMs>,
    valid_until: Option<UnixMs>,
    retention_days: Option<u32>,
    sensitive: Option<bool>,
    /// The agreement that this one takes the place of, and how long both hold.
    supersedes: Option<Digest>,
    supersede_grace_ms: Option<u64>,
}

impl AgreementSet {
    /// The proposals, at most `room`; or why there are none.
    pub(crate) fn expand(self, common: &Self, room: usize) -> Result<Vec<Agreement>, String> {
        let draft = self.draft(common)?;
        let consumers: BTreeSet<_> = self.consumers.into_iter().chain(self.consumer).collect();
        let services: BTreeSet<_> = self.services.into_iter().chain(self.service).collect();
        let pairs = consumers
            .iter()
            .flat_map(|consumer| services.iter().map(move |service| (consumer, service)))
            .filter(|(consumer, service)| service.system != **consumer);
        let mut agreements = Vec::new();
        for (consumer, service) in pairs {
            if agreements.len() == room {
                return Err(format!("the source has more than {AGREEMENTS_MAX} agreements"));
            }
            let (consumer, service) = (consumer.clone(), service.clone());
            let terms = Terms::new(Draft { consumer, service, ..draft.clone() });
            let terms = terms.map_err(|why| why.to_string())?;
            agreements.push(write_terms(terms).map_err(|why| why.to_string())?);
        }
        if agreements.is_empty() {
            return Err("the agreement has no pair of a consumer and a service".into());
        }
        Ok(agreements)
    }

    /// What all pairs have in common; the pair in it is none of them.
    fn draft(&self, common: &Self) -> Result<Draft, String> {
        fn said<T: Clone>(name: &str, own: Option<&T>, common: Option<&T>) -> Result<T, String> {
            let said = own.or(common).cloned();
            said.ok_or_else(|| format!("it has no {name}, and [terms] has none either"))
        }
        macro_rules! said {
            ($field:ident) => {
                said(stringify!($field), self.$field.as_ref(), common.$field.as_ref())
            };
        }
        let purposes: BTreeSet<PurposeId> = said!(purposes)?;
        let basis: String = said!(legal_basis)?;
        let purposes: BTreeMap<_, _> =
            purposes.into_iter().map(|purpose| (purpose, basis.clone())).collect();
        let supersedes = self.supersedes.map(|id| Supersedes {
            agreement: AgreementId(id),
            grace_ms: self.supersede_grace_ms.unwrap_or_default(),
        });
        if self.supersede_grace_ms.is_some() && supersedes.is_none() {
            return Err("supersede_grace_ms without supersedes".into());
        }
        let consumer = self.consumer.iter().chain(&self.consumers).next();
        let service = self.services.iter().chain(&self.service).next();
        let (Some(consumer), Some(service)) = (consumer, service) else {
            return Err("the agreement has no pair of a consumer and a service".into());
        };
        Ok(Draft {
            title: said!(title)?,
            consumer: consumer.clone(),
            attributes: said!(attributes).unwrap_or_default(),
            service: service.clone(),
            operations: said!(operations)?,
            purposes,
            granted_fields: said!(granted_fields)?,
            quota: said!(quota)?,
            sla: said!(sla).ok(),
            valid_from_unix_ms: said!(valid_from)?.0,
            valid_until_unix_ms: said!(valid_until)?.0,
            retention_days: said!(retention_days)?,
            sensitive: said!(sensitive).unwrap_or_default(),
            supersedes,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const COMMON: &str = r#"
        legal_basis = "act 7"
        granted_fields = [""]
        quota = { per_second = 5, burst = 5, per_day = 1000 }
        valid_from = "2024-03-20T00:00:00+03:30"
        valid_until = "2034-03-20T00:00:00+03:30"
        retention_days = 30
    "#;

    const ENTRY: &str = r#"
        title = "cards"
        consumers = ["ir/gov/a/x", "ir/gov/b/y"]
        services = ["ir/gov/a/x/s.v1", "ir/gov/b/y/s.v1"]
        operations = ["get"]
        purposes = ["upkeep"]
    "#;

    fn read(text: &str) -> AgreementSet {
        toml::from_str(text).unwrap()
    }

    #[test]
    fn every_pair_but_a_system_and_its_own_service() {
        let agreements = read(ENTRY).expand(&read(COMMON), 2).unwrap();
        let pairs: Vec<_> = agreements
            .iter()
            .map(|it| format!("{} {}", it.terms().consumer, it.terms().service))
            .collect();
        assert_eq!(pairs, ["ir/gov/a/x ir/gov/b/y/s.v1", "ir/gov/b/y ir/gov/a/x/s.v1"]);
        let terms = agreements[0].terms();
        assert_eq!(terms.purposes.values().collect::<Vec<_>>(), ["act 7"]);
        assert_eq!(UnixMs(terms.valid_from_unix_ms).to_string(), "2024-03-19T20:30:00Z");
        let again = read(ENTRY).expand(&read(COMMON), 2).unwrap();
        assert_eq!(again, agreements, "the same words are the same agreement");
    }

    #[test]
    fn an_entry_wins_over_what_is_common_and_what_is_missing_is_said() {
        let own = format!("{ENTRY}\nretention_days = 1\nsensitive = true");
        let terms = read(&own).expand(&read(COMMON), 9).unwrap().remove(0);
        assert_eq!((terms.terms().retention_days, terms.terms().sensitive), (1, true));
        let cases = [
            (ENTRY.replace("title = \"cards\"", ""), COMMON, "it has no title, and [terms]"),
            (ENTRY.into(), "", "it has no legal_basis, and [terms]"),
            (ENTRY.replace("[\"get\"]", "[]"), COMMON, "operations: has 0 entries"),
            (format!("{ENTRY}\nsupersede_grace_ms = 1"), COMMON, "without supersedes"),
            (ENTRY.replace("services", "# services"), COMMON, "no pair of a consumer"),
        ];
        for (entry, common, want) in cases {
            let why = read(&entry).expand(&read(common), 9).expect_err(want);
            assert!(why.contains(want), "{why}");
        }
        let why = read(ENTRY).expand(&read(COMMON), 1).expect_err("there is room for one");
        assert!(why.contains("more than 200000 agreements"), "{why}");
    }
}
