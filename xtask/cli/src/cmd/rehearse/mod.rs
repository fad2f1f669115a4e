//! `rehearse`: the very image, on a virtual machine made from the description, from the
//! stick's menu to its acceptance.

mod acceptance;
mod image;
mod screen;

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::{Args, ValueEnum};
use lab_machine::Machine;
use lab_machine::section::identity::Firmware as DescribedFirmware;
use lab_rehearse::{
    FIRST_BOOT, FORMAT, Firmware, Hardware, INSTALLATION, Outcome, Patience, Report, Running,
    Stage, Told, follow, free_port, qemu_version,
};

use crate::failure::Failure;
use crate::ui::{self, BAD, GOOD, STRONG};
use crate::{Done, MachineArg, lab};
use image::Image;
use screen::Screen;

/// Rehearses the installation on a virtual machine.
///
/// Makes a virtual machine from the description (its maker and model, its disk, the slots of
/// its cards), starts the image on it as a stick would, lets it install by itself, starts the
/// disk with the stick still in, waits for `lab.target` and runs `accept` over SSH. One report
/// has the stages with their times, the screens and the console.
///
/// The cards are not there: what is said of them is judged on mock libraries, and marked so.
///
/// `--base stand-in` needs no download but Debian packages: a small live system with an
/// installer that obeys the same file, and servers under the vendors' names on this computer.
/// Exit codes: 0 all that could be judged passed, 1 something failed, 2 could not run.
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Arguments {
    #[command(flatten)]
    machine: MachineArg,
    /// The base image: a file, or `stand-in`. Without it, Ubuntu's from the cache or the network.
    #[arg(long, value_name = "FILE|stand-in")]
    base: Option<String>,
    /// What starts the machine. Without it: what the description demands, else UEFI.
    #[arg(long, value_name = "FIRMWARE")]
    firmware: Option<Start>,
    /// Rehearse the image that needs no network, on a machine that has none. A stand-in always is.
    #[arg(long)]
    offline: bool,
    /// Keep the image and the virtual machine's disk.
    #[arg(long)]
    keep: bool,
    /// Where the report goes. Without it: target/rehearse/NAME.
    #[arg(long, value_name = "DIR")]
    report: Option<PathBuf>,
}

/// What starts the machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Start {
    /// UEFI without Secure Boot.
    Uefi,
    /// Legacy BIOS.
    Bios,
    /// UEFI that starts only what is signed.
    SecureBoot,
}

pub(crate) fn run(arguments: &Arguments) -> Done {
    let described = lab::describe(&arguments.machine)?;
    let machine = described.machine()?;
    let firmware = firmware(arguments, machine);
    let qemu = programs(firmware)?;
    let folder = folder(arguments, machine)?;
    let image = image::make(arguments, &described, machine, &folder)?;
    let mut stage = Theatre::new(arguments, machine, &image, firmware, &folder)?;
    let mut stages = stage.boot(INSTALLATION)?.1;
    let mut accepted = None;
    if all_reached(&stages) {
        let (running, more) = stage.boot(FIRST_BOOT)?;
        stages.extend(more);
        if all_reached(&stages) {
            accepted = Some(acceptance::accept(&image, &stage.hardware, &folder)?);
        }
        drop(running);
    }
    let report = Report {
        format: FORMAT,
        machine: machine.identity.name.to_string(),
        image: image.named()?,
        base: image.base.clone(),
        firmware: firmware.in_words().to_owned(),
        accelerator: stage.hardware.accelerator.in_words().to_owned(),
        qemu,
        online: stage.hardware.online,
        stands_in: stands_in(&image, &stage.hardware),
        stages,
        accepted,
    };
    report.keep(&folder)?;
    stage.clear(arguments.keep, &image)?;
    tell(&report, &folder)
}

fn firmware(arguments: &Arguments, machine: &Machine) -> Firmware {
    match (arguments.firmware, machine.identity.firmware) {
        (Some(Start::Bios), _) | (None, DescribedFirmware::Bios) => Firmware::Bios,
        (Some(Start::SecureBoot), _) => Firmware::SecureBoot,
        (Some(Start::Uefi) | None, _) => Firmware::Uefi,
    }
}

/// QEMU's version; an error where it or the firmware is missing.
fn programs(firmware: Firmware) -> Result<String, Failure> {
    firmware.files()?;
    let version = qemu_version().context(
        "qemu-system-x86_64 is not here: install the Debian package qemu-system-x86 (`cargo xtask doctor` names all that is missing)",
    )?;
    Ok(version)
}

fn folder(arguments: &Arguments, machine: &Machine) -> Result<PathBuf, Failure> {
    let folder = match &arguments.report {
        Some(folder) => folder.clone(),
        None => lab::workspace()?
            .join("target/rehearse")
            .join(machine.identity.name.as_str()),
    };
    std::fs::create_dir_all(&folder).with_context(|| format!("making {}", folder.display()))?;
    // Pictures of another rehearsal would pass for this one's.
    for stage in INSTALLATION.iter().chain(FIRST_BOOT) {
        let _ = std::fs::remove_file(folder.join(format!("{}.png", stage.id)));
    }
    for name in ["console.log", "rehearsal.json", "rehearsal.html"] {
        let _ = std::fs::remove_file(folder.join(name));
    }
    Ok(std::path::absolute(&folder).context("asking for the current folder")?)
}

/// The virtual machine, and where its story is kept.
struct Theatre {
    hardware: Hardware,
    folder: PathBuf,
}

impl Theatre {
    fn new(
        arguments: &Arguments,
        machine: &Machine,
        image: &Image,
        firmware: Firmware,
        folder: &Path,
    ) -> Result<Self, Failure> {
        let own = folder.join("vm");
        if own.exists() {
            std::fs::remove_dir_all(&own).with_context(|| format!("emptying {}", own.display()))?;
        }
        let mut hardware = Hardware::of(machine, firmware, &own, free_port()?)?;
        hardware.stick = Some(image.path.clone());
        hardware.online = !arguments.offline && !image.stand_in;
        Ok(Self {
            hardware,
            folder: folder.to_owned(),
        })
    }

    /// Switches the machine on and follows it. What it answers is off when it is dropped.
    fn boot(&mut self, stages: &[Stage]) -> Result<(Running, Vec<Told>), Failure> {
        let log = self.folder.join("console.log");
        let mut running = Running::start(&self.hardware, &log)?;
        let patience = Patience::for_one(self.hardware.accelerator);
        let mut screen = Screen::new();
        let told = follow(&mut running, stages, patience, &self.folder, &mut screen)?;
        Ok((running, told))
    }

    fn clear(&self, keep: bool, image: &Image) -> Result<(), Failure> {
        if keep {
            ui::aside(&format!(
                "kept: {} and {}",
                image.path.display(),
                self.hardware.folder.display()
            ));
            return Ok(());
        }
        let own = &self.hardware.folder;
        std::fs::remove_dir_all(own).with_context(|| format!("removing {}", own.display()))?;
        std::fs::remove_file(&image.path)
            .with_context(|| format!("removing {}", image.path.display()))?;
        Ok(())
    }
}

fn all_reached(stages: &[Told]) -> bool {
    stages.iter().all(|told| told.outcome == Outcome::Reached)
}

/// What is not the described machine's, in sentences.
fn stands_in(image: &Image, hardware: &Hardware) -> Vec<String> {
    let mut all = Vec::new();
    if !hardware.said.on_bus.is_empty() {
        all.push(
            "The cards are not there: what is said of them was judged on mock libraries."
                .to_owned(),
        );
    }
    if hardware.said.memory_kib.is_some() {
        all.push(format!(
            "The machine has {} MiB of memory and says that it has what is described.",
            hardware.memory_mib
        ));
    }
    if image.stand_in {
        all.push(
            "The base is a Debian system with an installer of this project, not Ubuntu's: see tests/standin and tests/installer for what it does not prove.".to_owned(),
        );
        all.push(
            "Packages, models and container images come from servers of this computer under the vendors' names.".to_owned(),
        );
    }
    all
}

fn tell(report: &Report, folder: &Path) -> Done {
    let page = folder.join("rehearsal.html");
    for told in &report.stages {
        if let Outcome::Stopped(why) | Outcome::Hung(why) = &told.outcome {
            anstream::eprintln!("{BAD}{}{BAD:#}: {why}", told.title);
            if let Some(picture) = &told.picture {
                anstream::eprintln!("its screen: {}", folder.join(picture).display());
            }
        }
    }
    let words = format!(
        "{} stages in {:.0} s; the report with pictures: {}",
        report.stages.len(),
        report.seconds(),
        page.display()
    );
    match report.passed() {
        true => {
            anstream::println!(
                "{GOOD}rehearsed{GOOD:#}: {STRONG}{}{STRONG:#}, {words}",
                report.machine
            );
            Ok(())
        }
        false => {
            anstream::println!("{BAD}did not pass{BAD:#}: {words}");
            Err(Failure::Said)
        }
    }
}
