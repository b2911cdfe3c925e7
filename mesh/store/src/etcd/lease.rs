//! Leases: those that callers hold, and the one under which marks of commits pass away.

use std::time::Duration;

use tokio::sync::Mutex;
use tokio::time::Instant;

use super::Etcd;
use super::members::{Asked, Members};
use super::rpc::LeaseTimeToLiveRequest;
use super::rpc::{LeaseGrantRequest, LeaseKeepAliveRequest, LeaseRevokeRequest};
use super::verdict::Refusal;
use crate::error::StoreError;
use crate::lease::{LeaseId, LeaseLife};

/// How long marks of commits stay: much longer than any try of a commit can be on its way.
const MARKS_LIFE: Duration = Duration::from_secs(600);

/// How long new marks are put under the same lease, so that each stays for half its life at least.
const MARKS_LEASE_AGE_MAX: Duration = Duration::from_secs(300);

/// Marks under one lease, at most: etcd deletes them in one go.
const MARKS_PER_LEASE_MAX: usize = 1000;

/// The lease of the marks that are put now.
#[derive(Debug, Default)]
pub(super) struct MarksLease(Mutex<Option<Current>>);

#[derive(Debug)]
struct Current {
    lease: LeaseId,
    granted: Instant,
    marks: usize,
}

pub(super) async fn grant(etcd: &Etcd, life: LeaseLife) -> Result<LeaseId, StoreError> {
    grant_seconds(&etcd.members, life.as_secs()).await
}

pub(super) async fn keep(etcd: &Etcd, lease: LeaseId) -> Result<(), StoreError> {
    keep_alive(&etcd.members, lease).await
}

async fn keep_alive(members: &Members, lease: LeaseId) -> Result<(), StoreError> {
    let request = LeaseKeepAliveRequest { id: lease.0 };
    match members.ask(&request).await.result {
        Ok(answer) if 0 < answer.ttl => Ok(()),
        Ok(_) | Err(Refusal::LeaseUnknown) => Err(StoreError::LeaseEnded { lease }),
        Err(refusal) => Err(refusal.into_error()),
    }
}

pub(super) async fn revoke(etcd: &Etcd, lease: LeaseId) -> Result<(), StoreError> {
    let Asked { result, is_doubtful } = etcd.members.ask(&LeaseRevokeRequest { id: lease.0 }).await;
    match result {
        Ok(_) => Ok(()),
        // An earlier try, whose answer was lost.
        Err(Refusal::LeaseUnknown) if is_doubtful => Ok(()),
        Err(Refusal::LeaseUnknown) => Err(StoreError::LeaseEnded { lease }),
        Err(refusal) => Err(refusal.into_error()),
    }
}

pub(super) async fn is_alive(members: &Members, lease: LeaseId) -> Result<bool, StoreError> {
    let request = LeaseTimeToLiveRequest { id: lease.0 };
    match members.ask(&request).await.result {
        Ok(answer) => Ok(0 <= answer.ttl),
        Err(Refusal::LeaseUnknown) => Ok(false),
        Err(refusal) => Err(refusal.into_error()),
    }
}

/// The number is ours, so that a grant whose answer was lost can be asked for again.
async fn grant_seconds(members: &Members, seconds: u64) -> Result<LeaseId, StoreError> {
    let ttl = i64::try_from(seconds).unwrap_or(i64::MAX);
    loop {
        // 0 would leave the choice to etcd, and it takes no negative ones.
        let id = rand::random_range(1..=i64::MAX);
        let Asked { result, is_doubtful } = members.ask(&LeaseGrantRequest { ttl, id }).await;
        match result {
            Ok(_) => return Ok(LeaseId(id)),
            // Ours, of a try whose answer was lost, and a while old. If it is not, the next is.
            Err(Refusal::LeaseExists) => {
                if is_doubtful && keep_alive(members, LeaseId(id)).await.is_ok() {
                    return Ok(LeaseId(id));
                }
            }
            Err(refusal) => return Err(refusal.into_error()),
        }
    }
}

impl MarksLease {
    /// The lease for a mark that is put now.
    pub(super) async fn current(&self, members: &Members) -> Result<LeaseId, StoreError> {
        let mut current = self.0.lock().await;
        if let Some(Current { lease, granted, marks }) = &mut *current
            && granted.elapsed() < MARKS_LEASE_AGE_MAX
            && *marks < MARKS_PER_LEASE_MAX
        {
            *marks += 1;
            return Ok(*lease);
        }
        let granted = Instant::now();
        let lease = grant_seconds(members, MARKS_LIFE.as_secs()).await?;
        *current = Some(Current { lease, granted, marks: 1 });
        Ok(lease)
    }

    /// The next mark needs another lease: this one has ended, though we did not expect it.
    pub(super) async fn forget(&self, lease: LeaseId) {
        let mut current = self.0.lock().await;
        current.take_if(|current| current.lease == lease);
    }
}
