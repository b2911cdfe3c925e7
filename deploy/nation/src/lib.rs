//! A nation on one machine: lays out its PKI, directory and configurations, starts every program as
//! a process of its own, and ends them by their own ids.

pub mod cli;
pub mod layout;
pub mod plan;
pub mod process;
pub mod running;
pub mod show;
