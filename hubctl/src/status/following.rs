//! How a node stands with the directory, as its row tells it.

use mesh_proto::wire::admin::v1 as wire;
use mesh_proto::wire::directory::v1::ScopeHead;
use serde::Serialize;

use crate::output::ago;

/// Longest reason that is repeated from a node.
const WHY_CHARACTERS_MAX: usize = 512;

/// Scopes that a node tells of at most.
const HEADS_MAX: usize = 4096;

/// See the module of the rows for the meaning of the fields.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct Following {
    pub since_unix_ms: Option<u64>,
    pub last_heartbeat_unix_ms: Option<u64>,
    pub freshness: Freshness,
    pub heads: Vec<Head>,
    pub refusals: u64,
    pub last_refusal: Option<String>,
    pub last_refusal_unix_ms: Option<u64>,
    pub file_failures: u64,
    pub file_trouble: Option<String>,
}

/// What the silence of the centre means to a node.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Freshness {
    Fresh,
    Warned,
    StaleForSensitive,
    Stale,
    /// The node is of a version that says something else.
    Unknown,
}

/// Where one scope stands at a node.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct Head {
    pub scope: String,
    pub epoch: u64,
    pub revision: u64,
    pub hash: Option<String>,
}

impl Following {
    pub(super) fn read(told: &wire::Following) -> Self {
        let time = |time: u64| Some(time).filter(|time| *time != 0);
        let why = |why: &str| {
            (!why.is_empty()).then(|| why.chars().take(WHY_CHARACTERS_MAX).collect::<String>())
        };
        Self {
            since_unix_ms: time(told.since_unix_ms),
            last_heartbeat_unix_ms: time(told.last_heartbeat_unix_ms),
            freshness: Freshness::read(told.freshness()),
            heads: told.heads.iter().take(HEADS_MAX).map(Head::read).collect(),
            refusals: told.refusals,
            last_refusal: why(&told.last_refusal),
            last_refusal_unix_ms: time(told.last_refusal_unix_ms),
            file_failures: told.file_failures,
            file_trouble: why(&told.file_trouble),
        }
    }

    /// What somebody should look at, in words.
    pub(super) fn troubles(&self, now_ms: u64) -> Vec<String> {
        let mut troubles = Vec::new();
        if let Some(why) = &self.file_trouble {
            troubles.push(format!("the directory is not kept on disk: {why}"));
        }
        let silent = match self.freshness {
            Freshness::Fresh | Freshness::Unknown => None,
            Freshness::Warned => Some(""),
            Freshness::StaleForSensitive => Some(", sensitive services are not served"),
            Freshness::Stale => Some(", nothing is served"),
        };
        if let Some(meaning) = silent {
            let last = self.last_heartbeat_unix_ms;
            let last = last.map_or("never".into(), |last| ago(last, now_ms));
            troubles.push(format!("heard from the centre {last}{meaning}"));
        }
        let is_news = |at: &u64| self.last_heartbeat_unix_ms.is_none_or(|heard| heard < *at);
        if let Some((at, why)) =
            self.last_refusal_unix_ms.filter(is_news).zip(self.last_refusal.as_ref())
        {
            troubles.push(format!("refused {}: {why}", ago(at, now_ms)));
        }
        troubles
    }
}

impl Freshness {
    fn read(freshness: wire::Freshness) -> Self {
        match freshness {
            wire::Freshness::Unspecified => Self::Unknown,
            wire::Freshness::Fresh => Self::Fresh,
            wire::Freshness::Warned => Self::Warned,
            wire::Freshness::StaleForSensitive => Self::StaleForSensitive,
            wire::Freshness::Stale => Self::Stale,
        }
    }
}

impl Head {
    fn read(head: &ScopeHead) -> Self {
        let hash = head.hash.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        Self {
            scope: head.scope.chars().take(WHY_CHARACTERS_MAX).collect(),
            epoch: head.epoch,
            revision: head.revision,
            hash: (!hash.is_empty()).then_some(hash),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_that_follows_has_no_trouble_and_one_that_does_not_says_why() {
        let now_ms = 1_000_000_000;
        let told = wire::Following {
            since_unix_ms: now_ms - 60_000,
            last_heartbeat_unix_ms: now_ms - 2_000,
            freshness: wire::Freshness::Fresh.into(),
            refusals: 1,
            last_refusal: "revision 1.6 is older than 1.7, which this node has".into(),
            last_refusal_unix_ms: now_ms - 30_000,
            ..wire::Following::default()
        };
        assert_eq!(Following::read(&told).troubles(now_ms), [""; 0], "it was heard since");
        let silent = wire::Following {
            since_unix_ms: 0,
            last_heartbeat_unix_ms: now_ms - 120_000,
            freshness: wire::Freshness::Warned.into(),
            file_trouble: "no space left on device".into(),
            ..told
        };
        let want = [
            "the directory is not kept on disk: no space left on device",
            "heard from the centre 2 min ago",
            "refused 30 s ago: revision 1.6 is older than 1.7, which this node has",
        ];
        assert_eq!(Following::read(&silent).troubles(now_ms), want);
        let new = wire::Following {
            freshness: wire::Freshness::Stale.into(),
            ..wire::Following::default()
        };
        let want = ["heard from the centre never, nothing is served"];
        assert_eq!(Following::read(&new).troubles(now_ms), want);
    }
}
