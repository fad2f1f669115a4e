//! The system: release, kernel, clock, room, failed units.

use lab_catalog::{DottedVersion, UbuntuRelease};
use lab_facts::Space;
use lab_machine::section::ubuntu::Kernel;

use super::super::find::listed;
use super::spaces;
use crate::{Check, Claims, Effort, Judgement, NotRun, Seen, Subject};

pub(super) static CHECKS: &[Check] = &[
    Check {
        id: "machine.installed",
        effort: Effort::Quick,
        title: "the installed system runs, not the installer's",
        story: "The live system of an installation stick also answers over SSH, and everything on it is gone at the next start.",
        cause: "The machine was started from the stick, or the installation has not ended.",
        remedy: "Pull the stick out and restart, or choose *Start the installed lab* in its menu.",
        reference: "docs/src/how-to/guard.md",
        claims: installed,
    },
    Check {
        id: "machine.release",
        effort: Effort::Quick,
        title: "the described release of Ubuntu is installed",
        story: "The series must be the described one, and the point release at least that: updates move it on by themselves.",
        cause: "Another system is installed, or the machine was installed from an older image and was never updated.",
        remedy: "`cat /etc/os-release` shows it. For an older point release `sudo apt-get update && sudo apt-get upgrade`; for another series install again.",
        reference: "docs/src/reference/machine.md",
        claims: release,
    },
    Check {
        id: "machine.kernel",
        effort: Effort::Quick,
        title: "the described kernel runs",
        story: "`ga` stays with the release's own kernel, `hwe` moves on. The driver's modules are built for one of them: with the other there is no module after the next kernel update.",
        cause: "The other kernel was installed by hand or by a metapackage, or an old one was chosen in GRUB's menu.",
        remedy: "`dpkg -l 'linux-image*'` shows what is installed. Remove the metapackage that is not described (`linux-generic` or `linux-generic-hwe-24.04`), install the other, and restart.",
        reference: "https://ubuntu.com/kernel/lifecycle",
        claims: kernel,
    },
    Check {
        id: "machine.time-sync",
        effort: Effort::Quick,
        title: "the clock is in step with a time server",
        story: "With a wrong clock certificates and signatures are refused, and updates stop. The kernel knows whether a time server keeps it.",
        cause: "No time server can be reached (UDP port 123 is often closed), or the battery of the board is empty and the clock jumped.",
        remedy: "`timedatectl timesync-status` shows the server. Name one that can be reached in `ubuntu.ntp`; your router often is one.",
        reference: "docs/src/reference/machine.md",
        claims: time_sync,
    },
    Check {
        id: "machine.clock",
        effort: Effort::Quick,
        title: "the clock shows the same time as the one here",
        story: "Asked from this side, less than a minute apart. It finds a clock that is in step with a wrong server, and one here that is wrong.",
        cause: "One of the two clocks is wrong.",
        remedy: "Compare both with a third: `timedatectl` on the machine and here. On the machine, look at `timedatectl timesync-status`.",
        reference: "docs/src/reference/machine.md",
        claims: clock,
    },
    Check {
        id: "machine.timezone",
        effort: Effort::Quick,
        title: "the described time zone is set",
        story: "Logs, timers and the hour of an automatic restart follow it.",
        cause: "Somebody changed it on the machine.",
        remedy: "`sudo timedatectl set-timezone ZONE` with the zone of `ubuntu.timezone`.",
        reference: "docs/src/reference/machine.md",
        claims: timezone,
    },
    Check {
        id: "machine.hostname",
        effort: Effort::Quick,
        title: "the machine bears the described name",
        story: "It answers to this name in the local network, and it tells two machines of one model apart.",
        cause: "This is another machine, or somebody changed its name.",
        remedy: "`sudo hostnamectl hostname NAME` with the name of `machine.name`, if this is the right machine.",
        reference: "docs/src/reference/machine.md",
        claims: hostname,
    },
    Check {
        id: "machine.space",
        effort: Effort::Quick,
        title: "there is room on the disk",
        story: "At least a tenth and 5 GB must be free where the system and Docker's images lie, and inodes must be left. A full disk stops updates, logs and every unit at some odd place.",
        cause: "Models, container images, checkpoints or logs filled it.",
        remedy: "`sudo du -xhd 2 / | sort -h | tail` shows where it went. `docker system prune`, `ollama rm MODEL`, `sudo apt-get clean` and `sudo journalctl --vacuum-size=100M` make room.",
        reference: "docs/src/how-to/troubleshoot.md",
        claims: space,
    },
    Check {
        id: "machine.failed-units",
        effort: Effort::Quick,
        title: "no unit of systemd failed",
        story: "All units of the system, not only those of the lab.",
        cause: "A service ended with an error since the machine was started.",
        remedy: "`systemctl --failed` lists them, `journalctl -u UNIT -b` says why. When the reason is gone: `sudo systemctl reset-failed`.",
        reference: "docs/src/how-to/troubleshoot.md",
        claims: failed_units,
    },
    Check {
        id: "machine.reboot",
        effort: Effort::Quick,
        title: "no update waits for a restart",
        story: "A kernel or library that was replaced is used from the next start on. Until then the machine runs what has the hole that the update closed, and the next start is one that nobody tried.",
        cause: "Updates were installed by themselves, and the description lets the machine not restart by itself (`updates.reboot`).",
        remedy: "`sudo reboot` when nothing is computing, or set an hour in `updates.reboot`.",
        reference: "docs/src/reference/machine.md",
        claims: reboot,
    },
];

fn installed(subject: &Subject<'_>, claims: &mut Claims<'_>) {
    claims.claim("", "the root file system is an installed one", || {
        let root = subject.system()?.root.get()?;
        Ok(Seen::when(
            !root.live,
            format!("/ is {} ({})", root.source, root.fstype),
        ))
    });
}

/// The series that the description's release belongs to.
fn series<'a>(subject: &Subject<'a>) -> Result<&'a UbuntuRelease, NotRun> {
    let release = subject.machine.ubuntu.release.as_str();
    let mut known = subject.catalog.ubuntu_releases().iter();
    let found = known.find(|one| one.image(release).is_some());
    found.ok_or_else(|| NotRun(format!("the catalog does not know Ubuntu {release}")))
}

/// The number behind the series: 5 of `24.04.5`, 0 of `24.04`.
fn point(release: &str, series: &str) -> Option<u32> {
    let rest = release.strip_prefix(series)?;
    match rest.strip_prefix('.') {
        Some(number) => number.parse().ok(),
        None => rest.is_empty().then_some(0),
    }
}

fn release(subject: &Subject<'_>, claims: &mut Claims<'_>) {
    let wanted = subject.machine.ubuntu.release.as_str();
    claims.claim(
        "ubuntu.release",
        format!("Ubuntu {wanted} or a later point of it"),
        || {
            let series = &series(subject)?.version;
            let os = subject.system()?.os.get()?;
            let points = os
                .pretty_name
                .split(' ')
                .filter_map(|word| point(word, series));
            let newest = points.max().unwrap_or(0);
            let late = point(wanted, series).is_some_and(|wanted| newest >= wanted);
            let good = os.id == "ubuntu" && os.version_id == *series && late;
            Ok(Seen::when(
                good,
                format!("{} ({} {})", os.pretty_name, os.id, os.version_id),
            ))
        },
    );
}

fn kernel(subject: &Subject<'_>, claims: &mut Claims<'_>) {
    let kernel = subject.machine.ubuntu.kernel;
    let claim = format!("the kernel of {}", kernel.package());
    claims.claim("ubuntu.kernel", claim, || right_kernel(subject, kernel));
}

fn right_kernel(subject: &Subject<'_>, wanted: Kernel) -> Judgement {
    let ga = series(subject)?.kernel_ga;
    let release = &subject.system()?.kernel.get()?.release;
    let evidence = format!("{release} runs; the release's own kernel is {ga}");
    let version = release
        .split('-')
        .next()
        .and_then(|number| number.parse().ok());
    let Some(version): Option<DottedVersion> = version else {
        return Ok(Seen::bad(evidence));
    };
    let flavour = release.ends_with("-generic");
    let right = match wanted {
        Kernel::Ga => version.is_in_series(&ga),
        Kernel::Hwe => version > ga && !version.is_in_series(&ga),
    };
    Ok(Seen::when(flavour && right, evidence))
}

fn time_sync(subject: &Subject<'_>, claims: &mut Claims<'_>) {
    claims.claim("ubuntu.ntp", "the clock is kept by a time server", || {
        let good = *subject.system()?.clock.synchronized.get()?;
        Ok(Seen::when(
            good,
            match good {
                true => "the kernel's clock is in step",
                false => "the kernel's clock is not in step with any server",
            },
        ))
    });
}

/// How far the clocks may be apart, in milliseconds.
const MOST_APART_MS: u64 = 60_000;

fn clock(subject: &Subject<'_>, claims: &mut Claims<'_>) {
    claims.claim(
        "",
        "both clocks show the same time, within a minute",
        || {
            let ahead = *subject.evidence.clock_ahead_ms.get()?;
            let which = if ahead < 0 { "behind" } else { "ahead of" };
            let apart = ahead.unsigned_abs();
            let evidence = format!(
                "it is {}.{:03} s {which} the clock here",
                apart / 1000,
                apart % 1000
            );
            Ok(Seen::when(apart < MOST_APART_MS, evidence))
        },
    );
}

fn timezone(subject: &Subject<'_>, claims: &mut Claims<'_>) {
    let wanted = subject.machine.ubuntu.timezone.as_str();
    claims.claim(
        "ubuntu.timezone",
        format!("the time zone is {wanted}"),
        || {
            let found = subject.system()?.clock.timezone.get()?;
            // One zone with three names.
            let utc = |zone: &str| matches!(zone, "Etc/UTC" | "UTC" | "Etc/Universal" | "Etc/Zulu");
            let good = found == wanted || utc(found) && utc(wanted);
            Ok(Seen::when(good, format!("it is {found}")))
        },
    );
}

fn hostname(subject: &Subject<'_>, claims: &mut Claims<'_>) {
    let wanted = subject.machine.identity.name.as_str();
    claims.claim("machine.name", format!("its name is {wanted}"), || {
        let found = subject.system()?.hostname.get()?;
        let plain = found.split('.').next();
        Ok(Seen::when(
            plain == Some(wanted),
            format!("it calls itself {found}"),
        ))
    });
}

/// The least room in bytes, besides a tenth: an image of TensorFlow unpacked.
const LEAST_FREE_BYTES: u64 = 5_000_000_000;

/// A file system that runs out of inodes refuses files with room to spare.
const LEAST_FREE_INODES: u64 = 10_000;

fn space(subject: &Subject<'_>, claims: &mut Claims<'_>) {
    for path in spaces(subject.machine) {
        let key = if path == "/" {
            "disk.size_gb"
        } else {
            "docker.data_root"
        };
        let claim = format!("a tenth and 5 GB are free at {path}");
        claims.claim_of(&path, key, claim, || {
            let space = subject.system()?.spaces.get(&path);
            let space = space.ok_or_else(|| NotRun(format!("{path} was not asked about")))?;
            Ok(roomy(space.get()?))
        });
    }
}

fn roomy(space: &Space) -> Seen {
    let gb = |bytes: u64| bytes / 1_000_000_000;
    let (free, size) = (space.free_bytes, space.size_bytes);
    let inodes = space
        .free_inodes
        .is_none_or(|free| free >= LEAST_FREE_INODES);
    let tenth = u128::from(free) * 10 >= u128::from(size);
    let evidence = format!(
        "{} of {} GB are free at {}",
        gb(free),
        gb(size),
        space.mounted_at
    );
    match inodes {
        true => Seen::when(tenth && free >= LEAST_FREE_BYTES, evidence),
        false => Seen::bad(format!("{evidence}, but hardly an inode is"))
            .because("Millions of small files took all inodes.")
            .way_out("`sudo du --inodes -xd 3 / | sort -n | tail` shows where they are."),
    }
}

fn failed_units(subject: &Subject<'_>, claims: &mut Claims<'_>) {
    claims.claim("", "no unit failed", || {
        let systemd = subject.system()?.systemd.get()?;
        if !systemd.failed.is_empty() {
            return Ok(Seen::bad(format!("failed: {}", listed(&systemd.failed))));
        }
        let sound = !matches!(
            systemd.state.as_str(),
            "maintenance" | "stopping" | "offline"
        );
        let evidence = format!(
            "none failed; systemd {} says `{}`",
            systemd.version, systemd.state
        );
        Ok(Seen::when(sound, evidence))
    });
}

fn reboot(subject: &Subject<'_>, claims: &mut Claims<'_>) {
    claims.claim("updates.reboot", "no restart is waited for", || {
        Ok(match subject.system()?.reboot_required.get()? {
            None => Seen::good("no package wants a restart"),
            Some(packages) => Seen::bad(format!("a restart is wanted by {}", listed(packages))),
        })
    });
}
