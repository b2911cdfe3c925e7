//! What a nation needs on disk before its first process starts: PKI, directory, configurations.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use mesh_certs::local::{Issued, LocalPki, PkiError};
use mesh_certs::{DirectoryKey, Offices};
use mesh_core::directory::{Directory, DirectoryError, LinkKey};
use mesh_core::exchange::DirectoryPosition;
use mesh_core::node::{Home, MeshDomain, NodeName, Subtree};
use mesh_proto::wire::registry::v1::EpochBegun;
use mesh_registry::lay::{Beginning, LayError, lay_file_blocking};

use crate::plan::{Agent, Answers, Plan, Program, ProgramName};
use crate::ports::{Ports, Reserved};

/// Where everything of one nation is.
#[derive(Clone, Debug)]
pub struct Layout {
    pub dir: PathBuf,
    pub mesh: MeshDomain,
    /// Of all nodes: centre first, then hubs, then agents, which is the order to start them in.
    pub nodes: Vec<NodeLayout>,
    /// What answers for services, to be started before the nodes.
    pub programs: Vec<ProgramLayout>,
    pub hubctl_config: PathBuf,
    pub pki: PathBuf,
    /// What the centre signs the directory with, and the half of it that every node has.
    pub directory_key: DirectoryKey,
    /// Keeps the ports of nodes that are down, too.
    pub ports: Arc<Reserved>,
}

/// One node: its files and its ports.
#[derive(Clone, Debug)]
pub struct NodeLayout {
    pub name: NodeName,
    pub program: &'static str,
    pub config: PathBuf,
    /// Where the node keeps what it was told.
    pub state: PathBuf,
    pub log: PathBuf,
    pub admin: SocketAddr,
    /// Where neighbours from below dial, for hubs.
    pub mesh: Option<SocketAddr>,
    /// Where applications ask, for agents.
    pub local: Option<SocketAddr>,
    pub issued: Issued,
}

/// One program that answers as a provider's own system would.
#[derive(Clone, Debug)]
pub struct ProgramLayout {
    pub name: ProgramName,
    pub program: &'static str,
    pub args: Vec<String>,
    pub listen: SocketAddr,
    pub log: PathBuf,
}

/// Who asks the nodes how they are.
struct Operator {
    name: NodeName,
    issued: Issued,
}

/// A nation that cannot be laid out.
#[derive(Debug, thiserror::Error)]
pub enum LayoutError {
    #[error("{}: cannot be written", path.display())]
    Write { path: PathBuf, source: std::io::Error },
    #[error("no free port on loopback")]
    Port(#[source] std::io::Error),
    #[error(transparent)]
    Pki(#[from] PkiError),
    #[error(transparent)]
    Directory(#[from] DirectoryError),
    #[error("nobody can sign the agreement {title}: an agency of it is not in the plan")]
    Unsigned { title: String },
    #[error("the registry cannot be laid out")]
    Registry(#[from] LayError),
    #[error("the plan has an agent for {system}, which is not among its systems")]
    NoSystem { system: String },
}

/// Writes everything below `dir`, which must be empty or not there yet. `log` goes into each
/// daemon's `[log]`.
pub fn lay_out(plan: &Plan, dir: &Path, log: &str) -> Result<Layout, LayoutError> {
    let mesh = plan.mesh.clone();
    let now = SystemTime::now();
    let clusters = &plan.objects.clusters;
    let hubs = clusters.iter().filter(|cluster| cluster.hub);
    let hubs: Vec<_> = hubs.map(|cluster| cluster.id.clone()).collect();
    let pki_dir = dir.join("pki");
    let clusters = clusters.iter().map(|cluster| cluster.id.clone());
    let pki = LocalPki::create(&pki_dir, &mesh, clusters, now)?;

    let bare = Directory::build(mesh.clone(), plan.position, plan.objects(Vec::new()))?;
    let mut names = vec![NodeName::Centre];
    names.extend(hubs.into_iter().map(NodeName::Hub));
    for Agent { system, .. } in &plan.agents {
        let home = bare
            .home(system)
            .ok_or_else(|| LayoutError::NoSystem { system: system.to_string() })?;
        names.push(NodeName::Agent { system: system.clone(), home });
    }
    let mut ports = Ports::default();
    let mut nodes = Vec::new();
    for name in names {
        nodes.push(node(name, (dir, &pki), now, &mut ports)?);
    }
    let programs = programs(plan, dir, &mut ports)?;
    let name = NodeName::Operator("operator".parse().expect("a label"));
    let issued = pki.issue(&name, &dir.join("operator"), now)?;
    let operator = Operator { name, issued };
    let directory_key = DirectoryKey::create(&dir.join("directory"))?;
    let layout = Layout {
        dir: dir.into(),
        mesh,
        nodes,
        programs,
        hubctl_config: dir.join("hubctl.toml"),
        pki: pki_dir,
        directory_key,
        ports: Arc::new(ports.release()),
    };
    let offices = offices(plan, (dir, &pki), now)?;
    layout.lay_registry(plan, &operator, (&offices, now))?;
    for node in &layout.nodes {
        write(&node.config, layout.config(plan, (node, &pki), log))?;
    }
    write(&layout.hubctl_config, layout.hubctl(&operator.issued, &pki))?;
    Ok(layout)
}

/// Officers of the secretariat, of the centre and of all agencies, with their keys below
/// `officers`: on this machine one person is all of them.
fn offices(
    plan: &Plan,
    (dir, pki): (&Path, &LocalPki),
    now: SystemTime,
) -> Result<Offices, LayoutError> {
    let agencies = plan.objects.agencies.iter().map(|agency| agency.address.clone());
    Ok(Offices::issue(pki, agencies, &dir.join("officers"), now)?)
}

fn programs(plan: &Plan, dir: &Path, ports: &mut Ports) -> Result<Vec<ProgramLayout>, LayoutError> {
    let dir = dir.join("programs");
    std::fs::create_dir_all(&dir)
        .map_err(|source| LayoutError::Write { path: dir.clone(), source })?;
    let mut programs = Vec::new();
    for Program { name, run, args } in &plan.programs {
        let listen = ports.free().map_err(LayoutError::Port)?;
        let database = dir.join(format!("{name}.sqlite"));
        let own = [format!("--listen={listen}"), format!("--database={}", database.display())];
        programs.push(ProgramLayout {
            name: name.clone(),
            program: run.program(),
            args: args.iter().cloned().chain(own).collect(),
            listen,
            log: dir.join(format!("{name}.log")),
        });
    }
    Ok(programs)
}

fn node(
    name: NodeName,
    (dir, pki): (&Path, &LocalPki),
    now: SystemTime,
    ports: &mut Ports,
) -> Result<NodeLayout, LayoutError> {
    let below = dir.join("nodes").join(name.to_string());
    let issued = pki.issue(&name, &below, now)?;
    let state = below.join("state");
    std::fs::create_dir(&state)
        .map_err(|source| LayoutError::Write { path: state.clone(), source })?;
    let program = match name {
        NodeName::Centre => "hub-central",
        NodeName::Hub(_) => "hub-cluster",
        NodeName::Agent { .. } | NodeName::Operator(_) => "agent",
    };
    let mesh = if name.listens() { Some(ports.free().map_err(LayoutError::Port)?) } else { None };
    let local = if name.listens() { None } else { Some(ports.free().map_err(LayoutError::Port)?) };
    Ok(NodeLayout {
        name,
        program,
        config: below.join(format!("{program}.toml")),
        state,
        log: below.join("log"),
        admin: ports.free().map_err(LayoutError::Port)?,
        mesh,
        local,
        issued,
    })
}

impl Layout {
    /// The node with this name below the mesh domain, such as `hub.economy`.
    pub fn node(&self, name: &str) -> Option<&NodeLayout> {
        self.nodes.iter().find(|node| node.name.to_string() == name)
    }

    /// The directory of the officer of an office: `secretariat`, `centre`, or an agency's address.
    pub fn officer(&self, office: &str) -> PathBuf {
        self.dir.join("officers").join(office)
    }

    /// The members authority, which certified the officers.
    pub fn members_trust(&self) -> PathBuf {
        self.pki.join("members").join("ca.pem")
    }

    /// The registry, which the centre keeps.
    pub fn registry_file(&self) -> PathBuf {
        self.dir.join("nodes").join(NodeName::Centre.to_string()).join("registry.redb")
    }

    fn lay_registry(
        &self,
        plan: &Plan,
        operator: &Operator,
        (offices, now): (&Offices, SystemTime),
    ) -> Result<(), LayoutError> {
        let nodes = self.nodes.iter().map(|node| (&node.name, &node.issued));
        let all = nodes.chain([(&operator.name, &operator.issued)]);
        let key = |(name, issued): (&NodeName, &Issued)| LinkKey {
            node: self.mesh.dns_name(name),
            spki_sha256: issued.spki_sha256,
        };
        let mut objects = plan.objects(all.map(key).collect());
        let at = now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_millis() as u64;
        let proposed = std::mem::take(&mut objects.agreements);
        let signed = proposed.into_iter().map(|agreement| {
            let title = agreement.terms().title.clone();
            offices.sign(agreement, at).ok_or(LayoutError::Unsigned { title })
        });
        objects.agreements = signed.collect::<Result<_, _>>()?;
        let DirectoryPosition { epoch, revision, .. } = plan.position;
        let reason = "the nation was laid out".into();
        let begun = EpochBegun { epoch, reason, ..EpochBegun::default() };
        let objects = objects.into_by_key();
        let registry = Beginning::of(self.mesh.clone(), (epoch, revision), &objects, begun)?;
        // The centre alone: all others are told by it.
        lay_file_blocking(&self.registry_file(), registry)?;
        Ok(())
    }

    fn config(&self, plan: &Plan, (node, pki): (&NodeLayout, &LocalPki), log: &str) -> String {
        let mut text = match &node.name {
            NodeName::Hub(cluster) => format!("cluster = \"{cluster}\"\n"),
            NodeName::Agent { system, .. } => format!("system = \"{system}\"\n"),
            NodeName::Centre | NodeName::Operator(_) => String::new(),
        };
        let Issued { chain_file, key_file, trust_file, listener_trust_file, .. } = &node.issued;
        let trust = listener_trust_file.as_ref().unwrap_or(trust_file);
        let (id, domain) = (&self.mesh.mesh, self.mesh.domain());
        let mut line = |line: String| {
            text.push_str(&line);
            text.push('\n');
        };
        if matches!(node.name, NodeName::Centre) {
            line(format!("[registry]\nfile = {:?}", self.registry_file()));
        }
        line(format!("\n[mesh]\nid = \"{id}\"\ndomain = \"{domain}\""));
        let DirectoryKey { signing_key_file, key_file: public, .. } = &self.directory_key;
        line(format!("\n[directory]\nkey_file = {public:?}"));
        match &node.name {
            NodeName::Centre => line(format!("signing_key_file = {signing_key_file:?}")),
            _ => line(format!("state_dir = {:?}", node.state)),
        }
        line(format!("\n[tls]\nchain_file = {chain_file:?}\nkey_file = {key_file:?}"));
        line(format!("trust_file = {trust:?}"));
        if let Some(address) = self.upper(&node.name) {
            line(format!("\n[upper]\naddress = \"{address}\""));
            if matches!(node.name, NodeName::Hub(_)) {
                line(format!("trust_file = {trust_file:?}"));
            }
        }
        if let Some(mesh) = node.mesh {
            line(format!("\n[listen]\nmesh = \"{mesh}\""));
        }
        if let Some(local) = node.local {
            line(format!("\n[local]\nlisten = \"{local}\""));
        }
        line(format!("\n[admin]\nlisten = \"{}\"", node.admin));
        if node.name.listens() {
            line(format!("trust_file = {:?}", pki.ca_file(&Subtree::Operators)));
        }
        if node.name == NodeName::Centre {
            line(format!("\n[members]\ntrust_file = {:?}", self.members_trust()));
        }
        line(format!("\n[log]\n{log}"));
        text.push_str(&self.backends(plan, &node.name));
        text
    }

    fn backends(&self, plan: &Plan, name: &NodeName) -> String {
        let NodeName::Agent { system, .. } = name else { return String::new() };
        let mut text = String::new();
        let agents = plan.agents.iter().filter(|agent| agent.system == *system);
        for backend in agents.flat_map(|agent| &agent.backends) {
            let url = match &backend.answers {
                Answers::Url(url) => url.clone(),
                Answers::Program(name) => {
                    let mut programs = self.programs.iter();
                    let program = programs.find(|program| program.name == *name);
                    let listen = program.expect("the plan was checked").listen;
                    format!("http://{listen}")
                }
            };
            let service = &backend.service;
            let _ = write!(text, "\n[[backends]]\nservice = \"{service}\"\nurl = \"{url}\"\n");
            if let Some(timeout_ms) = backend.timeout_ms {
                let _ = writeln!(text, "timeout_ms = {timeout_ms}");
            }
        }
        text
    }

    fn upper(&self, name: &NodeName) -> Option<SocketAddr> {
        let upper = match name {
            NodeName::Centre | NodeName::Operator(_) => return None,
            NodeName::Hub(_) | NodeName::Agent { home: Home::Centre, .. } => NodeName::Centre,
            NodeName::Agent { home: Home::Cluster(cluster), .. } => NodeName::Hub(cluster.clone()),
        };
        self.nodes.iter().find(|node| node.name == upper)?.mesh
    }

    fn hubctl(&self, operator: &Issued, pki: &LocalPki) -> String {
        let (id, domain) = (&self.mesh.mesh, self.mesh.domain());
        let Issued { chain_file, key_file, .. } = operator;
        let mut text = format!(
            "[mesh]\nid = \"{id}\"\ndomain = \"{domain}\"\n\n\
             [operator]\nchain_file = {chain_file:?}\nkey_file = {key_file:?}\n"
        );
        for node in &self.nodes {
            let (name, address) = (&node.name, node.admin);
            let _ = write!(text, "\n[[nodes]]\nname = \"{name}\"\naddress = \"{address}\"\n");
            if name.listens() {
                let _ = writeln!(text, "trust_file = {:?}", pki.ca_file(&name.subtree()));
            }
        }
        text
    }
}

fn write(path: &Path, content: impl AsRef<[u8]>) -> Result<(), LayoutError> {
    std::fs::write(path, content).map_err(|source| LayoutError::Write { path: path.into(), source })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_registry_lists_the_keys_of_all_nodes_and_of_the_operator() {
        let plan = concat!(env!("CARGO_MANIFEST_DIR"), "/plans/two-clusters.toml");
        let plan = Plan::load(Path::new(plan)).expect("the plan reads");
        let dir = std::env::temp_dir().join(format!("nation-layout-{}", std::process::id()));
        let layout = lay_out(&plan, &dir, "filter = \"info\"").expect("it is laid out");
        let registry = std::fs::read(layout.registry_file()).expect("the centre has one");
        let states = layout.nodes.iter().map(|node| std::fs::read_dir(&node.state));
        let told = states.map(|state| state.expect("each node has a folder").count());
        assert_eq!(told.sum::<usize>(), 0, "nobody else has been told anything yet");
        std::fs::remove_dir_all(&dir).expect("it goes");

        let operator = NodeName::Operator("operator".parse().expect("a label"));
        let names = layout.nodes.iter().map(|node| &node.name).chain([&operator]);
        for name in names.map(|name| layout.mesh.dns_name(name)) {
            let listed = registry.windows(name.len()).any(|part| part == name.as_bytes());
            assert!(listed, "{name}");
        }
    }
}
