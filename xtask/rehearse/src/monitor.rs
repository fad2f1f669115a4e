//! The machine's monitor: keys that a person would press, and the screen he would see.
//!
//! The protocol is QMP (QEMU's docs/interop/qmp-spec.rst): a greeting, then a JSON object
//! a line each way, with events in between.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

/// How long the monitor may take for an answer.
const PATIENCE: Duration = Duration::from_secs(20);

/// Where VGA keeps the letters of text mode, and how many bytes 80 × 25 of them take: a
/// letter and a colour each.
const VGA_TEXT: (u64, u64) = (0xb8000, 80 * 25 * 2);

/// A connection to the monitor of one machine.
#[derive(Debug)]
pub struct Monitor {
    from: BufReader<UnixStream>,
    to: UnixStream,
}

impl Monitor {
    /// Connects as soon as the socket is there.
    ///
    /// # Errors
    ///
    /// When there is none within 20 s, or what answers is no monitor.
    pub fn connect(socket: &Path) -> Result<Self> {
        let end = Instant::now() + PATIENCE;
        let stream = loop {
            match UnixStream::connect(socket) {
                Ok(stream) => break stream,
                Err(_) if Instant::now() < end => thread::sleep(Duration::from_millis(20)),
                Err(error) => return Err(error).context("connecting to QEMU's monitor"),
            }
        };
        stream
            .set_read_timeout(Some(PATIENCE))
            .context("setting the monitor's patience")?;
        let to = stream.try_clone().context("connecting to QEMU's monitor")?;
        let mut monitor = Self {
            from: BufReader::new(stream),
            to,
        };
        let mut greeting = String::new();
        monitor
            .from
            .read_line(&mut greeting)
            .context("reading QEMU's greeting")?;
        monitor.ask("qmp_capabilities", &json!({}))?;
        Ok(monitor)
    }

    /// Presses and releases one key by its name in QEMU's `QKeyCode` ("ret", "down", "e").
    ///
    /// # Errors
    ///
    /// When the machine is gone or refuses.
    pub fn press(&mut self, key: &str) -> Result<()> {
        let keys = json!({ "keys": [{ "type": "qcode", "data": key }] });
        self.ask("send-key", &keys).map(drop)
    }

    /// A picture of the screen, written to `to` as a PNG.
    ///
    /// # Errors
    ///
    /// When the machine is gone or refuses.
    pub fn picture(&mut self, to: &Path) -> Result<()> {
        let to = to.to_str().context("the picture's path has an odd name")?;
        self.ask("screendump", &json!({ "filename": to, "format": "png" }))
            .map(drop)
    }

    /// The letters on the screen, where it is in VGA's text mode. `scratch` is a file that
    /// QEMU may write.
    ///
    /// # Errors
    ///
    /// When the machine is gone or refuses.
    pub fn screen(&mut self, scratch: &Path) -> Result<String> {
        let (start, size) = VGA_TEXT;
        let to = scratch
            .to_str()
            .context("the folder for a guest has an odd name")?;
        self.ask(
            "pmemsave",
            &json!({ "val": start, "size": size, "filename": to }),
        )?;
        let cells = std::fs::read(scratch).context("reading the screen that QEMU saved")?;
        let rows = cells.chunks(160).map(|row| {
            let letters = row.iter().step_by(2).map(|&byte| match byte {
                b' '..=b'~' => char::from(byte),
                _ => ' ',
            });
            letters.collect::<String>().trim_end().to_owned()
        });
        Ok(rows.collect::<Vec<_>>().join("\n"))
    }

    fn ask(&mut self, command: &str, arguments: &Value) -> Result<Value> {
        let line = format!(
            "{}\n",
            json!({ "execute": command, "arguments": arguments })
        );
        self.to
            .write_all(line.as_bytes())
            .with_context(|| format!("sending {command} to QEMU"))?;
        loop {
            let mut answer = String::new();
            let got = self.from.read_line(&mut answer);
            if got.with_context(|| format!("reading QEMU's answer to {command}"))? == 0 {
                bail!("QEMU closed its monitor before it answered {command}");
            }
            let answer: Value = serde_json::from_str(&answer).context("parsing QEMU's answer")?;
            if let Some(fault) = answer.get("error") {
                bail!("QEMU refused {command}: {fault}");
            }
            if let Some(value) = answer.get("return") {
                return Ok(value.clone());
            }
        }
    }
}
