//! What an officer does to an agreement: signed here, with the officer's key, and put where the
//! agreement is.

use std::path::PathBuf;

use mesh_certs::OfficerKey;
use mesh_core::agreement::{Agreement, Deed, Office, Party, Refused, State};
use mesh_core::directory::change::{Change, Object};
use mesh_rt::exit::CmdError;
use serde::Serialize;

use super::file::{self, Place};
use super::{now, read_party, submit};
use crate::config::Config;
use crate::output::{Format, Told};
use crate::registry::{Registry, centre};

#[derive(Debug, clap::Args)]
pub(crate) struct ActArgs {
    /// Files, or the first digits of ids
    #[arg(required = true)]
    agreements: Vec<String>,
    /// The officer's `chain.pem` and `key.pem`
    #[arg(long, value_name = "DIR")]
    key: PathBuf,
    /// The party, where the office is more than one: consumer, provider, secretariat or centre
    #[arg(long = "as", value_parser = read_party)]
    party: Option<Party>,
    /// Why, in words; signed too
    #[arg(long, default_value = "")]
    reason: String,
}

#[derive(Debug, Serialize)]
struct Done {
    id: String,
    deed: &'static str,
    party: &'static str,
    state: &'static str,
    words: String,
    /// Where it is: a file, else the registry.
    file: Option<PathBuf>,
}

/// Why an officer cannot do it.
#[derive(Debug, thiserror::Error)]
enum Cannot {
    #[error("an officer of {office} speaks for no party of agreement {id}")]
    Stranger { office: Office, id: String },
    #[error("{office} is more than one party of agreement {id}; say which with --as")]
    Several { office: Office, id: String },
    #[error("agreement {id}: {why}")]
    Refused { id: String, why: Refused },
}

pub(super) async fn act(
    deed: Deed,
    args: ActArgs,
    load: impl Fn() -> Result<Config, CmdError>,
    format: Format,
) -> Result<Told, CmdError> {
    let (mut all, mut sets, mut complaint) = (Vec::new(), Vec::new(), None);
    for name in &args.agreements {
        match one(deed, name, &args, &load).await {
            Ok((done, made)) => {
                all.push(done);
                sets.extend(made);
            }
            // What was done before it is done, and told.
            Err(why) => {
                complaint = Some(why);
                break;
            }
        }
    }
    let told = Told::new(format, &all, |all| all.iter().map(told).collect());
    let told = Told { complaint, ..told };
    Ok(sets.into_iter().fold(told, |told, made| submit::both(told, made, format)))
}

/// Does it to one agreement, where that is; and what came of the change set, if it is the registry.
async fn one(
    deed: Deed,
    name: &str,
    args: &ActArgs,
    load: impl Fn() -> Result<Config, CmdError>,
) -> Result<(Done, Option<Told>), CmdError> {
    let found = file::find(name, &load).await?;
    match found.place {
        Place::File(file) => {
            let attributes = found.agreement.terms().attributes.clone();
            let around = file::around_alone(&attributes);
            let (after, party) = step(&found.agreement, &around, deed, args)?;
            file::replace(&file, &after).map_err(CmdError::failure)?;
            Ok((done(&after, &after.state(&around), (deed, party), Some(file)), None))
        }
        Place::Registry => {
            let (done, made) = in_registry(&load()?, &found.agreement, deed, args).await?;
            Ok((done, Some(made)))
        }
    }
}

async fn in_registry(
    config: &Config,
    agreement: &Agreement,
    deed: Deed,
    args: &ActArgs,
) -> Result<(Done, Told), CmdError> {
    let centre = centre(config).map_err(CmdError::usage)?;
    let registry = Registry::read(&centre).await.map_err(CmdError::failure)?;
    let directory = registry.directory()?;
    let around = directory.around(agreement, now());
    let (after, party) = step(agreement, &around, deed, args)?;
    let change = Change::Put(Object::Agreement(after.clone()));
    let reason = format!("{party}: {deed} {}", args.reason);
    let state = after.state(&around);
    let made = submit::commit(config, (&centre, &registry), vec![change], reason.trim()).await?;
    Ok((done(&after, &state, (deed, party), None), made))
}

/// The agreement after the act. Judged here already, so that nobody signs in vain.
fn step(
    agreement: &Agreement,
    around: &mesh_core::agreement::Around<'_>,
    deed: Deed,
    args: &ActArgs,
) -> Result<(Agreement, Party), CmdError> {
    let mesh = &agreement.terms().consumer.agency.mesh;
    let key = OfficerKey::load(mesh, &args.key).map_err(CmdError::usage)?;
    let id = || agreement.id().to_string();
    let office = || key.officer().office.clone();
    let party = match (args.party, &key.officer().office.parties(agreement.terms())[..]) {
        (Some(party), _) => party,
        (None, [only]) => *only,
        (None, []) => return Err(CmdError::usage(Cannot::Stranger { office: office(), id: id() })),
        // An agency that is both signs first as the one that has not.
        (None, several) if deed == Deed::Sign => {
            let unsigned = |it: &&Party| agreement.act(**it, Deed::Sign).is_none();
            several.iter().find(unsigned).copied().unwrap_or(several[0])
        }
        (None, _) => return Err(CmdError::usage(Cannot::Several { office: office(), id: id() })),
    };
    let act = key.sign(agreement, (deed, party), &args.reason, now().0).map_err(CmdError::usage)?;
    let after = agreement.step(&act, around);
    let after = after.map_err(|why| CmdError::failure(Cannot::Refused { id: id(), why }))?;
    Ok((after, party))
}

fn done(
    agreement: &Agreement,
    state: &State,
    (deed, party): (Deed, Party),
    file: Option<PathBuf>,
) -> Done {
    Done {
        id: agreement.id().to_string(),
        deed: deed.name(),
        party: party.name(),
        state: state.name(),
        words: state.words(),
        file,
    }
}

fn told(done: &Done) -> String {
    let Done { id, deed, party, words, file, .. } = done;
    let place = file.as_ref().map_or("registry".into(), |file| file.display().to_string());
    let id = &id[..16];
    format!("{party} {deed} {id} ({place}): {words}\n")
}
