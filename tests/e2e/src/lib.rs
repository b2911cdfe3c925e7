//! The bed of the scenarios: a nation of real processes, a backend that behaves as asked, a client.

pub mod backend;
pub mod bed;
pub mod client;
pub mod forge;
pub mod sample;

pub use bed::Bed;
pub use client::{Answer, Ask};
pub use nation::dial;
