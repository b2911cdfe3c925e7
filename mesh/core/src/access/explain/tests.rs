//! The explanation says of each case what the nodes do in it.

use super::*;
use crate::agreement::sample::{FROM, act};
use crate::agreement::{Deed, Party};
use crate::directory::tests::{build, sample};
use crate::directory::{LinkKey, Objects};
use crate::exchange::Digest;
use crate::service::{Deprecation, Lifecycle, Maintenance};

const NOW: UnixMs = UnixMs(FROM + 1000);

/// The names of what is asked, as text.
#[derive(Clone, Copy, Debug)]
struct Names {
    consumer: &'static str,
    service: &'static str,
    operation: &'static str,
    purpose: &'static str,
}

const LOCAL: Names = Names {
    consumer: "ir/gov/tax/desk",
    service: "ir/gov/tax/debts/debt.v1",
    operation: "get",
    purpose: "licence",
};

/// The sample, in which every node has joined.
fn joined() -> Objects {
    let mut objects = sample();
    let directory = build(objects.clone()).unwrap();
    let systems = directory.systems().map(|system| {
        let home = directory.home(&system.address).unwrap();
        NodeName::Agent { system: system.address.clone(), home }
    });
    let hubs = directory.clusters().filter(|cluster| cluster.hub);
    let hubs = hubs.map(|cluster| NodeName::Hub(cluster.id.clone()));
    let keys = systems.chain(hubs).map(|node| {
        let node = directory.mesh().dns_name(&node);
        LinkKey { node, spki_sha256: Digest([7; 32]) }
    });
    objects.link_keys = keys.collect();
    objects
}

/// Asks `ask` about the wish that `names` spell.
fn with_wish<T>(names: Names, ask: impl FnOnce(&Wish<'_>) -> T) -> T {
    let (consumer, service) = (names.consumer.parse().unwrap(), names.service.parse().unwrap());
    let operation = names.operation.parse().unwrap();
    let purpose = names.purpose.parse().unwrap();
    ask(&Wish { consumer: &consumer, service: &service, operation: &operation, purpose: &purpose })
}

/// `allow` and the way, or the rule, the hop and the detail.
fn told(objects: Objects, names: Names) -> String {
    let directory = build(objects).unwrap();
    with_wish(names, |wish| match explain(&directory, wish, NOW) {
        Ok(passage) => {
            let way: Vec<String> = passage.way.iter().map(ToString::to_string).collect();
            format!("allow {} by {}", way.join(" > "), passage.agreement.terms().title)
        }
        Err(stop) => {
            let Stop { rule, reason, hop, detail, .. } = *stop;
            format!("{} {reason} {hop}: {detail}", rule.name())
        }
    })
}

#[test]
fn says_the_way_or_the_first_rule_that_refuses() {
    type Change = fn(&mut Objects);
    let as_it_is: Change = |_| {};
    #[rustfmt::skip]
    let cases: &[(Names, Change, &str)] = &[
        (LOCAL, as_it_is,
         "allow desk.tax.gov.economy > hub.economy > debts.tax.gov.economy by local"),
        (Names { service: "ir/gov/care/cards/card.v1", ..LOCAL }, as_it_is,
         "allow desk.tax.gov.economy > hub.economy > hub.centre > hub.health > \
          cards.care.gov.health by across"),
        (Names { service: "ir/gov/tax/persons/identity.v1", ..LOCAL }, as_it_is,
         "allow desk.tax.gov.economy > hub.economy > hub.centre > persons.tax.gov.edge by base"),
        (Names { consumer: "ir/gov/none/desk", ..LOCAL }, as_it_is,
         "consumer NODE_UNKNOWN desk.none.gov.edge: the registry has no system ir/gov/none/desk"),
        (Names { service: "ir/gov/tax/debts/debt.v2", ..LOCAL }, as_it_is,
         "service NOT_PERMITTED desk.tax.gov.economy: \
          the registry has no service ir/gov/tax/debts/debt.v2"),
        (Names { operation: "put", ..LOCAL }, as_it_is,
         "operation OPERATION_NOT_PERMITTED desk.tax.gov.economy: \
          ir/gov/tax/debts/debt.v1 has no operation put, only get"),
        (Names { purpose: "census", ..LOCAL }, as_it_is,
         "agreement PURPOSE_NOT_PERMITTED desk.tax.gov.economy: \
          get is agreed on for licence, not for census"),
        (Names { consumer: "ir/gov/care/desk", ..LOCAL }, as_it_is,
         "agreement NOT_PERMITTED desk.care.gov.health: \
          no agreement lets ir/gov/care/desk use ir/gov/tax/debts/debt.v1"),
        (LOCAL, |o| o.agreements[0].acts.push(act(Deed::Suspend, Party::Provider, FROM)),
         "agreement AGREEMENT_SUSPENDED desk.tax.gov.economy: \
          agreement 0101010101010101010101010101010101010101010101010101010101010101 is \
          suspended by the provider; only who suspends can resume"),
        (LOCAL, |o| o.services[0].lifecycle.disabled_since = Some(UnixMs(0)),
         "service-state SERVICE_DISABLED desk.tax.gov.economy: \
          ir/gov/tax/debts/debt.v1 is disabled since 1970-01-01T00:00:00Z"),
        (LOCAL, |o| o.link_keys.retain(|key| !key.node.starts_with("debts.")),
         "joined PROVIDER_UNREACHABLE debts.tax.gov.economy: \
          the registry has no key of debts.tax.gov.economy, which so has no link"),
        (LOCAL, |o| o.link_keys.retain(|key| !key.node.starts_with("hub.economy")),
         "joined HUB_UNREACHABLE hub.economy: \
          the registry has no key of hub.economy, which so has no link"),
    ];
    for (names, change, want) in cases {
        let mut objects = joined();
        change(&mut objects);
        assert_eq!(told(objects, *names), *want);
    }
}

/// SplitMix64, as good as any for choosing cases.
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ (mixed >> 31)) % limit as u64) as usize
    }

    fn one_in(&mut self, times: usize) -> bool {
        self.below(times) == 0
    }

    fn pick<T: Copy>(&mut self, all: &[T]) -> T {
        all[self.below(all.len())]
    }
}

fn directory(dice: &mut Dice) -> Directory {
    let mut objects = joined();
    objects.link_keys.retain(|_| !dice.one_in(12));
    objects.agreements.retain(|_| !dice.one_in(4));
    for agreement in &mut objects.agreements {
        if dice.one_in(8) {
            agreement.acts.push(act(Deed::Suspend, Party::Centre, FROM));
        }
    }
    for cluster in &mut objects.clusters {
        use crate::directory::IntraCluster::{Local, ViaCentre};
        cluster.intra_cluster = dice.pick(&[Local, ViaCentre]);
    }
    for service in &mut objects.services {
        let period = (UnixMs(FROM + 500), UnixMs(FROM + 500 + 1000 * dice.below(2) as u64));
        let late = |dice: &mut Dice| Some(UnixMs(FROM + dice.pick(&[0, 1000, 1001])));
        service.lifecycle = Lifecycle {
            disabled_since: late(dice).filter(|_| dice.one_in(5)),
            retired_at: late(dice).filter(|_| dice.one_in(5)),
            maintenance: Maintenance::new(period.0, period.1).ok().filter(|_| dice.one_in(3)),
            deprecated: Deprecation::new(period.0, period.1).ok().filter(|_| dice.one_in(3)),
            ..Lifecycle::default()
        };
    }
    build(objects).unwrap()
}

fn names(dice: &mut Dice) -> Names {
    Names {
        consumer: dice.pick(&[
            "ir/gov/tax/desk",
            "ir/gov/books/desk",
            "ir/gov/care/desk",
            "ir/gov/tax/none",
        ]),
        service: dice.pick(&[
            "ir/gov/tax/debts/debt.v1",
            "ir/gov/care/cards/card.v1",
            "ir/gov/tax/persons/identity.v1",
            "ir/gov/care/cards/card.v2",
        ]),
        operation: dice.pick(&["get", "get", "get", "put"]),
        purpose: dice.pick(&["licence", "licence", "licence", "census"]),
    }
}

/// The exchange, carried from node to node as `agent`, `hub-cluster` and `hub-central` do, each of
/// which decides by itself.
fn carried(directory: &Directory, wish: &Wish<'_>) -> Result<(), Reason> {
    let home = directory.home(wish.consumer).ok_or(Reason::NodeUnknown)?;
    let named = permit::decide(directory, wish, NOW).map_err(|why| why.reason())?;
    let service = directory.service(wish.service).ok_or(Reason::NotPermitted)?;
    service.usable(NOW).map_err(|why| why.reason())?;
    let admit = || {
        let admitted = access::admit(directory, wish, &named.id(), NOW);
        admitted.map(drop).map_err(|refused| refused.reason())
    };
    let linked = |node: &NodeName, reason| {
        if directory.has_joined(node) { Ok(()) } else { Err(reason) }
    };
    let provider = |home| NodeName::Agent { system: wish.service.system.clone(), home };
    let mut from = NodeName::Agent { system: wish.consumer.clone(), home: home.clone() };
    let pair = (wish.consumer, &wish.service.system);
    linked(&from, Reason::HubUnreachable)?;
    if let Home::Cluster(cluster) = &home {
        let hub = NodeName::Hub(cluster.clone());
        linked(&hub, Reason::HubUnreachable)?;
        if route::at_hub(directory, cluster, From::Agent(wish.consumer), pair)? == AtHub::Down {
            admit()?;
            linked(&provider(home.clone()), Reason::ProviderUnreachable)?;
            return admit();
        }
        from = hub;
    }
    let next = route::at_centre(directory, &from, wish.consumer, &wish.service.system)?;
    admit()?;
    let NodeName::Hub(cluster) = &next else {
        linked(&next, Reason::ProviderUnreachable)?;
        return admit();
    };
    linked(&next, Reason::ClusterUnreachable)?;
    assert_eq!(route::at_hub(directory, cluster, From::Centre, pair)?, AtHub::Down);
    linked(&provider(Home::Cluster(cluster.clone())), Reason::ProviderUnreachable)?;
    admit()
}

#[test]
fn says_what_the_nodes_do_in_every_case_that_a_seed_makes() {
    let (mut allowed, mut refused) = (0, std::collections::BTreeSet::new());
    for seed in 0..3000 {
        let mut dice = Dice(seed);
        let directory = directory(&mut dice);
        let names = names(&mut dice);
        with_wish(names, |wish| {
            let explained = explain(&directory, wish, NOW).map(drop).map_err(|stop| stop.reason);
            assert_eq!(explained, carried(&directory, wish), "seed {seed}: {names:?}");
            match explained {
                Ok(()) => allowed += 1,
                Err(reason) => drop(refused.insert(reason)),
            }
        });
    }
    // The cases are many enough to have met everything.
    assert!(100 < allowed, "{allowed}");
    let all = [
        Reason::NodeUnknown,
        Reason::NotPermitted,
        Reason::OperationNotPermitted,
        Reason::PurposeNotPermitted,
        Reason::AgreementSuspended,
        Reason::ServiceDisabled,
        Reason::ServiceMaintenance,
        Reason::ServiceRetired,
        Reason::HubUnreachable,
        Reason::ClusterUnreachable,
        Reason::ProviderUnreachable,
    ];
    assert!(all.iter().all(|reason| refused.contains(reason)), "{refused:?}");
}
