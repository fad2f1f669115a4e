//! NVIDIA's graphics cards and accelerators, by PCI id (`data/gpus.toml`), and
//! the chips they are built on (`data/chips.toml`).
//!
//! A card's architecture and compute capability are those of its chip, so they
//! are said once, of the chip. Every other NVIDIA display device since Kepler
//! is known by its chip alone (`data/pci-chips.txt`): enough to choose a driver.

use crate::value::pci_id::four_hex;
use crate::value::{ValueError, string_serde};
use crate::{Catalog, ComputeCapability, Date, Meta, PciId, pci_chips};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::{fmt, str::FromStr};

/// A generation of NVIDIA's GPUs, oldest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Architecture {
    /// 2012, compute capability 3.x.
    Kepler,
    /// 2014, compute capability 5.x.
    Maxwell,
    /// 2016, compute capability 6.x.
    Pascal,
    /// 2017, compute capability 7.0 and 7.2.
    Volta,
    /// 2018, compute capability 7.5.
    Turing,
    /// 2020, compute capability 8.0 to 8.7.
    Ampere,
    /// 2022, compute capability 8.9.
    Ada,
    /// 2022, compute capability 9.0.
    Hopper,
    /// 2024, compute capability 10.x to 12.x.
    Blackwell,
    /// 2026, compute capability 10.7.
    Rubin,
}

impl Architecture {
    /// All of them, oldest first.
    pub const ALL: [Self; 10] = [
        Self::Kepler,
        Self::Maxwell,
        Self::Pascal,
        Self::Volta,
        Self::Turing,
        Self::Ampere,
        Self::Ada,
        Self::Hopper,
        Self::Blackwell,
        Self::Rubin,
    ];

    const fn name(self) -> &'static str {
        match self {
            Self::Kepler => "Kepler",
            Self::Maxwell => "Maxwell",
            Self::Pascal => "Pascal",
            Self::Volta => "Volta",
            Self::Turing => "Turing",
            Self::Ampere => "Ampere",
            Self::Ada => "Ada",
            Self::Hopper => "Hopper",
            Self::Blackwell => "Blackwell",
            Self::Rubin => "Rubin",
        }
    }

    /// Which of the two kernel modules, closed or open, can drive this generation.
    ///
    /// Source: NVIDIA Technical Blog, "NVIDIA Transitions Fully Towards
    /// Open-Source GPU Kernel Modules", 2024-07-17.
    #[must_use]
    pub const fn open_module(self) -> OpenModule {
        match self {
            Self::Kepler | Self::Maxwell | Self::Pascal | Self::Volta => OpenModule::Impossible,
            Self::Turing | Self::Ampere | Self::Ada | Self::Hopper => OpenModule::Possible,
            Self::Blackwell | Self::Rubin => OpenModule::Required,
        }
    }
}

/// Whether NVIDIA's open kernel module drives a GPU.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum OpenModule {
    /// It does not: the GPU lacks the processor (GSP) that the module talks to.
    Impossible,
    /// It does, and so does the closed one.
    Possible,
    /// Only it does.
    Required,
}

impl fmt::Display for Architecture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Architecture {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        let known = Self::ALL.into_iter().find(|one| one.name() == text);
        known.ok_or_else(|| {
            ValueError::new(
                "a GPU architecture",
                text,
                "one of Kepler, Maxwell, Pascal, Volta, Turing, Ampere, Ada, Hopper, Blackwell, Rubin",
            )
        })
    }
}

string_serde!(Architecture);

/// What a card is sold as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum ProductLine {
    /// GeForce: games.
    GeForce,
    /// Titan: between games and work.
    Titan,
    /// Quadro: workstations, until 2020.
    Quadro,
    /// RTX and RTX PRO: workstations, since 2020.
    Rtx,
    /// Tesla: computing, until 2019.
    Tesla,
    /// Data-centre cards since 2020, named by letter and number.
    DataCenter,
    /// Unknown: only the chip is known.
    Other,
}

/// One kind of graphics card.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Gpu {
    /// What it answers on the PCI bus.
    pub pci_id: PciId,
    /// Its name in full, like `GeForce GTX 1050 Ti`.
    pub name: String,
    /// Its name as one word, like `gtx1050ti`. Ids that are sold under one name share it.
    pub short: String,
    /// What it is sold as.
    pub line: ProductLine,
    /// Its generation.
    pub architecture: Architecture,
    /// The chip on it, like `GP107`.
    pub chip: String,
    /// What its chip computes.
    pub compute_capability: ComputeCapability,
    /// Memory sizes in MiB under which this id is sold, smallest first; empty where unknown.
    pub vram_mib: Vec<u32>,
    /// Memory bandwidth in GB/s (10^9 bytes), from the vendor's specification.
    pub memory_bandwidth_gbps: Option<u32>,
    /// Board power in watts, from the vendor's specification.
    pub board_power_w: Option<u32>,
    /// The power limit in watts that the driver showed on a real card, where that was seen.
    pub power_limit_w: Option<u32>,
    /// What else a reader should know.
    pub note: Option<String>,
    /// Where this is from.
    pub source: String,
    /// The day it was looked up.
    pub date: Date,
}

impl Gpu {
    /// The most watts that this card may draw, as far as known.
    #[must_use]
    pub fn worst_power_w(&self) -> Option<u32> {
        self.board_power_w.max(self.power_limit_w)
    }

    /// The least memory that a card of this id has, in MiB: what may be counted on.
    #[must_use]
    pub fn least_vram_mib(&self) -> Option<u32> {
        self.vram_mib.first().copied()
    }
}

/// A GPU chip.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Chip {
    /// Its generation.
    pub architecture: Architecture,
    /// What it computes.
    #[serde(rename = "cc")]
    pub compute_capability: ComputeCapability,
}

/// `data/chips.toml`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ChipsFile {
    pub(crate) meta: Meta,
    pub(crate) chip: BTreeMap<String, Chip>,
}

/// `data/gpus.toml`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct GpusFile {
    pub(crate) meta: Meta,
    gpu: Vec<RawGpu>,
}

/// A line of `data/gpus.toml`: device ids that are sold as one card.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawGpu {
    /// Four hexadecimal digits each, blanks between.
    id: String,
    chip: String,
    line: ProductLine,
    short: String,
    name: String,
    #[serde(default)]
    mib: Vec<u32>,
    gbps: Option<u32>,
    w: Option<u32>,
    limit_w: Option<u32>,
    note: Option<String>,
    source: Option<String>,
    date: Option<Date>,
}

/// The cards, by id.
pub(crate) type Cards = BTreeMap<PciId, Gpu>;

/// Joins the cards with what is true of their chips.
pub(crate) fn resolve(file: &GpusFile, chips: &BTreeMap<String, Chip>) -> Result<Cards, String> {
    let mut cards = Cards::new();
    for raw in &file.gpu {
        let chip = chips
            .get(&raw.chip)
            .ok_or_else(|| format!("{}: no chip `{}` in chips.toml", raw.short, raw.chip))?;
        for id in raw.id.split(' ') {
            let device = four_hex(id).ok_or_else(|| format!("{}: bad id `{id}`", raw.short))?;
            let gpu = raw.card(PciId::nvidia(device), chip, &file.meta);
            if cards.insert(gpu.pci_id, gpu).is_some() {
                return Err(format!("{}: id `{id}` stands twice", raw.short));
            }
        }
    }
    Ok(cards)
}

impl RawGpu {
    fn card(&self, pci_id: PciId, chip: &Chip, meta: &Meta) -> Gpu {
        Gpu {
            pci_id,
            name: self.name.clone(),
            short: self.short.clone(),
            line: self.line,
            architecture: chip.architecture,
            chip: self.chip.clone(),
            compute_capability: chip.compute_capability,
            vram_mib: self.mib.clone(),
            memory_bandwidth_gbps: self.gbps,
            board_power_w: self.w,
            power_limit_w: self.limit_w,
            note: self.note.clone(),
            source: self.source.clone().unwrap_or_else(|| meta.source.clone()),
            date: self.date.unwrap_or(meta.date),
        }
    }
}

impl Catalog {
    /// The card with that PCI id, where its name and numbers are known.
    #[must_use]
    pub fn gpu(&self, id: PciId) -> Option<&Gpu> {
        self.cards().get(&id)
    }

    /// The card with that PCI id; where only its chip is known, a card without
    /// name and numbers, but with architecture and compute capability.
    #[must_use]
    pub fn gpu_or_derived(&self, id: PciId) -> Option<Gpu> {
        self.gpu(id).cloned().or_else(|| self.derived(id))
    }

    /// All cards that are known by name, sorted by PCI id.
    pub fn gpus(&self) -> impl Iterator<Item = &Gpu> {
        self.cards().values()
    }

    /// The cards sold under a short name like `gtx1050ti`, sorted by PCI id.
    pub fn gpus_by_short<'a>(&'a self, short: &'a str) -> impl Iterator<Item = &'a Gpu> {
        self.gpus().filter(move |gpu| gpu.short == short)
    }

    /// Every short name once, sorted: the candidates for "did you mean".
    #[must_use]
    pub fn gpu_shorts(&self) -> Vec<&str> {
        let mut shorts: Vec<&str> = self.gpus().map(|gpu| gpu.short.as_str()).collect();
        shorts.sort_unstable();
        shorts.dedup();
        shorts
    }

    /// What is true of a chip like `GP107`.
    #[must_use]
    pub fn chip(&self, name: &str) -> Option<&Chip> {
        self.chips().chip.get(name)
    }

    /// The chip behind a PCI id, for every NVIDIA display device since Kepler.
    #[must_use]
    pub fn chip_of(&self, id: PciId) -> Option<&'static str> {
        id.is_nvidia().then(|| pci_chips::chip_of(id.device))?
    }

    fn derived(&self, id: PciId) -> Option<Gpu> {
        let name = self.chip_of(id)?;
        let chip = self.chip(name)?;
        let meta = &self.chips().meta;
        Some(Gpu {
            pci_id: id,
            name: format!("NVIDIA {name}"),
            short: name.to_lowercase(),
            line: ProductLine::Other,
            architecture: chip.architecture,
            chip: name.to_owned(),
            compute_capability: chip.compute_capability,
            vram_mib: Vec::new(),
            memory_bandwidth_gbps: None,
            board_power_w: None,
            power_limit_w: None,
            note: Some("only the chip of this card is known".to_owned()),
            source: pci_chips::SOURCE.to_owned(),
            date: meta.date,
        })
    }
}
