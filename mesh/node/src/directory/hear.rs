//! Heartbeats: what the centre says every few seconds of where it stands, and what that is to a
//! node that holds something.

use std::cmp::Ordering;

use mesh_core::directory::history::{Head, Heartbeat, Untakeable};
use mesh_core::directory::scope::{Followed, Scope};
use mesh_core::exchange::DirectoryPosition;
use mesh_proto::directory::read_heartbeat;
use mesh_proto::wire::directory::v1 as wire;

use super::held::number;
use super::sign::{Signed, sha256};
use super::{LiveDirectory, NotTaken, Role, State};

/// What a heartbeat is to a node.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Heard {
    /// It describes what the node holds: that is the node's position now.
    Agrees { position: DirectoryPosition, sent_at_unix_ms: u64 },
    /// The centre has moved on; entries are to come.
    Behind { epoch: u64, revision: u64 },
    /// Earlier than one that was heard, or than what the node holds: the one above has not caught
    /// up with this node.
    Old,
}

/// The last heartbeat that agreed with what a node held.
#[derive(Clone, Copy, Debug)]
pub(super) struct LastHeard {
    pub(super) sent_at_unix_ms: u64,
    pub(super) position: DirectoryPosition,
}

impl LiveDirectory {
    /// Takes a heartbeat from above.
    pub fn hear(&self, message: &wire::Heartbeat) -> Result<Heard, NotTaken> {
        let Role::Follower { me, keys } = &self.0.role else { return Err(NotTaken::NotFollower) };
        let _alone = self.writing();
        let now = self.now();
        let keys = keys.with(now.directory_keys());
        keys.verify(Signed::Heartbeat, now.mesh(), &message.body, message.signature.as_ref())?;
        let heartbeat = read_heartbeat(&message.body)?;
        let position = heartbeat.position(sha256);
        let sent_at_unix_ms = heartbeat.sent_at_unix_ms;
        let mut state = self.state();
        if let Some(last) = state.heard {
            check_order(&last, &heartbeat, position)?;
            if sent_at_unix_ms < last.sent_at_unix_ms {
                return Ok(Heard::Old);
            }
        }
        match compare(&state, &heartbeat, &now.followed_by(me))? {
            Ordering::Less => Ok(Heard::Old),
            Ordering::Greater => {
                let Heartbeat { epoch, revision, .. } = heartbeat;
                Ok(Heard::Behind { epoch, revision })
            }
            Ordering::Equal => {
                state.heard = Some(LastHeard { sent_at_unix_ms, position });
                state.heartbeat = Some((sent_at_unix_ms, message.clone()));
                if now.position() != position {
                    self.0.now.store(now.at(position).into());
                }
                drop(state);
                self.tell();
                Ok(Heard::Agrees { position, sent_at_unix_ms })
            }
        }
    }
}

/// The centre's clock and its count go forward together, or it is not the centre that it was.
fn check_order(
    last: &LastHeard,
    heartbeat: &Heartbeat,
    position: DirectoryPosition,
) -> Result<(), NotTaken> {
    let told = Head { epoch: position.epoch, revision: position.revision, hash: position.root };
    let DirectoryPosition { epoch, revision, root } = last.position;
    let have = Head { epoch, revision, hash: root };
    if number(&told) == number(&have) && told.hash != have.hash {
        return Err(NotTaken::of(&Scope::Nation)(Untakeable::SplitView { offered: told }));
    }
    let went_back =
        number(&told) < number(&have) && last.sent_at_unix_ms < heartbeat.sent_at_unix_ms;
    if went_back {
        return Err(NotTaken::of(&Scope::Nation)(Untakeable::Rollback { have, offered: told }));
    }
    Ok(())
}

/// Does the heartbeat describe what is held, or something earlier, or something later?
fn compare(
    state: &State,
    heartbeat: &Heartbeat,
    followed: &Followed,
) -> Result<Ordering, NotTaken> {
    let mut found = Ordering::Equal;
    for (scope, held) in &state.scopes {
        let told = heartbeat.heads.get(scope);
        let by_number = told.map_or(Ordering::Less, |told| number(told).cmp(&number(&held.head)));
        match (told, by_number) {
            (Some(told), Ordering::Equal) if *told != held.head => {
                let offered = *told;
                return Err(NotTaken::of(scope)(Untakeable::SplitView { offered }));
            }
            (_, Ordering::Equal) => {}
            // It knows less of one scope: then it is no later than what made that difference.
            (_, Ordering::Less) => return Ok(Ordering::Less),
            (_, Ordering::Greater) => found = Ordering::Greater,
        }
    }
    let lacks = |scope: &Scope| followed.contains(scope) && !state.scopes.contains_key(scope);
    if heartbeat.heads.keys().any(lacks) {
        found = Ordering::Greater;
    }
    Ok(found)
}
