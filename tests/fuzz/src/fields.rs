//! Damage to a protobuf message by its fields, so that most of it still parses and the rules behind
//! the parser get their share.
//!
//! The encoding: <https://protobuf.dev/programming-guides/encoding/>.

use crate::dice::Dice;
use crate::mutate::damage;

/// Fields of one message, as they are on the wire.
type Fields = Vec<Field>;

#[derive(Clone, Debug)]
struct Field {
    number: u64,
    content: Content,
}

#[derive(Clone, Debug)]
enum Content {
    Varint(u64),
    Fixed64([u8; 8]),
    Bytes(Vec<u8>),
    Fixed32([u8; 4]),
}

/// Lengths around the limits of the protocol.
const LENGTHS: [usize; 18] =
    [0, 1, 15, 16, 17, 31, 32, 33, 63, 64, 253, 254, 512, 4096, 8192, 8193, 16384, 16385];

/// Numbers around the limits of the protocol and of its types.
const NUMBERS: [u64; 13] = [
    0,
    1,
    2,
    199,
    600,
    16_384,
    65_537,
    3_600_000,
    3_600_001,
    i32::MAX as u64,
    u32::MAX as u64,
    u64::MAX - 1,
    u64::MAX,
];

/// How often a field is repeated at once: beyond hops, fields and frames.
const REPEATS: [usize; 4] = [2, 7, 129, 4097];

/// What a message may grow to.
const MESSAGE_BYTES_MAX: usize = 512 * 1024;

/// Damages one field of `message`, or one inside of it; `None` if it is no message.
pub(crate) fn damage_fields(message: &[u8], dice: &mut Dice) -> Option<Vec<u8>> {
    let mut fields = parse(message)?;
    if fields.is_empty() {
        return None;
    }
    let at = dice.below(fields.len());
    match dice.below(12) {
        0 => drop(fields.remove(at)),
        1 => {
            let copy = fields[at].clone();
            let place = dice.below(fields.len() + 1);
            fields.insert(place, copy);
        }
        2 => {
            let copy = fields[at].clone();
            let times = *dice.pick(&REPEATS);
            if times * message.len() <= MESSAGE_BYTES_MAX {
                fields.extend(std::iter::repeat_n(copy, times));
            }
        }
        3 => {
            let other = dice.below(fields.len());
            fields.swap(at, other);
        }
        4 => fields[at].number = 1 + dice.below(20) as u64,
        5 => fields[at].content = any_content(dice),
        6 => fields
            .insert(at, Field { number: dice.within(1..=536_870_911), content: any_content(dice) }),
        7 => return Some(with_wrong_length(&fields, at, dice)),
        _ => change(&mut fields[at].content, dice),
    }
    Some(write(&fields))
}

fn change(content: &mut Content, dice: &mut Dice) {
    match content {
        Content::Varint(number) if dice.one_in(2) => *number = *dice.pick(&NUMBERS),
        Content::Varint(number) => {
            *number = number.wrapping_add(dice.within(0..=2)).wrapping_sub(1);
        }
        Content::Fixed64(bytes) => *bytes = dice.number().to_le_bytes(),
        Content::Fixed32(bytes) => *bytes = (dice.number() as u32).to_le_bytes(),
        Content::Bytes(bytes) => {
            let deeper = if dice.one_in(4) { None } else { damage_fields(bytes, dice) };
            *bytes = match deeper {
                Some(changed) => changed,
                None if dice.one_in(4) => {
                    let length = *dice.pick(&LENGTHS);
                    let last = bytes.last().copied().unwrap_or(b'a');
                    let mut changed = bytes.clone();
                    changed.resize(length, last);
                    changed
                }
                None => damage(bytes, dice),
            };
        }
    }
}

fn any_content(dice: &mut Dice) -> Content {
    match dice.below(4) {
        0 => Content::Varint(*dice.pick(&NUMBERS)),
        1 => Content::Fixed64(dice.number().to_le_bytes()),
        2 => Content::Fixed32((dice.number() as u32).to_le_bytes()),
        _ => {
            let length = dice.below(40);
            Content::Bytes(dice.bytes(length))
        }
    }
}

/// The message, in which one field says that it is longer or shorter than it is.
fn with_wrong_length(fields: &[Field], at: usize, dice: &mut Dice) -> Vec<u8> {
    let mut message = write(&fields[..at]);
    match &fields[at].content {
        Content::Bytes(bytes) => {
            put_varint(&mut message, fields[at].number << 3 | 2);
            let wrong = match dice.below(3) {
                0 => *dice.pick(&NUMBERS),
                1 => bytes.len() as u64 + 1 + dice.below(16) as u64,
                _ => dice.below(bytes.len() + 1) as u64,
            };
            put_varint(&mut message, wrong);
            message.extend_from_slice(bytes);
        }
        _ => {
            // A varint that never ends.
            put_varint(&mut message, fields[at].number << 3);
            message.extend_from_slice(&[0xff; 11]);
        }
    }
    message.extend(write(&fields[at + 1..]));
    message
}

fn parse(mut message: &[u8]) -> Option<Fields> {
    let mut fields = Vec::new();
    while !message.is_empty() {
        let key = take_varint(&mut message)?;
        let content = match key & 7 {
            0 => Content::Varint(take_varint(&mut message)?),
            1 => Content::Fixed64(take(&mut message, 8)?.try_into().ok()?),
            2 => {
                let length = usize::try_from(take_varint(&mut message)?).ok()?;
                Content::Bytes(take(&mut message, length)?.to_vec())
            }
            5 => Content::Fixed32(take(&mut message, 4)?.try_into().ok()?),
            _ => return None,
        };
        if key >> 3 == 0 {
            return None;
        }
        fields.push(Field { number: key >> 3, content });
    }
    Some(fields)
}

fn write(fields: &[Field]) -> Vec<u8> {
    let mut message = Vec::new();
    for Field { number, content } in fields {
        match content {
            Content::Varint(value) => {
                put_varint(&mut message, number << 3);
                put_varint(&mut message, *value);
            }
            Content::Fixed64(bytes) => {
                put_varint(&mut message, number << 3 | 1);
                message.extend_from_slice(bytes);
            }
            Content::Bytes(bytes) => {
                put_varint(&mut message, number << 3 | 2);
                put_varint(&mut message, bytes.len() as u64);
                message.extend_from_slice(bytes);
            }
            Content::Fixed32(bytes) => {
                put_varint(&mut message, number << 3 | 5);
                message.extend_from_slice(bytes);
            }
        }
    }
    message
}

fn take<'m>(message: &mut &'m [u8], length: usize) -> Option<&'m [u8]> {
    let (taken, rest) = message.split_at_checked(length)?;
    *message = rest;
    Some(taken)
}

fn take_varint(message: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let [byte] = take(message, 1)? else { return None };
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

fn put_varint(message: &mut Vec<u8>, mut value: u64) {
    while 0x7f < value {
        message.push(value as u8 | 0x80);
        value >>= 7;
    }
    message.push(value as u8);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_reads_as_it_was_written() {
        // Field 1 is the varint 150, field 2 the text "testing"; the examples of the document.
        let message = b"\x08\x96\x01\x12\x07testing";
        let fields = parse(message).unwrap();
        assert!(matches!(fields[0], Field { number: 1, content: Content::Varint(150) }));
        assert_eq!(write(&fields), message);
        assert!(parse(b"\x08").is_none());
        assert!(parse(b"\x12\x07test").is_none());
        assert!(parse(&[0xff; 20]).is_none());
    }
}
