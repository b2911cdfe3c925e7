//! A nation on one machine: lays out its PKI, directory and configurations, starts every program as
//! a process of its own, shows it at work, and ends its processes by their own ids.

pub mod ask;
pub mod cli;
pub mod dial;
mod guard;
pub mod identity;
pub mod layout;
pub mod memory;
pub mod next;
pub mod plan;
pub mod ports;
pub mod process;
mod progress;
pub mod ready;
pub mod remains;
pub mod running;
mod scratch;
pub mod show;
mod stay;
pub mod story;
pub mod tell;
mod voice;
