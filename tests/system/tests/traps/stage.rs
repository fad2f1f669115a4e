//! An image and the machine that it is tried on.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Mutex, MutexGuard, OnceLock, TryLockError};
use std::thread::sleep;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail, ensure};
use lab_rehearse::{
    Accelerator, FIRST_BOOT, Firmware, Hardware, INSTALLATION, Outcome, Patience, Running, Stage,
    Told, Watch, follow, free_port,
};
use lab_standin::{Live, Options};
use lab_tests::{Described, base, guest_programs, not_run, scratch};
use sha2::{Digest, Sha256};

/// An image, a machine, and one test's turn at the processors.
pub(crate) struct Trial {
    pub(crate) hardware: Hardware,
    folder: tempfile::TempDir,
    _turn: MutexGuard<'static, ()>,
}

/// Two at once, whatever this computer has: a guest waits much, and takes 3 GiB.
static TURNS: [Mutex<()>; 2] = [Mutex::new(()), Mutex::new(())];

/// Waits for one of the turns.
fn turn() -> MutexGuard<'static, ()> {
    loop {
        for turn in &TURNS {
            match turn.try_lock() {
                Ok(mine) => return mine,
                // A test that failed has let go of its guest.
                Err(TryLockError::Poisoned(left)) => return left.into_inner(),
                Err(TryLockError::WouldBlock) => {}
            }
        }
        sleep(Duration::from_millis(200));
    }
}

impl Trial {
    /// The described machine with the image for it in its stick; `None` where something is
    /// missing, and then `test` is said not to have run.
    pub(crate) fn new(
        test: &str,
        firmware: Firmware,
        changes: &[(&str, &str)],
    ) -> Result<Option<Self>> {
        if !guest_programs(test, firmware) {
            return Ok(None);
        }
        let Some(base) = live(test)? else {
            return Ok(None);
        };
        let turn = turn();
        println!("trap: {test}");
        let folder = tempfile::tempdir_in(scratch("traps")?).context("making a folder")?;
        let described = Described::new(changes)?;
        let image = folder.path().join("stick.iso");
        described.image(&base, &image)?;
        let mut hardware = Hardware::of(
            &described.machine,
            firmware,
            &folder.path().join("vm"),
            free_port()?,
        )?;
        hardware.stick = Some(image);
        Ok(Some(Self {
            hardware,
            folder,
            _turn: turn,
        }))
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Switches it on.
    pub(crate) fn start(&self) -> Result<Running> {
        Running::start(&self.hardware, &self.folder.path().join("console.log"))
    }

    /// Follows it as far as these stages go.
    pub(crate) fn follow(&self, running: &mut Running, stages: &[Stage]) -> Result<Vec<Told>> {
        let patience = Patience {
            hurry: true,
            ..Patience::for_one(self.hardware.accelerator)
        };
        follow(running, stages, patience, self.folder.path(), &mut Silent)
    }

    /// Installs, which must succeed.
    pub(crate) fn installs(&self) -> Result<()> {
        let mut running = self.start()?;
        let told = self.follow(&mut running, INSTALLATION)?;
        reached(&told, INSTALLATION.len())
    }

    /// Starts what was installed, up to SSH, and leaves it on.
    pub(crate) fn starts_up_to_ssh(&self) -> Result<Running> {
        let mut running = self.start()?;
        let told = self.follow(&mut running, up_to_ssh())?;
        reached(&told, up_to_ssh().len())?;
        Ok(running)
    }

    /// The guard stops it, with these words, and no byte of the first disk is written.
    pub(crate) fn is_stopped(&self, words: &str) -> Result<()> {
        let before = written(&self.hardware.disks)?;
        let mut running = self.start()?;
        let told = self.follow(&mut running, INSTALLATION)?;
        drop(running);
        let last = told.last().context("no stage began")?;
        match &last.outcome {
            Outcome::Stopped(why) if why.contains(words) => {}
            other => bail!(
                "wanted to be stopped by `{words}`, and {}: {other:?}",
                last.title
            ),
        }
        let after = written(&self.hardware.disks)?;
        ensure!(
            before == after,
            "disks were written: {before:?}, then {after:?}"
        );
        Ok(())
    }
}

/// Whether there is time for whole installations, one after the other: emulated each takes
/// minutes. Where there is not, `test` is said not to have run.
pub(crate) fn have_time(test: &str) -> bool {
    if Accelerator::here() == Accelerator::Kvm || std::env::var_os("LAB_LONG").is_some() {
        return true;
    }
    not_run(
        test,
        "whole installations take an emulated machine some ten minutes: set LAB_LONG=1, or use KVM",
    );
    false
}

/// The stages up to SSH.
pub(crate) fn up_to_ssh() -> &'static [Stage] {
    FIRST_BOOT.get(..2).unwrap_or(FIRST_BOOT)
}

/// All of them, and as they should.
pub(crate) fn reached(told: &[Told], wanted: usize) -> Result<()> {
    for one in told {
        ensure!(
            one.outcome == Outcome::Reached,
            "{}: {:?}",
            one.title,
            one.outcome
        );
        println!("  {:>5.1} s  {}", one.seconds, one.title);
    }
    ensure!(told.len() == wanted, "{} of {wanted} stages", told.len());
    Ok(())
}

/// What is on the disks: a digest over all that their files hold and where it lies. A blank one
/// holds nothing, whatever its length.
fn written(disks: &[lab_rehearse::Disk]) -> Result<Vec<String>> {
    let digest = |disk: &lab_rehearse::Disk| match File::open(&disk.file) {
        Ok(file) => held(&file).with_context(|| format!("reading {}", disk.file.display())),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(held_of_nothing()),
        Err(error) => Err(error).with_context(|| format!("opening {}", disk.file.display())),
    };
    disks.iter().map(digest).collect()
}

fn held_of_nothing() -> String {
    hex::encode(Sha256::new().finalize())
}

/// The digest of what is not a hole (lseek(2), SEEK_DATA), and not zero.
fn held(file: &File) -> Result<String> {
    use std::os::unix::fs::FileExt as _;
    const BLOCK: u64 = 1 << 20;
    let (mut sum, mut block, mut at) = (Sha256::new(), vec![0; 1 << 20], 0);
    let length = file.metadata()?.len();
    while at < length {
        let data = match rustix::fs::seek(file, rustix::fs::SeekFrom::Data(at)) {
            Ok(data) => data / BLOCK * BLOCK,
            Err(rustix::io::Errno::NXIO) => break,
            Err(error) => return Err(error.into()),
        };
        let got = file.read_at(&mut block, data)?;
        let bytes = block.get(..got).unwrap_or_default();
        if bytes.iter().any(|byte| *byte != 0) {
            sum.update(data.to_le_bytes());
            sum.update(bytes);
        }
        at = data + BLOCK;
    }
    Ok(hex::encode(sum.finalize()))
}

struct Silent;

impl Watch for Silent {
    fn begins(&mut self, _: &Stage) {}
    fn says(&mut self, _: &str) {}
    fn ended(&mut self, _: &Told) {}
}

/// The live base, made once for all tests of this program.
fn live(test: &str) -> Result<Option<PathBuf>> {
    static MADE: OnceLock<Result<Option<PathBuf>, String>> = OnceLock::new();
    let made = MADE.get_or_init(|| {
        let options = |installer| Options {
            live: Some(Live { installer }),
            ..Options::default()
        };
        let made = installer().and_then(|installer| base(test, &options(installer)));
        made.map_err(|error| format!("{error:#}"))
    });
    match made {
        Ok(Some(path)) => Ok(Some(path.clone())),
        // What is missing is said for each test.
        Ok(None) => base(
            test,
            &Options {
                live: Some(Live {
                    installer: PathBuf::new(),
                }),
                ..Options::default()
            },
        ),
        Err(error) => Err(anyhow!("making the live stand-in: {error}")),
    }
}

/// The stand-in for the installer, built as all of the workspace is.
fn installer() -> Result<PathBuf> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args(["build", "--workspace", "--bin", "lab-installer"])
        .arg("--message-format=json-render-diagnostics")
        .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("../.."))
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .context("running cargo build")?;
    ensure!(output.status.success(), "lab-installer does not build");
    let text = String::from_utf8_lossy(&output.stdout);
    let messages = text
        .lines()
        .filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
    let mut programs =
        messages.filter_map(|one| one.get("executable")?.as_str().map(PathBuf::from));
    programs
        .next()
        .context("cargo named no program lab-installer")
}
