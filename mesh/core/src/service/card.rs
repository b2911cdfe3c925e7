//! The service card (شناسنامه خدمت): what the approved description of a service says of it.

use serde::{Deserialize, Serialize};

use crate::identifier::ServiceCardCode;
use crate::text::{Reach, Title};

/// Contacts on one card.
pub const CONTACTS_MAX: usize = 4;

/// What a registrar and a consumer's agency know a service by.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct ServiceCard {
    /// Eleven digits; none before the card is approved.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<ServiceCardCode>,
    pub title_fa: Title,
    pub title_en: Title,
    /// The unit of the agency that answers for the service, in Persian.
    pub unit_fa: Title,
    /// What one use costs; none where it is free.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fee_rials: Option<u64>,
    /// Whom to ask, at most [`CONTACTS_MAX`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub contacts: Vec<Contact>,
}

/// An office, not a person: people change.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(try_from = "Written")]
pub struct Contact {
    /// Such as `help desk`.
    pub role: Title,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub phone: Option<Reach>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub email: Option<Reach>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    role: Title,
    phone: Option<Reach>,
    email: Option<Reach>,
}

/// A card that helps nobody, and why.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum CardError {
    #[error("contact {role} has neither phone nor email")]
    Unreachable { role: Title },
    #[error("card has {found} contacts, at most {CONTACTS_MAX}")]
    Contacts { found: usize },
}

impl Contact {
    pub fn new(role: Title, phone: Option<Reach>, email: Option<Reach>) -> Result<Self, CardError> {
        if phone.is_none() && email.is_none() {
            return Err(CardError::Unreachable { role });
        }
        Ok(Self { role, phone, email })
    }
}

impl TryFrom<Written> for Contact {
    type Error = CardError;

    fn try_from(Written { role, phone, email }: Written) -> Result<Self, Self::Error> {
        Self::new(role, phone, email)
    }
}
