//! What a node tells those below it, of what it holds itself.

use std::collections::BTreeMap;
use std::sync::Arc;

use mesh_core::directory::history::Head;
use mesh_core::directory::scope::Scope;
use mesh_core::node::NodeName;
use mesh_proto::wire::directory::v1::FeedEvent;
use mesh_proto::wire::directory::v1::feed_event::Kind;

use super::held::{Held, number};
use super::{LiveDirectory, Role};

/// One who follows this node: what it has, as far as this node has told it.
#[derive(Clone, Debug)]
pub struct Follower {
    node: NodeName,
    have: BTreeMap<Scope, Head>,
    /// The heads of the snapshots that there were when it was told of a scope last.
    laid: BTreeMap<Scope, Option<Head>>,
    /// When the last heartbeat that it was told was sent.
    beat_unix_ms: Option<u64>,
}

impl Follower {
    /// `node` says that it has `have`.
    pub fn new(node: NodeName, have: BTreeMap<Scope, Head>) -> Self {
        Self { node, have, laid: BTreeMap::new(), beat_unix_ms: None }
    }

    pub fn node(&self) -> &NodeName {
        &self.node
    }
}

impl LiveDirectory {
    /// What `follower` lacks: one group, and after it a heartbeat. Nothing, if it lacks nothing;
    /// [`LiveDirectory::changed`] says when to ask again. At the centre it may have to lay a scope
    /// out, which costs what is in it.
    pub fn lacks(&self, follower: &mut Follower) -> Vec<FeedEvent> {
        let kinds = self.group(follower).or_else(|unlaid| {
            self.lay_out_anew(&unlaid);
            self.group(follower)
        });
        let kinds = kinds.unwrap_or_default();
        let last = kinds.len().saturating_sub(1);
        let group = kinds.into_iter().enumerate();
        let group = group.map(|(index, kind)| FeedEvent { kind: Some(kind), more: index < last });
        let mut events: Vec<FeedEvent> = group.collect();
        let beat = self.state().heartbeat.clone();
        if let Some((sent_at, beat)) = beat.filter(|(at, _)| follower.beat_unix_ms < Some(*at)) {
            follower.beat_unix_ms = Some(sent_at);
            events.push(FeedEvent { kind: Some(Kind::Heartbeat(beat)), more: false });
        }
        events
    }

    /// One group that makes all there is here out of nothing: what this node keeps on disk.
    pub fn whole(&self) -> Vec<FeedEvent> {
        self.lacks(&mut Follower::new(NodeName::Centre, BTreeMap::new()))
    }

    /// Or the scopes of which a snapshot is needed that nobody has made yet.
    fn group(&self, follower: &mut Follower) -> Result<Vec<Kind>, Vec<Scope>> {
        let may_lay_out = matches!(self.0.role, Role::Centre(_));
        let (now, scopes) = self.cut();
        let followed = now.followed_by(&follower.node);
        let told: Vec<(&Scope, &Arc<Held>)> =
            scopes.iter().filter(|(scope, _)| followed.contains(scope)).collect();
        let (mut group, mut unlaid) = (Vec::new(), Vec::new());
        for (scope, held) in &told {
            let have = follower.have.get(*scope);
            // At the centre, who begins gets a snapshot rather than a long history.
            let long = may_lay_out && have.is_none() && held.overgrown();
            let Some(lacks) = held.since(have.copied()).filter(|_| !long) else {
                unlaid.push((*scope).clone());
                continue;
            };
            let laid_anew = held.snapshot.as_ref().filter(|laid| {
                let told = lacks.iter().any(|kind| matches!(kind, Kind::Snapshot(_)));
                let known = follower.laid.get(*scope);
                !told && known.is_some_and(|known| *known != Some(laid.head))
            });
            group.extend(lacks);
            // With it, the entries before it need not be kept.
            group.extend(laid_anew.map(|laid| Kind::Snapshot(laid.message.clone())));
        }
        if !unlaid.is_empty() {
            return Err(unlaid);
        }
        follower.have.retain(|scope, _| followed.contains(scope));
        for (scope, held) in told {
            let have = follower.have.entry(scope.clone()).or_insert(held.head);
            if number(have) < number(&held.head) {
                *have = held.head;
            }
            let laid = held.snapshot.as_ref().map(|laid| laid.head);
            follower.laid.insert(scope.clone(), laid);
        }
        Ok(group)
    }
}
