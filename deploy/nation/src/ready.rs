//! Waiting for a nation to come up, and how far it has come.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use hubctl::{Config, NodeClient};
use mesh_core::node::NodeName;
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use crate::running::{Printed, RunError, Running};

/// Between two rounds of asking. The nodes share the machine with whoever asks.
const PAUSE: Duration = Duration::from_millis(40);

/// How many of each kind answer, and how many there are.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Progress {
    pub programs: Part,
    /// The centre among them.
    pub hubs: Part,
    pub agents: Part,
}

#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Part {
    pub ready: usize,
    pub all: usize,
}

/// Who is asked whether it is ready.
#[derive(Clone)]
enum Asked {
    Program(SocketAddr),
    Node(Box<NodeClient>),
}

impl Running {
    /// Waits until every node says that it is ready and every program listens.
    pub fn wait_ready(&mut self, limit: Duration) -> Result<(), RunError> {
        let mut runtime = tokio::runtime::Builder::new_current_thread();
        let runtime = runtime.enable_all().build().map_err(RunError::Runtime)?;
        runtime.block_on(self.until_ready(limit, |_| {}))
    }

    /// As [`Self::wait_ready`], and tells after each round how far it has come.
    pub async fn until_ready(
        &mut self,
        limit: Duration,
        mut tell: impl FnMut(Progress),
    ) -> Result<(), RunError> {
        let began = Instant::now();
        let asked = self.asked()?;
        let mut waiting: BTreeSet<usize> = (0..asked.len()).collect();
        loop {
            for process in &mut self.processes {
                process.check()?;
            }
            waiting = not_ready(&asked, &waiting).await;
            tell(progress(&asked, &waiting));
            if waiting.is_empty() {
                // One that was ready early may have lost its link since.
                waiting = not_ready(&asked, &(0..asked.len()).collect()).await;
                if waiting.is_empty() {
                    self.came_up = true;
                    return Ok(());
                }
            }
            if limit <= began.elapsed() {
                let Printed { out, err, .. } = self.hubctl(&["status"])?;
                return Err(RunError::NotReady { limit, status: out + &err });
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    fn asked(&self) -> Result<Vec<Asked>, RunError> {
        let config = Config::load(&self.layout.hubctl_config)?;
        let programs = self.layout.programs.iter();
        let programs = programs.map(|program| Ok(Asked::Program(program.listen)));
        let nodes = self.layout.nodes.iter().map(|node| {
            let client = NodeClient::connect(&config, &node.name.to_string())?;
            Ok(Asked::Node(Box::new(client)))
        });
        programs.chain(nodes).collect()
    }
}

impl Asked {
    async fn is_ready(&self) -> bool {
        match self {
            Self::Program(listen) => TcpStream::connect(listen).await.is_ok(),
            Self::Node(client) => client.status().await.is_ok_and(|status| status.ready),
        }
    }
}

/// Asks those that wait, all at once, and keeps the ones that are not ready.
async fn not_ready(asked: &[Asked], waiting: &BTreeSet<usize>) -> BTreeSet<usize> {
    let mut answers = JoinSet::new();
    for &index in waiting {
        let one = asked[index].clone();
        answers.spawn(async move { (!one.is_ready().await).then_some(index) });
    }
    answers.join_all().await.into_iter().flatten().collect()
}

fn progress(asked: &[Asked], waiting: &BTreeSet<usize>) -> Progress {
    let mut progress = Progress::default();
    for (index, one) in asked.iter().enumerate() {
        let part = match one {
            Asked::Program(_) => &mut progress.programs,
            Asked::Node(client) => match client.node() {
                NodeName::Agent { .. } | NodeName::Operator(_) => &mut progress.agents,
                NodeName::Centre | NodeName::Hub(_) => &mut progress.hubs,
            },
        };
        part.all += 1;
        part.ready += usize::from(!waiting.contains(&index));
    }
    progress
}
