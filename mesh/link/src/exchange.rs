//! One exchange as a program holds it: what it sends, what it receives, and its total deadline.

use std::future::poll_fn;
use std::sync::Arc;

use bytes::Bytes;
use mesh_core::reason::{HopName, Problem, Reason};
use mesh_proto::frame::{Close, Open};
use tokio::task::consume_budget;
use tokio::time::{Instant, timeout_at};

use crate::lane::{Lane, Shared};
use crate::outbox::Flow;
pub use crate::slot::Event;

/// One exchange on one lane. Dropping it before it is over breaks it off, and tells the peer.
///
/// One task at a time may receive, and one send; both may be the same task, or not.
#[derive(Debug)]
pub struct Exchange {
    shared: Arc<Shared>,
    key: u64,
    deadline: Instant,
}

/// An exchange that the peer opened.
#[derive(Debug)]
pub struct Incoming {
    /// The lane that it came on.
    pub lane: Lane,
    /// The request, as the peer sent it.
    pub open: Open,
    pub exchange: Exchange,
    pub arrived: Instant,
}

impl Exchange {
    pub(crate) fn new(shared: Arc<Shared>, key: u64, deadline: Instant) -> Self {
        Self { shared, key, deadline }
    }

    /// When it ends at the latest, whatever happens.
    pub fn deadline(&self) -> Instant {
        self.deadline
    }

    /// The name of the hop that holds this end.
    pub(crate) fn hop(&self) -> &HopName {
        self.shared.me()
    }

    /// The next event. Behind the last one it never completes, unless the exchange breaks.
    ///
    /// # Errors
    ///
    /// What the peer or a hop beyond it says, `LINK_LOST`, or `DEADLINE_EXCEEDED` here.
    pub async fn receive(&self) -> Result<Event, Problem> {
        self.in_time(self.receive_untimed()).await
    }

    /// Sends more of the body; completes when all of it is queued, and waits for credit till then.
    ///
    /// # Errors
    ///
    /// As [`Self::receive`].
    pub async fn send(&self, body: Bytes) -> Result<(), Problem> {
        self.in_time(self.send_untimed(body)).await
    }

    /// Answers; only for an exchange that the peer opened, once.
    pub fn answer(&self, open: Open) -> Result<(), Problem> {
        self.shared.with(|book| book.answer(self.key, open))
    }

    /// Ends this side's direction.
    pub fn close(&self, close: Close) -> Result<(), Problem> {
        self.shared.with(|book| book.close(self.key, close))
    }

    /// Breaks both directions off, and tells the peer why.
    pub fn cancel(&self, problem: Problem) {
        self.shared.with(|book| book.cancel(self.key, problem));
    }

    /// Says whose traffic the answer is, before it is given.
    pub fn set_flow(&self, flow: Flow) {
        self.shared.with(|book| book.set_flow(self.key, flow));
    }

    /// Gives the peer credit for body bytes that came inside the `Open` of an [`Incoming`].
    pub(crate) fn read(&self, length: usize) {
        self.shared.with(|book| book.read(self.key, length));
    }

    pub(crate) async fn receive_untimed(&self) -> Result<Event, Problem> {
        // Whoever always finds something to read lets others run now and then.
        consume_budget().await;
        poll_fn(|context| self.shared.with(|book| book.poll_receive(self.key, context))).await
    }

    pub(crate) async fn send_untimed(&self, mut body: Bytes) -> Result<(), Problem> {
        consume_budget().await;
        poll_fn(|context| self.shared.with(|book| book.poll_send(self.key, &mut body, context)))
            .await
    }

    async fn in_time<T>(
        &self,
        step: impl Future<Output = Result<T, Problem>>,
    ) -> Result<T, Problem> {
        // A step that need not wait would never look at the clock.
        if self.deadline <= Instant::now() {
            return Err(self.expire());
        }
        match timeout_at(self.deadline, step).await {
            Ok(result) => result,
            Err(_) => Err(self.expire()),
        }
    }

    /// Ends the exchange because its time is over, and answers why it ended; what a hop farther
    /// away said before comes first.
    pub(crate) fn expire(&self) -> Problem {
        let detail = "the exchange's total time ran out while this hop waited";
        let problem = Problem::new(Reason::DeadlineExceeded, self.shared.me().clone(), detail);
        self.shared.with(|book| book.expire(self.key, problem))
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        self.shared.with(|book| book.release(self.key));
    }
}
