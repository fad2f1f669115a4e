//! `[disk]`: the one disk that may be written, and how it is laid out.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::rules::{Context, Findings, Rule, Severity};
use crate::types::{DiskModel, DiskSerial, SecretRef};

/// The disk that the system goes on. It must be named, by serial or by model:
/// there is no default disk.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Disk {
    /// The disk's serial number, as `lsblk -o NAME,SERIAL` prints it.
    pub serial: Option<DiskSerial>,
    /// The disk's model, as `lsblk -o NAME,MODEL` prints it. Without a serial
    /// exactly one disk of the machine may be of this model.
    pub model: Option<DiskModel>,
    /// Its size in GB (10⁹ bytes, as it is sold). The guard lets 10 % differ.
    pub size_gb: Option<u32>,
    /// When the installer may erase what is on it.
    pub erase: Option<Erase>,
    /// How it is divided.
    pub layout: Layout,
    /// The passphrase of LUKS; without one the disk is not encrypted. Needs the
    /// layout `lvm`. The machine asks for it at every start.
    pub luks_passphrase: Option<SecretRef>,
    /// Swap in GiB; by default 8, and none with `0`.
    pub swap_gib: Option<u32>,
}

/// When the installer may erase a disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Erase {
    /// Only when it holds neither partitions nor a filesystem. The default where
    /// the disk is named by model alone.
    IfBlank,
    /// Whatever is on it, unless it carries a lab already. The default where the
    /// disk is named by serial: that names this very disk.
    Always,
}

/// How a disk is divided.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Layout {
    /// One volume group with one volume for everything, and /boot outside of it.
    #[default]
    Lvm,
    /// One partition for everything.
    Plain,
}

/// Swap where the description says nothing, in GiB.
const DEFAULT_SWAP_GIB: u32 = 8;

impl Disk {
    /// When this disk may be erased, the default filled in.
    pub fn erase_when(&self) -> Erase {
        self.erase.unwrap_or(match self.serial {
            Some(_) => Erase::Always,
            None => Erase::IfBlank,
        })
    }

    /// Swap in GiB, the default filled in.
    pub fn swap(&self) -> u32 {
        self.swap_gib.unwrap_or(DEFAULT_SWAP_GIB)
    }

    /// The disk in words.
    pub fn in_words(&self) -> String {
        match (&self.model, &self.serial) {
            (Some(model), Some(serial)) => format!("the disk {model} with serial {serial}"),
            (None, Some(serial)) => format!("the disk with serial {serial}"),
            (Some(model), None) => format!("the only disk of model {model}"),
            (None, None) => "no disk".to_owned(),
        }
    }
}

static NOT_NAMED: Rule = Rule {
    id: "disk-not-named",
    severity: Severity::Error,
    title: "no disk is named",
    story: "Asked for a layout without a match, Ubuntu's installer takes the largest disk, whatever is on it. \
        Nothing is built from a description that leaves the choice to it.",
    way_out: "Write `disk.serial`, or `disk.model` where only one disk of that model is fitted; \
        `lsblk -d -o NAME,MODEL,SERIAL,SIZE` prints both, and so does the menu entry 'Show what this machine is'.",
    source: "canonical/subiquity, a guided layout's default match, tried 2026-11",
};

static LUKS_NEEDS_LVM: Rule = Rule {
    id: "disk-luks-needs-lvm",
    severity: Severity::Error,
    title: "encryption without LVM",
    story: "The installer encrypts only in its layout `lvm`; given a password with the layout `direct` it installs \
        without encryption.",
    way_out: "Set `disk.layout = \"lvm\"`, or remove `disk.luks_passphrase`.",
    source: "the installer's JSON schema for noble; canonical/subiquity",
};

static TOO_SMALL: Rule = Rule {
    id: "disk-too-small",
    severity: Severity::Error,
    title: "the disk is too small for what is asked",
    story: "System, swap, container images and models together need more room than the disk has. The machine would \
        install and then stand still in the middle of its first boot with a full disk.",
    way_out: "Ask for less (`ollama.models`, `disk.swap_gib`), or name a larger disk.",
    source: "sizes of packages, archives and models in the catalog",
};

static SIZE_UNKNOWN: Rule = Rule {
    id: "disk-size-unknown",
    severity: Severity::Warning,
    title: "nothing is known of the disk's size",
    story: "Without `disk.size_gb` neither this check nor the guard can tell whether what is asked for fits.",
    way_out: "Write the size as it is sold, such as `size_gb = 250`.",
    source: "docs/reference/machine.md",
};

/// The rules of this section.
pub(crate) static RULES: &[&Rule] = &[&NOT_NAMED, &LUKS_NEEDS_LVM, &TOO_SMALL, &SIZE_UNKNOWN];

pub(crate) fn check(context: &Context<'_>, findings: &mut Findings) {
    let disk = &context.machine.disk;
    if disk.serial.is_none() && disk.model.is_none() {
        findings
            .report(&NOT_NAMED, "disk", "the description names no disk")
            .expecting("a `serial`, or a `model` where one disk fits");
    }
    if disk.luks_passphrase.is_some() && disk.layout == Layout::Plain {
        findings
            .report(
                &LUKS_NEEDS_LVM,
                "disk.layout",
                "a disk with the layout `plain` cannot be encrypted",
            )
            .expecting("`layout = \"lvm\"`");
    }
    check_room(context, findings);
}

/// System, logs and packages of a server with driver and Docker, in MB.
const SYSTEM_MB: u64 = 15_000;
/// The notebook image, unpacked, in MB (TensorFlow with CUDA's libraries).
const NOTEBOOK_MB: u64 = 12_000;
/// Ollama's archive and what it unpacks to, in MB (1.4 GB packed).
const OLLAMA_MB: u64 = 6_000;

fn check_room(context: &Context<'_>, findings: &mut Findings) {
    let machine = context.machine;
    let Some(size_gb) = machine.disk.size_gb else {
        findings
            .report(
                &SIZE_UNKNOWN,
                "disk.size_gb",
                "the description does not say how large the disk is",
            )
            .expecting("the size in GB, as it is sold");
        return;
    };
    let mut parts = vec![
        ("the system", SYSTEM_MB),
        ("swap", u64::from(machine.disk.swap()) * 1074),
    ];
    if machine.jupyter.enabled || machine.dcgan.enabled {
        parts.push(("the notebook image", NOTEBOOK_MB));
    }
    if machine.ollama.enabled {
        let models: u64 = machine
            .ollama
            .models
            .iter()
            .filter_map(|name| context.catalog.model(name.as_str()))
            .map(|model| model.disk_bytes / 1_000_000)
            .sum();
        parts.push(("Ollama", OLLAMA_MB));
        parts.push(("models", models));
    }
    let needed: u64 = parts
        .iter()
        .map(|(_, megabytes)| megabytes)
        .sum::<u64>()
        .div_ceil(1000);
    if needed <= u64::from(size_gb) {
        return;
    }
    let listed: Vec<String> = parts
        .iter()
        .map(|(what, megabytes)| format!("{what} {} GB", megabytes.div_ceil(1000)))
        .collect();
    findings
        .report(
            &TOO_SMALL,
            "disk.size_gb",
            format!("{size_gb} GB is too little: {}", listed.join(", ")),
        )
        .expecting(format!("at least {needed} GB"));
}
