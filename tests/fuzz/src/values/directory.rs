//! Directories: objects that fit together, as a snapshot carries them.

use std::collections::BTreeSet;

use mesh_core::agreement::terms::{Draft, Quota};
use mesh_core::agreement::{Agreement, Terms};
use mesh_core::directory::history::Head;
use mesh_core::directory::{
    Agency, Attribute, Cluster, Directory, DirectoryKey, Ed25519Key, IntraCluster, LinkKey,
    Objects, System,
};
use mesh_core::exchange::DirectoryPosition;
use mesh_core::limits::DEADLINE_MAX;
use mesh_proto::directory;
use mesh_proto::directory::write_terms;
use mesh_proto::wire::directory::v1 as wire;
use mesh_proto::wire::directory::v1::object::Kind;
use prost::Message;

use super::names::{agency, digest, label, mesh, node, parsed, service_of, text};
use super::services::one_service;
use crate::Dice;

/// A snapshot and the directory that was read from it. A directory has no way back to bytes and
/// no equality, so its message stands for the first and its form for debugging for the second.
#[derive(Clone, Debug, PartialEq)]
pub struct Snapshot {
    message: wire::SnapshotBody,
    directory: String,
}

/// A snapshot of objects that fit together, and the directory that they make.
pub fn snapshot(dice: &mut Dice) -> Snapshot {
    let objects = objects(dice);
    let epoch = dice.within(0..=u64::MAX);
    let revision = dice.within(0..=u64::MAX);
    let position = DirectoryPosition { epoch, revision, root: None };
    let hash = dice.maybe(digest);
    let head = Head { hash, ..Head::from(position) };
    let bytes = directory::write_snapshot(&mesh(), head, &objects);
    let message = body(&bytes);
    let directory = Directory::build(mesh(), position, objects).expect("the objects fit");
    Snapshot { message, directory: format!("{directory:?}") }
}

pub fn write_snapshot(snapshot: &Snapshot) -> Vec<u8> {
    let body = snapshot.message.encode_to_vec().into();
    wire::Snapshot { body, signature: None }.encode_to_vec()
}

pub fn read_snapshot(bytes: &[u8]) -> Option<Snapshot> {
    let directory = directory::read_snapshot(bytes).ok()?.directory;
    Some(Snapshot { message: body(bytes), directory: format!("{directory:?}") })
}

fn body(bytes: &[u8]) -> wire::SnapshotBody {
    let snapshot = wire::Snapshot::decode(bytes).expect("its writer or reader has accepted it");
    wire::SnapshotBody::decode(snapshot.body).expect("its writer or reader has accepted it")
}

/// Every object that the message lists is in the directory: none was passed over.
pub fn check_snapshot(snapshot: &Snapshot) -> Result<(), String> {
    let bytes = write_snapshot(snapshot);
    let read = directory::read_snapshot(&bytes).map_err(|why| why.to_string())?;
    let directory = read.directory;
    let is_there = |kind: &Kind| match kind {
        Kind::Cluster(found) => directory.clusters().any(|known| known.id.as_str() == found.id),
        Kind::System(found) => {
            directory.systems().any(|known| known.address.to_string() == found.address)
        }
        Kind::Service(found) => {
            let known = found.address.parse().ok().and_then(|address| directory.service(&address));
            known.is_some_and(|known| {
                known.operations.len() == found.operations.len()
                    && known.timeout_ms == found.timeout_ms
                    && (1..=DEADLINE_MAX.as_millis() as u64).contains(&known.timeout_ms)
            })
        }
        Kind::LinkKey(found) => directory.mesh().parse_node(&found.node).is_ok(),
        Kind::DirectoryKey(found) => {
            directory.directory_keys().any(|known| known.as_bytes()[..] == found.public_key[..])
        }
        Kind::Agency(_) => true,
        Kind::Agreement(found) => {
            let known = directory.objects().agreements;
            known.iter().any(|known| known.terms_bytes() == &found.terms[..])
        }
        Kind::MemberKey(_) | Kind::Replica(_) | Kind::Operator(_) => false,
    };
    let kinds = snapshot.message.objects.iter().map(|object| object.kind.as_ref());
    let lost = kinds.into_iter().find(|kind| !kind.is_some_and(is_there));
    lost.map_or(Ok(()), |kind| Err(format!("{kind:?} is not in the directory")))
}

/// Objects that fit together.
pub(super) fn objects(dice: &mut Dice) -> Objects {
    let mut objects = Objects::default();
    for index in 0..dice.below(4) {
        objects.clusters.push(Cluster {
            // The number keeps two of them apart.
            id: parsed(&format!("c{index}-{}", dice.below(100))),
            name_fa: text(dice, 60),
            name_en: text(dice, 60),
            hub: dice.one_in(2),
            intra_cluster: *dice.pick(&[IntraCluster::Local, IntraCluster::ViaCentre]),
        });
    }
    for index in 0..dice.below(4) {
        let mut address = agency(dice, "ir");
        address.agency = parsed(&format!("a{index}"));
        let agency = Agency { address, name_fa: text(dice, 60), name_en: text(dice, 60) };
        objects.agencies.push(agency);
    }
    let agencies = objects.agencies.clone();
    for (number, agency) in agencies.iter().enumerate() {
        for index in 0..dice.below(3) {
            let clusters = &objects.clusters;
            let address = parsed(&format!("{}/s{number}{index}", agency.address));
            objects.systems.push(one_system(dice, clusters, address));
        }
    }
    for system in objects.systems.clone() {
        if dice.one_in(2) {
            let address = service_of(dice, system.address);
            objects.services.push(one_service(dice, address));
        }
    }
    for service in &objects.services {
        let consumer = dice.pick(&objects.systems).address.clone();
        if consumer != service.address.system {
            objects.agreements.push(one_agreement(dice, consumer, service));
        }
    }
    for _ in 0..dice.below(4) {
        let node = mesh().dns_name(&node(dice));
        objects.link_keys.push(LinkKey { node, spki_sha256: digest(dice) });
    }
    for index in 0..dice.below(3) {
        // The number keeps two of them apart.
        let public_key = Ed25519Key::new([index as u8; 32]);
        objects.directory_keys.push(DirectoryKey { public_key });
    }
    objects
}

fn one_agreement(
    dice: &mut Dice,
    consumer: mesh_core::address::SystemAddress,
    service: &mesh_core::service::Service,
) -> Agreement {
    let purposes = (0..=dice.below(3)).map(|_| (parsed(&label(dice)), "act 7".to_owned()));
    let purposes = purposes.collect();
    let from = dice.within(1..=4_000_000_000_000);
    let draft = Draft {
        title: "t".into(),
        purposes,
        operations: service.operations.iter().map(|operation| operation.id.clone()).collect(),
        granted_fields: [parsed("/a")].into(),
        quota: Quota { per_second: 1, burst: 0, per_day: dice.within(1..=1_000) },
        valid_from_unix_ms: from,
        valid_until_unix_ms: from + dice.within(1..=1_000_000),
        ..Draft::between(consumer, service.address.clone())
    };
    write_terms(Terms::new(draft).expect("its bounds hold")).expect("it is small")
}

fn one_system(
    dice: &mut Dice,
    clusters: &[Cluster],
    address: mesh_core::address::SystemAddress,
) -> System {
    let mut attributes = BTreeSet::new();
    for attribute in [Attribute::BaseDatabase, Attribute::Portal, Attribute::Counter] {
        if dice.one_in(3) {
            attributes.insert(attribute);
        }
    }
    let apart = clusters.is_empty() || attributes.contains(&Attribute::BaseDatabase);
    let cluster = if apart { None } else { dice.maybe(|dice| dice.pick(clusters).id.clone()) };
    System { address, cluster, attributes }
}
