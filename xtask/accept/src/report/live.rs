//! What is shown while machines are being asked: a tree of hosts and their stages.
//!
//! Only its state and its picture are here, without a clock or a terminal: the caller brings
//! the time, as what has passed since the beginning, and draws what [`Tree::render`] returns
//! over what it drew before. Where there is no terminal, [`Tree::news`] has a line for each
//! thing that happened.

use std::fmt::Write as _;
use std::time::Duration;

use anstyle::Style;
use unicode_width::UnicodeWidthStr as _;

use super::plain::{duration, line};
use super::text::{ASIDE, BAD, FAINT, GOOD, STRONG};

/// How far a stage is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    /// It has not begun.
    Waiting,
    /// It began then.
    Running {
        /// When, since the beginning.
        since: Duration,
    },
    /// It is done.
    Done {
        /// How long it took.
        took: Duration,
    },
    /// It failed.
    Failed {
        /// How long that took.
        took: Duration,
        /// Why.
        why: String,
    },
    /// It is left out, for that reason.
    Skipped(String),
}

#[derive(Debug, Clone)]
struct Stage {
    name: String,
    state: State,
    note: String,
}

#[derive(Debug, Clone)]
struct Host {
    name: String,
    stages: Vec<Stage>,
    verdict: Option<(bool, String)>,
}

/// Hosts, their stages, and how far each is.
#[derive(Debug, Clone, Default)]
pub struct Tree {
    hosts: Vec<Host>,
    now: Duration,
    news: Vec<String>,
}

/// The narrowest column that a host is shown in.
const COLUMN: usize = 34;
/// Columns between two hosts.
const GAP: usize = 3;
/// The little wheel of a stage that runs.
const WHEEL: [char; 10] = ['⠋', '⠙', '⠹', '⠸', '⠼', '⠴', '⠦', '⠧', '⠇', '⠏'];
/// How long the wheel stands still.
const WHEEL_STEP_MS: u128 = 100;

impl Tree {
    /// Hosts that all have the same stages before them.
    #[must_use]
    pub fn new(hosts: &[&str], stages: &[&str]) -> Self {
        let stage = |name: &&str| Stage {
            name: line(name),
            state: State::Waiting,
            note: String::new(),
        };
        let host = |name: &&str| Host {
            name: line(name),
            stages: stages.iter().map(stage).collect(),
            verdict: None,
        };
        Self {
            hosts: hosts.iter().map(host).collect(),
            ..Self::default()
        }
    }

    /// So much time has passed since the beginning.
    pub fn tick(&mut self, now: Duration) {
        self.now = self.now.max(now);
    }

    /// Where a stage stands. One that the host does not have yet is added to it.
    fn stage(&mut self, host: usize, name: &str) -> Option<&mut Stage> {
        let name = line(name);
        let stages = &mut self.hosts.get_mut(host)?.stages;
        let index = stages.iter().position(|one| one.name == name);
        let index = index.unwrap_or_else(|| {
            stages.push(Stage {
                name,
                state: State::Waiting,
                note: String::new(),
            });
            stages.len() - 1
        });
        stages.get_mut(index)
    }

    fn say(&mut self, host: usize, what: &str) {
        if let Some(host) = self.hosts.get(host) {
            self.news.push(format!("{}: {what}", host.name));
        }
    }

    /// A stage begins. `host` is its place among those given to [`Self::new`]; one that is
    /// not there changes nothing.
    pub fn start(&mut self, host: usize, stage: &str) {
        let since = self.now;
        if let Some(stage) = self.stage(host, stage) {
            stage.state = State::Running { since };
            stage.note.clear();
        }
    }

    /// What a stage is at, such as `2 of 3`.
    pub fn note(&mut self, host: usize, stage: &str, note: &str) {
        if let Some(stage) = self.stage(host, stage) {
            stage.note = line(note);
        }
    }

    fn took(&mut self, host: usize, stage: &str) -> Duration {
        let now = self.now;
        match self.stage(host, stage).map(|one| &one.state) {
            Some(State::Running { since }) => now.saturating_sub(*since),
            _ => Duration::ZERO,
        }
    }

    fn end(&mut self, host: usize, stage: &str, state: State) {
        if let Some(stage) = self.stage(host, stage) {
            stage.state = state;
        }
    }

    /// A stage is done.
    pub fn done(&mut self, host: usize, stage: &str) {
        let took = self.took(host, stage);
        self.end(host, stage, State::Done { took });
        self.say(host, &format!("{} done in {}", line(stage), spent(took)));
    }

    /// A stage failed.
    pub fn failed(&mut self, host: usize, stage: &str, why: &str) {
        let (took, why) = (self.took(host, stage), line(why));
        self.say(
            host,
            &format!("{} failed after {}: {why}", line(stage), spent(took)),
        );
        self.end(host, stage, State::Failed { took, why });
    }

    /// A stage is left out.
    pub fn skipped(&mut self, host: usize, stage: &str, why: &str) {
        let why = line(why);
        self.say(host, &format!("{} left out: {why}", line(stage)));
        self.end(host, stage, State::Skipped(why));
    }

    /// What came of a host, in a few words.
    pub fn verdict(&mut self, host: usize, good: bool, words: &str) {
        let words = line(words);
        self.say(host, &words);
        if let Some(host) = self.hosts.get_mut(host) {
            host.verdict = Some((good, words));
        }
    }

    /// What happened since this was asked last, a line each, without escapes.
    pub fn news(&mut self) -> Vec<String> {
        std::mem::take(&mut self.news)
    }

    /// The picture: no line is wider than `width` columns. Hosts stand side by side as far as
    /// there is room.
    #[must_use]
    pub fn render(&self, width: usize) -> String {
        let fit = (width + GAP) / (COLUMN + GAP);
        let across = fit.clamp(1, self.hosts.len().max(1));
        let column = (width.saturating_sub(GAP * (across - 1)) / across).max(1);
        let mut out = String::new();
        for row in self.hosts.chunks(across) {
            let blocks: Vec<Vec<Cell>> = row.iter().map(|host| self.block(host, column)).collect();
            let height = blocks.iter().map(Vec::len).max().unwrap_or(0);
            for index in 0..height {
                let cells = blocks.iter().map(|block| block.get(index));
                write_row(&mut out, cells, column);
            }
        }
        out
    }

    fn block(&self, host: &Host, width: usize) -> Vec<Cell> {
        let mut cells = vec![Cell::new(width, &[(STRONG, &host.name)])];
        let last = host.stages.len().saturating_sub(1);
        for (index, stage) in host.stages.iter().enumerate() {
            let branch = match index == last && host.verdict.is_none() {
                true => "└ ",
                false => "├ ",
            };
            cells.push(self.row(branch, stage, width));
        }
        if let Some((good, words)) = &host.verdict {
            let style = if *good { GOOD } else { BAD };
            cells.push(Cell::new(width, &[(FAINT, "└ "), (style, words)]));
        }
        cells
    }

    fn row(&self, branch: &str, stage: &Stage, width: usize) -> Cell {
        let wheel = WHEEL[(self.now.as_millis() / WHEEL_STEP_MS) as usize % WHEEL.len()];
        let (style, sign, words) = match &stage.state {
            State::Waiting => (FAINT, '·', String::new()),
            State::Running { since } => {
                let so_far = spent(self.now.saturating_sub(*since));
                (ASIDE, wheel, format!("{so_far} {}", stage.note))
            }
            State::Done { took } => (GOOD, '✔', format!("{} {}", spent(*took), stage.note)),
            State::Failed { took, why } => (BAD, '✘', format!("{} {why}", spent(*took))),
            State::Skipped(why) => (FAINT, '–', why.clone()),
        };
        let sign = format!("{sign} ");
        let name = format!("{:12} ", stage.name);
        let named = match stage.state {
            State::Waiting | State::Skipped(_) => FAINT,
            _ => Style::new(),
        };
        let parts = [
            (FAINT, branch),
            (style, sign.as_str()),
            (named, name.as_str()),
            (FAINT, words.trim_end()),
        ];
        Cell::new(width, &parts)
    }
}

/// Milliseconds only where there is less than a second, so that a picture is quiet.
fn spent(time: Duration) -> String {
    duration(u64::try_from(time.as_millis()).unwrap_or(u64::MAX))
}

/// A line of a host's column, no wider than it.
struct Cell {
    text: String,
    width: usize,
}

impl Cell {
    fn new(width: usize, parts: &[(Style, &str)]) -> Self {
        let mut cell = Self {
            text: String::new(),
            width: 0,
        };
        for (style, text) in parts {
            let text = cut(text, width.saturating_sub(cell.width));
            cell.width += text.width();
            // A closing sequence without an opening one is for a terminal to guess at.
            let _ = match text.is_empty() {
                true => Ok(()),
                false => write!(cell.text, "{style}{text}{style:#}"),
            };
        }
        cell
    }
}

/// The beginning of a text that is wider than `width` columns, with a sign that it goes on.
fn cut(text: &str, width: usize) -> String {
    if text.width() <= width {
        return text.to_owned();
    }
    let mut kept = String::new();
    for one in text.chars() {
        let mut more = kept.clone();
        more.push(one);
        if more.width() + 1 > width {
            break;
        }
        kept = more;
    }
    match width {
        0 => String::new(),
        _ => kept + "…",
    }
}

fn write_row<'a>(out: &mut String, cells: impl Iterator<Item = Option<&'a Cell>>, column: usize) {
    let mut pad = 0;
    for cell in cells {
        if let Some(cell) = cell {
            let _ = write!(out, "{:pad$}{}", "", cell.text);
            pad = 0;
        }
        pad += column + GAP - cell.map_or(0, |cell| cell.width);
    }
    out.push('\n');
}
