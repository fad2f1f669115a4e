//! How far a rehearsal is, for whoever watches: stages, and the last words of the machine.

use std::io::IsTerminal as _;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use lab_rehearse::{Outcome, Stage, Told, Watch};

use crate::ui::{BAD, GOOD};

/// A spinner on a terminal; else a line a stage.
pub(super) struct Screen {
    bar: Option<ProgressBar>,
    title: String,
}

impl Screen {
    pub(super) fn new() -> Self {
        let bar = std::io::stderr().is_terminal().then(|| {
            let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
            let form = "{spinner} {prefix} ({elapsed}) {wide_msg:.dim}";
            let style = ProgressStyle::with_template(form);
            bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_spinner()));
            bar.enable_steady_tick(Duration::from_millis(200));
            bar
        });
        Self {
            bar,
            title: String::new(),
        }
    }

    fn line(&self, text: &str) {
        match &self.bar {
            Some(bar) => bar.suspend(|| anstream::eprintln!("{text}")),
            None => anstream::eprintln!("{text}"),
        }
    }
}

impl Watch for Screen {
    fn begins(&mut self, stage: &Stage) {
        stage.title.clone_into(&mut self.title);
        if let Some(bar) = &self.bar {
            bar.reset_elapsed();
            bar.set_prefix(self.title.clone());
            bar.set_message("");
        }
    }

    fn says(&mut self, line: &str) {
        if let Some(bar) = &self.bar {
            bar.set_message(line.to_owned());
        }
    }

    fn ended(&mut self, told: &Told) {
        let (style, word) = match told.outcome {
            Outcome::Reached => (GOOD, "done"),
            Outcome::Stopped(_) => (BAD, "stopped"),
            Outcome::Hung(_) => (BAD, "hangs"),
        };
        self.line(&format!(
            "{style}{word:>8}{style:#} {} ({:.0} s)",
            told.title, told.seconds
        ));
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
    }
}
