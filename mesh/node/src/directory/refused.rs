//! Why a node keeps the directory that it has.

use mesh_core::directory::change::{ChangeError, Key};
use mesh_core::directory::history::Untakeable;
use mesh_core::directory::scope::Scope;
use mesh_core::directory::{DirectoryError, Ed25519Key, Unmade};
use mesh_proto::directory::SnapshotError;
use mesh_proto::malformed::Malformed;

/// See the module.
#[derive(Debug, thiserror::Error)]
pub enum NotTaken {
    #[error("it cannot be read: {0}")]
    Malformed(#[from] Malformed),
    #[error("{scope}: {why}")]
    Untakeable { scope: Scope, why: Box<Untakeable> },
    #[error("its changes cannot be made: {0}")]
    Change(#[from] ChangeError),
    #[error("its objects do not fit together: {0}")]
    Directory(#[from] DirectoryError),
    #[error("{0}")]
    Snapshot(#[from] SnapshotError),
    #[error("it is of another mesh")]
    OtherMesh,
    #[error("it is signed with {key}, which is no key of the directory that this node knows")]
    UnknownSigner { key: Ed25519Key },
    #[error("its signature is wrong, and is said to be by {key}")]
    BadSignature { key: Ed25519Key },
    #[error("what it says of {key} in one scope, it does not say in another")]
    Contradiction { key: Key },
    #[error("{scope} is of a later epoch than the nation's directory: they do not come together")]
    Torn { scope: Scope },
    #[error("the entry of {scope} would be {bytes} bytes long, limit {limit}: commit less at once")]
    TooLarge { scope: Scope, bytes: usize, limit: usize },
    #[error("this node follows, and decides nothing")]
    NotCentre,
    #[error("this node follows nobody")]
    NotFollower,
    #[error("it cannot be written to its file")]
    Store(#[source] std::io::Error),
}

impl NotTaken {
    /// Is it what somebody should look at, because the one above, or someone in its place, tells
    /// this node what cannot be true?
    pub fn is_suspicious(&self) -> bool {
        match self {
            Self::Untakeable { why, .. } => !matches!(**why, Untakeable::Gap { .. }),
            Self::OtherMesh
            | Self::UnknownSigner { .. }
            | Self::BadSignature { .. }
            | Self::Contradiction { .. } => true,
            Self::Malformed(_)
            | Self::Change(_)
            | Self::Directory(_)
            | Self::Snapshot(_)
            | Self::Torn { .. }
            | Self::TooLarge { .. }
            | Self::NotCentre
            | Self::NotFollower
            | Self::Store(_) => false,
        }
    }

    pub(super) fn of(scope: &Scope) -> impl Fn(Untakeable) -> Self {
        let scope = scope.clone();
        move |why| Self::Untakeable { scope: scope.clone(), why: Box::new(why) }
    }
}

impl From<Unmade> for NotTaken {
    fn from(why: Unmade) -> Self {
        match why {
            Unmade::Change(why) => Self::Change(why),
            Unmade::Directory(why) => Self::Directory(why),
        }
    }
}
