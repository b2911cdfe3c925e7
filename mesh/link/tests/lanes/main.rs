//! Lanes over a network in memory: real gRPC at both ends, and a line that can be cut.

mod drains;
mod exchanges;
mod failures;
mod fairness;
mod hellos;
mod net;
mod nodes;
mod raw;
mod relays;
mod violators;
