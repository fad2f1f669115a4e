//! Facts where the probe cannot run: of the cards what nvidia-smi says, of the rest nothing.

use std::collections::BTreeMap;

use lab_facts::{Clock, FORMAT, Fact, Facts, Nvidia, Software, System};

/// Facts of these cards, and why everything else is not known.
pub(super) fn facts(nvidia: Nvidia, why: &str, taken_unix_ms: u64) -> Facts {
    Facts {
        format: FORMAT,
        probe: "nvidia-smi".to_owned(),
        taken_unix_ms,
        took_ms: 0,
        system: system(why),
        nvidia,
        software: software(why),
    }
}

fn system(why: &str) -> System {
    System {
        hostname: Fact::unknown(why),
        dmi: Fact::unknown(why),
        cpu: Fact::unknown(why),
        memory_kib: Fact::unknown(why),
        memory_errors: Fact::unknown(why),
        firmware: Fact::unknown(why),
        secure_boot: Fact::unknown(why),
        os: Fact::unknown(why),
        kernel: Fact::unknown(why),
        uptime_s: Fact::unknown(why),
        boot_id: Fact::unknown(why),
        clock: Clock {
            synchronized: Fact::unknown(why),
            timezone: Fact::unknown(why),
        },
        root: Fact::unknown(why),
        spaces: BTreeMap::new(),
        disks: Fact::unknown(why),
        nics: Fact::unknown(why),
        systemd: Fact::unknown(why),
        units: Fact::unknown(why),
        reboot_required: Fact::unknown(why),
        listeners: Fact::unknown(why),
        files: BTreeMap::new(),
    }
}

fn software(why: &str) -> Software {
    Software {
        packages: Fact::unknown(why),
        held: Fact::unknown(why),
        apt_sources: Fact::unknown(why),
        apt_config: Fact::unknown(why),
        release: Fact::unknown(why),
        lab_status: Fact::unknown(why),
        lab_gpus: Fact::unknown(why),
        ollama: Fact::unknown(why),
        jupyter_without_token: Fact::unknown(why),
        dcgan_page: Fact::unknown(why),
        exporter: Fact::unknown(why),
        nvtop: Fact::unknown(why),
        nvidia_ctk: Fact::unknown(why),
    }
}
