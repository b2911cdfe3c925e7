//! The one task that writes. What waits together is made in one transaction, in the order in which
//! it was asked for, and answered when that is on the disk.

use std::sync::Arc;
use std::time::Duration;

use redb::Database;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::spawn_blocking;
use tokio::time::{MissedTickBehavior, interval};

use super::disk::Trouble;
use super::lives::LEASES_MAX;
use super::writing::Writing;
use super::{Core, REQUESTS_MAX, tables};
use crate::commit::Commit;
use crate::error::{CommitError, StoreError};
use crate::lease::{LeaseId, LeaseLife};
use crate::page::StoreRevision;

/// How often the lives of leases are looked at, and a file whose disk was full.
pub(super) const LOOK_EVERY: Duration = Duration::from_millis(500);

type Answer<T, E> = oneshot::Sender<Result<T, E>>;

/// What is asked of the writer.
pub(super) enum Request {
    Commit(Commit, Answer<StoreRevision, CommitError>),
    Grant(LeaseLife, Answer<LeaseId, StoreError>),
    Revoke(LeaseId, Answer<(), StoreError>),
    Compact(StoreRevision, Answer<(), StoreError>),
    Close,
}

/// What to tell whoever asked, once the transaction is on the disk.
enum Outcome {
    Committed(Result<StoreRevision, CommitError>),
    Granted(Result<LeaseId, StoreError>),
    Did(Result<(), StoreError>),
}

/// What one transaction made.
struct Made {
    newest: u64,
    /// One for each request.
    outcomes: Vec<Outcome>,
}

/// How a transaction failed.
enum Failure {
    /// Nothing of it was made.
    Before(StoreError),
    /// It was made whole or not at all.
    Unknown(StoreError),
}

/// Runs until it is asked to close, or nobody can ask any more. Then lets go of the file.
pub(super) async fn run(
    core: Arc<Core>,
    mut requests: mpsc::Receiver<Request>,
    news: watch::Sender<u64>,
) {
    let mut look = interval(LOOK_EVERY);
    look.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut is_closing = false;
    while !is_closing {
        let mut batch = Vec::new();
        tokio::select! {
            count = requests.recv_many(&mut batch, REQUESTS_MAX) => is_closing = count == 0,
            _ = look.tick() => {}
        }
        if let Some(close) = batch.iter().position(|request| matches!(request, Request::Close)) {
            is_closing = true;
            // Whoever asked after that finds the store closed.
            batch.truncate(close);
        }
        let this = Arc::clone(&core);
        match spawn_blocking(move || this.work(batch)).await {
            Ok(Some(newest)) => drop(news.send_replace(newest)),
            Ok(None) => {}
            // The database gave up on itself: it is for a person to see why.
            Err(why) => {
                tracing::error!(cause = %why, "the store cannot go on");
                is_closing = true;
            }
        }
    }
    requests.close();
    // If the runtime ends at this moment, it lets go of the file itself.
    let _ = spawn_blocking(move || core.disk.close()).await;
}

impl Core {
    /// Makes what was asked for and what is due, and answers. The newest revision, if that worked.
    fn work(&self, batch: Vec<Request>) -> Option<u64> {
        self.disk.recover();
        let over = self.lives.over();
        if batch.is_empty() && over.is_empty() {
            return None;
        }
        match self.transact(&batch, &over) {
            Ok(Made { newest, outcomes }) => {
                over.into_iter().for_each(|lease| self.lives.end(lease));
                for (request, outcome) in batch.into_iter().zip(outcomes) {
                    self.answer(request, outcome);
                }
                Some(newest)
            }
            Err(failure) => {
                batch.into_iter().for_each(|request| request.fail(&failure));
                None
            }
        }
    }

    /// All of it in one transaction.
    fn transact(&self, batch: &[Request], over: &[LeaseId]) -> Result<Made, Failure> {
        let room = self.disk.has_room();
        // What the file will be at if a commit that fails is made all the same.
        let mut committing = None;
        let made = self
            .disk
            .on_database(|database| self.make(database, (batch, over), &room, &mut committing));
        made.map_err(|why| {
            self.disk.failed(&why);
            let Some((before, after)) = committing.filter(|(before, after)| before != after) else {
                return Failure::Before(why);
            };
            match self.disk.read(|reading| Ok(reading.newest)) {
                // The file was opened again, and nothing of it is there.
                Ok(newest) if newest == before => Failure::Before(why),
                Ok(newest) => {
                    tracing::error!(newest, after, "a commit that failed is there all the same");
                    Failure::Unknown(why)
                }
                Err(_) => Failure::Unknown(why),
            }
        })
    }

    fn make(
        &self,
        database: &Database,
        (batch, over): (&[Request], &[LeaseId]),
        room: &Result<(), StoreError>,
        committing: &mut Option<(u64, u64)>,
    ) -> Result<Made, Trouble> {
        let transaction = tables::begin(database)?;
        let mut writing = Writing::of(&transaction)?;
        let before = writing.newest;
        for lease in over {
            writing.end(*lease)?;
        }
        let mut leases = self.lives.count();
        let mut outcomes = Vec::with_capacity(batch.len());
        for request in batch {
            outcomes.push(self.apply(request, &mut writing, room, &mut leases)?);
        }
        let newest = writing.newest;
        if writing.is_changed {
            writing.finish()?;
            *committing = Some((before, newest));
            transaction.commit()?;
        }
        Ok(Made { newest, outcomes })
    }

    fn apply(
        &self,
        request: &Request,
        writing: &mut Writing<'_>,
        room: &Result<(), StoreError>,
        leases: &mut usize,
    ) -> Result<Outcome, Trouble> {
        Ok(match request {
            Request::Commit(commit, _) => Outcome::Committed(match room {
                Ok(()) => writing.commit(commit, &self.lives)?,
                Err(full) => Err(full.clone().into()),
            }),
            Request::Grant(..) if LEASES_MAX <= *leases => {
                let check = format!("it has {LEASES_MAX} leases, and gives no more");
                Outcome::Granted(Err(StoreError::Full { check }))
            }
            Request::Grant(life, _) => Outcome::Granted(match room {
                Ok(()) => {
                    *leases += 1;
                    Ok(writing.grant(*life)?)
                }
                Err(full) => Err(full.clone()),
            }),
            // These make room, and the reserve is for them.
            Request::Revoke(lease, _) => Outcome::Did(match writing.end(*lease)? {
                true => Ok(()),
                false => Err(StoreError::LeaseEnded { lease: *lease }),
            }),
            Request::Compact(before, _) => Outcome::Did(writing.compact(*before)?),
            Request::Close => Outcome::Did(Ok(())),
        })
    }

    /// Nobody may wait for an answer any more; it is done all the same.
    fn answer(&self, request: Request, outcome: Outcome) {
        match (request, outcome) {
            (Request::Commit(_, answer), Outcome::Committed(result)) => drop(answer.send(result)),
            (Request::Grant(life, answer), Outcome::Granted(result)) => {
                if let Ok(lease) = result {
                    self.lives.begin(lease, life);
                }
                drop(answer.send(result));
            }
            (Request::Revoke(lease, answer), Outcome::Did(result)) => {
                self.lives.end(lease);
                drop(answer.send(result));
            }
            (Request::Compact(_, answer), Outcome::Did(result)) => drop(answer.send(result)),
            _ => {}
        }
    }
}

impl Request {
    fn fail(self, failure: &Failure) {
        let (Failure::Before(why) | Failure::Unknown(why)) = failure;
        let why = why.clone();
        match self {
            Self::Commit(_, answer) => drop(answer.send(Err(match failure {
                Failure::Before(_) => why.into(),
                Failure::Unknown(_) => CommitError::OutcomeUnknown { check: why.to_string() },
            }))),
            Self::Grant(_, answer) => drop(answer.send(Err(why))),
            Self::Revoke(_, answer) | Self::Compact(_, answer) => drop(answer.send(Err(why))),
            Self::Close => {}
        }
    }
}
