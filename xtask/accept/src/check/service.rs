//! Judging services: whether one runs, and where it takes connections.

use std::net::IpAddr;

use lab_facts::Listener;

use super::find::listed;
use crate::{Judgement, Seen, Subject};

/// That a unit of systemd is active.
pub(super) fn active(subject: &Subject<'_>, name: &str) -> Judgement {
    let unit = subject.unit(name)?;
    let evidence = format!("{name} is {} ({})", unit.active, unit.sub);
    if unit.active == "active" {
        return Ok(Seen::good(evidence));
    }
    Ok(match unit.load.as_str() {
        "not-found" => Seen::bad(format!("{name} is not there"))
            .because("Its files are not laid down, or its package is not installed.")
            .way_out("`lab status` on the machine says which unit of the lab stands still; `cargo xtask apply` lays the files down again."),
        "masked" => Seen::bad(format!("{name} is masked"))
            .because("Somebody switched it off.")
            .way_out(format!("`sudo systemctl unmask {name}`, then `sudo lab retry`.")),
        _ => Seen::bad(format!("{evidence}, its result is {}", unit.result)),
    })
}

/// That connections to a port are taken on loopback, and on loopback alone.
pub(super) fn on_loopback(subject: &Subject<'_>, port: u16) -> Judgement {
    let there = subject.listening(port)?;
    if there.is_empty() {
        return Ok(Seen::bad(format!("nothing listens on port {port}"))
            .because("The service does not run, or has another port.")
            .way_out("`lab status` on the machine says why it does not run."));
    }
    let elsewhere: Vec<String> = there
        .iter()
        .filter(|one| !one.address.is_loopback())
        .map(|one| at(one))
        .collect();
    Ok(match elsewhere.is_empty() {
        true => Seen::good(format!(
            "it listens on {} only",
            listed(there.iter().map(|one| at(one)))
        )),
        false => Seen::bad(format!("it listens on {}", listed(elsewhere))),
    })
}

/// The address as people write it, in words where it is all of them.
pub(super) fn at(one: &Listener) -> String {
    match one.address {
        IpAddr::V6(ip) => format!("[{ip}]:{}", one.port),
        IpAddr::V4(ip) => format!("{ip}:{}", one.port),
    }
}
