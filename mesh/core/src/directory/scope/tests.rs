//! Names of scopes, who follows which, and what a commit is to each.

use super::super::change::{Change, Object};
use super::super::tests::{build, mesh, sample};
use super::*;

fn scope(text: &str) -> Scope {
    text.parse().expect(text)
}

fn followed(directory: &Directory, node: &str) -> Vec<String> {
    let node = mesh().parse_node(&format!("{node}.mesh.ir")).unwrap();
    match directory.followed_by(&node) {
        Followed::All => vec!["all".into()],
        Followed::These(scopes) => scopes.iter().map(ToString::to_string).collect(),
    }
}

#[test]
fn a_name_reads_as_it_prints() {
    for name in ["nation", "cluster/health", "agency/ir/gov/tax"] {
        assert_eq!(scope(name).to_string(), name);
    }
    for name in ["", "nation/x", "cluster", "cluster/edge", "agency/ir/gov", "house/9", "Nation"] {
        assert!(name.parse::<Scope>().is_err(), "{name:?}");
    }
}

#[test]
fn who_follows_what_is_a_function_of_name_and_directory() {
    let directory = build(sample()).unwrap();
    #[rustfmt::skip]
    let cases: &[(&str, &[&str])] = &[
        ("hub.centre",               &["all"]),
        ("hub.economy",              &["nation", "cluster/economy", "agency/ir/gov/tax"]),
        ("hub.health",               &["nation", "cluster/health", "agency/ir/gov/care"]),
        ("hub.culture",              &["nation", "cluster/culture"]),
        ("desk.tax.gov.economy",     &["nation", "cluster/economy", "agency/ir/gov/tax"]),
        ("desk.books.gov.edge",      &["nation", "agency/ir/gov/books"]),
        ("persons.tax.gov.edge",     &["nation", "agency/ir/gov/tax"]),
        ("sara.operators",           &[]),
    ];
    for (node, want) in cases {
        assert_eq!(followed(&directory, node), *want, "{node}");
    }
}

#[test]
fn a_commit_is_told_to_those_whom_it_concerns() {
    let before = build(sample()).unwrap();
    let told = |changes: &[Change]| {
        let after = before.with(changes).unwrap();
        let parts = project(&before, &after, changes).into_iter().map(|(scope, changes)| {
            let keys = changes.iter().map(|change| match change {
                Change::Put(object) => format!("+{}", object.key()),
                Change::Remove(key) => format!("-{key}"),
            });
            format!("{scope}: {}", keys.collect::<Vec<_>>().join(" "))
        });
        parts.collect::<Vec<_>>()
    };
    let remove = |key: &str| Change::Remove(key.parse().unwrap());
    let key_of = |title: &str| {
        let agreements = sample().agreements;
        let found = agreements.iter().find(|it| it.terms().title == title).unwrap();
        format!("agreement/{}", found.id())
    };
    let (edge, across, local) = (key_of("edge"), key_of("across"), key_of("local"));
    // The last agreement takes the service with it; one of two leaves it.
    assert_eq!(
        told(&[remove(&edge)]),
        [
            format!("agency/ir/gov/books: -service/ir/gov/care/cards/card.v1 -{edge}"),
            format!("agency/ir/gov/care: -{edge}"),
        ]
    );
    assert_eq!(
        told(&[remove(&across)]),
        [
            format!("agency/ir/gov/care: -{across}"),
            format!("agency/ir/gov/tax: -service/ir/gov/care/cards/card.v1 -{across}"),
        ]
    );
    assert_eq!(told(&[remove(&local)]), [format!("agency/ir/gov/tax: -{local}")]);
    let mut service = sample().services.remove(1);
    service.timeout_ms = 7;
    let changed = Change::Put(Object::Service(service));
    assert_eq!(
        told(&[changed, remove(&edge)]),
        [
            format!("agency/ir/gov/books: -service/ir/gov/care/cards/card.v1 -{edge}"),
            format!("agency/ir/gov/care: +service/ir/gov/care/cards/card.v1 -{edge}"),
            "agency/ir/gov/tax: +service/ir/gov/care/cards/card.v1".to_owned(),
        ]
    );
    let key = format!("link-key/desk.tax.gov.economy.mesh.ir/{}", "ab".repeat(32));
    assert_eq!(told(&[remove(&key)]), [format!("cluster/economy: -{key}")]);
}

#[test]
fn a_root_is_over_all_heads_in_the_order_of_names() {
    fn shown(parts: &[&[u8]]) -> Digest {
        let sum = parts
            .iter()
            .flat_map(|part| part.iter())
            .fold(7_u64, |sum, byte| sum.wrapping_mul(1_099_511_628_211) ^ u64::from(*byte));
        let mut digest = [0; 32];
        digest[..8].copy_from_slice(&sum.to_be_bytes());
        Digest(digest)
    }
    let head = |revision| Head { epoch: 1, revision, hash: Some(Digest([9; 32])) };
    // By text `gov-x` stands before `gov/`, and part by part it would not.
    let heads = [
        (scope("nation"), head(4)),
        (scope("agency/ir/gov/a"), head(2)),
        (scope("cluster/c"), head(3)),
        (scope("agency/ir/gov-x/a"), head(1)),
    ];
    let found = root(shown, heads.iter().map(|(scope, head)| (scope, head)));
    let in_order = [&heads[3], &heads[1], &heads[2], &heads[0]];
    let leaves = in_order.map(|(scope, head)| leaf(scope, head));
    assert_eq!(found, tree_hash::root(shown, leaves));
    let mut other = heads;
    other[2].1.revision = 5;
    assert_ne!(found, root(shown, other.iter().map(|(scope, head)| (scope, head))));
}
