//! What all daemons do alike with links: the node itself, its link upwards, its listener for links
//! from below, the directory that it follows and hands on, what it tells operators, and how an
//! exchange is counted and logged.
//!
//! `mesh-rt` knows no links and `mesh-link` no TLS; this is where they meet.

pub mod catalogue;
pub mod directory;
pub mod feed;
pub mod lower;
pub mod node;
pub mod operators;
pub mod passage;
pub mod section;
pub mod standing;
pub mod told;
pub mod upper;
mod view;

pub use directory::LiveDirectory;
pub use node::{Knows, Named, Node, NodeError, NodeFiles, Who};
pub use standing::Standing;
