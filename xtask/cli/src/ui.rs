//! What the user sees: colours, errors, and progress. Results go to standard
//! output, everything else to standard error.

use std::io::{IsTerminal as _, Write as _};
use std::time::{Duration, Instant};

use anstyle::{AnsiColor, Style};
use clap::ColorChoice;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::failure::Failure;

/// Bold.
pub(crate) const STRONG: Style = Style::new().bold();
/// For what is well.
pub(crate) const GOOD: Style = AnsiColor::Green.on_default().bold();
/// For what is wrong.
pub(crate) const BAD: Style = AnsiColor::Red.on_default().bold();
/// For what is neither.
pub(crate) const ASIDE: Style = AnsiColor::Yellow.on_default();

/// Takes over `--color` for everything that is printed.
pub(crate) fn choose_color(choice: ColorChoice) {
    let choice = match choice {
        ColorChoice::Auto => anstream::ColorChoice::Auto,
        ColorChoice::Always => anstream::ColorChoice::Always,
        ColorChoice::Never => anstream::ColorChoice::Never,
    };
    choice.write_global();
}

/// Says why a command failed.
pub(crate) fn error(failure: &Failure) {
    match failure {
        Failure::Said => {}
        Failure::Input(error) | Failure::Environment(error) => {
            anstream::eprintln!("{BAD}error{BAD:#}: {error:#}");
        }
    }
}

/// Prints a line of the way to standard error.
pub(crate) fn step(what: &str) {
    anstream::eprintln!("{STRONG}{what}{STRONG:#}");
}

/// Prints a small line of the way to standard error.
pub(crate) fn aside(what: &str) {
    anstream::eprintln!("  {what}");
}

/// How long something may take before its progress is shown.
const PATIENCE: Duration = Duration::from_secs(1);
/// How often a line of progress is printed where there is no terminal.
const LINE_EVERY: Duration = Duration::from_secs(5);

/// Shows how far something is: a bar on a terminal, else a line now and then,
/// and nothing at all for what is done within a second.
pub(crate) struct Meter {
    began: Instant,
    last_line: Instant,
    label: String,
    bar: Option<ProgressBar>,
    terminal: bool,
}

impl Meter {
    /// A meter that has not shown anything yet.
    pub(crate) fn new() -> Self {
        let now = Instant::now();
        Self {
            began: now,
            last_line: now,
            label: String::new(),
            bar: None,
            terminal: std::io::stderr().is_terminal(),
        }
    }

    /// Takes note of how far it is, in bytes.
    pub(crate) fn update(&mut self, label: &str, done: u64, total: Option<u64>) {
        if self.label != label {
            self.finish();
            *self = Self::new();
            label.clone_into(&mut self.label);
        }
        if self.began.elapsed() < PATIENCE {
            return;
        }
        match self.terminal {
            true => self.draw(done, total),
            false => self.print(done, total),
        }
    }

    fn draw(&mut self, done: u64, total: Option<u64>) {
        let label = &self.label;
        let bar = self.bar.get_or_insert_with(|| {
            let bar = ProgressBar::with_draw_target(total, ProgressDrawTarget::stderr());
            let form = match total {
                Some(_) => "{msg:12} {bar:30} {bytes}/{total_bytes} {bytes_per_sec} {eta} left",
                None => "{msg:12} {spinner} {bytes} {bytes_per_sec}",
            };
            bar.with_style(
                ProgressStyle::with_template(form).unwrap_or_else(|_| ProgressStyle::default_bar()),
            )
            .with_message(label.clone())
        });
        bar.set_position(done);
    }

    fn print(&mut self, done: u64, total: Option<u64>) {
        if self.last_line.elapsed() < LINE_EVERY {
            return;
        }
        self.last_line = Instant::now();
        let megabytes = done / 1_000_000;
        let line = match total.filter(|total| *total > 0) {
            Some(total) => format!(
                "{}: {megabytes} of {} MB ({} %)",
                self.label,
                total / 1_000_000,
                done.saturating_mul(100) / total
            ),
            None => format!("{}: {megabytes} MB", self.label),
        };
        // A closed standard error is no reason to stop the work.
        let _ = writeln!(std::io::stderr(), "{line}");
    }

    /// Takes the bar away.
    pub(crate) fn finish(&mut self) {
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
    }
}

impl Drop for Meter {
    fn drop(&mut self) {
        self.finish();
    }
}

/// A number of bytes in words.
pub(crate) fn bytes(count: u64) -> String {
    match count {
        0..=9_999 => format!("{count} bytes"),
        10_000..=9_999_999 => format!("{} kB", count / 1000),
        _ => format!("{} MB", count / 1_000_000),
    }
}
