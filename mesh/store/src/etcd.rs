//! The store on etcd: several members, mutual TLS, and no call that waits without end.
//!
//! etcd's own interface has what a store needs, so this adds only what it leaves to its clients:
//! whom to ask, when to ask again, and whether a commit was made whose answer was lost.

mod commit;
mod config;
mod dial;
mod keys;
mod lease;
mod members;
mod read;
mod rpc;
mod verdict;
mod watch;

use std::sync::Arc;

use async_trait::async_trait;
use futures_util::future::join_all;

pub use self::config::{EtcdConfig, EtcdEndpoint, EtcdEndpoints, EtcdMalformed, EtcdNamespace};
pub use self::dial::EtcdTlsError;
use self::keys::{Keys, theirs};
use self::lease::MarksLease;
use self::members::Members;
use self::rpc::alarm_request::AlarmAction;
use self::rpc::{AlarmRequest, AlarmType, CompactionRequest, StatusRequest};
use self::verdict::{Refusal, Verdict};
use crate::commit::Commit;
use crate::error::{CommitError, StoreError};
use crate::key::{KeyPrefix, StoreKey};
use crate::lease::{LeaseId, LeaseLife};
use crate::page::{Item, Page, PageOf, StoreRevision};
use crate::store::Store;
use crate::watch::Watch;

/// Values in an etcd cluster, below a namespace. Clones would be the same store: it is shared by
/// whoever holds the `Arc` that it is kept in.
#[derive(Debug)]
pub struct EtcdStore(Arc<Etcd>);

/// What all parts of the store need.
#[derive(Debug)]
struct Etcd {
    members: Members,
    keys: Keys,
    marks_lease: MarksLease,
}

/// How one member is, for operators.
#[derive(Clone, Debug)]
pub struct EtcdMember {
    pub endpoint: EtcdEndpoint,
    /// What it says of itself; an error says what to check.
    pub state: Result<EtcdMemberState, StoreError>,
}

#[derive(Clone, Debug, Eq, PartialEq)]
pub struct EtcdMemberState {
    pub version: String,
    pub leads: bool,
    pub database_bytes: u64,
    /// The names of the alarms that it raised, such as `NOSPACE`.
    pub alarms: Vec<&'static str>,
}

impl EtcdStore {
    /// Reads the files that `config` names, and dials nobody yet: a store that is away when a node
    /// starts must not keep it from serving. Needs a tokio runtime.
    pub fn open(config: &EtcdConfig) -> Result<Self, EtcdTlsError> {
        let members = Members::new(config)?;
        let keys = Keys::new(&config.namespace);
        Ok(Self(Arc::new(Etcd { members, keys, marks_lease: MarksLease::default() })))
    }

    /// Asks each member how it is, all at once.
    pub async fn members(&self) -> Vec<EtcdMember> {
        let Self(etcd) = self;
        let asked = etcd.members.all().iter().map(|member| async move {
            let endpoint = member.endpoint.clone();
            EtcdMember { endpoint, state: etcd.state_of(member).await }
        });
        join_all(asked).await
    }
}

impl Etcd {
    async fn state_of(&self, member: &members::Member) -> Result<EtcdMemberState, StoreError> {
        let status = self.members.ask_one(member, &StatusRequest {}).await.map_err(unanswered)?;
        let request = AlarmRequest { action: AlarmAction::Get.into(), ..AlarmRequest::default() };
        let raised = self.members.ask_one(member, &request).await.map_err(unanswered)?;
        let id = status.header.as_ref().map_or(0, |header| header.member_id);
        let own = raised.alarms.iter().filter(|alarm| alarm.member_id == id);
        Ok(EtcdMemberState {
            version: status.version,
            leads: status.leader == id,
            database_bytes: status.db_size.unsigned_abs(),
            alarms: own.map(|alarm| name(alarm.alarm())).collect(),
        })
    }
}

fn name(alarm: AlarmType) -> &'static str {
    alarm.as_str_name()
}

fn unanswered(verdict: Verdict) -> StoreError {
    match verdict {
        Verdict::NotSent(check) | Verdict::Doubtful(check) => StoreError::Unavailable { check },
        Verdict::Refused(refusal) => refusal.into_error(),
    }
}

#[async_trait]
impl Store for EtcdStore {
    async fn get(&self, key: &StoreKey) -> Result<Option<Item>, StoreError> {
        read::get(&self.0, key).await
    }

    async fn page(&self, of: &PageOf) -> Result<Page, StoreError> {
        read::page(&self.0, of).await
    }

    async fn commit(&self, commit: Commit) -> Result<StoreRevision, CommitError> {
        commit::commit(&self.0, &commit).await
    }

    async fn watch(&self, prefix: &KeyPrefix, after: StoreRevision) -> Result<Watch, StoreError> {
        watch::watch(&self.0, prefix, after).await
    }

    async fn grant(&self, life: LeaseLife) -> Result<LeaseId, StoreError> {
        lease::grant(&self.0, life).await
    }

    async fn keep(&self, lease: LeaseId) -> Result<(), StoreError> {
        lease::keep(&self.0, lease).await
    }

    async fn revoke(&self, lease: LeaseId) -> Result<(), StoreError> {
        lease::revoke(&self.0, lease).await
    }

    /// Of the whole cluster: etcd has one past, whatever the namespace.
    async fn compact(&self, before: StoreRevision) -> Result<(), StoreError> {
        let Self(etcd) = self;
        let compacted = match theirs(before) {
            Some(revision) => {
                etcd.members.ask(&CompactionRequest { revision }).await.result.map(|_done| ())
            }
            None => Err(Refusal::Future),
        };
        match compacted {
            // Compacted before, to this revision or a later one.
            Ok(()) | Err(Refusal::Compacted) => Ok(()),
            Err(refusal) => Err(read::about(etcd, refusal, before).await),
        }
    }
}
