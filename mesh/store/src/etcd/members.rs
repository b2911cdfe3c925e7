//! The members of the cluster: whom to ask, how often, and when to give up.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use tokio::time::{Instant, sleep, timeout};
use tonic::Streaming;
use tonic::transport::{Channel, Endpoint};

use super::config::{EtcdConfig, EtcdEndpoint};
use super::dial::{Dialer, EtcdTlsError, Files};
use super::rpc::{self, Headed, Rpc, WatchCreateRequest, WatchResponse};
use super::verdict::{Refusal, Verdict, verdict};
use crate::error::StoreError;

/// How long one member may take for one answer: a dial, and an election that it waits for.
const TRY_MAX: Duration = Duration::from_secs(4);

/// How long a call goes on trying, before it says that the store does not answer.
const CALL_MAX: Duration = Duration::from_secs(15);

/// Between rounds over all members; twice as long after each.
const PAUSE_MIN: Duration = Duration::from_millis(20);
const PAUSE_MAX: Duration = Duration::from_secs(1);

/// How soon a member is missed that holds its connections and says nothing. etcd closes on whoever
/// asks more often than each 5 s.
const PING_EVERY: Duration = Duration::from_secs(10);
const PING_MAX: Duration = Duration::from_secs(5);

/// Flow-control windows: a page should not wait for round trips.
const STREAM_WINDOW_BYTES: u32 = 1024 * 1024;
const CONNECTION_WINDOW_BYTES: u32 = 4 * 1024 * 1024;

/// All members, and the one that answered last: it is asked first.
#[derive(Debug)]
pub(super) struct Members {
    all: Vec<Member>,
    preferred: AtomicUsize,
    /// Known from the first answer on. Two clusters would be two truths.
    cluster: OnceLock<u64>,
}

#[derive(Debug)]
pub(super) struct Member {
    pub(super) endpoint: EtcdEndpoint,
    channel: Channel,
}

/// What a call came to.
#[derive(Debug)]
pub(super) struct Asked<T> {
    pub(super) result: Result<T, Refusal>,
    /// Whether a try that was not answered may have been carried out, now or later.
    pub(super) is_doubtful: bool,
}

/// Pauses that grow, up to a second.
#[derive(Debug)]
pub(super) struct Pauses(Duration);

impl Members {
    /// Dials nobody yet. Needs a runtime, whose tasks drive the connections.
    pub(super) fn new(config: &EtcdConfig) -> Result<Self, EtcdTlsError> {
        let files = Arc::new(Files::of(config)?);
        let member = |endpoint: &EtcdEndpoint| {
            let dialer = Dialer::new(endpoint.clone(), Arc::clone(&files));
            let channel = settings(endpoint).connect_with_connector_lazy(dialer);
            Member { endpoint: endpoint.clone(), channel }
        };
        let all = config.endpoints.iter().map(member).collect();
        Ok(Self { all, preferred: AtomicUsize::new(0), cluster: OnceLock::new() })
    }

    pub(super) fn all(&self) -> &[Member] {
        &self.all
    }

    /// Asks one member after the other until one answers, or time is up. So a request must be of a
    /// kind that may be carried out twice.
    pub(super) async fn ask<R: Rpc>(&self, request: &R) -> Asked<R::Answer> {
        let until = Instant::now() + CALL_MAX;
        let first = self.preferred.load(Ordering::Relaxed);
        let mut pauses = Pauses::new();
        let mut is_doubtful = false;
        let mut turn = 0;
        loop {
            let index = (first + turn) % self.all.len();
            let check = match self.ask_one(&self.all[index], request).await {
                Ok(answer) => {
                    self.preferred.store(index, Ordering::Relaxed);
                    return Asked { result: Ok(answer), is_doubtful };
                }
                Err(Verdict::Refused(refusal)) => {
                    return Asked { result: Err(refusal), is_doubtful };
                }
                Err(Verdict::NotSent(check)) => check,
                Err(Verdict::Doubtful(check)) => {
                    is_doubtful = true;
                    check
                }
            };
            if until < Instant::now() {
                let unavailable = Refusal::Store(StoreError::Unavailable { check });
                return Asked { result: Err(unavailable), is_doubtful };
            }
            turn += 1;
            if turn % self.all.len() == 0 {
                pauses.next().await;
            }
        }
    }

    /// Asks one member once.
    pub(super) async fn ask_one<R: Rpc>(
        &self,
        member: &Member,
        request: &R,
    ) -> Result<R::Answer, Verdict> {
        let answer = request.clone().send(member.channel.clone(), TRY_MAX);
        let answer = within(&member.endpoint, Box::pin(answer)).await?;
        self.check_cluster(&member.endpoint, &answer)?;
        Ok(answer)
    }

    /// Opens a watch at one of the members, trying each once.
    pub(super) async fn open_watch(
        &self,
        create: &WatchCreateRequest,
    ) -> Result<Streaming<WatchResponse>, Verdict> {
        let first = self.preferred.load(Ordering::Relaxed);
        let mut last = None;
        for turn in 0..self.all.len() {
            let index = (first + turn) % self.all.len();
            let Member { endpoint, channel } = &self.all[index];
            let opening = rpc::open_watch(channel.clone(), create.clone());
            match within(endpoint, Box::pin(opening)).await {
                Ok(stream) => {
                    self.preferred.store(index, Ordering::Relaxed);
                    return Ok(stream);
                }
                Err(refused @ Verdict::Refused(_)) => return Err(refused),
                Err(verdict) => last = Some(verdict),
            }
        }
        Err(last.expect("a cluster has a member"))
    }

    /// Whoever was asked last is not asked first again: it fell silent.
    pub(super) fn prefer_next(&self) {
        let next = (self.preferred.load(Ordering::Relaxed) + 1) % self.all.len();
        self.preferred.store(next, Ordering::Relaxed);
    }

    /// All members must be of the cluster that answered first.
    pub(super) fn is_ours(&self, answer: &impl Headed) -> bool {
        let Some(header) = answer.header() else { return true };
        *self.cluster.get_or_init(|| header.cluster_id) == header.cluster_id
    }

    fn check_cluster(&self, from: &EtcdEndpoint, answer: &impl Headed) -> Result<(), Verdict> {
        if self.is_ours(answer) {
            return Ok(());
        }
        let check =
            format!("{from} is of another etcd cluster than the member that answered first");
        Err(Verdict::Refused(Refusal::Store(StoreError::Foreign { check })))
    }
}

/// Bounds one try, and says whom it asked.
async fn within<T>(
    endpoint: &EtcdEndpoint,
    answer: impl Future<Output = Result<T, tonic::Status>>,
) -> Result<T, Verdict> {
    match timeout(TRY_MAX, answer).await {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(status)) => Err(match verdict(&status) {
            Verdict::Doubtful(check) => Verdict::Doubtful(format!("{endpoint}: {check}")),
            verdict => verdict,
        }),
        Err(_) => {
            let check = format!("{endpoint} gave no answer within {} ms", TRY_MAX.as_millis());
            Err(Verdict::Doubtful(check))
        }
    }
}

fn settings(endpoint: &EtcdEndpoint) -> Endpoint {
    // Plain by its scheme, since TLS is the dialler's. The host is what HTTP/2 wants to be told.
    Endpoint::from_shared(format!("http://{endpoint}"))
        .expect("a host and a port make a URI")
        .http2_keep_alive_interval(PING_EVERY)
        .keep_alive_timeout(PING_MAX)
        .initial_stream_window_size(STREAM_WINDOW_BYTES)
        .initial_connection_window_size(CONNECTION_WINDOW_BYTES)
}

impl Pauses {
    pub(super) fn new() -> Self {
        Self(PAUSE_MIN)
    }

    pub(super) async fn next(&mut self) {
        sleep(self.0).await;
        self.0 = (self.0 * 2).min(PAUSE_MAX);
    }
}
