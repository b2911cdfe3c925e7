//! The provider's side: takes what comes down the link, checks it by itself, calls the service.

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, TRANSFER_ENCODING};
use http::{Request, Response};
use http_body::Body as _;
use http_body_util::BodyExt as _;
use hyper::body::Incoming as Answer;
use mesh_core::access;
use mesh_core::exchange::{AnswerHeader, BodyDescriptor, Digest, Outcome, RequestHeader};
use mesh_core::limits::{DATA_BYTES_MAX, INLINE_BODY_BYTES_MAX};
use mesh_core::operation::{Method, RequestPath};
use mesh_core::permit::Wish;
use mesh_core::reason::{HopName, Problem, Reason};
use mesh_core::time::UnixMs;
use mesh_link::exchange::{Exchange, Incoming};
use mesh_link::lane::Accept;
use mesh_proto::frame::{Close, Hop, HopTime, Open};
use mesh_proto::head::{AnswerHead, Field, RequestHead, read_request_head, write_answer_head};
use mesh_proto::header::{read_request, write_answer};
use tokio::time::{Instant, sleep_until};

use crate::agent::{Agent, Names, Record, Side};
use crate::backend::{self, Backends};
use crate::config::Backend;
use crate::fields;
use crate::inflow::{Inflow, sha256};
use crate::payload::{self, Feed, Payload};
use crate::r1::Flaw;

/// See the module. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Provider {
    agent: Agent,
    backends: Arc<Backends>,
}

/// One exchange as it is being answered.
struct Answering<'a> {
    agent: &'a Agent,
    exchange: Arc<Exchange>,
    header: RequestHeader,
    request_digest: Digest,
    method: Method,
    /// The hops that the request passed.
    hops: Vec<HopTime>,
    arrived: Instant,
    stage: Stage,
}

/// How far an exchange has come, for the one who asks why its time ran out.
#[derive(Debug)]
struct Stage(AtomicUsize);

const REQUEST: usize = 0;
const HEAD: usize = 1;
const BODY: usize = 2;
const HAND_BACK: usize = 3;

/// By stage.
const LATE: [&str; 4] = [
    "the request's body was not here in time",
    "the service sent no head of an answer in time",
    "the service did not finish the body of its answer in time",
    "the consumer did not take the answer in time",
];

impl Accept for Provider {
    fn accept(&self, incoming: Incoming) {
        let provider = self.clone();
        self.agent.spawn.task(async move { provider.take(incoming).await });
    }
}

impl Provider {
    /// The side of `agent` that answers.
    pub fn new(agent: Agent, backends: Backends) -> Self {
        Self { agent, backends: Arc::new(backends) }
    }

    async fn take(&self, incoming: Incoming) {
        let Incoming { open, exchange, arrived, lane } = incoming;
        let from = &lane.peer().hop;
        let exchange = Arc::new(exchange);
        let mut record = self.agent.record(Side::Provider, arrived);
        match self.answer(open, &exchange, (arrived, from), &mut record).await {
            Ok(()) => record.answered(),
            Err(problem) => {
                exchange.cancel(problem.clone());
                record.failed(&problem);
            }
        }
    }

    async fn answer(
        &self,
        open: Open,
        exchange: &Arc<Exchange>,
        (arrived, from): (Instant, &HopName),
        record: &mut Record,
    ) -> Result<(), Problem> {
        let Open { header: bytes, head, body, hop, close } = open;
        let flawed = |flaw: Flaw| flaw.problem(self.agent.hop.clone());
        let header = read_request(&bytes).map_err(|why| {
            let detail = format!("the request's header cannot be read: {why}");
            self.agent.problem(Reason::RequestMalformed, detail)
        })?;
        record.number(header.exchange);
        record.name(Arc::new(Names {
            consumer: header.consumer.clone(),
            service: header.service.clone(),
            operation: header.operation.clone(),
            kind: header.kind,
        }));
        exchange.set_flow(header.consumer.agency.to_string().into());
        let directory = self.agent.directory.now();
        self.agent.standing.check(&header, (&directory, from, &self.agent.hop))?;
        let head = check(&self.agent, &header, &head).map_err(flawed)?;
        let backend = self.backends.find(&header.service).ok_or_else(|| {
            let detail = format!("no backend is configured for {}", header.service);
            self.agent.problem(Reason::BackendMissing, detail)
        })?;

        let capped = backend.timeout().map(|timeout| arrived + timeout);
        let until = capped.map_or(exchange.deadline(), |cap| cap.min(exchange.deadline()));
        let inflow = Inflow::new(Arc::clone(exchange), self.agent.hop.clone(), (body, close));
        let answering = Answering {
            agent: &self.agent,
            exchange: Arc::clone(exchange),
            request_digest: sha256(&bytes),
            header,
            method: head.method,
            hops: hop.hops,
            arrived,
            stage: Stage(AtomicUsize::new(REQUEST)),
        };
        let work = pin!(answering.work((&self.backends, backend), head, inflow));
        tokio::select! {
            // Asked first, so that it is this agent that says what was late.
            biased;
            () = sleep_until(until) => {
                Err(self.agent.problem(Reason::DeadlineExceeded, answering.stage.late()))
            }
            result = work => result,
        }
    }
}

/// What the provider's agent checks for itself, whatever the hops before it did. The head is read
/// last: nothing in it counts before its header is known to be allowed.
fn check(agent: &Agent, header: &RequestHeader, head: &[u8]) -> Result<RequestHead, Flaw> {
    let RequestHeader { consumer, service, operation, purpose, agreement, .. } = header;
    if service.system != agent.system {
        let detail = format!("this is the agent of {}, not of {}", agent.system, service.system);
        return Err(Flaw::new(Reason::RouteStale, detail));
    }
    let wish = Wish { consumer, service, operation, purpose };
    let directory = agent.directory.now();
    let now = UnixMs(agent.clock.unix_ms());
    let service = access::admit(&directory, &wish, agreement, now)
        .map_err(|refused| Flaw::refused(&refused, now))?;
    if header.head_digest != sha256(head) {
        let detail = "the request's head is not the one that its header describes";
        return Err(Flaw::new(Reason::BodyCorrupt, detail));
    }
    let head = read_request_head(head).map_err(|why| {
        Flaw::new(Reason::RequestMalformed, format!("the request's head cannot be read: {why}"))
    })?;
    let path = RequestPath::new(&head.path)
        .map_err(|why| Flaw::new(Reason::RequestMalformed, why.to_string()))?;
    // Another operation may say more of this path than the declared one does.
    let found = service.operation(head.method, path);
    if !found.is_some_and(|found| found.id == *operation && found.kind == header.kind) {
        let detail = format!("method and path are not those of the operation {operation}");
        return Err(Flaw::new(Reason::OperationMismatch, detail));
    }
    Ok(head)
}

impl Answering<'_> {
    /// Calls the service while the request's body still comes, and hands its answer back. Ends as
    /// soon as the exchange is broken off.
    async fn work(
        &self,
        (backends, backend): (&Backends, &Backend),
        head: RequestHead,
        mut inflow: Inflow,
    ) -> Result<(), Problem> {
        let request = |body| {
            let request = backend::request(backend, &self.header, (head, body));
            request.map_err(|flaw| self.flawed(flaw))
        };
        match self.header.body {
            BodyDescriptor::Inline { digest, length } => {
                let body = inflow.collect(length, digest).await?;
                let request = request(payload::whole(body))?;
                tokio::select! {
                    problem = inflow.broken() => Err(problem),
                    result = self.call(backends, request) => result,
                }
            }
            BodyDescriptor::Stream { length, .. } => {
                inflow = inflow.expect(length);
                let (feed, body) = payload::in_parts(length);
                let request = request(body)?;
                tokio::select! {
                    problem = forward(inflow, feed) => Err(problem),
                    result = self.call(backends, request) => result,
                }
            }
        }
    }

    async fn call(&self, backends: &Backends, request: Request<Payload>) -> Result<(), Problem> {
        self.stage.set(HEAD);
        let response = backends.call(request).await.map_err(|flaw| self.flawed(flaw))?;
        self.stage.set(BODY);
        let (head, body) = self.read(response).map_err(|flaw| self.flawed(flaw))?;
        let length = body.size_hint().exact();
        if length.is_some_and(|length| length <= INLINE_BODY_BYTES_MAX as u64) {
            self.hand_back_whole(head, body).await
        } else {
            self.hand_back_parts(head, body, length).await
        }
    }

    /// The head of a service's answer, as it travels.
    fn read(&self, response: Response<Answer>) -> Result<(Bytes, Answer), Flaw> {
        let (parts, body) = response.into_parts();
        let malformed = |detail: String| Flaw::new(Reason::ProviderMalformed, detail);
        let status = parts.status.as_u16();
        if !(200..600).contains(&status) {
            return Err(malformed(format!("the service answered with the status {status}")));
        }
        // Whoever reads such an answer by the other rule sees two answers (RFC 9112 §6.3).
        let has = |name| parts.headers.contains_key(name);
        if has(CONTENT_LENGTH) && has(TRANSFER_ENCODING) {
            let detail = "the service's answer has both Content-Length and Transfer-Encoding";
            return Err(malformed(detail.into()));
        }
        let mut fields = fields::end_to_end(&parts.headers);
        // The one length that says nothing of the body that comes with it (RFC 9110 §9.3.2).
        let described = parts.headers.get(CONTENT_LENGTH).filter(|_| self.method == Method::Head);
        fields.extend(described.map(|length| Field {
            name: CONTENT_LENGTH.as_str().into(),
            value: Bytes::copy_from_slice(length.as_bytes()),
        }));
        let head = write_answer_head(AnswerHead { status, fields, detail: String::new() });
        let head = head.map_err(|why| malformed(format!("the service's answer: {why}")))?;
        Ok((head, body))
    }

    async fn hand_back_whole(&self, head: Bytes, body: Answer) -> Result<(), Problem> {
        let body = body.collect().await.map_err(|error| self.flawed(backend::broken(&error)))?;
        let mut first = body.to_bytes();
        let length = first.len() as u32;
        let descriptor = BodyDescriptor::Inline { digest: sha256(&first), length };
        let rest = first.split_off(first.len().min(DATA_BYTES_MAX));
        self.stage.set(HAND_BACK);
        if rest.is_empty() {
            return self.open(descriptor, (head, first), Some(Close::default()));
        }
        self.open(descriptor, (head, first), None)?;
        self.exchange.send(rest).await?;
        self.exchange.close(Close::default())
    }

    async fn hand_back_parts(
        &self,
        head: Bytes,
        mut body: Answer,
        length: Option<u64>,
    ) -> Result<(), Problem> {
        let chunk_bytes = DATA_BYTES_MAX as u32;
        self.open(BodyDescriptor::Stream { chunk_bytes, length }, (head, Bytes::new()), None)?;
        let mut sent = 0;
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|error| self.flawed(backend::broken(&error)))?;
            // HTTP/1.1 trailers end here; r1 has none.
            let Ok(part) = frame.into_data() else { continue };
            sent += part.len() as u64;
            self.stage.set(HAND_BACK);
            self.exchange.send(part).await?;
            self.stage.set(BODY);
        }
        self.exchange.close(Close { length: Some(sent), ..Close::default() })
    }

    /// Begins the answer.
    fn open(
        &self,
        body: BodyDescriptor,
        (head, first): (Bytes, Bytes),
        close: Option<Close>,
    ) -> Result<(), Problem> {
        let header = AnswerHeader {
            exchange: self.header.exchange,
            request_digest: self.request_digest,
            outcome: Outcome::Answered,
            answered_at_unix_ms: self.agent.clock.unix_ms(),
            body,
            head_digest: sha256(&head),
            directory: self.agent.standing.position(),
        };
        let mut hops = self.hops.clone();
        hops.push(HopTime { hop: self.agent.hop.clone(), elapsed: self.arrived.elapsed() });
        let remaining = self.exchange.deadline().saturating_duration_since(Instant::now());
        let hop = Hop { remaining, hops };
        self.exchange.answer(Open { header: write_answer(&header), head, body: first, hop, close })
    }

    fn flawed(&self, flaw: Flaw) -> Problem {
        flaw.problem(self.agent.hop.clone())
    }
}

/// Hands a request's body on to the service as it comes; completes only when the exchange breaks.
/// The feed goes with this future, so that a body that broke off never looks whole.
async fn forward(mut inflow: Inflow, feed: Feed) -> Problem {
    loop {
        match inflow.next().await {
            Ok(Some(part)) => {
                // A service that answers early may stop reading.
                if feed.data(part).await.is_err() {
                    break;
                }
            }
            Ok(None) => {
                let _ = feed.end().await;
                break;
            }
            Err(problem) => return problem,
        }
    }
    inflow.broken().await
}

impl Stage {
    fn set(&self, stage: usize) {
        self.0.store(stage, Ordering::Relaxed);
    }

    fn late(&self) -> &'static str {
        LATE.get(self.0.load(Ordering::Relaxed)).copied().unwrap_or_default()
    }
}
