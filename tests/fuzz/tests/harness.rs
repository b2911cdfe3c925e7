//! The harness bites: it finds what is wrong with decoders that were broken on purpose.

use fuzz::{Dice, Failure, Plan, Shape, Tally, Target};

const PLAN: Plan = Plan { seed: 7, rounds: 20_000 };

/// Texts of bytes below 0x80.
fn ascii(dice: &mut Dice) -> Vec<u8> {
    let length = dice.length(40);
    (0..length).map(|_| dice.byte() & 0x7f).collect()
}

/// A decoder with nothing wrong: a byte for the length, then so many bytes of ASCII.
fn sound() -> Target<Vec<u8>> {
    Target {
        name: "sound",
        shape: Shape::Bytes,
        value: ascii,
        write: |text| Some([&[text.len() as u8], &text[..]].concat()),
        read: |bytes| {
            let (length, text) = bytes.split_first()?;
            let is_whole = usize::from(*length) == text.len() && text.is_ascii();
            is_whole.then(|| text.to_vec())
        },
        check: |text| if text.len() <= 255 { Ok(()) } else { Err("it is too long".into()) },
    }
}

fn failure(target: &Target<Vec<u8>>) -> Failure {
    target.run(PLAN).expect_err("the decoder is broken")
}

#[test]
fn a_sound_decoder_passes() {
    let Tally { accepted, refused } = sound().run(PLAN).expect("nothing is wrong with it");
    assert_eq!(accepted + refused, PLAN.rounds);
    assert!(1_000 < accepted && 1_000 < refused, "{accepted} accepted, {refused} refused");
}

#[test]
fn a_panic_on_one_byte_is_found() {
    let read = |bytes: &[u8]| {
        assert!(!bytes.contains(&0xfe), "no such byte");
        (sound().read)(bytes)
    };
    let found = failure(&Target { read, ..sound() });
    assert!(found.input.contains(&0xfe), "{found}");
    assert!(found.wrong.contains("panicked: no such byte"), "{found}");
}

#[test]
fn a_failure_is_seen_again_with_its_seed_and_tells_its_input() {
    let broken = || Target {
        read: |bytes: &[u8]| {
            assert!(bytes.first() != Some(&0xfe), "first");
            (sound().read)(bytes)
        },
        ..sound()
    };
    let (first, second) = (failure(&broken()), failure(&broken()));
    assert_eq!((first.round, &first.input), (second.round, &second.input));
    let text = first.to_string();
    let hex: String = first.input.iter().map(|byte| format!("{byte:02x}")).collect();
    let round = format!("round {}", first.round);
    for part in ["sound: ", "MESH_SEED=7", "MESH_FUZZ_ROUNDS=20000", &round, &hex] {
        assert!(text.contains(part), "{text:?} does not say {part:?}");
    }
}

#[test]
fn what_is_accepted_and_lost_is_found() {
    // A length that is too short drops the rest of the text.
    let read = |bytes: &[u8]| {
        let (length, text) = bytes.split_first()?;
        text.get(..usize::from(*length)).map(|text| text.to_ascii_lowercase())
    };
    let found = failure(&Target { read, ..sound() });
    assert!(found.wrong.contains("was written, and reads as"), "{found}");

    // Reads the same byte in two ways, so that what was accepted changes when it is written.
    let read = |bytes: &[u8]| {
        let text = (sound().read)(bytes)?;
        Some(if text.first() == Some(&b'~') { [b"~", &text[..]].concat() } else { text })
    };
    let value = |dice: &mut Dice| ascii(dice).into_iter().filter(|byte| *byte != b'~').collect();
    let found = failure(&Target { read, value, ..sound() });
    assert!(found.wrong.contains("when written"), "{found}");
}

#[test]
fn a_limit_that_does_not_hold_is_found() {
    let check = |text: &Vec<u8>| match text.len() {
        0..=39 => Ok(()),
        length => Err(format!("{length} bytes are too many")),
    };
    let found = failure(&Target { check, ..sound() });
    assert!(found.wrong.contains("40 bytes are too many"), "{found}");
}

#[test]
fn a_value_that_cannot_be_written_again_is_found() {
    let write = |text: &Vec<u8>| if text.contains(&b'~') { None } else { (sound().write)(text) };
    let found = failure(&Target { write, ..sound() });
    assert!(found.wrong.contains("unwritable"), "{found}");
}
