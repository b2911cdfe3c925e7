//! Agreements: what a reader accepts is exactly what was signed.

use fuzz::{Dice, Shape, Target, values};
use mesh_core::agreement::Agreement;
use mesh_core::agreement::terms::{Draft, Quota, TERMS_BYTES_MAX, Terms};
use mesh_proto::directory::{read_agreement_file, read_terms, write_agreement_file, write_terms};

fn terms(dice: &mut Dice) -> Agreement {
    let consumer = values::system(dice);
    let service = values::service(dice);
    let from = dice.within(1..=4_000_000_000_000);
    let draft = Draft {
        title: format!("t{}", dice.below(1_000)),
        operations: (0..=dice.below(5))
            .map(|at| format!("op{at}").parse().expect("a word"))
            .collect(),
        purposes: (0..=dice.below(3))
            .map(|at| (format!("p{at}").parse().expect("a label"), format!("act {at}")))
            .collect(),
        granted_fields: (0..=dice.below(3))
            .map(|at| format!("/f{at}").parse().expect("a pointer"))
            .collect(),
        quota: Quota { per_second: 1, burst: 0, per_day: dice.within(1..=1_000) },
        valid_from_unix_ms: from,
        valid_until_unix_ms: from + dice.within(1..=1_000_000),
        sensitive: dice.one_in(2),
        ..Draft::between(consumer, service)
    };
    write_terms(Terms::new(draft).expect("its bounds hold")).expect("it is small")
}

#[test]
fn agreement_terms() {
    Target {
        name: "agreement terms",
        shape: Shape::Message,
        value: terms,
        write: |agreement: &Agreement| Some(agreement.terms_bytes().to_vec()),
        // Accepted or not, never two encodings of one agreement.
        read: |bytes| {
            let read = read_terms(bytes).ok()?;
            assert_eq!(read.terms_bytes(), bytes, "the bytes are kept as they were signed");
            Some(read)
        },
        check: |agreement| match agreement.terms_bytes().len() {
            length if length <= TERMS_BYTES_MAX => Ok(()),
            length => Err(format!("it is {length} bytes long")),
        },
    }
    .hold();
}

#[test]
fn agreement_file() {
    Target {
        name: "agreement file",
        shape: Shape::Message,
        value: terms,
        write: |agreement: &Agreement| Some(write_agreement_file(agreement)),
        read: |bytes| {
            let read = read_agreement_file(bytes).ok()?;
            assert_eq!(write_agreement_file(&read), bytes, "a file has one form");
            Some(read)
        },
        check: |_| Ok(()),
    }
    .hold();
}
