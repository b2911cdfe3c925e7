//! Officers: who may sign for which party, and the names that their certificates carry.

use std::fmt;

use super::{Party, Terms};
use crate::address::AgencyAddress;
use crate::id::OfficerId;
use crate::node::{MeshDomain, ParseNodeError, Subtree};

/// A person who signs agreements for an office. The id is one that only the office can resolve.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Officer {
    pub id: OfficerId,
    pub office: Office,
}

/// Where an officer signs for. The right column is its DNS name below the members' subtree.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Office {
    /// `{officer}.officers.{agency}.{class}`
    Agency(AgencyAddress),
    /// `{officer}.officers.secretariat`
    Secretariat,
    /// `{officer}.officers.centre`
    Centre,
}

impl Office {
    /// May its officers speak for `party` of an agreement with these terms?
    pub fn speaks_for(&self, party: Party, terms: &Terms) -> bool {
        match (party, self) {
            (Party::Consumer, Self::Agency(agency)) => *agency == terms.consumer.agency,
            (Party::Provider, Self::Agency(agency)) => *agency == terms.service.system.agency,
            (Party::Secretariat, Self::Secretariat) | (Party::Centre, Self::Centre) => true,
            _ => false,
        }
    }

    /// The parties for which its officers may speak. An agency that asks itself is both.
    pub fn parties(&self, terms: &Terms) -> Vec<Party> {
        Party::ALL.into_iter().filter(|party| self.speaks_for(*party, terms)).collect()
    }
}

impl MeshDomain {
    /// The DNS name in the certificate of `officer`.
    pub fn officer_dns_name(&self, officer: &Officer) -> String {
        let members = self.subtree(&Subtree::Members);
        let Officer { id, office } = officer;
        match office {
            Office::Agency(AgencyAddress { class, agency, .. }) => {
                format!("{id}.officers.{agency}.{class}.{members}")
            }
            Office::Secretariat => format!("{id}.officers.secretariat.{members}"),
            Office::Centre => format!("{id}.officers.centre.{members}"),
        }
    }

    /// Reads the DNS name of an officer. Exact, and told from an agency's by the number of its
    /// parts.
    pub fn parse_officer(&self, name: &str) -> Result<Officer, ParseNodeError> {
        let members = self.subtree(&Subtree::Members);
        let shown = || name.chars().take(crate::node::DNS_NAME_BYTES_MAX).collect::<String>();
        let below = name.strip_suffix(&members).and_then(|rest| rest.strip_suffix('.'));
        let Some(below) = below else {
            return Err(ParseNodeError::OtherDomain { name: shown(), domain: members });
        };
        let (id, office) = match below.split('.').collect::<Vec<_>>()[..] {
            [id, "officers", "secretariat"] => (id, Office::Secretariat),
            [id, "officers", "centre"] => (id, Office::Centre),
            [id, "officers", agency, class] => {
                let (mesh, class) = (self.mesh.clone(), class.parse()?);
                (id, Office::Agency(AgencyAddress { mesh, class, agency: agency.parse()? }))
            }
            _ => return Err(ParseNodeError::NoOfficer { name: shown(), domain: members }),
        };
        Ok(Officer { id: id.parse()?, office })
    }
}

impl fmt::Display for Office {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Agency(agency) => agency.fmt(f),
            Self::Secretariat => f.write_str("secretariat"),
            Self::Centre => f.write_str("centre"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_officers_name_reads_as_it_prints() {
        let mesh = MeshDomain::new("ir".parse().unwrap(), "mesh.ir").unwrap();
        for name in [
            "o-17.officers.tax.gov.members.mesh.ir",
            "o-1.officers.secretariat.members.mesh.ir",
            "o-1.officers.centre.members.mesh.ir",
        ] {
            let officer = mesh.parse_officer(name).expect(name);
            assert_eq!(mesh.officer_dns_name(&officer), name);
        }
        for name in [
            "tax.gov.members.mesh.ir",
            "o-1.officers.parliament.members.mesh.ir",
            "o-1.officers.tax.gov.health.mesh.ir",
            "o-1.officers.tax.gov.members.mesh.ir.",
            "O-1.officers.centre.members.mesh.ir",
            "*.officers.centre.members.mesh.ir",
            "a.o-1.officers.tax.gov.members.mesh.ir",
            "",
        ] {
            assert!(mesh.parse_officer(name).is_err(), "{name:?}");
        }
    }
}
