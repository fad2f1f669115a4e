//! A machine that converges among the upstreams of a run.

use std::fs;
use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::installed::{account, lay_down};
use crate::{Described, Guest, Hardware, Snapshot, Upstreams};

const FILES: &[(&str, &str)] = &[
    ("setup.sh", include_str!("machine/setup.sh")),
    ("hardware", include_str!("machine/hardware")),
    (
        "lab-test-hardware.service",
        include_str!("machine/lab-test-hardware.service"),
    ),
    ("modprobe", lab_rehearse::cards::MODPROBE),
    ("modinfo", lab_rehearse::cards::MODINFO),
    ("lsmod", lab_rehearse::cards::LSMOD),
];

/// What `systemctl` says of the lab's units, one line each.
const UNITS: &str = "systemctl show --property=Id,ActiveState,SubState,Result 'lab-*.service' lab.target \
     | awk -v RS= '{ gsub(/\\n/, \" \"); print }'";

impl Guest {
    /// Starts a machine in the network of the upstreams, with these cards and the image's
    /// files laid down, which has not started with them yet: [`Guest::restart`] is its
    /// first boot.
    ///
    /// # Errors
    ///
    /// When Docker refuses, or the files cannot be laid down.
    pub fn installed_among(
        image: &(String, String),
        described: &Described,
        hardware: &Hardware,
        upstreams: &Upstreams,
    ) -> Result<Self> {
        let guest = Self::stock_among(image, described, hardware, upstreams)?;
        guest.ok(&account(described))?;
        lay_down(&guest, described)?;
        Ok(guest)
    }

    /// Starts a machine in the network of the upstreams, with these cards and nothing of
    /// the lab.
    ///
    /// # Errors
    ///
    /// When Docker refuses, or the machine's world cannot be set up.
    pub fn stock_among(
        image: &(String, String),
        described: &Described,
        hardware: &Hardware,
        upstreams: &Upstreams,
    ) -> Result<Self> {
        let files = files(described.scratch(), upstreams)?;
        let guest = Self::among(image, Some((&described.cdrom(), &files)), upstreams)?;
        guest.ok("sh /lab-test/setup.sh")?;
        hardware.build_into(&guest)?;
        Ok(guest)
    }

    /// Starts a machine with these cards, a medium and no network, and nothing of the lab.
    ///
    /// # Errors
    ///
    /// When Docker refuses, or the machine's world cannot be set up.
    pub fn alone_among(
        image: &(String, String),
        described: &Described,
        cdrom: &Path,
        hardware: &Hardware,
        upstreams: &Upstreams,
    ) -> Result<Self> {
        let files = files(described.scratch(), upstreams)?;
        let guest = Self::alone(image, cdrom, &files)?;
        guest.ok("sh /lab-test/setup.sh")?;
        hardware.build_into(&guest)?;
        Ok(guest)
    }

    /// Starts a machine from a snapshot, in the network of the upstreams.
    ///
    /// # Errors
    ///
    /// When Docker refuses, or systemd does not come up.
    pub fn from_snapshot(snapshot: &Snapshot, upstreams: &Upstreams) -> Result<Self> {
        Self::among(snapshot.image(), None, upstreams)
    }

    /// Waits until `lab.target` is reached, and says how long that took.
    ///
    /// # Errors
    ///
    /// When a unit of the lab fails for good, or it takes longer than this; with what
    /// `lab status` says and the journal of the units that are not ready.
    pub fn converged(&self, within: Duration) -> Result<Duration> {
        let begin = Instant::now();
        loop {
            let state = self.sh("systemctl is-active lab.target")?;
            if state.text.trim() == "active" {
                return Ok(begin.elapsed());
            }
            let units = self.ok(UNITS)?;
            let failed: Vec<_> = units
                .lines()
                .filter(|line| line.contains("ActiveState=failed"))
                .collect();
            if !failed.is_empty() {
                bail!(
                    "the machine stands still: {}\n{}",
                    failed.join("\n"),
                    self.story()
                );
            }
            if begin.elapsed() > within {
                bail!(
                    "lab.target was not reached in {} s\n{units}\n{}",
                    within.as_secs(),
                    self.story()
                );
            }
            sleep(Duration::from_millis(250));
        }
    }

    /// What a person would look at first, where the machine is not ready.
    #[must_use]
    pub fn story(&self) -> String {
        let script = "lab status; systemctl list-jobs --no-pager\n\
             systemctl list-units --no-pager --plain --no-legend --all 'lab-*.service' \
             | awk '$3 != \"active\" { print $1 }' | while read -r unit; do\n\
             echo \"--- $unit\"; journalctl --no-pager --output=cat -n 40 --unit \"$unit\"; done";
        match self.sh(script) {
            Ok(said) => said.text,
            Err(error) => format!("and it does not say why: {error:#}"),
        }
    }
}

/// What the machine's world is set up from, in a folder.
fn files(scratch: &Path, upstreams: &Upstreams) -> Result<std::path::PathBuf> {
    let folder = scratch.join("lab-test");
    fs::create_dir_all(&folder).with_context(|| format!("making {}", folder.display()))?;
    let authority = upstreams.authority();
    let authority = fs::read_to_string(authority)
        .with_context(|| format!("reading {}", authority.display()))?;
    let own = [
        ("authority.crt", authority.as_str()),
        ("ubuntu.asc", upstreams.ubuntu_key()?),
    ];
    for (name, text) in FILES.iter().chain(&own) {
        let place = folder.join(name);
        fs::write(&place, text).with_context(|| format!("writing {}", place.display()))?;
    }
    Ok(folder)
}
