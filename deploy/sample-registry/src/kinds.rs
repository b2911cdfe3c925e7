//! The kinds of registers, a file each: what its tables hold, and what it answers from them.

pub(crate) mod addresses;
pub(crate) mod cards;
pub(crate) mod civil;
pub(crate) mod degrees;
pub(crate) mod health;
pub(crate) mod insurance;
pub(crate) mod legal_persons;
pub(crate) mod licences;
pub(crate) mod procurement;
pub(crate) mod tax;
pub(crate) mod treasury;
