//! What is found out of machines: one of which nothing is known, and what is added to it.

use std::collections::BTreeMap;

use lab_facts::{
    Clock, Disk, Dmi, FORMAT, Fact, Facts, Firmware, Kernel, Kind, Model, Module, Nic, Nvidia,
    Ollama, Os, PciDevice, Root, Software, System,
};

/// A machine of which nothing could be found out.
pub(super) fn unknown() -> Facts {
    fn no<T>() -> Fact<T> {
        Fact::unknown("nobody could read it")
    }
    Facts {
        format: FORMAT,
        probe: "a test".into(),
        taken_unix_ms: 0,
        took_ms: 0,
        system: System {
            hostname: no(),
            dmi: no(),
            cpu: no(),
            memory_kib: no(),
            memory_errors: no(),
            firmware: no(),
            secure_boot: no(),
            os: no(),
            kernel: no(),
            uptime_s: no(),
            boot_id: no(),
            clock: Clock {
                synchronized: no(),
                timezone: no(),
            },
            root: no(),
            spaces: BTreeMap::new(),
            disks: no(),
            nics: no(),
            systemd: no(),
            units: no(),
            reboot_required: no(),
            listeners: no(),
            files: BTreeMap::new(),
        },
        nvidia: Nvidia {
            pci: no(),
            module: no(),
            nouveau: no(),
            nodes: no(),
            library: no(),
            gpus: no(),
            compute: no(),
            cdi: no(),
        },
        software: Software {
            packages: no(),
            held: no(),
            apt_sources: no(),
            apt_config: no(),
            release: no(),
            lab_status: no(),
            lab_gpus: no(),
            ollama: no(),
            jupyter_without_token: no(),
            dcgan_page: no(),
            exporter: no(),
            nvtop: no(),
            nvidia_ctk: no(),
        },
    }
}

pub(super) fn device(address: &str, id: &str) -> PciDevice {
    PciDevice {
        address: address.into(),
        id: id.into(),
        subsystem: "103c:1097".into(),
        driver: Some("nvidia".into()),
    }
}

pub(super) fn disk(name: &str, model: &str, serial: &str, bytes: u64) -> Disk {
    Disk {
        name: name.into(),
        model: model.into(),
        serial: serial.into(),
        bytes,
        removable: false,
    }
}

pub(super) fn nic(name: &str, mac: &str, addresses: &[&str]) -> Nic {
    Nic {
        name: name.into(),
        mac: mac.into(),
        wireless: false,
        up: !addresses.is_empty(),
        addresses: addresses.iter().map(|one| (*one).to_owned()).collect(),
    }
}

/// The HP Z440 as it was put together by hand: Ubuntu, driver 570, a model.
pub(super) fn z440() -> Facts {
    let mut facts = unknown();
    let system = &mut facts.system;
    system.hostname = Fact::Is("gpu-server.example.net".into());
    system.dmi = Fact::Is(Dmi {
        vendor: "Hewlett-Packard".into(),
        product: "HP Z440 Workstation".into(),
        bios: "M60 v02.59, 03/31/2022".into(),
    });
    system.memory_kib = Fact::Is(32_790_000);
    system.firmware = Fact::Is(Firmware::Uefi);
    system.os = Fact::Is(Os {
        id: "ubuntu".into(),
        version_id: "24.04".into(),
        pretty_name: "Ubuntu 24.04.5 LTS".into(),
    });
    system.kernel = Fact::Is(Kernel {
        release: "6.8.0-86-generic".into(),
        machine: "x86_64".into(),
        command_line: String::new(),
    });
    system.clock.timezone = Fact::Is("Europe/Berlin".into());
    system.root = Fact::Is(Root {
        source: "/dev/mapper/ubuntu--vg-ubuntu--lv".into(),
        fstype: "ext4".into(),
        live: false,
        disks: vec!["sda".into()],
    });
    system.disks = Fact::Is(vec![disk(
        "sda",
        "Samsung SSD 870 EVO 250GB",
        "S5STNF0R123456A",
        250_059_350_016,
    )]);
    let address = ["192.168.1.20/24", "fe80::1/64"];
    system.nics = Fact::Is(vec![nic("eno1", "a0:8c:fd:01:02:03", &address)]);
    facts.nvidia.pci = Fact::Is(vec![
        device("0000:03:00.0", "10de:1c82"),
        device("0000:01:00.0", "10de:1d01"),
        device("0000:02:00.0", "10de:13ba"),
    ]);
    facts.nvidia.module = Fact::Is(Some(Module {
        version: "570.133.07".into(),
        kind: Fact::Is(Kind::Closed),
        uvm: true,
    }));
    facts.software.ollama = Fact::Is(Ollama {
        version: "0.32.15".into(),
        models: vec![model("gemma3:1b"), model("gemma3:27b")],
        loaded: Vec::new(),
    });
    facts
}

pub(super) fn model(name: &str) -> Model {
    Model {
        name: name.into(),
        digest: String::new(),
        size: 0,
    }
}
