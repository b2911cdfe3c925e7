//! The law of the crossing: between two clusters only through the centre, and no other way exists.

use crate::address::SystemAddress;
use crate::directory::{Directory, IntraCluster};
use crate::id::ClusterId;
use crate::node::{Home, NodeName};
use crate::reason::Reason;

/// Where a cluster hub got an exchange from.
#[derive(Clone, Copy, Debug)]
pub enum From<'n> {
    /// From the centre, down the link that this hub dialled.
    Centre,
    /// From the agent of this system, up the link that it dialled.
    Agent(&'n SystemAddress),
}

/// Where a cluster hub hands an exchange on to. There is no third way.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum AtHub {
    /// Up to the centre.
    Up,
    /// Down to the agent of the provider's system, in this cluster.
    Down,
}

/// Decides at the hub of `cluster`.
///
/// # Errors
///
/// `SOURCE_MISMATCH`, `NOT_PERMITTED`, `ROUTE_STALE`, or `LOOP_REFUSED` for what came down and
/// would go up again.
pub fn at_hub(
    directory: &Directory,
    cluster: &ClusterId,
    from: From<'_>,
    (consumer, provider): (&SystemAddress, &SystemAddress),
) -> Result<AtHub, Reason> {
    let here = Home::Cluster(cluster.clone());
    if let From::Agent(system) = from
        && (system != consumer || directory.home(consumer).as_ref() != Some(&here))
    {
        return Err(Reason::SourceMismatch);
    }
    // Whether a provider exists is nobody's business who has no agreement on it.
    let provider_home = directory.home(provider).ok_or(Reason::NotPermitted)?;
    let one_home = directory.home(consumer).as_ref() == Some(&provider_home);
    let stays = one_home && directory.intra_cluster(cluster) == IntraCluster::Local;
    match from {
        From::Agent(_) if provider_home == here && stays => Ok(AtHub::Down),
        From::Agent(_) => Ok(AtHub::Up),
        // What could have stayed in the cluster has no business at the centre.
        From::Centre if provider_home == here && stays => Err(Reason::LoopRefused),
        From::Centre if provider_home == here => Ok(AtHub::Down),
        From::Centre => Err(Reason::RouteStale),
    }
}

/// Decides at the centre: the peer to hand an exchange to that came from `from`.
///
/// # Errors
///
/// `SOURCE_MISMATCH` when `from` is not where the consumer is at home, `NOT_PERMITTED`.
pub fn at_centre(
    directory: &Directory,
    from: &NodeName,
    consumer: &SystemAddress,
    provider: &SystemAddress,
) -> Result<NodeName, Reason> {
    let home = directory.home(consumer).ok_or(Reason::SourceMismatch)?;
    if *from != attached(consumer, home) {
        return Err(Reason::SourceMismatch);
    }
    let home = directory.home(provider).ok_or(Reason::NotPermitted)?;
    Ok(attached(provider, home))
}

/// The node through which the centre reaches `system`.
fn attached(system: &SystemAddress, home: Home) -> NodeName {
    match home {
        Home::Cluster(cluster) => NodeName::Hub(cluster),
        Home::Centre => NodeName::Agent { system: system.clone(), home: Home::Centre },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::directory::tests::{build, sample};
    use AtHub::{Down, Up};
    use Reason::{LoopRefused, NotPermitted, RouteStale, SourceMismatch};

    #[test]
    fn routes_at_a_cluster_hub() {
        let directory = build(sample()).unwrap();
        let (economy, health) = ("economy", "health");
        let (desk, debts) = ("ir/gov/tax/desk", "ir/gov/tax/debts");
        let (cards, care) = ("ir/gov/care/cards", "ir/gov/care/desk");
        let base = "ir/gov/tax/persons";
        #[rustfmt::skip]
        let cases = [
            // Hub     From          Consumer  Provider  Want
            (economy, Some(desk),   desk,     debts,    Ok(Down)),
            (economy, Some(desk),   desk,     cards,    Ok(Up)),
            (economy, Some(desk),   desk,     base,     Ok(Up)),
            (economy, Some(debts),  desk,     cards,    Err(SourceMismatch)),
            (economy, Some(cards),  cards,    debts,    Err(SourceMismatch)),
            (economy, Some(desk),   desk,     "ir/gov/tax/none", Err(NotPermitted)),
            (economy, Some(debts),  desk,     "ir/gov/tax/none", Err(SourceMismatch)),
            (economy, None,         cards,    debts,    Ok(Down)),
            (economy, None,         desk,     debts,    Err(LoopRefused)),
            (economy, None,         desk,     cards,    Err(RouteStale)),
            (health,  Some(care),   care,     cards,    Ok(Up)),
            (health,  None,         care,     cards,    Ok(Down)),
        ];
        for (hub, from, consumer, provider, want) in cases {
            let from_system = from.map(|text| text.parse::<SystemAddress>().unwrap());
            let from = from_system.as_ref().map_or(From::Centre, From::Agent);
            let pair = (&consumer.parse().unwrap(), &provider.parse().unwrap());
            let found = at_hub(&directory, &hub.parse().unwrap(), from, pair);
            assert_eq!(found, want, "{hub}: {consumer} asks {provider} from {from:?}");
        }
    }

    #[test]
    fn routes_at_the_centre() {
        let directory = build(sample()).unwrap();
        let (books, persons) = ("desk.books.gov.edge.mesh.ir", "persons.tax.gov.edge.mesh.ir");
        let (desk, cards) = ("ir/gov/tax/desk", "ir/gov/care/cards");
        let (economy, health) = ("hub.economy.mesh.ir", "hub.health.mesh.ir");
        let reader = "ir/gov/books/desk";
        #[rustfmt::skip]
        let cases = [
            // From     Consumer  Provider               Want
            (economy,  desk,     cards,                 Ok(health)),
            (economy,  desk,     "ir/gov/tax/persons",  Ok(persons)),
            (economy,  desk,     "ir/gov/tax/none",     Err(NotPermitted)),
            (health,   desk,     cards,                 Err(SourceMismatch)),
            (books,    desk,     cards,                 Err(SourceMismatch)),
            (books,    reader,   cards,                 Ok(health)),
            (health,   reader,   cards,                 Err(SourceMismatch)),
            (economy,  "ir/gov/tax/none", cards,        Err(SourceMismatch)),
        ];
        for (from, consumer, provider, want) in cases {
            let node = directory.mesh().parse_node(from).unwrap();
            let found = at_centre(
                &directory,
                &node,
                &consumer.parse().unwrap(),
                &provider.parse().unwrap(),
            );
            let found = found.map(|node| directory.mesh().dns_name(&node));
            assert_eq!(found.as_deref(), want.as_ref().map(|text| *text), "{from}: {consumer}");
        }
    }
}
