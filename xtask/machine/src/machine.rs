//! The resolved machine: the description with every default filled in, the
//! catalog's facts beside each card, and every workload's cards by name.

use lab_catalog::{
    Architecture, Catalog, ComputeCapability, DottedVersion, DriverBranch, KernelModule, PciId,
    Reason,
};
use serde::Serialize;
use sha2::{Digest, Sha256};

use crate::Description;
use crate::section::gpu::{GpuChoice, GpuSection};
use crate::section::{
    access::Access, dcgan::Dcgan, disk::Disk, docker::Docker, driver::Driver, identity::Identity,
    jupyter, jupyter::Jupyter, monitoring::Monitoring, network::Network, ollama, ollama::Ollama,
    toolkit::Toolkit, ubuntu::Ubuntu, updates::Updates,
};
use crate::types::{Bdf, CardName, ImageReference};

/// A machine, all questions answered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Machine {
    /// The machine's name, and what it is.
    pub identity: Identity,
    /// The graphics cards, in the order of the description.
    pub cards: Vec<Card>,
    /// The system underneath.
    pub ubuntu: Ubuntu,
    /// The disk that the system goes on.
    pub disk: Disk,
    /// How the machine is reached.
    pub network: Network,
    /// Who gets in, and how.
    pub access: Access,
    /// NVIDIA's driver.
    pub driver: Driver,
    /// The container engine.
    pub docker: Docker,
    /// NVIDIA's container toolkit.
    pub toolkit: Toolkit,
    /// Ollama and its models.
    pub ollama: Ollama,
    /// JupyterLab with TensorFlow.
    pub jupyter: Jupyter,
    /// The DCGAN training service.
    pub dcgan: Dcgan,
    /// What shows how the cards are.
    pub monitoring: Monitoring,
    /// What changes by itself, and when.
    pub updates: Updates,
}

/// A graphics card with what the catalog knows of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Card {
    /// Its name in the description.
    pub name: CardName,
    /// Vendor and device.
    pub pci_id: PciId,
    /// Where it sits, where the description says so.
    pub slot: Option<Bdf>,
    /// The limit that the description sets, in watts.
    pub power_limit_w: Option<u32>,
    /// The maker's name of it, such as `GeForce GTX 1050 Ti`.
    pub model: Option<String>,
    /// Its generation.
    pub architecture: Option<Architecture>,
    /// Its compute capability.
    pub compute_capability: Option<ComputeCapability>,
    /// Its memory in MiB; where a card was sold with several sizes, the least.
    pub vram_mib: Option<u32>,
    /// The bandwidth of its memory in GB/s, by its maker.
    pub memory_bandwidth_gbps: Option<u32>,
    /// What it draws at most, by its maker, in watts.
    pub board_power_w: Option<u32>,
}

impl Card {
    fn resolve(index: usize, section: &GpuSection, catalog: &Catalog) -> Self {
        let known = catalog.gpu_or_derived(section.pci_id);
        let short = known.as_ref().and_then(|gpu| gpu.short.parse().ok());
        let name = section.name.clone().or(short);
        Self {
            name: name.unwrap_or_else(|| CardName::numbered(index)),
            pci_id: section.pci_id,
            slot: section.slot.clone(),
            power_limit_w: section.power_limit_w,
            model: known.as_ref().map(|gpu| gpu.name.clone()),
            architecture: known.as_ref().map(|gpu| gpu.architecture),
            compute_capability: known.as_ref().map(|gpu| gpu.compute_capability),
            vram_mib: known.as_ref().and_then(lab_catalog::Gpu::least_vram_mib),
            memory_bandwidth_gbps: known.as_ref().and_then(|gpu| gpu.memory_bandwidth_gbps),
            board_power_w: known.as_ref().and_then(lab_catalog::Gpu::worst_power_w),
        }
    }

    /// What it may draw: the limit of the description, else the maker's figure.
    pub fn power_w(&self) -> Option<u32> {
        self.power_limit_w.or(self.board_power_w)
    }

    /// The card in words, with what decides whether software can use it.
    pub fn in_words(&self) -> String {
        match (self.architecture, self.compute_capability) {
            (Some(architecture), Some(capability)) => format!(
                "{} ({architecture}, compute capability {capability})",
                self.name
            ),
            _ => self.name.to_string(),
        }
    }
}

impl CardName {
    fn numbered(index: usize) -> Self {
        crate::types::fixed_owned(&format!("gpu{index}"))
    }
}

/// Used where the catalog advises nothing because the cards have no driver in
/// common, which a rule reports: the branch that reaches furthest back.
const FALLBACK_BRANCH: DriverBranch = DriverBranch(580);

/// Stands where neither description nor catalog name a version, which a test of
/// the catalog rules out.
fn no_version() -> DottedVersion {
    crate::types::fixed("0")
}

impl Machine {
    /// Answers every question that the description leaves open.
    pub(crate) fn resolve(description: Description, catalog: &Catalog) -> Self {
        let cards: Vec<Card> = description
            .gpu
            .iter()
            .enumerate()
            .map(|(index, section)| Card::resolve(index, section, catalog))
            .collect();
        let driver = resolve_driver(&description, &cards, catalog);
        let image = description
            .jupyter
            .image
            .clone()
            .unwrap_or_else(|| advised_image(catalog));
        let ollama_version = description
            .ollama
            .version
            .or_else(|| catalog.ollama_releases().last().map(|one| one.version))
            .unwrap_or_else(no_version);
        let answers = |card: &Card| {
            card.compute_capability
                .is_some_and(|one| ollama::can_use(catalog, ollama_version, one, driver.branch))
        };
        // An image of which nothing is known may do: a warning says so, and the
        // machine will tell.
        let trains = |card: &Card| {
            let answer = card
                .compute_capability
                .map(|one| jupyter::can_run(catalog, &image, one));
            matches!(answer, Some(Ok(()) | Err(Reason::Unknown)))
        };
        let section = description;
        Self {
            toolkit: Toolkit {
                enabled: section.toolkit.enabled,
                version: section
                    .toolkit
                    .version
                    .or_else(|| newest_toolkit(catalog))
                    .unwrap_or_else(no_version),
            },
            docker: Docker {
                version: section.docker.version.or_else(|| newest_docker(catalog)),
                ..section.docker
            },
            ollama: Ollama {
                enabled: section.ollama.enabled,
                version: ollama_version,
                listen: section.ollama.listen,
                models: section.ollama.models,
                gpus: choose(&section.ollama.gpus, &cards, answers),
                keep_alive_minutes: section.ollama.keep_alive_minutes,
            },
            jupyter: Jupyter {
                enabled: section.jupyter.enabled,
                image: image.clone(),
                port: section.jupyter.port,
                gpus: choose(&section.jupyter.gpus, &cards, trains),
            },
            dcgan: Dcgan {
                enabled: section.dcgan.enabled,
                epochs: section.dcgan.epochs,
                batch: (section.dcgan.batch).unwrap_or_else(|| section.dcgan.recipe.batch()),
                samples: section.dcgan.samples,
                checkpoint_every: section.dcgan.checkpoint_every,
                seed: section.dcgan.seed,
                recipe: section.dcgan.recipe,
                precision: section.dcgan.precision,
                strategy: section.dcgan.strategy,
                port: section.dcgan.port,
                gpus: choose(&section.dcgan.gpus, &cards, trains),
            },
            identity: section.machine,
            cards,
            ubuntu: section.ubuntu,
            disk: section.disk,
            network: section.network,
            access: section.access,
            driver,
            monitoring: section.monitoring,
            updates: section.updates,
        }
    }

    /// The card of that name.
    pub fn card(&self, name: &CardName) -> Option<&Card> {
        self.cards.iter().find(|card| card.name == *name)
    }

    /// The generations of all cards that the catalog knows.
    pub fn architectures(&self) -> Vec<Architecture> {
        self.cards
            .iter()
            .filter_map(|card| card.architecture)
            .collect()
    }

    /// The sha256, in hex, of the whole resolved machine. Secrets are no part of
    /// it: the description names where they come from, not what they are.
    pub fn digest(&self) -> String {
        let json = serde_json::to_vec(self).unwrap_or_default();
        hex::encode(Sha256::digest(json))
    }
}

fn resolve_driver(description: &Description, cards: &[Card], catalog: &Catalog) -> Driver {
    let architectures: Vec<Architecture> =
        cards.iter().filter_map(|card| card.architecture).collect();
    let advised = catalog
        .advised_driver(&architectures)
        .map(|branch| branch.branch);
    Driver {
        enabled: description.driver.enabled,
        branch: description
            .driver
            .branch
            .or(advised)
            .unwrap_or(FALLBACK_BRANCH),
        module: description
            .driver
            .module
            .or_else(|| KernelModule::for_all(&architectures))
            .unwrap_or(KernelModule::Closed),
        persistence: description.driver.persistence,
    }
}

fn advised_image(catalog: &Catalog) -> ImageReference {
    let image = catalog.notebook_advised();
    crate::types::fixed_owned(&format!("{}:{}", image.repository, image.tag))
}

fn newest_toolkit(catalog: &Catalog) -> Option<DottedVersion> {
    let repository = catalog.apt_repository("nvidia-container-toolkit")?;
    let newest = repository.newest("nvidia-container-toolkit")?;
    newest.version.split('-').next()?.parse().ok()
}

fn newest_docker(catalog: &Catalog) -> Option<DottedVersion> {
    // Debian's form of a version: epoch, upstream's own, revision.
    let newest = &catalog
        .apt_repository("docker")?
        .newest("docker-ce")?
        .version;
    let upstream = newest
        .split_once(':')
        .map_or(newest.as_str(), |(_, rest)| rest);
    upstream.split('-').next()?.parse().ok()
}

/// Answers a workload's choice: the cards that it names, or the best one that
/// can run it (the most memory, then the fastest memory, then the first).
fn choose(choice: &GpuChoice, cards: &[Card], fits: impl Fn(&Card) -> bool) -> Vec<CardName> {
    if let GpuChoice::Named(names) = choice {
        return names.clone();
    }
    let usable = cards.iter().enumerate().filter(|(_, card)| fits(card));
    let rank = |(index, card): &(usize, &Card)| {
        (
            card.vram_mib,
            card.memory_bandwidth_gbps,
            std::cmp::Reverse(*index),
        )
    };
    usable
        .max_by_key(rank)
        .map(|(_, card)| card.name.clone())
        .into_iter()
        .collect()
}
