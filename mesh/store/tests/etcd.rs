//! The store on real etcd: what it promises while members die, hang, restart or lose answers.
//!
//! The contract that every store keeps is tested beside this; here is what only etcd can do.

#[path = "etcd/bed.rs"]
mod bed;
#[path = "etcd/faults.rs"]
mod faults;
#[path = "etcd/limits.rs"]
mod limits;
#[path = "etcd/outcome.rs"]
mod outcome;
#[path = "etcd/trust.rs"]
mod trust;
#[path = "etcd/watching.rs"]
mod watching;
