//! Decisions about a service: made out by the rules of the core, and proposed as a change set.

use mesh_core::address::ServiceAddress;
use mesh_core::directory::Directory;
use mesh_core::directory::change::{Change, Object};
use mesh_core::service::{Decision, Maintenance, Said, Service, Undecided};
use mesh_core::time::UnixMs;
use mesh_rt::exit::CmdError;

use super::{Saying, ServiceCommand, find};
use crate::cli::now_ms;
use crate::config::Config;
use crate::output::{Format, Told};
use crate::registry::{Registry, centre, make};

/// A decision that cannot be made about a service.
#[derive(Debug, thiserror::Error)]
#[error("{service}: {why}")]
struct Refused {
    service: ServiceAddress,
    why: Undecided,
}

pub(super) async fn decide(
    config: &Config,
    command: ServiceCommand,
    format: Format,
) -> Result<Told, CmdError> {
    let now = UnixMs(now_ms());
    let Some((address, decision, next_major, saying)) = read(command, now)? else {
        return Ok(Told { text: String::new(), complaint: None });
    };
    let said = Said { notice: saying.notice()?, next_major };
    let centre = centre(config).map_err(CmdError::usage)?;
    let registry = Registry::read(&centre).await.map_err(CmdError::failure)?;
    let service = find(&registry, &address)?;
    let users = users(&registry.directory()?, &address);
    let lifecycle = service.lifecycle.decide(decision, said, users, now);
    let lifecycle =
        lifecycle.map_err(|why| CmdError::failure(Refused { service: address.clone(), why }))?;
    let changed = Service { lifecycle, ..service.clone() };
    let changes =
        if changed == *service { Vec::new() } else { vec![Change::Put(Object::Service(changed))] };
    make(config, (&centre, &registry), changes, saying.making(), format).await
}

/// Of which service, what, by which next version it is replaced, and what is said of it.
type Read = (ServiceAddress, Decision, Option<u16>, Saying);

/// The decision that a command stands for.
fn read(command: ServiceCommand, now: UnixMs) -> Result<Option<Read>, CmdError> {
    Ok(Some(match command {
        ServiceCommand::Deprecate { service, retire_at, next, saying } => {
            (service, Decision::Deprecate { retire_at }, next, saying)
        }
        ServiceCommand::Disable { service, saying } => (service, Decision::Disable, None, saying),
        ServiceCommand::Enable { service, saying } => (service, Decision::Enable, None, saying),
        ServiceCommand::Maintenance { service, from, until, over, saying } => {
            let decision = match until {
                Some(until) if !over => {
                    let maintenance = Maintenance::new(from.unwrap_or(now), until);
                    Decision::Maintain(maintenance.map_err(CmdError::usage)?)
                }
                _ => Decision::EndMaintenance,
            };
            (service, decision, None, saying)
        }
        ServiceCommand::Retire { service, next, force, saying } => {
            (service, Decision::Retire { force }, next, saying)
        }
        _ => return Ok(None),
    }))
}

/// How many consumers may use a service.
pub(super) fn users(directory: &Directory, address: &ServiceAddress) -> usize {
    let uses = directory.systems().filter(|system| {
        let mut agreements = directory.agreements(&system.address, address);
        agreements.any(|agreement| agreement.ended().is_none())
    });
    uses.count()
}
