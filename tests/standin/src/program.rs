//! Running outside programs so that nothing of this machine shows in what they make.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use xshell::Shell;

/// A folder for the files in the making, gone when it is dropped, and a shell in which
/// the language, the time zone and the clock are always the same.
pub(crate) struct Workplace {
    folder: tempfile::TempDir,
    shell: Shell,
}

impl Workplace {
    /// A workplace on the file system where `out` will stand, so that renaming works.
    pub(crate) fn beside(out: &Path) -> Result<Self> {
        let parent = match out.parent() {
            Some(parent) if parent != Path::new("") => parent,
            _ => Path::new("."),
        };
        std::fs::create_dir_all(parent)
            .with_context(|| format!("making the folder {}", parent.display()))?;
        let folder = tempfile::Builder::new()
            .prefix(".standin-")
            .tempdir_in(parent)
            .with_context(|| format!("making a folder for work in {}", parent.display()))?;
        Ok(Self {
            folder,
            shell: constant_shell()?,
        })
    }

    /// The folder.
    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    /// The name of a file in the folder.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Runs a program to its end; `doing` opens the error where it fails.
    pub(crate) fn run(&self, doing: &str, program: &str, arguments: &[String]) -> Result<String> {
        run(&self.shell, doing, program, arguments)
    }
}

/// A shell with a fixed environment.
pub(crate) fn constant_shell() -> Result<Shell> {
    let shell = Shell::new().context("finding the current folder")?;
    shell.set_var("LC_ALL", "C");
    shell.set_var("TZ", "UTC");
    shell.set_var("SOURCE_DATE_EPOCH", crate::EPOCH.to_string());
    // mtools asks about sizes that are no floppy's unless it is told not to.
    shell.set_var("MTOOLS_SKIP_CHECK", "1");
    Ok(shell)
}

/// Runs a program to its end in `shell` and returns what it printed.
pub(crate) fn run(
    shell: &Shell,
    doing: &str,
    program: &str,
    arguments: &[String],
) -> Result<String> {
    let output = shell
        .cmd(program)
        .args(arguments)
        .quiet()
        .ignore_status()
        .output()
        .with_context(|| format!("{doing}: starting {program}"))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        let last: Vec<_> = said.lines().rev().take(12).collect();
        let last: Vec<_> = last.into_iter().rev().collect();
        bail!(
            "{doing}: {program} ended with {}:\n{}",
            output.status,
            last.join("\n")
        );
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Arguments of a program, from anything that displays.
macro_rules! words {
    ($($word:expr),* $(,)?) => { [$($word.to_string()),*] };
}
pub(crate) use words;
