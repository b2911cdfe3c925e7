//! Carries an exchange from one lane to another: what every hub does, and all it does with bodies.

use std::time::Duration;

use mesh_core::deadline::hand_on;
use mesh_core::limits::HOPS_MAX;
use mesh_core::node::NodeName;
use mesh_core::reason::{HopName, Problem, Reason};
use mesh_proto::frame::{HopTime, Open};
use tokio::time::timeout_at;

use crate::exchange::{Event, Exchange, Incoming};
use crate::hello::Peer;
use crate::lane::Lane;
use crate::outbox::Flow;

/// Whose traffic the two directions are.
#[derive(Clone, Debug)]
pub struct Flows {
    /// Of the request: the consumer's.
    pub request: Flow,
    /// Of the answer: the provider's.
    pub answer: Flow,
}

/// How a relayed exchange ended. The consumer's side has been told.
#[derive(Clone, Debug)]
pub struct Relayed {
    /// `Ok` when the whole answer went back.
    pub result: Result<(), Problem>,
    /// From the request's arrival to the answer's; zero when there was none.
    pub answered_after: Duration,
}

/// What a hop says of the header of an answer before it hands it back.
pub type Judge<'j> = &'j (dyn Fn(&[u8]) -> Result<(), Problem> + Sync);

/// Hands `incoming` on through `lane`, as the hop `me`, and its answer back if `judge` lets it.
pub async fn relay(
    mut incoming: Incoming,
    lane: &Lane,
    me: &HopName,
    flows: Flows,
    judge: Judge<'_>,
) -> Relayed {
    let mut answered_after = Duration::ZERO;
    let open = std::mem::take(&mut incoming.open);
    let deadline = incoming.exchange.deadline();
    let carried = carry(&incoming, open, (lane, me, flows, judge), &mut answered_after);
    let result = match timeout_at(deadline, carried).await {
        Ok(result) => result,
        Err(_) => Err(incoming.exchange.expire()),
    };
    if let Err(problem) = &result {
        incoming.exchange.cancel(problem.clone());
    }
    Relayed { result, answered_after }
}

async fn carry(
    incoming: &Incoming,
    mut open: Open,
    (lane, me, flows, judge): (&Lane, &HopName, Flows, Judge<'_>),
    answered_after: &mut Duration,
) -> Result<(), Problem> {
    let from = &incoming.exchange;
    stamp_passage(&mut open, me, incoming.arrived.elapsed())?;
    from.set_flow(flows.answer);
    let passed = open.hop.hops.len();
    let whole = open.close.is_some();
    let to = lane.open(flows.request, open, from.deadline())?;

    let request = async {
        if !whole {
            pump(from, &to).await?;
        }
        // From here on the consumer has only one thing left to say: that it went away.
        match from.receive_untimed().await {
            Err(problem) => Err(Broken::From(problem)),
            Ok(_) => Err(Broken::From(out_of_order(me))),
        }
    };
    let answer = async {
        let Event::Open(mut open) = to.receive_untimed().await? else {
            return Err(out_of_order(me));
        };
        *answered_after = incoming.arrived.elapsed();
        check_hops(&open.hop.hops, passed, (lane.peer(), me))?;
        judge(&open.header)?;
        open.hop.hops[passed - 1].elapsed = *answered_after;
        let whole = open.close.is_some();
        from.answer(open)?;
        if whole {
            return Ok(());
        }
        pump(&to, from).await.map_err(|(Broken::From(problem) | Broken::To(problem))| problem)
    };
    tokio::pin!(request, answer);
    tokio::select! {
        biased;
        result = &mut answer => result,
        // A provider that stops reading may still answer; a consumer that goes away ends it all.
        broken = &mut request => match broken {
            Err(Broken::From(problem)) => {
                to.cancel(problem.clone());
                Err(problem)
            }
            Err(Broken::To(_)) => answer.await,
            Ok(()) => answer.await,
        },
    }
}

/// Which side of a pump gave up.
enum Broken {
    From(Problem),
    To(Problem),
}

/// Carries a body to its end.
async fn pump(from: &Exchange, to: &Exchange) -> Result<(), Broken> {
    loop {
        match from.receive_untimed().await.map_err(Broken::From)? {
            Event::Data(body) => to.send_untimed(body).await.map_err(Broken::To)?,
            Event::Close(close) => return to.close(close).map_err(Broken::To),
            Event::Open(_) => {
                return Err(Broken::From(Problem::new(
                    Reason::Internal,
                    from.hop().clone(),
                    "an opening in the middle of a body",
                )));
            }
        }
    }
}

/// Notes in the hop section that the request passed here, and takes off the time it took.
fn stamp_passage(open: &mut Open, me: &HopName, spent: Duration) -> Result<(), Problem> {
    let refused = |reason, detail: String| Err(Problem::new(reason, me.clone(), detail));
    let hops = &mut open.hop.hops;
    if hops.iter().any(|time| time.hop == *me) {
        return refused(Reason::LoopRefused, "the exchange has passed this hop before".into());
    }
    if HOPS_MAX <= hops.len() {
        return refused(Reason::LoopRefused, format!("the exchange has passed {HOPS_MAX} hops"));
    }
    hops.push(HopTime { hop: me.clone(), elapsed: Duration::ZERO });
    let Some(remaining) = hand_on(open.hop.remaining, spent) else {
        return refused(Reason::DeadlineExceeded, "no time was left at this hop".into());
    };
    open.hop.remaining = remaining;
    Ok(())
}

/// An answer names the hops that its request passed: `passed` of them up to this one, and behind an
/// agent itself alone. What names others was made up beyond, and would put blame on them.
fn check_hops(
    hops: &[HopTime],
    passed: usize,
    (peer, me): (&Peer, &HopName),
) -> Result<(), Problem> {
    let mine = hops.get(passed - 1).is_some_and(|time| time.hop == *me);
    let beyond = hops.get(passed..).unwrap_or_default();
    let ends = match peer.node {
        NodeName::Agent { .. } => matches!(beyond, [last] if last.hop == peer.hop),
        NodeName::Centre | NodeName::Hub(_) | NodeName::Operator(_) => true,
    };
    if mine && ends {
        return Ok(());
    }
    let detail =
        format!("the answer that came through {} names other hops than it passed", peer.hop);
    Err(Problem::new(Reason::AnswerMismatch, peer.hop.clone(), detail))
}

fn out_of_order(me: &HopName) -> Problem {
    Problem::new(Reason::Internal, me.clone(), "the answer's parts came out of order")
}
