//! The sample nation's registers: each a small provider's own system, as an agent fronts it.
//!
//! They know nothing of the mesh. A process serves one kind, by plain HTTP/1.1 on loopback, from an
//! SQLite file whose persons and companies are all invented. The same seed always invents the same
//! ones, in every kind of register.

mod answer;
mod api;
mod asked;
mod cli;
mod database;
mod kind;
mod kinds;
mod persian;
mod pool;
mod population;
mod register;
mod server;

pub use cli::run_command;
pub use database::DatabaseError;
pub use kind::{Kind, KindError};
pub use kinds::cards::first_card_code;
pub use kinds::treasury::first_payment_reference;
pub use population::{
    Company, Nation, Officer, PERSONS_MAX, Person, companies, first_legal_id, first_national_id,
    first_postal_code,
};
pub use server::{Bound, Config, Drained, GRACE, StartError};

/// The seed of the sample nation, which the documents cite.
pub const SEED_DEFAULT: u64 = 1405;

/// How many persons the sample nation has unless someone asks for another number.
pub const PERSONS_DEFAULT: u32 = 2000;
