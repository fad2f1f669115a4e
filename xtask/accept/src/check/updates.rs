//! `updates`: what changes by itself, and what never does.

use super::find::listed;
use super::{Group, service};
use crate::{Check, Claims, Effort, Judgement, NotRun, Seen, Subject};

pub(super) static GROUP: Group = Group {
    name: "updates",
    about: "What changes by itself: security updates as described, and never the driver.",
    checks: &[CHECKS],
};

/// The timers that updates are started by.
pub(super) const TIMERS: [&str; 2] = ["apt-daily.timer", "apt-daily-upgrade.timer"];

static CHECKS: &[Check] = &[
    Check {
        id: "updates.security",
        effort: Effort::Quick,
        title: "security updates install themselves, or do not, as described",
        story: "As apt itself reads its settings (`apt-config dump`), with every file that changes them.",
        cause: "A later file in /etc/apt/apt.conf.d sets it otherwise; `dpkg-reconfigure unattended-upgrades` writes 20auto-upgrades.",
        remedy: "`grep -r Unattended-Upgrade /etc/apt/apt.conf.d` shows where it stands. Remove that line, or lay the lab's file down again: `cargo xtask apply`.",
        reference: "https://documentation.ubuntu.com/server/how-to/software/automatic-updates/",
        claims: security,
    },
    Check {
        id: "updates.timers",
        effort: Effort::Quick,
        title: "what starts the updates is switched on",
        story: "The settings say what is to be done, two timers of systemd that it is done at all.",
        cause: "Somebody stopped or masked the timers to be left in peace.",
        remedy: "`sudo systemctl unmask apt-daily.timer apt-daily-upgrade.timer && sudo systemctl enable --now apt-daily.timer apt-daily-upgrade.timer`",
        reference: "https://documentation.ubuntu.com/server/how-to/software/automatic-updates/",
        claims: timers,
    },
    Check {
        id: "updates.driver-kept",
        effort: Effort::Quick,
        title: "no unattended upgrade touches the driver or the kernel",
        story: "Besides the hold, unattended-upgrades is told to leave the driver's packages alone, and the kernel, which must not move without the driver's modules for it.",
        cause: "A later file in /etc/apt/apt.conf.d replaces the list (`Unattended-Upgrade::Package-Blacklist`).",
        remedy: "`apt-config dump | grep -i blacklist` shows it. Remove that file, or `cargo xtask apply`.",
        reference: "docs/src/reference/machine.md",
        claims: driver_kept,
    },
    Check {
        id: "updates.reboot",
        effort: Effort::Quick,
        title: "the machine restarts by itself only as described",
        story: "A restart in the middle of a training is a lost one; one that never comes leaves a kernel with holes.",
        cause: "A later file in /etc/apt/apt.conf.d sets it otherwise.",
        remedy: "`apt-config dump | grep -i automatic-reboot` shows it. Set `updates.reboot` and `cargo xtask apply`.",
        reference: "docs/src/reference/machine.md",
        claims: reboot,
    },
    Check {
        id: "updates.snapshot",
        effort: Effort::Quick,
        title: "packages come from the described moment of the archive",
        story: "Only where `updates.snapshot` is described: with `APT::Snapshot` every package is as it was then.",
        cause: "The setting was removed by hand.",
        remedy: "`cargo xtask apply` lays /etc/apt/apt.conf.d/52lab-updates down again.",
        reference: "docs/src/reference/machine.md",
        claims: snapshot,
    },
];

/// The values of an apt setting. apt takes names in any case, and prints a list's values
/// under the name with `::` behind it.
fn values<'a>(subject: &Subject<'a>, name: &str) -> Result<Vec<&'a str>, NotRun> {
    let all = subject.software()?.apt_config.get()?.iter();
    let same = |key: &str| key.trim_end_matches("::").eq_ignore_ascii_case(name);
    let found = all
        .filter(|(key, _)| same(key))
        .flat_map(|(_, values)| values);
    Ok(found
        .map(String::as_str)
        .filter(|value| !value.is_empty())
        .collect())
}

/// The value of a setting that has one: apt takes the last.
fn value<'a>(subject: &Subject<'a>, name: &str) -> Result<&'a str, NotRun> {
    Ok(values(subject, name)?.last().copied().unwrap_or_default())
}

/// What apt takes for yes; a period in days counts, too.
fn is_on(value: &str) -> bool {
    !matches!(
        value.to_ascii_lowercase().as_str(),
        "" | "0" | "false" | "no" | "off" | "without" | "disable"
    )
}

fn security(subject: &Subject<'_>, claims: &mut Claims<'_>) {
    let wanted = subject.machine.updates.security;
    let claim = match wanted {
        true => "security updates install themselves",
        false => "nothing is updated by itself",
    };
    claims.claim("updates.security", claim, || {
        let upgrade = value(subject, "APT::Periodic::Unattended-Upgrade")?;
        let lists = value(subject, "APT::Periodic::Update-Package-Lists")?;
        let evidence =
            format!("Unattended-Upgrade is `{upgrade}`, Update-Package-Lists is `{lists}`");
        let good = match wanted {
            true => is_on(upgrade) && is_on(lists),
            false => !is_on(upgrade),
        };
        Ok(Seen::when(good, evidence))
    });
}

fn timers(subject: &Subject<'_>, claims: &mut Claims<'_>) {
    if subject.machine.updates.security {
        for timer in TIMERS {
            claims.claim_of(timer, "updates.security", format!("{timer} is on"), || {
                service::active(subject, timer)
            });
        }
    }
}

/// Packages of the kernel, which must wait with the driver.
const KERNEL: &str = "linux-image-generic";

fn driver_kept(subject: &Subject<'_>, claims: &mut Claims<'_>) {
    if subject.machine.driver.enabled {
        claims.claim(
            "driver.branch",
            "unattended upgrades leave driver and kernel alone",
            || kept(subject),
        );
    }
}

fn kept(subject: &Subject<'_>) -> Judgement {
    let driver = subject.expected_unit("driver");
    let driver = driver.ok_or("the evidence does not say which packages the driver has")?;
    let list = values(subject, "Unattended-Upgrade::Package-Blacklist")?;
    // Each entry is a pattern that is matched at the beginning of a name.
    let listed_there = |name: &&str| {
        list.iter()
            .any(|entry| name.starts_with(entry.trim_start_matches('^')))
    };
    let names = driver
        .packages
        .iter()
        .map(|package| package.name.as_str())
        .chain([KERNEL]);
    let (_, loose): (Vec<&str>, Vec<&str>) = names.partition(listed_there);
    Ok(match loose.is_empty() {
        true => Seen::good(format!("left alone: {}", listed(list))),
        false => Seen::bad(format!(
            "left alone are {}, which lets {} move",
            listed(list),
            listed(loose)
        )),
    })
}

fn reboot(subject: &Subject<'_>, claims: &mut Claims<'_>) {
    let wanted = subject.machine.updates.reboot.as_ref();
    let claim = match wanted {
        Some(time) => format!("it restarts by itself at {time}"),
        None => "it never restarts by itself".to_owned(),
    };
    claims.claim("updates.reboot", claim, || {
        let on = is_on(value(subject, "Unattended-Upgrade::Automatic-Reboot")?);
        let time = value(subject, "Unattended-Upgrade::Automatic-Reboot-Time")?;
        let good = match wanted {
            Some(wanted) => on && time == wanted.as_str(),
            None => !on,
        };
        let evidence = match on {
            true => format!("it restarts by itself, at `{time}`"),
            false => "it does not restart by itself".to_owned(),
        };
        Ok(Seen::when(good, evidence))
    });
}

fn snapshot(subject: &Subject<'_>, claims: &mut Claims<'_>) {
    if let Some(wanted) = &subject.machine.updates.snapshot {
        claims.claim(
            "updates.snapshot",
            format!("packages are those of {wanted}"),
            || {
                let found = value(subject, "APT::Snapshot")?;
                Ok(Seen::when(
                    found == wanted.as_str(),
                    format!("APT::Snapshot is `{found}`"),
                ))
            },
        );
    }
}
