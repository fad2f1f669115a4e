//! A running machine: its console, its keys, its screen, its end.

use std::io::Write;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use lab_rehearse::Monitor;

use crate::{Console, Machine, programs};

/// A machine that QEMU runs. Dropping it switches it off.
pub struct Guest {
    process: Child,
    keys: ChildStdin,
    console: Console,
    complaints: Console,
    monitor: Monitor,
    folder: tempfile::TempDir,
    begun: Instant,
}

impl Guest {
    pub(crate) fn start(machine: &Machine) -> Result<Self> {
        let begun = Instant::now();
        let folder = tempfile::tempdir().context("making a folder for a guest")?;
        let program = programs::find("qemu-system-x86_64")
            .context("qemu-system-x86_64 is missing: install the Debian package qemu-system-x86")?;
        let mut process = Command::new(program)
            .args(machine.arguments(folder.path())?)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .context("starting qemu-system-x86_64")?;
        let keys = process.stdin.take().context("QEMU's standard input")?;
        let console = Console::follow(process.stdout.take().context("QEMU's standard output")?);
        let complaints = Console::follow(process.stderr.take().context("QEMU's standard error")?);
        match Monitor::connect(&folder.path().join("qmp")) {
            Ok(monitor) => Ok(Self {
                process,
                keys,
                console,
                complaints,
                monitor,
                folder,
                begun,
            }),
            Err(error) => {
                end(&mut process);
                Err(error.context(format!("starting QEMU, which said: {}", complaints.text())))
            }
        }
    }

    /// Waits until the console shows `pattern`, and returns all that it shows.
    ///
    /// # Errors
    ///
    /// When time is up or the guest ended first; the console's last lines are in the error.
    pub fn wait_for(&self, pattern: &str, within: Duration) -> Result<String> {
        self.wait_until(&format!("{pattern:?}"), within, |text| {
            text.contains(pattern)
        })
    }

    /// Waits until `ready` says yes of all that the console shows, and returns it. `what`
    /// is what messages call it.
    ///
    /// # Errors
    ///
    /// As [`Guest::wait_for`].
    pub fn wait_until(
        &self,
        what: &str,
        within: Duration,
        ready: impl Fn(&str) -> bool,
    ) -> Result<String> {
        let (text, found) = self.console.wait(within, ready);
        if !found {
            bail!(
                "waiting {} s for {what} on the serial console: not seen after {:.1} s; QEMU said {:?}; the console's end:\n{}",
                within.as_secs(),
                self.begun.elapsed().as_secs_f32(),
                self.complaints.text(),
                last_lines(&text, 40)
            );
        }
        Ok(text)
    }

    /// Everything the console showed so far, as plain text.
    #[must_use]
    pub fn console(&self) -> String {
        self.console.text()
    }

    /// How long the machine has been on.
    #[must_use]
    pub fn running_for(&self) -> Duration {
        self.begun.elapsed()
    }

    /// Sends letters through the serial port, where the firmware and GRUB take them as
    /// typed. "\r" is the return key, "\x1b[B" the arrow down. Letters go one by one, as
    /// from fingers, because a BIOS holds 15 and drops the rest; a control sequence goes
    /// at once.
    ///
    /// # Errors
    ///
    /// When the guest is gone.
    pub fn type_keys(&mut self, keys: &str) -> Result<()> {
        let strokes = if keys.starts_with('\x1b') {
            vec![keys]
        } else {
            keys.split("").collect()
        };
        for stroke in strokes.into_iter().filter(|stroke| !stroke.is_empty()) {
            self.keys
                .write_all(stroke.as_bytes())
                .and_then(|()| self.keys.flush())
                .context("typing on the guest's serial port")?;
            std::thread::sleep(Duration::from_millis(120));
        }
        Ok(())
    }

    /// Presses a key of the machine's keyboard, by its name in QEMU ("ret", "down", "e").
    ///
    /// # Errors
    ///
    /// When the monitor refuses or is gone.
    pub fn press(&mut self, key: &str) -> Result<()> {
        self.monitor.press(key)
    }

    /// The letters on the machine's screen, where it is in VGA's text mode.
    ///
    /// # Errors
    ///
    /// When the monitor refuses or is gone.
    pub fn screen(&mut self) -> Result<String> {
        self.monitor.screen(&self.folder.path().join("screen"))
    }

    /// Waits until the screen in text mode shows `pattern`, and returns it.
    ///
    /// # Errors
    ///
    /// When time is up; the last screen is in the error.
    pub fn wait_for_screen(&mut self, pattern: &str, within: Duration) -> Result<String> {
        let end = Instant::now() + within;
        loop {
            let screen = self.screen()?;
            if screen.contains(pattern) {
                return Ok(screen);
            }
            if Instant::now() > end {
                bail!(
                    "waiting {} s for {pattern:?} on the screen, which shows:\n{screen}",
                    within.as_secs()
                );
            }
            std::thread::sleep(Duration::from_millis(200));
        }
    }

    /// Waits until the guest switched itself off, and returns all that its console showed.
    ///
    /// # Errors
    ///
    /// When time is up, or QEMU failed.
    pub fn wait_for_end(&mut self, within: Duration) -> Result<String> {
        if !self.console.closed(within) {
            let text = self.console.text();
            bail!(
                "the guest is still on after {} s; the console's end:\n{}",
                within.as_secs(),
                last_lines(&text, 40)
            );
        }
        let status = self.process.wait().context("waiting for QEMU's end")?;
        if !status.success() {
            bail!(
                "QEMU ended with {status} and said: {}",
                self.complaints.text()
            );
        }
        Ok(self.console.text())
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        end(&mut self.process);
    }
}

/// Ends the process that was started here, and no other: it is not waited for yet, so its
/// number cannot have gone to another.
fn end(process: &mut Child) {
    let _ = process.kill();
    let _ = process.wait();
}

fn last_lines(text: &str, count: usize) -> String {
    let lines: Vec<_> = text
        .lines()
        .filter(|line| !line.trim().is_empty())
        .collect();
    let from = lines.len().saturating_sub(count);
    lines.get(from..).unwrap_or_default().join("\n")
}
