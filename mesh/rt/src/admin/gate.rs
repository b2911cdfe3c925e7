//! What stands before every service of an admin port: is whoever asks still let in, and do they ask
//! too often? A handshake says that a key was active then; a connection may live for days.

use std::collections::HashMap;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body as HttpBody;
use mesh_core::node::NodeName;
use mesh_core::reason::{HopName, Problem, Reason};
use mesh_proto::status::write_status;
use tokio::time::Instant;
use tonic::body::Body;
use tonic::{Code, Status};
use tower::{Layer, Service};

use crate::tls::{AdmitKey, PeerIdentity};

/// Requests of one operator a second, over time.
const RATE_PER_SECOND: u32 = 200;

/// And at once.
const BURST: u32 = 400;

/// Operators who are counted at once; who has not asked for a while is forgotten first.
const COUNTED_MAX: usize = 1024;

/// See the module. Cheap to clone; all clones count together.
#[derive(Clone)]
pub(super) struct GateLayer {
    hop: HopName,
    /// `None` for a port that loopback alone protects.
    admits: Option<AdmitKey>,
    counted: Arc<Mutex<HashMap<Option<NodeName>, Allowance>>>,
}

/// How often somebody may ask now.
#[derive(Clone, Copy, Debug)]
struct Allowance {
    left: f64,
    at: Instant,
}

impl GateLayer {
    pub(super) fn new(hop: HopName, admits: Option<AdmitKey>) -> Self {
        Self { hop, admits, counted: Arc::default() }
    }

    fn pass(&self, peer: Option<&PeerIdentity>, now: Instant) -> Result<(), Problem> {
        if let Some(admits) = &self.admits
            && !peer.is_some_and(|peer| admits.0(peer))
        {
            let detail = "the key of this operator is not active in the directory any more";
            return Err(Problem::new(Reason::NodeUnknown, self.hop.clone(), detail));
        }
        if self.count(peer.map(|peer| peer.node.clone()), now) {
            return Ok(());
        }
        let detail = format!("more than {RATE_PER_SECOND} requests a second, or {BURST} at once");
        Err(Problem::new(Reason::AdminRateLimited, self.hop.clone(), detail))
    }

    fn count(&self, who: Option<NodeName>, now: Instant) -> bool {
        let mut counted = self.counted.lock().expect("nothing panics under this lock");
        if COUNTED_MAX <= counted.len() {
            counted.retain(|_, allowance| now < allowance.at + Duration::from_secs(2));
        }
        let fresh = Allowance { left: f64::from(BURST), at: now };
        counted.entry(who).or_insert(fresh).take(now)
    }

    /// Says in our words what the library says in its own.
    fn explain<B>(&self, response: &Response<B>) -> Option<Response<Body>> {
        let headers = response.headers();
        let is_ours = headers.contains_key("grpc-status-details-bin");
        let status = Status::from_header_map(headers).filter(|_| !is_ours)?;
        if status.code() != Code::OutOfRange {
            return None;
        }
        let (reason, hop) = (Reason::AdminMessageTooLarge, self.hop.clone());
        let problem = Problem::new(reason, hop, "the message is larger than this port takes");
        Some(write_status(&problem, None).into_http())
    }
}

impl Allowance {
    fn take(&mut self, now: Instant) -> bool {
        let since = now.saturating_duration_since(self.at).as_secs_f64();
        self.left = (self.left + since * f64::from(RATE_PER_SECOND)).min(f64::from(BURST));
        self.at = now;
        let may = 1.0 <= self.left;
        if may {
            self.left -= 1.0;
        }
        may
    }
}

impl<S> Layer<S> for GateLayer {
    type Service = Gate<S>;

    fn layer(&self, inner: S) -> Self::Service {
        Gate { inner, rule: self.clone() }
    }
}

/// See [`GateLayer`].
#[derive(Clone)]
pub(super) struct Gate<S> {
    inner: S,
    rule: GateLayer,
}

impl<S, In, Out> Service<Request<In>> for Gate<S>
where
    S: Service<Request<In>, Response = Response<Out>>,
    S::Future: Send + 'static,
    Out: HttpBody<Data = Bytes> + Send + 'static,
    Out::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    type Response = Response<Body>;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, S::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<In>) -> Self::Future {
        let peer = request.extensions().get::<PeerIdentity>();
        if let Err(problem) = self.rule.pass(peer, Instant::now()) {
            let refused = write_status(&problem, None).into_http();
            return Box::pin(async { Ok(refused) });
        }
        let response = self.inner.call(request);
        let rule = self.rule.clone();
        Box::pin(async move {
            let response = response.await?;
            let explained = rule.explain(&response);
            Ok(explained.unwrap_or_else(|| response.map(Body::new)))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gate(admits: Option<AdmitKey>) -> GateLayer {
        GateLayer::new("hub.centre".parse().unwrap(), admits)
    }

    #[test]
    fn somebody_may_ask_so_often_and_then_waits() {
        let (gate, now) = (gate(None), Instant::now());
        let asks = |now, count: u32| (0..count).filter(|_| gate.pass(None, now).is_ok()).count();
        assert_eq!(asks(now, BURST + 10), BURST as usize);
        let problem = gate.pass(None, now).unwrap_err();
        assert_eq!(problem.reason, Reason::AdminRateLimited);
        let later = now + Duration::from_secs(1);
        assert_eq!(asks(later, BURST), RATE_PER_SECOND as usize);
        assert_eq!(asks(later + Duration::from_secs(60), 2 * BURST), BURST as usize);
    }

    #[test]
    fn a_key_that_is_not_active_any_more_opens_nothing() {
        let gate = gate(Some(AdmitKey(Arc::new(|_| true))));
        let nobody = gate.pass(None, Instant::now()).unwrap_err();
        assert_eq!(nobody.reason, Reason::NodeUnknown);
    }

    #[test]
    fn what_the_library_says_of_a_size_is_said_with_its_reason() {
        let large = Status::out_of_range("message length too large").into_http::<Body>();
        let explained = gate(None).explain(&large).expect("it is");
        let status = Status::from_header_map(explained.headers()).expect("a status");
        let problem = mesh_proto::status::read_status(&status).expect("ours");
        assert_eq!(problem.reason, Reason::AdminMessageTooLarge);
        assert!(gate(None).explain(&explained).is_none());
        assert!(gate(None).explain(&Status::internal("other").into_http::<Body>()).is_none());
    }
}
