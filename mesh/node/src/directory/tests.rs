//! A centre, hubs and agents: what is committed reaches whom it concerns, whole and signed; what
//! nobody signed reaches nobody.

use bytes::Bytes;
use mesh_core::agreement::terms::{Draft, Quota};
use mesh_core::agreement::{Agreement, Terms};
use mesh_core::directory::change::{Change, Key, Object};
use mesh_core::directory::history::Untakeable;
use mesh_core::directory::{DirectoryKey, Objects};
use mesh_core::node::MeshDomain;
use mesh_proto::directory::{read_entry, write_entry, write_terms};
use mesh_proto::wire::directory::v1::FeedEvent;
use mesh_proto::wire::directory::v1::feed_event::Kind;

use super::sign::Signed;
use super::sign::tests::signer;
use super::*;

const NATION: &str = r#"
    [[clusters]]
    id = "economy"
    name_fa = ""
    name_en = ""
    hub = true

    [[clusters]]
    id = "health"
    name_fa = ""
    name_en = ""
    hub = true

    [[agencies]]
    address = "ir/gov/tax"
    name_fa = ""
    name_en = ""

    [[agencies]]
    address = "ir/gov/care"
    name_fa = ""
    name_en = ""

    [[systems]]
    address = "ir/gov/tax/desk"
    cluster = "economy"

    [[systems]]
    address = "ir/gov/care/cards"
    cluster = "health"

    [[services]]
    address = "ir/gov/care/cards/card.v1"
    operations = [{ id = "get", kind = "inquiry", method = "GET", path = "/{id}" }]

    [[services]]
    address = "ir/gov/care/cards/other.v1"
    operations = [{ id = "get", kind = "inquiry", method = "GET", path = "/{id}" }]

    [[link_keys]]
    node = "desk.tax.gov.economy.mesh.ir"
    spki_sha256 = "abababababababababababababababababababababababababababababababab"
"#;

fn mesh() -> MeshDomain {
    MeshDomain::new("ir".parse().unwrap(), "mesh.ir").unwrap()
}

fn name(node: &str) -> NodeName {
    mesh().parse_node(&format!("{node}.mesh.ir")).unwrap()
}

fn keys() -> DirectoryKeys {
    [signer(1).key()].into_iter().collect()
}

fn stored(epoch: u64, revision: u64) -> Stored {
    let objects: Objects = toml::from_str(NATION).unwrap();
    Stored { epoch, revision, objects, ..Stored::default() }
}

fn centre() -> LiveDirectory {
    LiveDirectory::from_registry(mesh(), stored(1, 1), signer(1)).unwrap()
}

fn node(node: &str) -> LiveDirectory {
    LiveDirectory::following(name(node), mesh(), keys())
}

/// The desk's agreement for `service` of the health cluster.
fn agreement(service: &str) -> Agreement {
    let service = format!("ir/gov/care/cards/{service}").parse().unwrap();
    let draft = Draft {
        title: "a test".into(),
        operations: ["get".parse().unwrap()].into(),
        purposes: [("licence".parse().unwrap(), "act 7".into())].into(),
        granted_fields: ["".parse().unwrap()].into(),
        quota: Quota { per_second: 1, burst: 1, per_day: 1 },
        valid_from_unix_ms: 1,
        valid_until_unix_ms: 2,
        ..Draft::between("ir/gov/tax/desk".parse().unwrap(), service)
    };
    write_terms(Terms::new(draft).unwrap()).unwrap()
}

/// Its key.
fn agreed(service: &str) -> String {
    format!("agreement/{}", agreement(service).id())
}

fn agree(service: &str) -> Change {
    Change::Put(Object::Agreement(agreement(service)))
}

fn cluster(id: &str) -> Change {
    let text =
        format!("clusters = [{{ id = \"{id}\", name_fa = \"\", name_en = \"\", hub = true }}]");
    let mut objects: Objects = toml::from_str(&text).unwrap();
    Change::Put(Object::Cluster(objects.clusters.remove(0)))
}

fn remove(key: &str) -> Change {
    Change::Remove(key.parse().unwrap())
}

fn commit(centre: &LiveDirectory, changes: &[Change]) -> Prepared {
    let prepared = centre.prepare(changes, 7).unwrap();
    let again = centre.prepare(changes, 7).unwrap();
    centre.publish(prepared);
    again
}

/// What a follower of this name that has nothing but `have` is sent.
fn sent(from: &LiveDirectory, to: &str, have: BTreeMap<Scope, Head>) -> Vec<FeedEvent> {
    from.lacks(&mut Follower::new(name(to), have))
}

/// Takes all that `from` says, and answers what the heartbeats were.
fn catch_up(to: &LiveDirectory, called: &str, from: &LiveDirectory) -> Vec<Heard> {
    let (mut group, mut heard) = (Vec::new(), Vec::new());
    for event in sent(from, called, to.wanted()) {
        match event.kind {
            Some(Kind::Heartbeat(beat)) => heard.push(to.hear(&beat).unwrap()),
            _ => {
                let last = !event.more;
                group.push(event);
                if last {
                    to.take(&std::mem::take(&mut group)).unwrap();
                }
            }
        }
    }
    assert!(group.is_empty(), "a group ends");
    heard
}

fn keys_of(directory: &LiveDirectory) -> Vec<String> {
    let objects: Vec<Object> = directory.now().objects().into();
    objects.iter().map(|object| object.key().to_string()).collect()
}

const AGENT: &str = "desk.tax.gov.economy";

#[test]
fn a_commit_reaches_those_whom_it_concerns_and_no_others() {
    let (centre, hub, agent) = (centre(), node("hub.economy"), node(AGENT));
    centre.beat(1_000).unwrap();
    let heard = catch_up(&hub, "hub.economy", &centre);
    assert!(matches!(heard[..], [Heard::Agrees { sent_at_unix_ms: 1_000, .. }]), "{heard:?}");
    assert_eq!(hub.position(), centre.position());
    assert!(catch_up(&agent, AGENT, &hub).len() == 1, "what a hub was told it hands on");
    assert_eq!(agent.position(), centre.position());
    let service: Key = "service/ir/gov/care/cards/card.v1".parse().unwrap();
    assert!(agent.now().object(&service).is_none(), "nobody lets the agency use it");

    commit(&centre, &[agree("card.v1")]);
    centre.beat(2_000).unwrap();
    assert_eq!(catch_up(&hub, "hub.economy", &centre).len(), 1);
    assert_eq!(catch_up(&agent, AGENT, &hub).len(), 1);
    assert_eq!((hub.position(), agent.position()), (centre.position(), centre.position()));
    let other = "service/ir/gov/care/cards/other.v1".to_owned();
    let have = keys_of(&agent);
    assert!(have.contains(&service.to_string()) && have.contains(&agreed("card.v1")));
    assert!(!have.contains(&other), "{have:?}");
    assert_eq!(keys_of(&hub), have);
    assert!(keys_of(&centre).contains(&other));

    commit(&centre, &[remove(&agreed("card.v1"))]);
    centre.beat(3_000).unwrap();
    catch_up(&hub, "hub.economy", &centre);
    assert!(hub.now().object(&service).is_none(), "with the last agreement the service leaves");
}

#[test]
fn commits_that_a_node_missed_come_as_one_group_that_is_taken_whole() {
    let (centre, hub) = (centre(), node("hub.economy"));
    catch_up(&hub, "hub.economy", &centre);
    commit(&centre, &[cluster("justice")]);
    commit(&centre, &[agree("card.v1")]);
    commit(&centre, &[agree("other.v1"), remove("cluster/justice")]);
    let group = sent(&centre, "hub.economy", hub.wanted());
    assert_eq!(group.iter().filter(|event| !event.more).count(), 1, "one group");
    assert!(group.iter().all(|event| matches!(event.kind, Some(Kind::Entry(_)))));

    let before = (hub.heads(), keys_of(&hub));
    let mut torn = group.clone();
    let Some(Kind::Entry(last)) = torn.last_mut().and_then(|event| event.kind.as_mut()) else {
        panic!("it is an entry")
    };
    last.body = last.body.slice(1..);
    assert!(hub.take(&torn).is_err());
    assert_eq!((hub.heads(), keys_of(&hub)), before, "nothing of it is taken");
    assert!(hub.take(&group).unwrap());
    assert!(keys_of(&hub).contains(&agreed("other.v1")));
    assert!(!hub.take(&group).unwrap(), "a second time it says nothing new");
}

#[test]
fn every_lie_has_a_reason_of_its_own() {
    let (centre, hub) = (centre(), node("hub.economy"));
    catch_up(&hub, "hub.economy", &centre);
    let prepared = commit(&centre, &[cluster("justice")]);
    let (_, entry) = prepared.entries[0].clone();
    let event = |kind| [FeedEvent { kind: Some(kind), more: false }];
    let refused = |kind| hub.take(&event(kind)).unwrap_err();
    let signed = |by: u8, what, body: Bytes| {
        let signature = Some(signer(by).sign(what, &mesh(), &body));
        wire::Entry { body, signature }
    };

    let why = refused(Kind::Entry(signed(2, Signed::Entry, entry.body.clone())));
    assert!(matches!(why, NotTaken::UnknownSigner { .. }) && why.is_suspicious(), "{why}");
    let why = refused(Kind::Entry(signed(1, Signed::Heartbeat, entry.body.clone())));
    assert!(matches!(why, NotTaken::BadSignature { .. }) && why.is_suspicious(), "{why}");
    let why = refused(Kind::Entry(wire::Entry { signature: None, ..entry.clone() }));
    assert!(matches!(why, NotTaken::Malformed(_)), "{why}");

    // What the centre's own key signed twice under one number.
    hub.take(&event(Kind::Entry(entry.clone()))).unwrap();
    let mut other = read_entry(&entry.body).unwrap();
    other.changes = vec![cluster("energy")];
    let why = refused(Kind::Entry(signed(1, Signed::Entry, write_entry(&other))));
    let split = Untakeable::SplitView { offered: other.head(sha256(&[&write_entry(&other)])) };
    assert!(matches!(&why, NotTaken::Untakeable { why, .. } if **why == split), "{why}");
    other.revision = 1;
    let why = refused(Kind::Entry(signed(1, Signed::Entry, write_entry(&other))));
    let rollback = "nation: revision 1.1 is older than 1.2, which this node has";
    assert_eq!(why.to_string(), rollback);
    assert!(why.is_suspicious());
    other.revision = 9;
    let why = refused(Kind::Entry(signed(1, Signed::Entry, write_entry(&other))));
    assert_eq!(why.to_string(), "nation: entry 1.9 does not follow revision 1.2");
    assert!(!why.is_suspicious(), "something between is missing");

    let foreign = MeshDomain::new("tr".parse().unwrap(), "mesh.tr").unwrap();
    let Change::Put(first) = cluster("a") else { panic!("it is put") };
    let objects = [first].into_iter().collect();
    let stored = Stored { epoch: 9, revision: 9, objects, ..Stored::default() };
    let foreign = LiveDirectory::from_registry(foreign, stored, signer(1)).unwrap();
    let before = foreign.heads();
    let why = hub.take(&foreign.whole()).unwrap_err();
    assert!(matches!(why, NotTaken::OtherMesh) && why.is_suspicious(), "{why}");
    foreign.publish(foreign.prepare(&[cluster("b")], 7).unwrap());
    let entry = foreign.lacks(&mut Follower::new(name("hub.economy"), before));
    let why = hub.take(&entry).unwrap_err();
    assert!(matches!(why, NotTaken::BadSignature { .. }), "{why}");
}

#[test]
fn a_heartbeat_tells_a_second_truth_and_a_way_back() {
    let (ours, hub) = (centre(), node("hub.economy"));
    commit(&ours, &[cluster("justice")]);
    ours.beat(1_000).unwrap();
    catch_up(&hub, "hub.economy", &ours);
    let beat = |centre: &LiveDirectory, at| {
        centre.beat(at).unwrap();
        centre.state().heartbeat.clone().unwrap().1
    };
    assert_eq!(hub.hear(&beat(&ours, 900)).unwrap(), Heard::Old);

    // A centre that was restored from a copy, and its epoch not raised.
    let restored = centre();
    let why = hub.hear(&beat(&restored, 2_000)).unwrap_err();
    assert!(why.is_suspicious() && why.to_string().contains("is older"), "{why}");
    let behind = sent(&restored, "hub.economy", hub.wanted());
    assert!(behind.iter().all(|event| matches!(event.kind, Some(Kind::Heartbeat(_)))));
    // And that went on from there.
    commit(&restored, &[cluster("energy")]);
    let why = hub.hear(&beat(&restored, 3_000)).unwrap_err();
    assert!(why.is_suspicious() && why.to_string().contains("is not the one"), "{why}");
    let nothing = sent(&restored, "hub.economy", hub.wanted());
    assert!(nothing.iter().all(|event| matches!(event.kind, Some(Kind::Heartbeat(_)))));

    commit(&ours, &[cluster("energy")]);
    let behind = hub.hear(&beat(&ours, 4_000)).unwrap();
    assert_eq!(behind, Heard::Behind { epoch: 1, revision: 3 });
    assert_eq!(hub.position().revision, 2, "its position is what it holds");
}

#[test]
fn a_raised_epoch_replaces_everything_and_what_is_gone_is_forgotten() {
    let (centre, hub) = (centre(), node("hub.economy"));
    commit(&centre, &[agree("card.v1")]);
    centre.beat(1_000).unwrap();
    catch_up(&hub, "hub.economy", &centre);
    assert!(hub.heads().contains_key(&"agency/ir/gov/tax".parse().unwrap()));

    // Restored from a copy in which the agency has nothing yet.
    let restored = LiveDirectory::from_registry(mesh(), stored(2, 1), signer(1)).unwrap();
    restored.beat(2_000).unwrap();
    let heard = catch_up(&hub, "hub.economy", &restored);
    assert!(matches!(heard[..], [Heard::Agrees { .. }]), "{heard:?}");
    assert_eq!(hub.position(), restored.position());
    assert!(!keys_of(&hub).contains(&agreed("card.v1")));
    assert!(!hub.heads().contains_key(&"agency/ir/gov/tax".parse().unwrap()));
    commit(&restored, &[agree("card.v1")]);
    catch_up(&hub, "hub.economy", &restored);
    assert!(keys_of(&hub).contains(&agreed("card.v1")), "a scope may begin again");
}

#[test]
fn a_hub_follows_its_members_agencies_and_forgets_those_that_move_away() {
    let (centre, hub) = (centre(), node("hub.health"));
    catch_up(&hub, "hub.health", &centre);
    let service: Key = "service/ir/gov/care/cards/card.v1".parse().unwrap();
    assert!(hub.now().object(&service).is_some());
    let mut objects = centre.now().objects();
    let cards = objects.systems.iter_mut().find(|it| it.address.system.as_str() == "cards");
    let cards = cards.unwrap();
    cards.cluster = Some("economy".parse().unwrap());
    // In one commit the system moves, and a service of it goes.
    let moved = Change::Put(Object::System(cards.clone()));
    commit(&centre, &[moved, remove("service/ir/gov/care/cards/other.v1")]);
    centre.beat(1_000).unwrap();
    assert_eq!(catch_up(&hub, "hub.health", &centre).len(), 1);
    assert!(hub.now().object(&service).is_none());
    assert_eq!(hub.heads().len(), 1, "the nation: {:?}", hub.heads());
    let economy = node("hub.economy");
    catch_up(&economy, "hub.economy", &centre);
    assert!(economy.now().object(&service).is_some());
}

#[test]
fn a_snapshot_stands_for_entries_that_have_outgrown_it() {
    let (centre, hub, late) = (centre(), node("hub.economy"), node("hub.economy"));
    let mut follower = Follower::new(name("hub.economy"), BTreeMap::new());
    hub.take(&centre.lacks(&mut follower)).unwrap();
    for round in 0..1_200 {
        let id = format!("c{}", round % 2);
        let exists = centre.now().object(&format!("cluster/{id}").parse().unwrap()).is_some();
        let change = if exists { remove(&format!("cluster/{id}")) } else { cluster(&id) };
        commit(&centre, &[change]);
        if round % 100 == 0 {
            hub.take(&centre.lacks(&mut follower)).unwrap();
        }
    }
    hub.take(&centre.lacks(&mut follower)).unwrap();
    let entries = |directory: &LiveDirectory| directory.whole().len();
    let before = entries(&hub);
    assert!(1_000 < before && !hub.wanted().contains_key(&Scope::Nation), "{before}");
    assert_eq!(centre.renew_snapshots(), 1);
    let pushed = centre.lacks(&mut follower);
    assert!(matches!(pushed[..], [FeedEvent { kind: Some(Kind::Snapshot(_)), .. }]));
    hub.take(&pushed).unwrap();
    assert!(entries(&hub) < 10 && hub.wanted().contains_key(&Scope::Nation));
    catch_up(&late, "hub.economy", &hub);
    assert_eq!(
        keys_of(&late),
        keys_of(&centre).into_iter().filter(|key| !key.starts_with("service")).collect::<Vec<_>>()
    );
    assert_eq!(late.heads(), hub.heads());
}

#[test]
fn what_a_node_kept_it_takes_again_at_start() {
    let (centre, hub) = (centre(), node("hub.economy"));
    catch_up(&hub, "hub.economy", &centre);
    commit(&centre, &[agree("card.v1")]);
    centre.beat(1_000).unwrap();
    catch_up(&hub, "hub.economy", &centre);
    let again = node("hub.economy");
    let kept = hub.whole();
    let (beats, group): (Vec<_>, Vec<_>) =
        kept.into_iter().partition(|event| matches!(event.kind, Some(Kind::Heartbeat(_))));
    again.take(&group).unwrap();
    let Some(Kind::Heartbeat(beat)) = &beats[0].kind else { panic!("it is one") };
    again.hear(beat).unwrap();
    assert_eq!((again.heads(), again.position()), (hub.heads(), centre.position()));
    assert_eq!(keys_of(&again), keys_of(&hub));
}

#[test]
fn a_key_that_the_directory_names_may_sign_what_comes_after() {
    let (centre, hub) = (centre(), node("hub.economy"));
    catch_up(&hub, "hub.economy", &centre);
    let announced = Object::DirectoryKey(DirectoryKey { public_key: signer(2).key() });
    let prepared = commit(&centre, &[Change::Put(announced)]);
    let objects = centre.now().objects();
    let log = prepared.entries.iter().map(|(_, entry)| entry.clone()).collect();
    let (epoch, revision) = (prepared.head.epoch, prepared.head.revision);
    let stored = Stored { epoch, revision, objects, heads: prepared.heads, log };
    let next = LiveDirectory::from_registry(mesh(), stored, signer(2)).unwrap();
    assert_eq!(next.position(), centre.position());
    commit(&next, &[cluster("justice")]);
    next.beat(1_000).unwrap();
    // Both entries in one group: the first names the key of the second.
    let heard = catch_up(&hub, "hub.economy", &next);
    assert!(matches!(heard[..], [Heard::Agrees { .. }]), "{heard:?}");
    assert!(keys_of(&hub).contains(&"cluster/justice".into()));
}

#[test]
fn a_centre_starts_where_it_ended() {
    let first = centre();
    let prepared = commit(&first, &[agree("card.v1")]);
    assert_eq!(prepared.heads, first.heads());
    let late = node("hub.economy");
    let stored = Stored {
        epoch: prepared.head.epoch,
        revision: prepared.head.revision,
        objects: first.now().objects(),
        heads: first.heads(),
        log: Vec::new(),
    };
    let again = LiveDirectory::from_registry(mesh(), stored, signer(1)).unwrap();
    assert_eq!((again.heads(), again.position()), (first.heads(), first.position()));
    // Nobody has laid anything out: who asks first makes it so.
    catch_up(&late, "hub.economy", &again);
    assert!(keys_of(&late).contains(&agreed("card.v1")));
    assert!(matches!(late.prepare(&[], 1), Err(NotTaken::NotCentre)));
    assert!(matches!(again.take(&[]), Err(NotTaken::NotFollower)));
}
