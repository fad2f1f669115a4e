//! A machine is followed through its stages, with a picture of each.

use std::fs;
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

use crate::stage::{Ends, Picture, stopped};
use crate::{Accelerator, Running, Stage};

/// How often it is looked at.
const EVERY: Duration = Duration::from_millis(500);
/// How often its screen is.
const PICTURE_EVERY: Duration = Duration::from_secs(3);

/// One stage, as it went.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Told {
    /// The stage's word.
    pub id: String,
    /// What a person reads.
    pub title: String,
    /// How long it took, in seconds.
    pub seconds: f64,
    /// The last picture of its screen: a PNG's name in the folder of the report.
    pub picture: Option<String>,
    /// How it ended.
    pub outcome: Outcome,
}

/// How a stage ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "is", content = "why", rename_all = "kebab-case")]
pub enum Outcome {
    /// As it should.
    Reached,
    /// The machine said that it will not go on.
    Stopped(String),
    /// Nothing changed any more, or it took too long.
    Hung(String),
}

/// Who is told how far it is.
pub trait Watch {
    /// A stage begins.
    fn begins(&mut self, stage: &Stage);
    /// Something was said on its serial port.
    fn says(&mut self, line: &str);
    /// A stage ended.
    fn ended(&mut self, told: &Told);
}

/// How long a stage may take, and how long nothing may change.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// For a whole stage.
    pub stage: Duration,
    /// Without a new word or another picture.
    pub silence: Duration,
    /// Press Enter until the kernel starts, rather than wait for the menu's countdown.
    pub hurry: bool,
}

impl Patience {
    /// What is much, for a machine that is run so.
    #[must_use]
    pub const fn for_one(accelerator: Accelerator) -> Self {
        let factor = match accelerator {
            Accelerator::Kvm => 1,
            Accelerator::Tcg => 2,
        };
        Self {
            stage: Duration::from_secs(1200 * factor),
            silence: Duration::from_secs(240 * factor),
            hurry: false,
        }
    }
}

/// Follows a machine through these stages; ends with the first that is not reached.
///
/// # Errors
///
/// When QEMU fails, or a picture cannot be kept in `folder`.
pub fn follow(
    running: &mut Running,
    stages: &[Stage],
    patience: Patience,
    folder: &Path,
    watch: &mut dyn Watch,
) -> Result<Vec<Told>> {
    let mut all = Vec::new();
    for stage in stages {
        watch.begins(stage);
        let mut look = Look::new(folder, stage);
        let begin = Instant::now();
        let outcome = look.until(running, stage, patience, watch)?;
        let told = Told {
            id: stage.id.to_owned(),
            title: stage.title.to_owned(),
            seconds: begin.elapsed().as_secs_f64(),
            picture: look.keep(stage.picture)?,
            outcome,
        };
        watch.ended(&told);
        let reached = told.outcome == Outcome::Reached;
        all.push(told);
        if !reached {
            break;
        }
    }
    Ok(all)
}

/// What was seen of a stage so far.
struct Look {
    picture: PathBuf,
    name: String,
    /// Every picture that differs from the one before it: a PNG each.
    seen: Vec<Vec<u8>>,
    pictured: Option<Instant>,
    heard: usize,
    changed: Instant,
}

impl Look {
    fn new(folder: &Path, stage: &Stage) -> Self {
        let name = format!("{}.png", stage.id);
        Self {
            picture: folder.join(&name),
            name,
            seen: Vec::new(),
            pictured: None,
            heard: 0,
            changed: Instant::now(),
        }
    }

    fn until(
        &mut self,
        running: &mut Running,
        stage: &Stage,
        patience: Patience,
        watch: &mut dyn Watch,
    ) -> Result<Outcome> {
        let begin = Instant::now();
        loop {
            let off = running.ended()?;
            let console = running.console().text();
            if let Some(why) = stopped(&console) {
                // Its last words are still on their way to the screen.
                sleep(PICTURE_EVERY);
                self.pictured = None;
                self.look(running, off)?;
                return Ok(Outcome::Stopped(
                    stopped(&running.console().text()).unwrap_or(why),
                ));
            }
            if stage.ends.are_there(&console, off) {
                self.look(running, off)?;
                return Ok(Outcome::Reached);
            }
            if off && stage.ends != Ends::Off {
                let why = format!(
                    "it switched itself off; its last words:\n{}",
                    tail(&console)
                );
                return Ok(Outcome::Stopped(why));
            }
            self.listen(&console, watch);
            self.look(running, off)?;
            if patience.hurry && !left_the_menu(&console) {
                // A firmware that takes no keys yet is no reason to stop.
                let _ = running.monitor().press("ret");
            }
            if let Some(why) = self.too_long(begin, patience) {
                return Ok(Outcome::Hung(format!(
                    "{why}; its last words:\n{}",
                    tail(&console)
                )));
            }
            sleep(EVERY);
        }
    }

    /// Tells the last whole line, where there is a new one.
    fn listen(&mut self, console: &str, watch: &mut dyn Watch) {
        if console.len() == self.heard {
            return;
        }
        self.heard = console.len();
        self.changed = Instant::now();
        let mut lines = console.lines().rev().map(str::trim);
        if let Some(line) = lines.find(|line| !line.is_empty()) {
            watch.says(line);
        }
    }

    /// Takes a picture, now and then; the last one is kept where the machine is off.
    fn look(&mut self, running: &mut Running, off: bool) -> Result<()> {
        let due = self
            .pictured
            .is_none_or(|last| last.elapsed() > PICTURE_EVERY);
        if off || !due {
            return Ok(());
        }
        // It may switch itself off at this very moment.
        if running.picture(&self.picture).is_err() {
            return Ok(());
        }
        self.pictured = Some(Instant::now());
        let bytes = fs::read(&self.picture)
            .with_context(|| format!("reading {}", self.picture.display()))?;
        if self.seen.last() != Some(&bytes) {
            self.seen.push(bytes);
            self.changed = Instant::now();
        }
        Ok(())
    }

    fn too_long(&self, begin: Instant, patience: Patience) -> Option<String> {
        if self.changed.elapsed() > patience.silence {
            let seconds = patience.silence.as_secs();
            return Some(format!(
                "nothing changed for {seconds} s, neither words nor screen"
            ));
        }
        let whole = begin.elapsed() > patience.stage;
        whole.then(|| format!("it took longer than {} s", patience.stage.as_secs()))
    }

    /// The picture's name, where there is one.
    fn keep(self, which: Picture) -> Result<Option<String>> {
        let chosen = match which {
            Picture::Last => self.seen.last(),
            Picture::Steadiest => steadiest(&self.seen),
        };
        let Some(bytes) = chosen else {
            return Ok(None);
        };
        fs::write(&self.picture, bytes)
            .with_context(|| format!("writing {}", self.picture.display()))?;
        Ok(Some(self.name))
    }
}

/// Whether a menu has done its work, as far as the serial port tells: GRUB on UEFI says so, and
/// on a BIOS the next words come later.
fn left_the_menu(console: &str) -> bool {
    let words = ["Booting `", "LAB-STANDIN", "Linux version"];
    words.iter().any(|words| console.contains(words))
}

/// A PNG of nothing but one colour is shorter.
const BLANK: usize = 4000;

/// The last of the longest run of pictures that are much alike: PNGs of much the same length.
fn steadiest(all: &[Vec<u8>]) -> Option<&Vec<u8>> {
    let alike = |one: &[u8], other: &[u8]| one.len().abs_diff(other.len()) * 25 < one.len();
    let (mut best, mut longest, mut run) = (all.last(), 0, 0);
    for (index, one) in all.iter().enumerate() {
        let before = index.checked_sub(1).and_then(|before| all.get(before));
        run = match before {
            Some(before) if alike(before, one) => run + 1,
            _ => 1,
        };
        if run > longest && one.len() > BLANK {
            (best, longest) = (Some(one), run);
        }
    }
    best
}

/// The last lines.
fn tail(console: &str) -> String {
    let lines: Vec<&str> = console
        .lines()
        .filter(|line| !line.trim().is_empty())
        .collect();
    let from = lines.len().saturating_sub(30);
    lines.get(from..).unwrap_or_default().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_menu_with_a_countdown_the_menu_is_kept() {
        let lengths = [1000, 1000, 1000, 1001, 9000, 9010, 9005, 14000, 20000, 9001];
        let pictures: Vec<Vec<u8>> = lengths.iter().map(|length| vec![0; *length]).collect();
        assert_eq!(steadiest(&pictures).map(Vec::len), Some(9005));
        assert_eq!(steadiest(&[]), None);
        assert_eq!(steadiest(&[vec![1]]), Some(&vec![1]));
    }
}
