//! The feed of the directory: nodes below follow the one above them, over a connection of its own
//! beside their link, and hand the same bytes on.

use std::collections::{BTreeMap, VecDeque};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};

use futures_util::{Stream, StreamExt as _, stream};
use mesh_core::directory::history::Head;
use mesh_core::directory::scope::Scope;
use mesh_core::exchange::DirectoryPosition;
use mesh_core::node::NodeName;
use mesh_core::reason::{HopName, Problem, Reason};
use mesh_proto::directory::read_follow;
use mesh_proto::status::write_status;
use mesh_proto::wire::directory::v1::directory_service_server::{
    DirectoryService, DirectoryServiceServer,
};
use mesh_proto::wire::directory::v1::{FeedEvent, FollowRequest};
use mesh_rt::drain::Drain;
use mesh_rt::tls::PeerIdentity;
use tokio::sync::watch;
use tonic::{Request, Response, Status};

use crate::directory::{Follower, LiveDirectory};

pub(crate) mod follow;
pub mod heartbeats;
pub(crate) mod heed;
pub(crate) mod taking;

/// What a follower sends: a head for each scope that it has.
const REQUEST_BYTES_MAX: usize = 1024 * 1024;

/// Feeds that one node may have at once: of its replicas, and of connections that are not known to
/// be dead yet.
const FEEDS_PER_NODE_MAX: usize = 16;

/// Serves the directory of a node to those below it; see [`service`].
#[derive(Debug)]
pub(crate) struct Feed {
    hop: HopName,
    directory: LiveDirectory,
    drain: Drain,
    places: Places,
}

/// The service on a mesh port. Its streams end when `drain` begins, or it would never leave.
pub(crate) fn service(
    hop: HopName,
    directory: LiveDirectory,
    drain: Drain,
) -> DirectoryServiceServer<Feed> {
    let places = Places::default();
    DirectoryServiceServer::new(Feed { hop, directory, drain, places })
        .max_decoding_message_size(REQUEST_BYTES_MAX)
        .max_encoding_message_size(mesh_rt::directory_file::SNAPSHOT_BYTES_MAX as usize)
}

type Events = Pin<Box<dyn Stream<Item = Result<FeedEvent, Status>> + Send>>;

#[tonic::async_trait]
impl DirectoryService for Feed {
    type FollowStream = Events;

    async fn follow(
        &self,
        request: Request<FollowRequest>,
    ) -> Result<Response<Self::FollowStream>, Status> {
        let refuse = |reason, detail: String| {
            write_status(&Problem::new(reason, self.hop.clone(), detail), None)
        };
        let have = read_follow(request.get_ref())
            .map_err(|why| refuse(Reason::RequestMalformed, why.to_string()))?;
        // The acceptor puts it there; who comes without one is told nothing.
        let peer = request.extensions().get::<PeerIdentity>().cloned();
        let peer = peer.ok_or_else(|| {
            refuse(Reason::Internal, "the connection has no verified certificate".into())
        })?;
        let place = self.places.take(&peer.node).ok_or_else(|| {
            let detail = format!("{} has {FEEDS_PER_NODE_MAX} feeds already", peer.node);
            refuse(Reason::Overloaded, detail)
        })?;
        let telling = Telling::new(&self.directory, peer, have, place);
        let drain = self.drain.clone();
        let events = stream::unfold(telling, Telling::next);
        Ok(Response::new(Box::pin(events.take_until(async move { drain.begun().await }))))
    }
}

/// One who follows. One that reads slowly costs no more than what is kept anyway: it is asked what
/// it lacks only when it has read all that it was told.
struct Telling {
    /// What it has. A blocking thread has it while it is reckoned what it lacks.
    follower: Follower,
    /// Who it is. A peer that the directory no longer lets in is told no more of it.
    peer: PeerIdentity,
    changed: watch::Receiver<DirectoryPosition>,
    directory: LiveDirectory,
    ready: VecDeque<FeedEvent>,
    _place: Place,
}

impl Telling {
    fn new(
        directory: &LiveDirectory,
        peer: PeerIdentity,
        have: BTreeMap<Scope, Head>,
        place: Place,
    ) -> Self {
        Self {
            follower: Follower::new(peer.node.clone(), have),
            peer,
            changed: directory.changed(),
            directory: directory.clone(),
            ready: VecDeque::new(),
            _place: place,
        }
    }

    async fn next(mut self) -> Option<(Result<FeedEvent, Status>, Self)> {
        loop {
            // Marked before the looks, so that what changes after them wakes us.
            self.changed.mark_unchanged();
            if !self.directory.now().admits(&self.peer.node, &self.peer.spki) {
                return None;
            }
            if let Some(event) = self.ready.pop_front() {
                return Some((Ok(event), self));
            }
            let (directory, mut follower) = (self.directory.clone(), self.follower);
            // A scope may have to be laid out for it.
            let reckoned = tokio::task::spawn_blocking(move || {
                let lacks = directory.lacks(&mut follower);
                (follower, lacks)
            });
            let (follower, lacks) = reckoned.await.ok()?;
            self.follower = follower;
            if lacks.is_empty() {
                self.changed.changed().await.ok()?;
            }
            self.ready.extend(lacks);
        }
    }
}

/// Counts the feeds of each node.
#[derive(Clone, Debug, Default)]
struct Places(Arc<Mutex<BTreeMap<NodeName, usize>>>);

/// Counts as one while it lives.
struct Place {
    places: Places,
    node: NodeName,
}

impl Places {
    fn take(&self, node: &NodeName) -> Option<Place> {
        let mut taken = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = taken.entry(node.clone()).or_default();
        if *count == FEEDS_PER_NODE_MAX {
            return None;
        }
        *count += 1;
        Some(Place { places: self.clone(), node: node.clone() })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.places.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = taken.get_mut(&self.node) {
            *count -= 1;
            if *count == 0 {
                taken.remove(&self.node);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_has_so_many_feeds_and_others_have_theirs() {
        let places = Places::default();
        let hub = NodeName::Hub("health".parse().unwrap());
        let mut taken: Vec<Place> =
            (0..FEEDS_PER_NODE_MAX).map(|_| places.take(&hub).unwrap()).collect();
        assert!(places.take(&hub).is_none());
        assert!(places.take(&NodeName::Centre).is_some());
        taken.pop();
        assert!(places.take(&hub).is_some());
        taken.clear();
        assert!(places.0.lock().unwrap().is_empty());
    }
}
