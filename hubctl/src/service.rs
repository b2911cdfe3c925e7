//! `hubctl service`: what a service offers and where it stands in its life, what the standards say
//! of it, and what its provider or the registrar decides.

mod attach;
mod check;
mod decide;
mod show;

use std::path::PathBuf;

use clap::{Args, Subcommand};
use mesh_core::address::ServiceAddress;
use mesh_core::directory::change::{Key, Object};
use mesh_core::service::{MediaType, Notice, Service};
use mesh_core::time::UnixMs;
use mesh_rt::exit::CmdError;

use crate::config::Config;
use crate::output::{Format, Told};
use crate::registry::{Making, Registry};

pub(crate) use self::check::warnings;

#[derive(Debug, Subcommand)]
pub(crate) enum ServiceCommand {
    /// List services: where each stands in its life, and who may use it
    List {
        /// Only those whose address begins so, such as ir/gov/tax
        #[arg(default_value = "")]
        prefix: String,
    },
    /// Tell everything of one service
    Show { service: ServiceAddress },
    /// Judge services by the technical standards: a file, a folder, or an address
    Check {
        /// A TOML file, a folder of them, or the address of a published service
        what: PathBuf,
        /// A description to compare with the one service that is judged
        #[arg(long, value_name = "FILE")]
        description: Option<PathBuf>,
    },
    /// Tell users to leave: answers go on, with the date at which the version retires
    Deprecate {
        service: ServiceAddress,
        /// When it retires, such as 2027-03-21T00:00:00+03:30
        #[arg(long, value_name = "TIME")]
        retire_at: UnixMs,
        /// The major version to move to
        #[arg(long, value_name = "N")]
        next: Option<u16>,
        #[command(flatten)]
        saying: Saying,
    },
    /// Switch a service off; its users are told why
    Disable {
        service: ServiceAddress,
        #[command(flatten)]
        saying: Saying,
    },
    /// Switch a service on again, also one that was retired by mistake
    Enable {
        service: ServiceAddress,
        #[command(flatten)]
        saying: Saying,
    },
    /// Announce that a service will be away, or that it is back
    Maintenance {
        service: ServiceAddress,
        /// From when [default: now]
        #[arg(long, value_name = "TIME")]
        from: Option<UnixMs>,
        /// Until when
        #[arg(long, value_name = "TIME", required_unless_present = "over")]
        until: Option<UnixMs>,
        /// It is over, or does not take place
        #[arg(long, conflicts_with_all = ["from", "until"])]
        over: bool,
        #[command(flatten)]
        saying: Saying,
    },
    /// Switch a version off for good, once its date has come or nobody may use it
    Retire {
        service: ServiceAddress,
        /// The major version to use instead
        #[arg(long, value_name = "N")]
        next: Option<u16>,
        /// Even though somebody may use it and its date has not come
        #[arg(long)]
        force: bool,
        #[command(flatten)]
        saying: Saying,
    },
    /// Attach the description of the interface: OpenAPI, WSDL or a protobuf descriptor set
    #[command(alias = "describe")]
    Attach {
        service: ServiceAddress,
        file: PathBuf,
        /// Its media type [default: by what is in it]
        #[arg(long, value_name = "TYPE", value_parser = media_type)]
        media_type: Option<MediaType>,
        #[command(flatten)]
        saying: Saying,
    },
    /// Fetch the description of an interface, from the centre or an agent (--node)
    Description {
        service: ServiceAddress,
        /// Where to write it [default: standard output]
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
    },
}

/// What is said beside a decision.
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct Saying {
    /// What callers are told, in Persian
    #[arg(long, value_name = "TEXT", requires = "notice_en")]
    notice_fa: Option<String>,
    /// The same in English
    #[arg(long, value_name = "TEXT", requires = "notice_fa")]
    notice_en: Option<String>,
    /// A sentence for those who approve, and for the record
    #[arg(long, value_name = "TEXT", default_value = "")]
    reason: String,
    /// Show what would change, and change nothing
    #[arg(long)]
    dry_run: bool,
}

/// The registry has no such service.
#[derive(Debug, thiserror::Error)]
#[error("the registry has no service {0}; `hubctl service list` lists them all")]
struct Unknown(ServiceAddress);

fn media_type(name: &str) -> Result<MediaType, String> {
    let known = MediaType::ALL.map(|(_, name)| name).join(", ");
    MediaType::of(name).ok_or_else(|| format!("want one of {known}"))
}

pub(crate) async fn run(
    config: &Config,
    nodes: &[String],
    command: ServiceCommand,
    format: Format,
) -> Result<Told, CmdError> {
    match command {
        ServiceCommand::List { prefix } => show::list(config, &prefix, format).await,
        ServiceCommand::Show { service } => show::show(config, &service, format).await,
        ServiceCommand::Check { what, description } => {
            check::check(Some(config), &what, description.as_deref(), format).await
        }
        ServiceCommand::Attach { service, file, media_type, saying } => {
            attach::attach(config, (&service, &file, media_type), &saying, format).await
        }
        ServiceCommand::Description { service, out } => {
            attach::fetch(config, nodes, &service, out.as_deref()).await
        }
        decision => decide::decide(config, decision, format).await,
    }
}

/// Judges files, for which no configuration is needed.
pub(crate) async fn check_files(
    command: &ServiceCommand,
    format: Format,
) -> Option<Result<Told, CmdError>> {
    match command {
        ServiceCommand::Check { what, description } if what.exists() => {
            Some(check::check(None, what, description.as_deref(), format).await)
        }
        _ => None,
    }
}

fn find<'r>(registry: &'r Registry, address: &ServiceAddress) -> Result<&'r Service, CmdError> {
    match registry.objects.get(&Key::Service(address.clone())) {
        Some(Object::Service(service)) => Ok(service),
        _ => Err(CmdError::failure(Unknown(address.clone()))),
    }
}

impl Saying {
    /// How a decision is made: what it does not touch stays, and it cuts nobody off.
    fn making(&self) -> Making<'_> {
        let Self { reason, dry_run, .. } = self;
        Making { reason, dry_run: *dry_run, no_wait: false, unmentioned: 0, lost: Vec::new() }
    }

    fn notice(&self) -> Result<Option<Notice>, CmdError> {
        let (Some(fa), Some(en)) = (&self.notice_fa, &self.notice_en) else { return Ok(None) };
        let fa = fa.parse().map_err(CmdError::usage)?;
        Ok(Some(Notice { fa, en: en.parse().map_err(CmdError::usage)? }))
    }
}
