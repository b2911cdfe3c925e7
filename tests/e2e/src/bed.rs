//! One nation for one test: its processes end with the test.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use mesh_core::agreement::AgreementId;
use nation::layout::{NodeLayout, lay_out};
use nation::plan::Plan;
use nation::running::Running;
use tempfile::TempDir;

use crate::backend::Backend;
use crate::client::Ask;

/// The consumer of most scenarios, in the cluster `economy`.
pub const DESK: &str = "ir/gov/tax/desk";

/// The service of most scenarios, in the cluster `health`.
pub const CARDS: &str = "ir/gov/care/cards/cards.v1";

/// The hops of an inquiry from [`DESK`] to [`CARDS`].
pub const HOPS: [&str; 5] =
    ["desk.tax.gov.economy", "hub.economy", "hub.centre", "hub.health", "cards.care.gov.health"];

/// How long the nation may take to come up, or to recover. It only ends a test that hangs.
const READY_MAX: Duration = Duration::from_secs(60);

/// See the module.
#[derive(Debug)]
pub struct Bed {
    pub nation: Running,
    pub backend: Backend,
    /// By title.
    agreements: BTreeMap<String, AgreementId>,
    dir: TempDir,
}

impl Bed {
    /// Brings the nation of `plans/bed.toml` up.
    pub async fn start() -> Self {
        let backend = Backend::start().await;
        let dir = tempfile::tempdir().expect("a temporary directory");
        let text = include_str!("../plans/bed.toml")
            .replace("BACKEND", &backend.address.to_string())
            .replace("NAMED", &format!("localhost:{}", backend.address.port()))
            .replace("RAW", &backend.raw_address.to_string())
            .replace("GONE", &backend.closed_address.to_string());
        let file = dir.path().join("plan.toml");
        std::fs::write(&file, text).expect("the plan can be written");
        let plan = Plan::load(&file).expect("the plan is sound");
        let named = plan.objects.agreements.iter().map(|it| (it.terms().title.clone(), it.id()));
        let agreements = named.collect();
        let log = "format = \"json\"\nfilter = \"info,exchange=debug\"";
        let layout = lay_out(&plan, &dir.path().join("nation"), log).expect("it can be laid out");
        let nation = Running::start(layout, &bins()).expect("the programs start");
        let mut bed = Self { nation, backend, agreements, dir };
        bed.wait_ready();
        bed
    }

    /// Waits until every node is ready.
    pub fn wait_ready(&mut self) {
        tokio::task::block_in_place(|| self.nation.wait_ready(READY_MAX)).expect("it comes up");
    }

    /// A directory of this test's own.
    pub fn scratch(&self) -> &Path {
        self.dir.path()
    }

    /// The agreement of the plan with this title.
    pub fn agreement(&self, title: &str) -> AgreementId {
        *self.agreements.get(title).expect(title)
    }

    /// Runs `hubctl`, which must succeed; answers what it printed.
    pub fn hubctl(&self, args: &[&str]) -> String {
        let printed = tokio::task::block_in_place(|| self.nation.hubctl(args));
        let printed = printed.expect("hubctl runs");
        assert!(printed.success, "{args:?}: {printed:?}");
        printed.out
    }

    /// What an officer of `office` does to an agreement of the registry, such as `suspend`.
    pub fn act(&self, deed: &str, agreement: &str, office: &str, more: &[&str]) -> String {
        let key = self.nation.layout.officer(office).display().to_string();
        let args = ["agreement", deed, agreement, "--key", &key, "--reason", "a test"];
        self.hubctl(&[&args, more].concat())
    }

    /// Makes the terms of `entry`, between the tax desk and an agency of care, an agreement in
    /// force: proposed, signed by all three parties and handed in. Answers its id.
    pub fn agree(&self, entry: &str) -> String {
        let terms = format!(
            "[terms]\nlegal_basis = \"a test\"\ngranted_fields = [\"\"]\nretention_days = 1\n\
             quota = {{ per_second = 1, burst = 1, per_day = 1 }}\n\
             valid_from = \"2024-03-20T00:00:00Z\"\nvalid_until = \"2034-03-20T00:00:00Z\"\n{entry}"
        );
        let file = self.scratch().join("terms.toml");
        std::fs::write(&file, terms).expect("written");
        let (file, out) = (file.display().to_string(), self.scratch().display().to_string());
        let args = ["agreement", "propose", &file, "--out", &out, "-o", "json"];
        let proposed: serde_json::Value = serde_json::from_str(&self.hubctl(&args)).expect("JSON");
        let file = proposed[0]["file"].as_str().expect("a file");
        for office in ["ir/gov/tax", "ir/gov/care", "secretariat"] {
            let key = self.nation.layout.officer(office).display().to_string();
            self.hubctl(&["agreement", "sign", file, "--key", &key]);
        }
        self.hubctl(&["agreement", "submit", file]);
        proposed[0]["id"].as_str().expect("an id").to_owned()
    }

    pub fn node(&self, name: &str) -> &NodeLayout {
        self.nation.layout.node(name).expect(name)
    }

    /// Where the application beside `agent` asks.
    pub fn local(&self, agent: &str) -> SocketAddr {
        self.node(agent).local.expect("an agent has a local port")
    }

    /// An inquiry of [`DESK`] to [`CARDS`].
    pub fn ask(&self, method: &str, path: &str) -> Ask {
        self.ask_of(CARDS, method, path)
    }

    /// An inquiry of [`DESK`] to `service`.
    pub fn ask_of(&self, service: &str, method: &str, path: &str) -> Ask {
        let path = format!("/r1/{service}{path}");
        Ask::new(self.local(HOPS[0]), method, &path).header("x-road-client", DESK)
    }

    /// What the node's `status` says, as `hubctl` prints it.
    pub fn status(&self, node: &str) -> serde_json::Value {
        let args = ["--node", node, "status", "-o", "json"];
        let printed = self.nation.hubctl(&args).expect("hubctl runs");
        let mut rows: Vec<serde_json::Value> =
            serde_json::from_str(&printed.out).unwrap_or_else(|why| panic!("{why}: {printed:?}"));
        rows.pop().expect("one node was asked")
    }

    /// The log of a node so far.
    pub fn log(&self, node: &str) -> String {
        std::fs::read_to_string(&self.node(node).log).expect("every node has a log")
    }

    /// Waits until the log of a node has `count` lines with all of `words`: a node tells what
    /// happened when it is over, which a caller may know before.
    pub async fn wait_log(&self, node: &str, words: &[&str], count: usize) {
        let began = Instant::now();
        loop {
            let log = self.log(node);
            let tells = |line: &&str| words.iter().all(|word| line.contains(word));
            if count <= log.lines().filter(tells).count() {
                return;
            }
            assert!(began.elapsed() < READY_MAX, "{words:?} is not {count} times in:\n{log}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Asks `path` until it is answered, as it must be after a repair.
    pub async fn wait_answered(&self, path: &str) {
        let began = Instant::now();
        loop {
            let answer = self.ask("GET", path).send().await;
            if answer.status == 200 {
                return;
            }
            assert!(began.elapsed() < READY_MAX, "still not answered: {answer:?}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

/// Where cargo puts the programs: two levels above a test's own binary.
pub fn bins() -> PathBuf {
    let test = std::env::current_exe().expect("a running program has a path");
    let bins = test.parent().and_then(Path::parent).expect("target/debug/deps/test").to_owned();
    for program in ["hub-central", "hub-cluster", "agent", "hubctl", "sample-registry", "nation"] {
        let path = bins.join(program);
        assert!(
            path.is_file(),
            "{} is missing: run `cargo build --workspace --bins` first, as `cargo xtask test` does",
            path.display()
        );
    }
    bins
}
