//! The consumer's side: takes what an application asks, sends it into the mesh, and gives back what
//! comes of it.

use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http::request::Parts;
use http::{Request, Response, StatusCode};
use http_body::Body as _;
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use mesh_core::deadline::hand_on;
use mesh_core::exchange::{BodyDescriptor, ExchangeId, RequestHeader};
use mesh_core::limits::{DATA_BYTES_MAX, INLINE_BODY_BYTES_MAX};
use mesh_core::node::NodeName;
use mesh_core::operation::OperationKind;
use mesh_core::reason::{HopName, Problem, Reason};
use mesh_core::time::UnixMs;
use mesh_link::dial::Uplink;
use mesh_link::exchange::Exchange;
use mesh_link::lane::Lane;
use mesh_proto::frame::{Close, Hop, HopTime, LaneKind, Open};
use mesh_proto::head::{RequestHead, write_request_head};
use mesh_proto::header::write_request;
use rand::RngExt as _;
use rand::rngs::StdRng;
use tokio::time::{Duration, Instant, timeout, timeout_at};

use crate::agent::{Agent, Names, Record, Side};
use crate::answer::{Question, Release};
use crate::clearance;
use crate::fields;
use crate::inflow::sha256;
use crate::local::Cut;
use crate::payload::{Payload, is_unreadable};
use crate::problem::{Refusal, respond, written};
use crate::r1::{self, Asked, Flaw};
use crate::sunset::Sunset;

/// What an application may still send after a refusal that did not read its body, and for how long
/// this is thrown away: an application that is cut off while it writes does not read the refusal.
const LINGER_BYTES_MAX: usize = 1024 * 1024;
const LINGER_TIME_MAX: Duration = Duration::from_millis(500);

/// See the module.
#[derive(Debug)]
pub struct Consumer {
    agent: Agent,
    uplink: Arc<Uplink>,
    upper: NodeName,
    random: Mutex<StdRng>,
}

/// A request that is ready to leave.
struct Leaving {
    header: Bytes,
    head: Bytes,
    /// What travels inside the `Open`.
    first: Bytes,
    rest: Rest,
}

/// What follows the `Open`.
enum Rest {
    Nothing,
    Inline(Bytes),
    Stream(Incoming),
}

/// What the header says of a body, and how it travels.
type Packed = (BodyDescriptor, Bytes, Rest);

impl Consumer {
    /// The side of `agent` that asks, through a link to `upper`. `random` is for exchange ids.
    pub fn new(agent: Agent, uplink: Arc<Uplink>, upper: NodeName, random: StdRng) -> Self {
        Self { agent, uplink, upper, random: Mutex::new(random) }
    }

    /// Carries one request through the mesh. Dropping the future, or the body that it gave, breaks
    /// the exchange off. `cut` is of the connection that the answer goes to.
    pub(crate) async fn carry(&self, request: Request<Incoming>, cut: Cut) -> Response<Payload> {
        let began = Instant::now();
        let (head, body) = request.into_parts();
        let exchange = self.new_id();
        let mut record = self.agent.record(Side::Consumer, began);
        record.number(exchange);
        let mut body = Some(body);
        match self.ask((&head, &mut body), (exchange, began), &mut record).await {
            Ok(release) => release.respond(record, &self.agent.spawn, cut),
            Err(refusal) => {
                record.failed(&refusal.problem);
                if let Some(body) = body {
                    linger(&head, body).await;
                }
                respond(&refusal, exchange, r1::message_id(&head.headers).as_deref())
            }
        }
    }

    /// What an application is told that sent no request at all, for which HTTP has `status`: the
    /// headers and the body.
    pub(crate) fn unreadable(&self, status: StatusCode) -> (String, String) {
        let exchange = self.new_id();
        let mut record = self.agent.record(Side::Consumer, Instant::now());
        record.number(exchange);
        let flaw = r1::unreadable(status);
        let problem = self.agent.problem(flaw.reason, flaw.detail);
        record.failed(&problem);
        written(&Refusal { status, ..problem.into() }, exchange)
    }

    async fn ask(
        &self,
        (head, body): (&Parts, &mut Option<Incoming>),
        (id, began): (ExchangeId, Instant),
        record: &mut Record,
    ) -> Result<Release, Refusal> {
        let asked = r1::read(head).map_err(|flaw| self.refuse(flaw))?;
        // Before anything that the directory says: it may say nothing yet, or no longer count.
        self.agent.serves(false)?;
        let directory = self.agent.directory.now();
        let now = UnixMs(self.agent.clock.unix_ms());
        let clear = clearance::decide(&directory, &self.agent.system, &asked, now);
        let clear = clear.map_err(|flaw| self.refuse(flaw))?;
        let names = Arc::new(Names {
            consumer: asked.client.clone(),
            service: asked.service.clone(),
            operation: clear.operation.id.clone(),
            kind: clear.operation.kind,
        });
        record.name(Arc::clone(&names));

        let deadline = clear.service.deadline(asked.granted);
        let until = began + deadline;
        let head = self.head(head, &asked)?;
        let Some(body) = body.take() else {
            return Err(self.agent.problem(Reason::Internal, "the body was taken before").into());
        };
        let (descriptor, first, rest) = self.pack(body, until).await?;
        let header = RequestHeader {
            exchange: id,
            consumer: names.consumer.clone(),
            service: names.service.clone(),
            operation: names.operation.clone(),
            kind: names.kind,
            agreement: clear.agreement.id(),
            purpose: clear.purpose.clone(),
            deadline,
            issued_at_unix_ms: self.agent.clock.unix_ms(),
            body: descriptor,
            head_digest: sha256(&head),
            operator: asked.operator,
            idempotency_key: asked.idempotency_key,
            retry_of: None,
            directory: self.agent.standing.position(),
        };
        let keyed = header.idempotency_key.is_some();
        let header = write_request(&header);
        let question = Question {
            exchange: id,
            request_digest: sha256(&header),
            names: Arc::clone(&names),
            message_id: asked.message_id.unwrap_or_else(|| id.to_string()),
            method: asked.method,
            began,
            upper: HopName::from(&self.upper),
            sunset: clear.deprecated.map(|deprecated| Sunset::new(clear.service, deprecated)),
        };
        let exchange = self.send(Leaving { header, head, first, rest }, (began, until))?;
        let release = question.release(&self.agent, exchange).await;
        release.map_err(|problem| match names.kind {
            OperationKind::Inquiry => problem.into(),
            OperationKind::Submission => uncertain(problem, &self.agent.hop, keyed),
        })
    }

    fn refuse(&self, flaw: Flaw) -> Refusal {
        let problem = flaw.problem(self.agent.hop.clone());
        match problem.reason {
            Reason::RequestTooLarge => Refusal::of_a_head(problem),
            _ => problem.into(),
        }
    }

    fn head(&self, head: &Parts, asked: &Asked) -> Result<Bytes, Refusal> {
        let head = RequestHead {
            method: asked.method,
            path: asked.path.clone(),
            query: asked.query.clone(),
            fields: fields::end_to_end(&head.headers),
            message_id: asked.message_id.clone(),
            user_id: asked.user_id.clone(),
            issue: asked.issue.clone(),
        };
        write_request_head(head).map_err(|why| {
            let detail = format!("the request's {why}");
            Refusal::of_a_head(self.agent.problem(Reason::RequestTooLarge, detail))
        })
    }

    /// Describes a body: inline if it is known to be small, and then all of it must be here.
    async fn pack(&self, body: Incoming, until: Instant) -> Result<Packed, Problem> {
        let length = body.size_hint().exact();
        if length.is_none_or(|length| (INLINE_BODY_BYTES_MAX as u64) < length) {
            let descriptor = BodyDescriptor::Stream { chunk_bytes: DATA_BYTES_MAX as u32, length };
            return Ok((descriptor, Bytes::new(), Rest::Stream(body)));
        }
        let late = || {
            let detail = "the application did not finish the request's body in time";
            self.agent.problem(Reason::DeadlineExceeded, detail)
        };
        let body = timeout_at(until, body.collect()).await.map_err(|_| late())?;
        let mut first = body.map_err(|error| broken_off(&self.agent.hop, &error))?.to_bytes();
        let length = first.len() as u32;
        let descriptor = BodyDescriptor::Inline { digest: sha256(&first), length };
        let rest = first.split_off(first.len().min(DATA_BYTES_MAX));
        let rest = if rest.is_empty() { Rest::Nothing } else { Rest::Inline(rest) };
        Ok((descriptor, first, rest))
    }

    /// Opens the exchange, and leaves what follows to a task of its own: the answer may come first.
    fn send(
        &self,
        leaving: Leaving,
        (began, until): (Instant, Instant),
    ) -> Result<Arc<Exchange>, Problem> {
        let Leaving { header, head, first, rest } = leaving;
        let kind = if matches!(rest, Rest::Stream(_)) { LaneKind::Bulk } else { LaneKind::Quick };
        let lane = self.uplink.lane(kind).ok_or_else(|| self.no_link())?;
        let remaining = hand_on(until - began, began.elapsed()).ok_or_else(|| {
            self.agent.problem(Reason::DeadlineExceeded, "no time was left to send the request")
        })?;
        let me = HopTime { hop: self.agent.hop.clone(), elapsed: Duration::ZERO };
        let hop = Hop { remaining, hops: vec![me] };
        let close = matches!(rest, Rest::Nothing).then(Close::default);
        let open = Open { header, head, body: first, hop, close };
        let exchange = Arc::new(self.open(&lane, open, until)?);
        let (hop, sending) = (self.agent.hop.clone(), Arc::clone(&exchange));
        match rest {
            Rest::Nothing => {}
            Rest::Inline(rest) => self.agent.spawn.task(send_inline(sending, rest)),
            Rest::Stream(body) => self.agent.spawn.task(send_stream(sending, body, hop)),
        }
        Ok(exchange)
    }

    fn open(&self, lane: &Lane, open: Open, until: Instant) -> Result<Exchange, Problem> {
        let flow = self.agent.system.agency.agency.as_str().into();
        lane.open(flow, open, until)
    }

    fn no_link(&self) -> Problem {
        let (reason, upper) = match &self.upper {
            NodeName::Centre => (Reason::CentreUnreachable, HopName::from(&NodeName::Centre)),
            hub => (Reason::HubUnreachable, HopName::from(hub)),
        };
        let detail = format!("the agent {} has no link to {upper}", self.agent.hop);
        Problem::new(reason, upper, detail)
    }

    fn new_id(&self) -> ExchangeId {
        let random = self.random.lock().expect("nothing panics under this lock").random();
        ExchangeId::new(self.agent.clock.unix_ms(), random)
    }
}

/// A submission that was sent, and then broke, may have been carried out: the application must
/// know, and may only repeat it under the key that makes both one. `me` is the hop that asked.
fn uncertain(problem: Problem, me: &HopName, keyed: bool) -> Refusal {
    let Problem { reason, hop, detail, .. } = &problem;
    let asked = match reason {
        Reason::LinkLost
        | Reason::ProtocolViolation
        | Reason::Draining
        | Reason::DeadlineExceeded
        | Reason::Cancelled
        | Reason::ProviderBrokeOff
        | Reason::ProviderMalformed
        | Reason::AnswerMismatch
        | Reason::Internal
        | Reason::OutcomeUnknown => true,
        // Here it is the answer's body; farther on the request's, which no service took as whole.
        Reason::BodyCorrupt => hop == me,
        // All others are found before the service is asked.
        _ => false,
    };
    if !asked {
        return problem.into();
    }
    let detail = format!("the submission may have been carried out: {reason}: {detail}");
    let refusal = Refusal::from(Problem::new(Reason::OutcomeUnknown, hop.clone(), detail));
    if keyed { refusal } else { refusal.never_again() }
}

async fn send_inline(exchange: Arc<Exchange>, rest: Bytes) {
    // Whoever waits for the answer learns of a broken exchange too.
    if exchange.send(rest).await.is_ok() {
        let _ = exchange.close(Close::default());
    }
}

/// Sends a body as the application writes it, for as long as anybody wants it.
async fn send_stream(exchange: Arc<Exchange>, body: Incoming, hop: HopName) {
    let until = exchange.deadline();
    // Behind the deadline nobody holds the other end of this exchange any more.
    let _ = timeout_at(until, pump(&exchange, body, &hop)).await;
}

async fn pump(exchange: &Exchange, mut body: Incoming, hop: &HopName) {
    let mut length = 0;
    while let Some(frame) = body.frame().await {
        let part = match frame {
            Ok(frame) => frame.into_data(),
            Err(error) => return exchange.cancel(broken_off(hop, &error)),
        };
        // HTTP/1.1 trailers end here; r1 has none.
        let Ok(part) = part else { continue };
        length += part.len() as u64;
        if exchange.send(part).await.is_err() {
            return;
        }
    }
    let _ = exchange.close(Close { length: Some(length), ..Close::default() });
}

/// The application did not finish its own request.
fn broken_off(hop: &HopName, error: &hyper::Error) -> Problem {
    let (reason, detail) = if is_unreadable(error) {
        (Reason::RequestMalformed, "the request's body is not well-formed HTTP")
    } else {
        (Reason::Cancelled, "the application broke off while it sent the request's body")
    };
    Problem::new(reason, hop.clone(), detail)
}

/// Reads a little of what the application still writes, so that it comes to read the refusal.
async fn linger(head: &Parts, mut body: Incoming) {
    // Whoever asks first whether to send the body does not send it now.
    if head.headers.contains_key(http::header::EXPECT) {
        return;
    }
    let read = async {
        let mut length = 0;
        while let Some(Ok(frame)) = body.frame().await
            && length < LINGER_BYTES_MAX
        {
            length += frame.data_ref().map_or(0, Bytes::len);
        }
    };
    // Beyond either limit the connection is closed, and that is all.
    let _ = timeout(LINGER_TIME_MAX, read).await;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_tells_to_repeat_a_submission_that_was_asked() {
        let (me, far) = ("desk.tax.gov.edge".parse().unwrap(), "hub.health".parse().unwrap());
        let before = |reason, hop: &HopName| match reason {
            Reason::BodyCorrupt => *hop == far,
            Reason::RouteStale
            | Reason::DirectoryStale
            | Reason::DirectorySplitView
            | Reason::HubUnreachable
            | Reason::CentreUnreachable
            | Reason::ClusterUnreachable
            | Reason::ProviderUnreachable
            | Reason::ServiceDisabled
            | Reason::ServiceMaintenance
            | Reason::AdminRateLimited
            | Reason::Overloaded => true,
            reason => {
                use mesh_core::reason::Kind::{Conflict, Forbidden, Malformed, NotFound, TooLarge};
                matches!(reason.kind(), Conflict | Forbidden | Malformed | NotFound | TooLarge)
                    || matches!(reason, Reason::BackendMissing | Reason::RegistryUnavailable)
            }
        };
        for (reason, hop) in Reason::ALL.iter().flat_map(|reason| [(*reason, &me), (*reason, &far)])
        {
            let said = |keyed| uncertain(Problem::new(reason, hop.clone(), "why"), &me, keyed);
            let (unkeyed, keyed) = (said(false), said(true));
            assert_eq!(unkeyed.problem.hop, *hop);
            if before(reason, hop) {
                assert_eq!(unkeyed.problem.reason, reason, "{hop}");
                continue;
            }
            assert_eq!(unkeyed.problem.reason, Reason::OutcomeUnknown, "{reason} at {hop}");
            let detail = format!("the submission may have been carried out: {reason}: why");
            assert_eq!(*unkeyed.problem.detail, *detail);
            assert_eq!(unkeyed.retry_after, None, "{reason}");
            assert_eq!(keyed.retry_after, Reason::OutcomeUnknown.retry_after(), "{reason}");
        }
    }
}
