//! Choosing packages from the lists of the archive that this machine uses, against
//! `apt-get install --print-uris` on the same files: with apt's cache of them (warm), and
//! without (cold), where apt reads them as we do. The root and the status file are not the
//! machine's, which has no packages there: the closure is a full one.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};

use super::{Bench, Figure, Once, command, demand, time};

/// What is asked for.
pub(super) const NAMES: [&str; 3] = ["docker.io", "nvtop", "linux-image-amd64"];

/// dpkg's status file of the root.
pub(super) fn status(folder: &Path) -> PathBuf {
    folder.join("var/lib/dpkg/status")
}

/// The lists of packages, sorted.
pub(super) fn lists(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let found = fs::read_dir(folder.join("var/lib/apt/lists")).context("reading apt's lists")?;
    let mut lists = Vec::new();
    for entry in found {
        let path = entry.context("reading apt's lists")?.path();
        if path.to_string_lossy().ends_with("_Packages") {
            lists.push(path);
        }
    }
    lists.sort();
    Ok(lists)
}

pub(super) fn measure(bench: &Bench) -> anyhow::Result<Vec<Figure>> {
    demand(&["apt-get"])?;
    make_root(&bench.folder)?;
    let update = apt(bench, &["update"])
        .output()
        .context("running apt-get update")?;
    let lists = lists(&bench.folder)?;
    if !update.status.success() || lists.is_empty() {
        bail!(
            "apt-get update: {}",
            String::from_utf8_lossy(&update.stderr).trim()
        );
    }
    compare(bench)?;
    let [ours, cold, warm] = bench
        .in_turn(["lab-apt", "apt-get, cold", "apt-get, warm"], |way| {
            one(bench, way)
        })?;
    Ok(vec![
        Figure::ratio("resolving, against apt-get with its cache", ours, warm, 1.0),
        Figure::ratio("resolving, against apt-get without it", ours, cold, 1.0),
    ])
}

fn one(bench: &Bench, way: &str) -> anyhow::Result<Duration> {
    if way == "lab-apt" {
        return Ok(time(&mut command(&bench.once(Once::Resolve))?)?.0);
    }
    if way.ends_with("cold") {
        for cache in ["pkgcache.bin", "srcpkgcache.bin"] {
            let _ = fs::remove_file(bench.folder.join("var/cache/apt").join(cache));
        }
    }
    Ok(time(&mut install(bench))?.0)
}

/// Both must choose the same, or the times say nothing.
fn compare(bench: &Bench) -> anyhow::Result<()> {
    let ours = command(&bench.once(Once::Resolve))?.output()?;
    ensure!(
        ours.status.success(),
        "resolving: {}",
        String::from_utf8_lossy(&ours.stderr)
    );
    let apts = install(bench).output()?;
    ensure!(
        apts.status.success(),
        "apt-get: {}",
        String::from_utf8_lossy(&apts.stderr)
    );
    let (ours, apts) = (
        String::from_utf8(ours.stdout)?,
        String::from_utf8(apts.stdout)?,
    );
    let ours: BTreeSet<&str> = ours.lines().collect();
    // 'ADDRESS' NAME_VERSION_ARCHITECTURE.deb SIZE DIGEST
    let name = |line| Some(str::split_once(line, "' ")?.1.split_once('_')?.0);
    let apts: BTreeSet<&str> = apts.lines().filter_map(name).collect();
    let differing: Vec<_> = ours.symmetric_difference(&apts).collect();
    ensure!(
        differing.is_empty(),
        "apt-get and lab-apt differ in {differing:?}"
    );
    anstream::println!("{} packages, the same by both", ours.len());
    Ok(())
}

fn install(bench: &Bench) -> Command {
    let options = [
        "-qq",
        "-y",
        "--no-install-recommends",
        "--print-uris",
        "install",
    ];
    let mut command = apt(bench, &options);
    command.args(NAMES);
    command
}

fn apt(bench: &Bench, arguments: &[&str]) -> Command {
    let mut command = Command::new("apt-get");
    command
        .env("APT_CONFIG", bench.folder.join("apt.conf"))
        .env("LC_ALL", "C");
    command.args(arguments);
    command
}

fn make_root(root: &Path) -> anyhow::Result<()> {
    for folder in [
        "etc/apt/sources.list.d",
        "etc/apt/apt.conf.d",
        "etc/apt/preferences.d",
        "var/lib/apt/lists/partial",
        "var/cache/apt/archives/partial",
        "var/lib/dpkg",
    ] {
        super::fresh(&root.join(folder))?;
    }
    fs::write(status(root), "").context("writing the status file")?;
    let dir = root.display();
    let configuration = format!(
        "Dir \"{dir}/\";\nDir::State::status \"{dir}/var/lib/dpkg/status\";\n\
         Dir::Bin::methods \"/usr/lib/apt/methods\";\nDir::Etc::trusted \"/etc/apt/trusted.gpg\";\n\
         Dir::Etc::trustedparts \"/etc/apt/trusted.gpg.d\";\nDir::Etc::netrcparts \"/etc/apt/auth.conf.d\";\n\
         Debug::NoLocking \"1\";\nAPT::Sandbox::User \"root\";\nAPT::Architecture \"amd64\";\n\
         APT::Architectures {{ \"amd64\"; }};\nAcquire::Languages \"none\";\n\
         Acquire::GzipIndexes \"false\";\n"
    );
    fs::write(root.join("apt.conf"), configuration).context("writing apt's configuration")?;
    copy_sources(&root.join("etc/apt/sources.list.d"))
}

/// The machine's sources, with all of Debian's components.
fn copy_sources(to: &Path) -> anyhow::Result<()> {
    let listed = fs::read_dir("/etc/apt/sources.list.d").context("reading apt's sources")?;
    let listed = listed.flatten().map(|entry| entry.path());
    for source in listed.chain([PathBuf::from("/etc/apt/sources.list")]) {
        let known = source
            .extension()
            .is_some_and(|end| end == "sources" || end == "list");
        if let (true, Ok(text), Some(name)) =
            (known, fs::read_to_string(&source), source.file_name())
        {
            let text = text.replace("Components: main\n", "Components: main contrib non-free\n");
            fs::write(to.join(name), text).context("copying apt's sources")?;
        }
    }
    Ok(())
}
