//! How many approvals which change needs: a list of rules, of which the first that matches holds.

use std::collections::BTreeSet;

use serde::Deserialize;

use super::{Action, Body};
use crate::directory::change::ObjectKind;

/// Approvals that a rule may ask for.
const APPROVALS_MAX: u8 = 5;

/// Rules in one list.
const RULES_MAX: usize = 100;

/// See the module. Without any rule, a change is made as soon as it is proposed.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq)]
#[serde(try_from = "Text")]
pub struct Rules(Vec<Rule>);

#[derive(Clone, Debug, Eq, PartialEq)]
struct Rule {
    /// All kinds if it is empty.
    kinds: BTreeSet<ObjectKind>,
    /// All actions if it is empty.
    actions: BTreeSet<Action>,
    approvals: u8,
}

/// Rules as they are written down.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Text {
    #[serde(default)]
    rules: Vec<TextRule>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct TextRule {
    /// Words as in keys, such as `link-key`. Left out for all.
    kinds: Option<Vec<String>>,
    /// Left out for all.
    actions: Option<BTreeSet<Action>>,
    approvals: u8,
}

/// Rules that cannot be kept, and which one.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum ParseRulesError {
    #[error("there are {0} rules, limit {RULES_MAX}")]
    TooMany(usize),
    #[error("rule {number} names kind {kind:?}, want one of {known}")]
    Kind { number: usize, kind: String, known: String },
    #[error("rule {0} has an empty list, which matches nothing; leave it out to match all")]
    Empty(usize),
    #[error("rule {number} asks for {approvals} approvals, limit {APPROVALS_MAX}")]
    Approvals { number: usize, approvals: u8 },
}

impl Rules {
    /// Approvals that `body` needs: of its changes, the one that needs most decides.
    pub fn needed(&self, body: &Body) -> u8 {
        let each = body.changes.iter().map(|written| self.of(written.kind(), written.action()));
        each.max().unwrap_or(0)
    }

    /// Approvals that this action on an object of this kind needs.
    pub fn of(&self, kind: ObjectKind, action: Action) -> u8 {
        self.0.iter().find(|rule| rule.matches(kind, action)).map_or(0, |rule| rule.approvals)
    }
}

impl Rule {
    fn matches(&self, kind: ObjectKind, action: Action) -> bool {
        (self.kinds.is_empty() || self.kinds.contains(&kind))
            && (self.actions.is_empty() || self.actions.contains(&action))
    }
}

impl TryFrom<Text> for Rules {
    type Error = ParseRulesError;

    fn try_from(text: Text) -> Result<Self, Self::Error> {
        if RULES_MAX < text.rules.len() {
            return Err(ParseRulesError::TooMany(text.rules.len()));
        }
        let rules = text.rules.into_iter().enumerate();
        rules.map(|(index, rule)| rule.read(index + 1)).collect::<Result<_, _>>().map(Self)
    }
}

impl TextRule {
    fn read(self, number: usize) -> Result<Rule, ParseRulesError> {
        let is_empty = self.kinds.as_ref().is_some_and(Vec::is_empty)
            || self.actions.as_ref().is_some_and(BTreeSet::is_empty);
        if is_empty {
            return Err(ParseRulesError::Empty(number));
        }
        if APPROVALS_MAX < self.approvals {
            return Err(ParseRulesError::Approvals { number, approvals: self.approvals });
        }
        let kinds = self.kinds.unwrap_or_default().into_iter().map(|word| {
            let kind = ObjectKind::ALL.into_iter().find(|kind| kind.name() == word);
            kind.ok_or_else(|| {
                let known = ObjectKind::ALL.map(ObjectKind::name).join(", ");
                ParseRulesError::Kind { number, kind: word, known }
            })
        });
        Ok(Rule {
            kinds: kinds.collect::<Result<_, _>>()?,
            actions: self.actions.unwrap_or_default(),
            approvals: self.approvals,
        })
    }
}
