//! `doctor`: which outside programs are missing, and what needs them.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::Args;
use xshell::{Shell, cmd};

use crate::Done;
use crate::failure::Failure;
use crate::programs::{self, Program};
use crate::ui::{ASIDE, BAD, GOOD, STRONG};

/// Says which outside programs are missing and what needs them.
///
/// `check`, `render`, `fetch`, `iso` and `inspect` need none. The stand-in base
/// and the tests need some, all of them packages of Debian and Ubuntu.
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Arguments {
    /// Install what is missing (needs apt and root).
    #[arg(long)]
    install: bool,
}

pub(crate) fn run(arguments: &Arguments) -> Done {
    let all = programs::all();
    if arguments.install {
        install(&programs::missing(&all))?;
    }
    print(&all);
    let missing = programs::missing(&all);
    if missing.is_empty() {
        anstream::println!("\n{GOOD}nothing is missing{GOOD:#}");
        return Ok(());
    }
    let packages = programs::packages(&missing).join(" ");
    anstream::println!(
        "\n{STRONG}To install what is missing{STRONG:#}: sudo apt-get install {packages}"
    );
    match arguments.install {
        true => Err(Failure::Environment(anyhow::anyhow!(
            "some programs are still missing; see above"
        ))),
        false => Ok(()),
    }
}

fn print(all: &[Program]) {
    let mut heading = "";
    for program in all {
        if program.for_what != heading {
            heading = program.for_what;
            anstream::println!("{STRONG}{heading}{STRONG:#}");
        }
        let (style, word) = if program.need.is_met() {
            (GOOD, "here")
        } else {
            (BAD, "missing")
        };
        anstream::println!(
            "  {style}{word:8}{style:#} {} {ASIDE}({}){ASIDE:#}",
            program.need.name(),
            program.package
        );
    }
}

/// Installs the packages of these programs, and no service is started by it.
pub(crate) fn install(missing: &[Program]) -> Done {
    if missing.is_empty() {
        return Ok(());
    }
    let packages = programs::packages(missing);
    if !programs::can_install() {
        return Err(Failure::Environment(anyhow::anyhow!(
            "installing needs apt and root: run `sudo apt-get install {}` yourself",
            packages.join(" ")
        )));
    }
    anstream::eprintln!("installing {}", packages.join(" "));
    add_backports(&packages)?;
    let shell = Shell::new().context("starting a shell")?;
    shell.set_var("DEBIAN_FRONTEND", "noninteractive");
    // Packages such as nginx start a server when they are installed; the tests
    // want the program alone. RUNLEVEL=1 is what invoke-rc.d obeys.
    shell.set_var("RUNLEVEL", "1");
    cmd!(shell, "apt-get update -qq")
        .run()
        .context("reading the package lists")?;
    // Only QEMU comes from backports; everything else stays the release's own.
    let (newer, own): (Vec<&str>, Vec<&str>) = packages
        .iter()
        .partition(|name| **name == QEMU && backports().exists());
    for (release, packages) in [(None, own), (Some(BACKPORTS), newer)] {
        if packages.is_empty() {
            continue;
        }
        let from = release.map(|release| format!("--target-release={release}"));
        cmd!(
            shell,
            "apt-get install -qq --no-install-recommends -y {from...} {packages...}"
        )
        .run()
        .context("installing packages")?;
    }
    Ok(())
}

/// Debian 12's QEMU (7.2) crashes newer kernels where there is no KVM, with
/// double faults; the one in its backports (10.0) does not. Tried 2026-11.
const BACKPORTS: &str = "bookworm-backports";

/// The one package that is taken from there.
const QEMU: &str = "qemu-system-x86";

fn backports() -> PathBuf {
    PathBuf::from("/etc/apt/sources.list.d").join(format!("{BACKPORTS}.sources"))
}

/// On Debian 12, adds its backports from the mirror that is configured already.
fn add_backports(packages: &[&str]) -> anyhow::Result<()> {
    let release = std::fs::read_to_string("/etc/os-release").unwrap_or_default();
    let is_bookworm = release.contains("VERSION_CODENAME=bookworm");
    if !is_bookworm || !packages.contains(&QEMU) || backports().exists() {
        return Ok(());
    }
    let sources = Path::new("/etc/apt/sources.list.d/debian.sources");
    let sources = std::fs::read_to_string(sources).unwrap_or_default();
    let Some(mirror) = sources.lines().find_map(|line| line.strip_prefix("URIs:")) else {
        anstream::eprintln!("no backports added: debian.sources names no mirror");
        return Ok(());
    };
    let text = format!(
        "Types: deb\nURIs: {}\nSuites: {BACKPORTS}\nComponents: main\nSigned-By: /usr/share/keyrings/debian-archive-keyring.gpg\n",
        mirror.trim()
    );
    let path = backports();
    anstream::eprintln!(
        "adding {}: QEMU 7.2 crashes newer kernels without KVM",
        path.display()
    );
    std::fs::write(&path, text).with_context(|| format!("writing {}", path.display()))
}
