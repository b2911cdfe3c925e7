//! The national hub by itself, over real TCP and TLS: its start, and its registry.

mod files;
mod registry;
mod start;
