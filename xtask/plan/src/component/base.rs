//! The ground that the other units stand on: packages that they use, the firewall,
//! kernel settings.

use anyhow::Result;
use lab_catalog::Catalog;
use lab_lock::Wanted;
use lab_machine::Machine;
use tera::Context;

use super::Subject;
use crate::TargetTree;
use crate::template::{render, verbatim};
use crate::unit::{Package, Unit};

/// What the scripts use: keys, downloads, JSON, archives, the firewall. An Ubuntu
/// server has most of it.
const PACKAGES: [&str; 8] = [
    "ca-certificates",
    "curl",
    "gnupg",
    "jq",
    "kmod",
    "nftables",
    "unattended-upgrades",
    "zstd",
];

/// Settings that `base` takes into use when they change. Those of SSH are among
/// them: `base` asks sshd before it reloads it.
const SETTINGS: [&str; 4] = [
    "etc/lab/firewall.nft",
    "etc/ssh/sshd_config.d/10-lab.conf",
    "etc/sysctl.d/60-lab.conf",
    "etc/systemd/journald.conf.d/10-lab.conf",
];

/// Settings that not every machine has.
const OPTIONAL: [&str; 2] = [
    "etc/systemd/resolved.conf.d/10-lab.conf",
    "etc/systemd/timesyncd.conf.d/10-lab.conf",
];

fn packages() -> impl Iterator<Item = Package> {
    PACKAGES.into_iter().map(Package::any)
}

pub(crate) fn wants(_: &Machine, _: &Catalog, wanted: &mut Wanted) -> Result<()> {
    let packages = packages().map(|one| one.wanted("base", None));
    wanted.packages.extend(packages);
    Ok(())
}

pub(crate) fn lay_down(subject: &Subject<'_>, tree: &mut TargetTree) -> Result<Option<Unit>> {
    let machine = subject.machine;
    let mut context = Context::new();
    context.insert("mdns", &machine.network.mdns);
    context.insert("ports", &open_ports(subject));
    let firewall = "etc/lab/firewall.nft";
    tree.file(firewall, 0o644, render(firewall, &context)?)?;
    let sysctl = "etc/sysctl.d/60-lab.conf";
    tree.file(sysctl, 0o644, verbatim(sysctl)?)?;
    let optional = OPTIONAL.into_iter().filter(|path| tree.get(path).is_some());
    let inputs: Vec<String> = SETTINGS
        .into_iter()
        .chain(optional)
        .map(str::to_owned)
        .collect();
    Ok(Some(Unit {
        name: "base",
        title: "the ground".to_owned(),
        needs: Vec::new(),
        follows: Vec::new(),
        minutes: 30,
        variables: Vec::new(),
        inputs,
        packages: packages().collect(),
        held: false,
    }))
}

/// What the description opens besides SSH.
fn open_ports(subject: &Subject<'_>) -> Vec<u16> {
    let ollama = &subject.machine.ollama;
    match ollama.enabled && !ollama.listen.ip().is_loopback() {
        true => vec![ollama.listen.port()],
        false => Vec::new(),
    }
}
