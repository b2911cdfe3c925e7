//! What a nation is made of, as files say it: a launch file, and the objects of its registry.

use std::collections::BTreeSet;
use std::fmt;
use std::path::{Path, PathBuf};

use hubctl::{SourceError, Written};
use mesh_core::address::{ServiceAddress, SystemAddress};
use mesh_core::directory::{Directory, LinkKey, Objects};
use mesh_core::exchange::DirectoryPosition;
use mesh_core::node::MeshDomain;
use mesh_rt::config::Mesh;
use serde::Deserialize;

use crate::story::{Story, StoryError};

/// The fields of a launch file that are no objects.
const FIELDS: &[&str] = &["epoch", "revision", "mesh", "registry", "story", "programs", "agents"];

/// A nation to be laid out: everything that it names is there.
#[derive(Clone, Debug)]
pub struct Plan {
    pub mesh: MeshDomain,
    pub position: DirectoryPosition,
    /// Without the keys of nodes, which do not exist yet.
    pub objects: Objects,
    pub programs: Vec<Program>,
    pub agents: Vec<Agent>,
    /// What is shown of the nation at work; empty where the plan has none.
    pub story: Story,
}

/// The launch file. The objects stand in it too, or in `registry`, or in both.
#[derive(Debug, Deserialize)]
struct PlanFile {
    epoch: u64,
    revision: u64,
    mesh: Mesh,
    /// A folder or a file of objects; a relative path counts from the launch file's folder.
    registry: Option<PathBuf>,
    /// A file; relative as above.
    story: Option<PathBuf>,
    #[serde(default)]
    programs: Vec<Program>,
    #[serde(default)]
    agents: Vec<Agent>,
}

/// One process that answers as a provider's own system would. The launcher adds `--listen` and
/// `--database` to its arguments.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Program {
    pub name: ProgramName,
    pub run: Sample,
    #[serde(default)]
    pub args: Vec<String>,
}

/// Names one process of a plan, and its files.
#[derive(Clone, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd)]
#[serde(try_from = "String")]
pub struct ProgramName(String);

/// The sample programs that come with the project.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "kebab-case")]
pub enum Sample {
    SampleRegistry,
}

/// The agent beside one system.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Agent {
    pub system: SystemAddress,
    #[serde(default)]
    pub backends: Vec<Backend>,
}

/// What answers for one service: a program of the plan, or an address.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Backend {
    pub service: ServiceAddress,
    #[serde(flatten)]
    pub answers: Answers,
    /// Caps the service's total time at this agent.
    #[serde(default)]
    pub timeout_ms: Option<u64>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Answers {
    Program(ProgramName),
    Url(String),
}

/// A plan that cannot be used. Names the file, and the line where it can.
#[derive(Debug, thiserror::Error)]
pub enum PlanError {
    #[error(transparent)]
    Source(#[from] SourceError),
    #[error(transparent)]
    Story(#[from] StoryError),
    #[error("{}: {message}", file.display())]
    Unfit { file: PathBuf, message: String },
}

impl Plan {
    /// Reads `file` and what it names, whole and fitting together.
    pub fn load(file: &Path) -> Result<Self, PlanError> {
        let (head, mut written): (PlanFile, _) = Written::read_with_header(file, FIELDS)?;
        let PlanFile { epoch, revision, mesh, registry, story, programs, agents } = head;
        let folder = file.parent().unwrap_or(Path::new(""));
        if let Some(registry) = registry {
            written = written.join(Written::read(&folder.join(registry))?)?;
        }
        let story = match story {
            Some(story) => Story::load(&folder.join(story))?,
            None => Story::default(),
        };
        let position = DirectoryPosition { epoch, revision, root: None };
        let mesh = mesh.domain().clone();
        let directory = written.directory(mesh.clone(), position)?;
        let plan = Self { mesh, position, objects: written.objects, programs, agents, story };
        plan.check(&directory)
            .map_err(|message| PlanError::Unfit { file: file.into(), message })?;
        Ok(plan)
    }

    /// The directory's objects, with the keys that the nodes got.
    pub fn objects(&self, link_keys: Vec<LinkKey>) -> Objects {
        let mut objects = self.objects.clone();
        objects.link_keys.extend(link_keys);
        objects
    }

    /// What agents and programs must be to each other and to the directory.
    fn check(&self, directory: &Directory) -> Result<(), String> {
        let mut names = BTreeSet::new();
        if let Some(twice) = self.programs.iter().find(|program| !names.insert(&program.name)) {
            return Err(format!("program {} is there twice", twice.name));
        }
        let mut systems = BTreeSet::new();
        for Agent { system, backends } in &self.agents {
            if !systems.insert(system) {
                return Err(format!("the agent of {system} is there twice"));
            }
            if directory.home(system).is_none() {
                return Err(format!("the agent of {system} is for no system of the registry"));
            }
            for Backend { service, answers, .. } in backends {
                if service.system != *system || directory.service(service).is_none() {
                    return Err(format!("{service} is no service of {system} in the registry"));
                }
                if let Answers::Program(name) = answers
                    && !names.contains(name)
                {
                    return Err(format!("{service} is answered by {name}, which is no program"));
                }
            }
        }
        Ok(())
    }
}

impl ProgramName {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for ProgramName {
    type Error = String;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let inner = |found: char| matches!(found, 'a'..='z' | '0'..='9' | '-');
        // It names a file, and must not look like an option or a node.
        if text.is_empty() || text.starts_with('-') || !text.chars().all(inner) || 63 < text.len() {
            return Err(format!("program name {text:?}: want 1 to 63 of a-z, 0-9 and inner '-'"));
        }
        Ok(Self(text))
    }
}

impl fmt::Display for ProgramName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Sample {
    /// The name of the program.
    pub fn program(self) -> &'static str {
        match self {
            Self::SampleRegistry => "sample-registry",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAN: &str = r#"
epoch = 1
revision = 1
registry = "registry"

[mesh]
id = "ir"
domain = "mesh.test"

[[programs]]
name = "cards"
run = "sample-registry"
args = ["--register", "cards"]

[[agents]]
system = "ir/gov/care/cards"
backends = [{ service = "ir/gov/care/cards/cards.v1", program = "cards" }]
"#;

    const REGISTRY: &str = r#"
[[agencies]]
address = "ir/gov/care"
name_fa = ""
name_en = ""

[[systems]]
address = "ir/gov/care/cards"

[[services]]
address = "ir/gov/care/cards/cards.v1"
operations = [{ id = "get", kind = "inquiry", method = "GET", path = "/" }]
"#;

    fn load(plan: &str) -> Result<Plan, String> {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("nation.toml");
        std::fs::write(&file, plan).unwrap();
        std::fs::create_dir(folder.path().join("registry")).unwrap();
        std::fs::write(folder.path().join("registry/care.toml"), REGISTRY).unwrap();
        Plan::load(&file).map_err(|error| {
            error.to_string().replace(&format!("{}/", folder.path().display()), "")
        })
    }

    #[test]
    fn objects_stand_in_the_plan_or_beside_it() {
        let beside = load(PLAN).unwrap();
        let inline = load(&format!("{}{REGISTRY}", PLAN.replace("registry = \"registry\"", "")));
        assert_eq!(beside.objects, inline.unwrap().objects);
        assert_eq!(beside.programs[0].name.as_str(), "cards");
    }

    #[test]
    fn a_plan_that_does_not_fit_says_why() {
        let twice = format!("{PLAN}\n[[agents]]\nsystem = \"ir/gov/care/cards\"\n");
        let replaced = |from: &str, to: &str| {
            assert!(PLAN.contains(from), "{from}");
            PLAN.replacen(from, to, 1)
        };
        #[rustfmt::skip]
        let cases = [
            (replaced("id = \"ir\"", "id = \"tr\""),
             "registry/care.toml:2: agency ir/gov/care: its mesh is not tr"),
            (replaced("program = \"cards\"", "program = \"card\""),
             "nation.toml: ir/gov/care/cards/cards.v1 is answered by card, which is no program"),
            (replaced("system = \"ir/gov/care/cards\"", "system = \"ir/gov/care/desk\""),
             "nation.toml: the agent of ir/gov/care/desk is for no system of the registry"),
            (replaced("cards.v1", "cards.v2"),
             "nation.toml: ir/gov/care/cards/cards.v2 is no service of ir/gov/care/cards in the \
              registry"),
            (replaced("name = \"cards\"", "name = \"../cards\""),
             "nation.toml:11: program name \"../cards\": want 1 to 63 of a-z, 0-9 and inner '-'"),
            (replaced("run = ", "runs = "),
             "nation.toml:12: unknown field `runs`, expected one of `name`, `run`, `args`"),
            (twice, "nation.toml: the agent of ir/gov/care/cards is there twice"),
        ];
        for (plan, want) in cases {
            assert_eq!(load(&plan).expect_err(want), want);
        }
    }
}
