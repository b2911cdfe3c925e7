//! Objects as people write them: TOML that is read whole, and remembers where each object stands.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use mesh_core::directory::{
    Agency, Cluster, Directory, DirectoryError, DirectoryKey, LinkKey, Objects, Service, System,
};
use mesh_core::exchange::DirectoryPosition;
use mesh_core::node::MeshDomain;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use toml::Spanned;
use toml::de::DeTable;

use super::agreement_set::{AGREEMENTS_MAX, AgreementSet};
use super::folder;
use super::source::{SOURCE_BYTES_MAX, SourceError, read_text};

/// What all files of one source say together.
#[derive(Clone, Debug, Default)]
pub struct Written {
    pub objects: Objects,
    marks: Vec<Mark>,
}

/// Where one object stands, by the names that [`DirectoryError`] gives it.
#[derive(Clone, Debug)]
struct Mark {
    kind: &'static str,
    name: String,
    file: PathBuf,
    line: usize,
}

/// The arrays of one file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Arrays {
    #[serde(default)]
    clusters: Vec<Spanned<Cluster>>,
    #[serde(default)]
    agencies: Vec<Spanned<Agency>>,
    #[serde(default)]
    systems: Vec<Spanned<System>>,
    #[serde(default)]
    services: Vec<Spanned<Service>>,
    /// What the agreements of this file have in common.
    #[serde(default)]
    terms: AgreementSet,
    #[serde(default)]
    agreements: Vec<Spanned<AgreementSet>>,
    #[serde(default)]
    link_keys: Vec<Spanned<LinkKey>>,
    #[serde(default)]
    directory_keys: Vec<Spanned<DirectoryKey>>,
}

/// One file while it is read: errors are told with its lines.
struct Text<'a> {
    file: &'a Path,
    text: &'a str,
    /// Where each line begins.
    lines: Vec<usize>,
}

impl Written {
    /// Reads `path`: one file, or every `*.toml` below a folder in the order of their paths. What
    /// an object names may stand elsewhere; see [`Self::directory`].
    pub fn read(path: &Path) -> Result<Self, SourceError> {
        let mut written = Self::default();
        let mut bytes_left = SOURCE_BYTES_MAX;
        for file in folder::files(path)? {
            let content = read_text(&file, bytes_left)?;
            bytes_left -= content.len() as u64;
            let text = Text::new(&file, &content);
            let table = text.table()?;
            written.add(&text, table)?;
        }
        written.check_names()?;
        Ok(written)
    }

    /// Reads one file in which objects stand beside the fields `header`, which make an `H`.
    pub fn read_with_header<H: DeserializeOwned>(
        file: &Path,
        header: &[&str],
    ) -> Result<(H, Self), SourceError> {
        let content = read_text(file, SOURCE_BYTES_MAX)?;
        let text = Text::new(file, &content);
        let mut objects = text.table()?;
        let mut fields = DeTable::new();
        for field in header {
            if let Some((key, value)) = objects.get_mut().remove_entry(*field) {
                fields.insert(key, value);
            }
        }
        let head = text.read(Spanned::new(0..0, fields))?;
        let mut written = Self::default();
        written.add(&text, objects)?;
        written.check_names()?;
        Ok((head, written))
    }

    /// This, and what `other` says besides.
    pub fn join(mut self, other: Self) -> Result<Self, SourceError> {
        let Objects { clusters, agencies, systems, services, agreements, .. } = other.objects;
        let (link_keys, directory_keys) = (other.objects.link_keys, other.objects.directory_keys);
        self.objects.clusters.extend(clusters);
        self.objects.agencies.extend(agencies);
        self.objects.systems.extend(systems);
        self.objects.services.extend(services);
        self.objects.agreements.extend(agreements);
        self.objects.link_keys.extend(link_keys);
        self.objects.directory_keys.extend(directory_keys);
        self.marks.extend(other.marks);
        self.check_names()?;
        Ok(self)
    }

    /// The directory that the objects make by themselves, or the line of what does not fit.
    pub fn directory(
        &self,
        mesh: MeshDomain,
        position: DirectoryPosition,
    ) -> Result<Directory, SourceError> {
        Directory::build(mesh, position, self.objects.clone()).map_err(|error| self.explain(&error))
    }

    /// `error` with the file and the line of the object that it speaks of.
    pub fn explain(&self, error: &DirectoryError) -> SourceError {
        let (DirectoryError::Twice { kind, name }
        | DirectoryError::Missing { kind, name, .. }
        | DirectoryError::Unfit { kind, name, .. }) = error;
        // An operation is named with its service, and stands there.
        let (kind, name) = match (*kind, name.split_once(" of ")) {
            ("operation", Some((_, service))) => ("service", service),
            (kind, _) => (kind, name.as_str()),
        };
        let message = error.to_string();
        match self.marks.iter().find(|mark| mark.kind == kind && mark.name == name) {
            Some(mark) => mark.wrong(message),
            None => SourceError::Elsewhere { message },
        }
    }

    fn add(&mut self, text: &Text<'_>, table: Spanned<DeTable<'_>>) -> Result<(), SourceError> {
        let arrays: Arrays = text.read(table)?;
        let into = &mut self.objects;
        let mut marks = Marks { text, marks: &mut self.marks };
        marks.add("cluster", arrays.clusters, &mut into.clusters, |cluster| cluster.id.clone());
        marks.add("agency", arrays.agencies, &mut into.agencies, |agency| agency.address.clone());
        marks.add("system", arrays.systems, &mut into.systems, |system| system.address.clone());
        marks
            .add("service", arrays.services, &mut into.services, |service| service.address.clone());
        marks.add("link key of", arrays.link_keys, &mut into.link_keys, |key| key.node.clone());
        let keys = arrays.directory_keys;
        marks.add("directory key", keys, &mut into.directory_keys, |key| key.public_key);
        for set in arrays.agreements {
            let offset = set.span().start;
            let room = AGREEMENTS_MAX.saturating_sub(into.agreements.len());
            let proposals = set.into_inner().expand(&arrays.terms, room);
            let proposals = proposals.map_err(|why| text.wrong(offset, why))?;
            let proposals = proposals.into_iter().map(|it| Spanned::new(offset..offset, it));
            marks.add("agreement", proposals, &mut into.agreements, |it| it.id());
        }
        Ok(())
    }

    /// A name may stand once, in all files together. Of keys a node may have several.
    fn check_names(&self) -> Result<(), SourceError> {
        let mut first: HashMap<(&str, &str), &Mark> = HashMap::new();
        for mark in self.marks.iter().filter(|mark| mark.kind != "link key of") {
            if let Some(first) = first.insert((mark.kind, &mark.name), mark) {
                let (Mark { kind, name, .. }, Mark { file, line, .. }) = (mark, first);
                let message =
                    format!("{kind} {name} is there twice, first at {}:{line}", file.display());
                return Err(mark.wrong(message));
            }
        }
        Ok(())
    }
}

/// Takes objects out of their spans, and notes where each stood.
struct Marks<'a> {
    text: &'a Text<'a>,
    marks: &'a mut Vec<Mark>,
}

impl Marks<'_> {
    fn add<T, N: ToString>(
        &mut self,
        kind: &'static str,
        objects: impl IntoIterator<Item = Spanned<T>>,
        into: &mut Vec<T>,
        name: impl Fn(&T) -> N,
    ) {
        for object in objects {
            let line = self.text.line(object.span().start);
            let object = object.into_inner();
            let (name, file) = (name(&object).to_string(), self.text.file.to_owned());
            self.marks.push(Mark { kind, name, file, line });
            into.push(object);
        }
    }
}

impl Mark {
    fn wrong(&self, message: String) -> SourceError {
        SourceError::Line { file: self.file.clone(), line: self.line, message }
    }
}

impl<'a> Text<'a> {
    fn new(file: &'a Path, text: &'a str) -> Self {
        let ends = text.match_indices('\n').map(|(end, _)| end + 1);
        Self { file, text, lines: std::iter::once(0).chain(ends).collect() }
    }

    fn table(&self) -> Result<Spanned<DeTable<'a>>, SourceError> {
        DeTable::parse(self.text).map_err(|error| self.malformed(&error))
    }

    fn read<T: DeserializeOwned>(&self, table: Spanned<DeTable<'_>>) -> Result<T, SourceError> {
        T::deserialize(toml::Deserializer::from(table)).map_err(|error| self.malformed(&error))
    }

    fn malformed(&self, error: &toml::de::Error) -> SourceError {
        let offset = error.span().map_or(0, |span| span.start);
        // The parser puts what it expected on lines of its own.
        self.wrong(offset, error.message().replace('\n', ", "))
    }

    fn wrong(&self, offset: usize, message: String) -> SourceError {
        SourceError::Line { file: self.file.to_owned(), line: self.line(offset), message }
    }

    fn line(&self, offset: usize) -> usize {
        self.lines.partition_point(|begin| *begin <= offset)
    }
}

#[cfg(test)]
mod tests;
