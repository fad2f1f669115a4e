//! What the machine must be asked, so that the checks can judge: the probe's request,
//! and the ports that are tried from outside. It stands beside the checks, so that a
//! check and its question change together.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use lab_facts::{FORMAT, Request};
use lab_machine::Machine;

use super::{jupyter, machine, updates};
use crate::Expected;

/// What the probe must be asked of that machine.
pub fn asked(machine: &Machine, expected: &Expected) -> Request {
    let port = |on: bool, port: u16| on.then_some(port);
    Request {
        format: FORMAT,
        packages: packages(expected),
        units: units(machine, expected),
        containers: containers(machine),
        spaces: machine::spaces(machine),
        ollama: machine
            .ollama
            .enabled
            .then(|| local(machine.ollama.listen).to_string()),
        files: vec![machine::MANIFEST.to_owned()],
        objects: objects(expected),
        images: images(expected),
        jupyter_port: port(machine.jupyter.enabled, machine.jupyter.port),
        dcgan_port: port(machine.dcgan.enabled, machine.dcgan.port),
        exporter_port: port(
            machine.monitoring.exporter,
            machine.monitoring.exporter_port,
        ),
        compute: machine.driver.enabled,
    }
}

fn packages(expected: &Expected) -> Vec<String> {
    let all = expected.units.iter().flat_map(|unit| &unit.packages);
    let mut names: Vec<String> = all.map(|package| package.name.clone()).collect();
    let locked = expected.locked.iter().flat_map(|locked| &locked.packages);
    names.extend(locked.map(|package| package.name.clone()));
    names.sort();
    names.dedup();
    names
}

/// What lies on the machine of what is locked.
fn objects(expected: &Expected) -> Vec<String> {
    let Some(locked) = &expected.locked else {
        return Vec::new();
    };
    let of_models = locked.models.iter().flat_map(|model| &model.files);
    let all = locked.keys.iter().chain(&locked.files).chain(of_models);
    let paths: BTreeSet<&String> = all.map(|one| &one.path).collect();
    paths.into_iter().cloned().collect()
}

fn images(expected: &Expected) -> Vec<String> {
    let images = expected.locked.iter().flat_map(|locked| &locked.images);
    images.map(|one| one.tag.clone()).collect()
}

fn units(machine: &Machine, expected: &Expected) -> Vec<String> {
    let mut units = vec!["lab.target".to_owned(), "lab-firewall.service".to_owned()];
    let own = expected.units.iter();
    units.extend(own.map(|unit| format!("lab-{}.service", unit.name)));
    units.extend(updates::TIMERS.map(str::to_owned));
    for (on, name) in [
        (machine.driver.enabled, "nvidia-persistenced.service"),
        (machine.docker.enabled, "docker.service"),
        (machine.ollama.enabled, "ollama.service"),
        (machine.jupyter.enabled, "jupyter.service"),
        (machine.dcgan.enabled, "dcgan.service"),
        (machine.dcgan.enabled, super::dcgan::SERVICE),
        (machine.monitoring.exporter, "lab-exporter.socket"),
    ] {
        units.extend(on.then(|| name.to_owned()));
    }
    units
}

/// The containers of the lab that the description asks for.
pub(super) fn containers(machine: &Machine) -> Vec<String> {
    let all = jupyter::containers(machine).into_iter();
    all.map(|one| one.name.to_owned()).collect()
}

/// Where something that listens at that address is asked on the machine itself.
fn local(listen: SocketAddr) -> SocketAddr {
    let ip = match listen.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
        ip => ip,
    };
    SocketAddr::new(ip, listen.port())
}

/// Ports that nobody should reach unless the description says so: Docker's API, a plain
/// web server, an rpcbind that came along with some package.
const TEMPTING: [u16; 6] = [80, 111, 443, 2375, 2376, 5000];

/// The TCP ports that must be tried from outside, in order: SSH, those of every service of
/// the lab, and some that should never be open.
pub fn outside_ports(machine: &Machine) -> Vec<u16> {
    let mut ports = vec![
        22,
        machine.ollama.listen.port(),
        machine.jupyter.port,
        machine.dcgan.port,
        machine.monitoring.exporter_port,
    ];
    ports.extend(TEMPTING);
    ports.sort_unstable();
    ports.dedup();
    ports
}
