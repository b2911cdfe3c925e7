//! Random commits, each against a directory that is built anew, and against what the scopes say.

use std::collections::BTreeMap;

use super::change::{ByKey, Change, Key, Object, apply};
use super::scope::{Followed, Scope, project};
use super::tests::mesh;
use super::*;
use crate::agreement::terms::{Draft, Quota};
use crate::agreement::{Act, Agreement, AgreementId, Deed, Party, Terms};
use crate::exchange::DirectoryPosition;
use crate::id::OperationId;
use crate::node::NodeName;
use crate::operation::{Operation, OperationKind};

/// The same numbers from the same seed.
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % limit
    }

    fn one_in(&mut self, number: u64) -> bool {
        self.below(number) == 0
    }
}

fn parsed<T: FromStr<Err: fmt::Debug>>(text: &str) -> T {
    text.parse().expect(text)
}

fn agency(dice: &mut Dice) -> String {
    format!("ir/gov/a{}", dice.below(3))
}

fn system(dice: &mut Dice) -> String {
    format!("{}/s{}", agency(dice), dice.below(2))
}

fn service(dice: &mut Dice) -> String {
    format!("{}/x.v{}", system(dice), 1 + dice.below(2))
}

/// One operation at least, of three.
fn operations(dice: &mut Dice) -> BTreeSet<OperationId> {
    let mut some: BTreeSet<_> = [parsed(&format!("o{}", dice.below(3)))].into();
    some.extend((0..3).filter(|_| dice.one_in(2)).map(|number| parsed(&format!("o{number}"))));
    some
}

/// Any object of a small nation, in which most names meet others.
fn object(dice: &mut Dice) -> Object {
    let (name_fa, name_en) = (String::new(), dice.below(3).to_string());
    match dice.below(9) {
        0 => Object::Cluster(Cluster {
            id: parsed(&format!("c{}", dice.below(2))),
            name_fa,
            name_en,
            hub: dice.one_in(2),
            intra_cluster: IntraCluster::Local,
        }),
        1 => Object::Agency(Agency { address: parsed(&agency(dice)), name_fa, name_en }),
        2 => Object::System(System {
            address: parsed(&system(dice)),
            cluster: (!dice.one_in(3)).then(|| parsed(&format!("c{}", dice.below(2)))),
            attributes: if dice.one_in(6) { [Attribute::BaseDatabase].into() } else { [].into() },
        }),
        3 | 4 => {
            let operations = operations(dice).into_iter().map(|id| {
                let path = format!("/{id}").parse().unwrap();
                Operation::rest(id, OperationKind::Inquiry, "GET".parse().unwrap(), path)
            });
            Object::Service(Service::new(parsed(&service(dice)), operations.collect()))
        }
        5 | 6 => Object::Agreement(agreement(dice)),
        7 => {
            let node = match dice.below(4) {
                0 => "hub.c0.mesh.ir".into(),
                1 => format!("s0.a{}.gov.edge.mesh.ir", dice.below(3)),
                _ => format!("s1.a{}.gov.c{}.mesh.ir", dice.below(3), dice.below(2)),
            };
            Object::LinkKey(LinkKey { node, spki_sha256: Digest([dice.below(2) as u8; 32]) })
        }
        _ => Object::DirectoryKey(DirectoryKey {
            public_key: Ed25519Key::new([dice.below(2) as u8; 32]),
        }),
    }
}

/// One of a few; whoever has the same number has the same terms.
fn agreement(dice: &mut Dice) -> Agreement {
    let number = dice.below(5);
    let mut terms = Dice(number);
    let (consumer, service) = (system(&mut terms), service(&mut terms));
    let service = if service.starts_with(&consumer) { "ir/gov/a9/s9/x.v1" } else { &service };
    let draft = Draft {
        title: "t".into(),
        consumer: parsed(&consumer),
        attributes: BTreeSet::new(),
        service: parsed(service),
        operations: operations(&mut terms),
        purposes: [(parsed("licence"), "law".into())].into(),
        granted_fields: [parsed("")].into(),
        quota: Quota { per_second: 1, burst: 1, per_day: 1 },
        sla: None,
        valid_from_unix_ms: 1,
        valid_until_unix_ms: 2,
        retention_days: 1,
        sensitive: false,
        supersedes: None,
    };
    let id = AgreementId(Digest([number as u8; 32]));
    let mut agreement = Agreement::proposed(id, vec![number as u8], Terms::new(draft).unwrap());
    if dice.one_in(2) {
        agreement.acts.push(Act {
            deed: Deed::Revoke,
            party: Party::Centre,
            at_unix_ms: dice.below(9),
            reason: "r".into(),
            chain: Vec::new(),
            signature: [0; 64],
        });
    }
    agreement
}

fn changes(dice: &mut Dice) -> Vec<Change> {
    let one = |dice: &mut Dice| {
        let object = object(dice);
        if dice.one_in(4) { Change::Remove(object.key()) } else { Change::Put(object) }
    };
    (0..=dice.below(4)).map(|_| one(dice)).collect()
}

fn rebuilt(objects: &ByKey) -> Result<Directory, DirectoryError> {
    let objects = objects.values().cloned().collect();
    Directory::build(mesh(), DirectoryPosition::default(), objects)
}

/// Commits at random from `seed`; after each, `look` is shown what was, what is, and the changes.
fn commits(seed: u64, mut look: impl FnMut(&Directory, &Directory, &[Change])) {
    let mut dice = Dice(seed);
    let mut objects = ByKey::new();
    let mut now = Directory::empty(mesh());
    let mut made = 0;
    for _ in 0..400 {
        let changes = changes(&mut dice);
        let want = apply(&objects, &changes)
            .ok()
            .and_then(|after| rebuilt(&after).ok().map(|directory| (after, directory)));
        let found = now.with(&changes);
        assert_eq!(found.is_ok(), want.is_some(), "seed {seed}: {found:?} of {changes:?}");
        let (Ok(next), Some((after, directory))) = (found, want) else { continue };
        assert_eq!(format!("{next:?}"), format!("{directory:?}"), "seed {seed}");
        assert_eq!(next.objects().into_by_key(), after, "seed {seed}");
        look(&now, &next, &changes);
        (now, objects) = (next, after);
        made += 1;
    }
    assert!(50 < made, "seed {seed}: only {made} commits were sound");
}

fn with_seeds(test: impl Fn(u64)) {
    (0..20).for_each(test);
}

#[test]
fn a_change_is_judged_as_all_objects_would_be() {
    with_seeds(|seed| commits(seed, |_, _, _| {}));
}

#[test]
fn what_the_scopes_are_told_adds_up_to_what_is_in_them() {
    with_seeds(|seed| {
        let mut told: BTreeMap<Scope, ByKey> = BTreeMap::new();
        commits(seed, |before, after, changes| {
            for (scope, changes) in project(before, after, changes) {
                let have = told.remove(&scope).unwrap_or_default();
                let now = apply(&have, &changes);
                let now = now.unwrap_or_else(|why| panic!("seed {seed}: {scope}: {why}"));
                told.insert(scope, now);
            }
            told.retain(|_, objects| !objects.is_empty());
            let scopes: BTreeSet<Scope> = told.keys().cloned().collect();
            assert_eq!(scopes, after.scopes(), "seed {seed}");
            for (scope, objects) in &told {
                let listed = after.objects_in(scope);
                let keys: Vec<Key> = listed.iter().map(Object::key).collect();
                assert!(keys.is_sorted(), "seed {seed}: {scope}: {keys:?}");
                let listed: Objects = listed.into_iter().collect();
                assert_eq!(&listed.into_by_key(), objects, "seed {seed}: {scope}");
            }
        });
    });
}

#[test]
fn what_a_node_follows_fits_together_by_itself() {
    let nodes = ["hub.c0", "hub.c1", "s0.a0.gov.edge", "s1.a1.gov.c0", "hub.centre"];
    let nodes = nodes.map(|node| mesh().parse_node(&format!("{node}.mesh.ir")).unwrap());
    with_seeds(|seed| {
        commits(seed, |_, after, _| {
            for node in &nodes {
                let followed = after.followed_by(node);
                assert_eq!(followed == Followed::All, *node == NodeName::Centre);
                let scopes = after.scopes().into_iter().filter(|scope| followed.contains(scope));
                let objects = scopes.flat_map(|scope| after.objects_in(&scope));
                let objects: ByKey = objects.map(|object| (object.key(), object)).collect();
                let part = rebuilt(&objects);
                let part = part.unwrap_or_else(|why| panic!("seed {seed}: {node}: {why}"));
                assert_eq!(part.followed_by(node), followed, "both ends reckon the same");
            }
        });
    });
}
