//! `hubctl agreement`: what two agencies and the secretariat agree on, from the draft to the end.
//!
//! A proposal is a file. Officers sign it where their keys are, without a connection; whoever has
//! the signed files submits them. Where a command takes an AGREEMENT, it is such a file, or the
//! first digits of the id of one that the registry has.

use std::path::{Path, PathBuf};

use clap::Subcommand;
use mesh_core::agreement::{Agreement, Deed, Party, State};
use mesh_core::directory::Directory;
use mesh_core::time::UnixMs;
use mesh_rt::exit::CmdError;

use crate::cli::now_ms;
use crate::config::Config;
use crate::output::{Format, Told};

mod act;
mod file;
mod propose;
mod show;
mod submit;
mod verify;

pub(crate) use self::show::{acts, facts, value};

#[derive(Debug, Subcommand)]
pub(crate) enum AgreementCommand {
    /// Write the terms of a TOML file as proposals, one file each
    Propose {
        /// `[[agreements]]` and `[terms]`, as in the source of a registry
        terms: PathBuf,
        /// The folder for the files, named by the agreement's id
        #[arg(long, value_name = "DIR", default_value = ".")]
        out: PathBuf,
    },
    /// Write terms as a proposal that takes the place of an agreement
    Supersede {
        /// A file, or the first digits of an id
        agreement: String,
        /// The new terms, for the same consumer and service
        terms: PathBuf,
        /// How long the old one holds beside the new one
        #[arg(long, value_name = "MS", default_value_t = 0)]
        grace_ms: u64,
        #[arg(long, value_name = "DIR", default_value = ".")]
        out: PathBuf,
    },
    /// Show terms, signatures and state
    Show {
        /// A file, or the first digits of an id
        agreement: String,
    },
    /// List what the registry has
    List {
        /// Only those in this state, such as active
        #[arg(long)]
        state: Option<String>,
    },
    /// Sign as an officer
    Sign(act::ActArgs),
    /// Refuse to sign: the proposal is over
    Reject(act::ActArgs),
    /// Stop what is in force, until the same party resumes it
    Suspend(act::ActArgs),
    /// Lift the suspension of the same party
    Resume(act::ActArgs),
    /// The kill switch: over at once and for good
    Revoke(act::ActArgs),
    /// Hand files in: the registry takes the acts that it does not have yet
    Submit {
        #[arg(required = true)]
        files: Vec<PathBuf>,
        /// Why, for the registry's record
        #[arg(long, default_value = "agreements submitted")]
        reason: String,
    },
    /// Check every signature of files, without a connection
    Verify {
        #[arg(required = true)]
        files: Vec<PathBuf>,
        /// The certificate of the members authority
        #[arg(long, value_name = "FILE")]
        trust: PathBuf,
    },
}

pub(crate) async fn run(
    command: AgreementCommand,
    load: impl Fn() -> Result<Config, CmdError>,
    format: Format,
) -> Result<Told, CmdError> {
    use AgreementCommand::{
        List, Propose, Reject, Resume, Revoke, Show, Sign, Submit, Supersede, Suspend, Verify,
    };
    match command {
        Propose { terms, out } => propose::propose(&terms, &out, format),
        Supersede { agreement, terms, grace_ms, out } => {
            let old = file::find(&agreement, &load).await?.agreement;
            propose::supersede(&old, grace_ms, (&terms, &out), format)
        }
        Show { agreement } => show::show(&file::find(&agreement, &load).await?, format),
        List { state } => show::list(&load()?, state.as_deref(), format).await,
        Sign(args) => act::act(Deed::Sign, args, load, format).await,
        Reject(args) => act::act(Deed::Reject, args, load, format).await,
        Suspend(args) => act::act(Deed::Suspend, args, load, format).await,
        Resume(args) => act::act(Deed::Resume, args, load, format).await,
        Revoke(args) => act::act(Deed::Revoke, args, load, format).await,
        Submit { files, reason } => submit::submit(&load()?, &files, &reason, format).await,
        Verify { files, trust } => verify::verify(&files, &trust, format),
    }
}

/// The state that `agreement` has in the registry now.
pub(crate) fn state(directory: &Directory, agreement: &Agreement) -> State {
    agreement.state(&directory.around(agreement, now()))
}

fn now() -> UnixMs {
    // A clock before 1970 dates acts so, and the registry refuses them.
    UnixMs(now_ms())
}

fn read_party(text: &str) -> Result<Party, String> {
    let known = Party::ALL.into_iter().find(|party| party.name() == text);
    known.ok_or_else(|| format!("want one of {}", Party::ALL.map(Party::name).join(", ")))
}

/// The file of an agreement in the folder `out`.
fn file_name(out: &Path, agreement: &Agreement) -> PathBuf {
    out.join(format!("{}.agreement", &agreement.id().to_string()[..16]))
}
