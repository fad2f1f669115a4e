//! The clock and the time zone, from the kernel and `/etc/localtime`, where
//! `timedatectl` has them from too.

use lab_facts::{Clock, Fact};

use crate::root::Root;

/// From this error on, in microseconds, the kernel's clock counts as not in step: the
/// bound of systemd's `ntp_synced()` and of ntp_adjtime(3).
const NOT_IN_STEP_US: i64 = 16_000_000;

/// The clock.
pub(crate) fn look(root: &Root) -> Clock {
    Clock {
        synchronized: match in_container(root) {
            true => Fact::unknown("a container has its host's clock"),
            false => synchronized().into(),
        },
        timezone: timezone(root).into(),
    }
}

/// Whether this system runs in a container.
pub(crate) fn in_container(root: &Root) -> bool {
    const SIGNS: [&str; 4] = [
        "/run/systemd/container",
        "/.dockerenv",
        "/run/.containerenv",
        "/run/host/container-manager",
    ];
    SIGNS.iter().any(|sign| root.exists(sign))
}

#[expect(unsafe_code, reason = "no safe crate has adjtimex(2)")]
fn synchronized() -> std::io::Result<bool> {
    // SAFETY: `timex` is made of integers, for which zero is a value; with `modes` zero the
    // call only writes to the structure, which outlives it.
    let (state, clock) = unsafe {
        let mut clock: libc::timex = std::mem::zeroed();
        (libc::adjtimex(&raw mut clock), clock)
    };
    match state {
        -1 => Err(std::io::Error::last_os_error()),
        _ => Ok(clock.maxerror < NOT_IN_STEP_US),
    }
}

fn timezone(root: &Root) -> Result<String, String> {
    let link = root.link("/etc/localtime");
    let zone = link.as_deref().and_then(|link| {
        let link = link.to_str()?;
        Some(link.split_once("/zoneinfo/")?.1.to_owned())
    });
    match (zone, link) {
        (Some(zone), _) => Ok(zone),
        (None, Some(link)) => Err(format!("/etc/localtime leads to {}", link.display())),
        (None, None) if root.exists("/etc/localtime") => {
            Err("/etc/localtime is a file and no link, which does not say its zone".to_owned())
        }
        // As systemd has it (localtime(5)).
        (None, None) => Ok("UTC".to_owned()),
    }
}
