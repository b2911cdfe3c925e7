//! What both sides of an agent hold.

use std::sync::Arc;

use mesh_core::address::{ServiceAddress, SystemAddress};
use mesh_core::exchange::ExchangeId;
use mesh_core::id::OperationId;
use mesh_core::operation::OperationKind;
use mesh_core::reason::{HopName, Problem, Reason};
use mesh_link::Spawn;
use mesh_node::standing::Stale;
use mesh_node::{LiveDirectory, Standing};
use mesh_rt::clock::Clock;
use mesh_rt::metrics::{Counters, InFlight};
use tokio::time::Instant;
use tracing::{debug, info};

/// One agent, and the surroundings that it is given. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Agent {
    /// The system that it stands beside.
    pub system: SystemAddress,
    /// Its name in errors and timings.
    pub hop: HopName,
    pub directory: LiveDirectory,
    /// What it may serve, and by which directory it decides.
    pub standing: Standing,
    pub counters: Counters,
    pub clock: Arc<dyn Clock>,
    /// The owner of its tasks.
    pub spawn: Spawn,
}

impl Agent {
    /// A problem that this agent found.
    pub(crate) fn problem(&self, reason: Reason, detail: impl Into<String>) -> Problem {
        Problem::new(reason, self.hop.clone(), detail)
    }

    /// May this agent serve, a service that is `sensitive` or not?
    pub(crate) fn serves(&self, sensitive: bool) -> Result<(), Problem> {
        let stale = |stale: Stale| self.problem(Reason::DirectoryStale, stale.to_string());
        self.standing.serves(sensitive).map_err(stale)
    }

    /// Counts an exchange that begins here; it took until `began` to get here.
    pub(crate) fn record(&self, side: Side, began: Instant) -> Record {
        let in_flight = Some(self.counters.begin());
        Record { in_flight, side, began, hop: self.hop.clone(), exchange: None, names: None }
    }
}

/// On which side of an exchange an agent stands.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Side {
    Consumer,
    Provider,
}

/// One exchange at this agent: counted, and logged once, at its end. The log has names and times,
/// never content. Dropped before its end, the exchange counts as broken off.
#[derive(Debug)]
pub(crate) struct Record {
    in_flight: Option<InFlight>,
    side: Side,
    began: Instant,
    hop: HopName,
    exchange: Option<ExchangeId>,
    /// Once they are known.
    names: Option<Arc<Names>>,
}

/// Who asks what of whom.
#[derive(Clone, Debug)]
pub(crate) struct Names {
    pub(crate) consumer: SystemAddress,
    pub(crate) service: ServiceAddress,
    pub(crate) operation: OperationId,
    pub(crate) kind: OperationKind,
}

impl Record {
    pub(crate) fn number(&mut self, exchange: ExchangeId) {
        self.exchange = Some(exchange);
    }

    pub(crate) fn name(&mut self, names: Arc<Names>) {
        self.names = Some(names);
    }

    /// The exchange ended with a whole answer, whatever it says.
    pub(crate) fn answered(&mut self) {
        let Some(in_flight) = self.in_flight.take() else { return };
        in_flight.answered(self.began.elapsed());
        let (side, elapsed_us) = (self.side.name(), self.elapsed_us());
        let exchange = self.exchange.map(tracing::field::display);
        let Some(names) = &self.names else { return };
        let Names { consumer, service, operation, .. } = &**names;
        debug!(target: "exchange", exchange, %consumer, %service, %operation, side, elapsed_us,
            "answered");
    }

    /// The exchange ended otherwise.
    pub(crate) fn failed(&mut self, problem: &Problem) {
        let Some(in_flight) = self.in_flight.take() else { return };
        in_flight.failed(problem, &self.hop);
        let Problem { reason, hop, detail, .. } = problem;
        let (side, elapsed_us) = (self.side.name(), self.elapsed_us());
        let exchange = self.exchange.map(tracing::field::display);
        match self.names.as_deref() {
            Some(Names { consumer, service, operation, .. }) => {
                info!(target: "exchange", exchange, %consumer, %service, %operation, side, %reason,
                    %hop, %detail, elapsed_us, "not answered");
            }
            // What cannot be read may be anything, so its detail is for the application alone.
            None => {
                info!(target: "exchange", exchange, side, %reason, %hop, elapsed_us, "refused");
            }
        }
    }

    fn elapsed_us(&self) -> u64 {
        self.began.elapsed().as_micros() as u64
    }
}

impl Drop for Record {
    fn drop(&mut self) {
        if self.in_flight.is_some() {
            let detail = "the one who asked went away, or the agent stopped";
            self.failed(&Problem::new(Reason::Cancelled, self.hop.clone(), detail));
        }
    }
}

impl Side {
    fn name(self) -> &'static str {
        match self {
            Self::Consumer => "consumer",
            Self::Provider => "provider",
        }
    }
}
