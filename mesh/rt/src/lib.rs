//! What every daemon is made of beside its own work: configuration, TLS, servers, drain, readiness,
//! telemetry, the admin port, and the way from `main` to an exit code.

pub mod admin;
pub mod admission;
pub mod clock;
pub mod config;
pub mod directory_file;
pub mod directory_keys;
pub mod drain;
pub mod exit;
pub mod file;
pub mod journal;
pub mod members;
pub mod memory;
pub mod metrics;
pub mod readiness;
pub mod server;
pub mod state_folder;
pub mod telemetry;
pub mod tls;
