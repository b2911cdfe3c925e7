//! The invented people of a seed and their companies, which every kind of register knows alike.

mod company;
mod person;
mod random;

pub use company::{Company, Officer, companies, first_legal_id};
pub use person::{Nation, PERSONS_MAX, Person, first_national_id, first_postal_code};

pub(crate) use random::SplitMix64;

/// The day on which all books were closed: the last of the year 1403. There is no clock here.
pub(crate) const DAY: &str = "2025-03-20";

/// The last year in which something is said to have happened.
pub(crate) const YEAR_LAST: u32 = 2024;

/// Everyone of whom a register may know something.
pub(crate) struct Population {
    seed: u64,
    pub(crate) persons: Vec<Person>,
    pub(crate) companies: Vec<Company>,
}

impl Population {
    pub(crate) fn new(seed: u64, persons: u32) -> Self {
        let persons: Vec<Person> = Nation::new(seed).take(persons as usize).collect();
        let companies = companies(seed, &persons);
        Self { seed, persons, companies }
    }

    pub(crate) fn seed(&self) -> u64 {
        self.seed
    }

    /// The dice that decides what `book` says about subject `number`, see [`SplitMix64::of`].
    pub(crate) fn dice(&self, book: &str, number: usize) -> SplitMix64 {
        SplitMix64::of(self.seed, book, number as u64)
    }

    /// Every person with its number.
    pub(crate) fn persons(&self) -> impl Iterator<Item = (usize, &Person)> {
        self.persons.iter().enumerate()
    }

    /// Every company with its number.
    pub(crate) fn companies(&self) -> impl Iterator<Item = (usize, &Company)> {
        self.companies.iter().enumerate()
    }
}

/// A day of `year` in ISO 8601. Every month has a 28th day, so no calendar is needed.
pub(crate) fn day_of(year: u32, dice: &mut SplitMix64) -> String {
    let (month, day) = (1 + dice.below(12), 1 + dice.below(28));
    format!("{year}-{month:02}-{day:02}")
}
