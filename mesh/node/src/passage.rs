//! One exchange on its way through a node: counted, and logged once, at its end.

use mesh_core::exchange::RequestHeader;
use mesh_core::reason::{HopName, Problem, Reason};
use mesh_link::exchange::Incoming;
use mesh_link::lane::Lane;
use mesh_link::relay::{Flows, Relayed, relay};
use mesh_proto::header::{read_answer, read_request};
use mesh_rt::metrics::InFlight;
use tokio::time::{Duration, Instant};
use tracing::{debug, info};

use crate::node::Node;

/// What the log says of an exchange: names and times, never content.
#[derive(Debug)]
pub struct Passage {
    in_flight: InFlight,
    header: RequestHeader,
    from: HopName,
    me: HopName,
    arrived: Instant,
}

/// Where a program wants an exchange to go.
#[derive(Debug)]
pub struct Onward {
    pub lane: Lane,
    pub flows: Flows,
}

/// Takes `incoming` through a hub: reads its header, asks `decide` where it goes, carries it there.
/// Whatever goes wrong, the peer is told.
pub async fn pass(
    node: &Node,
    incoming: Incoming,
    decide: impl FnOnce(&RequestHeader, &Incoming) -> Result<Onward, Problem>,
) {
    let in_flight = node.counters.begin();
    let (me, from) = (node.hop(), incoming.lane.peer().hop.clone());
    let header = match read_request(&incoming.open.header) {
        Ok(header) => header,
        Err(why) => {
            let detail = format!("{from} sent a header that cannot be read: {why}");
            let problem = Problem::new(Reason::RequestMalformed, from, detail);
            info!(target: "exchange", reason = %problem.reason, hop = %problem.hop,
                detail = %problem.detail, "refused");
            in_flight.failed(&problem, &me);
            incoming.exchange.cancel(problem);
            return;
        }
    };
    let arrived = incoming.arrived;
    let passage = Passage { in_flight, header, from, me, arrived };
    let directory = node.directory.now();
    let judged = node.standing.check(&passage.header, (&directory, &passage.from, &passage.me));
    match judged.and_then(|()| decide(&passage.header, &incoming)) {
        Ok(Onward { lane, flows }) => {
            let to = lane.peer().hop.clone();
            let judge = |header: &[u8]| judge_answer(node, (header, &to, &passage.me));
            let relayed = relay(incoming, &lane, &passage.me, flows, &judge).await;
            passage.end(&to, &relayed);
        }
        Err(problem) => {
            incoming.exchange.cancel(problem.clone());
            let result = Err(problem);
            let to = passage.me.clone();
            passage.end(&to, &Relayed { result, answered_after: Duration::ZERO });
        }
    }
}

/// A hub looks at one thing of an answer: was it decided by the directory that this node knows?
fn judge_answer(
    node: &Node,
    (header, from, me): (&[u8], &HopName, &HopName),
) -> Result<(), Problem> {
    let header = read_answer(header).map_err(|why| {
        let detail = format!("the answer's header cannot be read: {why}");
        Problem::new(Reason::AnswerMismatch, from.clone(), detail)
    })?;
    node.standing.check_answer(header.directory, (from, me))
}

impl Passage {
    fn end(self, to: &HopName, relayed: &Relayed) {
        let Self { in_flight, header, from, me, arrived } = self;
        let RequestHeader { exchange, consumer, service, operation, .. } = &header;
        match &relayed.result {
            Ok(()) => {
                let answered_us = relayed.answered_after.as_micros() as u64;
                debug!(target: "exchange", %exchange, %consumer, %service, %operation, %from, %to,
                    answered_us, "answered");
                in_flight.answered(arrived.elapsed());
            }
            Err(problem) => {
                let Problem { reason, hop, detail, .. } = problem;
                info!(target: "exchange", %exchange, %consumer, %service, %operation, %from, %to,
                    %reason, %hop, %detail, "not answered");
                in_flight.failed(problem, &me);
            }
        }
    }
}
