//! Peers that a test scripts frame by frame.

use std::pin::Pin;
use std::sync::{Arc, Mutex};

use futures_core::Stream;
use mesh_link::dial::Connect;
use mesh_proto::frame::{Frame, Hello, LaneKind, read_batch, write_batch};
use mesh_proto::wire::link::v1::Batch;
use mesh_proto::wire::link::v1::link_service_client::LinkServiceClient;
use mesh_proto::wire::link::v1::link_service_server::{LinkService, LinkServiceServer};
use tokio::sync::mpsc;
use tokio_stream::StreamExt;
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::Server;
use tonic::{Request, Response, Status, Streaming};

use crate::net::{Door, Road, Socket, Traveller};
use crate::nodes::{mesh, node, soon};

/// What an honest node would say first.
pub(crate) fn hello(name: &str) -> Hello {
    Hello {
        version_min: 1,
        version_max: 1,
        node: mesh().dns_name(&node(name)),
        lane: LaneKind::Quick,
        link_id: [3; 16],
        exchanges_max: 100,
        credit_bytes: 65_536,
        directory: mesh_core::exchange::DirectoryPosition::default(),
        software: "raw".into(),
    }
}

/// The sending half of a raw peer; dropping it closes that half.
#[derive(Debug)]
pub(crate) struct Say(mpsc::Sender<Result<Batch, Status>>);

impl Say {
    pub(crate) async fn say(&self, frames: Vec<Frame>) {
        // A lane that ended meanwhile hears nothing more; the test looks at why.
        let _ = self.0.send(Ok(write_batch(frames))).await;
    }

    pub(crate) async fn hello(&self, hello: Hello) {
        self.say(vec![Frame::Hello(Box::new(hello))]).await;
    }
}

/// What the other side sends, frame by frame; pings are left out.
#[derive(Debug)]
pub(crate) struct Hear {
    batches: Streaming<Batch>,
    frames: std::vec::IntoIter<Frame>,
}

impl Hear {
    fn new(batches: Streaming<Batch>) -> Self {
        Self { batches, frames: Vec::new().into_iter() }
    }

    /// The next frame; `None` at the end of the stream.
    pub(crate) async fn next(&mut self) -> Result<Option<Frame>, Status> {
        loop {
            match self.frames.next() {
                Some(Frame::Ping { .. }) => continue,
                Some(frame) => return Ok(Some(frame)),
                None => {}
            }
            match soon("a batch", self.batches.next()).await {
                None => return Ok(None),
                Some(batch) => self.frames = read_batch(batch?).unwrap().into_iter(),
            }
        }
    }

    /// Reads on until the stream ends, and says how.
    pub(crate) async fn end(&mut self) -> Result<(), Status> {
        while self.next().await?.is_some() {}
        Ok(())
    }
}

/// Dials as `name` and says `hello`, or nothing.
pub(crate) async fn dial(
    name: &str,
    door: &Door,
    hello: Option<Hello>,
) -> Result<(Say, Hear), Status> {
    let (say, said) = mpsc::channel(8);
    let say = Say(say);
    if let Some(hello) = hello {
        say.hello(hello).await;
    }
    let road = Road::new(node(name), door.clone());
    let channel = Traveller(road).connect().await.unwrap();
    let said = ReceiverStream::new(said).map(|batch| batch.expect("a client sends no status"));
    let answer = LinkServiceClient::new(channel).link(Request::new(said)).await?;
    Ok((say, Hear::new(answer.into_inner())))
}

/// A listener whose lanes a test scripts.
pub(crate) fn listen() -> (Door, mpsc::Receiver<(Say, Hear)>) {
    let (met, meets) = mpsc::channel(8);
    let (door, sockets) = mpsc::channel::<Socket>(64);
    let sockets = ReceiverStream::new(sockets).map(std::io::Result::Ok);
    let service = LinkServiceServer::new(Script(Arc::new(Mutex::new(met))));
    tokio::spawn(Server::builder().add_service(service).serve_with_incoming(sockets));
    (door, meets)
}

struct Script(Arc<Mutex<mpsc::Sender<(Say, Hear)>>>);

#[tonic::async_trait]
impl LinkService for Script {
    type LinkStream = Pin<Box<dyn Stream<Item = Result<Batch, Status>> + Send>>;

    async fn link(
        &self,
        request: Request<Streaming<Batch>>,
    ) -> Result<Response<Self::LinkStream>, Status> {
        let (say, said) = mpsc::channel(8);
        let met = (Say(say), Hear::new(request.into_inner()));
        self.0.lock().unwrap().try_send(met).expect("the test takes them");
        Ok(Response::new(Box::pin(ReceiverStream::new(said))))
    }
}
