//! What can be asked of one node's place in the tree: its link, those below it, what is wrong.

use mesh_core::node::NodeName;
use mesh_proto::frame::LaneKind;

use super::{Answer, Lane, Link, Place};

/// Of so many things, how many are as they should be.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Share {
    pub(crate) up: usize,
    pub(crate) all: usize,
}

impl Share {
    fn of(links: impl Iterator<Item = bool>) -> Self {
        links.fold(Self::default(), |share, up| Self {
            up: share.up + usize::from(up),
            all: share.all + 1,
        })
    }

    /// Such as `2/3`; nothing where there is nothing.
    pub(crate) fn text(self) -> String {
        let Self { up, all } = self;
        if all == 0 { String::new() } else { format!("{up}/{all}") }
    }
}

impl std::iter::Sum for Share {
    fn sum<I: Iterator<Item = Self>>(shares: I) -> Self {
        shares.fold(Self::default(), |sum, share| Self {
            up: sum.up + share.up,
            all: sum.all + share.all,
        })
    }
}

impl Place {
    /// The lanes to the upper node.
    pub(crate) fn lanes(&self) -> &[Lane] {
        match &self.link {
            Link::Root | Link::Unknown => &[],
            Link::Seen { lanes, .. } => lanes,
        }
    }

    /// Does the link upwards carry both quick and bulk exchanges? `None` where there is none to
    /// have, or nobody has spoken of it.
    pub(crate) fn linked(&self) -> Option<bool> {
        let Link::Seen { lanes, .. } = &self.link else { return None };
        let up = |kind| lanes.iter().any(|lane| lane.kind == kind && !lane.draining);
        Some(up(LaneKind::Quick) && up(LaneKind::Bulk))
    }

    /// The links from those below.
    pub(crate) fn links_below(&self) -> Share {
        Share::of(self.below.iter().filter_map(Self::linked))
    }

    /// All links of the node.
    pub(crate) fn links(&self) -> Share {
        Share::of(self.linked().into_iter().chain(self.below.iter().filter_map(Self::linked)))
    }

    /// The links from agents that are attached to it.
    pub(crate) fn agents_below(&self) -> Share {
        let agents = self.below.iter().filter(|place| matches!(place.node, NodeName::Agent { .. }));
        Share::of(agents.filter_map(Self::linked))
    }

    /// Is it not as it should be? A node that was not asked may be as it likes.
    pub(crate) fn is_wrong(&self) -> bool {
        matches!(self.answer, Answer::Unreachable(_)) || self.has_a_wrong_link()
    }

    pub(crate) fn has_a_wrong_link(&self) -> bool {
        self.linked() == Some(false) || self.lanes().iter().any(|lane| lane.draining)
    }

    /// The tree of those that are `wanted`, and of those above them. The root always stays.
    pub(crate) fn only(&self, wanted: &dyn Fn(&Self) -> bool) -> Self {
        let below = self.below.iter().map(|place| place.only(wanted));
        let below = below.filter(|place| !place.below.is_empty() || wanted(place));
        let below = below.collect();
        Self { below, ..self.alone() }
    }

    /// It and all below it, from top to bottom, each with the branches in front of it.
    pub(crate) fn lines(&self) -> Vec<(String, &Self)> {
        let mut lines = Vec::new();
        self.draw("", "", &mut lines);
        lines
    }

    fn draw<'a>(&'a self, branch: &str, stem: &str, lines: &mut Vec<(String, &'a Self)>) {
        lines.push((branch.into(), self));
        let last = self.below.len().saturating_sub(1);
        for (index, below) in self.below.iter().enumerate() {
            let (fork, rest) =
                if index == last { ("└─ ", "   ") } else { ("├─ ", "│  ") };
            below.draw(&format!("{stem}{fork}"), &format!("{stem}{rest}"), lines);
        }
    }

    fn alone(&self) -> Self {
        Self {
            node: self.node.clone(),
            answer: self.answer.clone(),
            link: self.link.clone(),
            software: self.software.clone(),
            below: Vec::new(),
        }
    }
}
