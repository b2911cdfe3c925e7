//! Addresses of agencies, systems and services, spelled as X-Road spells them:
//! INSTANCE/CLASS/MEMBER/SUBSYSTEM/SERVICE. The cluster is looked up, never spelled.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::id::{AgencyCode, ClassId, MeshId, ParseIdError, ServiceCode, SystemCode};

/// `{mesh}/{class}/{agency}`, such as `ir/gov/civil-registration`.
#[derive(Clone, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(try_from = "String", into = "String")]
pub struct AgencyAddress {
    pub mesh: MeshId,
    pub class: ClassId,
    pub agency: AgencyCode,
}

/// `{mesh}/{class}/{agency}/{system}`, such as `ir/gov/civil-registration/persons`.
#[derive(Clone, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(try_from = "String", into = "String")]
pub struct SystemAddress {
    pub agency: AgencyAddress,
    pub system: SystemCode,
}

/// `{mesh}/{class}/{agency}/{system}/{service}.v{major}`, such as
/// `ir/gov/civil-registration/persons/identity.v1`.
#[derive(Clone, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(try_from = "String", into = "String")]
pub struct ServiceAddress {
    pub system: SystemAddress,
    pub service: ServiceCode,
    /// Major version, 1 to 9999. Versions run in parallel and retire apart.
    pub major: u16,
}

/// Text that is not an address, and why.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum ParseAddressError {
    #[error("{kind} address has {found} part{}, want {want}", if *found == 1 { "" } else { "s" })]
    Parts { kind: &'static str, found: usize, want: &'static str },
    #[error("service {text:?} has no major version, want such as tax-debt.v1")]
    Version { text: String },
    #[error(transparent)]
    Id(#[from] ParseIdError),
}

const MAJOR_MAX: u16 = 9999;

impl FromStr for AgencyAddress {
    type Err = ParseAddressError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let [mesh, class, agency] = parts("agency", text, "mesh/class/agency")?;
        Ok(Self { mesh: mesh.parse()?, class: class.parse()?, agency: agency.parse()? })
    }
}

impl FromStr for SystemAddress {
    type Err = ParseAddressError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let [mesh, class, agency, system] = parts("system", text, "mesh/class/agency/system")?;
        let agency =
            AgencyAddress { mesh: mesh.parse()?, class: class.parse()?, agency: agency.parse()? };
        Ok(Self { agency, system: system.parse()? })
    }
}

impl FromStr for ServiceAddress {
    type Err = ParseAddressError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let want = "mesh/class/agency/system/service.v1";
        let [mesh, class, agency, system, service] = parts("service", text, want)?;
        let agency =
            AgencyAddress { mesh: mesh.parse()?, class: class.parse()?, agency: agency.parse()? };
        let system = SystemAddress { agency, system: system.parse()? };
        system.service(service)
    }
}

impl SystemAddress {
    /// The address of this system's service `text`, such as `tax-debt.v1`.
    pub fn service(self, text: &str) -> Result<ServiceAddress, ParseAddressError> {
        let missing = || ParseAddressError::Version { text: text.chars().take(80).collect() };
        let (service, major) = text.rsplit_once(".v").ok_or_else(missing)?;
        let canonical = !major.starts_with('0') && major.bytes().all(|b| b.is_ascii_digit());
        let major: u16 = major.parse().ok().filter(|_| canonical).ok_or_else(missing)?;
        if MAJOR_MAX < major {
            return Err(missing());
        }
        Ok(ServiceAddress { system: self, service: service.parse()?, major })
    }
}

fn parts<'t, const N: usize>(
    kind: &'static str,
    text: &'t str,
    want: &'static str,
) -> Result<[&'t str; N], ParseAddressError> {
    let found: Vec<&str> = text.split('/').take(N + 1).collect();
    found.try_into().map_err(|found: Vec<&str>| ParseAddressError::Parts {
        kind,
        found: found.len(),
        want,
    })
}

/// Text form, and the conversions that serde uses, for an address type.
macro_rules! spelled {
    ($name:ident, $self:ident, $f:ident, $write:expr) => {
        impl fmt::Display for $name {
            fn fmt(&$self, $f: &mut fmt::Formatter<'_>) -> fmt::Result {
                $write
            }
        }

        impl TryFrom<String> for $name {
            type Error = ParseAddressError;

            fn try_from(text: String) -> Result<Self, Self::Error> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(address: $name) -> Self {
                address.to_string()
            }
        }
    };
}

spelled!(AgencyAddress, self, f, write!(f, "{}/{}/{}", self.mesh, self.class, self.agency));
spelled!(SystemAddress, self, f, write!(f, "{}/{}", self.agency, self.system));
spelled!(ServiceAddress, self, f, {
    write!(f, "{}/{}.v{}", self.system, self.service, self.major)
});

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_reads_as_it_prints() {
        let text = "ir/gov/civil-registration/persons/identity.v1";
        let address: ServiceAddress = text.parse().unwrap();
        assert_eq!(address.to_string(), text);
        assert_eq!(address.major, 1);
        assert_eq!(address.system.to_string(), "ir/gov/civil-registration/persons");
    }

    #[test]
    fn refuses_what_is_no_address() {
        for text in [
            "",
            "ir/gov/tax/debt",
            "ir/gov/tax/debt/query",
            "ir/gov/tax/debt/query.v0",
            "ir/gov/tax/debt/query.v01",
            "ir/gov/tax/debt/query.v+1",
            "ir/gov/tax/debt/query.v10000",
            "ir/gov/tax/debt/query.v1/more",
            "ir//tax/debt/query.v1",
            "IR/gov/tax/debt/query.v1",
        ] {
            assert!(text.parse::<ServiceAddress>().is_err(), "{text:?}");
        }
    }
}
