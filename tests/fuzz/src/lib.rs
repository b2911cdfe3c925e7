//! Seeded fuzzing of everything that reads bytes from the network, bounded, and on stable Rust.
//!
//! A [`Target`] is one decoder. Its inputs are valid messages of values that are generated, and
//! what becomes of them when they are damaged. Whatever comes in, a decoder does not panic; what it
//! accepts stays within its limits, and reads the same again when it is written. One seed gives one
//! sequence of inputs, on every machine.

mod dice;
mod fields;
mod harness;
mod mutate;
pub mod values;

pub use dice::Dice;
pub use harness::{Failure, Plan, Tally, Target};
pub use mutate::Shape;
