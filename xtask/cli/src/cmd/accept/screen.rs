//! What is shown while machines are asked: a tree on a terminal, else a line a thing.

use std::io::IsTerminal as _;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use lab_accept::gather::Watch;
use lab_accept::report::Report;
use lab_accept::report::live::Tree;

use super::Format;
use crate::failure::Failure;

/// How often the tree is drawn.
const EVERY: Duration = Duration::from_millis(100);

/// The tree of all machines.
pub(super) struct Screen {
    state: Arc<State>,
    drawing: Option<JoinHandle<()>>,
}

struct State {
    begin: Instant,
    tree: Mutex<Tree>,
    done: AtomicBool,
    terminal: bool,
    silent: bool,
}

/// One machine's part of it.
pub(super) struct View<'a> {
    state: &'a State,
    host: usize,
}

impl Screen {
    /// A tree that begins to be drawn, where standard error is a terminal. A program that
    /// reads the report wants no news beside it.
    pub(super) fn new(hosts: &[String], format: Format) -> Self {
        let hosts: Vec<&str> = hosts.iter().map(String::as_str).collect();
        let terminal = std::io::stderr().is_terminal();
        let state = Arc::new(State {
            begin: Instant::now(),
            tree: Mutex::new(Tree::new(&hosts, &[])),
            done: AtomicBool::new(false),
            terminal,
            silent: !terminal && format != Format::Text,
        });
        let drawn = Arc::clone(&state);
        let drawing = terminal.then(|| thread::spawn(move || draw(&drawn)));
        Self { state, drawing }
    }

    /// The part of the machine with this number.
    pub(super) fn of(&self, host: usize) -> View<'_> {
        View {
            state: &self.state,
            host,
        }
    }

    /// Takes the tree away: the report says it all.
    pub(super) fn end(self) {
        self.state.done.store(true, Ordering::Release);
        if let Some(drawing) = self.drawing {
            // A tree that could not be drawn is no reason to fail.
            let _ = drawing.join();
        }
    }
}

fn draw(state: &State) {
    let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
    if let Ok(style) = ProgressStyle::with_template("{msg}") {
        bar.set_style(style);
    }
    while !state.done.load(Ordering::Acquire) {
        let text = {
            let mut tree = state.tree();
            tree.tick(state.begin.elapsed());
            tree.render(terminal_width())
        };
        bar.set_message(text);
        thread::sleep(EVERY);
    }
    bar.finish_and_clear();
}

fn terminal_width() -> usize {
    let size = rustix::termios::tcgetwinsize(std::io::stderr());
    size.ok()
        .map(|size| usize::from(size.ws_col))
        .filter(|columns| *columns >= 20)
        .unwrap_or(80)
}

impl State {
    fn tree(&self) -> MutexGuard<'_, Tree> {
        self.tree.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change(&self, change: impl FnOnce(&mut Tree)) {
        let mut tree = self.tree();
        tree.tick(self.begin.elapsed());
        change(&mut tree);
        let news = tree.news();
        if !self.terminal && !self.silent {
            for line in news {
                anstream::eprintln!("{line}");
            }
        }
    }
}

impl View<'_> {
    /// A stage begins.
    pub(super) fn start(&mut self, stage: &str) {
        self.state.change(|tree| tree.start(self.host, stage));
    }

    /// It is done.
    pub(super) fn ended(&mut self, stage: &str) {
        self.state.change(|tree| tree.done(self.host, stage));
    }

    /// What is heard in it.
    pub(super) fn note(&mut self, stage: &str, words: &str) {
        self.state.change(|tree| tree.note(self.host, stage, words));
    }

    /// The machine could not be asked.
    pub(super) fn failed(&mut self, why: &Failure) {
        let words = match why {
            Failure::Input(error) | Failure::Environment(error) => format!("{error:#}"),
            Failure::Said => "the description has errors".to_owned(),
        };
        let words = words.lines().next().unwrap_or_default().to_owned();
        self.state
            .change(|tree| tree.verdict(self.host, false, &words));
    }

    /// What came of it.
    pub(super) fn verdict(&mut self, report: &Report) {
        let words = format!(
            "{} passed, {} failed, {} not run",
            report.passed(),
            report.failed(),
            report.not_run()
        );
        let good = report.failed() == 0;
        self.state
            .change(|tree| tree.verdict(self.host, good, &words));
    }
}

impl Watch for View<'_> {
    fn begin(&mut self, stage: &str) {
        self.start(stage);
    }

    fn done(&mut self, stage: &str, _took: Duration) {
        self.ended(stage);
    }
}
