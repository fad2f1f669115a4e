//! Stands in for NVIDIA's `nvidia-ctk`: `runtime configure` for Docker, `cdi generate`,
//! `cdi list` and `--version`.
//!
//! What it does not prove: that the specification gives a container a GPU. The real one
//! lists every library and program of the driver, makes the links of the libraries by
//! hooks, and leaves out device nodes that are not there; this one names the nodes that a
//! driver would make and one library, mounted a second time under the name that programs
//! ask for, and the file of the mock's cards where there is one. The merge into Docker's
//! configuration follows the real one, which writes in place, not beside and renamed.

mod cdi;
mod docker;

use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context as _, Result, bail};

/// Where a package that lays this program down says which version it stands for.
const VERSION_FILE: &str = "/usr/share/mock-toolkit/version";

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    match run(&words) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            log("error", &format!("{error:#}"));
            ExitCode::FAILURE
        }
    }
}

fn run(words: &[String]) -> Result<()> {
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["--version" | "-v"] => {
            println!("NVIDIA Container Toolkit CLI version {}", version()?);
            Ok(())
        }
        ["runtime", "configure", options @ ..] => docker::configure(&Options::parse(options)?),
        ["cdi", "generate", options @ ..] => cdi::generate(&Options::parse(options)?),
        ["cdi", "list", options @ ..] => cdi::list(&Options::parse(options)?),
        other => bail!(
            "the command `{}` is not known; known are: runtime configure, cdi generate, \
             cdi list, --version",
            other.join(" ")
        ),
    }
}

/// The options behind a command, as they were given.
pub(crate) struct Options(Vec<(String, Option<String>)>);

/// The options without a value.
const FLAGS: &[&str] = &["set-as-default", "cdi.enabled", "enable-cdi", "dry-run"];

/// The options with one.
const VALUES: &[&str] = &["runtime", "config", "output", "format", "spec-dir"];

impl Options {
    fn parse(words: &[&str]) -> Result<Self> {
        let mut read = Vec::new();
        let mut words = words.iter();
        while let Some(word) = words.next() {
            let name = word.trim_start_matches('-');
            let (name, value) = match name.split_once('=') {
                Some((name, value)) => (name, Some(value.to_owned())),
                None if VALUES.contains(&name) => (name, words.next().map(|next| (*next).into())),
                None => (name, None),
            };
            if VALUES.contains(&name) && value.is_none() {
                bail!("flag needs an argument: --{name}");
            }
            if !FLAGS.contains(&name) && !VALUES.contains(&name) {
                bail!("flag provided but not defined: -{name}");
            }
            read.push((name.to_owned(), value));
        }
        Ok(Options(read))
    }

    /// The value that was given last.
    pub(crate) fn value(&self, name: &str) -> Option<&str> {
        let found = self.0.iter().rev().find(|(given, _)| given == name)?;
        found.1.as_deref()
    }

    /// Whether a flag was given and not as `=false`.
    pub(crate) fn flag(&self, name: &str) -> bool {
        let found = self.0.iter().rev().find(|(given, _)| given == name);
        found.is_some_and(|(_, value)| value.as_deref() != Some("false"))
    }
}

/// The version of the package, or the one that this was built for.
fn version() -> Result<String> {
    match std::fs::read_to_string(Path::new(VERSION_FILE)) {
        Ok(text) => Ok(text.trim().to_owned()),
        Err(error) => option_env!("MOCK_TOOLKIT_VERSION")
            .map(str::to_owned)
            .with_context(|| {
                format!(
                    "reading the version from {VERSION_FILE}: {error}; MOCK_TOOLKIT_VERSION \
                     was not set in the build either"
                )
            }),
    }
}

/// A line on standard error, in the form of the real program's.
pub(crate) fn log(level: &str, text: &str) {
    let time = humantime::format_rfc3339_seconds(std::time::SystemTime::now());
    eprintln!("time=\"{time}\" level={level} msg={text:?}");
}
