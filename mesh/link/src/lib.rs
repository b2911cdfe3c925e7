//! Links: many exchanges between two neighbours on one long-lived stream.
//!
//! A [`lane::Lane`] is one such stream. [`serve`] accepts lanes, [`dial`] keeps the two lanes of a
//! link upwards alive, [`peers`] finds a lane to a neighbour, [`relay`] carries an exchange from
//! one lane to another. Nothing here knows certificates, directories or routes: who a peer is, and
//! what becomes of an exchange, the programs say.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;

mod book;
pub mod dial;
pub mod exchange;
pub mod hello;
pub mod lane;
mod outbox;
pub mod peers;
pub mod relay;
pub mod serve;
mod slot;

pub use outbox::Flow;

/// Spawns the tasks of this library. The program's drain owns them: it waits for each, and drops it
/// when its grace is over.
#[derive(Clone)]
pub struct Spawn(Arc<dyn Fn(Task) + Send + Sync>);

type Task = Pin<Box<dyn Future<Output = ()> + Send>>;

impl Spawn {
    pub fn new(spawn: impl Fn(Task) + Send + Sync + 'static) -> Self {
        Self(Arc::new(spawn))
    }

    /// Hands `task` to its owner.
    pub fn task(&self, task: impl Future<Output = ()> + Send + 'static) {
        (self.0)(Box::pin(task));
    }
}

impl fmt::Debug for Spawn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Spawn")
    }
}
