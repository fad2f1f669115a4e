//! A virtual machine that is on.

use std::fs::{self, File};
use std::io::{BufWriter, Read, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result, bail};

use crate::{Console, Hardware, Monitor};

const QEMU: &str = "qemu-system-x86_64";

/// A machine that QEMU runs, from being switched on until it switches itself off or starts
/// anew, which ends QEMU too. Dropping it is a power cut.
#[derive(Debug)]
pub struct Running {
    process: Child,
    console: Console,
    complaints: Console,
    monitor: Monitor,
}

impl Running {
    /// Switches a machine on. What it writes on its serial port is kept in `log` as well.
    ///
    /// # Errors
    ///
    /// When QEMU or its firmware is missing or does not start.
    pub fn start(hardware: &Hardware, log: &Path) -> Result<Self> {
        // One that was killed leaves it behind.
        let _ = fs::remove_file(hardware.socket());
        let log = File::options()
            .create(true)
            .append(true)
            .open(log)
            .with_context(|| format!("opening {}", log.display()))?;
        let mut process = Command::new(QEMU)
            .args(hardware.arguments()?)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .with_context(|| {
                format!("starting {QEMU}: install the Debian package qemu-system-x86")
            })?;
        let serial = process.stdout.take().context("QEMU's standard output")?;
        let console = Console::follow(Kept::new(serial, log));
        let complaints = Console::follow(process.stderr.take().context("QEMU's standard error")?);
        match Monitor::connect(&hardware.socket()) {
            Ok(monitor) => Ok(Self {
                process,
                console,
                complaints,
                monitor,
            }),
            Err(error) => {
                end(&mut process);
                Err(error.context(format!("starting QEMU, which said: {}", complaints.text())))
            }
        }
    }

    /// What it wrote on its serial port.
    #[must_use]
    pub fn console(&self) -> &Console {
        &self.console
    }

    /// Keys and the screen.
    pub fn monitor(&mut self) -> &mut Monitor {
        &mut self.monitor
    }

    /// Whether it is off: it switched itself off, or started anew.
    ///
    /// # Errors
    ///
    /// When QEMU failed, with what it said.
    pub fn ended(&mut self) -> Result<bool> {
        match self.process.try_wait().context("asking for QEMU's end")? {
            None => Ok(false),
            Some(status) if status.success() => Ok(true),
            Some(status) => bail!(
                "QEMU ended with {status} and said: {}",
                self.complaints.text()
            ),
        }
    }

    /// A picture of its screen, as a PNG.
    ///
    /// # Errors
    ///
    /// When it is off, or the file cannot be written.
    pub fn picture(&mut self, to: &Path) -> Result<()> {
        self.monitor.picture(to)
    }
}

impl Drop for Running {
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

/// What is read is kept in a file too.
struct Kept<R> {
    from: R,
    log: BufWriter<File>,
}

impl<R> Kept<R> {
    fn new(from: R, log: File) -> Self {
        Self {
            from,
            log: BufWriter::new(log),
        }
    }
}

impl<R: Read> Read for Kept<R> {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        let got = self.from.read(into)?;
        // A log that cannot be kept is no reason to stop the machine.
        let _ = self.log.write_all(into.get(..got).unwrap_or_default());
        let _ = self.log.flush();
        Ok(got)
    }
}

/// A port of this computer on which nothing listens now.
///
/// # Errors
///
/// When there is none.
pub fn free_port() -> Result<u16> {
    let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).context("looking for a port")?;
    Ok(listener.local_addr().context("looking for a port")?.port())
}

/// QEMU's version, in its own words; none where it is missing.
#[must_use]
pub fn qemu_version() -> Option<String> {
    let output = Command::new(QEMU).arg("--version").output().ok()?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    text.lines().next().map(str::to_owned)
}
