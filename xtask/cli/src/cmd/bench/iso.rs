//! `bench iso`: composing against `cp` and against xorriso doing the same edit.
//! Each figure is the least of several interleaved rounds, because machines are
//! noisy; what counts is the ratio.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use clap::Args;

use crate::failure::Failure;
use crate::ui::{self, BAD, GOOD, STRONG};
use crate::{Done, MachineArg, lab};

/// Composes an image, again and again, and holds the times against `cp` and xorriso.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    machine: MachineArg,
    /// The size of the base in MB; Ubuntu's own has 3900.
    #[arg(long, default_value_t = 2600)]
    size: u64,
    /// How many rounds.
    #[arg(long, default_value_t = 3)]
    rounds: u32,
}

/// A time and what it may be.
struct Figure {
    what: &'static str,
    value: f64,
    unit: &'static str,
    aim: f64,
    at_most: bool,
}

impl Figure {
    fn met(&self) -> bool {
        if self.at_most {
            self.value <= self.aim
        } else {
            self.value >= self.aim
        }
    }
}

/// The times of one round.
#[derive(Clone, Copy)]
struct Round {
    cp: Duration,
    xorriso: Duration,
    first: Duration,
    rebuild: Duration,
    check: Duration,
    render: Duration,
}

impl Round {
    fn least(self, other: Self) -> Self {
        Self {
            cp: self.cp.min(other.cp),
            xorriso: self.xorriso.min(other.xorriso),
            first: self.first.min(other.first),
            rebuild: self.rebuild.min(other.rebuild),
            check: self.check.min(other.check),
            render: self.render.min(other.render),
        }
    }
}

/// Where a benchmark works.
struct Bench {
    folder: PathBuf,
    base: PathBuf,
    program: PathBuf,
    description: PathBuf,
    text: String,
}

pub(crate) fn run(arguments: &Arguments) -> Done {
    if !lab_standin::Need::Program("xorriso").is_met() {
        return Err(Failure::Environment(anyhow::anyhow!(
            "xorriso is missing, which is measured against: `cargo xtask doctor --install`"
        )));
    }
    let bench = prepare(arguments)?;
    let mut least: Option<Round> = None;
    let mut memory = 0;
    for number in 0..arguments.rounds.max(1) {
        let (round, used) = bench.round(number)?;
        anstream::eprintln!(
            "round {}: cp {:.2?}, xorriso {:.2?}, first build {:.2?}, rebuild {:.1?}",
            number + 1,
            round.cp,
            round.xorriso,
            round.first,
            round.rebuild
        );
        least = Some(least.map_or(round, |before| before.least(round)));
        memory = memory.max(used);
    }
    let least = least.context("no round was measured")?;
    report(&least, memory)
}

fn report(least: &Round, memory: u64) -> Done {
    let ratio = |one: Duration, other: Duration| one.as_secs_f64() / other.as_secs_f64().max(1e-9);
    let figures = [
        Figure {
            what: "first build, against cp",
            value: ratio(least.first, least.cp),
            unit: "x",
            aim: 1.2,
            at_most: true,
        },
        Figure {
            what: "xorriso, against the first build",
            value: ratio(least.xorriso, least.first),
            unit: "x",
            aim: 3.0,
            at_most: false,
        },
        Figure {
            what: "xorriso, against a rebuild",
            value: ratio(least.xorriso, least.rebuild),
            unit: "x",
            aim: 100.0,
            at_most: false,
        },
        Figure {
            what: "most memory of any build",
            value: memory as f64 / 1024.0,
            unit: "MiB",
            aim: 64.0,
            at_most: true,
        },
        Figure {
            what: "check, as a whole process",
            value: least.check.as_secs_f64() * 1e3,
            unit: "ms",
            aim: 50.0,
            at_most: true,
        },
        Figure {
            what: "render, as a whole process",
            value: least.render.as_secs_f64() * 1e3,
            unit: "ms",
            aim: 50.0,
            at_most: true,
        },
    ];
    anstream::println!("{STRONG}{:36} {:>12}   aim{STRONG:#}", "figure", "here");
    for figure in &figures {
        let style = if figure.met() { GOOD } else { BAD };
        let sign = if figure.at_most {
            "at most"
        } else {
            "at least"
        };
        anstream::println!(
            "{:36} {style}{:8.1} {:3}{style:#}   {sign} {} {}",
            figure.what,
            figure.value,
            figure.unit,
            figure.aim,
            figure.unit
        );
    }
    match figures.iter().all(Figure::met) {
        true => Ok(()),
        false => Err(Failure::Environment(anyhow::anyhow!("an aim was missed"))),
    }
}

fn prepare(arguments: &Arguments) -> Result<Bench, Failure> {
    let described = lab::describe(&arguments.machine)?;
    described.machine()?;
    let text = fs::read_to_string(&described.path).context("reading the description")?;
    let cache = lab::cache()?;
    let stand_in = cache.dir().join("stand-in");
    fs::create_dir_all(&stand_in).context("making the stand-in's folder")?;
    let base = stand_in.join(format!("stand-in-{}.iso", arguments.size));
    ui::step("making the base");
    let options = lab_standin::Options {
        fill: arguments.size * 1_000_000,
        ..lab_standin::Options::default()
    };
    let made = lab_standin::build(&options, &stand_in, &base)?;
    let folder = lab::workspace()?.join("target/bench-iso");
    fs::create_dir_all(&folder).with_context(|| format!("making {}", folder.display()))?;
    let program = std::env::current_exe().context("finding this program")?;
    let description = folder.join("machine.toml");
    Ok(Bench {
        folder,
        base: made.path,
        program,
        description,
        text,
    })
}

impl Bench {
    fn round(&self, number: u32) -> anyhow::Result<(Round, u64)> {
        let [copy, remaster, image] =
            ["copy.iso", "xorriso.iso", "lab.iso"].map(|name| self.folder.join(name));
        for file in [&copy, &remaster, &image] {
            let _ = fs::remove_file(file);
        }
        self.describe(number * 2)?;
        let (cp, _) = time(
            Command::new("cp")
                .arg("--reflink=never")
                .arg(&self.base)
                .arg(&copy),
        )?;
        fs::remove_file(&copy)?;
        let (first, memory) = time(&mut self.iso(&image))?;
        self.describe(number * 2 + 1)?;
        let (rebuild, again) = time(&mut self.iso(&image))?;
        let (check, _) = time(self.command("check"))?;
        let render = self.folder.join("render");
        let (render, _) = time(self.command("render").arg("--out").arg(&render))?;
        let (xorriso, _) = time(&mut self.xorriso(&remaster)?)?;
        fs::remove_file(&remaster)?;
        Ok((
            Round {
                cp,
                xorriso,
                first,
                rebuild,
                check,
                render,
            },
            memory.max(again),
        ))
    }

    /// Writes the description anew with another value, as an edit would.
    fn describe(&self, number: u32) -> anyhow::Result<()> {
        let text = format!("{}\n[docker]\nlog_files = {}\n", self.text, 3 + number);
        fs::write(&self.description, text).context("writing the description")
    }

    fn command(&self, name: &str) -> &'static mut Command {
        // Leaked on purpose: a handful of commands in a program that ends soon.
        let command = Box::leak(Box::new(Command::new(&self.program)));
        command.arg(name).arg("--machine").arg(&self.description)
    }

    fn iso(&self, out: &Path) -> Command {
        let mut command = Command::new(&self.program);
        command
            .args(["iso", "--allow-unknown-base", "--machine"])
            .arg(&self.description);
        command.arg("--base").arg(&self.base).arg("--out").arg(out);
        command
    }

    /// The same edit by xorriso, which replays the base's way of booting.
    fn xorriso(&self, out: &Path) -> anyhow::Result<Command> {
        let rendered = self.folder.join("render");
        let mut command = Command::new("xorriso");
        command
            .arg("-indev")
            .arg(&self.base)
            .arg("-outdev")
            .arg(out);
        command.args([
            "-boot_image",
            "any",
            "replay",
            "-padding",
            "included",
            "-compliance",
            "no_emul_toc",
        ]);
        command.args(["-map", &rendered.join("lab").to_string_lossy(), "/lab"]);
        command.args([
            "-map",
            &rendered.join("autoinstall.yaml").to_string_lossy(),
            "/autoinstall.yaml",
        ]);
        command.args([
            "-update",
            &rendered.join("boot/grub/grub.cfg").to_string_lossy(),
            "/boot/grub/grub.cfg",
        ]);
        command.arg("-commit");
        Ok(command)
    }
}

/// How long a command takes, and the most memory it had, in KiB.
pub(super) fn time(command: &mut Command) -> anyhow::Result<(Duration, u64)> {
    let shown = format!("{:?}", command.get_program());
    let began = Instant::now();
    let child = command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .with_context(|| format!("running {shown}"))?;
    let pid = child.id();
    let watch = std::thread::spawn(move || most_memory(pid));
    let output = child
        .wait_with_output()
        .with_context(|| format!("waiting for {shown}"))?;
    let took = began.elapsed();
    if !output.status.success() {
        bail!(
            "{shown} failed: {}",
            String::from_utf8_lossy(&output.stderr)
        );
    }
    Ok((took, watch.join().unwrap_or(0)))
}

/// Reads the peak of a process's memory (VmHWM of proc(5)) until it is gone.
fn most_memory(pid: u32) -> u64 {
    let mut most = 0;
    while let Ok(status) = fs::read_to_string(format!("/proc/{pid}/status")) {
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let Some(now) = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok())
        else {
            break;
        };
        most = most.max(now);
        std::thread::sleep(Duration::from_millis(2));
    }
    most
}
