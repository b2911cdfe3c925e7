//! Invented persons: the sample nation is born from a seed, one person after another.

use std::collections::HashSet;
use std::fmt;

use mesh_core::identifier::{NationalId, PostalCode};

use super::random::SplitMix64;
use super::{YEAR_LAST, day_of};

/// Most persons that one seed gives. `ID_PREFIX` leaves room for a hundred times as many, so a
/// fresh national ID is always found quickly.
pub const PERSONS_MAX: u32 = 100_000;

/// The national ID of person number 0, which depends on the seed alone.
pub fn first_national_id(seed: u64) -> String {
    Nation::new(seed).birth().national_id.as_str().to_owned()
}

/// The postal code of person number 0.
pub fn first_postal_code(seed: u64) -> String {
    Nation::new(seed).birth().postal_code.as_str().to_owned()
}

/// One invented person. Its `Debug` tells nothing, as a log line must not name anyone.
#[derive(Clone, Eq, PartialEq)]
pub struct Person {
    pub national_id: NationalId,
    pub first_name: &'static str,
    pub last_name: &'static str,
    /// ISO 8601, such as `1983-04-17`.
    pub birth_date: String,
    pub alive: bool,
    pub postal_code: PostalCode,
    /// A person with a smaller number, or `None` where the register does not know the father.
    pub father: Option<NationalId>,
}

impl Person {
    /// The year of birth.
    pub fn birth_year(&self) -> u32 {
        self.birth_date[..4].parse().expect("a birth date begins with its year")
    }

    /// Whether this person lives and is of an age to found a company, study or marry.
    pub fn is_adult(&self) -> bool {
        self.alive && self.birth_year() <= ADULT_YEAR_LAST
    }
}

impl fmt::Debug for Person {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Person").finish_non_exhaustive()
    }
}

/// The persons of one seed in the order of their numbers, at most [`PERSONS_MAX`].
///
/// Each depends only on those before it: a larger nation begins with all of the smaller one.
/// Person 0 is a living man, and person 1 is his child.
pub struct Nation {
    random: SplitMix64,
    born: u32,
    taken: HashSet<NationalId>,
    fathers: Vec<Father>,
}

/// The first three digits of a national ID name the office that issued it. Published lists of
/// offices end in the seven hundreds, so that none of these numbers is a real person's.
const ID_PREFIX: [u8; 2] = [9, 9];

/// The year of birth after which someone is too young for an adult's part by `YEAR_LAST`.
const ADULT_YEAR_LAST: u32 = 2000;

/// How old a father is at least.
const FATHER_AGE_MIN: u32 = 20;

/// How many children one father has at most, which bounds the answer about a person's kin.
const CHILDREN_MAX: u32 = 6;

/// A man who may have children, or further children.
#[derive(Clone)]
struct Father {
    national_id: NationalId,
    last_name: &'static str,
    birth_year: u32,
    children: u32,
}

impl fmt::Debug for Nation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Nation").field("born", &self.born).finish_non_exhaustive()
    }
}

impl Iterator for Nation {
    type Item = Person;

    fn next(&mut self) -> Option<Person> {
        (self.born < PERSONS_MAX).then(|| self.birth())
    }
}

impl Nation {
    pub fn new(seed: u64) -> Self {
        let random = SplitMix64::new(seed);
        Self { random, born: 0, taken: HashSet::new(), fathers: Vec::new() }
    }

    /// The order of the draws is part of the seed's meaning: another order is another nation.
    fn birth(&mut self) -> Person {
        let first = self.born == 0;
        let national_id = self.fresh_national_id();
        let father = self.father();
        let man = self.random.below(2) == 0 || first;
        let first_name = self.random.pick(if man { &MEN } else { &WOMEN });
        let family = self.random.pick(&FAMILIES);
        let last_name = father.as_ref().map_or(family, |father| father.last_name);
        let birth_year = self.birth_year(father.as_ref());
        let birth_date = day_of(birth_year, &mut self.random);
        let alive = self.random.below(100) < alive_percent(birth_year) || first;
        let postal_code = postal_code(&mut self.random);

        self.born += 1;
        if man && birth_year <= ADULT_YEAR_LAST {
            let national_id = national_id.clone();
            self.fathers.push(Father { national_id, last_name, birth_year, children: 0 });
        }
        Person {
            national_id,
            first_name,
            last_name,
            birth_date,
            alive,
            postal_code,
            father: father.map(|father| father.national_id),
        }
    }

    fn fresh_national_id(&mut self) -> NationalId {
        loop {
            let mut nine = [0; 9];
            nine[..2].copy_from_slice(&ID_PREFIX);
            for digit in &mut nine[2..] {
                *digit = self.random.pick(&DIGITS);
            }
            let fresh = NationalId::complete(nine).filter(|id| !self.taken.contains(id));
            if let Some(id) = fresh {
                self.taken.insert(id.clone());
                return id;
            }
        }
    }

    /// Finds a father: for person 1 it is person 0, for most others anyone who has room.
    fn father(&mut self) -> Option<Father> {
        let known = self.random.below(100) < 65;
        let at = self.random.below(self.fathers.len() as u32) as usize;
        let at = if self.born == 1 { 0 } else { at };
        if !known && self.born != 1 {
            return None;
        }
        let father = self.fathers.get_mut(at)?;
        father.children += 1;
        let found = father.clone();
        if found.children == CHILDREN_MAX {
            self.fathers.swap_remove(at);
        }
        Some(found)
    }

    fn birth_year(&mut self, father: Option<&Father>) -> u32 {
        let (earliest, years) = match father {
            Some(father) => {
                let earliest = father.birth_year + FATHER_AGE_MIN;
                (earliest, (YEAR_LAST + 1 - earliest).min(25))
            }
            None => (1935, 51),
        };
        earliest + self.random.below(years)
    }
}

/// A code that keeps the rule of postal codes.
pub(super) fn postal_code(random: &mut SplitMix64) -> PostalCode {
    let district = [0; 5].map(|_: u8| random.pick(&DISTRICT_DIGITS));
    let rest = [0; 5].map(|_: u8| random.pick(&DIGITS));
    let digits = district.iter().chain(&rest);
    let text: String = digits.map(|digit| char::from(b'0' + digit)).collect();
    text.parse().expect("the districts' digits are those that the rule allows")
}

fn alive_percent(birth_year: u32) -> u32 {
    match birth_year {
        ..1950 => 55,
        1950..1970 => 88,
        _ => 98,
    }
}

const DIGITS: [u8; 10] = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9];

const DISTRICT_DIGITS: [u8; 8] = [1, 3, 4, 5, 6, 7, 8, 9];

#[rustfmt::skip]
const MEN: [&str; 20] = [
    "آرش", "امیر", "بهرام", "بیژن", "پرویز",
    "جمشید", "حسین", "داریوش", "رضا", "سهراب",
    "سیامک", "شاهین", "علی", "فرهاد", "کاوه",
    "کیان", "محمد", "مهدی", "نیما", "یوسف",
];

#[rustfmt::skip]
const WOMEN: [&str; 20] = [
    "آناهیتا", "الهام", "بهار", "پروین", "ترانه",
    "رویا", "زهرا", "ژاله", "سارا", "سیمین",
    "شیرین", "فاطمه", "فرشته", "کتایون", "لیلا",
    "مریم", "مینا", "نرگس", "هما", "یاسمن",
];

#[rustfmt::skip]
const FAMILIES: [&str; 24] = [
    "آذری", "احمدی", "اکبری", "امینی", "بهرامی",
    "پارسا", "توکلی", "جعفری", "حسینی", "دانش",
    "راد", "رستمی", "زند", "سپهری", "شریفی",
    "صادقی", "فرهادی", "کاظمی", "کریمی", "محمدی",
    "مرادی", "نوری", "هاشمی", "یزدانی",
];

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use mesh_core::identifier::name_key;

    use super::*;

    fn population(seed: u64, persons: usize) -> Vec<Person> {
        Nation::new(seed).take(persons).collect()
    }

    #[test]
    fn the_same_seed_gives_the_same_people() {
        assert!(population(7, 500) == population(7, 500));
        assert!(population(7, 500) != population(8, 500));
    }

    #[test]
    fn a_larger_nation_begins_with_the_smaller_one() {
        assert!(population(7, 2_000)[..300] == population(7, 300));
        assert_eq!(first_national_id(7), population(7, 9)[0].national_id.as_str());
        assert_eq!(first_postal_code(7), population(7, 9)[0].postal_code.as_str());
    }

    /// Documents cite this person: if this test fails, the seed has lost its meaning.
    #[test]
    fn person_0_of_the_default_seed_is_who_the_documents_cite() {
        let first = &population(crate::SEED_DEFAULT, 1)[0];
        let found = [first.national_id.as_str(), first.first_name, first.last_name];
        assert_eq!(found, ["9941148996", "داریوش", "زند"]);
        assert_eq!((first.birth_date.as_str(), first.alive), ("1984-10-03", true));
    }

    #[test]
    fn person_0_is_a_living_father_for_every_seed() {
        for seed in 0..200 {
            let people = population(seed, 2);
            assert!(people[0].alive && people[0].father.is_none(), "seed {seed}");
            assert!(people[1].father.as_ref() == Some(&people[0].national_id), "seed {seed}");
        }
    }

    #[test]
    fn persons_are_plausible() {
        let people = population(crate::SEED_DEFAULT, 5_000);
        let mut by_id = HashMap::new();
        let mut children: HashMap<&str, u32> = HashMap::new();
        for (number, person) in people.iter().enumerate() {
            let id = person.national_id.as_str();
            assert!(id.parse::<NationalId>().is_ok() && id.starts_with("99"), "person {number}");
            assert!(person.postal_code.as_str().parse::<PostalCode>().is_ok(), "person {number}");
            assert!((1935..=YEAR_LAST).contains(&person.birth_year()), "person {number}");
            if let Some(father) = &person.father {
                let father: &Person = by_id[father.as_str()];
                let earliest = father.birth_year() + FATHER_AGE_MIN;
                assert!(earliest <= person.birth_year(), "person {number}");
                assert!(MEN.contains(&father.first_name), "person {number}");
                assert_eq!(father.last_name, person.last_name, "person {number}");
                *children.entry(father.national_id.as_str()).or_default() += 1;
            }
            assert!(by_id.insert(id, person).is_none(), "person {number} shares its national ID");
        }
        assert!(children.values().all(|count| *count <= CHILDREN_MAX));
        assert!(1_000 < children.values().sum::<u32>(), "most persons know their father");
        assert!(people.iter().any(|person| !person.alive));
    }

    #[test]
    fn names_are_written_as_they_are_compared() {
        for name in MEN.iter().chain(&WOMEN).chain(&FAMILIES) {
            assert_eq!(name_key(name), *name);
        }
    }

    #[test]
    fn a_nation_ends() {
        assert_eq!(Nation::new(3).count(), PERSONS_MAX as usize);
    }
}
