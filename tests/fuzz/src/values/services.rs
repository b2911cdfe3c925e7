//! Services of a directory, with everything that can be said of one.

use std::collections::BTreeSet;

use mesh_core::address::ServiceAddress;
use mesh_core::id::OperationId;
use mesh_core::limits::DEADLINE_MAX;
use mesh_core::operation::{Call, Operation, OperationKind};
use mesh_core::service::{
    CONTACTS_MAX, Contact, DESCRIPTION_BYTES_MAX, Deprecation, Description, Lifecycle, Maintenance,
    MediaType, Notice, Service, ServiceCard,
};
use mesh_core::sla::Sla;
use mesh_core::time::UnixMs;

use super::names::{digest, label, method, parsed, template, word};
use crate::Dice;

/// A service that fits by itself.
pub(super) fn one_service(dice: &mut Dice, address: ServiceAddress) -> Service {
    let mut ids = BTreeSet::<OperationId>::new();
    for _ in 0..=dice.below(4) {
        ids.insert(parsed(&word(dice)));
    }
    let operations = ids.into_iter().enumerate();
    let operations = operations.map(|(index, id)| operation(dice, index, id)).collect();
    let lifecycle = dice.maybe(|dice| lifecycle(dice, address.major)).unwrap_or_default();
    Service {
        timeout_ms: dice.within(1..=DEADLINE_MAX.as_millis() as u64),
        operations,
        sensitive: dice.one_in(2),
        lifecycle,
        card: dice.maybe(card),
        approval: dice.maybe(sentence),
        sla: dice.maybe(|dice| {
            let (availability, latency) = (dice.within(1..=100_000), dice.within(1..=60_000));
            Sla::new(availability as u32, latency as u32).expect("both are in their bounds")
        }),
        description: dice.maybe(|dice| Description {
            sha256: digest(dice),
            media_type: dice.pick(&MediaType::ALL).0,
            length_bytes: dice.within(1..=DESCRIPTION_BYTES_MAX as u64) as u32,
        }),
        address,
    }
}

/// The number `index` keeps the calls of two operations apart.
fn operation(dice: &mut Dice, index: usize, id: OperationId) -> Operation {
    let call = if dice.one_in(4) {
        Call::Grpc(parsed(&format!("tax.v{index}.Debts/Get")))
    } else {
        let path = format!("/o{index}{}", template(dice));
        Call::Rest { method: method(dice), path: parsed(path.trim_end_matches('/')) }
    };
    let kind = *dice.pick(&[OperationKind::Inquiry, OperationKind::Submission]);
    let subjects = ["nobody", "national-id path:id", "record body:licence/number", "iban query:to"];
    let subject = dice.maybe(|dice| parsed(dice.pick::<&str>(&subjects)));
    Operation { id, kind, call, subject }
}

fn lifecycle(dice: &mut Dice, major: u16) -> Lifecycle {
    Lifecycle {
        disabled_since: dice.maybe(moment),
        retired_at: dice.maybe(moment),
        deprecated: dice.maybe(|dice| {
            let (since, retire_at) = period(dice);
            Deprecation::new(since, retire_at).expect("one follows the other")
        }),
        maintenance: dice.maybe(|dice| {
            let (from, until) = period(dice);
            Maintenance::new(from, until).expect("one follows the other")
        }),
        next_major: dice.maybe(|dice| dice.within(u64::from(major) + 1..=10_000) as u16),
        notice: dice.maybe(|dice| Notice { fa: sentence(dice), en: sentence(dice) }),
    }
}

fn moment(dice: &mut Dice) -> UnixMs {
    UnixMs(dice.within(0..=u64::MAX))
}

fn period(dice: &mut Dice) -> (UnixMs, UnixMs) {
    let begin = dice.within(0..=u64::MAX - 1);
    (UnixMs(begin), UnixMs(dice.within(begin + 1..=u64::MAX)))
}

fn card(dice: &mut Dice) -> ServiceCard {
    let contacts = dice.below(CONTACTS_MAX + 1);
    let contact = |dice: &mut Dice| {
        let phone = Some(sentence(dice));
        Contact::new(sentence(dice), phone, dice.maybe(sentence)).expect("it has a phone")
    };
    ServiceCard {
        code: dice.maybe(|dice| parsed(&format!("{:011}", dice.below(1_000_000)))),
        title_fa: sentence(dice),
        title_en: sentence(dice),
        unit_fa: sentence(dice),
        fee_rials: dice.maybe(|dice| dice.within(0..=u64::MAX)),
        contacts: (0..contacts).map(|_| contact(dice)).collect(),
    }
}

fn sentence<T: std::str::FromStr>(dice: &mut Dice) -> T {
    let begin = *dice.pick(&["استعلام ", "an inquiry ", "۱۲ "]);
    parsed(&format!("{begin}{}", label(dice)))
}
