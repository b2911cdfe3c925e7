//! Which nodes a change cuts off: those that the directory lets in before it, and no longer after.
//!
//! Such a node loses its link when the change arrives, and never gets it by itself: it needs a new
//! certificate for its new name, or to be taken back.

use std::collections::BTreeMap;

use mesh_core::directory::Directory;
use mesh_core::directory::change::{ByKey, Object};
use mesh_core::node::NodeName;

/// A change that cuts nodes off, said when it is done.
#[derive(Debug, thiserror::Error)]
#[error(
    "done, and it cuts off {}: they need certificates for their new names, or the old state back",
    named(.0)
)]
pub(super) struct CutOff(pub(super) Vec<NodeName>);

/// The nodes of `objects` that `before` lets in with one of their keys, and `after` with none.
pub(super) fn cut_off(objects: &ByKey, before: &Directory, after: &Directory) -> Vec<NodeName> {
    // Of each node: is it let in before, and after?
    let mut nodes: BTreeMap<NodeName, (bool, bool)> = BTreeMap::new();
    for object in objects.values() {
        let Object::LinkKey(key) = object else { continue };
        // A name that is none lets nobody in.
        let Ok(node) = before.mesh().parse_node(&key.node) else { continue };
        let (is_in, stays) = nodes.entry(node.clone()).or_default();
        *is_in |= before.admits(&node, &key.spki_sha256);
        *stays |= after.admits(&node, &key.spki_sha256);
    }
    let lost = nodes.into_iter().filter(|(_, (is_in, stays))| *is_in && !stays);
    lost.map(|(node, _)| node).collect()
}

/// Names in a sentence; of many the first, and how many there are.
pub(super) fn named(nodes: &[NodeName]) -> String {
    const NAMES_MAX: usize = 20;
    let names: Vec<String> = nodes.iter().take(NAMES_MAX).map(ToString::to_string).collect();
    match nodes.len().saturating_sub(NAMES_MAX) {
        0 => names.join(", "),
        more => format!("{} and {more} more", names.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use mesh_core::directory::change::{Change, apply};
    use mesh_core::directory::{LinkKey, Objects};
    use mesh_core::exchange::{Digest, DirectoryPosition};
    use mesh_core::node::MeshDomain;

    use super::*;

    const REGISTRY: &str = r#"
clusters = [{ id = "health", name_fa = "", name_en = "Health", hub = true }]
agencies = [{ address = "ir/gov/care", name_fa = "", name_en = "" }]
systems = [
  { address = "ir/gov/care/cards", cluster = "health" },
  { address = "ir/gov/care/desk" },
]
"#;

    const NODES: [&str; 4] = [
        "hub.health",
        "cards.care.gov.health",
        "desk.care.gov.edge",
        // Its second key.
        "desk.care.gov.edge",
    ];

    fn registry() -> Objects {
        let mut objects: Objects = toml::from_str(REGISTRY).unwrap();
        let keys = NODES.iter().zip(1..).map(|(node, key)| LinkKey {
            node: format!("{node}.mesh.ir"),
            spki_sha256: Digest([key; 32]),
        });
        objects.link_keys = keys.collect();
        objects
    }

    fn names(changed: impl FnOnce(&mut Objects)) -> Vec<String> {
        let objects = registry();
        let mesh = MeshDomain::new("ir".parse().unwrap(), "mesh.ir").unwrap();
        let build = |objects: Objects| {
            Directory::build(mesh.clone(), DirectoryPosition::default(), objects).unwrap()
        };
        let mut after = objects.clone();
        changed(&mut after);
        let lost = cut_off(&objects.clone().into_by_key(), &build(objects), &build(after));
        lost.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_cluster_that_loses_its_hub_cuts_off_the_hub_and_those_at_home_there() {
        let lost = names(|objects| objects.clusters[0].hub = false);
        assert_eq!(lost, ["hub.health", "cards.care.gov.health"]);
    }

    #[test]
    fn a_system_that_moves_is_cut_off_and_one_that_lost_an_old_key_is_not() {
        let lost = names(|objects| objects.systems[1].cluster = Some("health".parse().unwrap()));
        assert_eq!(lost, ["desk.care.gov.edge"]);
        assert_eq!(names(|objects| drop(objects.link_keys.pop())), [""; 0]);
        assert_eq!(names(|_| {}), [""; 0]);
    }

    #[test]
    fn many_names_are_counted() {
        let objects = registry();
        let key = objects.link_keys[0].clone();
        let change = Change::Remove(Object::LinkKey(key).key());
        let after = apply(&objects.into_by_key(), &[change]).unwrap();
        assert_eq!(after.len(), 7);
        assert_eq!(named(&[NodeName::Centre, NodeName::Centre]), "hub.centre, hub.centre");
        assert!(named(&vec![NodeName::Centre; 22]).ends_with("hub.centre and 2 more"));
    }
}
