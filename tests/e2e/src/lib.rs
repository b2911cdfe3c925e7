//! The bed of the scenarios: a nation of real processes, a backend that behaves as asked, a client;
//! and the scenarios that need no more than that, as rows of a table.

pub mod backend;
pub mod bed;
pub mod cases;
pub mod client;
pub mod false_centre;
pub mod forge;
pub mod raw;
pub mod rogue;
pub mod sample;
pub mod scenario;
pub mod told;
pub mod victim;

pub use bed::Bed;
pub use client::{Answer, Ask};
pub use nation::dial;
