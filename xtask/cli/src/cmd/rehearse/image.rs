//! The image that is rehearsed: what `iso` makes of this description and this base.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::Context as _;
use lab_machine::Machine;
use lab_standin::{Live, Options};
use sha2::{Digest as _, Sha256};

use super::Arguments;
use crate::cargo;
use crate::failure::Failure;
use crate::lab::{self, Described};
use crate::ui;

/// The installer of the stand-in, and the world of the vendors' servers: programs of this
/// workspace.
const INSTALLER: &str = "lab-installer";
const WORLD: &str = "stand-in-world";

/// An image to be rehearsed.
pub(super) struct Image {
    pub(super) path: PathBuf,
    /// What it is based on, in words.
    pub(super) base: String,
    pub(super) stand_in: bool,
    /// The description that it was made from.
    pub(super) machine: PathBuf,
    /// What commands about this machine have in their environment.
    pub(super) environment: Vec<(&'static str, OsString)>,
}

impl Image {
    /// A command of this program, in the world of this image.
    pub(super) fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(this_program());
        command
            .args(words)
            .arg("--machine")
            .arg(&self.machine)
            .stdin(Stdio::null());
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        command
    }

    /// Its name and sha256.
    pub(super) fn named(&self) -> Result<(String, String), Failure> {
        let name = self.path.file_name().map(|name| name.to_string_lossy());
        Ok((name.unwrap_or_default().into_owned(), sha256(&self.path)?))
    }
}

pub(super) fn make(
    arguments: &Arguments,
    described: &Described,
    machine: &Machine,
    folder: &Path,
) -> Result<Image, Failure> {
    let path = folder.join(format!("{}.iso", machine.identity.name));
    if arguments.base.as_deref() == Some("stand-in") {
        return on_stand_in(described, machine, path, folder);
    }
    let image = Image {
        path,
        base: match &arguments.base {
            Some(file) => file.clone(),
            None => format!("Ubuntu {}", machine.ubuntu.release),
        },
        stand_in: false,
        machine: described.path.clone(),
        environment: Vec::new(),
    };
    let mut words = vec!["iso", "--out", utf8(&image.path)?];
    if let Some(base) = &arguments.base {
        words.extend(["--base", base]);
    }
    if arguments.offline {
        words.push("--offline");
    }
    succeed(&mut image.command(&words), "iso", folder)?;
    Ok(image)
}

/// On the live stand-in, with everything that the machine needs: it has no network.
fn on_stand_in(
    described: &Described,
    machine: &Machine,
    path: PathBuf,
    folder: &Path,
) -> Result<Image, Failure> {
    let programs = programs()?;
    let base = live_base(program(&programs, INSTALLER)?)?;
    let world = lab::workspace()?
        .join("target/rehearse/stand-in")
        .join(machine.identity.name.as_str());
    let machine = copied(described, &world.join("description"))?;
    let image = Image {
        path,
        base: "the stand-in of Ubuntu's image, a Debian live system".to_owned(),
        stand_in: true,
        machine,
        environment: vec![
            ("LAB_CATALOG", world.join("catalog").into()),
            ("LAB_CACHE_DIR", world.join("cache").into()),
        ],
    };
    let words = [
        "iso",
        "--offline",
        "--allow-unknown-base",
        "--base",
        utf8(&base)?,
        "--out",
        utf8(&image.path)?,
    ];
    let made_for = made_for(described, &base, program(&programs, WORLD)?)?;
    let record = world.join("made-for");
    if fs::read_to_string(&record).is_ok_and(|text| text == made_for) {
        let words: Vec<&str> = words.into_iter().chain(["--frozen"]).collect();
        succeed(&mut image.command(&words), "iso", folder)?;
        return Ok(image);
    }
    ui::step("making what the vendors' servers would give, and locking it (some minutes, once)");
    begin_anew(&world, &image)?;
    let inner = image.command(&words);
    let mut outer = Command::new(program(&programs, WORLD)?);
    outer
        .arg(&world)
        .arg(inner.get_program())
        .args(inner.get_args());
    // The catalog's folder is filled by the world itself.
    outer
        .env("LAB_CACHE_DIR", world.join("cache"))
        .env("LAB_PROGRAMS_ONLY", "1")
        .stdin(Stdio::null());
    succeed(&mut outer, "iso", folder)?;
    fs::write(&record, made_for).with_context(|| format!("writing {}", record.display()))?;
    Ok(image)
}

/// Servers of an earlier run had other keys and other bytes: nothing of them is good any more.
fn begin_anew(world: &Path, image: &Image) -> Result<(), Failure> {
    for old in [
        world.join("cache"),
        world.join("catalog"),
        image.machine.with_file_name(lab_lock::FILE_NAME),
        world.join("made-for"),
    ] {
        let gone = match old.is_dir() {
            true => fs::remove_dir_all(&old),
            false if old.exists() => fs::remove_file(&old),
            false => Ok(()),
        };
        gone.with_context(|| format!("removing {}", old.display()))?;
    }
    Ok(())
}

/// What a locked world is good for: this description on this base, with these servers.
fn made_for(described: &Described, base: &Path, world: &Path) -> Result<String, Failure> {
    let mut sum = Sha256::new();
    for (name, text) in described.texts() {
        sum.update(format!("{name} {}\n{text}", text.len()));
    }
    sum.update(sha256(base)?);
    sum.update(sha256(world)?);
    Ok(hex::encode(sum.finalize()))
}

/// The description in a folder of its own: a lock that is made for a stand-in has no place
/// beside the real one.
fn copied(described: &Described, folder: &Path) -> Result<PathBuf, Failure> {
    fs::create_dir_all(folder).with_context(|| format!("making {}", folder.display()))?;
    let texts = described.texts();
    for (name, text) in &texts {
        let place = folder.join(name);
        fs::write(&place, text).with_context(|| format!("writing {}", place.display()))?;
    }
    let (own, _) = texts.last().context("a description without a text")?;
    Ok(folder.join(own))
}

/// The live stand-in, made where it is not there.
fn live_base(installer: &Path) -> Result<PathBuf, Failure> {
    let cache = lab::cache()?.dir().join("stand-in");
    fs::create_dir_all(&cache).with_context(|| format!("making {}", cache.display()))?;
    let path = cache.join("live.iso");
    ui::step("making the live stand-in base (Debian packages; some minutes, once)");
    let options = Options {
        live: Some(Live {
            installer: installer.to_owned(),
        }),
        ..Options::default()
    };
    Ok(lab_standin::build(&options, &cache, &path)?.path)
}

/// Programs of this workspace, built where they are not: with the features that all of it
/// has, so that nothing is built twice.
fn programs() -> Result<BTreeMap<String, PathBuf>, Failure> {
    let made = cargo::build(&lab::workspace()?, &["--bin", INSTALLER, "--bin", WORLD])?;
    let named = made
        .into_iter()
        .map(|one| (one.target.name, one.executable));
    Ok(named.collect())
}

fn program<'a>(all: &'a BTreeMap<String, PathBuf>, name: &str) -> Result<&'a Path, Failure> {
    let found = all.get(name).map(PathBuf::as_path);
    Ok(found.with_context(|| format!("cargo built no program {name}"))?)
}

/// This program, also where cargo has put another in its place meanwhile: the builds that a
/// rehearsal starts are of all the workspace, whose features are not those of one package.
fn this_program() -> PathBuf {
    PathBuf::from(format!("/proc/{}/exe", std::process::id()))
}

fn utf8(path: &Path) -> Result<&str, Failure> {
    let text = path.to_str();
    Ok(text.with_context(|| format!("{} is no UTF-8", path.display()))?)
}

/// Runs a command that says itself what is wrong when it fails. What it says besides, of
/// the image and of what to do with it, is kept in the folder.
fn succeed(command: &mut Command, name: &str, folder: &Path) -> Result<(), Failure> {
    let log = folder.join(format!("{name}.log"));
    let said = fs::File::create(&log).with_context(|| format!("making {}", log.display()))?;
    let status = command
        .stdout(said)
        .status()
        .with_context(|| format!("running {name}"))?;
    match status.code() {
        Some(0) => Ok(()),
        Some(1) => Err(Failure::Said),
        _ => Err(Failure::Environment(anyhow::anyhow!(
            "{name} could not run, see above ({status})"
        ))),
    }
}

/// The sha256 of a file, in hex; taken once, as long as the file does not change.
fn sha256(path: &Path) -> Result<String, Failure> {
    let identity = lab_supply::identify(path, &lab::cache()?, &mut |_| {})?;
    Ok(hex::encode(identity.sha256.0))
}
