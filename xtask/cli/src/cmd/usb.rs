//! `usb`: from a finished image to a stick that was read back.

use std::fmt::Write as _;
use std::io::{IsTerminal as _, Write as _};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::Context as _;
use clap::Args;
use lab_stick::{
    Confirmed, Consent, Contents, Device, Fault, Host, Job, Kinds, LabImage, Mode, OpenError,
    Refusal, Stage, Survey, Written, candidate,
};
use signal_hook::consts::{SIGINT, SIGTERM};

use crate::failure::Failure;
use crate::ui::{self, ASIDE, GOOD, Meter, STRONG};
use crate::{Done, MachineArg, lab};

/// Writes the installer image to a USB stick and reads it back.
///
/// Offers only what can be a stick: removable, large enough, and in no use whatever.
/// Shows what it is and what is on it, and erases it when its name is typed back.
/// A stick that carries an earlier build gets only what changed. The disk of the
/// running system is refused, whatever the flags.
///
/// Needs root: writing to a disk does.
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Arguments {
    #[command(flatten)]
    machine: MachineArg,
    /// The stick: `sdb`, `/dev/sdb` or a link such as /dev/disk/by-id/…. Without it, what there is is shown.
    #[arg(long, short, value_name = "DEV")]
    device: Option<String>,
    /// The image. Without it: target/iso/NAME.iso.
    #[arg(long, short, value_name = "FILE")]
    image: Option<PathBuf>,
    /// Do not ask, because --serial names the stick: for scripts.
    #[arg(long, requires = "serial")]
    yes: bool,
    /// The whole serial of the stick that is erased without a question.
    #[arg(long, value_name = "SERIAL", requires = "yes")]
    serial: Option<String>,
    /// For tests: loop devices and device-mapper's count as sticks.
    #[arg(long, hide = true)]
    loop_device: bool,
}

impl Arguments {
    fn kinds(&self) -> Kinds {
        Kinds {
            test_devices: self.loop_device,
        }
    }
}

/// What is written.
struct Image {
    path: PathBuf,
    size: u64,
    lab: Option<LabImage>,
}

pub(crate) fn run(arguments: &Arguments) -> Done {
    let image = image(arguments)?;
    let host = Host::this();
    let survey = host.survey().map_err(anyhow::Error::from)?;
    let name = match &arguments.device {
        Some(device) => name_of(device)?,
        None => the_only_one(&survey, &image, arguments.kinds())?,
    };
    let candidate =
        candidate(&survey, &name, image.size, arguments.kinds()).map_err(Failure::input)?;
    let device = candidate.device().clone();
    may_open(&host, &device, &image)?;
    let found = lab_stick::contents(&host, &device, blkid());
    show(&device, &found);
    let consent = consent(arguments, &device, &image)?;
    let confirmed = candidate
        .confirm(&consent, &survey)
        .map_err(Failure::input)?;
    let written = write(confirmed, &host, &image, mode(&found))?;
    tell(&device, &image, written);
    Ok(())
}

fn image(arguments: &Arguments) -> Result<Image, Failure> {
    let path = match &arguments.image {
        Some(path) => path.clone(),
        None => lab::built_image(&arguments.machine)?,
    };
    let size = match std::fs::metadata(&path) {
        Ok(found) if found.is_file() && found.len() > 0 => found.len(),
        _ => {
            return Err(Failure::input(format!(
                "there is no image {}: build it with `cargo xtask iso`, or name one with `--image FILE`",
                path.display()
            )));
        }
    };
    let lab = lab_stick::lab_image(&path);
    if lab.is_none() {
        ui::step(&format!(
            "{} is no image of this lab, or a damaged one: `cargo xtask inspect` tells",
            path.display()
        ));
    }
    Ok(Image { path, size, lab })
}

/// The kernel's name of what somebody calls a device.
fn name_of(device: &str) -> Result<String, Failure> {
    let name = match device.contains('/') {
        true => std::fs::canonicalize(device)
            .ok()
            .and_then(|path| path.strip_prefix("/dev").ok()?.to_str().map(str::to_owned)),
        false => Some(device.to_owned()),
    };
    name.ok_or_else(|| {
        Failure::input(format!(
            "there is no device {device}: `lsblk` shows what there is"
        ))
    })
}

/// The one disk that can be a stick; else what there is, and why each is none.
fn the_only_one(survey: &Survey, image: &Image, kinds: Kinds) -> Result<String, Failure> {
    let held = |name: &str| candidate(survey, name, image.size, kinds);
    let names = survey.disks.iter().map(|disk| disk.device.name.as_str());
    let (fit, unfit): (Vec<_>, Vec<_>) = names.map(held).partition(Result::is_ok);
    let fit: Vec<Device> = fit
        .into_iter()
        .flatten()
        .map(|one| one.device().clone())
        .collect();
    match fit.as_slice() {
        [only] => Ok(only.name.clone()),
        [] => Err(Failure::input(none(
            &unfit
                .into_iter()
                .filter_map(Result::err)
                .collect::<Vec<_>>(),
        ))),
        several => {
            several
                .iter()
                .for_each(|device| anstream::println!("{}", line(device)));
            Err(Failure::input(
                "several disks can be the stick: choose one with `--device NAME`",
            ))
        }
    }
}

/// Loop devices and the like are no news to anybody.
fn none(refusals: &[Refusal]) -> String {
    let mut text = "no disk here can be the stick: plug one in and run this again".to_owned();
    let worth = |one: &&Refusal| match one {
        Refusal::NoStick { name, .. } => !["loop", "ram", "zram", "sr"]
            .iter()
            .any(|kind| name.starts_with(kind)),
        _ => true,
    };
    for refusal in refusals.iter().filter(worth) {
        let _ = write!(text, "\n  {refusal}");
    }
    text
}

fn may_open(host: &Host, device: &Device, image: &Image) -> Done {
    match std::fs::File::open(host.node(&device.name)) {
        Err(error) if error.kind() == std::io::ErrorKind::PermissionDenied => {
            Err(needs_root(device, image))
        }
        // Anything else is told when it is opened for writing.
        _ => Ok(()),
    }
}

fn needs_root(device: &Device, image: &Image) -> Failure {
    let program = std::env::current_exe()
        .map_or_else(|_| "xtask".to_owned(), |path| path.display().to_string());
    Failure::Environment(anyhow::anyhow!(
        "writing to {} needs root: `sudo {program} usb --image {} --device {}`",
        device.name,
        image.path.display(),
        device.name
    ))
}

/// `sbin` is often not in the path of who is not root.
fn blkid() -> Option<&'static Path> {
    let places = ["/usr/sbin/blkid", "/sbin/blkid", "/usr/bin/blkid"];
    places.into_iter().map(Path::new).find(|path| path.exists())
}

fn line(device: &Device) -> String {
    let serial = match device.serial.as_str() {
        "" => "no serial",
        serial => serial,
    };
    let model = match device.model.as_str() {
        "" => "unknown model",
        model => model,
    };
    format!(
        "{STRONG}{}{STRONG:#}  {model}  {}  {serial}",
        device.name,
        ui::bytes(device.size)
    )
}

fn show(device: &Device, found: &Contents) {
    anstream::println!("{}", line(device));
    match &found.signatures {
        None => anstream::println!(
            "  {ASIDE}what is on it is not known{ASIDE:#}: the program blkid is missing or failed (Debian package util-linux)"
        ),
        Some(signatures) => {
            for signature in signatures {
                let label = match signature.label.as_str() {
                    "" => String::new(),
                    label => format!(" {label:?}"),
                };
                anstream::println!("  {}: {}{label}", signature.on, signature.what);
            }
        }
    }
    match (&found.image, found.unfinished) {
        (Some(image), _) => anstream::println!(
            "  an installer of {:?} is on it: only what changed is written",
            image.machine
        ),
        (None, true) => anstream::println!(
            "  an earlier write to it was not finished: it goes on where that was"
        ),
        (None, false) => {}
    }
}

fn mode(found: &Contents) -> Mode {
    match found.image.is_some() || found.unfinished {
        true => Mode::Changes,
        false => Mode::Whole,
    }
}

fn consent(arguments: &Arguments, device: &Device, image: &Image) -> Result<Consent, Failure> {
    if let (true, Some(serial)) = (arguments.yes, &arguments.serial) {
        return Ok(Consent::Serial(serial.clone()));
    }
    if !std::io::stdin().is_terminal() {
        return Err(Failure::input(format!(
            "nobody can be asked, as standard input is no terminal: a script names the stick by `--device {} --yes --serial SERIAL`",
            device.name
        )));
    }
    let what = match &image.lab {
        Some(lab) => format!("the installer of {:?}", lab.machine),
        None => "the image".to_owned(),
    };
    anstream::eprint!(
        "\nAll that is on {} will be lost; {what} ({}) takes its place.\nType its name, {}, to go on: ",
        device.name,
        ui::bytes(image.size),
        device.name
    );
    let _ = std::io::stderr().flush();
    let mut typed = String::new();
    std::io::stdin()
        .read_line(&mut typed)
        .context("reading the answer")?;
    Ok(Consent::Typed(typed))
}

fn write(confirmed: Confirmed, host: &Host, image: &Image, mode: Mode) -> Result<Written, Failure> {
    let device = confirmed.device().clone();
    let stick = confirmed
        .open(host)
        .map_err(|error| not_opened(error, &device, image))?;
    let stop = stopped()?;
    let mut meter = Meter::new();
    let mut progress = |now: lab_stick::Progress| {
        let label = match now.stage {
            Stage::Write => "writing",
            Stage::Compare => "comparing",
            Stage::Verify => "reading back",
        };
        meter.update(label, now.done, Some(now.total));
        match stop.load(Ordering::Relaxed) {
            true => ControlFlow::Break(()),
            false => ControlFlow::Continue(()),
        }
    };
    let note = image
        .lab
        .as_ref()
        .map_or_else(String::new, |lab| format!("machine: {}", lab.machine));
    let job = Job {
        image: &image.path,
        mode,
        note: &note,
        progress: &mut progress,
    };
    let written = lab_stick::write(&stick, job);
    meter.finish();
    written.map_err(faulty)
}

/// Becomes true on Ctrl-C: then the write ends between two blocks, and says where it was.
fn stopped() -> Result<Arc<AtomicBool>, Failure> {
    let stop = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM] {
        signal_hook::flag::register(signal, Arc::clone(&stop)).context("taking over Ctrl-C")?;
    }
    Ok(stop)
}

fn not_opened(error: OpenError, device: &Device, image: &Image) -> Failure {
    match error {
        OpenError::Denied { .. } => needs_root(device, image),
        OpenError::Refused(refusal) => Failure::input(refusal),
        OpenError::Swapped { .. } | OpenError::Busy { .. } => Failure::input(error),
        other => Failure::Environment(other.into()),
    }
}

fn faulty(fault: Fault) -> Failure {
    match fault {
        Fault::TooSmall { .. } | Fault::Image { .. } | Fault::ImageChanged { .. } => {
            Failure::Input(fault.into())
        }
        other => Failure::Environment(other.into()),
    }
}

fn tell(device: &Device, image: &Image, written: Written) {
    anstream::println!(
        "{GOOD}{}{GOOD:#} holds {}, read back and compared",
        device.name,
        image.path.display()
    );
    match written.written {
        0 => anstream::println!("  it was all there: nothing was written"),
        count => anstream::println!(
            "  written: {} for an image of {}",
            ui::bytes(count),
            ui::bytes(written.size)
        ),
    }
    if written.stale_gpt {
        anstream::println!(
            "  an old partition table at its end was wiped, which firmware could have taken for the right one"
        );
    }
    anstream::println!(
        "It is safe to pull {}. It holds the machine's keys: keep it, or wipe it.",
        device.name
    );
}
