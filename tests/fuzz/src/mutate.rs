//! Damage: what a valid input becomes on its way to being a test of the decoder.

use crate::dice::Dice;
use crate::fields::damage_fields;

/// What an input is made of.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Shape {
    /// A protobuf message.
    Message,
    /// Text, mostly.
    Text,
    /// Bytes and nothing more.
    Bytes,
}

/// Longest input that is made by joining two.
const SPLICE_BYTES_MAX: usize = 512 * 1024;

/// Pieces that mean something to some parser of the mesh.
const WORDS: &[&[u8]] = &[
    b"/",
    b"//",
    b".",
    b"..",
    b"/../",
    b"%2e",
    b"%2F",
    b"%5c",
    b"%25",
    b"%00",
    b"%",
    b"\\",
    b"?",
    b"#",
    b"{",
    b"}",
    b"{id}",
    b".v1",
    b".v0",
    b".v01",
    b".v10000",
    b"-",
    b"_",
    b"*",
    b" ",
    b"\0",
    b"\r\n",
    b"hub.",
    b".centre",
    b".edge",
    b".mesh.ir",
    b"operators",
    b"\xd8\xb3",
    b"\xff",
    b"\xe2\x80\xae",
    b"A",
    b"0",
    b"+1",
    b"-1",
];

/// Bytes that stand at a border of some rule.
const BORDER_BYTES: [u8; 14] =
    [0x00, 0x01, 0x09, 0x1f, 0x20, 0x2f, 0x30, 0x3a, 0x40, 0x7e, 0x7f, 0x80, 0xfe, 0xff];

/// One piece of damage to `input`, for which `other` may lend a part.
pub(crate) fn mutate(shape: Shape, input: &[u8], other: &[u8], dice: &mut Dice) -> Vec<u8> {
    let deeper = shape == Shape::Message && !dice.one_in(4);
    let damaged = if deeper { damage_fields(input, dice) } else { None };
    match damaged {
        Some(damaged) => damaged,
        None if dice.one_in(8) => splice(input, other, dice),
        None if shape == Shape::Text && dice.one_in(2) => {
            let word = dice.pick::<&[u8]>(WORDS);
            insert(input, word, dice)
        }
        None => damage(input, dice),
    }
}

/// One piece of damage to bytes of which nothing is known.
pub(crate) fn damage(input: &[u8], dice: &mut Dice) -> Vec<u8> {
    let mut bytes = input.to_vec();
    if bytes.is_empty() || dice.one_in(32) {
        let length = dice.below(80);
        return dice.bytes(length);
    }
    let at = dice.below(bytes.len());
    match dice.below(8) {
        0 => bytes[at] ^= 1 << dice.below(8),
        1 => bytes[at] = dice.byte(),
        2 => bytes[at] = *dice.pick(&BORDER_BYTES),
        3 => bytes.insert(at, dice.byte()),
        4 => drop(bytes.remove(at)),
        5 => bytes.truncate(at),
        6 => {
            // A part of it once more, in the same place.
            let end = at + dice.below((bytes.len() - at).min(64)) + 1;
            let part = bytes[at..end].to_vec();
            bytes.splice(at..at, part);
        }
        _ => {
            let end = at + dice.below((bytes.len() - at).min(16)) + 1;
            bytes.drain(at..end);
        }
    }
    bytes
}

/// The beginning of one and the end of the other.
fn splice(input: &[u8], other: &[u8], dice: &mut Dice) -> Vec<u8> {
    let (left, right) = (dice.below(input.len() + 1), dice.below(other.len() + 1));
    let mut joined = [&input[..left], &other[right..]].concat();
    joined.truncate(SPLICE_BYTES_MAX);
    joined
}

fn insert(input: &[u8], word: &[u8], dice: &mut Dice) -> Vec<u8> {
    let at = dice.below(input.len() + 1);
    [&input[..at], word, &input[at..]].concat()
}
