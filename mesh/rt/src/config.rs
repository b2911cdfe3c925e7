//! Reading a configuration file: whole and right, or an error that says which line to change.

use std::io::Read as _;
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;

use crate::file;

mod place;
mod sections;

pub use sections::{Admin, Drain, Filter, Log, LogFormat, Mesh, TlsFiles, loopback};

/// Largest configuration file, in bytes.
pub const CONFIG_BYTES_MAX: u64 = 1024 * 1024;

/// What a program's configuration says of itself beyond the types of its fields.
pub trait Check {
    /// The rules between fields. An error is the field to change, and what is wrong with it.
    fn check(&self) -> Result<(), (&'static str, String)>;

    /// Every file that the configuration names and the program reads, with its field. A relative
    /// path counts from the configuration file's folder: loading rewrites it through these.
    fn files(&mut self) -> Vec<(&'static str, &mut PathBuf)>;

    /// As [`Self::files`], of the folders that the program writes into.
    fn folders(&mut self) -> Vec<(&'static str, &mut PathBuf)> {
        Vec::new()
    }
}

/// A configuration that cannot be used. Names file, line and field, then what is wrong.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    #[error("{}: cannot be read", file.display())]
    Read { file: PathBuf, source: std::io::Error },
    /// `message` begins with the field, where the text is TOML at all.
    #[error("{}:{line}: {message}", file.display())]
    Line { file: PathBuf, line: usize, message: String },
    /// Of a field that is not written down, or of one of several.
    #[error("{}: {field}: {message}", file.display())]
    Field { file: PathBuf, field: &'static str, message: String },
}

/// Reads `file`, or says which line or field to change.
pub fn load<T: DeserializeOwned + Check>(file: &Path) -> Result<T, ConfigError> {
    let text = file::read_text(file, CONFIG_BYTES_MAX)
        .map_err(|source| ConfigError::Read { file: file.into(), source })?;
    parse(file, &text)
}

impl ConfigError {
    /// `field` of the configuration in `file` is wrong. Finds its line there.
    pub fn of_field(file: &Path, field: &'static str, message: String) -> Self {
        let text = file::read_text(file, CONFIG_BYTES_MAX).unwrap_or_default();
        Self::in_text(file, &text, (field, message))
    }

    fn in_text(file: &Path, text: &str, (field, message): (&'static str, String)) -> Self {
        let file = file.into();
        match place::line_of(text, field, &message) {
            Some(line) => Self::Line { file, line, message: format!("{field}: {message}") },
            None => Self::Field { file, field, message },
        }
    }
}

/// Checks that every file that `config` names can be read and every folder be written into, so that
/// its field and line can be told. What is in the files is for those who load them. `file` is where
/// `config` came from.
pub fn check_files<T: Check>(file: &Path, config: &mut T) -> Result<(), ConfigError> {
    for (field, path) in config.files() {
        // Opening alone would let a folder pass.
        let read = std::fs::File::open(&*path).and_then(|mut opened| opened.read(&mut [0]));
        read.map_err(|why| {
            let message = format!("{} cannot be read: {why}", path.display());
            ConfigError::of_field(file, field, message)
        })?;
    }
    for (field, path) in config.folders() {
        file::check_folder(path).map_err(|why| {
            let message = format!("{} cannot be written into: {why}", path.display());
            ConfigError::of_field(file, field, message)
        })?;
    }
    Ok(())
}

fn parse<T: DeserializeOwned + Check>(file: &Path, text: &str) -> Result<T, ConfigError> {
    let mut config: T = toml::from_str(text).map_err(|error| {
        let span = error.span().unwrap_or_default();
        let line = place::line(text, span.start);
        // The parser puts what it expected on lines of its own.
        let mut message = error.message().replace('\n', ", ");
        if let Some(field) = place::field_at(text, &span)
            // Some types know their field themselves.
            && !message.starts_with(&format!("{field}: "))
        {
            message = format!("{field}: {message}");
        }
        ConfigError::Line { file: file.into(), line, message }
    })?;
    let folder = file.parent().unwrap_or(Path::new(""));
    for (_, path) in config.files() {
        *path = folder.join(&*path);
    }
    for (_, path) in config.folders() {
        *path = folder.join(&*path);
    }
    // Each type refuses bad values by itself. What is left are rules between fields.
    config.check().map_err(|wrong| ConfigError::in_text(file, text, wrong))?;
    Ok(config)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Sample {
        mesh: Mesh,
        tls: TlsFiles,
        admin: Admin,
        #[serde(default)]
        log: Log,
        #[serde(default)]
        drain: Drain,
        #[serde(default)]
        state_dir: PathBuf,
    }

    impl Check for Sample {
        fn check(&self) -> Result<(), (&'static str, String)> {
            self.admin.check()
        }

        fn files(&mut self) -> Vec<(&'static str, &mut PathBuf)> {
            self.tls.files().into()
        }

        fn folders(&mut self) -> Vec<(&'static str, &mut PathBuf)> {
            vec![("state_dir", &mut self.state_dir)]
        }
    }

    const WHOLE: &str = r#"
[mesh]
id = "ir"
domain = "mesh.ir"

[tls]
chain_file = "pki/chain.pem"
key_file = "/etc/mesh/key.pem"
trust_file = "../trust.pem"

[admin]
listen = "127.0.0.1:7001"
"#;

    fn read(text: &str) -> Result<Sample, String> {
        parse(Path::new("hub.toml"), text).map_err(|error| error.to_string())
    }

    #[test]
    fn what_is_not_written_has_a_default() {
        let sample = read(WHOLE).unwrap();
        assert_eq!(sample.mesh.domain().domain(), "mesh.ir");
        assert_eq!(sample.mesh.domain().mesh.as_str(), "ir");
        assert_eq!(sample.admin.listen.port(), 7001);
        assert_eq!(sample.log.format, LogFormat::Json);
        assert_eq!(sample.log.filter.as_str(), "info");
        assert_eq!(sample.drain.grace(), Duration::from_secs(30));
    }

    #[test]
    fn paths_count_from_the_folder_of_the_file() {
        let sample: Sample = parse(Path::new("/etc/hub/hub.toml"), WHOLE).unwrap();
        assert_eq!(sample.tls.chain_file, Path::new("/etc/hub/pki/chain.pem"));
        assert_eq!(sample.tls.key_file, Path::new("/etc/mesh/key.pem"));
        assert_eq!(sample.tls.trust_file, Path::new("/etc/hub/../trust.pem"));
        let beside: Sample = parse(Path::new("hub.toml"), WHOLE).unwrap();
        assert_eq!(beside.tls.chain_file, Path::new("pki/chain.pem"));
    }

    #[test]
    fn says_what_to_change() {
        let no_level = "expected one of \"off\", \"error\", \"warn\", \"info\", \"debug\", \
                        \"trace\", or a number 0-5";
        let filter = format!(
            "12: log.filter: \"mesh=loud\" is no filter: error parsing level filter: {no_level}"
        );
        #[rustfmt::skip]
        let cases: &[(&str, &str, &str)] = &[
            // Replace, by, and what `hub.toml:` is followed by.
            ("key_file", "keyfile",
             "8: tls: unknown field `keyfile`, expected one of `chain_file`, `key_file`, \
              `trust_file`"),
            ("key_file = \"/etc/mesh/key.pem\"\n", "",
             "6: tls: missing field `key_file`"),
            ("id = \"ir\"", "id = \"IR\"",
             "3: mesh.id: mesh id has 'I' at byte 0, want a-z, 0-9 or an inner '-'"),
            ("domain = \"mesh.ir\"", "domain = \"Mesh\"",
             "2: mesh: mesh domain \"Mesh\" is no DNS name of 1 to 126 bytes"),
            ("127.0.0.1:7001", "127.0.0.1",
             "12: admin.listen: invalid socket address syntax"),
            ("127.0.0.1:7001", "0.0.0.0:7001",
             "12: admin.listen: 0.0.0.0:7001 is no loopback address, want such as 127.0.0.1:7001"),
            ("[admin]", "[log]\nformat = \"xml\"\n[admin]",
             "12: log.format: unknown variant `xml`, expected `json` or `text`"),
            ("[admin]", "[log]\nfilter = \"mesh=loud\"\n[admin]",
             &filter),
            ("[admin]", "[drain]\ngrace_ms = -1\n[admin]",
             "12: drain.grace_ms: invalid value: integer `-1`, expected u64"),
            ("[admin]", "[drain]\ngrace_ms = 3600001\n[admin]",
             "12: drain.grace_ms: 3600001 exceeds 3600000"),
            ("[admin]", "[admin",
             "11: unclosed table, expected `]`"),
        ];
        for (from, to, want) in cases {
            assert!(WHOLE.contains(from), "{from:?}");
            let message = read(&WHOLE.replacen(from, to, 1)).expect_err(want);
            assert_eq!(message, format!("hub.toml:{want}"), "{from:?} → {to:?}");
        }
    }

    #[test]
    fn names_the_file_that_cannot_be_read() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("hub.toml");
        let error = load::<Sample>(&file).unwrap_err();
        assert!(matches!(&error, ConfigError::Read { .. }), "{error:?}");
        assert!(error.to_string().ends_with("hub.toml: cannot be read"), "{error}");

        let at_hand = WHOLE.replace("/etc/mesh/key.pem", "pki").replace("../", "");
        std::fs::write(&file, at_hand).unwrap();
        std::fs::create_dir(folder.path().join("pki")).unwrap();
        std::fs::write(folder.path().join("pki/chain.pem"), "").unwrap();
        let mut sample: Sample = load(&file).unwrap();
        let error = check_files(&file, &mut sample).unwrap_err().to_string();
        let a_folder = "hub.toml:8: tls.key_file: ";
        assert!(error.contains(a_folder) && error.contains("pki cannot be read: "), "{error}");

        sample.tls.key_file = sample.tls.chain_file.clone();
        let error = check_files(&file, &mut sample).unwrap_err().to_string();
        assert!(error.contains("hub.toml:9: tls.trust_file: "), "{error}");
        sample.tls.trust_file = sample.tls.chain_file.clone();
        check_files(&file, &mut sample).unwrap();
    }

    #[test]
    fn names_the_folder_that_cannot_be_written_into() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("hub.toml");
        let text = format!("state_dir = \"state\"\n{WHOLE}").replace("/etc/mesh/key.pem", "pki");
        std::fs::write(&file, text).unwrap();
        let mut sample: Sample = load(&file).unwrap();
        assert_eq!(sample.state_dir, folder.path().join("state"));
        for path in [&mut sample.tls.chain_file, &mut sample.tls.key_file] {
            *path = file.clone();
        }
        sample.tls.trust_file = file.clone();
        let error = check_files(&file, &mut sample).unwrap_err().to_string();
        let want = "hub.toml:1: state_dir: ";
        assert!(error.contains(want) && error.contains("state cannot be written into"), "{error}");
        std::fs::create_dir(&sample.state_dir).unwrap();
        check_files(&file, &mut sample).unwrap();
        assert_eq!(std::fs::read_dir(&sample.state_dir).unwrap().count(), 0, "nothing is left");
        std::fs::remove_dir(&sample.state_dir).unwrap();
        std::fs::write(&sample.state_dir, "").unwrap();
        assert!(check_files(&file, &mut sample).is_err(), "it is a file");
    }
}
