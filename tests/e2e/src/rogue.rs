//! A program in the place of an agent, with its genuine certificate and key, that answers as the
//! path asks, wrongly, or asks what it should not. Frames, hello and TLS are the mesh's own; the
//! books are not.

mod asker;
mod deed;

use std::collections::HashMap;
use std::error::Error;
use std::net::SocketAddr;
use std::time::Duration;

use futures_util::{Stream, StreamExt as _, stream};
use mesh_core::exchange::DirectoryPosition;
use mesh_core::limits::{CREDIT_BYTES, EXCHANGES_MAX};
use mesh_core::node::{MeshDomain, NodeName};
use mesh_proto::PROTOCOL_VERSION;
use mesh_proto::frame::{Frame, Hello, LaneKind, Open, read_batch, write_batch};
use mesh_proto::wire::link::v1::Batch;
use mesh_proto::wire::link::v1::link_service_client::LinkServiceClient;
use mesh_rt::server::mesh_endpoint;
use mesh_rt::tls::{Connector, Identity, TcpDialer, Trust};
use tokio::sync::mpsc;
use tokio::time::sleep;

pub use self::asker::{put, request};
use self::deed::{Step, deed, how, sound};
use crate::bed::{Bed, HOPS};

/// Between two links, and before a link is broken off behind a frame that must still arrive.
const PAUSE: Duration = Duration::from_millis(50);

/// Frames that wait to be sent.
const SAID_MAX: usize = 64;

/// Why a link ended.
type Failure = Box<dyn Error + Send + Sync>;

/// What a rogue dials with, and whom.
struct Rogue {
    identity: Identity,
    trust: Trust,
    mesh: MeshDomain,
    me: NodeName,
    hub: NodeName,
    address: SocketAddr,
}

/// A nation whose provider's agent is a rogue. It dials for as long as the test's runtime lives.
pub async fn bed() -> Bed {
    let mut bed = Bed::start().await;
    bed.nation.process(HOPS[4]).expect("the provider's agent").kill();
    let rogue = Rogue::new(&bed, HOPS[4], HOPS[3]);
    tokio::spawn(async move {
        loop {
            // A link that the hub closes is what many deeds come to.
            if let Err(why) = rogue.link().await {
                println!("the rogue's link ended: {why}");
            }
            sleep(PAUSE).await;
        }
    });
    bed
}

/// One link, as it stands.
struct Link {
    say: mpsc::Sender<Batch>,
    /// Exchanges that were given up meanwhile, and are answered when the hub says so.
    late: HashMap<u64, Open>,
    /// An exchange that waits for another, to be answered with its answer.
    swapped: Option<(u64, Open)>,
}

impl Rogue {
    /// In the place of `agent`, which dials `hub`.
    fn new(bed: &Bed, agent: &str, hub: &str) -> Self {
        let (agent, hub) = (bed.node(agent), bed.node(hub));
        let issued = &agent.issued;
        let identity = Identity::load(&issued.chain_file, &issued.key_file);
        Self {
            identity: identity.expect("its certificate"),
            trust: Trust::load(&issued.trust_file).expect("a trust file"),
            mesh: bed.nation.layout.mesh.clone(),
            me: agent.name.clone(),
            hub: hub.name.clone(),
            address: hub.mesh.expect("a hub listens"),
        }
    }

    /// Dials the hub and answers what comes, until either side ends the link.
    async fn link(&self) -> Result<(), Failure> {
        let (say, inbound) = self.dial().await?;
        let mut inbound = std::pin::pin!(inbound);
        let mut link = Link { say, late: HashMap::new(), swapped: None };
        while let Some(frames) = inbound.next().await {
            for frame in frames? {
                link.take(frame).await?;
            }
        }
        Ok(())
    }

    /// One lane to the hub: where to say, and what is heard.
    async fn dial(
        &self,
    ) -> Result<(mpsc::Sender<Batch>, impl Stream<Item = Result<Vec<Frame>, Failure>>), Failure>
    {
        let (trust, mesh) = (self.trust.clone(), self.mesh.clone());
        let connector = Connector::new(&self.identity, trust, self.hub.clone(), mesh)?;
        let uri = format!("https://{}/", self.mesh.dns_name(&self.hub)).parse()?;
        let dialer = TcpDialer::new(self.address, connector);
        let channel = mesh_endpoint(uri).connect_with_connector(dialer).await?;
        let (say, said) = mpsc::channel(SAID_MAX);
        say.send(write_batch(vec![self.hello()])).await?;
        let said = stream::unfold(said, |mut said| async {
            let batch = said.recv().await?;
            Some((batch, said))
        });
        let inbound = LinkServiceClient::new(channel).link(said).await?.into_inner();
        Ok((say, inbound.map(|batch| Ok(read_batch(batch?)?))))
    }

    fn hello(&self) -> Frame {
        Frame::Hello(Box::new(Hello {
            version_min: PROTOCOL_VERSION,
            version_max: PROTOCOL_VERSION,
            node: self.mesh.dns_name(&self.me),
            lane: LaneKind::Quick,
            link_id: [9; 16],
            exchanges_max: EXCHANGES_MAX,
            credit_bytes: CREDIT_BYTES,
            directory: DirectoryPosition::default(),
            software: "rogue".into(),
        }))
    }
}

impl Link {
    async fn take(&mut self, frame: Frame) -> Result<(), Failure> {
        match frame {
            Frame::Ping { sequence, reply: false } => {
                self.say(vec![Frame::Ping { sequence, reply: true }]).await
            }
            Frame::Cancel { exchange, .. } => match self.late.remove(&exchange) {
                Some(open) => self.say(vec![sound(&open).frame(exchange)]).await,
                None => Ok(()),
            },
            Frame::Open { exchange, open } => self.open(exchange, open).await,
            _ => Ok(()),
        }
    }

    async fn open(&mut self, exchange: u64, open: Open) -> Result<(), Failure> {
        match how(&open).as_str() {
            "late" => {
                self.late.insert(exchange, open);
            }
            "swapped" => match self.swapped.take() {
                None => self.swapped = Some((exchange, open)),
                Some((first, opened)) => {
                    let mine = sound(&opened).frame(exchange);
                    self.say(vec![mine, sound(&open).frame(first)]).await?;
                }
            },
            how => {
                for step in deed(how, exchange, &open) {
                    match step {
                        Step::Say(frame) => self.say(vec![frame]).await?,
                        Step::Write(batch) => self.say.send(batch).await?,
                        Step::BreakOff => {
                            sleep(PAUSE).await;
                            return Err("broken off on purpose".into());
                        }
                    }
                }
            }
        }
        Ok(())
    }

    async fn say(&self, frames: Vec<Frame>) -> Result<(), Failure> {
        Ok(self.say.send(write_batch(frames)).await?)
    }
}
