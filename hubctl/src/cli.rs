//! The command line: arguments in, one command, an exit code out.

use std::ffi::OsString;
use std::io;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{SystemTime, UNIX_EPOCH};

use clap::{CommandFactory as _, Parser, Subcommand};
use clap_complete::Shell;
use mesh_core::id::{ClusterId, MeshId};
use mesh_core::node::NodeName;
use mesh_rt::config::ConfigError;
use mesh_rt::exit::{CmdError, run_main};

use crate::access::{self, Access};
use crate::agreement::AgreementCommand;
use crate::client::{NodeClient, Unanswered, ask_all, clients};
use crate::config::Config;
use crate::keeping::Keeping;
use crate::output::{Format, Told, room};
use crate::pki::Wanted;
use crate::registry::{ApplyArgs, Change, DescribeArgs, GetArgs, RemoveArgs};
use crate::service::{self, ServiceCommand};
use crate::topology::{NodeView, Part, tree};
use crate::{agreement, directory, keeping, pki, registry, status, top, topology};

const CONFIG_VARIABLE: &str = "HUBCTL_CONFIG";
const CONFIG_DEFAULT: &str = "hubctl.toml";

/// Asks the nodes of a mesh how they are, keeps the registry, and makes certificates.
#[derive(Debug, Parser)]
#[command(name = "hubctl", version, arg_required_else_help = true, after_help = EXIT_CODES)]
struct Args {
    /// The configuration, a TOML file [default: $HUBCTL_CONFIG, or hubctl.toml]
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    /// The form of what is told
    #[arg(short, long, global = true, value_name = "FORM", value_enum, default_value_t)]
    output: Format,
    /// Ask this node of the configuration, and no other; may be said again
    #[arg(long = "node", global = true, value_name = "NAME")]
    nodes: Vec<String>,
    #[command(subcommand)]
    command: Command,
}

const EXIT_CODES: &str = "Exit codes: 0 done; 1 it did not work out, or a node is unreachable or \
                          not ready; 2 change the arguments or the configuration first";

#[derive(Debug, Subcommand)]
enum Command {
    /// Ask nodes whether they are ready, and what they carry
    Status,
    /// Ask nodes for their links, and draw the mesh
    Topology {
        /// Show only what is not as it should be
        #[arg(long)]
        down: bool,
    },
    /// Watch rates, latencies, failures and links
    Top(top::Options),
    /// Make the registry hold what files say
    Apply(ApplyArgs),
    /// Remove objects; a key of a node or an operator that is removed is revoked
    Remove(RemoveArgs),
    /// List, show and decide of change sets
    #[command(subcommand)]
    Change(Change),
    /// Lay the registry out, carry it away and back, and check it
    #[command(subcommand)]
    Registry(Keeping),
    /// List what the registry holds
    Get(GetArgs),
    /// Tell of one object of the registry, and what others say of it
    Describe(DescribeArgs),
    /// Look services up, judge them, and decide of them
    #[command(subcommand)]
    Service(ServiceCommand),
    /// Say why a consumer may use a service, or may not
    #[command(subcommand)]
    Access(Access),
    /// Make certificates
    #[command(subcommand)]
    Pki(Pki),
    /// Propose, sign, submit, suspend and end agreements
    #[command(subcommand)]
    Agreement(AgreementCommand),
    /// Make directories
    #[command(subcommand)]
    Directory(Directory),
    /// Print what lets a shell complete the words of this program
    Completions { shell: Shell },
}

#[derive(Debug, Subcommand)]
enum Pki {
    /// Make all authorities of a mesh in DIR, which must be empty or not there yet
    Create {
        /// The mesh, such as ir
        #[arg(long, value_name = "ID")]
        mesh: MeshId,
        /// The DNS domain below which its nodes are named, such as mesh.ir
        #[arg(long)]
        domain: String,
        /// A cluster that has a hub, such as health; may be said again
        #[arg(long = "cluster", value_name = "ID")]
        clusters: Vec<ClusterId>,
        dir: PathBuf,
    },
    /// Certify a new key of a node or an operator
    Issue {
        /// Where the authorities are
        dir: PathBuf,
        /// Full DNS name, such as hub.health.mesh.ir or sara.operators.mesh.ir
        node: String,
        /// Where to write its files [default: DIR/nodes/NODE]
        #[arg(long, value_name = "DIR")]
        out: Option<PathBuf>,
    },
    /// Make an officer's key where it is used, and the request for its certificate
    OfficerRequest {
        /// Where to write key.pem and request.pem
        dir: PathBuf,
    },
    /// Certify an officer, who signs agreements for an office
    Officer {
        /// Where the authorities are; with --request that of members is enough
        dir: PathBuf,
        /// Such as o-17.officers.tax.gov.members.mesh.ir, o-1.officers.secretariat.members.mesh.ir
        name: String,
        /// The officer's own request; else a key is made as well
        #[arg(long, value_name = "FILE")]
        request: Option<PathBuf>,
        /// Where to write chain.pem
        #[arg(long, value_name = "DIR")]
        out: PathBuf,
    },
    /// Make a key that the centre signs the directory with
    DirectoryKey {
        /// Where to write both halves of it, such as pki/directory
        dir: PathBuf,
    },
}

#[derive(Debug, Subcommand)]
enum Directory {
    /// Check a source in TOML, and write the snapshot that nodes read
    Compile { source: PathBuf, out: PathBuf },
    /// Tell what a snapshot holds
    Show { file: PathBuf },
}

/// No configuration was named, and there is none where it is looked for.
#[derive(Debug, thiserror::Error)]
#[error("{CONFIG_DEFAULT}: is not there; name a configuration with --config or {CONFIG_VARIABLE}")]
struct NoConfig;

/// Nodes that left the picture incomplete.
#[derive(Debug, thiserror::Error)]
#[error("{silent} of {asked} nodes gave no answer")]
struct Silent {
    silent: usize,
    asked: usize,
}

/// Runs the program with the arguments of this process.
pub fn run_command() -> ExitCode {
    let args = match Args::try_parse_from(std::env::args_os()) {
        Ok(args) => args,
        Err(shown) => {
            // Also the way of `--help` and `--version`. There is nobody to tell if that fails.
            let _ = shown.print();
            return ExitCode::from(u8::try_from(shown.exit_code()).unwrap_or(2));
        }
    };
    let variable = std::env::var_os(CONFIG_VARIABLE);
    run_main("hubctl", async { execute(args, variable).await?.finish() })
}

async fn execute(args: Args, variable: Option<OsString>) -> Result<Told, CmdError> {
    let Args { config, output, nodes, command } = args;
    let load = || load(config.clone(), variable.clone());
    let chosen = |config: &Config| clients(config, &nodes).map_err(CmdError::usage);
    match command {
        Command::Status => Ok(tell_status(&chosen(&load()?)?, output).await),
        Command::Topology { down } => {
            let config = load()?;
            let part = match (down, nodes.is_empty()) {
                (false, _) => Part::All,
                (true, true) => Part::Down,
                (true, false) => Part::DownAlone,
            };
            Ok(tell_topology(&config, &chosen(&config)?, part, output).await)
        }
        Command::Top(options) => {
            let config = load()?;
            top::run(&config, chosen(&config)?, options, output).await?;
            Ok(Told { text: String::new(), complaint: None })
        }
        Command::Apply(args) => registry::apply(&load()?, args, output).await,
        Command::Remove(args) => registry::remove(&load()?, args, output).await,
        Command::Change(command) => registry::change(&load()?, command, output).await,
        Command::Registry(command) => keeping::registry(load, command, output).await,
        Command::Get(args) => registry::get(&load()?, args, output).await,
        Command::Describe(args) => registry::describe(&load()?, args, output).await,
        Command::Agreement(command) => agreement::run(command, load, output).await,
        Command::Service(command) => match service::check_files(&command, output).await {
            Some(told) => told,
            None => service::run(&load()?, &nodes, command, output).await,
        },
        Command::Access(Access::Check(args)) => access::check(&load()?, &nodes, args, output).await,
        Command::Pki(Pki::Create { mesh, domain, clusters, dir }) => {
            pki::create(&dir, Wanted { mesh, domain, clusters }, output)
        }
        Command::Pki(Pki::Issue { dir, node, out }) => pki::issue(&dir, &node, out, output),
        Command::Pki(Pki::OfficerRequest { dir }) => pki::officer::request(&dir, output),
        Command::Pki(Pki::Officer { dir, name, request, out }) => {
            pki::officer::certify(&dir, &name, (request, out), output)
        }
        Command::Pki(Pki::DirectoryKey { dir }) => pki::directory_key::create(&dir, output),
        Command::Directory(Directory::Compile { source, out }) => {
            directory::compile(&source, &out, output)
        }
        Command::Directory(Directory::Show { file }) => directory::show(&file, output),
        Command::Completions { shell } => completions(shell),
    }
}

fn load(config: Option<PathBuf>, variable: Option<OsString>) -> Result<Config, CmdError> {
    let named = config.or_else(|| variable.map(PathBuf::from));
    let is_named = named.is_some();
    let file = named.unwrap_or_else(|| CONFIG_DEFAULT.into());
    Config::load(&file).map_err(|error| match &error {
        ConfigError::Read { source, .. }
            if !is_named && source.kind() == io::ErrorKind::NotFound =>
        {
            CmdError::usage(NoConfig)
        }
        _ => CmdError::usage(error),
    })
}

async fn tell_status(clients: &[NodeClient], output: Format) -> Told {
    let answers = ask_all(clients, NodeClient::status).await;
    let now_ms = now_ms();
    let rows = clients.iter().zip(&answers);
    let rows: Vec<status::Row> =
        rows.map(|(client, answer)| status::Row::new(client.node(), answer, now_ms)).collect();
    let mut told = Told::new(output, &rows, |rows| status::table_within(rows, now_ms, room()));
    told.complaint = status::all_ready(&rows).err().map(CmdError::failure);
    told
}

async fn tell_topology(
    config: &Config,
    clients: &[NodeClient],
    part: Part,
    output: Format,
) -> Told {
    let answers = ask_all(clients, async |client| {
        let answer = client.topology().await?;
        NodeView::read(&config.mesh, &answer)
            .map_err(|why| client.unanswered(Unanswered::Malformed { why: why.to_string() }))
    });
    let answers =
        answers.await.into_iter().map(|answer| answer.map_err(|error| error.reason.to_string()));
    let names = clients.iter().map(|client| client.node().clone());
    let asked: Vec<(NodeName, Result<NodeView, String>)> = names.zip(answers).collect();
    let root = tree(&asked);
    let entries = topology::entries(&root, part);
    let table = |_: &_| topology::table_within(&root, part, now_ms(), room());
    let mut told = Told::new(output, &entries, table);
    let silent = asked.iter().filter(|(_, answer)| answer.is_err()).count();
    if 0 < silent {
        told.complaint = Some(CmdError::failure(Silent { silent, asked: asked.len() }));
    }
    told
}

fn completions(shell: Shell) -> Result<Told, CmdError> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Args::command(), "hubctl", &mut script);
    let text = String::from_utf8(script).map_err(CmdError::failure)?;
    Ok(Told { text, complaint: None })
}

pub(crate) fn now_ms() -> u64 {
    // A clock before 1970 shows as certificates that never end, which is plain enough.
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
