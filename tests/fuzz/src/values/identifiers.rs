//! Identifiers of people, companies and places, and how someone types them.

use mesh_core::identifier::{
    ForeignNationalId, Iban, LegalId, Mobile, NationalId, PostalCode, ServiceCardCode,
};

use super::names::{characters, parsed};
use crate::Dice;

const DIGITS: &[u8] = b"0123456789";

/// The text as a Persian or an Arabic keyboard gives it, or as it is: its last digit decides, so
/// that the same text is always typed alike.
pub fn typed(text: &str) -> String {
    let zero = match text.bytes().last().unwrap_or_default() % 3 {
        0 => '0',
        1 => '۰',
        _ => '٠',
    };
    let keyed = text.chars().map(|letter| match letter.to_digit(10) {
        Some(digit) => char::from_u32(u32::from(zero) + digit).expect("it is a digit"),
        None => letter,
    });
    keyed.collect()
}

pub fn national_id(dice: &mut Dice) -> NationalId {
    loop {
        if let Some(id) = NationalId::complete(digits(dice)) {
            return id;
        }
    }
}

pub fn legal_id(dice: &mut Dice) -> LegalId {
    LegalId::complete(digits(dice))
}

pub fn postal_code(dice: &mut Dice) -> PostalCode {
    let district = characters(dice, 5, b"13456789");
    parsed(&(district + &characters(dice, 5, DIGITS)))
}

pub fn mobile(dice: &mut Dice) -> Mobile {
    let prefix = dice.pick::<&str>(&["+98", "0098", "98", "0", ""]);
    parsed(&format!("{prefix}9{}", characters(dice, 9, DIGITS)))
}

pub fn iban(dice: &mut Dice) -> Iban {
    Iban::complete(digits(dice))
}

pub fn foreign_national_id(dice: &mut Dice) -> ForeignNationalId {
    parsed(&characters(dice, 12, DIGITS))
}

pub fn service_card_code(dice: &mut Dice) -> ServiceCardCode {
    parsed(&characters(dice, 11, DIGITS))
}

fn digits<const N: usize>(dice: &mut Dice) -> [u8; N] {
    std::array::from_fn(|_| dice.below(10) as u8)
}
