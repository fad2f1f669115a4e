//! Servers under the vendors' names for one command on this computer.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};

use anyhow::{Context as _, Result};

use crate::Upstreams;
use crate::offline::archives_by;
use crate::programs::run;

/// Debian's keys, where the package debian-archive-keyring puts them.
const DEBIAN_KEYS: &str = "/usr/share/keyrings/debian-archive-keyring.*";

/// Runs a command in a world in which the vendors' names lead to servers of this run, and
/// leaves their facts in `folder`: `catalog`, for `LAB_CATALOG`.
///
/// The servers are gone when it ends. What the command got from them is good without them.
///
/// # Errors
///
/// When a server cannot be started, or the command cannot.
pub fn in_a_world(folder: &Path, command: &[String]) -> Result<ExitStatus> {
    let scratch = tempfile::tempdir().context("making a scratch folder")?;
    let upstreams = Upstreams::start(scratch.path())?;
    let catalog = facts(folder, scratch.path(), &upstreams)?;
    let hosts = scratch.path().join("hosts");
    let line = |name: &&str| format!("{} {name}\n", upstreams.address());
    let lines: String = upstreams.hosts().iter().map(line).collect();
    write(&hosts, &format!("127.0.0.1 localhost\n{lines}"))?;
    // A namespace of its own (unshare(1)) has another hosts file than this computer.
    Command::new("unshare")
        .args(["--mount", "sh", "-c"])
        .arg("mount --bind \"$0\" /etc/hosts && exec \"$@\"")
        .arg(&hosts)
        .args(command)
        .env("SSL_CERT_FILE", upstreams.authority())
        .env("LAB_CATALOG", &catalog)
        .status()
        .with_context(|| format!("running {}", command.join(" ")))
}

/// What is true of these servers, as files of a catalog.
fn facts(folder: &Path, scratch: &Path, upstreams: &Upstreams) -> Result<PathBuf> {
    let catalog = folder.join("catalog");
    fs::create_dir_all(&catalog).with_context(|| format!("making {}", catalog.display()))?;
    for (name, text) in upstreams.catalog_files() {
        write(&catalog.join(name), text)?;
    }
    let ubuntu = scratch.join("ubuntu.asc");
    write(&ubuntu, upstreams.ubuntu_key()?)?;
    let here = |script: &str| run("sh", &["-c", script]);
    let rings = scratch.join("keys");
    let text = archives_by(&here, &rings, &ubuntu.to_string_lossy(), DEBIAN_KEYS)?;
    write(&catalog.join("archives.toml"), &text)?;
    Ok(catalog)
}

fn write(place: &Path, text: &str) -> Result<()> {
    fs::write(place, text).with_context(|| format!("writing {}", place.display()))
}
