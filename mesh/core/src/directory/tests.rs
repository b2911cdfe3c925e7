//! Directories that fit together, and some that do not.

use super::*;
use crate::agreement::sample::{draft, signed};
use crate::agreement::terms::Draft;
use crate::exchange::DirectoryPosition;
use crate::node::{Home, MeshDomain};
use crate::operation::{Call, Method, Operation, RequestPath};

fn at(path: &str) -> Call {
    Call::Rest { method: Method::Get, path: path.parse().unwrap() }
}

/// Two clusters with hubs, one without, a base database, and an agreement for each way there is.
pub(crate) fn sample() -> Objects {
    let cluster = |id: &str, hub, intra_cluster| Cluster {
        id: id.parse().unwrap(),
        name_fa: String::new(),
        name_en: String::new(),
        hub,
        intra_cluster,
    };
    let agency = |address: &str| Agency {
        address: address.parse().unwrap(),
        name_fa: String::new(),
        name_en: String::new(),
    };
    let system = |address: &str, cluster: Option<&str>, attributes: &[Attribute]| System {
        address: address.parse().unwrap(),
        cluster: cluster.map(|id| id.parse().unwrap()),
        attributes: attributes.iter().copied().collect(),
    };
    let service = |address: &str| {
        let kind = crate::operation::OperationKind::Inquiry;
        let (method, path) = ("GET".parse().unwrap(), "/{id}".parse().unwrap());
        let get = Operation::rest("get".parse().unwrap(), kind, method, path);
        Service::new(address.parse().unwrap(), vec![get])
    };
    let mut number = 0;
    let mut agreement = |title: &str, consumer: &str, service: &str| {
        number += 1;
        signed(number, Draft { title: title.into(), ..draft(consumer, service) })
    };
    Objects {
        clusters: vec![
            cluster("economy", true, IntraCluster::Local),
            cluster("health", true, IntraCluster::ViaCentre),
            cluster("culture", false, IntraCluster::Local),
        ],
        agencies: vec![agency("ir/gov/tax"), agency("ir/gov/care"), agency("ir/gov/books")],
        systems: vec![
            system("ir/gov/tax/desk", Some("economy"), &[]),
            system("ir/gov/tax/debts", Some("economy"), &[]),
            system("ir/gov/care/cards", Some("health"), &[]),
            system("ir/gov/care/desk", Some("health"), &[]),
            system("ir/gov/books/desk", Some("culture"), &[]),
            system("ir/gov/tax/persons", None, &[Attribute::BaseDatabase]),
        ],
        services: vec![
            service("ir/gov/tax/debts/debt.v1"),
            service("ir/gov/care/cards/card.v1"),
            service("ir/gov/tax/persons/identity.v1"),
        ],
        agreements: vec![
            agreement("local", "ir/gov/tax/desk", "ir/gov/tax/debts/debt.v1"),
            agreement("across", "ir/gov/tax/desk", "ir/gov/care/cards/card.v1"),
            agreement("base", "ir/gov/tax/desk", "ir/gov/tax/persons/identity.v1"),
            agreement("edge", "ir/gov/books/desk", "ir/gov/care/cards/card.v1"),
            agreement("inner", "ir/gov/care/desk", "ir/gov/care/cards/card.v1"),
        ],
        link_keys: vec![LinkKey {
            node: "desk.tax.gov.economy.mesh.ir".into(),
            spki_sha256: Digest([0xab; 32]),
        }],
        directory_keys: Vec::new(),
    }
}

pub(crate) fn mesh() -> MeshDomain {
    MeshDomain::new("ir".parse().unwrap(), "mesh.ir").unwrap()
}

pub(crate) fn build(objects: Objects) -> Result<Directory, DirectoryError> {
    Directory::build(mesh(), DirectoryPosition::default(), objects)
}

#[test]
fn a_home_is_the_clusters_hub_if_there_is_one() {
    let directory = build(sample()).unwrap();
    let home = |text: &str| directory.home(&text.parse().unwrap());
    assert_eq!(home("ir/gov/tax/desk"), Some(Home::Cluster("economy".parse().unwrap())));
    assert_eq!(home("ir/gov/books/desk"), Some(Home::Centre), "culture has no hub");
    assert_eq!(home("ir/gov/tax/persons"), Some(Home::Centre), "a base database");
    assert_eq!(home("ir/gov/tax/none"), None);
}

#[test]
fn admits_a_known_key_at_home_only() {
    let directory = build(sample()).unwrap();
    let node = |name: &str| directory.mesh().parse_node(name).unwrap();
    let known: Digest = "ab".repeat(32).parse().unwrap();
    let other: Digest = "cd".repeat(32).parse().unwrap();
    assert!(directory.admits(&node("desk.tax.gov.economy.mesh.ir"), &known));
    assert!(!directory.admits(&node("desk.tax.gov.economy.mesh.ir"), &other));
    assert!(!directory.admits(&node("desk.tax.gov.edge.mesh.ir"), &known), "not its home");
    assert!(!directory.admits(&node("hub.economy.mesh.ir"), &known), "not its key");
}

#[test]
fn a_request_is_the_most_specific_operation_that_covers_it() {
    let mut service = sample().services.remove(0);
    let mut all = service.operations[0].clone();
    all.id = "all".parse().unwrap();
    all.call = at("/all");
    service.operations.push(all);
    let found = |method: &str, path| {
        let method = method.parse().unwrap();
        let path = RequestPath::new(path).unwrap();
        service.operation(method, path).map(|operation| operation.id.as_str())
    };
    assert_eq!(found("GET", "/all"), Some("all"));
    assert_eq!(found("GET", "/17"), Some("get"));
    assert_eq!(found("POST", "/all"), None);
    assert_eq!(found("GET", "/all/17"), None);
}

#[test]
fn refuses_objects_that_do_not_fit() {
    type Change = fn(&mut Objects);
    let cases: &[(&str, Change)] = &[
        ("cluster economy is there twice", |o| o.clusters.push(o.clusters[0].clone())),
        ("names ir/gov/tax, which is not", |o| {
            o.agencies.remove(0);
        }),
        ("its mesh is not ir", |o| o.agencies[0].address = "xx/gov/tax".parse().unwrap()),
        ("names culture, which is not", |o| {
            o.clusters.remove(2);
        }),
        ("a base database belongs to no cluster", |o| {
            o.systems[5].cluster = Some("health".parse().unwrap());
        }),
        ("timeout_ms is 0", |o| o.services[0].timeout_ms = 0),
        ("it has no operation", |o| o.services[0].operations.clear()),
        ("operation get of ir/gov/tax/debts/debt.v1 is there twice", |o| {
            let operation = o.services[0].operations[0].clone();
            o.services[0].operations.push(operation);
        }),
        ("no request tells other from get", |o| {
            let mut operation = o.services[0].operations[0].clone();
            operation.id = "other".parse().unwrap();
            operation.call = at("/{number}");
            o.services[0].operations.push(operation);
        }),
        ("no request tells other from get", |o| {
            let mut operation = o.services[0].operations[0].clone();
            operation.call = Call::Grpc("tax.v1.Debts/Get".parse().unwrap());
            o.services[0].operations[0] = operation.clone();
            operation.id = "other".parse().unwrap();
            o.services[0].operations.push(operation);
        }),
        ("next_major is no later version", |o| o.services[0].lifecycle.next_major = Some(1)),
        ("names operation put of", |o| {
            let mut draft = draft("ir/gov/tax/desk", "ir/gov/care/cards/card.v1");
            draft.operations.insert("put".parse().unwrap());
            o.agreements.push(signed(9, draft));
        }),
        ("is not below the mesh domain", |o| o.link_keys[0].node = "hub.economy.other".into()),
    ];
    for (want, change) in cases {
        let mut objects = sample();
        change(&mut objects);
        let error = build(objects).expect_err(want).to_string();
        assert!(error.contains(want), "{error:?} does not say {want:?}");
    }
}

#[test]
fn a_node_has_joined_when_it_has_a_key() {
    let directory = build(sample()).unwrap();
    let joined = |name: &str| directory.has_joined(&directory.mesh().parse_node(name).unwrap());
    assert!(joined("desk.tax.gov.economy.mesh.ir"));
    assert!(!joined("debts.tax.gov.economy.mesh.ir"));
}

#[test]
fn a_directory_tells_what_it_was_built_from() {
    let directory = build(sample()).unwrap();
    assert_eq!(directory.objects().into_by_key(), sample().into_by_key());
}
