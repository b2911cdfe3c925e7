//! Invented companies: one for every ten persons, led by persons of the same nation.

use std::collections::HashSet;
use std::fmt;

use mesh_core::identifier::{LegalId, NationalId, PostalCode};

use super::person::{Person, postal_code};
use super::random::SplitMix64;
use super::{YEAR_LAST, day_of};

/// The legal ID of company number 0, of which person number 0 is the managing director.
pub fn first_legal_id(seed: u64) -> String {
    legal_id(&mut dice(seed, 0)).as_str().to_owned()
}

/// One invented company. Its `Debug` tells nothing, as it leads to persons.
#[derive(Clone, Eq, PartialEq)]
pub struct Company {
    pub legal_id: LegalId,
    pub name: String,
    /// ISO 8601.
    pub registration_date: String,
    pub active: bool,
    /// Of its seat.
    pub postal_code: PostalCode,
    /// At most one for each of the roles, the managing director first.
    pub officers: Vec<Officer>,
}

/// A person who leads a company.
#[derive(Clone, Eq, PartialEq)]
pub struct Officer {
    pub national_id: NationalId,
    pub role: &'static str,
}

/// One company is founded for so many persons.
const PERSONS_PER_COMPANY: usize = 10;

/// The first year in which a company of the sample was registered.
const YEAR_FIRST: u32 = 1990;

/// How old the youngest officer is at least when the company is registered.
const OFFICER_AGE_MIN: u32 = 20;

/// Managing director, chair of the board, inspector.
const ROLES: [&str; 3] = ["مدیرعامل", "رئیس هیئت مدیره", "بازرس"];

impl fmt::Debug for Company {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Company").finish_non_exhaustive()
    }
}

impl fmt::Debug for Officer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Officer").field("role", &self.role).finish_non_exhaustive()
    }
}

/// Founds the companies of `persons`. Each depends on those who were born before it alone, and
/// the identifiers of a company on the seed and its number.
pub fn companies(seed: u64, persons: &[Person]) -> Vec<Company> {
    let mut taken = HashSet::new();
    let mut founded = Vec::new();
    let mut adults: Vec<&Person> = Vec::new();
    for (number, born) in persons.chunks(PERSONS_PER_COMPANY).enumerate() {
        let first_of_them = adults.len();
        adults.extend(born.iter().filter(|person| person.is_adult()));
        // Person 0 is an adult, so there is always somebody to lead.
        let director = first_of_them.min(adults.len() - 1);
        let mut random = dice(seed, number as u64);
        let mut id = legal_id(&mut random);
        while !taken.insert(id.clone()) {
            id = legal_id(&mut random);
        }
        founded.push(company(id, director, &adults, &mut random));
    }
    founded
}

/// The order of the draws is part of the seed's meaning.
fn company(
    legal_id: LegalId,
    director: usize,
    adults: &[&Person],
    random: &mut SplitMix64,
) -> Company {
    let postal_code = postal_code(random);
    let name = format!("شرکت {} {}", random.pick(&NAMES), random.pick(&TRADES));
    // Company 0 is that of person 0, who has to find it in business.
    let active = random.chance(85) || director == 0;
    let mut leaders = vec![adults[director]];
    for _ in 1..ROLES.len() {
        let other = adults[random.below(adults.len() as u32) as usize];
        if !leaders.contains(&other) {
            leaders.push(other);
        }
    }
    let youngest = leaders.iter().map(|person| person.birth_year()).max();
    let earliest = youngest.map_or(YEAR_FIRST, |year| YEAR_FIRST.max(year + OFFICER_AGE_MIN));
    let year = earliest + random.below(YEAR_LAST + 1 - earliest);
    let officer =
        |(person, role): (&Person, _)| Officer { national_id: person.national_id.clone(), role };
    let officers = leaders.into_iter().zip(ROLES).map(officer).collect();
    let registration_date = day_of(year, random);
    Company { legal_id, name, registration_date, active, postal_code, officers }
}

fn dice(seed: u64, number: u64) -> SplitMix64 {
    SplitMix64::of(seed, "company", number)
}

/// Legal IDs are given out from 10 and 14 upwards, so that none that begins with 99 is real.
fn legal_id(random: &mut SplitMix64) -> LegalId {
    let mut ten = random.digits();
    ten[..2].copy_from_slice(&[9, 9]);
    LegalId::complete(ten)
}

#[rustfmt::skip]
const NAMES: [&str; 16] = [
    "آبان", "البرز", "الوند", "بامداد", "پارس", "پیشگام", "توس", "خاوران",
    "دماوند", "زاگرس", "سپهر", "سهند", "کارون", "کوشا", "مهرگان", "هیرکان",
];

#[rustfmt::skip]
const TRADES: [&str; 12] = [
    "پوشش", "پویا", "تجهیز", "دارو", "راه", "ساختمان",
    "صنعت", "غذا", "فناوری", "کشت", "گستر", "ماشین",
];

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;
    use crate::population::Population;

    #[test]
    fn a_larger_nation_begins_with_the_smaller_one() {
        let (small, large) = (Population::new(7, 300), Population::new(7, 2_000));
        assert_eq!((small.companies.len(), large.companies.len()), (30, 200));
        assert!(large.companies[..30] == small.companies);
        assert!(Population::new(8, 300).companies != small.companies);
    }

    #[test]
    fn person_0_leads_company_0_in_every_nation() {
        for (seed, persons) in [(1405, 1), (1405, 9), (7, 10), (8, 50), (9, 300)] {
            let nation = Population::new(seed, persons);
            let first = &nation.companies[0];
            assert_eq!(first.legal_id.as_str(), first_legal_id(seed));
            assert!(first.active && first.officers[0].role == ROLES[0]);
            assert_eq!(first.officers[0].national_id, nation.persons[0].national_id);
        }
    }

    #[test]
    fn companies_are_plausible() {
        let nation = Population::new(crate::SEED_DEFAULT, 5_000);
        let people: HashMap<_, _> =
            nation.persons.iter().map(|person| (person.national_id.as_str(), person)).collect();
        let mut taken = HashSet::new();
        for (number, company) in nation.companies.iter().enumerate() {
            assert!(company.legal_id.as_str().starts_with("99"), "company {number}");
            assert!(taken.insert(company.legal_id.as_str()), "company {number} shares its ID");
            let year: u32 = company.registration_date[..4].parse().unwrap();
            assert!((YEAR_FIRST..=YEAR_LAST).contains(&year), "company {number}");
            assert!((1..=ROLES.len()).contains(&company.officers.len()), "company {number}");
            for officer in &company.officers {
                let person = people[officer.national_id.as_str()];
                assert!(person.is_adult(), "company {number}");
                assert!(person.birth_year() + OFFICER_AGE_MIN <= year, "company {number}");
            }
        }
        assert!(nation.companies.iter().any(|company| !company.active));
    }
}
