//! `hubctl agreement propose` and `supersede`: from terms in TOML to files that officers sign.

use std::path::{Path, PathBuf};

use mesh_core::agreement::terms::{Draft, Supersedes, Terms, TermsError};
use mesh_core::agreement::{Agreement, AgreementId};
use mesh_proto::directory::write_terms;
use mesh_rt::exit::CmdError;
use serde::Serialize;

use super::{file, file_name};
use crate::directory::Written;
use crate::output::{Columns, Format, Told};

/// One file that was written.
#[derive(Debug, Serialize)]
struct Proposed {
    id: String,
    title: String,
    consumer: String,
    service: String,
    file: PathBuf,
}

/// Terms from which no proposal comes.
#[derive(Debug, thiserror::Error)]
enum NoProposal {
    #[error("{}: has no [[agreements]]", file.display())]
    Empty { file: PathBuf },
    #[error("{}: has no agreement between {consumer} and {service}", file.display())]
    OtherPair { file: PathBuf, consumer: String, service: String },
    #[error("the new terms cannot stand: {0}")]
    Terms(#[from] TermsError),
    #[error("the new terms cannot be written: {0}")]
    Malformed(#[from] mesh_proto::malformed::Malformed),
    #[error("the new terms are those of {0}; there is nothing to supersede")]
    Same(AgreementId),
}

pub(super) fn propose(terms: &Path, out: &Path, format: Format) -> Result<Told, CmdError> {
    write(read(terms)?, out, format)
}

pub(super) fn supersede(
    old: &Agreement,
    grace_ms: u64,
    (terms, out): (&Path, &Path),
    format: Format,
) -> Result<Told, CmdError> {
    let pair = |it: &Agreement| (it.terms().consumer.clone(), it.terms().service.clone());
    let (consumer, service) = pair(old);
    let found = read(terms)?.into_iter().find(|it| pair(it) == (consumer.clone(), service.clone()));
    let new = found.ok_or_else(|| {
        let (consumer, service) = (consumer.to_string(), service.to_string());
        CmdError::usage(NoProposal::OtherPair { file: terms.into(), consumer, service })
    })?;
    if new.id() == old.id() {
        return Err(CmdError::usage(NoProposal::Same(old.id())));
    }
    let supersedes = Some(Supersedes { agreement: old.id(), grace_ms });
    let draft = Draft { supersedes, ..Draft::clone(new.terms()) };
    let terms = Terms::new(draft).map_err(|why| CmdError::usage(NoProposal::from(why)))?;
    let new = write_terms(terms).map_err(|why| CmdError::usage(NoProposal::from(why)))?;
    write(vec![new], out, format)
}

fn read(terms: &Path) -> Result<Vec<Agreement>, CmdError> {
    let agreements = Written::read(terms).map_err(CmdError::usage)?.objects.agreements;
    if agreements.is_empty() {
        return Err(CmdError::usage(NoProposal::Empty { file: terms.into() }));
    }
    Ok(agreements)
}

fn write(agreements: Vec<Agreement>, out: &Path, format: Format) -> Result<Told, CmdError> {
    let mut all = Vec::new();
    for agreement in agreements {
        let file = file_name(out, &agreement);
        file::write_new(&file, &agreement).map_err(CmdError::usage)?;
        let terms = agreement.terms();
        all.push(Proposed {
            id: agreement.id().to_string(),
            title: terms.title.clone(),
            consumer: terms.consumer.to_string(),
            service: terms.service.to_string(),
            file,
        });
    }
    Ok(Told::new(format, &all, |all| {
        let mut columns = Columns::new(&["FILE", "TITLE", "CONSUMER", "SERVICE"]);
        for Proposed { title, consumer, service, file, .. } in all {
            let file = file.display().to_string();
            columns.row(&[file, title.clone(), consumer.clone(), service.clone()]);
        }
        format!(
            "{}\nconsumer, provider and secretariat sign each: \
             hubctl agreement sign FILE --key DIR\n",
            columns.text()
        )
    }))
}
