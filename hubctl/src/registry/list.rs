//! `hubctl get`: the objects of one kind, one a line.

use std::collections::BTreeMap;

use mesh_core::directory::change::{Key, Object};
use mesh_core::directory::{Attribute, Cluster, Directory, IntraCluster};
use mesh_core::node::Home;
use mesh_rt::exit::CmdError;
use serde_json::Value;

use super::json::value;
use super::{Kind, Registry, centre};
use crate::agreement;
use crate::config::Config;
use crate::output::{Columns, Format, Told};

#[derive(Debug, clap::Args)]
pub(crate) struct GetArgs {
    /// The kind of objects
    kind: Kind,
    /// Only these; all if none is named
    names: Vec<String>,
}

pub(crate) async fn get(config: &Config, args: GetArgs, format: Format) -> Result<Told, CmdError> {
    let centre = centre(config).map_err(CmdError::usage)?;
    let registry = Registry::read(&centre).await.map_err(CmdError::failure)?;
    let kind = args.kind;
    let wanted: Vec<Key> = match &args.names[..] {
        [] => registry.objects.keys().filter(|key| key.kind() == kind.of()).cloned().collect(),
        names => names.iter().map(|name| registry.find(kind, name)).collect::<Result<_, _>>()?,
    };
    let objects: Vec<&Object> = wanted.iter().filter_map(|key| registry.objects.get(key)).collect();
    let values: Vec<Value> = objects.iter().map(|object| value(object)).collect();
    let directory = registry.directory()?;
    Ok(Told::new(format, &values, |_| table(kind, &objects, &Counted::of(&registry, &directory))))
}

/// How many objects name another one.
struct Counted<'r> {
    directory: &'r Directory,
    systems_of_cluster: BTreeMap<String, usize>,
    systems_of_agency: BTreeMap<String, usize>,
    services_of_system: BTreeMap<String, usize>,
    agreements_of_service: BTreeMap<String, usize>,
}

impl<'r> Counted<'r> {
    fn of(registry: &Registry, directory: &'r Directory) -> Self {
        let mut counted = Self {
            directory,
            systems_of_cluster: BTreeMap::new(),
            systems_of_agency: BTreeMap::new(),
            services_of_system: BTreeMap::new(),
            agreements_of_service: BTreeMap::new(),
        };
        let add = |map: &mut BTreeMap<String, usize>, name: String| {
            *map.entry(name).or_default() += 1;
        };
        for object in registry.objects.values() {
            match object {
                Object::System(system) => {
                    add(&mut counted.systems_of_agency, system.address.agency.to_string());
                    if let Some(cluster) = &system.cluster {
                        add(&mut counted.systems_of_cluster, cluster.to_string());
                    }
                }
                Object::Service(service) => {
                    add(&mut counted.services_of_system, service.address.system.to_string());
                }
                Object::Agreement(agreement) => {
                    let service = agreement.terms().service.to_string();
                    add(&mut counted.agreements_of_service, service);
                }
                Object::Cluster(_)
                | Object::Agency(_)
                | Object::LinkKey(_)
                | Object::DirectoryKey(_) => {}
            }
        }
        counted
    }
}

fn table(kind: Kind, objects: &[&Object], counted: &Counted<'_>) -> String {
    let (header, numbers): (&[&str], &[usize]) = match kind {
        Kind::Cluster => (&["CLUSTER", "HUB", "WITHIN", "SYSTEMS", "NAME", "نام"], &[3]),
        Kind::Agency => (&["AGENCY", "SYSTEMS", "NAME", "نام"], &[1]),
        Kind::System => (&["SYSTEM", "CLUSTER", "HOME", "ATTRIBUTES", "SERVICES"], &[4]),
        Kind::Service => (&["SERVICE", "OPERATIONS", "TIMEOUT MS", "AGREEMENTS"], &[2, 3]),
        Kind::Agreement => (&["AGREEMENT", "TITLE", "STATE", "CONSUMER", "SERVICE"], &[]),
        Kind::LinkKey => (&["NODE", "SHA-256 OF ITS PUBLIC KEY"], &[]),
        Kind::DirectoryKey => (&["PUBLIC KEY"], &[]),
    };
    let mut columns = Columns::new(header).numbers(numbers);
    for object in objects {
        columns.row(&row(object, counted));
    }
    columns.text()
}

fn row(object: &Object, counted: &Counted<'_>) -> Vec<String> {
    let count = |map: &BTreeMap<String, usize>, name: &dyn ToString| {
        map.get(&name.to_string()).copied().unwrap_or_default().to_string()
    };
    match object {
        Object::Cluster(cluster) => vec![
            cluster.id.to_string(),
            if cluster.hub { "yes" } else { "no" }.into(),
            within(cluster).into(),
            count(&counted.systems_of_cluster, &cluster.id),
            cluster.name_en.clone(),
            cluster.name_fa.clone(),
        ],
        Object::Agency(agency) => vec![
            agency.address.to_string(),
            count(&counted.systems_of_agency, &agency.address),
            agency.name_en.clone(),
            agency.name_fa.clone(),
        ],
        Object::System(system) => vec![
            system.address.to_string(),
            system.cluster.as_ref().map_or("-".into(), ToString::to_string),
            home(counted.directory.home(&system.address)),
            system.attributes.iter().map(|it| attribute(*it)).collect::<Vec<_>>().join(", "),
            count(&counted.services_of_system, &system.address),
        ],
        Object::Service(service) => vec![
            service.address.to_string(),
            service.operations.iter().map(|it| it.id.to_string()).collect::<Vec<_>>().join(", "),
            service.timeout_ms.to_string(),
            count(&counted.agreements_of_service, &service.address),
        ],
        Object::Agreement(agreement) => {
            let terms = agreement.terms();
            let parties = (terms.consumer.to_string(), terms.service.to_string());
            let state = agreement::state(counted.directory, agreement).name().into();
            let id = agreement.id().to_string()[..16].into();
            vec![id, terms.title.clone(), state, parties.0, parties.1]
        }
        Object::DirectoryKey(key) => vec![key.public_key.to_string()],
        Object::LinkKey(key) => vec![key.node.clone(), key.spki_sha256.to_string()],
    }
}

/// The way between two systems of one cluster, in words. Without a hub there is one way only.
pub(super) fn within(cluster: &Cluster) -> &'static str {
    match cluster.intra_cluster {
        IntraCluster::Local if cluster.hub => "by its hub",
        IntraCluster::Local | IntraCluster::ViaCentre => "via the centre",
    }
}

/// Where a system is attached, by the name of the node.
pub(super) fn home(home: Option<Home>) -> String {
    match home {
        Some(Home::Cluster(cluster)) => format!("hub.{cluster}"),
        Some(Home::Centre) => "hub.centre".into(),
        None => "-".into(),
    }
}

pub(super) fn attribute(attribute: Attribute) -> &'static str {
    match attribute {
        Attribute::BaseDatabase => "base database",
        Attribute::Portal => "portal",
        Attribute::Counter => "counter",
    }
}
