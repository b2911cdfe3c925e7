//! The sample nation that ships, as it is: fourteen clusters of real processes for one test.

use std::path::Path;
use std::time::{Duration, Instant};

use mesh_core::address::{ServiceAddress, SystemAddress};
use mesh_core::node::NodeName;
use nation::layout::{NodeLayout, lay_out};
use nation::plan::Plan;
use nation::running::Running;
use tempfile::TempDir;

use crate::bed::bins;
use crate::client::{Answer, Ask};

/// How long the nation may take to come up, or to recover. It only ends a test that hangs.
const READY_MAX: Duration = Duration::from_secs(120);

/// See the module.
#[derive(Debug)]
pub struct SampleNation {
    pub plan: Plan,
    pub nation: Running,
    _dir: TempDir,
}

/// What speaks for a cluster: its secretariat, which asks and answers.
#[derive(Clone, Debug)]
pub struct Secretariat {
    pub cluster: String,
    pub system: SystemAddress,
    pub cards: ServiceAddress,
    pub has_hub: bool,
}

impl SampleNation {
    pub async fn start() -> Self {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy/nation/sample");
        let plan = Plan::load(&file.join("nation.toml")).expect("the sample is sound");
        let dir = tempfile::tempdir().expect("a temporary directory");
        let log = "format = \"json\"\nfilter = \"info\"";
        let layout = lay_out(&plan, &dir.path().join("nation"), log).expect("it can be laid out");
        let nation = Running::start(layout, &bins()).expect("the programs start");
        let mut sample = Self { plan, nation, _dir: dir };
        sample.wait_ready();
        sample
    }

    /// Waits until every node is ready.
    pub fn wait_ready(&mut self) {
        tokio::task::block_in_place(|| self.nation.wait_ready(READY_MAX)).expect("it comes up");
    }

    /// The secretariats of all clusters.
    pub fn secretariats(&self) -> Vec<Secretariat> {
        let clusters = self.plan.objects.clusters.iter();
        clusters
            .map(|cluster| {
                let mut systems = self.plan.objects.systems.iter();
                let system = systems.find(|system| {
                    let is_secretariat = system.address.to_string().ends_with("/secretariat");
                    is_secretariat && system.cluster.as_ref() == Some(&cluster.id)
                });
                let system = system.expect("each cluster has one").address.clone();
                let cards = format!("{system}/service-cards.v1").parse().expect("an address");
                Secretariat { cluster: cluster.id.to_string(), system, cards, has_hub: cluster.hub }
            })
            .collect()
    }

    pub fn node(&self, name: &str) -> &NodeLayout {
        self.nation.layout.node(name).expect(name)
    }

    /// The node of the agent beside `system`.
    pub fn agent(&self, system: &SystemAddress) -> &NodeLayout {
        let is_its =
            |name: &NodeName| matches!(name, NodeName::Agent { system: own, .. } if own == system);
        let mut nodes = self.nation.layout.nodes.iter();
        nodes.find(|node| is_its(&node.name)).expect("it has an agent")
    }

    /// A request of `consumer`, to be sent.
    pub fn ask(
        &self,
        consumer: &SystemAddress,
        service: &ServiceAddress,
        (method, path): (&str, &str),
    ) -> Ask {
        let local = self.agent(consumer).local.expect("an agent has a local port");
        let path = format!("/r1/{service}{path}");
        Ask::new(local, method, &path).header("x-road-client", &consumer.to_string())
    }

    /// Asks until it is answered, as it must be after a repair.
    pub async fn wait_answered(
        &self,
        consumer: &SystemAddress,
        service: &ServiceAddress,
        path: &str,
    ) -> Answer {
        let began = Instant::now();
        loop {
            let answer = self.ask(consumer, service, ("GET", path)).send().await;
            if answer.status == 200 {
                return answer;
            }
            assert!(began.elapsed() < READY_MAX, "still not answered: {answer:?}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// A count of a node's `status`, as `hubctl` prints it.
    pub fn count(&self, node: &str, name: &str) -> u64 {
        let args = ["--node", node, "status", "-o", "json"];
        let printed = self.nation.hubctl(&args).expect("hubctl runs");
        let rows: serde_json::Value = serde_json::from_str(&printed.out).expect("rows");
        rows[0][name].as_u64().unwrap_or_else(|| panic!("{name} of {printed:?}"))
    }

    /// The nodes that an exchange from `consumer` to a system of another cluster passes.
    pub fn way(&self, from: &Secretariat, to: &Secretariat) -> Vec<String> {
        let hub = |of: &Secretariat| of.has_hub.then(|| format!("hub.{}", of.cluster));
        let agent = |of: &Secretariat| Some(self.agent(&of.system).name.to_string());
        let way = [agent(from), hub(from), Some("hub.centre".into()), hub(to), agent(to)];
        way.into_iter().flatten().collect()
    }
}
