//! `hubctl describe`: one object, and what others say of it.

use std::fmt::{self, Write as _};

use mesh_core::address::SystemAddress;
use mesh_core::agreement::Agreement;
use mesh_core::directory::change::{Key, Object};
use mesh_core::directory::{Agency, Cluster, Directory, LinkKey, Service, System};
use mesh_core::operation::OperationKind;
use mesh_rt::exit::CmdError;
use serde::Serialize;
use serde_json::Value;

use super::json::value;
use super::list::{attribute, home, within};
use super::{Kind, Registry, centre};
use crate::agreement;
use crate::config::Config;
use crate::output::{Columns, Format, Told, printable};

#[derive(Debug, clap::Args)]
pub(crate) struct DescribeArgs {
    /// The kind of the object
    kind: Kind,
    /// Its name, as `hubctl get` shows it
    name: String,
}

/// An object beside its surroundings.
#[derive(Debug, Serialize)]
struct Description {
    kind: &'static str,
    name: String,
    object: Value,
    /// What is worth a line each.
    facts: Vec<Fact>,
    lists: Vec<List>,
}

#[derive(Debug, Serialize)]
struct Fact {
    name: &'static str,
    value: String,
}

#[derive(Debug, Serialize)]
struct List {
    title: &'static str,
    rows: Vec<Vec<String>>,
}

pub(crate) async fn describe(
    config: &Config,
    args: DescribeArgs,
    format: Format,
) -> Result<Told, CmdError> {
    let centre = centre(config).map_err(CmdError::usage)?;
    let registry = Registry::read(&centre).await.map_err(CmdError::failure)?;
    let key = registry.find(args.kind, &args.name)?;
    let directory = registry.directory()?;
    let Some(object) = registry.objects.get(&key) else {
        return Err(CmdError::failure(super::Unknown {
            kind: args.kind.of().name(),
            name: args.name,
            word: args.kind.word(),
        }));
    };
    let (facts, lists) = Surroundings { registry: &registry, directory: &directory }.of(object);
    let description = Description {
        kind: args.kind.of().name(),
        name: key.name(),
        object: value(object),
        facts,
        lists,
    };
    Ok(Told::new(format, &description, text))
}

/// What an object is described from.
struct Surroundings<'r> {
    registry: &'r Registry,
    directory: &'r Directory,
}

type Described = (Vec<Fact>, Vec<List>);

impl Surroundings<'_> {
    fn of(&self, object: &Object) -> Described {
        match object {
            Object::Cluster(cluster) => self.cluster(cluster),
            Object::Agency(agency) => self.agency(agency),
            Object::System(system) => self.system(system),
            Object::Service(service) => self.service(service),
            Object::DirectoryKey(_) => (Vec::new(), Vec::new()),
            Object::Agreement(agreement) => self.agreement(agreement),
            Object::LinkKey(key) => self.link_key(key),
        }
    }

    fn cluster(&self, cluster: &Cluster) -> Described {
        let hub = if cluster.hub { format!("hub.{}", cluster.id) } else { "none".into() };
        let facts = vec![
            fact("name", &cluster.name_en),
            fact("نام", &cluster.name_fa),
            fact("hub", hub),
            fact("within", within(cluster)),
        ];
        let systems = self.systems(|system| system.cluster.as_ref() == Some(&cluster.id));
        (facts, vec![systems])
    }

    fn agency(&self, agency: &Agency) -> Described {
        let facts = vec![fact("name", &agency.name_en), fact("نام", &agency.name_fa)];
        (facts, vec![self.systems(|system| system.address.agency == agency.address)])
    }

    fn system(&self, system: &System) -> Described {
        let attributes: Vec<_> = system.attributes.iter().map(|it| attribute(*it)).collect();
        let mut facts = vec![fact("agency", self.agency_name(&system.address))];
        facts.extend(system.cluster.as_ref().map(|cluster| fact("cluster", cluster)));
        facts.push(fact("home", home(self.directory.home(&system.address))));
        if !attributes.is_empty() {
            facts.push(fact("is a", attributes.join(", ")));
        }
        let keys = self.registry.objects.values().filter(|object| match object {
            Object::LinkKey(key) => self.is_of(key, &system.address),
            _ => false,
        });
        facts.push(fact("active keys", keys.count()));
        let services = self.all(|object| match object {
            Object::Service(service) if service.address.system == system.address => {
                let operations = service.operations.iter().map(|it| it.id.to_string());
                Some(vec![service.address.to_string(), operations.collect::<Vec<_>>().join(", ")])
            }
            _ => None,
        });
        let may_use = self.agreements(
            |it| it.terms().consumer == system.address,
            |it| it.terms().service.to_string(),
        );
        let services = List { title: "services", rows: services };
        (facts, vec![services, List { title: "may use", rows: may_use }])
    }

    fn service(&self, service: &Service) -> Described {
        let system = &service.address.system;
        let facts = vec![
            fact("system", system),
            fact("agency", self.agency_name(system)),
            fact("home", home(self.directory.home(system))),
            fact("total time", format!("{} ms, where the caller grants none", service.timeout_ms)),
        ];
        let operations = service.operations.iter().map(|operation| {
            let kind = match operation.kind {
                OperationKind::Inquiry => "inquiry",
                OperationKind::Submission => "submission",
            };
            vec![operation.id.to_string(), kind.into(), operation.call.to_string()]
        });
        let operations = List { title: "operations", rows: operations.collect() };
        let consumers = self.agreements(
            |it| it.terms().service == service.address,
            |it| it.terms().consumer.to_string(),
        );
        (facts, vec![operations, List { title: "consumers", rows: consumers }])
    }

    fn agreement(&self, agreement: &Agreement) -> Described {
        let terms = agreement.terms();
        let way = |system: &SystemAddress| {
            format!("{}, at {}", self.agency_name(system), home(self.directory.home(system)))
        };
        let mut facts = vec![
            fact("", way(&terms.consumer)),
            fact("", way(&terms.service.system)),
            fact("state", agreement::state(self.directory, agreement).words()),
        ];
        let terms = agreement::facts(agreement).into_iter();
        facts.extend(terms.map(|(name, value)| fact(name, value)));
        let acts = List { title: "acts", rows: agreement::acts(agreement) };
        (facts, vec![acts])
    }

    fn link_key(&self, key: &LinkKey) -> Described {
        let node = self.registry.mesh.parse_node(&key.node);
        let node = node.map_or_else(|_| "-".into(), |node| node.to_string());
        (vec![fact("node", node), fact("SHA-256", key.spki_sha256)], Vec::new())
    }

    fn systems(&self, which: impl Fn(&System) -> bool) -> List {
        let rows = self.all(|object| match object {
            Object::System(system) if which(system) => Some(vec![
                system.address.to_string(),
                home(self.directory.home(&system.address)),
                system.attributes.iter().map(|it| attribute(*it)).collect::<Vec<_>>().join(", "),
            ]),
            _ => None,
        });
        List { title: "systems", rows }
    }

    fn agreements(
        &self,
        which: impl Fn(&Agreement) -> bool,
        other: impl Fn(&Agreement) -> String,
    ) -> Vec<Vec<String>> {
        self.all(|object| match object {
            Object::Agreement(agreement) if which(agreement) => {
                let terms = agreement.terms();
                let operations = terms.operations.iter().map(ToString::to_string);
                let purposes = terms.purposes.keys().map(ToString::to_string);
                Some(vec![
                    other(agreement),
                    operations.collect::<Vec<_>>().join(", "),
                    format!("for {}", purposes.collect::<Vec<_>>().join(", ")),
                    agreement::state(self.directory, agreement).name().into(),
                    terms.title.clone(),
                ])
            }
            _ => None,
        })
    }

    fn all(&self, row: impl Fn(&Object) -> Option<Vec<String>>) -> Vec<Vec<String>> {
        self.registry.objects.values().filter_map(row).collect()
    }

    fn agency_name(&self, system: &SystemAddress) -> String {
        match self.registry.objects.get(&Key::Agency(system.agency.clone())) {
            Some(Object::Agency(agency)) => format!("{} ({})", agency.name_en, agency.name_fa),
            _ => system.agency.to_string(),
        }
    }

    fn is_of(&self, key: &LinkKey, system: &SystemAddress) -> bool {
        use mesh_core::node::NodeName;
        let node = self.registry.mesh.parse_node(&key.node);
        node.is_ok_and(|node| match node {
            NodeName::Agent { system: found, .. } => found == *system,
            _ => false,
        })
    }
}

fn fact(name: &'static str, value: impl fmt::Display) -> Fact {
    Fact { name, value: value.to_string() }
}

fn text(description: &Description) -> String {
    let Description { kind, name, facts, lists, .. } = description;
    let mut text = format!("{kind} {}\n", printable(name));
    for Fact { name, value } in facts {
        let _ = writeln!(text, "  {name:<12}  {}", printable(value));
    }
    for List { title, rows } in lists {
        let _ = writeln!(text, "\n  {title}: {}", rows.len());
        let width = rows.iter().map(Vec::len).max().unwrap_or_default();
        let mut columns = Columns::new(&vec![""; width]);
        for row in rows {
            columns.row(row);
        }
        let table = columns.text();
        for line in table.lines().filter(|line| !line.trim().is_empty()) {
            let _ = writeln!(text, "    {}", line.trim_end());
        }
    }
    text
}
