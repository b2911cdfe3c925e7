//! The listening end: the gRPC service on which lower neighbours open their lanes.

use std::pin::Pin;
use std::sync::Arc;

use futures_core::Stream;
use http::Extensions;
use mesh_core::limits::{BATCH_WIRE_BYTES_MAX, HANDSHAKE_MAX};
use mesh_core::node::NodeName;
use mesh_core::reason::{Problem, Reason};
use mesh_proto::status::write_status;
use mesh_proto::wire::link::v1::Batch;
use mesh_proto::wire::link::v1::link_service_server::{LinkService, LinkServiceServer};
use tokio::time::timeout;
use tokio_stream::StreamExt;
use tonic::{Request, Response, Status, Streaming};
use tracing::info;

use crate::Spawn;
use crate::book::End;
use crate::hello::Me;
use crate::lane::{Accept, Lane, Speaker, first_hello};

/// What the program that listens decides about those who dial.
pub trait Admit: Accept {
    /// Who is there, by what the connection proved; never by what the peer says.
    ///
    /// # Errors
    ///
    /// The refusal that the peer is told.
    fn admit(&self, connection: &Extensions) -> Result<NodeName, Problem>;

    /// A lane is up, on what `connection` proved, unless the program ends it here. It is over when
    /// [`Lane::ended`] completes.
    fn joined(&self, lane: &Lane, connection: &Extensions);
}

/// The service; see [`service`].
#[derive(Debug)]
pub struct Listener<A> {
    me: Me,
    program: Arc<A>,
    spawn: Spawn,
}

/// A gRPC service that accepts lanes, with the message limits of the protocol.
pub fn service<A: Admit>(me: Me, program: Arc<A>, spawn: Spawn) -> LinkServiceServer<Listener<A>> {
    LinkServiceServer::new(Listener { me, program, spawn })
        .max_decoding_message_size(BATCH_WIRE_BYTES_MAX)
        .max_encoding_message_size(BATCH_WIRE_BYTES_MAX)
}

#[tonic::async_trait]
impl<A: Admit> LinkService for Listener<A> {
    type LinkStream = Pin<Box<dyn Stream<Item = Result<Batch, Status>> + Send>>;

    async fn link(
        &self,
        request: Request<Streaming<Batch>>,
    ) -> Result<Response<Self::LinkStream>, Status> {
        let refused = |problem: Problem| {
            info!(reason = %problem.reason, detail = %problem.detail, "link refused");
            write_status(&problem, None)
        };
        let (_, connection, mut inbound) = request.into_parts();
        let node = self.program.admit(&connection).map_err(refused)?;
        let malformed =
            |why: String| refused(Problem::new(Reason::ProtocolViolation, self.me.hop(), why));
        let hello = timeout(HANDSHAKE_MAX, first_hello(&mut inbound))
            .await
            .map_err(|_| malformed(format!("no hello within {HANDSHAKE_MAX:?}")))?
            .map_err(malformed)?;
        let met = self.me.meet(&hello, node).map_err(refused)?;
        let (lane, outbound) = Lane::new(End::Listener, met, self.me.hop());
        self.program.joined(&lane, &connection);
        if let Some(problem) = lane.end_reason() {
            return Err(refused(problem));
        }
        info!(peer = %lane.peer().hop, lane = lane.kind().name(), "link up");
        let (program, reader) = (Arc::clone(&self.program), lane.clone());
        self.spawn.task(async move { reader.run(inbound, &*program).await });
        let hello = self.me.hello(lane.kind(), lane.peer().link_id);
        let last = std::iter::once_with(move || lane.reproach().map(Err)).flatten();
        let batches = Speaker::ready(hello, outbound).map(Ok).chain(tokio_stream::iter(last));
        Ok(Response::new(Box::pin(batches)))
    }
}
