//! Asks all nodes again and again, each by a task of its own, so that none waits for another.

use std::sync::Arc;

use mesh_core::node::{MeshDomain, NodeName};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::{Duration, Instant, timeout_at};

use super::sample::{Pace, Sample};
use crate::client::NodeClient;

/// The nodes, and what they last said.
#[derive(Debug)]
pub(crate) struct Watch {
    nodes: Vec<Watched>,
    rounds: watch::Sender<u64>,
    answers: mpsc::Receiver<(usize, Result<Sample, String>)>,
    /// Of the present round.
    limit: Duration,
    until: Instant,
    /// They end with the watch.
    _askers: JoinSet<()>,
}

/// One node as it is in this round.
#[derive(Debug)]
pub(crate) struct Watched {
    pub(crate) node: NodeName,
    /// Why there is no answer; `None` of a node that answered.
    silence: Option<String>,
    /// What it said last.
    last: Option<Sample>,
    /// What went on until then since it had answered before.
    pace: Option<Pace>,
    answered: bool,
}

impl Watch {
    /// Begins with nobody asked. Must be called on a runtime.
    pub(crate) fn new(mesh: &MeshDomain, clients: Vec<NodeClient>) -> Self {
        let (rounds, _) = watch::channel(0);
        let (answered, answers) = mpsc::channel(clients.len().max(1));
        let mesh = Arc::new(mesh.clone());
        let nodes = clients.iter().map(|client| Watched::new(client.node().clone())).collect();
        let mut askers = JoinSet::new();
        for (index, client) in clients.into_iter().enumerate() {
            let (mesh, mut rounds) = (Arc::clone(&mesh), rounds.subscribe());
            let answered = answered.clone();
            askers.spawn(async move {
                // A node that is slower than the rounds is asked in the next one after its answer.
                while rounds.changed().await.is_ok() {
                    let heard = Sample::ask(&client, &mesh).await;
                    let heard = heard.map_err(|error| error.reason.to_string());
                    if answered.send((index, heard)).await.is_err() {
                        return;
                    }
                }
            });
        }
        let (limit, until) = (Duration::ZERO, Instant::now());
        Self { nodes, rounds, answers, limit, until, _askers: askers }
    }

    /// Asks all nodes, and waits until each has answered or `limit` is over.
    pub(crate) async fn round(&mut self, limit: Duration) {
        self.begin(limit);
        while self.goes_on().await {}
    }

    /// Begins a round, in which all nodes are asked, for `limit` at most.
    pub(crate) fn begin(&mut self, limit: Duration) {
        for node in &mut self.nodes {
            node.answered = false;
        }
        (self.limit, self.until) = (limit, Instant::now() + limit);
        self.rounds.send_modify(|round| *round += 1);
    }

    /// Waits for the next answer of this round; false when it is over. Who has said nothing until
    /// then goes on being asked, and stands as silent meanwhile. May be dropped and called again.
    pub(crate) async fn goes_on(&mut self) -> bool {
        if self.nodes.iter().any(|node| !node.answered)
            && let Ok(Some((index, heard))) = timeout_at(self.until, self.answers.recv()).await
        {
            self.nodes[index].hear(heard);
            return true;
        }
        for node in self.nodes.iter_mut().filter(|node| !node.answered) {
            node.miss(self.limit);
        }
        false
    }

    pub(crate) fn nodes(&self) -> &[Watched] {
        &self.nodes
    }
}

impl Watched {
    pub(crate) fn new(node: NodeName) -> Self {
        let silence = Some("no answer yet".into());
        Self { node, silence, last: None, pace: None, answered: false }
    }

    /// What it said in this round, or why it said nothing.
    pub(crate) fn said(&self) -> Result<&Sample, &str> {
        match (&self.silence, &self.last) {
            (None, Some(sample)) => Ok(sample),
            (silence, _) => Err(silence.as_deref().unwrap_or_default()),
        }
    }

    /// What went on; `None` until it has answered twice.
    pub(crate) fn pace(&self) -> Option<&Pace> {
        self.said().ok().and(self.pace.as_ref())
    }

    pub(crate) fn hear(&mut self, heard: Result<Sample, String>) {
        self.answered = true;
        match heard {
            Ok(sample) => {
                self.pace = self.last.as_ref().and_then(|last| sample.since(last));
                self.last = Some(sample);
                self.silence = None;
            }
            Err(why) => self.silence = Some(why),
        }
    }

    /// The error that a question ended with before says more than the silence after it.
    fn miss(&mut self, limit: Duration) {
        let silent = || format!("no answer within {} ms", limit.as_millis());
        self.silence.get_or_insert_with(silent);
    }
}
