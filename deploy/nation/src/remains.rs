//! What a launcher that is killed would leave behind: processes, and a folder with private keys.
//!
//! A launcher writes down each process that it starts. When it ends without having cleared up, a
//! guard does it at once (see `guard`); where that was killed too, the next launcher does.

use std::fs::{DirEntry, File, OpenOptions};
use std::io::{Read as _, Write as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::process::{Signal, getuid};

use crate::identity::Identity;

/// What the folders of launchers are called; their process ids follow.
pub(crate) const FOLDER: &str = "nation-";

/// The file in a nation's folder: the launcher, and then each process that it started.
const LEDGER: &str = "processes";

/// Much more than any nation needs; bounds what is read.
const LEDGER_BYTES_MAX: u64 = 1024 * 1024;

/// How long processes may take to leave before they are killed.
const LEAVE_MAX: Duration = Duration::from_secs(5);

/// Where a launcher writes down what it started.
#[derive(Debug)]
pub struct Ledger(File);

/// What was left of one nation.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Cleared {
    pub folder: PathBuf,
    pub processes: usize,
}

impl Ledger {
    /// In `folder`, with this process as the launcher.
    pub fn create(folder: &Path) -> std::io::Result<Self> {
        let file = OpenOptions::new().append(true).create_new(true).open(folder.join(LEDGER))?;
        let mut ledger = Self(file);
        ledger.add(std::process::id())?;
        Ok(ledger)
    }

    /// Writes the process `id` down. One that has ended already needs no line.
    pub fn add(&mut self, id: u32) -> std::io::Result<()> {
        match Identity::of(id) {
            Some(identity) => self.0.write_all(format!("{identity}\n").as_bytes()),
            None => Ok(()),
        }
    }
}

/// Ends every process that `folder` names, and removes it unless it is to be `kept`. Does nothing
/// to a folder that is no nation's.
pub fn clear_up(folder: &Path, kept: bool) -> Cleared {
    let Some((_, processes)) = read(folder) else {
        return Cleared { folder: folder.into(), processes: 0 };
    };
    let running = || processes.iter().filter(|process| process.runs());
    let count = running().count();
    running().for_each(|process| process.signal(Signal::TERM));
    let began = Instant::now();
    while running().next().is_some() && began.elapsed() < LEAVE_MAX {
        std::thread::sleep(Duration::from_millis(20));
    }
    running().for_each(|process| process.signal(Signal::KILL));
    if !kept {
        // Somebody else may be clearing up too; the system clears its temporary directory besides.
        let _ = std::fs::remove_dir_all(folder);
    }
    Cleared { folder: folder.into(), processes: count }
}

/// Clears up after launchers in `temporary` that run no more and had no guard to do it.
pub fn clear_up_all(temporary: &Path) -> Vec<Cleared> {
    let entries = temporary.read_dir().into_iter().flatten().flatten();
    let left = entries.filter(is_left).map(|entry| entry.path());
    left.map(|folder| clear_up(&folder, false)).collect()
}

/// Is it the folder of a launcher that is gone? What others own is theirs: anybody may write into
/// a temporary directory, and name processes of ours there.
fn is_left(entry: &DirEntry) -> bool {
    let is_ours = entry.file_name().to_string_lossy().starts_with(FOLDER)
        && entry.metadata().is_ok_and(|it| it.is_dir() && it.uid() == getuid().as_raw());
    is_ours && read(&entry.path()).is_some_and(|(launcher, _)| !launcher.runs())
}

/// The launcher, and what it started.
fn read(folder: &Path) -> Option<(Identity, Vec<Identity>)> {
    let mut text = String::new();
    let file = File::open(folder.join(LEDGER)).ok()?;
    file.take(LEDGER_BYTES_MAX).read_to_string(&mut text).ok()?;
    let mut lines = text.lines().map_while(|line| line.parse().ok());
    Some((lines.next()?, lines.collect()))
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::ExitStatusExt as _;
    use std::process::{Child, Command};

    use super::*;

    fn sleeper() -> Child {
        Command::new("sleep").arg("600").spawn().unwrap()
    }

    #[test]
    fn what_a_dead_launcher_left_is_ended_and_removed_and_a_living_ones_is_not() {
        let temporary = tempfile::tempdir().unwrap();
        let folder = |name: &str| {
            let folder = temporary.path().join(name);
            std::fs::create_dir(&folder).unwrap();
            folder
        };
        let (living, dead, none) = (folder("nation-1"), folder("nation-2"), folder("nation-3"));
        let mut spared = sleeper();
        Ledger::create(&living).unwrap().add(spared.id()).unwrap();

        let mut launcher = sleeper();
        let mut left = sleeper();
        let line = |child: &Child| format!("{}\n", Identity::of(child.id()).unwrap());
        let text = line(&launcher) + &line(&left);
        std::fs::write(dead.join(LEDGER), text).unwrap();
        launcher.kill().unwrap();
        launcher.wait().unwrap();

        clear_up(&none, false);
        let cleared = clear_up_all(temporary.path());
        assert_eq!(cleared, [Cleared { folder: dead.clone(), processes: 1 }]);
        assert_eq!(left.wait().unwrap().signal(), Some(15));
        assert!(!dead.exists() && living.exists() && none.exists());
        assert_eq!(spared.try_wait().unwrap(), None);
        spared.kill().unwrap();
        spared.wait().unwrap();
    }

    #[test]
    fn a_folder_that_is_kept_loses_its_processes_only() {
        let folder = tempfile::tempdir().unwrap();
        let mut child = sleeper();
        let mut ledger = Ledger::create(folder.path()).unwrap();
        ledger.add(child.id()).unwrap();
        assert_eq!(clear_up(folder.path(), true).processes, 1);
        assert!(!child.wait().unwrap().success());
        ledger.add(child.id()).unwrap();
        assert_eq!(clear_up(folder.path(), true).processes, 0, "nobody is ended twice");
        assert!(folder.path().join(LEDGER).exists());
    }
}
