//! Real etcd for tests: one member or several, with mutual TLS, on free ports of loopback.
//!
//! A cluster lives in a temporary folder and ends with its value, member by member, by process id.
//! It knows nothing of our own crates, so that the tests of each of them can use it.

mod detour;
mod member;
mod pki;

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::Path;
use std::time::{Duration, Instant};

use tempfile::TempDir;

pub use self::detour::Detour;
use self::member::{Member, Ports};
use self::pki::Pki;
pub use self::pki::TlsFiles;

/// Cold disks and busy machines: nothing is concluded from how long a start takes.
const START_MAX: Duration = Duration::from_secs(120);

/// A port that was free may be taken a moment later, by another test.
const STARTS_MAX: usize = 5;

/// Members of one etcd cluster, each a process. See the crate's documentation.
#[derive(Debug)]
pub struct EtcdCluster {
    members: Vec<Member>,
    pki: Pki,
    /// Removed after the members have ended.
    _folder: TempDir,
}

/// What a test may want other than usual.
#[derive(Clone, Copy, Debug)]
pub struct Setting {
    pub members: usize,
    /// Above this size of its database a member raises the alarm `NOSPACE`.
    pub quota_bytes: u64,
    /// How often a quiet watch is told where it stands.
    pub progress_every: Duration,
}

/// A member's data as it was.
#[derive(Debug)]
pub struct Backup(TempDir);

impl Default for Setting {
    fn default() -> Self {
        Self {
            members: 1,
            quota_bytes: 2 * 1024 * 1024 * 1024,
            progress_every: Duration::from_secs(600),
        }
    }
}

impl EtcdCluster {
    /// Starts `members` members and waits until each of them serves.
    ///
    /// # Panics
    ///
    /// If there is no etcd, with what to do about it, or if it does not come up.
    pub fn start(members: usize) -> Self {
        Self::start_with(Setting { members, ..Setting::default() })
    }

    /// As [`Self::start`], with other settings.
    pub fn start_with(setting: Setting) -> Self {
        Self::start_among(setting, None)
    }

    /// Another cluster, of one member, which believes whom this one believes. Its certificates are
    /// of this one, so it must not outlive it.
    pub fn start_twin(&self) -> Self {
        Self::start_among(Setting::default(), Some(&self.pki))
    }

    fn start_among(setting: Setting, pki: Option<&Pki>) -> Self {
        let mut last = String::new();
        for _ in 0..STARTS_MAX {
            match Self::try_start(&setting, pki) {
                Ok(cluster) => return cluster,
                Err(problem) => last = problem,
            }
        }
        panic!("etcd did not come up: {last}");
    }

    fn try_start(setting: &Setting, pki: Option<&Pki>) -> Result<Self, String> {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        let pki = pki.cloned().unwrap_or_else(|| Pki::create(folder.path()));
        let ports = free_ports(setting.members);
        let mut members = Vec::new();
        for index in 0..setting.members {
            members.push(Member::new(index, &ports, setting, folder.path()));
        }
        let mut cluster = Self { members, pki, _folder: folder };
        let Self { members, pki, .. } = &mut cluster;
        for member in members.iter_mut() {
            member.spawn(pki)?;
        }
        cluster.wait_until_all_serve()?;
        Ok(cluster)
    }

    fn wait_until_all_serve(&mut self) -> Result<(), String> {
        let until = Instant::now() + START_MAX;
        for member in self.members.iter_mut().filter(|member| member.is_running()) {
            member.wait_until_it_serves(until)?;
        }
        Ok(())
    }

    /// Where clients reach each member, as `127.0.0.1:2379`.
    pub fn endpoints(&self) -> Vec<SocketAddr> {
        self.members.iter().map(Member::client_address).collect()
    }

    /// What a client shows and believes.
    pub fn client(&self) -> &TlsFiles {
        self.pki.client()
    }

    /// What no member believes: a certificate of the right form, of another authority.
    pub fn stranger(&self) -> &TlsFiles {
        self.pki.stranger()
    }

    pub fn folder(&self) -> &Path {
        self.pki.folder()
    }

    /// The member that leads now, where one does.
    pub fn leader(&self) -> Option<usize> {
        self.members.iter().position(Member::leads)
    }

    /// Ends a member without a word, as a power cut would. What it wrote stays.
    pub fn kill(&mut self, member: usize) {
        self.members[member].kill();
    }

    /// Starts a member that was killed, on the same data and ports, and waits until it serves.
    pub fn restart(&mut self, member: usize) {
        let until = Instant::now() + START_MAX;
        self.members[member].spawn(&self.pki).expect("etcd was started before");
        if let Err(problem) = self.members[member].wait_until_it_serves(until) {
            panic!("member {member} did not come back: {problem}");
        }
    }

    /// Starts a member that was killed, and does not wait: alone it may have no majority.
    pub fn spawn(&mut self, member: usize) {
        self.members[member].spawn(&self.pki).expect("etcd was started before");
    }

    /// What a killed member has on disk, to set it back to later. For a cluster of one.
    pub fn backup(&self, member: usize) -> Backup {
        let copy = tempfile::tempdir().expect("a temporary folder can be made");
        self.members[member].copy_data_to(&copy.path().join("data"));
        Backup(copy)
    }

    /// Makes a killed member what it was, as an operator's restore does.
    pub fn set_back(&self, member: usize, backup: &Backup) {
        self.members[member].replace_data_by(&backup.0.path().join("data"));
    }

    /// Stops a member where it stands: its connections stay open, and nothing answers.
    pub fn pause(&self, member: usize) {
        self.members[member].pause();
    }

    pub fn resume(&self, member: usize) {
        self.members[member].resume();
    }
}

/// Ports for `members` members. They are held until all are found, so that no two are the same.
fn free_ports(members: usize) -> Vec<Ports> {
    let bind = || TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("loopback has a free port");
    let held: Vec<[TcpListener; 3]> = (0..members).map(|_| [bind(), bind(), bind()]).collect();
    let port = |listener: &TcpListener| listener.local_addr().expect("it is bound").port();
    held.iter()
        .map(|[client, peer, plain]| Ports {
            client: port(client),
            peer: port(peer),
            plain: port(plain),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_members_agree_on_a_leader_and_one_may_come_and_go() {
        let mut cluster = EtcdCluster::start(3);
        let leader = cluster.leader().expect("a cluster that serves has a leader");
        cluster.kill(leader);
        let until = Instant::now() + START_MAX;
        while cluster.leader().is_none() {
            assert!(Instant::now() < until, "two of three members find no leader");
            std::thread::sleep(Duration::from_millis(20));
        }
        cluster.restart(leader);
        assert_eq!(cluster.endpoints().len(), 3);
    }
}
