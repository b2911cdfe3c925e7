//! The national hub by itself, over real TCP and TLS: its start, and its registry.

mod approvals;
mod files;
mod operator;
mod registry;
mod start;
