//! The consumer's side: an answer out of the mesh, held against its question before the application
//! sees a byte of it.

use std::fmt::Write as _;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::stream;
use http::header::{self, HeaderName, HeaderValue};
use http::{Response, StatusCode};
use http_body::Frame;
use http_body_util::{BodyExt as _, StreamBody};
use mesh_core::exchange::{AnswerHeader, BodyDescriptor, Digest, ExchangeId, Outcome};
use mesh_core::operation::Method;
use mesh_core::reason::{HopName, Problem, Reason};
use mesh_link::Spawn;
use mesh_link::exchange::{Event, Exchange};
use mesh_proto::frame::{HopTime, Open};
use mesh_proto::head::{AnswerHead, read_answer_head};
use mesh_proto::header::read_answer;
use tokio::sync::oneshot;
use tokio::task::yield_now;
use tokio::time::{Duration, Instant, timeout_at};

use crate::agent::{Agent, Names, Record};
use crate::fields;
use crate::inflow::{Inflow, sha256};
use crate::local::Cut;
use crate::payload::{self, Broken, Payload};
use crate::problem::ascii;
use crate::r1;
use crate::sunset::Sunset;

/// W3C Server-Timing.
const SERVER_TIMING: HeaderName = HeaderName::from_static("server-timing");

/// What was asked, as far as the answer is held against it or repeats it.
#[derive(Debug)]
pub(crate) struct Question {
    pub(crate) exchange: ExchangeId,
    pub(crate) request_digest: Digest,
    pub(crate) names: Arc<Names>,
    pub(crate) message_id: String,
    pub(crate) method: Method,
    pub(crate) began: Instant,
    /// Where answers come from.
    pub(crate) upper: HopName,
    /// What the application is told of a service that it should leave.
    pub(crate) sunset: Option<Sunset>,
}

/// An answer that the application may see.
#[derive(Debug)]
pub(crate) struct Release {
    question: Question,
    head: AnswerHead,
    body: AnswerBody,
    timing: String,
    held: Held,
}

#[derive(Debug)]
enum AnswerBody {
    Whole(Bytes),
    Stream { inflow: Inflow, length: Option<u64> },
}

/// An exchange that somebody waits for. When nobody does any more, it is broken off: a request that
/// is still being sent would otherwise go on.
#[derive(Debug)]
struct Held {
    exchange: Arc<Exchange>,
    hop: HopName,
}

impl Question {
    /// Waits for the answer, and checks what there is of it.
    pub(crate) async fn release(
        self,
        agent: &Agent,
        exchange: Arc<Exchange>,
    ) -> Result<Release, Problem> {
        let held = Held { exchange, hop: agent.hop.clone() };
        let Event::Open(open) = held.exchange.receive().await? else {
            return Err(agent.problem(Reason::Internal, "a body before its opening"));
        };
        let Open { header, head, body, hop, close } = open;
        let timing = timing(&held.hop, self.began.elapsed(), &hop.hops);
        let farthest = hop.hops.last().map_or(&self.upper, |time| &time.hop).clone();
        let mismatch = |why: String| Problem::new(Reason::AnswerMismatch, farthest.clone(), why);
        let header = read_answer(&header)
            .map_err(|why| mismatch(format!("the answer's header cannot be read: {why}")))?;
        self.check(&header, &head).map_err(|why| mismatch(why.into()))?;
        agent.standing.check_answer(header.directory, (&farthest, &agent.hop))?;
        let head = read_answer_head(&head)
            .map_err(|why| mismatch(format!("the answer's head cannot be read: {why}")))?;
        if let Outcome::Refused(reason) | Outcome::Failed(reason) = header.outcome {
            return Err(Problem::new(reason, farthest, head.detail));
        }
        let mut inflow = Inflow::new(Arc::clone(&held.exchange), agent.hop.clone(), (body, close));
        let body = match header.body {
            BodyDescriptor::Inline { digest, length } => {
                AnswerBody::Whole(inflow.collect(length, digest).await?)
            }
            BodyDescriptor::Stream { length, .. } => {
                let inflow = inflow.expect(length);
                inflow.check_opening()?;
                AnswerBody::Stream { inflow, length }
            }
        };
        Ok(Release { question: self, head, body, timing, held })
    }

    fn check(&self, header: &AnswerHeader, head: &[u8]) -> Result<(), &'static str> {
        if header.exchange != self.exchange {
            return Err("the answer names another exchange");
        }
        if header.request_digest != self.request_digest {
            return Err("the answer is bound to another request");
        }
        if header.head_digest != sha256(head) {
            return Err("the answer's head is not the one that its header describes");
        }
        Ok(())
    }
}

impl Release {
    /// The answer as the application gets it. `record` ends with its body, and `cut` ends a body
    /// that is not taken within the exchange's time.
    pub(crate) fn respond(self, mut record: Record, spawn: &Spawn, cut: Cut) -> Response<Payload> {
        let Self { question, head, body, timing, held } = self;
        let status = StatusCode::from_u16(head.status).unwrap_or(StatusCode::BAD_GATEWAY);
        let mut response = Response::new(());
        *response.status_mut() = status;
        let headers = response.headers_mut();
        let described = length_described(question.method, &head);
        fields::add(headers, head.fields);
        headers.insert(r1::CLIENT, ascii(question.names.consumer.to_string()));
        headers.insert(r1::SERVICE, ascii(question.names.service.to_string()));
        headers.insert(r1::MESSAGE_ID, ascii(question.message_id));
        headers.insert(r1::REQUEST_ID, ascii(question.exchange.to_string()));
        headers.append(SERVER_TIMING, ascii(timing));
        if let Some(sunset) = question.sunset {
            sunset.tell(headers);
        }

        let bodiless = question.method == Method::Head
            || matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED);
        let length = match &body {
            _ if bodiless => described,
            AnswerBody::Whole(_) => None,
            AnswerBody::Stream { length, .. } => length.map(HeaderValue::from),
        };
        if let Some(length) = length {
            headers.insert(header::CONTENT_LENGTH, length);
        }
        response.map(|()| match body {
            _ if bodiless => {
                record.answered();
                payload::whole(Bytes::new())
            }
            AnswerBody::Whole(body) => {
                record.answered();
                payload::whole(body)
            }
            AnswerBody::Stream { inflow, .. } => {
                let until = held.exchange.deadline();
                let (whole, ended) = oneshot::channel();
                // Of a body that nobody takes, nothing else would look at the clock.
                spawn.task(async move {
                    if timeout_at(until, ended).await.is_err() {
                        cut.now();
                    }
                });
                Streamed { inflow, record, held, _whole: whole }.into_payload()
            }
        })
    }
}

/// The length that an answer to `HEAD` speaks of (RFC 9110 §9.3.2): the field travels only there.
fn length_described(method: Method, head: &AnswerHead) -> Option<HeaderValue> {
    let field = head.fields.iter().find(|field| field.name == header::CONTENT_LENGTH.as_str())?;
    let digits = !field.value.is_empty() && field.value.iter().all(u8::is_ascii_digit);
    let described = HeaderValue::from_maybe_shared(field.value.clone()).ok();
    described.filter(|_| digits && method == Method::Head)
}

/// A body on its way to the application. Breaks off when it is not what its header says.
struct Streamed {
    inflow: Inflow,
    record: Record,
    held: Held,
    /// Goes with the body, and so tells the timer that the body is gone.
    _whole: oneshot::Sender<()>,
}

impl Streamed {
    fn into_payload(self) -> Payload {
        let parts = stream::unfold(Some(self), |streamed| async {
            let mut streamed = streamed?;
            match streamed.inflow.next().await {
                Ok(Some(part)) => {
                    // Whoever was promised a length may not ask for what follows it.
                    if streamed.inflow.is_whole() {
                        streamed.record.answered();
                    }
                    Some((Ok(Frame::data(part)), Some(streamed)))
                }
                Ok(None) => {
                    streamed.record.answered();
                    None
                }
                Err(problem) => {
                    streamed.record.failed(&problem);
                    // The head goes out first, because it names the exchange that broke.
                    yield_now().await;
                    Some((Err(Broken), None))
                }
            }
        });
        StreamBody::new(parts).boxed_unsync()
    }
}

impl Drop for Streamed {
    fn drop(&mut self) {
        let Held { exchange, hop } = &self.held;
        if exchange.deadline() <= Instant::now() {
            let detail = "the application did not take the answer in time";
            let problem = Problem::new(Reason::DeadlineExceeded, hop.clone(), detail);
            exchange.cancel(problem.clone());
            // Only the first end counts.
            self.record.failed(&problem);
        }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        // Nothing happens to an exchange that is over.
        let detail = "the answer is whole, or nobody waits for it any more";
        self.exchange.cancel(Problem::new(Reason::Cancelled, self.hop.clone(), detail));
    }
}

/// This agent's own time first, then each hop's, in milliseconds.
fn timing(me: &HopName, own: Duration, hops: &[HopTime]) -> String {
    let mut text = String::new();
    let others = hops.iter().filter(|time| time.hop != *me);
    let others = others.map(|time| (&time.hop, time.elapsed));
    for (hop, elapsed) in std::iter::once((me, own)).chain(others) {
        let separator = if text.is_empty() { "" } else { ", " };
        let elapsed_ms = elapsed.as_secs_f64() * 1000.0;
        // Writing to a string does not fail.
        let _ = write!(text, "{separator}{hop};dur={elapsed_ms:.3}");
    }
    text
}

#[cfg(test)]
mod tests {
    use mesh_proto::head::Field;

    use super::*;

    #[test]
    fn timings_are_one_server_timing_entry_per_hop() {
        let hop = |name: &str| name.parse::<HopName>().unwrap();
        let time = |name, us| HopTime { hop: hop(name), elapsed: Duration::from_micros(us) };
        let hops = [time("desk.tax.gov.economy", 0), time("hub.economy", 1234), time("x", 7)];
        let text = timing(&hop("desk.tax.gov.economy"), Duration::from_millis(2), &hops);
        assert_eq!(text, "desk.tax.gov.economy;dur=2.000, hub.economy;dur=1.234, x;dur=0.007");
    }

    #[test]
    fn only_an_answer_to_head_describes_a_length() {
        let head = |value: &'static str| AnswerHead {
            status: 200,
            fields: vec![Field {
                name: "content-length".into(),
                value: Bytes::from_static(value.as_bytes()),
            }],
            detail: String::new(),
        };
        let described = |method, value| {
            length_described(method, &head(value)).map(|length| length.to_str().unwrap().to_owned())
        };
        assert_eq!(described(Method::Head, "12").as_deref(), Some("12"));
        assert_eq!(described(Method::Head, "-1"), None);
        assert_eq!(described(Method::Head, ""), None);
        assert_eq!(described(Method::Get, "12"), None);
    }
}
