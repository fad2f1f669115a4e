//! A stick, by the code of `usb`, on a loop device: how much an edit of the description
//! writes, and how long a whole write takes against `dd` past the cache and `cmp`, in turns.
//!
//! A loop device is faster than any stick: the times are the programs' own cost.

use std::fs;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use lab_stick::{Consent, Host, Job, Kinds, Mode, Written, candidate};

use super::{Figure, time};
use crate::ui;

/// The time zones of the first image and of the edited one.
const ZONES: [&str; 2] = ["Europe/Vienna", "America/Lima"];

/// How much larger than the image the stick is, in bytes.
const ROOM: u64 = 8 << 20;

/// What is measured, and where.
pub(super) struct Wanted<'a> {
    /// Made here, and gone afterwards.
    pub(super) folder: &'a Path,
    /// The machine's description.
    pub(super) description: &'a Path,
    /// The cache's folder of stand-in bases.
    pub(super) stand_in: &'a Path,
    /// The base's size in MB.
    pub(super) size: u64,
    pub(super) rounds: u32,
}

/// Measures in a folder that is empty before and gone after.
pub(super) fn measure(wanted: &Wanted<'_>) -> Result<Vec<Figure>> {
    demand(&["losetup", "blockdev", "dd", "cmp"])?;
    clear(wanted.folder)?;
    fs::create_dir_all(wanted.folder)
        .with_context(|| format!("making {}", wanted.folder.display()))?;
    let measured = Bench::new(wanted).and_then(|bench| bench.measure(wanted.rounds));
    clear(wanted.folder)?;
    measured
}

fn clear(folder: &Path) -> Result<()> {
    if folder.exists() {
        fs::remove_dir_all(folder).with_context(|| format!("emptying {}", folder.display()))?;
    }
    Ok(())
}

fn demand(programs: &[&'static str]) -> Result<()> {
    let missing = |name: &&&'static str| !lab_standin::Need::Program(name).is_met();
    match programs.iter().find(missing) {
        Some(name) => bail!("{name} is missing"),
        None => Ok(()),
    }
}

/// An image, and a loop device that holds it.
struct Bench {
    program: PathBuf,
    base: PathBuf,
    text: String,
    description: PathBuf,
    image: PathBuf,
    stick: Loop,
}

impl Bench {
    /// The loop device comes before the long work: without root there is none.
    fn new(wanted: &Wanted<'_>) -> Result<Self> {
        let stick = Loop::new(&wanted.folder.join("stick"))?;
        fs::create_dir_all(wanted.stand_in).context("making the stand-in's folder")?;
        let base = wanted
            .stand_in
            .join(format!("stand-in-{}.iso", wanted.size));
        ui::step("making the base");
        let options = lab_standin::Options {
            fill: wanted.size * 1_000_000,
            ..lab_standin::Options::default()
        };
        let made = lab_standin::build(&options, wanted.stand_in, &base)?;
        Ok(Self {
            program: std::env::current_exe().context("finding this program")?,
            base: made.path,
            text: fs::read_to_string(wanted.description).context("reading the description")?,
            description: wanted.folder.join("machine.toml"),
            image: wanted.folder.join("lab.iso"),
            stick,
        })
    }

    fn measure(&self, rounds: u32) -> Result<Vec<Figure>> {
        let size = self.build(ZONES[0])?;
        self.stick.resize(size.next_multiple_of(1 << 20) + ROOM)?;
        anstream::println!("{:36} {:>9.1} MB", "image", megabytes(size));
        let [ours, theirs] = self.whole(rounds, size)?;
        let again = self.put(Mode::Changes)?;
        let edited = self.build(ZONES[1])?;
        let written = self.put(Mode::Changes)?;
        // By another program than the one that is measured.
        self.compare(edited)?;
        let line = |what, bytes| anstream::println!("{what:36} {:>9.3} MB", megabytes(bytes));
        line("written when nothing changed", again.written);
        line("written after an edit", written.written);
        Ok(vec![
            Figure::percent(
                "written when nothing changed, of the image",
                again.written,
                size,
                0.0,
            ),
            Figure::percent(
                "written after an edit, of the image",
                written.written,
                edited,
                1.0,
            ),
            Figure::ratio("writing a stick, against dd and cmp", ours, theirs, 1.1),
        ])
    }

    /// Builds the image, in place where it is there; its size in bytes.
    fn build(&self, zone: &str) -> Result<u64> {
        fs::write(&self.description, with_timezone(&self.text, zone))
            .context("writing the description")?;
        let mut command = Command::new(&self.program);
        command.args(["iso", "--allow-unknown-base", "--unlocked", "--machine"]);
        command.arg(&self.description).arg("--base").arg(&self.base);
        time(command.arg("--out").arg(&self.image))?;
        Ok(fs::metadata(&self.image)
            .context("looking at the image")?
            .len())
    }

    /// The least times of both ways, which take turns; ours is the last.
    fn whole(&self, rounds: u32, size: u64) -> Result<[Duration; 2]> {
        let [mut ours, mut theirs] = [Duration::MAX; 2];
        for round in 1..=rounds {
            let began = Instant::now();
            self.dd_and_cmp(size)?;
            let dd = began.elapsed();
            let began = Instant::now();
            self.put(Mode::Whole)?;
            let usb = began.elapsed();
            anstream::eprintln!("round {round}: usb {usb:.2?}, dd and cmp {dd:.2?}");
            (ours, theirs) = (ours.min(usb), theirs.min(dd));
        }
        for (name, least) in [("usb", ours), ("dd and cmp", theirs)] {
            anstream::println!("{name:36} {least:>9.2?}");
        }
        Ok([ours, theirs])
    }

    /// As `usb` does, but for the question.
    fn put(&self, mode: Mode) -> Result<Written> {
        let host = Host::this();
        let survey = host.survey()?;
        let need = fs::metadata(&self.image)
            .context("looking at the image")?
            .len();
        let name = self.stick.name();
        let kinds = Kinds { test_devices: true };
        let stick = candidate(&survey, name, need, kinds)?
            .confirm(&Consent::Typed(name.to_owned()), &survey)?
            .open(&host)?;
        let job = Job {
            image: &self.image,
            mode,
            note: "bench",
            progress: &mut |_| ControlFlow::Continue(()),
        };
        Ok(lab_stick::write(&stick, job)?)
    }

    /// What people do by hand: `dd` past the cache, and `cmp` of what is on the stick then.
    fn dd_and_cmp(&self, size: u64) -> Result<()> {
        let mut dd = Command::new("dd");
        dd.arg(format!("if={}", self.image.display()));
        dd.arg(format!("of={}", self.stick.node));
        time(dd.args(["bs=4M", "oflag=direct", "conv=fsync", "status=none"]))?;
        self.compare(size)
    }

    fn compare(&self, size: u64) -> Result<()> {
        time(Command::new("blockdev").args(["--flushbufs", &self.stick.node]))?;
        let mut cmp = Command::new("cmp");
        cmp.args(["--bytes", &size.to_string()]).arg(&self.image);
        time(cmp.arg(&self.stick.node)).context("the stick does not hold the image")?;
        Ok(())
    }
}

/// A loop device, until it is dropped.
struct Loop {
    file: fs::File,
    node: String,
}

impl Loop {
    fn new(path: &Path) -> Result<Self> {
        let file = fs::File::create(path).with_context(|| format!("making {}", path.display()))?;
        file.set_len(ROOM).context("making room for the stick")?;
        let made = Command::new("losetup")
            .args(["--find", "--show"])
            .arg(path)
            .output();
        let made = made.context("running losetup")?;
        ensure!(
            made.status.success(),
            "losetup makes no loop device here, it needs root and a kernel with them: {}",
            String::from_utf8_lossy(&made.stderr).trim()
        );
        let node = String::from_utf8(made.stdout).context("reading what losetup said")?;
        let node = node.trim().to_owned();
        Ok(Self { file, node })
    }

    /// The kernel's name of it.
    fn name(&self) -> &str {
        self.node.trim_start_matches("/dev/")
    }

    fn resize(&self, bytes: u64) -> Result<()> {
        self.file
            .set_len(bytes)
            .context("making room for the stick")?;
        time(Command::new("losetup").args(["--set-capacity", &self.node]))?;
        Ok(())
    }
}

impl Drop for Loop {
    fn drop(&mut self) {
        let detached = Command::new("losetup")
            .args(["--detach", &self.node])
            .status();
        if !detached.is_ok_and(|status| status.success()) {
            ui::aside(&format!(
                "{} is still there: `losetup --detach {}`",
                self.node, self.node
            ));
        }
    }
}

fn megabytes(bytes: u64) -> f64 {
    bytes as f64 / 1e6
}

/// The description with another time zone, as somebody would edit it.
fn with_timezone(text: &str, zone: &str) -> String {
    let line = format!("timezone = \"{zone}\"");
    let is_it = |one: &&str| one.trim_start().starts_with("timezone");
    if let Some(old) = text.lines().find(is_it) {
        return text.replacen(old, &line, 1);
    }
    match text.lines().any(|one| one.trim() == "[ubuntu]") {
        true => text.replacen("[ubuntu]", &format!("[ubuntu]\n{line}"), 1),
        false => format!("{text}\n[ubuntu]\n{line}\n"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_time_zone_is_edited() {
        let own = "[ubuntu]\nrelease = \"24.04.5\"\ntimezone = \"Etc/UTC\"\n[disk]\n";
        let wanted = "[ubuntu]\nrelease = \"24.04.5\"\ntimezone = \"America/Lima\"\n[disk]\n";
        assert_eq!(with_timezone(own, "America/Lima"), wanted);
        assert_eq!(
            with_timezone("[ubuntu]\nrelease = 1\n", "A/B"),
            "[ubuntu]\ntimezone = \"A/B\"\nrelease = 1\n"
        );
        assert_eq!(
            with_timezone("[disk]\n", "A/B"),
            "[disk]\n\n[ubuntu]\ntimezone = \"A/B\"\n"
        );
    }

    #[test]
    fn what_cannot_be_measured_leaves_nothing_behind() {
        let folder = tempfile::tempdir().unwrap();
        let scratch = folder.path().join("scratch");
        // No cache can be made below a file, loop devices or not.
        let file = folder.path().join("file");
        fs::write(&file, "").unwrap();
        let wanted = Wanted {
            folder: &scratch,
            description: &file,
            stand_in: &file.join("stand-in"),
            size: 1,
            rounds: 1,
        };
        assert!(measure(&wanted).is_err());
        assert!(!scratch.exists());
    }
}
