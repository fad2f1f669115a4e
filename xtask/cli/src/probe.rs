//! The probe, built for the machine: a program for x86-64 Linux with glibc 2.35 or newer
//! that needs nothing but the C library.
//!
//! The same sources and the same toolchain give the same bytes, wherever the checkout, the
//! build folder and `CARGO_HOME` lie: paths are cut out, and the environment's own flags
//! are not listened to. So a probe that was laid down can be told from an old one by its
//! digest. What must be built anew is for cargo to say.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use object::elf::{DT_NEEDED, EM_X86_64, ET_DYN, ET_EXEC, FileHeader64, VER_FLG_WEAK};
use object::read::elf::{Dyn as _, FileHeader as _, SectionTable};
use object::{Endianness, StringTable};

use crate::failure::Failure;
use crate::{lab, ui};

/// What the machine runs; the newest glibc that may be needed is that of Ubuntu 22.04.
const TARGET: &str = "x86_64-unknown-linux-gnu";
const NEWEST_GLIBC: [u32; 2] = [2, 35];

/// Libraries that every system with glibc has, by the beginning of their names.
const LIBRARIES: [&str; 6] = [
    "libc.so.",
    "libm.so.",
    "libgcc_s.so.",
    "libdl.so.",
    "libpthread.so.",
    "ld-linux-x86-64.so.",
];

/// How long a build may take before something is said.
const PATIENCE: Duration = Duration::from_secs(1);
/// A probe is a few megabytes; what is larger is none.
const LARGEST: u64 = 64 << 20;

/// Variables that would change the program, or where it is put.
const NOT_LISTENED_TO: [&str; 9] = [
    "RUSTFLAGS",
    "CARGO_BUILD_RUSTFLAGS",
    "CARGO_BUILD_TARGET",
    "CARGO_BUILD_TARGET_DIR",
    "CARGO_TARGET_DIR",
    "CARGO_INCREMENTAL",
    "CARGO_TARGET_X86_64_UNKNOWN_LINUX_GNU_RUSTFLAGS",
    // The crate cudarc takes another version's functions by it.
    "CUDARC_CUDA_VERSION",
    "SOURCE_DATE_EPOCH",
];

/// The program: what `$LAB_PROBE` names, else what cargo builds, once.
///
/// # Errors
///
/// As [`build`], and when that file cannot be read.
pub(crate) fn program() -> Result<&'static [u8], Failure> {
    static PROGRAM: OnceLock<Vec<u8>> = OnceLock::new();
    // Several machines may want it at once.
    static BUILDING: Mutex<()> = Mutex::new(());
    let _turn = BUILDING.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(there) = PROGRAM.get() {
        return Ok(there);
    }
    let named = std::env::var_os("LAB_PROBE").filter(|path| !path.is_empty());
    let bytes = match named {
        // Whoever names one knows where it shall run.
        Some(path) => read(Path::new(&path))
            .context("LAB_PROBE")
            .map_err(Failure::Input)?,
        None => build()?,
    };
    Ok(PROGRAM.get_or_init(|| bytes))
}

/// Builds the probe, or takes the one that is up to date.
///
/// # Errors
///
/// Where cargo cannot be run, the probe does not build, or what came of it would not run
/// on the machine.
fn build() -> Result<Vec<u8>, Failure> {
    let workspace = lab::workspace()?;
    Ok(build_in(&workspace, &cargo_home()?)?)
}

/// Where cargo keeps the sources of crates.
fn cargo_home() -> anyhow::Result<PathBuf> {
    let named = std::env::var_os("CARGO_HOME").filter(|path| !path.is_empty());
    let in_home = || Some(PathBuf::from(std::env::var_os("HOME")?).join(".cargo"));
    let found = named.map(PathBuf::from).or_else(in_home);
    found.context("neither CARGO_HOME nor HOME is set, so where cargo keeps crates is not known")
}

fn build_in(workspace: &Path, cargo_home: &Path) -> anyhow::Result<Vec<u8>> {
    let mut cargo = command(workspace, cargo_home);
    let output = patiently(|| cargo.output())
        .with_context(|| format!("running {}", cargo.get_program().display()))?;
    ensure!(
        output.status.success(),
        "building the probe (package lab-probe): cargo ended with {}\n{}",
        output.status,
        last_lines(&output.stderr)
    );
    let path = executable(&output)?;
    let bytes = read(&path)?;
    check(&bytes).with_context(|| format!("{} would not run on the machine", path.display()))?;
    Ok(bytes)
}

fn command(workspace: &Path, cargo_home: &Path) -> Command {
    let target = workspace.join("target/probe");
    let mut command = Command::new(crate::cargo::program());
    command
        .args(["build", "--locked", "--package", "lab-probe"])
        .args(["--bin", "lab-probe", "--profile", "probe"])
        .args(["--target", TARGET])
        .arg("--target-dir")
        .arg(&target)
        .arg("--message-format=json-render-diagnostics")
        .current_dir(workspace)
        .stdin(Stdio::null());
    for variable in NOT_LISTENED_TO {
        command.env_remove(variable);
    }
    command.env("CARGO_HOME", cargo_home).env(
        "CARGO_ENCODED_RUSTFLAGS",
        flags(workspace, &target, cargo_home),
    );
    command
}

/// rustc's flags, one behind the other with cargo's separator. Of two prefixes that fit,
/// the later one counts.
fn flags(workspace: &Path, target: &Path, cargo_home: &Path) -> OsString {
    let mut flags = OsString::from("-Clink-arg=-Wl,--build-id=none");
    for (from, to) in [
        (workspace, "/lab"),
        (target, "/lab/target"),
        (cargo_home, "/cargo"),
    ] {
        flags.push("\u{1f}--remap-path-prefix=");
        flags.push(from);
        flags.push("=");
        flags.push(to);
    }
    flags
}

/// Runs something, and says what is being done when it takes long.
fn patiently<T>(work: impl FnOnce() -> T) -> T {
    let (done, waiting) = channel::<()>();
    std::thread::scope(|scope| {
        scope.spawn(move || {
            if waiting.recv_timeout(PATIENCE) == Err(RecvTimeoutError::Timeout) {
                ui::step("Building the probe that looks at the machine");
            }
        });
        let result = work();
        drop(done);
        result
    })
}

/// The end of what cargo said.
fn last_lines(text: &[u8]) -> String {
    let text = String::from_utf8_lossy(text);
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(30)..].join("\n")
}

/// The program that cargo made, by its own word: a message in JSON on each line.
fn executable(output: &Output) -> anyhow::Result<PathBuf> {
    let printed = String::from_utf8_lossy(&output.stdout);
    let found = printed
        .lines()
        .filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok())
        .filter(|message| message["reason"] == "compiler-artifact")
        .filter(|message| message["target"]["name"] == "lab-probe")
        .find_map(|message| Some(PathBuf::from(message["executable"].as_str()?)));
    found.context("building the probe: cargo named no program that it made")
}

fn read(path: &Path) -> anyhow::Result<Vec<u8>> {
    let doing = || format!("reading the probe {}", path.display());
    let size = std::fs::metadata(path).with_context(doing)?.len();
    ensure!(
        size <= LARGEST,
        "the probe {} has {}, and at most {} were expected",
        path.display(),
        ui::bytes(size),
        ui::bytes(LARGEST)
    );
    std::fs::read(path).with_context(doing)
}

/// Whether a program runs on the machine: what it is made for, which libraries it needs,
/// and which versions of their functions (ELF gABI; LSB, symbol versioning).
fn check(bytes: &[u8]) -> anyhow::Result<()> {
    let header =
        FileHeader64::<Endianness>::parse(bytes).context("it is no ELF file of 64 bits")?;
    let endian = header.endian()?;
    ensure!(
        header.e_machine(endian) == EM_X86_64 && [ET_EXEC, ET_DYN].contains(&header.e_type(endian)),
        "it is no program for x86-64"
    );
    let sections = header.sections(endian, bytes)?;
    let libraries = needed_libraries(&sections, endian, bytes)?;
    for library in &libraries {
        ensure!(
            LIBRARIES.iter().any(|known| library.starts_with(known)),
            "it needs the library {library}, and the machine may have none but the C library's: \
             a crate of lab-probe links to it"
        );
    }
    let newer: Vec<String> = needed_versions(&sections, endian, bytes)?
        .into_iter()
        .filter(|version| is_too_new(version))
        .collect();
    if !newer.is_empty() {
        bail!(
            "it needs {} of the C library, and the machine may have {}.{} only: build on a \
             system whose glibc is not newer, such as Ubuntu 22.04",
            newer.join(", "),
            NEWEST_GLIBC[0],
            NEWEST_GLIBC[1]
        );
    }
    Ok(())
}

type Sections<'b> = SectionTable<'b, FileHeader64<Endianness>>;

/// The libraries that are loaded with the program.
fn needed_libraries(
    sections: &Sections<'_>,
    endian: Endianness,
    bytes: &[u8],
) -> anyhow::Result<Vec<String>> {
    let Some((entries, link)) = sections.dynamic(endian, bytes)? else {
        return Ok(Vec::new());
    };
    let strings: StringTable<'_> = sections.strings(endian, bytes, link)?;
    entries
        .iter()
        .filter(|entry| entry.tag(endian) == DT_NEEDED)
        .map(|entry| Ok(text(entry.string(endian, strings)?)))
        .collect()
}

/// The versions without which the loader does not start the program. It goes on without
/// one that is marked as weak.
fn needed_versions(
    sections: &Sections<'_>,
    endian: Endianness,
    bytes: &[u8],
) -> anyhow::Result<Vec<String>> {
    let mut versions = Vec::new();
    let Some((mut needs, link)) = sections.gnu_verneed(endian, bytes)? else {
        return Ok(versions);
    };
    let strings = sections.strings(endian, bytes, link)?;
    while let Some((_, mut auxiliaries)) = needs.next()? {
        while let Some(auxiliary) = auxiliaries.next()? {
            if !auxiliary.vna_flags.get(endian).contains(VER_FLG_WEAK) {
                versions.push(text(auxiliary.name(endian, strings)?));
            }
        }
    }
    Ok(versions)
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Whether a version is one of glibc that is newer than the machine's may be. One that
/// cannot be read (`GLIBC_PRIVATE`) is not there on another system either.
fn is_too_new(version: &str) -> bool {
    let Some(numbers) = version.strip_prefix("GLIBC_") else {
        return false;
    };
    let mut parts = numbers.split('.').map(str::parse::<u32>);
    match (parts.next(), parts.next()) {
        (Some(Ok(major)), Some(Ok(minor))) => [major, minor] > NEWEST_GLIBC,
        _ => true,
    }
}

#[cfg(test)]
mod tests;
