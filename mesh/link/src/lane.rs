//! One lane: one long-lived stream between two neighbours, from its hellos to its end.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use futures_core::Stream;
use mesh_core::limits::{DEADLINE_MAX, PING_DEAD, PING_INTERVAL};
use mesh_core::reason::{HopName, Problem, Reason};
use mesh_proto::frame::{Frame, Hello, LaneKind, Open, read_batch, write_batch};
use mesh_proto::status::{read_status, write_status};
use mesh_proto::wire::link::v1::Batch;
use tokio::sync::{Notify, oneshot};
use tokio::time::{Instant, MissedTickBehavior, interval, timeout_at};
use tokio_stream::StreamExt;
use tonic::Status;
use tracing::{debug, info, warn};

use crate::book::{Book, End, Terms};
use crate::exchange::{Exchange, Incoming};
use crate::hello::Peer;
use crate::outbox::Flow;

/// Takes the exchanges that peers open.
pub trait Accept: Send + Sync + 'static {
    /// Called by the lane's reader, so it must not block: it spawns what takes time.
    fn accept(&self, incoming: Incoming);
}

/// A handle of one lane; cheap to clone.
#[derive(Clone, Debug)]
pub struct Lane {
    shared: Arc<Shared>,
}

#[derive(Debug)]
pub(crate) struct Shared {
    book: Mutex<Book>,
    me: HopName,
    peer: Peer,
    since: Instant,
    round_trip: Mutex<Option<Duration>>,
    /// Told whenever what [`Book::watched`] says changes, and only then: who waits looks at the
    /// books through `with`, and must not wake itself.
    changed: Notify,
}

/// What the writer of a lane draws batches from: whatever is queued when the stream is ready.
#[derive(Debug)]
pub(crate) struct Outbound {
    shared: Arc<Shared>,
}

/// The frames of the peer, as they come.
pub(crate) trait Inbound: Stream<Item = Result<Batch, Status>> + Send + Unpin {}

impl<S: Stream<Item = Result<Batch, Status>> + Send + Unpin> Inbound for S {}

impl Lane {
    /// A lane to a peer that has been met.
    pub(crate) fn new(end: End, (peer, terms): (Peer, Terms), me: HopName) -> (Self, Outbound) {
        let shared = Arc::new(Shared {
            book: Mutex::new(Book::new(end, terms, me.clone(), peer.hop.clone())),
            me,
            peer,
            since: Instant::now(),
            round_trip: Mutex::new(None),
            changed: Notify::new(),
        });
        (Self { shared: Arc::clone(&shared) }, Outbound { shared })
    }

    pub fn peer(&self) -> &Peer {
        &self.shared.peer
    }

    pub fn kind(&self) -> LaneKind {
        self.shared.peer.kind
    }

    /// When the lane came up.
    pub fn since(&self) -> Instant {
        self.shared.since
    }

    /// Of the last ping; `None` before the first.
    pub fn round_trip(&self) -> Option<Duration> {
        *self.shared.round_trip.lock().expect("nothing panics under this lock")
    }

    /// Exchanges that are open now, and all since the lane came up.
    pub fn exchanges(&self) -> (u32, u64) {
        self.shared.with(|book| (book.open_count(), book.opened_total()))
    }

    /// May an exchange be opened on it?
    pub fn takes_more(&self) -> bool {
        self.shared.with(|book| book.takes_more())
    }

    /// Does either side open nothing more?
    pub fn is_draining(&self) -> bool {
        self.shared.with(|book| book.draining_here || book.draining_there)
    }

    pub fn is_ended(&self) -> bool {
        self.shared.with(|book| book.ended().is_some())
    }

    /// Opens an exchange that ends at `deadline` at the latest. `open.hop.remaining` is what the
    /// peer is told; `flow` says whose traffic it is.
    ///
    /// # Errors
    ///
    /// `OVERLOADED`, `DRAINING`, or why the lane has ended.
    pub fn open(&self, flow: Flow, open: Open, deadline: Instant) -> Result<Exchange, Problem> {
        let number = self.shared.with(|book| book.open(flow, open))?;
        Ok(Exchange::new(Arc::clone(&self.shared), number, deadline))
    }

    /// Tells the peer to open nothing more here, and waits at most `grace` until nothing is open
    /// and the peer has all that was sent; then ends.
    pub async fn drain(&self, grace: Duration) {
        self.begin_drain(grace);
        self.end_when_idle(Instant::now() + grace).await;
    }

    pub(crate) fn begin_drain(&self, grace: Duration) {
        self.shared.with(|book| book.drain(grace));
    }

    async fn end_when_idle(&self, latest: Instant) {
        let finished = timeout_at(latest, self.idle_at_both_ends()).await.is_ok();
        if finished {
            self.end_drained();
        } else {
            let Shared { me, peer, .. } = &*self.shared;
            let detail = format!("{me} stopped before what came on its link to {} ended", peer.hop);
            self.end(Problem::new(Reason::LinkLost, me.clone(), detail));
        }
    }

    /// Ends it because its peer has dialled it anew.
    pub(crate) fn end_replaced(&self) {
        let problem = self.lost("it was dialled anew");
        self.end(problem);
    }

    pub(crate) fn end_drained(&self) {
        let Shared { me, peer, .. } = &*self.shared;
        let detail = format!("the link to {} was closed after a drain", peer.hop);
        self.end(Problem::new(Reason::Draining, me.clone(), detail));
    }

    /// Completes when nothing is open here, nor under way to here: a peer that answers a ping which
    /// was sent behind everything else has read it all, the `Drain` too, and opens nothing more.
    async fn idle_at_both_ends(&self) {
        loop {
            self.until(|book| book.ended().is_some() || book.open_count() == 0).await;
            let ping = self.shared.with(Book::ping);
            self.until(|book| book.ended().is_some() || book.has_answered(ping)).await;
            if self.shared.with(|book| book.ended().is_some() || book.open_count() == 0) {
                return;
            }
        }
    }

    /// Completes when the lane has ended, or takes no new exchange.
    pub async fn leaving(&self) {
        self.until(|book| !book.takes_more()).await;
    }

    /// Completes when the lane has ended.
    pub async fn ended(&self) {
        self.until(|book| book.ended().is_some()).await;
    }

    /// Ends the lane at once; whatever is open breaks with `problem`.
    pub fn end(&self, problem: Problem) {
        self.shared.end(problem);
    }

    /// Why the lane has ended.
    pub(crate) fn end_reason(&self) -> Option<Problem> {
        self.shared.with(|book| book.ended().cloned())
    }

    /// What a peer that broke the protocol is told behind the last batch.
    pub(crate) fn reproach(&self) -> Option<Status> {
        let violation =
            self.end_reason().filter(|problem| problem.reason == Reason::ProtocolViolation);
        violation.map(|problem| write_status(&problem, None))
    }

    async fn until(&self, condition: impl Fn(&Book) -> bool) {
        loop {
            let changed = self.shared.changed.notified();
            tokio::pin!(changed);
            changed.as_mut().enable();
            if self.shared.with(|book| condition(book)) {
                return;
            }
            changed.await;
        }
    }

    /// Reads what the peer sends, and pings it, until the lane ends. Ends it if dropped before.
    pub(crate) async fn run(&self, mut inbound: impl Inbound, accept: &dyn Accept) {
        let _guard = EndWithReader(self);
        let mut ticks = interval(PING_INTERVAL);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut ping = PingClock { sequence: 0, sent: Instant::now(), heard: Instant::now() };
        let why = loop {
            let (batch, ticked) = tokio::select! {
                () = self.ended() => break None,
                batch = inbound.next() => (Some(batch), false),
                // A node that was itself held up looks first whether the peer was heard meanwhile.
                _ = ticks.tick() => (waiting(&mut inbound).await, true),
            };
            let taken = batch.map_or(Ok(()), |batch| self.take_in(batch, &mut ping, accept));
            let step = taken.and_then(|()| if ticked { self.tick(&mut ping) } else { Ok(()) });
            if let Err(problem) = step {
                break Some(problem);
            }
        };
        if let Some(problem) = why {
            self.end(problem);
        }
    }

    fn tick(&self, ping: &mut PingClock) -> Result<(), Problem> {
        if PING_DEAD <= ping.heard.elapsed() {
            return Err(self.lost(&format!("nothing came from it for {PING_DEAD:?}")));
        }
        let sequence = self.shared.with(Book::ping);
        if ping.sequence != sequence {
            *ping = PingClock { sequence, sent: Instant::now(), ..*ping };
        }
        Ok(())
    }

    fn take_in(
        &self,
        batch: Option<Result<Batch, Status>>,
        ping: &mut PingClock,
        accept: &dyn Accept,
    ) -> Result<(), Problem> {
        let batch = match batch {
            None => return Err(self.lost("it closed the stream")),
            Some(Err(status)) => return Err(self.broke(&status)),
            Some(Ok(batch)) => batch,
        };
        ping.heard = Instant::now();
        let frames = read_batch(batch).map_err(|why| self.violation(&why))?;
        for frame in &frames {
            if let Frame::Ping { sequence, reply: true } = frame
                && *sequence == ping.sequence
            {
                let mut round_trip = self.shared.round_trip.lock().expect("as above");
                *round_trip = Some(ping.sent.elapsed());
            }
        }
        let arrived = self.shared.with(|book| {
            let mut arrived = Vec::new();
            for frame in frames {
                arrived.extend(book.receive(self.shared.peer.signed(frame))?);
            }
            Ok(arrived)
        });
        for arrived in arrived.map_err(|why: crate::book::Violation| self.violation(&why))? {
            let remaining = arrived.open.hop.remaining.min(DEADLINE_MAX);
            let shared = Arc::clone(&self.shared);
            let exchange = Exchange::new(shared, arrived.number, ping.heard + remaining);
            // The program has the body's first part in hand from here on.
            exchange.read(arrived.open.body.len());
            accept.accept(Incoming {
                lane: self.clone(),
                open: arrived.open,
                exchange,
                arrived: ping.heard,
            });
        }
        Ok(())
    }

    /// The link is gone, and the peer is where to look.
    fn lost(&self, how: &str) -> Problem {
        let Shared { me, peer, .. } = &*self.shared;
        info!(peer = %peer.hop, lane = peer.kind.name(), how, "link lost");
        let detail = format!("the link between {me} and {} was lost: {how}", peer.hop);
        Problem::new(Reason::LinkLost, peer.hop.clone(), detail)
    }

    fn broke(&self, status: &Status) -> Problem {
        match read_status(status) {
            Some(told) => self.lost(&format!("it said {told}")),
            None => {
                debug!(peer = %self.shared.peer.hop, %status, "stream broke");
                self.lost("its connection broke")
            }
        }
    }

    fn violation(&self, why: &dyn std::error::Error) -> Problem {
        let Shared { me, peer, .. } = &*self.shared;
        warn!(peer = %peer.hop, lane = peer.kind.name(), %why, "peer broke the link protocol");
        let detail = format!("{me} closed the link because {} broke the protocol: {why}", peer.hop);
        Problem::new(Reason::ProtocolViolation, peer.hop.clone(), detail)
    }
}

/// What the peer has sent and nobody has read yet; `None` when there is nothing.
async fn waiting(inbound: &mut impl Inbound) -> Option<Option<Result<Batch, Status>>> {
    poll_fn(|context| match Pin::new(&mut *inbound).poll_next(context) {
        Poll::Ready(batch) => Poll::Ready(Some(batch)),
        Poll::Pending => Poll::Ready(None),
    })
    .await
}

/// Nobody reads a lane whose reader was dropped: it is over, even if its stream still stands.
struct EndWithReader<'l>(&'l Lane);

impl Drop for EndWithReader<'_> {
    fn drop(&mut self) {
        let Self(lane) = self;
        if !lane.is_ended() {
            let Shared { me, peer, .. } = &*lane.shared;
            let detail = format!("{me} stopped reading its link to {}", peer.hop);
            lane.end(Problem::new(Reason::LinkLost, me.clone(), detail));
        }
    }
}

#[derive(Clone, Copy)]
struct PingClock {
    sequence: u64,
    sent: Instant,
    heard: Instant,
}

impl Shared {
    pub(crate) fn me(&self) -> &HopName {
        &self.me
    }

    /// Does `step` on the books, and wakes whom it concerns when the lock is free again.
    pub(crate) fn with<R>(&self, step: impl FnOnce(&mut Book) -> R) -> R {
        let mut book = self.book.lock().expect("nothing panics under this lock");
        let before = book.watched();
        let result = step(&mut book);
        let changed = book.watched() != before;
        let wakes = std::mem::take(&mut book.wakes);
        drop(book);
        wakes.into_iter().for_each(std::task::Waker::wake);
        if changed {
            self.changed.notify_waiters();
        }
        result
    }

    fn end(&self, problem: Problem) {
        self.with(|book| book.end(problem));
    }
}

impl Stream for Outbound {
    type Item = Batch;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Batch>> {
        self.shared.with(|book| book.poll_take(context)).map(|batch| batch.map(write_batch))
    }
}

impl Drop for Outbound {
    /// The connection let go of its writer: it is gone, even if its reader does not know yet.
    fn drop(&mut self) {
        let Shared { me, peer, .. } = &*self.shared;
        let detail = format!("the link between {me} and {} was lost", peer.hop);
        self.shared.end(Problem::new(Reason::LinkLost, peer.hop.clone(), detail));
    }
}

/// Drains lanes together: all peers are told at once, then what is open may end.
pub(crate) async fn drain_all(lanes: &[Lane], grace: Duration) {
    let latest = Instant::now() + grace;
    for lane in lanes {
        lane.begin_drain(grace);
    }
    for lane in lanes {
        lane.end_when_idle(latest).await;
    }
}

/// The sending half of a stream: this side's hello in a batch of its own, then what the lane has.
#[derive(Debug)]
pub(crate) struct Speaker {
    hello: Option<Hello>,
    rest: Rest,
}

#[derive(Debug)]
enum Rest {
    /// The dialler has no lane before the other side's hello is there.
    Awaited(oneshot::Receiver<Outbound>),
    Ready(Outbound),
}

impl Speaker {
    pub(crate) fn ready(hello: Hello, outbound: Outbound) -> Self {
        Self { hello: Some(hello), rest: Rest::Ready(outbound) }
    }

    pub(crate) fn awaiting(hello: Hello) -> (Self, oneshot::Sender<Outbound>) {
        let (met, awaited) = oneshot::channel();
        (Self { hello: Some(hello), rest: Rest::Awaited(awaited) }, met)
    }
}

impl Stream for Speaker {
    type Item = Batch;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Batch>> {
        if let Some(hello) = self.hello.take() {
            return Poll::Ready(Some(write_batch(vec![Frame::Hello(Box::new(hello))])));
        }
        if let Rest::Awaited(awaited) = &mut self.rest {
            match std::task::ready!(Pin::new(awaited).poll(context)) {
                Ok(outbound) => self.rest = Rest::Ready(outbound),
                Err(_) => return Poll::Ready(None),
            }
        }
        let Rest::Ready(outbound) = &mut self.rest else { return Poll::Ready(None) };
        Pin::new(outbound).poll_next(context)
    }
}

/// The first `Hello` on a fresh stream.
pub(crate) async fn first_hello(inbound: &mut impl Inbound) -> Result<Hello, String> {
    let batch = match inbound.next().await {
        None => return Err("the peer closed the stream before its hello".into()),
        Some(Err(status)) => return Err(format!("the stream broke before a hello: {status}")),
        Some(Ok(batch)) => batch,
    };
    let mut frames = read_batch(batch).map_err(|why| why.to_string())?;
    match (frames.pop(), frames.is_empty()) {
        (Some(Frame::Hello(hello)), true) => Ok(*hello),
        _ => Err("the first batch is not one hello".into()),
    }
}
