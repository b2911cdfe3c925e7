//! Pure rules of the mesh: values, decisions and limits. Nothing here does I/O, keeps time or rolls
//! dice; what needs a time or a random number gets it as an argument.

pub mod access;
pub mod address;
pub mod agreement;
pub mod change_set;
pub mod deadline;
pub mod directory;
pub mod exchange;
pub mod id;
pub mod identifier;
pub mod island;
pub mod latency;
pub mod limits;
pub mod node;
pub mod operation;
pub mod permit;
pub mod reason;
pub mod route;
pub mod service;
pub mod sla;
pub mod sorted;
pub mod split_view;
pub mod standards;
pub mod text;
pub mod time;
pub mod tree_hash;
