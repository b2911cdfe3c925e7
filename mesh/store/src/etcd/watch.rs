//! Watching: a stream that outlives its connections.
//!
//! etcd is asked for what came from the last known revision on, that one included, though it was
//! told already: some versions of etcd lose the deletions of exactly the revision that they were
//! compacted to, and so it does not matter.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use futures_util::stream;
use tokio::time::timeout;
use tonic::Streaming;

use super::Etcd;
use super::keys::{Span, ours, theirs};
use super::members::Pauses;
use super::read::check_known;
use super::rpc::event::EventType;
use super::rpc::{Event, WatchCreateRequest, WatchResponse};
use super::verdict::{Refusal, Verdict, denied, verdict};
use crate::error::StoreError;
use crate::key::KeyPrefix;
use crate::page::StoreRevision;
use crate::watch::{Change, Changed, Watch};

/// How long a member may take to say that it has begun to watch.
const CREATED_MAX: Duration = Duration::from_secs(4);

pub(super) async fn watch(
    etcd: &Arc<Etcd>,
    prefix: &KeyPrefix,
    after: StoreRevision,
) -> Result<Watch, StoreError> {
    check_known(etcd, after).await?;
    let span = etcd.keys.span(prefix);
    let told = theirs(after).expect("a revision that etcd knows is one of its own");
    let follower = Follower {
        etcd: Arc::clone(etcd),
        span,
        told,
        open: None,
        gathered: None,
        ready: VecDeque::new(),
    };
    Ok(Watch::new(stream::unfold(Some(follower), |follower| async {
        let mut follower = follower?;
        match follower.next().await {
            Ok(changed) => Some((Ok(changed), Some(follower))),
            Err(error) => Some((Err(error), None)),
        }
    })))
}

/// One watch, across all connections.
struct Follower {
    etcd: Arc<Etcd>,
    span: Span,
    /// Everything up to this revision of etcd's is in `ready`, or was told before.
    told: i64,
    open: Option<Streaming<WatchResponse>>,
    /// A commit that may go on in the next message. Dropped with the connection.
    gathered: Option<Changed>,
    ready: VecDeque<Changed>,
}

/// Why a message of the stream is its last.
enum Ended {
    /// Another connection will do.
    Broken,
    Refused(StoreError),
}

impl Follower {
    async fn next(&mut self) -> Result<Changed, StoreError> {
        let mut pauses = Pauses::new();
        loop {
            if let Some(changed) = self.ready.pop_front() {
                return Ok(changed);
            }
            let ended = match &mut self.open {
                None => self.open().await,
                Some(open) => match open.message().await {
                    Ok(Some(message)) => self.take(message),
                    Ok(None) => Err(Ended::Broken),
                    Err(status) => Err(ended(verdict(&status))),
                },
            };
            match ended {
                Ok(()) => {}
                Err(Ended::Refused(error)) => return Err(error),
                Err(Ended::Broken) => {
                    self.open = None;
                    self.gathered = None;
                    self.etcd.members.prefer_next();
                    pauses.next().await;
                }
            }
        }
    }

    /// Begins to watch where the last connection ended, if the store still knows what came then.
    async fn open(&mut self) -> Result<(), Ended> {
        match check_known(&self.etcd, ours(self.told)).await {
            Ok(()) => {}
            Err(StoreError::Unavailable { .. }) => return Err(Ended::Broken),
            Err(error) => return Err(Ended::Refused(error)),
        }
        let create = WatchCreateRequest {
            key: self.span.start.clone(),
            range_end: self.span.end.clone(),
            start_revision: self.told,
            progress_notify: true,
            fragment: true,
        };
        let mut stream = self.etcd.members.open_watch(&create).await.map_err(ended)?;
        let Ok(Ok(Some(created))) = timeout(CREATED_MAX, stream.message()).await else {
            return Err(Ended::Broken);
        };
        self.open = Some(stream);
        self.take(created)
    }

    fn take(&mut self, message: WatchResponse) -> Result<(), Ended> {
        if !self.etcd.members.is_ours(&message) {
            let check = "a member is of another etcd cluster than before; was it restored?";
            return Err(Ended::Refused(StoreError::Foreign { check: check.into() }));
        }
        if 0 < message.compact_revision {
            let asked = ours(self.told);
            return Err(Ended::Refused(StoreError::Compacted { asked }));
        }
        if message.canceled {
            return Err(canceled(&message.cancel_reason));
        }
        let is_progress = message.events.is_empty() && !message.created && !message.fragment;
        for event in message.events {
            self.gather(event).map_err(Ended::Refused)?;
        }
        if !message.fragment {
            self.gathered_is_whole();
        }
        // Said only to a watch that has been told everything. It keeps a quiet one from asking for
        // what was compacted long ago.
        if let Some(header) = message.header.filter(|_| is_progress) {
            self.told = self.told.max(header.revision);
        }
        Ok(())
    }

    fn gather(&mut self, event: Event) -> Result<(), StoreError> {
        let is_deletion = event.r#type() == EventType::Delete;
        let Some(found) = event.kv else { return Ok(()) };
        if found.mod_revision <= self.told {
            return Ok(());
        }
        let revision = ours(found.mod_revision);
        if self.gathered.as_ref().is_some_and(|gathered| gathered.revision != revision) {
            self.gathered_is_whole();
        }
        let key = self.etcd.keys.store_key(&found.key)?;
        let change = match is_deletion {
            true => Change::Deleted { key },
            false => Change::Put { key, value: found.value },
        };
        let gathered = self.gathered.get_or_insert(Changed { revision, changes: Vec::new() });
        gathered.changes.push(change);
        Ok(())
    }

    /// etcd tells a commit's changes in the order of its operations.
    fn gathered_is_whole(&mut self) {
        let Some(mut changed) = self.gathered.take() else { return };
        changed.changes.sort_by(|one, other| one.key().cmp(other.key()));
        self.told = theirs(changed.revision).expect("etcd told it");
        self.ready.push_back(changed);
    }
}

fn ended(verdict: Verdict) -> Ended {
    match verdict {
        Verdict::NotSent(_) | Verdict::Doubtful(_) => Ended::Broken,
        Verdict::Refused(Refusal::Store(error)) => Ended::Refused(error),
        Verdict::Refused(refusal) => Ended::Refused(refusal.into_error()),
    }
}

/// etcd ends a watch for what it was asked, or because the member goes away.
fn canceled(reason: &str) -> Ended {
    if reason.contains("permission denied") {
        return Ended::Refused(denied(reason).into_error());
    }
    Ended::Broken
}
