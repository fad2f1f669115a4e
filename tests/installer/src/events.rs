//! What is said on the console, in the form of the real installer's reports: a line when
//! a stage begins, a line when it ends.

use std::cell::RefCell;
use std::fs::File;
use std::io::Write as _;
use std::time::Instant;

use anyhow::Result;

/// A part of the installation. The first part of a name is the real installer's; what is
/// one step of curtin there has names of its own here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// The file is looked for and read.
    Load,
    /// The early commands.
    Early,
    /// The network of the live system.
    Network,
    /// Whether an archive is in reach.
    Mirror,
    /// The disk is looked for.
    Storage,
    /// The disk is erased and laid out.
    Partitioning,
    /// The system is copied.
    Extract,
    /// Its kernel.
    Kernel,
    /// GRUB.
    Bootloader,
    /// The user, SSH and what cloud-init is given.
    PostInstall,
    /// Updates, where an archive is in reach.
    Updates,
    /// The late commands.
    Late,
    /// The logs are copied to the target.
    Logs,
    /// The machine restarts or switches itself off.
    Shutdown,
    /// The error commands; only after something failed.
    Error,
}

/// Every stage of an installation that succeeds, in the order in which they begin. A file
/// without commands of a kind has that stage all the same; [`Stage::Updates`] is left out
/// without a network.
pub const STAGES: &[Stage] = &[
    Stage::Load,
    Stage::Early,
    Stage::Network,
    Stage::Mirror,
    Stage::Storage,
    Stage::Partitioning,
    Stage::Extract,
    Stage::Kernel,
    Stage::Bootloader,
    Stage::PostInstall,
    Stage::Updates,
    Stage::Late,
    Stage::Logs,
    Stage::Shutdown,
];

impl Stage {
    /// Its name in the reports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Load => "subiquity/load_autoinstall_config",
            Self::Early => "subiquity/Early/run",
            Self::Network => "subiquity/Network/apply_autoinstall_config",
            Self::Mirror => "subiquity/Mirror/apply_autoinstall_config",
            Self::Storage => "subiquity/Storage/apply_autoinstall_config",
            Self::Partitioning => "subiquity/Install/install/partitioning",
            Self::Extract => "subiquity/Install/install/extract",
            Self::Kernel => "subiquity/Install/install/kernel",
            Self::Bootloader => "subiquity/Install/install/bootloader",
            Self::PostInstall => "subiquity/Install/install/postinstall",
            Self::Updates => "subiquity/Install/install/updates",
            Self::Late => "subiquity/Late/run",
            Self::Logs => "subiquity/Shutdown/copy_logs_to_target",
            Self::Shutdown => "subiquity/Shutdown/shutdown",
            Self::Error => "subiquity/Error/run",
        }
    }

    /// The line that says that it begins.
    #[must_use]
    pub fn start(self) -> String {
        format!("start: {}: ", self.name())
    }

    /// The line that says that it succeeded.
    #[must_use]
    pub fn success(self) -> String {
        format!("finish: {}: SUCCESS: ", self.name())
    }

    /// What the line that says that it failed begins with; the reason stands behind it.
    #[must_use]
    pub fn failure(self) -> String {
        format!("finish: {}: FAIL: ", self.name())
    }
}

/// Where the lines go: to standard output, and to the log.
#[derive(Debug)]
pub struct Events {
    log: RefCell<Option<File>>,
    since: Instant,
}

impl Events {
    /// Lines go to the log as well, where there is one.
    pub(crate) fn new(log: Option<File>) -> Self {
        Self {
            log: RefCell::new(log),
            since: Instant::now(),
        }
    }

    /// A line on the console and in the log.
    pub fn say(&self, line: &str) {
        // A console that is gone does not stop an installation.
        let _ = writeln!(std::io::stdout(), "{line}");
        let _ = std::io::stdout().flush();
        self.note(line);
    }

    /// A line in the log alone.
    pub fn note(&self, line: &str) {
        if let Some(log) = self.log.borrow_mut().as_mut() {
            let _ = writeln!(log, "[{:10.3}] {line}", self.since.elapsed().as_secs_f64());
        }
    }

    /// Something that a person should know and that stops nothing.
    pub fn warn(&self, stage: Stage, message: &str) {
        self.say(&format!("warning: {}: {message}", stage.name()));
    }

    /// Does the work of a stage between its two lines.
    pub(crate) fn stage<T>(&self, stage: Stage, work: impl FnOnce() -> Result<T>) -> Result<T> {
        self.say(&stage.start());
        let done = work();
        match &done {
            Ok(_) => self.say(&stage.success()),
            Err(error) => self.say(&format!("{}{error:#}", stage.failure()).replace('\n', " | ")),
        }
        done
    }
}
