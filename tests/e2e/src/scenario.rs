//! One scenario is one named case: what is done, and what must come of it. A runner takes a group
//! of them through a nation of real processes; `docs/scenarios.md` is the same list for people.

mod page;
mod run;
mod want;

use std::pin::Pin;

use bytes::Bytes;
use mesh_core::reason::Problem;

pub use self::page::{MARKER, page};
pub use self::run::{CHOICE, run};
pub use self::want::{At, Want};
use crate::bed::Bed;
use crate::client::{Answer, Ask};
use crate::raw;

/// Scenarios that share a bed.
#[derive(Clone, Copy, Debug)]
pub struct Group {
    pub title: &'static str,
    pub cases: &'static [Scenario],
    /// What others test under this heading and we do not.
    pub left_out: &'static [LeftOut],
    /// Does a case cost the provider its link? Then the next one waits until it is back; else the
    /// next request must be answered at once.
    pub breaks_links: bool,
}

/// See the module.
#[derive(Clone, Copy, Debug)]
pub struct Scenario {
    /// Lower case with underscores; permanent, as reasons are.
    pub name: &'static str,
    /// For people; may use Markdown.
    pub done: &'static str,
    pub act: Act,
    pub want: Want,
}

/// A name of the list that has no case, and why.
#[derive(Clone, Copy, Debug)]
pub struct LeftOut {
    pub name: &'static str,
    pub why: &'static str,
}

/// How a scenario acts.
#[derive(Clone, Copy, Debug)]
pub enum Act {
    /// One request by a real HTTP client.
    Ask(fn(&Bed) -> Ask),
    /// Bytes on a connection of its own, as they are; then the connection is read to its end.
    Raw(fn(&Bed) -> Bytes),
    /// Anything else.
    Do(for<'b> fn(&'b Bed) -> Acting<'b>),
}

pub type Acting<'b> = Pin<Box<dyn Future<Output = Seen> + Send + 'b>>;

/// What came of it.
#[derive(Debug)]
pub enum Seen {
    Answer(Answer),
    /// The connection was closed without an answer.
    Closed,
    /// A program ended, and said so.
    Exit {
        code: Option<i32>,
        said: String,
    },
    /// A rogue on a link was told this.
    Told(Problem),
    /// A node was offered a directory, kept what it had, and said this.
    NotTaken(String),
    /// All went on as it should.
    GoesOn,
}

impl Scenario {
    async fn act(&self, bed: &Bed) -> Seen {
        match self.act {
            Act::Ask(ask) => match ask(bed).try_head().await {
                Ok(head) => Seen::Answer(head.whole().await),
                Err(_) => Seen::Closed,
            },
            Act::Raw(bytes) => raw::say(bed, &bytes(bed)).await,
            Act::Do(act) => act(bed).await,
        }
    }
}

/// A row of a group.
pub const fn case(name: &'static str, done: &'static str, act: Act, want: Want) -> Scenario {
    Scenario { name, done, act, want }
}
