//! The kinds of registers, one of which a process serves.

use std::fmt;

use mesh_core::id::ClusterId;

use crate::kinds;
use crate::register::Register;

/// What a register is about.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Kind {
    /// Who is who, and whose child.
    Civil,
    /// Companies and who leads them.
    LegalPersons,
    /// Postal codes and who lives there.
    Addresses,
    /// Tax debts.
    Tax,
    /// Degrees of universities.
    Degrees,
    /// Occupational health cards and cover.
    Health,
    /// Social insurance.
    Insurance,
    /// Suppliers of the state.
    Procurement,
    /// Payments to the state.
    Treasury,
    /// The service cards that one cluster publishes.
    Cards { publisher: ClusterId },
    /// Business licences, and applications for them.
    Licences,
}

/// A kind that does not exist, or not so.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum KindError {
    #[error("there is no such kind of register")]
    Unknown,
    #[error("service cards are published by a cluster; name it as the publisher")]
    NoPublisher,
    #[error("only service cards have a publisher")]
    Publisher,
}

impl Kind {
    /// The names of all kinds.
    pub const NAMES: [&str; 11] = [
        "civil",
        "legal-persons",
        "addresses",
        "tax",
        "degrees",
        "health",
        "insurance",
        "procurement",
        "treasury",
        "cards",
        "licences",
    ];

    /// The kind called `name`; a publisher belongs to service cards alone.
    pub fn new(name: &str, publisher: Option<ClusterId>) -> Result<Self, KindError> {
        let kind = match (name, publisher) {
            ("cards", Some(publisher)) => return Ok(Self::Cards { publisher }),
            ("cards", None) => return Err(KindError::NoPublisher),
            (_, Some(_)) => return Err(KindError::Publisher),
            ("civil", None) => Self::Civil,
            ("legal-persons", None) => Self::LegalPersons,
            ("addresses", None) => Self::Addresses,
            ("tax", None) => Self::Tax,
            ("degrees", None) => Self::Degrees,
            ("health", None) => Self::Health,
            ("insurance", None) => Self::Insurance,
            ("procurement", None) => Self::Procurement,
            ("treasury", None) => Self::Treasury,
            ("licences", None) => Self::Licences,
            _ => return Err(KindError::Unknown),
        };
        Ok(kind)
    }

    /// The name, with the publisher if there is one. It tells any two kinds apart.
    pub(crate) fn full_name(&self) -> String {
        match self {
            Self::Cards { publisher } => format!("{self} of {publisher}"),
            _ => self.to_string(),
        }
    }

    pub(crate) fn register(&self) -> &'static Register {
        match self {
            Self::Civil => &kinds::civil::REGISTER,
            Self::LegalPersons => &kinds::legal_persons::REGISTER,
            Self::Addresses => &kinds::addresses::REGISTER,
            Self::Tax => &kinds::tax::REGISTER,
            Self::Degrees => &kinds::degrees::REGISTER,
            Self::Health => &kinds::health::REGISTER,
            Self::Insurance => &kinds::insurance::REGISTER,
            Self::Procurement => &kinds::procurement::REGISTER,
            Self::Treasury => &kinds::treasury::REGISTER,
            Self::Cards { .. } => &kinds::cards::REGISTER,
            Self::Licences => &kinds::licences::REGISTER,
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Civil => "civil",
            Self::LegalPersons => "legal-persons",
            Self::Addresses => "addresses",
            Self::Tax => "tax",
            Self::Degrees => "degrees",
            Self::Health => "health",
            Self::Insurance => "insurance",
            Self::Procurement => "procurement",
            Self::Treasury => "treasury",
            Self::Cards { .. } => "cards",
            Self::Licences => "licences",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_a_kind_that_goes_by_it() {
        let health: ClusterId = "health".parse().unwrap();
        for name in Kind::NAMES {
            let publisher = (name == "cards").then(|| health.clone());
            assert_eq!(Kind::new(name, publisher).unwrap().to_string(), name);
        }
        assert_eq!(Kind::new("cards", None), Err(KindError::NoPublisher));
        assert_eq!(Kind::new("tax", Some(health)), Err(KindError::Publisher));
        assert_eq!(Kind::new("stars", None), Err(KindError::Unknown));
    }
}
