//! What the tests share: the upstreams, and the machine after its first boot.

use std::sync::OnceLock;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use lab_container::harness::{self, Shared};
use lab_container::{
    Command, Described, Guest, Hardware, Snapshot, Upstreams, missing_for_upstreams, ready,
};

use crate::apply::DayTwo;

/// How long a first boot may take here, where everything is near.
pub(crate) const FIRST_BOOT: Duration = Duration::from_secs(15 * 60);

/// Device nodes in the image's files, which no container uses: where Docker's storage is
/// fuse-overlayfs, a machine from a snapshot could not remove them, and so no container.
const WITHOUT_NODES: &str = "find /var/lib/docker/vfs/dir/*/dev -type c -delete";

/// A machine that has converged, switched off.
pub(crate) struct Converged {
    pub(crate) snapshot: Snapshot,
    pub(crate) described: Described,
    /// How long the first boot took until `lab.target`.
    pub(crate) took: Duration,
}

/// Everything that tests share.
pub(crate) struct World {
    missing: OnceLock<Option<String>>,
    image: Shared<(String, String)>,
    // Before the upstreams, whose network its containers are in.
    day_two: Shared<DayTwo>,
    converged: Shared<Converged>,
    upstreams: Shared<Upstreams>,
    scratch: Shared<tempfile::TempDir>,
}

impl World {
    pub(crate) const fn new() -> Self {
        Self {
            missing: OnceLock::new(),
            image: Shared::new(),
            day_two: Shared::new(),
            converged: Shared::new(),
            upstreams: Shared::new(),
            scratch: Shared::new(),
        }
    }

    pub(crate) fn upstreams(&self) -> Result<&Upstreams> {
        let scratch = self.scratch.get(|| Ok(tempfile::tempdir()?))?;
        self.upstreams.get(|| {
            let begin = Instant::now();
            let upstreams = Upstreams::start(scratch.path()).context("starting the upstreams")?;
            println!("upstreams: {:.1} s", begin.elapsed().as_secs_f64());
            Ok(upstreams)
        })
    }

    /// The image that machines are made of.
    pub(crate) fn image(&self) -> Result<&(String, String)> {
        self.image.get(ready)
    }

    /// A machine with its files laid down, before its first boot.
    pub(crate) fn installed(&self) -> Result<(Guest, Described)> {
        let upstreams = self.upstreams()?;
        let described = Described::by(upstreams.catalog(), &[])?;
        let hardware = Hardware::z440()?;
        let image = self.image.get(ready)?;
        let guest = Guest::installed_among(image, &described, &hardware, upstreams)?;
        Ok((guest, described))
    }

    /// A machine with nothing of the lab on it, before its first boot.
    pub(crate) fn stock(&self) -> Result<(Guest, Described)> {
        let upstreams = self.upstreams()?;
        let described = Described::by(upstreams.catalog(), &[])?;
        let image = self.image.get(ready)?;
        let guest = Guest::stock_among(image, &described, &Hardware::z440()?, upstreams)?;
        Ok((guest, described))
    }

    /// A machine of its own that has converged and runs, and the computer that made it.
    pub(crate) fn living(&self) -> Result<(Guest, Command)> {
        let converged = self.converged()?;
        let upstreams = self.upstreams()?;
        let command = Command::new(&converged.described, upstreams)?;
        let guest = Guest::from_snapshot(&converged.snapshot, upstreams)?;
        guest.converged(FIRST_BOOT)?;
        Ok((guest, command))
    }

    /// The machine of day two, which its tests share.
    pub(crate) fn day_two(&self) -> Result<&DayTwo> {
        self.day_two.get(|| DayTwo::new(self))
    }

    /// The machine after its first boot.
    pub(crate) fn converged(&self) -> Result<&Converged> {
        self.converged.get(|| {
            let (guest, described) = self.installed()?;
            let begin = Instant::now();
            guest.restart()?;
            let login = begin.elapsed();
            guest.converged(FIRST_BOOT)?;
            let took = begin.elapsed();
            println!(
                "first boot: login after {:.1} s, lab.target after {:.1} s",
                login.as_secs_f64(),
                took.as_secs_f64()
            );
            guest.ok(WITHOUT_NODES)?;
            guest.ok("sync")?;
            guest.kill()?;
            let snapshot = guest.snapshot()?;
            Ok(Converged {
                snapshot,
                described,
                took,
            })
        })
    }
}

impl harness::World for World {
    fn missing(&self) -> Option<&str> {
        self.missing.get_or_init(missing_for_upstreams).as_deref()
    }
}
