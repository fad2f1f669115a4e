//! Faults that are planted in a machine that runs, and the claims that they break: these,
//! and no others.

use std::collections::BTreeSet;

use anyhow::{Context as _, Result, ensure};
use toml::{Table, Value};

use super::Proved;
use crate::world::World;

/// How a fault comes in.
enum Plant {
    /// By a script as root; another takes it away.
    Script(&'static str, &'static str),
    /// By a key of a card of the mock libraries.
    Card(&'static str, &'static str, &'static str),
}

use Plant::{Card, Script};

const GT1030: &str = "0000:01:00.0";
pub(super) const K2200: &str = "0000:02:00.0";
pub(super) const GTX1050TI: &str = "0000:03:00.0";

/// A fault, and what must go red.
type Fault = (Plant, &'static [&'static str]);

const FAULTS: &[Fault] = &[
    (
        Script(
            "echo Dell >/sys/class/dmi/id/sys_vendor",
            "cp /etc/lab-test/dmi/* /sys/class/dmi/id/",
        ),
        &["machine.vendor"],
    ),
    (
        Script(
            "echo 'HP Z420 Workstation' >/sys/class/dmi/id/product_name",
            "cp /etc/lab-test/dmi/* /sys/class/dmi/id/",
        ),
        &["machine.product"],
    ),
    (
        Script(
            "cp /run/lab-test.meminfo /run/m; sed 's/^MemTotal:.*/MemTotal: 16000000 kB/' /run/m >/run/lab-test.meminfo",
            "cat /run/m >/run/lab-test.meminfo",
        ),
        &["machine.memory"],
    ),
    (
        Script("hostname other", "hostname gpu-server"),
        &["machine.hostname"],
    ),
    (
        Script(
            "touch /run/reboot-required; echo linux-base >/run/reboot-required.pkgs",
            "rm /run/reboot-required*",
        ),
        &["machine.reboot"],
    ),
    (
        Script(
            "! systemd-run --quiet --wait --unit=lab-test-fails false",
            "systemctl reset-failed lab-test-fails.service",
        ),
        &["machine.failed-units"],
    ),
    (
        Script(
            "cp -p /etc/lab/release /run/r; sed -i 's/^LAB_DESCRIPTION=.*/LAB_DESCRIPTION=00/' /etc/lab/release",
            "cp -p /run/r /etc/lab/release",
        ),
        &["machine.description", "machine.differences"],
    ),
    (
        Script(
            "mv /sys/bus/pci/devices/0000:02:00.0 /run/card",
            "mv /run/card /sys/bus/pci/devices/0000:02:00.0",
        ),
        &["gpu.on-bus[k2200]"],
    ),
    (
        Script(
            "cp -R /sys/bus/pci/devices/0000:03:00.0 /sys/bus/pci/devices/0000:04:00.0",
            "rm -r /sys/bus/pci/devices/0000:04:00.0",
        ),
        &["gpu.undescribed"],
    ),
    (
        Script("mkdir /sys/module/nouveau", "rmdir /sys/module/nouveau"),
        &["gpu.nouveau"],
    ),
    (
        Script(
            "mkdir -p /sys/bus/pci/drivers/vfio-pci; ln -sfn /sys/bus/pci/drivers/vfio-pci /sys/bus/pci/devices/0000:01:00.0/driver",
            "ln -sfn /sys/bus/pci/drivers/nvidia /sys/bus/pci/devices/0000:01:00.0/driver",
        ),
        &["gpu.bound[gt1030]"],
    ),
    (
        Script(
            "systemctl stop nvidia-persistenced",
            "systemctl start nvidia-persistenced",
        ),
        &[
            "gpu.persistence-daemon",
            "gpu.persistence[gt1030]",
            "gpu.persistence[k2200]",
            "gpu.persistence[gtx1050ti]",
        ],
    ),
    (
        Card(GT1030, "temperature_c", "104"),
        &["gpu.temperature[gt1030]"],
    ),
    (
        Card(GTX1050TI, "pcie_now", "[1, 4]"),
        &["gpu.pcie-width[gtx1050ti]"],
    ),
    (
        Card(GT1030, "memory_total_mib", "1024"),
        &["gpu.memory[gt1030]"],
    ),
    (
        Card(GTX1050TI, "cuda_fault", "\"wrong-result\""),
        &["gpu.compute[gtx1050ti]"],
    ),
    (
        Card(GTX1050TI, "cuda_fault", "\"bad-memory\""),
        &["gpu.compute-memory[gtx1050ti]"],
    ),
    (
        Card(K2200, "cuda_bandwidth_mb_s", "9000"),
        &["gpu.bandwidth[k2200]"],
    ),
    (
        Script(
            "useradd -m -s /bin/bash -p '' nobodyknows",
            "userdel -r nobodyknows 2>/dev/null",
        ),
        &["access.empty-passwords"],
    ),
    (
        Script(
            "chmod 0644 /etc/lab/secrets/jupyter-token; chmod 0755 /etc/lab/secrets",
            "chmod 0600 /etc/lab/secrets/jupyter-token; chmod 0700 /etc/lab/secrets",
        ),
        &["access.secrets"],
    ),
    (
        Card(GTX1050TI, "throttle_reasons", "8"),
        &["gpu.throttle[gtx1050ti]"],
    ),
    (
        Card(K2200, "fault", "\"gpu-is-lost\""),
        &[
            "gpu.seen[k2200]",
            // nvidia-smi gives up at a lost card, and the exporter with it.
            "monitoring.figures[gt1030]",
            "monitoring.figures[gtx1050ti]",
        ],
    ),
    (
        Script(
            "apt-mark -q unhold libnvidia-compute-580-server",
            "apt-mark -q hold libnvidia-compute-580-server",
        ),
        &["gpu.held", "machine.differences"],
    ),
    (
        Script(
            "rm /dev/nvidia-uvm",
            "mknod -m 0666 /dev/nvidia-uvm c 510 0",
        ),
        &["gpu.uvm"],
    ),
    (
        Script(
            "cp /sys/module/nvidia/version /run/v; echo 580.1 >/sys/module/nvidia/version",
            "cp /run/v /sys/module/nvidia/version",
        ),
        &["gpu.library", "docker.cdi-driver"],
    ),
    (
        Script(
            "cp -p /run/cdi/nvidia.yaml /run/cdi.yaml; sed -i 's/580[.]178[.]04/570.1.2/g' /run/cdi/nvidia.yaml",
            "cp -p /run/cdi.yaml /run/cdi/nvidia.yaml",
        ),
        &["docker.cdi-driver"],
    ),
    (
        Script("systemctl stop ollama", "systemctl start ollama"),
        &["ollama.service", "ollama.listens", "machine.differences"],
    ),
    (
        Script("systemctl stop dcgan-train", "systemctl start dcgan-train"),
        &["dcgan.training", "machine.differences"],
    ),
    (
        Script("systemctl stop dcgan", "systemctl start dcgan"),
        &[
            "dcgan.service",
            "dcgan.container",
            "dcgan.loopback",
            "machine.differences",
        ],
    ),
    (
        Script("systemctl stop jupyter", "systemctl start jupyter"),
        &[
            "jupyter.service",
            "jupyter.container",
            "jupyter.loopback",
            "machine.differences",
        ],
    ),
    (
        Script(
            "nft delete table inet lab",
            "systemctl restart lab-firewall",
        ),
        &["access.firewall"],
    ),
    (
        Script(
            "printf 'PermitRootLogin yes\\nPasswordAuthentication yes\\n' >/etc/ssh/sshd_config.d/00-open.conf; systemctl reload ssh",
            "rm /etc/ssh/sshd_config.d/00-open.conf; systemctl reload ssh",
        ),
        &["access.passwords", "access.root-login"],
    ),
    (
        Script(
            "echo 'APT::Periodic::Unattended-Upgrade \"0\";' >/etc/apt/apt.conf.d/99zz",
            "rm /etc/apt/apt.conf.d/99zz",
        ),
        &["updates.security"],
    ),
    (
        Script(
            "nft delete table inet lab; systemd-run --quiet --unit=lab-test-open python3 -m http.server 8081 || systemd-run --quiet --unit=lab-test-open perl -MSocket -e 'socket(S,PF_INET,SOCK_STREAM,0);bind(S,sockaddr_in(8081,INADDR_ANY));listen(S,5);sleep 600'",
            "systemctl stop lab-test-open; systemctl restart lab-firewall",
        ),
        &["access.firewall", "access.outside"],
    ),
    // What is published on every address is stopped on its way through the machine.
    (
        Script(
            "docker run --quiet --detach --name open --publish 0.0.0.0:8081:8888 --env JUPYTER_TOKEN=x \"$(docker inspect --format '{{.Image}}' lab-jupyter)\"\nfor t in $(seq 50); do curl -s http://127.0.0.1:8081/api && exit 0; sleep 0.2; done; exit 1",
            "docker rm --force open",
        ),
        &[],
    ),
    (
        Script(
            "systemctl stop lab-exporter.socket",
            "systemctl start lab-exporter.socket",
        ),
        &["monitoring.loopback"],
    ),
    (
        Script(
            "ln -sfn /usr/share/zoneinfo/Europe/Berlin /etc/localtime",
            "ln -sfn /usr/share/zoneinfo/Etc/UTC /etc/localtime",
        ),
        &["machine.timezone"],
    ),
    (
        Script(
            "systemctl stop docker.socket docker",
            "systemctl start docker.socket docker",
        ),
        &[
            "docker.service",
            "jupyter.loopback",
            "dcgan.loopback",
            "machine.differences",
        ],
    ),
];

/// Each fault by itself, and the machine sound before, between and after.
pub(super) fn faults(world: &World) -> Result<()> {
    let proved = Proved::new(world)?;
    let file = proved.guest.ok("cat /etc/mock-nvml.toml")?;
    let sound = proved.claims(&[])?;
    println!(
        "a sound machine: {} passed, {} not run",
        sound.passed.len(),
        sound.not_run.len()
    );
    for (name, reason) in &sound.not_run {
        println!("  not run here: {name}: {reason}");
    }
    ensure!(sound.failed.is_empty(), "{}", sound.of(&sound.failed));
    let mut wrong = Vec::new();
    for (plant, red) in FAULTS {
        let what = planted(&proved, plant, &file)?;
        let wanted: BTreeSet<String> = red.iter().map(|&name| name.to_owned()).collect();
        let mut claims = proved.claims(&[]).with_context(|| what.clone())?;
        if claims.failed != wanted {
            // On a computer that is busy elsewhere something may not answer in time.
            println!("{what}\n  once: {}", claims.of(&claims.failed));
            claims = proved.claims(&[]).with_context(|| what.clone())?;
        }
        if claims.failed != wanted {
            let odd = wanted
                .symmetric_difference(&claims.failed)
                .cloned()
                .collect();
            wrong.push(format!(
                "{what}\n  wanted {wanted:?}\n  found  {:?}\n{}",
                claims.failed,
                claims.of(&odd)
            ));
        }
        taken_away(&proved, plant, &file)?;
    }
    ensure!(wrong.is_empty(), "{}", wrong.join("\n\n"));
    let after = proved.claims(&[])?;
    ensure!(after.failed.is_empty(), "{}", after.of(&after.failed));
    println!("tried: {} faults in a machine that runs", FAULTS.len());
    Ok(())
}

fn planted(proved: &Proved, plant: &Plant, file: &str) -> Result<String> {
    match plant {
        Script(does, _) => {
            proved.guest.ok(does)?;
            Ok((*does).to_owned())
        }
        Card(address, key, value) => {
            written(proved, &changed(file, &[(*address, *key, *value)])?)?;
            Ok(format!("{address}: {key} = {value}"))
        }
    }
}

/// The file of cards with keys of cards changed: at which address, which key, to what.
pub(super) fn changed(file: &str, changes: &[(&str, &str, &str)]) -> Result<String> {
    let mut changed: Table = file.parse().context("reading the file of cards")?;
    for (address, key, value) in changes {
        let cards = changed.get_mut("card").and_then(Value::as_array_mut);
        let card = cards
            .into_iter()
            .flatten()
            .find(|card| card.get("pci_bus_id").and_then(Value::as_str) == Some(*address));
        let card = card.and_then(Value::as_table_mut).context("no such card")?;
        let one: Table = format!("value = {value}").parse()?;
        card.insert((*key).to_owned(), one["value"].clone());
    }
    Ok(changed.to_string())
}

/// Until everything that a fault may have stopped answers again.
const SETTLED: &str = r#"answers() { curl -sf --max-time 2 -o /dev/null "http://127.0.0.1:$1"; }
for try in $(seq 300); do
    answers 8888/api && answers 8890/healthz && answers 11434/api/version &&
        [ "$(docker inspect --format '{{.State.Running}}' lab-dcgan-train)" = true ] && exit 0
    sleep 0.2
done
exit 1"#;

fn taken_away(proved: &Proved, plant: &Plant, file: &str) -> Result<()> {
    match plant {
        Script(_, undoes) => {
            proved.guest.ok(undoes)?;
            proved
                .guest
                .ok(SETTLED)
                .with_context(|| format!("after {undoes}"))
                .map(drop)
        }
        Card(..) => written(proved, file),
    }
}

/// By a rename: a program that reads it meanwhile sees one whole file or the other.
pub(super) fn written(proved: &Proved, file: &str) -> Result<()> {
    let script = format!(
        "cat >/etc/mock-nvml.toml.new <<'END'\n{file}\nEND\nmv /etc/mock-nvml.toml.new /etc/mock-nvml.toml"
    );
    proved.guest.ok(&script).map(drop)
}
