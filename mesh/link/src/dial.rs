//! The dialling end: keeps both lanes of the link to the upper neighbour alive.

use std::error::Error;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use mesh_core::limits::{BATCH_WIRE_BYTES_MAX, HANDSHAKE_MAX};
use mesh_core::node::NodeName;
use mesh_proto::frame::LaneKind;
use mesh_proto::status::read_status;
use mesh_proto::wire::link::v1::link_service_client::LinkServiceClient;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use tokio::sync::watch;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tonic::transport::Channel;
use tonic::{Request, Status};
use tracing::{info, warn};

use crate::Spawn;
use crate::book::End;
use crate::hello::Me;
use crate::lane::{Accept, Inbound, Lane, Speaker, drain_all, first_hello};

/// First and longest wait between two attempts.
const BACK_OFF_MIN: Duration = Duration::from_millis(50);
const BACK_OFF_MAX: Duration = Duration::from_secs(2);

/// A lane that lived so long was sound: the next wait begins small again.
const SOUND_LIFE: Duration = Duration::from_secs(5);

/// Opens one connection to the upper neighbour. What it dials, and whom it expects there, is its
/// own business: the network comes into this library as a parameter.
#[tonic::async_trait]
pub trait Connect: Send + Sync + 'static {
    /// A channel on a connection of its own, after its handshake.
    async fn connect(&self) -> Result<Channel, Box<dyn Error + Send + Sync>>;

    /// What to tell the operator about an error of the connection or of a first call on it.
    fn explain(&self, error: &(dyn Error + 'static)) -> String;
}

/// The link upwards. It dials for as long as it lives, and stops when it is drained.
#[derive(Debug)]
pub struct Uplink {
    lanes: Mutex<Vec<Lane>>,
    up: watch::Sender<bool>,
    leaving: CancellationToken,
}

/// What an uplink is made of.
pub struct Dialling<A> {
    pub me: Me,
    /// The only node that may be at the other end.
    pub upper: NodeName,
    pub connect: Arc<dyn Connect>,
    /// Takes what comes down.
    pub accept: Arc<A>,
    pub spawn: Spawn,
    /// Of the jitter between attempts, and of the link's id.
    pub seed: u64,
}

impl<A> std::fmt::Debug for Dialling<A> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Dialling").field("upper", &self.upper).finish_non_exhaustive()
    }
}

impl Uplink {
    /// Begins to dial.
    pub fn start<A: Accept>(dialling: Dialling<A>) -> Arc<Self> {
        let uplink = Arc::new(Self {
            lanes: Mutex::default(),
            up: watch::Sender::new(false),
            leaving: CancellationToken::new(),
        });
        let dialling = Arc::new(dialling);
        let mut random = StdRng::seed_from_u64(dialling.seed);
        let link_id: [u8; 16] = random.random();
        for kind in [LaneKind::Quick, LaneKind::Bulk] {
            let random = StdRng::seed_from_u64(random.random());
            let keeper = Keeper {
                uplink: Arc::clone(&uplink),
                dialling: Arc::clone(&dialling),
                kind,
                link_id,
                random,
            };
            dialling.spawn.task(keeper.keep());
        }
        uplink
    }

    /// A lane that takes an exchange of this kind. A quick one may go on bulk; bulk never on quick.
    pub fn lane(&self, kind: LaneKind) -> Option<Lane> {
        let lanes = self.lock();
        let fits = |lane: &&Lane| lane.takes_more() && lane.kind().carries(kind);
        lanes.iter().filter(fits).min_by_key(|lane| lane.kind() != kind).cloned()
    }

    /// The lanes that are up, those that drain beside their successors too.
    pub fn lanes(&self) -> Vec<Lane> {
        self.lock().iter().filter(|lane| !lane.is_ended()).cloned().collect()
    }

    /// Is the link up, that is, are both of its lanes?
    pub fn up(&self) -> watch::Receiver<bool> {
        self.up.subscribe()
    }

    /// Dials no more, and completes when what is open has finished.
    pub async fn drain(&self, grace: Duration) {
        self.leaving.cancel();
        drain_all(&self.lanes(), grace).await;
    }

    fn add(&self, lane: &Lane) -> Result<(), String> {
        let mut lanes = self.lock();
        // Under the lock: a drain must find the lane, or the lane the drain.
        if self.leaving.is_cancelled() {
            return Err("the link was drained meanwhile".into());
        }
        lanes.retain(|known| !known.is_ended());
        lanes.push(lane.clone());
        Ok(())
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Lane>> {
        self.lanes.lock().expect("nothing panics under this lock")
    }

    fn tell(&self) {
        let up = self.lock().iter().filter(|lane| lane.takes_more()).count() == 2;
        self.up.send_if_modified(|was| std::mem::replace(was, up) != up);
    }
}

/// Keeps one lane alive.
struct Keeper<A> {
    uplink: Arc<Uplink>,
    dialling: Arc<Dialling<A>>,
    kind: LaneKind,
    link_id: [u8; 16],
    random: StdRng,
}

impl<A: Accept> Keeper<A> {
    async fn keep(mut self) {
        let leaving = self.uplink.leaving.clone();
        let mut back_off = BACK_OFF_MIN;
        while !leaving.is_cancelled() {
            let attempt = tokio::select! {
                () = leaving.cancelled() => return,
                attempt = timeout(HANDSHAKE_MAX, self.open()) => attempt,
            };
            match attempt.unwrap_or_else(|_| Err(format!("no answer within {HANDSHAKE_MAX:?}"))) {
                Ok(lane) => {
                    // A lane that drains may finish beside its successor.
                    lane.leaving().await;
                    self.uplink.tell();
                    if SOUND_LIFE <= lane.since().elapsed() {
                        back_off = BACK_OFF_MIN;
                    }
                }
                Err(_) if leaving.is_cancelled() => return,
                Err(why) => {
                    let upper = self.dialling.me.mesh.dns_name(&self.dialling.upper);
                    warn!(%upper, lane = self.kind.name(), why, "link cannot be opened");
                }
            }
            // Full jitter, so that a thousand agents do not come back as one.
            let wait = self.random.random_range(Duration::ZERO..back_off);
            back_off = (back_off * 2).min(BACK_OFF_MAX);
            tokio::select! {
                () = leaving.cancelled() => return,
                () = sleep(wait) => {}
            }
        }
    }

    async fn open(&self) -> Result<Lane, String> {
        let Dialling { me, upper, connect, .. } = &*self.dialling;
        let channel = connect.connect().await.map_err(|error| connect.explain(&*error))?;
        let hello = me.hello(self.kind, self.link_id);
        let (speaker, met) = Speaker::awaiting(hello);
        let mut client = LinkServiceClient::new(channel)
            .max_decoding_message_size(BATCH_WIRE_BYTES_MAX)
            .max_encoding_message_size(BATCH_WIRE_BYTES_MAX);
        let answer = client.link(Request::new(speaker)).await;
        let mut inbound = answer.map_err(|status| self.told(&status))?.into_inner();
        let hello = first_hello(&mut inbound).await?;
        if hello.lane != self.kind || hello.link_id != self.link_id {
            return Err("the upper neighbour answered for another lane".into());
        }
        let terms = me.meet(&hello, upper.clone()).map_err(|problem| problem.to_string())?;
        let (lane, outbound) = Lane::new(End::Dialler, terms, me.hop());
        self.uplink.add(&lane)?;
        met.send(outbound).map_err(|_| "the connection broke during the hellos".to_owned())?;
        self.joined(lane.clone(), inbound);
        Ok(lane)
    }

    fn joined(&self, lane: Lane, inbound: impl Inbound + 'static) {
        info!(peer = %lane.peer().hop, lane = self.kind.name(), "link up");
        self.uplink.tell();
        let dialling = Arc::clone(&self.dialling);
        self.dialling.spawn.task(async move { lane.run(inbound, &*dialling.accept).await });
    }

    fn told(&self, status: &Status) -> String {
        let problem = read_status(status).map(|problem| problem.to_string());
        problem.unwrap_or_else(|| self.dialling.connect.explain(status))
    }
}
