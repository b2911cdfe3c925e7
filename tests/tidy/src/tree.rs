//! The files that a commit would hold: what git tracks, and what it would track if asked now.

use std::path::{Path, PathBuf};
use std::process::Command;

/// A walk that finds fewer files than this has looked in the wrong place.
const PATHS_MIN: usize = 40;

/// Every file of the repository, with paths relative to its root and `/` between their parts.
#[derive(Clone, Debug)]
pub struct Tree {
    /// All files, those that are not text among them.
    pub paths: Vec<String>,
    /// The files that are text.
    pub texts: Vec<TextFile>,
}

/// One file that is text.
#[derive(Clone, Debug)]
pub struct TextFile {
    pub path: String,
    pub text: String,
}

impl Tree {
    /// Reads the repository that this crate was built in.
    ///
    /// # Panics
    ///
    /// If git cannot list the files, or lists too few of them to be believed: a rule that is
    /// checked against nothing would pass.
    pub fn read() -> Self {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let mut paths = listed(&root);
        // Git lists a tracked file that was just deleted, and a link is not text of ours.
        paths.retain(|path| root.join(path).symlink_metadata().is_ok_and(|meta| meta.is_file()));
        assert!(PATHS_MIN <= paths.len(), "only {} files found: {paths:?}", paths.len());
        let texts: Vec<TextFile> = paths.iter().filter_map(|path| text_of(&root, path)).collect();
        Self { paths, texts }
    }

    /// The Rust sources.
    pub fn rust(&self) -> impl Iterator<Item = &TextFile> {
        self.texts.iter().filter(|file| file.path.ends_with(".rs"))
    }

    /// The text files below `folder`, which ends in `/`.
    pub fn below(&self, folder: &str) -> impl Iterator<Item = &TextFile> {
        self.texts.iter().filter(move |file| file.path.starts_with(folder))
    }
}

impl TextFile {
    /// The lines with their numbers, counted from 1.
    pub fn lines(&self) -> impl Iterator<Item = (usize, &str)> {
        self.text.lines().enumerate().map(|(index, line)| (index + 1, line))
    }
}

fn listed(root: &Path) -> Vec<String> {
    let listing = Command::new("git")
        // Git refuses a tree that belongs to somebody else, as a mounted one does in a container.
        // Listing names runs nothing from the tree, so here that caution protects nobody.
        .args(["-c", "safe.directory=*", "ls-files", "-z", "-co", "--exclude-standard"])
        .current_dir(root)
        .output()
        .expect("git is installed");
    assert!(listing.status.success(), "git: {}", String::from_utf8_lossy(&listing.stderr));
    let names = String::from_utf8(listing.stdout).expect("file names are UTF-8");
    names.split_terminator('\0').map(str::to_owned).collect()
}

fn text_of(root: &Path, path: &str) -> Option<TextFile> {
    let full: PathBuf = root.join(path);
    let bytes = std::fs::read(&full).unwrap_or_else(|error| panic!("{path}: {error}"));
    let text = String::from_utf8(bytes).ok()?;
    Some(TextFile { path: path.to_owned(), text })
}
