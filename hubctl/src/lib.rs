//! The operators' tool of the mesh: asks nodes how they are, and makes their certificates and
//! directories. As a library it serves the local nation and the tests.
//!
//! Exit codes: 0 it is done, and for `status` every node is ready; 1 it did not work out, or a node
//! is not as it should be; 2 the arguments or the configuration must be changed first.

mod access;
mod agreement;
mod cli;
pub mod client;
pub mod config;
pub mod directory;
mod keeping;
mod output;
mod pki;
mod registry;
mod service;
pub mod status;
mod top;
pub mod topology;

pub use cli::run_command;
pub use client::{AskError, ConnectError, NodeClient, Unanswered};
pub use config::Config;
pub use directory::{DirectorySource, SourceError, Written, encode, read_objects, read_source};
