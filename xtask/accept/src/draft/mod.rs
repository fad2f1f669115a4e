//! A description drafted from what was seen on a living machine.
//!
//! What can be seen is written, with a comment where a reader may wonder; what cannot is
//! left as a comment `To be filled in`, and named in [`Draft::open`]. Every value goes through
//! the same door as in a description ([`lab_machine::types`]) before it is written as one;
//! whatever else a machine says of itself gets into comments only, in printable ASCII.

mod cards;
mod disk;
mod memory;
mod page;
mod question;
mod workloads;

pub use question::{Question, questions};

use std::net::IpAddr;

use lab_catalog::Catalog;
use lab_facts::{Facts, Nic};
use lab_machine::types::{DmiText, HostName, MacAddress, Subnet, Timezone, UserName};

use page::{Page, quoted, shown};

/// What a person says, because the machine cannot.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Answers {
    /// The machine's name here; without it, its host name.
    pub name: Option<HostName>,
    /// Who signed in.
    pub user: Option<String>,
    /// What the power supply gives, in watts.
    pub power_supply_w: Option<u32>,
    /// The kernel's name of the disk that may be written.
    pub disk: Option<String>,
    /// The fixed address that the machine keeps; without it, DHCP.
    pub fixed: Option<FixedAddress>,
    /// The path of the JSON Schema from the description, for editors.
    pub schema: Option<String>,
}

/// A fixed address, with what it needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FixedAddress {
    /// The card that has it.
    pub mac: MacAddress,
    /// The address with its network.
    pub address: Subnet,
    /// The gateway.
    pub gateway: IpAddr,
    /// Name servers.
    pub dns: Vec<IpAddr>,
}

/// A drafted description.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Draft {
    /// The machine's name, where one is known.
    pub name: Option<HostName>,
    /// The text of machine.toml.
    pub text: String,
    /// What a person has to fill in: the key, and why.
    pub open: Vec<String>,
}

/// Drafts the description of the machine that `facts` were seen on.
#[must_use]
pub fn draft(facts: &Facts, catalog: &Catalog, answers: &Answers) -> Draft {
    let mut page = Page::default();
    if let Some(schema) = &answers.schema {
        page.line(&format!("#:schema {schema}"));
    }
    page.comment(
        "Drafted by `cargo xtask init` from what the machine says of itself: read it before you build from it. \
         Every key that is left out has a default; docs/reference/machine.md lists them all.",
    );
    let name = name(facts, answers);
    write_machine(&mut page, facts, catalog, answers, name.as_ref());
    let cards = cards::find(facts, catalog);
    cards::write(&mut page, &cards, facts, catalog);
    write_ubuntu(&mut page, facts, catalog);
    disk::write(&mut page, facts, answers.disk.as_deref());
    write_network(&mut page, facts, answers);
    write_access(&mut page, answers);
    workloads::write(&mut page, &cards, facts, catalog);
    let (text, open) = page.done();
    Draft { name, text, open }
}

/// The name that was given, else the first part of the host name.
fn name(facts: &Facts, answers: &Answers) -> Option<HostName> {
    let own = || {
        let whole = facts.system.hostname.known()?.to_lowercase();
        whole.split('.').next()?.parse().ok()
    };
    answers.name.clone().or_else(own)
}

fn write_machine(
    page: &mut Page,
    facts: &Facts,
    catalog: &Catalog,
    answers: &Answers,
    name: Option<&HostName>,
) {
    page.table("[machine]");
    match name {
        Some(name) => page.set("name", name.as_str()),
        None => page.fill_in(
            "name",
            "\"gpu-server\"",
            "the machine has no name of its own",
        ),
    }
    match facts.system.dmi.get() {
        Ok(dmi) => {
            write_dmi(page, "vendor", &dmi.vendor);
            write_dmi(page, "product", &dmi.product);
        }
        Err(why) => {
            let why = format!(
                "the firmware's own name of it is not known ({})",
                shown(why)
            );
            page.fill_in("product", "\"HP Z440 Workstation\"", &why);
        }
    }
    write_memory(page, facts);
    if let Some(firmware) = facts.system.firmware.known() {
        let firmware = match firmware {
            lab_facts::Firmware::Uefi => "uefi",
            lab_facts::Firmware::Bios => "bios",
        };
        page.set("firmware", firmware);
    }
    match answers.power_supply_w {
        Some(watts) => page.set("power_supply_w", i64::from(watts)),
        None => write_power_supply(page, facts, catalog),
    }
}

fn write_power_supply(page: &mut Page, facts: &Facts, catalog: &Catalog) {
    let sold = question::sold_with(facts, catalog);
    let watts: Vec<String> = sold.iter().map(ToString::to_string).collect();
    let mut why = "what the power supply gives stands on its label only".to_owned();
    if !watts.is_empty() {
        why.push_str(&format!(
            "; this model was sold with {} W",
            watts.join(", ")
        ));
    }
    let example = watts.first().map_or("700", String::as_str);
    page.fill_in("power_supply_w", example, &why);
}

fn write_dmi(page: &mut Page, key: &str, said: &str) {
    match said.parse::<DmiText>() {
        Ok(text) => page.set(key, text.as_str()),
        Err(_) => {
            let why = format!("what the firmware says cannot stand here: {}", shown(said));
            page.fill_in(key, "\"...\"", &why);
        }
    }
}

fn write_memory(page: &mut Page, facts: &Facts) {
    let fitted = match facts.system.memory_kib.get() {
        Ok(kib) => memory::fitted_gib(*kib).map(|gib| (gib, kib * 10 / (1 << 20))),
        Err(_) => None,
    };
    match fitted {
        Some((gib, tenths)) => {
            page.comment(&format!(
                "The kernel has {}.{} GiB of what is fitted.",
                tenths / 10,
                tenths % 10
            ));
            page.set("memory_gib", i64::from(gib));
        }
        None => page.fill_in("memory_gib", "32", "how much memory is fitted is not known"),
    }
}

fn write_ubuntu(page: &mut Page, facts: &Facts, catalog: &Catalog) {
    page.table("[ubuntu]");
    let now = facts.system.os.known();
    let point = now
        .filter(|os| os.id == "ubuntu")
        .and_then(|os| os.pretty_name.split_whitespace().nth(1));
    let releases = catalog.ubuntu_releases();
    let known = point.filter(|point| releases.iter().any(|one| one.image(point).is_some()));
    let newest = releases.last().and_then(|one| one.newest());
    match (known, newest) {
        (Some(point), _) => page.set("release", point),
        (None, Some(newest)) => {
            let now = now.map_or_else(
                || "What is on it now is not known".to_owned(),
                |os| format!("Now {} is on it", shown(&os.pretty_name)),
            );
            page.comment(&format!("{now}. The newest that the catalog knows:"));
            page.set("release", newest.release.as_str());
        }
        (None, None) => {}
    }
    write_kernel(page, facts, known.is_some(), catalog);
    let zone = facts.system.clock.timezone.known();
    match zone.map(|zone| zone.parse::<Timezone>()) {
        Some(Ok(zone)) => page.set("timezone", zone.as_str()),
        _ => page.fill_in(
            "timezone",
            "\"Europe/Berlin\"",
            "the time zone is not known",
        ),
    }
}

/// A kernel that is newer than the release's own is one of hardware enablement.
fn write_kernel(page: &mut Page, facts: &Facts, ubuntu: bool, catalog: &Catalog) {
    let Some(kernel) = facts.system.kernel.known().filter(|_| ubuntu) else {
        return;
    };
    let own = catalog.ubuntu_releases().last().map(|one| one.kernel_ga);
    let running = kernel.release.split('-').next().and_then(|text| {
        let version: lab_catalog::DottedVersion = text.parse().ok()?;
        Some((version.major(), version.minor()))
    });
    if own.is_some_and(|own| running > Some((own.major(), own.minor()))) {
        page.comment(&format!("Kernel {} runs.", shown(&kernel.release)));
        page.set("kernel", "hwe");
    }
}

/// The wired cards whose address can stand in a description.
fn wired(facts: &Facts) -> Vec<(&Nic, MacAddress)> {
    let nics = facts.system.nics.known().map_or(&[][..], Vec::as_slice);
    let wired = nics.iter().filter(|nic| !nic.wireless);
    wired
        .filter_map(|nic| Some((nic, nic.mac.parse().ok()?)))
        .collect()
}

/// The wired card that is in use, where just one is.
fn in_use(facts: &Facts) -> Option<(&Nic, MacAddress)> {
    let mut used = wired(facts)
        .into_iter()
        .filter(|(nic, _)| nic.up && !nic.addresses.is_empty());
    let first = used.next();
    first.filter(|_| used.next().is_none())
}

fn write_network(page: &mut Page, facts: &Facts, answers: &Answers) {
    page.table("[network]");
    let wired = wired(facts);
    for (nic, mac) in &wired {
        let up = if nic.up {
            "with a link"
        } else {
            "without a link"
        };
        page.comment(&format!("{}: wired, {mac}, {up}.", shown(&nic.name)));
    }
    if let Some(fixed) = &answers.fixed {
        page.set("mac", fixed.mac.as_str());
        page.set("address", fixed.address.as_str());
        page.set("gateway", fixed.gateway.to_string());
        let dns = fixed
            .dns
            .iter()
            .map(|one| toml::Value::from(one.to_string()));
        page.set("dns", dns.collect::<Vec<_>>());
        return;
    }
    if wired.len() > 1 {
        match in_use(facts) {
            Some((_, mac)) => page.set("mac", mac.as_str()),
            None => page.fill_in(
                "mac",
                &quoted("a0:8c:fd:01:02:03"),
                "which of the wired cards is used cannot be seen",
            ),
        }
    }
    page.comment(
        "Addresses come by DHCP. A fixed one needs `mac`, `address`, `gateway` and `dns`.",
    );
}

fn write_access(page: &mut Page, answers: &Answers) {
    page.table("[access]");
    let Some(user) = &answers.user else {
        page.comment("The administrator is called `lab` where nothing else stands here.");
        return;
    };
    match user.parse::<UserName>() {
        Ok(user) => {
            page.comment("Who signed in when this was drafted.");
            page.set("user", user.as_str());
        }
        Err(_) => page.comment(&format!(
            "{} signed in, who cannot be the administrator of a lab: without a line `user` that is `lab`.",
            shown(user)
        )),
    }
    page.comment(
        "Without `ssh_keys`, a key is made for this machine and kept outside of version control.",
    );
}
