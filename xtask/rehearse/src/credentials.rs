//! What a virtual machine tells the system that starts on it, without a change to the image:
//! systemd's credentials (systemd.system-credentials(7)), which belong to the machine as its
//! serial number does.
//!
//! `tmpfiles.extra` (systemd 252) lays down files at every start; `systemd.extra-unit.*` and
//! `systemd.unit-dropin.*` (systemd 256) start two units: one lays the cards on the bus, the
//! other copies the journal to the first serial port. Ubuntu 24.04 has systemd 255, which
//! takes the files and not the units: there the console stays silent and no cards appear.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use lab_machine::Machine;

use crate::cards::{self, OnBus};
use crate::disk::comma;

/// Where the files lie in the guest.
const FOLDER: &str = "/run/lab-rehearsal";

const CARDS_UNIT: &str = "lab-rehearsal-cards.service";
const CONSOLE_UNIT: &str = "lab-rehearsal-console.service";

const CARDS: &str = "[Unit]\nDescription=Cards of the rehearsal on the bus\nDefaultDependencies=no\n\
    After=systemd-tmpfiles-setup.service local-fs.target\nBefore=sysinit.target\n\n\
    [Service]\nType=oneshot\nRemainAfterExit=yes\nExecStart=/bin/sh /run/lab-rehearsal/bus\n";

const CONSOLE: &str = "[Unit]\nDescription=The journal on the rehearsal's serial port\nDefaultDependencies=no\n\
    After=systemd-journald.service systemd-tmpfiles-setup-dev.service\n\n\
    [Service]\nExecStart=journalctl --boot --follow --lines=all --no-hostname --output=short-monotonic\n\
    StandardOutput=file:/dev/ttyS0\nStandardError=null\nRestart=always\nRestartSec=1\n";

/// Both are wanted by what every system starts first.
const DROPIN: &str = "[Unit]\nWants=lab-rehearsal-cards.service lab-rehearsal-console.service\n\
    After=lab-rehearsal-cards.service\n";

/// What the machine says: cards on its bus, and how much memory it claims.
#[derive(Clone, Debug, Default)]
pub struct Said {
    /// The cards on its bus.
    pub on_bus: Vec<OnBus>,
    /// The file of cards for the mock libraries; nothing where there is none.
    pub cards: String,
    /// What `MemTotal` of `/proc/meminfo` says, in KiB, where it is not the truth.
    pub memory_kib: Option<u64>,
}

impl Said {
    /// Everything as described. `memory_mib` is what the virtual machine really has.
    #[must_use]
    pub fn of(machine: &Machine, memory_mib: u64) -> Self {
        let on_bus = cards::on_bus(machine);
        let described = machine.identity.memory_gib.map(|gib| u64::from(gib) << 20);
        Self {
            cards: cards::file(machine, &on_bus),
            on_bus,
            // A real machine keeps some of it to itself.
            memory_kib: described
                .filter(|kib| *kib > memory_mib << 10)
                .map(|kib| kib / 100 * 98),
        }
    }

    /// QEMU's arguments for it; the files that they name are written into `folder`.
    ///
    /// # Errors
    ///
    /// When a file cannot be written.
    pub(crate) fn arguments(&self, folder: &Path) -> Result<Vec<String>> {
        let files = write(folder, "tmpfiles.extra", &self.tmpfiles())?;
        let mut all = vec![
            "-fw_cfg".to_owned(),
            format!(
                "name=opt/io.systemd.credentials/tmpfiles.extra,file={}",
                comma(&files.to_string_lossy())
            ),
        ];
        for (name, text) in [
            (format!("systemd.extra-unit.{CARDS_UNIT}"), CARDS),
            (format!("systemd.extra-unit.{CONSOLE_UNIT}"), CONSOLE),
            ("systemd.unit-dropin.sysinit.target".to_owned(), DROPIN),
        ] {
            let line = format!(
                "io.systemd.credential.binary:{name}={}",
                BASE64.encode(text)
            );
            let place = write(folder, &name, &line)?;
            all.push("-smbios".to_owned());
            all.push(format!("type=11,path={}", comma(&place.to_string_lossy())));
        }
        Ok(all)
    }

    /// Lines of tmpfiles.d(5).
    fn tmpfiles(&self) -> String {
        let mut lines = String::new();
        let mut file = |place: &str, mode: &str, text: &str| {
            // `~`: the content is base64. `+`: whatever lies there is replaced.
            let _ = writeln!(lines, "f+~ {place} {mode} - - - {}", BASE64.encode(text));
        };
        file(&format!("{FOLDER}/bus"), "0755", cards::BUS);
        for card in &self.on_bus {
            for (name, text) in card.files() {
                let place = format!("{FOLDER}/cards/{}/{name}", card.address);
                file(&place, "0644", &text);
            }
        }
        let memory = self.memory_kib.map(|kib| kib.to_string());
        file(
            &format!("{FOLDER}/memory_kib"),
            "0644",
            &memory.unwrap_or_default(),
        );
        if !self.cards.is_empty() {
            for (name, text) in [
                ("modprobe", cards::MODPROBE),
                ("modinfo", cards::MODINFO),
                ("lsmod", cards::LSMOD),
            ] {
                file(&format!("/usr/local/sbin/{name}"), "0755", text);
            }
            file("/etc/mock-nvml.toml", "0644", &self.cards);
        }
        lines
    }
}

fn write(folder: &Path, name: &str, text: &str) -> Result<PathBuf> {
    let place = folder.join(name);
    fs::write(&place, text).with_context(|| format!("writing {}", place.display()))?;
    Ok(place)
}
