//! The data itself: complete, sorted, without contradictions, each with source and date.
#![expect(
    clippy::expect_used,
    reason = "a test stops where its own ground is missing"
)]

use lab_catalog::{
    Architecture, Availability, Catalog, ComputeCapability, Gpu, PciId, ProductLine,
};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

fn data_files() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("data");
    let entries = std::fs::read_dir(folder).expect("reading data/");
    entries
        .map(|entry| entry.expect("an entry").path())
        .collect()
}

fn catalog() -> &'static Catalog {
    Catalog::builtin()
}

#[test]
fn every_file_is_read_by_the_catalog() {
    // Each accessor parses its file and panics where it is not sound.
    assert!(catalog().gpus().count() > 250);
    assert!(catalog().chip("GP107").is_some());
    assert!(!catalog().driver_branches().is_empty());
    assert!(!catalog().toolkit_releases().is_empty());
    assert!(catalog().apt_repositories().count() >= 2);
    assert!(!catalog().archives().is_empty());
    assert!(!catalog().tensorflow_releases().is_empty());
    assert!(catalog().notebook_tags().count() > 0);
    assert!(!catalog().ollama_releases().is_empty());
    assert!(!catalog().ubuntu_releases().is_empty());
    assert!(!catalog().workstations().is_empty());
    let read = [
        "apt",
        "archives",
        "chips",
        "drivers",
        "gpus",
        "notebooks",
        "ollama",
        "pci-chips",
    ];
    assert!(!catalog().pinned_images().is_empty());
    let also = ["pins", "tensorflow", "toolkit", "ubuntu", "workstations"];
    let expected: BTreeSet<&str> = read.into_iter().chain(also).collect();
    let files = data_files();
    let found = files.iter().filter_map(|path| path.file_stem()?.to_str());
    assert_eq!(found.collect::<BTreeSet<&str>>(), expected);
}

#[test]
fn every_file_names_source_and_date() {
    for path in data_files() {
        let text = std::fs::read_to_string(&path).expect("reading a data file");
        let name = path.display();
        if path.extension().is_some_and(|ext| ext == "toml") {
            let table: toml::Table = text.parse().unwrap_or_else(|e| panic!("{name}: {e}"));
            let meta = |key: &str| table.get("meta")?.get(key)?.as_str();
            assert!(
                meta("source").is_some_and(|s| s.len() > 10),
                "{name}: no source"
            );
            assert!(
                meta("date").is_some_and(|d| d.parse::<lab_catalog::Date>().is_ok()),
                "{name}: no date"
            );
        } else {
            assert!(
                text.contains("\n# source: ") && text.contains("\n# date: "),
                "{name}"
            );
        }
    }
}

#[test]
fn shorts_are_slugs_and_mean_one_kind_of_card() {
    let mut kinds: BTreeMap<&str, &Gpu> = BTreeMap::new();
    for gpu in catalog().gpus() {
        let slug = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
        assert!(gpu.short.bytes().all(slug), "{}", gpu.short);
        let first = kinds.entry(&gpu.short).or_insert(gpu);
        assert_eq!(first.name, gpu.name, "{}", gpu.short);
        assert_eq!(
            first.compute_capability, gpu.compute_capability,
            "{}",
            gpu.short
        );
        assert_eq!(first.line, gpu.line, "{}", gpu.short);
    }
    assert_eq!(
        catalog().gpu_shorts(),
        kinds.keys().copied().collect::<Vec<_>>()
    );
    let ids: Vec<PciId> = catalog()
        .gpus_by_short("rtx3060")
        .map(|gpu| gpu.pci_id)
        .collect();
    assert!(ids.len() >= 4 && ids.is_sorted(), "{ids:?}");
    assert_eq!(catalog().gpus_by_short("RTX3060").count(), 0);
}

#[test]
fn the_table_is_sorted_by_id() {
    let text = include_str!("../data/gpus.toml");
    let ids = text
        .lines()
        .filter_map(|line| line.strip_prefix("  { id = \"")?.get(..4));
    let ids: Vec<&str> = ids.collect();
    assert!(ids.len() > 250 && ids.is_sorted_by(|a, b| a < b));
}

/// Compute capabilities written down a second time, by architecture, as NVIDIA's table has them.
#[test]
fn capabilities_agree_with_the_architecture() {
    let majors = |architecture| match architecture {
        Architecture::Kepler => 3..=3,
        Architecture::Maxwell => 5..=5,
        Architecture::Pascal => 6..=6,
        Architecture::Volta | Architecture::Turing => 7..=7,
        Architecture::Ampere | Architecture::Ada => 8..=8,
        Architecture::Hopper => 9..=9,
        Architecture::Blackwell => 10..=12,
        Architecture::Rubin => 10..=10,
    };
    for gpu in catalog().gpus() {
        let chip = catalog().chip(&gpu.chip).expect("its chip");
        assert_eq!(
            (gpu.architecture, gpu.compute_capability),
            (chip.architecture, chip.compute_capability)
        );
        assert!(
            majors(gpu.architecture).contains(&gpu.compute_capability.major),
            "{}",
            gpu.name
        );
        let turing = gpu.compute_capability == ComputeCapability::new(7, 5);
        assert_eq!(
            turing,
            gpu.architecture == Architecture::Turing,
            "{}",
            gpu.name
        );
        let ada = gpu.compute_capability == ComputeCapability::new(8, 9);
        assert_eq!(ada, gpu.architecture == Architecture::Ada, "{}", gpu.name);
    }
}

#[test]
fn well_known_cards_have_their_capabilities() {
    let known = [
        (0x0ffe, "3.0"),
        (0x1024, "3.5"),
        (0x102d, "3.7"),
        (0x1380, "5.0"),
        (0x17c8, "5.2"),
        (0x15f8, "6.0"),
        (0x1b80, "6.1"),
        (0x1db4, "7.0"),
        (0x1eb8, "7.5"),
        (0x2182, "7.5"),
        (0x20b0, "8.0"),
        (0x2204, "8.6"),
        (0x2684, "8.9"),
        (0x2331, "9.0"),
        (0x2901, "10.0"),
        (0x3182, "10.3"),
        (0x2b85, "12.0"),
        (0x2e12, "12.1"),
    ];
    for (device, capability) in known {
        let gpu = catalog().gpu(PciId::nvidia(device)).expect("a known card");
        assert_eq!(
            gpu.compute_capability.to_string(),
            capability,
            "{}",
            gpu.name
        );
    }
}

#[test]
fn every_generation_and_line_is_there() {
    for architecture in Architecture::ALL {
        // Rubin cards are not on sale by name; their chips are known.
        let named = catalog().gpus().any(|gpu| gpu.architecture == architecture);
        assert!(
            named || architecture == Architecture::Rubin,
            "{architecture}"
        );
    }
    for line in [
        ProductLine::GeForce,
        ProductLine::Quadro,
        ProductLine::Rtx,
        ProductLine::Tesla,
    ] {
        assert!(
            catalog().gpus().filter(|gpu| gpu.line == line).count() >= 15,
            "{line:?}"
        );
    }
    let data_center = |gpu: &&Gpu| gpu.line == ProductLine::DataCenter;
    assert!(catalog().gpus().filter(data_center).count() >= 15);
}

#[test]
fn numbers_are_plausible() {
    for gpu in catalog().gpus() {
        let name = &gpu.name;
        assert!(gpu.vram_mib.is_sorted_by(|a, b| a < b), "{name}");
        assert!(
            gpu.vram_mib
                .iter()
                .all(|mib| mib % 512 == 0 && (512..=262_144).contains(mib)),
            "{name}"
        );
        assert!(
            gpu.memory_bandwidth_gbps
                .is_none_or(|gbps| (14..=8000).contains(&gbps)),
            "{name}"
        );
        assert!(
            gpu.worst_power_w().is_none_or(|w| (19..=1000).contains(&w)),
            "{name}"
        );
        assert!(!gpu.source.is_empty() && gpu.date.year() >= 2026, "{name}");
        // A name that says how much memory there is must not be contradicted.
        let words = name
            .split(' ')
            .filter_map(|word| word.strip_suffix("GB")?.parse::<u32>().ok());
        for gib in words.filter(|_| gpu.chip != "GH100") {
            assert!(
                gpu.vram_mib.contains(&(gib * 1024)),
                "{name}: {:?}",
                gpu.vram_mib
            );
        }
    }
}

#[test]
fn unnamed_devices_are_known_by_their_chip() {
    let derived = |device| catalog().gpu_or_derived(PciId::nvidia(device));
    let unnamed = derived(0x30c0).expect("a Rubin chip");
    assert_eq!(
        (unnamed.architecture, unnamed.line),
        (Architecture::Rubin, ProductLine::Other)
    );
    assert!(unnamed.vram_mib.is_empty() && unnamed.board_power_w.is_none());
    let laptop = derived(0x1c8c).expect("a GTX 1050 Ti Mobile");
    assert_eq!(
        (laptop.chip.as_str(), laptop.compute_capability.to_string()),
        ("GP107", "6.1".to_owned())
    );
    // A Fermi card, a sound function of a card of today, and another vendor's device.
    assert_eq!(derived(0x06c0), None);
    assert_eq!(derived(0x0fb9), None);
    assert_eq!(
        catalog().gpu_or_derived(PciId {
            vendor: 0x1002,
            device: 0x1c82
        }),
        None
    );
}

#[test]
fn the_chip_list_is_sound() {
    let mut seen = BTreeMap::new();
    let facts = include_str!("../data/pci-chips.txt")
        .lines()
        .filter(|line| !line.starts_with('#'));
    for line in facts {
        let (chip, ranges) = line.split_once(' ').expect("a chip and its ids");
        assert!(
            catalog().chip(chip).is_some(),
            "{chip} is not in chips.toml"
        );
        let mut last = None;
        for range in ranges.split(' ') {
            let (first, end) = range.split_once('-').unwrap_or((range, range));
            let id = |text: &str| u16::from_str_radix(text, 16).expect("an id");
            assert!(
                id(first) <= id(end) && last < Some(id(first)),
                "{chip} {range}"
            );
            last = Some(id(end));
            for device in id(first)..=id(end) {
                assert_eq!(seen.insert(device, chip), None, "{device:04x} stands twice");
            }
        }
    }
    for (device, chip) in &seen {
        assert_eq!(catalog().chip_of(PciId::nvidia(*device)), Some(*chip));
    }
    for gpu in catalog().gpus() {
        assert_eq!(
            seen.get(&gpu.pci_id.device),
            Some(&gpu.chip.as_str()),
            "{}",
            gpu.name
        );
    }
    assert!(seen.len() > 800, "{}", seen.len());
}

#[test]
fn branches_are_sorted_and_transitions_lead_somewhere() {
    let branches = catalog().driver_branches();
    assert!(branches.is_sorted_by(|a, b| a.branch < b.branch && a.cuda < b.cuda));
    assert!(branches.is_sorted_by(|a, b| a.first <= b.first && a.last <= b.last));
    for branch in branches {
        if let Availability::Transitional(to) = branch.noble {
            let to = catalog().driver_branch(to).expect("the branch it leads to");
            assert_eq!(to.noble, Availability::Prebuilt, "{}", branch.branch);
        }
    }
    for architecture in Architecture::ALL {
        assert!(
            catalog().last_branch_for(architecture).is_some(),
            "{architecture}"
        );
    }
    let advised = |all: &[Architecture]| catalog().advised_driver(all).map(|one| one.branch.0);
    assert_eq!(advised(&[Architecture::Kepler]), None);
    assert_eq!(
        advised(&[Architecture::Kepler, Architecture::Blackwell]),
        None
    );
    assert_eq!(advised(&[Architecture::Blackwell]), Some(580));
    assert_eq!(advised(&[]), Some(580));
}

#[test]
fn cuda_floors_are_known() {
    let floor = |major| catalog().cuda_floor(major).expect("a floor");
    assert_eq!(floor(12).driver.to_string(), "525.60.13");
    assert_eq!(floor(13).compute_capability, ComputeCapability::new(7, 5));
    assert_eq!(catalog().cuda_floor(11), None);
}

#[test]
fn versions_are_sorted() {
    assert!(
        catalog()
            .toolkit_releases()
            .is_sorted_by(|a, b| a.version < b.version)
    );
    assert!(
        catalog()
            .toolkit_vulnerabilities()
            .is_sorted_by_key(|hole| hole.fixed_in)
    );
    assert!(
        catalog()
            .tensorflow_releases()
            .is_sorted_by(|a, b| a.version < b.version)
    );
    assert!(
        catalog()
            .ollama_releases()
            .is_sorted_by(|a, b| a.version < b.version)
    );
    for release in catalog().tensorflow_releases() {
        assert!(release.code.is_sorted_by(|a, b| a < b) && !release.code.is_empty());
    }
    for release in catalog().ubuntu_releases() {
        assert!(release.images.is_sorted_by(|a, b| a.release < b.release));
    }
    let names: Vec<_> = catalog()
        .workstations()
        .iter()
        .map(|w| (&w.sys_vendor, &w.product_name))
        .collect();
    assert!(names.is_sorted());
}

#[test]
fn the_least_safe_toolkit_is_one_that_was_released() {
    let least = catalog().toolkit_least_safe_version().expect("a version");
    assert!(
        catalog()
            .toolkit_releases()
            .iter()
            .any(|release| release.version == least)
    );
    let toolkit = catalog()
        .apt_repository("nvidia-container-toolkit")
        .expect("its repository");
    for package in catalog().toolkit_packages() {
        let pinned = toolkit
            .pinned(package, &format!("{least}-1"))
            .expect("pinned");
        assert!(pinned.sha256.is_some(), "{package}");
        assert!(
            toolkit
                .newest(package)
                .is_some_and(|newest| newest.version == "1.20.1-1")
        );
    }
}

#[test]
fn repositories_are_complete() {
    let docker = catalog().apt_repository("docker").expect("docker");
    assert_eq!(
        (docker.suite.as_str(), docker.components.as_slice()),
        ("noble", &["stable".to_owned()][..])
    );
    for package in [
        "docker-ce",
        "docker-ce-cli",
        "containerd.io",
        "docker-buildx-plugin",
        "docker-compose-plugin",
    ] {
        assert!(docker.newest(package).is_some(), "{package}");
    }
    for repository in catalog().apt_repositories() {
        assert!(
            repository.uri.starts_with("https://") && repository.key_url.starts_with("https://")
        );
        assert!(!repository.source.is_empty());
    }
}

#[test]
fn urls_are_filled_in() {
    let url = |version: &str| catalog().ollama_url(version.parse().expect("a version"));
    let expected =
        "https://github.com/ollama/ollama/releases/download/v0.35.1/ollama-linux-amd64.tar.zst";
    assert_eq!(url("0.35.1").as_deref(), Some(expected));
    assert_eq!(url("0.13.5"), None);
    let manifest = catalog().model_manifest_url("gemma3:1b");
    assert_eq!(
        manifest.as_deref(),
        Some("https://registry.ollama.ai/v2/library/gemma3/manifests/1b")
    );
    assert_eq!(catalog().model_manifest_url("gemma3"), None);
    let model = catalog().model("gemma3:1b").expect("gemma3:1b");
    let weights = model
        .blobs
        .iter()
        .find(|blob| blob.role == "model")
        .expect("its weights");
    let blob = catalog()
        .model_blob_url("gemma3:1b", weights.sha256)
        .unwrap_or_default();
    assert!(
        blob.ends_with(&format!("/blobs/sha256:{}", weights.sha256)),
        "{blob}"
    );
}

#[test]
fn pins_are_found_by_name() {
    let image = catalog()
        .pinned_image("nvidia/cuda", "12.8.1-base-ubuntu24.04")
        .expect("pinned");
    assert!(image.amd64.is_some_and(|amd64| amd64 != image.digest));
    assert_eq!(catalog().pinned_image("nvidia/cuda", "latest"), None);
    assert_eq!(
        catalog().pinned_file("mnist").map(|file| file.size),
        Some(11_490_434)
    );
    assert!(catalog().pins_source().1.year() >= 2026);
}
