//! The sample nation as files: what the law wants of it, before any process runs.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use hubctl::Written;
use mesh_core::agreement::Agreement;
use mesh_core::directory::{Directory, Objects};
use mesh_core::id::ClusterId;
use mesh_core::node::Home;
use nation::plan::{Answers, Plan};
use sample_registry::{SEED_DEFAULT, first_legal_id, first_national_id, first_postal_code};

fn sample() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("sample")
}

fn load() -> (Plan, Directory) {
    let plan = Plan::load(&sample().join("nation.toml")).expect("the sample is sound");
    let objects = plan.objects.clone();
    let directory = Directory::build(plan.mesh.clone(), plan.position, objects);
    (plan, directory.expect("its objects fit together"))
}

fn cluster_of(objects: &Objects, system: &impl ToString) -> Option<ClusterId> {
    let system = system.to_string();
    objects.systems.iter().find(|found| found.address.to_string() == system)?.cluster.clone()
}

#[test]
fn fourteen_clusters_one_without_a_hub_and_one_name_confirmed() {
    let (plan, _) = load();
    let clusters = &plan.objects.clusters;
    assert_eq!(clusters.len(), 14);
    let without = clusters.iter().filter(|cluster| !cluster.hub);
    assert_eq!(without.map(|cluster| cluster.id.as_str()).collect::<Vec<_>>(), ["environment"]);
    for cluster in clusters {
        let is_placeholder = cluster.name_en.contains("placeholder");
        assert_eq!(is_placeholder, cluster.id.as_str() != "education", "{cluster:?}");
        assert_eq!(cluster.name_fa.contains("نام موقت"), is_placeholder, "{cluster:?}");
    }
}

#[test]
fn each_cluster_provides_and_asks_and_may_ask_each_other() {
    let (plan, _) = load();
    let objects = &plan.objects;
    let with_agent: BTreeSet<_> = plan.agents.iter().map(|agent| &agent.system).collect();
    let crossing = |given: &&Agreement| {
        let agents = [&given.terms().consumer, &given.terms().service.system];
        agents.into_iter().all(|system| with_agent.contains(system))
    };
    let pairs: BTreeSet<(ClusterId, ClusterId)> = (objects.agreements.iter().filter(crossing))
        .filter_map(|given| {
            let (from, to) = (&given.terms().consumer, &given.terms().service.system);
            Some((cluster_of(objects, from)?, cluster_of(objects, to)?))
        })
        .collect();
    let across = pairs.iter().filter(|(from, to)| from != to).count();
    assert_eq!(across, 14 * 13, "each cluster may ask each other");
    assert!(pairs.len() > across, "and some ask inside their own: {pairs:?}");
    assert!((26..=32).contains(&plan.agents.len()), "{} agents", plan.agents.len());
}

#[test]
fn a_base_database_is_at_the_centre_and_every_service_has_an_answer_and_a_consumer() {
    let (plan, directory) = load();
    let persons = "ir/gov/civil-registration/persons".parse().expect("an address");
    assert_eq!(directory.home(&persons), Some(Home::Centre));
    let backends = plan.agents.iter().flat_map(|agent| &agent.backends);
    let answered: BTreeSet<_> = backends
        .inspect(|backend| assert!(matches!(backend.answers, Answers::Program(_)), "{backend:?}"))
        .map(|backend| &backend.service)
        .collect();
    let permitted: BTreeSet<_> =
        plan.objects.agreements.iter().map(|given| &given.terms().service).collect();
    let all: BTreeSet<_> = plan.objects.services.iter().map(|service| &service.address).collect();
    assert_eq!(answered, all, "each is answered by a program");
    assert_eq!(permitted, all, "each is used by somebody");
}

#[test]
fn the_story_asks_of_those_whom_the_registers_invent() {
    let (plan, _) = load();
    let given = |name: &str| plan.story.given.get(name).cloned();
    assert_eq!(given("national_id"), Some(first_national_id(SEED_DEFAULT)));
    assert_eq!(given("postal_code"), Some(first_postal_code(SEED_DEFAULT)));
    assert_eq!(given("legal_id"), Some(first_legal_id(SEED_DEFAULT)));
}

#[test]
fn the_remedy_permits_what_the_story_sees_refused_and_nothing_else() {
    let (plan, directory) = load();
    let remedy = plan.story.remedy.clone().expect("there is one");
    let change = Written::read(&remedy).expect("it is sound");
    let registry = Written::read(&sample().join("registry")).expect("it is sound");
    let changed = registry.join(change).expect("no name is in both");
    let changed = changed.directory(plan.mesh.clone(), plan.position).expect("it fits");

    let inquiries = plan.story.chapters.iter().flat_map(|chapter| &chapter.inquiries);
    let refused: Vec<_> = inquiries.filter(|inquiry| inquiry.refused.is_some()).collect();
    assert_eq!(refused.len(), 1);
    let (consumer, service) = (&refused[0].consumer, &refused[0].service);
    assert_eq!(directory.agreements(consumer, service).count(), 0);
    assert_eq!(changed.agreements(consumer, service).count(), 1);
}
