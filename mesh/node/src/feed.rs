//! The feed of the directory: nodes below follow the one above them, over a connection of its own
//! beside their link, and hand the same entries on.

use std::collections::VecDeque;
use std::pin::Pin;

use futures_util::{Stream, StreamExt as _, stream};
use mesh_core::directory::history::Head;
use mesh_core::directory::scope::Scope;
use mesh_core::reason::{HopName, Problem, Reason};
use mesh_proto::directory::read_follow;
use mesh_proto::status::write_status;
use mesh_proto::wire::directory::v1::directory_service_server::{
    DirectoryService, DirectoryServiceServer,
};
use mesh_proto::wire::directory::v1::feed_event::Kind;
use mesh_proto::wire::directory::v1::{FeedEvent, FollowRequest, Snapshot};
use mesh_rt::drain::Drain;
use mesh_rt::tls::PeerIdentity;
use prost::Message as _;
use tokio::sync::watch;
use tonic::{Request, Response, Status};

use crate::directory::{Lacks, LiveDirectory};

pub(crate) mod follow;

/// What a follower sends; it is a position, and little more.
const REQUEST_BYTES_MAX: usize = 4096;

/// Serves the directory of a node to those below it; see [`service`].
#[derive(Debug)]
pub(crate) struct Feed {
    hop: HopName,
    directory: LiveDirectory,
    drain: Drain,
}

/// The service on a mesh port. Its streams end when `drain` begins, or it would never leave.
pub(crate) fn service(
    hop: HopName,
    directory: LiveDirectory,
    drain: Drain,
) -> DirectoryServiceServer<Feed> {
    DirectoryServiceServer::new(Feed { hop, directory, drain })
        .max_decoding_message_size(REQUEST_BYTES_MAX)
}

type Events = Pin<Box<dyn Stream<Item = Result<FeedEvent, Status>> + Send>>;

#[tonic::async_trait]
impl DirectoryService for Feed {
    type FollowStream = Events;

    async fn follow(
        &self,
        request: Request<FollowRequest>,
    ) -> Result<Response<Self::FollowStream>, Status> {
        let have = read_follow(request.get_ref()).map(|have| have.get(&Scope::Nation).copied());
        let have = have.map_err(|why| {
            let problem = Problem::new(Reason::RequestMalformed, self.hop.clone(), why.to_string());
            write_status(&problem, None)
        })?;
        // The acceptor puts it there; who comes without one is told nothing.
        let peer = request.extensions().get::<PeerIdentity>().cloned().ok_or_else(|| {
            let detail = "the connection has no verified certificate";
            write_status(&Problem::new(Reason::Internal, self.hop.clone(), detail), None)
        })?;
        let follower = Follower {
            have,
            peer,
            changed: self.directory.changed(),
            directory: self.directory.clone(),
            ready: VecDeque::new(),
        };
        let drain = self.drain.clone();
        let events = stream::unfold(follower, Follower::next);
        Ok(Response::new(Box::pin(events.take_until(async move { drain.begun().await }))))
    }
}

/// One subscriber, and what it has. A slow one costs no more than the tail that is kept anyway.
struct Follower {
    have: Option<Head>,
    /// Who it is. A peer that the directory no longer lets in is told no more of it.
    peer: PeerIdentity,
    changed: watch::Receiver<Head>,
    directory: LiveDirectory,
    ready: VecDeque<Kind>,
}

impl Follower {
    async fn next(mut self) -> Option<(Result<FeedEvent, Status>, Self)> {
        loop {
            // Marked before the looks, so that what changes after them wakes us.
            self.changed.mark_unchanged();
            if !self.directory.now().admits(&self.peer.node, &self.peer.spki) {
                return None;
            }
            if let Some(kind) = self.ready.pop_front() {
                return Some((Ok(FeedEvent { kind: Some(kind), more: false }), self));
            }
            let (head, lacks) = self.directory.since(self.have);
            match lacks {
                Lacks::Nothing => self.changed.changed().await.ok()?,
                Lacks::Entries(entries) => {
                    self.have = Some(head);
                    self.ready.extend(entries.into_iter().map(Kind::Entry));
                }
                Lacks::Snapshot(encoded) => {
                    self.have = Some(head);
                    let snapshot = Snapshot::decode(encoded).expect("this node encoded it");
                    self.ready.push_back(Kind::Snapshot(snapshot));
                }
            }
        }
    }
}
