//! The installed system, before it was ever started: programs of its own, and packages
//! from the image's pool.

use std::fs;

use anyhow::{Context as _, Result, bail};

use crate::live::{Input, Live, TARGET};
use crate::partition::WORK;

/// What of the live system programs in the target need.
const BOUND: &[&str] = &["/dev", "/proc", "/sys", "/run"];

/// The target with the live system's devices in it, until this is dropped.
pub(crate) struct Target<'a> {
    live: &'a Live,
}

impl<'a> Target<'a> {
    /// Makes programs runnable in the target, and services not.
    pub(crate) fn enter(live: &'a Live) -> Result<Self> {
        let entered = Self { live };
        for folder in BOUND {
            let at = live.target(folder);
            fs::create_dir_all(&at).with_context(|| format!("making {}", at.display()))?;
            let at = at.display().to_string();
            live.run(&["mount", "--rbind", &live.word(folder), &at])?;
            live.run(&["mount", "--make-rslave", &at])?;
        }
        let cdrom = live.target("/cdrom");
        fs::create_dir_all(&cdrom).with_context(|| format!("making {}", cdrom.display()))?;
        live.run(&[
            "mount",
            "--bind",
            &live.word("/cdrom"),
            &cdrom.display().to_string(),
        ])?;
        // Debian's policy for packages: 101 is "not now".
        live.write(
            &live.target("/usr/sbin/policy-rc.d"),
            "#!/bin/sh\nexit 101\n",
            0o755,
        )?;
        Ok(entered)
    }

    fn words<'b>(root: &'b str, words: &[&'b str]) -> Vec<&'b str> {
        [&["chroot", root][..], words].concat()
    }

    /// Runs a program of the target.
    pub(crate) fn run(&self, words: &[&str]) -> Result<()> {
        self.run_with(words, Input::None)
    }

    /// The same, with something on its standard input.
    pub(crate) fn run_with(&self, words: &[&str], input: Input<'_>) -> Result<()> {
        let root = self.live.word(TARGET);
        self.live
            .run_with(&Self::words(&root, words), input)
            .map(drop)
    }

    /// Whether a program of the target ends well.
    pub(crate) fn succeeds(&self, words: &[&str]) -> bool {
        self.run(words).is_ok()
    }

    /// Whether a file is there.
    pub(crate) fn has(&self, absolute: &str) -> bool {
        self.live.target(absolute).exists()
    }

    /// Whether a package is installed.
    pub(crate) fn has_package(&self, package: &str) -> bool {
        let root = self.live.word(TARGET);
        let ask = [
            "dpkg-query",
            "--show",
            "--showformat",
            "${db:Status-Status}",
            package,
        ];
        let said = self.live.output(&Self::words(&root, &ask));
        said.is_ok_and(|status| status == "installed")
    }

    /// Installs those packages that are not installed yet, from the image's pool alone.
    /// Returns whether there were any.
    pub(crate) fn install(&self, packages: &[&str]) -> Result<bool> {
        let missing: Vec<&str> = packages
            .iter()
            .copied()
            .filter(|package| !self.has_package(package))
            .collect();
        if missing.is_empty() {
            return Ok(false);
        }
        let what = || format!("installing {} from the image's pool", missing.join(", "));
        let list = pool(self.live).with_context(what)?;
        let place = format!("{WORK}/pool.list");
        self.live.write(&self.live.path(&place), &list, 0o644)?;
        let folders = self.live.path(&format!("{WORK}/lists/partial"));
        fs::create_dir_all(&folders).with_context(|| format!("making {}", folders.display()))?;
        let source = format!("Dir::Etc::SourceList={place}");
        let lists = format!("Dir::State::Lists={WORK}/lists");
        let apt: Vec<&str> = [
            "apt-get",
            "--quiet",
            "--assume-yes",
            "-o",
            &source,
            "-o",
            "Dir::Etc::SourceParts=/dev/null",
            "-o",
            &lists,
            "-o",
            "APT::Sandbox::User=root",
            "-o",
            "APT::Update::Error-Mode=any",
            "-o",
            "Dpkg::Options::=--force-unsafe-io",
            "-o",
            "Dpkg::Options::=--force-confold",
        ]
        .to_vec();
        self.run(&[&apt[..], &["update"]].concat())
            .with_context(what)?;
        self.run(&[&apt[..], &["install", "--"], &missing[..]].concat())
            .with_context(what)?;
        Ok(true)
    }
}

impl Drop for Target<'_> {
    fn drop(&mut self) {
        let _ = fs::remove_file(self.live.target("/usr/sbin/policy-rc.d"));
        for folder in ["/cdrom"].iter().chain(BOUND.iter().rev()) {
            let at = self.live.target(folder).display().to_string();
            self.live.succeeds(&["umount", "--recursive", &at]);
        }
        let _ = fs::remove_dir(self.live.target("/cdrom"));
    }
}

/// A line of sources.list for each suite of the image's pool. The pool is trusted by its
/// signature alone: its key must be one that the target's apt trusts already.
fn pool(live: &Live) -> Result<String> {
    let folder = live.path("/cdrom/dists");
    let mut list = String::new();
    let entries = fs::read_dir(&folder).with_context(|| format!("reading {}", folder.display()))?;
    for entry in entries.flatten() {
        // Names such as `stable` are links to the suite.
        if entry.file_type().is_ok_and(|kind| kind.is_symlink()) {
            continue;
        }
        let suite = entry.file_name().to_string_lossy().into_owned();
        for file in ["InRelease", "Release"] {
            let Ok(text) = fs::read_to_string(entry.path().join(file)) else {
                continue;
            };
            let components = text
                .lines()
                .find_map(|line| line.strip_prefix("Components:"));
            let components = components.unwrap_or(" main").trim();
            list += &format!("deb [check-date=no] file:///cdrom {suite} {components}\n");
            break;
        }
    }
    match list.is_empty() {
        true => bail!("{} has no suite with a Release file", folder.display()),
        false => Ok(list),
    }
}
